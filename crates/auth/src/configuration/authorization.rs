//! AuthorizationConfiguration: who decides, in order.

use super::known::{Below, Known};
use super::{check_errors, check_form};
use crate::condition::Condition;
use meta::field::{ErrorList, Path, Shown};
use meta::time::{format_duration, parse_duration};
use meta::{Value, name};
use std::time::Duration;

const VERSIONS: &[&str] = &["v1alpha1", "v1beta1", "v1"];
const TYPES: &[&str] = &["ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"];
const CONDITIONS_MAX: usize = 64;
const TIMEOUT_MAX: Duration = Duration::from_secs(30);

use Below::{Fields, Leaf};

const CONNECTION: Known = &[("type", Leaf), ("kubeConfigFile", Leaf)];
const WEBHOOK: Known = &[
    ("authorizedTTL", Leaf),
    ("cacheAuthorizedRequests", Leaf),
    ("unauthorizedTTL", Leaf),
    ("cacheUnauthorizedRequests", Leaf),
    ("timeout", Leaf),
    ("subjectAccessReviewVersion", Leaf),
    ("matchConditionSubjectAccessReviewVersion", Leaf),
    ("failurePolicy", Leaf),
    ("connectionInfo", Fields(CONNECTION)),
    ("matchConditions", Fields(&[("expression", Leaf)])),
];
const KNOWN: Known = &[
    ("apiVersion", Leaf),
    ("kind", Leaf),
    ("authorizers", Fields(&[("type", Leaf), ("name", Leaf), ("webhook", Fields(WEBHOOK))])),
];

/// In order.
#[derive(Clone, Debug)]
pub struct AuthorizationConfiguration {
    pub authorizers: Vec<Authorizer>,
}

#[derive(Clone, Debug)]
pub struct Authorizer {
    /// One of upstream's modes.
    pub kind: String,
    pub name: String,
    /// Of kind `Webhook`, and of no other.
    pub webhook: Option<WebhookConfiguration>,
}

#[derive(Clone, Debug)]
pub struct WebhookConfiguration {
    /// How long answers are remembered; zero is not at all.
    pub allowed_time: Duration,
    pub refused_time: Duration,
    pub time_max: Duration,
    /// `v1` or `v1beta1`
    pub version: &'static str,
    /// Whether a question without an answer is refused.
    pub denies_on_failure: bool,
    pub connection: Connection,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Connection {
    InCluster,
    /// An absolute path.
    KubeConfig(String),
}

impl AuthorizationConfiguration {
    /// From a file's content as JSON has it. That files which it names exist is not checked.
    pub fn read(file: &Value) -> Result<AuthorizationConfiguration, String> {
        check_form(file, "AuthorizationConfiguration", VERSIONS, KNOWN)?;
        let mut errs = ErrorList::new();
        let path = Path::new("authorizers");
        let items = file["authorizers"].items();
        if items.is_empty() {
            errs.required(&path, "at least one authorization mode must be defined");
        }
        let mut authorizers: Vec<Authorizer> = vec![];
        for (index, item) in items.iter().enumerate() {
            authorizers.extend(read_authorizer(item, &authorizers, &path.index(index), &mut errs));
        }
        check_errors(&errs)?;
        Ok(AuthorizationConfiguration { authorizers })
    }
}

/// `None` for one that is so wrong that nothing more can be said of it.
fn read_authorizer(item: &Value, before: &[Authorizer], path: &Path, errs: &mut ErrorList) -> Option<Authorizer> {
    let (kind, own_name) = (item["type"].str(), item["name"].str());
    let at = path.child("type");
    if kind.is_empty() {
        errs.required(&at, "");
        return None;
    }
    if !TYPES.contains(&kind) {
        errs.not_supported(&at, kind, TYPES);
        return None;
    }
    if kind != "Webhook" && before.iter().any(|other| other.kind == kind) {
        errs.duplicate(&at, kind);
        return None;
    }
    let at = path.child("name");
    let bad = name::dns1123_subdomain(own_name);
    if own_name.is_empty() {
        errs.required(&at, "");
    } else if before.iter().any(|other| other.name == own_name) {
        errs.duplicate(&at, own_name);
    } else if !bad.is_empty() {
        errs.invalid(&at, own_name, &format!("authorizer name is invalid: {}", bad.join(", ")));
    }
    let (webhook, at) = (&item["webhook"], path.child("webhook"));
    let webhook = match (kind == "Webhook", webhook.is_null()) {
        (true, true) => {
            errs.required(&at, "required when type=Webhook");
            None
        }
        (false, false) => {
            errs.invalid(&at, "non-null", "may only be specified when type=Webhook");
            None
        }
        // Upstream leaves `webhook` out of the paths below.
        (true, false) => Some(read_webhook(webhook, path, errs)),
        (false, true) => None,
    };
    Some(Authorizer { kind: kind.to_owned(), name: own_name.to_owned(), webhook })
}

fn read_webhook(webhook: &Value, path: &Path, errs: &mut ErrorList) -> WebhookConfiguration {
    let mut time = |field: &'static str, default_seconds: u64, max: Option<Duration>| {
        let text = webhook[field].str();
        let nanos = parse_duration(if text.is_empty() { "0s" } else { text }).unwrap_or(-1);
        let detail = if max.is_some() { "must be > 0s and <= 30s" } else { "must be > 0s" };
        match u64::try_from(nanos).map(Duration::from_nanos) {
            Ok(Duration::ZERO) if default_seconds == 0 => errs.required(&path.child(field), ""),
            Ok(Duration::ZERO) => return Duration::from_secs(default_seconds),
            Ok(time) if max.is_none_or(|max| time <= max) => return time,
            _ => errs.invalid(&path.child(field), format_duration(nanos), detail),
        }
        Duration::ZERO
    };
    let time_max = time("timeout", 0, Some(TIMEOUT_MAX));
    let allowed_time = time("authorizedTTL", 300, None);
    let refused_time = time("unauthorizedTTL", 30, None);
    let remembers = |field: &str| webhook[field].as_bool() != Some(false);
    let version = read_versions(webhook, path, errs);
    let at = path.child("failurePolicy");
    match webhook["failurePolicy"].str() {
        "" => errs.required(&at, ""),
        "NoOpinion" | "Deny" => {}
        other => errs.not_supported(&at, other, &["NoOpinion", "Deny"]),
    }
    WebhookConfiguration {
        allowed_time: if remembers("cacheAuthorizedRequests") { allowed_time } else { Duration::ZERO },
        refused_time: if remembers("cacheUnauthorizedRequests") { refused_time } else { Duration::ZERO },
        time_max,
        version,
        denies_on_failure: webhook["failurePolicy"].str() == "Deny",
        connection: read_connection(&webhook["connectionInfo"], &path.child("connectionInfo"), errs),
        conditions: read_conditions(webhook["matchConditions"].items(), &path.child("matchConditions"), errs),
    }
}

