//! Upstream's semantic equality: nothing, null and empty are the same.

use meta::Value;

/// Equal, where a missing member, null, an empty list and an empty object do not differ.
pub fn semantically_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let missing_or_equal = |from: &meta::Map, to: &meta::Map| {
                from.iter().all(|(key, value)| match to.get(key) {
                    Some(other) => semantically_equal(value, other),
                    None => is_nothing(value),
                })
            };
            missing_or_equal(x, y) && y.iter().all(|(key, value)| x.contains_key(key) || is_nothing(value))
        }
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(a, b)| semantically_equal(a, b))
        }
        (Value::Raw(raw), other) | (other, Value::Raw(raw)) => raw.is_written_as(other),
        _ => a == b || (is_nothing(a) && is_nothing(b)),
    }
}

/// Null, an empty list, or an object of nothing but such members.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.iter().all(|(_, v)| is_nothing(v)),
        Value::Raw(raw) => is_nothing(raw.tree()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn nothing_equals_empty() {
        let a = value!({"x": [], "y": {"z": null}, "n": 1});
        assert!(semantically_equal(&a, &value!({"n": 1})));
        assert!(semantically_equal(&value!({"n": 1}), &a));
        assert!(!semantically_equal(&a, &value!({"n": 2})));
        assert!(!semantically_equal(&a, &value!({"n": 1, "s": ""})));
        assert!(!semantically_equal(&value!([1, 2]), &value!([2, 1])));
    }
}
