//! What nobody may use unless a quota covers it (`limitedResources` of the plugin's configuration).

use super::scopes::Scope;
use crate::resource_list::ResourceList;
use meta::Value;
use std::collections::BTreeSet;

/// The entries of the configuration.
#[derive(Default)]
pub struct LimitedResources(Vec<Value>);

impl LimitedResources {
    pub fn new(configuration: &Value) -> LimitedResources {
        LimitedResources(configuration["limitedResources"].items().to_vec())
    }

    /// The entries for a resource.
    pub fn of(&self, group: &str, resource: &str) -> Vec<&Value> {
        let is_it = |entry: &&Value| entry["apiGroup"].str() == group && entry["resource"].str() == resource;
        self.0.iter().filter(is_it).collect()
    }
}

/// The names that are used and limited, and that no quota covers.
pub fn uncovered(limited: &[&Value], usage: &ResourceList, covered: impl Fn(&str) -> bool) -> Vec<String> {
    let used = usage.0.iter().filter(|(_, amount)| amount.sign() > 0).map(|(name, _)| name);
    let is_limited = |name: &str| {
        limited.iter().any(|entry| entry["matchContains"].items().iter().any(|part| name.contains(part.str())))
    };
    used.filter(|name| is_limited(name) && !covered(name)).cloned().collect()
}

/// The limited scopes that the object is in and that no quota asks for.
pub fn uncovered_scopes(limited: &[&Value], quotas: &[Scope], holds: impl Fn(&Scope) -> bool) -> Vec<String> {
    let wanted = limited.iter().flat_map(|entry| entry["matchScopes"].items()).map(Scope::of_expression);
    let missing = wanted.filter(|scope| holds(scope)).filter(|scope| !quotas.iter().any(|one| one == scope));
    missing.map(|scope| scope.to_string()).collect::<BTreeSet<String>>().into_iter().collect()
}
