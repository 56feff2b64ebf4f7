//! Custom resources: a CustomResourceDefinition becomes the same [`resource::Descriptor`] that a built-in has at
//! compile time, one for each served version. What its structural schema says about values beyond their types
//! (defaults, limits, formats, logic, rules in CEL) runs as that descriptor's hooks; `schema_rules` judges the schema itself.
//!
//! Absent: conversion webhooks.

pub mod approval;
mod compile;
mod defaults;
mod definition;
mod expressions;
mod formats;
mod hooks;
mod list_type;
pub mod names;
pub mod schema_rules;
mod validate;

pub use definition::descriptors;
