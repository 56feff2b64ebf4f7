//! Lists of quantities by resource name, and what a pod asks for in all.

use meta::Value;
use meta::quantity::Quantity;
use std::collections::BTreeMap;

/// Resource names and amounts, sorted by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceList(pub BTreeMap<String, Quantity>);

impl ResourceList {
    /// Of an object `{"cpu": "1", …}`. What is no quantity was refused by decoding, and is left out here.
    pub fn of(value: &Value) -> ResourceList {
        let entry = |(name, amount): (&str, &Value)| Some((name.to_string(), Quantity::parse(amount.str()).ok()?));
        ResourceList(value.entries().filter_map(entry).collect())
    }

    pub fn to_value(&self) -> Value {
        let entry = |(name, amount): (&String, &Quantity)| (name.as_str().into(), Value::from(amount.to_string()));
        Value::Object(self.0.iter().map(entry).collect())
    }

    pub fn get(&self, name: &str) -> Option<&Quantity> {
        self.0.get(name)
    }

    pub fn set(&mut self, name: impl Into<String>, amount: Quantity) {
        self.0.insert(name.into(), amount);
    }

    pub fn add(&mut self, other: &ResourceList) {
        for (name, amount) in &other.0 {
            let sum = self.0.get(name).map_or_else(|| amount.clone(), |have| have + amount);
            self.0.insert(name.clone(), sum);
        }
    }

    pub fn subtract(&mut self, other: &ResourceList) {
        for (name, amount) in &other.0 {
            let rest = self.0.get(name).map_or_else(|| -amount, |have| have - amount);
            self.0.insert(name.clone(), rest);
        }
    }

    /// Raises each amount to at least the other's.
    pub fn raise(&mut self, other: &ResourceList) {
        for (name, amount) in &other.0 {
            if self.0.get(name).is_none_or(|have| have < amount) {
                self.0.insert(name.clone(), amount.clone());
            }
        }
    }

    /// Only the names that a test picks.
    pub fn only(&self, mut keep: impl FnMut(&str) -> bool) -> ResourceList {
        ResourceList(self.0.iter().filter(|(name, _)| keep(name)).map(|(n, q)| (n.clone(), q.clone())).collect())
    }
}

impl std::fmt::Display for ResourceList {
    /// `cpu=1,memory=2Gi`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (name, amount)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{name}={amount}")?;
        }
        Ok(())
    }
}

/// What a pod's containers need together, `kind` being "requests" or "limits": the sum of those that run at the same
/// time, or more where an init container needs more. Amounts set for the pod as a whole stand in for the sum.
pub fn of_containers(spec: &Value, kind: &str) -> ResourceList {
    let mut total = ResourceList::default();
    for container in spec["containers"].items() {
        total.add(&ResourceList::of(&container["resources"][kind]));
    }
    let mut sidecars = ResourceList::default();
    let mut init_max = ResourceList::default();
    for container in spec["initContainers"].items() {
        let mut need = ResourceList::of(&container["resources"][kind]);
        if container["restartPolicy"].str() == "Always" {
            total.add(&need);
            sidecars.add(&need);
            need = sidecars.clone();
        } else {
            need.add(&sidecars);
        }
        init_max.raise(&need);
    }
    total.raise(&init_max);
    for (name, amount) in ResourceList::of(&spec["resources"][kind]).0 {
        total.set(name, amount);
    }
    total
}

/// [`of_containers`] and the overhead of the pod's sandbox; limits get it only where there is a limit.
pub fn of_pod(spec: &Value, kind: &str) -> ResourceList {
    let mut total = of_containers(spec, kind);
    let overhead = ResourceList::of(&spec["overhead"]);
    let counted = overhead.only(|name| kind == "requests" || total.get(name).is_some());
    total.add(&counted);
    total
}

/// A pod that asks for no processor and no memory.
pub fn is_best_effort(pod: &Value) -> bool {
    let spec = &pod["spec"];
    let asks = |resources: &Value| {
        let named = ["requests", "limits"].iter().flat_map(|kind| resources[*kind].entries());
        named.into_iter().any(|(name, amount)| matches!(name, "cpu" | "memory") && amount.str() != "0")
    };
    let containers = ["containers", "initContainers"].iter().flat_map(|field| spec[*field].items());
    !asks(&spec["resources"]) && !containers.into_iter().any(|container| asks(&container["resources"]))
}
