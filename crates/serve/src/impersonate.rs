//! Requests in another user's name: the headers that ask for it, and whether the sender may.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use auth::impersonate::{Identity, Mode, Question, plan, wholesale};
use http::HeaderMap;
use meta::{Result, Status, Str};
use resource::User;

use crate::audit::Trail;
use crate::authenticate::{Authenticated, unescape_key};
use crate::authorize::{Attributes, Authorizers, Decision, Target, forbidden};

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA_PREFIX: &str = "impersonate-extra-";

/// How many senders' last modes are remembered.
const SENDERS_MAX: usize = 10_000;

/// The mode that last held for each sender, by name. It is tried first: so upstream decides who a node or a service account is
/// whom several modes would make different, and which mode's refusal is the answer.
#[derive(Default)]
pub struct LastModes(Mutex<HashMap<Str, &'static str>>);

impl LastModes {
    fn of(&self, sender: &str) -> Option<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sender).copied()
    }

    fn remember(&self, sender: &Str, mode: &'static str) {
        let mut modes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if modes.len() >= SENDERS_MAX && !modes.contains_key(sender) {
            modes.clear();
        }
        modes.insert(sender.clone(), mode);
    }
}

/// Who the request is from once its headers are followed; the sender itself without such headers. `request` is what
/// the sender wants to do in the other's name.
pub async fn impersonate(
    authorizers: &Authorizers,
    sender: Authenticated,
    headers: &HeaderMap,
    request: &Attributes<'_>,
    trail: &Trail,
) -> Result<Authenticated> {
    let Some(wanted) = wanted(headers)? else { return Ok(sender) };
    let mut refusal = None;
    let mut modes = plan(&wanted, &identity(sender.user()), request.verb);
    let last = authorizers.last_modes.of(&sender.user().name);
    if let Some(at) = modes.iter().position(|mode| Some(mode.name) == last) {
        let mode = modes.remove(at);
        modes.insert(0, mode);
    }
    for mode in modes {
        match allows(authorizers, &mode, sender.user(), request).await {
            Ok(()) => {
                if Some(mode.name) != last {
                    authorizers.last_modes.remember(&sender.user().name, mode.name);
                }
                let (constraint, becomes) = (mode.constraint(), user(mode.becomes));
                trail.impersonate(&becomes, &constraint);
                return Ok(Authenticated::impersonating(becomes));
            }
            Err(status) => refusal = refusal.or(Some(status)),
        }
    }
    Err(refusal.unwrap_or_else(|| Status::internal("all impersonation modes failed")))
}

async fn allows(authorizers: &Authorizers, mode: &Mode, sender: &User, request: &Attributes<'_>) -> Result<()> {
    let all_groups = match wholesale(mode) {
        Some(question) => check(authorizers, &question, sender, request).await.is_ok(),
        None => false,
    };
    for question in &mode.questions {
        if all_groups && matches!(question, Question::On { resource: "groups", .. }) {
            continue;
        }
        check(authorizers, question, sender, request).await?;
    }
    Ok(())
}

async fn check(authorizers: &Authorizers, question: &Question, sender: &User, request: &Attributes<'_>) -> Result<()> {
    let (verb, resource, refused) = match question {
        Question::OnRequest { verb } => (verb.as_str(), request.resource, None),
        Question::On { verb, group, resource, subresource, namespace, name } => {
            (verb.as_str(), Some(Target { group, version: "v1", resource, subresource, namespace, name }), None)
        }
        Question::Refused { verb, group, resource, name, why } => {
            (verb.as_str(), Some(Target { group, version: "v1", resource, name, ..Target::default() }), Some(why))
        }
    };
    let attributes = Attributes { user: sender, verb, path: request.path, resource, selection: Default::default() };
    if let Some(why) = refused {
        return Err(forbidden(&attributes, why));
    }
    match authorizers.decide(&attributes).await {
        Decision::Allow(_) => Ok(()),
        Decision::Deny(reason) | Decision::NoOpinion(reason) => Err(forbidden(&attributes, &reason)),
        Decision::Error { error, .. } => Err(forbidden(&attributes, &error)),
    }
}

