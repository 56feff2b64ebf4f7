//! CertificateSigningRequest: a certificate asked for.

use super::signer_name;
use crate::rules::base64;
use crate::rules::immutable::same;
use crate::{cells, columns};
use meta::field::{ErrorList, Path, Shown};
use meta::{Map, Value};
use resource::{Context, Descriptor, Hooks, MetadataRules, NameRule, PART_VERBS, Strategy};
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
        metadata: MetadataRules::WHOLE_AND_CHANGES,
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
        Strategy {
            keep_on_update: &["spec"],
            reset_fields: &["spec"],
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        },
        CertificateSigningRequestApproval,
    )
    .status(
        Strategy {
            keep_on_update: &["spec"],
            reset_fields: &["spec"],
            metadata: MetadataRules::WHOLE_AND_CHANGES,
            ..Strategy::default()
        },
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

/// What a certificate may be used for, sorted.
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
const EXPIRATION_SECONDS_MIN: i64 = 600;
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
const DECISIONS: [&str; 2] = ["Approved", "Denied"];

struct CertificateSigningRequest;

impl Hooks for CertificateSigningRequest {
    /// Who asks is written down, whatever the body says.
    fn prepare_create(&self, ctx: &Context, object: &mut Value) {
        let spec = object.entry("spec");
        for field in ["username", "uid", "groups", "extra"] {
            spec.remove(field);
        }
        if !ctx.user.name.is_empty() {
            spec.set("username", &ctx.user.name);
        }
        if !ctx.user.uid.is_empty() {
            spec.set("uid", &ctx.user.uid);
        }
        if !ctx.user.groups.is_empty() {
            spec.set("groups", ctx.user.groups.iter().map(Value::from).collect::<Vec<_>>());
        }
        if !ctx.user.extra.is_empty() {
            let texts = |values: &Vec<meta::Str>| Value::Array(values.iter().map(Value::from).collect());
            let extra: Map = ctx.user.extra.iter().map(|(key, values)| (key.clone(), texts(values))).collect();
            spec.set("extra", extra);
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        validate(object, errs);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate(object, errs);
        validate_change(object, old, Allowed { certificate: false, decision: false }, errs);
    }
}

fn validate(object: &Value, errs: &mut ErrorList) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    let request = &spec["request"];
    if !is_pem(&base64::decode(request.str()), "CERTIFICATE REQUEST") {
        let shown = if request.is_null() { Shown("null".into()) } else { Shown::from(request) };
        errs.invalid(&path.child("request"), shown, "PEM block type must be CERTIFICATE REQUEST");
    }
    let usages = spec["usages"].items();
    let at = path.child("usages");
    if usages.is_empty() {
        errs.required(&at, "");
    }
    for (i, usage) in usages.iter().enumerate() {
        if !USAGES.contains(&usage.str()) {
            errs.not_supported(&at.index(i), usage, USAGES);
        }
        if usages.iter().take(i).any(|u| u == usage) {
            errs.duplicate(&at.index(i), usage);
        }
    }
    let signer = spec["signerName"].str();
    if signer == LEGACY_SIGNER {
        let detail = "the legacy signerName is not allowed via this API version";
        errs.invalid(&path.child("signerName"), signer, detail);
    } else {
        signer_name::validate(signer, &path.child("signerName"), errs);
    }
    if let Some(seconds) = spec["expirationSeconds"].as_int()
        && seconds < EXPIRATION_SECONDS_MIN
    {
        let detail = format!("may not specify a duration less than {EXPIRATION_SECONDS_MIN} seconds (10 minutes)");
        errs.invalid(&path.child("expirationSeconds"), seconds, &detail);
    }
    validate_conditions(object["status"]["conditions"].items(), errs);
    validate_certificate(object["status"]["certificate"].str(), errs);
}

/// Whether the text is a PEM block of a type. What is in it is not looked at here.
fn is_pem(text: &[u8], block_type: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    let begin = format!("-----BEGIN {block_type}-----");
    let Some((_, rest)) = text.split_once("-----BEGIN ") else { return false };
    let first = rest.split_once("-----").map(|(found, _)| found);
    first == Some(block_type)
        && text.split_once(&begin).is_some_and(|(_, rest)| rest.contains(&format!("-----END {block_type}-----")))
}

fn validate_conditions(conditions: &[Value], errs: &mut ErrorList) {
    let path = Path::new("status").child("conditions");
    let mut seen: Vec<&str> = Vec::new();
    for (i, condition) in conditions.iter().enumerate() {
        let at = path.index(i);
        let kind = condition["type"].str();
        if kind.is_empty() {
            errs.required(&at.child("type"), "");
        }
        let statuses: &[&str] = match kind {
            "Approved" | "Denied" | "Failed" => &["True"],
            _ => &["True", "False", "Unknown"],
        };
        match condition["status"].str() {
            "" => errs.required(&at.child("status"), ""),
            status if !statuses.contains(&status) => {
                errs.not_supported_in_order(&at.child("status"), status, statuses);
            }
            _ => {}
        }
        if DECISIONS.contains(&kind) && DECISIONS.iter().any(|d| *d != kind && seen.contains(d)) {
            errs.invalid(&path, kind, "Approved and Denied conditions are mutually exclusive");
        }
        if seen.contains(&kind) {
            errs.duplicate(&at.child("type"), kind);
        }
        seen.push(kind);
    }
}

/// PEM blocks of certificates, without headers.
fn validate_certificate(certificate: &str, errs: &mut ErrorList) {
    if certificate.is_empty() {
        return;
    }
    let bytes = base64::decode(certificate);
    if !is_pem(&bytes, "CERTIFICATE") {
        let path = Path::new("status").child("certificate");
        let text = String::from_utf8_lossy(&bytes);
        let detail = match text.contains("-----BEGIN ") {
            true => "only CERTIFICATE PEM blocks are allowed",
            false => "must contain at least one CERTIFICATE PEM block",
        };
        errs.invalid(&path, "<certificate data>", detail);
    }
}

fn of_type<'v>(object: &'v Value, kind: &'v str) -> impl Iterator<Item = &'v Value> {
    object["status"]["conditions"].items().iter().filter(move |c| c["type"].str() == kind)
}

/// What an endpoint may change.
#[derive(Clone, Copy)]
struct Allowed {
    certificate: bool,
    decision: bool,
}

fn validate_change(object: &Value, old: &Value, allowed: Allowed, errs: &mut ErrorList) {
    let path = Path::new("status").child("conditions");
    let count = |object, kind| of_type(object, kind).count();
    for kind in ["Approved", "Denied", "Failed"] {
        if count(object, kind) < count(old, kind) {
            errs.forbidden(&path, &format!("updates may not remove a condition of type \"{kind}\""));
        }
    }
    for kind in DECISIONS {
        if count(object, kind) > count(old, kind) && !allowed.decision {
            errs.forbidden(&path, &format!("updates may not add a condition of type \"{kind}\""));
        }
    }
    let (certificate, stored) = (&object["status"]["certificate"], &old["status"]["certificate"]);
    if !same(certificate, stored) {
        let at = Path::new("status").child("certificate");
        if !allowed.certificate {
            errs.forbidden(&at, "updates may not set certificate content");
        } else if !stored.is_empty() {
            errs.forbidden(&at, "updates may not modify existing certificate content");
        }
    }
}

/// Conditions without times get them: those of a condition that was so before, or now.
fn date_conditions(ctx: &Context, object: &mut Value, old: &Value) {
    let now = ctx.now.to_rfc3339();
    let stored = old["status"]["conditions"].items();
    for condition in object.path_mut("status.conditions").map(Value::items_mut).unwrap_or_default() {
        if condition["lastUpdateTime"].is_null() {
            condition.set("lastUpdateTime", &now);
        }
        if condition["lastTransitionTime"].is_null() {
            let before = stored.iter().find(|c| {
                c["type"] == condition["type"]
                    && c["status"] == condition["status"]
                    && !c["lastTransitionTime"].is_null()
            });
            let time = before.map_or(Value::from(&now), |c| c["lastTransitionTime"].clone());
            condition.set("lastTransitionTime", time);
        }
    }
}

struct CertificateSigningRequestStatus;

impl Hooks for CertificateSigningRequestStatus {
    /// Decisions are another endpoint's: those that are stored stay as they are, and validation reports other numbers of them.
    fn prepare_update(&self, ctx: &Context, object: &mut Value, old: &Value) {
        for decision in DECISIONS {
            let stored: Vec<&Value> = of_type(old, decision).collect();
            if stored.len() != of_type(object, decision).count() {
                continue;
            }
            let sent = object.path_mut("status.conditions").map(Value::items_mut).unwrap_or_default();
            let sent = sent.iter_mut().filter(|c| c["type"].str() == decision);
            sent.zip(stored).for_each(|(condition, stored)| *condition = stored.clone());
        }
        date_conditions(ctx, object, old);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate(object, errs);
        validate_change(object, old, Allowed { certificate: true, decision: false }, errs);
    }
}

struct CertificateSigningRequestApproval;

impl Hooks for CertificateSigningRequestApproval {
    /// Of the status only the conditions are taken.
    fn prepare_update(&self, ctx: &Context, object: &mut Value, old: &Value) {
        let conditions = object["status"].get("conditions").cloned();
        let mut status = old["status"].clone();
        match conditions {
            Some(conditions) => status.set("conditions", conditions),
            None => drop(status.remove("conditions")),
        }
        object.set("status", if status.is_null() { Value::object() } else { status });
        date_conditions(ctx, object, old);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate(object, errs);
        validate_change(object, old, Allowed { certificate: false, decision: true }, errs);
    }
}
