//! The option objects of requests: from the query, and for deletes from the body. Checks and texts are upstream's
//! (apimachinery/pkg/apis/meta/internalversion/validation, pkg/apis/meta/v1/validation).

use crate::query::Query;
use meta::field::{ErrorList, Path, Shown};
use meta::selector::{FieldSelector, FieldTerm, LabelSelector};
use meta::{Result, Status, Str, Value, value};
use resource::rules::{self, DeleteOptions};

const OPTIONS_GROUP: &str = "meta.k8s.io";

/// ListOptions, for lists, watches and deletes of collections.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    pub labels: LabelSelector,
    pub fields: FieldSelector,
    pub bookmarks: bool,
    pub resource_version: Str,
    pub resource_version_match: Str,
    pub timeout_seconds: Option<i64>,
    /// 0: no limit.
    pub limit: usize,
    pub continue_token: String,
    pub send_initial_events: Option<bool>,
}

impl ListOptions {
    /// 400 for what does not parse, 422 for what does not fit together.
    pub fn parse(query: &Query, watch: bool) -> Result<ListOptions> {
        let limit = query.int("limit")?.unwrap_or(0);
        let options = ListOptions {
            labels: LabelSelector::parse(query.text("labelSelector")).map_err(Status::bad_request)?,
            fields: FieldSelector::parse(query.text("fieldSelector")).map_err(Status::bad_request)?,
            bookmarks: query.flag("allowWatchBookmarks"),
            resource_version: query.text("resourceVersion").into(),
            resource_version_match: query.text("resourceVersionMatch").into(),
            timeout_seconds: query.int("timeoutSeconds")?,
            limit: usize::try_from(limit).unwrap_or(0),
            continue_token: query.text("continue").to_owned(),
            send_initial_events: query.maybe_flag("sendInitialEvents"),
        };
        let mut errs = ErrorList::new();
        if watch {
            options.validate_watch(&mut errs)
        } else {
            options.validate_list(&mut errs)
        }
        invalid("ListOptions", errs)?;
        Ok(options)
    }

    /// A deprecated watch path that names one object selects it.
    pub fn select_name(&mut self, info: &crate::path::PathInfo) {
        if info.is_named {
            let term = FieldTerm { field: "metadata.name".into(), equal: true, value: info.name.clone() };
            self.fields.terms.push(term);
        }
    }

    fn validate_list(&self, errs: &mut ErrorList) {
        let path = Path::new("resourceVersionMatch");
        let wanted = self.resource_version_match.as_str();
        if !wanted.is_empty() {
            if self.resource_version.is_empty() {
                errs.forbidden(&path, "resourceVersionMatch is forbidden unless resourceVersion is provided");
            }
            if !self.continue_token.is_empty() {
                errs.forbidden(&path, "resourceVersionMatch is forbidden when continue is provided");
            }
            if wanted != "Exact" && wanted != "NotOlderThan" {
                errs.not_supported_in_order(&path, wanted, &["Exact", "NotOlderThan", ""]);
            }
            if wanted == "Exact" && self.resource_version == "0" {
                errs.forbidden(&path, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
            }
        }
        if self.send_initial_events.is_some() {
            errs.forbidden(&Path::new("sendInitialEvents"), "sendInitialEvents is forbidden for list");
        }
    }

    fn validate_watch(&self, errs: &mut ErrorList) {
        let path = Path::new("resourceVersionMatch");
        let wanted = self.resource_version_match.as_str();
        if self.send_initial_events.is_some() && wanted != "NotOlderThan" {
            errs.forbidden(&path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        if !wanted.is_empty() {
            if self.send_initial_events.is_none() {
                let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                errs.forbidden(&path, why);
            }
            if wanted != "NotOlderThan" {
                errs.not_supported(&path, wanted, &["NotOlderThan"]);
            }
            if !self.continue_token.is_empty() {
                errs.forbidden(&path, "resourceVersionMatch is forbidden when continue is provided");
            }
        }
    }
}

/// What to do about fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// CreateOptions, UpdateOptions and PatchOptions: the same members, but for `force`.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    pub dry_run: bool,
    pub field_manager: Str,
    pub field_validation: FieldValidation,
    pub force: Option<bool>,
}

/// Which kind of options is read, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    Create,
    Update,
    Patch,
    Apply,
}

impl WriteOptions {
    /// 422 for values that are not allowed.
    pub fn parse(query: &Query, kind: WriteKind) -> Result<WriteOptions> {
        let mut errs = ErrorList::new();
        let manager = query.text("fieldManager");
        let force = query.maybe_flag("force").filter(|_| matches!(kind, WriteKind::Patch | WriteKind::Apply));
        match kind {
            WriteKind::Apply if manager.is_empty() => {
                errs.required(&Path::new("fieldManager"), "is required for apply patch");
            }
            WriteKind::Patch if force.is_some() => {
                errs.forbidden(&Path::new("force"), "may not be specified for non-apply patch");
            }
            _ => {}
        }
        rules::validate_field_manager(manager, &Path::new("fieldManager"), &mut errs);
        let dry_run = parse_dry_run(&query.all("dryRun").collect::<Vec<_>>(), &mut errs);
        let field_validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                errs.not_supported(&Path::new("fieldValidation"), other, &["", "Ignore", "Strict", "Warn"]);
                FieldValidation::Warn
            }
        };
        let name = match kind {
            WriteKind::Create => "CreateOptions",
            WriteKind::Update => "UpdateOptions",
            WriteKind::Patch | WriteKind::Apply => "PatchOptions",
        };
        invalid(name, errs)?;
        Ok(WriteOptions { dry_run, field_manager: manager.into(), field_validation, force })
    }

    /// The object that admission sees.
    pub fn to_value(&self, kind: WriteKind) -> Value {
        let name = match kind {
            WriteKind::Create => "CreateOptions",
            WriteKind::Update => "UpdateOptions",
            WriteKind::Patch | WriteKind::Apply => "PatchOptions",
        };
        let mut options = value!({"kind": name, "apiVersion": "meta.k8s.io/v1"});
        if self.dry_run {
            options.set("dryRun", value!(["All"]));
        }
        if !self.field_manager.is_empty() {
            options.set("fieldManager", &self.field_manager);
        }
        if let Some(force) = self.force {
            options.set("force", force);
        }
        options
    }
}

