//! Definitions in the community's groups need its approval, which an annotation shows (upstream: apihelpers).

use meta::field::quote;
use meta::{Value, value};

/// The annotation: the URL of the approval, or `unapproved` and a reason.
pub const ANNOTATION: &str = "api-approved.kubernetes.io";
const SEE: &str = "see https://github.com/kubernetes/enhancements/pull/1111";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    Invalid,
    Missing,
    Given,
    Bypassed,
}

impl Approval {
    pub fn of(definition: &Value) -> Approval {
        let text = definition["metadata"]["annotations"][ANNOTATION].str();
        let is_url = text.split_once("://").is_some_and(|(scheme, rest)| {
            !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/') && !rest.contains(' ')
        });
        match text {
            "" => Approval::Missing,
            text if text.starts_with("unapproved") => Approval::Bypassed,
            _ if is_url => Approval::Given,
            _ => Approval::Invalid,
        }
    }

    /// In upstream's words, for the annotation's text.
    pub fn explain(self, text: &str) -> String {
        let demand = format!("protected groups must have approval annotation {}", quote(ANNOTATION));
        match self {
            Approval::Missing => format!("{demand}, {SEE}"),
            Approval::Invalid => format!("{demand} with either a URL or a reason starting with \"unapproved\", {SEE}"),
            Approval::Bypassed => format!("not approved: {}", quote(text)),
            Approval::Given => format!("approved in {text}"),
        }
    }
}

/// Groups under k8s.io and kubernetes.io.
pub fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// The condition KubernetesAPIApprovalPolicyConformant; none outside protected groups.
pub(crate) fn condition(definition: &Value) -> Option<Value> {
    if !is_protected(definition["spec"]["group"].str()) {
        return None;
    }
    let approval = Approval::of(definition);
    let (status, reason) = match approval {
        Approval::Invalid => ("False", "InvalidAnnotation"),
        Approval::Missing => ("False", "MissingAnnotation"),
        Approval::Given => ("True", "ApprovedAnnotation"),
        Approval::Bypassed => ("False", "UnapprovedAnnotation"),
    };
    let message = approval.explain(definition["metadata"]["annotations"][ANNOTATION].str());
    let kind = "KubernetesAPIApprovalPolicyConformant";
    Some(value!({"type": kind, "status": status, "reason": reason, "message": message}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        for (group, text, wanted) in [
            ("example.com", "", None),
            ("notk8s.io", "", None),
            ("k8s.io", "", Some(("False", "MissingAnnotation"))),
            ("x.k8s.io", "unapproved, experimental-only", Some(("False", "UnapprovedAnnotation"))),
            (
                "x.kubernetes.io",
                "https://github.com/kubernetes/enhancements/pull/1",
                Some(("True", "ApprovedAnnotation")),
            ),
            ("x.k8s.io", "yes", Some(("False", "InvalidAnnotation"))),
        ] {
            let definition = value!({"metadata": {"annotations": {(ANNOTATION): text}}, "spec": {"group": group}});
            let found = condition(&definition);
            let found = found.as_ref().map(|c| (c["status"].str(), c["reason"].str()));
            assert_eq!(found, wanted, "{group} {text}");
        }
    }
}
