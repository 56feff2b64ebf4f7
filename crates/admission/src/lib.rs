//! Admission: what the cluster's policy changes in an object, and what it refuses. One file per plugin, one
//! ordered list. Plugins are synchronous and pure: they read the cluster through the context and are run again
//! on every retry of an update.

mod always;
mod always_pull_images;
mod certificate_approval;
mod certificate_signing;
mod certificate_subject_restriction;
mod cluster_trust_bundle_attest;
mod configuration;
mod default_class;
mod default_toleration_seconds;
mod deny_service_external_ips;
mod event_rate_limit;
mod extended_resource_toleration;
mod limit_pod_hard_anti_affinity_topology;
mod limit_ranger;
mod namespace_auto_provision;
mod namespace_exists;
mod namespace_lifecycle;
mod node_restriction;
mod owner_references_permission_enforcement;
mod persistent_volume_claim_resize;
mod pod_node_selector;
pub mod pod_security;
mod pod_toleration_restriction;
mod policy;
mod priority;
mod resource_list;
mod resource_quota;
mod runtime_class;
mod service_account;
mod signer;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;
mod tolerations;

pub use configuration::Configuration;
pub use resource_quota::{kinds_of as quota_kinds, plan_status as plan_quota_status};

use meta::{Gvk, Result, Str, Value};
use resource::{Context, SideWrite, User};
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
    pub cluster: &'a dyn Cluster,
    /// Texts for Warning headers, and audit annotations, collected from all plugins.
    pub notes: &'a RefCell<Notes>,
}

/// What plugins may ask besides what is stored.
pub trait Cluster: Send + Sync {
    /// Whether an authorizer lets a user do something. Those that would have to ask another server do not count.
    fn allows(&self, user: &User, question: &Question) -> bool;

    /// The same of a path that names no resource.
    fn allows_path(&self, _user: &User, _verb: &str, _path: &str) -> bool {
        false
    }

    /// The resources that serve objects of a kind.
    fn resources_of(&self, group: &str, version: &str, kind: &str) -> Vec<Served>;
}

