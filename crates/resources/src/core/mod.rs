//! The core group, `/api/v1`.

mod binding;
pub mod bootstrap_token;
mod componentstatus;
mod configmap;
mod endpoints;
pub(crate) mod event;
mod limitrange;
mod namespace;
mod node;
pub(crate) mod persistentvolume;
mod persistentvolumeclaim;
pub(crate) mod pod;
mod podtemplate;
pub(crate) mod rangeallocation;
mod replicationcontroller;
mod resourcequota;
mod secret;
mod service;
mod serviceaccount;
pub mod serviceaccount_token;

use crate::settings::Settings;
use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>, settings: &Settings) -> Vec<Descriptor> {
    vec![
        binding::descriptor(schema),
        componentstatus::descriptor(schema),
        configmap::descriptor(schema),
        endpoints::descriptor(schema),
        event::descriptor(schema),
        limitrange::descriptor(schema),
        namespace::descriptor(schema),
        node::descriptor(schema, settings),
        persistentvolume::descriptor(schema),
        persistentvolumeclaim::descriptor(schema),
        pod::descriptor(schema, settings),
        podtemplate::descriptor(schema),
        replicationcontroller::descriptor(schema),
        resourcequota::descriptor(schema),
        secret::descriptor(schema),
        service::descriptor(schema, settings),
        serviceaccount::descriptor(schema),
    ]
}
