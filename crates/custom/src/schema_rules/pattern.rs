//! What Go says of a pattern that does not compile.

use regex::Error;

/// The text of Go's regexp/syntax for an error of ours. Where the two parsers see different mistakes, the whole pattern
/// is named.
pub fn go_error(pattern: &str, error: &Error) -> String {
    let text = error.to_string();
    let (_, why) = text.rsplit_once("error: ").unwrap_or(("", &text));
    let after = |needle: char| pattern.find(needle).and_then(|at| pattern.get(at..)).unwrap_or(pattern);
    let (code, part) = match why.trim() {
        "unclosed character class" => ("missing closing ]", after('[')),
        "unclosed group" => ("missing closing )", pattern),
        "unopened group" => ("unexpected )", pattern),
        "incomplete escape sequence, reached end of pattern prematurely" => {
            ("trailing backslash at end of expression", "")
        }
        "repetition operator missing expression" => {
            let operator = pattern.find(['*', '+', '?', '{']).and_then(|at| pattern.get(at..at + 1));
            ("missing argument to repetition operator", operator.unwrap_or(pattern))
        }
        why if why.starts_with("look-around") => {
            let operator = pattern.find("(?").and_then(|at| pattern.get(at..at + 3));
            ("invalid or unsupported Perl syntax", operator.unwrap_or(pattern))
        }
        why if why.starts_with("unrecognized escape") || why.starts_with("backreferences") => {
            let escape = pattern.find('\\').and_then(|at| pattern.get(at..at + 2));
            ("invalid escape sequence", escape.unwrap_or(pattern))
        }
        why if why.starts_with("invalid repetition count") => ("invalid repeat count", after('{')),
        why if why.starts_with("invalid character class range") => ("invalid character class range", pattern),
        _ => ("invalid regular expression", pattern),
    };
    format!("error parsing regexp: {code}: `{part}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::invalid_regex)]
    fn goes_words() {
        let of = |pattern: &str| regex::Regex::new(pattern).map_err(|why| go_error(pattern, &why)).unwrap_err();
        assert_eq!(of("^[a-z"), "error parsing regexp: missing closing ]: `[a-z`");
        assert_eq!(of("(a"), "error parsing regexp: missing closing ): `(a`");
        assert_eq!(of("*a"), "error parsing regexp: missing argument to repetition operator: `*`");
        assert_eq!(of("a(?!b)"), "error parsing regexp: invalid or unsupported Perl syntax: `(?!`");
        assert_eq!(of("a\\"), "error parsing regexp: trailing backslash at end of expression: ``");
        assert_eq!(of(r"a\y"), r"error parsing regexp: invalid escape sequence: `\y`");
    }
}
