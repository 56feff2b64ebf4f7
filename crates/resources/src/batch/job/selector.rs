//! The selector of a job, which the server makes unless told otherwise.

use crate::core::pod::internal;
use crate::rules::label_selector;
use meta::Value;
use meta::field::{ErrorList, Path};

const UID: &str = "batch.kubernetes.io/controller-uid";
const NAME: &str = "batch.kubernetes.io/job-name";
const OLD_UID: &str = "controller-uid";
const OLD_NAME: &str = "job-name";

fn is_manual(job: &Value) -> bool {
    job["spec"]["manualSelector"].bool()
}

/// Labels of the template by the job's uid and name, and a selector for them. What the user has set stays, and is
/// refused later if it is wrong.
pub fn generate(job: &mut Value) {
    if is_manual(job) {
        return;
    }
    let [uid, name] = ["uid", "name"].map(|field| Value::from(job["metadata"][field].str()));
    let spec = job.entry("spec");
    let labels = spec.entry("template").entry("metadata").entry("labels");
    for (label, value) in [(OLD_NAME, &name), (NAME, &name), (OLD_UID, &uid), (UID, &uid)] {
        if labels[label].is_null() {
            labels.set(label, value);
        }
    }
    let labels = labels.clone();
    let chosen = spec.entry("selector").entry("matchLabels");
    if chosen[UID].is_null() {
        chosen.set(UID, uid);
    }
    // a job without labels has its template's, these too
    let own = job.entry("metadata").entry("labels");
    if own.is_empty() {
        *own = labels;
    }
}

/// Jobs of old servers lack the prefixed labels.
pub fn has_prefixed_labels(job: &Value) -> bool {
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    !labels[UID].is_null() && !labels[NAME].is_null()
}

/// The rule that a generated selector is the one that was generated.
pub fn validate_generated(job: &Value, prefixed: bool, errs: &mut ErrorList) {
    let selector = &job["spec"]["selector"];
    if is_manual(job) || selector.is_null() {
        return;
    }
    let [uid, name] = ["uid", "name"].map(|field| job["metadata"][field].str());
    if uid.is_empty() {
        errs.required(&Path::new("metadata").child("uid"), "");
    }
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    let path = Path::new("spec").child("template").child("metadata").child("labels");
    let mut expected = Value::object();
    for (label, value) in [(OLD_UID, uid), (OLD_NAME, name), (UID, uid), (NAME, name)] {
        if !prefixed && [UID, NAME].contains(&label) {
            continue;
        }
        expected.set(label, value);
        let own = &labels[label];
        if own.is_null() {
            errs.required(&path.key(label), &format!("must be '{value}'"));
        } else if own.str() != value {
            errs.invalid(&path.key(label), labels, &format!("must be '{value}'"));
        }
    }
    if !label_selector::matches(selector, &expected) {
        errs.invalid(
            &Path::new("spec").child("selector"),
            internal::selector_shown(selector),
            "`selector` not auto-generated",
        );
    }
}
