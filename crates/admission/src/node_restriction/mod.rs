//! NodeRestriction: a kubelet changes its own node, its pods and what belongs to them, and nothing else
//! (k8s.io/kubernetes/plugin/pkg/admission/noderestriction).

mod certificates;
mod references;
mod tokens;

use crate::{Attributes, Operation, Plugin};
use meta::field::quote;
use meta::{Result, Status, Value};
use resource::User;
use std::collections::BTreeSet;

pub struct NodeRestriction;

const NODE_PREFIX: &str = "system:node:";
const NODE_GROUP: &str = "system:nodes";
const MIRROR: &str = "kubernetes.io/config.mirror";
const LEASE_NAMESPACE: &str = "kube-node-lease";
/// Labels of Kubernetes' domains that kubelets may set.
const KUBELET_LABELS: &[&str] = &[
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];
const KUBELET_DOMAINS: &[&str] = &["kubelet.kubernetes.io", "node.kubernetes.io"];
const RESTRICTED_DOMAIN: &str = "node-restriction.kubernetes.io";

impl Plugin for NodeRestriction {
    fn name(&self) -> &'static str {
        "NodeRestriction"
    }

    fn admit(&self, attributes: &Attributes, object: &mut Value) -> Result<()> {
        let Some(node) = node_of(attributes.ctx.user) else { return Ok(()) };
        if node.is_empty() {
            let user = quote(&attributes.ctx.user.name);
            return Err(attributes.forbidden(&format!("could not determine node from user {user}")));
        }
        let request = Request { attributes, node, object };
        match (attributes.group, attributes.resource) {
            ("", "pods") => request.judge_pod(),
            ("", "nodes") => request.judge_node(),
            ("", "persistentvolumeclaims") => request.judge_claim(),
            ("", "serviceaccounts") => request.judge_token(),
            ("coordination.k8s.io", "leases") => request.judge_lease(),
            ("storage.k8s.io", "csinodes") => {
                request.require_own_name("can only access CSINode with the same name as the requesting node")
            }
            ("resource.k8s.io", "resourceslices") => request.judge_slice(),
            ("certificates.k8s.io", "certificatesigningrequests") => request.judge_signing_request(),
            ("certificates.k8s.io", "podcertificaterequests") => request.judge_pod_certificate_request(),
            _ => Ok(()),
        }
    }
}

/// The name of the node that a user is; "" for one that cannot be told, `None` for other users.
fn node_of(user: &User) -> Option<&str> {
    let name = user.name.strip_prefix(NODE_PREFIX)?;
    user.groups.iter().any(|group| group == NODE_GROUP).then_some(name)
}

/// A node's request.
struct Request<'a> {
    attributes: &'a Attributes<'a>,
    node: &'a str,
    object: &'a Value,
}

