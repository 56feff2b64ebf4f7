//! Admission policies: rules in CEL that a cluster's objects say, and the requests that they are for.

pub(crate) mod evaluate;
pub mod mutating;
mod params;
pub(crate) mod program;
pub(crate) mod request;
mod subject;
pub mod validating;

/// What all expressions of a policy may cost for one binding, and its match conditions besides.
const BINDING_COST_MAX: u64 = cel::REQUEST_COST_MAX;
const CONDITIONS_COST_MAX: u64 = cel::REQUEST_COST_MAX / 4;
