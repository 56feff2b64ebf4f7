//! Names of properties as identifiers of expressions.

const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

const SEQUENCES: [(&str, &str); 4] =
    [("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")];

/// The identifier for a property; `None` when there is none, and expressions cannot name it.
pub fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let sequence = SEQUENCES.iter().find(|(plain, _)| rest.starts_with(plain));
        match sequence {
            Some((plain, escaped)) => {
                out.push_str(escaped);
                rest = rest.get(plain.len()..)?;
            }
            None if c.is_ascii_alphanumeric() || c == '_' => {
                out.push(c);
                rest = rest.get(1..)?;
            }
            None => return None,
        }
    }
    Some(out)
}

/// The property that an identifier is for; `None` when it has a sequence that [`escape`] does not make.
pub fn unescape(identifier: &str) -> Option<String> {
    if let Some(word) = identifier.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"))
        && RESERVED.contains(&word)
    {
        return Some(word.to_owned());
    }
    let mut out = String::with_capacity(identifier.len());
    let mut rest = identifier;
    while let Some(c) = rest.chars().next() {
        match SEQUENCES.iter().find(|(_, escaped)| rest.starts_with(escaped)) {
            Some((plain, escaped)) => {
                out.push_str(plain);
                rest = rest.get(escaped.len()..)?;
            }
            None => {
                out.push(c);
                rest = rest.get(c.len_utf8()..)?;
            }
        }
    }
    Some(out)
}
