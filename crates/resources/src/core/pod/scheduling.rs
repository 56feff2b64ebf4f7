//! Tolerations, taints' effects, gates.

use super::containers::validate_optional_choice;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub fn validate_tolerations(tolerations: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, toleration) in tolerations.items().iter().enumerate() {
        let path = path.index(i);
        let (key, operator) = (toleration["key"].str(), toleration["operator"].str());
        let (value, effect) = (toleration["value"].str(), toleration["effect"].str());
        if key.is_empty() && operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errs.invalid(&path.child("operator"), operator, detail);
        } else if !key.is_empty() {
            errs.invalid_each(&path.child("key"), key, name::qualified_name(key));
        }
        if !toleration["tolerationSeconds"].is_null() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errs.invalid(&path.child("effect"), effect, detail);
        }
        // upstream reports values at the operator
        let at = path.child("operator");
        match operator {
            "" | "Equal" => {
                let wrong = name::label_value(value);
                if !wrong.is_empty() {
                    errs.invalid(&at, value, &wrong.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                errs.invalid(&at, value, "value must be empty when `operator` is 'Exists'");
            }
            "Exists" => {}
            other => errs.not_supported(&at, other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            validate_optional_choice(&toleration["effect"], EFFECTS, &path.child("effect"), errs);
        }
    }
}

/// A taint's effect, which may not be missing.
pub fn validate_taint_effect(effect: &Value, path: &Path, errs: &mut ErrorList) {
    super::containers::validate_choice(effect, EFFECTS, path, errs);
}

pub fn validate_readiness_gates(gates: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, gate) in gates.items().iter().enumerate() {
        let own = gate["conditionType"].str();
        errs.invalid_each(&path.index(i).child("conditionType"), own, name::qualified_name(own));
    }
}

pub fn validate_scheduling_gates(gates: &Value, path: &Path, errs: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, gate) in gates.items().iter().enumerate() {
        let own = gate["name"].str();
        errs.invalid_each(&path.index(i), own, name::qualified_name(own));
        if !seen.insert(own) {
            errs.duplicate(&path.index(i), own);
        }
    }
}
