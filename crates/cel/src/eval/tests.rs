//! Expressions and what becomes of them.

use crate::{Activation, Env, PER_CALL_COST_MAX, Type, Value};

/// The value of an expression as text, or `!` with its error.
fn evaluated(text: &str) -> String {
    let env = Env::new([("x", Type::Dyn), ("object", Type::Dyn), ("n", Type::Int)]);
    let program = match env.compile(text) {
        Ok(program) => program,
        Err(issues) => return format!("compile: {issues}"),
    };
    let object = meta::value!({"a": {"b": [1, 2.5, "s", null, true]}, "name": "n-1", "big": 7});
    let variables = Activation::new([("x", Value::Int(1)), ("object", Value::data(&object)), ("n", Value::Int(5))]);
    match program.evaluate(&variables, PER_CALL_COST_MAX) {
        Ok(evaluated) => format!("{:?}", evaluated.value),
        Err(failed) => format!("!{failed}"),
    }
}

fn assert_all(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, wanted)| (text, wanted, evaluated(text)))
        .filter(|(_, wanted, found)| found != *wanted)
        .map(|(text, wanted, found)| format!("{text}: {found}, not {wanted}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn operators_have_their_values() {
    assert_all(&[
        ("1 + 2 * 3 - 4 / 2 % 3", "5"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("7u + 1u", "8u"),
        ("1.5 + 2.0", "3.5"),
        ("'a' + 'b' == 'ab'", "true"),
        ("b'a' + b'b' == b'ab'", "true"),
        ("[1] + [2, 3]", "[1, 2, 3]"),
        ("9223372036854775807 + 1", "!integer overflow"),
        ("0u - 1u", "!unsigned integer overflow"),
        ("-9223372036854775808 / -1", "!integer overflow"),
        ("1 / 0", "!division by zero"),
        ("1 % 0", "!modulus by zero"),
        ("1 < 2.5 && 2u > 1 && 1 <= 1u", "true"),
        (
            "1 == 1.0 && 1u == 1 && dyn(1) != dyn('1')",
            "compile: ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, double)'\n | 1 == 1.0 && 1u == 1 && dyn(1) != dyn('1')\n | ..^\nERROR: <input>:1:16: found no matching overload for '_==_' applied to '(uint, int)'\n | 1 == 1.0 && 1u == 1 && dyn(1) != dyn('1')\n | ...............^",
        ),
        ("dyn(1) == 1.0 && dyn(1u) == 1 && dyn(1) != dyn('1')", "true"),
        ("9007199254740993 == dyn(9007199254740992.0)", "true"),
        ("true ? 1 : 2", "1"),
        ("!true || !!true", "true"),
        ("3 in [1, 2, 3] && 'k' in {'k': 1}", "true"),
        ("{'a': 1}.a + {'a': 1}['a']", "2"),
        ("[1, 2][1]", "2"),
        ("[1, 2][2]", "!index out of bounds: 2"),
        ("{'a': 1}['b']", "!no such key: b"),
        ("object.a.b[1]", "2.5"),
        ("object.a.c", "!no such key: c"),
        ("has(object.a) && !has(object.z)", "true"),
        ("has(object.name.z)", "!no such key: z"),
        ("x + 'a'", "!no such overload"),
        ("object.big + n", "12"),
    ]);
}

#[test]
fn errors_are_absorbed_by_what_decides() {
    assert_all(&[
        ("1 / 0 == 1 || true", "true"),
        ("true || 1 / 0 == 1", "true"),
        ("1 / 0 == 1 && false", "false"),
        ("1 / 0 == 1 && true", "!division by zero"),
        ("[1, 0].exists(d, 2 / d == 2)", "true"),
        ("[0, 1].exists(d, 2 / d == 2)", "true"),
        ("[0, 2].exists(d, 2 / d == 2)", "!division by zero"),
        ("[0, 1].all(d, 2 / d == 1)", "false"),
        ("[0, 1].map(d, 2 / d)", "!division by zero"),
        ("dyn(1) && false", "false"),
        ("dyn(1) && true", "!no such overload"),
    ]);
}

#[test]
fn macros_loop() {
    assert_all(&[
        ("[1, 2, 3].all(i, i > 0)", "true"),
        ("[].all(i, false)", "true"),
        ("{'a': 1, 'b': 2}.exists(k, k == 'b')", "true"),
        ("[1, 2, 2].exists_one(i, i == 2)", "false"),
        ("[1, 2].existsOne(i, i == 2)", "true"),
        ("[1, 2, 3].map(i, i * 2)", "[2, 4, 6]"),
        ("[1, 2, 3].map(i, i > 1, i * 2)", "[4, 6]"),
        ("[1, 2, 3].filter(i, i % 2 == 1)", "[1, 3]"),
        ("[[1, 2], [3]].map(l, l.map(i, i + 1))", "[[2, 3], [4]]"),
        ("['a', 'b'].all(i, v, v == ['a', 'b'][i])", "true"),
        ("{'a': 1}.exists(k, v, k == 'a' && v == 1)", "true"),
        ("['a', 'b'].transformList(i, v, i == 1, v + 'c')", "[\"bc\"]"),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10)", "{\"b\": 20}"),
        ("{'a': 'x'}.transformMapEntry(k, v, {v: k})", "{\"x\": \"a\"}"),
        ("[1, 1].transformMapEntry(i, v, {v: i})", "!insert failed: key 1 already exists"),
        (
            "1.all(i, true)",
            "compile: ERROR: <input>:1:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n | 1.all(i, true)\n | ^",
        ),
        ("x.all(i, true)", "!got 'int', expected iterable type"),
        ("has(x)", "compile: ERROR: <input>:1:5: invalid argument to has() macro\n | has(x)\n | ....^"),
        (
            "[1].map(__result__, 1)",
            "compile: ERROR: <input>:1:9: iteration variable overwrites accumulator variable\n | [1].map(__result__, 1)\n | ........^",
        ),
    ]);
}

#[test]
fn optionals_may_be_none() {
    assert_all(&[
        ("{'a': 1}.?a", "optional.of(1)"),
        ("{'a': 1}.?b", "optional.none()"),
        ("{'a': {'b': 2}}.?a.b", "optional.of(2)"),
        ("object.?z.y.orValue('d')", "\"d\""),
        ("[1, 2][?5].orValue(9)", "9"),
        ("[1][?0].or(optional.of(2)).value()", "1"),
        ("optional.none().value()", "!optional.none() dereference"),
        ("optional.of(3).optMap(v, v + 1)", "optional.of(4)"),
        ("optional.of([1, 2]).optFlatMap(v, v.first())", "optional.of(1)"),
        ("[?optional.none(), ?optional.of(1), 2]", "[1, 2]"),
        ("{?'a': optional.none(), 'b': 1}", "{\"b\": 1}"),
        ("optional.ofNonZeroValue('')", "optional.none()"),
        ("optional.unwrap([optional.of(1), optional.none()])", "[1]"),
        ("[1, 2].last().hasValue()", "true"),
        ("[?1]", "compile: ERROR: <input>:1:3: expected type 'optional_type(int)' but found 'int'\n | [?1]\n | ..^"),
    ]);
}

#[test]
fn strings_are_counted_in_characters() {
    assert_all(&[
        ("'héllo'.size()", "5"),
        ("'héllo'.charAt(1)", "\"é\""),
        ("'abc'.charAt(4)", "!index out of range: 4"),
        ("'hello mellow'.indexOf('ello', 2)", "7"),
        ("'hello mellow'.lastIndexOf('ello')", "7"),
        ("'hello mellow'.lastIndexOf('ello', 6)", "1"),
        ("'ta©o©αT'.lastIndexOf('©', 3)", "2"),
        ("'ta©o©αT'.lastIndexOf('©', 4)", "4"),
        ("'HeLLo'.lowerAscii() + 'é'.upperAscii()", "\"helloé\""),
        ("'hello hello'.replace('he', 'we', 1)", "\"wello hello\""),
        ("'a,b,c'.split(',')", "[\"a\", \"b\", \"c\"]"),
        ("'a,b,c'.split(',', 2)", "[\"a\", \"b,c\"]"),
        ("'abc'.split('')", "[\"a\", \"b\", \"c\"]"),
        ("'tacocat'.substring(0, 4)", "\"taco\""),
        ("'tacocat'.substring(4, 2)", "!invalid substring range. start: 4, end: 2"),
        ("'  x\\t'.trim()", "\"x\""),
        ("['a', 'b'].join('-')", "\"a-b\""),
        ("strings.quote('a\"b')", "\"\\\"a\\\\\\\"b\\\"\""),
        ("'%s is %d, %.2f, %x, %s'.format(['a', 1, 2.0, 255, [1, 'b']])", "\"a is 1, 2.00, ff, [1, \\\"b\\\"]\""),
        ("[1, 'a']", "compile: ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^"),
        ("'%s'.format([])", "!index 0 out of range"),
        ("'abc'.matches('^a.c$')", "true"),
        ("'abc 123 45'.find('[0-9]+')", "\"123\""),
        ("'a1 b2'.findAll('[0-9]')", "[\"1\", \"2\"]"),
        (
            "'a'.reverse()",
            "compile: ERROR: <input>:1:12: found no matching overload for 'reverse' applied to 'string.()'\n | 'a'.reverse()\n | ...........^",
        ),
    ]);
}

#[test]
fn values_convert() {
    assert_all(&[
        ("int('12') + int(3.9) + int(4u)", "19"),
        ("int('a')", "!strconv.ParseInt: parsing \"a\": invalid syntax"),
        ("int(1e99)", "!integer overflow"),
        ("uint(-1)", "!unsigned integer overflow"),
        ("double('1.5')", "1.5"),
        ("string(1.0) + string(true) + string(b'x')", "\"1truex\""),
        ("string(1e100)", "\"1e+100\""),
        ("bool('true')", "true"),
        ("type(1) == int && type('s') == string && type(type(1)) == type", "true"),
        ("string(timestamp('2024-02-29T12:00:00.5Z') + duration('24h'))", "\"2024-03-01T12:00:00.5Z\""),
        ("timestamp('2024-01-01T00:00:00Z').getDayOfWeek()", "1"),
        ("timestamp('2024-01-01T00:30:00Z').getHours('-01:00')", "23"),
        ("duration('1h30m').getMinutes()", "90"),
        ("string(duration('90m'))", "\"5400s\""),
        (
            "duration('1x') == duration('1s')",
            "compile: ERROR: <input>:1:10: invalid duration argument\n | duration('1x') == duration('1s')\n | .........^",
        ),
    ]);
}

#[test]
fn libraries_of_kubernetes() {
    assert_all(&[
        ("[1, 3, 2].max() + [1, 3, 2].min() + [1, 3].sum()", "8"),
        ("[].sum() == 0 && [1, 2].isSorted()", "true"),
        ("['a', 'b', 'a'].lastIndexOf('a')", "2"),
        ("url('https://u@example.com:80/p?k=a&k=b#f').getHost()", "\"example.com:80\""),
        ("url('https://[::1]:80/').getHostname()", "\"::1\""),
        ("url('https://e/?k=a&k=b').getQuery()['k']", "[\"a\", \"b\"]"),
        ("isURL('/path') && !isURL('nope')", "true"),
        ("ip('10.0.0.1').family() == 4 && isIP('::1') && !isIP('::ffff:1.2.3.4')", "true"),
        ("cidr('10.0.0.0/8').containsIP('10.1.2.3')", "true"),
        ("cidr('10.0.0.0/8').containsCIDR(cidr('10.0.0.0/16'))", "true"),
        ("string(cidr('10.1.2.3/8').masked())", "\"10.0.0.0/8\""),
        ("quantity('1Gi').isGreaterThan(quantity('1G'))", "true"),
        ("quantity('1').add(2).asInteger()", "3"),
        (
            "quantity('x')",
            "!quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ("semver('1.2.3-rc.1').isLessThan(semver('1.2.3'))", "true"),
        ("semver('v01.2', true).minor()", "2"),
        ("isSemver('1.2') || isSemver('1.2.3')", "true"),
        ("format.dns1123Label().validate('ok')", "optional.none()"),
        ("format.named('dns1123Label').value().validate('No').hasValue()", "true"),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])", "true"),
        ("[[1, 2], [3]].flatten()", "[1, 2, 3]"),
        ("[3, 1, 2].sort()", "[1, 2, 3]"),
        ("['bb', 'a'].sortBy(s, s.size())", "[\"a\", \"bb\"]"),
        ("lists.range(60).sortBy(i, i % 3 == 0 ? 0.0 / 0.0 : 60.0 - double(i % 7)).size()", "60"),
        ("[1, 2, 3, 4].slice(1, 3) + lists.range(2) + [1, 1].distinct() + [1, 2].reverse()", "[2, 3, 0, 1, 1, 2, 1]"),
    ]);
}

