//! Encodings: JSON, YAML and protobuf to and from the canonical tree, strict decoding with field paths, lists and watch
//! frames from bytes, tables, content negotiation. Everything is driven by the [`schema::Schema`]; no resource is named.

mod base64;
mod canonical;
mod decode;
mod empties;
mod goname;
mod json;
mod jsonpath;
mod list;
pub mod negotiate;
mod present;
mod proto;
mod scalar;
mod source;
pub mod table;
mod typed;
mod yaml;
mod zero;

pub use yaml::{Yaml, decode_yaml, encode_yaml, kind_of_yaml, parse_yaml};

pub use canonical::{Aside, is_canonical_stored, set_aside};
pub use decode::{DecodeError, Decoded, Findings, Stage, canonicalise, canonicalise_stored, decode_json, kind_of_json};
pub use empties::Empties;
pub use json::{Indenter, encode_json, pretty};
pub use jsonpath::JsonPath;
pub use list::{
    JsonList, ListMeta, ProtobufList, object_in_frame, protobuf_with_resource_version, watch_frame_json,
    watch_frame_protobuf,
};
pub use proto::{
    Envelope, decode_protobuf, encode_message, encode_protobuf, encode_protobuf_over, kind_of_protobuf, wrap_protobuf,
};
pub use proto::{Metadata, Shown, Versioned, extract_field, extract_metadata, partial_message, transcode_json};
