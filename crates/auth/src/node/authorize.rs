//! What a node may do (upstream: plugin/pkg/auth/authorizer/node).

use super::graph::{Graph, Referent};
use crate::rbac::Rule;
use crate::{Attributes, Decision, bootstrap};
use meta::Str;

const USER_PREFIX: &str = "system:node:";
const NODES_GROUP: &str = "system:nodes";
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// Which node a user is: of the group `system:nodes`, with the name in its name.
pub fn node_name<'a>(user: &'a str, groups: &[Str]) -> Option<&'a str> {
    user.strip_prefix(USER_PREFIX).filter(|_| groups.iter().any(|g| g == NODES_GROUP))
}

/// Decides for nodes; has no opinion on others.
pub struct NodeAuthorizer {
    /// What all nodes may do with what is not subdivided.
    rules: Vec<Rule>,
}

impl Default for NodeAuthorizer {
    fn default() -> NodeAuthorizer {
        NodeAuthorizer { rules: bootstrap::cluster_role_rules("system:node") }
    }
}

fn allow() -> Decision {
    Decision::Allow(String::new())
}

fn refuse(why: impl Into<String>) -> Decision {
    Decision::NoOpinion(why.into())
}

impl NodeAuthorizer {
    pub fn authorize(&self, graph: &Graph, request: &Attributes) -> Decision {
        let Some(node) = node_name(request.user, request.groups) else { return refuse("") };
        if node.is_empty() {
            return refuse(format!("unknown node for user {}", meta::field::quote(request.user)));
        }
        let ask = Ask { graph, node, request };
        match (request.group, request.resource) {
            ("", "secrets") => ask.read(Referent::Secret),
            ("", "configmaps") => ask.read(Referent::ConfigMap),
            ("", "persistentvolumeclaims") if request.subresource == "status" => ask.update_claim_status(),
            ("", "persistentvolumeclaims") => ask.get(|| ask.reaches(Referent::Claim)),
            ("", "persistentvolumes") => ask.get(|| graph.has_volume(node, request.name)),
            ("resource.k8s.io", "resourceclaims") => ask.get(|| ask.reaches(Referent::ResourceClaim)),
            ("storage.k8s.io", "volumeattachments") => ask.get(|| graph.has_attachment(node, request.name)),
            ("", "serviceaccounts") => ask.service_account(),
            ("coordination.k8s.io", "leases") => ask.lease(),
            ("storage.k8s.io", "csinodes") => ask.csi_node(),
            ("resource.k8s.io", "resourceslices") => ask.slice(),
            ("", "nodes") => ask.node(),
            ("", "pods") => ask.pod(),
            _ if self.rules.iter().any(|rule| rule.allows(request)) => allow(),
            _ => refuse(""),
        }
    }
}

/// One question of one node.
struct Ask<'a> {
    graph: &'a Graph,
    node: &'a str,
    request: &'a Attributes<'a>,
}

