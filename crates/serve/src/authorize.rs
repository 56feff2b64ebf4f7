//! May the sender do this: the union of authorizers and upstream's 403
//! (k8s.io/apiserver/pkg/authorization/union, pkg/endpoints/handlers/responsewriters/errors.go).

mod webhook;

use std::sync::Arc;

use arc_swap::ArcSwap;
use auth::{Selection, escalation};
use meta::field::quote;
use meta::{Status, Value, value};
use resource::User;

use crate::audit::Trail;
pub use webhook::{FailurePolicy, Webhook};

use crate::authenticate::{Answer, Authenticated, GROUP_MASTERS};
use crate::path::PathInfo;

const DECISION_ANNOTATION: &str = "authorization.k8s.io/decision";
const REASON_ANNOTATION: &str = "authorization.k8s.io/reason";

/// What is asked, as authorizers see it.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    pub user: &'a User,
    /// An API verb (`get`, `list`, …), or for paths the HTTP method in lower case.
    pub verb: &'a str,
    pub path: &'a str,
    /// `None`: the path names no resource.
    pub resource: Option<Target<'a>>,
    /// Of a request for a collection.
    pub selection: &'a Selection,
}

impl<'a> Attributes<'a> {
    /// The request as authorizers see it.
    pub fn of(user: &'a User, info: &'a PathInfo) -> Attributes<'a> {
        let target = Target {
            group: &info.group,
            version: &info.version,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
            name: &info.name,
        };
        let resource = info.is_resource.then_some(target);
        Attributes { user, verb: info.verb, path: &info.path, resource, selection: &info.selection }
    }
}

/// The resource part of [`Attributes`]. Absent parts are "".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target<'a> {
    pub group: &'a str,
    pub version: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// The text is the reason, for the audit log and, on refusal, for the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Allow(String),
    Deny(String),
    NoOpinion(String),
    /// It could not be decided. Unless it denies, others are asked.
    Error {
        denies: bool,
        error: String,
    },
}

/// One mode of `--authorization-mode`.
pub trait Authorizer: Send + Sync {
    fn authorize<'a>(&'a self, attributes: &'a Attributes<'a>) -> Answer<'a, Decision>;

    /// Whether it asks another server.
    fn asks_others(&self) -> bool {
        false
    }

    /// What it allows a user in a namespace, as the `status` of a rules review; `None`: it allows nobody by rules.
    fn rules(&self, _user: &User, _namespace: &str) -> Option<Value> {
        None
    }
}

/// Whether writes give rights away that their senders do not have, by the rules that are stored: whatever the modes are.
pub trait Grants: Send + Sync {
    /// 403 or 404 for one that its sender must not do.
    fn check(&self, write: &escalation::Write) -> Result<(), Status>;
}

/// Why a request goes no further.
#[derive(Debug)]
pub enum Unauthorized {
    /// 403
    Refused(Status),
    /// It could not be decided, and why.
    Undecided(String),
}

/// Proof that the sender may do what the request asks.
#[derive(Clone, Debug)]
// `non_exhaustive` would let every module of this crate make one.
#[allow(clippy::manual_non_exhaustive)]
pub struct Authorized {
    pub authenticated: Authenticated,
    _private: (),
}

/// The modes in their configured order.
#[derive(Default)]
pub struct Authorizers {
    /// They may be exchanged while requests are decided.
    pub ordered: Arc<ArcSwap<Vec<Arc<dyn Authorizer>>>>,
    /// Of impersonation.
    pub last_modes: Arc<crate::impersonate::LastModes>,
    /// `None`: rights are given away freely.
    pub grants: Option<Arc<dyn Grants>>,
}

impl Authorizers {
    /// Everything is allowed; for tests and `--authorization-mode=AlwaysAllow`.
    pub fn always_allow() -> Authorizers {
        Authorizers::new(vec![Arc::new(AlwaysAllow)])
    }

    pub fn new(ordered: Vec<Arc<dyn Authorizer>>) -> Authorizers {
        Authorizers { ordered: Arc::new(ArcSwap::from_pointee(ordered)), ..Authorizers::default() }
    }

