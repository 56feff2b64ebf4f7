//! Paths of fields that must exist in a schema: `.spec.color`, `.labels['app']`.

use meta::Value;
use meta::field::Path;

/// The delimiters are pieces of their own; a quoted text is one piece with its quotes.
fn pieces(text: &str) -> Vec<&str> {
    let mut list = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '.' | '[' | ']' => 1,
            '\'' => quoted_end(rest).unwrap_or(rest.len()),
            _ => rest.find(['.', '[', ']']).unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at(end);
        list.push(piece);
        rest = after;
    }
    list
}

/// Behind the quote that closes the one at the beginning.
fn quoted_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (1..bytes.len()).find(|i| bytes[*i] == b'\'' && bytes[i - 1] != b'\\').map(|i| i + 1)
}

const NO_FIELD: &str = "does not refer to a valid field";
const ENDED: &str = "unexpected end of JSON path";

/// Follows a path through a structural schema: the path as errors show it, and the node it leads to.
pub fn resolve<'a>(text: &str, schema: &'a Value, brackets_allowed: bool) -> Result<(Path, &'a Value), String> {
    let mut at = (Path::root(), schema);
    let mut rest = pieces(text).into_iter();
    while let Some(piece) = rest.next() {
        match piece {
            "." => at = step(at, rest.next().ok_or(ENDED)?)?,
            "[" if !brackets_allowed => return Err("array notation is not allowed".into()),
            "[" => {
                let quoted = rest.next().ok_or(ENDED)?;
                let inner = quoted.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                let key = inner.ok_or_else(|| format!("expected single quoted string but got {quoted}"))?;
                at = step(at, &key.replace("\\'", "'"))?;
                match rest.next().ok_or(ENDED)? {
                    "]" => {}
                    other => return Err(format!("expected ] but got {other}")),
                }
            }
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(at)
}

fn step<'a>((path, schema): (Path, &'a Value), name: &str) -> Result<(Path, &'a Value), String> {
    if !schema["properties"].is_empty() {
        let next = schema["properties"].get(name).ok_or(NO_FIELD)?;
        return Ok((path.child_named(name), next));
    }
    match &schema["additionalProperties"] {
        next @ Value::Object(_) => Ok((path.key(name), next)),
        _ => Err(NO_FIELD.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn paths_lead_to_nodes_or_say_why_not() {
        let schema = value!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"a.b": {"type": "string"}, "n": {"type": "integer"}}},
            "labels": {"type": "object", "additionalProperties": {"type": "boolean"}}
        }});
        let kind = |path: &str| {
            resolve(path, &schema, true).map(|(path, node)| (path.to_string(), node["type"].str().to_string()))
        };
        assert_eq!(kind(".spec.n"), Ok(("spec.n".into(), "integer".into())));
        assert_eq!(kind(".spec['a.b']"), Ok(("spec.a.b".into(), "string".into())));
        assert_eq!(kind(".labels['x']"), Ok(("labels[x]".into(), "boolean".into())));
        assert_eq!(kind(".spec.nope"), Err(NO_FIELD.into()));
        assert_eq!(kind(".spec."), Err(ENDED.into()));
        assert_eq!(kind("spec"), Err("expected [ or . but got: spec".into()));
        assert_eq!(kind(".spec[n]"), Err("expected single quoted string but got n".into()));
        assert_eq!(kind("'"), Err("expected [ or . but got: '".into()));
        assert_eq!(resolve(".spec['n']", &schema, false).map(drop), Err("array notation is not allowed".into()));
    }
}
