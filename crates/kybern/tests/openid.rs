//! Tokens of OpenID issuers, and tokens that another server knows: against servers of the test's own.

mod client;
#[path = "../../outbound/tests/peer/mod.rs"]
mod peer;

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use auth::jose::PrivateKey;
use client::Sender::{Nobody, Token};
use client::{ask, create, name_of};
use http::Response;
use kybern::TestServer;
use meta::time::Timestamp;
use meta::{Value, value};
use peer::{Peer, answer};

/// How long a change may take to be seen. (Nobody waits as long when all is well.)
const SEEN_TIME_MAX: Duration = Duration::from_secs(60);

static RSA: LazyLock<String> = LazyLock::new(|| {
    let key = <rsa::PrivateKey as rsa::Generate>::generate();
    rsa::pkcs8::EncodePrivateKey::to_pkcs8_pem(&key, rsa::pkcs8::LineEnding::LF).expect("PEM").to_string()
});

fn rsa() -> PrivateKey {
    PrivateKey::from_pem(&RSA).expect("a key")
}

fn ecdsa() -> PrivateKey {
    PrivateKey::from_pem(&rcgen::KeyPair::generate().expect("a key").serialize_pem()).expect("a key")
}

/// An OpenID issuer whose keys may change.
struct Provider {
    peer: Peer,
    published: Arc<Mutex<Vec<Value>>>,
    /// What is answered to who brings the token `access`.
    elsewhere: Arc<Mutex<String>>,
}

impl Provider {
    async fn start(keys: &[&PrivateKey]) -> Provider {
        let published = Arc::new(Mutex::new(keys.iter().map(|key| key.public().to_jwk()).collect::<Vec<Value>>()));
        let (keys, elsewhere) = (published.clone(), Arc::<Mutex<String>>::default());
        let kept = elsewhere.clone();
        let peer = Peer::start(move |request| {
            let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
            let url = format!("https://{host}");
            let document = match request.uri().path() {
                "/.well-known/openid-configuration" => value!({"issuer": (&url), "jwks_uri": (format!("{url}/keys"))}),
                "/elsewhere" => value!({"issuer": "https://issuer.example.com", "jwks_uri": (format!("{url}/keys"))}),
                "/keys" => value!({"keys": (keys.lock().expect("a lock").clone())}),
                "/groups" if request.headers().get("authorization").is_some_and(|sent| sent == "Bearer access") => {
                    return answer(200, kept.lock().expect("a lock").clone());
                }
                _ => return answer(404, ""),
            };
            answer(200, meta::json::to_vec(&document))
        })
        .await;
        Provider { peer, published, elsewhere }
    }

    fn publish(&self, keys: &[&PrivateKey]) {
        *self.published.lock().expect("a lock") = keys.iter().map(|key| key.public().to_jwk()).collect();
    }

    /// Good claims for the audience `app`, with one replaced; null leaves it out.
    fn claims(&self, name: &str, value: Value) -> Value {
        let mut claims = value!({
            "iss": (self.peer.url()), "aud": "app", "sub": "ann", "exp": (Timestamp::now().seconds + 600),
            "groups": ["dev"], "email": "ann@example.com", "email_verified": true
        });
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.set(name, value);
        }
        claims
    }
}

fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// All of the user that a token makes.
async fn user_of(server: &TestServer, token: &str) -> Value {
    let review = value!({"spec": {"token": token}});
    create(server, "/apis/authentication.k8s.io/v1/tokenreviews", &review).await["status"].clone()
}

