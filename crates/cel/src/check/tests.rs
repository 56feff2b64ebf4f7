//! What the checker says of expressions.

use crate::{Env, Type};

fn judged(text: &str) -> String {
    let map = Type::Map((Type::String, Type::Int).into());
    match Env::new([("n", Type::Int), ("s", Type::String), ("m", map), ("x", Type::Dyn)]).compile(text) {
        Ok(program) => program.output_type().to_string(),
        Err(issues) => issues.to_string().lines().next().unwrap_or_default().to_string(),
    }
}

#[test]
fn expressions_have_types_or_issues() {
    let cases = [
        ("n + 1", "int"),
        ("x + 1", "int"),
        ("x.y.z", "dyn"),
        ("m.a", "int"),
        ("m.?a", "optional_type(int)"),
        ("[]", "list(dyn)"),
        ("[[n]].map(l, l[0])", "list(int)"),
        ("{s: [n]}", "map(string, list(int))"),
        ("optional.of(n).orValue(1)", "int"),
        ("m.transformList(k, v, k)", "list(string)"),
        ("truex", "ERROR: <input>:1:1: undeclared reference to 'truex' (in container '')"),
        ("n + s", "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'"),
        ("n.field", "ERROR: <input>:1:2: type 'int' does not support field selection"),
        ("n.size()", "ERROR: <input>:1:7: found no matching overload for 'size' applied to 'int.()'"),
        ("has(n)", "ERROR: <input>:1:5: invalid argument to has() macro"),
        (
            "s.all(c, true)",
            "ERROR: <input>:1:1: expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(judged(text), wanted, "{text}");
    }
}