fn read_versions(webhook: &Value, path: &Path, errs: &mut ErrorList) -> &'static str {
    let at = path.child("matchConditionSubjectAccessReviewVersion");
    let of_conditions = webhook["matchConditionSubjectAccessReviewVersion"].str();
    let at_version = path.child("subjectAccessReviewVersion");
    let version = match webhook["subjectAccessReviewVersion"].str() {
        "v1beta1" => "v1beta1",
        "v1" => "v1",
        "" => {
            errs.required(&at_version, "");
            ""
        }
        other => {
            errs.not_supported(&at_version, other, &["v1", "v1beta1"]);
            ""
        }
    };
    match of_conditions {
        "" if !webhook["matchConditions"].items().is_empty() => {
            errs.required(&at, "required if match conditions are specified");
        }
        "" | "v1" => {}
        other => errs.not_supported(&at, other, &["v1"]),
    }
    version
}

fn read_connection(info: &Value, path: &Path, errs: &mut ErrorList) -> Connection {
    let (file, at) = (info["kubeConfigFile"].as_str(), path.child("kubeConfigFile"));
    match (info["type"].str(), file) {
        ("", _) => errs.required(&path.child("type"), ""),
        ("InClusterConfig", None) => {}
        ("InClusterConfig", Some(file)) => errs.invalid(&at, file, "can only be set when type=KubeConfigFile"),
        ("KubeConfigFile", None | Some("")) => errs.required(&at, ""),
        ("KubeConfigFile", Some(file)) if !file.starts_with('/') => errs.invalid(&at, file, "must be an absolute path"),
        ("KubeConfigFile", Some(file)) => return Connection::KubeConfig(file.to_owned()),
        (_, _) => {
            let shown = Shown(meta::json::to_string(info));
            errs.not_supported(&path.child("type"), shown, &["InClusterConfig", "KubeConfigFile"]);
        }
    }
    Connection::InCluster
}

