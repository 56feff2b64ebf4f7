//! APIServices at work: those of custom resources are kept, and those that name a service are watched over and their
//! requests passed on. One task, woken by what it depends on and, while other servers are to be asked, by a timer.

mod available;
mod register;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use available::{Unavailable, judge_answer, judge_objects, plan_status};
use http::Method;
use meta::time::Timestamp;
use meta::{Str, Value, value};
use outbound::{Authority, Identity};
use publish::Service;
use register::{Step, plan_steps};
use resource::{Location, Reader as _, Transport};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serve::aggregate::{Backend, Remote, ask};
use serve::{Server, StoreReader};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::boot::send;
use crate::options::Aggregation;
use crate::trust;

const GROUP: &str = "apiregistration.k8s.io";
const PLURAL: &str = "apiservices";
const COLLECTION: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
/// What availability depends on beside the APIServices.
const BACKENDS: &[(&str, &str)] = &[("", "services"), ("discovery.k8s.io", "endpointslices")];
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// How often other servers are asked whether they are there.
const ASK_PERIOD: Duration = Duration::from_secs(30);
/// While one is not there.
const ASK_AGAIN_PERIOD: Duration = Duration::from_secs(5);

/// How other servers are reached.
#[derive(Clone, Default)]
pub struct Routing {
    /// `--enable-aggregator-routing`: straight to an endpoint, not to the service's address.
    pub to_endpoints: bool,
    /// `--proxy-client-cert-file`, `--proxy-client-key-file`.
    pub identity: Option<Identity>,
}

impl Routing {
    pub fn resolve(options: &Aggregation) -> Result<Routing, String> {
        let read = |(chain, key): &(PathBuf, PathBuf)| -> Result<Identity, String> {
            let chain = trust::read_file("proxy-client-cert-file", chain)?;
            Ok(Identity { chain, key: trust::read_file("proxy-client-key-file", key)? })
        };
        let identity = options.identity.as_ref().map(read).transpose()?;
        // A pair that does not fit is told at the start.
        outbound::client_config(&Authority::Anything, identity.as_ref())
            .map_err(|why| format!("--proxy-client-cert-file: {why}"))?;
        Ok(Routing { to_endpoints: options.to_endpoints, identity })
    }
}

/// What discovery says of other servers.
#[derive(Default)]
pub struct Services(Mutex<Arc<Vec<Service>>>);

impl Services {
    /// The same `Arc` as long as nothing changes.
    pub fn load(&self) -> Arc<Vec<Service>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, services: Vec<Service>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if **current != services {
            *current = Arc::new(services);
        }
    }
}

/// Keeps APIServices until the task is aborted.
pub fn start(server: Arc<Server>, services: Arc<Services>, routing: Routing) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut replaced = server.registry.subscribe();
        let mut keeper = Keeper { server, services, routing, clients: BTreeMap::new() };
        loop {
            // Read first: what changes from here on wakes the wait.
            let revision = keeper.server.store.revision();
            keeper.register().await;
            let remote = keeper.follow().await;
            keeper.wait(revision, &remote, &mut replaced).await;
        }
    })
}

struct Keeper {
    server: Arc<Server>,
    services: Arc<Services>,
    routing: Routing,
    /// TLS by the bundle that the APIService has; `None` for those that skip verification.
    clients: BTreeMap<Option<String>, Arc<ClientConfig>>,
}

/// What there is to wait for.
struct Followed {
    any: bool,
    /// Every one is there.
    all: bool,
}

impl Keeper {
    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value> {
        let resources = self.server.registry.load();
        StoreReader { resources: &resources, store: &self.server.store }.list(group, plural, namespace)
    }

    /// The APIServices of custom resources.
    async fn register(&self) {
        let resources = self.server.registry.load();
        let custom = resources.all().map(|endpoint| &endpoint.descriptor).filter(|d| d.stored_as_json);
        let served: BTreeSet<(Str, Str)> = custom.map(|d| (d.group.clone(), d.version.clone())).collect();
        for step in plan_steps(&served, &self.list(GROUP, PLURAL, "")) {
            let (method, path, media, body) = match &step {
                Step::Create(object) => (Method::POST, COLLECTION.to_owned(), "application/json", object.clone()),
                Step::Correct { name, resource_version, spec } => {
                    let patch = value!({"metadata": {"resourceVersion": resource_version}, "spec": (spec.clone())});
                    (Method::PATCH, format!("{COLLECTION}/{name}"), "application/merge-patch+json", patch)
                }
                Step::Delete(name) => {
                    (Method::DELETE, format!("{COLLECTION}/{name}"), "application/json", Value::object())
                }
            };
            let (code, why) = send(&self.server, method, &path, media, &body).await;
            // Changed, made or deleted meanwhile: that wakes us again.
            if !matches!(code, 200 | 201 | 404 | 409) {
                tracing::warn!(?step, code, %why, "APIService not kept");
            }
        }
    }

