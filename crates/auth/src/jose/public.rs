//! Keys that verify.

use super::algorithm::Algorithm;
use super::der;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meta::{Value, value};
use p521::ecdsa::signature::Verifier as _;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::pem::{PemObject as _, SectionKind};

/// The curves of RFC 7518, with the length of a coordinate in bytes and the curve's object identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub const ALL: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    pub fn name(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::P521 => "P-521",
        }
    }

    pub fn algorithm(self) -> Algorithm {
        match self {
            Curve::P256 => Algorithm::Es256,
            Curve::P384 => Algorithm::Es384,
            Curve::P521 => Algorithm::Es512,
        }
    }

    pub fn coordinate_bytes(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    pub fn oid(self) -> &'static [u8] {
        match self {
            Curve::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Curve::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
            Curve::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Material {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point: 4, x, y.
    Ec { curve: Curve, point: Vec<u8> },
}

/// A public key of RSA or of a curve.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicKey {
    /// `kid`; "" for a key of a set that names none.
    pub id: String,
    /// The only algorithm that the key set allows it.
    only: Option<Algorithm>,
    material: Material,
}

impl PublicKey {
    /// Named as service account keys are: by the digest of their SubjectPublicKeyInfo.
    pub(crate) fn new(material: Material) -> PublicKey {
        let mut key = PublicKey { id: String::new(), only: None, material };
        let digest = ring::digest::digest(&ring::digest::SHA256, &key.spki());
        key.id = URL_SAFE_NO_PAD.encode(digest);
        key
    }

    /// The public keys of a PEM file: of public keys, of certificates and of private keys.
    pub fn all_from_pem(pem: &str) -> Result<Vec<PublicKey>, String> {
        let mut keys = vec![];
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
            let (kind, der) = section.map_err(|why| why.to_string())?;
            let key = match kind {
                SectionKind::PublicKey => PublicKey::from_spki(&der),
                SectionKind::Certificate => spki_of_certificate(&der).and_then(|spki| PublicKey::from_spki(&spki)),
                _ => super::PrivateKey::from_section(kind, &der).map(|key| key.public()),
            };
            keys.extend(key);
        }
        if keys.is_empty() { Err("data does not contain any valid RSA or ECDSA public keys".into()) } else { Ok(keys) }
    }

    fn from_spki(spki: &[u8]) -> Option<PublicKey> {
        let (content, _) = der::read(der::SEQUENCE, spki)?;
        let (algorithm, rest) = der::read(der::SEQUENCE, content)?;
        let (bits, _) = der::read(der::BIT_STRING, rest)?;
        let bits = bits.strip_prefix(&[0])?;
        let (oid, parameters) = der::read(der::OID, algorithm)?;
        if oid == der::RSA_ENCRYPTION {
            return PublicKey::from_pkcs1(bits);
        }
        let (curve, _) = der::read(der::OID, parameters).filter(|_| oid == der::EC_PUBLIC_KEY)?;
        let curve = Curve::ALL.into_iter().find(|known| known.oid() == curve)?;
        let point = bits.to_vec();
        let whole = point.first() == Some(&4) && point.len() == 1 + 2 * curve.coordinate_bytes();
        whole.then(|| PublicKey::new(Material::Ec { curve, point }))
    }

    pub(crate) fn from_pkcs1(der: &[u8]) -> Option<PublicKey> {
        let (content, _) = der::read(der::SEQUENCE, der)?;
        let (n, rest) = der::read(der::INTEGER, content)?;
        let (e, _) = der::read(der::INTEGER, rest)?;
        let [n, e] = [n, e].map(|number| der::strip_zeros(number).to_vec());
        Some(PublicKey::new(Material::Rsa { n, e }))
    }

    /// A key of a JSON web key set; `None` for those that are for something else.
    pub fn from_jwk(jwk: &Value) -> Option<PublicKey> {
        if !matches!(jwk["use"].str(), "" | "sig") {
            return None;
        }
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].str()).ok().filter(|bytes| !bytes.is_empty());
        let material = match jwk["kty"].str() {
            "RSA" => {
                Material::Rsa { n: der::strip_zeros(&bytes("n")?).to_vec(), e: der::strip_zeros(&bytes("e")?).to_vec() }
            }
            "EC" => {
                let curve = Curve::ALL.into_iter().find(|curve| curve.name() == jwk["crv"].str())?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                let whole = [&x, &y].iter().all(|coordinate| coordinate.len() == curve.coordinate_bytes());
                Material::Ec { curve, point: whole.then(|| [&[4], x.as_slice(), &y].concat())? }
            }
            _ => return None,
        };
        let only = match jwk["alg"].str() {
            "" => None,
            name => Some(Algorithm::parse(name)?),
        };
        Some(PublicKey { id: jwk["kid"].str().to_owned(), only, material })
    }

    /// As a key set has it, in upstream's order of members.
    pub fn to_jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let common = |kty: &str| value!({"use": "sig", "kty": kty, "kid": (&self.id)});
        match &self.material {
            Material::Rsa { n, e } => {
                let mut jwk = common("RSA");
                jwk.set("alg", self.algorithm().name());
                jwk.set("n", text(n));
                jwk.set("e", text(e));
                jwk
            }
            Material::Ec { curve, point } => {
                let mut jwk = common("EC");
                jwk.set("crv", curve.name());
                jwk.set("alg", self.algorithm().name());
                let (x, y) =
                    point.get(1..).unwrap_or_default().split_at_checked(curve.coordinate_bytes()).unwrap_or_default();
                jwk.set("x", text(x));
                jwk.set("y", text(y));
                jwk
            }
        }
    }

    /// The one that service account tokens of this key are signed with.
    pub fn algorithm(&self) -> Algorithm {
        match &self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::Ec { curve, .. } => curve.algorithm(),
        }
    }

    fn spki(&self) -> Vec<u8> {
        let (identifier, bits) = match &self.material {
            Material::Rsa { n, e } => {
                let key = der::element(der::SEQUENCE, &[der::unsigned(n), der::unsigned(e)].concat());
                let parameters = der::element(der::NULL, &[]);
                ([der::element(der::OID, der::RSA_ENCRYPTION), parameters].concat(), key)
            }
            Material::Ec { curve, point } => {
                let parameters = der::element(der::OID, curve.oid());
                ([der::element(der::OID, der::EC_PUBLIC_KEY), parameters].concat(), point.clone())
            }
        };
        let bits = der::element(der::BIT_STRING, &[&[0], bits.as_slice()].concat());
        der::element(der::SEQUENCE, &[der::element(der::SEQUENCE, &identifier), bits].concat())
    }

    /// Whether this key has signed that.
    pub fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if self.only.is_some_and(|only| only != algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { n, e } => rsa_parameters(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }),
            Material::Ec { curve, point } if curve.algorithm() == algorithm => {
                let by: &dyn VerificationAlgorithm = match curve {
                    Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
                    Curve::P521 => return verify_p521(point, signed, signature),
                };
                UnparsedPublicKey::new(by, point).verify(signed, signature).is_ok()
            }
            Material::Ec { .. } => false,
        }
    }
}

/// ring has no P-521.
fn verify_p521(point: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point);
    let signature = p521::ecdsa::Signature::from_slice(signature);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(signed, &signature).is_ok())
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

/// As it stands in the certificate.
fn spki_of_certificate(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.public_key().raw.to_vec())
}