fn read_conditions(items: &[Value], path: &Path, errs: &mut ErrorList) -> Vec<Condition> {
    if items.len() > CONDITIONS_MAX {
        errs.too_many(path, items.len(), CONDITIONS_MAX);
        return vec![];
    }
    let mut seen: Vec<&str> = vec![];
    let mut conditions = vec![];
    for (index, item) in items.iter().enumerate() {
        let (text, at) = (item["expression"].str(), path.index(index).child("expression"));
        if text.trim().is_empty() {
            errs.required(&at, "");
        } else if seen.contains(&text) {
            errs.duplicate(&at, text);
        } else {
            seen.push(text);
            match Condition::compile(text) {
                Ok(condition) => conditions.push(condition),
                Err(why) => errs.invalid(&at, text, &why),
            }
        }
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn file(authorizers: Value) -> Value {
        value!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthorizationConfiguration",
            "authorizers": authorizers
        })
    }

    /// A good webhook with one field replaced; null leaves it out.
    fn webhook(field: &str, value: Value) -> Value {
        let mut webhook = value!({
            "timeout": "3s",
            "subjectAccessReviewVersion": "v1",
            "failurePolicy": "Deny",
            "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/x"}
        });
        if value.is_null() {
            webhook.remove(field);
        } else {
            webhook.set(field, value);
        }
        file(value!([{"type": "Webhook", "name": "w", "webhook": webhook}]))
    }

    #[test]
    fn a_good_file_is_read() {
        let read = AuthorizationConfiguration::read(&webhook("unauthorizedTTL", "10s".into())).expect("good");
        let webhook = read.authorizers[0].webhook.as_ref().expect("a webhook");
        let seconds = [webhook.time_max, webhook.allowed_time, webhook.refused_time].map(|time| time.as_secs());
        assert_eq!((seconds, webhook.version, webhook.denies_on_failure), ([3, 300, 10], "v1", true));
        assert_eq!(webhook.connection, Connection::KubeConfig("/x".into()));
        let off = self::webhook("cacheAuthorizedRequests", false.into());
        let off =
            AuthorizationConfiguration::read(&off).expect("good").authorizers.remove(0).webhook.expect("a webhook");
        assert!(off.allowed_time.is_zero() && !off.refused_time.is_zero());
    }

    #[test]
    fn mistakes_are_said_in_upstream_s_words() {
        let named = |kind: &str, name: &str| value!({"type": kind, "name": name});
        let cases = [
            (value!({"apiVersion": "v1", "kind": "Pod"}), "no kind \"Pod\" is registered for version \"v1\""),
            (file(value!([])), "authorizers: Required value: at least one authorization mode must be defined"),
            (file(value!([{"name": "x"}])), "authorizers[0].type: Required value"),
            (
                file(value!([(named("Magic", "m"))])),
                "authorizers[0].type: Unsupported value: \"Magic\": supported values: \"ABAC\", \"AlwaysAllow\", \"AlwaysDeny\", \"Node\", \"RBAC\", \"Webhook\"",
            ),
            (
                file(value!([(named("RBAC", "a")), (named("RBAC", "b"))])),
                "authorizers[1].type: Duplicate value: \"RBAC\"",
            ),
            (file(value!([(named("RBAC", "a")), (named("Node", "a"))])), "authorizers[1].name: Duplicate value: \"a\""),
            (file(value!([(named("RBAC", ""))])), "authorizers[0].name: Required value"),
            (
                file(value!([(named("Webhook", "w"))])),
                "authorizers[0].webhook: Required value: required when type=Webhook",
            ),
            (
                file(value!([{"type": "RBAC", "name": "r", "webhook": {}}])),
                "authorizers[0].webhook: Invalid value: \"non-null\": may only be specified when type=Webhook",
            ),
            (
                file(value!([{"type": "RBAC", "name": "r", "extra": 1}])),
                "strict decoding error: unknown field \"authorizers[0].extra\"",
            ),
            (webhook("timeout", Value::Null), "authorizers[0].timeout: Required value"),
            (
                webhook("timeout", "1m".into()),
                "authorizers[0].timeout: Invalid value: \"1m0s\": must be > 0s and <= 30s",
            ),
            (webhook("failurePolicy", Value::Null), "authorizers[0].failurePolicy: Required value"),
            (
                webhook("connectionInfo", value!({"type": "KubeConfigFile", "kubeConfigFile": "x"})),
                "authorizers[0].connectionInfo.kubeConfigFile: Invalid value: \"x\": must be an absolute path",
            ),
            (
                webhook("matchConditions", value!([{"expression": " "}])),
                "[authorizers[0].matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified, authorizers[0].matchConditions[0].expression: Required value]",
            ),
        ];
        for (file, text) in cases {
            assert_eq!(AuthorizationConfiguration::read(&file).expect_err(text), text);
        }
    }
}
