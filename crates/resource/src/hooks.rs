//! The named moments in which a resource may do what its data cannot say.

use crate::Context;
use meta::field::ErrorList;
use meta::{Result, Str, Value};

/// A resource's own rules. Every moment has the default of doing nothing. Objects are in the storage version,
/// in canonical form: what Go would print, so absent means zero.
///
/// `prepare_*` changes the object, `validate_*` only reports, `warn` only tells. The generic rules (metadata,
/// names, generation, resets from the [`crate::Strategy`]) run around these and need no repeating here.
pub trait Hooks: Send + Sync {
    /// Defaults that the schema's `default`s do not express. Runs on every decoded body, and must be idempotent.
    fn default(&self, _object: &mut Value) {}

    /// Before validation of a create.
    fn prepare_create(&self, _ctx: &Context, _object: &mut Value) {}

    /// Before validation of an update; `old` is the stored object.
    fn prepare_update(&self, _ctx: &Context, _object: &mut Value, _old: &Value) {}

    fn validate(&self, _ctx: &Context, _object: &Value, _errs: &mut ErrorList) {}

    /// By default an update must also pass [`Hooks::validate`]. A hook that needs another order overrides this.
    fn validate_update(&self, ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        self.validate(ctx, object, errs);
    }

    /// Texts for Warning headers; `old` is `None` on create.
    fn warn(&self, _ctx: &Context, _object: &Value, _old: Option<&Value>, _warnings: &mut Vec<String>) {}

    /// How long a delete waits, for kinds whose strategy says `graceful_delete`; `requested` is never negative.
    fn grace_period_seconds(&self, _object: &Value, requested: Option<i64>) -> i64 {
        requested.unwrap_or(0)
    }

    /// Texts for Warning headers of a delete.
    fn warn_delete(&self, _options: &crate::rules::DeleteOptions, _warnings: &mut Vec<String>) {}

    /// A delete was accepted: marks the object, which is written unless it is removed at once.
    /// Says whether that changed it.
    fn prepare_delete(&self, _ctx: &Context, _object: &mut Value) -> bool {
        false
    }

    /// Whether something besides metadata.finalizers keeps a deleted object (a namespace's spec.finalizers).
    fn holds(&self, _object: &Value) -> bool {
        false
    }

    /// After validation: objects to write in the same commit (an allocated address, say), and changes that depend on
    /// the rest of the cluster. `object` is `None` on delete, `old` is `None` on create.
    fn plan_side_writes(
        &self,
        _ctx: &Context,
        _object: Option<&mut Value>,
        _old: Option<&Value>,
    ) -> Result<Vec<SideWrite>> {
        Ok(Vec::new())
    }
}

/// A write to another object that commits together with the main one, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum SideWrite {
    /// Must not exist; else the whole attempt runs again.
    Create { group: Str, resource: Str, namespace: Str, name: Str, object: Value, recorded: Recorded },
    /// Must exist unchanged since it was read through the context; else the whole attempt runs again.
    Update { group: Str, resource: Str, namespace: Str, name: Str, object: Value, recorded: Recorded },
    /// Deleted when it is there.
    Delete { group: Str, resource: Str, namespace: Str, name: Str },
}

/// What managedFields say of a [`SideWrite`]: upstream makes some as requests of its own, others go straight to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    Nothing,
    /// As a write of the server's own to this subresource; "" for the object itself.
    Subresource(&'static str),
}

/// For resources whose data says everything.
pub struct NoHooks;

impl Hooks for NoHooks {}
