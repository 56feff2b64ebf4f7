//! The rules of one schema node (`x-kubernetes-validations`) judged as expressions: that they compile, and what they may
//! cost.

use super::shown;
use crate::expressions::{RuleError, compile, types_of};
use meta::Value;
use meta::field::{ErrorList, Path};

/// What one rule may cost at most, and all rules of a schema together.
const RULE_COST_MAX: u64 = 10_000_000;
const SCHEMA_COST_MAX: u64 = 100_000_000;
/// Of the dearest rules so many are named, when all are too dear.
const NAMED_MAX: usize = 4;
/// The largest request (bytes): what bounds the number of values where the schema does not.
const REQUEST_BYTES_MAX: u64 = 3 * 1024 * 1024;

const ADVICE: &str = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";

/// What is known about the place of a node whose rules are judged.
#[derive(Clone, Debug)]
pub struct Place {
    /// The node above which nothing tells which old value belongs to a new one; rules at or below may not use `oldSelf`.
    pub uncorrelatable: Option<Path>,
    /// The schema was stored as it is, so that what its rules may cost is not held against it.
    pub cost_accepted: bool,
    /// How many values of the node an object may have; `None` when the schema does not bound that.
    pub values_max: Option<u64>,
    /// The node is the whole of a resource, or a resource within one.
    pub resource: bool,
    /// What the node is in has a type that there is none of, so that nothing is known of the node's.
    pub untyped: bool,
}

const TYPES: &[&str] = &["", "array", "boolean", "integer", "number", "object", "string"];

impl Place {
    /// The place of a whole schema.
    pub fn of_schema(cost_accepted: bool) -> Place {
        Place { uncorrelatable: None, cost_accepted, values_max: Some(1), resource: true, untyped: false }
    }

    /// The place of what is right below `node`, which is no resource.
    pub fn below(&self, node: &Value) -> Place {
        let natural = |field: &str| node[field].as_int().map(|n| u64::try_from(n).unwrap_or(0));
        let each = match node["type"].str() {
            "object" if !node["additionalProperties"].is_null() => natural("maxProperties"),
            "array" => natural("maxItems"),
            _ => Some(1),
        };
        let values_max = self.values_max.zip(each).map(|(own, each)| own.saturating_mul(each));
        let untyped = self.untyped || !TYPES.contains(&node["type"].str());
        Place { values_max, resource: false, untyped, ..self.clone() }
    }
}

/// What the rules of a schema may cost, by the path of each expression.
#[derive(Default)]
pub struct Costs(Vec<(Path, u64)>);

impl Costs {
    pub fn extend(&mut self, other: Costs) {
        self.0.extend(other.0);
    }

    /// Reports rules that together are too dear; `path` is that of the schema.
    pub fn validate(self, path: &Path, errs: &mut ErrorList) {
        let total = self.0.iter().map(|(_, cost)| *cost).fold(0, u64::saturating_add);
        if total <= SCHEMA_COST_MAX {
            return;
        }
        let mut dear: Vec<(Path, u64)> =
            self.0.into_iter().filter(|(_, cost)| *cost >= SCHEMA_COST_MAX / 100).collect();
        dear.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        for (at, _) in dear.iter().take(NAMED_MAX) {
            errs.forbidden(
                at,
                "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
            );
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errs.forbidden(path, &too_dear(what, total, SCHEMA_COST_MAX));
    }
}

fn too_dear(what: &str, cost: u64, limit: u64) -> String {
    // As inexact as upstream's.
    let factor = cost as f64 / limit as f64;
    let factor = match factor {
        factor if factor > 100.0 => "more than 100x".to_owned(),
        factor if factor < 1.5 => format!("{factor:.6}x"),
        factor => format!("{factor:.1}x"),
    };
    format!("{what} exceeds budget by factor of {factor} {ADVICE}")
}

/// Judges the rules of `node`, the schema below which is sound. Errors belong to
/// `path.child("x-kubernetes-validations").index(i)` and its fields.
pub fn validate_expressions(node: &Value, place: &Place, path: &Path, costs: &mut Costs, errs: &mut ErrorList) {
    let path = path.child("x-kubernetes-validations");
    let Some(schema) = types_of(node, place.resource).filter(|_| !place.untyped) else {
        let why = "unable to convert structural schema to CEL declarations";
        let detail =
            format!("internal error: failed to construct type information for x-kubernetes-validations rules: {why}");
        errs.internal(&path, &detail);
        return;
    };
    // Without a bound by the schema there are as many values as fit a request, each with a comma.
    let values_max = place.values_max.unwrap_or(REQUEST_BYTES_MAX / schema.root().bytes_min().saturating_add(1));
    for (i, rule) in node["x-kubernetes-validations"].items().iter().enumerate() {
        let path = path.index(i);
        let (compiled, wrong) = compile(rule, &schema);
        let cost = compiled.as_ref().map_or(0, |compiled| compiled.rule.estimate_cost(&*schema).max);
        let cost = cost.saturating_mul(values_max);
        let at = path.child("rule");
        if !place.cost_accepted && cost > RULE_COST_MAX {
            errs.forbidden(&at, &too_dear("estimated rule cost", cost, RULE_COST_MAX));
        }
        costs.0.push((at.clone(), cost));
        match &wrong {
            Some(RuleError::Rule(detail)) => errs.invalid(&at, shown::rule(rule), detail),
            Some(RuleError::Message(detail)) => {
                errs.invalid(&path.child("messageExpression"), shown::rule(rule), detail);
            }
            None => {}
        }
        if let Some(message) = compiled.as_ref().and_then(|compiled| compiled.message.as_ref()) {
            let (at, cost) = (path.child("messageExpression"), message.estimate_cost(&*schema).max);
            if !place.cost_accepted && cost > RULE_COST_MAX {
                errs.forbidden(&at, &too_dear("estimated messageExpression cost", cost, RULE_COST_MAX));
            }
            costs.0.push((at, cost));
        }
        if compiled.is_some_and(|compiled| compiled.uses_old) {
            if let Some(above) = &place.uncorrelatable {
                let detail =
                    format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {above}");
                errs.invalid(&at, rule["rule"].str(), &detail);
            }
        } else if let Some(optional) = rule["optionalOldSelf"].as_bool() {
            let detail = "may not be set if oldSelf is not used in rule";
            errs.invalid(&path.child("optionalOldSelf"), optional, detail);
        }
    }
}