    /// Looks at every APIService that names a service, says how it is, and passes requests on accordingly.
    async fn follow(&mut self) -> Followed {
        let named: Vec<Value> =
            self.list(GROUP, PLURAL, "").into_iter().filter(|object| !object["spec"]["service"].is_null()).collect();
        let (mut remotes, mut services, mut statuses) = (vec![], vec![], vec![]);
        for api_service in &named {
            let reached = match self.backend(api_service) {
                Ok(backend) => check(api_service, &backend).await.map(|()| backend),
                Err(why) => Err(why),
            };
            let judged = reached.as_ref().map(drop);
            statuses.push(plan_status(api_service, judged, &Timestamp::now().to_rfc3339()));
            let (spec, backend) = (&api_service["spec"], reached.ok());
            services.push(describe(spec, backend.as_ref()).await);
            remotes.push(Remote { group: spec["group"].str().into(), version: spec["version"].str().into(), backend });
        }
        let followed =
            Followed { any: !remotes.is_empty(), all: remotes.iter().all(|remote| remote.backend.is_some()) };
        self.server.remotes.replace(remotes);
        self.services.replace(services);
        // Last: who reads that a server is available may ask it.
        for (api_service, status) in named.iter().zip(statuses) {
            if let Some(status) = status {
                self.write_status(api_service, status).await;
            }
        }
        followed
    }

    /// Where the server is, when the objects say that it is there.
    fn backend(&mut self, api_service: &Value) -> Result<Backend, Unavailable> {
        let spec = &api_service["spec"];
        let (namespace, name) = (spec["service"]["namespace"].str(), spec["service"]["name"].str());
        let resources = self.server.registry.load();
        let reader = StoreReader { resources: &resources, store: &self.server.store };
        let service = reader.get("", "services", namespace, name);
        let mut slices = reader.list("discovery.k8s.io", "endpointslices", namespace);
        slices.retain(|slice| slice["metadata"]["labels"][SERVICE_NAME].str() == name);
        judge_objects(api_service, service.as_ref(), &slices)?;
        let broken = |message: String| Unavailable { reason: "ServiceAccessError", message };
        let service = service.unwrap_or_default();
        let port = spec["service"]["port"].int();
        let (host, port) = route(&service, &slices, port, self.routing.to_endpoints)
            .ok_or_else(|| broken(format!("service/{name} in {namespace:?} has no address")))?;
        let bundle = (!spec["insecureSkipTLSVerify"].bool()).then(|| spec["caBundle"].str().to_owned());
        let tls = self.tls(bundle).map_err(broken)?;
        let name = ServerName::try_from(format!("{name}.{namespace}.svc")).map_err(|why| broken(why.to_string()))?;
        let location = Location { transport: Transport::Tls, host, port, path: String::new(), query: String::new() };
        Ok(Backend { location, name, tls })
    }

