//! Which objects of a collection a request is about, as far as authorizers can tell
//! (upstream: apiserver/pkg/endpoints/filters/authorization.go, pkg/registry/authorization/util).

use meta::selector::{FieldSelector, FieldTerm, LabelSelector, Operator, Requirement};
use meta::{Str, Value, value};

/// The terms of a field and of a label selector that could be read; none selects everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    pub fields: Vec<FieldTerm>,
    pub labels: Vec<Requirement>,
}

static EVERYTHING: Selection = Selection { fields: Vec::new(), labels: Vec::new() };

impl Default for &Selection {
    fn default() -> Self {
        &EVERYTHING
    }
}

impl Selection {
    /// From query parameters. A selector that cannot be read selects everything here; the request itself fails later.
    pub fn parse(fields: &str, labels: &str) -> Selection {
        let fields = FieldSelector::parse(fields).map(|selector| selector.terms).unwrap_or_default();
        let labels = LabelSelector::parse(labels).map(|selector| selector.requirements).unwrap_or_default();
        Selection { fields, labels }
    }

    /// From the `resourceAttributes` of a review, and what could not be read of them.
    pub fn of_review(resource: &Value) -> (Selection, Vec<String>) {
        let (fields, labels) = (fields_of(&resource["fieldSelector"]), labels_of(&resource["labelSelector"]));
        let ignored = [("fieldSelector", fields.is_none()), ("labelSelector", labels.is_none())];
        let ignored = ignored.into_iter().filter(|(_, is_ignored)| *is_ignored);
        let errors = ignored.map(|(name, _)| format!("spec.resourceAttributes.{name} ignored due to parse error"));
        (Selection { fields: fields.unwrap_or_default(), labels: labels.unwrap_or_default() }, errors.collect())
    }

    /// Adds the selectors to the `resourceAttributes` of a review that is sent to others.
    pub fn add_to_review(&self, resource: &mut Value) {
        let requirement = |key: &str, operator: &str, values: &[Str]| {
            let mut requirement = value!({"key": key, "operator": operator});
            if !values.is_empty() {
                requirement.set("values", values.iter().map(Value::from).collect::<Vec<Value>>());
            }
            requirement
        };
        let operator = |equal: bool| if equal { "In" } else { "NotIn" };
        let fields = self
            .fields
            .iter()
            .map(|term| requirement(&term.field, operator(term.equal), std::slice::from_ref(&term.value)));
        let labels = self.labels.iter().filter_map(|term| {
            let operator = match term.operator {
                Operator::In | Operator::Equals | Operator::DoubleEquals => "In",
                Operator::NotIn | Operator::NotEquals => "NotIn",
                Operator::Exists => "Exists",
                Operator::DoesNotExist => "DoesNotExist",
                // Reviews have no word for these.
                Operator::GreaterThan | Operator::LessThan => return None,
            };
            Some(requirement(&term.key, operator, &term.values))
        });
        let selectors: [(&str, Vec<Value>); 2] =
            [("fieldSelector", fields.collect()), ("labelSelector", labels.collect())];
        for (name, requirements) in selectors.into_iter().filter(|(_, requirements)| !requirements.is_empty()) {
            resource.set(name, value!({"requirements": requirements}));
        }
    }

    /// Whether only objects with this value are selected.
    pub fn demands(&self, field: &str, value: &str) -> bool {
        self.fields.iter().any(|term| term.equal && term.field == field && term.value == value)
    }
}

/// `None` when a part of it cannot be read, or says what a field selector cannot.
fn fields_of(selector: &Value) -> Option<Vec<FieldTerm>> {
    let mut terms = FieldSelector::parse(selector["rawSelector"].str()).ok()?.terms;
    for requirement in selector["requirements"].items() {
        let (key, values) = (Str::from(requirement["key"].str()), requirement["values"].items());
        let equal = match (requirement["operator"].str(), values) {
            ("In", [_]) => true,
            ("NotIn", [_]) => false,
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => continue,
            _ => return None,
        };
        let value = values.first().map(Value::str).unwrap_or_default().into();
        terms.push(FieldTerm { field: key, equal, value });
    }
    Some(terms)
}

fn labels_of(selector: &Value) -> Option<Vec<Requirement>> {
    let mut terms = LabelSelector::parse(selector["rawSelector"].str()).ok()?.requirements;
    for requirement in selector["requirements"].items() {
        let operator = match requirement["operator"].str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return None,
        };
        let values = requirement["values"].items().iter().map(|value| Str::from(value.str())).collect();
        terms.push(Requirement::new(requirement["key"].str(), operator, values).ok()?);
    }
    Some(terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reviews_give_selections_or_errors() {
        let resource = value!({
            "fieldSelector": {"rawSelector": "spec.nodeName=n,a!=b"},
            "labelSelector": {"requirements": [{"key": "a", "operator": "Bogus"}]}
        });
        let (selection, errors) = Selection::of_review(&resource);
        assert!(selection.demands("spec.nodeName", "n") && !selection.demands("a", "b") && selection.labels.is_empty());
        assert_eq!(errors, ["spec.resourceAttributes.labelSelector ignored due to parse error"]);
    }

    #[test]
    fn selections_become_reviews_and_come_back() {
        let selection = Selection::parse("a=b,c!=d", "x,!y,z in (1,2),w=3,v>4");
        let mut resource = Value::object();
        selection.add_to_review(&mut resource);
        let wanted = value!({
            "fieldSelector": {"requirements": [
                {"key": "a", "operator": "In", "values": ["b"]},
                {"key": "c", "operator": "NotIn", "values": ["d"]}
            ]},
            "labelSelector": {"requirements": [
                {"key": "w", "operator": "In", "values": ["3"]},
                {"key": "x", "operator": "Exists"},
                {"key": "y", "operator": "DoesNotExist"},
                {"key": "z", "operator": "In", "values": ["1", "2"]}
            ]}
        });
        assert_eq!(resource, wanted);
        let (back, errors) = Selection::of_review(&resource);
        assert_eq!((back.fields, back.labels.len(), errors.len()), (selection.fields, 4, 0));
        assert_eq!(Selection::parse("a", "=="), Selection::default());
        let mut nothing = Value::object();
        Selection::default().add_to_review(&mut nothing);
        assert_eq!(nothing, value!({}));
    }
}
