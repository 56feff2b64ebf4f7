//! Objects in the embedded store, encrypted: what is on the disk, through changes of keys and restarts.

#[path = "../../../store/tests/etcd_server/mod.rs"]
mod etcd_server;
mod service;

use base64::Engine as _;
use bytes::Bytes;
use encryption::{Config, Encryption};
use etcd_server::EtcdServer;
use meta::{Str, Value, value};
use service::Service;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use store::{AtRest, Expect, Meta, Op, Options, Resource, Store};

const MARKER: &str = "what nobody may read";

fn key(name: &str) -> Value {
    let secret: Vec<u8> = name.bytes().cycle().take(32).collect();
    value!({"name": name, "secret": (base64::engine::general_purpose::STANDARD.encode(secret))})
}

fn keys(kind: &str, names: &[&str]) -> Value {
    let keys: Vec<Value> = names.iter().map(|name| key(name)).collect();
    value!({kind: {"keys": keys}})
}

fn identity() -> Value {
    value!({"identity": {}})
}

fn kms(service: &Service) -> Value {
    let endpoint = format!("unix://{}", service.socket.display());
    value!({"kms": {"apiVersion": "v2", "name": "test", "endpoint": (endpoint.as_str()), "timeout": "5s"}})
}

fn config(providers: Vec<Value>) -> Config {
    let tree = value!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": providers}]
    });
    Config::from_value(&tree, false).expect("a configuration")
}

fn encryption(providers: Vec<Value>) -> Arc<Encryption> {
    let secrets = (Str::from("/registry/secrets/"), Str::default(), Str::from("secrets"));
    Arc::new(Encryption::new(config(providers), [secrets]).expect("keys"))
}

/// The label of an object is in its bytes.
fn meta_of(key: &str, bytes: &[u8]) -> Meta {
    let text = String::from_utf8_lossy(bytes);
    let label = text.split(' ').next().unwrap_or_default();
    let name = key.rsplit('/').next().unwrap_or_default().into();
    Meta { name, namespace: "a".into(), labels: vec![("l".into(), label.into())], ..Meta::default() }
}

fn secrets() -> Resource {
    Resource {
        prefix: "/registry/secrets/".into(),
        extract: Arc::new(|key, bytes| Ok(meta_of(key, bytes))),
        field_names: vec![],
        canonical: None,
        in_etcd: None,
    }
}

fn open(dir: &Path, at_rest: Option<Arc<Encryption>>) -> Result<Store, String> {
    let at_rest = at_rest.map(|encryption| encryption as Arc<dyn AtRest>);
    // Small files: checkpoints and new segments come soon.
    let options = Options { at_rest, segment_bytes: 16 << 10, disk_log_bytes_max: 32 << 10, ..Options::default() };
    Store::open_embedded(dir, vec![secrets()], options).map_err(|why| why.to_string())
}

async fn put(store: &Store, name: &str, text: &str) {
    let key = format!("/registry/secrets/a/{name}");
    let bytes = Bytes::from(format!("{text} {MARKER}"));
    let meta = meta_of(&key, &bytes);
    store.commit(vec![Op::Put { key, bytes, meta, expect: Expect::Any }]).await.expect("written");
}

fn texts(store: &Store) -> BTreeMap<String, String> {
    let objects = store.snapshot("/registry/secrets/");
    let text = |object: &Arc<store::Object>| {
        let text = String::from_utf8_lossy(&object.bytes()).replace(&format!(" {MARKER}"), "");
        assert_eq!(object.meta.labels, [("l".into(), text.as_str().into())], "metadata is read from the plain bytes");
        (object.meta.name.to_string(), text)
    };
    objects.iter().map(text).collect()
}

