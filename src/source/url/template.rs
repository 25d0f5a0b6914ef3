//! The words of a URL template.
//!
//! `${version}`, `${os}`, `${arch}`, `${libc}` (`gnu` or `musl` on Linux, else empty), `${ext}`
//! (`zip` on Windows, else `tar.gz`) and `${exe}` (`.exe` on Windows, else empty); in a checksum's
//! template also `${file}` and `${url}`. The profile may map each of our words to the publisher's.
//! Invariant: an unknown word is an error, never left in a URL.

use std::collections::BTreeMap;

use ::url::Url;

use crate::base::{Arch, Libc, Os, Platform, Version};

/// What each word stands for.
pub(super) struct Words {
    values: BTreeMap<&'static str, String>,
}

impl Words {
    /// The words of a version on a platform; `mapped` has the publisher's by ours.
    pub(super) fn new(
        version: &Version,
        platform: Platform,
        mapped: &BTreeMap<String, String>,
    ) -> Self {
        let theirs = |ours: &str| mapped.get(ours).cloned().unwrap_or_else(|| ours.to_owned());
        let windows = platform.os() == Os::Windows;
        let os = match platform.os() {
            Os::Linux => "linux",
            Os::Darwin => "darwin",
            Os::Windows => "windows",
        };
        let arch = match platform.arch() {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        };
        let libc = match platform.libc() {
            Some(Libc::Glibc) => theirs("gnu"),
            Some(Libc::Musl) => theirs("musl"),
            None => String::new(),
        };
        let values = BTreeMap::from([
            ("version", version.to_string()),
            ("os", theirs(os)),
            ("arch", theirs(arch)),
            ("libc", libc),
            ("ext", theirs(if windows { "zip" } else { "tar.gz" })),
            ("exe", if windows { ".exe".to_owned() } else { String::new() }),
        ]);
        Self { values }
    }

    /// Adds a word.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.values.insert(name, value.to_owned());
    }

    /// The template with every word replaced.
    pub(super) fn expand(&self, template: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let (name, tail) =
                after.split_once('}').ok_or_else(|| "a `${` is never closed".to_owned())?;
            let value = self.values.get(name);
            out.push_str(value.ok_or_else(|| format!("`${{{name}}}` is not a word of it"))?);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Refuses what must not be fetched or must not stand in a profile.
pub(super) fn check(url: Url) -> Result<Url, String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme `{}` is neither http nor https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds credentials; profiles are kept in git".to_owned());
    }
    Ok(url)
}

/// The last part of a URL's path.
pub(super) fn file_name(url: &Url) -> Result<String, String> {
    let last = url.path_segments().and_then(|mut s| s.next_back()).unwrap_or_default();
    if last.is_empty() {
        return Err("it ends in `/`, so it names no file".to_owned());
    }
    Ok(last.to_owned())
}

/// A template without what stands before an `@` in its host part.
pub(in crate::source) fn shown(template: &str) -> String {
    let Some((scheme, rest)) = template.split_once("://") else { return template.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => template.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(platform: Platform, mapped: &[(&str, &str)]) -> Words {
        let mapped = mapped.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Words::new(&"1.2.3".parse().expect("version"), platform, &mapped)
    }

    #[test]
    fn expands_for_each_platform() {
        let template = "t-${version}-${os}-${arch}-${libc}${exe}.${ext}";
        let mapped = [("x86_64", "amd64"), ("darwin", "macOS"), ("gnu", "glibc"), ("zip", "7z")];
        for (platform, plain, with) in [
            (
                Platform::X86_64Linux,
                "t-1.2.3-linux-x86_64-gnu.tar.gz",
                "t-1.2.3-linux-amd64-glibc.tar.gz",
            ),
            (
                Platform::Aarch64LinuxMusl,
                "t-1.2.3-linux-aarch64-musl.tar.gz",
                "t-1.2.3-linux-aarch64-musl.tar.gz",
            ),
            (
                Platform::Aarch64Darwin,
                "t-1.2.3-darwin-aarch64-.tar.gz",
                "t-1.2.3-macOS-aarch64-.tar.gz",
            ),
            (
                Platform::X86_64Windows,
                "t-1.2.3-windows-x86_64-.exe.zip",
                "t-1.2.3-windows-amd64-.exe.7z",
            ),
        ] {
            assert_eq!(words(platform, &[]).expand(template).as_deref(), Ok(plain));
            assert_eq!(words(platform, &mapped).expand(template).as_deref(), Ok(with));
        }
    }

    #[test]
    fn refuses() {
        let words = words(Platform::X86_64Linux, &[]);
        for (template, why) in
            [("${nope}", "`${nope}`"), ("${version", "never closed"), ("${file}", "`${file}`")]
        {
            assert!(words.expand(template).expect_err(template).contains(why), "{template}");
        }
        for (url, why) in [
            ("ftp://mirror.invalid/x", "scheme `ftp`"),
            ("file:///etc/passwd", "scheme `file`"),
            ("https://user:pw@mirror.invalid/x", "credentials"),
            ("https://token@mirror.invalid/x", "credentials"),
        ] {
            assert!(check(url.parse().expect("url")).expect_err(url).contains(why), "{url}");
        }
        assert!(file_name(&"https://mirror.invalid/x/".parse().expect("url")).is_err());
    }

    #[test]
    fn hides_credentials() {
        assert_eq!(
            shown("https://u:p@w@mirror.invalid/${os}@x"),
            "https://***@mirror.invalid/${os}@x"
        );
        assert_eq!(shown("https://mirror.invalid/@x"), "https://mirror.invalid/@x");
        assert_eq!(shown("/a@b"), "/a@b");
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,40}", t in "(\\$|\\{|\\}|os|x|@|://|/){0,12}") {
            let words = words(Platform::X86_64Linux, &[]);
            let _ = (words.expand(&s), words.expand(&t), shown(&s), shown(&t));
        }
        #[test]
        fn text_without_words_is_itself(s in "[^$]{0,40}") {
            prop_assert_eq!(words(Platform::X86_64Linux, &[]).expand(&s), Ok(s));
        }
    }
}