#[tokio::test]
async fn one_issuer_by_flags() {
    let (folder, key) = (tempfile::tempdir().expect("a folder"), rsa());
    let provider = Provider::start(&[&key]).await;
    let url = provider.peer.url();
    let flags = [
        format!("--oidc-issuer-url={url}"),
        "--oidc-client-id=app".into(),
        format!("--oidc-ca-file={}", file(folder.path(), "ca.pem", &provider.peer.authority)),
        "--oidc-groups-claim=groups".into(),
        "--oidc-groups-prefix=g:".into(),
        "--oidc-required-claim=email=ann@example.com".into(),
    ];
    let server = TestServer::start_with(&flags.each_ref().map(String::as_str)).await.expect("a server");
    let sign = |claims: &Value| key.sign(claims).expect("a token");
    let status = user_of(&server, &sign(&provider.claims("x", Value::Null))).await;
    assert_eq!(status["user"]["username"].str(), format!("{url}#ann"));
    assert_eq!(status["user"]["groups"], value!(["g:dev", "system:authenticated"]));
    assert_eq!(status["audiences"], value!(["https://kubernetes.default.svc"]));
    let past = Timestamp::now().seconds - 10;
    let refused = [
        ("iss", "https://other".into(), "invalid bearer token"),
        ("aud", "else".into(), "oidc: expected audience in [\"app\"] got [\"else\"]"),
        ("exp", past.into(), "oidc: token is expired"),
        ("nbf", (past + 1000).into(), "oidc: current time is before the nbf (not before) time"),
        ("sub", Value::Null, "oidc: parse username claims \"sub\": claim not present"),
        ("email", "bob@example.com".into(), "required claim email value does not match"),
    ];
    for (claim, value, text) in refused {
        let token = sign(&provider.claims(claim, value));
        let status = user_of(&server, &token).await;
        assert!(!status["authenticated"].bool() && status["error"].str().contains(text), "{claim}: {status:?}");
        assert_eq!(name_of(&server, Token(&token)).await, Err(401), "{claim}");
    }
    // Signed by a published key, but not with RS256, which is all that the flags allow.
    let other = ecdsa();
    provider.publish(&[&key, &other]);
    let token = other.sign(&provider.claims("x", Value::Null)).expect("a token");
    let status = user_of(&server, &token).await;
    assert!(status["error"].str().contains("unexpected signature algorithm \"ES256\""), "{status:?}");
}

#[tokio::test]
async fn groups_may_be_at_another_server() {
    let (folder, key, other_key) = (tempfile::tempdir().expect("a folder"), rsa(), ecdsa());
    let (provider, other) = (Provider::start(&[&key]).await, Provider::start(&[&other_key]).await);
    let authorities = format!("{}{}", provider.peer.authority, other.peer.authority);
    let flags = [
        format!("--oidc-issuer-url={}", provider.peer.url()),
        "--oidc-client-id=app".into(),
        format!("--oidc-ca-file={}", file(folder.path(), "ca.pem", authorities)),
        "--oidc-groups-claim=groups".into(),
        "--oidc-signing-algs=RS256,ES256".into(),
    ];
    let server = TestServer::start_with(&flags.each_ref().map(String::as_str)).await.expect("a server");
    // Each token is another one: what is known of a token is believed for a while.
    let ask = async |n: i64, access: &str, far: &Value| {
        *other.elsewhere.lock().expect("a lock") = other_key.sign(far).expect("a token");
        let mut claims = provider.claims("groups", Value::Null);
        claims.set("n", n);
        claims.set("_claim_names", value!({"groups": "there"}));
        let endpoint = format!("{}/groups", other.peer.url());
        claims.set("_claim_sources", value!({"there": {"endpoint": endpoint, "access_token": access}}));
        user_of(&server, &key.sign(&claims).expect("a token")).await
    };
    let far = other.claims("groups", value!(["far", "away"]));
    let status = ask(1, "access", &far).await;
    assert_eq!(status["user"]["groups"], value!(["far", "away", "system:authenticated"]), "{status:?}");
    let mut for_others = far.clone();
    for_others.set("aud", "else");
    let mut by_nobody = far.clone();
    by_nobody.set("iss", provider.peer.url());
    let cases = [
        (2, "wrong", far.clone(), "while getting distributed claim \"groups\""),
        (3, "access", for_others, "expected audience in [\"app\"] got [\"else\"]"),
        (4, "access", other.claims("groups", Value::Null), "did not contain claim: groups"),
        (5, "access", by_nobody, "verify distributed claim token"),
    ];
    for (n, access, far, text) in cases {
        let status = ask(n, access, &far).await;
        let error = status["error"].str();
        assert!(
            error.contains("oidc: could not expand distributed claims: ") && error.contains(text),
            "{n}: {status:?}"
        );
        assert!(!status["authenticated"].bool());
    }
}

