//! Whether the priority level that a flow schema names is there
//! (k8s.io/apiserver/pkg/util/flowcontrol/apf_controller.go).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use meta::field::quote;
use meta::time::Timestamp;
use meta::{Value, value};
use serve::Server;

use super::{follow, list, next};
use crate::boot::send;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
const SCHEMAS: &str = "flowschemas";
const LEVELS: &str = "prioritylevelconfigurations";
const COLLECTION: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";
const MANAGER: &str = "api-priority-and-fairness-config-consumer-v1";
/// Before the objects are read anew when their history was lost.
const PAUSE: Duration = Duration::from_secs(1);

pub async fn keep(server: &Arc<Server>) {
    let kinds = [SCHEMAS, LEVELS].map(|plural| (GROUP.to_string(), plural.to_string()));
    loop {
        // Read first: what changes from here on wakes the wait.
        let revision = server.store.revision();
        write_statuses(server).await;
        let waited = match follow(server, &kinds, revision) {
            Some(mut cursors) => next(&mut cursors).await.is_some(),
            None => false,
        };
        if !waited {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn write_statuses(server: &Arc<Server>) {
    let levels = list(server, GROUP, LEVELS);
    let names: BTreeSet<&str> = levels.iter().map(|level| level["metadata"]["name"].str()).collect();
    for schema in list(server, GROUP, SCHEMAS) {
        let Some(condition) = plan_condition(&schema, &names, &Timestamp::now().to_rfc3339()) else { continue };
        let name = schema["metadata"]["name"].str();
        let applied = value!({
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema",
            "metadata": {"name": name}, "status": {"conditions": [condition]}
        });
        let path = format!("{COLLECTION}/{name}/status?fieldManager={MANAGER}&force=true");
        let (code, why) = send(server, Method::PATCH, &path, "application/apply-patch+yaml", &applied).await;
        // Changed or deleted meanwhile: that wakes us again.
        if !matches!(code, 200 | 404 | 409) {
            tracing::warn!(name, code, %why, "status of a flow schema not written");
        }
    }
}

/// The condition that a schema should have; `None` when it has it.
fn plan_condition(schema: &Value, levels: &BTreeSet<&str>, now: &str) -> Option<Value> {
    let level = schema["spec"]["priorityLevelConfiguration"]["name"].str();
    let what = format!("This FlowSchema references the PriorityLevelConfiguration object named {}", quote(level));
    let (status, reason, message) = match levels.contains(level) {
        true => ("False", "Found", format!("{what} and it exists")),
        false => ("True", "NotFound", format!("{what} but there is no such object")),
    };
    let conditions = schema["status"]["conditions"].items();
    let old = conditions.iter().find(|condition| condition["type"].str() == "Dangling");
    let same = old.is_some_and(|old| old["status"].str() == status);
    if same && old.is_some_and(|old| old["reason"].str() == reason && old["message"].str() == message) {
        return None;
    }
    let time = old.filter(|_| same).map_or(now, |old| old["lastTransitionTime"].str());
    Some(value!({
        "type": "Dangling", "status": status, "lastTransitionTime": time, "reason": reason, "message": message
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_dangles_while_its_level_is_missing() {
        let mut schema = value!({"spec": {"priorityLevelConfiguration": {"name": "a"}}});
        let none = BTreeSet::new();
        let dangling = plan_condition(&schema, &none, "2026-01-01T00:00:00Z").expect("it has none yet");
        assert_eq!(dangling["status"].str(), "True");
        schema.set("status", value!({"conditions": [dangling]}));
        assert_eq!(plan_condition(&schema, &none, "2026-02-01T00:00:00Z"), None);
        let found = plan_condition(&schema, &BTreeSet::from(["a"]), "2026-02-01T00:00:00Z").expect("it changed");
        assert_eq!((found["status"].str(), found["lastTransitionTime"].str()), ("False", "2026-02-01T00:00:00Z"));
    }
}
