//! Files and functions are short. What was long when the rule came is listed with its length, which may only shrink.

use std::collections::BTreeMap;
use std::fs;

use super::{Finding, finding};
use crate::repo;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const BASELINE: &str = "xtask/tidy-lengths.tsv";

/// What is too long: a path, or a path and a function, and its lines.
type Lengths = BTreeMap<String, usize>;

pub fn check() -> Vec<Finding> {
    let (now, before) = (measure(), baseline());
    let mut findings = vec![];
    for (place, lines) in &now {
        match before.get(place) {
            None => findings.push(finding(place, format!("{lines} lines: split it by what it does"))),
            Some(old) if lines > old => {
                findings.push(finding(place, format!("grew from {old} to {lines} lines: split it")))
            }
            Some(old) if lines < old => {
                findings.push(finding(BASELINE, format!("{place} has {lines} lines now: lower it")))
            }
            Some(_) => {}
        }
    }
    for place in before.keys().filter(|place| !now.contains_key(*place)) {
        findings.push(finding(BASELINE, format!("{place} is no longer too long: take it out")));
    }
    findings
}

/// Writes today's lengths. A person decides that; CI never does.
pub fn accept() -> Result<(), String> {
    let lines: Vec<String> = measure().into_iter().map(|(place, lines)| format!("{place}\t{lines}\n")).collect();
    fs::write(repo::root().join(BASELINE), lines.concat()).map_err(|why| format!("{BASELINE}: {why}"))
}

fn baseline() -> Lengths {
    let text = repo::read(BASELINE);
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.filter_map(|(place, lines)| Some((place.to_owned(), lines.parse().ok()?))).collect()
}

fn measure() -> Lengths {
    let mut long = Lengths::new();
    for path in repo::files(".", &[".rs"]) {
        let (place, text) = (path.display().to_string(), repo::read(&path));
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            long.insert(place.clone(), lines);
        }
        for (name, lines) in functions(&text).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX) {
            long.insert(format!("{place} fn {name}"), lines);
        }
    }
    long
}

/// The functions of a formatted file and their lines. In formatted code the brace that ends a function stands alone
/// under its first word.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = vec![];
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len().saturating_sub(line.trim_start().len());
        let closing = format!("{}}}", " ".repeat(indent));
        let rest = lines.get(start..).unwrap_or_default();
        let body_at = rest.iter().position(|line| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'));
        let Some(body_at) = body_at.filter(|at| rest.get(*at).is_some_and(|line| line.ends_with('{'))) else {
            continue;
        };
        let after = rest.get(body_at..).unwrap_or_default();
        if let Some(end) = after.iter().position(|line| **line == closing) {
            found.push((name, body_at.saturating_add(end).saturating_add(1)));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let words = line.trim_start();
    let (before, after) = words.split_once("fn ")?;
    let qualifiers = ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe"];
    if !before.split_whitespace().all(|word| qualifiers.contains(&word)) {
        return None;
    }
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    after.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let text = "fn a() {\n    b();\n}\n\ntrait T {\n    fn c();\n    fn d() {}\n    pub async fn e(\n        x: u8,\n    ) {\n        x\n    }\n}\nlet f: fn (u8) = g;\n";
        assert_eq!(functions(text), [("a".to_owned(), 3), ("e".to_owned(), 5)]);
    }
}
