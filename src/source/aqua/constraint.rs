//! The expressions of `version_constraint` and `version_filter`.
//!
//! The part of expr-lang that definitions use: `semver(…)`, `semverWithVersion(…)`, `Version`,
//! `SemVer`, `let`, `any`, `all`, `none`, comparisons, `in`, `contains`, `startsWith`, `endsWith`,
//! `matches`, `and`, `or`, `not`.
//! Refuses everything else, so that nothing is silently taken for false. References: expr-lang's
//! language definition; the Aqua registry's `version_constraint`. Invariant: an answer depends on
//! the expression and the tag alone.

use std::cmp::Ordering;

use regex_lite::Regex;

/// What an expression is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The tag.
    pub(super) version: &'a str,
    /// The tag without its prefix.
    pub(super) semver: &'a str,
}

/// Evaluates an expression.
///
/// # Errors
/// What in it is not understood.
pub(super) fn holds(text: &str, subject: Subject<'_>) -> Result<bool, String> {
    let tokens = lex(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, subject, names: Vec::new() };
    let value = parser.whole()?;
    match (parser.peek(), value) {
        (None, Value::Bool(answer)) => Ok(answer),
        (None, _) => Err("it is neither true nor false".to_owned()),
        (Some(token), _) => Err(format!("`{}` is not expected", shown(token))),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bool(bool),
    Text(String),
    List(Vec<String>),
}

/// A sign that begins another one comes after it.
const SIGNS: [&str; 15] =
    ["&&", "||", "==", "!=", "!", "=", "(", ")", "[", "]", "{", "}", ",", ";", "#"];

fn shown(token: &Token) -> &str {
    match token {
        Token::Word(text) | Token::Text(text) => text,
        Token::Sign(sign) => sign,
    }
}

fn lex(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '"' | '\'' | '`') {
            let (token, after) = quoted(&rest[1..], first)?;
            tokens.push(Token::Text(token));
            rest = after;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first.is_ascii_alphabetic() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else {
            return Err(format!("`{first}` is not expected"));
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// A text up to its quote; in back quotes nothing is escaped.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((out, &text[at + c.len_utf8()..])),
            '\\' if quote != '`' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c @ ('\\' | '"' | '\''))) => out.push(c),
                Some((_, c)) => return Err(format!("`\\{c}` is no escape")),
                None => break,
            },
            c => out.push(c),
        }
    }
    Err("a text does not end".to_owned())
}

struct Parser<'t, 's> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    subject: Subject<'s>,
    /// What `let` named, and what `#` stands for; the last one counts.
    names: Vec<(&'t str, Value)>,
}

