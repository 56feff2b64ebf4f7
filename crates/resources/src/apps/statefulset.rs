//! StatefulSet: pods with names and volumes that stay.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::core::pod::{claim, default_text, internal, set_claim_spec, template};
use crate::rules::label_selector;
use crate::strategies;
use crate::workload;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::{name, value};
use resource::rules::{semantically_equal, validate_annotations, validate_metadata};
use resource::{Context, Descriptor, Hooks, NameRule, PART_VERBS, ScaleSelector, Strategy, SubresourceKind};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "apps", "v1", "StatefulSet", "statefulsets")
        .short_names(&["sts"])
        .categories(&["all"])
        .storage_version_hash("H+vl74LkKdo=")
        .strategy(Strategy { name: NameRule::Hooks, ..strategies::SPEC_AND_STATUS })
        .columns(COLUMNS, cells)
        .cell_fields(CELL_FIELDS)
        .hooks(StatefulSet)
        .status(strategies::STATUS, Status)
        .with_subresource(
            "scale",
            strategies::scale_kind(),
            PART_VERBS,
            SubresourceKind::Scale {
                spec_replicas: "spec.replicas".into(),
                status_replicas: "status.replicas".into(),
                selector: ScaleSelector::LabelSelector("spec.selector".into()),
            },
        )
}

const COLUMNS: &[ColumnRow] =
    &[NAME, ("Ready", "string", "", 0, "Number of the pod with ready state"), AGE, CONTAINERS, IMAGES];

/// What [`cells`] reads.
const CELL_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.creationTimestamp",
    "spec.replicas",
    "spec.template.spec.containers.name",
    "spec.template.spec.containers.image",
    "status.readyReplicas",
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let [names, images] = cells::containers(&spec["template"]["spec"]);
    let ready = format!("{}/{}", object["status"]["readyReplicas"].int(), spec["replicas"].int());
    vec![cells::name(object), Value::from(ready), cells::age(object, now), names, images]
}

const TEMPLATE: &[&str] = &["spec", "template"];

/// What an update may change in the spec.
const MUTABLE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

struct StatefulSet;

impl Hooks for StatefulSet {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        default_text(spec, "podManagementPolicy", "OrderedReady");
        let strategy = spec.entry("updateStrategy");
        if strategy["type"].str().is_empty() {
            strategy.set("type", "RollingUpdate");
            if strategy["rollingUpdate"].is_null() {
                strategy.set("rollingUpdate", Value::object());
            }
        }
        if strategy["type"].str() == "RollingUpdate"
            && let Some(rolling) = strategy.get_mut("rollingUpdate").filter(|r| !r.is_null())
        {
            rolling.set_default("partition", 0);
        }
        let policy = spec.entry("persistentVolumeClaimRetentionPolicy");
        default_text(policy, "whenDeleted", "Retain");
        default_text(policy, "whenScaled", "Retain");
        spec.set_default("replicas", 1);
        spec.set_default("revisionHistoryLimit", 10);
        template::default_template(spec.entry("template"));
        for claim in spec.get_mut("volumeClaimTemplates").map_or(&mut [][..], Value::items_mut) {
            claim.set("apiVersion", "v1");
            claim.set("kind", "PersistentVolumeClaim");
            set_claim_spec(claim.entry("spec"));
            default_text(claim.entry("status"), "phase", "Pending");
        }
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        drop_disabled(object);
        template::drop_disabled(object.entry("spec").entry("template"), None);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        if old["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"].is_null() {
            drop_disabled(object);
        }
        template::drop_disabled(object.entry("spec").entry("template"), Some(&old["spec"]["template"]));
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_metadata(object, true, NameRule::Label, errs);
        let path = Path::new("spec");
        validate_spec(&object["spec"], None, true, &path, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let (spec, path) = (&object["spec"], Path::new("spec"));
        validate_spec(spec, Some(&old["spec"]["template"]), false, &path, errs);
        let without = |spec: &Value| {
            let mut kept = spec.clone();
            MUTABLE.iter().for_each(|field| drop(kept.remove(field)));
            kept
        };
        if !semantically_equal(&without(spec), &without(&old["spec"])) {
            errs.forbidden(
                &path,
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
            );
        }
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        if old.is_some_and(|old| old["metadata"]["generation"] == object["metadata"]["generation"]) {
            return;
        }
        workload::warn_template(object, TEMPLATE, out);
        for (i, claim) in object["spec"]["volumeClaimTemplates"].items().iter().enumerate() {
            let path = Path::new("spec").child("volumeClaimTemplates").index(i).child("spec");
            crate::core::pod::warn_claim(&claim["spec"], &path, out);
        }
        if object["spec"]["revisionHistoryLimit"].int() < 0 {
            out.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
                    .into(),
            );
        }
    }
}

/// maxUnavailable is off by default.
fn drop_disabled(object: &mut Value) {
    let strategy = object.entry("spec").entry("updateStrategy");
    if let Some(rolling) = strategy.get_mut("rollingUpdate") {
        rolling.remove("maxUnavailable");
    }
}

