//! Connections to backends.

use crate::aggregate::Backend;
use outbound::AnyCertificate;
use resource::{Location, Transport};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection that does not come about in this time is given up.
const DIAL_TIME_MAX: Duration = Duration::from_secs(30);

/// How to speak to backends.
pub struct Dialer {
    any: Arc<ClientConfig>,
    kubelet: Arc<ClientConfig>,
}

/// What the server shows to kubelets and expects of them (--kubelet-client-certificate, --kubelet-certificate-authority).
#[derive(Default)]
pub struct KubeletTrust {
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// Absent: any certificate will do, as upstream has it.
    pub authority: Option<RootCertStore>,
}

/// Either kind of connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Dialer {
    pub fn new(trust: KubeletTrust) -> Result<Dialer, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let any = builder(&provider, None)?.with_no_client_auth();
        let kubelet = builder(&provider, trust.authority)?;
        let kubelet = match trust.identity {
            Some((chain, key)) => kubelet.with_client_auth_cert(chain, key)?,
            None => kubelet.with_no_client_auth(),
        };
        Ok(Dialer { any: Arc::new(any), kubelet: Arc::new(kubelet) })
    }

    pub async fn dial(&self, to: &Location) -> io::Result<Box<dyn Io>> {
        let config = match to.transport {
            Transport::Plain => None,
            Transport::Tls => Some(&self.any),
            Transport::Kubelet => Some(&self.kubelet),
        };
        let name = ServerName::try_from(to.host.clone()).map_err(io::Error::other);
        let tls = config.map(|config| Ok::<_, io::Error>((config.clone(), name?))).transpose()?;
        in_time(to, connect(to, tls)).await
    }
}

/// Connects to a server whose certificate is known.
pub async fn dial_known(backend: &Backend) -> io::Result<Box<dyn Io>> {
    let to = &backend.location;
    in_time(to, connect(to, Some((backend.tls.clone(), backend.name.clone())))).await
}

async fn in_time(to: &Location, dialing: impl Future<Output = io::Result<Box<dyn Io>>>) -> io::Result<Box<dyn Io>> {
    match tokio::time::timeout(DIAL_TIME_MAX, dialing).await {
        Ok(connected) => connected,
        Err(_) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("dial tcp {}:{}: i/o timeout", to.host, to.port)))
        }
    }
}

async fn connect(to: &Location, tls: Option<(Arc<ClientConfig>, ServerName<'static>)>) -> io::Result<Box<dyn Io>> {
    let failed = |why: io::Error| io::Error::new(why.kind(), format!("dial tcp {}:{}: {why}", to.host, to.port));
    let tcp = TcpStream::connect((to.host.as_str(), to.port)).await.map_err(failed)?;
    tcp.set_nodelay(true)?;
    match tls {
        None => Ok(Box::new(tcp)),
        Some((config, name)) => Ok(Box::new(TlsConnector::from(config).connect(name, tcp).await?)),
    }
}

type WantsIdentity = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder(provider: &Arc<CryptoProvider>, authority: Option<RootCertStore>) -> Result<WantsIdentity, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    Ok(match authority {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider.clone()))),
    })
}
