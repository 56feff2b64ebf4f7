//! A custom resource's rules, run from its structural schema.

use crate::defaults::prepare_defaults;
use crate::expressions::{RuleTree, judge};
use crate::list_type::validate_uniqueness;
use crate::validate::{Patterns, Validator};
use meta::field::{ErrorKind, ErrorList, Path};
use meta::{Result, Status, Str, Value};
use resource::{Context, Hooks, SideWrite};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the hooks of one version share.
pub struct Version {
    pub group: Str,
    pub plural: Str,
    pub kind: Str,
    pub node: Value,
    pub patterns: Patterns,
    /// Rules in CEL, when there are any.
    pub rules: Option<RuleTree>,
    pub has_status: bool,
    /// The definition is being deleted, and its objects with it.
    pub terminating: bool,
}

/// The main resource.
pub struct CustomHooks(pub Arc<Version>);

/// `/status`: everything but status stays as it is stored, metadata too.
pub struct StatusHooks(pub Arc<Version>);

impl Version {
    fn validate(&self, object: &Value, old: Option<&Value>, errs: &mut ErrorList) {
        if object["kind"].str() != self.kind {
            errs.invalid(&Path::new("kind"), object["kind"].str(), &format!("must be {}", self.kind));
        }
        Validator { patterns: &self.patterns }.validate(&self.node, object, old, "", errs);
        validate_uniqueness(&self.node, object, &Path::root(), errs);
        if let Some(rules) = &self.rules {
            if errs.iter().any(|error| BLOCKING.contains(&error.kind)) {
                errs.invalid(&Path::root(), &Value::Null, NOT_CHECKED);
            } else {
                errs.extend(judge(rules, object, old).errs);
            }
        }
    }

    /// Warns of rules that are broken by what was so before.
    fn warn(&self, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        if let (Some(rules), Some(old)) = (&self.rules, old) {
            warnings.extend(judge(rules, object, Some(old)).ratcheted.iter().map(|error| error.to_string()));
        }
    }
}

/// Errors that say too little is right for rules to be run.
const BLOCKING: &[ErrorKind] =
    &[ErrorKind::NotSupported, ErrorKind::Required, ErrorKind::TooLong, ErrorKind::TooMany, ErrorKind::TypeInvalid];

const NOT_CHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// Does anything but metadata differ?
fn has_moved(object: &Value, old: &Value) -> bool {
    let content = |v: &Value| {
        v.entries().filter(|(key, _)| *key != "metadata").map(|(k, v)| (k.to_string(), v.clone())).collect::<Vec<_>>()
    };
    content(object) != content(old)
}

impl Hooks for CustomHooks {
    fn default(&self, object: &mut Value) {
        prepare_defaults(&self.0.node, object);
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        if self.0.has_status {
            object.remove("status");
        }
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        if self.0.has_status {
            match old.get("status") {
                Some(status) => object.set("status", status),
                None => drop(object.remove("status")),
            }
        }
        // Without a status subresource a change of status is a change like any other.
        if has_moved(object, old) {
            let next = old["metadata"]["generation"].int().saturating_add(1);
            object.entry("metadata").set("generation", next);
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        self.0.validate(object, None, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.0.validate(object, Some(old), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        self.0.warn(object, old, warnings);
        warn_of_finalizers(object, old, warnings);
    }

    fn plan_side_writes(
        &self,
        _ctx: &Context,
        object: Option<&mut Value>,
        old: Option<&Value>,
    ) -> Result<Vec<SideWrite>> {
        match (object, old) {
            (Some(object), None) if self.0.terminating => {
                let name = object["metadata"]["name"].str();
                let why = "create not allowed while custom resource definition is terminating";
                Err(Status::forbidden(&self.0.group, &self.0.plural, name, why))
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// New finalizers whose names may be somebody else's.
fn warn_of_finalizers(object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    let finalizers = |object: &Value| {
        let list = object["metadata"]["finalizers"].items().iter();
        list.map(|finalizer| finalizer.str().to_string()).collect::<BTreeSet<String>>()
    };
    let had = old.map(finalizers).unwrap_or_default();
    for name in finalizers(object).difference(&had) {
        let quoted = meta::field::quote(name);
        let say = |what: String| format!("metadata.finalizers: {quoted}: {what}");
        warnings.extend(meta::name::qualified_name(name).into_iter().map(say));
        if !name.contains('/') && !["orphan", "foregroundDeletion"].contains(&name.as_str()) {
            let what =
                "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers";
            warnings.push(format!("metadata.finalizers: {quoted}: {what}"));
        }
    }
}

impl Hooks for StatusHooks {
    fn default(&self, object: &mut Value) {
        prepare_defaults(&self.0.node, object);
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        let status = object.remove("status");
        let managed = object["metadata"].get("managedFields").cloned();
        let version = object["metadata"].get("resourceVersion").cloned();
        *object = old.clone();
        for (field, value) in [("managedFields", managed), ("resourceVersion", version)] {
            match value {
                Some(value) => object.entry("metadata").set(field, value),
                None => drop(object.entry("metadata").remove(field)),
            }
        }
        match status {
            Some(status) => object.set("status", status),
            None => drop(object.remove("status")),
        }
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        self.0.validate(object, Some(old), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
        self.0.warn(object, old, warnings);
    }
}
