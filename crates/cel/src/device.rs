//! Selectors of devices (k8s.io/dynamic-resource-allocation/cel).

use crate::estimate::{Node, Size, Sizes};
use crate::{Env, Objects, Type};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// What a selector may cost at most.
pub const SELECTOR_COST_MAX: u64 = 1_000_000;

const DEVICE: &str = "kubernetes.DRADevice";
/// The longest names of drivers and domains, the longest name and value of an attribute, and how many attributes and
/// capacities a device may have.
const DRIVER_LENGTH_MAX: u64 = 63;
const VALUE_LENGTH_MAX: u64 = 64;
const DOMAIN_LENGTH_MAX: u64 = 63;
const NAME_LENGTH_MAX: u64 = 32;
const ATTRIBUTES_MAX: u64 = 32;

#[derive(Debug)]
struct Device;

impl Objects for Device {
    fn is_object(&self, name: &str) -> bool {
        name == DEVICE
    }

    fn field(&self, object: &str, field: &str) -> Option<Type> {
        let by_domain = |of: Type| Type::map(Type::String, Type::map(Type::String, of));
        match field {
            _ if object != DEVICE => None,
            "driver" => Some(Type::String),
            "allowMultipleAllocations" => Some(Type::Bool),
            "attributes" => Some(by_domain(Type::Any)),
            "capacity" => Some(by_domain(Type::object("kubernetes.Quantity"))),
            _ => None,
        }
    }
}

impl Sizes for Device {
    fn size(&self, node: &Node) -> Option<Size> {
        let steps: Vec<&str> = node.path?.iter().map(Rc::as_ref).collect();
        let max = match steps.as_slice() {
            ["device"] => 0,
            ["device", "driver"] => DRIVER_LENGTH_MAX,
            ["device", "allowMultipleAllocations"] => 1,
            ["device", "attributes" | "capacity"] => ATTRIBUTES_MAX,
            ["device", "attributes" | "capacity", "@keys"] => DOMAIN_LENGTH_MAX,
            ["device", "attributes" | "capacity", "@values"] => ATTRIBUTES_MAX,
            ["device", "attributes" | "capacity", "@values", "@keys"] => NAME_LENGTH_MAX,
            // By name too, since all attributes are as large.
            ["device", "attributes", "@values", _] => VALUE_LENGTH_MAX,
            ["device", "capacity", "@values", "@values"] => 0,
            _ => return None,
        };
        Some(Size { min: 0, max })
    }
}

static ENV: LazyLock<Env> =
    LazyLock::new(|| Env::new([("device", Type::object(DEVICE))]).with_objects(Arc::new(Device)).with_bindings());

/// What is wrong with a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It does not compile, or selects nothing.
    Invalid(String),
    /// It may cost more than [`SELECTOR_COST_MAX`].
    TooCostly,
}

/// Judges a selector.
///
/// # Errors
/// What is wrong with it.
pub fn validate_selector(text: &str) -> Result<(), Refused> {
    let program = ENV.compile(text).map_err(|issues| Refused::Invalid(format!("compilation failed: {issues}")))?;
    let found = program.output_type();
    if !matches!(found, Type::Bool | Type::Any) {
        let found = found.declared_name();
        return Err(Refused::Invalid(format!("must evaluate to bool or the unknown type, not {found}")));
    }
    if program.estimate_cost(&Device).max > SELECTOR_COST_MAX { Err(Refused::TooCostly) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_booleans_over_a_device() {
        for text in [
            "device.driver == 'gpu.example.com'",
            "device.attributes['gpu.example.com'].model == 'a100'",
            "device.attributes['gpu.example.com'].ready",
            "cel.bind(a, device.attributes['d'], a.x && a.y)",
            "device.capacity['d'].memory.compareTo(quantity('8Gi')) >= 0",
            "device.attributes['d'].version.isGreaterThan(semver('1.0.0'))",
        ] {
            assert_eq!(validate_selector(text), Ok(()), "{text}");
        }
        let invalid = |text: &str| match validate_selector(text) {
            Err(Refused::Invalid(message)) => message,
            other => panic!("{text}: {other:?}"),
        };
        assert!(invalid("device.nope").contains("undefined field 'nope'"));
        assert_eq!(invalid("device.driver"), "must evaluate to bool or the unknown type, not string");
    }

    #[test]
    fn selectors_that_may_take_long_are_refused() {
        let text = "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, \
                    a.matches(b + c + d)))))";
        assert_eq!(validate_selector(text), Err(Refused::TooCostly));
    }
}
