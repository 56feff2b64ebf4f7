//! Which fields a configuration file may have.

use meta::Value;

/// The fields of an object, each with those below it; lists count as their items.
pub type Known = &'static [(&'static str, Below)];

#[derive(Clone, Copy)]
pub enum Below {
    /// No object.
    Leaf,
    Fields(Known),
}

/// Paths of the fields that are not known, as Go's strict decoder names them: `jwt[0].issuer.x`.
pub fn unknown_fields(value: &Value, known: Known) -> Vec<String> {
    let mut out = vec![];
    visit(value, Below::Fields(known), "", &mut out);
    out
}

fn visit(value: &Value, below: Below, path: &str, out: &mut Vec<String>) {
    for (index, item) in value.items().iter().enumerate() {
        visit(item, below, &format!("{path}[{index}]"), out);
    }
    let Below::Fields(known) = below else { return };
    for (key, inner) in value.entries() {
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match known.iter().find(|(name, _)| *name == key) {
            Some((_, below)) => visit(inner, *below, &path, out),
            None => out.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn unknown_fields_are_found_in_lists_and_objects() {
        const KNOWN: Known = &[("a", Below::Leaf), ("b", Below::Fields(&[("c", Below::Leaf)]))];
        let file = value!({"a": {"x": 1}, "b": [{"c": 1}, {"d": 1}], "e": 1});
        assert_eq!(unknown_fields(&file, KNOWN), ["b[1].d", "e"]);
    }
}
