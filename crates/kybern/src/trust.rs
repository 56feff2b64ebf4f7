//! Files that flags name, and the certificate to serve with.

use std::path::Path;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
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
    let chain = outbound::certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|why| format!("the serving key: {why}"))?;
    let provider = serve::listen::tls::provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|why| format!("the serving certificate: {why}"))
}
