//! May you? The deciding half of authorization: RBAC over an index of roles and bindings, the rules against granting
//! more than one has, the policy that a cluster starts with, and the node authorizer. No I/O: who watches the objects
//! tells these indexes.

pub mod abac;
pub mod bootstrap;
pub mod condition;
pub mod configuration;
pub mod distant;
pub mod escalation;
pub mod expression;
pub mod impersonate;
pub mod jose;
pub mod jwt;
pub mod node;
pub mod rbac;
mod selection;

use meta::Str;

pub use selection::Selection;

/// A request as authorizers see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    pub user: &'a str,
    pub groups: &'a [Str],
    pub verb: &'a str,
    /// Of a request for a resource; "" for the core group.
    pub group: &'a str,
    /// "" for a request that is for a path only.
    pub resource: &'a str,
    pub subresource: &'a str,
    /// "" at the cluster scope.
    pub namespace: &'a str,
    /// "" for a whole collection.
    pub name: &'a str,
    /// Of a request for a path.
    pub path: &'a str,
    /// Of a request for a collection.
    pub selection: &'a Selection,
}

impl Attributes<'_> {
    pub fn is_resource(&self) -> bool {
        !self.resource.is_empty()
    }
}

/// What one authorizer says.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// With the reason that access reviews show; may be "".
    Allow(String),
    /// Others may still allow it. The reason ends the 403's message; may be "".
    NoOpinion(String),
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Decision::Allow(_))
    }
}

/// Members of this group may do everything.
pub const PRIVILEGED_GROUP: &str = "system:masters";