fn disk(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).expect("the directory").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).unwrap_or_default()).collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Every provider, first in the list or not, any number of times; restarts in between.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_keys_change() {
    let (dir, sockets) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let service = Service::start(sockets.path());
    let all = || {
        vec![
            keys("aescbc", &["one", "two"]),
            keys("aesgcm", &["one", "three"]),
            keys("secretbox", &["one", "two"]),
            kms(&service),
            identity(),
        ]
    };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap_or(0) % below
    };
    let mut wanted = BTreeMap::new();
    let mut used = std::collections::BTreeSet::new();
    for life in 0..12 {
        let mut providers = all();
        let first = next(providers.len());
        providers.rotate_left(first);
        used.insert(first);
        let encryption = encryption(providers);
        let store = open(dir.path(), Some(encryption.clone())).expect("the store");
        assert_eq!(texts(&store), wanted, "life {life}");
        for step in 0..40 {
            let name = format!("s{}", next(30));
            if next(5) == 0 && wanted.remove(&name).is_some() {
                let op = Op::Delete { key: format!("/registry/secrets/a/{name}"), expect: Expect::Any };
                store.commit(vec![op]).await.expect("deleted");
            } else {
                let text = format!("{life}-{step}");
                put(&store, &name, &text).await;
                wanted.insert(name, text);
            }
            if next(15) == 0 {
                let mut providers = all();
                providers.rotate_left(next(5));
                encryption.replace(config(providers)).expect("other keys");
            }
        }
        assert_eq!(texts(&store), wanted, "life {life}, in memory");
        drop(store);
    }
    assert_eq!(used.len(), 5, "every provider was first");
}

#[tokio::test]
async fn nothing_of_an_object_is_on_the_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), Some(encryption(vec![keys("aesgcm", &["one"])]))).expect("the store");
    put(&store, "s", "label-of-a-secret").await;
    let backup = dir.path().join("backup");
    store::backup(dir.path(), &backup, &[]).expect("a backup");
    drop(store);
    let bytes = disk(dir.path());
    assert!(has(&bytes, "k8s:enc:aesgcm:v1:one:"));
    assert!(!has(&bytes, MARKER) && !has(&bytes, "label-of-a-secret"));

    let restored = tempfile::tempdir().expect("a directory");
    store::restore(&backup, restored.path()).expect("restored");
    let store = open(restored.path(), Some(encryption(vec![keys("aesgcm", &["one"])]))).expect("the store");
    assert_eq!(texts(&store).values().next().map(String::as_str), Some("label-of-a-secret"));
}

#[tokio::test]
async fn a_missing_or_wrong_key_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), Some(encryption(vec![keys("secretbox", &["one"])]))).expect("the store");
    put(&store, "s", "x").await;
    drop(store);
    let refusal = |at_rest| open(dir.path(), at_rest).expect_err("a refusal");
    let prefix = "unable to transform key \"/registry/secrets/a/s\": ";
    assert_eq!(refusal(None), format!("{prefix}it is encrypted, and no key is given"));
    let other = || Some(encryption(vec![keys("secretbox", &["two"]), identity()]));
    assert_eq!(refusal(other()), format!("{prefix}identity transformer tried to read encrypted data"));
    let mut same_name = key("two");
    same_name.set("name", "one");
    let wrong = value!({"secretbox": {"keys": [same_name]}});
    let wrong = encryption(vec![wrong, identity()]);
    assert_eq!(refusal(Some(wrong)), format!("{prefix}cipher: message authentication failed"));
    let store = open(dir.path(), Some(encryption(vec![identity(), keys("secretbox", &["one"])]))).expect("the store");
    assert_eq!(texts(&store).len(), 1);
}

/// The documented way: a new key first, everything written again, the old key out.
#[tokio::test]
async fn an_old_key_can_go_when_everything_was_written_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), None).expect("the store");
    for name in ["a", "b", "gone"] {
        put(&store, name, "plain").await;
    }
    drop(store);
    let keys_now = encryption(vec![keys("aescbc", &["one"]), identity()]);
    let store = open(dir.path(), Some(keys_now.clone())).expect("the store");
    let stale = |store: &Store| store.snapshot("/registry/secrets/").iter().filter(|o| store.is_stale(o)).count();
    assert_eq!(stale(&store), 3, "plain objects are to be encrypted");
    put(&store, "a", "plain").await;
    assert_eq!(stale(&store), 2);
    keys_now.replace(config(vec![keys("aescbc", &["two", "one"]), identity()])).expect("a new key");
    assert_eq!(stale(&store), 3);
    for name in ["a", "b"] {
        put(&store, name, "again").await;
    }
    let gone = Op::Delete { key: "/registry/secrets/a/gone".into(), expect: Expect::Any };
    store.commit(vec![gone]).await.expect("deleted");
    assert_eq!(stale(&store), 0);
    drop(store);
    // The log still has what was written with the old key, and plainly; nobody needs it.
    let store = open(dir.path(), Some(encryption(vec![keys("aescbc", &["two"])]))).expect("the store");
    assert_eq!(texts(&store).len(), 2);
    put(&store, "c", "more").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_has_the_keys() {
    let (dir, sockets) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let service = Service::start(sockets.path());
    let counts = || {
        let known = service.known.lock().expect("no panic");
        (known.sealed, known.opened)
    };
    let store = open(dir.path(), Some(encryption(vec![kms(&service)]))).expect("the store");
    for number in 0..20 {
        put(&store, &format!("s{number}"), "x").await;
    }
    assert_eq!(counts(), (1, 0), "one seed for all");
    drop(store);
    assert!(has(&disk(dir.path()), "k8s:enc:kms:v2:test:") && !has(&disk(dir.path()), MARKER));

    let store = open(dir.path(), Some(encryption(vec![kms(&service)]))).expect("the store");
    assert_eq!(texts(&store).len(), 20);
    assert_eq!(counts().1, 1, "opened once");
    assert_eq!(store.snapshot("/registry/secrets/").iter().filter(|o| store.is_stale(o)).count(), 0);
    drop(store);

    service.known.lock().expect("no panic").keys.push("key-2".into());
    let store = open(dir.path(), Some(encryption(vec![kms(&service)]))).expect("the store");
    assert_eq!(store.snapshot("/registry/secrets/").iter().filter(|o| store.is_stale(o)).count(), 20);
    drop(store);

    service.known.lock().expect("no panic").keys.remove(0);
    let why = open(dir.path(), Some(encryption(vec![kms(&service)]))).expect_err("a refusal");
    assert!(why.contains("failed to decrypt DEK") && why.contains("no such key"), "{why}");
}

