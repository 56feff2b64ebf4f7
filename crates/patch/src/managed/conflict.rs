//! Conflicts: fields that an applied configuration would take from others.

use super::entries::{Entry, Operation};
use crate::fields::{Set, display_path};
use meta::{Reason, Status};

/// One field of another manager.
#[derive(Clone, Debug)]
pub(super) struct Conflict {
    /// The manager as messages name it.
    manager: String,
    pub path: Vec<String>,
}

/// The conflicts with one manager, in upstream's order of paths.
pub(super) fn conflicts_with(entry: &Entry, fields: &Set) -> Vec<Conflict> {
    let manager = name(entry);
    let mut out = Vec::new();
    fields.visit_paths(&mut Vec::new(), &mut |path| {
        out.push(Conflict { manager: manager.clone(), path: path.iter().map(|e| e.to_string()).collect() });
    });
    out
}

fn name(entry: &Entry) -> String {
    let mut out = meta::field::quote(&entry.manager);
    if !entry.subresource.is_empty() {
        out.push_str(&format!(" with subresource {}", meta::field::quote(&entry.subresource)));
    }
    if entry.operation == Operation::Update {
        out.push_str(&format!(" using {}", entry.api_version));
    }
    out
}

impl Conflict {
    pub fn elements(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    fn field(&self) -> String {
        display_path(&self.elements())
    }
}

/// 409 with a cause for each conflict; managers in the order of their names.
pub(super) fn status(mut conflicts: Vec<Conflict>) -> Status {
    conflicts.sort_by(|a, b| a.manager.cmp(&b.manager));
    let message = match conflicts.as_slice() {
        [one] => format!("Apply failed with 1 conflict: conflict with {}: {}", one.manager, one.field()),
        all => {
            let groups = all.chunk_by(|a, b| a.manager == b.manager).map(|group| {
                let manager = group.first().map_or("", |c| c.manager.as_str());
                group.iter().fold(format!("conflicts with {manager}:"), |text, c| format!("{text}\n- {}", c.field()))
            });
            format!("Apply failed with {} conflicts: {}", all.len(), groups.collect::<Vec<_>>().join("\n"))
        }
    };
    let status = Status::failure(409, Reason::Conflict, message);
    conflicts.iter().fold(status, |status, conflict| {
        let text = format!("conflict with {}", conflict.manager);
        status.with_cause("FieldManagerConflict", text, conflict.field())
    })
}
