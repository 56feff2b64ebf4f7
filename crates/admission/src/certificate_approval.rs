//! CertificateApproval: only those who may speak for a signer approve or deny requests to it.

use crate::signer::{GROUP, is_allowed};
use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

pub struct CertificateApproval;

impl Plugin for CertificateApproval {
    fn name(&self) -> &'static str {
        "CertificateApproval"
    }

    fn validate(&self, attributes: &Attributes, request: &Value) -> Result<()> {
        let approves = attributes.operation == Operation::Update
            && attributes.group == GROUP
            && attributes.resource == "certificatesigningrequests"
            && attributes.subresource() == "approval";
        let signer = request["spec"]["signerName"].str();
        if !approves || is_allowed(attributes, "approve", signer) {
            return Ok(());
        }
        let signer = meta::field::quote(signer);
        Err(attributes.forbidden(&format!("user not permitted to approve requests with signerName {signer}")))
    }
}
