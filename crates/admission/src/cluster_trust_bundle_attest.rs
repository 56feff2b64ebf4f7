//! ClusterTrustBundleAttest: only those who may speak for a signer say what its trust bundle is.

use crate::signer::{GROUP, is_allowed};
use crate::{Attributes, Plugin};
use meta::{Result, Value};

pub struct ClusterTrustBundleAttest;

impl Plugin for ClusterTrustBundleAttest {
    fn name(&self) -> &'static str {
        "ClusterTrustBundleAttest"
    }

    fn validate(&self, attributes: &Attributes, bundle: &Value) -> Result<()> {
        let signer = bundle["spec"]["signerName"].str();
        if !attributes.writes(GROUP, "clustertrustbundles") || signer.is_empty() {
            return Ok(());
        }
        // What changes nothing that is attested may be done without (garbage collection does).
        let same = attributes.old.is_some_and(|old| old["spec"] == bundle["spec"]);
        if same || is_allowed(attributes, "attest", signer) {
            return Ok(());
        }
        let signer = meta::field::quote(signer);
        Err(attributes.forbidden(&format!("user not permitted to attest for signerName {signer}")))
    }
}
