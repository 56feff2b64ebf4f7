//! The functions expressions may call: their overloads, read from a table, and what they do.

mod authorizer;
mod collections;
mod convert;
mod format;
mod formats;
mod lists;
mod matching;
mod network;
mod opaque;
mod operators;
mod quantity;
mod semver;
mod strings;
mod time;
mod url;

pub use authorizer::{Authorizer, Decision, Question};
pub(crate) use matching::compile as compile_regex;
pub(crate) use opaque::Opaque;
pub(crate) use time::{format_duration, format_timestamp, parse_duration, parse_timestamp};

use crate::declare::{self, Function};
use crate::eval::{Call, Failed};
use crate::value::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The table of functions.
const TABLE: &str = include_str!("functions.txt");

/// All functions by name.
pub(crate) static FUNCTIONS: LazyLock<HashMap<&'static str, Function>> = LazyLock::new(|| declare::read(TABLE));

/// What a function does with its arguments, the target first.
pub(crate) type Run = for<'a, 'c> fn(&mut Call<'a, 'c>) -> Result<Value<'a>, Failed>;

/// What the function of this name does; operators that do not evaluate all their arguments are in [`crate::eval`].
pub(crate) fn implementation(name: &str) -> Option<Run> {
    None.or_else(|| operators::implementation(name))
        .or_else(|| collections::implementation(name))
        .or_else(|| convert::implementation(name))
        .or_else(|| time::implementation(name))
        .or_else(|| strings::implementation(name))
        .or_else(|| lists::implementation(name))
        .or_else(|| matching::implementation(name))
        .or_else(|| url::implementation(name))
        .or_else(|| network::implementation(name))
        .or_else(|| quantity::implementation(name))
        .or_else(|| semver::implementation(name))
        .or_else(|| formats::implementation(name))
        .or_else(|| authorizer::implementation(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_table_does_something() {
        let special = ["_?_:_", "_&&_", "_||_", "@not_strictly_false", "or", "orValue", "_?._", "_[?_]", "_[_]"];
        for name in FUNCTIONS.keys() {
            assert!(special.contains(name) || implementation(name).is_some(), "{name}");
        }
    }
}
