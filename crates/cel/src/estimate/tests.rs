//! Costs that upstream's own tests give.

use crate::{Env, Node, Size, Sizes, Type};

/// Every string and list has at most so many parts.
struct AtMost(u64);

impl Sizes for AtMost {
    fn size(&self, node: &Node) -> Option<Size> {
        node.path.filter(|path| path.len() == 1).map(|_| Size { min: 0, max: self.0 })
    }
}

fn cost(text: &str, at_most: u64) -> (u64, u64) {
    let list = Type::List(Type::String.into());
    let variables = [("s", Type::String), ("t", Type::String), ("l", list), ("a", Type::Bool), ("b", Type::Bool)];
    let program = Env::new(variables).compile(text).unwrap_or_else(|issues| panic!("{text}: {issues}"));
    let found = program.estimate_cost(&AtMost(at_most));
    (found.min, found.max)
}

#[test]
fn costs_are_estimated_from_sizes() {
    assert_eq!(cost("'text'", 10), (0, 0));
    assert_eq!(cost("s", 10), (1, 1));
    assert_eq!(cost("[1, 2, 3]", 10), (10, 10));
    assert_eq!(cost("{'k': 1}", 10), (30, 30));
    assert_eq!(cost("a || b || a || b", 10), (1, 4));
    assert_eq!(cost("l.all(x, true)", 100), (2, 302));
    assert_eq!(cost("(l + l).all(x, true)", 10), (4, 64));
    assert_eq!(cost("'abcdefg'.contains(s + t)", 10), (2, 6));
    assert_eq!(cost("s.matches('\\\\d+a\\\\d+b')", 500), (3, 103));
}

#[test]
fn what_has_no_size_costs_the_most() {
    let program = Env::new([("x", Type::Dyn)]).compile("x.all(i, i == x)").expect("it compiles");
    struct Unknown;
    impl Sizes for Unknown {
        fn size(&self, _node: &Node) -> Option<Size> {
            None
        }
    }
    assert_eq!(program.estimate_cost(&Unknown).max, u64::MAX);
}
