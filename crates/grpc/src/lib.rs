//! gRPC over hyper's HTTP/2, and protobuf's wire format for hand-written messages. Nothing here knows who is at the other
//! end, nor how one gets there: a connection is made over any stream of bytes.

mod connection;
mod error;
mod wire;

pub use connection::{Answers, Connection, Settings, framed};
pub use error::{Code, Error};
pub use wire::{Field, Malformed, Writer, read_fields};
