//! The node authorizer: a kubelet reads what the pods on its node need, and nothing else.

mod authorize;
mod graph;

pub use authorize::{NodeAuthorizer, node_name};
pub use graph::Graph;
