//! What a webhook answers.

use super::Failed;
use super::hook::Call;
use crate::{Attributes, Phase};
use base64::Engine as _;
use meta::field::quote;
use meta::status::{Cause, Details};
use meta::{Reason, Status, Str, Value};

/// What a webhook could not be asked, or an answer that arrived. The code is upstream's for metrics.
pub type Arrived = Result<Value, (String, u16)>;

const PATCH_TYPE: &str = "JSONPatch";

/// Takes notes of what the webhook says besides.
///
/// # Errors
/// The answer makes no sense, or is no.
pub fn read(attributes: &Attributes, call: &Call, phase: Phase, arrived: Arrived) -> Result<Option<Value>, Failed> {
    let review = arrived.map_err(|(why, code)| Failed::Calling { why, code })?;
    let invalid = |why: String| Failed::Calling { why: format!("received invalid webhook response: {why}"), code: 503 };
    let patch = verified(call, phase, &review).map_err(invalid)?;
    let kind = review["response"]["patchType"].str();
    let (name, response) = (&call.hook.name, &review["response"]);
    for (key, text) in response["auditAnnotations"].entries() {
        attributes.annotate(&format!("{name}/{key}"), text.str());
    }
    response["warnings"].items().iter().for_each(|text| attributes.warn(text.str()));
    if !response["allowed"].bool() {
        return Err(Failed::Rejected(refusal(name, &response["status"])));
    }
    let failed = |why: String| Failed::Calling { why, code: 503 };
    match patch {
        Some(_) if call.version == "v1" && kind != PATCH_TYPE => {
            Err(failed(format!("unsupported patch type {}", quote(kind))))
        }
        Some(patch) => match meta::json::parse(&patch) {
            Ok(parsed) => Ok(Some(parsed.value)),
            Err(why) => Err(failed(format!("received undecodable patch in webhook response: {why}"))),
        },
        None => Ok(None),
    }
}

/// The patch as its bytes.
fn verified(call: &Call, phase: Phase, review: &Value) -> Result<Option<Vec<u8>>, String> {
    let response = &review["response"];
    if response.is_null() {
        return Err("webhook response was absent".into());
    }
    let text = response["patch"].str();
    let encoded = (!text.is_empty()).then(|| base64::engine::general_purpose::STANDARD.decode(text));
    let kind = &response["patchType"];
    if call.version == "v1" {
        let uid = response["uid"].str();
        if uid != call.uid.as_str() {
            return Err(format!("expected response.uid={}, got {}", quote(&call.uid), quote(uid)));
        }
        let (group, version) = review["apiVersion"].str().split_once('/').unwrap_or(("", review["apiVersion"].str()));
        let found = format!("{group}/{version}, Kind={}", review["kind"].str());
        let wanted = "admission.k8s.io/v1, Kind=AdmissionReview";
        if found != wanted {
            return Err(format!("expected webhook response of {wanted}, got {found}"));
        }
        match (phase, encoded.is_some(), kind.as_str()) {
            (Phase::Mutating, true, None) => {
                return Err("webhook returned response.patch but not response.patchType".into());
            }
            (Phase::Mutating, false, Some(_)) => {
                return Err("webhook returned response.patchType but not response.patch".into());
            }
            (Phase::Mutating, _, Some("")) => return Err("webhook returned invalid response.patchType of \"\"".into()),
            (Phase::Validating, true, _) => return Err("validating webhook may not return response.patch".into()),
            (Phase::Validating, _, Some(_)) => {
                return Err("validating webhook may not return response.patchType".into());
            }
            _ => {}
        }
    }
    let Some(encoded) = encoded.filter(|_| phase == Phase::Mutating) else { return Ok(None) };
    encoded.map(Some).map_err(|why| format!("illegal base64 data: {why}"))
}

/// A refusal in the webhook's words: at least 400, and never a success.
fn refusal(name: &str, result: &Value) -> Status {
    let by = format!("admission webhook {} denied the request", quote(name));
    let message = match (result["message"].str(), result["reason"].str()) {
        ("", "") => format!("{by} without explanation"),
        ("", reason) => format!("{by}: {reason}"),
        (message, _) => format!("{by}: {message}"),
    };
    let code = u16::try_from(result["code"].int()).ok().filter(|code| (400..1000).contains(code)).unwrap_or(400);
    let mut status = Status::failure(code, Reason::named(result["reason"].str()), message);
    let details = &result["details"];
    if !details.is_null() {
        let text = |field: &str| Str::from(details[field].str());
        let cause = |cause: &Value| Cause {
            reason: cause["reason"].str().into(),
            message: cause["message"].str().to_owned(),
            field: cause["field"].str().to_owned(),
        };
        status.details = Some(Box::new(Details {
            name: text("name"),
            group: text("group"),
            kind: text("kind"),
            uid: text("uid"),
            causes: details["causes"].items().iter().map(cause).collect(),
            retry_after_seconds: details["retryAfterSeconds"].int(),
        }));
    }
    status
}
