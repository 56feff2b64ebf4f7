//! Tokens that lie in secrets and live as long as these (upstream: pkg/serviceaccount/legacy.go).

use super::user_of_account;
use crate::rules::{base64, secret};
use meta::field::quote;
use meta::time::Timestamp;
use meta::{Str, Value};
use resource::{Presented, Reader, TokenNotes, User};

const PREFIX: &str = "kubernetes.io/serviceaccount/";
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
const INVALIDATED: &str = "Token has been invalidated";
const DAY_SECONDS: i64 = 24 * 3600;
const GENERATED_WARNING: &str = "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.";

/// What such a token claims, all of it present.
struct Kept<'a> {
    namespace: &'a str,
    secret: &'a str,
    account: &'a str,
    uid: &'a str,
}

pub fn bearer(reader: &dyn Reader, presented: &Presented, notes: &mut TokenNotes) -> Result<User, String> {
    let kept = read(presented.claims)?;
    if presented.lookup {
        let secret = find_secret(reader, &kept, presented)?;
        let account = find_account(reader, &kept)?;
        notes.used = used(&kept, &secret, presented.now);
        check_mark(&kept, &secret, notes)?;
        note_origin(&kept, &account, notes);
    }
    Ok(user_of_account(kept.namespace, kept.account, kept.uid))
}

fn read(claims: &Value) -> Result<Kept<'_>, String> {
    let subject = claims["sub"].str();
    if subject.is_empty() {
        return Err("sub claim is missing".into());
    }
    let claim = |name: &str, shown: &str| match claims[format!("{PREFIX}{name}").as_str()].str() {
        "" => Err(format!("{shown} claim is missing")),
        text => Ok(text),
    };
    let kept = Kept {
        namespace: claim("namespace", "namespace")?,
        secret: claim("secret.name", "secretName")?,
        account: claim("service-account.name", "serviceAccountName")?,
        uid: claim("service-account.uid", "serviceAccountUID")?,
    };
    if subject != format!("system:serviceaccount:{}:{}", kept.namespace, kept.account) {
        return Err("sub claim is invalid".into());
    }
    Ok(kept)
}

fn find_secret(reader: &dyn Reader, kept: &Kept, presented: &Presented) -> Result<Value, String> {
    let found = reader.get("", "secrets", kept.namespace, kept.secret).ok_or(INVALIDATED)?;
    let metadata = &found["metadata"];
    if !metadata["deletionTimestamp"].is_null() {
        return Err(INVALIDATED.into());
    }
    if !secret::same(&base64::decode(found["data"]["token"].str()), presented.token.as_bytes()) {
        return Err("Token does not match server's copy".into());
    }
    Ok(found)
}

/// The secret's name, unless it says already that its token was used today. (Clocks of servers differ: the next day is good,
/// too.)
fn used(kept: &Kept, secret: &Value, now: Timestamp) -> Option<(Str, Str)> {
    let tomorrow = Timestamp { seconds: now.seconds.saturating_add(DAY_SECONDS), ..now };
    let last = secret["metadata"]["labels"][LAST_USED].str();
    let known = [now, tomorrow].iter().any(|day| !last.is_empty() && day.to_rfc3339().split('T').next() == Some(last));
    (!known).then(|| (kept.namespace.into(), kept.secret.into()))
}

fn check_mark(kept: &Kept, secret: &Value, notes: &mut TokenNotes) -> Result<(), String> {
    if secret["metadata"]["labels"][INVALID_SINCE].str().is_empty() {
        return Ok(());
    }
    let name = format!("{}/{}", kept.secret, kept.namespace);
    notes.annotations.push(("authentication.k8s.io/legacy-token-invalidated", name));
    let Kept { namespace, secret, account, .. } = kept;
    Err(format!(
        "the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked invalid. \
         Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '{INVALID_SINCE}' \
         label from the secret to temporarily allow use of this token"
    ))
}

/// Unlike other tokens, these end at once when their account begins to go.
fn find_account(reader: &dyn Reader, kept: &Kept) -> Result<Value, String> {
    let Kept { namespace, account, uid, .. } = kept;
    let found = reader.get("", "serviceaccounts", namespace, account);
    let found = found.ok_or_else(|| format!("serviceaccounts {} not found", quote(account)))?;
    let metadata = &found["metadata"];
    if !metadata["deletionTimestamp"].is_null() {
        return Err(format!("ServiceAccount {namespace}/{account} has been deleted"));
    }
    let own = metadata["uid"].str();
    if own == *uid { Ok(found) } else { Err(format!("ServiceAccount UID ({own}) does not match claim ({uid})")) }
}

/// A secret that its account names was made by controllers of old.
fn note_origin(kept: &Kept, account: &Value, notes: &mut TokenNotes) {
    let generated = account["secrets"].items().iter().any(|secret| secret["name"].str() == kept.secret);
    if generated {
        notes.warnings.push(GENERATED_WARNING.into());
    }
    let key = match generated {
        true => "authentication.k8s.io/legacy-token-autogenerated-secret",
        false => "authentication.k8s.io/legacy-token-manual-secret",
    };
    notes.annotations.push((key, kept.secret.into()));
}
