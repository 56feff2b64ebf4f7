//! Sets of field paths: what `fieldsV1` of a managedFields entry holds.

mod element;
mod set;

pub use element::{Element, check_element, display_path, index_element, key_element, value_element};
pub use set::{Node, Set};
