//! `--authentication-token-webhook-*`

use std::path::PathBuf;
use std::time::Duration;

use meta::Str;
use outbound::{Client, Endpoint};
use serve::authenticate::TokenWebhook;

use crate::flags::Given;
use crate::options::{duration, path};

const CONFIG: &str = "authentication-token-webhook-config-file";
const VERSION: &str = "authentication-token-webhook-version";

#[derive(Clone, Debug)]
pub struct WebhookFlags {
    config: PathBuf,
    version: &'static str,
    cache_time: Duration,
}

impl WebhookFlags {
    pub fn resolve(given: &Given) -> Result<Option<WebhookFlags>, String> {
        let Some(config) = path(given, CONFIG) else { return Ok(None) };
        let version = match given.text(VERSION) {
            "v1" => "v1",
            "v1beta1" => "v1beta1",
            other => {
                return Err(format!(
                    "--{VERSION}: unsupported authentication webhook version {other:?}, supported versions are \"v1\", \"v1beta1\""
                ));
            }
        };
        let cache_time = duration(given, "authentication-token-webhook-cache-ttl")?;
        Ok(Some(WebhookFlags { config, version, cache_time }))
    }

    pub fn open(&self, audiences: Vec<Str>) -> Result<TokenWebhook, String> {
        let client = Endpoint::read_kubeconfig(&self.config).and_then(|endpoint| Client::new(&endpoint));
        let client = client.map_err(|why| format!("--{CONFIG}: {why}"))?;
        Ok(TokenWebhook::new(client, self.version, self.cache_time, audiences))
    }
}
