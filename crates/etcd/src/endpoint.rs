//! Where a member is reached, and the way there.

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection that takes longer than this to make is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// PEM.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Who signs the members' certificates; the machine's authorities when it is missing.
    pub authorities: Option<String>,
    /// The client's certificate, with its chain, and key.
    pub identity: Option<(String, String)>,
}

/// A URL such as `https://10.0.0.1:2379`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) is_tls: bool,
    /// Without brackets.
    host: String,
    port: u16,
    /// As in the URL.
    pub(crate) authority: String,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Endpoint, String> {
        let bad = || format!("{url:?} is no URL such as https://127.0.0.1:2379");
        let (is_tls, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(bad()),
        };
        let authority: http::uri::Authority = rest.trim_end_matches('/').parse().map_err(|_| bad())?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(bad());
        }
        let port = authority.port_u16().unwrap_or(2379);
        let shown = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok(Endpoint { is_tls, host, port, authority: shown })
    }

    pub(crate) fn base(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

/// How TLS is spoken with every member.
#[derive(Clone, Debug)]
pub(crate) struct TlsClient(Arc<ClientConfig>);

/// Where systems keep the authorities that they trust, in the order in which Go's programs look.
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl TlsClient {
    pub(crate) fn new(tls: &Tls) -> Result<TlsClient, String> {
        let mut roots = RootCertStore::empty();
        match &tls.authorities {
            Some(pem) => {
                for certificate in certificates(pem.as_bytes())? {
                    roots.add(certificate).map_err(|why| why.to_string())?;
                }
            }
            None => {
                let bundle = SYSTEM_BUNDLES.iter().find_map(|path| std::fs::read(path).ok());
                let bundle = bundle.ok_or("no authorities are given, and the system has none")?;
                // Systems have some that cannot be read; those that can are enough.
                roots.add_parsable_certificates(certificates(&bundle)?);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|why| why.to_string())?.with_root_certificates(roots);
        let mut config = match &tls.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|why| format!("the key: {why}"))?;
                builder.with_client_auth_cert(certificates(chain.as_bytes())?, key).map_err(|why| why.to_string())?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsClient(Arc::new(config)))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("no certificate in it".into()),
        Ok(certificates) => Ok(certificates),
        Err(why) => Err(why.to_string()),
    }
}

/// A connection's bytes.
pub(crate) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    pub(crate) async fn connect(endpoint: &Endpoint, tls: Option<&TlsClient>) -> io::Result<Io> {
        let connect = async {
            let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
            tcp.set_nodelay(true)?;
            let Some(TlsClient(config)) = tls.filter(|_| endpoint.is_tls) else { return Ok(Io::Plain(tcp)) };
            let name = ServerName::try_from(endpoint.host.clone()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(config.clone()).connect(name, tcp).await?;
            Ok(Io::Tls(Box::new(stream)))
        };
        let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "i/o timeout");
        tokio::time::timeout(CONNECT_TIMEOUT, connect).await.unwrap_or_else(|_| Err(timed_out()))
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, want) in [
            ("http://127.0.0.1:2379", Some("http://127.0.0.1:2379")),
            ("https://etcd.example/", Some("https://etcd.example:2379")),
            ("https://[::1]:4001", Some("https://[::1]:4001")),
            ("127.0.0.1:2379", None),
            ("unix:///run/etcd", None),
            ("http://", None),
            ("http://user@host:1", None),
            ("http://host:1/path", None),
        ] {
            assert_eq!(Endpoint::parse(url).ok().map(|endpoint| endpoint.base()).as_deref(), want, "{url}");
        }
    }
}
