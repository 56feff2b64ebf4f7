//! The objects that every cluster has, written at each start through the same path as those of clients.

pub mod authorities;
pub mod cluster;
mod flow_control;
mod rbac;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use meta::Value;
use meta::time::Timestamp;
use serve::Server;
use serve::listen::Peer;
use tokio::task::JoinSet;

pub use cluster::Facts;

/// What to do about an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// Make it, or leave alone what is there.
    Create,
    Replace,
    /// Delete what is there first.
    Recreate,
}

/// An object and the path of its collection.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub how: How,
    pub collection: String,
    pub object: Value,
    /// Written to the status subresource after the object was made.
    pub status: Option<Value>,
    /// Who writes it, in managedFields. Empty: `kube-apiserver`.
    pub manager: &'static str,
    /// The status is applied by this manager, as the controller upstream does that writes it, instead of patched.
    pub status_applier: Option<&'static str>,
}

impl Wanted {
    fn new(collection: impl Into<String>, object: Value) -> Wanted {
        Wanted {
            how: How::Create,
            collection: collection.into(),
            object,
            status: None,
            manager: "",
            status_applier: None,
        }
    }

    fn with_status(self, status: Value) -> Wanted {
        Wanted { status: Some(status), ..self }
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].str()
    }
}

/// Makes what is missing and leaves alone what is there. Each step is needed by the next; within a step all are
/// written at once, so that the store makes them durable together.
///
/// Another server on the same store may do so at the same time: what is refused for that is there when it is tried again.
pub async fn write(server: &Arc<Server>, facts: &Facts) -> Result<(), String> {
    let mut tried = 1;
    loop {
        match write_once(server, facts).await {
            Err(why) if tried < ATTEMPTS_MAX => {
                tracing::debug!(%why, "objects of every cluster not written yet");
                tokio::time::sleep(PAUSE * tried).await;
                tried += 1;
            }
            outcome => return outcome,
        }
    }
}

const ATTEMPTS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);

async fn write_once(server: &Arc<Server>, facts: &Facts) -> Result<(), String> {
    write_all(server, cluster::foundations(facts)).await?;
    write_all(server, everything_else(server, facts)).await
}

/// What is missing of them, or is not as it should be, is written again.
pub async fn ensure_flow_control(server: &Arc<Server>) -> Result<(), String> {
    write_all(server, flow_control::objects(server)).await
}

/// What these say is told to servers behind this one.
pub async fn ensure_authorities(server: &Arc<Server>, authorities: &authorities::Authorities) -> Result<(), String> {
    match authorities::wanted(server, authorities, Timestamp::now().seconds) {
        Some(wanted) => ensure(server, &wanted).await,
        None => Ok(()),
    }
}

async fn write_all(server: &Arc<Server>, wanted: Vec<Wanted>) -> Result<(), String> {
    let mut running = JoinSet::new();
    for wanted in wanted {
        let server = server.clone();
        running.spawn(async move { ensure(&server, &wanted).await });
    }
    let mut failures = vec![];
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(why)) => failures.push(why),
            Err(why) => failures.push(why.to_string()),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

fn everything_else(server: &Server, facts: &Facts) -> Vec<Wanted> {
    let mut all = rbac::objects(server);
    all.extend(cluster::objects(facts));
    all.extend(flow_control::objects(server));
    all.extend(authorities::wanted(server, &facts.authorities, facts.now.seconds));
    all.extend(cluster::api_services(server, facts));
    all
}

async fn ensure(server: &Arc<Server>, wanted: &Wanted) -> Result<(), String> {
    let path = format!("{}/{}", wanted.collection, wanted.name());
    let fail = |(code, body): (u16, String)| Err(format!("{path}: {code} {body}"));
    let query = if wanted.manager.is_empty() { String::new() } else { format!("?fieldManager={}", wanted.manager) };
    if wanted.how == How::Replace {
        return match send(server, Method::PUT, &format!("{path}{query}"), "application/json", &wanted.object).await {
            (200, _) => Ok(()),
            other => fail(other),
        };
    }
    if wanted.how == How::Recreate {
        // When it is gone already the next request says so.
        send(server, Method::DELETE, &path, "application/json", &Value::from(meta::Map::new())).await;
    }
    // Asked first: to make a service again is refused for its address, not for its name.
    if wanted.how == How::Create && send(server, Method::GET, &path, "application/json", &Value::Null).await.0 == 200 {
        return Ok(());
    }
    match send(server, Method::POST, &format!("{}{query}", wanted.collection), "application/json", &wanted.object).await
    {
        (201, _) => {}
        (409, _) => return Ok(()),
        other => return fail(other),
    }
    let Some(status) = &wanted.status else { return Ok(()) };
    let (mut patch, mut path, mut media_type) =
        (Value::object(), format!("{path}/status"), "application/merge-patch+json");
    if let Some(applier) = wanted.status_applier {
        for name in ["apiVersion", "kind"] {
            patch.set(name, &wanted.object[name]);
        }
        patch.entry("metadata").set("name", wanted.name());
        path.push_str(&format!("?force=true&fieldManager={applier}"));
        media_type = "application/apply-patch+yaml";
    }
    patch.set("status", status.clone());
    match send(server, Method::PATCH, &path, media_type, &patch).await {
        (200, _) => Ok(()),
        other => fail(other),
    }
}

/// One request from inside the process, with full rights; the answer's code and text.
pub async fn send(server: &Arc<Server>, method: Method, path: &str, media_type: &str, body: &Value) -> (u16, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, media_type)
        .header(header::USER_AGENT, format!("kube-apiserver/{}", serve::version::git_version()))
        .body(Full::new(Bytes::from(meta::json::to_vec(body))));
    let request = match request {
        Ok(request) => request,
        Err(why) => return (400, why.to_string()),
    };
    let response = serve::handle(server, request, Peer::loopback()).await;
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (code, String::from_utf8_lossy(&body).into_owned())
}
