//! Which requests a policy or a binding is for (k8s.io/apiserver/pkg/admission/plugin/policy/matching).

use crate::{Attributes, Operation};
use meta::Value;
use meta::selector::LabelSelector;

/// Requests that no policy sees: those for policies themselves, and questions of who somebody is and what he may do.
const EXEMPT: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
];

/// A request and its object, for matching.
pub struct Candidate<'a> {
    pub attributes: &'a Attributes<'a>,
    /// The object as it will be stored; null on delete and connect.
    pub object: &'a Value,
    /// The namespace of the request, when there is one.
    pub namespace: Option<&'a Value>,
}

impl Candidate<'_> {
    pub fn is_exempt(&self) -> bool {
        EXEMPT.contains(&(self.attributes.group, self.attributes.resource))
    }

    /// Whether a MatchResources (`matchConstraints`, `matchResources`) selects the request. A binding's may be absent, or
    /// without rules: then every request is meant.
    pub fn matches(&self, constraints: &Value) -> bool {
        if constraints.is_null() {
            return true;
        }
        if !self.namespace_selected(&constraints["namespaceSelector"])
            || !self.object_selected(&constraints["objectSelector"])
        {
            return false;
        }
        let equivalent = constraints["matchPolicy"].str() != "Exact";
        let any = |rules: &Value| rules.items().iter().any(|rule| self.rule_matches(rule, equivalent));
        if any(&constraints["excludeResourceRules"]) {
            return false;
        }
        constraints["resourceRules"].is_empty() || any(&constraints["resourceRules"])
    }

    fn is_namespace(&self) -> bool {
        self.attributes.group.is_empty() && self.attributes.resource == "namespaces"
    }

    fn namespace_selected(&self, selector: &Value) -> bool {
        let Some(selector) = parsed(selector) else { return true };
        if self.is_namespace() {
            // A namespace is in itself; being made or changed it counts as it will be.
            let subject = if self.object.is_null() { self.attributes.old } else { Some(self.object) };
            return subject.is_none_or(|namespace| selector.matches_value(&namespace["metadata"]["labels"]));
        }
        if self.attributes.namespace().is_empty() {
            return true;
        }
        self.namespace.is_some_and(|namespace| selector.matches_value(&namespace["metadata"]["labels"]))
    }

    fn object_selected(&self, selector: &Value) -> bool {
        let Some(selector) = parsed(selector) else { return true };
        let selects = |object: &Value| !object.is_null() && selector.matches_value(&object["metadata"]["labels"]);
        selects(self.object) || self.attributes.old.is_some_and(selects)
    }

    fn rule_matches(&self, rule: &Value, equivalent: bool) -> bool {
        let attributes = self.attributes;
        let has = |field: &str, wanted: &str| has(&rule[field], wanted);
        let scope = if attributes.namespace().is_empty() || self.is_namespace() { "Cluster" } else { "Namespaced" };
        let names = rule["resourceNames"].items();
        has("operations", operation_name(attributes.operation))
            && has("apiGroups", attributes.group)
            && (has("apiVersions", attributes.version) || (equivalent && self.is_served_as(&rule["apiVersions"])))
            && matches!(rule["scope"].str(), "" | "*") | (rule["scope"].str() == scope)
            && rule["resources"].items().iter().any(|resource| self.resource_matches(resource.str()))
            && (names.is_empty() || names.iter().any(|name| name.str() == attributes.name))
    }

    /// Whether the kind is served in one of the versions too.
    fn is_served_as(&self, versions: &Value) -> bool {
        let kind = self.attributes.kind;
        let serves = |version: &Value| {
            let served = self.attributes.cluster.resources_of(self.attributes.group, version.str(), &kind.kind);
            served.iter().any(|served| served.plural == self.attributes.resource)
        };
        versions.items().iter().any(serves)
    }

    fn resource_matches(&self, rule: &str) -> bool {
        let (resource, subresource) = rule.split_once('/').unwrap_or((rule, ""));
        let everything = rule == "*" && self.attributes.subresource().is_empty();
        let same = |rule: &str, own: &str| rule == "*" || rule == own;
        everything
            || (same(resource, self.attributes.resource)
                && (subresource == self.attributes.subresource() || subresource == "*"))
    }
}

fn has(list: &Value, wanted: &str) -> bool {
    list.items().iter().any(|item| item.str() == "*" || item.str() == wanted)
}

/// A selector that may be absent, which selects everything; one that cannot be read selects nothing.
fn parsed(selector: &Value) -> Option<LabelSelector> {
    if selector.is_null() {
        return None;
    }
    LabelSelector::from_value(selector).or_else(|_| LabelSelector::from_value(&Value::Null)).ok()
}

pub fn operation_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}
