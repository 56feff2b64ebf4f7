//! JSONPath as custom resources' columns use it: names, indexes, slices, wildcards, unions and filters.
//! After k8s.io/client-go/util/jsonpath. Absent: recursive descent's `..` with anything but a name, ranges and text around the path.

use meta::Value;
use std::cmp::Ordering;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    /// Any depth below.
    Deep(String),
    Wildcard,
    Index(i64),
    Slice(Option<i64>, Option<i64>, i64),
    Union(Vec<Step>),
    Filter(Vec<Step>, Option<(Compare, Operand)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Path(Vec<Step>),
}

const COMPARES: [(&str, Compare); 6] = [
    ("==", Compare::Equal),
    ("!=", Compare::NotEqual),
    ("<=", Compare::LessOrEqual),
    (">=", Compare::GreaterOrEqual),
    ("<", Compare::Less),
    (">", Compare::Greater),
];

impl JsonPath {
    /// Reads a path, with or without braces around it. `None` when it cannot be read.
    pub fn parse(text: &str) -> Option<JsonPath> {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        steps(text.strip_prefix(['$', '@']).unwrap_or(text)).map(JsonPath)
    }

    /// What the path leads to, in order.
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        follow(&self.0, value)
    }
}

fn steps(mut text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !text.is_empty() {
        if let Some(rest) = text.strip_prefix("..") {
            let (name, rest) = name(rest);
            steps.push(Step::Deep(name));
            text = rest;
        } else if let Some(rest) = text.strip_prefix('[') {
            let (inner, rest) = bracket(rest)?;
            steps.push(subscript(inner)?);
            text = rest;
        } else {
            let rest = text.strip_prefix('.').unwrap_or(text);
            if rest.starts_with('[') || rest.is_empty() {
                text = rest;
                continue;
            }
            let (name, rest) = name(rest);
            steps.push(if name == "*" { Step::Wildcard } else { Step::Name(name) });
            text = rest;
        }
    }
    Some(steps)
}

/// A name up to the next dot or bracket; a backslash takes the next character as it is.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '.' | '[' => return (name, text.get(at..).unwrap_or("")),
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            c => name.push(c),
        }
    }
    (name, "")
}

/// What is between an opened bracket and its end, which may hold brackets and quoted text.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut quote) = (1, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(..at)?, text.get(at + 1..)?));
        }
    }
    None
}

fn subscript(text: &str) -> Option<Step> {
    let text = text.trim();
    if let Some(filter) = text.strip_prefix("?(").and_then(|t| t.strip_suffix(')')) {
        return self::filter(filter);
    }
    if text == "*" {
        return Some(Step::Wildcard);
    }
    if let Some(name) = quoted(text) {
        return Some(Step::Name(name.to_string()));
    }
    if text.contains(',') {
        return text.split(',').map(subscript).collect::<Option<Vec<Step>>>().map(Step::Union);
    }
    let number = |part: &str| match part.trim() {
        "" => Some(None),
        n => n.parse().ok().map(Some),
    };
    let mut parts = text.split(':');
    let start = number(parts.next()?)?;
    let Some(end) = parts.next() else { return start.map(Step::Index) };
    let step = parts.next().map_or(Some(None), number)?.unwrap_or(1);
    (step > 0).then_some(Step::Slice(start, number(end)?, step))
}

fn quoted(text: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|q| text.strip_prefix(q)?.strip_suffix(q))
}

fn filter(text: &str) -> Option<Step> {
    let path = |text: &str| text.trim().strip_prefix(['@', '$']).and_then(steps);
    let found = COMPARES.iter().filter_map(|(sign, compare)| text.find(sign).map(|at| (at, *sign, *compare)));
    let Some((at, sign, compare)) = found.min_by_key(|(at, sign, _)| (*at, usize::MAX - sign.len())) else {
        return path(text).map(|left| Step::Filter(left, None));
    };
    let (left, right) = (text.get(..at)?, text.get(at + sign.len()..)?.trim());
    let right = match quoted(right) {
        Some(text) => Operand::Literal(text.into()),
        None if right.starts_with(['@', '$']) => Operand::Path(path(right)?),
        None => Operand::Literal(meta::json::parse(right.as_bytes()).ok()?.value),
    };
    Some(Step::Filter(path(left)?, Some((compare, right))))
}

