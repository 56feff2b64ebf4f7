//! From options to a server: which authenticators, authorizers and documents.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::RootCertStore;
use serve::authenticate::{Authenticators, BearerTokens, ClientCertificates, Credentials, TokenFile};
use serve::health::Health;
use serve::listen::{Peer, tls};

use crate::options::Options;
use crate::pki::Pki;
use crate::trust;

pub struct Assembled {
    authenticators: Authenticators,
    health: Arc<Health>,
}

/// Everything that the flags ask for, ready to answer requests.
pub fn server(options: &Options, pki: &Pki) -> Result<(Arc<Assembled>, Arc<Health>), String> {
    let health = Arc::new(Health::default());
    health.mark_booted();
    let assembled = Assembled { authenticators: authenticators(options, pki)?, health: health.clone() };
    Ok((Arc::new(assembled), health))
}

/// Who signs client certificates.
pub fn client_roots(options: &Options, pki: &Pki) -> Result<RootCertStore, String> {
    match &options.authentication.client_ca {
        Some(path) => {
            let bundle = trust::read_file("client-ca-file", path)?;
            trust::roots(&bundle).map_err(|why| format!("--client-ca-file: {why}"))
        }
        None => trust::roots(&pki.ca),
    }
}

fn authenticators(options: &Options, pki: &Pki) -> Result<Authenticators, String> {
    let verifier = tls::client_verifier(client_roots(options, pki)?)?;
    let mut tokens = BearerTokens::default();
    if let Some(path) = &options.authentication.token_file {
        let text = trust::read_file("token-auth-file", path)?;
        tokens.kinds.push(Arc::new(TokenFile::parse(&text).map_err(|why| format!("--token-auth-file: {why}"))?));
    }
    Ok(Authenticators {
        ordered: vec![Arc::new(ClientCertificates::new(verifier)), Arc::new(tokens)],
        anonymous: options.authentication.anonymous,
    })
}

/// Answers one request.
pub async fn handle(server: &Assembled, request: Request<Incoming>, peer: Peer) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let credentials = Credentials { headers: request.headers(), peer: &peer, path };
    if let Err(status) = server.authenticators.authenticate(&credentials).await {
        let mut response = Response::new(Bytes::from(meta::json::to_string(&status.to_value())));
        *response.status_mut() = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return response.map(Full::new);
    }
    if let Some(response) = server.health.respond(path, request.uri().query().unwrap_or_default()) {
        return response.map(Full::new);
    }
    let mut response = Response::new(Bytes::new());
    if path.trim_end_matches('/') == "/version" {
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        *response.body_mut() = Bytes::from(meta::json::to_string(&serve::version::document()));
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        *response.body_mut() = Bytes::from_static(b"404 page not found\n");
    }
    response.map(Full::new)
}
