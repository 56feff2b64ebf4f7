//! Priority and fairness: which requests may run now, and which wait for how long. Everything here is decided from what is
//! passed in, the time too (upstream: k8s.io/apiserver/pkg/util/flowcontrol).

mod allocate;
mod config;
mod deal;
mod demand;
mod queue_set;

pub use allocate::{Class, allocate};
pub use config::{Config, Distinguisher, Level, Limited, Queuing, Request, Schema};
pub use deal::Dealer;
pub use demand::Demand;
pub use queue_set::{Arrival, Counts, QueueSet, Rejection};