    /// The first that allows or denies decides; the reasons of those without an opinion are joined.
    pub async fn decide(&self, attributes: &Attributes<'_>) -> Decision {
        if attributes.user.groups.iter().any(|group| group == GROUP_MASTERS) {
            return Decision::Allow(String::new());
        }
        let (mut reasons, mut errors) = (vec![], vec![]);
        for authorizer in self.ordered.load().iter() {
            match authorizer.authorize(attributes).wait().await {
                Decision::NoOpinion(reason) if reason.is_empty() => {}
                Decision::NoOpinion(reason) => reasons.push(reason),
                Decision::Deny(reason) => {
                    reasons.push(reason);
                    return Decision::Deny(reasons.join("\n"));
                }
                Decision::Error { denies: false, error } => errors.push(error),
                decided => return decided,
            }
        }
        match errors.as_slice() {
            [] => Decision::NoOpinion(reasons.join("\n")),
            [one] => Decision::Error { denies: false, error: one.clone() },
            all => Decision::Error { denies: false, error: format!("[{}]", all.join(", ")) },
        }
    }

    /// Whether some decisions take waiting.
    pub fn ask_others(&self) -> bool {
        self.ordered.load().iter().any(|authorizer| authorizer.asks_others())
    }

    /// 403 or 404 for a write that gives rights away that its sender does not have.
    pub async fn check_grant(&self, user: &User, write: &escalation::Write<'_>) -> Result<(), Status> {
        let Some(grants) = self.grants.as_ref().filter(|_| escalation::is_checked(write)) else { return Ok(()) };
        if let Some(exemption) = escalation::exemption(write) {
            let auth::Attributes { verb, group, resource, namespace, name, .. } = exemption;
            let target = Target { group, version: "*", resource, namespace, name, ..Target::default() };
            let selection = Default::default();
            let attributes = Attributes { user, verb, path: "", resource: Some(target), selection };
            if matches!(self.decide(&attributes).await, Decision::Allow(_)) {
                return Ok(());
            }
        }
        grants.check(write)
    }

    /// [`Authorizers::decide`] for those who cannot wait, without reasons; `None`: another server has to be asked.
    pub fn decide_at_once(&self, attributes: &Attributes<'_>) -> Option<Decision> {
        if attributes.user.groups.iter().any(|group| group == GROUP_MASTERS) {
            return Some(Decision::Allow(String::new()));
        }
        for authorizer in self.ordered.load().iter() {
            match authorizer.authorize(attributes) {
                Answer::Now(Decision::NoOpinion(_) | Decision::Error { denies: false, .. }) => {}
                Answer::Now(decided) => return Some(decided),
                Answer::Later(_) => return None,
            }
        }
        Some(Decision::NoOpinion(String::new()))
    }

    /// The rules of all authorizers together, as the `status` of a rules review.
    pub fn rules(&self, user: &User, namespace: &str) -> Value {
        let mut all = value!({"resourceRules": [], "nonResourceRules": [], "incomplete": false});
        let mut errors: Vec<String> = vec![];
        for mut rules in self.ordered.load().iter().filter_map(|authorizer| authorizer.rules(user, namespace)) {
            for key in ["resourceRules", "nonResourceRules"] {
                all.entry(key).array_mut().append(rules.entry(key).array_mut());
            }
            if rules["incomplete"].bool() {
                all.set("incomplete", true);
            }
            errors.extend(rules["evaluationError"].as_str().map(str::to_owned));
        }
        if !errors.is_empty() {
            all.set("evaluationError", errors.join(", "));
        }
        all
    }

    /// Goes on only if some authorizer allows it. The decision is recorded.
    pub async fn authorize(
        &self,
        authenticated: Authenticated,
        info: &PathInfo,
        trail: &Trail,
    ) -> Result<Authorized, Unauthorized> {
        let user = authenticated.user().clone();
        let attributes = &Attributes::of(&user, info);
        let decision = self.decide(attributes).await;
        let (verdict, why) = match &decision {
            Decision::Allow(why) => (Some("allow"), why.as_str()),
            Decision::Deny(why) | Decision::NoOpinion(why) => (Some("forbid"), why.as_str()),
            Decision::Error { .. } => (None, "internal error"),
        };
        if let Some(verdict) = verdict {
            trail.annotate(DECISION_ANNOTATION, || verdict.to_owned());
        }
        trail.annotate(REASON_ANNOTATION, || why.to_owned());
        match decision {
            Decision::Allow(_) => Ok(Authorized { authenticated, _private: () }),
            Decision::Deny(reason) | Decision::NoOpinion(reason) => {
                Err(Unauthorized::Refused(forbidden(attributes, &reason)))
            }
            Decision::Error { error, .. } => Err(Unauthorized::Undecided(error)),
        }
    }
}

/// Browsers show texts of errors.
pub fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `--authorization-mode=AlwaysAllow`
pub struct AlwaysAllow;

