//! An authorizer that asks another server (upstream: apiserver/plugin/pkg/authorizer/webhook).

use std::time::Duration;

use auth::condition::Condition;
use meta::{Map, Str, Value, json, value};
use outbound::{Backoff, Client, retry};
use resource::User;

use super::{Attributes, Authorizer, Decision};
use crate::authenticate::{Answer, Remembered};

/// Questions whose client-made parts are longer than this are not remembered.
const REMEMBERED_BYTES_MAX: usize = 10_000;

/// Which way it goes when the other server does not answer, or a condition cannot be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    NoOpinion,
    Deny,
}

/// Sends a SubjectAccessReview for each question that it does not remember the answer to.
pub struct Webhook {
    pub client: Client,
    /// Of authorization.k8s.io: `v1` or `v1beta1`.
    pub version: &'static str,
    /// How long answers are remembered; zero is not at all.
    pub allowed_time: Duration,
    pub refused_time: Duration,
    /// For one try.
    pub time_max: Duration,
    pub backoff: Backoff,
    pub failure_policy: FailurePolicy,
    /// Only requests that satisfy all of them are asked about.
    pub conditions: Vec<Condition>,
    pub remembered: Remembered<Decision>,
}

impl Webhook {
    pub fn new(client: Client, version: &'static str) -> Webhook {
        Webhook {
            client,
            version,
            allowed_time: Duration::from_secs(300),
            refused_time: Duration::from_secs(30),
            time_max: Duration::from_secs(30),
            backoff: Backoff::WEBHOOK,
            failure_policy: FailurePolicy::NoOpinion,
            conditions: vec![],
            remembered: Remembered::default(),
        }
    }

    async fn decide(&self, attributes: &Attributes<'_>) -> Decision {
        let spec = spec(attributes, true);
        match Condition::all_match(&self.conditions, &spec) {
            Ok(true) => {}
            Ok(false) => return Decision::NoOpinion(String::new()),
            Err(why) => return self.failed(&why),
        }
        let question = json::to_string(&spec);
        if let Some(known) = self.remembered.get(&question) {
            return known;
        }
        let asked = if self.version == "v1" { spec } else { self::spec(attributes, false) };
        let review = value!({
            "kind": "SubjectAccessReview",
            "apiVersion": (format!("authorization.k8s.io/{}", self.version)),
            "metadata": {"creationTimestamp": null},
            "spec": asked,
            "status": {"allowed": false}
        });
        let answered = retry(self.backoff, || self.client.post_json(&review, self.time_max)).await;
        let status = match answered {
            Ok(answer) if answer["status"].as_object().is_some() => answer["status"].clone(),
            Ok(_) => return self.failed("the answer is no SubjectAccessReview with a status"),
            Err(why) => return self.failed(&why.text),
        };
        let reason = status["reason"].str().to_owned();
        let (decision, time) = match (status["allowed"].bool(), status["denied"].bool()) {
            (true, true) => {
                let error = "webhook subject access review returned both allow and deny response".into();
                (Decision::Error { denies: true, error }, self.allowed_time)
            }
            (false, true) => (Decision::Deny(reason), self.refused_time),
            (true, false) => (Decision::Allow(reason), self.allowed_time),
            (false, false) => (Decision::NoOpinion(reason), self.refused_time),
        };
        if !time.is_zero() && controlled_bytes(attributes) < REMEMBERED_BYTES_MAX {
            self.remembered.remember(&question, decision.clone(), time);
        }
        decision
    }

    fn failed(&self, why: &str) -> Decision {
        tracing::warn!(why, "the webhook for access did not answer");
        Decision::Error { denies: self.failure_policy == FailurePolicy::Deny, error: why.to_owned() }
    }
}

impl Authorizer for Webhook {
    fn authorize<'a>(&'a self, attributes: &'a Attributes<'a>) -> Answer<'a, Decision> {
        Answer::Later(Box::pin(self.decide(attributes)))
    }

    fn asks_others(&self) -> bool {
        true
    }

    fn rules(&self, _: &User, _: &str) -> Option<Value> {
        let why = "webhook authorizer does not support user rule resolution";
        Some(value!({"incomplete": true, "evaluationError": why}))
    }
}

/// What the client decides the length of.
fn controlled_bytes(attributes: &Attributes<'_>) -> usize {
    let target = attributes.resource.unwrap_or_default();
    let parts = [
        target.namespace,
        attributes.verb,
        target.group,
        target.version,
        target.resource,
        target.subresource,
        target.name,
        attributes.path,
    ];
    let selection = attributes.selection;
    let fields = selection.fields.iter().map(|term| term.field.len().saturating_add(term.value.len()));
    let labels = selection.labels.iter().map(|term| term.values.iter().map(|value| value.len()).sum::<usize>());
    parts.iter().map(|part| part.len()).chain(fields).chain(labels).sum()
}

/// The `spec` of a SubjectAccessReview. v1beta1 knows no selectors.
fn spec(attributes: &Attributes<'_>, with_selection: bool) -> Value {
    let mut spec = Map::new();
    let set = |key: &str, text: &str, to: &mut Value| {
        if !text.is_empty() {
            to.set(key, text);
        }
    };
    match attributes.resource {
        Some(target) => {
            let mut resource = Value::object();
            set("namespace", target.namespace, &mut resource);
            set("verb", attributes.verb, &mut resource);
            set("group", target.group, &mut resource);
            set("version", target.version, &mut resource);
            set("resource", target.resource, &mut resource);
            set("subresource", target.subresource, &mut resource);
            set("name", target.name, &mut resource);
            if with_selection {
                attributes.selection.add_to_review(&mut resource);
            }
            spec.insert("resourceAttributes", resource);
        }
        None => {
            let mut path = Value::object();
            set("path", attributes.path, &mut path);
            set("verb", attributes.verb, &mut path);
            spec.insert("nonResourceAttributes", path);
        }
    }
    let mut spec = Value::Object(spec);
    let user = attributes.user;
    let list = |texts: &[Str]| texts.iter().map(Value::from).collect::<Vec<Value>>();
    set("user", &user.name, &mut spec);
    if !user.groups.is_empty() {
        spec.set(if with_selection { "groups" } else { "group" }, list(&user.groups));
    }
    if !user.extra.is_empty() {
        let extra = user.extra.iter().map(|(key, values)| (key.clone(), Value::Array(list(values))));
        spec.set("extra", Value::Object(extra.collect::<Map>()));
    }
    set("uid", &user.uid, &mut spec);
    spec
}
