//! Tokens of service accounts and of machines that join, from their making to their end.

mod client;

use auth::jose::PrivateKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use client::Sender::{Itself, Nobody, Token};
use client::{ask, audit_flags, audited, create, expect_refusal, head_of, name_of};
use kybern::TestServer;
use meta::time::Timestamp;
use meta::{Value, value};
use std::time::{Duration, Instant};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const ROBOT: &str = "system:serviceaccount:default:robot";

/// A server whose signing key the test has, and the account `robot`, whose uid is the last.
async fn server(flags: &[&str]) -> (TestServer, PrivateKey, String) {
    let pem = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("key.pem");
    std::fs::write(&path, &pem).expect("a file");
    let key = format!("--service-account-signing-key-file={}", path.display());
    let flags: Vec<&str> = flags.iter().copied().chain([key.as_str()]).collect();
    let server = TestServer::start_with(&flags).await.expect("a server");
    let account = create(&server, ACCOUNTS, &value!({"metadata": {"name": "robot"}})).await;
    let uid = account["metadata"]["uid"].str().to_owned();
    (server, PrivateKey::from_pem(&pem).expect("a key"), uid)
}

/// A token made by the subresource, with this `spec`.
async fn token(server: &TestServer, spec: Value) -> String {
    let request = value!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    create(server, &format!("{ACCOUNTS}/robot/token"), &request).await["status"]["token"].str().to_owned()
}

#[tokio::test]
async fn bound_tokens_end_with_what_they_are_bound_to() {
    let (server, _, _) = server(&[]).await;
    let pod = value!({
        "metadata": {"name": "p"},
        "spec": {"serviceAccountName": "robot", "containers": [{"name": "c", "image": "i"}]}
    });
    let secret = value!({"metadata": {"name": "s"}});
    let node = value!({"metadata": {"name": "n"}});
    let cases =
        [("Pod", "/api/v1/namespaces/default/pods", pod), ("Secret", SECRETS, secret), ("Node", "/api/v1/nodes", node)];
    for (kind, collection, object) in cases {
        let name = object["metadata"]["name"].str().to_owned();
        create(&server, collection, &object).await;
        let bound = value!({"apiVersion": "v1", "kind": kind, "name": (&name)});
        let token = token(&server, value!({"boundObjectRef": bound})).await;
        assert_eq!(name_of(&server, Token(&token)).await.as_deref(), Ok(ROBOT), "{kind}");
        let now = value!({"gracePeriodSeconds": 0});
        assert_eq!(ask(&server, Itself, "DELETE", &format!("{collection}/{name}"), &now).await.0, 200);
        assert_eq!(name_of(&server, Token(&token)).await, Err(401), "{kind} is gone");
        create(&server, collection, &object).await;
        assert_eq!(name_of(&server, Token(&token)).await, Err(401), "{kind} is another one now");
    }
    let token = token(&server, value!({})).await;
    assert_eq!(name_of(&server, Token(&token)).await.as_deref(), Ok(ROBOT));
    assert_eq!(ask(&server, Itself, "DELETE", &format!("{ACCOUNTS}/robot"), &value!({})).await.0, 200);
    assert_eq!(name_of(&server, Token(&token)).await, Err(401), "the account is gone");
}

#[tokio::test]
async fn forged_tokens_are_refused_and_never_anonymous() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, log) = audit_flags(folder.path());
    let (server, key, uid) =
        server(&["--api-audiences=api", "--service-account-issuer=https://i", &audit[0], &audit[1]]).await;
    let now = Timestamp::now().seconds;
    let claims = value!({
        "aud": ["api"], "iss": "https://i", "sub": ROBOT, "iat": now, "nbf": now, "exp": (now + 600),
        "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "robot", "uid": (uid.as_str())}}
    });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims.set(name, value);
        claims
    };
    let sign = |claims: &Value| key.sign(claims).expect("a token");
    let good = sign(&claims);
    assert_eq!(name_of(&server, Token(&good)).await.as_deref(), Ok(ROBOT));
    assert_eq!(name_of(&server, Nobody).await.as_deref(), Err(&403), "anonymous, who may not ask");
    // Clocks of other machines may differ by a minute.
    assert!(name_of(&server, Token(&sign(&with("exp", (now - 30).into())))).await.is_ok());
    let other = PrivateKey::from_pem(&rcgen::KeyPair::generate().expect("a key").serialize_pem()).expect("a key");
    let unsigned = |algorithm: &str| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}"}}"#));
        format!("{header}.{}.", URL_SAFE_NO_PAD.encode(meta::json::to_vec(&claims)))
    };
    let account = value!({"name": "robot", "uid": "other"});
    let cases = [
        ("another key", other.sign(&claims).expect("a token")),
        ("expired", sign(&with("exp", (now - 120).into()))),
        ("not valid yet", sign(&with("nbf", (now + 120).into()))),
        ("made in the future", sign(&with("iat", (now + 120).into()))),
        ("another audience", sign(&with("aud", value!(["else"])))),
        ("another issuer", sign(&with("iss", "https://j".into()))),
        (
            "an account that was",
            sign(&with("kubernetes.io", value!({"namespace": "default", "serviceaccount": account}))),
        ),
        ("no signature", unsigned("none")),
        ("HS256", unsigned("HS256")),
        ("cut off", good[..good.len() - 4].to_owned()),
        ("oversized", format!("{good}{}", "A".repeat(100_000))),
    ];
    for (what, token) in cases {
        assert_eq!(name_of(&server, Token(&token)).await, Err(401), "{what}");
        expect_refusal(&log, "bearer", what);
    }
}

