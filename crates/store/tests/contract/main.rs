//! What every engine promises. Each test runs on each engine, and on the embedded one again after a restart where that
//! should make no difference.

use bytes::Bytes;
use meta::Str;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{
    CommitError, Committed, Compacted, Expect, Kind, Lost, Meta, Op, Options, OutOfRange, Resource, Store, Term,
};

#[path = "../etcd_server/mod.rs"]
mod etcd_server;
mod reading;
mod watching;

use etcd_server::EtcdServer;
use reading::readers_see_whole_transactions;
use watching::{
    bookmarks_are_true, quiet_watchers_lose_nothing, watchers_wait_and_hear, watches_are_ordered_complete_and_resumable,
};

/// Bytes of the tests' objects: "label=value,label=value|field|field|text".
fn extract(key: &str, bytes: &[u8]) -> Result<Meta, String> {
    let text = std::str::from_utf8(bytes).map_err(|err| err.to_string())?;
    let mut parts = text.split('|');
    let labels = parts.next().unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
    let mut labels: Vec<(Str, Str)> = labels.map(|(key, value)| (key.into(), value.into())).collect();
    labels.sort();
    let fields = parts.take(2).map(Str::from).collect();
    let mut segments = key.trim_start_matches("/registry/").rsplit('/');
    let name = segments.next().unwrap_or_default().into();
    let namespace = segments.next().filter(|s| s.starts_with("ns")).unwrap_or_default().into();
    Ok(Meta { namespace, name, labels, fields, expires_at_seconds: None })
}

fn resource(prefix: &str) -> Resource {
    let field_names = vec!["x".into(), "y".into()];
    Resource { prefix: prefix.into(), extract: Arc::new(extract), field_names, canonical: None, in_etcd: None }
}

fn resources() -> Vec<Resource> {
    vec![resource("/registry/pods/"), resource("/registry/nodes/"), resource("/registry/services/specs/")]
}

fn options() -> Options {
    Options { upkeep: false, segment_bytes: 64 << 10, ..Options::default() }
}

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("kybern-store-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store that may be closed and opened again between steps.
struct Subject {
    store: Option<Store>,
    kept: Kept,
}

/// Where a store's objects are when it is closed.
enum Kept {
    Nowhere,
    Directory(Scratch),
    Etcd(EtcdServer),
}

impl Subject {
    fn memory() -> Subject {
        Subject { store: Some(Store::open_memory_with(resources(), options())), kept: Kept::Nowhere }
    }

    fn embedded(name: &str) -> Subject {
        let directory = Scratch::new(name);
        let store = Store::open_embedded(directory.path(), resources(), options()).unwrap();
        Subject { store: Some(store), kept: Kept::Directory(directory) }
    }

    /// `None` when there is no etcd.
    fn etcd(name: &str) -> Option<Subject> {
        let server = EtcdServer::start(name)?;
        Some(Subject { store: Some(open_etcd(&server)), kept: Kept::Etcd(server) })
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Makes no difference to anyone.
    fn restart(&mut self) {
        match &self.kept {
            Kept::Nowhere => {}
            Kept::Directory(directory) => {
                self.store = None;
                self.store = Some(Store::open_embedded(directory.path(), resources(), options()).unwrap());
            }
            Kept::Etcd(server) => {
                self.store = None;
                self.store = Some(open_etcd(server));
            }
        }
    }

    fn is_kept(&self) -> bool {
        !matches!(self.kept, Kept::Nowhere)
    }
}

fn open_etcd(server: &EtcdServer) -> Store {
    let opened = Store::open_etcd(server.options(), resources(), options());
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opened)).unwrap()
}

/// One test per engine for each of these. etcd's clock is the real one: what expires there has a test of its own.
macro_rules! contract {
    (by_the_clock: $($timed:ident),*; $($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() { super::$name(super::Subject::memory()).await; })*
            $(#[tokio::test] async fn $timed() { super::$timed(super::Subject::memory()).await; })*
        }
        mod embedded {
            $(#[tokio::test] async fn $name() { super::$name(super::Subject::embedded(stringify!($name))).await; })*
            $(#[tokio::test] async fn $timed() { super::$timed(super::Subject::embedded(stringify!($timed))).await; })*
        }
        mod etcd {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                let Some(subject) = super::Subject::etcd(stringify!($name)) else { return };
                super::$name(subject).await;
            })*
        }
    };
}

