//! Group versions that another server serves behind this one: a request for them is passed on whole, with its sender in
//! headers that the other server believes because of this server's certificate
//! (k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go).

use crate::body::Body;
use crate::{answer, connect};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use meta::Str;
use resource::{Location, User};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Of a document that is asked for on this server's own behalf.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(5);

/// A group version and who serves it.
pub struct Remote {
    pub group: Str,
    pub version: Str,
    /// `None`: not to be reached now, and requests are answered with 503.
    pub backend: Option<Backend>,
}

/// Where the other server is, and how to know it.
#[derive(Clone)]
pub struct Backend {
    pub location: Location,
    pub name: ServerName<'static>,
    pub tls: Arc<ClientConfig>,
}

/// All of them at one moment, by group and version.
#[derive(Default)]
pub struct Remotes {
    current: ArcSwap<HashMap<(Str, Str), Arc<Remote>>>,
}

impl Remotes {
    /// The remote that a path is about: below `/apis/{group}/{version}`, or that version's OpenAPI document.
    pub fn find(&self, path: &str) -> Option<Arc<Remote>> {
        let current = self.current.load();
        if current.is_empty() {
            return None;
        }
        let of_version = path.strip_prefix("/openapi/v3").unwrap_or(path).strip_prefix("/apis/")?;
        let (group, rest) = of_version.split_once('/')?;
        let version = rest.split('/').next()?;
        let found = current.get(&(group.into(), version.into())).cloned();
        // An OpenAPI document that cannot be had is not there.
        found.filter(|remote| remote.backend.is_some() || path.starts_with("/apis/"))
    }

    pub fn all(&self) -> Arc<HashMap<(Str, Str), Arc<Remote>>> {
        self.current.load_full()
    }

    pub fn replace(&self, remotes: Vec<Remote>) {
        let by_version =
            remotes.into_iter().map(|remote| ((remote.group.clone(), remote.version.clone()), Arc::new(remote)));
        self.current.store(Arc::new(by_version.collect()));
    }
}

/// Passes a request on. Errors are plain text, as upstream's.
pub async fn answer<B>(remote: &Remote, user: &User, head: &Parts, body: B) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some(backend) = &remote.backend else { return answer::text(503, "service unavailable\n") };
    let sender = sender(user);
    match connect::relay(backend, &sender, head, body).await {
        Ok(response) => response,
        Err(status) => answer::owned_text(status.code, format!("{}\n", status.message)),
    }
}

/// Asks a backend for one of its documents in the name of the aggregator; its code and content.
pub async fn ask(backend: &Backend, path: &str) -> Result<(u16, Bytes), String> {
    let aggregator = User {
        name: "system:kube-aggregator".into(),
        groups: vec![crate::authenticate::GROUP_MASTERS.into()],
        ..User::default()
    };
    let request = Request::builder().method(Method::GET).uri(path).header("accept", "application/json").body(());
    let (head, ()) = request.map_err(|why| why.to_string())?.into_parts();
    let answered = async {
        let answer = connect::relay(backend, &sender(&aggregator), &head, Full::<Bytes>::default()).await;
        let (parts, body) = answer.map_err(|status| status.message)?.into_parts();
        let body = Limited::new(body, DOCUMENT_BYTES_MAX).collect().await.map_err(|why| why.to_string())?;
        Ok((parts.status.as_u16(), body.to_bytes()))
    };
    tokio::time::timeout(DOCUMENT_TIME_MAX, answered).await.map_err(|_| "context deadline exceeded".to_owned())?
}

/// Who sends the request, for front-proxy authentication. What cannot stand in a header is left out.
fn sender(user: &User) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    };
    add("x-remote-user", &user.name);
    if !user.uid.is_empty() {
        add("x-remote-uid", &user.uid);
    }
    user.groups.iter().for_each(|group| add("x-remote-group", group));
    for (key, values) in &user.extra {
        let name = format!("x-remote-extra-{}", escape_key(key));
        values.iter().for_each(|value| add(&name, value));
    }
    headers
}

/// `%xx` for what a header's name cannot hold.
fn escape_key(key: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
    let lower = key.to_lowercase();
    lower
        .bytes()
        .map(|byte| if is_token(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::Transport;

    fn remotes(available: bool) -> Remotes {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = Arc::new(tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
        let location = Location {
            transport: Transport::Tls,
            host: "127.0.0.1".into(),
            port: 1,
            path: String::new(),
            query: String::new(),
        };
        let name = ServerName::try_from("s.ns.svc").unwrap();
        let backend = available.then_some(Backend { location, name, tls });
        let remotes = Remotes::default();
        remotes.replace(vec![Remote { group: "g.io".into(), version: "v1".into(), backend }]);
        remotes
    }

    #[test]
    fn paths_of_a_remote_are_found() {
        for (path, when_available, when_not) in [
            ("/apis/g.io/v1", true, true),
            ("/apis/g.io/v1/", true, true),
            ("/apis/g.io/v1/namespaces/a/things/x", true, true),
            ("/apis/g.io/v2/things", false, false),
            ("/apis/g.io", false, false),
            ("/api/v1/pods", false, false),
            ("/openapi/v3/apis/g.io/v1", true, false),
        ] {
            assert_eq!(remotes(true).find(path).is_some(), when_available, "{path}");
            assert_eq!(remotes(false).find(path).is_some(), when_not, "{path}");
        }
        assert!(Remotes::default().find("/apis/g.io/v1").is_none());
    }

    #[test]
    fn senders_are_named_in_headers() {
        let extra = vec![("example.com/Key".into(), vec!["a".into(), "b".into()])];
        let user = User { name: "jane".into(), uid: "7".into(), groups: vec!["x".into(), "y".into()], extra };
        let headers = sender(&user);
        let all = |name: &str| headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect::<Vec<_>>();
        assert_eq!(all("x-remote-user"), ["jane"]);
        assert_eq!(all("x-remote-uid"), ["7"]);
        assert_eq!(all("x-remote-group"), ["x", "y"]);
        assert_eq!(all("x-remote-extra-example.com%2fkey"), ["a", "b"]);
    }
}
