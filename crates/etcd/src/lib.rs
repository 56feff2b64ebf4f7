//! A client of etcd v3: the few calls that a store needs, over gRPC on hyper's HTTP/2. Nothing here knows Kubernetes.
//!
//! Calls go to one member over one connection and move on to the next member when it fails ([`Client`]). A watch has a
//! connection of its own ([`Watcher`]), so that a burst of events never stands in the way of a call.

mod client;
mod endpoint;
mod error;
mod messages;

pub use client::{CALL_TIMEOUT, Client, Config, Watcher};
pub use endpoint::Tls;
pub use error::Error;
pub use grpc::Code;
pub use messages::{
    Compare, KeyValue, RangeRequest, RangeResponse, Request, Response, TxnRequest, TxnResponse, WatchEvent,
    WatchRequest, WatchResponse,
};