fn configuration(provider: &Provider, extra: Value) -> Value {
    let mut jwt = value!({
        "issuer": {
            "url": (provider.peer.url()), "audiences": ["app", "other"], "audienceMatchPolicy": "MatchAny",
            "certificateAuthority": (&provider.peer.authority)
        },
        "claimValidationRules": [{"expression": "claims.email_verified == true", "message": "a verified address is needed"}],
        "claimMappings": {
            "username": {"expression": "'oidc:' + claims.email"},
            "groups": {"expression": "claims.groups.map(g, 'g:' + g)"},
            "uid": {"claim": "sub"},
            "extra": [{"key": "example.com/audience", "valueExpression": "claims.aud"}]
        },
        "userValidationRules": [{"expression": "!user.username.startsWith('system:')", "message": "reserved"}]
    });
    for (key, value) in extra.entries() {
        jwt.set(key, value);
    }
    value!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [jwt]})
}

#[tokio::test]
async fn issuers_by_a_file_with_expressions_and_keys_that_rotate() {
    let (folder, [first, second]) = (tempfile::tempdir().expect("a folder"), [rsa(), ecdsa()]);
    let provider = Provider::start(&[&first]).await;
    let text = meta::json::to_vec(&configuration(&provider, Value::object()));
    let flag = format!("--authentication-config={}", file(folder.path(), "authentication.json", text));
    let server = TestServer::start_with(&[&flag]).await.expect("a server");
    let status = user_of(&server, &first.sign(&provider.claims("aud", "other".into())).expect("a token")).await;
    let wanted = value!({
        "username": "oidc:ann@example.com", "uid": "ann", "groups": ["g:dev", "system:authenticated"],
        "extra": {"example.com/audience": ["other"]}
    });
    assert_eq!(status["user"], wanted, "{status:?}");
    let unverified = first.sign(&provider.claims("email_verified", false.into())).expect("a token");
    let status = user_of(&server, &unverified).await;
    let text = "validation expression 'claims.email_verified == true' failed: a verified address is needed";
    assert!(status["error"].str().contains(text), "{status:?}");
    let token = second.sign(&provider.claims("x", Value::Null)).expect("a token");
    assert_eq!(name_of(&server, Token(&token)).await, Err(401), "not published yet");
    provider.publish(&[&second]);
    assert_eq!(name_of(&server, Token(&token)).await.as_deref(), Ok("oidc:ann@example.com"), "rotated in");
    let old = first.sign(&provider.claims("sub", "later".into())).expect("a token");
    assert_eq!(name_of(&server, Token(&old)).await, Err(401), "rotated out");
}

#[tokio::test]
async fn a_file_that_changes_and_conditions_for_nobody() {
    let (folder, key) = (tempfile::tempdir().expect("a folder"), rsa());
    let provider = Provider::start(&[&key]).await;
    let path = folder.path().join("authentication.json");
    let text = r#"{"apiVersion":"apiserver.config.k8s.io/v1","kind":"AuthenticationConfiguration","anonymous":{"enabled":true,"conditions":[{"path":"/livez"}]}}"#;
    std::fs::write(&path, text).expect("a file");
    let flag = format!("--authentication-config={}", path.display());
    let server = TestServer::start_with(&[&flag]).await.expect("a server");
    assert_eq!(ask(&server, Nobody, "GET", "/livez", &Value::Null).await.0, 200);
    assert_eq!(ask(&server, Nobody, "GET", "/readyz", &Value::Null).await.0, 401);
    assert_eq!(ask(&server, Nobody, "GET", "/livez/ping", &Value::Null).await.0, 401);
    let token = key.sign(&provider.claims("iss", "https://issuer.example.com".into())).expect("a token");
    assert_eq!(name_of(&server, Token(&token)).await, Err(401));
    // The issuer's URL is only a name; its documents are elsewhere.
    let issuer = value!({
        "url": "https://issuer.example.com", "discoveryURL": (format!("{}/elsewhere", provider.peer.url())),
        "audiences": ["app"], "certificateAuthority": (&provider.peer.authority)
    });
    let changed = configuration(&provider, value!({"issuer": issuer}));
    std::fs::write(&path, "{").expect("a file");
    std::fs::write(&path, meta::json::to_vec(&changed)).expect("a file");
    let deadline = Instant::now() + SEEN_TIME_MAX;
    while name_of(&server, Token(&token)).await.as_deref() != Ok("oidc:ann@example.com") {
        assert!(Instant::now() < deadline, "the changed file is not seen");
        tokio::task::yield_now().await;
    }
    let wrong = file(folder.path(), "wrong.json", text.replace("anonymous", "anonymus"));
    let why = TestServer::start_with(&[&format!("--authentication-config={wrong}")]).await.err().unwrap_or_default();
    assert_eq!(why, "--authentication-config: strict decoding error: unknown field \"anonymus\"");
}

