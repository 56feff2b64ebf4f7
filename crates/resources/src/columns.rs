//! The columns of the Table form, from the imported facts in columns.tsv.

use crate::cells;
use meta::Str;
use resource::{Cells, Column, Descriptor};

const FACTS: &str = include_str!("columns.tsv");

/// Gives a descriptor its columns and the function that makes a row's cells.
pub fn with(descriptor: Descriptor, cells: Cells) -> Descriptor {
    let group = descriptor.group.clone();
    with_those_of(descriptor, &group, cells)
}

/// As [`with`], taking the columns of the kind of the same name in another group.
pub fn with_those_of(mut descriptor: Descriptor, group: &str, cells: Cells) -> Descriptor {
    descriptor.columns = of(group, &descriptor.kind);
    descriptor.cells = Some(cells);
    descriptor
}

/// The columns of a kind; empty when the facts have none.
fn of(group: &str, kind: &str) -> Vec<Column> {
    let mut columns = Vec::new();
    for line in FACTS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [g, k, name, ty, format, priority, description] = fields.as_slice() else { continue };
        if (*g, *k) == (group, kind) {
            columns.push(Column {
                name: Str::from(*name),
                kind: Str::from(*ty),
                format: Str::from(*format),
                description: match *description {
                    "@name" => cells::NAME.4.into(),
                    "@age" => cells::AGE.4.into(),
                    text => text.replace("\\n", "\n").into(),
                },
                priority: priority.parse().unwrap_or(0),
                json_path: Str::default(),
            });
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_seven_fields_and_a_known_type() {
        for line in FACTS.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields.len(), 7, "{line}");
            assert!(["string", "integer", "boolean", "date"].contains(&fields[3]), "{line}");
        }
        let namespace: Vec<Column> = of("", "Namespace");
        assert_eq!(namespace.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Name", "Status", "Age"]);
        assert!(of("", "Nothing").is_empty());
    }
}
