//! The server: everything that a request may need, shared by all of them.

use crate::aggregate::Remotes;
use crate::audit::Audit;
use crate::authenticate::Authenticators;
use crate::authorize::Authorizers;
use crate::body::Body;
use crate::connect::Dialer;
use crate::form;
use crate::image_reviews::ImageReviews;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::registry::{Endpoint, Registry, Resources};
use crate::token::TokenKeys;
use crate::watch::Shelves;
use crate::webhooks::Webhooks;
use http::{HeaderValue, Response, request};
use meta::{Str, Value};
use resource::Reader;
use schema::Schema;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::watch;

/// Documents at paths that name no resource: health, version, discovery, OpenAPI. `None`: not mine.
pub trait Pages: Send + Sync {
    fn answer(&self, server: &Server, head: &request::Parts) -> Option<Response<Body>>;
}

pub struct Server {
    /// The built-in types: also of options, Status, Scale and reviews.
    pub schema: Arc<Schema>,
    pub registry: Registry,
    pub store: Store,
    pub authenticators: Authenticators,
    pub authorizers: Authorizers,
    pub admission: admission::Chain,
    /// Connections to admission webhooks.
    pub mutating_webhooks: Webhooks,
    pub validating_webhooks: Webhooks,
    /// Who is asked about images; `None` when nobody is.
    pub image_reviews: Option<ImageReviews>,
    /// `None`: nothing is recorded.
    pub audit: Option<Arc<Audit>>,
    /// `None`: no tokens are made.
    pub tokens: Option<Arc<TokenKeys>>,
    pub pages: Box<dyn Pages>,
    /// What other servers serve behind this one.
    pub remotes: Remotes,
    /// Connections to nodes, pods and services.
    pub dialer: Dialer,
    pub queue: Queue,
    pub settings: Settings,
    pub metrics: Metrics,
    pub watches: Shelves,
    /// True when the process ends: streams end, too.
    pub stopping: watch::Receiver<bool>,
}

/// What flags set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For everything that is no watch or stream.
    pub request_timeout: Duration,
    /// Watches end after a random time between this and twice this, unless they say themselves.
    pub watch_timeout_min: Duration,
    /// Objects of resources that expire live this long.
    pub event_ttl: Duration,
    /// How long a read waits for a revision of the future.
    pub revision_wait: Duration,
    pub bookmark_period: Duration,
    /// How probably an answer over HTTP/2 sends its client to a new connection.
    pub goaway_chance: f64,
    /// Strict-Transport-Security; `None`: the header is not sent.
    pub hsts: Option<HeaderValue>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            request_timeout: Duration::from_secs(60),
            watch_timeout_min: Duration::from_secs(1800),
            event_ttl: Duration::from_secs(3600),
            revision_wait: Duration::from_secs(3),
            bookmark_period: Duration::from_secs(60),
            goaway_chance: 0.0,
            hsts: None,
        }
    }
}

impl Server {
    /// Serves these resources from now on, and keeps their objects in the store.
    pub fn publish(&self, resources: Resources) {
        resources.stored_forms().for_each(|e| self.store.register(store_resource(e)));
        self.registry.replace(resources);
    }
}

/// Whether an entry is the one whose form is stored (other versions of the same objects share it).
pub fn is_stored_form(endpoint: &Endpoint) -> bool {
    let d = &endpoint.descriptor;
    !endpoint.prefix.is_empty() && d.storage.version == d.version && d.storage.group == d.group
}

/// How the store sees a resource's objects.
pub fn store_resource(endpoint: &Arc<Endpoint>) -> store::Resource {
    let (reading, judging, sharing) = (endpoint.clone(), endpoint.clone(), endpoint.clone());
    let differs = endpoint.descriptor.in_etcd.is_some();
    store::Resource {
        prefix: endpoint.prefix.clone(),
        extract: Arc::new(move |_key, bytes| {
            let object = form::decode_stored(&reading.descriptor, bytes)?;
            Ok(reading.store_meta(&object))
        }),
        field_names: endpoint.descriptor.select_fields.iter().map(|field| field.name.clone()).collect(),
        canonical: Some(Arc::new(move |bytes| form::canonical_stored(&judging.descriptor, bytes))),
        in_etcd: differs.then(|| Arc::new(move |bytes: &[u8]| form::bytes_in_etcd(&sharing.descriptor, bytes)) as _),
    }
}

/// Longer lists are not kept decoded.
const LISTED_OFTEN_MAX: usize = 32;

/// Reads for hooks and admission: the newest durable state.
pub struct StoreReader<'a> {
    pub resources: &'a Resources,
    pub store: &'a Store,
}

impl Reader for StoreReader<'_> {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let endpoint = self.resources.stored(group, resource)?;
        let object = self.store.get(&endpoint.key(namespace, name))?;
        endpoint.read_often(&object).ok()
    }

    fn list(&self, group: &str, resource: &str, namespace: &str) -> Vec<Value> {
        let Some(endpoint) = self.resources.stored(group, resource) else { return Vec::new() };
        let snapshot = self.store.snapshot(&endpoint.namespace_prefix(namespace));
        let few = snapshot.iter().nth(LISTED_OFTEN_MAX).is_none();
        let read = |object: &Arc<store::Object>| match few {
            true => endpoint.read_often(object),
            false => form::stored_value(&endpoint.descriptor, object),
        };
        snapshot.iter().filter_map(|object| read(object).ok()).collect()
    }

    fn list_all(&self, group: &str, resource: &str) -> Arc<[Value]> {
        match self.resources.stored(group, resource) {
            Some(endpoint) => endpoint.list_all(&self.store.snapshot(&endpoint.prefix)),
            None => Arc::default(),
        }
    }
}

/// 64 random bits.
pub fn random_bits() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A random (version 4) UUID.
pub fn new_uid() -> Str {
    let mut b = [0; 16];
    fill_random(&mut b);
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let n = u128::from_be_bytes(b);
    let part = |shift: u32, digits: u32| (n >> shift) & ((1 << (4 * digits)) - 1);
    let text =
        format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12));
    text.into()
}

fn fill_random(bytes: &mut [u8]) {
    use ring::rand::SecureRandom;
    if ring::rand::SystemRandom::new().fill(bytes).is_err() {
        // No entropy source: nothing that this process hands out could be trusted.
        std::process::abort();
    }
}
