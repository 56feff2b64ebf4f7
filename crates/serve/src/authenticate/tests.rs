use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn union(anonymous: bool) -> Authenticators {
    let file = TokenFile::parse("secret,ann,7,\"dev,ops\"\n\n,empty,1\nbare,bob,8").expect("well formed");
    let tokens = BearerTokens { kinds: vec![Arc::new(file)], audiences: vec!["api".into()] };
    let anonymous = Arc::new(if anonymous { Anonymous::Everywhere } else { Anonymous::Nobody });
    Authenticators { ordered: vec![], tokens, anonymous: Arc::new(arc_swap::ArcSwap::new(anonymous)) }
}

async fn ask(union: &Authenticators, headers: &[(&str, &str)]) -> Result<(String, String), u16> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header name");
        map.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    let peer = Peer::default();
    let credentials = Credentials { headers: &map, peer: &peer, path: "/", warnings: &Warnings::default() };
    match union.authenticate(&credentials).await {
        Ok(who) => Ok((who.user().name.to_string(), who.user().groups.join(" "))),
        Err(status) => Err(status.code),
    }
}

/// The cases of the recorded scenario authn/bad-credentials, and those of its neighbours.
#[tokio::test]
async fn authorization_headers() {
    let anonymous = Ok((ANONYMOUS.to_owned(), GROUP_UNAUTHENTICATED.to_owned()));
    let ann = Ok(("ann".to_owned(), "dev ops system:authenticated".to_owned()));
    let cases = [
        ("Bearer secret", ann.clone()),
        ("bearer secret", ann.clone()),
        ("Bearer secret trailing", ann),
        ("Bearer bare", Ok(("bob".to_owned(), "system:authenticated".to_owned()))),
        ("Bearer wrong", Err(401)),
        ("Bearer a.b.c", Err(401)),
        ("Bearer", anonymous.clone()),
        ("Bearer  ", anonymous.clone()),
        ("Bearer  secret", anonymous.clone()),
        ("Basic YWRtaW46eA==", anonymous.clone()),
        ("Token secret", anonymous.clone()),
        ("", anonymous.clone()),
    ];
    let open = union(true);
    for (header, want) in cases {
        assert_eq!(ask(&open, &[("Authorization", header)]).await, want, "{header:?}");
    }
    assert_eq!(ask(&open, &[]).await, anonymous);
    assert_eq!(ask(&union(false), &[]).await, Err(401));
}

#[tokio::test]
async fn websocket_subprotocols() {
    let websocket = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    let token = "base64url.bearer.authorization.k8s.io.c2VjcmV0";
    let both = format!("{token}, base64.channel.k8s.io");
    let twice = format!("{token}, {token}, v4.channel.k8s.io");
    let cases = [
        (both.as_str(), Ok("ann".to_owned())),
        (token, Err(401)),
        (&twice, Err(401)),
        ("base64url.bearer.authorization.k8s.io.!!, x", Err(401)),
        ("x", Ok(ANONYMOUS.to_owned())),
    ];
    for (protocols, want) in cases {
        let mut headers = websocket.to_vec();
        headers.push(("Sec-WebSocket-Protocol", protocols));
        let got = ask(&union(true), &headers).await.map(|(name, _)| name);
        assert_eq!(got, want, "{protocols}");
    }
    let plain = ask(&union(true), &[("Sec-WebSocket-Protocol", &both)]).await;
    assert_eq!(plain.map(|(name, _)| name), Ok(ANONYMOUS.to_owned()), "only WebSocket requests may carry it so");
}

#[test]
fn token_files() {
    assert!(TokenFile::parse("only,two").is_err());
    assert!(TokenFile::parse("a,\"open,c").is_err());
    assert!(TokenFile::parse("").is_ok());
}
