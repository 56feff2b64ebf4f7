//! DefaultTolerationSeconds: a pod stays five minutes on a node that stops answering, unless it says otherwise.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value, value};

pub struct DefaultTolerationSeconds;

const TOLERATION_SECONDS: i64 = 300;
const TAINTS: &[&str] = &["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

impl Plugin for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
        if !writes || !attributes.is("", "pods") {
            return Ok(());
        }
        let spec = pod.entry("spec");
        let tolerated = |spec: &Value, taint: &str| {
            spec["tolerations"].items().iter().any(|toleration| {
                let (key, effect) = (toleration["key"].str(), toleration["effect"].str());
                (key.is_empty() || key == taint) && (effect.is_empty() || effect == "NoExecute")
            })
        };
        // Judged before anything is added: an added toleration never matches the other taint.
        for taint in TAINTS {
            if !tolerated(spec, taint) {
                spec.entry("tolerations").array_mut().push(value!({
                    "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS
                }));
            }
        }
        Ok(())
    }
}
