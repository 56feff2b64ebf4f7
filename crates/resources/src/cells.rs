//! What table rows have in common: the columns of every kind, ages, labels and selectors as text
//! (upstream: pkg/printers/internalversion, apimachinery pkg/util/duration).

use meta::Value;

/// Name, type, format, priority, description: what [`resource::Descriptor::columns`] takes.
pub type ColumnRow = (&'static str, &'static str, &'static str, i32, &'static str);

pub const NAME: ColumnRow = (
    "Name",
    "string",
    "name",
    0,
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
);
pub const AGE: ColumnRow = (
    "Age",
    "string",
    "",
    0,
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
);
pub const CONTAINERS: ColumnRow = ("Containers", "string", "", 1, "Names of each container in the template.");
pub const IMAGES: ColumnRow = ("Images", "string", "", 1, "Images referenced by each container in the template.");

pub const UNKNOWN: &str = "<unknown>";
pub const UNSET: &str = "<unset>";
pub const NONE: &str = "<none>";

/// metadata.name
pub fn name(object: &Value) -> Value {
    Value::from(object["metadata"]["name"].str())
}

/// The time since metadata.creationTimestamp.
pub fn age(object: &Value, now: i64) -> Value {
    Value::from(since(&object["metadata"]["creationTimestamp"], now))
}

/// The time since a timestamp, in words: `<unknown>` when there is none.
pub fn since(timestamp: &Value, now: i64) -> String {
    match unix_seconds(timestamp.str()) {
        Some(then) => human_duration(now.saturating_sub(then)),
        None => "<unknown>".into(),
    }
}

/// Unix seconds of a canonical timestamp (`2026-01-02T03:04:05Z`, with or without a fraction).
pub fn unix_seconds(text: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    // days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March
    let shifted = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year;
    let days = day_of_era - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Two or three significant figures, as kubectl shows ages: `5s`, `3m20s`, `4h`, `2d3h`, `1y10d`.
pub fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    let two = |major: i64, unit: &str, minor: i64, small: &str| {
        if minor == 0 { format!("{major}{unit}") } else { format!("{major}{unit}{minor}{small}") }
    };
    match () {
        _ if seconds < -1 => "<invalid>".into(),
        _ if seconds < 0 => "0s".into(),
        _ if seconds < 120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 24 * 8 => two(days, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{days}d"),
        _ if hours < 24 * 365 * 8 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// The names and the images of a pod template's containers, each joined by commas.
pub fn containers(pod_spec: &Value) -> [Value; 2] {
    let join = |key: &str| {
        let texts: Vec<&str> = pod_spec["containers"].items().iter().map(|c| c[key].str()).collect();
        Value::from(texts.join(","))
    };
    [join("name"), join("image")]
}

/// Labels as `a=b,c=d`; `<none>` when there are none.
pub fn labels_text(labels: &Value) -> String {
    let pairs: Vec<String> = labels.entries().map(|(k, v)| format!("{k}={}", v.str())).collect();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",") }
}

/// A LabelSelector as text. `None` when an expression's operator is unknown. A missing selector is "".
pub fn selector_text(selector: &Value) -> Option<String> {
    let mut parts: Vec<(&str, String)> =
        selector["matchLabels"].entries().map(|(k, v)| (k, format!("{k}={}", v.str()))).collect();
    for expression in selector["matchExpressions"].items() {
        let key = expression["key"].str();
        let mut values: Vec<&str> = expression["values"].items().iter().map(Value::str).collect();
        values.sort_unstable();
        let text = match expression["operator"].str() {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_string(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        };
        parts.push((key, text));
    }
    parts.sort_by_key(|(key, _)| *key);
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    Some(texts.join(","))
}

/// A LabelSelector as tables show it: `<none>` when it is empty, `<error>` when it is not valid.
pub fn selector_cell(selector: &Value) -> String {
    match selector_text(selector) {
        None => "<error>".into(),
        Some(text) if text.is_empty() => "<none>".into(),
        Some(text) => text,
    }
}

/// The text, or `otherwise` when it is empty.
pub fn text_or(value: &Value, otherwise: &str) -> Value {
    match value.str() {
        "" => otherwise.into(),
        text => text.into(),
    }
}

/// The number of items or entries.
pub fn count(value: &Value) -> Value {
    let n = match value {
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    Value::Int(n as i64)
}

/// Items joined by commas.
pub fn joined(items: &[Value]) -> String {
    items.iter().map(Value::str).collect::<Vec<_>>().join(",")
}

/// The first three texts and how many more there are; `empty` when there are none.
pub fn first_three(texts: &[String], empty: &str) -> String {
    match texts {
        [] => empty.into(),
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a},{b},{c} + {} more...", rest.len()),
        few => few.join(","),
    }
}

/// Addresses of a load balancer's status: sorted, each once.
pub fn load_balancer(status: &Value) -> String {
    let mut addresses: Vec<&str> = status["ingress"]
        .items()
        .iter()
        .map(|i| if i["ip"].is_empty() { i["hostname"].str() } else { i["ip"].str() })
        .filter(|a| !a.is_empty())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn ages_have_two_or_three_figures() {
        for (seconds, want) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (200, "3m20s"),
            (600, "10m"),
            (4 * 3600, "4h"),
            (4 * 3600 + 300, "4h5m"),
            (51 * 3600, "2d3h"),
            (300 * 86400, "300d"),
            ((730 + 10) * 86400, "2y10d"),
            (9 * 365 * 86400, "9y"),
        ] {
            assert_eq!(human_duration(seconds), want, "{seconds}");
        }
        assert_eq!(unix_seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_seconds("2000-03-01T00:00:01Z"), Some(951_868_801));
        assert_eq!(unix_seconds(""), None);
    }

    #[test]
    fn selectors_are_sorted_by_key() {
        let selector = value!({
            "matchLabels": {"b": "1"},
            "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}, {"key": "c", "operator": "DoesNotExist"}]
        });
        assert_eq!(selector_cell(&selector), "a in (x,y),b=1,!c");
        assert_eq!(selector_cell(&Value::Null), "<none>");
    }
}
