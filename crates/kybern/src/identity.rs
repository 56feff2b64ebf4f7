//! A lease in `kube-system` that says that this server is there, which `kubectl get leases` shows and other servers read
//! (k8s.io/kubernetes/pkg/controlplane/apiserver: its identity leases).

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use meta::time::Timestamp;
use meta::{Value, value};
use resource::Reader as _;
use serve::{Server, StoreReader, new_uid};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::boot::send;

const COLLECTION: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const GROUP: &str = "coordination.k8s.io";
/// Marks leases of API servers.
const LABEL: &str = "apiserver.kubernetes.io/identity";
const COMPONENT: &str = "kube-apiserver";
const DURATION_SECONDS: i64 = 3600;
const PERIOD: Duration = Duration::from_secs(10);
/// Between looks for leases of servers that are gone.
const SWEEP_PERIODS: u64 = 360;

/// This server's lease.
#[derive(Clone)]
pub struct Identity {
    server: Arc<Server>,
    name: String,
    holder: String,
    host: String,
    /// `host:port`, as other servers reach this one.
    address: String,
}

impl Identity {
    pub fn new(server: Arc<Server>, address: String) -> Identity {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name = name_of(&host);
        Identity { server, holder: format!("{name}_{}", new_uid()), name, host, address }
    }

    /// Keeps the lease until the task is aborted.
    pub fn start(&self) -> JoinHandle<()> {
        let identity = self.clone();
        tokio::spawn(async move {
            // Of the server that was here before.
            identity.leave().await;
            for period in 0_u64.. {
                if let Err(why) = identity.renew().await {
                    tracing::warn!(%why, "the lease of this server is not renewed");
                }
                if period.is_multiple_of(SWEEP_PERIODS) {
                    identity.sweep().await;
                }
                tokio::time::sleep(PERIOD).await;
            }
        })
    }

    /// Once. What another writes meanwhile is overwritten next time.
    async fn renew(&self) -> Result<(), String> {
        let stored = self.reader(|reader| reader.get(GROUP, "leases", "kube-system", &self.name));
        let (method, path) = match stored {
            None => (Method::POST, COLLECTION.to_owned()),
            Some(_) => (Method::PUT, format!("{COLLECTION}/{}", self.name)),
        };
        let mut lease = stored.unwrap_or_else(|| value!({"metadata": {"name": (&self.name)}}));
        lease.set("apiVersion", "coordination.k8s.io/v1");
        lease.set("kind", "Lease");
        let spec = lease.entry("spec");
        spec.set("holderIdentity", &self.holder);
        spec.set("leaseDurationSeconds", DURATION_SECONDS);
        spec.set("renewTime", Timestamp::now().to_rfc3339_micro());
        let labels = lease.entry("metadata").entry("labels");
        labels.set(LABEL, COMPONENT);
        labels.set("kubernetes.io/hostname", &self.host);
        lease.entry("metadata").entry("annotations").set("kubernetes.io/peer-advertise-address", &self.address);
        let (code, why) = send(&self.server, method, &path, "application/json", &lease).await;
        if matches!(code, 200 | 201 | 409) { Ok(()) } else { Err(format!("{code} {why}")) }
    }

    /// For the end of the process; it need not be there.
    pub async fn leave(&self) {
        let path = format!("{COLLECTION}/{}", self.name);
        send(&self.server, Method::DELETE, &path, "application/json", &Value::object()).await;
    }

    /// Deletes leases of API servers that have run out.
    async fn sweep(&self) {
        let now = Timestamp::now();
        let leases = self.reader(|reader| reader.list(GROUP, "leases", "kube-system"));
        let gone = leases.iter().filter(|lease| lease["metadata"]["labels"][LABEL].str() == COMPONENT);
        for lease in gone.filter(|lease| has_expired(lease, now)) {
            let metadata = &lease["metadata"];
            let path = format!("{COLLECTION}/{}", metadata["name"].str());
            let body = value!({"preconditions": {"resourceVersion": (&metadata["resourceVersion"])}});
            send(&self.server, Method::DELETE, &path, "application/json", &body).await;
        }
    }

    fn reader<T>(&self, read: impl FnOnce(&StoreReader<'_>) -> T) -> T {
        let resources = self.server.registry.load();
        read(&StoreReader { resources: &resources, store: &self.server.store })
    }
}

/// A lease without times is nobody's.
fn has_expired(lease: &Value, now: Timestamp) -> bool {
    let spec = &lease["spec"];
    let renewed = Timestamp::parse_micro(spec["renewTime"].str()).ok();
    let duration = spec["leaseDurationSeconds"].as_int();
    renewed.zip(duration).is_none_or(|(renewed, seconds)| renewed.seconds.saturating_add(seconds) < now.seconds)
}

/// Half of the hash of the host's and the component's names, each behind its length in two bytes, in base 32.
fn name_of(host: &str) -> String {
    let mut hashed = vec![];
    for text in [host, COMPONENT] {
        hashed.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        hashed.extend(text.as_bytes());
    }
    let hash = Sha256::digest(&hashed);
    let mut name = String::from("apiserver-");
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in hash.iter().take(16) {
        (bits, held) = (bits << 8 | u32::from(*byte), held + 8);
        while held >= 5 {
            held -= 5;
            name.push(digit(bits >> held));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        name.push(digit(bits << (5 - held)));
    }
    name
}

fn digit(bits: u32) -> char {
    let bits = (bits & 31) as u8;
    char::from(if bits < 26 { b'a' + bits } else { b'2' + bits - 26 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kube-apiserver 1.36.2 named itself on a host of this name.
    #[test]
    fn names_are_upstreams() {
        assert_eq!(name_of("vm"), "apiserver-wlv32tlttr4jl3gtroqexyxapa");
    }

    #[test]
    fn leases_run_out() {
        let now = Timestamp::parse("2026-01-02T04:00:00Z").expect("a time");
        for (spec, expired) in [
            (value!({"renewTime": "2026-01-02T03:00:00.000000Z", "leaseDurationSeconds": 3600}), false),
            (value!({"renewTime": "2026-01-02T02:59:59.000000Z", "leaseDurationSeconds": 3600}), true),
            (value!({"leaseDurationSeconds": 3600}), true),
            (value!({"renewTime": "2026-01-02T04:00:00.000000Z"}), true),
        ] {
            assert_eq!(has_expired(&value!({"spec": (&spec)}), now), expired, "{spec:?}");
        }
    }
}
