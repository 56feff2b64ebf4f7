//! Several servers on one etcd; leases and compaction, which they share.

use crate::{EtcdServer, commit, events, eventually, extract, key, open, put, set, text};
use bytes::Bytes;
use etcd::{Client, KeyValue, RangeRequest, Request, TxnRequest};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{CommitError, EtcdOptions, Expect, Op, Store};

/// What etcd has under a key, or under all that begin with it.
async fn raw(client: &Client, key: &str, range_end: &str) -> Vec<KeyValue> {
    let request = RangeRequest { key: key.into(), range_end: range_end.into(), ..RangeRequest::default() };
    client.range(&request).await.unwrap().kvs
}

/// Adds one to a counter, whoever else does.
async fn increment(store: &Store, name: &str) -> u64 {
    loop {
        let current = store.get(&key(name));
        let number: u64 = current.as_ref().map_or(0, |o| std::str::from_utf8(&o.bytes()).unwrap().parse().unwrap());
        let expect = current.map_or(Expect::Absent, |object| Expect::Revision(object.revision));
        match commit(store, put(name, &(number + 1).to_string(), expect)).await {
            Ok(done) => return done.revision,
            Err(CommitError::Conflict { current: told, .. }) => {
                // Whoever tries again sees at least what it was refused for.
                let seen = store.get(&key(name)).map_or(0, |object| object.revision);
                assert!(told.is_some_and(|told| told.revision <= seen));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_write_and_watch_together() {
    let Some(etcd) = EtcdServer::start("together") else { return };
    let stores = [open(etcd.options()).await, open(etcd.options()).await];
    let begun = stores[0].revision();
    let mut cursors = stores.each_ref().map(|store| store.watch(crate::PODS, begun).unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = stores[writer % 2].clone();
        writers.spawn(async move {
            let mut revisions = Vec::new();
            for n in 0..25 {
                revisions.push(increment(&store, ["a", "b", "c"][(writer + n) % 3]).await);
            }
            revisions
        });
    }
    let mut revisions = writers.join_all().await.concat();
    revisions.sort_unstable();
    let mut histories = Vec::new();
    for cursor in &mut cursors {
        histories.push(events(cursor, 200).await);
    }
    assert_eq!(histories[0], histories[1]);
    let told: Vec<u64> = histories[0].iter().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(told, revisions, "in order, each once, and nothing else");
    for store in &stores {
        store.read_barrier().await.unwrap();
        let sum: u64 = ["a", "b", "c"].iter().map(|name| text(store, name).unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(sum, 200, "no increment was lost");
    }
    // A third one, later, sees the same objects, pages and history.
    let third = open(etcd.options()).await;
    assert_eq!(events(&mut third.watch(crate::PODS, begun).unwrap(), 200).await, histories[0]);
    let middle = revisions[100];
    let page = |store: &Store| {
        let page = store.snapshot_at(crate::PODS, middle).unwrap();
        page.iter().map(|o| format!("{} {} {:?}", o.key, o.revision, o.bytes())).collect::<Vec<_>>()
    };
    assert_eq!(page(&third), page(&stores[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_sees_revisions_that_are_not_ours() {
    let Some(etcd) = EtcdServer::start("foreign") else { return };
    let store = open(EtcdOptions { prefix: "/one".into(), ..etcd.options() }).await;
    let other = open(EtcdOptions { prefix: "/two/".into(), ..etcd.options() }).await;
    let client = Client::new(&etcd.options().client).unwrap();
    let mut cursor = store.watch(crate::PODS, store.revision()).unwrap();
    for n in 0..5 {
        let theirs = set(&other, "a", &n.to_string()).await;
        assert!(store.read_barrier().await.unwrap() >= theirs);
        assert!(store.revision() >= theirs && cursor.progress() >= theirs);
    }
    assert!(store.get(&key("a")).is_none() && cursor.try_next().unwrap().is_none());
    let ours = set(&store, "a", "ours").await;
    assert_eq!(events(&mut cursor, 1).await, [format!("a ours {ours}")]);
    let keys = raw(&client, "\0", "\0").await.into_iter().map(|kv| String::from_utf8(kv.key.to_vec()).unwrap());
    assert_eq!(keys.collect::<Vec<_>>(), ["/one/pods/ns/a", "/two/pods/ns/a"]);
}

/// The metadata comes from the bytes when somebody else wrote them, and from who wrote them otherwise; also for objects
/// of a resource that is registered later.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_is_read() {
    let Some(etcd) = EtcdServer::start("others") else { return };
    let client = Client::new(&etcd.options().client).unwrap();
    let put =
        |key: &str, value: &'static [u8]| Request::Put { key: key.into(), value: Bytes::from_static(value), lease: 0 };
    let before = vec![put("/registry/pods/ns/a", b"1"), put("/registry/widgets/ns/w", b"1")];
    client.txn(&TxnRequest { then: before, ..TxnRequest::default() }).await.unwrap();
    let store = open(etcd.options()).await;
    let begun = store.revision();
    let after = vec![put("/registry/pods/ns/b", b"2"), put("/registry/widgets/ns/v", b"2")];
    client.txn(&TxnRequest { then: after, ..TxnRequest::default() }).await.unwrap();
    let gone = vec![Request::Delete { key: "/registry/widgets/ns/w".into() }];
    client.txn(&TxnRequest { then: gone, ..TxnRequest::default() }).await.unwrap();
    store.read_barrier().await.unwrap();
    assert_eq!((text(&store, "a"), text(&store, "b")), (Some("1".into()), Some("2".into())));
    assert_eq!(store.get(&key("b")).unwrap().meta.name, "b");
    let widgets = store::Resource { prefix: "/registry/widgets/".into(), ..crate::resources().remove(0) };
    store.register(widgets);
    let names: Vec<String> = store.snapshot("/registry/widgets/").iter().map(|o| o.meta.name.to_string()).collect();
    assert_eq!(names, ["v"]);
    let mut cursor = store.watch("/registry/widgets/", begun).unwrap();
    assert_eq!(events(&mut cursor, 2).await, [format!("v 2 {}", begun + 1), format!("w  {}", begun + 2)]);
}

fn now_seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn expiring(name: &str, after_seconds: i64) -> Op {
    let key = key(name);
    let meta = store::Meta { expires_at_seconds: Some(now_seconds() + after_seconds), ..extract(&key, b"").unwrap() };
    Op::Put { key, bytes: Bytes::from_static(b"1"), meta, expect: Expect::Any }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_expire_under_shared_leases() {
    let Some(etcd) = EtcdServer::start("leases") else { return };
    let (store, client) = (open(etcd.options()).await, Client::new(&etcd.options().client).unwrap());
    let lease = async |name: &str| raw(&client, &key(name), "").await[0].lease;
    for name in ["a", "b", "c"] {
        commit(&store, expiring(name, 3600)).await.unwrap();
    }
    assert!(lease("a").await != 0 && lease("a").await == lease("b").await && lease("b").await == lease("c").await);
    commit(&store, expiring("d", 7200)).await.unwrap();
    assert!(lease("d").await != 0 && lease("d").await != lease("a").await);
    set(&store, "a", "for ever").await;
    assert_eq!(lease("a").await, 0, "written without a time, it stays");
    let mut cursor = store.watch(crate::PODS, store.revision()).unwrap();
    // One that is over is not waited for: it gets the shortest lease.
    for (name, after) in [("e", 1), ("f", -10)] {
        commit(&store, expiring(name, after)).await.unwrap();
    }
    let mut seen: Vec<String> = events(&mut cursor, 4).await.iter().map(|line| line[..3].trim().to_owned()).collect();
    // On a slow machine the first is over before the second is there.
    seen.sort();
    assert_eq!(seen, ["e", "e 1", "f", "f 1"]);
    assert!(store.get(&key("e")).is_none() && store.get(&key("b")).is_some());
}

/// As kube-apiservers agree: one compacts, the others learn it.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_servers_compacts() {
    let Some(etcd) = EtcdServer::start("compaction") else { return };
    let options = EtcdOptions { compaction_interval: Duration::from_millis(300), ..etcd.options() };
    let stores = [open(options.clone()).await, open(options).await];
    let client = Client::new(&etcd.options().client).unwrap();
    let first = set(&stores[0], "a", "1").await;
    set(&stores[1], "a", "2").await;
    let at_first = |key: &str| RangeRequest {
        key: key.into(),
        revision: i64::try_from(first).unwrap(),
        ..RangeRequest::default()
    };
    eventually("compacted", async || client.range(&at_first(&key("a"))).await.is_err_and(|why| why.is_compacted()))
        .await;
    for store in &stores {
        eventually("forgotten", async || store.watch(crate::PODS, first).is_err()).await;
        assert_eq!(text(store, "a").as_deref(), Some("2"));
    }
    let noted = &raw(&client, "compact_rev_key", "").await[0];
    let compacted: u64 = std::str::from_utf8(&noted.value).unwrap().parse().unwrap();
    assert!(compacted >= first && noted.version >= 2, "{compacted} {noted:?}");
    // Who starts now begins where history begins.
    let late = open(etcd.options()).await;
    assert!(late.watch(crate::PODS, first).is_err());
    assert_eq!(text(&late, "a").as_deref(), Some("2"));
}
