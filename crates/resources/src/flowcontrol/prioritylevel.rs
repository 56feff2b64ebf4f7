//! PriorityLevelConfiguration: how many requests of a level run at once, and how the rest wait.

use super::bootstrap;
use super::flowschema::validate_conditions;
use crate::{cells, columns};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Generation, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
    )
    .cluster_scoped()
    .storage_version_hash("Kir5PVfvNeI=")
    .strategy(Strategy {
        generation: Generation::Spec,
        reset_on_create: &["status"],
        keep_on_update: &["status"],
        reset_fields: &["status"],
        metadata: MetadataRules::WHOLE,
        ..Strategy::default()
    })
    .hooks(PriorityLevelConfiguration)
    .status(
        Strategy {
            keep_on_update: &["spec"],
            reset_fields: &["metadata", "spec"],
            metadata: MetadataRules::NONE,
            ..Strategy::default()
        },
        PriorityLevelConfigurationStatus,
    );
    columns::with(descriptor, priority_level_cells)
}

fn priority_level_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let limited = &spec["limited"];
    let queuing = &limited["limitResponse"]["queuing"];
    let number = |holder: &Value, key: &str| match holder.is_null() {
        true => cells::NONE.into(),
        false => Value::from(holder[key].int()),
    };
    vec![
        cells::name(object),
        spec["type"].str().into(),
        number(limited, "nominalConcurrencyShares"),
        number(queuing, "queues"),
        number(queuing, "handSize"),
        number(queuing, "queueLengthLimit"),
        cells::age(object, now),
    ]
}

const SHARES_DEFAULT: i64 = 30;
/// What a queuing level has when it does not say.
const QUEUING_DEFAULTS: &[(&str, i64)] = &[("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)];
const QUEUES_MAX: i64 = 10_000_000;
/// Shuffle sharding deals a hand from one 64-bit hash, of which it may use this many bits.
const ENTROPY_BITS_MAX: i64 = 60;

struct PriorityLevelConfiguration;

impl Hooks for PriorityLevelConfiguration {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        if let Some(exempt) = spec.get_mut("exempt").filter(|exempt| !exempt.is_null()) {
            exempt.set_default("nominalConcurrencyShares", 0);
            exempt.set_default("lendablePercent", 0);
        }
        let Some(limited) = spec.get_mut("limited").filter(|limited| !limited.is_null()) else { return };
        limited.set_default("nominalConcurrencyShares", SHARES_DEFAULT);
        limited.set_default("lendablePercent", 0);
        if let Some(queuing) = limited.path_mut("limitResponse.queuing").filter(|queuing| !queuing.is_null()) {
            for (field, default) in QUEUING_DEFAULTS {
                if queuing[*field].int() == 0 {
                    queuing.set(field, *default);
                }
            }
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let (spec, path) = (&object["spec"], Path::new("spec"));
        let name = object["metadata"]["name"].str();
        validate_spec(name, spec, &path, errs);
        if bootstrap::mandatory_spec(bootstrap::priority_levels(), name).is_some_and(|fixed| fixed != *spec) {
            errs.invalid(&path, spec, &format!("spec of '{name}' must equal the fixed value"));
        }
        validate_conditions(&object["status"], errs);
    }
}

fn validate_spec(name: &str, spec: &Value, path: &Path, errs: &mut ErrorList) {
    let kind = spec["type"].str();
    if (name == "exempt") != (kind == "Exempt") {
        errs.invalid(&path.child("type"), kind, "type must be 'Exempt' if and only if name is 'exempt'");
    }
    match kind {
        "Exempt" => {
            if !spec["limited"].is_null() {
                errs.forbidden(&path.child("limited"), "must be nil if the type is not Limited");
            }
            validate_shares(&spec["exempt"], &path.child("exempt"), errs);
        }
        "Limited" => {
            if !spec["exempt"].is_null() {
                errs.forbidden(&path.child("exempt"), "must be nil if the type is Limited");
            }
            let at = path.child("limited");
            if spec["limited"].is_null() {
                errs.required(&at, "must not be empty when type is Limited");
            } else {
                validate_limited(&spec["limited"], &at, errs);
            }
        }
        _ => errs.not_supported(&path.child("type"), kind, &["Exempt", "Limited"]),
    }
}

fn validate_shares(level: &Value, path: &Path, errs: &mut ErrorList) {
    let shares = level["nominalConcurrencyShares"].int();
    if shares < 0 {
        errs.invalid(&path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer");
    }
    let lendable = level["lendablePercent"].int();
    if !(0..=100).contains(&lendable) {
        errs.invalid(&path.child("lendablePercent"), lendable, "must be between 0 and 100, inclusive");
    }
}

fn validate_limited(limited: &Value, path: &Path, errs: &mut ErrorList) {
    let shares = limited["nominalConcurrencyShares"].int();
    if shares < 0 {
        errs.invalid(&path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer");
    }
    let response = &limited["limitResponse"];
    let at = path.child("limitResponse");
    match (response["type"].str(), response["queuing"].is_null()) {
        ("Reject", false) => {
            errs.forbidden(&at.child("queuing"), "must be nil if limited.limitResponse.type is not Limited");
        }
        ("Queue", true) => {
            errs.required(&at.child("queuing"), "must not be empty if limited.limitResponse.type is Limited");
        }
        ("Queue", false) => validate_queuing(&response["queuing"], &at.child("queuing"), errs),
        ("Reject", true) => {}
        (other, _) => errs.not_supported(&at.child("type"), other, &["Queue", "Reject"]),
    }
    let lendable = limited["lendablePercent"].int();
    if !(0..=100).contains(&lendable) {
        errs.invalid(&path.child("lendablePercent"), lendable, "must be between 0 and 100, inclusive");
    }
    if let Some(limit) = limited["borrowingLimitPercent"].as_int().filter(|limit| *limit < 0) {
        errs.invalid(&path.child("borrowingLimitPercent"), limit, "if specified, must be a non-negative integer");
    }
}

fn validate_queuing(queuing: &Value, path: &Path, errs: &mut ErrorList) {
    let number = |field: &str| queuing[field].int();
    let (length, queues, hand) = (number("queueLengthLimit"), number("queues"), number("handSize"));
    if length <= 0 {
        errs.invalid(&path.child("queueLengthLimit"), length, "must be positive");
    }
    if queues <= 0 {
        errs.invalid(&path.child("queues"), queues, "must be positive");
    } else if queues > QUEUES_MAX {
        errs.invalid(&path.child("queues"), queues, &format!("must not be greater than {QUEUES_MAX}"));
    }
    let at = path.child("handSize");
    if hand <= 0 {
        errs.invalid(&at, hand, "must be positive");
    } else if hand > queues {
        errs.invalid(&at, hand, &format!("should not be greater than queues ({queues})"));
    } else if (queues as f64).log2() * hand as f64 > ENTROPY_BITS_MAX as f64 {
        let deal = format!("deckSize {queues} and handSize {hand}");
        errs.invalid(
            &at,
            hand,
            &format!("required entropy bits of {deal} should not be greater than {ENTROPY_BITS_MAX}"),
        );
    }
}

struct PriorityLevelConfigurationStatus;

impl Hooks for PriorityLevelConfigurationStatus {
    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate_conditions(&object["status"], errs);
    }
}
