//! LimitRange: bounds and defaults for the resources of a namespace's pods, containers and claims.

use super::pod::{resources, round_quantities};
use crate::rules::quantity;
use crate::{cells, columns};
use meta::field::{ErrorList, Path};
use meta::quantity::Quantity;
use meta::{Value, name};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "LimitRange", "limitranges")
        .short_names(&["limits"])
        .storage_version_hash("EBKMFVe6cwo=")
        .strategy(Strategy { create_on_update: true, metadata: MetadataRules::WHOLE, ..Strategy::default() })
        .hooks(LimitRange);
    columns::with(descriptor, |object, _| vec![cells::name(object), object["metadata"]["creationTimestamp"].clone()])
}

/// The lists of a limit, in upstream's order.
const LISTS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

struct LimitRange;

impl Hooks for LimitRange {
    /// Containers' defaults: limit from the maximum, request from the limit, else from the minimum.
    fn default(&self, object: &mut Value) {
        for limit in object.path_mut("spec.limits").map(Value::items_mut).unwrap_or_default() {
            for list in LISTS {
                if let Some(list) = limit.get_mut(list) {
                    round_quantities(list);
                }
            }
            if limit["type"].str() != "Container" {
                continue;
            }
            for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
                let source = limit[from].clone();
                for (key, amount) in source.entries() {
                    if limit[to].get(key).is_none() {
                        limit.entry(to).set(key, amount);
                    }
                }
            }
        }
    }

    fn prepare_create(&self, ctx: &Context, object: &mut Value) {
        let metadata = object.entry("metadata");
        if metadata["name"].is_empty() && metadata["generateName"].is_empty() {
            let uid = metadata["uid"].clone();
            metadata.set("name", uid);
        }
        let _ = ctx;
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let path = Path::new("spec").child("limits");
        let limits = object["spec"]["limits"].items();
        for (i, limit) in limits.iter().enumerate() {
            let at = path.index(i);
            validate_type(limit["type"].str(), &at.child("type"), errs);
            if limits.iter().take(i).any(|l| l["type"].str() == limit["type"].str()) {
                errs.duplicate(&at.child("type"), limit["type"].str());
            }
            validate_limit(limit, &at, errs);
        }
    }
}

fn validate_type(limit_type: &str, path: &Path, errs: &mut ErrorList) {
    let wrong = name::qualified_name(limit_type);
    if !wrong.is_empty() {
        errs.invalid_each(path, limit_type, wrong);
    } else if !limit_type.contains('/') && !["Container", "PersistentVolumeClaim", "Pod"].contains(&limit_type) {
        errs.invalid(path, limit_type, "must be a standard limit type or fully qualified");
    }
}

fn validate_limit(limit: &Value, path: &Path, errs: &mut ErrorList) {
    let limit_type = limit["type"].str();
    let mut keys: Vec<&str> = Vec::new();
    for list in LISTS {
        let at = path.child(list);
        if list == "maxLimitRequestRatio" && limit_type == "PersistentVolumeClaim" {
            let bounded = ["min", "max"].iter().any(|bound| limit[*bound].get("storage").is_some());
            if !bounded {
                let detail = "either minimum or maximum storage value is required, but neither was provided";
                errs.required(&path.child("limits"), detail);
            }
        }
        if limit_type == "Pod" && list.starts_with("default") {
            if !limit[list].is_empty() {
                errs.forbidden(&at, "may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        for (key, _) in limit[list].entries() {
            if matches!(limit_type, "Pod" | "Container") {
                resources::validate_container_name(key, &at.key(key), errs);
            } else {
                resources::validate_name(key, &at.key(key), errs);
            }
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys.sort_unstable();
    for key in keys {
        validate_bounds(limit, limit_type == "Pod", key, path, errs);
    }
}

/// The amounts of one resource against each other.
fn validate_bounds(limit: &Value, is_pod: bool, key: &str, path: &Path, errs: &mut ErrorList) {
    let amount = |list: &str| match is_pod && list.starts_with("default") {
        true => None,
        false => limit[list].get(key).map(|value| (quantity::parse(value), value.str())),
    };
    let [max, min, default, request, ratio] = LISTS.map(amount);
    let mut check = |wrong: &dyn Fn(&Quantity, &Quantity) -> bool,
                     list: &'static str,
                     a: &Option<(Quantity, &str)>,
                     b: &Option<(Quantity, &str)>,
                     shown: &str,
                     detail: &dyn Fn(&str, &str) -> String| {
        if let (Some((a, a_text)), Some((b, b_text))) = (a, b)
            && wrong(a, b)
        {
            errs.invalid(&path.child(list).key(key), shown, &detail(a_text, b_text));
        }
    };
    let greater = |a: &Quantity, b: &Quantity| a > b;
    let text = |amount: &Option<(Quantity, &str)>| amount.as_ref().map_or(String::new(), |(_, t)| t.to_string());
    let (min_text, max_text, request_text) = (text(&min), text(&max), text(&request));
    check(&greater, "min", &min, &max, &min_text, &|a, b| format!("min value {a} is greater than max value {b}"));
    check(&greater, "defaultRequest", &min, &request, &request_text, &|a, b| {
        format!("min value {a} is greater than default request value {b}")
    });
    check(&greater, "defaultRequest", &request, &max, &request_text, &|a, b| {
        format!("default request value {a} is greater than max value {b}")
    });
    check(&greater, "defaultRequest", &request, &default, &request_text, &|a, b| {
        format!("default request value {a} is greater than default limit value {b}")
    });
    check(&greater, "default", &min, &default, &min_text, &|a, b| {
        format!("min value {a} is greater than default value {b}")
    });
    check(&greater, "default", &default, &max, &max_text, &|a, b| {
        format!("default value {a} is greater than max value {b}")
    });
    validate_ratio(&ratio, &min, &max, &path.child("maxLimitRequestRatio").key(key), errs);
    if let (Some((a, a_text)), Some((b, b_text))) = (&default, &request)
        && !resources::allows_overcommit(key)
        && a != b
    {
        let detail = format!("default value {a_text} must equal to defaultRequest value {b_text} in {key}");
        errs.invalid(&path.child("defaultRequest").key(key), *b_text, &detail);
    }
}

type Amount<'a> = Option<(Quantity, &'a str)>;

fn validate_ratio(ratio: &Amount, min: &Amount, max: &Amount, path: &Path, errs: &mut ErrorList) {
    let Some((ratio, text)) = ratio else { return };
    if ratio.milli_value() < 1000 {
        errs.invalid(path, *text, &format!("ratio {text} is less than 1"));
    }
    let (Some((min, _)), Some((max, _))) = (min, max) else { return };
    const MILLI_VALUE_MAX: i64 = i64::MAX / 1000;
    let exact = [ratio, min, max].iter().all(|q| q.value() < MILLI_VALUE_MAX);
    let value = |q: &Quantity| if exact { q.milli_value() as f64 } else { q.value() as f64 };
    let limit = value(max) / value(min);
    let ratio_value = if exact { ratio.milli_value() as f64 / 1000.0 } else { ratio.value() as f64 };
    if ratio_value > limit {
        errs.invalid(path, *text, &format!("ratio {text} is greater than max/min = {limit:.6}"));
    }
}
