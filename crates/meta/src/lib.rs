//! The wire nouns: values, names, errors, selectors, quantities and times. No I/O.

pub mod field;
pub mod gvk;
pub mod json;
pub mod name;
pub mod quantity;
mod raw;
pub mod selector;
pub mod status;
pub mod time;
mod value;

pub use gvk::{Gvk, Gvr};
pub use raw::Raw;
pub use status::{Reason, Result, Status};
pub use value::{Map, Str, Value};
