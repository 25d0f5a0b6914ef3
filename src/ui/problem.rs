//! Problems as people see them: what failed, where, the values involved, what to do next.
//!
//! ```text
//! error: sha256 mismatch for `pocketbase` 0.40.6 (x86_64-linux)
//!   expected  sha256-…  from dep.lock.json
//!   received  sha256-…  from the configured index
//! hint: the upstream file changed after it was locked; nothing was installed
//! ```

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Style;
use crate::base::{Diagnose, Excerpt, Kind, Problem};

/// The text of a problem, lines ending in newlines.
pub fn render(error: &Problem, style: Style) -> String {
    let inner = error.inner();
    let mut out = match inner.excerpt() {
        Some(excerpt) => with_excerpt(&inner.to_string(), &excerpt, style),
        None => format!("{} {inner}\n", style.red("error:")),
    };
    let mut said = inner.to_string();
    let mut cause = inner.source();
    // A deep chain adds nothing that a person can use.
    for _ in 0..6 {
        let Some(next) = cause else { break };
        // The system's own numbers help nobody, and errors of `fs` have its words in their text.
        let text = without_number(&next.to_string());
        if !said.to_lowercase().contains(&text.to_lowercase()) {
            out.push_str(&format!("  because {text}\n"));
            said.push_str(&text);
        }
        cause = next.source();
    }
    for line in inner.details() {
        out.push_str(&format!("  {line}\n"));
    }
    for hint in hints(inner) {
        out.push_str(&format!("{} {hint}\n", style.cyan("hint:")));
    }
    out
}

/// `No space left on device (os error 28)` without its end.
fn without_number(text: &str) -> String {
    match text.split_once(" (os error ") {
        Some((before, after)) => match after.split_once(')') {
            Some((number, rest)) if number.parse::<u32>().is_ok() => format!("{before}{rest}"),
            _ => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

fn hints(inner: &dyn Diagnose) -> Vec<String> {
    let mut hints: Vec<String> = inner.hints().iter().map(ToString::to_string).collect();
    if inner.kind() == Kind::Bug {
        hints.push("this is a mistake in infra itself; please report it with this message".into());
    }
    hints
}

fn with_excerpt(message: &str, excerpt: &Excerpt, style: Style) -> String {
    let path = excerpt.file.display().to_string();
    let end = excerpt.text.len();
    let span = excerpt.span.start.min(end)..excerpt.span.end.min(end);
    let group = Level::ERROR.primary_title(message).element(
        Snippet::source(excerpt.text.as_str())
            .path(path)
            .annotation(AnnotationKind::Primary.span(span).label(excerpt.label.as_str())),
    );
    let renderer = if style.is_on() { Renderer::styled() } else { Renderer::plain() };
    format!("{}\n", renderer.render(&[group]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Hint;

    #[derive(Debug, thiserror::Error)]
    #[error("unknown key `comand`")]
    struct Sample;

    impl Diagnose for Sample {
        fn kind(&self) -> Kind {
            Kind::Usage
        }
        fn hints(&self) -> Vec<Hint> {
            vec![Hint::new("did you mean `command`?")]
        }
        fn excerpt(&self) -> Option<Excerpt> {
            Some(Excerpt {
                file: "profiles/dev.toml".into(),
                text: "[service.nats]\ncomand = []\n".into(),
                span: 15..21,
                label: "no such key".into(),
            })
        }
    }

    #[test]
    fn a_systems_reason_is_said_once_and_without_its_number() {
        let source = std::io::Error::from_raw_os_error(28);
        let error = crate::fs::Error::Io { action: "write", path: "/x".into(), source };
        let text = render(&error.into(), Style::new(false));
        assert!(text.starts_with("error: cannot write `/x`: no space left on device\nhint:"), "{text}");
        assert_eq!(without_number("a (os error 2) b"), "a b");
        assert_eq!(without_number("a (os error x) b"), "a (os error x) b");
    }

    #[test]
    fn shows_file_line_and_column() {
        let text = render(&Sample.into(), Style::new(false));
        assert!(text.contains("error: unknown key `comand`"), "{text}");
        assert!(text.contains("profiles/dev.toml:2:1"), "{text}");
        assert!(text.contains("^^^^^^ no such key"), "{text}");
        assert!(text.ends_with("hint: did you mean `command`?\n"), "{text}");
    }
}
