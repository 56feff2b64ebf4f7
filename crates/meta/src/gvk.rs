//! Names of kinds and resources.

use crate::Str;
use std::fmt;

/// Group, version and kind: what an object is. The core group is "".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    pub group: Str,
    pub version: Str,
    pub kind: Str,
}

/// Group, version and resource (the plural): where objects are served. The core group is "".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvr {
    pub group: Str,
    pub version: Str,
    pub resource: Str,
}

impl Gvk {
    pub fn new(group: &str, version: &str, kind: &str) -> Gvk {
        Gvk { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// From an object's `apiVersion` and `kind`.
    pub fn from_api_version(api_version: &str, kind: &str) -> Gvk {
        let (group, version) = split_api_version(api_version);
        Gvk::new(group, version, kind)
    }

    /// The `apiVersion`: "v1", "apps/v1".
    pub fn api_version(&self) -> Str {
        api_version(&self.group, &self.version)
    }
}

/// "v1" for the core group, else "group/version".
pub fn api_version(group: &str, version: &str) -> Str {
    if group.is_empty() {
        return version.into();
    }
    let mut out = Str::with_capacity(group.len() + 1 + version.len());
    out.push_str(group);
    out.push('/');
    out.push_str(version);
    out
}

/// Group and version of an `apiVersion`.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl fmt::Display for Gvk {
    /// As Go prints a GroupVersionKind: `apps/v1, Kind=Deployment`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

impl fmt::Display for Gvr {
    /// As Go prints a GroupVersionResource: `apps/v1, Resource=deployments`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Resource={}", self.group, self.version, self.resource)
    }
}

/// `resource` or `resource.group`, as messages and API group-resources are written.
pub fn group_resource(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_string() } else { format!("{resource}.{group}") }
}
