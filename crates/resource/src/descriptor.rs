//! The data of a resource.

use crate::{Connect, Hooks};
use meta::{Gvk, Str, Value};
use schema::{Schema, TypeId};
use std::sync::Arc;

/// The verbs of discovery, in its (alphabetical) order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Create,
    Delete,
    DeleteCollection,
    Get,
    List,
    Patch,
    Update,
    Watch,
}

/// The way of a stored object into the storage version.
pub type ToStorage = fn(Value) -> Value;

/// One resource in one served version.
#[derive(Clone)]
pub struct Descriptor {
    pub group: Str,
    /// The version that this entry serves.
    pub version: Str,
    pub kind: Str,
    /// "" when it cannot be listed.
    pub list_kind: Str,
    /// The name in the path.
    pub plural: Str,
    pub singular: Str,
    pub short_names: Vec<Str>,
    pub categories: Vec<Str>,
    pub namespaced: bool,
    pub verbs: Vec<Verb>,
    /// Where the types live: the built-in schema, or a custom resource's own.
    pub schema: Arc<Schema>,
    /// The type of the served version.
    pub type_id: TypeId,
    /// What is stored and held in memory. Differs from the served kind only where `convert` is set.
    pub storage: Gvk,
    pub storage_type_id: TypeId,
    /// kube-apiserver's etcd prefix, e.g. "/registry/deployments"; "" when nothing is stored.
    pub storage_prefix: Str,
    /// Custom resources are stored as JSON, built-ins as protobuf.
    pub stored_as_json: bool,
    /// Has data that no schema describes, and that is told apart by its text.
    pub has_opaque_data: bool,
    /// How kube-apiserver keeps it in etcd where that is otherwise; memory and answers do not know.
    pub in_etcd: Option<InEtcd>,
    /// apiVersions in which other programs and releases have stored objects, and their way into the storage version.
    pub stored_before: Vec<(Str, ToStorage)>,
    /// Discovery's storageVersionHash; "" when nothing is stored.
    pub storage_version_hash: Str,
    pub strategy: Strategy,
    pub columns: Vec<Column>,
    /// Makes a Table row's cells; `None`: from the columns' paths, or name and age when there are none.
    pub cells: Option<Cells>,
    /// What `cells` reads, as dotted paths (of every item, in lists): nothing else is decoded for a row. Empty: anything.
    pub cell_fields: &'static [&'static str],
    /// Besides metadata.name and metadata.namespace.
    pub select_fields: Vec<SelectField>,
    /// Upstream's text about other field selectors names the kind.
    pub unknown_field_names_kind: bool,
    pub subresources: Vec<Subresource>,
    pub hooks: Arc<dyn Hooks>,
    /// Objects of this resource are questions: a create answers them, and nothing is stored.
    pub review: Option<Review>,
    /// Set on entries whose served version is not the storage version.
    pub convert: Option<Arc<dyn Convert>>,
    /// `Warning: 299` text on every use of a deprecated version; "" otherwise.
    pub deprecation: Str,
    /// A create acts on another object, and nothing is stored.
    pub acts: Option<&'static dyn crate::Action>,
    /// May be listed under Accept: application/vnd.kubernetes.protobuf. False for custom resources.
    pub protobuf: bool,
}

/// What a resource of questions asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Who am I?
    Sender,
    /// Whose token is this?
    Token,
    /// May I, or may this user?
    Access(Whose),
    /// What may I, in a namespace?
    Rules,
}

/// Whose access a review asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The sender's.
    Sender,
    /// That of the user in the spec.
    Named,
    /// The same, in the review's namespace only.
    NamedHere,
}

/// Conversion between a served version and the storage version, at the edge of the request path only.
pub trait Convert: Send + Sync {
    /// Served version → storage version, apiVersion and kind included.
    fn to_storage(&self, object: Value) -> Value;
    /// Storage version → served version, apiVersion and kind included.
    #[allow(clippy::wrong_self_convention)]
    fn from_storage(&self, object: Value) -> Value;
}

/// How the generic rules treat objects of a resource (upstream's registry strategies).
#[derive(Clone, Debug, PartialEq)]
pub struct Strategy {
    /// PUT to a name that does not exist creates it.
    pub create_on_update: bool,
    /// PUT without resourceVersion is allowed.
    pub unconditional_update: bool,
    pub generation: Generation,
    pub default_gc: DefaultGc,
    /// DELETE answers with the object and not with a Status.
    pub delete_returns_object: bool,
    pub name: NameRule,
    /// Top-level fields that create resets to their zero, e.g. `status`.
    pub reset_on_create: &'static [&'static str],
    /// Top-level fields that a main update keeps from the stored object, e.g. `status`.
    pub keep_on_update: &'static [&'static str],
    /// Fields that server-side apply and managedFields never track on the main resource: upstream's GetResetFields.
    pub reset_fields: &'static [&'static str],
    /// Deleting takes a grace period (pods).
    pub graceful_delete: bool,
    /// The first delete only marks, by upstream code of the kind's own, which has its own words (namespaces,
    /// definitions).
    pub marking_delete: bool,
    /// Objects expire after --event-ttl (events).
    pub expires: bool,
    pub metadata: MetadataRules,
}

/// What a kind's own validation asks of metadata, besides the generic rules that hold for all: it shows in causes
/// that repeat, and in rules for finalizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataRules {
    /// Whether creating checks metadata first of all. Generic rules follow only where nothing else is wrong.
    pub on_create: bool,
    /// What updating checks, after the generic rules have checked the same.
    pub on_update: &'static [MetadataCheck],
    /// Finalizers have a domain, or one of three names (upstream's ValidateObjectMeta of pkg/apis/core, and not that
    /// of apimachinery).
    pub standard_finalizers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataCheck {
    /// Upstream's ValidateObjectMeta.
    Whole,
    /// Upstream's ValidateObjectMetaUpdate.
    Changes,
}

