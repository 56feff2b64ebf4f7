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

    /// From the `resourceAttributes` of a review, and what could not be read of them. Requirements narrow down, so that
    /// those that were read hold without the others.
    pub fn of_review(resource: &Value) -> (Selection, Vec<String>) {
        let (fields, all_fields) = fields_of(&resource["fieldSelector"]);
        let (labels, all_labels) = labels_of(&resource["labelSelector"]);
        let ignored =
            [("fieldSelector", all_fields, fields.is_empty()), ("labelSelector", all_labels, labels.is_empty())];
        let ignored = ignored.into_iter().filter(|(_, all, _)| !all).map(|(name, _, is_empty)| {
            let how = if is_empty { "ignored" } else { "partially ignored" };
            format!("spec.resourceAttributes.{name} {how} due to parse error")
        });
        let errors = ignored.collect();
        (Selection { fields, labels }, errors)
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

/// What can be read of it, and whether that is all.
fn fields_of(selector: &Value) -> (Vec<FieldTerm>, bool) {
    let Ok(raw) = FieldSelector::parse(selector["rawSelector"].str()) else { return (Vec::new(), false) };
    let (mut terms, mut all) = (raw.terms, true);
    for requirement in selector["requirements"].items() {
        let values = requirement["values"].items();
        match (requirement["operator"].str(), values) {
            (operator @ ("In" | "NotIn"), [value]) => {
                let field = Str::from(requirement["key"].str());
                terms.push(FieldTerm { field, equal: operator == "In", value: value.str().into() });
            }
            _ => all = false,
        }
    }
    (terms, all)
}

fn labels_of(selector: &Value) -> (Vec<Requirement>, bool) {
    let Ok(raw) = LabelSelector::parse(selector["rawSelector"].str()) else { return (Vec::new(), false) };
    let (mut terms, mut all) = (raw.requirements, true);
    for requirement in selector["requirements"].items() {
        let operator = match requirement["operator"].str() {
            "In" => Some(Operator::In),
            "NotIn" => Some(Operator::NotIn),
            "Exists" => Some(Operator::Exists),
            "DoesNotExist" => Some(Operator::DoesNotExist),
            _ => None,
        };
        let values = requirement["values"].items().iter().map(|value| Str::from(value.str())).collect();
        let read = operator.and_then(|operator| Requirement::new(requirement["key"].str(), operator, values).ok());
        all &= read.is_some();
        terms.extend(read);
    }
    (terms, all)
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
        let resource = value!({"fieldSelector": {"requirements": [
            {"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "In", "values": ["d", "e"]}
        ]}});
        let (selection, errors) = Selection::of_review(&resource);
        assert!(selection.demands("a", "b") && selection.fields.len() == 1);
        assert_eq!(errors, ["spec.resourceAttributes.fieldSelector partially ignored due to parse error"]);
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
