//! PodResizeValidator: a pod grows no larger than what its node can give
//! (k8s.io/kubernetes/plugin/pkg/admission/podresize).

use crate::resource_list::{ResourceList, of_pod};
use crate::{Attributes, Operation, Plugin};
use meta::quantity::Quantity;
use meta::{Result, Status, Value};

pub struct PodResizeValidator;

const OS: &str = "kubernetes.io/os";

/// Whether an update changes the spec of a pod that is on a node: pods' generations count such changes.
pub(crate) fn changes_bound_pod(attributes: &Attributes, pod: &Value) -> bool {
    let generation = |pod: &Value| pod["metadata"]["generation"].int();
    attributes.operation == Operation::Update
        && (attributes.group, attributes.resource) == ("", "pods")
        && !pod.path("spec.nodeName").str().is_empty()
        && attributes.old.is_some_and(|old| generation(old) != generation(pod))
}

/// The node of a bound pod; 403 when it is gone.
pub(crate) fn node_of(attributes: &Attributes, pod: &Value) -> Result<Value> {
    let name = pod.path("spec.nodeName").str();
    let missing = || attributes.forbidden(&format!("node {} not found", meta::field::quote(name)));
    attributes.ctx.reader.get("", "nodes", "", name).ok_or_else(missing)
}

impl Plugin for PodResizeValidator {
    fn name(&self) -> &'static str {
        "PodResizeValidator"
    }

    fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        if attributes.subresource() != "resize" || !changes_bound_pod(attributes, object) {
            return Ok(());
        }
        let node = node_of(attributes, object)?;
        match node["metadata"]["labels"][OS].str() {
            "" | "linux" => {}
            other => {
                let [name, other] = [node["metadata"]["name"].str(), other].map(meta::field::quote);
                let why = format!("pod resize is only supported on linux nodes, node {name} is {other}");
                return Err(refused(attributes, &why, "UnsupportedPlatform"));
            }
        }
        let requested = of_pod(&object["spec"], "requests");
        let allocatable = ResourceList::of(&node["status"]["allocatable"]);
        let zero = Quantity::default();
        let mut lacking = Vec::new();
        for (name, shown) in [("cpu", Quantity::milli_value as fn(&Quantity) -> i64), ("memory", Quantity::value)] {
            let [wanted, has] = [&requested, &allocatable].map(|list| list.get(name).unwrap_or(&zero));
            if wanted > has {
                lacking.push(format!("{name}, requested: {}, allocatable: {}", shown(wanted), shown(has)));
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        let why = format!("node didn't have enough allocatable resources: {}", lacking.join("; "));
        Err(refused(attributes, &why, "NodeCapacity"))
    }
}

fn refused(attributes: &Attributes, why: &str, cause: &str) -> Status {
    attributes.forbidden(why).with_cause(cause, "", "")
}
