//! Strategies that many kinds share.

use meta::Gvk;
use resource::{DefaultGc, Generation, MetadataRules, NameRule, Strategy};

/// Create and update leave `status` alone; `spec` moves the generation.
pub const SPEC_AND_STATUS: Strategy = Strategy {
    create_on_update: false,
    unconditional_update: true,
    generation: Generation::Spec,
    default_gc: DefaultGc::Background,
    delete_returns_object: false,
    name: NameRule::Subdomain,
    reset_on_create: &["status"],
    keep_on_update: &["status"],
    reset_fields: &["status"],
    graceful_delete: false,
    marking_delete: false,
    expires: false,
    metadata: MetadataRules::CHANGES,
};

/// The status subresource of such a kind: `spec` stays.
pub const STATUS: Strategy = Strategy {
    generation: Generation::None,
    reset_on_create: &[],
    keep_on_update: &["spec"],
    reset_fields: &["spec"],
    ..SPEC_AND_STATUS
};

/// What every scale subresource takes and gives.
pub fn scale_kind() -> Gvk {
    Gvk::new("autoscaling", "v1", "Scale")
}
