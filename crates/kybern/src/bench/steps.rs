//! `kybern bench --steps`: what each step of a request costs, in this process and without a network. Steps that can be
//! called by themselves are; others are the difference between two whole requests, one with the step and one without.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use meta::{Str, Value, json, value};
use resource::User;
use rustls::pki_types::CertificateDer;
use serve::authenticate::Credentials;
use serve::authorize::{Attributes, Decision, Target};
use serve::listen::Peer;
use store::AtRest as _;

use crate::TestServer;

/// The least mean of so many batches counts: what disturbs only makes slower.
const BATCHES: usize = 7;
const BATCH: usize = 300;
const BINDINGS: usize = 1000;
const TOKENS: usize = 200;
const PODS: &str = "/api/v1/namespaces/default/pods";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const SEALED_BYTES: usize = 7_500;

type Outcome<T> = Result<T, String>;

/// What was measured, in order.
#[derive(Default)]
struct Steps(Vec<(String, Duration)>);

impl Steps {
    fn add(&mut self, name: &str, cost: Duration) {
        self.0.push((name.to_owned(), cost));
    }

    fn table(&self) -> String {
        let mut text = "| step | µs |\n|---|---|\n".to_owned();
        for (name, cost) in &self.0 {
            let _ = writeln!(text, "| {name} | {:.2} |", cost.as_secs_f64() * 1e6);
        }
        text
    }
}

/// Per call.
async fn time(mut call: impl AsyncFnMut(usize)) -> Duration {
    let mut least = Duration::MAX;
    for batch in 0..BATCHES {
        let began = Instant::now();
        for n in 0..BATCH {
            call(batch * BATCH + n).await;
        }
        least = least.min(began.elapsed() / BATCH as u32);
    }
    least
}

/// Everything, as a table.
pub async fn run() -> Outcome<String> {
    let folder = std::env::temp_dir().join(format!("kybern-steps-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let mut steps = Steps::default();
    let outcome = measure(&mut steps, &folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    outcome.map(|()| steps.table())
}

async fn measure(steps: &mut Steps, folder: &Path) -> Outcome<()> {
    authentication(steps, folder).await?;
    authorization(steps).await?;
    whole_requests(steps, folder).await?;
    encryption(steps)
}

async fn start(flags: &[&str]) -> Outcome<TestServer> {
    TestServer::start_with(flags).await
}

/// With full rights; the answer must be one of success.
async fn send(server: &TestServer, method: Method, path: &str, body: &Value) -> Outcome<Value> {
    let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(json::to_vec(body)) };
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
    let response = server.request(request.body(Full::new(bytes)).map_err(|why| why.to_string())?).await;
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let value = json::parse(&body).map(|parsed| parsed.value).unwrap_or_default();
    if code < 300 { Ok(value) } else { Err(format!("{path}: {code} {}", value["message"].str())) }
}

async fn authenticated(server: &TestServer, peer: &Peer, headers: &HeaderMap) -> bool {
    let credentials = Credentials { headers, peer, path: "/", warnings: &Default::default() };
    server
        .server()
        .authenticators
        .authenticate(&credentials)
        .await
        .is_ok_and(|who| who.user().name != "system:anonymous")
}

fn bearer(token: &str) -> Outcome<HeaderMap> {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|why| why.to_string())?;
    headers.insert(AUTHORIZATION, value);
    Ok(headers)
}

async fn authentication(steps: &mut Steps, folder: &Path) -> Outcome<()> {
    let tokens = folder.join("tokens.csv");
    std::fs::write(&tokens, "tim-token,tim,1\n").map_err(|why| why.to_string())?;
    let server = start(&[&format!("--token-auth-file={}", tokens.display())]).await?;
    let mut failed = 0_usize;
    let chain: Vec<CertificateDer<'static>> = outbound::certificates(server.admin_certificate())?;
    let (peer, none) = (Peer { certificates: Arc::from(chain), ..Peer::default() }, HeaderMap::new());
    let cost = time(async |_| failed += usize::from(!authenticated(&server, &peer, &none).await)).await;
    steps.add("authentication, client certificate", cost);
    let (peer, headers) = (Peer::default(), bearer("tim-token")?);
    let cost = time(async |_| failed += usize::from(!authenticated(&server, &peer, &headers).await)).await;
    steps.add("authentication, token file", cost);

    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    send(&server, Method::POST, accounts, &value!({"metadata": {"name": "robot"}})).await?;
    let mut made = vec![];
    for _ in 0..TOKENS {
        let request = value!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = send(&server, Method::POST, &format!("{accounts}/robot/token"), &request).await?;
        made.push(bearer(answer["status"]["token"].str())?);
    }
    let began = Instant::now();
    for headers in &made {
        failed += usize::from(!authenticated(&server, &peer, headers).await);
    }
    steps.add("authentication, bound token, first use", began.elapsed() / TOKENS as u32);
    let known = |n: usize| made.get(n % TOKENS).unwrap_or(&none);
    let cost = time(async |n| failed += usize::from(!authenticated(&server, &peer, known(n)).await)).await;
    steps.add("authentication, bound token, used before", cost);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} credentials were refused")) }
}

