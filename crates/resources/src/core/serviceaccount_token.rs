//! serviceaccounts/token: short-lived identities of service accounts, alone or bound to a pod, secret or node
//! (upstream: registry/core/serviceaccount/storage/token.go, pkg/serviceaccount/{claims,legacy}.go).

mod kept;

use meta::field::{ErrorList, Path};
use meta::time::Timestamp;
use meta::{Gvk, Result, Status, Str, Value, value};
use resource::{Claims, Context, KEPT_ISSUER, Presented, Reader, TokenNotes, TokenPolicy, TokenRules, User};

const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
const SECONDS_DEFAULT: i64 = 3600;
const SECONDS_MIN: i64 = 600;
/// What kubelets ask for on behalf of pods: such a token lives a year, but clients are warned after the hour.
const SECONDS_OF_PODS: i64 = 3607;
const SECONDS_EXTENDED: i64 = 365 * 24 * 3600;
const PRIVATE: &str = "kubernetes.io";
/// Clocks differ, and objects that are going stay good this long.
const LEEWAY_SECONDS: i64 = 60;
const INVALIDATED: &str = "service account token has been invalidated";

pub struct ServiceAccountToken;

impl TokenRules for ServiceAccountToken {
    fn plan(&self, ctx: &Context, account: &Value, request: &mut Value, policy: &TokenPolicy) -> Result<Claims> {
        let name = account["metadata"]["name"].str().to_owned();
        check_name(&name, request)?;
        let spec = request.entry("spec");
        if spec["audiences"].items().is_empty() {
            spec.set("audiences", policy.audiences.iter().map(Value::from).collect::<Vec<Value>>());
        }
        spec.set_default("expirationSeconds", SECONDS_DEFAULT);
        validate(spec)?;
        let mut private = value!({
            "namespace": (ctx.namespace),
            "serviceaccount": {"name": (&name), "uid": (&account["metadata"]["uid"])}
        });
        let bound = &spec["boundObjectRef"];
        if !bound.is_null() {
            bind(ctx, &name, bound, &mut private)?;
        }
        let asked = spec["expirationSeconds"].int();
        let mut seconds = policy.seconds_max.map_or(asked, |longest| asked.min(longest));
        let warning = (seconds < asked)
            .then(|| format!("requested expiration of {asked} seconds shortened to {seconds} seconds"));
        spec.set("expirationSeconds", seconds);
        let wanted: Vec<Str> = spec["audiences"].items().iter().map(|a| Str::from(a.str())).collect();
        let own = wanted.len() == policy.audiences.len() && wanted.iter().all(|a| policy.audiences.contains(a));
        if policy.extends && own && seconds == SECONDS_OF_PODS && !private["pod"].is_null() {
            private.set("warnafter", ctx.now.seconds.saturating_add(seconds));
            seconds = SECONDS_EXTENDED;
        }
        let subject = format!("system:serviceaccount:{}:{name}", ctx.namespace).into();
        Ok(Claims { subject, audiences: wanted, seconds, private: value!({PRIVATE: private}), warning })
    }

    fn bearer(
        &self,
        reader: &dyn Reader,
        presented: &Presented,
        notes: &mut TokenNotes,
    ) -> std::result::Result<User, String> {
        let claims = presented.claims;
        if claims["iss"].str() == KEPT_ISSUER {
            return kept::bearer(reader, presented, notes);
        }
        check_time(claims, presented.now)?;
        let private = &claims[PRIVATE];
        let namespace = private["namespace"].str();
        let account = &private["serviceaccount"];
        let name = account["name"].str();
        check_account(reader, presented.now, namespace, name, account["uid"].str())?;
        for (claim, resource, namespace) in
            [("secret", "secrets", namespace), ("pod", "pods", namespace), ("node", "nodes", "")]
        {
            // A pod's node may go: only a token that is bound to the node itself ends with it.
            if private[claim].is_null() || claim == "node" && !private["pod"].is_null() {
                continue;
            }
            let (name, uid) = (private[claim]["name"].str(), private[claim]["uid"].str());
            let found = reader.get("", resource, namespace, name);
            let found = found.filter(|found| !is_gone(found, presented.now)).ok_or(INVALIDATED)?;
            let own = found["metadata"]["uid"].str();
            if own != uid {
                return Err(format!("{claim} UID ({own}) does not match service account {claim} ref claim ({uid})"));
            }
        }
        if let Some(seconds) = private["warnafter"].as_int().map(|from| presented.now.seconds.saturating_sub(from))
            && seconds > 0
        {
            let subject = claims["sub"].str();
            let text = format!("subject: {subject}, seconds after warning threshold: {seconds}");
            notes.annotations.push(("authentication.k8s.io/stale-token", text));
        }
        Ok(user(claims, namespace, name))
    }
}

