//! Which of the names that a definition asks for it gets, and the conditions that say so
//! (k8s.io/apiextensions-apiserver/pkg/controller/{status,establish}).

use crate::approval;
use meta::{Value, value};
use std::collections::BTreeSet;

/// In metadata.finalizers of a definition whose objects are not all gone.
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Names that other definitions of the group were given.
struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Taken {
    fn by(definition: &Value, others: &[Value]) -> Taken {
        let mut taken = Taken { resources: BTreeSet::new(), kinds: BTreeSet::new() };
        let (group, name) = (&definition["spec"]["group"], &definition["metadata"]["name"]);
        for other in others.iter().filter(|o| o["spec"]["group"] == *group && o["metadata"]["name"] != *name) {
            let names = &other["status"]["acceptedNames"];
            let resources = ["plural", "singular"].iter().map(|field| names[*field].str());
            let resources = resources.chain(names["shortNames"].items().iter().map(Value::str));
            taken.resources.extend(resources.map(str::to_string));
            taken.kinds.extend(["kind", "listKind"].iter().map(|field| names[*field].str().to_string()));
        }
        taken
    }
}

/// `None` when `wanted` is free or already ours.
fn conflict(wanted: &str, accepted: &str, taken: &BTreeSet<String>) -> Option<String> {
    let ours = wanted == accepted && !accepted.is_empty();
    (!ours && taken.contains(wanted)).then(|| format!("{} is already in use", meta::field::quote(wanted)))
}

/// The status that a definition should have: accepted names, NamesAccepted and Established. Times of conditions that
/// do not change stay; `now` is RFC 3339.
pub fn plan_status(definition: &Value, others: &[Value], now: &str) -> Value {
    let taken = Taken::by(definition, others);
    let wanted = &definition["spec"]["names"];
    let mut accepted = definition["status"]["acceptedNames"].clone();
    let mut refused = None;
    for (field, reason, taken) in [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("shortNames", "ShortNamesConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ] {
        let why = match field {
            "shortNames" => short_names_conflict(&wanted[field], &accepted[field], taken),
            _ => conflict(wanted[field].str(), accepted[field].str(), taken),
        };
        match why {
            Some(why) => refused = Some((reason, why)),
            None => copy(wanted, &mut accepted, field),
        }
    }
    copy(wanted, &mut accepted, "categories");
    let mut status = definition["status"].clone();
    status.set("acceptedNames", accepted);
    let names = match &refused {
        Some((reason, why)) => condition("NamesAccepted", "False", reason, why),
        None => condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
    };
    let established = is_true(definition, "Established");
    if let Some(approval) = approval::condition(definition) {
        set_condition(&mut status, approval, now);
    }
    set_condition(&mut status, names, now);
    if refused.is_none() && !established {
        let message = "the initial names have been accepted";
        set_condition(&mut status, condition("Established", "True", "InitialNamesAccepted", message), now);
    } else if !established {
        set_condition(&mut status, condition("Established", "False", "NotAccepted", "not all names are accepted"), now);
    }
    status
}

fn short_names_conflict(wanted: &Value, accepted: &Value, taken: &BTreeSet<String>) -> Option<String> {
    let new = wanted.items().iter().filter(|name| !accepted.items().contains(name));
    let errs: Vec<String> = new.filter_map(|name| conflict(name.str(), "", taken)).collect();
    match errs.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to.set(field, value),
        None => drop(to.remove(field)),
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    value!({"type": kind, "status": status, "reason": reason, "message": message})
}

pub fn is_true(definition: &Value, kind: &str) -> bool {
    let mut conditions = definition["status"]["conditions"].items().iter();
    conditions.any(|condition| condition["type"].str() == kind && condition["status"].str() == "True")
}

/// Puts a condition in its type's place; its time moves only when its status does.
pub fn set_condition(status: &mut Value, mut condition: Value, now: &str) {
    let conditions = status.entry("conditions").array_mut();
    match conditions.iter_mut().find(|old| old["type"] == condition["type"]) {
        Some(old) => {
            let same = old["status"] == condition["status"];
            let time = if same { old["lastTransitionTime"].clone() } else { Value::from(now) };
            condition.set("lastTransitionTime", time);
            *old = condition;
        }
        None => {
            condition.set("lastTransitionTime", now);
            conditions.push(condition);
        }
    }
}

/// Marks a definition whose deletion was asked for: its objects go first.
pub fn prepare_delete(definition: &mut Value, now: &str) {
    let finalizers = definition.entry("metadata").entry("finalizers").array_mut();
    if !finalizers.iter().any(|finalizer| finalizer.str() == CLEANUP_FINALIZER) {
        finalizers.push(Value::from(CLEANUP_FINALIZER));
    }
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    let terminating = condition("Terminating", "True", "InstanceDeletionPending", message);
    set_condition(definition.entry("status"), terminating, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(plural: &str, kind: &str, status: Value) -> Value {
        let names = value!({"plural": plural, "singular": (kind.to_lowercase()), "kind": kind, "listKind": (format!("{kind}List"))});
        value!({
            "metadata": {"name": (format!("{plural}.a.example"))},
            "spec": {"group": "a.example", "names": names},
            "status": status
        })
    }

    #[test]
    fn the_first_gets_the_names_and_the_second_is_told() {
        let now = "2026-01-01T00:00:00Z";
        let mut first = definition("things", "Thing", Value::object());
        let status = plan_status(&first, &[], now);
        first.set("status", status);
        assert!(is_true(&first, "Established"));
        let second = definition("others", "Thing", Value::object());
        let status = plan_status(&second, &[first.clone()], now);
        assert_eq!(status["acceptedNames"]["plural"].str(), "others");
        assert!(status["acceptedNames"]["kind"].is_null());
        assert_eq!(status["conditions"][0]["reason"].str(), "ListKindConflict");
        assert_eq!(status["conditions"][0]["message"].str(), "\"ThingList\" is already in use");
        assert_eq!(status["conditions"][1]["reason"].str(), "NotAccepted");
        // Nothing moves when nothing changed.
        assert_eq!(plan_status(&first, &[second], "2027-01-01T00:00:00Z"), first["status"]);
    }
}
