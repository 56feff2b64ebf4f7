//! Rules on parts that objects of many kinds have.

pub mod cidr;
pub mod immutable;
pub mod ip;
pub mod label_selector;
pub mod port;
pub mod quantity;
