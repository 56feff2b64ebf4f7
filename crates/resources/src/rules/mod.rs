//! Rules on parts that objects of many kinds have.

pub mod base64;
pub mod cidr;
pub mod conditions;
pub mod diff;
pub mod domain_path;
pub mod finalizer;
pub mod immutable;
pub mod ip;
pub mod label_selector;
pub mod pem;
pub mod port;
pub mod quantity;
pub mod secret;
pub mod shown;
pub mod webhook_client;
