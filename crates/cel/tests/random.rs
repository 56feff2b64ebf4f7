//! Random programs: none panics or runs without bound, and what the checker accepts has the types it says.

use cel::{Activation, Env, PER_CALL_COST_MAX, Type, Value};

/// A seeded generator; the seed of a failure is in its message.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const KINDS: &[&str] = &["bool", "int", "double", "string", "list", "map", "optional", "timestamp", "duration", "dyn"];

/// Ways to make an expression of a kind; `{kind}` stands for another expression.
const BOOLS: &[&str] = &[
    "true",
    "false",
    "b",
    "!{bool}",
    "{bool} && {bool}",
    "{bool} || {bool}",
    "{int} < {int}",
    "{int} == {int}",
    "{string} == {string}",
    "{double} >= {int}",
    "{int} in {list}",
    "{string} in {map}",
    "{list}.all(i, i < {int})",
    "{list}.exists(i, i == {int})",
    "{list}.exists_one(i, {bool})",
    "{map}.all(k, v, v > {int})",
    "{string}.contains({string})",
    "{string}.startsWith({string})",
    "{string}.matches('^a+$')",
    "has({map}.a)",
    "{optional}.hasValue()",
    "{timestamp} < {timestamp}",
    "{duration} != {duration}",
    "sets.contains({list}, {list})",
    "{list} == {list}",
    "{dyn} == {int}",
    "{list}.isSorted()",
    "({bool} ? {bool} : {bool})",
];

const INTS: &[&str] = &[
    "1",
    "-2",
    "7",
    "n",
    "{int} + {int}",
    "{int} - {int}",
    "{int} * {int}",
    "{int} / {int}",
    "{int} % {int}",
    "-({int})",
    "{string}.size()",
    "size({list})",
    "{list}[{int}]",
    "{map}[{string}]",
    "{map}.a",
    "int({double})",
    "int({timestamp})",
    "{list}.sum()",
    "{list}.max()",
    "{optional}.orValue({int})",
    "{list}.indexOf({int})",
    "{string}.indexOf({string})",
    "{timestamp}.getFullYear()",
    "{duration}.getSeconds()",
    "({bool} ? {int} : {int})",
];

const DOUBLES: &[&str] =
    &["1.5", "-0.25", "double({int})", "{double} + {double}", "{double} / {double}", "-({double})"];

const STRINGS: &[&str] = &[
    "'a'",
    "'b c'",
    "\"é\"",
    "s",
    "{string} + {string}",
    "string({int})",
    "string({double})",
    "string({duration})",
    "{string}.substring({int})",
    "{string}.charAt({int})",
    "{string}.replace({string}, {string})",
    "{string}.trim()",
    "{string}.upperAscii()",
    "{string}.split({string}).join({string})",
    "string({timestamp})",
    "{string}.find('[a-c]')",
    "'%s %d'.format([{string}, {int}])",
    "{list}.map(i, string(i)).join(',')",
    "({bool} ? {string} : {string})",
];

const LISTS: &[&str] = &[
    "[1, 2, 3]",
    "l",
    "[{int}, {int}]",
    "{list} + {list}",
    "{list}.map(i, i + {int})",
    "{list}.filter(i, i > {int})",
    "{list}.map(i, {bool}, i * {int})",
    "{list}.reverse()",
    "{list}.sort()",
    "{list}.distinct()",
    "{list}.slice({int}, {int})",
    "[[1], {list}].flatten()",
    "{map}.transformList(k, v, v)",
    "lists.range({int})",
    "[?{optional}, {int}]",
    "{list}.sortBy(i, -i)",
];

const MAPS: &[&str] = &[
    "{'a': 1}",
    "m",
    "{'a': {int}, 'b': {int}}",
    "{list}.transformMapEntry(i, v, {string(i): v})",
    "{map}.transformMap(k, v, v + {int})",
    "{?'a': {optional}}",
];

const OPTIONALS: &[&str] = &[
    "optional.of({int})",
    "optional.none()",
    "{map}[?{string}]",
    "{list}[?{int}]",
    "{map}.?a",
    "{list}.first()",
    "{optional}.or({optional})",
    "{optional}.optMap(o, o + {int})",
    "optional.ofNonZeroValue({int})",
];

const TIMESTAMPS: &[&str] = &["timestamp('2024-02-29T12:00:00Z')", "timestamp({int})", "{timestamp} + {duration}"];

