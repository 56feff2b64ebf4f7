//! Encodings: JSON, YAML and protobuf to and from the canonical tree, strict decoding with field paths, lists and watch
//! frames from bytes, tables, content negotiation. Everything is driven by the [`schema::Schema`]; no resource is named.

mod base64;
mod decode;
mod goname;
mod json;
mod present;
mod proto;
mod scalar;
mod source;
mod typed;
mod zero;

pub use decode::{DecodeError, Decoded, Stage, canonicalise, decode_json, kind_of_json};
pub use json::{encode_json, pretty};
pub use proto::{Envelope, decode_protobuf, encode_message, encode_protobuf, kind_of_protobuf, wrap_protobuf};
