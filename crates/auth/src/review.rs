//! Reviews of access: questions that clients ask about rights (upstream: pkg/registry/authorization/util).

use meta::selector::FieldSelector;
use meta::{Str, Value};

/// The `field=value` requirements of the asked field selector, and what could not be read of the selectors.
pub fn selected_fields(resource: &Value) -> (Vec<(Str, Str)>, Vec<String>) {
    let mut errors = Vec::new();
    let mut ignored = |selector: &str| {
        errors.push(format!("spec.resourceAttributes.{selector} ignored due to parse error"));
    };
    let fields = &resource["fieldSelector"];
    let raw = fields["rawSelector"].str();
    let mut equal: Vec<(Str, Str)> = Vec::new();
    match FieldSelector::parse(raw) {
        Ok(selector) => {
            equal.extend(selector.terms.into_iter().filter(|t| t.equal).map(|t| (t.field, t.value)));
        }
        Err(_) => ignored("fieldSelector"),
    }
    for requirement in fields["requirements"].items() {
        match (requirement["operator"].str(), requirement["values"].items()) {
            ("In", [one]) => equal.push((requirement["key"].str().into(), one.str().into())),
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {}
            _ => ignored("fieldSelector"),
        }
    }
    let labels = &resource["labelSelector"];
    let known = |r: &Value| matches!(r["operator"].str(), "In" | "NotIn" | "Exists" | "DoesNotExist");
    let raw = labels["rawSelector"].str();
    if !labels["requirements"].items().iter().all(known) || meta::selector::LabelSelector::parse(raw).is_err() {
        ignored("labelSelector");
    }
    (equal, errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn selectors_give_requirements_or_errors() {
        let resource = value!({
            "fieldSelector": {"rawSelector": "spec.nodeName=n,a!=b"},
            "labelSelector": {"requirements": [{"key": "a", "operator": "Bogus"}]}
        });
        let (fields, errors) = selected_fields(&resource);
        assert_eq!(fields, [(Str::from("spec.nodeName"), Str::from("n"))]);
        assert_eq!(errors, ["spec.resourceAttributes.labelSelector ignored due to parse error"]);
    }
}