impl<'t> Parser<'t, '_> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn is(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|token| match token {
            Token::Word(word) => words.contains(&word.as_str()),
            Token::Sign(sign) => words.contains(sign),
            Token::Text(_) => false,
        });
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str) -> Result<(), String> {
        if self.is(&[sign]) { Ok(()) } else { Err(format!("a `{sign}` is missing")) }
    }

    /// An expression behind any number of `let NAME = VALUE;`.
    fn whole(&mut self) -> Result<Value, String> {
        while self.is(&["let"]) {
            let Some(Token::Word(name)) = self.peek() else {
                return Err("`let` wants a name".to_owned());
            };
            self.at += 1;
            self.need("=")?;
            let value = self.or()?;
            self.need(";")?;
            self.names.push((name, value));
        }
        self.or()
    }

    /// `any(LIST, {PREDICATE})`, where `#` is each element of the list.
    fn each(&mut self, name: &str) -> Result<Value, String> {
        if self.named("#").is_some() {
            // Each level would multiply the work.
            return Err(format!("`{name}` in another's predicate is not known"));
        }
        let Value::List(list) = self.operand()? else {
            return Err(format!("`{name}` wants a list"));
        };
        self.need(",")?;
        let braced = self.is(&["{"]);
        let (start, mut answers) = (self.at, Vec::new());
        // Also without elements, so that what follows is found.
        let count = list.len();
        for element in list.into_iter().chain((count == 0).then(String::new)) {
            self.at = start;
            self.names.push(("#", Value::Text(element)));
            answers.push(truth(self.or()?)?);
            self.names.pop();
        }
        answers.truncate(count);
        if braced {
            self.need("}")?;
        }
        self.need(")")?;
        Ok(Value::Bool(match name {
            "any" => answers.contains(&true),
            "all" => !answers.contains(&false),
            _ => !answers.contains(&true),
        }))
    }

    fn named(&self, name: &str) -> Option<Value> {
        let found = self.names.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    }

    fn or(&mut self) -> Result<Value, String> {
        let mut value = self.and()?;
        while self.is(&["or", "||"]) {
            let other = self.and()?;
            value = Value::Bool(truth(value)? | truth(other)?);
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<Value, String> {
        let mut value = self.not()?;
        while self.is(&["and", "&&"]) {
            let other = self.not()?;
            value = Value::Bool(truth(value)? & truth(other)?);
        }
        Ok(value)
    }

    /// `not a matches b`, which expr-lang refuses since its `not` binds closer, is read as it is
    /// meant.
    fn not(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > 64 {
            return Err("it is nested too deeply".to_owned());
        }
        let value = if self.is(&["not", "!"]) {
            let inner = self.not()?;
            Value::Bool(!truth(inner)?)
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Value, String> {
        let left = self.operand()?;
        // `a not in b`
        let negated = self.is(&["not"]);
        let answer = if self.is(&["=="]) {
            text(left)? == text(self.operand()?)?
        } else if self.is(&["!="]) {
            text(left)? != text(self.operand()?)?
        } else if self.is(&["in"]) {
            let Value::List(list) = self.operand()? else {
                return Err("`in` wants a list".to_owned());
            };
            list.contains(&text(left)?)
        } else if self.is(&["contains"]) {
            text(left)?.contains(&text(self.operand()?)?)
        } else if self.is(&["startsWith"]) {
            text(left)?.starts_with(&text(self.operand()?)?)
        } else if self.is(&["endsWith"]) {
            text(left)?.ends_with(&text(self.operand()?)?)
        } else if self.is(&["matches"]) {
            let pattern = text(self.operand()?)?;
            let pattern = Regex::new(&pattern).map_err(|e| format!("`{pattern}`: {e}"))?;
            pattern.is_match(&text(left)?)
        } else if negated {
            return Err("`not` is not expected".to_owned());
        } else {
            return Ok(left);
        };
        Ok(Value::Bool(answer != negated))
    }

    fn operand(&mut self) -> Result<Value, String> {
        let token = self.peek().ok_or("it ends too early")?;
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Value::Text(text.clone())),
            Token::Sign("(") => {
                let value = self.or()?;
                self.need(")")?;
                Ok(value)
            }
            Token::Sign("[") => {
                let mut list = Vec::new();
                while !self.is(&["]"]) {
                    list.push(text(self.operand()?)?);
                    if !self.is(&[","]) {
                        self.need("]")?;
                        break;
                    }
                }
                Ok(Value::List(list))
            }
            Token::Word(word) => match word.as_str() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                "Version" => Ok(Value::Text(self.subject.version.to_owned())),
                "SemVer" => Ok(Value::Text(self.subject.semver.to_owned())),
                name => match self.named(name) {
                    Some(value) => Ok(value),
                    None => self.call(name),
                },
            },
            Token::Sign("#") => self.named("#").ok_or_else(|| "`#` is in no `{…}`".to_owned()),
            Token::Sign(sign) => Err(format!("`{sign}` is not expected")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Value, String> {
        self.need("(").map_err(|_| format!("`{name}` is not known"))?;
        if matches!(name, "any" | "all" | "none") {
            return self.each(name);
        }
        let mut given = Vec::new();
        while !self.is(&[")"]) {
            let value = self.or()?;
            given.push(text(value)?);
            if !self.is(&[","]) {
                self.need(")")?;
                break;
            }
        }
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        Ok(match (name, given.as_slice()) {
            ("semver", [wanted]) => Value::Bool(compares(wanted, self.subject.semver)?),
            ("semverWithVersion", [wanted, version]) => Value::Bool(compares(wanted, version)?),
            ("trimPrefix", [text, prefix]) => {
                Value::Text(text.strip_prefix(prefix).unwrap_or(text).to_owned())
            }
            ("trimSuffix", [text, suffix]) => {
                Value::Text(text.strip_suffix(suffix).unwrap_or(text).to_owned())
            }
            ("lower", [text]) => Value::Text(text.to_lowercase()),
            ("upper", [text]) => Value::Text(text.to_uppercase()),
            ("trim", [text]) => Value::Text(text.trim().to_owned()),
            ("replace", [text, from, to]) => Value::Text(text.replace(from, to)),
            _ => return Err(format!("`{name}` with {} values is not known", given.len())),
        })
    }
}

fn truth(value: Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Ok(truth),
        _ => Err("a text stands where true or false must be".to_owned()),
    }
}

fn text(value: Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err("there must be a text".to_owned()),
    }
}

/// Whether a version meets every part of `>= 1.0, < 2`. A tag that is no version meets none.
fn compares(wanted: &str, version: &str) -> Result<bool, String> {
    let version = Release::parse(version);
    let mut all = true;
    for part in wanted.split(',').map(str::trim) {
        let operator = [">=", "<=", "!=", ">", "<", "="].into_iter().find(|o| part.starts_with(o));
        let operator = operator.ok_or_else(|| format!("`{part}` begins with no comparison"))?;
        let bound = part[operator.len()..].trim();
        let bound = Release::parse(bound).ok_or_else(|| format!("`{bound}` is no version"))?;
        all &= version.as_ref().is_some_and(|version| {
            let order = version.cmp(&bound);
            match operator {
                ">=" => order.is_ge(),
                "<=" => order.is_le(),
                "!=" => order.is_ne(),
                ">" => order.is_gt(),
                "<" => order.is_lt(),
                _ => order.is_eq(),
            }
        });
    }
    Ok(all)
}

/// A version as definitions compare them: any count of numbers, then perhaps a pre-release.
struct Release {
    numbers: Vec<u64>,
    prerelease: String,
}

impl Release {
    fn parse(text: &str) -> Option<Self> {
        // A commit is none, though it may begin with a digit.
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(front, _)| front);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let parsed: Option<Vec<u64>> = numbers.split('.').map(|n| n.parse().ok()).collect();
        let prerelease = match rest.strip_prefix(['-', '~']) {
            Some(rest) => rest,
            // `1.0beta2`
            None if rest.starts_with(|c: char| c.is_ascii_alphabetic()) => rest,
            None if rest.is_empty() => rest,
            None => return None,
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-.~".contains(c);
        prerelease.chars().all(allowed).then_some(())?;
        Some(Self { numbers: parsed?, prerelease: prerelease.to_owned() })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let count = self.numbers.len().max(other.numbers.len());
        let number = |of: &Self, at: usize| of.numbers.get(at).copied().unwrap_or(0);
        let numbers = (0..count).map(|at| number(self, at).cmp(&number(other, at)));
        numbers.fold(Ordering::Equal, Ordering::then).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => prereleases(&self.prerelease, &other.prerelease),
            }
        })
    }
}

