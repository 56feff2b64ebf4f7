//! What the flags about authentication mean, and the authenticators that they ask for.

mod accounts;
mod bootstrap;
mod issuers;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use meta::Str;
use serve::Resources;
use serve::authenticate::{
    Anonymous, Authenticator, Authenticators, BearerTokens, ClientCertificates, FrontProxy, TokenFile,
};
use serve::listen::tls;
use serve::token::{AccountTokens, TokenKeys};
use store::Store;
use tokio::sync::watch;

use crate::flags::Given;
use crate::options::path;
use crate::reload::follow;
use crate::trust;

use crate::boot::authorities::Authorities;
pub use accounts::Accounts;
use bootstrap::BootstrapTokens;
use issuers::Issuers;
use webhook::WebhookFlags;

const CLIENT_CA: &str = "client-ca-file";
const PROXY_CA: &str = "requestheader-client-ca-file";

#[derive(Clone, Debug, Default)]
pub struct Authentication {
    pub anonymous: bool,
    /// Whether the flag was given.
    anonymous_set: bool,
    issuers: Issuers,
    webhook: Option<WebhookFlags>,
    /// `None`: kybern's own CA.
    pub client_ca: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub front_proxy: Option<Proxies>,
    pub accounts: Accounts,
    /// `--api-audiences`
    pub audiences: Vec<String>,
    /// `--enable-bootstrap-token-auth`
    pub bootstrap_tokens: bool,
}

/// `--requestheader-*`
#[derive(Clone, Debug)]
pub struct Proxies {
    pub ca: PathBuf,
    /// Empty: any.
    pub names: Vec<String>,
    pub user_headers: Vec<String>,
    pub uid_headers: Vec<String>,
    pub group_headers: Vec<String>,
    pub extra_prefixes: Vec<String>,
}

/// What authenticators are made of beside the flags.
pub struct Parts<'a> {
    /// kybern's own CA, PEM.
    pub own_ca: &'a str,
    pub keys: &'a Arc<TokenKeys>,
    pub store: &'a Store,
    /// Those that are built in.
    pub resources: &'a Arc<Resources>,
    /// True when the process ends: files are not followed any more.
    pub stopping: &'a watch::Receiver<bool>,
}

impl Authentication {
    pub fn resolve(given: &Given) -> Result<Authentication, String> {
        let front_proxy = path(given, PROXY_CA).map(|ca| Proxies {
            ca,
            names: given.list("requestheader-allowed-names"),
            user_headers: given.list("requestheader-username-headers"),
            uid_headers: given.list("requestheader-uid-headers"),
            group_headers: given.list("requestheader-group-headers"),
            extra_prefixes: given.list("requestheader-extra-headers-prefix"),
        });
        let accounts = Accounts::resolve(given)?;
        let mut audiences = given.list("api-audiences");
        if audiences.is_empty() {
            audiences.extend(accounts.issuers.first().cloned());
        }
        Ok(Authentication {
            anonymous: given.switch("anonymous-auth")?,
            anonymous_set: given.is_set("anonymous-auth"),
            issuers: Issuers::resolve(given)?,
            webhook: WebhookFlags::resolve(given)?,
            client_ca: path(given, CLIENT_CA),
            token_file: path(given, "token-auth-file"),
            front_proxy,
            accounts,
            audiences,
            bootstrap_tokens: given.switch("enable-bootstrap-token-auth")?,
        })
    }

    /// The keys of service account tokens; `own` is the data directory's, PEM.
    pub fn keys(&self, own: &str) -> Result<TokenKeys, String> {
        self.accounts.keys(own, &self.audiences)
    }

    /// Who signs client certificates, PEM.
    fn client_bundle(&self, own_ca: &str) -> Result<String, String> {
        self.client_ca.as_ref().map_or_else(|| Ok(own_ca.to_owned()), |path| trust::read_file(CLIENT_CA, path))
    }

    /// What servers behind this one are told.
    pub fn authorities(&self, own_ca: &str) -> Result<Authorities, String> {
        let clients = self.client_bundle(own_ca)?;
        let Some(proxies) = &self.front_proxy else { return Ok(Authorities { clients, ..Authorities::default() }) };
        let lists = [
            ("requestheader-username-headers", &proxies.user_headers),
            ("requestheader-uid-headers", &proxies.uid_headers),
            ("requestheader-group-headers", &proxies.group_headers),
            ("requestheader-extra-headers-prefix", &proxies.extra_prefixes),
            ("requestheader-allowed-names", &proxies.names),
        ];
        Ok(Authorities {
            clients,
            proxies: Some(trust::read_file(PROXY_CA, &proxies.ca)?),
            proxy_lists: lists.into_iter().map(|(key, names)| (key, names.clone())).collect(),
        })
    }

