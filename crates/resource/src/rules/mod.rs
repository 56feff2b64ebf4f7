//! The rules that hold for every resource (upstream's registry/rest and registry/generic): pure functions over an
//! object, its descriptor's data and the request's context. The request path calls them in upstream's order.

mod create;
mod delete;
mod equality;
mod generated_name;
mod metadata;
mod update;

pub use create::{ensure_namespace, fill_system_fields, prepare_create, validate_create, wipe_system_fields};
pub use delete::{DeleteOptions, DeletePlan, is_released, plan_delete, validate_delete_options};
pub use equality::semantically_equal;
pub use generated_name::generate_name;
pub use metadata::{
    check_name, validate_annotations, validate_field_manager, validate_metadata, validate_metadata_update,
    validate_standard_finalizer,
};
pub use update::{prepare_update, validate_update};

use crate::{Context, Descriptor, Hooks, Strategy};

/// The rules of one endpoint: a resource itself, or one of its parts (`status`), which has its own strategy and hooks.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    pub descriptor: &'a Descriptor,
    pub strategy: &'a Strategy,
    pub hooks: &'a dyn Hooks,
    pub ctx: &'a Context<'a>,
}