contract!(
    by_the_clock: what_expires_is_deleted;
    writes_are_compared_and_ordered,
    transactions_are_whole,
    snapshots_stay_as_they_were,
    readers_see_whole_transactions,
    pages_are_served_at_their_revision,
    indexes_follow_changes,
    watches_are_ordered_complete_and_resumable,
    watchers_wait_and_hear,
    quiet_watchers_lose_nothing,
    compaction_forgets_history_only,
    bookmarks_are_true,
    resources_come_and_go,
    readers_see_one_resource_or_the_other,
    behaves_as_a_model,
);

fn put(key: &str, text: &str, expect: Expect) -> Op {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    Op::Put { key: key.into(), meta: extract(key, &bytes).unwrap(), bytes, expect }
}

fn delete(key: &str, expect: Expect) -> Op {
    Op::Delete { key: key.into(), expect }
}

async fn commit(store: &Store, op: Op) -> Result<Committed, CommitError> {
    store.commit(vec![op]).await
}

async fn set(store: &Store, key: &str, text: &str) -> u64 {
    commit(store, put(key, text, Expect::Any)).await.unwrap().revision
}

fn keys<'a>(objects: impl IntoIterator<Item = &'a Arc<store::Object>>) -> Vec<String> {
    objects.into_iter().map(|object| object.key.rsplit('/').next().unwrap().to_owned()).collect()
}

