//! Role-based access control.

mod index;
mod rule;

#[cfg(test)]
mod tests;

pub use index::{Rbac, RulesOf};
pub(crate) use rule::quoted;
pub use rule::{Rule, covers_all, uncovered};

pub const GROUP: &str = "rbac.authorization.k8s.io";
