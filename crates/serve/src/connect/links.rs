//! Links in HTML that is passed back: those to the backend itself must lead through the proxy
//! (k8s.io/apimachinery/pkg/util/proxy/transport.go, whose table of elements this follows).
//!
//! Only the values of changed attributes are written anew; every other byte is passed on as it came.

/// Elements and their attributes that hold a URL.
const LINKS: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("applet", &["codebase"]),
    ("area", &["href"]),
    ("audio", &["src"]),
    ("base", &["href"]),
    ("blockquote", &["cite"]),
    ("body", &["background"]),
    ("button", &["formaction"]),
    ("command", &["icon"]),
    ("del", &["cite"]),
    ("embed", &["src"]),
    ("form", &["action"]),
    ("frame", &["longdesc", "src"]),
    ("head", &["profile"]),
    ("html", &["manifest"]),
    ("iframe", &["longdesc", "src"]),
    ("img", &["longdesc", "src", "usemap"]),
    ("input", &["src", "formaction", "usemap"]),
    ("ins", &["cite"]),
    ("link", &["href"]),
    ("object", &["classid", "codebase", "data", "usemap"]),
    ("q", &["cite"]),
    ("script", &["src"]),
    ("source", &["src"]),
    ("video", &["poster", "src"]),
];
/// Elements whose content is no markup until their own end tag.
const RAW: &[&str] =
    &["iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"];
/// A tag that is longer is passed on as it is: nothing else of a page is held back.
const TAG_BYTES_MAX: usize = 64 * 1024;

/// Rewrites a page piece by piece; pieces may end anywhere.
pub struct Links<F> {
    /// The new URL for one that must change.
    replace: F,
    /// What came after the last complete piece of markup.
    held: Vec<u8>,
    /// The element whose raw content this is.
    raw: Option<&'static str>,
}

/// The first piece of markup in some bytes.
enum Piece<'a> {
    /// Nothing to look at.
    Plain(usize),
    StartTag(&'a [u8]),
    /// More bytes must come first; so many before them are plain.
    Incomplete(usize),
}

impl<F: Fn(&str) -> Option<String>> Links<F> {
    pub fn new(replace: F) -> Links<F> {
        Links { replace, held: Vec::new(), raw: None }
    }

    /// Takes the next bytes of the page, and gives those that are done.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut input = std::mem::take(&mut self.held);
        input.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(input.len());
        let mut rest = input.as_slice();
        while !rest.is_empty() {
            let taken = match self.piece(rest) {
                Piece::Plain(length) => {
                    out.extend_from_slice(&rest[..length]);
                    length
                }
                Piece::StartTag(tag) => {
                    self.start_tag(tag, &mut out);
                    tag.len()
                }
                Piece::Incomplete(plain) if rest.len() - plain > TAG_BYTES_MAX => {
                    out.extend_from_slice(rest);
                    rest.len()
                }
                Piece::Incomplete(plain) => {
                    out.extend_from_slice(&rest[..plain]);
                    self.held = rest[plain..].to_vec();
                    break;
                }
            };
            rest = &rest[taken..];
        }
        out
    }

    /// The end of the page: what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn piece<'a>(&mut self, bytes: &'a [u8]) -> Piece<'a> {
        if let Some(element) = self.raw {
            return match end_of_raw(bytes, element) {
                Some(at) => {
                    self.raw = None;
                    Piece::Plain(at)
                }
                // An end tag may have begun in what is held.
                None => Piece::Incomplete(bytes.len().saturating_sub(element.len() + 2)),
            };
        }
        let Some(at) = bytes.iter().position(|byte| *byte == b'<') else { return Piece::Plain(bytes.len()) };
        if at > 0 {
            return Piece::Plain(at);
        }
        match bytes.get(1) {
            None => Piece::Incomplete(0),
            Some(b'!') => comment(bytes),
            Some(letter) if letter.is_ascii_alphabetic() => match tag_length(bytes) {
                Some(length) => Piece::StartTag(&bytes[..length]),
                None => Piece::Incomplete(0),
            },
            Some(_) => Piece::Plain(1),
        }
    }

    fn start_tag(&mut self, tag: &[u8], out: &mut Vec<u8>) {
        let name = tag[1..].split(|b| is_space(*b) || matches!(b, b'/' | b'>')).next().unwrap_or_default();
        let closes_itself = tag.ends_with(b"/>");
        if !closes_itself {
            self.raw = RAW.iter().copied().find(|raw| name.eq_ignore_ascii_case(raw.as_bytes()));
        }
        let known = LINKS.iter().find(|(element, _)| name.eq_ignore_ascii_case(element.as_bytes()));
        let mut copied = 0;
        for (attribute, value) in known.map(|_| attributes(tag, 1 + name.len())).unwrap_or_default() {
            let names_url = known.is_some_and(|(_, names)| {
                names.iter().any(|name| tag[attribute.clone()].eq_ignore_ascii_case(name.as_bytes()))
            });
            let Some(url) = std::str::from_utf8(&tag[value.clone()]).ok().filter(|_| names_url) else { continue };
            let Some(replaced) = (self.replace)(url.trim()) else { continue };
            out.extend_from_slice(&tag[copied..value.start]);
            out.extend_from_slice(escape(&replaced).as_bytes());
            copied = value.end;
        }
        out.extend_from_slice(&tag[copied..]);
    }
}

