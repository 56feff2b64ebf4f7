//! The request path as clients see it: every rule that several requests are needed to show.

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use kybern::TestServer;
use meta::{Value, json, value};
use serve::Body;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const MERGE: &str = "application/merge-patch+json";

struct Client(TestServer);

impl Client {
    async fn new() -> Client {
        Client(TestServer::start().await.unwrap_or_else(|why| panic!("{why}")))
    }

    async fn raw(&self, method: Method, path: &str, kind: &str, body: &[u8]) -> Response<Body> {
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap_or_default();
        self.0.request(request).await
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: &Value) -> (u16, Value) {
        let bytes = if body.is_null() { Vec::new() } else { json::to_vec(body) };
        read(self.raw(method, path, kind, &bytes).await).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, "", &Value::Null).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::POST, path, "application/json", body).await
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(Method::DELETE, path, "", &Value::Null).await
    }

    async fn merge(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::PATCH, path, MERGE, body).await
    }

    async fn create(&self, name: &str, labels: &Value) -> Value {
        let body = value!({"metadata": {"name": name, "labels": labels}, "data": {"k": name}});
        let (code, object) = self.post(MAPS, &body).await;
        assert_eq!(code, 201, "{object:?}");
        object
    }
}

async fn read(response: Response<Body>) -> (u16, Value) {
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (code, json::parse(&bytes).map(|parsed| parsed.value).unwrap_or_default())
}

/// The lines of a watch that ends by itself.
async fn events(client: &Client, path: &str) -> Vec<(String, Value)> {
    let response = client.raw(Method::GET, path, "", b"").await;
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let parsed = lines.map(|line| json::parse(line).map(|parsed| parsed.value).unwrap_or_default());
    parsed.map(|event| (event["type"].str().to_owned(), event["object"].clone())).collect()
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].items().iter().map(|item| item["metadata"]["name"].str()).collect()
}

