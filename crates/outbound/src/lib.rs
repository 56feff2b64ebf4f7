//! Small JSON requests to other servers: webhooks and OpenID issuers. [`Endpoint`] says where a server is, whom to
//! believe there and who one is (a kubeconfig file, or fields set by hand), [`Client`] speaks to it and keeps a few
//! connections, [`retry`] tries again what may succeed later.
//!
//! Absent: redirects are not followed, and proxies of the environment are not used.

mod client;
mod connect;
mod endpoint;
mod failure;
mod kubeconfig;
mod retry;
mod trust;

pub use client::{Answer, Client};
pub use endpoint::{Authority, Endpoint, Identity, Sender};
pub use failure::{Cause, Failure};
pub use retry::{Backoff, retry};
pub use trust::{AnyCertificate, certificates, client_config, roots};
