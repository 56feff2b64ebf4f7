//! Kubernetes' protobuf: messages as upstream's generated code writes them, in the `k8s\0` envelope.

mod envelope;
mod mask;
mod plain;
mod read;
mod stored;
mod target;
mod transcode;
mod wire;
mod write;

pub use envelope::wrap_protobuf;
pub(crate) use envelope::{ENVELOPE_END, open_envelope};
pub use envelope::{Envelope, decode_protobuf, encode_protobuf, encode_protobuf_over, kind_of_protobuf};
pub(crate) use mask::Mask;
pub(crate) use read::decode_message;
pub use stored::{Metadata, Versioned, extract_field, extract_metadata, partial_message};
pub use transcode::{Shown, transcode_json};
pub(crate) use wire::Backwards;
pub use write::encode_message;
