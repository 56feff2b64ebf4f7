//! Semantic versions.

use super::{Opaque, Run};
use crate::eval::{Call, Failed};
use crate::value::Value;
use std::cmp::Ordering;
use std::fmt;

#[derive(Debug, Clone)]
pub struct Semver {
    numbers: [u64; 3],
    pre: Vec<Identifier>,
    /// Not compared.
    build: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Text(String),
}

impl Ord for Semver {
    fn cmp(&self, other: &Semver) -> Ordering {
        let release = |version: &Semver| version.pre.is_empty();
        self.numbers.cmp(&other.numbers).then_with(|| match (release(self), release(other)) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.pre.cmp(&other.pre),
        })
    }
}

impl PartialOrd for Semver {
    fn partial_cmp(&self, other: &Semver) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Semver {
    fn eq(&self, other: &Semver) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Semver {}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (at, part) in self.pre.iter().enumerate() {
            f.write_str(if at == 0 { "-" } else { "." })?;
            match part {
                Identifier::Number(n) => write!(f, "{n}")?,
                Identifier::Text(text) => f.write_str(text)?,
            }
        }
        if self.build.is_empty() { Ok(()) } else { write!(f, "+{}", self.build) }
    }
}

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "semver" => |call| match read(call)? {
            Ok(version) => Ok(Value::opaque(Opaque::Semver(version))),
            Err(reason) => Err(Failed::new(reason)),
        },
        "isSemver" => |call| Ok(Value::Bool(read(call)?.is_ok())),
        "major" => |call| number(call, 0),
        "minor" => |call| number(call, 1),
        "patch" => |call| number(call, 2),
        _ => return None,
    })
}

fn read(call: &Call) -> Result<Result<Semver, String>, Failed> {
    match call.args {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => Ok(parse(text)),
        [Value::String(text), Value::Bool(true)] => Ok(normalized(text).and_then(|text| parse(&text))),
        _ => Err(call.no_overload()),
    }
}

fn number<'a>(call: &mut Call<'a, '_>, at: usize) -> Result<Value<'a>, Failed> {
    let [Value::Opaque(of)] = call.args else { return Err(call.no_overload()) };
    match &**of {
        Opaque::Semver(version) => {
            let number = version.numbers.get(at).copied().unwrap_or(0);
            Ok(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
        }
        _ => Err(call.no_overload()),
    }
}

/// Without a leading `v` and leading zeros, and with three numbers.
fn normalized(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
    for part in parts.iter_mut().filter(|part| part.len() > 1) {
        let stripped = part.trim_start_matches('0');
        let digit = stripped.starts_with(|c: char| c.is_ascii_digit());
        *part = if digit { stripped.to_owned() } else { format!("0{stripped}") };
    }
    if parts.len() < 3 {
        if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    Ok(parts.join("."))
}

fn parse(text: &str) -> Result<Semver, String> {
    if text.is_empty() {
        return Err("Version string empty".to_owned());
    }
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    let (core, pre) = match rest.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (rest, None),
    };
    let parts: Vec<&str> = core.split('.').collect();
    let [major, minor, patch] = parts.as_slice() else {
        return Err("No Major.Minor.Patch elements found".to_owned());
    };
    let named = [("major", major), ("minor", minor), ("patch", patch)];
    let mut numbers = [0; 3];
    for (slot, (name, part)) in numbers.iter_mut().zip(named) {
        *slot = whole(part, name)?;
    }
    let mut identifiers = Vec::new();
    for part in pre.into_iter().flat_map(|pre| pre.split('.')) {
        identifiers.push(identifier(part)?);
    }
    for part in build.into_iter().flat_map(|build| build.split('.')) {
        if !is_identifier(part) {
            return Err(format!("Invalid character(s) found in build meta data {part:?}"));
        }
    }
    Ok(Semver { numbers, pre: identifiers, build: build.unwrap_or_default().to_owned() })
}

fn whole(part: &str, name: &str) -> Result<u64, String> {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("Invalid character(s) found in {} number {part:?}", name.to_lowercase()));
    }
    if part.len() > 1 && part.starts_with('0') {
        return Err(format!("{name} number must not contain leading zeroes {part:?}"));
    }
    part.parse().map_err(|_| format!("strconv.ParseUint: parsing {part:?}: value out of range"))
}

fn is_identifier(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn identifier(part: &str) -> Result<Identifier, String> {
    if part.is_empty() {
        return Err("Prerelease is empty".to_owned());
    }
    if part.bytes().all(|b| b.is_ascii_digit()) {
        if part.len() > 1 && part.starts_with('0') {
            return Err(format!("Numeric PreRelease version must not contain leading zeroes {part:?}"));
        }
        return part.parse().map(Identifier::Number).map_err(|_| "value out of range".to_owned());
    }
    if !is_identifier(part) {
        return Err(format!("Invalid character(s) found in prerelease {part:?}"));
    }
    Ok(Identifier::Text(part.to_owned()))
}
