//! Servers on one etcd, and objects that kube-apiserver has put there. Without an etcd these tests say so and pass.

#[path = "../../store/tests/etcd_server/mod.rs"]
mod etcd_server;

use bytes::Bytes;
use etcd::{Client, KeyValue, RangeRequest, Request as Step, TxnRequest};
use etcd_server::EtcdServer;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;
use meta::{Gvk, Value, json, value};
use serve::Resources;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn start(etcd: &EtcdServer) -> TestServer {
    let flag = format!("--etcd-servers=http://127.0.0.1:{}", etcd.port);
    let started = TestServer::start_with(&[&flag, "--service-cluster-ip-range=10.0.0.0/16"]).await;
    started.unwrap_or_else(|why| panic!("{why}"))
}

async fn send(server: &TestServer, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let bytes = if body.is_null() { Vec::new() } else { json::to_vec(body) };
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let response = server.request(request.body(Full::new(Bytes::from(bytes))).unwrap()).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, json::parse(&bytes).map(|parsed| parsed.value).unwrap_or_default())
}

async fn get(server: &TestServer, path: &str) -> (u16, Value) {
    send(server, Method::GET, path, &Value::Null).await
}

/// What etcd has under a key.
async fn raw(client: &Client, key: &str) -> KeyValue {
    let range = RangeRequest { key: key.into(), ..RangeRequest::default() };
    client.range(&range).await.unwrap().kvs.pop().unwrap_or_default()
}

async fn put(client: &Client, key: &str, value: impl Into<Bytes>) {
    let step = Step::Put { key: key.into(), value: value.into(), lease: 0 };
    client.txn(&TxnRequest { then: vec![step], ..TxnRequest::default() }).await.unwrap();
}

/// What one server has acknowledged the other one knows, whatever is asked.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_are_one_cluster() {
    let Some(etcd) = EtcdServer::start("two-servers") else { return };
    // At the same time: both write what every cluster has.
    let (one, two) = tokio::join!(start(&etcd), start(&etcd));
    let pair = [&one, &two];
    for n in 0..20 {
        let (near, far) = (pair[n % 2], pair[(n + 1) % 2]);
        let namespace = value!({"metadata": {"name": (format!("ns{n}"))}});
        assert_eq!(send(near, Method::POST, "/api/v1/namespaces", &namespace).await.0, 201);
        // Admission looks for the namespace.
        let maps = format!("/api/v1/namespaces/ns{n}/configmaps");
        let (code, made) =
            send(far, Method::POST, &maps, &value!({"metadata": {"name": "a"}, "data": {"n": "0"}})).await;
        assert_eq!(code, 201, "{made:?}");
        let path = format!("{maps}/a");
        let (code, got) = get(near, &path).await;
        assert_eq!((code, &got), (200, &made));
        // The optimistic lock knows the newest version.
        let mut changed = made.clone();
        changed.entry("data").set("n", "1");
        let (code, changed) = send(near, Method::PUT, &path, &changed).await;
        assert_eq!(code, 200, "{changed:?}");
        assert_eq!(send(far, Method::PUT, &path, &made).await.0, 409, "the old version");
        assert_eq!(send(far, Method::PATCH, &path, &value!({"data": {"n": "2"}})).await.1["data"]["n"].str(), "2");
        let again = value!({"metadata": {"name": "a"}});
        assert_eq!(send(near, Method::POST, &maps, &again).await.0, 409, "it exists");
        assert_eq!(send(far, Method::DELETE, &path, &Value::Null).await.0, 200);
        assert_eq!(get(near, &path).await.0, 404);
        assert_eq!(send(near, Method::DELETE, &path, &Value::Null).await.0, 404);
    }
}

