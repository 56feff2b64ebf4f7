//! The status of a job: what it says must agree, and what has ended stays ended.

use super::{Job, has_condition, indexes, spec};
use crate::core::pod::internal;
use crate::workload;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::time::Timestamp;
use resource::rules::semantically_equal;
use resource::{Context, Hooks};
use std::collections::BTreeSet;

const COUNTS: &[&str] = &["active", "succeeded", "failed", "ready", "terminating"];

pub struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        Job.default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        let path = Path::new("status");
        let change = Change { job: object, old, new: &object["status"], stored: &old["status"] };
        workload::validate_counts(change.new, COUNTS, &path, errs);
        validate_uncounted(&change.new["uncountedTerminatedPods"], &path.child("uncountedTerminatedPods"), errs);
        change.validate_conditions(&path, errs);
        change.validate_end(&path, errs);
        change.validate_indexes(&path, errs);
        change.validate_pods(&path, errs);
        change.validate_success(&path, errs);
        change.validate_kept(&path, errs);
    }
}

fn validate_uncounted(pods: &Value, path: &Path, errs: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for field in ["succeeded", "failed"] {
        for (i, uid) in pods[field].items().iter().enumerate() {
            let at = path.child(field).index(i);
            if uid.str().is_empty() {
                errs.invalid(&at, "", "must not be empty");
            } else if !seen.insert(uid.str()) {
                errs.duplicate(&at, uid);
            }
        }
    }
}

struct Change<'a> {
    job: &'a Value,
    old: &'a Value,
    new: &'a Value,
    stored: &'a Value,
}

