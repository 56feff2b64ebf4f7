//! How a string is written: plain where it can be, else quoted or as a literal block (libyaml's analysis, go-yaml's choice).

use super::resolve::{Plain, is_base_60, resolve};

/// The notation of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// What a text has in it.
#[derive(Default)]
struct Found {
    leading: bool,
    trailing_space: bool,
    trailing_break: bool,
    break_space: bool,
    space_break: bool,
    special: bool,
    breaks: bool,
    indicators: bool,
}

/// The notation of a text as a value of a block, or as a key.
pub(super) fn style(text: &str, is_key: bool) -> Style {
    let found = analyse(text);
    if text.contains('\n') {
        let block = !found.trailing_space && !found.space_break && !found.special;
        return if block && !is_key { Style::Literal } else { Style::Double };
    }
    if !matches!(resolve(text), Plain::Text) || is_base_60(text) {
        return Style::Double;
    }
    let outside = found.leading || found.trailing_space || found.trailing_break;
    if found.special || found.space_break || found.break_space {
        Style::Double
    } else if outside || found.breaks || found.indicators {
        Style::Single
    } else {
        Style::Plain
    }
}

fn analyse(text: &str) -> Found {
    let starts = text.starts_with("---") || text.starts_with("...");
    let mut found = Found { indicators: starts, ..Found::default() };
    let (mut space_before, mut break_before, mut blank_before) = (false, false, true);
    let mut chars = text.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        let last = chars.peek().is_none();
        let blank_after = chars.peek().is_none_or(|next| is_blank(*next));
        found.indicators |= match c {
            '#' if first => true,
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => first,
            '?' | '-' => first && blank_after,
            ':' => blank_after,
            '#' => blank_before,
            _ => false,
        };
        found.special |= !is_printable(c);
        match c {
            ' ' => {
                found.leading |= first;
                found.trailing_space |= last;
                found.break_space |= break_before;
                (space_before, break_before) = (true, false);
            }
            c if is_break(c) => {
                found.breaks = true;
                found.leading |= first;
                found.trailing_break |= last;
                found.space_break |= space_before;
                (space_before, break_before) = (false, true);
            }
            _ => (space_before, break_before) = (false, false),
        }
        blank_before = is_blank(c);
        first = false;
    }
    found
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\0') || is_break(c)
}

/// What libyaml writes without an escape.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Appends a character as a double-quoted string has it.
pub(super) fn escape(c: char, out: &mut String) {
    use std::fmt::Write;
    let letter = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printable(c) => return out.push(c),
        c => {
            let code = c as u32;
            let _ = match code {
                0..=0xff => write!(out, "\\x{code:02X}"),
                0x100..=0xffff => write!(out, "\\u{code:04X}"),
                _ => write!(out, "\\U{code:08X}"),
            };
            return;
        }
    };
    out.push('\\');
    out.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_plain_where_they_can_be() {
        for (text, want) in [
            ("plain text", Style::Plain),
            ("a:b", Style::Plain),
            ("a#b", Style::Plain),
            ("-x", Style::Plain),
            ("registry/image:v1@sha256", Style::Plain),
            ("", Style::Double),
            ("true", Style::Double),
            ("12", Style::Double),
            ("1.5e3", Style::Double),
            ("2024-01-01T00:00:00Z", Style::Double),
            ("1:30", Style::Double),
            ("null", Style::Double),
            ("tab\there", Style::Double),
            ("😀", Style::Double),
            ("a: b", Style::Single),
            ("a:", Style::Single),
            ("a #b", Style::Single),
            ("- x", Style::Single),
            ("*", Style::Single),
            ("{a}", Style::Single),
            (" lead", Style::Single),
            ("trail ", Style::Single),
            ("one\ntwo\n", Style::Literal),
            ("trail \ntwo", Style::Double),
        ] {
            assert_eq!(style(text, false), want, "{text:?}");
        }
        assert_eq!(style("a\nb", true), Style::Double);
    }
}
