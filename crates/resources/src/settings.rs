//! What the server's flags say to resources.

use crate::rules::cidr::Cidr;
use meta::Str;

/// Given to the descriptors when they are built.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// --service-cluster-ip-range: one range, or one of each family, the primary first.
    pub service_ranges: Vec<Cidr>,
    /// --service-node-port-range, both ends included.
    pub node_ports: (u16, u16),
    /// --kubelet-preferred-address-types
    pub kubelet_address_types: Vec<Str>,
}

impl Default for Settings {
    /// kube-apiserver's own defaults.
    fn default() -> Settings {
        Settings {
            service_ranges: Cidr::parse("10.0.0.0/24").into_iter().collect(),
            node_ports: (30_000, 32_767),
            kubelet_address_types: ["Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"]
                .map(Str::from)
                .into(),
        }
    }
}
