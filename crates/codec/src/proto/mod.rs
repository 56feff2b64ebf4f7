//! Kubernetes' protobuf: messages as upstream's generated code writes them, in the `k8s\0` envelope.

mod envelope;
mod read;
mod wire;
mod write;

pub use envelope::wrap_protobuf;
pub use envelope::{Envelope, decode_protobuf, encode_protobuf, kind_of_protobuf};
pub use write::encode_message;
