use super::*;
use meta::value;

#[test]
fn names_are_escaped_and_back() {
    let names = [
        ("plain_1", "plain_1"),
        ("in", "__in__"),
        ("a-b", "a__dash__b"),
        ("a.b", "a__dot__b"),
        ("a/b", "a__slash__b"),
        ("a__b", "a__underscores__b"),
    ];
    for (name, identifier) in names {
        assert_eq!(escape(name).as_deref(), Some(identifier));
        assert_eq!(unescape(identifier).as_deref(), Some(name));
    }
    assert_eq!(escape("1st"), None);
    assert_eq!(escape("é"), None);
}

#[test]
fn data_are_taken_by_their_schema() {
    let schema = value!({"type": "object", "properties": {
        "when": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "wait": {"type": "string", "format": "duration"},
        "raw": {"type": "string", "format": "byte"},
        "share": {"type": "number"},
        "either": {"x-kubernetes-int-or-string": true},
        "unique": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
    }});
    let data = value!({
        "when": "2024-01-02T03:04:05Z",
        "day": "2024-01-02",
        "wait": "90s",
        "raw": "AQI=",
        "share": 2,
        "either": 3,
        "unique": [1, 2],
    });
    let schema = std::sync::Arc::new(Schema::new(&schema, "T", false).expect("it has types"));
    let env = crate::Env::new([("self", schema.root().type_of().clone())]).with_objects(schema.clone());
    for text in [
        "self.when.getHours() == 3 && self.day < self.when",
        "self.when - self.wait < self.when",
        "self.raw == b'\\x01\\x02'",
        "self.share / 4.0 == 0.5",
        "self.either == 3",
        "self.unique == [2, 1]",
        "!has(self.either) || type(self.either) == int",
    ] {
        let program = env.compile(text).unwrap_or_else(|issues| panic!("{text}: {issues}"));
        let variables = crate::Activation::new([("self", typed(&data, schema.root()))]);
        let found = program.evaluate(&variables, 1000).map(|found| format!("{:?}", found.value));
        assert_eq!(found.as_deref().ok(), Some("true"), "{text}: {found:?}");
    }
}
