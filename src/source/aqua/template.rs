//! The templates of definitions: `tool-{{trimV .Version}}-{{.OS}}.{{.Format}}`.
//!
//! The part of Go's text/template, with sprig's functions, that definitions use. Refuses every
//! other function and every variable that is not set, so that no name is made of half a template.
//! References: Go's text/template; sprig's documentation. Invariant: rendering reads nothing but
//! the template and its variables.

use std::collections::BTreeMap;

use regex_lite::Regex;

/// Values by name: `Version`, `OS`, `Vars.channel`.
pub(super) type Words = BTreeMap<String, String>;

/// Renders a template.
///
/// # Errors
/// What in it is not understood.
pub(super) fn render(template: &str, words: &Words) -> Result<String, String> {
    let pieces = pieces(template)?;
    let mut out = String::new();
    let mut at = 0;
    block(&pieces, &mut at, words, true, 0, &mut out)?;
    match pieces.get(at) {
        None => Ok(out),
        Some(_) => Err("`{{end}}` or `{{else}}` without `{{if}}`".to_owned()),
    }
}

enum Piece<'a> {
    Plain(&'a str),
    Action(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// `.OS`, with what follows its dots.
    Field(String),
    Word(String),
    Text(String),
    Number(usize),
    Pipe,
    Open,
    Close,
    /// `.Major` behind a closing bracket.
    Part(String),
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    List(Vec<String>),
    Number(usize),
    Bool(bool),
    /// Major, minor and patch, and what it was read from.
    Semver([u64; 3], String),
}

impl Value {
    fn text(self) -> Result<String, String> {
        match self {
            Self::Text(text) | Self::Semver(_, text) => Ok(text),
            Self::Number(number) => Ok(number.to_string()),
            Self::Bool(truth) => Ok(truth.to_string()),
            Self::List(_) => Err("a list stands where a text must be".to_owned()),
        }
    }

    fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Number(number) => *number != 0,
            Self::Bool(truth) => *truth,
            Self::Semver(..) => true,
        }
    }
}

fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some((plain, after)) = rest.split_once("{{") {
        let end = end_of_action(after).ok_or("a `{{` is not closed")?;
        let (mut action, mut then) = (&after[..end], &after[end + 2..]);
        let mut plain = plain;
        // `{{-` and `-}}` drop the white space beside them.
        if let Some(inner) = action.strip_prefix('-').filter(|a| a.starts_with(char::is_whitespace))
        {
            (action, plain) = (inner, plain.trim_end());
        }
        if let Some(inner) = action.strip_suffix('-').filter(|a| a.ends_with(char::is_whitespace)) {
            (action, then) = (inner, then.trim_start());
        }
        out.push(Piece::Plain(plain));
        out.push(Piece::Action(lex(action)?));
        rest = then;
    }
    out.push(Piece::Plain(rest));
    Ok(out)
}

/// Where `}}` is, outside of texts.
fn end_of_action(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut quote) = (0, None);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, b @ (b'"' | b'`')) => quote = Some(b),
            (Some(b'"'), b'\\') => at += 1,
            (Some(open), b) if open == b => quote = None,
            _ => {}
        }
        at += 1;
    }
    None
}

fn lex(action: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = action.trim_start();
    let name = |text: &str| {
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
    };
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '|' | '(' | ')' => {
                tokens.push(match first {
                    '|' => Token::Pipe,
                    '(' => Token::Open,
                    _ => Token::Close,
                });
                let after = &rest[1..];
                match after.strip_prefix('.') {
                    Some(part) if first == ')' => {
                        let end = name(part);
                        tokens.push(Token::Part(part[..end].to_owned()));
                        &part[end..]
                    }
                    _ => after,
                }
            }
            '`' => {
                let (text, after) = rest[1..].split_once('`').ok_or("a text does not end")?;
                tokens.push(Token::Text(text.to_owned()));
                after
            }
            '"' => {
                let (text, after) = quoted(&rest[1..])?;
                tokens.push(Token::Text(text));
                after
            }
            '.' => {
                let dotted = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.';
                let end = rest.find(dotted).unwrap_or(rest.len());
                tokens.push(Token::Field(rest[1..end].to_owned()));
                &rest[end..]
            }
            c if c.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let number = rest[..end].parse().map_err(|_| "a number is too large")?;
                tokens.push(Token::Number(number));
                &rest[end..]
            }
            c if c.is_ascii_alphabetic() => {
                let end = name(rest);
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
            c => return Err(format!("`{c}` is not expected")),
        }
        .trim_start();
    }
    Ok(tokens)
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c @ ('\\' | '"'))) => out.push(c),
                Some((_, c)) => return Err(format!("`\\{c}` is no escape")),
                None => break,
            },
            c => out.push(c),
        }
    }
    Err("a text does not end".to_owned())
}

