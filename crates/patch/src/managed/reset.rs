//! The fields that a resource resets and therefore never tracks (upstream's GetResetFields).

use crate::fields::{Node, Set};
use meta::Str;

/// Which fields are tracked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResetFields {
    /// Never tracked, with all that lies below.
    excluded: Set,
    /// When not empty, only these are tracked; `*` stands for any one step.
    included: Vec<Vec<Str>>,
}

impl ResetFields {
    /// From dotted paths: `status` excludes; with a plus, `+spec.containers.*.resources`, only such paths are tracked.
    pub fn new(paths: &[&str]) -> ResetFields {
        let mut out = ResetFields::default();
        for path in paths {
            let elements = |path: &str| -> Vec<Str> {
                path.split('.').map(|p| if p == "*" { "*".into() } else { Str::from(format!("f:{p}")) }).collect()
            };
            match path.strip_prefix('+') {
                Some(path) => out.included.push(elements(path)),
                None => {
                    let elements = elements(path);
                    out.excluded.insert(&elements.iter().map(Str::as_str).collect::<Vec<_>>());
                }
            }
        }
        out
    }

    /// What is not tracked, where that does not depend on what there is.
    pub(super) fn trees(&self) -> Option<&Set> {
        self.included.is_empty().then_some(&self.excluded)
    }

    /// Removes what is not tracked.
    pub(super) fn filter(&self, set: &mut Set) {
        set.remove_trees(&self.excluded);
        if !self.included.is_empty() {
            let patterns: Vec<&[Str]> = self.included.iter().map(Vec::as_slice).collect();
            retain(set, &patterns);
        }
    }
}

/// Keeps the paths on the way to a pattern's end and all below it.
fn retain(set: &mut Set, patterns: &[&[Str]]) {
    set.nodes.retain_mut(|node: &mut Node| {
        let matching = |p: &&[Str]| p.first().is_some_and(|step| step == "*" || *step == node.element);
        let below: Vec<&[Str]> = patterns.iter().filter(|p| matching(p)).filter_map(|p| p.get(1..)).collect();
        if below.is_empty() {
            return false;
        }
        if !below.iter().any(|rest| rest.is_empty()) {
            retain(&mut node.children, &below);
        }
        node.member || !node.children.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn excluded_trees_and_included_patterns() {
        let all = value!({"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}, "f:resources": {"f:limits": {}}}}, "f:x": {}}, "f:status": {"f:y": {}}});
        let mut set = Set::from_stored(&all);
        ResetFields::new(&["status"]).filter(&mut set);
        assert!(set.get("f:status").is_none() && set.get("f:spec").is_some());
        let mut set = Set::from_stored(&all);
        ResetFields::new(&["+spec.containers.*.resources"]).filter(&mut set);
        let want =
            value!({"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:resources": {"f:limits": {}}}}}});
        assert_eq!(set.to_value(), want);
    }
}
