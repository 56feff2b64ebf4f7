//! The server that is measured: HTTP/2 connections to it, and calls.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How to reach a server and who one is there.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub server: String,
    pub token: String,
    ca_pem: Vec<u8>,
    certificate_pem: Vec<u8>,
    key_pem: Vec<u8>,
}

impl Access {
    /// Reads the first cluster and user of a kubeconfig whose data is in it (not in files beside it).
    pub fn from_kubeconfig(text: &str) -> Result<Access, String> {
        let value = |name: &str| {
            let lines = text.lines().map(|line| line.trim_start_matches([' ', '-']));
            let found = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':')).next();
            found.map(|value| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
        };
        let data = |name: &str| STANDARD.decode(value(name)).map_err(|why| format!("{name}: {why}"));
        Ok(Access {
            server: value("server"),
            token: value("token"),
            ca_pem: data("certificate-authority-data")?,
            certificate_pem: data("client-certificate-data")?,
            key_pem: data("client-key-data")?,
        })
    }

    fn tls(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&self.ca_pem) {
            roots.add(certificate.map_err(|why| why.to_string())?).map_err(|why| why.to_string())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|why| why.to_string())?.with_root_certificates(roots);
        let mut config = if self.key_pem.is_empty() {
            builder.with_no_client_auth()
        } else {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate_pem).collect();
            let key = PrivateKeyDer::from_pem_slice(&self.key_pem).map_err(|why| why.to_string())?;
            let config = builder.with_client_auth_cert(chain.map_err(|why| why.to_string())?, key);
            config.map_err(|why| why.to_string())?
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

/// Connections to a server. Calls take them in turn.
#[derive(Clone)]
pub struct Target {
    connections: Vec<SendRequest<Full<Bytes>>>,
    authority: String,
    scheme: &'static str,
    authorization: Option<String>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub accept: &'static str,
    pub content_type: &'static str,
    pub body: Bytes,
}

impl Call {
    pub fn get(path: impl Into<String>) -> Call {
        Call { method: Method::GET, path: path.into(), accept: JSON, content_type: JSON, body: Bytes::new() }
    }

    pub fn send(method: Method, path: impl Into<String>, body: impl Into<Bytes>) -> Call {
        Call { method, path: path.into(), accept: JSON, content_type: JSON, body: body.into() }
    }

    pub fn accepting(self, accept: &'static str) -> Call {
        Call { accept, ..self }
    }

    pub fn typed(self, content_type: &'static str) -> Call {
        Call { content_type, ..self }
    }
}

pub const JSON: &str = "application/json";

impl Target {
    pub async fn connect(access: &Access, count: usize) -> Result<Target, String> {
        let (scheme, authority) = match access.server.split_once("://") {
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            _ => return Err(format!("{:?} is not the URL of a server", access.server)),
        };
        let authority = authority.trim_end_matches('/').to_owned();
        let tls = if scheme == "https" { Some(Arc::new(access.tls()?)) } else { None };
        let mut connections = Vec::new();
        for _ in 0..count {
            let connection = connect(&authority, tls.clone()).await;
            connections.push(connection.map_err(|why| format!("{}: {why}", access.server))?);
        }
        let authorization = (!access.token.is_empty()).then(|| format!("Bearer {}", access.token));
        Ok(Target { connections, authority, scheme, authorization })
    }

    /// Sends a call on the `turn`th connection; the answer's body is still to be read.
    pub async fn open(&self, turn: usize, call: Call) -> Result<Response<Incoming>, String> {
        let uri = format!("{}://{}{}", self.scheme, self.authority, call.path);
        let mut request = Request::builder().method(call.method).uri(uri).header("accept", call.accept);
        request = request.header("user-agent", concat!("kybern-bench/", env!("CARGO_PKG_VERSION")));
        if !call.body.is_empty() {
            request = request.header("content-type", call.content_type);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Full::new(call.body)).map_err(|why| why.to_string())?;
        let Some(connection) = self.connections.get(turn % self.connections.len()) else {
            return Err("no connection".to_owned());
        };
        connection.clone().send_request(request).await.map_err(|why| why.to_string())
    }

    /// A call whose answer is only counted; its bytes. Any status but success is an error.
    pub async fn count(&self, turn: usize, call: Call) -> Result<u64, String> {
        let text = format!("{} {}", call.method, call.path);
        let response = self.open(turn, call).await?;
        let status = response.status();
        let mut body = response.into_body();
        let (mut bytes, mut shown) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|why| format!("{text}: {why}"))?;
            let Some(data) = frame.data_ref() else { continue };
            bytes += data.len() as u64;
            if !status.is_success() {
                shown.extend_from_slice(data);
            }
        }
        if status.is_success() { Ok(bytes) } else { Err(failure(&text, status, &shown)) }
    }

    /// A call with its whole answer.
    pub async fn fetch(&self, turn: usize, call: Call) -> Result<Bytes, String> {
        let text = format!("{} {}", call.method, call.path);
        let response = self.open(turn, call).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|why| format!("{text}: {why}"))?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(failure(&text, status, &body)) }
    }
}

fn failure(call: &str, status: StatusCode, body: &[u8]) -> String {
    format!("{call}: {status}: {}", String::from_utf8_lossy(body.get(..400).unwrap_or(body)))
}

async fn connect(authority: &str, tls: Option<Arc<ClientConfig>>) -> Result<SendRequest<Full<Bytes>>, String> {
    let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:443") };
    let stream = TcpStream::connect(&address).await.map_err(|why| why.to_string())?;
    stream.set_nodelay(true).map_err(|why| why.to_string())?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    // Large enough that lists are not held up by the client.
    builder.initial_stream_window_size(8 << 20).initial_connection_window_size(64 << 20).max_frame_size(256 << 10);
    let Some(tls) = tls else {
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|why: hyper::Error| why.to_string())?;
        tokio::spawn(connection);
        return Ok(sender);
    };
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(|why| why.to_string())?;
    let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(|why| why.to_string())?;
    let (sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|why: hyper::Error| why.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_kubeconfig() {
        let text = crate::kubeconfig::render("https://h:1", Some("pem"), &crate::kubeconfig::Identity::Token("t"));
        let access = Access::from_kubeconfig(&text).unwrap();
        assert_eq!(
            (access.server.as_str(), access.token.as_str(), &access.ca_pem[..]),
            ("https://h:1", "t", &b"pem"[..])
        );
    }
}
