//! One connection.

use std::io;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::endpoint::Endpoint;
use crate::failure::{Cause, Failure};

/// A plain or an encrypted connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Where connections of a client go.
pub struct Place {
    host: String,
    port: u16,
    /// `None`: plain HTTP.
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
}

impl Place {
    pub fn new(url: &Uri, endpoint: &Endpoint) -> Result<Place, String> {
        let own = url.host().ok_or_else(|| format!("{:?} has no host", endpoint.url))?;
        let own = own.trim_start_matches('[').trim_end_matches(']');
        let encrypted = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(format!("{:?} is neither https nor http", endpoint.url)),
        };
        let port = url.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let (host, port) = endpoint.address.clone().unwrap_or_else(|| (own.to_owned(), port));
        let tls = if encrypted {
            let name = endpoint.server_name.clone().unwrap_or_else(|| own.to_owned());
            let name = ServerName::try_from(name).map_err(|why| why.to_string())?;
            Some((name, Arc::new(crate::client_config(&endpoint.authority, endpoint.identity.as_ref())?)))
        } else {
            None
        };
        Ok(Place { host, port, tls })
    }

    pub async fn connect(&self) -> Result<Box<dyn Io>, Failure> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|why| {
            let failure = Failure::of_io(&why);
            let kind = if why.kind() == io::ErrorKind::ConnectionRefused { failure.cause } else { Cause::Unreachable };
            Failure::new(kind, format!("dial tcp {}:{}: {}", self.host, self.port, failure.text))
        })?;
        tcp.set_nodelay(true).map_err(|why| Failure::of_io(&why))?;
        match &self.tls {
            None => Ok(Box::new(tcp)),
            Some((name, config)) => {
                let connected = TlsConnector::from(config.clone()).connect(name.clone(), tcp).await;
                Ok(Box::new(connected.map_err(|why| Failure::of_io(&why))?))
            }
        }
    }
}
