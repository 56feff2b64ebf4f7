//! TaintNodesByCondition: a new node takes no pods until its kubelet says that it is ready.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value, value};

pub struct TaintNodesByCondition;

const NOT_READY: &str = "node.kubernetes.io/not-ready";

impl Plugin for TaintNodesByCondition {
    fn name(&self) -> &'static str {
        "TaintNodesByCondition"
    }

    fn admit(&self, attributes: &Attributes, node: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("", "nodes") {
            return Ok(());
        }
        let taints = node.entry("spec").entry("taints").array_mut();
        let is_it = |taint: &Value| taint["key"].str() == NOT_READY && taint["effect"].str() == "NoSchedule";
        if !taints.iter().any(is_it) {
            taints.push(value!({"key": NOT_READY, "effect": "NoSchedule"}));
        }
        Ok(())
    }
}