impl Authorizer for AlwaysAllow {
    fn authorize<'a>(&'a self, _: &'a Attributes<'a>) -> Answer<'a, Decision> {
        Answer::Now(Decision::Allow(String::new()))
    }

    fn rules(&self, _: &User, _: &str) -> Option<Value> {
        let everything = value!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        let everywhere = value!({"verbs": ["*"], "nonResourceURLs": ["*"]});
        Some(value!({"resourceRules": [everything], "nonResourceRules": [everywhere], "incomplete": false}))
    }
}

/// `--authorization-mode=AlwaysDeny`
pub struct AlwaysDeny;

impl Authorizer for AlwaysDeny {
    fn authorize<'a>(&'a self, _: &'a Attributes<'a>) -> Answer<'a, Decision> {
        Answer::Now(Decision::NoOpinion("Everything is forbidden.".into()))
    }
}

/// The 403 of a request that no authorizer allowed. `<`, `>` and `&` are escaped, since browsers show this text.
pub fn forbidden(attributes: &Attributes<'_>, reason: &str) -> Status {
    let target = attributes.resource.unwrap_or_default();
    let mut why = format!("User {} cannot {} ", quote(&attributes.user.name), attributes.verb);
    if attributes.resource.is_none() {
        why += &format!("path {}", quote(attributes.path));
    } else {
        let slash = if target.subresource.is_empty() { "" } else { "/" };
        let resource = quote(&format!("{}{slash}{}", target.resource, target.subresource));
        why += &format!("resource {resource} in API group {}", quote(target.group));
        why += &match target.namespace {
            "" => " at the cluster scope".to_owned(),
            namespace => format!(" in the namespace {}", quote(namespace)),
        };
    }
    let mut why = escape_html(&why);
    if !reason.is_empty() {
        why += ": ";
        why += reason;
    }
    Status::forbidden(target.group, target.resource, target.name, &why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> User {
        User { name: name.into(), ..User::default() }
    }

    #[test]
    fn refusals_read_as_upstream() {
        let anonymous = user("system:anonymous");
        let cases = [
            (
                Some(Target { resource: "nodes", ..Target::default() }),
                "list",
                "nodes is forbidden: User \"system:anonymous\" cannot list resource \"nodes\" in API group \"\" at the cluster scope",
            ),
            (
                Some(Target {
                    group: "apps",
                    resource: "deployments",
                    subresource: "status",
                    namespace: "x",
                    name: "d",
                    ..Target::default()
                }),
                "get",
                "deployments.apps \"d\" is forbidden: User \"system:anonymous\" cannot get resource \"deployments/status\" in API group \"apps\" in the namespace \"x\"",
            ),
            (None, "get", "forbidden: User \"system:anonymous\" cannot get path \"/&lt;nope&gt;\""),
        ];
        for (resource, verb, text) in cases {
            let attributes =
                Attributes { user: &anonymous, verb, path: "/<nope>", resource, selection: Default::default() };
            let status = forbidden(&attributes, "");
            assert_eq!((status.code, status.message.as_str()), (403, text));
        }
    }

    struct Fixed(Decision);
    impl Authorizer for Fixed {
        fn authorize<'a>(&'a self, _: &'a Attributes<'a>) -> Answer<'a, Decision> {
            Answer::Now(self.0.clone())
        }
    }

    async fn decide(ordered: Vec<Decision>, user: &User) -> Decision {
        let ordered = ordered.into_iter().map(|decision| Arc::new(Fixed(decision)) as Arc<dyn Authorizer>).collect();
        let attributes = Attributes { user, verb: "get", path: "/", resource: None, selection: Default::default() };
        Authorizers::new(ordered).decide(&attributes).await
    }

    #[tokio::test]
    async fn the_first_opinion_decides() {
        use Decision::*;
        let someone = user("a");
        let text = String::from;
        let allowed = decide(vec![NoOpinion(text("a")), Allow(text("b")), Deny(text("c"))], &someone).await;
        assert_eq!(allowed, Allow(text("b")));
        let denied = decide(vec![NoOpinion(text("a")), Deny(text("b")), Allow(text("c"))], &someone).await;
        assert_eq!(denied, Deny(text("a\nb")));
        assert_eq!(decide(vec![], &someone).await, NoOpinion(text("")));
        let master = User { groups: vec![GROUP_MASTERS.into()], ..user("m") };
        assert_eq!(decide(vec![Deny(text("b"))], &master).await, Allow(text("")));
    }
}
