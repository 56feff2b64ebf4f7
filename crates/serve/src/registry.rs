//! What is served: every resource by group, version and name. Replaced as a whole when a definition changes, so
//! that a request sees one state of it from beginning to end.

use crate::form;
use arc_swap::ArcSwap;
use meta::{Result, Str, Value};
use resource::{Descriptor, SelectField, SelectValue, Subresource};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// One resource in one version, ready to serve.
pub struct Endpoint {
    pub descriptor: Arc<Descriptor>,
    /// With a slash at the end; "" when nothing is stored.
    pub prefix: Str,
    /// The selectable fields of the version that is stored, whose order the store's indexes have.
    indexed: Vec<SelectField>,
    read_often: RwLock<HashMap<Arc<str>, Decoded>>,
    listed: RwLock<Listed>,
}

/// A whole resource as trees, and the revisions of its objects.
#[derive(Default)]
struct Listed {
    revisions: Vec<u64>,
    objects: Arc<[Value]>,
}

/// An object's state as a tree.
struct Decoded {
    revision: u64,
    object: Arc<Value>,
}

/// Small objects that each request of some kind reads (its namespace, service account, priority class) are kept decoded:
/// so many of a resource, and none with more bytes than this.
const KEPT_DECODED_MAX: usize = 256;
const KEPT_DECODED_BYTES_MAX: usize = 4096;

/// All that is served at one moment.
#[derive(Default)]
pub struct Resources {
    /// By group and version, then by plural.
    versions: HashMap<(Str, Str), BTreeMap<Str, Arc<Endpoint>>>,
    /// By group and plural: the entry whose version is the storage version.
    stored: HashMap<(Str, Str), Arc<Endpoint>>,
    /// Those that are stored and that no path leads to.
    internal: Vec<Arc<Descriptor>>,
}

pub struct Registry {
    current: ArcSwap<Resources>,
    replaced: watch::Sender<()>,
}

impl Endpoint {
    pub fn new(descriptor: Arc<Descriptor>) -> Endpoint {
        let prefix = match descriptor.storage_prefix.as_str() {
            "" => Str::default(),
            prefix => format!("{}/", prefix.trim_end_matches('/')).into(),
        };
        let indexed = descriptor.select_fields.clone();
        Endpoint { descriptor, prefix, indexed, read_often: RwLock::default(), listed: RwLock::default() }
    }

    /// Where the objects of a namespace are; of all when it is "".
    pub fn namespace_prefix(&self, namespace: &str) -> String {
        if namespace.is_empty() { self.prefix.to_string() } else { format!("{}{namespace}/", self.prefix) }
    }

    pub fn key(&self, namespace: &str, name: &str) -> String {
        if self.descriptor.namespaced {
            format!("{}{namespace}/{name}", self.prefix)
        } else {
            format!("{}{name}", self.prefix)
        }
    }

    /// A stored object for those who read the same ones again and again.
    pub fn read_often(&self, object: &Arc<store::Object>) -> Result<Value> {
        let kept = self.read_often.read().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get(&object.key).filter(|kept| kept.revision == object.revision);
        if let Some(known) = known.map(|kept| kept.object.clone()) {
            drop(kept);
            return Ok((*known).clone());
        }
        drop(kept);
        let value = form::stored_value(&self.descriptor, object)?;
        if object.bytes_len() <= KEPT_DECODED_BYTES_MAX {
            let mut kept = self.read_often.write().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT_DECODED_MAX && !kept.contains_key(&object.key) {
                kept.clear();
            }
            let decoded = Decoded { revision: object.revision, object: Arc::new(value.clone()) };
            kept.insert(object.key.clone(), decoded);
        }
        Ok(value)
    }

    /// All objects, for those who look at all of them again and again: decoded once. Objects that cannot be read are left
    /// out.
    pub fn list_all(&self, snapshot: &store::Snapshot) -> Arc<[Value]> {
        if snapshot.is_empty() {
            return Arc::default();
        }
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        if snapshot.iter().map(|object| &object.revision).eq(&listed.revisions) {
            return listed.objects.clone();
        }
        drop(listed);
        let revisions = snapshot.iter().map(|object| object.revision).collect();
        let objects: Arc<[Value]> =
            snapshot.iter().filter_map(|object| form::stored_value(&self.descriptor, object).ok()).collect();
        let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        *listed = Listed { revisions, objects: objects.clone() };
        objects
    }

    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.descriptor.subresource(name)
    }

    /// The place of a selectable field in the store's index.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        let own = self.descriptor.select_fields.iter().find(|field| field.name == name)?;
        self.indexed.iter().position(|field| match (&field.value, &own.value) {
            (SelectValue::Path(indexed), SelectValue::Path(own)) => indexed == own,
            _ => field.name == own.name,
        })
    }

    /// What the store keeps beside an object's bytes. `expires_at_seconds` is the caller's.
    pub fn store_meta(&self, object: &Value) -> store::Meta {
        let metadata = &object["metadata"];
        let labels = metadata["labels"].entries().map(|(key, value)| (key.into(), value.str().into())).collect();
        let fields = self.indexed.iter().map(|field| select_value(&field.value, object)).collect();
        store::Meta {
            namespace: metadata["namespace"].str().into(),
            name: metadata["name"].str().into(),
            labels,
            fields,
            expires_at_seconds: None,
        }
    }
}

