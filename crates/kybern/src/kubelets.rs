//! How kubelets are reached for logs, commands and proxied requests.

use std::path::PathBuf;

use meta::Str;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serve::connect::{Dialer, KubeletTrust};

use crate::flags::Given;
use crate::options::{pair, path};
use crate::trust;

const CERTIFICATE: &str = "kubelet-client-certificate";
const KEY: &str = "kubelet-client-key";
const AUTHORITY: &str = "kubelet-certificate-authority";

/// `--kubelet-*`. The files are read once, at the start.
#[derive(Clone, Debug, Default)]
pub struct Kubelets {
    /// Which of a node's addresses to take, preferred types first.
    pub address_types: Vec<Str>,
    /// Files of the certificate that kubelets know this server by, and its key.
    identity: Option<(PathBuf, PathBuf)>,
    /// Who signs kubelets' certificates. Absent: nobody asks, as upstream has it.
    authority: Option<PathBuf>,
}

impl Kubelets {
    pub fn resolve(given: &Given) -> Result<Kubelets, String> {
        Ok(Kubelets {
            address_types: given
                .list("kubelet-preferred-address-types")
                .iter()
                .map(|kind| kind.as_str().into())
                .collect(),
            identity: pair(given, CERTIFICATE, KEY)?,
            authority: path(given, AUTHORITY),
        })
    }

    /// The error names the flag, or the certificate and key that do not fit.
    pub fn dialer(&self) -> Result<Dialer, String> {
        let mut trust = KubeletTrust::default();
        if let Some((chain, key)) = &self.identity {
            let chain = outbound::certificates(&trust::read_file(CERTIFICATE, chain)?);
            let key = PrivateKeyDer::from_pem_slice(trust::read_file(KEY, key)?.as_bytes());
            let chain = chain.map_err(|why| format!("--{CERTIFICATE}: {why}"))?;
            trust.identity = Some((chain, key.map_err(|why| format!("--{KEY}: {why}"))?));
        }
        if let Some(authority) = &self.authority {
            let roots = outbound::roots(&trust::read_file(AUTHORITY, authority)?);
            trust.authority = Some(roots.map_err(|why| format!("--{AUTHORITY}: {why}"))?);
        }
        Dialer::new(trust).map_err(|why| format!("--{CERTIFICATE}: {why}"))
    }
}
