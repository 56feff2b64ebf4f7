//! Webhooks that decide, from flags and from a configuration file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::configuration::{Connection, WebhookConfiguration};
use outbound::{Authority, Client, Endpoint, Sender};
use serve::authorize::{Authorizer, FailurePolicy, Webhook};

use super::{WEBHOOK, WebhookFlags};
use crate::flags::Given;
use crate::options::duration;

const VERSION: &str = "authorization-webhook-version";
/// What every pod finds out about the server, and who it is to it.
const POD_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

impl WebhookFlags {
    pub fn resolve(given: &Given, config: PathBuf) -> Result<WebhookFlags, String> {
        let version = match given.text(VERSION) {
            "v1" => "v1",
            "v1beta1" => "v1beta1",
            other => {
                return Err(format!(
                    "--{VERSION}: unsupported webhook authorizer version {other:?}, supported versions are \"v1\", \"v1beta1\""
                ));
            }
        };
        Ok(WebhookFlags {
            config,
            version,
            allowed_time: duration(given, "authorization-webhook-cache-authorized-ttl")?,
            refused_time: duration(given, "authorization-webhook-cache-unauthorized-ttl")?,
        })
    }

    pub fn open(&self) -> Result<Arc<dyn Authorizer>, String> {
        let client = Endpoint::read_kubeconfig(&self.config).and_then(|endpoint| Client::new(&endpoint));
        let client = client.map_err(|why| format!("--{WEBHOOK}: {why}"))?;
        Ok(Arc::new(Webhook {
            allowed_time: self.allowed_time,
            refused_time: self.refused_time,
            ..Webhook::new(client, self.version)
        }))
    }
}

/// The webhook of a configuration file.
pub fn configured(configuration: &WebhookConfiguration) -> Result<Arc<dyn Authorizer>, String> {
    let endpoint = match &configuration.connection {
        Connection::KubeConfig(path) => Endpoint::read_kubeconfig(Path::new(path))?,
        Connection::InCluster => in_cluster(configuration.version)?,
    };
    let failure_policy = if configuration.denies_on_failure { FailurePolicy::Deny } else { FailurePolicy::NoOpinion };
    Ok(Arc::new(Webhook {
        allowed_time: configuration.allowed_time,
        refused_time: configuration.refused_time,
        time_max: configuration.time_max,
        failure_policy,
        conditions: configuration.conditions.clone(),
        ..Webhook::new(Client::new(&endpoint)?, configuration.version)
    }))
}

/// The server of the cluster in which this one runs as a pod.
fn in_cluster(version: &str) -> Result<Endpoint, String> {
    let of = |name: &str| std::env::var(name).map_err(|_| format!("InClusterConfig needs ${name}"));
    let (host, port) = (of("KUBERNETES_SERVICE_HOST")?, of("KUBERNETES_SERVICE_PORT")?);
    let folder = Path::new(POD_FOLDER);
    let authority = std::fs::read_to_string(folder.join("ca.crt")).map_err(|why| format!("{POD_FOLDER}/ca.crt: {why}"));
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok(Endpoint {
        authority: Authority::Pem(authority?),
        sender: Sender::TokenFile(folder.join("token")),
        ..Endpoint::new(format!("https://{host}:{port}/apis/authorization.k8s.io/{version}/subjectaccessreviews"))
    })
}
