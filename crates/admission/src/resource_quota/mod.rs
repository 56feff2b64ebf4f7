//! ResourceQuota: nothing is created beyond what a namespace's quotas have left, and what is created is counted in the
//! same commit. Two creates that race for the last place meet in the compare-and-swap of the quota: one runs again and
//! is refused. There is no lock, and no usage that leaks.

mod limited;
mod scopes;
mod usage;

pub use usage::{kinds_of, plan_status};

use crate::resource_list::ResourceList;
use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};
use resource::{Recorded, SideWrite};

/// With what may not be used at all unless a quota covers it.
#[derive(Default)]
pub struct ResourceQuota {
    limited: limited::LimitedResources,
}

impl ResourceQuota {
    /// From a ResourceQuotaConfiguration; null for none.
    pub fn new(configuration: &Value) -> ResourceQuota {
        ResourceQuota { limited: limited::LimitedResources::new(configuration) }
    }
}

impl Plugin for ResourceQuota {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        self.plan_charges(attributes, object).map(drop)
    }

    fn plan_side_writes(&self, attributes: &Attributes, object: &Value) -> Result<Vec<SideWrite>> {
        let write = |quota: Value| SideWrite::Update {
            group: "".into(),
            resource: "resourcequotas".into(),
            namespace: attributes.namespace().into(),
            name: quota["metadata"]["name"].str().into(),
            object: quota,
            recorded: Recorded::Subresource("status"),
        };
        Ok(self.plan_charges(attributes, object)?.into_iter().map(write).collect())
    }
}

impl ResourceQuota {
    /// The quotas that this object uses up, with their usage raised; or why there is no room.
    fn plan_charges(&self, attributes: &Attributes, object: &Value) -> Result<Vec<Value>> {
        let Some(counted) = usage::Counted::of(attributes) else { return Ok(Vec::new()) };
        let limited = self.limited.of(attributes.group, attributes.resource);
        let mut quotas = attributes.ctx.reader.list("", "resourcequotas", attributes.namespace());
        if quotas.is_empty() && limited.is_empty() {
            return Ok(quotas);
        }
        let all_scopes: Vec<scopes::Scope> = quotas.iter().flat_map(scopes::of_quota).collect();
        let mut held = Vec::new();
        for quota in quotas.drain(..) {
            if is_held_to(attributes, &counted, &quota, object)? {
                held.push(quota);
            }
        }
        let mut delta = counted.usage(object);
        let usage = delta.clone();
        if let (Operation::Update, Some(old)) = (attributes.operation, attributes.old) {
            delta.subtract(&counted.usage(old));
        }
        delta.0.retain(|_, amount| !amount.is_zero());
        if delta.0.is_empty() {
            return Ok(Vec::new());
        }
        let covered = |name: &str| held.iter().any(|quota| quota["status"]["hard"].get(name).is_some());
        let names = limited::uncovered(&limited, &usage, covered);
        if !names.is_empty() {
            return Err(attributes.forbidden(&format!("insufficient quota to consume: {}", names.join(","))));
        }
        let in_scope = |scope: &scopes::Scope| scope.holds(&counted, object);
        let scopes = limited::uncovered_scopes(&limited, &all_scopes, in_scope);
        if !scopes.is_empty() {
            let why = format!("insufficient quota to match these scopes: [{}]", scopes.join(" "));
            return Err(attributes.forbidden(&why));
        }
        let mut charged = Vec::new();
        for mut quota in held {
            if charge(attributes, &mut quota, &delta)? {
                charged.push(quota);
            }
        }
        Ok(charged)
    }
}

/// Does the quota concern the object? A quota that does may ask for things to be said, and must know its own usage.
fn is_held_to(attributes: &Attributes, counted: &usage::Counted, quota: &Value, object: &Value) -> Result<bool> {
    let hard = ResourceList::of(&quota["status"]["hard"]);
    let limited = hard.only(|name| counted.counts(name));
    if limited.0.is_empty() || !scopes::matches(quota, counted, object) {
        return Ok(false);
    }
    let name = quota["metadata"]["name"].str();
    if let Some(missing) = counted.missing(&limited, object) {
        return Err(attributes.forbidden(&format!("failed quota: {name}: {missing}")));
    }
    let used = &quota["status"]["used"];
    let unknown: Vec<&str> = limited.0.keys().map(String::as_str).filter(|name| used.get(name).is_none()).collect();
    if !unknown.is_empty() {
        let why = format!("status unknown for quota: {name}, resources: {}", unknown.join(","));
        return Err(attributes.forbidden(&why));
    }
    Ok(true)
}

/// Raises the usage; says whether it changed.
fn charge(attributes: &Attributes, quota: &mut Value, delta: &ResourceList) -> Result<bool> {
    let hard = ResourceList::of(&quota["status"]["hard"]);
    let requested = delta.only(|name| hard.get(name).is_some());
    if requested.0.is_empty() {
        return Ok(false);
    }
    let used = ResourceList::of(&quota["status"]["used"]);
    let mut new = used.clone();
    new.add(&requested);
    let exceeded = |name: &str| requested.get(name).is_some() && new.get(name) > hard.get(name);
    let over = requested.only(exceeded);
    if !over.0.is_empty() {
        let why = format!(
            "exceeded quota: {}, requested: {over}, used: {}, limited: {}",
            quota["metadata"]["name"].str(),
            used.only(exceeded),
            hard.only(exceeded)
        );
        return Err(attributes.forbidden(&why));
    }
    quota.entry("status").set("used", new.to_value());
    Ok(true)
}
