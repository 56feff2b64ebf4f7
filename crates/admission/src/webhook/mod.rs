//! MutatingAdmissionWebhook and ValidatingAdmissionWebhook: other servers change requests' objects, or refuse them
//! (k8s.io/apiserver/pkg/admission/plugin/webhook). What they are asked and what their answers mean is decided here; the
//! request path asks them. Without configurations nothing is done.

mod answer;
mod hook;
mod mutating;
mod place;
mod review;
mod validating;

pub use hook::{Call, ClientConfig, Hook, Hooks};
pub use mutating::{Mutating, Turn};
pub use place::locate;
pub use validating::Validating;

use crate::{Asks, Attributes, Phase, Plugin};
use hook::Kept;
use meta::Status;

const GROUP: &str = "admissionregistration.k8s.io";
/// The kinds that no webhook is asked about: it might forbid to turn it off.
const EXEMPT_KINDS: &[&str] = &[
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

#[derive(Default)]
pub struct MutatingAdmissionWebhook {
    kept: Kept,
}

#[derive(Default)]
pub struct ValidatingAdmissionWebhook {
    kept: Kept,
}

impl Plugin for MutatingAdmissionWebhook {
    fn name(&self) -> &'static str {
        "MutatingAdmissionWebhook"
    }

    fn asks(&self, phase: Phase, attributes: &Attributes) -> Option<Asks> {
        let asks = |resource| self.kept.hooks(attributes, resource).map(Asks::MutatingWebhooks);
        (phase == Phase::Mutating).then(|| asks("mutatingwebhookconfigurations")).flatten()
    }
}

impl Plugin for ValidatingAdmissionWebhook {
    fn name(&self) -> &'static str {
        "ValidatingAdmissionWebhook"
    }

    fn asks(&self, phase: Phase, attributes: &Attributes) -> Option<Asks> {
        let asks = |resource| self.kept.hooks(attributes, resource).map(Asks::ValidatingWebhooks);
        (phase == Phase::Validating).then(|| asks("validatingwebhookconfigurations")).flatten()
    }
}

/// Why a webhook does not let a request pass.
#[derive(Debug)]
pub enum Failed {
    /// It could not be asked, or its answer makes no sense; the failure policy says what that means. The code is for
    /// metrics.
    Calling { why: String, code: u16 },
    /// It says no.
    Rejected(Status),
    /// The request cannot go on, whatever the failure policy is.
    Own(Status),
}

/// What has come of a webhook, for the request and for metrics.
#[derive(Debug)]
pub struct Judged {
    pub result: meta::Result<()>,
    pub code: u16,
    /// Why the request is refused: upstream's `error_type`.
    pub rejection: Option<&'static str>,
    /// The call failed, and that does not matter.
    pub failed_open: bool,
}

impl Judged {
    fn of(hook: &Hook, result: Result<(), Failed>) -> Judged {
        let refused =
            |status: Status, code, why| Judged { result: Err(status), code, rejection: Some(why), failed_open: false };
        match result {
            Ok(()) => Judged { result: Ok(()), code: 200, rejection: None, failed_open: false },
            Err(Failed::Calling { code, .. }) if hook.ignores_failures() => {
                Judged { result: Ok(()), code, rejection: None, failed_open: true }
            }
            Err(Failed::Calling { why, code }) => {
                let name = meta::field::quote(&hook.name);
                refused(
                    Status::internal(format!("failed calling webhook {name}: {why}")),
                    code,
                    "calling_webhook_error",
                )
            }
            Err(Failed::Rejected(status)) => {
                let code = status.code;
                refused(status, code, "no_error")
            }
            Err(Failed::Own(status)) => refused(status, 0, "apiserver_internal_error"),
        }
    }
}