fn parse_dry_run(values: &[&str], errs: &mut ErrorList) -> bool {
    if values.iter().any(|v| *v != "All") {
        let quoted: Vec<String> = values.iter().map(|v| meta::field::quote(v)).collect();
        errs.not_supported(&Path::new("dryRun"), Shown(format!("[{}]", quoted.join(","))), &["All"]);
    }
    !values.is_empty()
}

/// DeleteOptions with what is not the rules' business.
#[derive(Clone, Debug, Default)]
pub struct Delete {
    pub options: DeleteOptions,
    pub dry_run: bool,
    /// It is part of something that admission has let pass.
    pub admitted: bool,
}

impl Delete {
    /// From the query, when the body is empty.
    pub fn from_query(query: &Query) -> Result<Delete> {
        let options = DeleteOptions {
            grace_period_seconds: query.int("gracePeriodSeconds")?,
            uid: query.get("uid").map(Str::from),
            resource_version: query.get("resourceVersion").map(Str::from),
            orphan_dependents: query.maybe_flag("orphanDependents"),
            propagation_policy: query.get("propagationPolicy").map(Str::from),
        };
        Delete::validated(options, &query.all("dryRun").collect::<Vec<_>>())
    }

    /// From a decoded DeleteOptions object.
    pub fn from_value(body: &Value) -> Result<Delete> {
        let text = |v: &Value| v.as_str().map(Str::from);
        let options = DeleteOptions {
            grace_period_seconds: body["gracePeriodSeconds"].as_int(),
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            orphan_dependents: body["orphanDependents"].as_bool(),
            propagation_policy: text(&body["propagationPolicy"]),
        };
        Delete::validated(options, &body["dryRun"].items().iter().map(Value::str).collect::<Vec<_>>())
    }

    fn validated(options: DeleteOptions, dry_run: &[&str]) -> Result<Delete> {
        let mut errs = ErrorList::new();
        rules::validate_delete_options(&options, &mut errs);
        let dry_run = parse_dry_run(dry_run, &mut errs);
        invalid("DeleteOptions", errs)?;
        Ok(Delete { options, dry_run, admitted: false })
    }

    /// The object that admission sees.
    pub fn to_value(&self) -> Value {
        let o = &self.options;
        let mut options = value!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
        let members = [
            ("gracePeriodSeconds", o.grace_period_seconds.map(Value::from)),
            ("orphanDependents", o.orphan_dependents.map(Value::from)),
            ("propagationPolicy", o.propagation_policy.as_ref().map(Value::from)),
            ("dryRun", self.dry_run.then(|| value!(["All"]))),
        ];
        for (key, member) in members {
            if let Some(member) = member {
                options.set(key, member);
            }
        }
        options
    }
}

fn invalid(kind: &str, errs: ErrorList) -> Result<()> {
    if errs.is_empty() { Ok(()) } else { Err(Status::invalid(OPTIONS_GROUP, kind, "", errs)) }
}
