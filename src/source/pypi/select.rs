//! Which of a version's files a platform gets.
//!
//! Invariant: the choice depends on the files' names alone, never on their order in the index.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::index::File;
use super::tags::{self, Rank};
use super::wheel::WheelName;
use crate::base::Platform;

/// The best file for a platform, or the reason why there is none.
///
/// Best is the lowest baseline, then the highest build tag, then the first name. Withdrawn files
/// are taken only when the version has no other; by then the requirement named it exactly.
pub(super) fn select<'a>(files: &[&'a File], platform: Platform) -> Result<&'a File, String> {
    let kept = files.iter().filter(|f| !f.yanked).count();
    let files: Vec<_> = files.iter().copied().filter(|f| kept == 0 || !f.yanked).collect();
    let wheels: Vec<_> =
        files.iter().filter_map(|f| Some((*f, WheelName::parse(&f.name)?))).collect();
    wheels
        .iter()
        .filter(|(_, wheel)| wheel.is_binary_distribution())
        .filter_map(|(file, wheel)| Some((key(file, wheel, platform)?, *file)))
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, file)| file)
        .ok_or_else(|| reason(&files, &wheels))
}

type Key<'a> = (Rank, Reverse<Option<&'a (u64, String)>>, &'a str);

fn key<'a>(file: &'a File, wheel: &'a WheelName, platform: Platform) -> Option<Key<'a>> {
    let rank = wheel.platforms.iter().filter_map(|tag| tags::rank(tag, platform)).min()?;
    Some((rank, Reverse(wheel.build.as_ref()), &file.name))
}

fn reason(files: &[&File], wheels: &[(&File, WheelName)]) -> String {
    let list = |set: BTreeSet<&str>| set.into_iter().collect::<Vec<_>>().join(", ");
    let programs: BTreeSet<_> = wheels
        .iter()
        .filter(|(_, wheel)| wheel.is_binary_distribution())
        .flat_map(|(_, wheel)| wheel.platforms.iter().map(String::as_str))
        .collect();
    if !programs.is_empty() {
        return format!("its wheels are for {}", list(programs));
    }
    let pythons: BTreeSet<_> =
        wheels.iter().flat_map(|(_, wheel)| wheel.abis.iter().map(String::as_str)).collect();
    if !pythons.is_empty() {
        return format!("its wheels are extensions of Python, not programs ({})", list(pythons));
    }
    let names: BTreeSet<_> = files.iter().map(|f| f.name.as_str()).collect();
    format!("it is published as source only ({})", list(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<File> {
        names
            .iter()
            .map(|name| File {
                provenance: None,
                uploaded: None,
                name: name.trim_end_matches('!').to_owned(),
                url: "http://mirror.invalid/x".parse().expect("url"),
                integrity: None,
                size: None,
                yanked: name.ends_with('!'),
            })
            .collect()
    }

    fn pick(names: &[&str], platform: Platform) -> Result<String, String> {
        let mut all = files(names);
        let forward = select(&all.iter().collect::<Vec<_>>(), platform).map(|f| f.name.clone());
        all.reverse();
        let backward = select(&all.iter().collect::<Vec<_>>(), platform).map(|f| f.name.clone());
        assert_eq!(forward, backward, "the order in the index does not matter");
        forward
    }

    #[test]
    fn every_platform_gets_its_wheel() {
        let names = [
            "t-1-py3-none-macosx_10_12_x86_64.whl",
            "t-1-py3-none-macosx_11_0_arm64.whl",
            "t-1-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
            "t-1-py3-none-manylinux_2_28_x86_64.musllinux_1_2_x86_64.whl",
            "t-1-py3-none-win_amd64.whl",
            "t-1-py3-none-win_arm64.whl",
        ];
        for (platform, want) in [
            (Platform::X86_64Darwin, 0),
            (Platform::Aarch64Darwin, 1),
            (Platform::Aarch64Linux, 2),
            (Platform::Aarch64LinuxMusl, 2),
            (Platform::X86_64Linux, 3),
            (Platform::X86_64LinuxMusl, 3),
            (Platform::X86_64Windows, 4),
            (Platform::Aarch64Windows, 5),
        ] {
            assert_eq!(pick(&names, platform).as_deref(), Ok(names[want]), "{platform}");
        }
    }

    #[test]
    fn prefers() {
        let linux = Platform::X86_64Linux;
        for (names, platform) in [
            // widest baseline, best of a compressed set
            (
                &[
                    "t-1-py3-none-manylinux_2_17_x86_64.whl",
                    "t-1-py3-none-manylinux_2_28_x86_64.whl",
                ][..],
                linux,
            ),
            (
                &[
                    "t-1-py3-none-manylinux_2_28_x86_64.manylinux1_x86_64.whl",
                    "t-1-py3-none-manylinux2014_x86_64.whl",
                ],
                linux,
            ),
            // build tag as a number, then the name
            (
                &["t-1-10-py3-none-manylinux1_x86_64.whl", "t-1-9-py3-none-manylinux1_x86_64.whl"],
                linux,
            ),
            (
                &["t-1-1-py3-none-manylinux1_x86_64.whl", "t-1-py3-none-manylinux1_x86_64.whl"],
                linux,
            ),
            (
                &["t-1-cp310-none-manylinux1_x86_64.whl", "t-1-cp311-none-manylinux1_x86_64.whl"],
                linux,
            ),
            // anything native before `any`
            (&["t-1-py3-none-linux_x86_64.whl", "t-1-py3-none-any.whl"], linux),
            (
                &["t-1-py3-none-macosx_11_0_arm64.whl", "t-1-py3-none-macosx_11_0_universal2.whl"],
                Platform::Aarch64Darwin,
            ),
            // withdrawn files last
            (&["t-1-py3-none-any.whl", "t-1-py3-none-manylinux1_x86_64.whl!"], linux),
            (&["t-1-py3-none-manylinux1_x86_64.whl!"], linux),
        ] {
            let want = names[0].trim_end_matches('!');
            assert_eq!(pick(names, platform).as_deref(), Ok(want));
        }
    }

    #[test]
    fn says_what_there_is_instead() {
        let arm = Platform::Aarch64LinuxMusl;
        for (names, want) in [
            (
                &["t-1-py3-none-win_amd64.whl", "t-1-py3-none-manylinux1_x86_64.whl", "t-1.tar.gz"]
                    [..],
                "its wheels are for manylinux1_x86_64, win_amd64",
            ),
            (
                &["t-1-cp311-cp311-musllinux_1_1_aarch64.whl"],
                "its wheels are extensions of Python, not programs (cp311)",
            ),
            (&["t-1.tar.gz"], "it is published as source only (t-1.tar.gz)"),
        ] {
            assert_eq!(pick(names, arm), Err(want.to_owned()));
        }
    }
}
