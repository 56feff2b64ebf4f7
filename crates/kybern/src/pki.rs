//! The keys and certificates that kybern makes for itself on the first start and uses again on later ones.

use std::fmt::Display;
use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType,
};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::data_dir::{DataDir, Secrecy, read, write};

/// A certificate and its key, PEM.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Pki {
    pub ca: String,
    pub serving: Pair,
    pub admin: Pair,
    /// Signs service account tokens: a P-256 key, PKCS #8 PEM.
    pub service_account_key: String,
}

const YEAR_SECONDS: i64 = 365 * 24 * 3600;
/// Certificates with less time left are made anew at the next start.
const RENEWAL_SECONDS: i64 = 30 * 24 * 3600;
/// Certificates are valid from an hour ago, for clients whose clocks are behind.
const BACKDATED_SECONDS: i64 = 3600;

/// Loads what is there and makes what is missing, expires soon or does not cover `names`.
pub fn open(dir: &DataDir, names: &[SanType]) -> Result<Pki, String> {
    let ca = open_ca(dir)?;
    let serving = open_leaf(dir, "apiserver", &ca, &serving_params(names), |leaf| covers(leaf, names))?;
    let admin = open_leaf(dir, "admin", &ca, &admin_params(), |_| true)?;
    let service_account_key = open_service_account_key(dir)?;
    Ok(Pki { ca: ca.certificate, serving, admin, service_account_key })
}

/// The same without a directory: everything new and nothing kept.
pub fn ephemeral(names: &[SanType]) -> Result<Pki, String> {
    let ca = new_ca()?;
    let serving = new_leaf(&ca, &serving_params(names))?;
    let admin = new_leaf(&ca, &admin_params())?;
    let service_account_key = KeyPair::generate().map_err(text)?.serialize_pem();
    Ok(Pki { ca: ca.certificate, serving, admin, service_account_key })
}

/// The names that the serving certificate is for.
pub fn serving_names(addresses: &[IpAddr], extra: &[String]) -> Vec<SanType> {
    let fixed = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let host = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let mut names: Vec<SanType> = vec![];
    for name in fixed.into_iter().map(str::to_owned).chain([host]).chain(extra.iter().cloned()) {
        let name = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => match name.as_str().try_into() {
                Ok(name) => SanType::DnsName(name),
                Err(_) => continue,
            },
        };
        names.push(name);
    }
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    names.extend(loopback.iter().chain(addresses).map(|address| SanType::IpAddress(*address)));
    let mut unique: Vec<SanType> = vec![];
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

fn open_ca(dir: &DataDir) -> Result<Pair, String> {
    match read_pair(dir, "ca")? {
        Some(pair) => Ok(pair),
        None => save_pair(dir, "ca", new_ca()?),
    }
}