fn user(name: &str, groups: &[&str]) -> User {
    User { name: name.into(), groups: groups.iter().map(|group| Str::from(*group)).collect(), ..User::default() }
}

async fn decides(server: &TestServer, user: &User, verb: &str, target: Target<'_>) -> bool {
    let attributes = Attributes { user, verb, path: "", resource: Some(target), selection: Default::default() };
    matches!(server.server().authorizers.decide(&attributes).await, Decision::Allow(_))
}

async fn authorization(steps: &mut Steps) -> Outcome<()> {
    let server = start(&["--authorization-mode=Node,RBAC"]).await?;
    for n in 0..BINDINGS {
        let subject = value!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": (format!("u{n}"))});
        let role =
            value!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:kube-scheduler"});
        let binding = value!({"metadata": {"name": (format!("b{n}"))}, "subjects": [subject], "roleRef": role});
        let path = if n % 2 == 0 { "clusterrolebindings" } else { "namespaces/default/rolebindings" };
        send(&server, Method::POST, &format!("{RBAC}/{path}"), &binding).await?;
    }
    let pods = Target { version: "v1", resource: "pods", namespace: "default", ..Target::default() };
    let groups = ["system:authenticated"];
    let mut wrong = 0_usize;
    for (name, who, wanted) in [
        ("authorization, RBAC with 1,000 bindings, allowed", "u501", true),
        ("authorization, RBAC with 1,000 bindings, refused", "nobody", false),
    ] {
        let user = user(who, &groups);
        let cost = time(async |_| wrong += usize::from(decides(&server, &user, "list", pods).await != wanted)).await;
        steps.add(name, cost);
    }
    send(
        &server,
        Method::POST,
        "/api/v1/namespaces/default/serviceaccounts",
        &value!({"metadata": {"name": "default"}}),
    )
    .await?;
    let pod = value!({"metadata": {"name": "p"}, "spec": {
        "nodeName": "n", "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}]
    }});
    send(&server, Method::POST, PODS, &pod).await?;
    let kubelet = user("system:node:n", &["system:nodes", "system:authenticated"]);
    let secret = Target { version: "v1", resource: "secrets", namespace: "default", name: "s", ..Target::default() };
    let cost = time(async |_| wrong += usize::from(!decides(&server, &kubelet, "get", secret).await)).await;
    steps.add("authorization, node authorizer, a secret of a pod", cost);
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} decisions were wrong")) }
}

/// One pod, which is not kept.
async fn create_pod(server: &TestServer) -> Outcome<Duration> {
    let account = value!({"metadata": {"name": "default"}});
    send(server, Method::POST, "/api/v1/namespaces/default/serviceaccounts", &account).await?;
    let pod = value!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"}, "spec": {
        "containers": [{"name": "c", "image": "i:1", "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}]
    }});
    let path = format!("{PODS}?dryRun=All");
    repeat(server, Method::POST, &path, &pod).await
}

