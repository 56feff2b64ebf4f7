//! CustomResourceDefinitions at work: names are accepted, resources are served as long as they are defined, and a
//! definition that is deleted takes its objects along. One task, woken by changes of definitions and, while objects
//! have to go, by a timer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use custom::names::{self, CLEANUP_FINALIZER};
use http::Method;
use meta::time::Timestamp;
use meta::{Value, value};
use resource::Descriptor;
use serve::{Resources, Server, StoreReader};
use tokio::task::JoinHandle;

use crate::boot::send;

const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";
const COLLECTION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Objects with finalizers of their own go when their controllers let them; this is how often we look.
const CLEANUP_PERIOD: Duration = Duration::from_millis(500);

/// Serves what is defined now and keeps doing so until the task is aborted. Returns when the definitions of the last
/// run are served again.
pub async fn start(server: Arc<Server>) -> JoinHandle<()> {
    let resources = server.registry.load();
    let builtins = resources.all().map(|endpoint| endpoint.descriptor.clone()).collect();
    let internal = resources.internal().to_vec();
    let mut keeper = Keeper { server, builtins, internal, served: BTreeMap::new() };
    let mut revision = keeper.server.store.revision();
    keeper.reconcile().await;
    tokio::spawn(async move {
        loop {
            revision = keeper.wait(revision).await;
            keeper.reconcile().await;
        }
    })
}

struct Keeper {
    server: Arc<Server>,
    builtins: Vec<Arc<Descriptor>>,
    internal: Vec<Arc<Descriptor>>,
    /// By definition: what it was made from, and what was made.
    served: BTreeMap<String, (Value, Vec<Arc<Descriptor>>)>,
}

impl Keeper {
    /// Until a definition changes, or objects that have to go are worth another look; gives the revision seen.
    async fn wait(&self, revision: u64) -> u64 {
        let prefix = match self.server.registry.load().stored(GROUP, PLURAL) {
            Some(endpoint) => endpoint.prefix.clone(),
            None => return revision,
        };
        let cursor = self.server.store.watch(&prefix, revision);
        let next = async {
            match cursor {
                Ok(mut cursor) => cursor.next().await.map_or(revision, |event| event.revision),
                Err(_) => self.server.store.revision(),
            }
        };
        let cleaning = self.definitions().iter().any(is_deleted);
        if !cleaning {
            return next.await.max(revision);
        }
        tokio::time::timeout(CLEANUP_PERIOD, next).await.unwrap_or(revision).max(revision)
    }

    fn definitions(&self) -> Vec<Value> {
        let resources = self.server.registry.load();
        resource::Reader::list(&StoreReader { resources: &resources, store: &self.server.store }, GROUP, PLURAL, "")
    }

    async fn reconcile(&mut self) {
        let mut definitions = self.definitions();
        for i in 0..definitions.len() {
            let Some(definition) = definitions.get(i).filter(|definition| !is_deleted(definition)) else { continue };
            let planned = names::plan_status(definition, &definitions, &Timestamp::now().to_rfc3339());
            if planned != definition["status"] && self.write_status(definition, &planned).await {
                definitions[i].set("status", planned);
            }
        }
        self.publish(&definitions);
        for definition in definitions.iter().filter(|definition| is_deleted(definition)) {
            self.clean_up(definition).await;
        }
    }

    /// Written over exactly what was read; when it changed meanwhile, the change wakes us again.
    async fn write_status(&self, definition: &Value, status: &Value) -> bool {
        let metadata = &definition["metadata"];
        let patch = value!({"metadata": {"resourceVersion": (&metadata["resourceVersion"])}, "status": status});
        let path = format!("{COLLECTION}/{}/status", metadata["name"].str());
        let (code, why) = send(&self.server, Method::PATCH, &path, "application/merge-patch+json", &patch).await;
        if code != 200 && code != 409 && code != 404 {
            tracing::warn!(definition = metadata["name"].str(), code, %why, "status of a definition not written");
        }
        code == 200
    }

    /// Serves the built-ins and everything that is established.
    fn publish(&mut self, definitions: &[Value]) {
        let mut served = BTreeMap::new();
        let mut changed = false;
        for definition in definitions.iter().filter(|definition| names::is_true(definition, "Established")) {
            let source = value!({
                "spec": (&definition["spec"]), "names": (&definition["status"]["acceptedNames"]), "deleted": (is_deleted(definition))
            });
            let name = definition["metadata"]["name"].str().to_string();
            let made = match self.served.remove(&name) {
                Some(made) if made.0 == source => made,
                _ => {
                    changed = true;
                    (source, describe(definition, &self.server))
                }
            };
            served.insert(name, made);
        }
        changed |= !self.served.is_empty();
        self.served = served;
        if changed {
            let custom = self.served.values().flat_map(|(_, descriptors)| descriptors.iter().cloned());
            let resources = Resources::new(self.builtins.iter().cloned().chain(custom));
            self.server.publish(resources.with_internal(self.internal.iter().cloned()));
        }
    }

    /// Deletes what the definition defined; when all of it is gone, lets the definition go.
    async fn clean_up(&self, definition: &Value) {
        let name = definition["metadata"]["name"].str();
        let Some((_, descriptors)) = self.served.get(name) else { return self.let_go(definition).await };
        let Some(descriptor) = descriptors.first() else { return self.let_go(definition).await };
        let resources = self.server.registry.load();
        let reader = StoreReader { resources: &resources, store: &self.server.store };
        let objects = resource::Reader::list(&reader, &descriptor.group, &descriptor.plural, "");
        if objects.is_empty() {
            return self.let_go(definition).await;
        }
        for object in objects.iter().filter(|object| !is_deleted(object)) {
            let metadata = &object["metadata"];
            let base = format!("/apis/{}/{}", descriptor.group, descriptor.version);
            let place = match metadata["namespace"].str() {
                "" => base,
                namespace => format!("{base}/namespaces/{namespace}"),
            };
            let path = format!("{place}/{}/{}", descriptor.plural, metadata["name"].str());
            let (code, why) = send(&self.server, Method::DELETE, &path, "application/json", &Value::object()).await;
            if code != 200 && code != 404 {
                tracing::warn!(%path, code, %why, "object of a deleted definition not deleted");
            }
        }
    }

    async fn let_go(&self, definition: &Value) {
        let metadata = &definition["metadata"];
        let mut finalizers = metadata["finalizers"].items().to_vec();
        finalizers.retain(|finalizer| finalizer.str() != CLEANUP_FINALIZER);
        if finalizers.len() == metadata["finalizers"].items().len() {
            return;
        }
        let finalizers = if finalizers.is_empty() { Value::Null } else { Value::Array(finalizers) };
        let version = &metadata["resourceVersion"];
        let patch = value!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
        let path = format!("{COLLECTION}/{}", metadata["name"].str());
        let (code, why) = send(&self.server, Method::PATCH, &path, "application/merge-patch+json", &patch).await;
        if code != 200 && code != 409 && code != 404 {
            tracing::warn!(definition = metadata["name"].str(), code, %why, "deleted definition not let go");
        }
    }
}

fn is_deleted(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

fn describe(definition: &Value, server: &Server) -> Vec<Arc<Descriptor>> {
    match custom::descriptors(definition, &server.schema) {
        Ok(descriptors) => descriptors.into_iter().map(Arc::new).collect(),
        Err(why) => {
            tracing::warn!(definition = definition["metadata"]["name"].str(), %why, "definition not served");
            Vec::new()
        }
    }
}