/// Addresses and ports are given out by both, and none twice.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_allocate_together() {
    let Some(etcd) = EtcdServer::start("allocate") else { return };
    let (one, two) = tokio::join!(start(&etcd), start(&etcd));
    let create = async |server: &TestServer, n: usize| {
        let service = value!({
            "metadata": {"name": (format!("s{n}"))},
            "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"a": "b"}}
        });
        let (code, made) = send(server, Method::POST, "/api/v1/namespaces/default/services", &service).await;
        assert_eq!(code, 201, "{made:?}");
        let spec = &made["spec"];
        (spec["clusterIP"].str().to_owned(), spec["ports"][0]["nodePort"].int())
    };
    let of = async |server: &TestServer, first: usize| {
        let mut given = Vec::new();
        for n in first..first + 15 {
            given.push(create(server, n).await);
        }
        given
    };
    let (near, far) = tokio::join!(of(&one, 0), of(&two, 100));
    let given = [near, far].concat();
    let addresses: BTreeSet<&str> = given.iter().map(|(address, _)| address.as_str()).collect();
    let ports: BTreeSet<i64> = given.iter().map(|(_, port)| *port).collect();
    assert_eq!((addresses.len(), ports.len()), (30, 30));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_watches_continue_at_another_server() {
    let Some(etcd) = EtcdServer::start("pages") else { return };
    let (one, two) = tokio::join!(start(&etcd), start(&etcd));
    for n in 0..4 {
        let map = value!({"metadata": {"name": (format!("m{n}")), "labels": {"page": "yes"}}});
        assert_eq!(send(&one, Method::POST, MAPS, &map).await.0, 201);
    }
    let (_, page) = get(&one, &format!("{MAPS}?limit=2&labelSelector=page")).await;
    send(&one, Method::DELETE, &format!("{MAPS}/m3"), &Value::Null).await;
    let token = page["metadata"]["continue"].str();
    let (code, rest) = get(&two, &format!("{MAPS}?limit=2&labelSelector=page&continue={token}")).await;
    assert_eq!(code, 200, "{rest:?}");
    let names =
        |list: &Value| list["items"].items().iter().map(|o| o["metadata"]["name"].str().to_owned()).collect::<Vec<_>>();
    assert_eq!([names(&page), names(&rest)].concat(), ["m0", "m1", "m2", "m3"], "as it was at the first page");
    let revision = page["metadata"]["resourceVersion"].str();
    let watch = format!("{MAPS}?watch=1&timeoutSeconds=20&resourceVersion={revision}");
    let request = Request::get(watch).body(Full::<Bytes>::default()).unwrap();
    let mut events = two.request(request).await.into_body();
    assert_eq!(send(&one, Method::POST, MAPS, &value!({"metadata": {"name": "late"}})).await.0, 201);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let frame = events.frame().await.expect("the watch goes on").unwrap().into_data().unwrap();
        for line in frame.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event = json::parse(line).unwrap().value;
            seen.push(format!("{} {}", event["type"].str(), event["object"]["metadata"]["name"].str()));
        }
    }
    assert_eq!(seen, ["DELETED m3", "ADDED late"]);
}

/// The addresses that the service `kubernetes` leads to.
async fn own_addresses(server: &Arc<serve::Server>) -> [Vec<String>; 2] {
    let get = async |path: &str| {
        let (code, text) = kybern::boot::send(server, Method::GET, path, "", &Value::Null).await;
        assert_eq!(code, 200, "{text}");
        json::parse(text.as_bytes()).unwrap().value
    };
    let endpoints = get("/api/v1/namespaces/default/endpoints/kubernetes").await;
    let slice = get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes").await;
    let of_endpoints = endpoints["subsets"][0]["addresses"].items().iter().map(|a| a["ip"].str().to_owned());
    let of_slice = slice["endpoints"].items().iter().map(|endpoint| endpoint["addresses"][0].str().to_owned());
    [of_endpoints.collect(), of_slice.collect()]
}

