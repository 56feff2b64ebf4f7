//! CronJob: jobs made by the clock.

mod schedule;
mod time_zone;

use super::job;
use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::core::pod::{default_text, internal, template};
use crate::{strategies, workload};
use meta::Value;
use meta::field::{ErrorList, Path};
use resource::{Context, Descriptor, Hooks, MetadataRules, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "batch", "v1", "CronJob", "cronjobs")
        .short_names(&["cj"])
        .categories(&["all"])
        .storage_version_hash("sd5LIXh4Fjs=")
        .strategy(strategies::SPEC_AND_STATUS)
        .columns(COLUMNS, cells)
        .hooks(CronJob)
        .status(Strategy { metadata: MetadataRules::NONE, ..strategies::STATUS }, Status)
}

const COLUMNS: &[ColumnRow] = &[
    NAME,
    ("Schedule", "string", "", 0, "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
    (
        "Timezone",
        "string",
        "",
        0,
        "The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones. If not specified, this will default to the time zone of the kube-controller-manager process. The set of valid time zone names and the time zone offset is loaded from the system-wide time zone database by the API server during CronJob validation and the controller manager during execution. If no system-wide time zone database can be found a bundled version of the database is used instead. If the time zone name becomes invalid during the lifetime of a CronJob or due to a change in host configuration, the controller will stop creating new new Jobs and will create a system event with the reason UnknownTimeZone. More information can be found in https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones",
    ),
    (
        "Suspend",
        "boolean",
        "",
        0,
        "This flag tells the controller to suspend subsequent executions, it does not apply to already started executions.  Defaults to false.",
    ),
    ("Active", "integer", "", 0, "A list of pointers to currently running jobs."),
    ("Last Schedule", "string", "", 0, "Information when was the last time the job was successfully scheduled."),
    AGE,
    CONTAINERS,
    IMAGES,
    (
        "Selector",
        "string",
        "",
        1,
        "A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let job = &spec["jobTemplate"]["spec"];
    let [names, images] = cells::containers(&job["template"]["spec"]);
    let last = match status.get("lastScheduleTime") {
        Some(at) => cells::since(at, now),
        None => "<none>".into(),
    };
    let suspend = spec["suspend"].as_bool().map_or("<unset>", |on| if on { "True" } else { "False" });
    vec![
        cells::name(object),
        Value::from(spec["schedule"].str()),
        Value::from(spec["timeZone"].as_str().unwrap_or("<none>")),
        Value::from(suspend),
        Value::from(status["active"].items().len() as i64),
        Value::from(last),
        cells::age(object, now),
        names,
        images,
        Value::from(cells::selector_cell(&job["selector"])),
    ]
}

/// The controller appends a time to the name, and a job's name is a label.
const NAME_MAX: usize = 52;
const TEMPLATE: &[&str] = &["spec", "jobTemplate", "spec", "template"];

struct CronJob;

impl Hooks for CronJob {
    fn default(&self, object: &mut Value) {
        let spec = object.entry("spec");
        default_text(spec, "concurrencyPolicy", "Allow");
        spec.set_default("suspend", false);
        spec.set_default("successfulJobsHistoryLimit", 3);
        spec.set_default("failedJobsHistoryLimit", 1);
        job::default_template(spec.entry("jobTemplate").entry("spec"));
    }

    fn prepare_create(&self, _ctx: &Context, object: &mut Value) {
        if let Some(own) = workload::template_mut(object, TEMPLATE) {
            template::drop_disabled(own, None);
        }
    }

    fn prepare_update(&self, _ctx: &Context, object: &mut Value, old: &Value) {
        if let Some(own) = workload::template_mut(object, TEMPLATE) {
            template::drop_disabled(own, Some(old.path("spec.jobTemplate.spec.template")));
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate(&object["spec"], None, errs);
        let name = object["metadata"]["name"].str();
        if name.len() > NAME_MAX {
            let detail = format!("must be no more than {NAME_MAX} characters");
            errs.invalid(&Path::new("metadata").child("name"), name, &detail);
        }
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate(&object["spec"], Some(&old["spec"]), errs);
    }

    fn warn(&self, _ctx: &Context, object: &Value, old: Option<&Value>, out: &mut Vec<String>) {
        if old.is_none() {
            workload::warn_name(object, "Pod names and hostnames", out);
        }
        if old.is_none_or(|old| old["metadata"]["generation"] != object["metadata"]["generation"]) {
            job::warn_spec(&object["spec"]["jobTemplate"]["spec"], TEMPLATE, object, out);
        }
        if object["spec"]["schedule"].str().contains("TZ") {
            out.push("CRON_TZ or TZ used in spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details".into());
        }
    }
}

fn validate(spec: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let path = Path::new("spec");
    validate_schedule(spec, old, &path.child("schedule"), errs);
    workload::validate_counts(spec, &["startingDeadlineSeconds"], &path, errs);
    if let Some(zone) = spec["timeZone"].as_str().filter(|_| old.is_none_or(|old| old["timeZone"] != spec["timeZone"]))
    {
        time_zone::validate(zone, &path.child("timeZone"), errs);
    }
    let at = path.child("concurrencyPolicy");
    match spec["concurrencyPolicy"].str() {
        "Allow" | "Forbid" | "Replace" => {}
        "" => errs.required(&at, ""),
        other => errs.not_supported(&at, other, &["Allow", "Forbid", "Replace"]),
    }
    let own = &spec["jobTemplate"]["spec"];
    let at = path.child("jobTemplate").child("spec");
    job::spec::validate_unselected(own, old.map(|old| &old["jobTemplate"]["spec"]), &at, errs);
    if !own["selector"].is_null() {
        let shown = internal::selector_shown(&own["selector"]);
        errs.invalid(&at.child("selector"), shown, "`selector` will be auto-generated");
    }
    if own["manualSelector"].bool() {
        errs.not_supported_in_order(&at.child("manualSelector"), true, &["nil", "false"]);
    }
    workload::validate_counts(spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], &path, errs);
}

fn validate_schedule(spec: &Value, old: Option<&Value>, path: &Path, errs: &mut ErrorList) {
    let text = spec["schedule"].str();
    if text.is_empty() {
        errs.required(path, "");
        return;
    }
    if let Err(wrong) = schedule::check(text) {
        errs.invalid(path, text, &wrong);
    }
    if !text.contains("TZ") {
        return;
    }
    // a stored schedule may keep its zone
    if !old.is_some_and(|old| old["schedule"].str().contains("TZ")) {
        errs.invalid(path, text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    } else if !spec["timeZone"].is_null() {
        errs.invalid(path, text, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
    }
}

struct Status;

impl Hooks for Status {
    fn default(&self, object: &mut Value) {
        CronJob.default(object);
    }

    /// Says nothing: upstream has no rules.
    fn validate_update(&self, _ctx: &Context, _object: &Value, _old: &Value, _errs: &mut ErrorList) {}
}