#[tokio::test]
async fn reviews_say_whose_a_token_is_and_for_whom() {
    let (server, key, uid) = server(&["--api-audiences=api", "--service-account-issuer=https://i"]).await;
    let review = async |spec: Value| {
        let review = value!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec});
        create(&server, "/apis/authentication.k8s.io/v1/tokenreviews", &review).await["status"].clone()
    };
    let token = token(&server, value!({"audiences": ["vault", "api"]})).await;
    let status = review(value!({"token": (token.as_str())})).await;
    assert_eq!((status["user"]["username"].str(), &status["audiences"]), (ROBOT, &value!(["api"])));
    let status = review(value!({"token": (token.as_str()), "audiences": ["x", "vault"]})).await;
    assert_eq!((status["authenticated"].bool(), &status["audiences"]), (true, &value!(["vault"])));
    let status = review(value!({"token": (token.as_str()), "audiences": ["x"]})).await;
    let text =
        "[invalid bearer token, token audiences [\"vault\" \"api\"] is invalid for the target audiences [\"x\"]]";
    assert_eq!(status, value!({"user": {}, "error": text}));
    let expired = value!({
        "aud": ["api"], "iss": "https://i", "sub": ROBOT, "exp": 1,
        "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "robot", "uid": (uid.as_str())}}
    });
    let status = review(value!({"token": (key.sign(&expired).expect("a token"))})).await;
    assert_eq!(status["error"].str(), "[invalid bearer token, service account token has expired]");
    assert_eq!(review(value!({"token": "plain"})).await["error"].str(), "invalid bearer token");
}

#[tokio::test]
async fn kept_tokens_live_as_long_as_their_secret() {
    let (server, key, uid) = server(&[]).await;
    let token = key.sign(&kept_claims(&uid)).expect("a token");
    assert_eq!(name_of(&server, Token(&token)).await, Err(401), "no secret holds it");
    let secret = value!({
        "metadata": {"name": "kept", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
        "data": {"token": (STANDARD.encode(&token))}
    });
    create(&server, SECRETS, &secret).await;
    assert_eq!(name_of(&server, Token(&token)).await.as_deref(), Ok(ROBOT));
    let path = format!("{SECRETS}/kept");
    let labels = |value: Value| value!({"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": value}}});
    ask(&server, Itself, "PATCH", &path, &labels("2026-01-01".into())).await;
    assert_eq!(name_of(&server, Token(&token)).await, Err(401), "marked invalid");
    ask(&server, Itself, "PATCH", &path, &labels(Value::Null)).await;
    assert_eq!(name_of(&server, Token(&token)).await.as_deref(), Ok(ROBOT));
    ask(&server, Itself, "PATCH", &path, &value!({"data": {"token": (STANDARD.encode("other"))}})).await;
    assert_eq!(name_of(&server, Token(&token)).await, Err(401), "another token lies there");
    ask(&server, Itself, "PATCH", &path, &value!({"data": {"token": (STANDARD.encode(&token))}})).await;
    assert_eq!(ask(&server, Itself, "DELETE", &path, &Value::Null).await.0, 200);
    assert_eq!(name_of(&server, Token(&token)).await, Err(401), "the secret is gone");
}

/// A token that a secret keeps, as controllers of old made them.
fn kept_claims(uid: &str) -> Value {
    let claim = |name: &str| format!("kubernetes.io/serviceaccount/{name}");
    let mut claims = value!({"iss": "kubernetes/serviceaccount", "sub": ROBOT});
    for (name, text) in [
        ("namespace", "default"),
        ("secret.name", "kept"),
        ("service-account.name", "robot"),
        ("service-account.uid", uid),
    ] {
        claims.set(&claim(name), text);
    }
    claims
}

