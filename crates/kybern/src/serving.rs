//! What the flags about the secure port mean, and the certificates that it shows.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serve::listen::tls::{self, Protocols};
use tokio::sync::watch;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::flags::{Given, Program};
use crate::options::pair;
use crate::pki::Pki;
use crate::reload::follow;
use crate::trust;

const CERTIFICATE: &str = "tls-cert-file";
const KEY: &str = "tls-private-key-file";
const SNI: &str = "tls-sni-cert-key";

#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Files of the certificate and its key; `None`: kybern's own.
    pub certificate: Option<(PathBuf, PathBuf)>,
    pub extra_names: Vec<String>,
    /// For clients that ask for another name than the first certificate's.
    pub named: Vec<Named>,
    pub protocols: Protocols,
    pub streams_max: u32,
    pub share_port: bool,
}

/// `--tls-sni-cert-key`
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    certificate: PathBuf,
    key: PathBuf,
    /// Empty: those in the certificate.
    names: Vec<String>,
}

impl Tls {
    pub fn resolve(given: &Given) -> Result<Tls, String> {
        let tls13_only = match given.text("tls-min-version") {
            "VersionTLS13" => true,
            "" | "VersionTLS10" | "VersionTLS11" | "VersionTLS12" => false,
            other => return Err(format!("invalid argument {other:?} for --tls-min-version: unknown tls version")),
        };
        let curve = |text: String| text.parse().map_err(|_| format!("--tls-curve-preferences: {text:?} is no number"));
        let curves =
            given.list("tls-curve-preferences").into_iter().map(curve).collect::<Result<Vec<u16>, String>>()?;
        let http2 = !given.switch("disable-http2-serving")?;
        let suites = given.list("tls-cipher-suites");
        let protocols = Protocols::new(http2, tls13_only, &suites, &curves)?;
        let streams_max = match given.parse("http2-max-streams-per-connection")? {
            0 => 100,
            streams => streams,
        };
        let own_names = given.program == Program::Serve;
        Ok(Tls {
            certificate: pair(given, CERTIFICATE, KEY)?,
            extra_names: if own_names { given.list("tls-san") } else { vec![] },
            named: given.texts(SNI).iter().map(|text| Named::parse(text)).collect::<Result<_, _>>()?,
            protocols,
            streams_max,
            share_port: given.switch("permit-port-sharing")?,
        })
    }

    /// The settings of the secure port. Certificates from files are read again when they change.
    pub fn config(&self, pki: &Pki, stopping: &watch::Receiver<bool>) -> Result<rustls::ServerConfig, String> {
        let first = match &self.certificate {
            Some((certificate, key)) => Shown::open((CERTIFICATE, KEY), certificate, key, vec![], stopping)?,
            None => Shown::new(&pki.serving.certificate, &pki.serving.key, vec![])?,
        };
        let mut all = vec![first];
        for Named { certificate, key, names } in &self.named {
            all.push(Shown::open((SNI, SNI), certificate, key, names.clone(), stopping)?);
        }
        tls::server_config(Arc::new(Certificates(all)), &self.protocols).map_err(|why| why.to_string())
    }
}

impl Named {
    /// `CERTIFICATE,KEY` or `CERTIFICATE,KEY:NAME,NAME`
    fn parse(text: &str) -> Result<Named, String> {
        let (files, names) = text.split_once(':').unwrap_or((text, ""));
        let [certificate, key] = files.split(',').collect::<Vec<_>>()[..] else {
            return Err(format!(
                "--{SNI}: {text:?} is not a certificate's file, its key's, and domains: FILE,FILE:NAME,NAME"
            ));
        };
        let names = names.split(',').map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
        Ok(Named { certificate: certificate.trim().into(), key: key.trim().into(), names: names.collect() })
    }
}

/// A certificate that may be exchanged while it is in use.
#[derive(Debug)]
struct Shown {
    /// Names from the flag; empty: those in the certificate.
    given: Vec<String>,
    now: RwLock<(Arc<CertifiedKey>, BTreeSet<String>)>,
}

impl Shown {
    fn new(chain: &str, key: &str, given: Vec<String>) -> Result<Arc<Shown>, String> {
        let now = RwLock::new(read(chain, key, &given)?);
        Ok(Arc::new(Shown { given, now }))
    }

