//! Tokens that lie in secrets and live as long as these (upstream: pkg/serviceaccount/legacy.go).

use super::user_of_account;
use crate::rules::{base64, secret};
use meta::Value;
use meta::field::quote;
use resource::{Presented, Reader, User};

const PREFIX: &str = "kubernetes.io/serviceaccount/";
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
const INVALIDATED: &str = "service account token has been invalidated";

/// What such a token claims, all of it present.
struct Kept<'a> {
    namespace: &'a str,
    secret: &'a str,
    account: &'a str,
    uid: &'a str,
}

pub fn bearer(reader: &dyn Reader, presented: &Presented) -> Result<User, String> {
    let kept = read(presented.claims)?;
    if presented.lookup {
        check_secret(reader, &kept, presented)?;
        check_account(reader, &kept)?;
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

fn check_secret(reader: &dyn Reader, kept: &Kept, presented: &Presented) -> Result<(), String> {
    let found = reader.get("", "secrets", kept.namespace, kept.secret).ok_or(INVALIDATED)?;
    let metadata = &found["metadata"];
    if !metadata["deletionTimestamp"].is_null() {
        return Err(INVALIDATED.into());
    }
    if !secret::same(&base64::decode(found["data"]["token"].str()), presented.token.as_bytes()) {
        return Err("service account token does not match server's copy".into());
    }
    if metadata["labels"][INVALID_SINCE].is_null() {
        return Ok(());
    }
    let Kept { namespace, secret, account, .. } = kept;
    Err(format!(
        "the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked invalid. \
         Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '{INVALID_SINCE}' \
         label from the secret to temporarily allow use of this token"
    ))
}

/// Unlike other tokens, these end at once when their account begins to go.
fn check_account(reader: &dyn Reader, kept: &Kept) -> Result<(), String> {
    let Kept { namespace, account, uid, .. } = kept;
    let found = reader.get("", "serviceaccounts", namespace, account);
    let found = found.ok_or_else(|| format!("serviceaccounts {} not found", quote(account)))?;
    let metadata = &found["metadata"];
    if !metadata["deletionTimestamp"].is_null() {
        return Err(format!("service account {namespace}/{account} has been deleted"));
    }
    let own = metadata["uid"].str();
    if own == *uid { Ok(()) } else { Err(format!("service account UID ({own}) does not match claim ({uid})")) }
}