async fn get_map(server: &TestServer) -> Outcome<Duration> {
    let maps = "/api/v1/namespaces/default/configmaps";
    send(server, Method::POST, maps, &value!({"metadata": {"name": "m"}, "data": {"a": "b"}})).await?;
    repeat(server, Method::GET, &format!("{maps}/m"), &Value::Null).await
}

async fn repeat(server: &TestServer, method: Method, path: &str, body: &Value) -> Outcome<Duration> {
    let mut outcome = Ok(());
    let cost = time(async |_| {
        let sent = send(server, method.clone(), path, body).await.map(drop);
        outcome = std::mem::replace(&mut outcome, Ok(())).and(sent);
    })
    .await;
    outcome.map(|()| cost)
}

async fn whole_requests(steps: &mut Steps, folder: &Path) -> Outcome<()> {
    let plain = start(&[]).await?;
    let (read, write) = (get_map(&plain).await?, create_pod(&plain).await?);
    steps.add("whole request, get a config map", read);
    steps.add("whole request, create a pod (dry run)", write);
    let less = |with: Duration, without: Duration| with.saturating_sub(without);
    let fixed = start(&["--enable-priority-and-fairness=false"]).await?;
    steps.add("priority and fairness (of the get)", less(read, get_map(&fixed).await?));
    let bare = plain.server().admission.names().join(",");
    let bare = start(&[&format!("--disable-admission-plugins={bare}")]).await?;
    steps.add("admission, all default plugins (of the pod)", less(write, create_pod(&bare).await?));
    let limited = start(&[]).await?;
    let hard = value!({"pods": "100000", "requests.cpu": "100000", "requests.memory": "1000Gi"});
    let quota = value!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    send(&limited, Method::POST, "/api/v1/namespaces/default/resourcequotas", &quota).await?;
    steps.add("quota (of the pod)", less(create_pod(&limited).await?, write));
    for level in ["Metadata", "RequestResponse"] {
        let policy = folder.join(format!("{level}.yaml"));
        let text = format!("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{{level: {level}}}]\n");
        std::fs::write(&policy, text).map_err(|why| why.to_string())?;
        let log = folder.join(format!("{level}.log"));
        let flags =
            [format!("--audit-policy-file={}", policy.display()), format!("--audit-log-path={}", log.display())];
        let audited = start(&flags.each_ref().map(String::as_str)).await?;
        steps.add(&format!("audit, {level} (of the get, two stages)"), less(get_map(&audited).await?, read));
        steps.add(&format!("audit, {level} (of the pod, two stages)"), less(create_pod(&audited).await?, write));
    }
    Ok(())
}

fn encryption(steps: &mut Steps) -> Outcome<()> {
    let plain = vec![b'x'; SEALED_BYTES];
    let secret = "c2VjcmV0IGlzIHNlY3VyZSwgb3IgaXMgaXQ/MTIzNDU=";
    for provider in ["aesgcm", "secretbox", "aescbc"] {
        let keys = value!({"keys": [{"name": "k", "secret": secret}]});
        let config = value!({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
            "resources": [{"resources": ["secrets"], "providers": [{provider: keys}]}]
        });
        let config = encryption::Config::from_value(&config, false)?;
        let prefixes = [(Str::from("/registry/secrets/"), Str::default(), Str::from("secrets"))];
        let encryption = encryption::Encryption::new(config, prefixes)?;
        let key = "/registry/secrets/default/s";
        let seal = || encryption.seal(key, key.as_bytes(), &plain)?.ok_or("it is not sealed".to_owned());
        let sealed = seal()?;
        let (mut sealing, mut opening) = (Duration::MAX, Duration::MAX);
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..BATCH {
                seal()?;
            }
            sealing = sealing.min(began.elapsed() / BATCH as u32);
            let began = Instant::now();
            for _ in 0..BATCH {
                encryption.open(key, key.as_bytes(), &sealed.bytes)?;
            }
            opening = opening.min(began.elapsed() / BATCH as u32);
        }
        steps.add(&format!("encryption at rest, {provider}, seal 7.5 KB"), sealing);
        steps.add(&format!("encryption at rest, {provider}, open 7.5 KB"), opening);
    }
    Ok(())
}
