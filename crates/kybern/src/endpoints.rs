//! Which API servers the service `kubernetes` leads to, when several share one etcd. As kube-apiservers agree on it
//! (k8s.io/kubernetes/pkg/controlplane/reconcilers/lease.go): each keeps a key with a short lease, and writes the addresses
//! of all such keys into the service's endpoints.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use meta::time::Timestamp;
use meta::{Gvk, Value, value};
use resource::Reader as _;
use serve::{Server, StoreReader};
use store::{Expect, Meta, Op};
use tokio::task::JoinHandle;

use crate::boot::{cluster, send};

/// Upstream's prefix. No API serves it.
const LEASES: &str = "/registry/masterleases/";
const TTL_SECONDS: i64 = 15;
const PERIOD: Duration = Duration::from_secs(10);
const MERGE_PATCH: &str = "application/merge-patch+json";

/// This server among the others.
#[derive(Clone)]
pub struct Membership {
    server: Arc<Server>,
    address: IpAddr,
    port: u16,
}

impl Membership {
    pub fn new(server: Arc<Server>, address: IpAddr, port: u16) -> Membership {
        server.store.register(store::Resource {
            prefix: LEASES.into(),
            extract: Arc::new(|key, _| Ok(Meta { name: name_of(key).into(), ..Meta::default() })),
            field_names: Vec::new(),
            canonical: None,
            in_etcd: None,
        });
        Membership { server, address, port }
    }

    /// Keeps this server's key, and the endpoints, until the task is aborted.
    pub fn start(&self) -> JoinHandle<()> {
        let member = self.clone();
        tokio::spawn(async move {
            loop {
                if let Err(why) = member.keep().await {
                    tracing::warn!(%why, "endpoints of the service kubernetes not kept");
                }
                tokio::time::sleep(PERIOD).await;
            }
        })
    }

    /// Once: the key, then the endpoints.
    pub async fn keep(&self) -> Result<(), String> {
        let key = format!("{LEASES}{}", self.address);
        let meta = Meta {
            name: self.address.to_string().into(),
            expires_at_seconds: Some(Timestamp::now().seconds.saturating_add(TTL_SECONDS)),
            ..Meta::default()
        };
        let op = Op::Put { key, bytes: self.lease()?.into(), meta, expect: Expect::Any };
        self.server.store.commit(vec![op]).await.map_err(|why| why.to_string())?;
        self.reconcile().await
    }

    /// For the end of the process: the others need not wait for the lease.
    pub async fn leave(&self) -> Result<(), String> {
        let op = Op::Delete { key: format!("{LEASES}{}", self.address), expect: Expect::Any };
        self.server.store.commit(vec![op]).await.map_err(|why| why.to_string())?;
        self.reconcile().await
    }

    /// An Endpoints object with this server's address, as upstream's leases are.
    fn lease(&self) -> Result<Vec<u8>, String> {
        let gvk = Gvk::new("", "v1", "Endpoints");
        let ty = self.server.schema.kind(&gvk).ok_or("no Endpoints in the schema")?;
        let object = value!({"metadata": {}, "subsets": [{"addresses": [{"ip": (self.address.to_string())}]}]});
        let mut bytes = Vec::new();
        codec::encode_protobuf(&self.server.schema, ty, &gvk, &object, &mut bytes);
        Ok(bytes)
    }

    async fn reconcile(&self) -> Result<(), String> {
        let leases = self.server.store.snapshot(LEASES);
        let mut addresses: Vec<IpAddr> = leases.iter().filter_map(|lease| name_of(&lease.key).parse().ok()).collect();
        addresses.sort_unstable_by_key(ToString::to_string);
        if addresses.is_empty() {
            // The last one goes: clients should rather see where a server was than nothing.
            return Ok(());
        }
        // A slice has addresses of one family.
        let of_family: Vec<IpAddr> =
            addresses.iter().copied().filter(|address| address.is_ipv4() == self.address.is_ipv4()).collect();
        self.ensure("", "endpoints", "subsets", &cluster::own_endpoints(&addresses, self.port)).await?;
        if of_family.is_empty() {
            return Ok(());
        }
        self.ensure("discovery.k8s.io", "endpointslices", "endpoints", &cluster::own_slice(&of_family, self.port)).await
    }

    /// Makes the object, or gives it the wanted field. What another server does meanwhile is seen next time.
    async fn ensure(
        &self,
        group: &str,
        resource: &str,
        field: &str,
        wanted: &crate::boot::Wanted,
    ) -> Result<(), String> {
        let resources = self.server.registry.load();
        let reader = StoreReader { resources: &resources, store: &self.server.store };
        let name = wanted.object["metadata"]["name"].str();
        let existing = reader.get(group, resource, "default", name);
        let (code, why) = match existing {
            None => send(&self.server, Method::POST, &wanted.collection, "application/json", &wanted.object).await,
            Some(existing) if existing[field] == wanted.object[field] => return Ok(()),
            Some(_) => {
                let mut patch = Value::object();
                patch.set(field, &wanted.object[field]);
                send(&self.server, Method::PATCH, &format!("{}/{name}", wanted.collection), MERGE_PATCH, &patch).await
            }
        };
        if matches!(code, 200 | 201 | 409) { Ok(()) } else { Err(format!("{resource} {name}: {code} {why}")) }
    }
}

fn name_of(key: &str) -> &str {
    key.strip_prefix(LEASES).unwrap_or_default()
}
