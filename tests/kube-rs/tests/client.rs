//! kube-rs against a server inside the test: typed and dynamic objects, watches, reflector, apply, discovery.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::{Discovery, Scope};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Api, Client, Config};
use kybern::TestServer;
use serde_json::json;

async fn start() -> (TestServer, Client) {
    let server = TestServer::start().await.expect("a server");
    let text = server.kubeconfig().await.expect("a kubeconfig");
    let kubeconfig = Kubeconfig::from_yaml(&text).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
    (server, Client::try_from(config).expect("a client"))
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": value}})).expect("a config map")
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_objects() {
    let (_server, client) = start().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let names: Vec<_> = namespaces.list(&ListParams::default()).await.expect("a list").items;
    assert!(names.iter().any(|item| item.metadata.name.as_deref() == Some("kube-system")));

    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    maps.create(&PostParams::default(), &config_map("a", "1")).await.expect("it is created");
    let twice = maps.create(&PostParams::default(), &config_map("a", "1")).await;
    assert!(matches!(twice, Err(kube::Error::Api(status)) if status.code == 409));
    let patch = Patch::Merge(json!({"data": {"k": "2"}}));
    let patched = maps.patch("a", &PatchParams::default(), &patch).await.expect("it is patched");
    assert_eq!(patched.data.and_then(|data| data.get("k").cloned()).as_deref(), Some("2"));
    maps.delete("a", &DeleteParams::default()).await.expect("it is deleted");
    assert!(maps.get_opt("a").await.expect("an answer").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply() {
    let (_server, client) = start().await;
    let deployments: Api<Deployment> = Api::namespaced(client, "default");
    let wanted = |replicas: i32| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "nginx"}]}
                }
            }
        })
    };
    let apply = |manager: &'static str, replicas| {
        let deployments = deployments.clone();
        let patch = wanted(replicas);
        async move { deployments.patch("web", &PatchParams::apply(manager), &Patch::Apply(patch)).await }
    };
    apply("one", 1).await.expect("it is created");
    let conflict = apply("other", 2).await;
    assert!(matches!(conflict, Err(kube::Error::Api(status)) if status.code == 409), "two managers, two values");
    let forced = PatchParams::apply("other").force();
    let forced = deployments.patch("web", &forced, &Patch::Apply(wanted(2))).await.expect("force decides");
    assert_eq!(forced.spec.and_then(|spec| spec.replicas), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn watcher_and_reflector() {
    let (_server, client) = start().await;
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    maps.create(&PostParams::default(), &config_map("before", "1")).await.expect("it is created");
    let (reader, writer) = reflector::store();
    let mut events = Box::pin(watcher(maps.clone(), watcher::Config::default()).reflect(writer).applied_objects());
    let created = maps.clone();
    let found = async {
        while let Some(object) = events.try_next().await.expect("the watch goes on") {
            match object.metadata.name.as_deref() {
                Some("before") => {
                    created.create(&PostParams::default(), &config_map("after", "1")).await.expect("it is created");
                }
                Some("after") => return,
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found).await.expect("the event arrives");
    let mut known: Vec<_> = reader.state().iter().filter_map(|object| object.metadata.name.clone()).collect();
    known.sort();
    assert!(known.contains(&"before".to_owned()) && known.contains(&"after".to_owned()), "{known:?}");

    // The list that begins with a watch, as newer clients do it.
    let streaming = watcher(maps, watcher::Config::default().streaming_lists());
    let mut streaming = Box::pin(streaming.applied_objects());
    let first = tokio::time::timeout(Duration::from_secs(30), streaming.next()).await.expect("the event arrives");
    assert!(first.is_some_and(|object| object.is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_and_dynamic_objects() {
    let (_server, client) = start().await;
    let discovery = Discovery::new(client.clone()).run().await.expect("discovery");
    let (resource, capabilities) = discovery
        .groups()
        .flat_map(|group| group.recommended_resources())
        .find(|(resource, _)| resource.kind == "Lease")
        .expect("leases");
    assert!(matches!(capabilities.scope, Scope::Namespaced));
    let leases: Api<DynamicObject> = Api::namespaced_with(client, "default", &resource);
    let mut lease = DynamicObject::new("l", &resource);
    lease.data = json!({"spec": {"holderIdentity": "me"}});
    let made = leases.create(&PostParams::default(), &lease).await.expect("it is created");
    assert_eq!(made.data["spec"]["holderIdentity"], "me");
}
