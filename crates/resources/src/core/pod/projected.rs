//! Projected volumes, the downward API, and the rules for paths inside volumes.

use super::options::Options;
use crate::rules::label_selector;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use meta::quantity::Quantity;
use std::collections::BTreeSet;

/// Fields of the pod that a file may show, besides single labels and annotations.
const FIELD_PATHS: &[&str] =
    &["metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"];

/// Fields of the pod that can be named at all.
const FIELD_LABELS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

const FILE_MODE_MAX: i64 = 0o777;
const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
const CONFLICT: &str = "conflicting duplicate paths";
const KEY_TYPES: &[&str] = &["ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096"];

pub fn validate_mode(mode: &Value, path: &Path, errs: &mut ErrorList) {
    if let Some(bits) = mode.as_int().filter(|bits| !(0..=FILE_MODE_MAX).contains(bits)) {
        errs.invalid(path, bits, "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

pub fn has_backsteps(text: &str) -> bool {
    text.split('/').any(|part| part == "..")
}

pub fn validate_path_without_backsteps(text: &str, path: &Path, errs: &mut ErrorList) {
    if has_backsteps(text) {
        errs.invalid(path, text, "must not contain '..'");
    }
}

/// A path that descends from where it is mounted.
pub fn validate_relative_path(text: &str, path: &Path, errs: &mut ErrorList) {
    if text.starts_with('/') {
        errs.invalid(path, text, "must be a relative path");
    }
    validate_path_without_backsteps(text, path, errs);
}

/// As [`validate_relative_path`]; names beginning with two dots are the kubelet's own.
pub fn validate_local_path(text: &str, path: &Path, errs: &mut ErrorList) {
    validate_relative_path(text, path, errs);
    if text.starts_with("..") && !text.starts_with("../") {
        errs.invalid(path, text, "must not start with '..'");
    }
}

/// Keys of a Secret or ConfigMap as files.
pub fn validate_items(items: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, item) in items.items().iter().enumerate() {
        let path = path.index(i);
        if item["key"].str().is_empty() {
            errs.required(&path.child("key"), "");
        }
        let file = item["path"].str();
        if file.is_empty() {
            errs.required(&path.child("path"), "");
        }
        validate_local_path(file, &path.child("path"), errs);
        validate_mode(&item["mode"], &path.child("mode"), errs);
    }
}

/// Files of the downward API. Upstream reports them at the volume and not at the item.
pub fn validate_downward_files(files: &Value, path: &Path, errs: &mut ErrorList) {
    for file in files.items() {
        validate_downward_file(file, path, errs);
    }
}

fn validate_downward_file(file: &Value, path: &Path, errs: &mut ErrorList) {
    let at = file["path"].str();
    if at.is_empty() {
        errs.required(&path.child("path"), "");
    }
    validate_local_path(at, &path.child("path"), errs);
    let (field, resource) = (&file["fieldRef"], &file["resourceFieldRef"]);
    if !field.is_null() {
        validate_field_selector(field, FIELD_PATHS, &path.child("fieldRef"), errs);
        if !resource.is_null() {
            errs.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
        }
    } else if !resource.is_null() {
        validate_resource_selector(resource, true, &path.child("resourceFieldRef"), errs);
    } else {
        errs.required(path, "one of fieldRef and resourceFieldRef is required");
    }
    validate_mode(&file["mode"], &path.child("mode"), errs);
}

/// A field of the pod, or one label or annotation: `metadata.labels['key']`.
pub fn validate_field_selector(selector: &Value, allowed: &[&str], path: &Path, errs: &mut ErrorList) {
    let (version, text) = (selector["apiVersion"].str(), selector["fieldPath"].str());
    if version.is_empty() {
        errs.required(&path.child("apiVersion"), "");
        return;
    }
    if text.is_empty() {
        errs.required(&path.child("fieldPath"), "");
        return;
    }
    let mut refuse = |why: &str| {
        errs.invalid(&path.child("fieldPath"), text, &format!("error converting fieldPath: {why}"));
    };
    if version != "v1" {
        refuse(&format!("unsupported pod version: {version}"));
        return;
    }
    if let Some((base, key)) = split_subscript(text) {
        match base {
            "metadata.annotations" => {
                errs.invalid_each(path, key.to_lowercase(), name::qualified_name(&key.to_lowercase()))
            }
            "metadata.labels" => errs.invalid_each(path, key, name::qualified_name(key)),
            _ => refuse(&format!("field label does not support subscript: {text}")),
        }
        return;
    }
    let field = if text == "spec.host" { "spec.nodeName" } else { text };
    if !FIELD_LABELS.contains(&field) {
        refuse(&format!("field label not supported: {text}"));
    } else if !allowed.contains(&field) {
        errs.not_supported(&path.child("fieldPath"), field, allowed);
    }
}

/// `base['key']` → base and key.
fn split_subscript(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_suffix("']")?;
    let (base, key) = inner.split_once("['")?;
    (!base.is_empty()).then_some((base, key))
}

/// A container's resource. In volumes the container must be named.
pub fn validate_resource_selector(selector: &Value, in_volume: bool, path: &Path, errs: &mut ErrorList) {
    let resource = selector["resource"].str();
    let is_hugepages = resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-");
    if in_volume && selector["containerName"].str().is_empty() {
        errs.required(&path.child("containerName"), "");
    } else if resource.is_empty() {
        errs.required(&path.child("resource"), "");
    } else if !RESOURCES.contains(&resource) && !is_hugepages {
        errs.not_supported(&path.child("resource"), resource, RESOURCES);
    }
    validate_divisor(resource, is_hugepages, selector["divisor"].str(), &path.child("divisor"), errs);
}

fn validate_divisor(resource: &str, is_hugepages: bool, divisor: &str, path: &Path, errs: &mut ErrorList) {
    let is_zero = Quantity::parse(divisor).is_ok_and(|q| q.is_zero());
    if divisor.is_empty() || is_zero {
        return;
    }
    const CPU: &[&str] = &["1m", "1"];
    const BYTES: &[&str] = &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
    let (allowed, listed, what) = match resource.split_once('.') {
        Some((_, "cpu")) => (CPU, CPU.join(" and "), "cpu"),
        Some((_, "memory")) => (BYTES, BYTES.join(", "), "memory"),
        Some((_, "ephemeral-storage")) => (BYTES, BYTES.join(", "), "local ephemeral storage"),
        _ if is_hugepages => (BYTES, BYTES.join(", "), "hugepages"),
        _ => return,
    };
    if !allowed.contains(&divisor) {
        let detail = format!("only divisor's values {listed} are supported with the {what} resource");
        errs.invalid(path, resource, &detail);
    }
}

/// The paths of a projected volume's files, which no two sources may share.
struct Files {
    taken: BTreeSet<String>,
}

impl Files {
    /// `shown` is what the message quotes: the source's name for Secrets and ConfigMaps, the path for others.
    fn take(&mut self, file: &str, shown: &str, path: &Path, errs: &mut ErrorList) {
        if !self.taken.insert(file.to_string()) {
            errs.invalid(path, shown, CONFLICT);
        }
    }
}

pub fn validate_projected(volume: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    validate_mode(&volume["defaultMode"], &path.child("defaultMode"), errs);
    let mut files = Files { taken: BTreeSet::new() };
    for (i, source) in volume["sources"].items().iter().enumerate() {
        let at = path.child("sources").index(i);
        let mut count = 0;
        for key in ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"]
        {
            let part = &source[key];
            if part.is_null() {
                continue;
            }
            count += 1;
            let at = at.child(key);
            match key {
                "secret" | "configMap" => validate_named_source(part, &mut files, path, &at, errs),
                "downwardAPI" => {
                    for file in part["items"].items() {
                        validate_downward_file(file, &at, errs);
                        let file = file["path"].str();
                        if !file.is_empty() {
                            files.take(file, file, path, errs);
                        }
                    }
                }
                "serviceAccountToken" => validate_token(part, options, path, &at, errs),
                "clusterTrustBundle" => validate_trust_bundle(part, &mut files, path, &at, errs),
                _ => validate_certificate(part, &mut files, path, &at, errs),
            }
        }
        if count > 1 {
            errs.forbidden(&at, "may not specify more than 1 volume type per source");
        }
    }
}

fn validate_named_source(source: &Value, files: &mut Files, path: &Path, at: &Path, errs: &mut ErrorList) {
    let own = source["name"].str();
    if own.is_empty() {
        errs.required(&at.child("name"), "");
    }
    validate_items(&source["items"], &at.child("items"), errs);
    for item in source["items"].items() {
        let file = item["path"].str();
        if !file.is_empty() {
            files.take(file, own, path, errs);
        }
    }
}

fn validate_token(source: &Value, options: Options, path: &Path, at: &Path, errs: &mut ErrorList) {
    let seconds = source["expirationSeconds"].int();
    if seconds < TOKEN_SECONDS_MIN {
        errs.invalid(&at.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > TOKEN_SECONDS_MAX {
        errs.invalid(&at.child("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
    }
    // upstream reports the path at the volume
    match source["path"].str() {
        "" => errs.required(&path.child("path"), ""),
        file if !options.allow_non_local_token_path => validate_local_path(file, &path.child("path"), errs),
        _ => {}
    }
}

fn validate_trust_bundle(source: &Value, files: &mut Files, path: &Path, at: &Path, errs: &mut ErrorList) {
    match (source["name"].as_str(), source["signerName"].as_str()) {
        (Some(_), Some(_)) => {
            let shown = super::internal::shown("ClusterTrustBundleProjection", source);
            errs.invalid(at, shown, "only one of name and signerName may be used");
        }
        (Some(own), None) => {
            if own.is_empty() {
                errs.required(&at.child("name"), "must be a valid object name");
            }
            for message in trust_bundle_name(own) {
                let detail = format!("not a valid clustertrustbundlename: {message}");
                errs.invalid(&at.child("name"), own, &detail);
            }
            if !source["labelSelector"].is_null() {
                let detail = "labelSelector must be unset if name is specified";
                errs.invalid(&at.child("labelSelector"), &source["labelSelector"], detail);
            }
        }
        (None, Some(signer)) => {
            if signer.is_empty() {
                errs.required(&at.child("signerName"), "must be a valid signer name");
            }
            validate_signer_name(signer, &at.child("signerName"), errs);
            label_selector::validate(&source["labelSelector"], false, &at.child("labelSelector"), errs);
        }
        (None, None) => errs.required(at, "either name or signerName must be specified"),
    }
    let file = source["path"].str();
    if file.is_empty() {
        errs.required(&at.child("path"), "");
    }
    validate_local_path(file, &at.child("path"), errs);
    files.take(file, file, path, errs);
}

/// A bundle's name: the signer's with slashes as colons before it, or no colon at all.
fn trust_bundle_name(own: &str) -> Vec<String> {
    match own.rsplit_once(':') {
        Some((_, rest)) => name::dns1123_subdomain(rest),
        None => name::dns1123_subdomain(own),
    }
}

/// `domain/path`, the domain with two segments or more.
pub fn validate_signer_name(signer: &str, path: &Path, errs: &mut ErrorList) {
    if signer.is_empty() {
        errs.required(path, "");
    }
    let segments: Vec<&str> = signer.split('/').collect();
    let [domain, rest] = segments.as_slice() else {
        errs.invalid(path, signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
        return;
    };
    errs.invalid_each(path, *domain, name::dns1123_subdomain(domain));
    if domain.split('.').count() < 2 {
        errs.invalid(path, *domain, "should be a domain with at least two segments separated by dots");
    }
    for part in rest.split('.') {
        errs.invalid_each(path, *rest, name::dns1123_subdomain(part));
    }
}

fn validate_certificate(source: &Value, files: &mut Files, path: &Path, at: &Path, errs: &mut ErrorList) {
    const SECONDS_MIN: i64 = 3600;
    let signer = source["signerName"].str();
    validate_signer_name(signer, &at.child("signerName"), errs);
    let key = source["keyType"].str();
    if !KEY_TYPES.contains(&key) {
        errs.not_supported(&at.child("keyType"), key, KEY_TYPES);
    }
    if let Some(seconds) = source["maxExpirationSeconds"].as_int() {
        let own = at.child("maxExpirationSeconds");
        let max = if signer.starts_with("kubernetes.io/") { 86_400 } else { 91 * 86_400 };
        if seconds < SECONDS_MIN {
            errs.invalid(&own, seconds, "if provided, maxExpirationSeconds must be >= 3600");
        }
        if seconds > max {
            errs.invalid(&own, seconds, &format!("if provided, maxExpirationSeconds must be <= {max}"));
        }
    }
    let mut count = 0;
    for field in ["credentialBundlePath", "keyPath", "certificateChainPath"] {
        let file = source[field].str();
        if !file.is_empty() {
            count += 1;
            validate_local_path(file, &at.child(field), errs);
            files.take(file, file, path, errs);
        }
    }
    if count == 0 {
        errs.required(at, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
    }
}
