//! Priority and fairness: which requests may run now, and which wait for how long. Everything here is decided from what is
//! passed in, the time too (upstream: k8s.io/apiserver/pkg/util/flowcontrol).

mod allocate;
mod borrow;
mod config;
mod deal;
mod demand;
mod queue_set;
mod rejected;

pub use borrow::{Borrower, plan_limits};
pub use config::{Config, Distinguisher, Level, Limits, Queuing, Request, Schema};
pub use deal::Dealer;
pub use demand::{Demand, Settled};
pub use queue_set::{Arrival, Counts, Place, QueueCounts, QueueSet, Rejection, Work};
pub use rejected::Rejected;
