//! What changes objects: JSON patch, merge patch, strategic merge patch, and server-side apply with its
//! managedFields. Pure functions over [`meta::Value`] and the compiled schema; no I/O.

pub mod fields;
mod go;
pub mod json;
pub mod managed;
pub mod merge;
pub mod strategic;
pub mod typed;