    /// Reads the files, and again when they change. While only one of them is new, the old ones stay in use.
    fn open(
        flags: (&str, &str),
        certificate: &PathBuf,
        key: &PathBuf,
        given: Vec<String>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Arc<Shown>, String> {
        let (chain_text, key_text) = (trust::read_file(flags.0, certificate)?, trust::read_file(flags.1, key)?);
        let shown = Shown::new(&chain_text, &key_text, given)?;
        for (path, text) in [(certificate, chain_text), (key, key_text)] {
            let (shown, certificate, key) = (shown.clone(), certificate.clone(), key.clone());
            let changed = move |_: &str| shown.read_again(&certificate, &key);
            follow(path.clone(), text, stopping.clone(), changed);
        }
        Ok(shown)
    }

    fn read_again(&self, certificate: &PathBuf, key: &PathBuf) {
        let texts = (std::fs::read_to_string(certificate), std::fs::read_to_string(key));
        let (Ok(chain), Ok(key)) = texts else { return };
        match read(&chain, &key, &self.given) {
            Ok(now) => {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = now;
                tracing::info!(file = %certificate.display(), "a changed serving certificate is in use");
            }
            Err(why) => tracing::warn!(why, file = %certificate.display(), "a changed serving certificate"),
        }
    }

    fn certificate(&self) -> Arc<CertifiedKey> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn is_for(&self, name: &str) -> bool {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        let wildcard = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        now.1.contains(name) || wildcard.is_some_and(|wildcard| now.1.contains(&wildcard))
    }
}

fn read(chain: &str, key: &str, given: &[String]) -> Result<(Arc<CertifiedKey>, BTreeSet<String>), String> {
    let certified = trust::certified(chain, key)?;
    let names = if given.is_empty() { names_in(&certified) } else { given.iter().cloned().collect() };
    Ok((Arc::new(certified), names))
}

/// The common name and the DNS names of the leaf, in lower case.
fn names_in(certified: &CertifiedKey) -> BTreeSet<String> {
    let Some(Ok((_, leaf))) = certified.cert.first().map(|leaf| X509Certificate::from_der(leaf)) else {
        return BTreeSet::new();
    };
    let alternatives = leaf.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.iter().flat_map(|extension| &extension.value.general_names);
    let alternatives = alternatives.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let common = leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    common.chain(alternatives).map(str::to_lowercase).collect()
}

/// The first is for clients that ask for no name, or for none that another one has.
#[derive(Debug)]
struct Certificates(Vec<Arc<Shown>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_lowercase);
        self.choose(name.as_deref()).map(|shown| shown.certificate())
    }
}

impl Certificates {
    fn choose(&self, name: Option<&str>) -> Option<&Arc<Shown>> {
        let (first, others) = self.0.split_first()?;
        let other = name.and_then(|name| others.iter().find(|shown| shown.is_for(name)));
        Some(other.unwrap_or(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate and its key.
    fn pair_for(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn shown(names: &[&str], given: &[&str]) -> Arc<Shown> {
        let (chain, key) = pair_for(names);
        Shown::new(&chain, &key, given.iter().map(|name| (*name).to_owned()).collect()).expect("a certificate")
    }

    #[test]
    fn files_and_names_are_told_apart() {
        let named = |certificate: &str, key: &str, names: &[&str]| Named {
            certificate: certificate.into(),
            key: key.into(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(Named::parse("a.crt,a.key"), Ok(named("a.crt", "a.key", &[])));
        let parsed = Named::parse("a.crt, a.key:*.Example.com, b.example.com");
        assert_eq!(parsed, Ok(named("a.crt", "a.key", &["*.example.com", "b.example.com"])));
        for wrong in ["a.crt", "a,b,c", ""] {
            assert!(Named::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn clients_get_the_certificate_of_the_name_that_they_ask_for() {
        let all = Certificates(vec![
            shown(&["first.example.com"], &[]),
            shown(&["own.example.com"], &[]),
            shown(&["other.example.com"], &["*.wild.example.com"]),
        ]);
        let chosen = |name: Option<&str>| {
            let chosen = all.choose(name).expect("a certificate");
            all.0.iter().position(|shown| Arc::ptr_eq(shown, chosen))
        };
        for (name, at) in [
            (None, 0),
            (Some("first.example.com"), 0),
            (Some("own.example.com"), 1),
            (Some("a.wild.example.com"), 2),
            (Some("b.a.wild.example.com"), 0),
            (Some("wild.example.com"), 0),
            (Some("other.example.com"), 0),
        ] {
            assert_eq!(chosen(name), Some(at), "{name:?}");
        }
    }

    #[test]
    fn a_pair_is_exchanged_as_a_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let (certificate, key) = (dir.path().join("c"), dir.path().join("k"));
        let shown = shown(&["a"], &[]);
        let before = shown.certificate();
        let (chain_text, key_text) = pair_for(&["b"]);
        std::fs::write(&certificate, &chain_text).expect("written");
        std::fs::write(&key, pair_for(&["c"]).1).expect("written");
        shown.read_again(&certificate, &key);
        assert!(Arc::ptr_eq(&shown.certificate(), &before), "the key is another one's");
        std::fs::write(&key, key_text).expect("written");
        shown.read_again(&certificate, &key);
        assert!(!Arc::ptr_eq(&shown.certificate(), &before));
        assert!(shown.is_for("b") && !shown.is_for("a"));
    }
}
