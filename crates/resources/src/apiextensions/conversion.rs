//! How a definition's objects get from one version to another.

use super::rules::validate_choice;
use crate::rules::webhook_client::{REVIEW_VERSIONS, validate_client};
use crate::rules::{base64, pem};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use std::collections::BTreeSet;

const UNUSED: &str = "should not be set when strategy is not set to Webhook";

/// `conversion` is in the internal form. `review_version_known`: one of the review versions must be one of ours.
pub fn validate_conversion(
    conversion: &Value,
    review_version_known: bool,
    bundle_may_be_wrong: bool,
    path: &Path,
    errs: &mut ErrorList,
) {
    if conversion.is_null() {
        return;
    }
    validate_choice(&conversion["strategy"], &["None", "Webhook"], &path.child("strategy"), errs);
    let (client, client_path) = (&conversion["webhookClientConfig"], path.child("webhookClientConfig"));
    let (versions, versions_path) = (&conversion["conversionReviewVersions"], path.child("conversionReviewVersions"));
    if conversion["strategy"].str() != "Webhook" {
        if !client.is_null() {
            errs.forbidden(&client_path, UNUSED);
        }
        if !versions.is_empty() {
            errs.forbidden(&versions_path, UNUSED);
        }
        return;
    }
    if client.is_null() {
        errs.required(&client_path, "required when strategy is set to Webhook");
    } else {
        validate_client(client, &client_path, errs);
        if !bundle_may_be_wrong {
            validate_bundle(client["caBundle"].str(), &client_path.child("caBundle"), errs);
        }
    }
    validate_review_versions(versions, review_version_known, &versions_path, errs);
}

fn validate_review_versions(versions: &Value, known: bool, path: &Path, errs: &mut ErrorList) {
    if versions.is_empty() {
        errs.required(path, "");
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, version) in versions.items().iter().map(Value::str).enumerate() {
        if !seen.insert(version) {
            errs.invalid(&path.index(i), version, "duplicate version");
            continue;
        }
        errs.invalid_each(&path.index(i), version, name::dns1035_label(version));
    }
    if known && !REVIEW_VERSIONS.iter().any(|known| seen.contains(known)) {
        errs.invalid(path, versions, &format!("must include at least one of {}", REVIEW_VERSIONS.join(", ")));
    }
}

/// Whether a stored conversion names a review version of ours, or none at all.
pub fn has_known_review_version_or_none(conversion: &Value) -> bool {
    let versions = conversion["conversionReviewVersions"].items();
    versions.is_empty() || versions.iter().any(|version| REVIEW_VERSIONS.contains(&version.str()))
}

/// Whether a stored conversion has certificates that are none.
pub fn has_wrong_bundle(conversion: &Value) -> bool {
    let mut errs = ErrorList::new();
    validate_bundle(conversion["webhookClientConfig"]["caBundle"].str(), &Path::root(), &mut errs);
    !errs.is_empty()
}

/// PEM certificates, in base64.
fn validate_bundle(bundle: &str, path: &Path, errs: &mut ErrorList) {
    if bundle.is_empty() {
        return;
    }
    if !pem::has_block(&base64::decode(bundle)) {
        errs.invalid(path, bundle, "unable to load root certificates: unable to parse bytes as PEM block");
    }
}
