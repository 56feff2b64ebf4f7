//! What the flags about authorization mean, and the authorizers that they ask for.

mod followed;
mod webhook;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth::abac::Policy;
use auth::configuration::{AuthorizationConfiguration, Authorizer as Wanted};
use auth::node::NodeAuthorizer;
use auth::rbac::Rbac;
use serve::Resources;
use serve::authorize::{AlwaysAllow, AlwaysDeny, Authorizer, Authorizers};
use store::Store;
use tokio::sync::watch;

use crate::flags::Given;
use crate::options::path;
use crate::policy::{AbacMode, Followed, NodeMode, RbacMode};
use crate::trust;
use followed::follow_configuration;

const CONFIG: &str = "authorization-config";
const POLICY: &str = "authorization-policy-file";
const WEBHOOK: &str = "authorization-webhook-config-file";
const MODES: &[&str] = &["AlwaysAllow", "AlwaysDeny", "ABAC", "Webhook", "RBAC", "Node"];

#[derive(Clone, Debug)]
pub struct Authorization {
    /// In order.
    pub modes: Vec<String>,
    /// Of the mode ABAC.
    policy: Option<PathBuf>,
    /// Of the mode Webhook.
    webhook: Option<WebhookFlags>,
    /// Instead of all the others.
    config: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct WebhookFlags {
    config: PathBuf,
    version: &'static str,
    allowed_time: Duration,
    refused_time: Duration,
}

/// What authorizers are made of beside the flags.
pub struct Parts {
    pub store: Store,
    /// Those that are built in.
    pub resources: Arc<Resources>,
    /// True when the process ends: files are not followed any more.
    pub stopping: watch::Receiver<bool>,
}

impl Authorization {
    pub fn resolve(given: &Given) -> Result<Authorization, String> {
        let config = path(given, CONFIG);
        let flags = ["authorization-mode", WEBHOOK, "authorization-webhook-version"];
        if config.is_some() && flags.iter().any(|flag| given.is_set(flag)) {
            return Err(format!(
                "--{CONFIG} can not be specified when --authorization-mode or --authorization-webhook-* flags are defined"
            ));
        }
        let modes = given.list("authorization-mode");
        check_modes(&modes)?;
        let (policy, webhook) = (path(given, POLICY), path(given, WEBHOOK));
        if config.is_none() {
            let files = [("ABAC", POLICY, &policy, "policy"), ("Webhook", WEBHOOK, &webhook, "config")];
            for (mode, flag, file, what) in files {
                match (modes.iter().any(|own| own == mode), file) {
                    (true, None) => {
                        return Err(format!("--authorization-mode {mode}'s authorization {what} file not passed"));
                    }
                    (false, Some(_)) => return Err(format!("cannot specify --{flag} without mode {mode}")),
                    _ => {}
                }
            }
        }
        Ok(Authorization {
            modes,
            policy,
            webhook: webhook.map(|config| WebhookFlags::resolve(given, config)).transpose()?,
            config,
        })
    }

    /// In a runtime: the configuration file is followed by a task.
    pub fn open(&self, parts: Parts) -> Result<Authorizers, String> {
        let rbac = Arc::new(Followed::new(parts.store.clone(), parts.resources.clone()));
        let mut modes = Modes { parts, policy: self.policy.clone(), rbac: rbac.clone(), made: HashMap::new() };
        let Some(path) = &self.config else {
            let ordered = self.modes.iter().map(|mode| match (mode.as_str(), &self.webhook) {
                ("Webhook", Some(flags)) => flags.open(),
                (mode, _) => modes.mode(mode),
            });
            let authorizers = Authorizers::new(ordered.collect::<Result<_, String>>()?);
            return Ok(Authorizers { grants: Some(rbac), ..authorizers });
        };
        let text = trust::read_file(CONFIG, path)?;
        let named = |why: String| format!("--{CONFIG}: {why}");
        let wanted = read(&text).map_err(named)?;
        let authorizers = Authorizers::new(modes.open(&wanted).map_err(named)?);
        follow_configuration(path.clone(), text, modes, wanted, authorizers.ordered.clone());
        Ok(Authorizers { grants: Some(rbac), ..authorizers })
    }
}

/// The authorizers that a configuration file asks for.
fn read(text: &str) -> Result<Vec<Wanted>, String> {
    let file = codec::parse_yaml(text.as_bytes())?;
    if let Some(why) = file.strict {
        return Err(format!("strict decoding error: {why}"));
    }
    Ok(AuthorizationConfiguration::read(&file.value)?.authorizers)
}

fn check_modes(modes: &[String]) -> Result<(), String> {
    if modes.is_empty() {
        return Err("--authorization-mode: at least one authorization-mode must be passed".into());
    }
    for (index, mode) in modes.iter().enumerate() {
        if !MODES.contains(&mode.as_str()) {
            return Err(format!("--authorization-mode {mode:?} is not a valid mode"));
        }
        if modes.iter().take(index).any(|before| before == mode) {
            return Err(format!("--authorization-mode {modes:?} has mode specified more than once"));
        }
    }
    Ok(())
}

/// Makes authorizers; those that hold indexes are made once, however often a file changes.
struct Modes {
    parts: Parts,
    policy: Option<PathBuf>,
    /// Also there without the mode, for writes of roles and bindings.
    rbac: Arc<Followed<Rbac>>,
    made: HashMap<String, Arc<dyn Authorizer>>,
}

impl Modes {
    fn open(&mut self, wanted: &[Wanted]) -> Result<Vec<Arc<dyn Authorizer>>, String> {
        let open = |wanted: &Wanted| match &wanted.webhook {
            Some(configuration) => webhook::configured(configuration),
            None => self.mode(&wanted.kind),
        };
        wanted.iter().map(open).collect()
    }

    fn mode(&mut self, name: &str) -> Result<Arc<dyn Authorizer>, String> {
        if let Some(made) = self.made.get(name) {
            return Ok(made.clone());
        }
        let (store, resources) = (self.parts.store.clone(), self.parts.resources.clone());
        let made: Arc<dyn Authorizer> = match name {
            "AlwaysAllow" => Arc::new(AlwaysAllow),
            "AlwaysDeny" => Arc::new(AlwaysDeny),
            "RBAC" => Arc::new(RbacMode(self.rbac.clone())),
            "Node" => Arc::new(NodeMode { graph: Followed::new(store, resources), rules: NodeAuthorizer::default() }),
            "ABAC" => Arc::new(AbacMode(read_policy(self.policy.as_deref())?)),
            other => return Err(format!("{other:?} is no mode of authorization")),
        };
        self.made.insert(name.to_owned(), made.clone());
        Ok(made)
    }
}

fn read_policy(path: Option<&Path>) -> Result<Policy, String> {
    let path = path.ok_or_else(|| format!("ABAC needs --{POLICY}"))?;
    let text = trust::read_file(POLICY, path)?;
    Policy::parse(&text).map_err(|why| format!("--{POLICY}: error reading policy file {}, {why}", path.display()))
}