/// Renders up to the end, or up to the `{{else}}` or `{{end}}` that closes an `{{if}}`.
fn block(
    pieces: &[Piece<'_>],
    at: &mut usize,
    words: &Words,
    live: bool,
    depth: usize,
    out: &mut String,
) -> Result<(), String> {
    if depth > 16 {
        return Err("it is nested too deeply".to_owned());
    }
    while let Some(piece) = pieces.get(*at) {
        let tokens = match piece {
            Piece::Plain(text) => {
                if live {
                    out.push_str(text);
                }
                *at += 1;
                continue;
            }
            Piece::Action(tokens) => tokens,
        };
        match tokens.first() {
            Some(Token::Word(word)) if word == "end" || word == "else" => return Ok(()),
            Some(Token::Word(word)) if word == "if" => {
                *at += 1;
                let mut condition = &tokens[1..];
                let mut open = live;
                loop {
                    let holds = open && pipeline(condition, words)?.is_true();
                    block(pieces, at, words, holds, depth + 1, out)?;
                    open &= !holds;
                    let Some(Piece::Action(closing)) = pieces.get(*at) else {
                        return Err("an `{{if}}` has no `{{end}}`".to_owned());
                    };
                    *at += 1;
                    match closing.as_slice() {
                        [Token::Word(end)] if end == "end" => break,
                        [Token::Word(_), Token::Word(again), rest @ ..] if again == "if" => {
                            condition = rest;
                        }
                        [Token::Word(_)] => {
                            block(pieces, at, words, open, depth + 1, out)?;
                            match pieces.get(*at) {
                                Some(Piece::Action(end)) if matches!(&end[..], [Token::Word(w)] if w == "end") =>
                                {
                                    *at += 1;
                                }
                                _ => return Err("an `{{if}}` has no `{{end}}`".to_owned()),
                            }
                            break;
                        }
                        _ => return Err("something follows `{{else}}`".to_owned()),
                    }
                }
            }
            _ => {
                *at += 1;
                // What is not rendered is not looked at, as in Go.
                if live {
                    out.push_str(&pipeline(tokens, words)?.text()?);
                }
            }
        }
    }
    Ok(())
}

fn pipeline(tokens: &[Token], words: &Words) -> Result<Value, String> {
    let mut reader = Reader { tokens, at: 0, words, depth: 0 };
    let value = reader.pipeline()?;
    if reader.at == tokens.len() {
        Ok(value)
    } else {
        Err("something follows its value".to_owned())
    }
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    words: &'a Words,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn pipeline(&mut self) -> Result<Value, String> {
        let mut value = self.command(None)?;
        while self.peek() == Some(&Token::Pipe) {
            self.at += 1;
            value = self.command(Some(value))?;
        }
        Ok(value)
    }

    /// A value, or a function with its values; what is piped into it comes last.
    fn command(&mut self, piped: Option<Value>) -> Result<Value, String> {
        if let Some(Token::Word(name)) = self.peek() {
            self.at += 1;
            let mut values = Vec::new();
            while !matches!(self.peek(), None | Some(Token::Pipe | Token::Close)) {
                values.push(self.operand()?);
            }
            values.extend(piped);
            return call(name, values);
        }
        if piped.is_some() {
            return Err("something is piped into a value".to_owned());
        }
        self.operand()
    }

    fn operand(&mut self) -> Result<Value, String> {
        let token = self.peek().ok_or("a value is missing")?;
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Value::Text(text.clone())),
            Token::Number(number) => Ok(Value::Number(*number)),
            Token::Field(name) => match self.words.get(name) {
                Some(text) => Ok(Value::Text(text.clone())),
                None => Err(format!("`.{name}` is not set")),
            },
            Token::Open => {
                self.depth += 1;
                if self.depth > 32 {
                    return Err("it is nested too deeply".to_owned());
                }
                let value = self.pipeline()?;
                self.depth -= 1;
                if self.peek() != Some(&Token::Close) {
                    return Err("a bracket is not closed".to_owned());
                }
                self.at += 1;
                let Some(Token::Part(part)) = self.peek() else { return Ok(value) };
                self.at += 1;
                match (&value, part.as_str()) {
                    (Value::Semver(parts, _), "Major") => Ok(Value::Text(parts[0].to_string())),
                    (Value::Semver(parts, _), "Minor") => Ok(Value::Text(parts[1].to_string())),
                    (Value::Semver(parts, _), "Patch") => Ok(Value::Text(parts[2].to_string())),
                    _ => Err(format!("`.{part}` is not known")),
                }
            }
            Token::Word(name) => match name.as_str() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                // A function without values.
                _ => call(name, Vec::new()),
            },
            _ => Err("a value is missing".to_owned()),
        }
    }
}

