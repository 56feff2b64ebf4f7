//! The request path. Start reading at [`handle`].

mod action;
mod answer;
pub mod authenticate;
pub mod authorize;
pub mod body;
mod change;
pub mod connect;
mod decode;
mod encode;
mod form;
pub mod handle;
pub mod health;
mod impersonate;
pub mod listen;
pub mod metrics;
mod options;
mod page;
mod path;
mod query;
pub mod queue;
mod read;
pub mod registry;
mod review;
mod route;
mod scale;
mod server;
pub mod token;
pub mod version;
mod warnings;
mod watch;
mod websocket;
mod write;

pub use body::Body;
pub use handle::handle;
pub use registry::Resources;
pub use server::{Pages, Server, Settings, StoreReader, is_stored_form, store_resource};
