//! What quotas are used for, found again from the objects: when a quota is new or has other limits, and when what it
//! counts goes away. What comes is counted in the same commit, by the admission plugin. A quota is written over
//! exactly what was read, before its objects were read: what is created meanwhile changes the quota and is counted
//! again, so that usage is never too low.
//!
//! This waits a while, as a controller manager would come first: both come to the same result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use meta::Value;
use resource::Reader as _;
use serve::{Server, StoreReader};
use store::{Cursor, Event, Kind};
use tokio::time::Instant;

use super::{follow, list, next};
use crate::boot::send;

const PLURAL: &str = "resourcequotas";
const DELAY: Duration = Duration::from_secs(3);
const PHASE: &str = "status.phase";
/// Phases in which a pod holds nothing any more.
const FINISHED: &[&str] = &["Succeeded", "Failed"];

/// Namespace and name.
type Key = (String, String);

pub async fn keep(server: &Arc<Server>) {
    let mut due: BTreeMap<Key, Instant> = BTreeMap::new();
    // What went away before the last end of the process, nobody may have noticed.
    let mut all = true;
    loop {
        // Read first: what changes from here on is followed.
        let revision = server.store.revision();
        let quotas = list(server, "", PLURAL);
        for quota in quotas.iter().filter(|quota| all || is_unknown(quota)) {
            due.entry(key_of(quota)).or_insert_with(|| Instant::now() + DELAY);
        }
        all = false;
        let kinds = kinds(&quotas);
        let Some(mut cursors) = follow(server, &kinds, revision) else {
            tokio::time::sleep(DELAY).await;
            continue;
        };
        run(server, &quotas, &kinds, &mut cursors, &mut due).await;
    }
}

fn key_of(quota: &Value) -> Key {
    let metadata = &quota["metadata"];
    (metadata["namespace"].str().into(), metadata["name"].str().into())
}

/// Its limits have changed, or nobody has counted yet.
fn is_unknown(quota: &Value) -> bool {
    let (hard, status) = (&quota["spec"]["hard"], &quota["status"]);
    let known = |name: &str| status["used"].get(name).is_some();
    *hard != status["hard"] && !(hard.is_empty() && status["hard"].is_empty())
        || hard.entries().any(|(name, _)| !known(name))
}

/// Quotas first, then what they count.
fn kinds(quotas: &[Value]) -> Vec<(String, String)> {
    let counted = quotas.iter().flat_map(admission::quota_kinds).collect::<BTreeSet<(String, String)>>();
    std::iter::once((String::new(), PLURAL.to_string())).chain(counted).collect()
}

/// Until the quotas are others.
async fn run(
    server: &Arc<Server>,
    quotas: &[Value],
    kinds: &[(String, String)],
    cursors: &mut [Cursor],
    due: &mut BTreeMap<Key, Instant>,
) {
    loop {
        let first = due.iter().min_by_key(|(_, at)| **at).map(|(key, at)| (key.clone(), *at));
        let wake = async {
            match &first {
                Some((_, at)) => tokio::time::sleep_until(*at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            news = next(cursors) => match news {
                Some((0, event)) if concerns_limits(server, &event, quotas) => return,
                Some((0, _)) => {}
                Some((at, event)) => {
                    let kind = kinds.get(at);
                    if frees(server, kind, &event) {
                        let namespace = event.object.meta.namespace.as_str();
                        for quota in quotas.iter().filter(|quota| quota["metadata"]["namespace"].str() == namespace) {
                            due.entry(key_of(quota)).or_insert_with(|| Instant::now() + DELAY);
                        }
                    }
                }
                None => return,
            },
            () = wake => {
                if let Some((key, _)) = first {
                    due.remove(&key);
                    if !recalculate(server, &key).await {
                        due.insert(key, Instant::now() + DELAY);
                    }
                }
            }
        }
    }
}

/// A quota that is new, gone, or has other limits: not one whose usage was raised.
fn concerns_limits(server: &Server, event: &Event, quotas: &[Value]) -> bool {
    let key = (event.object.meta.namespace.to_string(), event.object.meta.name.to_string());
    let Some(known) = quotas.iter().find(|quota| key_of(quota) == key).filter(|_| event.kind == Kind::Put) else {
        return true;
    };
    let resources = server.registry.load();
    let reader = StoreReader { resources: &resources, store: &server.store };
    reader
        .get("", PLURAL, &key.0, &key.1)
        .is_none_or(|quota| quota["spec"] != known["spec"] || quota["status"]["hard"] != known["status"]["hard"])
}

/// Whether something that was counted is so no more.
fn frees(server: &Server, kind: Option<&(String, String)>, event: &Event) -> bool {
    if event.kind == Kind::Delete {
        return true;
    }
    let resources = server.registry.load();
    let Some(endpoint) = kind.and_then(|(group, plural)| resources.stored(group, plural)) else { return false };
    let phase = endpoint.descriptor.select_fields.iter().position(|field| field.name == PHASE);
    let of = |object: &store::Object| phase.and_then(|at| object.meta.fields.get(at)).cloned().unwrap_or_default();
    let before = event.previous.as_ref().map(|object| of(object)).unwrap_or_default();
    FINISHED.contains(&&*of(&event.object)) && !FINISHED.contains(&&*before)
}

/// False when the quota changed meanwhile.
async fn recalculate(server: &Arc<Server>, (namespace, name): &Key) -> bool {
    let written = {
        let resources = server.registry.load();
        let reader = StoreReader { resources: &resources, store: &server.store };
        let Some(mut quota) = reader.get("", PLURAL, namespace, name) else { return true };
        let status = admission::plan_quota_status(&quota, &reader);
        if status == quota["status"] {
            return true;
        }
        quota.set("status", status);
        quota
    };
    let path = format!("/api/v1/namespaces/{namespace}/{PLURAL}/{name}/status");
    let (code, why) = send(server, Method::PUT, &path, "application/json", &written).await;
    if !matches!(code, 200 | 404 | 409) {
        tracing::warn!(namespace, name, code, %why, "usage of a quota not written");
    }
    code != 409
}
