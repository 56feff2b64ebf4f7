//! Questions that are asked by creating an object: who am I, whose token is this, may I.

use crate::authenticate::{Bearer, Rejected, Token};
use crate::authorize::{Attributes, Decision, Target};
use crate::server::Server;
use crate::write::{self, Outcome, Write};
use meta::time::Timestamp;
use meta::{Map, Result, Status, Str, Value, value};
use resource::{Review, User, Whose};

/// The review with its answer in `status`. It passes mutating admission like what is stored.
pub async fn answer(server: &Server, write: &Write, review: Review) -> Result<Outcome> {
    let mut object = write::begin(server, write)?.propose()?.mutate().await?.into_question().await?;
    match review {
        Review::Sender => {
            object = bare(&object);
            object.entry("metadata").set("creationTimestamp", Timestamp::now().to_rfc3339());
            object.set("status", value!({"userInfo": (user_info(&write.user))}));
        }
        Review::Token => {
            let answered = token(server, write, &object["spec"]).await?;
            // upstream sets what it has found out, and leaves the rest as it was sent
            let status = object.entry("status");
            status.remove("authenticated");
            answered.entries().for_each(|(key, value)| status.set(key, value));
        }
        Review::Access(whose) => {
            let status = access(server, write, whose, &object).await?;
            object.set("status", status);
        }
        Review::Rules => {
            let namespace = object["spec"]["namespace"].str();
            if namespace.is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            let rules = server.authorizers.rules(&write.user, namespace);
            object = bare(&object);
            object.set("spec", Value::object());
            object.set("status", rules);
        }
    }
    Ok(Outcome { code: 201, object, written: None, deleted: false })
}

/// A new object of the same kind: upstream does not give back what was sent.
fn bare(object: &Value) -> Value {
    value!({"apiVersion": (&object["apiVersion"]), "kind": (&object["kind"]), "metadata": {}})
}

fn user_info(user: &User) -> Value {
    let mut info = Map::new();
    for (key, text) in [("username", &user.name), ("uid", &user.uid)] {
        if !text.is_empty() {
            info.insert(key, text);
        }
    }
    let list = |texts: &[Str]| texts.iter().map(Value::from).collect::<Vec<Value>>();
    if !user.groups.is_empty() {
        info.insert("groups", list(&user.groups));
    }
    if !user.extra.is_empty() {
        let extra = user.extra.iter().map(|(key, values)| (key.clone(), Value::Array(list(values))));
        info.insert("extra", extra.collect::<Map>());
    }
    Value::Object(info)
}

async fn token(server: &Server, write: &Write, spec: &Value) -> Result<Value> {
    let text = spec["token"].str();
    if text.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let wanted: Vec<Str> = spec["audiences"].items().iter().map(|audience| audience.str().into()).collect();
    let audiences = if wanted.is_empty() { &server.authenticators.tokens.audiences } else { &wanted };
    match server.authenticators.review(Token { text, audiences, warnings: &write.warnings }).await {
        Ok(Bearer { user, audiences }) => {
            let audiences = audiences.iter().map(Value::from).collect::<Vec<Value>>();
            Ok(value!({"authenticated": true, "user": (user_info(&user)), "audiences": audiences}))
        }
        Err(Rejected(why)) => Ok(value!({"error": why})),
    }
}

async fn access(server: &Server, write: &Write, whose: Whose, object: &Value) -> Result<Value> {
    let spec = &object["spec"];
    let user = if whose == Whose::Sender { User::clone(&write.user) } else { named_user(spec) };
    let resource = &spec["resourceAttributes"];
    let (selection, mut errors) = auth::Selection::of_review(resource);
    let text = |key: &str| resource[key].str();
    let target = Target {
        group: text("group"),
        version: text("version"),
        resource: text("resource"),
        subresource: text("subresource"),
        namespace: text("namespace"),
        name: text("name"),
    };
    let paths = &spec["nonResourceAttributes"];
    let asked = if paths.is_null() { resource } else { paths };
    let attributes = Attributes {
        user: &user,
        verb: asked["verb"].str(),
        path: paths["path"].str(),
        resource: paths.is_null().then_some(target),
        selection: &selection,
    };
    let (allowed, denied, reason) = match server.authorizers.decide(&attributes).await {
        Decision::Allow(reason) => (true, false, reason),
        Decision::Deny(reason) => (false, true, reason),
        Decision::NoOpinion(reason) => (false, false, reason),
        Decision::Error { denies, error } => {
            errors.insert(0, error);
            (false, denies, String::new())
        }
    };
    let mut status = value!({"allowed": allowed});
    if denied {
        status.set("denied", true);
    }
    if !reason.is_empty() {
        status.set("reason", reason);
    }
    errors.dedup();
    if !errors.is_empty() {
        status.set("evaluationError", errors.join(", "));
    }
    Ok(status)
}

fn named_user(spec: &Value) -> User {
    let list = |value: &Value| value.items().iter().map(|v| Str::from(v.str())).collect::<Vec<Str>>();
    User {
        name: spec["user"].str().into(),
        uid: spec["uid"].str().into(),
        groups: list(&spec["groups"]),
        extra: spec["extra"].entries().map(|(key, values)| (key.into(), list(values))).collect(),
    }
}
