//! What `--admission-control-config-file` says to each plugin.

use meta::Value;
use std::collections::BTreeMap;

static NOTHING: Value = Value::Null;

/// The configuration of each plugin that has one, by its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration(BTreeMap<String, Value>);

impl Configuration {
    /// Of an AdmissionConfiguration. `read` gives the content of a file that a plugin's entry names by its path.
    ///
    /// # Errors
    /// Of another kind, of an entry without a name, and those of `read`.
    pub fn new(file: &Value, read: impl Fn(&str) -> Result<Value, String>) -> Result<Configuration, String> {
        let kind = (file["apiVersion"].str(), file["kind"].str());
        if !matches!(
            kind,
            (
                "apiserver.config.k8s.io/v1" | "apiserver.config.k8s.io/v1alpha1" | "apiserver.k8s.io/v1alpha1",
                "AdmissionConfiguration"
            )
        ) {
            return Err(format!("unexpected type: {}, Kind={}", kind.0, kind.1));
        }
        let mut plugins = BTreeMap::new();
        for plugin in file["plugins"].items() {
            let (name, path) = (plugin["name"].str(), plugin["path"].str());
            if name.is_empty() {
                return Err("plugins: a plugin without a name".into());
            }
            let own = match (&plugin["configuration"], path) {
                (Value::Null, "") => Value::Null,
                (Value::Null, path) => read(path)?,
                (given, _) => given.clone(),
            };
            plugins.insert(name.to_string(), own);
        }
        Ok(Configuration(plugins))
    }

    /// The names of the plugins that are configured.
    pub fn plugins(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is said to a plugin; null when nothing is.
    pub fn of(&self, plugin: &str) -> &Value {
        self.0.get(plugin).unwrap_or(&NOTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn entries_are_inline_or_in_files() {
        let file = value!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": [
            {"name": "PodSecurity", "configuration": {"defaults": {"enforce": "baseline"}}},
            {"name": "EventRateLimit", "path": "limits.yaml"}
        ]});
        let read = |path: &str| Ok(value!({"read": path}));
        let configuration = Configuration::new(&file, read).unwrap();
        assert_eq!(configuration.of("EventRateLimit")["read"].str(), "limits.yaml");
        assert_eq!(configuration.of("PodSecurity").path("defaults.enforce").str(), "baseline");
        assert!(configuration.of("Priority").is_null());
        assert!(Configuration::new(&value!({"kind": "Pod"}), read).is_err());
    }
}