/// Two servers on one etcd, one of which has the new key first.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_etcd_is_encrypted_and_read_by_others() {
    let Some(etcd) = EtcdServer::start("encryption") else { return };
    let open = async |providers: Vec<Value>| {
        let at_rest = Some(encryption(providers) as Arc<dyn AtRest>);
        let options = Options { at_rest, ..Options::default() };
        Store::open_etcd(etcd.options(), vec![secrets()], options).await
    };
    let one = open(vec![keys("aesgcm", &["one", "two"]), identity()]).await.expect("a store");
    let other = open(vec![keys("aesgcm", &["two", "one"]), identity()]).await.expect("a store");
    put(&one, "s", "x").await;
    other.read_barrier().await.expect("an answer");
    assert_eq!(texts(&other), texts(&one));
    let stale = |store: &Store| store.snapshot("/registry/secrets/").iter().filter(|o| store.is_stale(o)).count();
    assert_eq!((stale(&one), stale(&other)), (0, 1));
    put(&other, "s", "y").await;
    one.read_barrier().await.expect("an answer");
    assert_eq!(texts(&one)["s"], "y");
    let client = etcd::Client::new(&etcd.options().client).expect("a client");
    let request = etcd::RangeRequest { key: b"/registry/secrets/a/s".to_vec(), ..etcd::RangeRequest::default() };
    let answer = client.range(&request).await.expect("an answer");
    assert!(answer.kvs[0].value.starts_with(b"k8s:enc:aesgcm:v1:two:") && !has(&answer.kvs[0].value, MARKER));
    drop((one, other));
    let why = open(vec![keys("aesgcm", &["one"])]).await.expect_err("a refusal");
    assert_eq!(why, "unable to transform key \"/registry/secrets/a/s\": no matching prefix found");
    // The old key is gone from the configuration, and what was written with it is history.
    let store = open(vec![keys("aesgcm", &["two"])]).await.expect("a store");
    assert_eq!(texts(&store)["s"], "y");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_unwell_is_told_and_not_used() {
    let (dir, sockets) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let service = Service::start(sockets.path());
    service.known.lock().expect("no panic").unwell = true;
    let sick = encryption(vec![kms(&service), identity()]);
    let health = sick.health();
    let why = health[0].1.as_ref().expect_err("unwell");
    assert_eq!(why, "kmsv2 Provider test is not healthy, error: got unexpected healthz status: no");
    let store = open(dir.path(), Some(sick)).expect("the store");
    let op =
        Op::Put { key: "/registry/secrets/a/s".into(), bytes: "x".into(), meta: Meta::default(), expect: Expect::Any };
    let why = store.commit(vec![op]).await.expect_err("nothing is written").to_string();
    assert!(why.contains("got unexpected nil transformer"), "{why}");
    let well = encryption(vec![keys("aescbc", &["one"])]);
    assert!(well.replace(config(vec![kms(&service)])).is_err(), "the old keys stay");
    assert!(well.mark("/registry/secrets/a/s") != 0);
}
