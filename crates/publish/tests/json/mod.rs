//! Comparing trees, for tests only.

use meta::Value;

/// How two trees differ, and how many nodes they have.
#[derive(Default)]
pub struct Differences {
    pub lines: Vec<String>,
    /// Nodes within those that are missing as a whole.
    pub missing: usize,
    /// Nodes of the expected tree.
    pub nodes: usize,
}

/// Notes every node of `theirs` that `ours` lacks or has otherwise, and every member that only `ours` has.
pub fn compare(path: &str, ours: &Value, theirs: &Value, out: &mut Differences) {
    out.nodes += 1;
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, theirs) in b.iter() {
                match a.get(key) {
                    Some(ours) => compare(&format!("{path} {key}"), ours, theirs, out),
                    None => miss(&format!("{path} {key}"), theirs, out),
                }
            }
            let extra = a.keys().filter(|k| !b.contains_key(k)).map(|k| format!("{path} {k}: not upstream's"));
            out.lines.extend(extra);
        }
        (Value::Array(a), Value::Array(b)) => {
            for (i, theirs) in b.iter().enumerate() {
                match a.get(i) {
                    Some(ours) => compare(&format!("{path} {i}"), ours, theirs, out),
                    None => miss(&format!("{path} {i}"), theirs, out),
                }
            }
            out.lines.extend((b.len()..a.len()).map(|i| format!("{path} {i}: not upstream's")));
        }
        _ if ours == theirs => {}
        _ => out.lines.push(format!(
            "{path}: {} instead of {}",
            meta::json::to_string(ours),
            meta::json::to_string(theirs)
        )),
    }
}

/// What is missing as a whole counts with all its nodes, but is listed once.
fn miss(path: &str, theirs: &Value, out: &mut Differences) {
    let before = out.nodes;
    compare(path, theirs, theirs, out);
    out.missing += out.nodes - before - 1;
    out.lines.push(format!("{path}: missing {}", meta::json::to_string(theirs)));
}

impl Differences {
    /// How many nodes differ.
    pub fn count(&self) -> usize {
        self.lines.len() + self.missing
    }
}
