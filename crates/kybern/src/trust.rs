//! Certificates from files: what to serve with and whom to trust.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::data_dir;

/// The text of a file that must be there; the error names the flag and the file.
pub fn read_file(flag: &str, path: &Path) -> Result<String, String> {
    match data_dir::read(path) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(format!("--{flag}: {}: no such file", path.display())),
        Err(why) => Err(format!("--{flag}: {why}")),
    }
}

/// What the server shows to clients: a chain, leaf first, and the key of the leaf, PEM.
pub fn certified(chain: &str, key: &str) -> Result<CertifiedKey, String> {
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|why| format!("the serving key: {why}"))?;
    let provider = serve::listen::tls::provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|why| format!("the serving certificate: {why}"))
}

/// A bundle of authorities, PEM. Any number of them, but not none.
pub fn roots(bundle: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(bundle)? {
        roots.add(certificate).map_err(|why| why.to_string())?;
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("no certificate in it".into()),
        Ok(certificates) => Ok(certificates),
        Err(why) => Err(why.to_string()),
    }
}
