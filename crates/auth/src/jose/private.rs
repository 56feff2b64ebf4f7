//! Keys that sign.

use super::algorithm::Algorithm;
use super::der;
use super::public::{Curve, Material, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meta::{Value, json, value};
use p521::ecdsa::signature::Signer as _;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use rustls_pki_types::pem::{PemObject as _, SectionKind};

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    P521(Box<p521::ecdsa::SigningKey>),
}

/// A private key of RSA or of a curve. Shows nothing of itself.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

impl PrivateKey {
    /// The first private key of a PEM file: PKCS #1, SEC 1 or PKCS #8.
    pub fn from_pem(pem: &str) -> Result<PrivateKey, String> {
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
            let (kind, der) = section.map_err(|why| why.to_string())?;
            if let Some(key) = PrivateKey::from_section(kind, &der) {
                return Ok(key);
            }
        }
        Err("data does not contain a valid RSA or ECDSA private key".into())
    }

    pub(crate) fn from_section(kind: SectionKind, der: &[u8]) -> Option<PrivateKey> {
        match kind {
            SectionKind::RsaPrivateKey => PrivateKey::from_rsa(RsaKeyPair::from_der(der).ok()?),
            SectionKind::EcPrivateKey => PrivateKey::from_sec1(der, None),
            SectionKind::PrivateKey => PrivateKey::from_pkcs8(der),
            _ => None,
        }
    }

    fn from_rsa(pair: RsaKeyPair) -> Option<PrivateKey> {
        let public = PublicKey::from_pkcs1(pair.public_key().as_ref())?;
        Some(PrivateKey { pair: Pair::Rsa(pair), public })
    }

    fn from_pkcs8(der: &[u8]) -> Option<PrivateKey> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return PrivateKey::from_rsa(pair);
        }
        let (content, _) = der::read(der::SEQUENCE, der)?;
        let (_version, rest) = der::read(der::INTEGER, content)?;
        let (algorithm, rest) = der::read(der::SEQUENCE, rest)?;
        let (_, parameters) = der::read(der::OID, algorithm)?;
        let (curve, _) = der::read(der::OID, parameters)?;
        let (inner, _) = der::read(der::OCTET_STRING, rest)?;
        PrivateKey::from_sec1(inner, Curve::ALL.into_iter().find(|known| known.oid() == curve))
    }

    /// ECPrivateKey of RFC 5915. Its curve is told by the PKCS #8 around it, or by itself.
    fn from_sec1(der: &[u8], curve: Option<Curve>) -> Option<PrivateKey> {
        const PARAMETERS: u8 = 0xa0;
        const POINT: u8 = 0xa1;
        let (content, _) = der::read(der::SEQUENCE, der)?;
        let (_version, rest) = der::read(der::INTEGER, content)?;
        let (scalar, rest) = der::read(der::OCTET_STRING, rest)?;
        let (named, rest) = der::read(PARAMETERS, rest).unwrap_or((&[], rest));
        let named = der::read(der::OID, named).map(|(oid, _)| oid);
        let curve = curve.or_else(|| Curve::ALL.into_iter().find(|known| named == Some(known.oid())))?;
        let point = der::read(POINT, rest).and_then(|(point, _)| der::read(der::BIT_STRING, point));
        let point = point.and_then(|(bits, _)| bits.strip_prefix(&[0]));
        if curve == Curve::P521 {
            let key = p521::ecdsa::SigningKey::from_slice(scalar).ok()?;
            let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
            let public = PublicKey::new(Material::Ec { curve, point });
            return Some(PrivateKey { pair: Pair::P521(Box::new(key)), public });
        }
        let by = if curve == Curve::P256 {
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING
        } else {
            &signature::ECDSA_P384_SHA384_FIXED_SIGNING
        };
        let pair = EcdsaKeyPair::from_private_key_and_public_key(by, scalar, point?, &SystemRandom::new()).ok()?;
        let point = pair.public_key().as_ref().to_vec();
        Some(PrivateKey { pair: Pair::Ecdsa(pair), public: PublicKey::new(Material::Ec { curve, point }) })
    }

    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> Result<String, String> {
        let header = value!({"alg": (self.algorithm().name()), "kid": (&self.public.id)});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(json::to_vec(value));
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ecdsa(key) => key.sign(&random, signed.as_bytes()).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(key) => {
                let mut out = vec![0; key.public().modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut out).map(|()| out)
            }
            Pair::P521(key) => {
                let signature: Result<p521::ecdsa::Signature, _> = key.try_sign(signed.as_bytes());
                signature.map(|signature| signature.to_bytes().to_vec()).map_err(|_| ring::error::Unspecified)
            }
        };
        let signature = signature.map_err(|_| "the token could not be signed".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }
}
