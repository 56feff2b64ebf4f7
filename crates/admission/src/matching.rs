//! Which requests a policy, a binding or a webhook is for (k8s.io/apiserver/pkg/admission/plugin/policy/matching,
//! .../plugin/webhook/generic), and in which form it wants to see them.

use crate::{Attributes, Form};
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

    /// The form in which a MatchResources (`matchConstraints`, `matchResources`) selects the request. A binding's may be
    /// absent, or without rules: then every request is meant.
    pub fn matches(&self, constraints: &Value) -> Option<Form> {
        if constraints.is_null() {
            return Some(self.attributes.form());
        }
        if !self.namespace_selected(&constraints["namespaceSelector"])
            || !self.object_selected(&constraints["objectSelector"])
        {
            return None;
        }
        let equivalent = constraints["matchPolicy"].str() != "Exact";
        if self.rules_match(&constraints["excludeResourceRules"], equivalent).is_some() {
            return None;
        }
        let rules = &constraints["resourceRules"];
        if rules.is_empty() { Some(self.attributes.form()) } else { self.rules_match(rules, equivalent) }
    }

    /// The form in which a webhook is called for the request; `None` when it is not.
    pub fn matches_webhook(&self, webhook: &Value) -> Option<Form> {
        let is_meant =
            self.namespace_selected(&webhook["namespaceSelector"]) && self.object_selected(&webhook["objectSelector"]);
        is_meant.then(|| self.rules_match(&webhook["rules"], webhook["matchPolicy"].str() != "Exact")).flatten()
    }

    /// As it was sent, when a rule names that; else the first form that an earlier rule names.
    fn rules_match(&self, rules: &Value, equivalent: bool) -> Option<Form> {
        let sent = self.attributes.form();
        let rules = rules.items();
        if rules.iter().any(|rule| self.rule_matches(rule, &sent)) {
            return Some(sent);
        }
        if !equivalent || rules.is_empty() {
            return None;
        }
        let forms = self.attributes.cluster.equivalents(&sent, self.attributes.subresource());
        rules.iter().find_map(|rule| forms.iter().find(|form| self.rule_matches(rule, form))).cloned()
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

    fn rule_matches(&self, rule: &Value, form: &Form) -> bool {
        let attributes = self.attributes;
        let has = |field: &str, wanted: &str| has(&rule[field], wanted);
        let scope = if attributes.namespace().is_empty() || self.is_namespace() { "Cluster" } else { "Namespaced" };
        let names = rule["resourceNames"].items();
        has("operations", attributes.operation.name())
            && has("apiGroups", &form.group)
            && has("apiVersions", &form.version)
            && matches!(rule["scope"].str(), "" | "*") | (rule["scope"].str() == scope)
            && rule["resources"].items().iter().any(|resource| self.resource_matches(resource.str(), &form.resource))
            && (names.is_empty() || names.iter().any(|name| name.str() == attributes.name))
    }

    fn resource_matches(&self, rule: &str, own: &str) -> bool {
        let (resource, subresource) = rule.split_once('/').unwrap_or((rule, ""));
        let everything = rule == "*" && self.attributes.subresource().is_empty();
        let same = |rule: &str, own: &str| rule == "*" || rule == own;
        everything || (same(resource, own) && (subresource == self.attributes.subresource() || subresource == "*"))
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