const DURATIONS: &[&str] =
    &["duration('90s')", "{timestamp} - {timestamp}", "{duration} + {duration}", "duration(string({duration}))"];

const DYNS: &[&str] =
    &["dyn({int})", "dyn({string})", "dyn({list})", "x", "x.a", "x.a[{int}]", "x[{string}]", "x.?m.k"];

fn ways(kind: &str) -> &'static [&'static str] {
    match kind {
        "bool" => BOOLS,
        "int" => INTS,
        "double" => DOUBLES,
        "string" => STRINGS,
        "list" => LISTS,
        "map" => MAPS,
        "optional" => OPTIONALS,
        "timestamp" => TIMESTAMPS,
        "duration" => DURATIONS,
        _ => DYNS,
    }
}

fn expression(random: &mut Random, kind: &str, depth: usize, stray: usize) -> String {
    // A stray kind now and then, which the checker must find.
    let kind = if stray > 0 && random.below(stray) == 0 { random.pick(KINDS) } else { kind };
    let ways = ways(kind);
    // The first ways are the plain ones.
    let way = if depth == 0 { ways[random.below(2)] } else { random.pick(ways) };
    let mut out = String::new();
    let mut rest = way;
    while let Some(start) = rest.find('{') {
        let found = rest[start..].find('}').map(|end| (start + end, &rest[start + 1..start + end]));
        match found.filter(|(_, inner)| KINDS.contains(inner)) {
            Some((end, inner)) => {
                out.push_str(&rest[..start]);
                let inner = expression(random, inner, depth.saturating_sub(1), stray);
                out.push_str(&format!("({inner})"));
                rest = &rest[end + 1..];
            }
            None => {
                out.push_str(&rest[..=start]);
                rest = &rest[start + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn env() -> Env {
    Env::new([
        ("b", Type::Bool),
        ("n", Type::Int),
        ("s", Type::String),
        ("l", Type::list(Type::Int)),
        ("m", Type::map(Type::String, Type::Int)),
        ("x", Type::Dyn),
    ])
}

/// The type of a value as the checker would name it, without what it is made of.
fn fits(of: &Type, value: &Value) -> bool {
    let found = value.type_of();
    match (of, &found) {
        (Type::Dyn, _) => true,
        (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) | (Type::Type(_), Type::Type(_)) => true,
        (Type::Opaque(a, _), Type::Opaque(b, _)) => a == b,
        (a, b) => a == b,
    }
}

/// Runs `count` programs; how many compiled.
fn run(seed: u64, count: usize, stray: usize) -> usize {
    let env = env();
    let data = meta::value!({"a": [1, 2.5, "s", null], "m": {"k": {"deep": true}}, "s": "t"});
    let map = meta::value!({"a": 1, "b": 2});
    let mut random = Random(seed);
    let mut compiled = 0;
    for i in 0..count {
        let kind = random.pick(KINDS);
        let depth = 1 + random.below(4);
        let text = expression(&mut random, kind, depth, stray);
        let Ok(program) = env.compile(&text) else { continue };
        compiled += 1;
        let variables = Activation::new([
            ("b", Value::Bool(true)),
            ("n", Value::Int(i as i64 % 5)),
            ("s", Value::string("abc")),
            ("l", Value::list((1..4).map(Value::Int).collect())),
            ("m", Value::data(&map)),
            ("x", Value::data(&data)),
        ]);
        match program.evaluate(&variables, PER_CALL_COST_MAX) {
            Ok(evaluated) => {
                assert!(fits(program.output_type(), &evaluated.value), "{seed}: {text}: {:?}", evaluated.value);
                assert!(evaluated.cost <= PER_CALL_COST_MAX, "{seed}: {text}");
            }
            Err(failed) => {
                let dynamic = text.contains("dyn") || text.contains('x');
                let about_types = failed.to_string().contains("no such overload");
                assert!(dynamic || !about_types, "{seed}: {text}: {failed}");
            }
        }
    }
    compiled
}

#[test]
fn accepted_programs_have_the_types_the_checker_says() {
    assert!((1..8).map(|seed| run(seed, 250, 0)).sum::<usize>() > 1000);
}

#[test]
fn strayed_programs_are_refused_or_run() {
    assert!((100..108).map(|seed| run(seed, 250, 12)).sum::<usize>() > 100);
}
