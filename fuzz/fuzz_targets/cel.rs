//! Any text as an expression: parsed, checked, estimated and evaluated, within its bounds and without a panic.
#![no_main]

use cel::{Activation, Env, Node, PER_CALL_COST_MAX, Size, Sizes, Type, Value};
use libfuzzer_sys::fuzz_target;

struct Unknown;

impl Sizes for Unknown {
    fn size(&self, _: &Node) -> Option<Size> {
        None
    }
}

fuzz_target!(|text: &str| {
    let env = Env::new([("x", Type::Dyn), ("n", Type::Int), ("s", Type::String), ("l", Type::list(Type::Int))]);
    let program = match env.with_json_patch().with_bindings().compile(text) {
        Ok(program) => program,
        Err(issues) => {
            let _ = issues.to_string();
            return;
        }
    };
    let _ = program.estimate_cost(&Unknown);
    let data = meta::value!({"a": [1, 2.5, "s", null], "m": {"k": {"deep": true}}});
    let list = Value::list((0..4).map(Value::Int).collect());
    let variables =
        [("x", Value::data(&data)), ("n", Value::Int(3)), ("s", Value::string("text")), ("l", list)];
    if let Ok(evaluated) = program.evaluate(&Activation::new(variables), PER_CALL_COST_MAX) {
        assert!(evaluated.cost <= PER_CALL_COST_MAX);
        let _ = evaluated.value.to_data();
    }
});
