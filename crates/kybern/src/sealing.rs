//! Encryption at rest as flags ask for it: the configuration is read at the start, and when asked so, again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use encryption::{Config, Encryption};
use meta::Str;
use meta::field::quote;
use serve::Resources;
use serve::health::Health;
use tokio::sync::watch;

use crate::flags::Given;
use crate::options::path;

const FILE: &str = "encryption-provider-config";
const RELOAD: &str = "encryption-provider-config-automatic-reload";
/// How often the file is looked at.
const PERIOD: Duration = Duration::from_secs(60);

/// `--encryption-provider-config*`
#[derive(Clone, Debug, Default)]
pub struct Sealing {
    config: Option<PathBuf>,
    reload: bool,
}

impl Sealing {
    pub fn resolve(given: &Given) -> Result<Sealing, String> {
        let (config, reload) = (path(given, FILE), given.switch(RELOAD)?);
        if reload && config.is_none() {
            return Err(format!("--{RELOAD} must be set with --{FILE}"));
        }
        Ok(Sealing { config, reload })
    }

    /// Reads the configuration, asks the services that have keys, and follows the file if that is asked for. `None`:
    /// everything is kept as it is.
    pub fn open(
        &self,
        resources: &Resources,
        health: &Health,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Option<Arc<Encryption>>, String> {
        let Some(file) = &self.config else { return Ok(None) };
        let named = |why: String| format!("--{FILE}: {why}");
        let content = read(file).map_err(named)?;
        let stored = resources.all().filter(|endpoint| serve::is_stored_form(endpoint));
        let prefixes = stored.map(|endpoint| {
            let descriptor = &endpoint.descriptor;
            (endpoint.prefix.clone(), descriptor.group.clone(), descriptor.plural.clone())
        });
        let prefixes: Vec<(Str, Str, Str)> = prefixes.collect();
        let config = parse(&content, self.reload).map_err(named)?;
        let encryption = Arc::new(Encryption::new(config, prefixes).map_err(named)?);
        self.add_checks(&encryption, health);
        if self.reload {
            tokio::spawn(follow(encryption.clone(), file.clone(), content, stopping.clone()));
        }
        Ok(Some(encryption))
    }

    /// One check for each service; a single one when their number may change.
    fn add_checks(&self, encryption: &Arc<Encryption>, health: &Health) {
        if self.reload {
            health.add(format!("poststarthook/start-{RELOAD}"), Box::new(|| Ok(())));
            let encryption = encryption.clone();
            let check = move || encryption.health().into_iter().try_for_each(|(_, well)| well);
            health.add("kms-providers", Box::new(check));
            return;
        }
        for index in 0..encryption.health().len() {
            let encryption = encryption.clone();
            let check = move || encryption.health().into_iter().nth(index).map_or(Ok(()), |(_, well)| well);
            health.add(format!("kms-provider-{index}"), Box::new(check));
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let shown = || quote(&file.to_string_lossy());
    let content = std::fs::read(file);
    let content =
        content.map_err(|why| format!("error opening encryption provider configuration file {}: {why}", shown()))?;
    if content.is_empty() {
        return Err(format!("encryption provider configuration file {} is empty", shown()));
    }
    Ok(content)
}

fn parse(content: &[u8], reload: bool) -> Result<Config, String> {
    let parsed = codec::parse_yaml(content).map_err(|why| format!("error while parsing file: {why}"))?;
    if let Some(twice) = parsed.strict {
        return Err(format!("error while parsing file: {twice}"));
    }
    Config::from_value(&parsed.value, reload).map_err(|why| format!("error while parsing file: {why}"))
}

/// Takes over what the file says whenever that changes; a file that is wrong changes nothing.
async fn follow(encryption: Arc<Encryption>, file: PathBuf, mut known: Vec<u8>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        let content = match read(&file) {
            Ok(content) if content == known => continue,
            Ok(content) => content,
            Err(why) => {
                tracing::error!(why, "encryption configuration");
                continue;
            }
        };
        let replacing = encryption.clone();
        let parsed = parse(&content, true);
        // Services are waited for, which a thread of requests must not do.
        let replaced = tokio::task::spawn_blocking(move || replacing.replace(parsed?)).await;
        match replaced.map_err(|why| why.to_string()).and_then(|replaced| replaced) {
            Ok(()) => {
                known = content;
                tracing::info!("objects are encrypted as the changed configuration says");
            }
            Err(why) => tracing::error!(why, "the changed encryption configuration is not used"),
        }
    }
}
