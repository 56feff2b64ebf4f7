//! Webhooks as they are configured, and whether one is called for a request.

use super::{EXEMPT_KINDS, Failed, GROUP, review};
use crate::matching::Candidate;
use crate::policy::evaluate::{conditions_hold, object as or_null};
use crate::policy::program::{Expression, compile_conditions};
use crate::policy::request::{Asked, request, resource_question};
use crate::{Attributes, Form};
use cel::Value as Cel;
use meta::{Result, Status, Str, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// All webhooks of one kind, in the order in which they are called.
pub type Hooks = Arc<[Arc<Hook>]>;

/// How long a webhook may take when its configuration does not say (seconds).
const TIMEOUT_SECONDS: i64 = 10;

/// One webhook of a configuration.
pub struct Hook {
    pub configuration: Str,
    pub name: Str,
    /// Which one it is: configuration, name, and its place among those of this name.
    pub key: String,
    /// As it is written.
    source: Value,
    conditions: Vec<Expression>,
}

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientConfig {
    Url(String),
    Service { namespace: Str, name: Str, path: Str, port: u16 },
}

/// A question to a webhook.
pub struct Call {
    pub hook: Arc<Hook>,
    /// In which the webhook sees the request's object.
    pub form: Form,
    pub uid: Str,
    /// Of the review: v1 or v1beta1.
    pub(super) version: &'static str,
    pub review: Value,
}

/// The webhooks of the configurations as they were last seen.
#[derive(Default)]
pub struct Kept(Mutex<Option<(Arc<[Value]>, Hooks)>>);

impl Kept {
    /// The webhooks for a request; `None` when there are none.
    pub fn hooks(&self, attributes: &Attributes, resource: &str) -> Option<Hooks> {
        let configurations = attributes.ctx.reader.list_all(GROUP, resource);
        let exempt = attributes.kind.group == GROUP && EXEMPT_KINDS.contains(&attributes.kind.kind.as_str());
        if configurations.is_empty() || exempt {
            return None;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, hooks)) = kept.as_ref()
            && Arc::ptr_eq(known, &configurations)
        {
            return Some(hooks.clone());
        }
        let hooks: Hooks = configurations.iter().flat_map(hooks_of).collect();
        *kept = Some((configurations, hooks.clone()));
        Some(hooks)
    }
}

fn hooks_of(configuration: &Value) -> Vec<Arc<Hook>> {
    let own_name = configuration["metadata"]["name"].str();
    let mut hooks: Vec<Arc<Hook>> = Vec::new();
    for source in configuration["webhooks"].items() {
        let name = source["name"].str();
        let before = hooks.iter().filter(|hook| hook.name.as_str() == name).count();
        hooks.push(Arc::new(Hook {
            configuration: own_name.into(),
            name: name.into(),
            key: format!("{own_name}/{name}/{before}"),
            source: source.clone(),
            conditions: compile_conditions(&source["matchConditions"]),
        }));
    }
    hooks
}

impl Hook {
    /// The failure policy: whether a request passes when the webhook cannot be asked.
    pub fn ignores_failures(&self) -> bool {
        self.source["failurePolicy"].str() == "Ignore"
    }

    /// Whether it may be asked again in a second round.
    pub fn may_repeat(&self) -> bool {
        self.source["reinvocationPolicy"].str() == "IfNeeded"
    }

    pub fn timeout_seconds(&self) -> u64 {
        let seconds = self.source["timeoutSeconds"].as_int().unwrap_or(TIMEOUT_SECONDS);
        u64::try_from(seconds).unwrap_or(1)
    }

    pub fn client_config(&self) -> ClientConfig {
        let config = &self.source["clientConfig"];
        let service = &config["service"];
        if service.is_null() {
            return ClientConfig::Url(config["url"].str().to_owned());
        }
        ClientConfig::Service {
            namespace: service["namespace"].str().into(),
            name: service["name"].str().into(),
            path: service["path"].str().into(),
            port: service["port"].as_int().and_then(|port| u16::try_from(port).ok()).unwrap_or(443),
        }
    }

    /// The authorities of its certificate: PEM in base64, "" when those of the system are meant.
    pub fn ca_bundle(&self) -> &str {
        self.source["clientConfig"]["caBundle"].str()
    }

    /// The form in which it is called for the request; `None` when it is not. `before` is the object before any webhook,
    /// which selectors look at; conditions look at the newest.
    ///
    /// # Errors
    /// 403 when its conditions cannot be evaluated and its failure policy is not to ignore that.
    pub(super) fn select(&self, attributes: &Attributes, before: &Value, object: &Value) -> Result<Option<Form>> {
        let namespace = attributes.namespace_object();
        let candidate = Candidate { attributes, object: before, namespace: namespace.as_ref() };
        let Some(form) = candidate.matches_webhook(&self.source) else { return Ok(None) };
        if self.conditions.is_empty() {
            return Ok(Some(form));
        }
        let converted = |object: &Value| attributes.cluster.converted(&form, object);
        let (new, old) = (converted(object), attributes.old.and_then(converted));
        let new = Some(new.as_ref().unwrap_or(object)).filter(|object| !object.is_null());
        let (request, asked) = (request(attributes, &form), Asked(attributes));
        let given = vec![
            ("object", or_null(new)),
            ("oldObject", or_null(old.as_ref().or(attributes.old))),
            ("request", Cel::data(&request)),
            ("namespaceObject", Cel::Null),
            ("authorizer", Cel::authorizer(&asked)),
            ("authorizer.requestResource", Cel::resource_check(&asked, resource_question(attributes))),
        ];
        match conditions_hold(&self.conditions, &[], &given, self.ignores_failures()) {
            Ok(holds) => Ok(holds.then_some(form)),
            Err(why) => Err(attributes.forbidden(&why)),
        }
    }

    /// The question, with a uid that was never used.
    pub(super) fn ask(
        self: &Arc<Hook>,
        attributes: &Attributes,
        object: &Value,
        form: Form,
        uid: Str,
    ) -> std::result::Result<Call, Failed> {
        let is_silent = matches!(self.source["sideEffects"].str(), "None" | "NoneOnDryRun");
        if attributes.ctx.dry_run && !is_silent {
            let name = meta::field::quote(&self.name);
            return Err(Failed::Own(Status::bad_request(format!("admission webhook {name} does not support dry run"))));
        }
        let known = |version: &Value| match version.str() {
            "v1" => Some("v1"),
            "v1beta1" => Some("v1beta1"),
            _ => None,
        };
        let Some(version) = self.source["admissionReviewVersions"].items().iter().find_map(known) else {
            let why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)";
            return Err(Failed::Calling { why: format!("could not create admission objects: {why}"), code: 400 });
        };
        let review = review::question(attributes, object, &form, version, &uid);
        Ok(Call { hook: self.clone(), form, uid, version, review })
    }
}