/// An action on a resource that a user may or may not do. Absent parts are "".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Question<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub version: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// A resource that serves a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    pub plural: Str,
    pub namespaced: bool,
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

    /// Is this a create or an update of the resource itself?
    pub fn writes(&self, group: &str, resource: &str) -> bool {
        matches!(self.operation, Operation::Create | Operation::Update) && self.is(group, resource)
    }

    /// May the sender do something?
    pub fn allows(&self, question: &Question) -> bool {
        self.cluster.allows(self.ctx.user, question)
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

/// Every plugin there is, in upstream's order, and whether it is on by default. Those of webhooks
/// have their place before ResourceQuota.
const ALL: &[(&str, bool, Make)] = &[
    ("AlwaysAdmit", false, |_| Ok(Box::new(always::AlwaysAdmit))),
    (namespace_auto_provision::NAME, false, |_| Ok(Box::new(namespace_auto_provision::NamespaceAutoProvision))),
    ("NamespaceLifecycle", true, |_| Ok(Box::new(namespace_lifecycle::NamespaceLifecycle::default()))),
    ("NamespaceExists", false, |_| Ok(Box::new(namespace_exists::NamespaceExists))),
    ("LimitPodHardAntiAffinityTopology", false, |_| {
        Ok(Box::new(limit_pod_hard_anti_affinity_topology::LimitPodHardAntiAffinityTopology))
    }),
    ("LimitRanger", true, |_| Ok(Box::new(limit_ranger::LimitRanger))),
    ("ServiceAccount", true, |_| Ok(Box::new(service_account::ServiceAccount))),
    ("NodeRestriction", false, |_| Ok(Box::new(node_restriction::NodeRestriction))),
    ("TaintNodesByCondition", true, |_| Ok(Box::new(taint_nodes_by_condition::TaintNodesByCondition))),
    ("AlwaysPullImages", false, |_| Ok(Box::new(always_pull_images::AlwaysPullImages))),
    ("PodSecurity", true, |given| Ok(Box::new(pod_security::PodSecurity::new(given)?))),
    ("PodNodeSelector", false, |given| Ok(Box::new(pod_node_selector::PodNodeSelector::new(given)?))),
    ("Priority", true, |_| Ok(Box::new(priority::Priority))),
    ("DefaultTolerationSeconds", true, |_| Ok(Box::new(default_toleration_seconds::DefaultTolerationSeconds))),
    ("PodTolerationRestriction", false, |given| {
        Ok(Box::new(pod_toleration_restriction::PodTolerationRestriction::new(given)))
    }),
    ("EventRateLimit", false, |given| Ok(Box::new(event_rate_limit::EventRateLimit::new(given)?))),
    ("ExtendedResourceToleration", false, |_| Ok(Box::new(extended_resource_toleration::ExtendedResourceToleration))),
    ("DefaultStorageClass", true, |_| Ok(Box::new(default_class::DefaultStorageClass))),
    ("StorageObjectInUseProtection", true, |_| {
        Ok(Box::new(storage_object_in_use_protection::StorageObjectInUseProtection))
    }),
    ("OwnerReferencesPermissionEnforcement", false, |_| {
        Ok(Box::new(owner_references_permission_enforcement::OwnerReferencesPermissionEnforcement))
    }),
    ("PersistentVolumeClaimResize", true, |_| {
        Ok(Box::new(persistent_volume_claim_resize::PersistentVolumeClaimResize))
    }),
    ("RuntimeClass", true, |_| Ok(Box::new(runtime_class::RuntimeClass))),
    ("CertificateApproval", true, |_| Ok(Box::new(certificate_approval::CertificateApproval))),
    ("CertificateSigning", true, |_| Ok(Box::new(certificate_signing::CertificateSigning))),
    ("ClusterTrustBundleAttest", true, |_| Ok(Box::new(cluster_trust_bundle_attest::ClusterTrustBundleAttest))),
    ("CertificateSubjectRestriction", true, |_| {
        Ok(Box::new(certificate_subject_restriction::CertificateSubjectRestriction))
    }),
    ("DefaultIngressClass", true, |_| Ok(Box::new(default_class::DefaultIngressClass))),
    ("DenyServiceExternalIPs", false, |_| Ok(Box::new(deny_service_external_ips::DenyServiceExternalIPs))),
    ("ValidatingAdmissionPolicy", true, |_| Ok(Box::new(policy::validating::ValidatingAdmissionPolicy::default()))),
    ("ResourceQuota", true, |given| Ok(Box::new(resource_quota::ResourceQuota::new(given)))),
    ("AlwaysDeny", false, |_| Ok(Box::new(always::AlwaysDeny))),
];

/// Makes a plugin of its configuration, which is null when there is none. The error says what is wrong with it.
type Make = fn(&Value) -> std::result::Result<Box<dyn Plugin>, String>;

impl Chain {
    /// The default set, with `enable` added and `disable` taken away. An unknown name is returned as the error.
    pub fn new(enable: &[&str], disable: &[&str]) -> std::result::Result<Chain, String> {
        Chain::configured(enable, disable, &Configuration::default())
    }

    /// [`Chain::new`] with what a configuration file says to the plugins.
    pub fn configured(
        enable: &[&str],
        disable: &[&str],
        configuration: &Configuration,
    ) -> std::result::Result<Chain, String> {
        let known = |name: &str| ALL.iter().any(|(plugin, _, _)| *plugin == name);
        let named = enable.iter().chain(disable).copied().chain(configuration.plugins());
        if let Some(unknown) = named.into_iter().find(|name| !known(name)) {
            return Err(format!("admission-control plugin \"{unknown}\" is unknown"));
        }
        let on = |name: &str, default: bool| (default || enable.contains(&name)) && !disable.contains(&name);
        let provisions = on(namespace_auto_provision::NAME, false);
        let mut plugins = Vec::new();
        for (name, _, make) in ALL.iter().filter(|(name, default, _)| on(name, *default)) {
            plugins.push(match *name {
                // What NamespaceAutoProvision is going to make is there.
                "NamespaceLifecycle" if provisions => Box::new(namespace_lifecycle::NamespaceLifecycle { provisions }),
                _ => make(configuration.of(name))
                    .map_err(|why| format!("couldn't init admission plugin \"{name}\": {why}"))?,
            });
        }
        Ok(Chain(plugins))
    }

    /// The names of the plugins that are on, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|plugin| plugin.name()).collect()
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