/// As whole programs, with ports and directories.
#[tokio::test(flavor = "multi_thread")]
async fn servers_know_of_each_other() {
    let Some(etcd) = EtcdServer::start("members") else { return };
    let client = Client::new(&etcd.options().client).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let start = async |address: &str| {
        let line = format!(
            "kybern serve --secure-port=0 --advertise-address={address} --etcd-servers=http://127.0.0.1:{} --data-dir={}",
            etcd.port,
            folder.path().join(address).display()
        );
        let kybern::flags::Call::Run(given) = kybern::flags::read(line.split(' ').map(str::to_owned)) else {
            panic!("a command line")
        };
        let options = kybern::options::Options::resolve(&given).unwrap();
        kybern::run::Running::start(&options).await.unwrap_or_else(|why| panic!("{why}"))
    };
    let both = ["10.1.0.1".to_owned(), "10.1.0.2".to_owned()];
    let (one, two) = (start(&both[0]).await, start(&both[1]).await);
    let deadline = Instant::now() + Duration::from_secs(30);
    while own_addresses(&one.server).await != [both.to_vec(), both.to_vec()] {
        assert!(Instant::now() < deadline, "{:?}", own_addresses(&one.server).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lease = raw(&client, "/registry/masterleases/10.1.0.2").await;
    assert!(lease.lease != 0 && lease.value.starts_with(b"k8s\0"));
    two.stop(Duration::ZERO).await;
    assert_eq!(own_addresses(&one.server).await, [both[..1].to_vec(), both[..1].to_vec()]);
    let last = one.server.clone();
    one.stop(Duration::ZERO).await;
    assert_eq!(own_addresses(&last).await[0], both[..1], "the last one leaves its address");
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/roundtrip")
}

/// A tree as kube-apiserver's bytes have it, with the defaults that are given on reading, without what a server sets.
fn stored_tree(descriptor: &resource::Descriptor, bytes: &[u8]) -> Value {
    let decoded = codec::decode_protobuf(&descriptor.schema, descriptor.storage_type_id, bytes);
    let mut tree = decoded.unwrap_or_else(|why| panic!("{}: {}", descriptor.kind, why.text)).value;
    descriptor.hooks.default(&mut tree);
    let _ = codec::canonicalise_stored(&descriptor.schema, descriptor.storage_type_id, &mut tree);
    let metadata = tree.entry("metadata");
    metadata.remove("resourceVersion");
    metadata.remove("selfLink");
    tree
}

/// One object of every stored kind with every field set, put into etcd in the bytes that kube-apiserver stores: what is
/// loaded at the start and what comes with the watch reads as what was put.
#[tokio::test(flavor = "multi_thread")]
async fn objects_of_kube_apiserver_are_read() {
    if !samples().is_dir() {
        return println!("skipped: {} is absent", samples().display());
    }
    let Some(etcd) = EtcdServer::start("golden") else { return };
    let client = Client::new(&etcd.options().client).unwrap();
    let following = start(&etcd).await;
    let descriptors = resources::all(&schema::builtin());
    let served = Resources::new(descriptors.into_iter().map(Arc::new));
    let mut objects = Vec::new();
    for endpoint in served.all().filter(|endpoint| serve::is_stored_form(endpoint)) {
        let d = &endpoint.descriptor;
        let group = if d.group.is_empty() { "core" } else { d.group.as_str() };
        let file = samples().join(format!("{group}.{}.{}.pb", d.version, d.kind));
        let Ok(bytes) = std::fs::read(&file) else { continue };
        // What takes part in the server's own work would change the others.
        if matches!(d.plural.as_str(), "namespaces" | "apiservices" | "customresourcedefinitions") {
            continue;
        }
        let namespace = if d.namespaced { "default" } else { "" };
        let key = endpoint.key(namespace, "golden");
        put(&client, &key, bytes.clone()).await;
        let version =
            if d.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}/{}", d.group, d.version) };
        let scope = if d.namespaced { "/namespaces/default" } else { "" };
        objects.push((endpoint.clone(), key, format!("{version}{scope}/{}/golden", d.plural), bytes));
    }
    assert!(objects.len() > 50, "only {} kinds", objects.len());
    let loaded = start(&etcd).await;
    for (endpoint, key, path, bytes) in &objects {
        let want = stored_tree(&endpoint.descriptor, bytes);
        let revision = raw(&client, key).await.mod_revision.to_string();
        for server in [&following, &loaded] {
            let accept = "application/vnd.kubernetes.protobuf";
            let request = Request::get(path).header("accept", accept).body(Full::<Bytes>::default()).unwrap();
            let response = server.request(request).await;
            assert_eq!(response.status(), 200, "{path}");
            let got = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(stored_tree(&endpoint.descriptor, &got), want, "{path}");
            let (code, object) = get(server, path).await;
            assert_eq!((code, object["metadata"]["resourceVersion"].str()), (200, revision.as_str()), "{path}");
        }
        assert_eq!(raw(&client, key).await.value, *bytes, "reading changes nothing");
    }
}

/// kube-apiserver stores definitions as JSON of v1beta1, APIServices as JSON, custom resources as JSON with a newline,
/// and old clusters have objects in old versions.
#[tokio::test(flavor = "multi_thread")]
async fn other_forms_of_kube_apiserver_are_read() {
    let Some(etcd) = EtcdServer::start("forms") else { return };
    let client = Client::new(&etcd.options().client).unwrap();
    let server = start(&etcd).await;
    let definition = r#"{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1beta1","metadata":{"name":"widgets.example.com","uid":"u1","generation":1,"creationTimestamp":"2026-01-02T03:04:05Z"},"spec":{"group":"example.com","version":"v1","names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},"scope":"Namespaced","validation":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}},"versions":[{"name":"v1","served":true,"storage":true}],"conversion":{"strategy":"None"},"preserveUnknownFields":false},"status":{"conditions":[{"type":"NamesAccepted","status":"True","lastTransitionTime":"2026-01-02T03:04:05Z","reason":"NoConflicts","message":"no conflicts found"},{"type":"Established","status":"True","lastTransitionTime":"2026-01-02T03:04:05Z","reason":"InitialNamesAccepted","message":"the initial names have been accepted"}],"acceptedNames":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},"storedVersions":["v1"]}}"#;
    put(&client, "/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com", definition).await;
    let widget = "{\"apiVersion\":\"example.com/v1alpha1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"w\",\"namespace\":\"default\",\"uid\":\"u2\"},\"spec\":{\"a\":1}}\n";
    put(&client, "/registry/example.com/widgets/default/w", widget).await;
    let service = r#"{"kind":"APIService","apiVersion":"apiregistration.k8s.io/v1","metadata":{"name":"v1.other.example","uid":"u3"},"spec":{"group":"other.example","version":"v1","groupPriorityMinimum":10,"versionPriority":20}}"#;
    put(&client, "/registry/apiregistration.k8s.io/apiservices/v1.other.example", service).await;
    let scaler = value!({
        "metadata": {"name": "h", "namespace": "default", "uid": "u4"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "D", "name": "d"}, "targetCPUUtilizationPercentage": 70}
    });
    let schema = schema::builtin();
    let gvk = Gvk::new("autoscaling", "v1", "HorizontalPodAutoscaler");
    let mut bytes = Vec::new();
    codec::encode_protobuf(&schema, schema.kind(&gvk).unwrap(), &gvk, &scaler, &mut bytes);
    put(&client, "/registry/horizontalpodautoscalers/default/h", bytes).await;
    let (code, got) = get(&server, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com").await;
    assert_eq!((code, got["apiVersion"].str()), (200, "apiextensions.k8s.io/v1"), "{got:?}");
    assert_eq!(got["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["type"].str(), "object");
    let (code, got) = get(&server, "/apis/apiregistration.k8s.io/v1/apiservices/v1.other.example").await;
    assert_eq!((code, got["spec"]["versionPriority"].int()), (200, 20), "{got:?}");
    let (code, got) = get(&server, "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h").await;
    assert_eq!(
        (code, got["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"].int()),
        (200, 70),
        "{got:?}"
    );
    // The definition came with the watch, and is served when it was looked at.
    let path = "/apis/example.com/v1/namespaces/default/widgets/w";
    let deadline = Instant::now() + Duration::from_secs(30);
    let got = loop {
        match get(&server, path).await {
            (200, got) => break got,
            (code, why) => assert!(Instant::now() < deadline, "{code} {why:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((got["apiVersion"].str(), got["spec"]["a"].int()), ("example.com/v1", 1));
    let (code, _) = send(&server, Method::PATCH, path, &value!({"spec": {"a": 2}})).await;
    assert_eq!(code, 200);
    let stored = raw(&client, "/registry/example.com/widgets/default/w").await.value;
    let text = std::str::from_utf8(&stored).unwrap();
    assert!(
        text.starts_with("{\"apiVersion\":\"example.com/v1\",\"kind\":\"Widget\",\"metadata\":{")
            && text.ends_with("}\n")
    );
    assert!(!text.contains("resourceVersion"), "{text}");
}

/// Every stored resource has kube-apiserver's prefix and stores kube-apiserver's version or a later one of the group.
#[test]
fn prefixes_are_those_of_kube_apiserver() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/notes/k8s-resources.tsv");
    let Ok(table) = std::fs::read_to_string(&table) else { return println!("skipped: {} is absent", table.display()) };
    let served = Resources::new(resources::all(&schema::builtin()).into_iter().map(Arc::new));
    let mut compared = 0;
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [group, version, plural, "-", .., prefix, _, _, _] = columns[..] else { continue };
        let group = if group == "core" { "" } else { group };
        if let Some(endpoint) = served.endpoint(group, version, plural).filter(|_| prefix != "-") {
            assert_eq!(endpoint.prefix, format!("{prefix}/"), "{group} {version} {plural}");
            compared += 1;
        }
    }
    assert!(compared > 55, "only {compared}");
}
