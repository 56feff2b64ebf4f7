//! FlowSchema: which requests belong to which priority level.

use super::{bootstrap, rules};
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas")
        .cluster_scoped()
        .storage_version_hash("GJVAJZSZBIw=")
        .strategy(Strategy {
            generation: Generation::Spec,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            metadata: MetadataRules::WHOLE,
            ..Strategy::default()
        })
        .hooks(FlowSchema)
        .status(
            Strategy {
                keep_on_update: &["spec"],
                reset_fields: &["metadata", "spec"],
                metadata: MetadataRules::NONE,
                ..Strategy::default()
            },
            FlowSchemaStatus,
        );
    columns::with(descriptor, flow_schema_cells)
}

fn flow_schema_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let dangling = object["status"]["conditions"].items().iter().find(|c| c["type"].str() == "Dangling");
    vec![
        cells::name(object),
        spec["priorityLevelConfiguration"]["name"].str().into(),
        spec["matchingPrecedence"].int().into(),
        cells::text_or(&spec["distinguisherMethod"]["type"], cells::NONE),
        cells::age(object, now),
        dangling.map_or("?", |c| c["status"].str()).into(),
    ]
}

/// The lowest rank; only `catch-all` is meant to have it.
const PRECEDENCE_MAX: i64 = 10_000;
const PRECEDENCE_DEFAULT: i64 = 1_000;

struct FlowSchema;

impl Hooks for FlowSchema {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        if spec["matchingPrecedence"].int() == 0 {
            spec.set("matchingPrecedence", PRECEDENCE_DEFAULT);
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let (spec, path) = (&object["spec"], Path::new("spec"));
        let name = object["metadata"]["name"].str();
        validate_precedence(name, spec["matchingPrecedence"].int(), &path.child("matchingPrecedence"), errs);
        let method = spec["distinguisherMethod"]["type"].str();
        if !spec["distinguisherMethod"].is_null() && !matches!(method, "ByUser" | "ByNamespace") {
            // Upstream shows its internal struct, whose field has no JSON name.
            let shown = Shown(format!("{{\"Type\":{}}}", meta::field::quote(method)));
            errs.not_supported(&path.child("distinguisherMethod").child("type"), shown, &["ByNamespace", "ByUser"]);
        }
        let level = spec["priorityLevelConfiguration"]["name"].str();
        let at = path.child("priorityLevelConfiguration").child("name");
        if level.is_empty() {
            errs.required(&at, "must reference a priority level");
        } else {
            errs.invalid_each(&at, level, meta::name::dns1123_subdomain(level));
        }
        for (i, rule) in spec["rules"].items().iter().enumerate() {
            rules::validate_rule(rule, &path.child("rules").index(i), errs);
        }
        if bootstrap::mandatory_spec(bootstrap::flow_schemas(), name).is_some_and(|fixed| fixed != *spec) {
            errs.invalid(&path, spec, &format!("spec of '{name}' must equal the fixed value"));
        }
        validate_conditions(&object["status"], errs);
    }
}

fn validate_precedence(name: &str, precedence: i64, path: &Path, errs: &mut ErrorList) {
    if precedence <= 0 {
        errs.invalid(path, precedence, "must be a positive value");
    }
    if precedence > PRECEDENCE_MAX {
        errs.invalid(path, precedence, &format!("must not be greater than {PRECEDENCE_MAX}"));
    }
    if precedence == 1 && name != "exempt" {
        errs.invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
    }
}

/// Conditions of either kind: each type once, and named.
pub fn validate_conditions(status: &Value, errs: &mut ErrorList) {
    let conditions = status["conditions"].items();
    for (i, condition) in conditions.iter().enumerate() {
        let path = Path::new("status").child("conditions").index(i).child("type");
        let kind = condition["type"].str();
        if conditions.iter().take(i).any(|earlier| earlier["type"].str() == kind) {
            errs.duplicate(&path, kind);
        }
        if kind.is_empty() {
            errs.required(&path, "must not be empty");
        }
    }
}

struct FlowSchemaStatus;

impl Hooks for FlowSchemaStatus {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_conditions(&object["status"], errs);
    }
}
