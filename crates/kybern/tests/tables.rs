//! Columns and cells of the Table form, as recorded from kube-apiserver 1.36.2.

mod client;

use bytes::Bytes;
use client::{Sender, ask};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;
use meta::{Value, value};

async fn table(server: &TestServer, path: &str) -> Value {
    let request = Request::get(path).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let response = server.request(request.body(Full::<Bytes>::default()).expect("a request")).await;
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    meta::json::parse(&bytes).expect("JSON").value
}

fn names(table: &Value) -> Vec<&str> {
    table["columnDefinitions"].items().iter().map(|column| column["name"].str()).collect()
}

#[tokio::test]
async fn kinds_without_columns_of_their_own_show_when_they_were_made() {
    let server = TestServer::start().await.expect("a server");
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/view";
    let (_, role) = ask(&server, Sender::Itself, "GET", path, &Value::Null).await;
    let shown = table(&server, path).await;
    assert_eq!(names(&shown), ["Name", "Created At"]);
    assert_eq!(shown["rows"][0]["cells"], value!(["view", (&role["metadata"]["creationTimestamp"])]));
    for path in
        ["/apis/storage.k8s.io/v1/csistoragecapacities", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"]
    {
        assert_eq!(names(&table(&server, path).await), ["Name", "Created At"], "{path}");
    }
}

#[tokio::test]
async fn api_services_say_whether_they_are_there() {
    let server = TestServer::start().await.expect("a server");
    let collection = "/apis/apiregistration.k8s.io/v1/apiservices";
    let object = value!({"metadata": {"name": "v1.x.io"}, "spec": {
        "group": "x.io", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
        "service": {"namespace": "default", "name": "far"}, "insecureSkipTLSVerify": true
    }});
    client::create(&server, collection, &object).await;
    let status =
        value!({"status": {"conditions": [{"type": "Available", "status": "False", "reason": "ServiceNotFound"}]}});
    let path = format!("{collection}/v1.x.io");
    assert_eq!(ask(&server, Sender::Itself, "PATCH", &format!("{path}/status"), &status).await.0, 200);
    let shown = table(&server, &path).await;
    assert_eq!(names(&shown), ["Name", "Service", "Available", "Age"]);
    assert_eq!(shown["rows"][0]["cells"][1].str(), "default/far");
    assert_eq!(shown["rows"][0]["cells"][2].str(), "False (ServiceNotFound)");
    let own = table(&server, &format!("{collection}/v1.apps")).await;
    let cells = &own["rows"][0]["cells"];
    assert_eq!((cells[1].str(), cells[2].str()), ("Local", "True"));
}

#[tokio::test]
async fn nodes_say_what_machine_their_kernel_is_for() {
    let server = TestServer::start().await.expect("a server");
    let info = value!({"kernelVersion": "6.8.0", "architecture": "amd64"});
    let node = value!({"metadata": {"name": "n"}, "status": {"nodeInfo": info}});
    client::create(&server, "/api/v1/nodes", &node).await;
    let shown = table(&server, "/api/v1/nodes/n").await;
    let at = names(&shown).iter().position(|name| *name == "Kernel-Version").expect("the column");
    assert_eq!(shown["rows"][0]["cells"][at].str(), "6.8.0 (amd64)");
}
