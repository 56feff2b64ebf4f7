//! The wire nouns: values, names, errors, selectors, quantities and times. No I/O.

pub mod field;
pub mod gvk;
pub mod json;
pub mod name;
pub mod quantity;
pub mod selector;
pub mod status;
pub mod time;
mod value;

pub use gvk::{Gvk, Gvr};
pub use status::{Reason, Result, Status};
pub use value::{Map, Str, Value};