impl Change<'_> {
    fn is(&self, condition: &str) -> bool {
        has_condition(self.job, condition)
    }

    fn was(&self, condition: &str) -> bool {
        has_condition(self.old, condition)
    }

    fn turned(&self, condition: &str) -> bool {
        self.is(condition) != self.was(condition)
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    fn finish_turned(&self) -> bool {
        self.is_finished() != (self.was("Complete") || self.was("Failed"))
    }

    fn differs(&self, field: &str) -> bool {
        !semantically_equal(&self.new[field], &self.stored[field])
    }

    /// Rules on conditions and times.
    fn validate_conditions(&self, path: &Path, errs: &mut ErrorList) {
        let conditions = path.child("conditions");
        let at = path.child("completionTime");
        let completed = self.new["completionTime"].str();
        for other in ["Failed", "FailureTarget"] {
            if (self.turned("Complete") || self.turned(other)) && self.is("Complete") && self.is(other) {
                let shown = if other == "Failed" { "Failed=true" } else { "FailureTarget=true" };
                errs.invalid_omitted(&conditions, &format!("cannot set Complete=True and {shown} conditions"));
            }
        }
        if self.turned("Complete") || self.differs("completionTime") {
            if !completed.is_empty() && !self.is("Complete") {
                let detail = "cannot set completionTime when there is no Complete=True condition";
                errs.invalid(&at, completed, detail);
            }
            if completed.is_empty() && self.is("Complete") {
                errs.required(&at, "completionTime is required for Complete jobs");
            }
        }
        if self.differs("startTime") || self.differs("completionTime") {
            let [started, ended] = [self.new["startTime"].str(), completed].map(|text| Timestamp::parse(text).ok());
            if let (Some(started), Some(ended)) = (started, ended)
                && ended < started
            {
                errs.invalid(&at, completed, "must be equal to or after `startTime`");
            }
        }
        for (end, target) in [("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")] {
            if (self.turned(end) || self.turned(target)) && self.is(end) && !self.is(target) {
                let detail = format!("cannot set {end}=True condition without the {target}=true condition");
                errs.invalid_omitted(&conditions, &detail);
            }
        }
    }

    /// Rules for a job that has ended.
    fn validate_end(&self, path: &Path, errs: &mut ErrorList) {
        if !self.is_finished() {
            return;
        }
        let turned = self.finish_turned();
        let active = self.new["active"].int();
        if (turned || self.differs("active")) && active > 0 {
            errs.invalid(&path.child("active"), active, "active>0 is invalid for finished job");
        }
        let never_ran = self.job["spec"]["suspend"].bool() && self.job["spec"]["completions"] == Value::Int(0);
        if (turned || self.differs("startTime")) && self.new["startTime"].is_null() && !never_ran {
            errs.required(&path.child("startTime"), "startTime is required for finished job");
        }
        let pods = &self.new["uncountedTerminatedPods"];
        let uncounted = pods.entries().any(|(_, list)| !list.is_empty());
        if (turned || self.differs("uncountedTerminatedPods")) && uncounted {
            let shown = internal::shown("UncountedTerminatedPods", pods);
            let detail = "uncountedTerminatedPods needs to be empty for finished job";
            errs.invalid(&path.child("uncountedTerminatedPods"), shown, detail);
        }
    }

    fn validate_indexes(&self, path: &Path, errs: &mut ErrorList) {
        let own = &self.job["spec"];
        let (done, failed) = (self.new["completedIndexes"].str(), self.new["failedIndexes"].as_str());
        let (done_at, failed_at) = (path.child("completedIndexes"), path.child("failedIndexes"));
        let [done_moved, failed_moved] = ["completedIndexes", "failedIndexes"].map(|field| self.differs(field));
        let per_index = !own["backoffLimitPerIndex"].is_null();
        let completions = own["completions"].as_int();
        if let Some(completions) = completions {
            if done_moved && let Err(wrong) = indexes::count(done, completions) {
                errs.invalid(&done_at, done, &format!("error parsing completedIndexes: {wrong}"));
            }
            if let Some(failed) = failed.filter(|_| failed_moved && per_index)
                && let Err(wrong) = indexes::count(failed, completions)
            {
                errs.invalid(&failed_at, failed, &format!("error parsing failedIndexes: {wrong}"));
            }
        }
        if done_moved && !done.is_empty() && !spec::is_indexed(own) {
            let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
            errs.invalid(&done_at, done, detail);
        }
        let Some(failed) = failed else { return };
        if failed_moved && !per_index {
            let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            errs.invalid(&failed_at, failed, detail);
        }
        if let Some(completions) = completions.filter(|_| done_moved || failed_moved)
            && let Some(index) = indexes::overlap(done, failed, completions)
        {
            let detail = format!("failedIndexes and completedIndexes overlap at index: {index}");
            errs.invalid(&failed_at, failed, &detail);
        }
    }

    fn validate_pods(&self, path: &Path, errs: &mut ErrorList) {
        let [terminating, ready, active] = ["terminating", "ready", "active"].map(|field| self.new[field].int());
        if (self.finish_turned() || self.differs("terminating")) && terminating > 0 && self.is_finished() {
            errs.invalid(&path.child("terminating"), terminating, "terminating>0 is invalid for finished job");
        }
        if (self.differs("ready") || self.differs("active")) && ready > active {
            errs.invalid(&path.child("ready"), ready, "cannot set more ready pods than active");
        }
    }

    fn validate_success(&self, path: &Path, errs: &mut ErrorList) {
        let at = path.child("conditions");
        for other in ["Failed", "FailureTarget"] {
            if self.is("SuccessCriteriaMet") && self.is(other) {
                errs.invalid_omitted(&at, &format!("cannot set SuccessCriteriaMet=True and {other}=true conditions"));
            }
        }
        let with_policy = !self.job["spec"]["successPolicy"].is_null();
        if with_policy && self.is("Complete") && !self.is("SuccessCriteriaMet") {
            let detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
            errs.invalid_omitted(&at, detail);
        }
    }

    /// What may not go back.
    fn validate_kept(&self, path: &Path, errs: &mut ErrorList) {
        let at = path.child("conditions");
        for terminal in ["Failed", "Complete", "FailureTarget"] {
            if self.was(terminal) && !self.is(terminal) {
                errs.invalid_omitted(&at, &format!("cannot disable the terminal {terminal}=True condition"));
            }
        }
        let own = &self.job["spec"];
        // an indexed job may be scaled down
        let elastic = spec::is_indexed(own) && own["completions"] == own["parallelism"];
        for (counter, grows) in [("failed", true), ("succeeded", !elastic)] {
            let now = self.new[counter].int();
            if grows && now < self.stored[counter].int() {
                errs.invalid(&path.child(counter), now, &format!("cannot decrease the {counter} counter"));
            }
        }
        let [new, old] = [self.new, self.stored].map(|status| status["completionTime"].str());
        if !new.is_empty() && !old.is_empty() && new != old {
            errs.invalid(&path.child("completionTime"), new, "field is immutable");
        }
        if !self.stored["startTime"].is_null() && self.differs("startTime") && !own["suspend"].bool() {
            let detail = "field is immutable for unsuspended job once set";
            errs.invalid(&path.child("startTime"), &self.new["startTime"], detail);
        }
        if self.was("SuccessCriteriaMet") && !self.is("SuccessCriteriaMet") {
            errs.invalid_omitted(&at, "cannot disable the SuccessCriteriaMet=True condition");
        }
        if self.was("Complete") && !self.was("SuccessCriteriaMet") && self.is("SuccessCriteriaMet") {
            let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
            errs.invalid_omitted(&at, detail);
        }
    }
}
