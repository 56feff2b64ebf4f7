//! What managedFields say of the server's own writes, as recorded from kube-apiserver 1.36.2.

mod client;

use client::{Sender, ask};
use kybern::TestServer;
use meta::{Value, value};

/// Manager, operation and subresource of each entry.
async fn managers(server: &TestServer, path: &str) -> Vec<(String, String, String)> {
    let (code, object) = ask(server, Sender::Itself, "GET", path, &Value::Null).await;
    assert_eq!(code, 200, "{path}: {object:?}");
    let entry = |e: &Value| ["manager", "operation", "subresource"].map(|name| e[name].str().to_owned()).into();
    object["metadata"]["managedFields"].items().iter().map(entry).collect()
}

#[tokio::test]
async fn objects_of_every_cluster_name_upstreams_writers() {
    let server = TestServer::start().await.expect("a server");
    let producer = [("api-priority-and-fairness-config-producer-v1", "Update", "")].as_slice();
    let own = [("kube-apiserver", "Update", "")].as_slice();
    let applied = [own[0], ("kubernetes-service-cidr-controller", "Apply", "status")];
    for (path, want) in [
        ("/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/system", producer),
        ("/apis/networking.k8s.io/v1/servicecidrs/kubernetes", &applied),
        ("/apis/networking.k8s.io/v1/ipaddresses/10.0.0.1", own),
        ("/api/v1/namespaces/default/services/kubernetes", own),
    ] {
        let found = managers(&server, path).await;
        let mut found: Vec<_> = found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        found.sort_unstable();
        assert_eq!(found, want, "{path}");
    }
    let (_, service) =
        ask(&server, Sender::Itself, "GET", "/api/v1/namespaces/default/services/kubernetes", &Value::Null).await;
    let fields = &service["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert!(!fields["f:clusterIP"].is_null() && fields["f:clusterIPs"].is_null(), "{fields:?}");
}

#[tokio::test]
async fn quotas_are_charged_by_the_server() {
    let server = TestServer::start().await.expect("a server");
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    let quota = value!({"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "9"}}});
    assert_eq!(ask(&server, Sender::Itself, "POST", quotas, &quota).await.0, 201);
    // As a controller would.
    let status = value!({"status": {"hard": {"configmaps": "9"}, "used": {"configmaps": "0"}}});
    let path = format!("{quotas}/q/status?fieldManager=controller");
    assert_eq!(ask(&server, Sender::Itself, "PATCH", &path, &status).await.0, 200);
    let map = value!({"metadata": {"name": "m"}});
    assert_eq!(ask(&server, Sender::Itself, "POST", "/api/v1/namespaces/default/configmaps", &map).await.0, 201);
    let found = managers(&server, &format!("{quotas}/q")).await;
    assert!(found.contains(&("kube-apiserver".into(), "Update".into(), "status".into())), "{found:?}");
}
