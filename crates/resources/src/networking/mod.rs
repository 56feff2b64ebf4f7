//! networking.k8s.io

mod ingress;
mod ingressclass;
mod ipaddress;
mod networkpolicy;
mod servicecidr;

use resource::Descriptor;
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    vec![
        ingress::descriptor(schema),
        ingressclass::descriptor(schema),
        ipaddress::descriptor(schema),
        networkpolicy::descriptor(schema),
        servicecidr::descriptor(schema),
    ]
}
