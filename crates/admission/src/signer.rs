//! Who may speak for a signer (k8s.io/kubernetes/plugin/pkg/admission/certificates).

use crate::{Attributes, Question};

pub const GROUP: &str = "certificates.k8s.io";

/// Whether the sender has a verb on a signer, or on all signers of its domain.
pub fn is_allowed(attributes: &Attributes, verb: &str, signer: &str) -> bool {
    let of_domain = format!("{}/*", signer.split('/').next().unwrap_or_default());
    let may = |name: &str| {
        attributes.allows(&Question {
            verb,
            group: GROUP,
            version: "*",
            resource: "signers",
            name,
            ..Question::default()
        })
    };
    may(signer) || may(&of_domain)
}