/// A server that knows `good`, refuses `bad`, has no idea of `nothing` and fails on the rest.
async fn token_webhook(asked: Arc<Mutex<Vec<Value>>>) -> Peer {
    Peer::start(move |request| {
        let mut review = meta::json::parse(request.body()).map(|parsed| parsed.value).unwrap_or_default();
        asked.lock().expect("a lock").push(review.clone());
        let status = match review["spec"]["token"].str() {
            "good" => value!({
                "authenticated": true,
                "user": {"username": "ann", "uid": "7", "groups": ["dev"], "extra": {"x": ["y"]}}
            }),
            "bad" => value!({"authenticated": false, "error": "it is bad"}),
            "nothing" => value!({"authenticated": false}),
            "elsewhere" => value!({"authenticated": true, "user": {"username": "ann"}, "audiences": ["else"]}),
            "garbage" => return answer(200, "garbage"),
            "refused" => {
                let response: Response<_> = Response::builder().status(403).body("no".into()).expect("a response");
                return Box::pin(async { response });
            }
            _ => return answer(404, ""),
        };
        review.set("status", status);
        answer(200, meta::json::to_vec(&review))
    })
    .await
}

#[tokio::test]
async fn another_server_knows_tokens() {
    let (folder, asked) = (tempfile::tempdir().expect("a folder"), Arc::<Mutex<Vec<Value>>>::default());
    let peer = token_webhook(asked.clone()).await;
    let ca = file(folder.path(), "ca.pem", &peer.authority);
    let config = value!({
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": ""}}],
        "clusters": [{"name": "k", "cluster": {"server": (peer.url()), "certificate-authority": ca}}]
    });
    let config = file(folder.path(), "config", meta::json::to_vec(&config));
    let flags = [
        format!("--authentication-token-webhook-config-file={config}"),
        "--authentication-token-webhook-version=v1".into(),
        "--api-audiences=api".into(),
    ];
    let server = TestServer::start_with(&flags.each_ref().map(String::as_str)).await.expect("a server");
    for _ in 0..2 {
        assert_eq!(name_of(&server, Token("good")).await.as_deref(), Ok("ann"));
        assert_eq!(name_of(&server, Token("nothing")).await, Err(401));
    }
    let questions = asked.lock().expect("a lock").clone();
    assert_eq!(questions.len(), 2, "both answers were remembered");
    let wanted = value!({"token": "good", "audiences": ["api"]});
    assert_eq!((questions[0]["apiVersion"].str(), &questions[0]["spec"]), ("authentication.k8s.io/v1", &wanted));
    let status = user_of(&server, "good").await;
    let user =
        value!({"username": "ann", "uid": "7", "groups": ["dev", "system:authenticated"], "extra": {"x": ["y"]}});
    assert_eq!((&status["user"], &status["audiences"]), (&user, &value!(["api"])));
    assert_eq!(user_of(&server, "bad").await["error"].str(), "[invalid bearer token, it is bad]");
    for token in ["elsewhere", "garbage", "refused", "unknown"] {
        assert_eq!(name_of(&server, Token(token)).await, Err(401), "{token}");
    }
}
