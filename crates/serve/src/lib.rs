//! The request path.

pub mod authenticate;
pub mod authorize;
pub mod health;
pub mod listen;
pub mod version;