fn call(name: &str, values: Vec<Value>) -> Result<Value, String> {
    let strange = || format!("`{name}` with {} values is not known", values.len());
    if let ("index", [Value::List(list), Value::Number(at)]) = (name, values.as_slice()) {
        return list.get(*at).cloned().map(Value::Text).ok_or_else(|| "`index` is outside".into());
    }
    if let ("not", [value]) = (name, values.as_slice()) {
        return Ok(Value::Bool(!value.is_true()));
    }
    if let ("and" | "or", [one, other]) = (name, values.as_slice()) {
        let truth = if name == "and" {
            one.is_true() && other.is_true()
        } else {
            one.is_true() || other.is_true()
        };
        return Ok(Value::Bool(truth));
    }
    let texts: Result<Vec<String>, String> = values.iter().cloned().map(Value::text).collect();
    let texts = texts?;
    let given: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(match (name, given.as_slice()) {
        ("trimV", [text]) => Value::Text(text.strip_prefix('v').unwrap_or(text).to_owned()),
        ("trimPrefix", [prefix, text]) => {
            Value::Text(text.strip_prefix(prefix).unwrap_or(text).to_owned())
        }
        ("trimSuffix", [suffix, text]) => {
            Value::Text(text.strip_suffix(suffix).unwrap_or(text).to_owned())
        }
        ("replace", [from, to, text]) => Value::Text(text.replace(from, to)),
        ("title", [text]) => Value::Text(title(text)),
        ("upper", [text]) => Value::Text(text.to_uppercase()),
        ("lower", [text]) => Value::Text(text.to_lowercase()),
        ("trim", [text]) => Value::Text(text.trim().to_owned()),
        ("print", [text]) => Value::Text((*text).to_owned()),
        ("splitList", [separator, text]) => {
            Value::List(text.split(separator).map(str::to_owned).collect())
        }
        ("regexFind", [pattern, text]) => {
            let pattern = Regex::new(pattern).map_err(|e| format!("`{pattern}`: {e}"))?;
            Value::Text(pattern.find(text).map_or("", |found| found.as_str()).to_owned())
        }
        ("eq", [one, others @ ..]) if !others.is_empty() => Value::Bool(others.contains(one)),
        ("ne", [one, other]) => Value::Bool(one != other),
        ("semver", [text]) => semver(text)?,
        _ => return Err(strange()),
    })
}

/// Every word's first letter large.
fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|c| {
            let c = if start { c.to_ascii_uppercase() } else { c };
            start = c == ' ';
            c
        })
        .collect()
}