/// The text of a selectable field.
fn select_value(value: &SelectValue, object: &Value) -> Str {
    match value {
        SelectValue::Function(f) => f(object),
        SelectValue::Path(path) => match object.path(path) {
            Value::String(s) => s.clone(),
            Value::Bool(b) => if *b { "true" } else { "false" }.into(),
            Value::Int(n) => n.to_string().into(),
            _ => Str::default(),
        },
    }
}

impl Resources {
    pub fn new(descriptors: impl IntoIterator<Item = Arc<Descriptor>>) -> Resources {
        let descriptors: Vec<Arc<Descriptor>> = descriptors.into_iter().collect();
        let is_stored = |d: &Descriptor| d.version == d.storage.version && d.group == d.storage.group;
        let mut resources = Resources::default();
        for descriptor in &descriptors {
            let d = descriptor;
            let mut endpoint = Endpoint::new(d.clone());
            let stored = descriptors.iter().find(|o| is_stored(o) && o.storage_prefix == d.storage_prefix);
            if let Some(stored) = stored.filter(|_| !is_stored(d) && !endpoint.prefix.is_empty()) {
                endpoint.indexed = stored.select_fields.clone();
            }
            let endpoint = Arc::new(endpoint);
            if d.version == d.storage.version && d.group == d.storage.group {
                resources.stored.insert((d.group.clone(), d.plural.clone()), endpoint.clone());
            }
            let version = resources.versions.entry((d.group.clone(), d.version.clone())).or_default();
            version.insert(d.plural.clone(), endpoint);
        }
        resources
    }

    /// Adds resources that are stored for the server's own use and served nowhere.
    pub fn with_internal(mut self, descriptors: impl IntoIterator<Item = Arc<Descriptor>>) -> Resources {
        for descriptor in descriptors {
            let key = (descriptor.group.clone(), descriptor.plural.clone());
            self.stored.insert(key, Arc::new(Endpoint::new(descriptor.clone())));
            self.internal.push(descriptor);
        }
        self
    }

    /// What [`Resources::with_internal`] added.
    pub fn internal(&self) -> &[Arc<Descriptor>] {
        &self.internal
    }

    /// The entry of everything that is stored, in the version that is stored.
    pub fn stored_forms(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.stored.values().filter(|endpoint| !endpoint.prefix.is_empty())
    }

    pub fn endpoint(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Endpoint>> {
        self.versions.get(&(group.into(), version.into()))?.get(plural)
    }

    /// The entry of a resource in the version that is stored.
    pub fn stored(&self, group: &str, plural: &str) -> Option<&Arc<Endpoint>> {
        self.stored.get(&(group.into(), plural.into()))
    }

    /// Whether a version of a group is served.
    pub fn has_version(&self, group: &str, version: &str) -> bool {
        self.versions.contains_key(&(group.into(), version.into()))
    }

    /// Whether a group has built-in resources: upstream's router knows its paths, and answers for those that it lacks.
    pub fn has_builtin_group(&self, group: &str) -> bool {
        let of_group = self.versions.iter().filter(|((g, _), _)| g == group);
        of_group.flat_map(|(_, version)| version.values()).any(|endpoint| !endpoint.descriptor.stored_as_json)
    }

    /// Whether a kind is served in any version: upstream's "registered".
    pub fn has_kind(&self, gvk: &meta::Gvk) -> bool {
        let version = self.versions.get(&(gvk.group.clone(), gvk.version.clone()));
        version.is_some_and(|v| v.values().any(|e| e.descriptor.kind == gvk.kind || e.descriptor.list_kind == gvk.kind))
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.versions.values().flat_map(BTreeMap::values)
    }
}

impl Registry {
    pub fn new(resources: Resources) -> Registry {
        Registry { current: ArcSwap::from_pointee(resources), replaced: watch::Sender::new(()) }
    }

    /// What is served now.
    pub fn load(&self) -> Arc<Resources> {
        self.current.load_full()
    }

    pub fn replace(&self, resources: Resources) {
        self.current.store(Arc::new(resources));
        self.replaced.send_replace(());
    }

    /// Tells when something else is served.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.replaced.subscribe()
    }
}