fn follow<'v>(steps: &[Step], value: &'v Value) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in steps {
        found = found.into_iter().flat_map(|value| take(step, value)).collect();
    }
    found
}

fn take<'v>(step: &Step, value: &'v Value) -> Vec<&'v Value> {
    match step {
        Step::Name(name) => value.get(name).into_iter().collect(),
        Step::Deep(name) => {
            let mut found = Vec::new();
            descend(name, value, &mut found);
            found
        }
        Step::Wildcard => match value {
            Value::Array(items) => items.iter().collect(),
            other => other.entries().map(|(_, v)| v).collect(),
        },
        Step::Index(index) => at(value.items(), *index).into_iter().collect(),
        Step::Slice(start, end, step) => {
            let length = value.items().len() as i64;
            let bound = |n: i64| if n < 0 { n.saturating_add(length) } else { n }.clamp(0, length) as usize;
            let (start, end) = (bound(start.unwrap_or(0)), bound(end.unwrap_or(length)));
            let items = value.items().get(start..end.max(start)).unwrap_or(&[]);
            items.iter().step_by(usize::try_from(*step).unwrap_or(1).max(1)).collect()
        }
        Step::Union(steps) => steps.iter().flat_map(|step| take(step, value)).collect(),
        Step::Filter(left, compare) => {
            value.items().iter().filter(|item| holds(left, compare.as_ref(), item)).collect()
        }
    }
}

fn at(items: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 { index.checked_add(items.len() as i64)? } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn descend<'v>(name: &str, value: &'v Value, found: &mut Vec<&'v Value>) {
    found.extend(value.get(name));
    value.items().iter().for_each(|item| descend(name, item, found));
    value.entries().for_each(|(_, member)| descend(name, member, found));
}

fn holds(left: &[Step], compare: Option<&(Compare, Operand)>, item: &Value) -> bool {
    let found = follow(left, item);
    let (Some(left), Some((compare, right))) = (found.first(), compare) else {
        return !found.is_empty() && compare.is_none();
    };
    let right = match right {
        Operand::Literal(value) => Some(value),
        Operand::Path(steps) => follow(steps, item).first().copied(),
    };
    let order = right.and_then(|right| order(left, right));
    match compare {
        Compare::Equal => order == Some(Ordering::Equal),
        Compare::NotEqual => order != Some(Ordering::Equal),
        Compare::Less => order == Some(Ordering::Less),
        Compare::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Compare::Greater => order == Some(Ordering::Greater),
        Compare::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::json;

    #[test]
    fn paths_lead_where_upstreams_do() {
        let text = r#"{"spec":{"a.b":1,"list":[{"n":1,"t":"x"},{"n":2,"t":"y"},{"n":3}],"map":{"k":true}}}"#;
        let object = json::parse(text.as_bytes()).expect("well formed").value;
        for (path, want) in [
            (".spec.map.k", "true"),
            ("{.spec.map.k}", "true"),
            ("$.spec['a.b']", "1"),
            (r".spec.a\.b", "1"),
            (".spec.list[0].n", "1"),
            (".spec.list[-1].n", "3"),
            (".spec.list[*].n", "1 2 3"),
            (".spec.list[1:].n", "2 3"),
            (".spec.list[0:3:2].n", "1 3"),
            (".spec.list[0,2].n", "1 3"),
            (r#".spec.list[?(@.t=="y")].n"#, "2"),
            (".spec.list[?(@.n>=2)].n", "2 3"),
            (".spec.list[?(@.t)].t", r#""x" "y""#),
            ("..n", "1 2 3"),
            (".spec.nope.x", ""),
            (".spec.list[9]", ""),
        ] {
            let found: Vec<String> =
                JsonPath::parse(path).expect(path).find(&object).into_iter().map(json::to_string).collect();
            assert_eq!(found.join(" "), want, "{path}");
        }
        for path in [".a[", ".a[x]", ".a[?(@.b=='c]", ".a[1:2:0]"] {
            assert_eq!(JsonPath::parse(path), None, "{path}");
        }
    }
}
