//! CertificateSigning: only those who may speak for a signer issue its certificates.

use crate::signer::{GROUP, is_allowed};
use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

pub struct CertificateSigning;

impl Plugin for CertificateSigning {
    fn name(&self) -> &'static str {
        "CertificateSigning"
    }

    fn validate(&self, attributes: &Attributes, request: &Value) -> Result<()> {
        let Some(old) = attributes.old.filter(|_| attributes.operation == Operation::Update) else { return Ok(()) };
        let writes_status = attributes.group == GROUP
            && attributes.resource == "certificatesigningrequests"
            && attributes.subresource() == "status";
        let changed = |field: &str| old["status"][field] != request["status"][field];
        let signer = old["spec"]["signerName"].str();
        if !writes_status
            || !(changed("certificate") || changed("conditions"))
            || is_allowed(attributes, "sign", signer)
        {
            return Ok(());
        }
        let signer = meta::field::quote(signer);
        Err(attributes.forbidden(&format!("user not permitted to sign requests with signerName {signer}")))
    }
}
