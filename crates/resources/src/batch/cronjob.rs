//! CronJob: jobs made by the clock.

use crate::cells::{self, AGE, CONTAINERS, ColumnRow, IMAGES, NAME};
use crate::strategies;
use meta::Value;
use resource::{Descriptor, NoHooks};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    Descriptor::builtin(schema, "batch", "v1", "CronJob", "cronjobs")
        .short_names(&["cj"])
        .categories(&["all"])
        .storage_version_hash("sd5LIXh4Fjs=")
        .strategy(strategies::SPEC_AND_STATUS)
        .columns(COLUMNS, cells)
        .status(strategies::STATUS, NoHooks)
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
