//! What kind of failure each error of a source is, and what to do about it.
//!
//! Invariant: every error that the user can mend has a hint; a wrapped error's hints are its own.

use super::Error;
use crate::base::{Diagnose, Hint, Kind, SourceKind, Version};

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Endpoint { source, .. } => source.kind(),
            Self::Fetch { source, .. } | Self::RateLimit { source, .. } => source.kind(),
            Self::PathIo { source, .. } => source.kind(),
            Self::Image { source, .. } => source.kind(),
            Self::Evidence { source, .. } => source.kind(),
            Self::NoList { source, .. } => source.kind(),
            Self::NoBase { .. }
            | Self::PackageName { .. }
            | Self::NotExact { .. }
            | Self::Template { .. }
            | Self::Path { .. } => Kind::Usage,
            Self::NoFiles { .. } => Kind::Bug,
            Self::Unsigned { .. } | Self::IndexHash { .. } | Self::DefinitionHash { .. } => {
                Kind::Integrity
            }
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Endpoint { source, .. } => return source.hints(),
            Self::Fetch { source, .. } => return source.hints(),
            Self::PathIo { source, .. } => return source.hints(),
            Self::Image { source, .. } => return source.hints(),
            Self::Closure { .. } => {
                "check the components of the repositories, or leave `closure` out".to_owned()
            }
            Self::Evidence { .. } => {
                "nothing was locked; try again, or tell who runs the server".to_owned()
            }
            Self::NoBase { subject } => {
                format!("set `url` in `[source.{}]` of the profile", subject.from.kind())
            }
            Self::PackageName { subject } => match subject.from.kind() {
                SourceKind::Npm => "write `npm:NAME` or `npm:@SCOPE/NAME`".to_owned(),
                SourceKind::Oci => {
                    "write `oci:NAME` without host, tag and digest: the registry is `url` in \
                     `[source.oci]`, the tag is `version` or `tag`"
                        .to_owned()
                }
                SourceKind::Github => "write `github:OWNER/REPOSITORY`".to_owned(),
                SourceKind::Aqua => "write `aqua:OWNER/NAME`".to_owned(),
                SourceKind::Crate => "write `crate:NAME`".to_owned(),
                SourceKind::Go => {
                    "write the path of the package that holds `func main`, e.g. \
                     `go:example.com/tool/cmd/tool`"
                        .to_owned()
                }
                kind => format!("write `{kind}:NAME`"),
            },
            Self::UnknownPackage { subject, .. } if subject.from.kind() == SourceKind::Github => {
                return vec![
                    Hint::new("check how owner and repository are spelled"),
                    Hint::new("a private repository needs GITHUB_TOKEN (or GH_TOKEN)"),
                ];
            }
            Self::NotDefined { subject, near, .. } => {
                let mut hints: Vec<_> =
                    near.iter().map(|name| Hint::new(format!("did you mean `aqua:{name}`?"))).collect();
                if subject.from.package().split('/').count() == 2 {
                    hints.push(Hint::new(format!(
                        "what its repository releases may be had as `github:{}`",
                        subject.from.package()
                    )));
                }
                return hints;
            }
            Self::Definition { subject, .. } => format!(
                "take another version of `{}`, or another source: the registry's file must be \
                 corrected there",
                subject.dep
            ),
            Self::DefinitionHash { subject, .. } => {
                return vec![
                    Hint::new("nothing of it was used"),
                    Hint::new(format!(
                        "if the registry is a mirror, its history was changed; `infra dep update \
                         {}` locks what it has now",
                        subject.dep
                    )),
                ];
            }
            Self::Metadata { subject, .. } => format!(
                "take another version of `{}`, or another source: only its publisher can correct it",
                subject.dep
            ),
            Self::Elsewhere { instead, .. } => format!("use `{instead}`"),
            Self::Private { .. } => {
                "such modules come from version control, which is not used: serve them on a proxy \
                 of your own and set GONOPROXY=none"
                    .to_owned()
            }
            Self::NoList { source, .. } => {
                let exact = "`version = \"=1.2.3\"` needs no list, only that version";
                return [Hint::new(exact)].into_iter().chain(source.hints()).collect();
            }
            Self::Tags { kinds, .. } => {
                let kind = kinds.first().map_or("v${version}", String::as_str);
                format!("say which (`--tag` of `infra dep add`), e.g. `tag = \"{kind}\"`")
            }
            Self::NoAssets { subject } => format!(
                "only files that `{}` uploads to a release can be taken, not its source archives",
                subject.from.package()
            ),
            Self::Assets { candidates, version, .. } => {
                let first = candidates.first().map_or("", String::as_str);
                format!(
                    "say which (`--asset` of `infra dep add`), e.g. `asset = \"{}\"`",
                    first.replace(version.as_str(), "${version}")
                )
            }
            Self::RateLimit { token: true, .. } => {
                "wait until then, or name a mirror with `url` in `[source.github]` of the profile"
                    .to_owned()
            }
            Self::RateLimit { token: false, .. } => {
                "set GITHUB_TOKEN (or GH_TOKEN): with a token much more may be asked".to_owned()
            }
            Self::UnknownPackage { subject, .. } => {
                return vec![
                    Hint::new(format!("check how {} spells the package", subject.from.kind())),
                    Hint::new(format!(
                        "if another index has it, set `url` in `[source.{}]` of the profile",
                        subject.from.kind()
                    )),
                ];
            }
            Self::NoVersion(none) => match (&none.prerelease, &none.yanked) {
                (Some(version), _) => format!(
                    "{version} is a pre-release; ask for it with `version = \"={version}\"`"
                ),
                (None, Some(version)) => format!(
                    "{version} was withdrawn by its publisher; only `version = \"={version}\"` \
                     takes it"
                ),
                (None, None) => {
                    format!("change `version` of `{}` in the profile", none.subject.dep)
                }
            },
            Self::VersionGone { subject, .. } | Self::FileGone { subject, .. } => format!(
                "if it was deleted upstream, run `infra dep update {}`; if a mirror lacks it, use \
                 another one",
                subject.dep
            ),
            Self::Malformed { subject, .. } => format!(
                "check that the base URL of {} is that of an index, not of a web page",
                subject.from.kind()
            ),
            Self::UnknownSuite { .. } => {
                "check the suite and components, in `[source.deb]` of the profile or in apt's \
                 sources; if the repository was just being updated, run the same command again"
                    .to_owned()
            }
            Self::NoKeys { .. } => "write `signed-by = \"FILE\"` with the repository's keys under \
                                    `[source.deb]` in the profile, or install its keyring for apt"
                .to_owned(),
            Self::Unsigned { .. } => {
                return vec![
                    Hint::new("nothing of this repository was used"),
                    Hint::new(
                        "if it has a new key, install its keyring for apt, or name the file of its \
                         keys as `signed-by` under `[source.deb]` in the profile",
                    ),
                ];
            }
            Self::Expired { .. } => {
                "the mirror is stale, or the clock of this machine is wrong; for an archived \
                 release write `Check-Valid-Until: no` into apt's sources"
                    .to_owned()
            }
            Self::IndexHash { .. } => {
                "nothing of it was used; the mirror was being updated, or it serves something else: \
                 run the same command again, or use another mirror"
                    .to_owned()
            }
            Self::WeakHash { subject, .. } => {
                format!("choose a version of `{}` that was published with one", subject.dep)
            }
            Self::Checksum { .. } => {
                "correct `checksum` in the profile, or leave it out to trust the first download"
                    .to_owned()
            }
            Self::Format { .. } => {
                "supported are .zip, .whl, .7z, .deb, .tar, .tar.gz, .tar.xz, .tar.zst, .tar.bz2, and \
                 executables, plain or as .gz, .xz, .zst, .bz2"
                    .to_owned()
            }
            Self::NotExact { subject, .. } => match subject.from.kind() {
                SourceKind::Path => "write `version = \"=1.2.3\"`, or leave it out".to_owned(),
                _ => "write `version = \"=1.2.3\"`".to_owned(),
            },
            Self::Template { .. } => {
                "known words are `${version}`, `${os}`, `${arch}`, `${libc}`, `${ext}` and `${exe}`; \
                 `${file}` and `${url}` also in `checksum`"
                    .to_owned()
            }
            Self::Path { .. } => {
                "write the path of a directory relative to the project, e.g. `path:tools/bin`"
                    .to_owned()
            }
            Self::NoFiles { .. } => return Vec::new(),
        };
        vec![Hint::new(hint)]
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::NoVersion(none) if none.newest.is_empty() => {
                vec!["published  none".to_owned()]
            }
            Self::NoVersion(none) => {
                let list: Vec<_> = none.newest.iter().map(Version::as_str).collect();
                vec![format!("newest  {}", list.join(", "))]
            }
            Self::Tags { kinds, .. } => kinds.iter().map(|kind| format!("kind  {kind}")).collect(),
            Self::Assets { candidates, .. } => {
                candidates.iter().map(|name| format!("file  {name}")).collect()
            }
            Self::RateLimit { source, .. } => source.details(),
            Self::NoKeys { files, .. } if files.is_empty() => {
                vec!["looked in  no file".to_owned()]
            }
            Self::NoKeys { files, .. } => {
                files.iter().map(|file| format!("looked in  {file}")).collect()
            }
            Self::IndexHash { subject, expected, received, .. } => vec![
                match subject.from.kind() {
                    SourceKind::Deb => format!("expected  {expected}  from the signed index"),
                    _ => format!("expected  {expected}  from the index"),
                },
                format!("received  {received}"),
            ],
            Self::DefinitionHash { expected, received, .. } => vec![
                format!("expected  {expected}  from dep.lock.json"),
                format!("received  {received}"),
            ],
            Self::Endpoint { source, .. } => source.details(),
            Self::Fetch { source, .. } => source.details(),
            Self::PathIo { source, .. } => source.details(),
            Self::Image { source, .. } => source.details(),
            Self::NoList { source, .. } => source.details(),
            _ => Vec::new(),
        }
    }
}