fn check_time(claims: &Value, now: Timestamp) -> std::result::Result<(), String> {
    let time = |name: &str| claims[name].as_int();
    if time("nbf").is_some_and(|from| from > now.seconds.saturating_add(LEEWAY_SECONDS)) {
        return Err("service account token is not valid yet".into());
    }
    if time("exp").is_some_and(|until| until < now.seconds.saturating_sub(LEEWAY_SECONDS)) {
        return Err("service account token has expired".into());
    }
    if time("iat").is_some_and(|at| at > now.seconds.saturating_add(LEEWAY_SECONDS)) {
        return Err("service account token is issued in the future".into());
    }
    Ok(())
}

/// Whether an object has been going for longer than the leeway.
fn is_gone(object: &Value, now: Timestamp) -> bool {
    let going = object["metadata"]["deletionTimestamp"].str();
    Timestamp::parse(going).is_ok_and(|since| since.seconds < now.seconds.saturating_sub(LEEWAY_SECONDS))
}

fn check_account(
    reader: &dyn Reader,
    now: Timestamp,
    namespace: &str,
    name: &str,
    uid: &str,
) -> std::result::Result<(), String> {
    let found = reader.get("", "serviceaccounts", namespace, name);
    let found = found.ok_or_else(|| format!("serviceaccounts {} not found", meta::field::quote(name)))?;
    if is_gone(&found, now) {
        return Err(format!("service account {namespace}/{name} has been deleted"));
    }
    let own = found["metadata"]["uid"].str();
    if own == uid { Ok(()) } else { Err(format!("service account UID ({own}) does not match claim ({uid})")) }
}

fn user(claims: &Value, namespace: &str, name: &str) -> User {
    let private = &claims[PRIVATE];
    let mut extra: Vec<(Str, Vec<Str>)> = Vec::new();
    let mut add = |key: &str, text: &str| {
        if !text.is_empty() {
            extra.push((format!("authentication.kubernetes.io/{key}").into(), vec![text.into()]));
        }
    };
    let id = claims["jti"].str();
    if !id.is_empty() {
        add("credential-id", &format!("JTI={id}"));
    }
    for claim in ["node", "pod"] {
        add(&format!("{claim}-name"), private[claim]["name"].str());
        add(&format!("{claim}-uid"), private[claim]["uid"].str());
    }
    User { extra, ..user_of_account(namespace, name, private["serviceaccount"]["uid"].str()) }
}

fn user_of_account(namespace: &str, name: &str, uid: &str) -> User {
    User {
        name: format!("system:serviceaccount:{namespace}:{name}").into(),
        uid: uid.into(),
        groups: vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}").into()],
        extra: vec![],
    }
}

fn check_name(name: &str, request: &Value) -> Result<()> {
    let own = request["metadata"]["name"].str();
    if own.is_empty() || own == name {
        return Ok(());
    }
    let mut errs = ErrorList::new();
    let path = Path::new("metadata").child("name");
    errs.invalid(&path, own, "must match the service account name if specified");
    Err(Status::invalid(GROUP, KIND, name, errs))
}

fn validate(spec: &Value) -> Result<()> {
    let seconds = spec["expirationSeconds"].int();
    let path = Path::new("spec").child("expirationSeconds");
    let mut errs = ErrorList::new();
    if seconds < SECONDS_MIN {
        errs.invalid(&path, seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > 1 << 32 {
        errs.invalid(&path, seconds, "may not specify a duration larger than 2^32 seconds");
    }
    if errs.is_empty() { Ok(()) } else { Err(Status::invalid(GROUP, KIND, "", errs)) }
}

/// Adds what the token is bound to.
fn bind(ctx: &Context, account: &str, bound: &Value, private: &mut Value) -> Result<()> {
    let gvk = Gvk::from_api_version(bound["apiVersion"].str(), bound["kind"].str());
    let name = bound["name"].str();
    let (claim, resource, namespace) = match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Pod") => ("pod", "pods", ctx.namespace),
        ("", "Secret") => ("secret", "secrets", ctx.namespace),
        ("", "Node") => ("node", "nodes", ""),
        _ => return Err(Status::bad_request(format!("cannot bind token to object of type {gvk}"))),
    };
    let object = ctx.reader.get("", resource, namespace, name);
    let object = object.ok_or_else(|| Status::not_found("", resource, name))?;
    if claim == "pod" && object["spec"]["serviceAccountName"].str() != account {
        let account = meta::field::quote(account);
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount {account} to pod running with different serviceaccount name."
        )));
    }
    let uid = object["metadata"]["uid"].str();
    let wanted = bound["uid"].str();
    if !wanted.is_empty() && wanted != uid {
        let why = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict(&gvk.group, &gvk.kind, name, &why));
    }
    private.set(claim, value!({"name": name, "uid": uid}));
    let node = object["spec"]["nodeName"].str();
    if claim == "pod" && !node.is_empty() {
        let found = ctx.reader.get("", "nodes", "", node);
        let mut host = value!({"name": node});
        if let Some(found) = found {
            host.set("uid", &found["metadata"]["uid"]);
        }
        private.set("node", host);
    }
    Ok(())
}
