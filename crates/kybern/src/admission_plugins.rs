//! Which admission plugins are on and what they are told.

use std::path::{Path, PathBuf};

use admission::{Chain, Configuration, ImagePolicy};
use meta::Value;
use serve::image_reviews::ImageReviews;
use serve::webhooks::Webhooks;

use crate::flags::Given;
use crate::trust;

const FILE: &str = "admission-control-config-file";

/// The flags about admission, resolved.
#[derive(Clone, Debug, Default)]
pub struct AdmissionPlugins {
    pub enabled: Vec<String>,
    pub disabled: Vec<String>,
    pub configuration: Configuration,
}

impl AdmissionPlugins {
    /// Reads the configuration file and those that it names, which are relative to it.
    pub fn resolve(given: &Given) -> Result<AdmissionPlugins, String> {
        let path = PathBuf::from(given.text(FILE));
        let configuration = if path.as_os_str().is_empty() {
            Configuration::default()
        } else {
            let folder = path.parent().unwrap_or(Path::new(""));
            Configuration::new(&read(&path)?, |other| read(&folder.join(other)))
                .map_err(|why| format!("--{FILE}: {why}"))?
        };
        Ok(AdmissionPlugins {
            enabled: given.list("enable-admission-plugins"),
            disabled: given.list("disable-admission-plugins"),
            configuration,
        })
    }

    /// The clients of mutating and of validating webhooks.
    pub fn webhooks(&self) -> Result<[Webhooks; 2], String> {
        let of = |plugin| {
            Webhooks::new(self.configuration.of(plugin))
                .map_err(|why| format!("couldn't init admission plugin \"{plugin}\": {why}"))
        };
        Ok([of("MutatingAdmissionWebhook")?, of("ValidatingAdmissionWebhook")?])
    }

    /// The client of ImagePolicyWebhook, when that is on.
    pub fn image_reviews(&self) -> Result<Option<ImageReviews>, String> {
        let name = "ImagePolicyWebhook";
        if !self.enabled.iter().any(|on| on == name) || self.disabled.iter().any(|off| off == name) {
            return Ok(None);
        }
        let policy = ImagePolicy::new(self.configuration.of(name));
        let reviews = policy.and_then(|policy| ImageReviews::new(&policy));
        reviews.map(Some).map_err(|why| format!("couldn't init admission plugin \"{name}\": {why}"))
    }

    pub fn chain(&self) -> Result<Chain, String> {
        Chain::configured(&texts(&self.enabled), &texts(&self.disabled), &self.configuration)
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

fn read(path: &Path) -> Result<Value, String> {
    let text = trust::read_file(FILE, path)?;
    let parsed = codec::parse_yaml(text.as_bytes()).map_err(|why| format!("--{FILE}: {}: {why}", path.display()))?;
    Ok(parsed.value)
}