/// SemVer 2.0.0, 11.4: numbers by value and before words, words by bytes, the shorter first.
fn prereleases(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(text: &str, version: &str) -> Result<bool, String> {
        holds(text, Subject { version, semver: version.trim_start_matches("cli-") })
    }

    #[test]
    fn every_form_that_definitions_use() {
        for (text, version, want) in [
            ("true", "v1", true),
            ("false", "v1", false),
            ("semver(\"<= 1.2.3\")", "v1.2.3", true),
            ("semver(\"<= 1.2.3\")", "cli-v1.2.4", false),
            ("semver(\">= 0.9, < 2\")", "1.10", true),
            ("semver(\"< 5.34.1.0\")", "5.34.0.9", true),
            ("semver(\"!= 1.0\")", "1.0.0", false),
            ("semver(\"= 1.0\")", "1.0.0", true),
            ("semver(\"< 1.0.0\")", "1.0.0-rc.2", true),
            ("semver(\"> 1.0.0-rc.2\")", "1.0.0-rc.10", true),
            ("semver(\">= 1.0\")", "nightly", false),
            ("semver(\">= 1.0\")", "0123456789012345678901234567890123456789", false),
            ("Version == \"v1\"", "v1", true),
            ("Version != \"v1\"", "v1", false),
            ("Version in [\"v1\", \"v2\",]", "v2", true),
            ("Version not in [\"v1\", 'v2']", "v2", false),
            ("SemVer in [\"v2\"]", "cli-v2", true),
            ("not (Version matches \"-(alpha|beta)\")", "v1-beta", false),
            ("Version matches `^v\\d+$`", "v12", true),
            ("Version matches \"^v\\\\d+$\"", "v12", true),
            ("!(Version contains \"rc\") && semver(\">= 1\")", "v1.1", true),
            ("Version startsWith \"v2\" or Version endsWith \"x\"", "v1x", true),
            ("not (Version startsWith \"a\") and not (Version startsWith \"v\")", "v1", false),
            ("semver(\"< 1\") || Version == \"v3\" and true", "v3", true),
            ("semverWithVersion(\"<= 1.0\", trimPrefix(Version, \"x-\"))", "x-0.9", true),
            ("let a = [\"rc\", \"beta\"];\nnot any(a, {Version matches #})", "v1", true),
            ("let a = [\"rc\", \"beta\"];\nnot any(a, {Version matches #})", "v1-beta", false),
            ("all([\"v\", \"1\"], Version contains #) and none([], {# == Version})", "v1", true),
            ("(semver(\"< 1\") && true) || (semver(\"> 2\"))", "v3", true),
        ] {
            assert_eq!(ask(text, version), Ok(want), "{text} of {version}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (text, why) in [
            ("", "too early"),
            ("\"v1\"", "neither"),
            ("Version", "neither"),
            ("GOOS == \"linux\"", "`GOOS` is not known"),
            ("semver(\"~> 1.0\")", "no comparison"),
            ("semver(\"> x\")", "no version"),
            ("semver(\"> 1\"", "missing"),
            ("Version == \"v1", "does not end"),
            ("true true", "`true` is not expected"),
            ("Version matches \"(\"", "`(`"),
            ("count(\"a\")", "`count`"),
            ("1 == 1", "`1`"),
            ("true in \"x\"", "list"),
            ("any(\"x\", {true})", "list"),
            ("any([\"x\"], {true", "missing"),
            ("# == Version", "`#`"),
            ("any([\"x\"], {any([\"x\"], {true})})", "another's"),
            ("let x = 1; true", "`1`"),
            ("let x; true", "missing"),
            ("let a = true;", "too early"),
        ] {
            let error = ask(text, "v1").expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(ask(&"(".repeat(5000), "v1").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(
            s in "\\PC{0,40}",
            t in "(not |and |or |let x = |; ?|any\\(|\\{|\\}|#|Version |semver\\(|\\)|\\(|\"|>= ?|1\\.0|\\[|\\]|,|in |matches ){0,16}",
            v in "\\PC{0,20}",
        ) {
            let _ = (ask(&s, &v), ask(&t, &v));
        }

        #[test]
        fn order_is_that_of_numbers(a in proptest::collection::vec(0u64..30, 1..5), b in proptest::collection::vec(0u64..30, 1..5)) {
            let text = |n: &[u64]| n.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
            let mut padded = (a.clone(), b.clone());
            padded.0.resize(5, 0);
            padded.1.resize(5, 0);
            let want = padded.0 <= padded.1;
            prop_assert_eq!(ask(&format!("semver(\"<= {}\")", text(&b)), &text(&a)), Ok(want));
        }
    }
}
