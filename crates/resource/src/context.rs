//! What hooks may know besides the object.

use meta::{Str, Value};

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    pub name: Str,
    pub uid: Str,
    pub groups: Vec<Str>,
    /// Sorted by key.
    pub extra: Vec<(Str, Vec<Str>)>,
}

/// The request as hooks see it. Hooks are pure: the same context and object give the same answer.
pub struct Context<'a> {
    pub user: &'a User,
    /// The time of the request; hooks read no clock.
    pub now: meta::time::Timestamp,
    pub dry_run: bool,
    pub namespace: &'a str,
    pub subresource: &'a str,
    /// The rest of the cluster, at the moment of the attempt. A retry sees it afresh.
    pub reader: &'a dyn Reader,
}

/// Read access to stored objects, in their storage version, from memory.
pub trait Reader: Send + Sync {
    /// The object, or `None`. `namespace` is "" for cluster-scoped resources.
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Value>;
    /// All objects of a resource in a namespace ("" for all), in key order.
    fn list(&self, group: &str, resource: &str, namespace: &str) -> Vec<Value>;
    /// All objects of a resource, shared with other readers: the same list as long as nothing in it changes.
    fn list_all(&self, group: &str, resource: &str) -> std::sync::Arc<[Value]> {
        self.list(group, resource, "").into()
    }
}