    fn tls(&mut self, bundle: Option<String>) -> Result<Arc<ClientConfig>, String> {
        if let Some(known) = self.clients.get(&bundle) {
            return Ok(known.clone());
        }
        let authority = match &bundle {
            None => Authority::Anything,
            Some(encoded) if encoded.is_empty() => Authority::System,
            Some(encoded) => {
                use base64::Engine as _;
                let pem = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|why| why.to_string())?;
                Authority::Pem(String::from_utf8(pem).map_err(|why| why.to_string())?)
            }
        };
        let made = Arc::new(outbound::client_config(&authority, self.routing.identity.as_ref())?);
        self.clients.insert(bundle, made.clone());
        Ok(made)
    }

    async fn write_status(&self, api_service: &Value, status: Value) {
        let metadata = &api_service["metadata"];
        let patch = value!({"metadata": {"resourceVersion": (&metadata["resourceVersion"])}, "status": status});
        let path = format!("{COLLECTION}/{}/status", metadata["name"].str());
        let (code, why) = send(&self.server, Method::PATCH, &path, "application/merge-patch+json", &patch).await;
        if !matches!(code, 200 | 404 | 409) {
            tracing::warn!(%path, code, %why, "status of an APIService not written");
        }
    }

    /// Until something changes that was looked at after `revision`, or another server is due to be asked.
    async fn wait(&self, revision: u64, followed: &Followed, replaced: &mut watch::Receiver<()>) {
        let resources = self.server.registry.load();
        let backends = BACKENDS.iter().filter(|_| followed.any);
        let watched = backends.chain(&[(GROUP, PLURAL)]).filter_map(|(group, plural)| resources.stored(group, plural));
        let cursors = watched.map(|endpoint| self.server.store.watch(&endpoint.prefix, revision));
        // A cursor that cannot be had, or is lost, is as good as a change.
        let changes = cursors.map(|cursor| {
            Box::pin(async move {
                if let Ok(mut cursor) = cursor {
                    let _changed = cursor.next().await;
                }
            })
        });
        let changed = futures_util::future::select_all(changes);
        let due = async {
            match (followed.any, followed.all) {
                (false, _) => std::future::pending().await,
                (true, true) => tokio::time::sleep(ASK_PERIOD).await,
                (true, false) => tokio::time::sleep(ASK_AGAIN_PERIOD).await,
            }
        };
        tokio::select! {
            _ = changed => {}
            _ = replaced.changed() => {}
            () = due => {}
        }
    }
}

/// Host and port of a service: its own address, or that of an endpoint that is ready.
fn route(service: &Value, slices: &[Value], port: i64, to_endpoints: bool) -> Option<(String, u16)> {
    let spec = &service["spec"];
    if spec["type"].str() == "ExternalName" {
        return Some((spec["externalName"].str().to_owned(), u16::try_from(port).ok()?));
    }
    if !to_endpoints {
        let address = spec["clusterIP"].str();
        return (!matches!(address, "" | "None")).then(|| Some((address.to_owned(), u16::try_from(port).ok()?)))?;
    }
    let name = spec["ports"].items().iter().find(|p| p["port"].int() == port)?["name"].str();
    slices.iter().find_map(|slice| {
        let port = slice["ports"].items().iter().find(|port| port["name"].str() == name)?;
        let is_ready = |endpoint: &&Value| endpoint["conditions"]["ready"].as_bool() != Some(false);
        let endpoint = slice["endpoints"].items().iter().find(is_ready)?;
        Some((endpoint["addresses"][0].str().to_owned(), u16::try_from(port["port"].int()).ok()?))
    })
}

fn path_of(spec: &Value) -> String {
    format!("/apis/{}/{}", spec["group"].str(), spec["version"].str())
}

/// Asks the server for its own discovery document.
async fn check(api_service: &Value, backend: &Backend) -> Result<(), Unavailable> {
    let path = path_of(&api_service["spec"]);
    let url = format!("https://{}:{}{path}", backend.location.host, backend.location.port);
    judge_answer(&url, ask(backend, &path).await.map(|(code, _)| code))
}

/// What discovery and OpenAPI say of a group version; its resources only when its server tells them.
async fn describe(spec: &Value, backend: Option<&Backend>) -> Service {
    let (mut resources, mut openapi_v3) = (None, None);
    if let Some(backend) = backend {
        let path = path_of(spec);
        resources = document(backend, &path).await.map(|list| publish::discovery_of_list(&list));
        let index = document(backend, "/openapi/v3").await.unwrap_or_default();
        openapi_v3 = index["paths"][path.trim_start_matches('/')]["serverRelativeURL"].as_str().map(Str::from);
    }
    Service {
        group: spec["group"].str().into(),
        version: spec["version"].str().into(),
        group_priority_min: spec["groupPriorityMinimum"].int(),
        version_priority: spec["versionPriority"].int(),
        resources,
        openapi_v3,
    }
}

async fn document(backend: &Backend, path: &str) -> Option<Value> {
    let (code, bytes) = ask(backend, path).await.ok()?;
    let parsed = meta::json::parse(&bytes).ok().filter(|_| code == 200)?;
    Some(parsed.value)
}
