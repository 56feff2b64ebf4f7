//! CertificateSigningRequest: a certificate asked for.

use crate::{cells, columns};
use meta::Value;
use resource::{Descriptor, Hooks, NameRule, PART_VERBS, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(
        schema,
        "certificates.k8s.io",
        "v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
    )
    .cluster_scoped()
    .short_names(&["csr"])
    .storage_version_hash("95fRKMXA+00=")
    .strategy(Strategy {
        name: NameRule::PathSegment,
        reset_on_create: &["status"],
        keep_on_update: &["spec", "status"],
        reset_fields: &["spec", "status"],
        ..Strategy::default()
    })
    .select_field("spec.signerName")
    .hooks(CertificateSigningRequest)
    .part(
        "approval",
        PART_VERBS,
        Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
        CertificateSigningRequestApproval,
    )
    .status(
        Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() },
        CertificateSigningRequestStatus,
    );
    columns::with(descriptor, request_cells)
}

fn request_cells(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let has = |kind: &str| object["status"]["conditions"].items().iter().any(|c| c["type"].str() == kind);
    let mut condition = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied".to_string(),
        (false, true) => "Approved".to_string(),
        (false, false) => "Pending".to_string(),
    };
    if has("Failed") {
        condition.push_str(",Failed");
    }
    if !object["status"]["certificate"].is_empty() {
        condition.push_str(",Issued");
    }
    let duration = match spec["expirationSeconds"].as_int() {
        Some(seconds) => cells::human_duration(seconds),
        None => cells::NONE.into(),
    };
    vec![
        cells::name(object),
        cells::age(object, now),
        cells::text_or(&spec["signerName"], cells::NONE),
        spec["username"].str().into(),
        duration.into(),
        condition.into(),
    ]
}

struct CertificateSigningRequest;

impl Hooks for CertificateSigningRequest {}

struct CertificateSigningRequestStatus;

impl Hooks for CertificateSigningRequestStatus {}

struct CertificateSigningRequestApproval;

impl Hooks for CertificateSigningRequestApproval {}