async fn writes_are_compared_and_ordered(mut subject: Subject) {
    const A: &str = "/registry/pods/ns1/a";
    let begun = subject.store().revision();
    let first = commit(subject.store(), put(A, "|x|y|1", Expect::Absent)).await.unwrap();
    assert_eq!(first.revision, begun + 1);
    assert_eq!(subject.store().revision(), first.revision, "visible when acknowledged");
    subject.restart();
    let store = subject.store();
    let there = store.get(A).unwrap();
    assert_eq!(
        (there.revision, there.create_revision, &there.bytes()[..]),
        (first.revision, first.revision, &b"|x|y|1"[..])
    );
    assert_eq!(there.meta, extract(A, b"|x|y|1").unwrap());
    for refused in [
        put(A, "", Expect::Absent),
        put(A, "", Expect::Revision(begun)),
        delete(A, Expect::Revision(begun)),
        put("/registry/pods/ns1/b", "", Expect::Revision(first.revision)),
        delete("/registry/pods/ns1/b", Expect::Any),
    ] {
        let text = format!("{refused:?}");
        match commit(store, refused).await {
            Err(CommitError::Conflict { key, current }) => {
                assert_eq!(current.map(|c| c.revision), (&*key == A).then_some(first.revision), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(store.revision(), first.revision, "what is refused takes no revision");
    let second = commit(store, put(A, "|x|y|2", Expect::Revision(first.revision))).await.unwrap();
    let changed = store.get(A).unwrap();
    assert_eq!((changed.revision, changed.create_revision), (second.revision, first.revision));
    let third = commit(store, delete(A, Expect::Revision(second.revision))).await.unwrap();
    assert_eq!((third.objects[0].revision, &third.objects[0].bytes()[..]), (third.revision, &b"|x|y|2"[..]));
    assert!(store.get(A).is_none());
    assert!(matches!(
        commit(store, put("/registry/other/x", "", Expect::Any)).await,
        Err(CommitError::Unregistered { .. })
    ));
    subject.restart();
    assert_eq!(subject.store().revision(), third.revision);
    assert!(subject.store().get(A).is_none());
}

async fn transactions_are_whole(mut subject: Subject) {
    let store = subject.store();
    let old = set(store, "/registry/pods/ns1/a", "1").await;
    let ops = vec![
        put("/registry/pods/ns1/b", "2", Expect::Absent),
        put("/registry/nodes/n", "3", Expect::Absent),
        delete("/registry/pods/ns1/a", Expect::Revision(old)),
    ];
    let mut refused = ops.clone();
    refused.push(put("/registry/nodes/m", "", Expect::Revision(1)));
    let err = store.commit(refused).await.unwrap_err();
    assert!(matches!(err, CommitError::Conflict { key, current: None } if &*key == "/registry/nodes/m"));
    assert!(store.get("/registry/nodes/n").is_none());
    let twice = vec![put("/registry/nodes/m", "", Expect::Any), delete("/registry/nodes/m", Expect::Any)];
    assert!(store.commit(twice).await.is_err());
    let done = store.commit(ops).await.unwrap();
    assert_eq!(done.objects.iter().map(|o| o.revision).collect::<Vec<_>>(), vec![done.revision; 3]);
    subject.restart();
    let store = subject.store();
    assert_eq!(store.get("/registry/nodes/n").unwrap().revision, done.revision);
    let mut cursor = store.watch("/registry/pods/", old).unwrap();
    let (one, two) = (cursor.next().await.unwrap(), cursor.next().await.unwrap());
    assert_eq!((one.revision, two.revision), (done.revision, done.revision));
    assert_eq!((one.kind, two.kind), (Kind::Put, Kind::Delete));
}

async fn snapshots_stay_as_they_were(subject: Subject) {
    let store = subject.store();
    for n in 0..100 {
        set(store, &format!("/registry/pods/ns{}/p{n:02}", n % 2), "a=b|x|y|").await;
    }
    let all = store.snapshot("/registry/pods/");
    let one = store.snapshot("/registry/pods/ns1/");
    assert_eq!((all.len(), one.len(), store.snapshot("/registry/nodes/").len()), (100, 50, 0));
    assert_eq!(all.bytes(), 800);
    set(store, "/registry/pods/ns1/q", "").await;
    commit(store, delete("/registry/pods/ns1/p01", Expect::Any)).await.unwrap();
    assert_eq!((all.len(), one.len()), (100, 50));
    assert!(all.get("/registry/pods/ns1/p01").is_some() && one.get("/registry/pods/ns0/p00").is_none());
    assert_eq!(keys(one.iter().take(2)), ["p01", "p03"]);
    assert_eq!(keys(all.iter_from("/registry/pods/ns1/p98")), ["p99"]);
    assert_eq!(one.count_from("/registry/pods/ns1/p91"), 5);
    assert_eq!(one.count_from("/registry/pods/"), 50);
    let now = store.snapshot("/registry/pods/ns1/");
    assert_eq!((now.len(), now.revision()), (50, all.revision() + 2));
    assert!(store.snapshot("/registry/nothing/").is_empty());
}

async fn pages_are_served_at_their_revision(mut subject: Subject) {
    let mut states: Vec<(u64, Vec<String>)> = Vec::new();
    for n in 0..60u32 {
        let store = subject.store();
        let key = format!("/registry/pods/ns1/p{:02}", (n * 7) % 20);
        match store.get(&key) {
            Some(_) if n % 3 == 0 => drop(commit(store, delete(&key, Expect::Any)).await.unwrap()),
            _ => drop(set(store, &key, &format!("n={n}|f|g|{n}")).await),
        }
        let snapshot = store.snapshot("/registry/pods/");
        let texts = snapshot.iter().map(|o| format!("{}@{}:{:?}", o.key, o.revision, o.bytes()));
        states.push((snapshot.revision(), texts.collect()));
    }
    subject.restart();
    let store = subject.store();
    for step in [1usize, 13] {
        for (revision, state) in states.iter().step_by(step).chain(states.iter().rev()) {
            let page = store.snapshot_at("/registry/pods/", *revision).unwrap();
            let texts: Vec<String> = page.iter().map(|o| format!("{}@{}:{:?}", o.key, o.revision, o.bytes())).collect();
            assert_eq!((page.revision(), &texts), (*revision, state));
            for object in page.iter() {
                let (key, value) = object.meta.labels[0].clone();
                assert_eq!(page.select(&[vec![Term::Label { key, value }]], "").count(), 1);
            }
        }
    }
    let newest = store.revision();
    let future = store.snapshot_at("/registry/pods/", newest + 1).unwrap_err();
    assert_eq!(future, OutOfRange::Future { newest });
}

async fn indexes_follow_changes(mut subject: Subject) {
    for n in 0..200 {
        let text = format!("app=web,n={n}|node{}|Running|", n % 10);
        set(subject.store(), &format!("/registry/pods/ns{}/p{n:03}", n % 2), &text).await;
    }
    set(subject.store(), "/registry/pods/ns1/p003", "app=db,n=3|node5|Failed|").await;
    commit(subject.store(), delete("/registry/pods/ns1/p013", Expect::Any)).await.unwrap();
    for _ in 0..2 {
        let pods = subject.store().snapshot("/registry/pods/");
        let label = |key: &str, value: &str| Term::Label { key: key.into(), value: value.into() };
        let field = |index, value: &str| Term::Field { index, value: value.into() };
        assert_eq!(keys(pods.select(&[vec![label("app", "db")]], "")), ["p003"]);
        assert_eq!(pods.select(&[vec![field(0, "node3")]], "").count(), 18);
        assert_eq!(pods.select(&[vec![field(0, "node5")]], "").count(), 21);
        assert_eq!(keys(pods.select(&[vec![label("app", "web")], vec![label("n", "7")]], "")), ["p007"]);
        assert_eq!(pods.select(&[vec![label("app", "web")], vec![label("n", "none")]], "").count(), 0);
        assert_eq!(keys(pods.select(&[vec![field(0, "node1")]], "/registry/pods/ns1/p181")), ["p181", "p191"]);
        assert_eq!(pods.select(&[], "").count(), 199);
        let part = subject.store().snapshot("/registry/pods/ns0/");
        assert_eq!(part.select(&[vec![field(0, "node5")]], "").count(), 0);
        assert_eq!(part.select(&[vec![field(0, "node4")]], "").count(), 20);
        let either = |terms: &[Term]| keys(pods.select(&[terms.to_vec()], ""));
        assert_eq!(either(&[label("n", "9"), label("app", "db"), label("n", "7")]), ["p003", "p007", "p009"]);
        assert_eq!(either(&[label("n", "7"), label("n", "none")]), ["p007"]);
        assert_eq!(either(&[label("app", "db"), label("app", "web")]).len(), 199);
        assert_eq!(either(&[]), [""; 0]);
        assert_eq!(pods.frequency(&label("app", "web")), 198);
        let values: Vec<_> = pods.label_values("app").map(|(value, count)| (value.to_string(), count)).collect();
        assert_eq!(values, [("db".to_owned(), 1), ("web".to_owned(), 198)]);
        subject.restart();
    }
}

async fn compaction_forgets_history_only(mut subject: Subject) {
    let store = subject.store();
    for n in 0..20 {
        set(store, "/registry/pods/ns1/a", &n.to_string()).await;
    }
    let newest = store.revision();
    let mut slow = store.watch("/registry/pods/", newest - 15).unwrap();
    store.compact(newest - 5);
    let oldest = newest - 5;
    assert_eq!(store.watch("/registry/pods/", oldest - 1).unwrap_err(), Compacted { oldest });
    assert_eq!(store.watch("/registry/nodes/", oldest - 1).unwrap_err(), Compacted { oldest });
    assert_eq!(store.snapshot_at("/registry/pods/", oldest - 1).unwrap_err(), OutOfRange::Compacted { oldest });
    assert_eq!(slow.next().await.unwrap_err(), Lost { oldest });
    let mut cursor = store.watch("/registry/pods/", oldest).unwrap();
    assert_eq!(cursor.next().await.unwrap().revision, oldest + 1);
    assert_eq!(&store.snapshot_at("/registry/pods/", oldest).unwrap().iter().next().unwrap().bytes()[..], b"14");
    subject.restart();
    assert_eq!(&subject.store().get("/registry/pods/ns1/a").unwrap().bytes()[..], b"19");
}

async fn what_expires_is_deleted(mut subject: Subject) {
    let mut watching = subject.store().revision();
    for (name, at) in [("a", Some(100)), ("b", Some(200)), ("c", None), ("d", Some(100))] {
        let key = format!("/registry/pods/ns1/{name}");
        let meta = Meta { expires_at_seconds: at, ..extract(&key, b"").unwrap() };
        commit(subject.store(), Op::Put { key, bytes: Bytes::new(), meta, expect: Expect::Absent }).await.unwrap();
    }
    // Written again with a later time, as events are.
    let meta = Meta { expires_at_seconds: Some(150), ..extract("/registry/pods/ns1/d", b"").unwrap() };
    let op = Op::Put { key: "/registry/pods/ns1/d".into(), bytes: Bytes::new(), meta, expect: Expect::Any };
    commit(subject.store(), op).await.unwrap();
    for (now, left) in [(99, "abcd"), (100, "bcd"), (151, "bc"), (1000, "c")] {
        subject.restart();
        let store = subject.store();
        watching = store.revision().max(watching);
        let mut cursor = store.watch("/registry/pods/", watching).unwrap();
        let before = store.snapshot("/registry/pods/").len();
        store.tick(now).await.unwrap();
        assert_eq!(keys(store.snapshot("/registry/pods/").iter()).concat(), left, "at {now}");
        if before > left.len() {
            assert_eq!(cursor.next().await.unwrap().kind, Kind::Delete);
        }
    }
}

async fn resources_come_and_go(mut subject: Subject) {
    const WIDGETS: &str = "/registry/example.com/widgets/";
    subject.store().register(resource(WIDGETS));
    set(subject.store(), "/registry/example.com/widgets/ns1/w", "a=b|x|y|").await;
    let mut cursor = subject.store().watch(WIDGETS, subject.store().revision()).unwrap();
    subject.store().unregister(WIDGETS);
    assert!(cursor.next().await.is_err());
    assert!(subject.store().get("/registry/example.com/widgets/ns1/w").is_none());
    assert!(commit(subject.store(), put("/registry/example.com/widgets/ns1/v", "", Expect::Any)).await.is_err());
    subject.restart();
    subject.store().register(resource(WIDGETS));
    let store = subject.store();
    if subject.is_kept() {
        assert!(store.watch(WIDGETS, 1).unwrap().try_next().unwrap().is_some(), "history survives the restart");
    }
    let other = Resource { field_names: vec!["x".into()], ..resource(WIDGETS) };
    let mut cursor = store.watch(WIDGETS, store.revision()).unwrap();
    store.register(resource(WIDGETS));
    assert_eq!(cursor.try_next().map(|event| event.is_some()), Ok(false), "the same again changes nothing");
    store.register(other);
    assert!(cursor.next().await.is_err(), "other fields");
    store.register(resource(WIDGETS));
    assert_eq!(store.get("/registry/example.com/widgets/ns1/w").unwrap().meta.fields, ["x", "y"]);
    let snapshot = store.snapshot(WIDGETS);
    assert_eq!(snapshot.select(&[vec![Term::Label { key: "a".into(), value: "b".into() }]], "").count(), 1);
    let revision = set(store, "/registry/example.com/widgets/ns1/w", "a=c|x|y|").await;
    let mut cursor = store.watch(WIDGETS, revision - 1).unwrap();
    assert_eq!(cursor.next().await.unwrap().previous.unwrap().meta.labels[0].1, "b");
}

/// Whoever lists while a resource changes its fields sees all of its objects.
async fn readers_see_one_resource_or_the_other(subject: Subject) {
    let store = subject.store();
    for n in 0..300 {
        set(store, &format!("/registry/pods/ns1/p{n:03}"), "a=b|x|y|").await;
    }
    let reader = store.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let reading = std::thread::spawn(move || {
        let mut lists = 0u64;
        while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) || lists == 0 {
            assert_eq!(reader.snapshot("/registry/pods/").len(), 300);
            lists += 1;
        }
    });
    for n in 0..100 {
        let field_names = vec![format!("f{n}").into()];
        store.register(Resource { field_names, ..resource("/registry/pods/") });
    }
    drop(stop);
    reading.join().unwrap();
}

/// Random operations against a sorted map, with restarts.
async fn behaves_as_a_model(mut subject: Subject) {
    let mut model = std::collections::BTreeMap::<String, (u64, String)>::new();
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for step in 0..600 {
        let store = subject.store();
        let key = format!("/registry/pods/ns{}/p{}", random(3), random(40));
        let known = model.get(&key).map(|(revision, _)| *revision);
        let expect = match random(4) {
            0 => Expect::Absent,
            1 => Expect::Any,
            2 => Expect::Revision(known.unwrap_or(3)),
            _ => Expect::Revision(known.unwrap_or(3) + random(2)),
        };
        let text = format!("l={}|f{}||{step}", random(5), random(3));
        let deleting = random(3) == 0;
        let allowed = match expect {
            Expect::Absent => known.is_none() && !deleting,
            Expect::Any => !deleting || known.is_some(),
            Expect::Revision(revision) => known == Some(revision),
        };
        let op = if deleting { delete(&key, expect) } else { put(&key, &text, expect) };
        match commit(store, op).await {
            Ok(_) if !allowed => panic!("step {step}: should have been refused"),
            Err(err) if allowed => panic!("step {step}: {err}"),
            Err(_) => {}
            Ok(_) if deleting => drop(model.remove(&key)),
            Ok(done) => drop(model.insert(key, (done.revision, text))),
        }
        if step % 97 == 0 {
            subject.restart();
        }
        if step % 50 == 0 {
            let snapshot = subject.store().snapshot("/registry/pods/");
            let there = snapshot
                .iter()
                .map(|o| (o.key.to_string(), (o.revision, String::from_utf8_lossy(&o.bytes()).into_owned())));
            assert!(there.eq(model.clone()), "step {step}");
            for value in 0..5 {
                let term = Term::Label { key: "l".into(), value: value.to_string().into() };
                let found = snapshot.select(&[vec![term]], "").count();
                assert_eq!(found, model.values().filter(|(_, text)| text.starts_with(&format!("l={value}|"))).count());
            }
        }
    }
}
