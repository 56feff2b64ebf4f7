//! Rules on parts that objects of many kinds have.

pub mod ip;
pub mod label_selector;
