//! What a resource is: a [`Descriptor`] (data) and its [`Hooks`] (what data cannot say).
//! Built-in resources and custom resources are the same thing to everything that reads these.

mod action;
mod builtin;
mod connect;
mod context;
mod descriptor;
mod hooks;
pub mod rules;
mod token;

pub use action::{Acted, Action};
pub use builtin::{ALL_VERBS, PART_VERBS};
pub use connect::{Connect, Location, Stream, Target, Transport};
pub use context::{Context, Reader, User};
pub use descriptor::{
    Cells, Column, Convert, DefaultGc, Descriptor, Generation, InEtcd, MetadataCheck, MetadataRules, NameRule, Review,
    ScaleSelector, SelectField, SelectValue, Strategy, Subresource, SubresourceKind, Verb, Whose,
};
pub use hooks::{Hooks, NoHooks, Recorded, SideWrite};
pub use token::{Claims, KEPT_ISSUER, Presented, TokenNotes, TokenPolicy, TokenRules};
