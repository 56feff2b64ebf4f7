//! A write as admission sees it.

use super::Attempt;
use crate::admit::Admission;
use crate::change::Intent;
use crate::judge::Opinions;
use meta::{Gvk, Value};
use std::borrow::Cow;

/// A patch is a create or an update to admission, and so are its options.
pub(super) fn options(options: &Value, creates: bool) -> Cow<'_, Value> {
    if options["kind"].str() != "PatchOptions" {
        return Cow::Borrowed(options);
    }
    let mut options = options.clone();
    options.remove("force");
    options.set("kind", if creates { "CreateOptions" } else { "UpdateOptions" });
    Cow::Owned(options)
}

impl Attempt<'_> {
    /// Whether this is part of something that admission has let pass.
    pub(super) fn is_admitted(&self) -> bool {
        matches!(&self.write.intent, Intent::Delete(delete) if delete.admitted)
    }

    /// The kind of the object: the resource's, or that of the part that is written.
    pub(super) fn kind(&self) -> Gvk {
        let route = &self.write.route;
        route.part.as_ref().map_or_else(|| route.descriptor().gvk(), |part| part.kind.clone())
    }

    pub(super) fn admission<'s>(&'s self, kind: &'s Gvk, name: &'s str) -> Admission<'s> {
        let write = self.write;
        let descriptor = write.route.descriptor();
        Admission {
            server: self.server,
            resources: &write.route.resources,
            user: &write.user,
            operation: self.operation(),
            group: &descriptor.group,
            version: &descriptor.version,
            resource: &descriptor.plural,
            subresource: write.route.part.as_ref().map_or("", |part| part.name.as_str()),
            namespace: write.namespace(),
            name,
            kind,
            old: self.old_value(),
            options: &self.options,
            dry_run: write.options.dry_run,
            now: self.now,
            warnings: &write.warnings,
            opinions: Opinions::default(),
        }
    }

    /// What admission makes of managedFields counts only where it can be read.
    pub(super) fn keep_readable_managers(&self, object: &mut Value, before: Value) {
        let Err(why) = patch::managed::validate_entries(object) else { return };
        object.entry("metadata").set("managedFields", before);
        let text = ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests";
        self.warn(format!("{text}: {why}"));
    }
}