#[tokio::test]
async fn use_of_kept_tokens_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, log) = audit_flags(folder.path());
    let (server, key, uid) = server(&[&audit[0], &audit[1]]).await;
    let kept = key.sign(&kept_claims(&uid)).expect("a token");
    let secret = value!({
        "metadata": {"name": "kept", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
        "data": {"token": (STANDARD.encode(&kept))}
    });
    create(&server, SECRETS, &secret).await;
    let told = async |path: &str| {
        let head = head_of(&server, Token(&kept), "GET", path).await;
        let warning = head.headers.get("warning").map(|text| text.to_str().unwrap_or_default().to_owned());
        let annotations = audited(&log).pop().expect("an event")["annotations"].clone();
        (head.status.as_u16(), warning, annotations)
    };
    let (code, warning, annotations) = told("/version").await;
    assert_eq!((code, warning), (200, None));
    assert_eq!(annotations["authentication.k8s.io/legacy-token"].str(), ROBOT);
    assert_eq!(annotations["authentication.k8s.io/legacy-token-manual-secret"].str(), "kept");

    // The day is written by and by.
    let today = Timestamp::now().to_rfc3339().split('T').next().unwrap_or_default().to_owned();
    let path = format!("{SECRETS}/kept");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, secret) = ask(&server, Itself, "GET", &path, &Value::Null).await;
        if secret["metadata"]["labels"]["kubernetes.io/legacy-token-last-used"].str() == today {
            break;
        }
        assert!(Instant::now() < deadline, "the use is not written");
        tokio::task::yield_now().await;
    }
    let map = "/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking";
    assert_eq!(ask(&server, Itself, "GET", map, &Value::Null).await.1["data"]["since"].str(), today);

    let robot = format!("{ACCOUNTS}/robot");
    ask(&server, Itself, "PATCH", &robot, &value!({"secrets": [{"name": "kept"}]})).await;
    let (_, warning, annotations) = told("/version").await;
    let text = "299 - \"Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.\"";
    assert_eq!(warning.as_deref(), Some(text));
    assert_eq!(annotations["authentication.k8s.io/legacy-token-autogenerated-secret"].str(), "kept");

    let mark = value!({"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}}});
    ask(&server, Itself, "PATCH", &path, &mark).await;
    let (code, _, annotations) = told("/version").await;
    assert_eq!((code, annotations["authentication.k8s.io/legacy-token-invalidated"].str()), (401, "kept/default"));

    // Of new tokens the log knows which they are.
    let made = token(&server, value!({})).await;
    let claims = URL_SAFE_NO_PAD.decode(made.split('.').nth(1).unwrap_or_default()).expect("claims");
    let id = format!("JTI={}", meta::json::parse(&claims).expect("claims").value["jti"].str());
    let event = audited(&log).pop().expect("an event");
    assert_eq!(event["annotations"]["authentication.kubernetes.io/issued-credential-id"].str(), id);
}

#[tokio::test]
async fn machines_join_with_bootstrap_tokens() {
    let text = |text: &str| STANDARD.encode(text);
    let secret = value!({
        "metadata": {"name": "bootstrap-token-abcdef"},
        "type": "bootstrap.kubernetes.io/token",
        "data": {
            "token-id": (text("abcdef")),
            "token-secret": (text("0123456789abcdef")),
            "usage-bootstrap-authentication": (text("true"))
        }
    });
    let token = Token("abcdef.0123456789abcdef");
    for (flags, wanted) in [(&["--enable-bootstrap-token-auth"][..], Ok("system:bootstrap:abcdef")), (&[], Err(401))] {
        let (server, _, _) = server(flags).await;
        create(&server, "/api/v1/namespaces/kube-system/secrets", &secret).await;
        assert_eq!(name_of(&server, token).await, wanted.map(str::to_owned));
        assert_eq!(name_of(&server, Token("abcdef.0123456789abcdeg")).await, Err(401));
        let path = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef";
        assert_eq!(ask(&server, Itself, "DELETE", path, &Value::Null).await.0, 200);
        assert_eq!(name_of(&server, token).await, Err(401));
    }
}

#[tokio::test]
async fn others_can_check_tokens_by_published_keys() {
    let (server, key, _) = server(&["--service-account-jwks-uri=https://elsewhere/keys"]).await;
    let (code, document) = ask(&server, Itself, "GET", "/.well-known/openid-configuration", &Value::Null).await;
    let wanted = value!({
        "issuer": "https://kubernetes.default.svc",
        "jwks_uri": "https://elsewhere/keys",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"]
    });
    assert_eq!((code, document), (200, wanted));
    let (_, keys) = ask(&server, Itself, "GET", "/openid/v1/jwks", &Value::Null).await;
    assert_eq!(keys, value!({"keys": [(key.public().to_jwk())]}));
}

#[tokio::test]
async fn long_tokens_are_shortened_and_pods_get_a_year() {
    let (server, _, _) = server(&["--service-account-max-token-expiration=2h"]).await;
    let pod = value!({
        "metadata": {"name": "p"},
        "spec": {"serviceAccountName": "robot", "containers": [{"name": "c", "image": "i"}]}
    });
    create(&server, "/api/v1/namespaces/default/pods", &pod).await;
    let bound = value!({"apiVersion": "v1", "kind": "Pod", "name": "p"});
    let cases = [
        (value!({"expirationSeconds": 100_000}), 7200),
        (value!({"expirationSeconds": 3607}), 3607),
        (value!({"expirationSeconds": 3607, "boundObjectRef": bound}), 365 * 24 * 3600),
    ];
    for (spec, seconds) in cases {
        let token = token(&server, spec).await;
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap_or_default()).expect("base64url");
        let claims = meta::json::parse(&payload).expect("JSON").value;
        assert_eq!(claims["exp"].int() - claims["iat"].int(), seconds);
    }
}