    /// In a runtime: files that may change are followed by tasks.
    pub fn open(&self, parts: &Parts) -> Result<Authenticators, String> {
        let mut ordered: Vec<Arc<dyn Authenticator>> = vec![];
        if let Some(proxies) = &self.front_proxy {
            ordered.push(proxies.open(parts)?);
        }
        let bundle = self.client_bundle(parts.own_ca)?;
        let certificates = Arc::new(ClientCertificates::new(verifier(CLIENT_CA, &bundle)?));
        if let Some(path) = &self.client_ca {
            let certificates = certificates.clone();
            follow_authorities(CLIENT_CA, path, bundle, parts, move |verifier| certificates.replace(verifier));
        }
        ordered.push(certificates);
        let anonymous = if self.anonymous { Anonymous::Everywhere } else { Anonymous::Nobody };
        let anonymous = Arc::new(ArcSwap::from_pointee(anonymous));
        Ok(Authenticators { ordered, tokens: self.tokens(parts, &anonymous)?, anonymous })
    }

    /// Those that another server is asked about come last.
    fn tokens(&self, parts: &Parts, anonymous: &Arc<ArcSwap<Anonymous>>) -> Result<BearerTokens, String> {
        let audiences: Vec<Str> = self.audiences.iter().map(|audience| audience.as_str().into()).collect();
        let mut tokens = BearerTokens { kinds: vec![], audiences: audiences.clone() };
        if let Some(path) = &self.token_file {
            let text = trust::read_file("token-auth-file", path)?;
            tokens.kinds.push(Arc::new(TokenFile::parse(&text).map_err(|why| format!("--token-auth-file: {why}"))?));
        }
        let (store, resources) = (parts.store.clone(), parts.resources.clone());
        let rules = resources::service_account_tokens();
        tokens.kinds.push(Arc::new(AccountTokens::new(parts.keys.clone(), rules, store.clone(), resources.clone())));
        if self.bootstrap_tokens {
            tokens.kinds.push(Arc::new(BootstrapTokens { store, resources }));
        }
        let flag = self.anonymous_set.then_some(self.anonymous);
        if let Some(issuers) = self.issuers.open(&self.accounts.issuers, flag, anonymous, parts.stopping)? {
            tokens.kinds.push(issuers);
        }
        if let Some(webhook) = &self.webhook {
            tokens.kinds.push(Arc::new(webhook.open(audiences)?));
        }
        Ok(tokens)
    }
}

impl Proxies {
    fn open(&self, parts: &Parts) -> Result<Arc<FrontProxy>, String> {
        let bundle = trust::read_file(PROXY_CA, &self.ca)?;
        let proxy = Arc::new(FrontProxy {
            verifier: RwLock::new(verifier(PROXY_CA, &bundle)?),
            names: self.names.clone(),
            user_headers: self.user_headers.clone(),
            uid_headers: self.uid_headers.clone(),
            group_headers: self.group_headers.clone(),
            extra_prefixes: self.extra_prefixes.clone(),
        });
        let followed = proxy.clone();
        follow_authorities(PROXY_CA, &self.ca, bundle, parts, move |verifier| followed.replace(verifier));
        Ok(proxy)
    }
}

type Verifier = Arc<dyn rustls::server::danger::ClientCertVerifier>;

fn verifier(flag: &str, bundle: &str) -> Result<Verifier, String> {
    let roots = outbound::roots(bundle).map_err(|why| format!("--{flag}: {why}"))?;
    tls::client_verifier(roots).map_err(|why| format!("--{flag}: {why}"))
}

/// A bundle that cannot be read changes nothing.
fn follow_authorities(
    flag: &'static str,
    path: &Path,
    known: String,
    parts: &Parts,
    replace: impl Fn(Verifier) + Send + 'static,
) {
    follow(path.to_owned(), known, parts.stopping.clone(), move |bundle| match verifier(flag, bundle) {
        Ok(verifier) => {
            tracing::info!(flag, "other authorities count now");
            replace(verifier);
        }
        Err(why) => tracing::warn!(why, "the authorities stay as they are"),
    });
}
