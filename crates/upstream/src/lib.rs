//! What published crates know about Kubernetes' types, read from their sources as data: by the importer of the schema's
//! facts, and at build time for the descriptions that OpenAPI publishes. No part of the running server.
//!
//! - [`openapi`]: `k8s-openapi`, the properties, types and descriptions of 1.36, from the text of its schema functions.
//! - [`proto`]: the `.proto` files in `k8s-rs-pb`, the protobuf numbers, markers and comments of 1.35.

pub mod doc;
pub mod openapi;
pub mod proto;
mod source;

pub use source::{files, package};
