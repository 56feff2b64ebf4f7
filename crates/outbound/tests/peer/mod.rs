//! A server on the loopback address with a certificate of its own authority, for tests of what speaks to others.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub type Answered = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

pub struct Peer {
    pub address: SocketAddr,
    /// PEM
    pub authority: String,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn names() -> Vec<String> {
    vec!["127.0.0.1".to_owned(), "localhost".to_owned()]
}

impl Peer {
    pub async fn start(handler: impl Fn(Request<Bytes>) -> Answered + Send + Sync + 'static) -> Peer {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let leaf =
            CertificateParams::new(names()).expect("parameters").signed_by(&key, &issuer).expect("a certificate");
        Peer::start_as(leaf.der().clone(), key, issuer.pem(), handler).await
    }

    /// With a certificate that it has signed itself, as an authority.
    #[allow(dead_code, reason = "not every test has such a peer")]
    pub async fn start_self_signed(handler: impl Fn(Request<Bytes>) -> Answered + Send + Sync + 'static) -> Peer {
        let mut params = CertificateParams::new(names()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        Peer::start_as(own.der().clone(), key, own.pem(), handler).await
    }

    async fn start_as(
        certificate: CertificateDer<'static>,
        key: KeyPair,
        authority: String,
        handler: impl Fn(Request<Bytes>) -> Answered + Send + Sync + 'static,
    ) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS #8");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a configuration");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let handler = Arc::new(handler);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, handler) = (acceptor.clone(), handler.clone());
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let service = service_fn(|request: Request<Incoming>| {
                        let handler = handler.clone();
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                            Ok::<_, Infallible>(handler(Request::from_parts(head, body)).await)
                        }
                    });
                    // A client that goes away ends its connection and nothing else.
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        Peer { address, authority, task }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// An answer that is known at once.
pub fn answer(code: u16, body: impl Into<Bytes>) -> Answered {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = http::StatusCode::from_u16(code).expect("a code");
    Box::pin(async { response })
}