impl Request<'_> {
    fn refuse(&self, why: impl AsRef<str>) -> Result<()> {
        Err(self.attributes.forbidden(why.as_ref()))
    }

    fn quoted(&self) -> String {
        quote(self.node)
    }

    fn operation(&self) -> &'static str {
        self.attributes.operation.name()
    }

    /// The name of the object, which a create may have in its body only.
    fn name(&self) -> &str {
        match self.attributes.name {
            "" => self.object["metadata"]["name"].str(),
            name => name,
        }
    }

    fn require_own_name(&self, why: &str) -> Result<()> {
        if self.name() == self.node { Ok(()) } else { self.refuse(why) }
    }

    fn judge_pod(&self) -> Result<()> {
        let node = self.quoted();
        match (self.attributes.subresource(), self.attributes.operation) {
            ("", Operation::Create) => self.judge_mirror_pod(),
            ("", Operation::Delete) if self.old_pod_is_ours() => Ok(()),
            ("", Operation::Delete) => {
                self.refuse(format!("node {node} can only delete pods with spec.nodeName set to itself"))
            }
            ("", _) => self.refuse(format!(
                "unexpected operation {}, node {node} can only create and delete mirror pods",
                quote(self.operation())
            )),
            ("status", Operation::Update) => self.judge_pod_status(),
            ("status", _) => self.refuse(format!("unexpected operation {}", quote(self.operation()))),
            ("eviction", Operation::Create) => self.judge_eviction(),
            ("eviction", _) => self.refuse(format!("unexpected operation {}", self.operation())),
            (other, _) => self.refuse(format!(
                "unexpected pod subresource {}, only 'status' and 'eviction' are allowed",
                quote(other)
            )),
        }
    }

    fn old_pod_is_ours(&self) -> bool {
        self.attributes.old.is_some_and(|pod| pod["spec"]["nodeName"].str() == self.node)
    }

    fn judge_mirror_pod(&self) -> Result<()> {
        let (node, pod) = (self.quoted(), self.object);
        if pod["metadata"]["annotations"].get(MIRROR).is_none() {
            let mirror = quote(MIRROR);
            return self
                .refuse(format!("pod does not have {mirror} annotation, node {node} can only create mirror pods"));
        }
        if pod["spec"]["nodeName"].str() != self.node {
            return self.refuse(format!("node {node} can only create pods with spec.nodeName set to itself"));
        }
        self.judge_owner(&node)?;
        match references::first(&pod["spec"]) {
            Some(what) => self.refuse(format!("node {node} can not create pods that reference {what}")),
            None => Ok(()),
        }
    }

    /// A mirror pod belongs to its node, as it is now.
    fn judge_owner(&self, node: &str) -> Result<()> {
        let owner = match self.object["metadata"]["ownerReferences"].items() {
            [owner] => owner,
            [] => {
                return self.refuse(format!("node {node} can only create pods with an owner reference set to itself"));
            }
            _ => {
                return self
                    .refuse(format!("node {node} can only create pods with a single owner reference set to itself"));
            }
        };
        if owner["apiVersion"].str() != "v1" || owner["kind"].str() != "Node" || owner["name"].str() != self.node {
            return self.refuse(format!("node {node} can only create pods with an owner reference set to itself"));
        }
        if !owner["controller"].bool() {
            return self
                .refuse(format!("node {node} can only create pods with a controller owner reference set to itself"));
        }
        if owner["blockOwnerDeletion"].bool() {
            return self.refuse(format!("node {node} must not set blockOwnerDeletion on an owner reference"));
        }
        let Some(stored) = self.attributes.ctx.reader.get("", "nodes", "", self.node) else {
            return Err(Status::not_found("", "nodes", self.node));
        };
        let (wanted, uid) = (owner["uid"].str(), stored["metadata"]["uid"].str());
        if wanted != uid {
            return self.refuse(format!("node {} UID mismatch: expected {wanted} got {uid}", self.node));
        }
        Ok(())
    }

    fn judge_pod_status(&self) -> Result<()> {
        let Some(old) = self.attributes.old else { return Ok(()) };
        let node = self.quoted();
        if !self.old_pod_is_ours() {
            let why = format!("node {node} can only update pod status for pods with spec.nodeName set to itself");
            return self.refuse(why);
        }
        if old["metadata"]["labels"].entries().ne(self.object["metadata"]["labels"].entries()) {
            return self.refuse(format!("node {node} cannot update labels through pod status"));
        }
        let claims = |pod: &Value| pod["status"]["resourceClaimStatuses"].items().to_vec();
        if claims(old) != claims(self.object) {
            return self.refuse(format!("node {node} cannot update resource claim statues"));
        }
        let extended = |pod: &Value| pod["status"]["extendedResourceClaimStatus"].clone();
        if extended(old) != extended(self.object) {
            return self.refuse(format!("node {node} cannot update extended resource claim status"));
        }
        Ok(())
    }

    fn judge_eviction(&self) -> Result<()> {
        let (reader, namespace) = (self.attributes.ctx.reader, self.attributes.namespace());
        let name = self.name();
        if name.is_empty() {
            return self.refuse("could not determine pod from request data");
        }
        let Some(pod) = reader.get("", "pods", namespace, name) else {
            return Err(Status::not_found("", "pods", name));
        };
        if pod["spec"]["nodeName"].str() != self.node {
            return self.refuse(format!("node {} can only evict pods with spec.nodeName set to itself", self.node));
        }
        Ok(())
    }

    fn judge_node(&self) -> Result<()> {
        let (node, name) = (self.quoted(), self.name());
        if name != self.node {
            return self.refuse(format!("node {node} is not allowed to modify node {}", quote(name)));
        }
        let nothing = Value::Null;
        let (new, old) = (self.object, self.attributes.old.unwrap_or(&nothing));
        let forbidden = forbidden_labels(&new["metadata"]["labels"], &old["metadata"]["labels"]);
        match self.attributes.operation {
            Operation::Create => {
                if !new["spec"]["configSource"].is_null() {
                    return self
                        .refuse(format!("node {node} is not allowed to create pods with a non-nil configSource"));
                }
                if !forbidden.is_empty() {
                    return self.refuse(format!("node {node} is not allowed to set the following labels: {forbidden}"));
                }
            }
            Operation::Update => {
                let source = |node: &Value| node["spec"]["configSource"].clone();
                if !source(new).is_null() && source(new) != source(old) {
                    let why =
                        format!("node {node} is not allowed to update configSource to a new non-nil configSource");
                    return self.refuse(why);
                }
                if new["spec"]["taints"].items() != old["spec"]["taints"].items() {
                    return self.refuse(format!("node {node} is not allowed to modify taints"));
                }
                let owners = |node: &Value| node["metadata"]["ownerReferences"].items().to_vec();
                if owners(new) != owners(old) {
                    return self.refuse(format!("node {node} is not allowed to modify ownerReferences"));
                }
                if !forbidden.is_empty() {
                    return self.refuse(format!("is not allowed to modify labels: {forbidden}"));
                }
            }
            Operation::Delete | Operation::Connect => {}
        }
        Ok(())
    }

    fn judge_claim(&self) -> Result<()> {
        if self.attributes.subresource() != "status" {
            return self.refuse("may only update PVC status");
        }
        let Some(old) = self.attributes.old.filter(|_| self.attributes.operation == Operation::Update) else {
            return self.refuse(format!("unexpected operation {}", quote(self.operation())));
        };
        let rest = |claim: &Value| {
            let mut claim = claim.clone();
            for field in ["resourceVersion", "managedFields"] {
                claim.entry("metadata").remove(field);
            }
            for field in ["capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"] {
                claim.entry("status").remove(field);
            }
            claim
        };
        if resource::rules::semantically_equal(&rest(old), &rest(self.object)) {
            return Ok(());
        }
        let node = self.quoted();
        self.refuse(format!(
            "node {node} is not allowed to update fields other than status.quantity and status.conditions: "
        ))
    }

    fn judge_lease(&self) -> Result<()> {
        if self.attributes.namespace() != LEASE_NAMESPACE {
            let why = format!("can only access leases in the {} system namespace", quote(LEASE_NAMESPACE));
            return self.refuse(why);
        }
        self.require_own_name("can only access node lease with the same name as the requesting node")
    }

    fn judge_slice(&self) -> Result<()> {
        let (verb, slice) = match (self.attributes.operation, self.attributes.old) {
            (Operation::Create, _) => ("create", self.object),
            (Operation::Delete, Some(old)) => ("delete", old),
            _ => return Ok(()),
        };
        if slice["spec"]["nodeName"].str() == self.node {
            return Ok(());
        }
        self.refuse(format!("can only {verb} ResourceSlice with the same NodeName as the requesting node"))
    }
}