/// What the headers ask for; 400 when they ask for everything but a name.
fn wanted(headers: &HeaderMap) -> Result<Option<Identity>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let groups: Vec<Str> =
        headers.get_all(GROUP).iter().filter_map(|value| value.to_str().ok()).map(Into::into).collect();
    let mut extra: BTreeMap<Str, Vec<Str>> = BTreeMap::new();
    for (name, value) in headers {
        if let (Some(key), Ok(value)) = (name.as_str().strip_prefix(EXTRA_PREFIX), value.to_str()) {
            extra.entry(unescape_key(key)).or_default().push(value.into());
        }
    }
    let wanted =
        Identity { name: text(USER).into(), uid: text(UID).into(), groups, extra: extra.into_iter().collect() };
    if !wanted.name.is_empty() {
        return Ok(Some(wanted));
    }
    if wanted == Identity::default() {
        return Ok(None);
    }
    Err(Status::bad_request(format!("requested {} without impersonating a user name", go_syntax(&wanted))))
}

/// Upstream prints the Go value.
fn go_syntax(wanted: &Identity) -> String {
    let list = |items: &[Str]| {
        let items: Vec<String> = items.iter().map(|item| meta::field::quote(item)).collect();
        format!("[]string{{{}}}", items.join(", "))
    };
    let groups = if wanted.groups.is_empty() { "[]string(nil)".to_owned() } else { list(&wanted.groups) };
    let extra = if wanted.extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let entries = wanted.extra.iter().map(|(key, values)| format!("{}:{}", meta::field::quote(key), list(values)));
        format!("map[string][]string{{{}}}", entries.collect::<Vec<String>>().join(", "))
    };
    let (name, uid) = (meta::field::quote(&wanted.name), meta::field::quote(&wanted.uid));
    format!("&user.DefaultInfo{{Name:{name}, UID:{uid}, Groups:{groups}, Extra:{extra}}}")
}

fn identity(user: &User) -> Identity {
    Identity { name: user.name.clone(), uid: user.uid.clone(), groups: user.groups.clone(), extra: user.extra.clone() }
}

fn user(identity: Identity) -> User {
    User { name: identity.name, uid: identity.uid, groups: identity.groups, extra: identity.extra }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn ask(headers: &[(&str, &str)]) -> std::result::Result<Option<Identity>, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header name");
            map.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        wanted(&map).map_err(|status| status.message)
    }

    /// The recorded scenario authn/impersonation-incomplete.
    #[test]
    fn a_name_is_needed() {
        let cases = [
            (("Impersonate-Group", "g"), "Name:\"\", UID:\"\", Groups:[]string{\"g\"}, Extra:map[string][]string(nil)"),
            (("Impersonate-Uid", "u"), "Name:\"\", UID:\"u\", Groups:[]string(nil), Extra:map[string][]string(nil)"),
            (
                ("Impersonate-Extra-x", "y"),
                "Name:\"\", UID:\"\", Groups:[]string(nil), Extra:map[string][]string{\"x\":[]string{\"y\"}}",
            ),
        ];
        for (header, value) in cases {
            let text = format!("requested &user.DefaultInfo{{{value}}} without impersonating a user name");
            assert_eq!(ask(&[header]), Err(text));
        }
        assert_eq!(ask(&[]), Ok(None));
    }

    #[test]
    fn last_modes_are_bounded() {
        let modes = LastModes::default();
        modes.remember(&"a".into(), "legacy");
        assert_eq!((modes.of("a"), modes.of("b")), (Some("legacy"), None));
        for i in 0..SENDERS_MAX {
            modes.remember(&format!("u{i}").into(), "user-info");
        }
        assert_eq!((modes.of("a"), modes.of(&format!("u{}", SENDERS_MAX - 1))), (None, Some("user-info")));
    }

    #[test]
    fn keys_are_unescaped() {
        let wanted = ask(&[("Impersonate-User", "u"), ("Impersonate-Extra-Example.com%2Fkey", "v")]);
        let extra = wanted.expect("a wish").expect("a user").extra;
        assert_eq!(extra, [("example.com/key".into(), vec!["v".into()])]);
    }
}
