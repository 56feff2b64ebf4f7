//! Where proxies, logs and streams of nodes, pods and services go. The streaming itself is the server's.

mod kubelet;
mod name;
mod node;
mod pod;
mod service;

pub use node::NodeProxy;
pub use pod::{PodLog, PodProxy, PodStream, StreamKind};
pub use service::ServiceProxy;