fn open_leaf(
    dir: &DataDir,
    name: &str,
    ca: &Pair,
    params: &CertificateParams,
    fits: impl Fn(&X509Certificate<'_>) -> bool,
) -> Result<Pair, String> {
    if let Some(pair) = read_pair(dir, name)?
        && is_current(&pair, &ca.certificate, fits)?
    {
        return Ok(pair);
    }
    save_pair(dir, name, new_leaf(ca, params)?)
}

fn open_service_account_key(dir: &DataDir) -> Result<String, String> {
    let path = dir.pki("sa.key");
    if let Some(key) = read(&path).map_err(text)? {
        return Ok(key);
    }
    let key = KeyPair::generate().map_err(text)?;
    write(&path, &key.serialize_pem(), Secrecy::Secret).map_err(text)?;
    write(&dir.pki("sa.pub"), &key.public_key_pem(), Secrecy::Public).map_err(text)?;
    Ok(key.serialize_pem())
}

/// A pair counts only when both files are there; the key is written first.
fn read_pair(dir: &DataDir, name: &str) -> Result<Option<Pair>, String> {
    let key = read(&dir.pki(&format!("{name}.key"))).map_err(text)?;
    let certificate = read(&dir.pki(&format!("{name}.crt"))).map_err(text)?;
    Ok(key.zip(certificate).map(|(key, certificate)| Pair { certificate, key }))
}

fn save_pair(dir: &DataDir, name: &str, pair: Pair) -> Result<Pair, String> {
    write(&dir.pki(&format!("{name}.key")), &pair.key, Secrecy::Secret).map_err(text)?;
    write(&dir.pki(&format!("{name}.crt")), &pair.certificate, Secrecy::Public).map_err(text)?;
    Ok(pair)
}

/// Whether a leaf is signed by this CA, will be valid for a while, has the key that lies beside it, and fits.
fn is_current(pair: &Pair, ca: &str, fits: impl Fn(&X509Certificate<'_>) -> bool) -> Result<bool, String> {
    let key = parse_key(&pair.key)?;
    let (ca, leaf) = (der_of(ca)?, der_of(&pair.certificate)?);
    let (_, ca) = X509Certificate::from_der(&ca).map_err(text)?;
    let (_, leaf) = X509Certificate::from_der(&leaf).map_err(text)?;
    let left = leaf.validity().not_after.timestamp().saturating_sub(now_seconds());
    // The name of the CA is its own (it has the time in it), so equal names mean the same CA.
    let signed = leaf.issuer().as_raw() == ca.subject().as_raw();
    let has_key = leaf.public_key().raw == key.subject_public_key_info();
    Ok(signed && has_key && left > RENEWAL_SECONDS && fits(&leaf))
}

fn covers(leaf: &X509Certificate<'_>, names: &[SanType]) -> bool {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return false };
    let has = |wanted: &SanType| {
        extension.value.general_names.iter().any(|name| match (name, wanted) {
            (GeneralName::DNSName(have), SanType::DnsName(want)) => *have == want.as_str(),
            (GeneralName::IPAddress(have), SanType::IpAddress(IpAddr::V4(want))) => *have == want.octets(),
            (GeneralName::IPAddress(have), SanType::IpAddress(IpAddr::V6(want))) => *have == want.octets(),
            _ => false,
        })
    };
    names.iter().all(has)
}

fn new_ca() -> Result<Pair, String> {
    // The name differs from CA to CA, so that a client with an old one says "unknown authority" and not "bad signature".
    let key = KeyPair::generate().map_err(text)?;
    let mut params = params(
        &format!("kybern-ca@{}", time::OffsetDateTime::now_utc().unix_timestamp_nanos()),
        &[],
        10 * YEAR_SECONDS,
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(text)?.pem();
    Ok(Pair { certificate, key: key.serialize_pem() })
}

fn new_leaf(ca: &Pair, params: &CertificateParams) -> Result<Pair, String> {
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, parse_key(&ca.key)?).map_err(text)?;
    let key = KeyPair::generate().map_err(text)?;
    let certificate = params.signed_by(&key, &issuer).map_err(text)?.pem();
    Ok(Pair { certificate, key: key.serialize_pem() })
}

fn serving_params(names: &[SanType]) -> CertificateParams {
    let mut params = leaf_params("kube-apiserver", &[], ExtendedKeyUsagePurpose::ServerAuth);
    params.subject_alt_names = names.to_vec();
    params
}

fn admin_params() -> CertificateParams {
    leaf_params("kubernetes-admin", &["system:masters"], ExtendedKeyUsagePurpose::ClientAuth)
}

fn leaf_params(name: &str, organizations: &[&str], usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = params(name, organizations, YEAR_SECONDS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn params(name: &str, organizations: &[&str], seconds: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    for organization in organizations {
        subject.push(DnType::OrganizationName, *organization);
    }
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let now = now_seconds();
    params.not_before = date(now.saturating_sub(BACKDATED_SECONDS));
    params.not_after = date(now.saturating_add(seconds));
    params
}

fn date(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

fn now_seconds() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn parse_key(pem: &str) -> Result<KeyPair, String> {
    KeyPair::from_pem(pem).map_err(text)
}

fn der_of(pem: &str) -> Result<Vec<u8>, String> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).map(|(_, pem)| pem.contents).map_err(text)
}

fn text(why: impl Display) -> String {
    why.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn names(extra: &[&str]) -> Vec<SanType> {
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        serving_names(&[IpAddr::from([10, 0, 0, 1])], &extra)
    }

    #[test]
    fn what_was_made_is_used_again() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = DataDir::open(root.path().join("data")).expect("a data directory");
        let first = open(&dir, &names(&[])).expect("certificates");
        let again = open(&dir, &names(&[])).expect("certificates");
        assert_eq!((&first.ca, &first.serving, &first.admin), (&again.ca, &again.serving, &again.admin));
        assert_eq!(first.service_account_key, again.service_account_key);

        let renamed = open(&dir, &names(&["api.example.com", "192.0.2.7"])).expect("certificates");
        assert_ne!(renamed.serving, first.serving, "a new name needs a new certificate");
        assert_eq!((renamed.ca, renamed.admin), (first.ca.clone(), first.admin.clone()));

        std::fs::remove_file(dir.pki("ca.crt")).expect("the file");
        let other = open(&dir, &names(&[])).expect("certificates");
        assert_ne!(other.ca, first.ca);
        assert_ne!(other.admin, first.admin, "a leaf of another CA is of no use");
    }

    #[test]
    fn keys_are_the_owners_only() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = DataDir::open(root.path().join("data")).expect("a data directory");
        open(&dir, &names(&[])).expect("certificates");
        for file in ["ca.key", "apiserver.key", "admin.key", "sa.key"] {
            let mode = std::fs::metadata(dir.pki(file)).expect(file).permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn names_are_listed_once() {
        let names = names(&["localhost", "127.0.0.1", "not a name \u{e9}"]);
        let count = |name: &SanType| names.iter().filter(|other| *other == name).count();
        assert!(names.iter().all(|name| count(name) == 1));
        assert!(names.contains(&SanType::IpAddress(IpAddr::from([10, 0, 0, 1]))));
    }
}
