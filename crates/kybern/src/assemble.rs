//! From options to a server: which authenticators, authorizers and documents.

use std::path::PathBuf;
use std::sync::Arc;

use resource::Descriptor;
use serve::health::Health;
use serve::metrics::Metrics;
use serve::registry::Registry;
use serve::watch::Shelves;
use serve::{Resources, Server, Settings};
use store::Store;
use tokio::sync::watch;

use crate::aggregate::Services;
use crate::authentication;
use crate::authorization;
use crate::options::{self, Options};
use crate::pages::Site;
use crate::trust;

/// What a server is made of beside its options.
pub struct Parts {
    /// Unless objects are kept in etcd. `None`: in memory.
    pub store_dir: Option<PathBuf>,
    /// kybern's own CA, PEM.
    pub own_ca: String,
    pub health: Arc<Health>,
    /// True when the process ends.
    pub stopping: watch::Receiver<bool>,
    /// `host:port`
    pub address: String,
    /// What discovery says of other servers.
    pub services: Arc<Services>,
    /// Signs service account tokens, unless a flag names another key.
    pub service_account_key: String,
}

/// Everything that the flags ask for, ready to answer requests.
pub async fn server(options: &Options, parts: Parts) -> Result<Arc<Server>, String> {
    let schema = schema::builtin();
    let ranges = options.service_ranges.iter().filter_map(|range| resources::Cidr::parse(&range.to_string()));
    let settings = resources::Settings {
        service_ranges: ranges.collect(),
        node_ports: options.node_ports,
        kubelet_address_types: options.kubelets.address_types.clone(),
    };
    let descriptors: Vec<Arc<Descriptor>> = resources::all_with(&schema, &settings).into_iter().map(Arc::new).collect();
    let built_in = Arc::new(Resources::new(descriptors.iter().cloned()));
    let internal = resources::internal(&schema).into_iter().map(Arc::new);
    let served = Resources::new(descriptors).with_internal(internal);
    let kept = served.stored_forms().map(serve::store_resource).collect();
    let sealing = options.sealing.open(&served, &parts.health, &parts.stopping)?;
    let at_rest = sealing.map(|encryption| encryption as Arc<dyn store::AtRest>);
    let store = open_store(options, &parts, kept, store::Options { at_rest, ..store::Options::default() }).await?;
    let keys = Arc::new(options.authentication.keys(&parts.service_account_key)?);
    let authentication = authentication::Parts {
        own_ca: &parts.own_ca,
        keys: &keys,
        store: &store,
        resources: &built_in,
        stopping: &parts.stopping,
    };
    let authenticators = options.authentication.open(&authentication)?;
    let authorization =
        authorization::Parts { store: store.clone(), resources: built_in, stopping: parts.stopping.clone() };
    let authorizers = options.authorization.open(authorization)?;
    let admission = options.admission.chain()?;
    let [mutating_webhooks, validating_webhooks] = options.admission.webhooks()?;
    let server = Arc::new(Server {
        schema,
        registry: Registry::new(served),
        authenticators,
        authorizers,
        tokens: Some(keys),
        queue: serve::queue::Queue::new(options.requests.bounds),
        store,
        admission,
        mutating_webhooks,
        validating_webhooks,
        image_reviews: options.admission.image_reviews()?,
        audit: options.auditing.open()?,
        pages: Box::new(Site::new(parts.health, parts.address, parts.services, &options.flags)),
        remotes: serve::aggregate::Remotes::default(),
        dialer: options.kubelets.dialer()?,
        metrics: Metrics::default(),
        watches: Shelves::default(),
        stopping: parts.stopping,
        settings: Settings {
            event_ttl: options.event_ttl,
            request_timeout: options.requests.timeout,
            watch_timeout_min: options.requests.watch_timeout_min,
            goaway_chance: options.requests.goaway_chance,
            hsts: options.requests.hsts.clone(),
            ..Settings::default()
        },
    });
    serve::watch::start_sweeping(&server);
    Ok(server)
}

async fn open_store(
    options: &Options,
    parts: &Parts,
    kept: Vec<store::Resource>,
    own: store::Options,
) -> Result<Store, String> {
    match (&options.etcd, &parts.store_dir) {
        (Some(etcd), _) => {
            // A revision stays in etcd for up to two intervals.
            let interval_seconds = etcd.compaction_interval.as_secs();
            let retention_seconds = own.retention_seconds.max(interval_seconds.saturating_mul(2));
            let own = store::Options { retention_seconds, ..own };
            let opened = Store::open_etcd(etcd_options(etcd)?, kept, own).await;
            opened.map_err(|why| format!("the store in etcd at {}: {why}", etcd.servers.join(", ")))
        }
        (None, None) => Ok(Store::open_memory(kept)),
        (None, Some(dir)) => {
            Store::open_embedded(dir, kept, own).map_err(|why| format!("the store in {}: {why}", dir.display()))
        }
    }
}

fn etcd_options(etcd: &options::Etcd) -> Result<store::EtcdOptions, String> {
    let identity = match &etcd.certificate {
        None => None,
        Some((certificate, key)) => {
            Some((trust::read_file("etcd-certfile", certificate)?, trust::read_file("etcd-keyfile", key)?))
        }
    };
    let authorities = etcd.ca.as_deref().map(|ca| trust::read_file("etcd-cafile", ca)).transpose()?;
    Ok(store::EtcdOptions {
        client: store::EtcdConfig { endpoints: etcd.servers.clone(), tls: store::EtcdTls { authorities, identity } },
        prefix: etcd.prefix.clone(),
        compaction_interval: etcd.compaction_interval,
        lease_reuse_seconds: etcd.lease_reuse_seconds,
    })
}
