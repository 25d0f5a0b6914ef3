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
        let text = next.to_string();
        if !said.contains(&text) {
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
    fn shows_file_line_and_column() {
        let text = render(&Sample.into(), Style::new(false));
        assert!(text.contains("error: unknown key `comand`"), "{text}");
        assert!(text.contains("profiles/dev.toml:2:1"), "{text}");
        assert!(text.contains("^^^^^^ no such key"), "{text}");
        assert!(text.ends_with("hint: did you mean `command`?\n"), "{text}");
    }
}