fn semver(text: &str) -> Result<Value, String> {
    let numbers = text.strip_prefix('v').unwrap_or(text);
    let numbers = numbers.split(['-', '+']).next().unwrap_or(numbers);
    let mut parts = [0; 3];
    let mut all = numbers.split('.');
    for part in &mut parts {
        let Some(number) = all.next() else { break };
        *part = number.parse().map_err(|_| format!("`{text}` is no semantic version"))?;
    }
    match all.next() {
        None => Ok(Value::Semver(parts, text.to_owned())),
        Some(_) => Err(format!("`{text}` is no semantic version")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words() -> Words {
        [
            ("Version", "v1.20.3-rc1"),
            ("SemVer", "1.20.3"),
            ("OS", "linux"),
            ("GOOS", "darwin"),
            ("Arch", "amd64"),
            ("Format", "tar.gz"),
            ("Asset", "tool.zip"),
            ("Vars.channel", "stable"),
            ("Empty", ""),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
    }

    #[test]
    fn every_form_that_definitions_use() {
        for (template, want) in [
            ("", ""),
            ("plain", "plain"),
            ("t-{{.OS}}_{{ .Arch }}.{{.Format}}", "t-linux_amd64.tar.gz"),
            ("{{trimV .Version}}", "1.20.3-rc1"),
            ("{{.Version|trimV}}", "1.20.3-rc1"),
            ("{{trimPrefix \"v1.\" .Version | trimSuffix \"-rc1\"}}", "20.3"),
            ("{{trimV .Version | replace \".\" \"_\" | replace \"-\" \"\"}}", "1_20_3rc1"),
            ("{{title .OS}}{{upper .OS}}", "LinuxLINUX"),
            ("{{.Vars.channel}}", "stable"),
            ("{{(semver .SemVer).Major}}.{{(semver .SemVer).Minor}}", "1.20"),
            ("{{(semver .Version).Patch}}", "3"),
            ("{{trimSuffix \".zip\" .Asset}}", "tool"),
            ("{{ index (splitList \".\" (trimV .Version)) 1 }}", "20"),
            ("{{.Version | regexFind \"^[^-]+\"}}", "v1.20.3"),
            ("{{if eq .GOOS \"darwin\"}}a{{else}}{{.Nothing}}{{end}}z", "az"),
            ("{{if eq .GOOS \"x\"}}a{{else if eq .OS \"linux\"}}b{{else}}c{{end}}", "b"),
            ("{{if .Empty}}a{{end}}{{if not .Empty}}b{{end}}", "b"),
            ("{{if .OS}}{{if .Empty}}a{{else}}b{{end}}c{{end}}", "bc"),
            ("a {{- .OS -}} b", "alinuxb"),
            ("{{replace `a\\` \"}}\" .OS}}", "linux"),
        ] {
            assert_eq!(render(template, &words()).as_deref(), Ok(want), "{template}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (template, why) in [
            ("{{.Os}}", "`.Os` is not set"),
            ("{{.OS", "not closed"),
            ("{{}}", "missing"),
            ("{{env \"HOME\"}}", "`env`"),
            ("{{trimV}}", "`trimV`"),
            ("{{.OS .Arch}}", "follows"),
            ("{{.OS | .Arch}}", "piped"),
            ("{{trimV (.OS}}", "bracket"),
            ("{{if .OS}}a", "no `{{end}}`"),
            ("{{end}}", "without"),
            ("{{splitList \".\" .OS}}", "list"),
            ("{{index (splitList \".\" .OS) 7}}", "outside"),
            ("{{(semver .OS).Major}}", "no semantic version"),
            ("{{(semver .SemVer).Big}}", "`.Big`"),
            ("{{replace \"a}}", "not closed"),
            ("{{$x}}", "`$`"),
        ] {
            let error = render(template, &words()).expect_err(template);
            assert!(error.contains(why), "{template}: {error}");
        }
        assert!(render(&"{{if .OS}}".repeat(500), &words()).is_err());
        assert!(render(&format!("{{{{{}", "(".repeat(5000)), &words()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,40}", t in "(\\{\\{|\\}\\}|- | -|if |else|end|\\.OS|trimV |\"|`|\\(|\\)|\\| ?|\\.Major|1 |é){0,16}") {
            let _ = (render(&s, &words()), render(&t, &words()));
        }

        #[test]
        fn plain_text_stays(s in "[^{]{0,40}") {
            prop_assert_eq!(render(&s, &words()), Ok(s));
        }
    }
}
