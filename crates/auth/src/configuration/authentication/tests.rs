use super::*;
use crate::jose::{Algorithm, PrivateKey, Unverified};
use crate::jwt::{Mapping, Mappings};
use meta::time::Timestamp;
use meta::value;

fn file(jwt: Value) -> Value {
    value!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": jwt})
}

/// A good item with the value at a path replaced; null leaves it out.
fn item(path: &[&str], value: Value) -> Value {
    let mut item = value!({
        "issuer": {"url": "https://i", "audiences": ["a"]},
        "claimMappings": {
            "username": {"claim": "sub", "prefix": "i:"},
            "groups": {"claim": "groups", "prefix": "g:"},
            "uid": {"claim": "id"}
        },
        "claimValidationRules": [{"claim": "hd", "requiredValue": "example.com"}]
    });
    let (last, parents) = path.split_last().expect("a path");
    let parent = parents.iter().fold(&mut item, |value, key| value.entry(key));
    if value.is_null() {
        parent.remove(last);
    } else {
        parent.set(last, value);
    }
    item
}

fn read(jwt: Value) -> Result<AuthenticationConfiguration, String> {
    AuthenticationConfiguration::read(&file(jwt), &["https://own".to_owned()])
}

#[test]
fn mistakes_are_said_in_upstream_s_words() {
    let one = |path: &[&str], value: Value| value!([(item(path, value))]);
    let cases = [
        (one(&["issuer", "url"], Value::Null), "jwt[0].issuer.url: Required value"),
        (
            one(&["issuer", "url"], "http://i".into()),
            "jwt[0].issuer.url: Invalid value: \"http://i\": URL scheme must be https",
        ),
        (
            one(&["issuer", "url"], "https://own".into()),
            "jwt[0].issuer.url: Invalid value: \"https://own\": URL must not overlap with disallowed issuers: [https://own]",
        ),
        (
            one(&["issuer", "url"], "https://u@i".into()),
            "jwt[0].issuer.url: Invalid value: \"https://u@i\": URL must not contain a username or password",
        ),
        (
            one(&["issuer", "discoveryURL"], "https://i/".into()),
            "jwt[0].issuer.discoveryURL: Invalid value: \"https://i/\": discoveryURL must be different from URL",
        ),
        (
            one(&["issuer", "audiences"], value!([])),
            "jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required",
        ),
        (
            one(&["issuer", "audiences"], value!(["a", "b"])),
            "jwt[0].issuer.audienceMatchPolicy: Invalid value: \"\": audienceMatchPolicy must be MatchAny for multiple audiences",
        ),
        (
            one(&["claimMappings", "username"], Value::Null),
            "jwt[0].claimMappings.username: Required value: claim or expression is required",
        ),
        (
            one(&["claimMappings", "username"], value!({"claim": "sub"})),
            "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing",
        ),
        (
            one(&["claimMappings", "uid"], value!({"claim": "a", "expression": "b"})),
            "jwt[0].claimMappings.uid: Invalid value: \"\": claim and expression can't both be set",
        ),
        (
            one(&["claimMappings", "extra"], value!([{"key": "x.k8s.io/a"}])),
            "[jwt[0].claimMappings.extra[0].key: Invalid value: \"x.k8s.io/a\": k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use, jwt[0].claimMappings.extra[0].valueExpression: Required value]",
        ),
        (
            one(&["claimValidationRules"], value!([{}])),
            "jwt[0].claimValidationRules[0]: Required value: claim or expression is required",
        ),
        (one(&["userValidationRules"], value!([{}])), "jwt[0].userValidationRules[0].expression: Required value"),
        (one(&["issuer", "uri"], "x".into()), "strict decoding error: unknown field \"jwt[0].issuer.uri\""),
        (
            value!([(item(&["x"], Value::Null)), (item(&["x"], Value::Null))]),
            "jwt[1].issuer.url: Duplicate value: \"https://i\"",
        ),
    ];
    for (jwt, text) in cases {
        assert_eq!(read(jwt).expect_err(text), text);
    }
    let mut anonymous = file(value!([]));
    anonymous.set("anonymous", value!({"enabled": false, "conditions": [{"path": "/livez"}]}));
    let why = AuthenticationConfiguration::read(&anonymous, &[]).expect_err("conditions on nothing");
    assert!(why.ends_with("enabled should be set to true when conditions are defined"), "{why}");
    anonymous.entry("anonymous").set("enabled", true);
    let read = AuthenticationConfiguration::read(&anonymous, &[]).expect("good").anonymous;
    assert_eq!(read, Some(Anonymous { enabled: true, paths: vec!["/livez".into()] }));
}

