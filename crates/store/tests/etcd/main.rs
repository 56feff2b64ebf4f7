//! The etcd engine when etcd is away, slow or cut off, and when several servers share it. Against a real etcd; without
//! one these tests say so and pass.

#[path = "../etcd_server/mod.rs"]
mod etcd_server;
mod outage;
mod proxy;
mod sharing;
mod tls;

use bytes::Bytes;
use etcd_server::EtcdServer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{CommitError, Committed, Cursor, EtcdOptions, Expect, Meta, Op, Options, Resource, Store};

const PODS: &str = "/registry/pods/";

fn extract(key: &str, _: &[u8]) -> Result<Meta, String> {
    let name = key.rsplit('/').next().unwrap_or_default().into();
    Ok(Meta { namespace: "ns".into(), name, ..Meta::default() })
}

fn resources() -> Vec<Resource> {
    vec![Resource {
        prefix: PODS.into(),
        extract: Arc::new(extract),
        field_names: Vec::new(),
        canonical: None,
        in_etcd: None,
    }]
}

async fn open(options: EtcdOptions) -> Store {
    Store::open_etcd(options, resources(), Options::default()).await.unwrap()
}

fn key(name: &str) -> String {
    format!("{PODS}ns/{name}")
}

fn put(name: &str, text: &str, expect: Expect) -> Op {
    let key = key(name);
    let meta = extract(&key, b"").unwrap();
    Op::Put { key, bytes: Bytes::copy_from_slice(text.as_bytes()), meta, expect }
}

async fn commit(store: &Store, op: Op) -> Result<Committed, CommitError> {
    store.commit(vec![op]).await
}

async fn set(store: &Store, name: &str, text: &str) -> u64 {
    commit(store, put(name, text, Expect::Any)).await.unwrap().revision
}

fn text(store: &Store, name: &str) -> Option<String> {
    store.get(&key(name)).map(|object| String::from_utf8(object.bytes().to_vec()).unwrap())
}

/// The next `count` events as "name text revision"; a deletion has no text.
async fn events(cursor: &mut Cursor, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let event = tokio::time::timeout(Duration::from_secs(30), cursor.next()).await.expect("an event").unwrap();
        let text = match event.kind {
            store::Kind::Put => String::from_utf8_lossy(&event.object.bytes()).into_owned(),
            store::Kind::Delete => String::new(),
        };
        seen.push(format!("{} {text} {}", event.object.meta.name, event.revision));
    }
    seen
}

/// Tries until it is so. What must come and brings no message is asked for again and again.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !is_so().await {
        assert!(Instant::now() < deadline, "not {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