#[test]
fn costs_end_what_is_too_dear() {
    let dear = "lists.range(1000).all(a, lists.range(1000).all(b, lists.range(1000).all(c, a + b + c >= 0)))";
    assert_eq!(evaluated(dear), "!operation cancelled: actual cost limit exceeded");
    assert_eq!(evaluated("lists.range(2000000000).size() == 1"), "!operation cancelled: actual cost limit exceeded");
    // No error that could be absorbed.
    assert_eq!(evaluated(&format!("({dear}) || true")), "!operation cancelled: actual cost limit exceeded");
}

#[test]
fn deep_expressions_fit_a_small_stack() {
    let deep: Vec<String> = vec![
        "(".repeat(400) + "1" + &")".repeat(400),
        "[".repeat(240) + "1" + &"]".repeat(240) + " == []",
        "[1]".to_owned() + &".map(a, [1]".repeat(110) + &")".repeat(110) + " == []",
        "-".repeat(5000) + "1",
        "!".repeat(5000) + "true",
        (0..2000).map(|_| "true").collect::<Vec<_>>().join(" && "),
        (0..2000).map(|_| "1").collect::<Vec<_>>().join(" + "),
        "x".to_owned() + &".a".repeat(2000),
        "x".to_owned() + &"[0]".repeat(2000),
        "(".repeat(5000),
        "true ? ".repeat(5000),
        "[optional.of(1)]".to_owned() + &".map(b, b.optMap(a, [a]".repeat(60) + &"))".repeat(60) + " == []",
    ];
    let run = move || deep.iter().map(|text| evaluated(text).len()).sum::<usize>();
    let small = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    assert!(small.unwrap().join().unwrap() > 0);
}

#[test]
fn what_a_program_reads_is_known() {
    let env = Env::new([("a", Type::Dyn), ("b", Type::Dyn)]);
    let program = env.compile("[1].all(b, b == a.x)").unwrap();
    assert!(program.uses("a"));
}
