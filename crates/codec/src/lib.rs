//! Encodings: JSON, YAML and protobuf to and from the canonical tree, strict decoding with field paths, lists and watch
//! frames from bytes, tables, content negotiation. Everything is driven by the [`schema::Schema`]; no resource is named.

mod base64;
mod decode;
mod goname;
mod scalar;
mod source;
mod typed;
mod zero;

pub use decode::{DecodeError, Decoded, Stage, canonicalise, decode_json, kind_of_json};