/// The changed labels that a kubelet may not change, joined.
fn forbidden_labels(new: &Value, old: &Value) -> String {
    let changed = new.entries().chain(old.entries()).map(|(key, _)| key).filter(|key| new[*key] != old[*key]);
    let forbidden: BTreeSet<&str> = changed.filter(|key| is_forbidden(key)).collect();
    forbidden.into_iter().collect::<Vec<_>>().join(", ")
}

fn is_forbidden(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let within = |parent: &str| domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let own = ["kubernetes.io", "k8s.io"].into_iter().any(within);
    let kubelet = KUBELET_LABELS.contains(&label) || KUBELET_DOMAINS.iter().copied().any(within);
    within(RESTRICTED_DOMAIN) || (own && !kubelet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_steer_workloads_are_not_for_kubelets() {
        for label in
            ["kubernetes.io/hostname", "node.kubernetes.io/x", "a.kubelet.kubernetes.io/x", "team", "example.com/a"]
        {
            assert!(!is_forbidden(label), "{label}");
        }
        for label in [
            "node-restriction.kubernetes.io/a",
            "x.node-restriction.kubernetes.io/a",
            "node-role.kubernetes.io/master",
            "k8s.io/x",
        ] {
            assert!(is_forbidden(label), "{label}");
        }
    }

    #[test]
    fn nodes_are_users_of_a_name_and_a_group() {
        let user = |name: &str, group: &str| User { name: name.into(), groups: vec![group.into()], ..User::default() };
        assert_eq!(node_of(&user("system:node:a", "system:nodes")), Some("a"));
        assert_eq!(node_of(&user("system:node:", "system:nodes")), Some(""));
        assert_eq!(node_of(&user("system:node:a", "others")), None);
        assert_eq!(node_of(&user("a", "system:nodes")), None);
    }
}
