//! PodNodeSelector: a namespace says on which nodes its pods may run.

use crate::{Attributes, Operation, Plugin};
use meta::{Reason, Result, Status, Str, Value};
use std::collections::BTreeMap;

/// The cluster's default, and what each namespace may ask for at most.
#[derive(Default)]
pub struct PodNodeSelector {
    default: Labels,
    whitelists: BTreeMap<Str, Labels>,
}

type Labels = BTreeMap<Str, Str>;

const ANNOTATION: &str = "scheduler.alpha.kubernetes.io/node-selector";

impl PodNodeSelector {
    /// From the plugin's configuration: `{"podNodeSelectorPluginConfig": {"clusterDefaultNodeSelector": "a=b", …}}`.
    ///
    /// # Errors
    /// Of a text that is no list of labels.
    pub fn new(configuration: &Value) -> std::result::Result<PodNodeSelector, String> {
        let mut plugin = PodNodeSelector::default();
        for (name, text) in configuration["podNodeSelectorPluginConfig"].entries() {
            let labels = parse(text.str())?;
            match name {
                "clusterDefaultNodeSelector" => plugin.default = labels,
                _ => drop(plugin.whitelists.insert(name.into(), labels)),
            }
        }
        Ok(plugin)
    }

    fn of_namespace(&self, attributes: &Attributes) -> Result<Labels> {
        let namespace = attributes.ctx.reader.get("", "namespaces", "", attributes.namespace()).unwrap_or_default();
        match namespace["metadata"]["annotations"].get(ANNOTATION) {
            Some(text) => parse(text.str()).map_err(|why| Status::failure(500, Reason::Unknown, why)),
            None => Ok(self.default.clone()),
        }
    }
}

/// `a=b,c=d`
fn parse(text: &str) -> std::result::Result<Labels, String> {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("invalid selector: [{part}]"))?;
        Ok((key.trim().into(), value.trim().into()))
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

fn labels(pod: &Value) -> Labels {
    pod["spec"]["nodeSelector"].entries().map(|(key, value)| (key.into(), value.str().into())).collect()
}

impl Plugin for PodNodeSelector {
    fn name(&self) -> &'static str {
        "PodNodeSelector"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("", "pods") {
            return Ok(());
        }
        let own = labels(pod);
        let wanted = self.of_namespace(attributes)?;
        if wanted.iter().any(|(key, value)| own.get(key).is_some_and(|own| own != value)) {
            return Err(
                attributes.forbidden("pod node label selector conflicts with its namespace node label selector")
            );
        }
        for (key, value) in &wanted {
            pod.entry("spec").entry("nodeSelector").set(key, value);
        }
        self.validate(attributes, pod)
    }

    fn validate(&self, attributes: &Attributes, pod: &Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("", "pods") {
            return Ok(());
        }
        let own = labels(pod);
        if self.of_namespace(attributes)?.iter().any(|(key, value)| own.get(key) != Some(value)) {
            return Err(
                attributes.forbidden("pod node label selector conflicts with its namespace node label selector")
            );
        }
        let empty = Labels::new();
        let whitelist = self.whitelists.get(attributes.namespace()).unwrap_or(&empty);
        if !whitelist.is_empty() && own.iter().any(|(key, value)| whitelist.get(key) != Some(value)) {
            return Err(attributes.forbidden("pod node label selector labels conflict with its namespace whitelist"));
        }
        Ok(())
    }
}
