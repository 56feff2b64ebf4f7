//! Role and ClusterRole: sets of permissions.

use crate::rules::label_selector;
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn role(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "Role", "roles")
        .storage_version_hash("7FuwZcIIItM=")
        .strategy(Strategy {
            create_on_update: true,
            name: NameRule::PathSegment,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(Role { namespaced: true })
}

pub fn cluster_role(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles")
        .cluster_scoped()
        .storage_version_hash("bYE5ZWDrJ44=")
        .strategy(Strategy {
            create_on_update: true,
            name: NameRule::PathSegment,
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        })
        .hooks(Role { namespaced: false })
}

/// The rules of both kinds.
struct Role {
    namespaced: bool,
}

impl Hooks for Role {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        self.validate_content(object, false, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let selectors = old["aggregationRule"]["clusterRoleSelectors"].items();
        let values = selectors.iter().flat_map(|s| s["matchExpressions"].items()).flat_map(|e| e["values"].items());
        let lenient = values.into_iter().any(|v| !name::label_value(v.str()).is_empty());
        self.validate_content(object, lenient, errs);
    }
}

impl Role {
    fn validate_content(&self, object: &Value, lenient: bool, errs: &mut ErrorList) {
        for (i, rule) in object["rules"].items().iter().enumerate() {
            validate_rule(rule, self.namespaced, &Path::new("rules").index(i), errs);
        }
        let aggregation = &object["aggregationRule"];
        if self.namespaced || aggregation.is_null() {
            return;
        }
        let path = Path::new("aggregationRule").child("clusterRoleSelectors");
        let selectors = aggregation["clusterRoleSelectors"].items();
        if selectors.is_empty() {
            errs.required(&path, "at least one clusterRoleSelector required if aggregationRule is non-nil");
        }
        for (i, selector) in selectors.iter().enumerate() {
            let mut found = ErrorList::new();
            label_selector::validate(selector, false, &path.index(i), &mut found);
            label_selector::validate(selector, lenient, &path.index(i), errs);
            if !found.is_empty() {
                // upstream shows the selector that it could not make
                errs.invalid(&path.index(i), &Value::Null, "invalid label selector.");
            }
        }
    }
}

/// Verbs, and either URLs (in cluster roles) or groups and resources.
fn validate_rule(rule: &Value, namespaced: bool, path: &Path, errs: &mut ErrorList) {
    if rule["verbs"].is_empty() {
        errs.required(&path.child("verbs"), "verbs must contain at least one value");
    }
    let urls = &rule["nonResourceURLs"];
    let at = path.child("nonResourceURLs");
    if !urls.is_empty() {
        if namespaced {
            errs.invalid(&at, urls, "namespaced rules cannot apply to non-resource URLs");
        }
        if ["apiGroups", "resources", "resourceNames"].iter().any(|field| !rule[*field].is_empty()) {
            errs.invalid(&at, urls, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if rule["apiGroups"].is_empty() {
        errs.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
    }
    if rule["resources"].is_empty() {
        errs.required(&path.child("resources"), "resource rules must supply at least one resource");
    }
}
