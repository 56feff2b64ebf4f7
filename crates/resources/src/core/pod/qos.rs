//! The quality-of-service class of a pod (upstream: pkg/apis/core/helper/qos).

use super::resources::amount;
use meta::Value;
use meta::quantity::Quantity;
use std::collections::BTreeMap;

/// BestEffort when nothing is asked for, Guaranteed when all containers have equal requests and limits of CPU and
/// memory, else Burstable.
pub fn class(spec: &Value) -> &'static str {
    let mut requests = BTreeMap::new();
    let mut limits = BTreeMap::new();
    let mut all_limited = true;
    let of_pod = &spec["resources"];
    if of_pod.is_null() {
        for container in ["containers", "initContainers"].into_iter().flat_map(|list| spec[list].items()) {
            let own = &container["resources"];
            add(&mut requests, &own["requests"]);
            all_limited &= add(&mut limits, &own["limits"]) == 2;
        }
    } else {
        add(&mut requests, &of_pod["requests"]);
        let found = add(&mut limits, &of_pod["limits"]);
        all_limited &= of_pod["limits"].entries().len() == 0 || found == 2;
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let same = all_limited
        && requests.len() == limits.len()
        && requests.iter().all(|(resource, request)| limits.get(resource) == Some(request));
    if same { "Guaranteed" } else { "Burstable" }
}

/// Adds CPU and memory above zero; says how many of them there were.
fn add<'a>(sums: &mut BTreeMap<&'a str, Quantity>, list: &'a Value) -> usize {
    let mut found = 0;
    for (resource, value) in list.entries().filter(|(r, _)| matches!(*r, "cpu" | "memory")) {
        let value = amount(value);
        if value.sign() > 0 {
            found += 1;
            let sum = sums.entry(resource).or_default();
            *sum = &*sum + &value;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn classes_follow_requests_and_limits() {
        let with = |resources: Value| value!({"containers": [{"resources": resources}]});
        let full = value!({"cpu": "1", "memory": "1Gi"});
        let equal = value!({"limits": (full.clone()), "requests": {"cpu": "1000m", "memory": "1Gi"}});
        for (spec, want) in [
            (with(Value::object()), "BestEffort"),
            (with(equal), "Guaranteed"),
            (with(value!({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}})), "Burstable"),
            (with(value!({"requests": {"memory": "1"}})), "Burstable"),
        ] {
            assert_eq!(class(&spec), want);
        }
    }
}
