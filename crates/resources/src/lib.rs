//! Every built-in resource: one folder per API group, in it one per kind. [`all`] is the list that everything
//! else loops over.

mod admissionregistration;
mod apiextensions;
mod apiregistration;
mod apps;
mod authentication;
mod authorization;
mod autoscaling;
mod batch;
mod cells;
mod certificates;
mod columns;
mod connect;
mod coordination;
mod core;
mod discovery;
mod dra;
mod events;
pub mod flowcontrol;
mod networking;
mod node;
mod policy;
mod rbac;
mod rules;
mod scheduling;
mod settings;
mod storage;
mod strategies;
mod workload;

pub use rules::cidr::Cidr;
pub use settings::Settings;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

/// The rules of service accounts' tokens.
pub fn service_account_tokens() -> &'static dyn resource::TokenRules {
    &core::serviceaccount_token::ServiceAccountToken
}

/// Who sends a bootstrap token.
pub use core::bootstrap_token::bearer as bootstrap_token_bearer;

/// The descriptors of all built-in resources, in no particular order.
pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    all_with(schema, &Settings::default())
}

/// The descriptors of what is stored for the server's own use and served nowhere.
pub fn internal(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![core::rangeallocation::descriptor(schema)]
}

/// As [`all`], for a server with other flags.
pub fn all_with(schema: &Arc<Schema>, settings: &Settings) -> Vec<Descriptor> {
    let groups = [
        admissionregistration::all,
        apiextensions::all,
        apiregistration::all,
        apps::all,
        authentication::all,
        authorization::all,
        autoscaling::all,
        batch::all,
        certificates::all,
        coordination::all,
        discovery::all,
        dra::all,
        events::all,
        flowcontrol::all,
        networking::all,
        node::all,
        policy::all,
        rbac::all,
        scheduling::all,
        storage::all,
    ];
    let others = groups.iter().flat_map(|group| group(schema));
    others.chain(core::all(schema, settings)).collect()
}
