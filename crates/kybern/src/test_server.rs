//! A whole API server inside a test: in memory, nothing on disk, any number of them in one process.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serve::health::Health;
use serve::listen::{Limits, Peer, Port, listen};
use serve::{Body, Server};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::assemble::{self, Parts};
use crate::boot::{self, Facts};
use crate::flags::{Call, read};
use crate::kubeconfig::{self, Identity};
use crate::options::Options;
use crate::pki::{self, Pki};
use crate::{aggregate, definitions, flow_control, keep};

/// Everything is gone when this is dropped.
pub struct TestServer {
    server: Arc<Server>,
    options: Options,
    pki: Pki,
    stop: watch::Sender<bool>,
    /// Serves what CustomResourceDefinitions define.
    definitions: JoinHandle<()>,
    /// Keeps statuses of the server's own.
    statuses: JoinHandle<()>,
    aggregation: JoinHandle<()>,
}

impl TestServer {
    /// A server with the flags' defaults, and RBAC, with all the objects that a new cluster has.
    pub async fn start() -> Result<TestServer, String> {
        TestServer::start_with(&[]).await
    }

    /// As [`TestServer::start`], with flags of `kybern serve`. Those about ports and directories change nothing.
    pub async fn start_with(flags: &[&str]) -> Result<TestServer, String> {
        let words = ["kybern", "serve"].iter().chain(flags).map(|word| (*word).to_owned());
        let options = match read(words) {
            Call::Run(given) => Options::resolve(&given)?,
            Call::Print(text, _) => return Err(text),
        };
        let pki = pki::ephemeral(&pki::serving_names(&[], &[]))?;
        let health = Arc::new(Health::default());
        let (stop, stopping) = watch::channel(false);
        let services = Arc::<aggregate::Services>::default();
        let parts = Parts {
            store_dir: None,
            own_ca: pki.ca.clone(),
            health: health.clone(),
            stopping,
            address: options.secure.to_string(),
            services: services.clone(),
            service_account_key: pki.service_account_key.clone(),
        };
        let server = assemble::server(&options, parts).await?;
        let facts = Facts {
            endpoint: None,
            port: options.secure.port(),
            service_ranges: options.service_ranges.clone(),
            authorities: options.authentication.authorities(&pki.ca)?,
            now: meta::time::Timestamp::now(),
        };
        boot::write(&server, &facts).await?;
        let definitions = definitions::start(server.clone()).await;
        flow_control::start(server.clone());
        let statuses = {
            let (authentication, ca) = (options.authentication.clone(), pki.ca.clone());
            keep::start(server.clone(), move || authentication.authorities(&ca))
        };
        let aggregation =
            aggregate::start(server.clone(), services, aggregate::Routing::resolve(&options.aggregation)?);
        health.mark_booted();
        Ok(TestServer { server, options, pki, stop, definitions, statuses, aggregation })
    }

    /// One request with full rights, without a connection.
    pub async fn request<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.request_from(Peer::loopback(), request).await
    }

    /// One request as it comes from `peer`: [`Peer::default`] is a client without a certificate, who is whom its headers
    /// prove it to be.
    pub async fn request_from<B>(&self, peer: Peer, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        serve::handle(&self.server, request, peer).await
    }

    /// For measurements of its parts.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// An administrator's, PEM.
    pub(crate) fn admin_certificate(&self) -> &str {
        &self.pki.admin.certificate
    }

    /// Opens a port on the loopback address, with TLS; several calls open several.
    pub async fn open_port(&self) -> Result<SocketAddr, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|why| why.to_string())?;
        let address = listener.local_addr().map_err(|why| why.to_string())?;
        let tls = self.options.tls.config(&self.pki, &self.stop.subscribe())?;
        let port = Port { listener, tls: Some(Arc::new(tls)), trusted: false, limits: Limits::default() };
        let server = self.server.clone();
        let handler = move |request, peer| {
            let server = server.clone();
            async move { serve::handle(&server, request, peer).await }
        };
        tokio::spawn(listen(port, handler, self.stop.subscribe()));
        Ok(address)
    }

    /// An administrator's side of TLS, for clients that take rustls' settings.
    pub fn client_tls(&self) -> Result<Arc<ClientConfig>, String> {
        let identity = &self.pki.admin;
        let certificates = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|why| why.to_string())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|why| why.to_string())?.with_root_certificates(outbound::roots(&self.pki.ca)?);
        let config = builder.with_client_auth_cert(certificates.map_err(|why| why.to_string())?, key);
        Ok(Arc::new(config.map_err(|why| why.to_string())?))
    }

    /// The text of an administrator's kubeconfig for a port that this opens.
    pub async fn kubeconfig(&self) -> Result<String, String> {
        let address = self.open_port().await?;
        let identity = Identity::Certificate(&self.pki.admin);
        Ok(kubeconfig::render(&format!("https://{address}"), Some(&self.pki.ca), &identity))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.definitions.abort();
        self.statuses.abort();
        self.aggregation.abort();
        self.stop.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Full};

    async fn get(server: &TestServer, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Full::<Bytes>::default()).expect("a request");
        let response = server.request(request).await;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (code, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_new_cluster_has_what_every_cluster_has() {
        let server = TestServer::start().await.expect("a server");
        let paths = [
            "/readyz",
            "/api/v1/namespaces/kube-system",
            "/api/v1/namespaces/default/services/kubernetes",
            "/apis/networking.k8s.io/v1/servicecidrs/kubernetes",
            "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical",
            "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/catch-all",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin",
            "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps",
            "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
        ];
        for path in paths {
            let (code, body) = get(&server, path).await;
            assert_eq!(code, 200, "{path}: {body}");
        }
        assert_eq!(get(&server, "/nope").await, (404, "404 page not found\n".into()));
    }

    #[tokio::test]
    async fn plain_http_on_the_secure_port_is_told_so() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let server = TestServer::start().await.expect("a server");
        let address = server.open_port().await.expect("a port");
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer and an end");
        assert!(answer.contains("Client sent an HTTP request to an HTTPS server."), "{answer}");
    }

    #[tokio::test]
    async fn two_servers_know_nothing_of_each_other() {
        let (one, other) = (TestServer::start().await.expect("one"), TestServer::start().await.expect("another"));
        let namespace = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"here"}}"#;
        let request = Request::post("/api/v1/namespaces").header("content-type", "application/json");
        let response = one.request(request.body(Full::from(namespace)).expect("a request")).await;
        assert_eq!(response.status(), 201);
        assert_eq!(get(&one, "/api/v1/namespaces/here").await.0, 200);
        assert_eq!(get(&other, "/api/v1/namespaces/here").await.0, 404);
    }
}
