use super::*;
use meta::value;
use ring::rand::SystemRandom;
use ring::signature::{self, RsaEncoding, RsaKeyPair};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use std::sync::LazyLock;

/// A P-521 key, which rcgen does not make: the scalar 7.
fn sec1_p521() -> String {
    let mut scalar = vec![0; 66];
    scalar[65] = 7;
    let oid = der::element(der::OID, &[0x2b, 0x81, 0x04, 0x00, 0x23]);
    let parts = [der::element(der::INTEGER, &[1]), der::element(der::OCTET_STRING, &scalar), der::element(0xa0, &oid)];
    pem("EC PRIVATE KEY", &der::element(der::SEQUENCE, &parts.concat()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// Making one takes a while.
static RSA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = <rsa::PrivateKey as rsa::Generate>::generate();
    key.to_pkcs1_der().expect("DER").as_bytes().to_vec()
});

fn keys() -> Vec<(&'static str, String)> {
    let curve = |algorithm| rcgen::KeyPair::generate_for(algorithm).expect("a key").serialize_pem();
    vec![
        ("RS256", pem("RSA PRIVATE KEY", &RSA)),
        ("ES256", curve(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("ES384", curve(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("ES512", sec1_p521()),
    ]
}

fn verify(token: &str, keys: &[PublicKey], accepted: &[Algorithm]) -> Result<Value, String> {
    let unverified = Unverified::parse(token).ok_or("no token")?;
    let claims = unverified.verify(keys.iter(), accepted).map_err(|why| why.to_string())?;
    Ok(Value::clone(&claims))
}

#[test]
fn what_a_key_signs_its_public_half_verifies() {
    let claims = value!({"iss": "i", "sub": "s"});
    for (algorithm, pem) in keys() {
        let key = PrivateKey::from_pem(&pem).expect(algorithm);
        let token = key.sign(&claims).expect(algorithm);
        let header = Unverified::parse(&token).map(|token| token.header).expect(algorithm);
        assert_eq!(header, value!({"alg": algorithm, "kid": (&key.public().id)}));
        let published = PublicKey::from_jwk(&key.public().to_jwk()).expect(algorithm);
        for public in [key.public(), published, PublicKey::all_from_pem(&pem).expect(algorithm)[0].clone()] {
            assert_eq!(verify(&token, &[public], Algorithm::OF_ACCOUNTS), Ok(claims.clone()), "{algorithm}");
        }
        let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
        let mut other = PublicKey::all_from_pem(&other).expect("keys").remove(0);
        assert_eq!(verify(&token, &[other.clone()], Algorithm::ALL), Err(Refusal::NoKey.to_string()), "{algorithm}");
        other.id = String::new();
        assert_eq!(verify(&token, &[other], Algorithm::ALL), Err(Refusal::Signature.to_string()), "{algorithm}");
    }
}

#[test]
fn keys_are_named_by_their_public_key_info() {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let digest = ring::digest::digest(&ring::digest::SHA256, &rcgen::PublicKeyData::subject_public_key_info(&pair));
    let public = PublicKey::all_from_pem(&pair.public_key_pem()).expect("a key").remove(0);
    assert_eq!(public.id, URL_SAFE_NO_PAD.encode(digest));
    let rsa = PrivateKey::from_pem(&pem("RSA PRIVATE KEY", &RSA)).expect("a key").public();
    let spki = rsa::pkcs8::EncodePublicKey::to_public_key_der(&rsa_public()).expect("DER");
    assert_eq!(rsa.id, URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, spki.as_bytes())));
}

fn rsa_public() -> rsa::PublicKey {
    let key: rsa::PrivateKey = rsa::pkcs1::DecodeRsaPrivateKey::from_pkcs1_der(&RSA).expect("a key");
    key.to_public_key()
}

/// A token with any header, signed by anything.
fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(json::to_vec(value));
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn every_algorithm_of_rsa() {
    let pair = RsaKeyPair::from_der(&RSA).expect("a key");
    let public = PublicKey::from_pkcs1(pair.public().as_ref()).expect("a key");
    let paddings: [(&str, &dyn RsaEncoding); 6] = [
        ("RS256", &signature::RSA_PKCS1_SHA256),
        ("RS384", &signature::RSA_PKCS1_SHA384),
        ("RS512", &signature::RSA_PKCS1_SHA512),
        ("PS256", &signature::RSA_PSS_SHA256),
        ("PS384", &signature::RSA_PSS_SHA384),
        ("PS512", &signature::RSA_PSS_SHA512),
    ];
    for (name, padding) in paddings {
        let text = token(&value!({"alg": name}), &value!({"sub": "s"}), |signed| {
            let mut out = vec![0; pair.public().modulus_len()];
            pair.sign(padding, &SystemRandom::new(), signed, &mut out).expect("a signature");
            out
        });
        let own_key = std::slice::from_ref(&public);
        assert!(verify(&text, own_key, Algorithm::ALL).is_ok(), "{name}");
        let own = Algorithm::parse(name).expect("known");
        let others: Vec<Algorithm> = Algorithm::ALL.iter().copied().filter(|other| *other != own).collect();
        assert!(verify(&text, own_key, &others).is_err(), "{name} is not accepted where it is not asked for");
        let mut bound = public.to_jwk();
        bound.set("alg", if name == "RS256" { "PS256" } else { "RS256" });
        let bound = PublicKey::from_jwk(&bound).expect("a key");
        assert!(verify(&text, &[bound], Algorithm::ALL).is_err(), "{name} with a key that is for another algorithm");
    }
}

#[test]
fn tricks_are_refused() {
    let (_, pem) = keys().remove(1);
    let key = PrivateKey::from_pem(&pem).expect("a key");
    let (claims, accepted) = (value!({"iss": "i"}), Algorithm::ALL);
    let keys = [key.public()];
    let good = key.sign(&claims).expect("a token");
    assert!(verify(&good, &keys, accepted).is_ok());
    let public_pem = base64::engine::general_purpose::STANDARD.encode(json::to_vec(&key.public().to_jwk()));
    let hmac = |signed: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public_pem.as_bytes());
        ring::hmac::sign(&key, signed).as_ref().to_vec()
    };
    let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
    let signature = URL_SAFE_NO_PAD.decode(&parts[2]).expect("base64url");
    let es384 = value!({"alg": "ES384"});
    let cases = [
        ("none", token(&value!({"alg": "none"}), &claims, |_| vec![])),
        ("None", token(&value!({"alg": "None"}), &claims, |_| vec![])),
        ("HS256 with the public key", token(&value!({"alg": "HS256"}), &claims, hmac)),
        ("no algorithm", token(&value!({}), &claims, |_| signature.clone())),
        ("another curve's algorithm", token(&es384, &claims, |_| signature.clone())),
        ("no signature", token(&value!({"alg": "ES256"}), &claims, |_| vec![])),
        ("zeros", token(&value!({"alg": "ES256"}), &claims, |_| vec![0; 64])),
        ("critical headers", token(&value!({"alg": "ES256", "crit": ["x"], "x": 1}), &claims, |_| signature.clone())),
        ("other claims", {
            parts[1] = URL_SAFE_NO_PAD.encode(r#"{"iss":"other"}"#);
            parts.join(".")
        }),
        ("a part too many", format!("{good}.x")),
        ("a part too few", "a.b".into()),
        ("padding", format!("{good}=")),
        ("oversized", format!("{}{good}", "A".repeat(TOKEN_BYTES_MAX))),
        ("nothing", String::new()),
    ];
    for (what, text) in cases {
        assert!(verify(&text, &keys, accepted).is_err(), "{what}");
    }
}

#[test]
fn key_files() {
    let (all, texts): (Vec<_>, Vec<String>) = keys().into_iter().unzip();
    let read = PublicKey::all_from_pem(&texts.concat()).expect("keys");
    assert_eq!(read.iter().map(|key| key.algorithm().name()).collect::<Vec<_>>(), all);
    let issued = rcgen::generate_simple_self_signed(vec!["a".into()]).expect("a certificate");
    let of_certificate = PublicKey::all_from_pem(&issued.cert.pem()).expect("a key");
    assert_eq!(of_certificate, PublicKey::all_from_pem(&issued.signing_key.public_key_pem()).expect("a key"));
    for text in ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        assert!(PublicKey::all_from_pem(text).is_err() && PrivateKey::from_pem(text).is_err(), "{text}");
    }
}
