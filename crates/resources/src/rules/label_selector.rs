//! Labels and label selectors (upstream: apimachinery pkg/apis/meta/v1/validation).

use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;

/// A map of labels: keys are qualified names, values label values; both are reported at the map's own path.
pub fn validate_labels(labels: &Value, path: &Path, errs: &mut ErrorList) {
    for (key, value) in labels.entries() {
        errs.invalid_each(path, key, name::qualified_name(key));
        errs.invalid_each(path, value, name::label_value(value.str()));
    }
}

/// The key of a label.
pub fn validate_key(key: &str, path: &Path, errs: &mut ErrorList) {
    errs.invalid_each(path, key, name::qualified_name(key));
}

/// A LabelSelector; missing is right. `allow_invalid_values` skips the check of the expressions' values, for objects
/// whose stored form already breaks it.
pub fn validate(selector: &Value, allow_invalid_values: bool, path: &Path, errs: &mut ErrorList) {
    validate_labels(&selector["matchLabels"], &path.child("matchLabels"), errs);
    let list = path.child("matchExpressions");
    for (i, expression) in selector["matchExpressions"].items().iter().enumerate() {
        validate_requirement(expression, allow_invalid_values, &list.index(i), errs);
    }
}

fn validate_requirement(requirement: &Value, allow_invalid_values: bool, path: &Path, errs: &mut ErrorList) {
    let values = requirement["values"].items();
    match requirement["operator"].str() {
        "In" | "NotIn" if values.is_empty() => {
            errs.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errs.forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errs.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    let key = requirement["key"].str();
    errs.invalid_each(&path.child("key"), key, name::qualified_name(key));
    if !allow_invalid_values {
        for (i, value) in values.iter().enumerate() {
            errs.invalid_each(&path.child("values").index(i), value, name::label_value(value.str()));
        }
    }
}

/// Does a LabelSelector match? A missing selector matches nothing, an empty one everything.
pub fn matches(selector: &Value, labels: &Value) -> bool {
    let Some(_) = selector.as_object() else { return false };
    selector["matchLabels"].entries().all(|(key, value)| labels.get(key) == Some(value))
        && selector["matchExpressions"].items().iter().all(|requirement| {
            let label = labels.get(requirement["key"].str());
            let listed = || label.is_some_and(|label| requirement["values"].items().contains(label));
            match requirement["operator"].str() {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => label.is_some(),
                "DoesNotExist" => label.is_none(),
                _ => false,
            }
        })
}

/// Whether a LabelSelector has no requirement at all, or is missing.
pub fn is_empty(selector: &Value) -> bool {
    selector["matchLabels"].entries().len() == 0 && selector["matchExpressions"].items().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn requirements_are_judged_one_by_one() {
        let selector = value!({
            "matchLabels": {"a": "b c"},
            "matchExpressions": [
                {"key": "a", "operator": "In"},
                {"key": "", "operator": "Exists", "values": ["x"]},
                {"key": "a", "operator": "Maybe"},
            ]
        });
        let mut errs = ErrorList::new();
        validate(&selector, false, &Path::new("s"), &mut errs);
        let fields: Vec<&str> = errs.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "s.matchLabels",
                "s.matchExpressions[0].values",
                "s.matchExpressions[1].values",
                "s.matchExpressions[1].key",
                "s.matchExpressions[1].key",
                "s.matchExpressions[2].operator",
            ]
        );
    }

    #[test]
    fn a_missing_selector_matches_nothing_and_an_empty_one_everything() {
        let labels = value!({"app": "x"});
        assert!(!matches(&Value::Null, &labels));
        assert!(matches(&Value::object(), &labels));
        assert!(matches(
            &value!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]}),
            &labels
        ));
    }
}
