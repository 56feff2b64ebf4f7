//! The empty lists and maps that a client sent and the canonical form does not have: Go keeps them until an object is
//! stored, and its messages show them.

use crate::typed::At;
use meta::{Str, Value};

/// How many are remembered of one body; those beyond are shown as nothing.
const EMPTIES_MAX: usize = 256;

/// Where a decoded body had `[]` and `{}`, in the order in which they were met.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Empties(Vec<(Vec<Step>, Value)>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(Str),
    Item(usize),
}

impl Empties {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Remembers a list or map without content.
    pub(crate) fn note(&mut self, at: &At, value: &Value) {
        if self.0.len() < EMPTIES_MAX {
            self.0.push((steps(at), value.clone()));
        }
    }

    /// Puts them back where the object has nothing. Structs on the way that are all zero, which the canonical form leaves
    /// out, are there again.
    pub fn restore(&self, object: &mut Value) {
        for (steps, empty) in &self.0 {
            if let Some(slot) = reach(object, steps).filter(|slot| slot.is_null()) {
                *slot = empty.clone();
            }
        }
    }
}

fn steps(at: &At) -> Vec<Step> {
    let (mut list, mut at) = (Vec::new(), at);
    loop {
        at = match at {
            At::Root => break,
            At::Foreign(parent) => parent,
            At::Field(parent, _, field) => {
                list.push(Step::Member(field.name.clone()));
                parent
            }
            At::Key(parent, key) => {
                list.push(Step::Member((*key).into()));
                parent
            }
            At::Index(parent, index) => {
                list.push(Step::Item(*index));
                parent
            }
        };
    }
    list.reverse();
    list
}

/// The place that steps lead to; `None` when an item on the way is gone, or something else is there.
fn reach<'v>(object: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(object, |value, step| match step {
        Step::Member(name) if value.is_null() || value.as_object().is_some() => Some(value.entry(name)),
        Step::Member(_) => None,
        Step::Item(index) => value.items_mut().get_mut(*index),
    })
}

#[cfg(test)]
mod tests {
    use crate::decode_json;

    #[test]
    fn what_the_canonical_form_leaves_out_comes_back() {
        let schema = schema::builtin();
        let ty = schema.named("io.k8s.api.apps.v1.Deployment").expect("a built-in type");
        let body = br#"{"metadata":{"name":"d","labels":{}},"spec":{"template":{"metadata":{"labels":{}},"spec":
            {"containers":[{"name":"c","args":[],"env":[{"name":"e"}]}],"volumes":[]}}}}"#;
        let mut decoded = decode_json(&schema, ty, body).expect("well formed");
        assert!(decoded.value.path("spec.template.metadata").get("labels").is_none());
        decoded.empties.restore(&mut decoded.value);
        let pod = decoded.value.path("spec.template.spec");
        assert_eq!(decoded.value.path("spec.template.metadata.labels"), &meta::Value::object());
        assert_eq!(pod["volumes"], meta::value!([]));
        assert_eq!(pod["containers"][0]["args"], meta::value!([]));
        assert!(pod["containers"][0]["command"].is_null());
    }
}
