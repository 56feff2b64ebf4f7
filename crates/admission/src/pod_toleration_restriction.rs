//! PodTolerationRestriction: a namespace says which tolerations its pods get and which they may have.

use crate::tolerations::{covers, merge};
use crate::{Attributes, Operation, Plugin};
use meta::{Reason, Result, Status, Value, json, value};

/// With the cluster's own lists, for namespaces that have none.
#[derive(Default)]
pub struct PodTolerationRestriction {
    default: Vec<Value>,
    whitelist: Vec<Value>,
}

const DEFAULT: &str = "scheduler.alpha.kubernetes.io/defaultTolerations";
const WHITELIST: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";

impl PodTolerationRestriction {
    /// From the plugin's configuration: `{"default": [...], "whitelist": [...]}`.
    pub fn new(configuration: &Value) -> PodTolerationRestriction {
        let list = |name: &str| configuration[name].items().to_vec();
        PodTolerationRestriction { default: list("default"), whitelist: list("whitelist") }
    }
}

impl Plugin for PodTolerationRestriction {
    fn name(&self) -> &'static str {
        "PodTolerationRestriction"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        if !attributes.writes("", "pods") {
            return Ok(());
        }
        let mut tolerations = pod["spec"]["tolerations"].items().to_vec();
        if attributes.operation == Operation::Create {
            let given = of_namespace(attributes, DEFAULT)?;
            tolerations = merge(given.as_ref().unwrap_or(&self.default), &tolerations);
        }
        if !crate::resource_list::is_best_effort(pod) {
            let pressure = value!({
                "key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"
            });
            tolerations = merge(&tolerations, &[pressure]);
        }
        if !tolerations.is_empty() {
            pod.entry("spec").set("tolerations", Value::Array(tolerations));
        }
        self.validate(attributes, pod)
    }

    fn validate(&self, attributes: &Attributes, pod: &Value) -> Result<()> {
        let tolerations = pod["spec"]["tolerations"].items();
        if !attributes.writes("", "pods") || tolerations.is_empty() {
            return Ok(());
        }
        let own = of_namespace(attributes, WHITELIST)?;
        let whitelist = own.as_ref().unwrap_or(&self.whitelist);
        let listed = |toleration: &Value| whitelist.iter().any(|allowed| covers(allowed, toleration));
        if whitelist.is_empty() || tolerations.iter().all(listed) {
            return Ok(());
        }
        Err(plain(
            "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist",
        ))
    }
}

/// Upstream gives this plugin's errors no status of their own.
fn plain(why: &str) -> Status {
    Status::failure(500, Reason::Unknown, why)
}

/// The list in an annotation of the namespace; `None` when it has none.
fn of_namespace(attributes: &Attributes, annotation: &str) -> Result<Option<Vec<Value>>> {
    let namespace = attributes.ctx.reader.get("", "namespaces", "", attributes.namespace()).unwrap_or_default();
    let text = namespace["metadata"]["annotations"][annotation].str();
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = json::parse(text.as_bytes()).map_err(|why| plain(&why.to_string()))?;
    Ok(Some(parsed.value.items().to_vec()))
}
