//! Bootstrap tokens: what a machine that wants to join proves itself with, kept in secrets of kube-system
//! (upstream: plugin/pkg/auth/authenticator/token/bootstrap, cluster-bootstrap/util).

use crate::rules::{base64, secret};
use meta::time::Timestamp;
use meta::{Str, Value};
use resource::{Reader, User};

const NAMESPACE: &str = "kube-system";
const TYPE: &str = "bootstrap.kubernetes.io/token";
const GROUP: &str = "system:bootstrappers";
const ID_CHARS: usize = 6;
const SECRET_CHARS: usize = 16;

/// Who sends a bootstrap token; `None` for what is none, or is not good (any more).
pub fn bearer(reader: &dyn Reader, token: &str, now: Timestamp) -> Option<User> {
    let (id, sent) = split(token)?;
    let found = reader.get("", "secrets", NAMESPACE, &format!("bootstrap-token-{id}"))?;
    if !found["metadata"]["deletionTimestamp"].is_null() || found["type"].str() != TYPE {
        return None;
    }
    let text = |key: &str| data(&found, key);
    let good = secret::same(text("token-secret")?.as_bytes(), sent.as_bytes());
    if !good || text("token-id")? != id || has_expired(&found, now)? {
        return None;
    }
    if text("usage-bootstrap-authentication")? != "true" {
        return None;
    }
    let mut groups = extra_groups(&text("auth-extra-groups").unwrap_or_default())?;
    groups.push(GROUP.into());
    groups.sort();
    groups.dedup();
    Some(User { name: format!("system:bootstrap:{id}").into(), groups, ..User::default() })
}

/// Identifier and secret.
fn split(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let fits = |text: &str, chars: usize| {
        text.len() == chars && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (fits(id, ID_CHARS) && fits(secret, SECRET_CHARS)).then_some((id, secret))
}

fn data(object: &Value, key: &str) -> Option<String> {
    String::from_utf8(base64::decode(object["data"][key].as_str()?)).ok()
}

/// A time that cannot be read has passed.
fn has_expired(object: &Value, now: Timestamp) -> Option<bool> {
    match data(object, "expiration").unwrap_or_default().as_str() {
        "" => Some(false),
        text => Some(Timestamp::parse(text).map_or(true, |until| until <= now)),
    }
}

/// `None` when one of them is not for bootstrapping: such a token is no good at all.
fn extra_groups(list: &str) -> Option<Vec<Str>> {
    let groups = list.split(',').filter(|group| !group.is_empty());
    groups.map(|group| is_bootstrap_group(group).then(|| group.into())).collect()
}

/// `system:bootstrappers:` and lower-case letters, digits, colons and inner dashes.
fn is_bootstrap_group(group: &str) -> bool {
    let Some(rest) = group.strip_prefix("system:bootstrappers:") else { return false };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| plain(byte) || matches!(byte, b':' | b'-');
    rest.len() <= 256 && rest.bytes().all(inner) && rest.bytes().last().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    struct One(Value);
    impl Reader for One {
        fn get(&self, _: &str, resource: &str, namespace: &str, name: &str) -> Option<Value> {
            let wanted = (resource, namespace, name) == ("secrets", NAMESPACE, "bootstrap-token-abcdef");
            wanted.then(|| self.0.clone())
        }

        fn list(&self, _: &str, _: &str, _: &str) -> Vec<Value> {
            vec![]
        }
    }

    /// A good secret with one entry of `data` replaced; "-" leaves it out.
    fn secret_with(key: &str, text: &str) -> One {
        let mut data = vec![
            ("token-id", "abcdef"),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-authentication", "true"),
            ("expiration", "2030-01-01T00:00:00Z"),
            ("auth-extra-groups", "system:bootstrappers:a-b,system:bootstrappers:c"),
        ];
        data.retain(|(own, _)| *own != key);
        if text != "-" {
            data.push((key, text));
        }
        let mut object = value!({"type": TYPE, "metadata": {}, "data": {}});
        for (key, text) in data {
            object.entry("data").set(key, base64::encode(text.as_bytes()));
        }
        One(object)
    }

    #[test]
    fn tokens_are_good_under_all_conditions_only() {
        const TOKEN: &str = "abcdef.0123456789abcdef";
        let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        let user = bearer(&secret_with("", "-"), TOKEN, now).expect("good");
        assert_eq!(user.name, "system:bootstrap:abcdef");
        assert_eq!(user.groups, ["system:bootstrappers", "system:bootstrappers:a-b", "system:bootstrappers:c"]);
        assert!(bearer(&secret_with("expiration", "-"), TOKEN, now).is_some());
        let refused = [
            ("token-id", "abcdeg"),
            ("token-secret", "0123456789abcdeg"),
            ("token-secret", "-"),
            ("usage-bootstrap-authentication", "false"),
            ("usage-bootstrap-authentication", "-"),
            ("expiration", "2026-01-01T00:00:00Z"),
            ("expiration", "soon"),
            ("auth-extra-groups", "system:masters"),
            ("auth-extra-groups", "system:bootstrappers:a-"),
            ("auth-extra-groups", "system:bootstrappers:"),
        ];
        for (key, text) in refused {
            assert_eq!(bearer(&secret_with(key, text), TOKEN, now), None, "{key}: {text}");
        }
        for token in ["abcdef", "abcdef.0123456789abcde", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdef.x", ""] {
            assert_eq!(bearer(&secret_with("", "-"), token, now), None, "{token}");
        }
        let mut other = secret_with("", "-");
        other.0.set("type", "Opaque");
        assert_eq!(bearer(&other, TOKEN, now), None);
    }
}
