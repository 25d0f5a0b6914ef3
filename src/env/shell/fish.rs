//! fish: lists for `PATH`, and quotes of its own.
//!
//! In fish's single quotes `\` and `'` are special, each escaped with a backslash. Reference: the
//! fish manual, "Quotes".

use std::os::unix::ffi::OsStrExt as _;

use super::Code;
use crate::env::activate::Activation;

/// The value as one word.
pub fn quote(value: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for &byte in value {
        if matches!(byte, b'\'' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'\'');
    out
}

/// Exports, and the function that takes them back.
pub fn print(activation: &Activation) -> Vec<u8> {
    let names = || activation.variables.keys().map(String::as_str).chain(["PATH"]);
    let mut code = Code::default();
    code.text("functions -q infra_leave; and infra_leave\n");
    for name in names() {
        code.text(&format!("set -q {name}; and set -g __infra_old_{name} ${name}\n"));
    }
    exports(&mut code, activation);
    code.text("set -gx PATH");
    for entry in activation.path_entries() {
        code.text(" ").bytes(&quote(entry.as_bytes()));
    }
    code.text("\nfunction infra_leave\n");
    for name in names() {
        code.text(&format!(
            "    if set -q __infra_old_{name}\n        set -gx {name} $__infra_old_{name}\n        \
             set -eg __infra_old_{name}\n    else\n        set -eg {name}\n    end\n"
        ));
    }
    code.text("    functions -e infra_leave\nend\n");
    code.finish()
}

/// What a shell that is entered runs after the user's own start-up files.
pub fn startup(activation: &Activation) -> Vec<u8> {
    let mut code = Code::default();
    exports(&mut code, activation);
    code.text("set -l __infra_bin ").bytes(&quote(activation.bin.as_os_str().as_bytes()));
    // Compared as text: `string match` would take the directory for a pattern.
    code.text(
        "\nset -l __infra_path $__infra_bin\n\
         for entry in $PATH\n    \
         test \"$entry\" = \"$__infra_bin\"; or set -a __infra_path $entry\n\
         end\nset -gx PATH $__infra_path\n",
    );
    code.text("functions -q fish_prompt; and functions -c fish_prompt __infra_fish_prompt\n");
    // The user's prompt may show the last status, which our own words must not change.
    code.text(&format!(
        "function __infra_return\n    return $argv[1]\nend\nfunction fish_prompt\n    \
         set -l last $status\n    echo -n '(infra:{}) '\n    \
         if functions -q __infra_fish_prompt\n        __infra_return $last\n        \
         __infra_fish_prompt\n    else\n        echo -n '> '\n    end\nend\n",
        activation.name
    ));
    code.finish()
}

fn exports(code: &mut Code, activation: &Activation) {
    for (name, value) in &activation.variables {
        code.text(&format!("set -gx {name} ")).bytes(&quote(value.as_bytes())).text("\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::run;
    use super::*;
    use crate::env::testing;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn every_text_survives(value in "[^\0]{0,30}") {
            let quoted = quote(value.as_bytes());
            // fish's own rule, read back: a backslash takes the next byte as it is.
            let mut read = Vec::new();
            let mut bytes = quoted[1..quoted.len() - 1].iter();
            while let Some(&byte) = bytes.next() {
                prop_assert_ne!(byte, b'\'', "ends the quote");
                read.push(if byte == b'\\' { *bytes.next().expect("escaped") } else { byte });
            }
            prop_assert_eq!(&read, value.as_bytes());
            let mut script = b"printf %s ".to_vec();
            script.extend(&quoted);
            if let Some(out) = run("fish", &["--no-config"], &script) {
                prop_assert_eq!(out, value.as_bytes());
            }
        }
    }

    #[test]
    fn path_is_a_list_and_leaving_restores() {
        let activation = testing::activation();
        let code = String::from_utf8(print(&activation)).expect("text");
        assert!(code.contains("set -gx PATH '/store/store/env/bin' '/usr/bin'\n"), "{code}");
        let mut script = b"set -gx NATS_URL before\nset -gx PATH /usr/bin /bin\n".to_vec();
        script.extend(code.into_bytes());
        script.extend(b"printf '%s|%s\\n' $NATS_URL $TRICKY\ninfra_leave\n");
        script.extend(b"printf '%s|' $NATS_URL (set -q TRICKY; or echo unset) $PATH");
        let Some(out) = run("fish", &["--no-config"], &script) else { return };
        let expected =
            format!("nats://127.0.0.1:4222|{}\nbefore|unset|/usr/bin|/bin|", testing::TRICKY);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn the_prompt_is_marked_and_sees_the_last_status() {
        let activation = testing::activation();
        let mut script = b"set -gx PATH /a /store/store/env/bin /usr/bin\n".to_vec();
        script.extend(b"function fish_prompt; echo -n \"[$status] \"; end\n");
        script.extend(startup(&activation));
        script.extend(b"__infra_return 3; fish_prompt; printf '%s|' $PATH");
        let Some(out) = run("fish", &["--no-config"], &script) else { return };
        let expected = "(infra:dev) [3] /store/store/env/bin|/a|/usr/bin|";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