impl MetadataRules {
    /// Of most kinds.
    pub const CHANGES: MetadataRules =
        MetadataRules { on_create: true, on_update: &[MetadataCheck::Changes], standard_finalizers: true };
    pub const WHOLE: MetadataRules = MetadataRules { on_update: &[MetadataCheck::Whole], ..MetadataRules::CHANGES };
    pub const WHOLE_TWICE: MetadataRules =
        MetadataRules { on_update: &[MetadataCheck::Whole, MetadataCheck::Whole], ..MetadataRules::CHANGES };
    pub const WHOLE_AND_CHANGES: MetadataRules =
        MetadataRules { on_update: &[MetadataCheck::Changes, MetadataCheck::Whole], ..MetadataRules::CHANGES };
    /// The generic rules are all.
    pub const NONE: MetadataRules = MetadataRules { on_create: false, on_update: &[], standard_finalizers: false };

    /// The same with any qualified name for a finalizer.
    pub const fn with_any_finalizers(self) -> MetadataRules {
        MetadataRules { standard_finalizers: false, ..self }
    }
}

impl Default for Strategy {
    /// The commonest built-in: status is its own subresource.
    fn default() -> Strategy {
        Strategy {
            create_on_update: false,
            unconditional_update: true,
            generation: Generation::None,
            default_gc: DefaultGc::Background,
            delete_returns_object: false,
            name: NameRule::Subdomain,
            reset_on_create: &[],
            keep_on_update: &[],
            reset_fields: &[],
            graceful_delete: false,
            marking_delete: false,
            expires: false,
            metadata: MetadataRules::CHANGES,
        }
    }
}

/// What moves metadata.generation. The hooks may do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Left as the client sent it on create; kept on update.
    None,
    /// 1 on create; +1 when `spec` changes.
    Spec,
    /// 1 on create; +1 when anything but metadata and status changes.
    AllButMetadata,
    /// 1 on create; the hooks decide on update.
    Hooks,
}

/// What a delete without a propagation policy does with dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultGc {
    Background,
    Orphan,
    /// Never orphan or foreground (events).
    Unsupported,
}

/// The rule for metadata.name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// DNS-1123 subdomain.
    Subdomain,
    /// The same in the words of upstream's declarative rules, which leave generateName alone.
    LongName,
    /// DNS-1123 label.
    Label,
    /// DNS-1035 label (services before relaxed names).
    Label1035,
    /// Anything that can be one segment of a path.
    PathSegment,
    /// The hooks check it.
    Hooks,
}

/// A column of the Table form.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: Str,
    /// "string", "integer", "date", …
    pub kind: Str,
    pub format: Str,
    pub description: Str,
    pub priority: i32,
    /// JSONPath for custom resources' columns; "" when `cells` makes them.
    pub json_path: Str,
}

/// One row's cells from an object in its storage version; the second argument is now, in Unix seconds, for ages.
pub type Cells = fn(&Value, i64) -> Vec<Value>;

/// A field that field selectors may name; indexed.
#[derive(Clone, Debug)]
pub struct SelectField {
    /// As the selector writes it: "spec.nodeName".
    pub name: Str,
    pub value: SelectValue,
}

/// How a selectable field's text is found.
#[derive(Clone, Debug)]
pub enum SelectValue {
    /// At this dotted path; missing reads as "", booleans and integers as their text.
    Path(Str),
    /// Anything else.
    Function(fn(&Value) -> Str),
}

/// One subresource.
#[derive(Clone)]
pub struct Subresource {
    pub name: Str,
    /// What it takes and gives: the parent's kind for `status`, autoscaling/v1 Scale for `scale`, …
    pub kind: Gvk,
    pub verbs: Vec<Verb>,
    pub does: SubresourceKind,
}

/// The form of a built-in's bytes in etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InEtcd {
    Json,
    /// Protobuf under another apiVersion, whose messages are the same: the release before can read it.
    ApiVersion(&'static str),
}

/// What a subresource does.
#[derive(Clone)]
pub enum SubresourceKind {
    /// An update of the parent object through other hooks and strategy: status, ephemeralcontainers, resize, finalize, approval.
    Part { strategy: Strategy, hooks: Arc<dyn Hooks> },
    /// autoscaling/v1 Scale over the parent; paths are dotted.
    Scale { spec_replicas: Str, status_replicas: Str, selector: ScaleSelector },
    /// A create that acts on the parent: binding, eviction.
    Action(&'static dyn crate::Action),
    /// A create that makes a token for the parent, a service account.
    Token(&'static dyn crate::TokenRules),
    /// A byte stream to a node, pod or service: exec, attach, portforward, proxy, log.
    Connect(Arc<dyn Connect>),
}

/// Where Scale's status.selector comes from.
#[derive(Clone)]
pub enum ScaleSelector {
    /// A LabelSelector object at this dotted path, printed as text.
    LabelSelector(Str),
    /// A plain map of labels (replication controllers).
    Labels(Str),
    /// A string at this dotted path (custom resources); "" for none.
    Text(Str),
}

impl Descriptor {
    /// The served kind.
    pub fn gvk(&self) -> Gvk {
        Gvk { group: self.group.clone(), version: self.version.clone(), kind: self.kind.clone() }
    }

    pub fn api_version(&self) -> Str {
        meta::gvk::api_version(&self.group, &self.version)
    }

    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }
}
