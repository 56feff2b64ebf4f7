//! Admission: what the cluster's policy changes in an object, and what it refuses. One file per plugin, one
//! ordered list. Plugins are synchronous and pure: they read the cluster through the context and are run again
//! on every retry of an update.

mod always;
mod always_pull_images;
mod certificate_approval;
mod certificate_request;
mod certificate_signing;
mod certificate_subject_restriction;
mod chain;
mod cluster_trust_bundle_attest;
mod configuration;
mod default_class;
mod default_toleration_seconds;
mod deny_service_external_ips;
mod event_rate_limit;
mod extended_resource_toleration;
mod form;
mod gated;
mod image_policy_webhook;
mod limit_pod_hard_anti_affinity_topology;
mod limit_ranger;
mod matching;
mod namespace_auto_provision;
mod namespace_exists;
mod namespace_lifecycle;
mod node_declared_feature_validator;
mod node_restriction;
mod owner_references_permission_enforcement;
mod persistent_volume_claim_resize;
mod pod_node_selector;
mod pod_resize_validator;
pub mod pod_security;
mod pod_toleration_restriction;
mod pod_topology_labels;
mod policy;
mod priority;
mod resource_list;
mod resource_quota;
mod rounds;
mod runtime_class;
mod service_account;
mod signer;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;
mod tolerations;
pub mod webhook;

pub use chain::{Chain, Pause};
pub use configuration::Configuration;
pub use form::Form;
pub use image_policy_webhook::ImagePolicy;
pub use resource_quota::{kinds_of as quota_kinds, plan_status as plan_quota_status};
pub use rounds::Rounds;

use meta::{Gvk, Result, Str, Value};
use resource::{Context, SideWrite, User};
use schema::{Schema, TypeId};
use std::cell::RefCell;
use std::sync::Arc;
use webhook::Hooks;

/// What is being done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

impl Operation {
    /// As it is on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
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
    /// Whether an authorizer lets a user do something. While another server has to be asked for that this says no, and whoever
    /// called the plugin calls it again with the answer.
    fn allows(&self, user: &User, question: &Question) -> bool;

    /// The same of a path that names no resource.
    fn allows_path(&self, _user: &User, _verb: &str, _path: &str) -> bool {
        false
    }

    /// The resources that serve objects of a kind.
    fn resources_of(&self, group: &str, version: &str, kind: &str) -> Vec<Served>;

    /// The other groups and versions in which the objects of a request are served too.
    fn equivalents(&self, _sent: &Form, _subresource: &str) -> Vec<Form> {
        Vec::new()
    }

    /// An object of a request in a form of it; `None` when it has that form.
    fn converted(&self, _form: &Form, _object: &Value) -> Option<Value> {
        None
    }

    /// The same, as somebody has it who decoded its JSON: with the empty members that are always written.
    fn written(&self, form: &Form, object: &Value) -> Value {
        self.converted(form, object).unwrap_or_else(|| object.clone())
    }

    /// The type of the form's objects; `None` for those of which nothing is known.
    fn type_of(&self, _form: &Form) -> Option<(Arc<Schema>, TypeId)> {
        None
    }

    /// What has become of a [`Cluster::written`] object, which was made of `before`, with defaults, as plugins see objects.
    ///
    /// # Errors
    /// It is no object of the form's kind.
    fn read(&self, _form: &Form, written: Value, _before: &Value) -> std::result::Result<Value, String> {
        Ok(written)
    }

    /// What strict decoding would refuse in a written object: nothing when all is known.
    fn unknown_in(&self, _form: &Form, _written: &Value) -> Vec<String> {
        Vec::new()
    }
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
    /// Those for events that tell what was requested.
    pub detailed_annotations: Vec<(Str, String)>,
    pub rounds: Rounds,
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

    /// The namespace that the request is told to be in: a namespace that is made is in itself.
    pub(crate) fn told_namespace(&self) -> &str {
        match self.namespace() {
            "" if self.is("", "namespaces") => self.name,
            namespace => namespace,
        }
    }

    /// The namespace of the request, when there is one.
    pub(crate) fn namespace_object(&self) -> Option<Value> {
        match self.namespace() {
            "" => None,
            name => self.ctx.reader.get("", "namespaces", "", name),
        }
    }

    /// What the request is about, as it was sent.
    pub fn form(&self) -> Form {
        Form {
            group: self.group.into(),
            version: self.version.into(),
            resource: self.resource.into(),
            kind: self.kind.clone(),
        }
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.notes.borrow_mut().warnings.push(text.into());
    }

    pub fn annotate(&self, key: &str, value: impl Into<String>) {
        self.notes.borrow_mut().annotations.push((key.into(), value.into()));
    }

    /// 403 in upstream's form: `RESOURCE "NAME" is forbidden: WHY`; what has no name is `Unknown`.
    pub fn forbidden(&self, why: &str) -> meta::Status {
        let name = if self.name.is_empty() { "Unknown" } else { self.name };
        meta::Status::forbidden(self.group, self.resource, name, why)
    }
}

/// Whom a plugin has the request path ask.
#[derive(Clone)]
pub enum Asks {
    /// One after the other.
    MutatingWebhooks(Hooks),
    /// All at once.
    ValidatingWebhooks(Hooks),
    ImagePolicy(Arc<ImagePolicy>),
}

/// The two halves of admission: before the object is prepared and validated, and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Mutating,
    Validating,
}

/// One admission plugin. The object is null on delete and connect.
pub trait Plugin: Send + Sync {
    /// Upstream's name, as the flags take it.
    fn name(&self) -> &'static str;

    /// What other servers must be asked for it, in a phase: the request path asks them. Nothing for most plugins.
    fn asks(&self, _phase: Phase, _attributes: &Attributes) -> Option<Asks> {
        None
    }

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
