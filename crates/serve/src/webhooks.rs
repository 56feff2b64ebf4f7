//! Asking admission webhooks (upstream: apiserver/pkg/util/webhook): one client for each place that they are at.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use admission::webhook::{Call, ClientConfig, locate};
use base64::Engine as _;
use meta::Value;
use meta::field::quote;
use outbound::{Authority, Cause, Client, Endpoint};
use resource::Reader;

/// Clients that are kept. When there are more, all are made anew.
const CLIENTS_MAX: usize = 200;

/// The clients of webhooks of one kind.
#[derive(Default)]
pub struct Webhooks {
    /// Who this server is to webhooks, by their hosts: a kubeconfig file.
    kubeconfig: Option<PathBuf>,
    clients: Mutex<HashMap<String, Arc<Client>>>,
}

impl Webhooks {
    /// With the configuration of the plugin; null when there is none. A relative path in it is relative to the working
    /// directory, as upstream has it.
    ///
    /// # Errors
    /// What the configuration is instead.
    pub fn new(configuration: &Value) -> Result<Webhooks, String> {
        let path = configuration["kubeConfigFile"].str();
        let (version, kind) = (configuration["apiVersion"].str(), configuration["kind"].str());
        let of_version = matches!(version, "apiserver.config.k8s.io/v1" | "apiserver.config.k8s.io/v1alpha1");
        let is_one = of_version && matches!(kind, "WebhookAdmissionConfiguration" | "WebhookAdmission");
        if !configuration.is_null() && !is_one {
            return Err(format!("no kind {} is registered for version {}", quote(kind), quote(version)));
        }
        Ok(Webhooks { kubeconfig: (!path.is_empty()).then(|| path.into()), clients: Mutex::default() })
    }

    /// The answer to a question; or why there is none, in upstream's words, and the code that its metrics have for that.
    pub async fn call(&self, reader: &dyn Reader, call: &Call) -> Result<Value, (String, u16)> {
        let seconds = call.hook.timeout_seconds();
        let config = call.hook.client_config();
        let failed = |why: String| (format!("failed to call webhook: {why}"), 503);
        let (url, address) = match &config {
            ClientConfig::Url(url) => (url.clone(), None),
            ClientConfig::Service { namespace, name, path, port } => {
                let path = path.trim_start_matches('/');
                let url = format!("https://{name}.{namespace}.svc:{port}/{path}");
                let address = locate(reader, namespace, name, *port);
                let named = |why| failed(format!("Post {}: {why}", quote(&format!("{url}?timeout={seconds}s"))));
                (url.clone(), Some(address.map_err(named)?))
            }
        };
        let client = self.client(&config, url, address, call.hook.ca_bundle());
        let client = client.map_err(|why| (format!("could not get REST client: {why}"), 500))?;
        let target = format!("{}?timeout={seconds}s", client.target());
        let answered = client.post_json_to(&target, &call.review, Duration::from_secs(seconds)).await;
        answered.map_err(|why| match why.cause {
            Cause::Refused(code) => (failed(why.text).0, code),
            _ => failed(why.text),
        })
    }

    fn client(
        &self,
        config: &ClientConfig,
        url: String,
        address: Option<(String, u16)>,
        ca_bundle: &str,
    ) -> Result<Arc<Client>, String> {
        let key = format!("{url} {address:?} {ca_bundle}");
        let lock = || self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Ok(known.clone());
        }
        let authority = match ca_bundle {
            "" => Authority::System,
            text => {
                let pem = base64::engine::general_purpose::STANDARD.decode(text).map_err(|why| why.to_string())?;
                Authority::Pem(String::from_utf8(pem).map_err(|why| why.to_string())?)
            }
        };
        let mut endpoint = Endpoint { address, authority, ..Endpoint::new(url) };
        let host = match config {
            ClientConfig::Url(url) => host_of(url),
            ClientConfig::Service { namespace, name, port, .. } => {
                endpoint.server_name = Some(format!("{name}.{namespace}.svc"));
                format!("{name}.{namespace}.svc:{port}")
            }
        };
        if let Some(kubeconfig) = &self.kubeconfig {
            endpoint.present_credentials(kubeconfig, &host)?;
        }
        let client = Arc::new(Client::new(&endpoint)?);
        let mut clients = lock();
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// Host and port of a URL.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    if has_port { host.to_owned() } else { format!("{host}:443") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls() {
        assert_eq!(host_of("https://a:1/x?y"), "a:1");
        assert_eq!(host_of("https://a"), "a:443");
    }
}
