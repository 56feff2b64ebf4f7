//! Who may approve and sign certificate requests (upstream: plugin/pkg/admission/certificates).

use crate::Attributes;
use crate::escalation::Write;
use meta::{Result, Status, Value};

pub const GROUP: &str = "certificates.k8s.io";
const REQUESTS: &str = "certificatesigningrequests";

/// Checks a write of a request's decision or of its certificate. `authorized` asks about the resource `signers`.
///
/// # Errors
/// 403 when the user may not speak for the signer.
pub fn check(write: &Write, authorized: impl Fn(&Attributes) -> bool) -> Result<()> {
    let Some(old) = write.old.filter(|_| write.resource == REQUESTS) else { return Ok(()) };
    let verb = match write.subresource {
        "approval" => "approve",
        "status" if is_signed(old, write.object) => "sign",
        _ => return Ok(()),
    };
    let signer = old["spec"]["signerName"].str();
    let of_domain = format!("{}/*", signer.split('/').next().unwrap_or_default());
    let may = |name: &str| {
        authorized(&Attributes {
            user: write.user,
            groups: write.groups,
            verb,
            group: GROUP,
            resource: "signers",
            name,
            ..Attributes::default()
        })
    };
    if may(signer) || may(&of_domain) {
        return Ok(());
    }
    let why = format!("user not permitted to {verb} requests with signerName {}", meta::field::quote(signer));
    Err(Status::forbidden(GROUP, REQUESTS, old["metadata"]["name"].str(), &why))
}

fn is_signed(old: &Value, new: &Value) -> bool {
    ["certificate", "conditions"].iter().any(|field| old["status"][*field] != new["status"][*field])
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn check_as(subresource: &str, status: Value, rights: &[(&str, &str)]) -> Result<()> {
        let old = value!({"metadata": {"name": "c"}, "spec": {"signerName": "example.com/s"}});
        let mut object = old.clone();
        object.set("status", status);
        let write = Write {
            user: "u",
            groups: &[],
            group: GROUP,
            resource: REQUESTS,
            subresource,
            namespace: "",
            request_name: "c",
            old: Some(&old),
            object: &object,
        };
        check(&write, |asked| asked.resource == "signers" && rights.contains(&(asked.verb, asked.name)))
    }

    #[test]
    fn decisions_and_certificates_need_rights_over_the_signer() {
        let refused = check_as("approval", Value::Null, &[("sign", "example.com/s")]).unwrap_err();
        assert_eq!(
            refused.message,
            "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: \
             user not permitted to approve requests with signerName \"example.com/s\""
        );
        assert!(check_as("approval", Value::Null, &[("approve", "example.com/*")]).is_ok());
        let signed = value!({"certificate": "eA=="});
        assert!(check_as("status", signed.clone(), &[]).is_err());
        assert!(check_as("status", signed.clone(), &[("sign", "example.com/s")]).is_ok());
        assert!(check_as("status", Value::Null, &[]).is_ok());
        assert!(check_as("", signed, &[]).is_ok());
    }
}
