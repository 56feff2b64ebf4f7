//! The client against servers that answer, refuse, are slow, talk garbage or are not who they should be.

mod peer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meta::value;
use outbound::{Authority, Backoff, Cause, Client, Endpoint, Failure, Sender, retry};
use peer::{Peer, answer};

const LONG: Duration = Duration::from_secs(60);

fn endpoint(peer: &Peer) -> Endpoint {
    Endpoint { authority: Authority::Pem(peer.authority.clone()), ..Endpoint::new(format!("{}/hook?x=1", peer.url())) }
}

/// What each path of the test's server is for.
async fn server() -> Peer {
    Peer::start(|request| match request.uri().path() {
        "/hook" => {
            let sent = meta::json::parse(request.body()).map(|parsed| parsed.value).unwrap_or_default();
            let sender = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("");
            let target = request.uri().to_string();
            answer(200, meta::json::to_vec(&value!({"got": sent, "from": sender, "target": target})))
        }
        "/garbage" => answer(200, "not { json"),
        "/status" => answer(409, r#"{"kind":"Status","message":"it is so"}"#),
        "/broken" => answer(500, "boom"),
        "/long" => answer(200, vec![b'x'; 5 * 1024 * 1024]),
        "/slow" => Box::pin(std::future::pending()),
        _ => answer(404, ""),
    })
    .await
}

#[tokio::test]
async fn documents_go_and_come() {
    let peer = server().await;
    let sender = Sender::Token("secret".into());
    let client = Client::new(&Endpoint { sender, ..endpoint(&peer) }).expect("a client");
    for n in 0..3 {
        let answered = client.post_json(&value!({"n": n}), LONG).await.expect("an answer");
        assert_eq!(answered, value!({"got": {"n": n}, "from": "Bearer secret", "target": "/hook?x=1"}));
    }
}

#[tokio::test]
async fn servers_that_sign_themselves_are_believed_when_their_certificate_is_known() {
    let peer = Peer::start_self_signed(|_| answer(200, "{}")).await;
    let client = Client::new(&endpoint(&peer)).expect("a client");
    assert_eq!(client.post_json(&value!({}), LONG).await, Ok(value!({})));
    let stranger = Peer::start_self_signed(|_| answer(200, "{}")).await;
    let other = Endpoint { authority: Authority::Pem(stranger.authority.clone()), ..endpoint(&peer) };
    let refused = Client::new(&other).expect("a client").post_json(&value!({}), LONG).await;
    assert!(refused.is_err_and(|why| why.cause == Cause::Unreachable));
    let named = Endpoint { server_name: Some("other.example".into()), ..endpoint(&peer) };
    let refused = Client::new(&named).expect("a client").post_json(&value!({}), LONG).await;
    assert!(refused.is_err_and(|why| why.text.contains("certificate is valid for")));
}

#[tokio::test]
async fn failures_say_what_happened() {
    let peer = server().await;
    let at = |path: &str| Endpoint { url: format!("{}{path}", peer.url()), ..endpoint(&peer) };
    let cases = [
        ("/garbage", Cause::Garbage, "invalid character"),
        ("/status", Cause::Refused(409), "it is so"),
        ("/broken", Cause::Refused(500), "an error on the server (\"boom\") has prevented the request from succeeding"),
        ("/none", Cause::Refused(404), "the server could not find the requested resource"),
        ("/long", Cause::TooLong, "longer than"),
    ];
    for (path, cause, text) in cases {
        let client = Client::new(&at(path)).expect("a client");
        let why = client.post_json(&value!({}), LONG).await.expect_err(path);
        assert_eq!(why.cause, cause, "{path}: {why}");
        assert!(why.text.contains(text), "{path}: {why}");
    }
    let client = Client::new(&at("/slow")).expect("a client");
    let why = client.post_json(&value!({}), Duration::from_millis(20)).await.expect_err("too slow");
    assert_eq!(why.cause, Cause::TimedOut);
    assert_eq!(why.text, format!("Post \"{}/slow\": context deadline exceeded", peer.url()));
}

#[tokio::test]
async fn only_the_right_server_is_believed() {
    let peer = server().await;
    let ask = async |endpoint: Endpoint| Client::new(&endpoint).expect("a client").post_json(&value!({}), LONG).await;
    let unknown = ask(Endpoint { authority: Authority::System, ..endpoint(&peer) }).await.expect_err("a stranger");
    let text = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    assert_eq!((unknown.cause, unknown.text.ends_with(text)), (Cause::Unreachable, true), "{unknown}");
    let other = Endpoint { server_name: Some("example.com".into()), ..endpoint(&peer) };
    let other = ask(other).await.expect_err("another name");
    assert!(other.text.ends_with("x509: certificate is valid for 127.0.0.1, localhost, not example.com"), "{other}");
    assert!(ask(Endpoint { authority: Authority::Anything, ..endpoint(&peer) }).await.is_ok());
    // A service's name is not where the service is.
    let address = Some(("127.0.0.1".to_owned(), peer.address.port()));
    let named = Endpoint { url: "https://localhost:443/hook".into(), address, ..endpoint(&peer) };
    assert!(ask(named).await.is_ok());
}

#[tokio::test]
async fn nobody_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = Client::new(&Endpoint::new(format!("https://{address}"))).expect("a client");
    let why = client.post_json(&value!({}), LONG).await.expect_err("nobody");
    assert_eq!(why.text, format!("Post \"https://{address}/\": dial tcp {address}: connect: connection refused"));
    assert!(!why.is_temporary());
}

