//! CEL, the expression language of Kubernetes' policies, as kube-apiserver 1.36 speaks it: cel-go 0.26 with Kubernetes'
//! libraries, type-checked, with costs estimated before and counted while an expression runs.
//!
//! ```
//! use cel::{Activation, Env, Type, Value};
//!
//! let env = Env::new([("object", Type::Dyn), ("limit", Type::Int)]);
//! let program = env.compile("object.spec.replicas <= limit").map_err(|issues| issues.to_string())?;
//! assert_eq!(*program.output_type(), Type::Bool);
//!
//! let object = meta::value!({"spec": {"replicas": 3}});
//! let variables = Activation::new([("object", Value::data(&object)), ("limit", Value::Int(5))]);
//! let evaluated = program.evaluate(&variables, 1_000_000).map_err(|failed| failed.to_string())?;
//! assert_eq!(evaluated.value.as_bool(), Some(true));
//!
//! let wrong = env.compile("truex").unwrap_err();
//! assert_eq!(wrong.to_string(), "ERROR: <input>:1:1: undeclared reference to 'truex' (in container '')\n | truex\n | ^");
//! # Ok::<(), String>(())
//! ```
//!
//! - [`Env`] says which variables, object types and functions there are; [`Env::compile`] parses and checks. What is wrong
//!   are [`Issues`], whose `Display` is upstream's text.
//! - [`Program::evaluate`] runs an expression on an [`Activation`] and stops at a cost; [`PER_CALL_COST_MAX`] is upstream's.
//! - [`Program::estimate_cost`] says what it may cost at most, given [`Sizes`] of its variables' parts.
//! - Values ([`Value`]) borrow from trees of [`meta::Value`] and copy nothing of them. [`schema`] gives trees the types of
//!   an OpenAPI schema.
//!
//! Nothing here panics or runs without bound on any text or value: nesting, sizes, types, regular expressions and work
//! are limited, and beyond a limit there is an error. Absent: time zones by name (only `UTC` and offsets are known).

mod ast;
mod check;
mod declare;
pub mod device;
mod env;
mod estimate;
mod eval;
mod lex;
mod library;
mod parse;
pub mod policy;
pub mod schema;
mod source;
mod syntax;
mod types;
mod value;

pub use env::{Env, Program};
pub use estimate::{Estimate, Node, Size, Sizes};
pub use eval::{Activation, Evaluated, Failed};
pub use library::{Authorizer, Decision, Question};
pub use source::{Issue, Issues, Place};
pub use types::{NoObjects, Objects, Type};
pub use value::{Fields, Value};

/// What one evaluation may cost: upstream's `PerCallLimit`.
pub const PER_CALL_COST_MAX: u64 = 1_000_000;
/// What all evaluations for one request may cost together: upstream's `RuntimeCELCostBudget`.
pub const REQUEST_COST_MAX: u64 = 10_000_000;