/// Quotes and angle brackets would end the attribute. Ampersands stay: the rest of the URL is as it was written.
fn escape(url: &str) -> String {
    url.replace('"', "&#34;").replace('\'', "&#39;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "%20")
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// Where the end tag of a raw element begins.
fn end_of_raw(bytes: &[u8], element: &str) -> Option<usize> {
    let tag = format!("</{element}");
    bytes.windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
}

/// `<!-- … -->`, or a declaration up to its `>`.
fn comment(bytes: &[u8]) -> Piece<'_> {
    const OPEN: &[u8] = b"<!--";
    if bytes.len() < OPEN.len() && OPEN.starts_with(bytes) {
        return Piece::Incomplete(0);
    }
    let (from, end): (usize, &[u8]) = if bytes.starts_with(OPEN) { (2, b"-->") } else { (2, b">") };
    let found = bytes[from..].windows(end.len()).position(|window| window == end);
    found.map_or(Piece::Incomplete(0), |at| Piece::Plain(from + at + end.len()))
}

/// The length of a start tag: up to the first `>` outside quoted values.
fn tag_length(tag: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut after_equals = false;
    for (at, byte) in tag.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if *byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if after_equals => quote = Some(*byte),
            (None, b'>') => return Some(at + 1),
            _ => {}
        }
        after_equals = *byte == b'=' || (after_equals && is_space(*byte));
    }
    None
}

type Span = std::ops::Range<usize>;

/// The spans of names and values (without quotes) of a complete tag's attributes that have values.
fn attributes(tag: &[u8], from: usize) -> Vec<(Span, Span)> {
    let mut found = Vec::new();
    let mut at = from;
    let run = |at: usize, stops: &dyn Fn(u8) -> bool| {
        tag[at..].iter().position(|byte| stops(*byte)).map_or(tag.len(), |length| at + length)
    };
    while at < tag.len() {
        let begin = run(at, &|b| !is_space(b) && b != b'/');
        let end = run(begin, &|b| is_space(b) || matches!(b, b'=' | b'>' | b'/'));
        let equals = run(end, &|b| !is_space(b));
        if tag.get(equals) != Some(&b'=') {
            at = equals.max(begin + 1);
            continue;
        }
        let mut value = run(equals + 1, &|b| !is_space(b));
        let value_end = match tag.get(value) {
            Some(quote @ (b'"' | b'\'')) => {
                value += 1;
                run(value, &|b| b == *quote)
            }
            _ => run(value, &|b| is_space(b) || b == b'>'),
        };
        found.push((begin..end, value..value_end));
        at = value_end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(page: &str, piece_bytes: usize) -> String {
        let mut links = Links::new(|url: &str| url.starts_with('/').then(|| format!("/p{url}")));
        let mut out = Vec::new();
        for piece in page.as_bytes().chunks(piece_bytes) {
            out.extend(links.push(piece));
        }
        out.extend(links.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn links_are_rewritten_and_nothing_else() {
        let cases = [
            (r#"<a href="/x">/x</a>"#, r#"<a href="/p/x">/x</a>"#),
            ("<A class=c HREF = '/x' title='/y'>", "<A class=c HREF = '/p/x' title='/y'>"),
            ("<img src=/i.png usemap=/m alt>", "<img src=/p/i.png usemap=/p/m alt>"),
            (r#"<img src="/i.png"/>"#, r#"<img src="/p/i.png"/>"#),
            (r#"<p href="/x">"#, r#"<p href="/x">"#),
            (r#"<a href="x?a=1&amp;b=2">"#, r#"<a href="x?a=1&amp;b=2">"#),
            (r#"<a href="/x?a=1&amp;b=2">"#, r#"<a href="/p/x?a=1&amp;b=2">"#),
            (r#"<!-- <a href="/x"> --><a href="/y">"#, r#"<!-- <a href="/x"> --><a href="/p/y">"#),
            (r#"<!doctype html><a href="/y">"#, r#"<!doctype html><a href="/p/y">"#),
            (
                r#"<script src="/s.js">"<a href='/x'>"</script><a href="/y">"#,
                r#"<script src="/p/s.js">"<a href='/x'>"</script><a href="/p/y">"#,
            ),
            (r#"<a title="a > b" href="/x">"#, r#"<a title="a > b" href="/p/x">"#),
            ("a < b <3 </x> <a href=/x", "a < b <3 </x> <a href=/x"),
            ("<a href=>", "<a href=>"),
            ("<a =x href='/y'>", "<a =x href='/p/y'>"),
        ];
        for (page, want) in cases {
            for piece_bytes in 1..=page.len() {
                assert_eq!(rewritten(page, piece_bytes), want, "{page} in pieces of {piece_bytes}");
            }
        }
    }

    #[test]
    fn a_tag_without_end_is_not_held_for_ever() {
        let mut links = Links::new(|_: &str| None);
        assert!(links.push(b"<a href=").is_empty());
        let page = links.push(&vec![b'x'; TAG_BYTES_MAX]);
        assert_eq!(page.len(), TAG_BYTES_MAX + 8);
    }

    #[test]
    fn any_bytes_pass_unchanged_without_links() {
        let mut seed = 7_u64;
        for _ in 0..2000 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as usize
            };
            let alphabet = b"<>/!-=\"' ahrefscipt\xff";
            let page: Vec<u8> = (0..next() % 60).map(|_| alphabet[next() % alphabet.len()]).collect();
            let mut links = Links::new(|_: &str| None);
            let mut out = links.push(&page);
            out.extend(links.finish());
            assert_eq!(out, page);
        }
    }
}