#[tokio::test]
async fn an_object_lives_and_dies() {
    let client = Client::new().await;
    let created = client.create("a", &value!({})).await;
    let path = format!("{MAPS}/a");
    let (code, read) = client.get(&path).await;
    assert_eq!((code, &read), (200, &created));
    let (code, again) = client.post(MAPS, &value!({"metadata": {"name": "a"}})).await;
    assert_eq!((code, again["reason"].str()), (409, "AlreadyExists"));
    let (code, patched) = client.merge(&path, &value!({"data": {"k": "2"}})).await;
    assert_eq!((code, patched["data"]["k"].str()), (200, "2"));
    assert_ne!(patched["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
    let (code, same) = client.merge(&path, &value!({"data": {"k": "2"}})).await;
    assert_eq!((code, &same), (200, &patched), "what changes nothing is not written");
    let (code, stale) = client.send(Method::PUT, &path, "application/json", &created).await;
    assert_eq!((code, stale["reason"].str()), (409, "Conflict"));
    let (code, status) = client.delete(&path).await;
    assert_eq!((code, &status["details"]["uid"]), (200, &created["metadata"]["uid"]));
    assert_eq!(client.get(&path).await.0, 404);
}

#[tokio::test]
async fn a_finalizer_holds_an_object_until_it_is_taken_away() {
    let client = Client::new().await;
    let body = value!({"metadata": {"name": "f", "finalizers": ["example.com/hold"]}});
    assert_eq!(client.post(MAPS, &body).await.0, 201);
    let path = format!("{MAPS}/f");
    let (code, held) = client.delete(&path).await;
    assert_eq!((code, held["metadata"]["deletionGracePeriodSeconds"].as_int()), (200, Some(0)));
    let added = value!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    assert_eq!(client.merge(&path, &added).await.0, 422);
    let (code, exists) = client.post(MAPS, &body).await;
    assert_eq!((code, exists["message"].str().starts_with("object is being deleted: ")), (409, true));
    assert_eq!(client.merge(&path, &value!({"metadata": {"finalizers": null}})).await.0, 200);
    assert_eq!(client.get(&path).await.0, 404);
}

#[tokio::test]
async fn a_dry_run_answers_and_writes_nothing() {
    let client = Client::new().await;
    client.create("kept", &Value::Null).await;
    let (_, before) = client.get(MAPS).await;
    let body = value!({"metadata": {"generateName": "g-"}});
    let (code, answered) = client.post(&format!("{MAPS}?dryRun=All"), &body).await;
    assert_eq!((code, answered["metadata"]["name"].str().len()), (201, 7));
    let (code, _) = client.delete(&format!("{MAPS}/kept?dryRun=All")).await;
    assert_eq!(code, 200);
    let (_, after) = client.get(MAPS).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn pages_show_the_state_of_the_first_one() {
    let client = Client::new().await;
    for name in ["p1", "p2", "p3", "p4"] {
        client.create(name, &value!({"page": "x"})).await;
    }
    let list = format!("{MAPS}?labelSelector=page%3Dx&limit=2");
    let (_, first) = client.get(&list).await;
    assert_eq!(names(&first), ["p1", "p2"]);
    client.delete(&format!("{MAPS}/p4")).await;
    client.create("p25", &value!({"page": "x"})).await;
    let token = first["metadata"]["continue"].str();
    let (_, second) = client.get(&format!("{list}&continue={token}")).await;
    assert_eq!(names(&second), ["p3", "p4"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let (_, now) = client.get(&format!("{MAPS}?labelSelector=page%3Dx")).await;
    assert_eq!(names(&now), ["p1", "p2", "p25", "p3"]);
}

#[tokio::test]
async fn a_watch_tells_who_comes_changes_and_goes() {
    let client = Client::new().await;
    let (_, list) = client.get(MAPS).await;
    let since = list["metadata"]["resourceVersion"].str().to_owned();
    client.create("w", &value!({"w": "1"})).await;
    let path = format!("{MAPS}/w");
    client.merge(&path, &value!({"data": {"k": "2"}})).await;
    client.merge(&path, &value!({"metadata": {"labels": {"w": "2"}}})).await;
    client.merge(&path, &value!({"metadata": {"labels": {"w": "1"}}})).await;
    client.delete(&path).await;
    let watch = format!("{MAPS}?watch=1&timeoutSeconds=1&resourceVersion={since}&labelSelector=w%3D1");
    let seen = events(&client, &watch).await;
    let kinds: Vec<&str> = seen.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]);
    assert_eq!(seen.get(2).map(|(_, object)| object["metadata"]["labels"]["w"].str()), Some("1"), "as it was selected");
    let versions: Vec<u64> =
        seen.iter().filter_map(|(_, object)| object["metadata"]["resourceVersion"].str().parse().ok()).collect();
    assert!(versions.len() == 5 && versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
}

#[tokio::test]
async fn initial_events_end_with_a_marked_bookmark() {
    let client = Client::new().await;
    client.create("b", &value!({"b": "1"})).await;
    let watch = format!(
        "{MAPS}?watch=1&timeoutSeconds=1&labelSelector=b%3D1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let seen = events(&client, &watch).await;
    let kinds: Vec<&str> = seen.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["ADDED", "BOOKMARK"]);
    let mark = seen.get(1).map(|(_, object)| object["metadata"]["annotations"]["k8s.io/initial-events-end"].str());
    assert_eq!(mark, Some("true"));
}

#[tokio::test]
async fn concurrent_writers_lose_nothing() {
    let client = Client::new().await;
    client.create("c", &value!({})).await;
    let path = format!("{MAPS}/c");
    let patches = (0..40).map(|i| {
        let (client, path) = (&client, &path);
        async move {
            let mut data = Value::object();
            data.set(&format!("k{i}"), "v");
            client.merge(path, &value!({"data": data})).await.0
        }
    });
    let codes = futures_util::future::join_all(patches).await;
    assert!(codes.iter().all(|code| *code == 200), "{codes:?}");
    let (_, object) = client.get(&path).await;
    assert_eq!(object["data"].entries().len(), 41);
}

#[tokio::test]
async fn an_apply_that_takes_anothers_field_is_refused() {
    let client = Client::new().await;
    let apply = |manager: &str, text: &str| {
        let path = format!("{MAPS}/s?fieldManager={manager}");
        let body = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: s}}\ndata: {{k: {text}}}\n");
        let client = &client;
        async move { read(client.raw(Method::PATCH, &path, "application/apply-patch+yaml", body.as_bytes()).await).await }
    };
    assert_eq!(apply("one", "a").await.0, 201);
    let (code, refused) = apply("two", "b").await;
    assert_eq!((code, refused["details"]["causes"][0]["field"].str()), (409, ".data.k"));
    assert_eq!(apply("one", "b").await.0, 200);
}

#[tokio::test]
async fn bodies_are_bounded_and_never_end_the_server() {
    let client = Client::new().await;
    let huge = vec![b'x'; 3 * 1024 * 1024 + 1];
    assert_eq!(client.raw(Method::POST, MAPS, "application/json", &huge).await.status(), 413);
    let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    for kind in ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"] {
        for body in [&deep[..], b"", b"\0", b"{", b"k8s\0\xff\xff\xff", b"{\"metadata\":{\"name\":7}}"] {
            let code = client.raw(Method::POST, MAPS, kind, body).await.status().as_u16();
            assert!((400..500).contains(&code), "{kind} {code}");
        }
    }
    assert_eq!(client.get(MAPS).await.0, 200);
}

/// Connections move a request's future about several times. What is large in it has to be boxed.
#[tokio::test]
async fn the_future_of_a_request_is_small() {
    let client = Client::new().await;
    let request = Request::get(MAPS).body(Full::new(Bytes::new())).unwrap_or_default();
    let bytes = std::mem::size_of_val(&client.0.request(request));
    assert!(bytes < 8192, "{bytes}");
}

impl Client {
    async fn accepting(&self, path: &str, media_type: &str) -> Bytes {
        let request = Request::get(path).header("accept", media_type).body(Full::new(Bytes::new()));
        let answer = self.0.request(request.unwrap_or_default()).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default()
    }
}

/// Lists in YAML are made item by item.
#[tokio::test]
async fn a_list_in_yaml_is_that_in_json() {
    const TABLE: &str = "as=Table;v=v1;g=meta.k8s.io";
    const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let client = Client::new().await;
    for n in 0..40 {
        let text = format!("first: {n}\n\n  items: []\nrows: []\n- \"last\" # {}", "x".repeat(5000));
        let body = value!({"metadata": {"name": (format!("m{n}"))}, "data": {"text": text, "empty": "", "n": "1"}});
        assert_eq!(client.post(MAPS, &body).await.0, 201);
    }
    for path in [MAPS, LEASES] {
        for form in ["", TABLE, "as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"] {
            let json = client.accepting(path, &format!("application/json;{form}")).await;
            let yaml = client.accepting(path, &format!("application/yaml;{form}")).await;
            let mut whole = Vec::new();
            codec::encode_yaml(&json::parse(&json).expect("JSON").value, &mut whole);
            assert_eq!(String::from_utf8_lossy(&yaml), String::from_utf8_lossy(&whole), "{path} {form}");
        }
    }
}

/// Their length is sent first, so all are looked at before one is sent, and more than a bound are not kept meanwhile.
#[tokio::test]
async fn a_large_list_of_converted_messages_is_whole() {
    const SCALERS: &str = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    let client = Client::new().await;
    for n in 0..40 {
        let target = value!({"apiVersion": "apps/v1", "kind": "Deployment", "name": (format!("d{n}"))});
        let annotations = value!({"large": (char::from(b'a' + n % 26).to_string().repeat(240 << 10))});
        let metadata = value!({"name": (format!("h{n:02}")), "annotations": annotations});
        let spec = value!({"maxReplicas": 3, "scaleTargetRef": target});
        assert_eq!(client.post(SCALERS, &value!({"metadata": metadata, "spec": spec})).await.0, 201);
    }
    let message = client.accepting(SCALERS, "application/vnd.kubernetes.protobuf").await;
    assert!(message.len() > 9 << 20);
    let schema = schema::builtin();
    let ty = schema.kind(&meta::Gvk::new("autoscaling", "v1", "HorizontalPodAutoscalerList")).expect("a known kind");
    let list = codec::decode_protobuf(&schema, ty, &message).unwrap_or_else(|why| panic!("{}", why.text)).value;
    let (_, json) = client.get(SCALERS).await;
    assert_eq!(list["metadata"]["resourceVersion"], json["metadata"]["resourceVersion"]);
    let pairs = list["items"].items().iter().zip(json["items"].items());
    for (made, read) in pairs {
        assert_eq!((&made["metadata"], &made["spec"]), (&read["metadata"], &read["spec"]));
    }
    assert_eq!(list["items"].items().len(), 40);
}

/// Also of custom resources: an event is encoded once, however many watch; and never as an earlier definition had it.
#[tokio::test]
async fn custom_resources_are_shown_as_their_definition_is_now() {
    const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";
    const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let definition = |properties: &Value| {
        let spec = value!({"type": "object", "properties": properties});
        let schema = value!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
        let version = value!({"name": "v1", "served": true, "storage": true, "schema": schema});
        let names = value!({"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"});
        value!({
            "metadata": {"name": "widgets.example.com"},
            "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
        })
    };
    let client = Client::new().await;
    let (code, made) = client.post(DEFINITIONS, &definition(&value!({"size": {"type": "integer"}}))).await;
    assert_eq!(code, 201, "{made:?}");
    client.until(WIDGETS, |_| true).await;
    let widget =
        value!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}});
    assert_eq!(client.post(WIDGETS, &widget).await.0, 201);
    let (_, list) = client.get(WIDGETS).await;
    let (_, again) = client.get(WIDGETS).await;
    assert!(list == again && list["items"].items()[0]["spec"]["size"].int() == 1);
    let changed = definition(&value!({"color": {"type": "string"}}));
    let changed = value!({"spec": {"versions": (changed["spec"]["versions"].clone())}});
    let (code, why) = client.merge(&format!("{DEFINITIONS}/widgets.example.com"), &changed).await;
    assert_eq!(code, 200, "{why:?}");
    client.until(WIDGETS, |list| list["items"].items()[0]["spec"]["size"].is_null()).await;
}

impl Client {
    /// Reads until the answer is as wanted.
    async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) {
        let reading = async {
            loop {
                match self.get(path).await {
                    (200, value) if wanted(&value) => return,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), reading).await.expect("it becomes so");
    }
}
