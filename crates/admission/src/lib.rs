//! Admission: what the cluster's policy changes in an object, and what it refuses. One file per plugin, one
//! ordered list. Plugins are synchronous and pure: they read the cluster through the context and are run again
//! on every retry of an update.

mod certificate_subject_restriction;
mod default_class;
mod default_toleration_seconds;
mod limit_ranger;
mod namespace_lifecycle;
mod persistent_volume_claim_resize;
pub mod pod_security;
mod priority;
mod resource_list;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;

use meta::{Gvk, Result, Str, Value};
use resource::{Context, SideWrite};
use std::cell::RefCell;

/// What is being done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// The request as plugins see it. Subresource, user, time, dry run and the reader are in `ctx`.
pub struct Attributes<'a> {
    pub operation: Operation,
    pub group: &'a str,
    pub version: &'a str,
    pub resource: &'a str,
    /// The kind of the body: the resource's, or the subresource's own.
    pub kind: &'a Gvk,
    /// "" while a generateName waits for its suffix.
    pub name: &'a str,
    /// The stored object, in its storage version; `None` on create.
    pub old: Option<&'a Value>,
    /// CreateOptions, UpdateOptions, DeleteOptions or the options of a connect.
    pub options: &'a Value,
    pub ctx: &'a Context<'a>,
    /// Texts for Warning headers, and audit annotations, collected from all plugins.
    pub notes: &'a RefCell<Notes>,
}

/// What plugins say besides yes and no.
#[derive(Debug, Default)]
pub struct Notes {
    pub warnings: Vec<String>,
    /// Audit annotations: key and value.
    pub annotations: Vec<(Str, String)>,
}

impl Attributes<'_> {
    pub fn namespace(&self) -> &str {
        self.ctx.namespace
    }

    pub fn subresource(&self) -> &str {
        self.ctx.subresource
    }

    /// Is this a request for the resource itself, not for one of its subresources?
    pub fn is(&self, group: &str, resource: &str) -> bool {
        self.group == group && self.resource == resource && self.subresource().is_empty()
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.notes.borrow_mut().warnings.push(text.into());
    }

    pub fn annotate(&self, key: &str, value: impl Into<String>) {
        self.notes.borrow_mut().annotations.push((key.into(), value.into()));
    }

    /// 403 in upstream's form: `RESOURCE "NAME" is forbidden: WHY`.
    pub fn forbidden(&self, why: &str) -> meta::Status {
        meta::Status::forbidden(self.group, self.resource, self.name, why)
    }
}

/// One admission plugin. The object is null on delete and connect.
pub trait Plugin: Send + Sync {
    /// Upstream's name, as the flags take it.
    fn name(&self) -> &'static str;

    /// May change the object.
    fn admit(&self, _attributes: &Attributes, _object: &mut Value) -> Result<()> {
        Ok(())
    }

    /// Runs after validation, on the object as it will be stored.
    fn validate(&self, _attributes: &Attributes, _object: &Value) -> Result<()> {
        Ok(())
    }

    /// Writes to other objects that must commit together with this one (a quota's usage). Runs last.
    fn plan_side_writes(&self, _attributes: &Attributes, _object: &Value) -> Result<Vec<SideWrite>> {
        Ok(Vec::new())
    }
}

/// The plugins that are on, in upstream's order.
pub struct Chain(Vec<Box<dyn Plugin>>);

/// Every plugin there is, in upstream's order, and whether it is on by default.
fn all() -> Vec<(Box<dyn Plugin>, bool)> {
    vec![
        (Box::new(namespace_lifecycle::NamespaceLifecycle), true),
        (Box::new(limit_ranger::LimitRanger), true),
        (Box::new(service_account::ServiceAccount), true),
        (Box::new(taint_nodes_by_condition::TaintNodesByCondition), true),
        (Box::new(pod_security::PodSecurity::default()), true),
        (Box::new(priority::Priority), true),
        (Box::new(default_toleration_seconds::DefaultTolerationSeconds), true),
        (Box::new(default_class::DefaultStorageClass), true),
        (Box::new(storage_object_in_use_protection::StorageObjectInUseProtection), true),
        (Box::new(persistent_volume_claim_resize::PersistentVolumeClaimResize), true),
        (Box::new(runtime_class::RuntimeClass), true),
        (Box::new(certificate_subject_restriction::CertificateSubjectRestriction), true),
        (Box::new(default_class::DefaultIngressClass), true),
        (Box::new(resource_quota::ResourceQuota), true),
    ]
}

impl Chain {
    /// The default set, with `enable` added and `disable` taken away. An unknown name is returned as the error.
    pub fn new(enable: &[&str], disable: &[&str]) -> std::result::Result<Chain, String> {
        let all = all();
        let known = |name: &&&str| !all.iter().any(|(plugin, _)| plugin.name() == **name);
        if let Some(unknown) = enable.iter().chain(disable).find(known) {
            return Err(format!("admission-control plugin \"{unknown}\" is unknown"));
        }
        let on = |name: &str, default: bool| (default || enable.contains(&name)) && !disable.contains(&name);
        Ok(Chain(all.into_iter().filter(|(plugin, default)| on(plugin.name(), *default)).map(|(p, _)| p).collect()))
    }

    /// No plugin at all.
    pub fn empty() -> Chain {
        Chain(Vec::new())
    }

    /// The mutating phase.
    pub fn admit(&self, attributes: &Attributes, object: &mut Value) -> Result<()> {
        self.0.iter().try_for_each(|plugin| plugin.admit(attributes, object))
    }

    /// The validating phase.
    pub fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        self.0.iter().try_for_each(|plugin| plugin.validate(attributes, object))
    }

    /// What must be committed together with the object.
    pub fn plan_side_writes(&self, attributes: &Attributes, object: &Value) -> Result<Vec<SideWrite>> {
        let mut writes = Vec::new();
        for plugin in &self.0 {
            writes.extend(plugin.plan_side_writes(attributes, object)?);
        }
        Ok(writes)
    }
}
