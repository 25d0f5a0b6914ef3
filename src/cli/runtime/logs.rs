//! `infra runtime logs`

use std::process::ExitCode;

use jiff::Timestamp;
use regex_lite::Regex;
use serde::Serialize;

use super::time;
use crate::base::ServiceName;
use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::logs::{Query, Shown};
use crate::supervise::logs::line::{Line, Stream};
use crate::ui::Style;

/// Lines of each service unless something else says which.
const USUAL: usize = 100;

/// Bytes gathered before they are written.
const BATCH: usize = 32 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services; all unless given
    pub(crate) services: Vec<String>,
    /// Services, as a list
    #[arg(long = "service", value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) also: Vec<String>,
    /// Go on with new lines until Ctrl-C or until the stack has stopped
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// The last N lines of each service [default: 100; all with --since, --until or --grep]
    #[arg(long, short = 'n', visible_alias = "lines", value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// Lines since a time (2026-11-24T07:43, UTC unless it says so) or for a while (10m, 2h, 1d)
    #[arg(long, value_name = "WHEN", value_parser = time::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Lines before a time, written like --since
    #[arg(long, value_name = "WHEN", value_parser = time::parse)]
    pub(crate) until: Option<Timestamp>,
    /// Lines with a match for a regular expression
    #[arg(long, value_name = "REGEX", value_parser = Regex::new)]
    pub(crate) grep: Option<Regex>,
    /// Lines of one stream
    #[arg(long, value_name = "STREAM", value_parser = stream)]
    pub(crate) stream: Option<Stream>,
    /// A JSON object a line: time, service, stream, line
    #[arg(long)]
    pub(crate) json: bool,
    /// The time before each line
    #[arg(long, short = 't')]
    pub(crate) timestamps: bool,
    /// No colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

fn stream(text: &str) -> Result<Stream, String> {
    match text {
        "stdout" => Ok(Stream::Stdout),
        "stderr" => Ok(Stream::Stderr),
        "supervisor" => Ok(Stream::Supervisor),
        _ => Err("one of stdout, stderr and supervisor".to_owned()),
    }
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let printer = &session.printer;
    let name = &session.context.settings().env.value;
    let chosen = args.since.is_some() || args.until.is_some() || args.grep.is_some();
    let query = Query {
        services: args.services.iter().chain(&args.also).cloned().collect(),
        since: args.since,
        until: args.until,
        tail: args.tail.or((!chosen).then_some(USUAL)),
        grep: args.grep.clone(),
        stream: args.stream,
        follow: args.follow,
    };
    let style = if args.no_color { Style::new(false) } else { printer.style() };
    let names = ops::control::declared(&session.context, name, &[])?;
    let form = Form { names, style, json: args.json, timestamps: args.timestamps };
    let mut batch = Vec::new();
    ops::logs::show(&session.context, name, &query, |shown| {
        let pause = matches!(shown, Shown::Pause);
        match shown {
            Shown::Line(service, line) => form.line(service, &line, &mut batch),
            Shown::Lost(service, files) => {
                let what = if files == 1 { "file" } else { "files" };
                printer.warn(&format!(
                    "{files} {what} of {service} went by the limits of its log before they were read"
                ));
            }
            Shown::Pause => {}
        }
        if !batch.is_empty() && (pause || batch.len() >= BATCH) {
            printer.bytes(&batch);
            batch.clear();
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How lines are written.
struct Form {
    /// Those of the environment, by name: colours are the same whatever is picked.
    names: Vec<ServiceName>,
    style: Style,
    json: bool,
    timestamps: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    time: &'a str,
    service: &'a ServiceName,
    stream: Stream,
    line: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continues: bool,
}

impl Form {
    fn line(&self, service: &ServiceName, line: &Line<'_>, out: &mut Vec<u8>) {
        if self.json {
            let text = String::from_utf8_lossy(line.text);
            let Line { time, stream, continues, text: _ } = *line;
            let value = Json { time, service, stream, line: &text, continues };
            // Every key is a string and memory takes any amount: there is no error to have.
            let _ = serde_json::to_writer(&mut *out, &value);
            out.push(b'\n');
            return;
        }
        let width = self.names.iter().map(|n| n.as_str().len()).max().unwrap_or(0);
        let place = self.names.iter().position(|n| n == service).unwrap_or(0);
        let name = self.style.service(place, &format!("{service:width$}"));
        let bar = match line.stream {
            Stream::Stdout => "│".to_owned(),
            Stream::Stderr => self.style.red("!"),
            Stream::Supervisor => self.style.dim("·"),
        };
        out.extend_from_slice(format!("{name} {bar} ").as_bytes());
        if self.timestamps {
            out.extend_from_slice(self.style.dim(line.time).as_bytes());
            out.push(b' ');
        }
        if line.continues {
            out.extend_from_slice("…".as_bytes());
        }
        out.extend_from_slice(line.text);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let name = |n: &str| ServiceName::new(n).unwrap();
        let form = |json, timestamps| Form {
            names: vec![name("nats"), name("web")],
            style: Style::new(false),
            json,
            timestamps,
        };
        let shown = |form: Form, line: &[u8]| {
            let mut out = Vec::new();
            form.line(&name("web"), &Line::any(line), &mut out);
            String::from_utf8(out).unwrap()
        };
        let line = b"2026-01-02T03:04:05.678Z err+ a \"b\"";
        assert_eq!(shown(form(false, false), line), "web  ! …a \"b\"\n");
        assert_eq!(shown(form(false, true), line), "web  ! 2026-01-02T03:04:05.678Z …a \"b\"\n");
        let json = "{\"time\":\"2026-01-02T03:04:05.678Z\",\"service\":\"web\",\
                    \"stream\":\"stderr\",\"line\":\"a \\\"b\\\"\",\"continues\":true}\n";
        assert_eq!(shown(form(true, false), line), json);
    }
}
