//! Which tolerations say the same (k8s.io/kubernetes/pkg/util/tolerations).

use meta::Value;

/// Whether what `small` tolerates, `great` tolerates too.
pub fn covers(great: &Value, small: &Value) -> bool {
    if great == small {
        return true;
    }
    let exists = great["operator"].str() == "Exists";
    let any_key = great["key"].str().is_empty() && exists;
    if great["key"].str() != small["key"].str() && !any_key {
        return false;
    }
    let effect = great["effect"].str();
    if !effect.is_empty() && effect != small["effect"].str() {
        return false;
    }
    if effect == "NoExecute"
        && let Some(seconds) = great["tolerationSeconds"].as_int()
        && small["tolerationSeconds"].as_int().is_none_or(|wanted| wanted > seconds)
    {
        return false;
    }
    match great["operator"].str() {
        "Exists" => true,
        "Equal" | "" => small["operator"].str() == "Equal" && great["value"].str() == small["value"].str(),
        _ => false,
    }
}

/// Both lists without what others among them cover; of equals the first stays.
pub fn merge(first: &[Value], second: &[Value]) -> Vec<Value> {
    let all: Vec<&Value> = first.iter().chain(second).collect();
    let mut merged: Vec<Value> = Vec::new();
    for (i, toleration) in all.iter().enumerate() {
        let covered_before = merged.iter().any(|kept| covers(kept, toleration));
        let covered_later = || all.iter().skip(i + 1).any(|later| later != toleration && covers(later, toleration));
        if !covered_before && !covered_later() {
            merged.push((*toleration).clone());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn the_greater_stays() {
        let all = value!({"operator": "Exists"});
        let one = value!({"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"});
        let any_value = value!({"key": "a", "operator": "Exists", "effect": "NoSchedule"});
        let brief = value!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3});
        let longer = value!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9});
        assert!(covers(&all, &one) && covers(&any_value, &one) && !covers(&one, &any_value));
        assert!(covers(&longer, &brief) && !covers(&brief, &longer));
        assert_eq!(merge(&[one.clone(), brief], &[any_value.clone(), longer.clone(), one]), [any_value, longer]);
    }
}
