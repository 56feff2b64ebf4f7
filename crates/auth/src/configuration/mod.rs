//! Configuration files of apiserver.config.k8s.io: how users are recognised, and who decides what they may. Read strictly and
//! validated with upstream's texts (apiserver/pkg/apis/apiserver/validation).

mod authentication;
mod authorization;
mod known;

pub use authentication::{Anonymous, AuthenticationConfiguration};
pub use authorization::{AuthorizationConfiguration, Authorizer, Connection, WebhookConfiguration};

use known::Known;
use meta::Value;
use meta::field::ErrorList;

const GROUP: &str = "apiserver.config.k8s.io/";

/// Checks version, kind and fields of a file. The error is one line for who wrote it.
fn check_form(file: &Value, kind: &str, versions: &[&str], known: Known) -> Result<(), String> {
    let (version, own) = (file["apiVersion"].str(), file["kind"].str());
    let served = version.strip_prefix(GROUP).is_some_and(|version| versions.contains(&version));
    if own != kind || !served {
        let [own, version] = [own, version].map(meta::field::quote);
        return Err(format!("no kind {own} is registered for version {version}"));
    }
    let unknown = known::unknown_fields(file, known);
    if unknown.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = unknown.iter().map(|path| format!("unknown field {}", meta::field::quote(path))).collect();
    Err(format!("strict decoding error: {}", texts.join(", ")))
}

/// The texts of all errors as Go's aggregate joins them.
fn check_errors(errs: &ErrorList) -> Result<(), String> {
    if errs.is_empty() { Ok(()) } else { Err(errs.message()) }
}
