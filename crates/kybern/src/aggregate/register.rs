//! APIServices of custom resources' group versions: made when a definition is served, put right when they are changed or
//! deleted, gone with the last definition
//! (k8s.io/kube-aggregator/pkg/controllers/autoregister, kube-apiserver's crdRegistrationController).

use std::collections::BTreeSet;

use meta::{Str, Value, value};

/// Says who keeps an APIService: "true" is kept always, "onstart" made at each start.
pub const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";
const GROUP_PRIORITY_MIN: i64 = 1000;
const VERSION_PRIORITY: i64 = 100;

/// A step towards the APIServices that there should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Create(Value),
    /// The wanted `spec` of the one with this name, read at this resourceVersion.
    Correct {
        name: String,
        resource_version: String,
        spec: Value,
    },
    Delete(String),
}

/// What is missing, wrong or left over. `served` are the custom group versions, `present` all APIServices. Those without
/// the label are somebody else's and stay.
pub fn plan_steps(served: &BTreeSet<(Str, Str)>, present: &[Value]) -> Vec<Step> {
    let mut steps = vec![];
    for (group, version) in served {
        let name = format!("{version}.{group}");
        let spec = value!({
            "group": group, "version": version,
            "groupPriorityMinimum": GROUP_PRIORITY_MIN, "versionPriority": VERSION_PRIORITY
        });
        let Some(found) = present.iter().find(|object| object["metadata"]["name"].str() == name) else {
            let metadata = value!({"name": name, "labels": {MANAGED: "true"}});
            let api_service = value!({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": metadata, "spec": spec
            });
            steps.push(Step::Create(api_service));
            continue;
        };
        if is_managed(found) && found["spec"] != spec {
            let resource_version = found["metadata"]["resourceVersion"].str().to_owned();
            steps.push(Step::Correct { name, resource_version, spec });
        }
    }
    for object in present.iter().filter(|object| is_managed(object)) {
        let spec = &object["spec"];
        if !served.contains(&(spec["group"].str().into(), spec["version"].str().into())) {
            steps.push(Step::Delete(object["metadata"]["name"].str().to_owned()));
        }
    }
    steps
}

fn is_managed(object: &Value) -> bool {
    object["metadata"]["labels"][MANAGED].str() == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_services_follow_what_is_served() {
        let served = BTreeSet::from([("g.io".into(), "v1".into())]);
        let steps = plan_steps(&served, &[]);
        let [Step::Create(made)] = steps.as_slice() else { panic!("{steps:?}") };
        assert_eq!(made["metadata"]["name"].str(), "v1.g.io");
        assert_eq!(plan_steps(&served, std::slice::from_ref(made)), []);

        let mut changed = made.clone();
        changed.entry("spec").set("versionPriority", 77);
        let steps = plan_steps(&served, &[changed]);
        assert!(matches!(steps.as_slice(), [Step::Correct { spec, .. }] if *spec == made["spec"]), "{steps:?}");

        let nothing = BTreeSet::new();
        assert_eq!(plan_steps(&nothing, std::slice::from_ref(made)), [Step::Delete("v1.g.io".into())]);
        let mut foreign = made.clone();
        foreign.entry("metadata").set("labels", Value::object());
        foreign.entry("spec").set("versionPriority", 7);
        assert_eq!(plan_steps(&nothing, std::slice::from_ref(&foreign)), []);
        assert_eq!(plan_steps(&served, &[foreign]), []);
    }
}
