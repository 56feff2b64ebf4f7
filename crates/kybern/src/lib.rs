//! kybern, the Kubernetes API server in one program: the command line, certificates, wiring, and running it.

mod admission_plugins;
pub mod aggregate;
pub mod assemble;
mod auditing;
pub mod authentication;
pub mod authorization;
pub mod backup;
pub mod bench;
pub mod boot;
pub mod data_dir;
pub mod definitions;
pub mod endpoints;
pub mod flags;
mod flow_control;
mod identity;
mod keep;
pub mod kubeconfig;
mod kubelets;
pub mod options;
pub mod pages;
pub mod pki;
pub mod policy;
mod reload;
pub mod run;
mod sealing;
mod serving;
mod test_server;
pub mod trust;

pub use run::main;
pub use test_server::TestServer;
