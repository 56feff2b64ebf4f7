//! Kubernetes' protobuf: messages as upstream's generated code writes them, in the `k8s\0` envelope.

mod envelope;
mod plain;
mod read;
mod stored;
mod target;
mod transcode;
mod wire;
mod write;

pub(crate) use envelope::seal;
pub use envelope::wrap_protobuf;
pub use envelope::{Envelope, decode_protobuf, encode_protobuf, kind_of_protobuf};
pub(crate) use stored::with_resource_version;
pub use stored::{Metadata, extract_field, extract_metadata, partial_message, set_resource_version};
pub use transcode::{Shown, transcode_json};
pub(crate) use wire::Backwards;
pub use write::encode_message;
