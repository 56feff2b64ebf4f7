//! serviceaccounts/token: short-lived identities of service accounts, alone or bound to a pod, secret or node
//! (upstream: registry/core/serviceaccount/storage/token.go, pkg/serviceaccount/claims.go).

use meta::field::{ErrorList, Path};
use meta::{Gvk, Result, Status, Str, Value, value};
use resource::{Claims, Context, Reader, TokenRules, User};

const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
const SECONDS_DEFAULT: i64 = 3600;
const SECONDS_MIN: i64 = 600;
/// What kubelets ask for on behalf of pods: such a token lives a year, but clients are warned after the hour.
const SECONDS_OF_PODS: i64 = 3607;
const SECONDS_EXTENDED: i64 = 365 * 24 * 3600;
const PRIVATE: &str = "kubernetes.io";

pub struct ServiceAccountToken;

impl TokenRules for ServiceAccountToken {
    fn plan(&self, ctx: &Context, account: &Value, request: &mut Value, audiences: &[Str]) -> Result<Claims> {
        let name = account["metadata"]["name"].str().to_owned();
        check_name(&name, request)?;
        let spec = request.entry("spec");
        if spec["audiences"].items().is_empty() {
            spec.set("audiences", audiences.iter().map(Value::from).collect::<Vec<Value>>());
        }
        spec.set_default("expirationSeconds", SECONDS_DEFAULT);
        let spec = &request["spec"];
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
        let wanted: Vec<Str> = spec["audiences"].items().iter().map(|a| Str::from(a.str())).collect();
        let mut seconds = asked;
        if asked == SECONDS_OF_PODS && wanted == audiences {
            seconds = SECONDS_EXTENDED;
            private.set("warnafter", ctx.now.seconds.saturating_add(asked));
        }
        let subject = format!("system:serviceaccount:{}:{name}", ctx.namespace).into();
        Ok(Claims { subject, audiences: wanted, seconds, private: value!({PRIVATE: private}) })
    }

    fn bearer(&self, reader: &dyn Reader, claims: &Value) -> std::result::Result<User, String> {
        let private = &claims[PRIVATE];
        let namespace = private["namespace"].str();
        let account = &private["serviceaccount"];
        let name = account["name"].str();
        let check = |resource: &str, namespace: &str, bound: &Value| {
            let found = reader.get("", resource, namespace, bound["name"].str());
            let Some(found) = found else { return Err(format!("{resource} {} is gone", bound["name"].str())) };
            let same = found["metadata"]["uid"] == bound["uid"];
            if same { Ok(()) } else { Err(format!("{resource} {} is another one now", bound["name"].str())) }
        };
        if claims["sub"].str() != format!("system:serviceaccount:{namespace}:{name}") {
            return Err("the subject is not the account".into());
        }
        check("serviceaccounts", namespace, account)?;
        for (claim, resource, namespace) in
            [("pod", "pods", namespace), ("secret", "secrets", namespace), ("node", "nodes", "")]
        {
            // a pod's node may go: only a token bound to the node itself ends with it
            let is_bound = !private[claim].is_null() && (claim != "node" || private["pod"].is_null());
            if is_bound {
                check(resource, namespace, &private[claim])?;
            }
        }
        Ok(user(claims, namespace, name))
    }
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
    User {
        name: format!("system:serviceaccount:{namespace}:{name}").into(),
        uid: private["serviceaccount"]["uid"].str().into(),
        groups: vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}").into()],
        extra,
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