#[test]
fn claims_become_a_user_or_a_reason() {
    let authenticator = read(value!([(item(&["x"], Value::Null))])).expect("good").jwt.remove(0);
    let key = PrivateKey::from_pem(&rcgen::KeyPair::generate().expect("a key").serialize_pem()).expect("a key");
    let now = Timestamp { seconds: 1_000_000, nanos: 0 };
    let ask = |authenticator: &Authenticator, field: &str, value: Value| {
        let mut claims = value!({
            "iss": "https://i", "aud": "a", "exp": 1_000_100, "sub": "ann", "groups": ["x", "y"], "id": "7",
            "hd": "example.com"
        });
        if value.is_null() {
            claims.remove(field);
        } else {
            claims.set(field, value);
        }
        let token = key.sign(&claims).expect("a token");
        let claims = Unverified::parse(&token).expect("a token").verify([key.public()].iter(), Algorithm::ALL);
        authenticator.identity(&claims.expect("its own key"), now)
    };
    let user = ask(&authenticator, "x", Value::Null).expect("good");
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("i:ann", "7"));
    assert_eq!(user.groups, ["g:x", "g:y"]);
    assert_eq!(ask(&authenticator, "groups", "one".into()).expect("good").groups, ["g:one"]);
    assert!(ask(&authenticator, "groups", Value::Null).expect("good").groups.is_empty());
    assert!(ask(&authenticator, "aud", value!(["z", "a"])).is_ok());
    assert!(ask(&authenticator, "nbf", 1_000_200.into()).is_ok(), "a clock that is ahead");
    let refused = [
        ("aud", "z".into(), "oidc: verify token: oidc: expected audience in [\"a\"] got [\"z\"]"),
        ("exp", 999_999.into(), "oidc: verify token: oidc: token is expired"),
        ("exp", Value::Null, "oidc: verify token: oidc: token is expired"),
        ("nbf", 1_000_400.into(), "oidc: verify token: oidc: current time is before the nbf (not before) time"),
        ("sub", Value::Null, "oidc: parse username claims \"sub\": claim not present"),
        ("groups", 1.into(), "oidc: parse groups claim \"groups\""),
        ("id", 1.into(), "oidc: parse uid claim \"id\": the claim is no string"),
        ("hd", Value::Null, "oidc: required claim hd not present in ID token"),
        ("hd", "else".into(), "oidc: required claim hd value does not match. Got = else, want = example.com"),
    ];
    for (field, value, text) in refused {
        assert_eq!(ask(&authenticator, field, value).expect_err(text), text);
    }
    let username = Mapping::Claim { claim: "email".into(), prefix: String::new() };
    let by_email = Authenticator { mappings: Mappings { username, ..authenticator.mappings.clone() }, ..authenticator };
    let with_email = |verified: Value| {
        let mut with = by_email.clone();
        with.claim_rules.clear();
        let claims = value!({"aud": "a", "exp": 1_000_100, "email": "a@b", "id": "7", "email_verified": verified});
        let token = key.sign(&claims).expect("a token");
        let claims = Unverified::parse(&token).expect("a token").verify([key.public()].iter(), Algorithm::ALL);
        with.identity(&claims.expect("its own key"), now).map(|user| user.name.to_string())
    };
    assert_eq!(with_email(true.into()).as_deref(), Ok("a@b"));
    assert_eq!(with_email(Value::Null).as_deref(), Ok("a@b"));
    assert_eq!(with_email(false.into()), Err("oidc: email not verified".into()));
}
