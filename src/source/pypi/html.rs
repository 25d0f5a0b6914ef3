//! The HTML form of a project's page (PEP 503, 592, 629): anchors, and nothing else of HTML.
//!
//! A page is read as a flat run of tags and text, which is all the PEP lets a client rely on.
//! Refuses a proxy's login page, which would else look like a project without files.

use ::url::Url;

use super::index::{self, File, Index};

pub(super) fn parse(text: &str, at: &Url) -> Result<Index, String> {
    let mut base = at.clone();
    let (mut files, mut form) = (Vec::new(), false);
    let mut open: Option<(Vec<(String, String)>, String)> = None;
    for token in (Tokens { rest: text }) {
        match token {
            Token::Tag { name, attributes } => match name.as_str() {
                "base" => {
                    if let Some(href) = get(&attributes, "href") {
                        base = index::resolve(at, href)?;
                    }
                }
                "meta" if get(&attributes, "name") == Some("pypi:repository-version") => {
                    let version = get(&attributes, "content").unwrap_or_default();
                    if version.split('.').next() != Some("1") {
                        return Err(format!("it has API version {version}; only 1 is known"));
                    }
                }
                "input" if get(&attributes, "type") == Some("password") => {
                    return Err("it is a login page".to_owned());
                }
                "form" => form = true,
                "a" => {
                    files.extend(finish(open.take(), &base)?);
                    open = Some((attributes, String::new()));
                }
                "/a" => files.extend(finish(open.take(), &base)?),
                _ => {}
            },
            Token::Text(more) => {
                if let Some((_, text)) = &mut open {
                    text.push_str(more);
                }
            }
        }
    }
    files.extend(finish(open, &base)?);
    if form && files.is_empty() {
        return Err("it is a page with a form, and lists no files".to_owned());
    }
    Ok(Index { files, versions: Vec::new(), name: None })
}

/// The file of a finished anchor; `None` for one without `href`.
fn finish(
    anchor: Option<(Vec<(String, String)>, String)>,
    base: &Url,
) -> Result<Option<File>, String> {
    let Some((attributes, text)) = anchor else { return Ok(None) };
    let Some(href) = get(&attributes, "href") else { return Ok(None) };
    let url = index::resolve(base, href)?;
    let name = decode(text.trim());
    let about = |why| format!("{name}: {why}");
    let hash = url.fragment().unwrap_or_default().split('&').filter_map(|p| p.split_once('='));
    let integrity = index::integrity(hash).map_err(about)?;
    let yanked = get(&attributes, "data-yanked").is_some();
    let provenance = get(&attributes, "data-provenance");
    let provenance = provenance.map(|link| index::resolve(base, link)).transpose()?;
    Ok(Some(File { name, url, integrity, size: None, yanked, provenance, uploaded: None }))
}

fn get<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

enum Token<'a> {
    /// A start tag, or an end tag with `/` before its name; names in lower case.
    Tag {
        name: String,
        attributes: Vec<(String, String)>,
    },
    Text(&'a str),
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let Some(start) = self.rest.find('<') else {
                return Some(Token::Text(std::mem::take(&mut self.rest)));
            };
            if start > 0 {
                let (text, rest) = self.rest.split_at(start);
                self.rest = rest;
                return Some(Token::Text(text));
            }
            let inside = &self.rest[1..];
            if let Some(comment) = inside.strip_prefix("!--") {
                self.rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            if !inside
                .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
            {
                self.rest = inside;
                return Some(Token::Text("<"));
            }
            let end = inside.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(inside.len());
            let name = inside[..end].to_ascii_lowercase();
            let (attributes, rest) = attributes(&inside[end..]);
            self.rest = rest;
            return Some(Token::Tag { name, attributes });
        }
    }
}