impl Ask<'_> {
    fn reaches(&self, referent: Referent) -> bool {
        self.graph.reaches(self.node, referent, self.request.namespace, self.request.name)
    }

    /// Allowed for a named object that the node has to do with.
    fn related(&self, related: impl Fn() -> bool) -> Decision {
        match self.request.name {
            "" => refuse("No Object name found"),
            _ if related() => allow(),
            _ => refuse(format!("no relationship found between node '{}' and this object", self.node)),
        }
    }

    fn get(&self, related: impl Fn() -> bool) -> Decision {
        match (self.request.verb, self.request.subresource) {
            ("get", "") => self.related(related),
            ("get", _) => refuse("cannot get subresource"),
            _ => refuse("can only get individual resources of this type"),
        }
    }

    fn read(&self, referent: Referent) -> Decision {
        match self.request.verb {
            "get" | "list" | "watch" if !self.request.subresource.is_empty() => refuse("cannot read subresource"),
            "get" | "list" | "watch" if self.request.namespace.is_empty() => {
                refuse("can only read namespaced object of this type")
            }
            "get" | "list" | "watch" => self.related(|| self.reaches(referent)),
            _ => refuse("can only read resources of this type"),
        }
    }

    fn update_claim_status(&self) -> Decision {
        match self.request.verb {
            "update" | "patch" => self.related(|| self.reaches(Referent::Claim)),
            _ => refuse("can only get/update/patch this type"),
        }
    }

    fn service_account(&self) -> Decision {
        match (self.request.verb, self.request.subresource) {
            ("get", "") => self.related(|| self.reaches(Referent::ServiceAccount)),
            ("create", "token") if !self.request.name.is_empty() => {
                self.related(|| self.reaches(Referent::ServiceAccount))
            }
            ("create", _) if !self.request.name.is_empty() => {
                refuse("can only create token subresource of serviceaccount")
            }
            _ => refuse("can only create tokens for individual service accounts"),
        }
    }

    /// The name of an object that only its node may touch. A create does not say it here: admission checks it then.
    fn has_own_name(&self) -> bool {
        self.request.verb == "create" || self.request.name == self.node
    }

    fn lease(&self) -> Decision {
        if !matches!(self.request.verb, "get" | "create" | "update" | "patch" | "delete") {
            return refuse("can only get, create, update, patch, or delete a node lease");
        }
        if self.request.namespace != LEASE_NAMESPACE {
            return refuse(format!("can only access leases in the {LEASE_NAMESPACE:?} system namespace"));
        }
        if self.has_own_name() {
            return allow();
        }
        refuse("can only access node lease with the same name as the requesting node")
    }

    fn csi_node(&self) -> Decision {
        match self.request.verb {
            "get" | "create" | "update" | "patch" | "delete" if !self.request.subresource.is_empty() => {
                refuse("cannot authorize CSINode subresources")
            }
            "get" | "create" | "update" | "patch" | "delete" if self.has_own_name() => allow(),
            "get" | "create" | "update" | "patch" | "delete" => {
                refuse("can only access CSINode with the same name as the requesting node")
            }
            _ => refuse("can only get, create, update, patch, or delete a CSINode"),
        }
    }

    fn selects(&self, field: &str) -> bool {
        self.request.selection.demands(field, self.node)
    }

    fn slice(&self) -> Decision {
        if !self.request.subresource.is_empty() {
            return refuse("cannot authorize ResourceSlice subresources");
        }
        match self.request.verb {
            "create" => allow(),
            "get" | "update" | "patch" | "delete" => {
                self.related(|| self.graph.has_slice(self.node, self.request.name))
            }
            "watch" | "list" | "deletecollection" if self.selects("nodeName") => allow(),
            "watch" | "list" | "deletecollection" => {
                refuse("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => refuse(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
            ),
        }
    }

    fn node(&self) -> Decision {
        match (self.request.subresource, self.request.verb) {
            ("", "create" | "update" | "patch") | ("status", "update" | "patch") => allow(),
            ("", "get" | "list" | "watch") => match self.request.name {
                name if name == self.node => allow(),
                "" => refuse(format!("node '{}' cannot read all nodes, only its own Node object", self.node)),
                name => refuse(format!("node '{}' cannot read '{name}', only its own Node object", self.node)),
            },
            _ => refuse(""),
        }
    }

    fn pod(&self) -> Decision {
        let is_own = || self.graph.has_pod(self.node, self.request.namespace, self.request.name);
        match (self.request.subresource, self.request.verb) {
            ("", "get") => self.related(is_own),
            ("", "list" | "watch") if self.selects("spec.nodeName") => allow(),
            ("", "list" | "watch") if !self.request.name.is_empty() => self.related(is_own),
            ("", "list" | "watch") => refuse("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => allow(),
            _ => refuse(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn decide(request: Attributes) -> Decision {
        let mut graph = Graph::default();
        let pod = value!({"spec": {"nodeName": "n1", "volumes": [{"secret": {"secretName": "one"}}]}});
        graph.set("", "pods", "ns", "p", Some(&pod));
        NodeAuthorizer::default().authorize(&graph, &request)
    }

    /// What a node asks for on one resource: verb, group, resource, subresource, namespace, name.
    fn ask(verb: &str, group: &str, resource: &str, sub: &str, namespace: &str, name: &str) -> Decision {
        let groups = [Str::from(NODES_GROUP)];
        decide(Attributes {
            user: "system:node:n1",
            groups: &groups,
            verb,
            group,
            resource,
            subresource: sub,
            namespace,
            name,
            ..Attributes::default()
        })
    }

    #[test]
    fn a_node_may_what_upstream_lets_it() {
        assert!(ask("get", "", "secrets", "", "ns", "one").is_allowed());
        assert!(ask("list", "", "secrets", "", "ns", "one").is_allowed());
        assert!(ask("get", "", "pods", "", "ns", "p").is_allowed());
        assert!(ask("get", "", "nodes", "", "", "n1").is_allowed());
        assert!(ask("create", "", "nodes", "", "", "").is_allowed());
        assert!(ask("list", "", "services", "", "", "").is_allowed());
        assert!(ask("get", "coordination.k8s.io", "leases", "", "kube-node-lease", "n1").is_allowed());
        let groups = [Str::from(NODES_GROUP)];
        let selection = crate::Selection::parse("spec.nodeName=n1", "");
        let list = Attributes {
            user: "system:node:n1",
            groups: &groups,
            verb: "list",
            resource: "pods",
            selection: &selection,
            ..Attributes::default()
        };
        assert!(decide(list).is_allowed());
        assert_eq!(decide(Attributes { groups: &[], ..list }), refuse(""));
    }

    #[test]
    fn refusals_say_why_in_upstream_s_words() {
        let unrelated = "no relationship found between node 'n1' and this object";
        let cases = [
            (ask("get", "", "secrets", "", "ns", "two"), unrelated),
            (ask("list", "", "secrets", "", "ns", ""), "No Object name found"),
            (ask("update", "", "secrets", "", "ns", "one"), "can only read resources of this type"),
            (ask("get", "", "pods", "", "ns", "x"), unrelated),
            (ask("list", "", "pods", "", "", ""), "can only list/watch pods with spec.nodeName field selector"),
            (ask("list", "", "nodes", "", "", ""), "node 'n1' cannot read all nodes, only its own Node object"),
            (ask("get", "", "nodes", "", "", "n2"), "node 'n1' cannot read 'n2', only its own Node object"),
            (
                ask("get", "coordination.k8s.io", "leases", "", "ns", "n1"),
                "can only access leases in the \"kube-node-lease\" system namespace",
            ),
            (
                ask("get", "storage.k8s.io", "csinodes", "", "", "n2"),
                "can only access CSINode with the same name as the requesting node",
            ),
            (ask("create", "", "serviceaccounts", "token", "ns", "default"), unrelated),
        ];
        for (decision, why) in cases {
            assert_eq!(decision, refuse(why));
        }
    }
}