/// `is_new`: claim templates and the service's name are judged on create only.
fn validate_spec(spec: &Value, old: Option<&Value>, is_new: bool, path: &Path, errs: &mut ErrorList) {
    let policy = spec["podManagementPolicy"].str();
    if !["OrderedReady", "Parallel"].contains(&policy) {
        errs.invalid(&path.child("podManagementPolicy"), policy, "must be 'OrderedReady' or 'Parallel'");
    }
    validate_strategy(&spec["updateStrategy"], &path.child("updateStrategy"), errs);
    for field in ["whenDeleted", "whenScaled"] {
        let own = spec["persistentVolumeClaimRetentionPolicy"][field].str();
        if !["Retain", "Delete"].contains(&own) {
            let path = path.child("persistentVolumeClaimRetentionPolicy").child(field);
            errs.not_supported_in_order(&path, own, &["Retain", "Delete"]);
        }
    }
    if is_new {
        for (i, template) in spec["volumeClaimTemplates"].items().iter().enumerate() {
            let path = path.child("volumeClaimTemplates").index(i).child("spec");
            claim::validate_spec(&template["spec"], claim::ClaimOptions::default(), &path, errs);
        }
    }
    workload::validate_counts(spec, &["replicas", "minReadySeconds"], path, errs);
    if !spec["ordinals"].is_null() {
        errs.non_negative(&path.child("ordinals").child("start"), spec["ordinals"]["start"].int());
    }
    let service = spec["serviceName"].str();
    if is_new && !service.is_empty() {
        errs.invalid_each(&path.child("serviceName"), service, name::dns1123_label(service));
    }
    if workload::validate_selector(spec, "empty selector is invalid for statefulset", path, errs) {
        if spec["selector"].is_null() || !label_selector::is_empty(&spec["selector"]) {
            workload::validate_labels_match(spec, path, errs);
        }
        let (own, at) = (with_claims(spec), path.child("template"));
        // twice, here and with the template
        label_selector::validate_labels(&own["metadata"]["labels"], &at.child("labels"), errs);
        validate_annotations(&own["metadata"]["annotations"], &at.child("annotations"), errs);
        template::validate_template(&own, old, &at, errs);
    } else {
        errs.invalid(&path.child("selector"), internal::selector_shown(&spec["selector"]), "");
    }
    workload::validate_runs_for_ever(spec, "StatefulSet", path, errs);
}

/// The template with each claim's volume, which takes the place of one with the same name.
fn with_claims(spec: &Value) -> Value {
    let mut template = spec["template"].clone();
    let claims = spec["volumeClaimTemplates"].items();
    if claims.is_empty() {
        return template;
    }
    let mut names: Vec<&str> = Vec::new();
    for name in claims.iter().map(|claim| claim["metadata"]["name"].str()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let volume = |name| value!({"name": name, "persistentVolumeClaim": {"claimName": name}});
    let mut volumes: Vec<Value> = names.into_iter().map(volume).collect();
    let is_free = |volume: &&Value| !claims.iter().any(|c| c["metadata"]["name"] == volume["name"]);
    volumes.extend(template["spec"]["volumes"].items().iter().filter(is_free).cloned());
    template.entry("spec").set("volumes", volumes);
    template
}

fn validate_strategy(strategy: &Value, path: &Path, errs: &mut ErrorList) {
    let (rolling, at) = (&strategy["rollingUpdate"], path.child("rollingUpdate"));
    match strategy["type"].str() {
        "" => errs.required(path, ""),
        "OnDelete" if !rolling.is_null() => {
            let shown = internal::shown("RollingUpdateStatefulSetStrategy", rolling);
            errs.invalid(&at, shown, "only allowed for updateStrategy 'RollingUpdate'");
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            errs.non_negative(&at.child("partition"), rolling["partition"].int());
            let (unavailable, at) = (&rolling["maxUnavailable"], at.child("maxUnavailable"));
            if !unavailable.is_null() {
                workload::validate_int_or_percent(unavailable, &at, errs);
                if workload::number(unavailable) == 0 {
                    errs.invalid(&at, unavailable, "cannot be 0");
                }
                workload::validate_at_most_all(unavailable, &at, errs);
            }
        }
        _ => {
            let shown = internal::shown("StatefulSetUpdateStrategy", strategy);
            errs.invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        StatefulSet.default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let (status, path) = (&object["status"], Path::new("status"));
        let counts = [
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
            "observedGeneration",
            "collisionCount",
        ];
        workload::validate_counts(status, &counts, &path, errs);
        let parts = ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
        workload::validate_at_most(status, &parts, "replicas", &path, errs);
        workload::validate_at_most(status, &["availableReplicas"], "readyReplicas", &path, errs);
        workload::validate_collisions(status, &old["status"], &path, errs);
    }
}