/// The attributes up to the `>`, and what follows it.
fn attributes(mut text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(rest) = text.strip_prefix('>') {
            return (found, rest);
        }
        if text.is_empty() {
            return (found, text);
        }
        // An `=` where a name should be starts a name, as in HTML; else this would not advance.
        let first = text.chars().next().map_or(0, char::len_utf8);
        let end = text[first..]
            .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
            .map_or(text.len(), |n| first + n);
        let name = text[..end].to_ascii_lowercase();
        text = text[end..].trim_start();
        let mut value = "";
        if let Some(rest) = text.strip_prefix('=') {
            let rest = rest.trim_start();
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            (value, text) = match quote {
                Some(quote) => rest[1..].split_once(quote).unwrap_or((&rest[1..], "")),
                None => {
                    let end =
                        rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
                    rest.split_at(end)
                }
            };
        }
        found.push((name, decode(value)));
    }
}

/// Replaces the character references that index pages use.
fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let known = rest.find(';').filter(|end| *end <= 10).and_then(|end| {
            let c = match &rest[1..end] {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                name => {
                    let digits = name.strip_prefix('#')?;
                    let code = match digits.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => digits.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((c, end + 1))
        });
        let (c, len) = known.unwrap_or(('&', 1));
        out.push(c);
        rest = &rest[len..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at() -> Url {
        "http://mirror.invalid/simple/tool/".parse().expect("url")
    }

    #[test]
    fn reads_anchors() {
        let hex = "ab".repeat(32);
        let page = format!(
            "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.1\">\
             <title>Links</title></head><body><!-- <a href='no'>no</a> -->\
             <a href=\"../../f/a-1.whl#sha256={hex}\" data-requires-python=\"&gt;=3.8\">a-1.whl</a><br/>\n\
             <A data-yanked HREF='b-1.whl?x=1&amp;y=2'> b-1.whl </A>\
             <a href=c-1.whl data-yanked=\"bad > worse\">c&#45;1&#x2e;whl</a><a name=x>no link</a>\
             <a href=\"https://files.mirror.invalid/d.whl#md5=00\">d.whl"
        );
        let index = parse(&page, &at()).expect("index");
        let seen: Vec<_> =
            index.files.iter().map(|f| (f.name.as_str(), f.url.as_str(), f.yanked)).collect();
        let first = format!("http://mirror.invalid/f/a-1.whl#sha256={hex}");
        assert_eq!(
            seen,
            [
                ("a-1.whl", first.as_str(), false),
                ("b-1.whl", "http://mirror.invalid/simple/tool/b-1.whl?x=1&y=2", true),
                ("c-1.whl", "http://mirror.invalid/simple/tool/c-1.whl", true),
                ("d.whl", "https://files.mirror.invalid/d.whl#md5=00", false),
            ]
        );
        assert_eq!(index.files[0].integrity.as_ref().map(|i| i.hex()), Some(hex));
        assert_eq!(index.files[3].integrity, None, "MD5 is no hash");
    }

    #[test]
    fn honours_base() {
        let index = parse("<base href='/root/'><a href='x.whl'>x.whl</a>", &at()).expect("index");
        assert_eq!(index.files[0].url.as_str(), "http://mirror.invalid/root/x.whl");
    }

    #[test]
    fn refuses() {
        for (page, why) in [
            ("<meta name='pypi:repository-version' content='2.0'>", "API version 2.0"),
            ("<a href='javascript:x'>x</a>", "scheme `javascript`"),
            ("<a href='x.whl#sha256=12'>x.whl</a>", "x.whl: `12`"),
            ("<form><input type=password></form>", "login page"),
            ("<title>Sign in</title><form action=/x>", "lists no files"),
        ] {
            let error = parse(page, &at()).expect_err(page);
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,80}") {
            let _ = parse(&s, &at());
        }
        #[test]
        fn never_panics_on_markup(s in "(<a|<|>|/|=|\"|'| href|&#|;|x|!--|-->|é|&amp;|data-yanked| ){0,30}") {
            let _ = parse(&s, &at());
        }
        #[test]
        fn text_survives(s in "[a-zA-Z0-9<>&\"' ]{0,30}") {
            let escaped: String = s.chars().map(|c| format!("&#{};", c as u32)).collect();
            prop_assert_eq!(decode(&escaped), s);
        }
    }
}