#[tokio::test]
async fn what_may_succeed_later_is_tried_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let peer = Peer::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => answer(500, "boom"),
        1 => answer(429, ""),
        _ => answer(200, "{}"),
    })
    .await;
    let client = Client::new(&endpoint(&peer)).expect("a client");
    let backoff = Backoff { first: Duration::ZERO, ..Backoff::WEBHOOK };
    let nothing = value!({});
    let answered = retry(backoff, || client.post_json(&nothing, LONG)).await;
    assert_eq!((answered, count.load(Ordering::SeqCst)), (Ok(value!({})), 3));
    let final_one = Failure::new(Cause::Refused(403), "no");
    let mut tries = 0;
    let refused = retry(backoff, || {
        tries += 1;
        std::future::ready(Err::<(), _>(final_one.clone()))
    });
    assert_eq!((refused.await, tries), (Err(final_one), 1));
}

#[test]
fn kubeconfig_files() {
    let text = |cluster: &str, user: &str| {
        format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        )
    };
    let read = |cluster: &str, user: &str| Endpoint::from_kubeconfig(&text(cluster, user), Path::new("/nowhere"));
    let good = read("server: https://a/b, insecure-skip-tls-verify: true, tls-server-name: other", "token: t").ok();
    let good = good.expect("well formed");
    assert_eq!((good.url.as_str(), good.server_name.as_deref()), ("https://a/b", Some("other")));
    assert!(matches!((good.authority, good.sender), (Authority::Anything, Sender::Token(t)) if t == "t"));
    let refused = [
        ("insecure-skip-tls-verify: true", "", "no server found"),
        ("server: https://a, certificate-authority: ca.pem", "", "certificate-authority: /nowhere/ca.pem"),
        ("server: https://a, certificate-authority-data: '!'", "", "certificate-authority-data is no base64"),
        ("server: https://a, proxy-url: http://p", "", "proxy-url is not supported"),
        ("server: https://a", "exec: {command: x}", "exec is not supported"),
        ("server: https://a", "client-certificate-data: eA==", "belong together"),
    ];
    for (cluster, user, text) in refused {
        let why = read(cluster, user).err().unwrap_or_default();
        assert!(why.contains(text), "{cluster} {user}: {why}");
    }
    assert!(Endpoint::from_kubeconfig("{}", Path::new("/")).is_err());
}
