//! Events are deleted when their time is over, and only they.

mod client;

use client::{Sender, ask, create};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use kybern::TestServer;

#[tokio::test]
async fn an_event_is_deleted_after_its_time_and_watchers_are_told() {
    let server = TestServer::start_with(&["--event-ttl=1s"]).await.expect("a server");
    let event = meta::value!({
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
        "reason": "Tested",
        "type": "Normal"
    });
    let path = "/api/v1/namespaces/default/events";
    let created = create(&server, path, &event).await;
    let config = meta::value!({"metadata": {"name": "stays"}});
    create(&server, "/api/v1/namespaces/default/configmaps", &config).await;
    let revision = created["metadata"]["resourceVersion"].str();
    let request = Request::get(format!("{path}?watch=1&resourceVersion={revision}")).body(Full::default());
    let mut told = server.request(request.expect("a request")).await.into_body();
    let first = told.frame().await.expect("an event").expect("no error").into_data().expect("data");
    let told = meta::json::parse(&first).expect("JSON").value;
    assert_eq!((told["type"].str(), told["object"]["metadata"]["name"].str()), ("DELETED", "e"));
    assert_eq!(ask(&server, Sender::Itself, "GET", &format!("{path}/e"), &meta::Value::Null).await.0, 404);
    let kept = "/api/v1/namespaces/default/configmaps/stays";
    assert_eq!(ask(&server, Sender::Itself, "GET", kept, &meta::Value::Null).await.0, 200);
}
