//! Sources of volumes that few pods use: network file systems, cloud disks, drivers.

use super::projected::validate_relative_path;
use crate::core::persistentvolume::sources;
use meta::Value;
use meta::field::{ErrorList, Path, Shown};
use meta::{json, name};

/// Strings and lists that may not be empty, by source, in upstream's order. Persistent volumes share these.
const REQUIRED: &[(&str, &[&str])] = &[
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("nfs", &["server", "path"]),
    ("glusterfs", &["endpoints", "path"]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["monitors", "image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &["monitors"]),
    ("flexVolume", &["driver"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
];

pub fn validate(kind: &str, source: &Value, path: &Path, errs: &mut ErrorList) {
    for field in REQUIRED.iter().filter(|(k, _)| *k == kind).flat_map(|(_, fields)| *fields) {
        if source[*field].is_empty() {
            errs.required(&path.child(field), "");
        }
    }
    match kind {
        "gitRepo" => validate_relative_path(source["directory"].str(), &path.child("directory"), errs),
        "gcePersistentDisk" | "awsElasticBlockStore" => {
            let partition = source["partition"].int();
            if !(0..=255).contains(&partition) {
                errs.invalid(&path.child("partition"), partition, &name::inclusive_range_error(1, 255));
            }
        }
        "nfs" => {
            let own = source["path"].str();
            if !own.starts_with('/') {
                errs.invalid(&path.child("path"), own, "must be an absolute path");
            }
        }
        "iscsi" => validate_iscsi(source, path, errs),
        "flocker" => validate_flocker(source, path, errs),
        "cinder" => validate_secret_name(&source["secretRef"], path, errs),
        "quobyte" => validate_quobyte(source, path, errs),
        "fc" => validate_fibre_channel(source, path, errs),
        "flexVolume" => validate_flex_options(&source["options"], &path.child("options"), errs),
        "azureDisk" => validate_azure_disk(source, path, errs),
        "storageos" => validate_storageos(source, path, errs),
        "csi" => validate_csi(source, path, errs),
        _ => {}
    }
}

fn validate_secret_name(reference: &Value, path: &Path, errs: &mut ErrorList) {
    if !reference.is_null() && reference["name"].str().is_empty() {
        errs.required(&path.child("secretRef").child("name"), "");
    }
}

/// Upstream's iscsi names: `iqn.2001-04.com.example:x`, `eui.` and 16, `naa.` and 32 letters or digits.
fn iscsi_name_error(text: &str) -> Option<&'static str> {
    let right = match text.get(..3) {
        Some("iqn") => is_iqn(text),
        Some("eui") => is_fixed_name(text, 16),
        Some("naa") => is_fixed_name(text, 32),
        _ => return Some("must be valid format starting with iqn, eui, or naa"),
    };
    (!right).then_some("must be valid format")
}

/// A prefix, any one character, and exactly so many letters or digits.
fn is_fixed_name(text: &str, length: usize) -> bool {
    let rest: Vec<char> = text.chars().skip(4).collect();
    rest.len() == length && rest.iter().all(char::is_ascii_alphanumeric)
}

fn is_iqn(text: &str) -> bool {
    let Some((head, tail)) = text.split_once(':') else { return false };
    let Some(rest) = head.strip_prefix("iqn.") else { return false };
    let Some((date, domain)) = rest.split_once('.') else { return false };
    let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
    let right_date = date.split_once('-').is_some_and(|(year, month)| digits(year, 4) && digits(month, 2));
    let domain_bytes = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let refused = |c: char| matches!(c, ',' | ';' | '*' | '&' | '$' | '|') || c.is_ascii_whitespace();
    right_date && !domain.is_empty() && domain.bytes().all(domain_bytes) && !tail.is_empty() && !tail.contains(refused)
}

fn validate_iscsi(source: &Value, path: &Path, errs: &mut ErrorList) {
    if source["targetPortal"].str().is_empty() {
        errs.required(&path.child("targetPortal"), "");
    }
    match source["iqn"].str() {
        "" => errs.required(&path.child("iqn"), ""),
        iqn => {
            if let Some(detail) = iscsi_name_error(iqn) {
                errs.invalid(&path.child("iqn"), iqn, detail);
            }
        }
    }
    let lun = source["lun"].int();
    errs.invalid_each(&path.child("lun"), lun, name::in_range(lun, 0, 255));
    let has_chap = source["chapAuthDiscovery"].bool() || source["chapAuthSession"].bool();
    if has_chap && source["secretRef"].is_null() {
        errs.required(&path.child("secretRef"), "");
    }
    if let Some(initiator) = source["initiatorName"].as_str()
        && let Some(detail) = iscsi_name_error(initiator)
    {
        errs.invalid(&path.child("initiatorname"), initiator, detail);
    }
}

fn validate_flocker(source: &Value, path: &Path, errs: &mut ErrorList) {
    let own = source["datasetName"].str();
    match (own.is_empty(), source["datasetUUID"].str().is_empty()) {
        (true, true) => errs.required(path, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            errs.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
        }
        _ => {}
    }
    if own.contains('/') {
        errs.invalid(&path.child("datasetName"), own, "must not contain '/'");
    }
}

fn validate_quobyte(source: &Value, path: &Path, errs: &mut ErrorList) {
    const REGISTRY: &str = "must be a host:port pair or multiple pairs separated by commas";
    let registry = source["registry"].str();
    if registry.is_empty() {
        errs.required(&path.child("registry"), REGISTRY);
    } else if source["tenant"].str().len() >= 65 {
        errs.required(&path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else {
        for pair in registry.split(',') {
            if !is_host_port(pair) {
                errs.invalid(&path.child("registry"), registry, REGISTRY);
            }
        }
    }
    if source["volume"].str().is_empty() {
        errs.required(&path.child("volume"), "");
    }
}

/// As Go's net.SplitHostPort takes it: one colon, or an address in brackets before it.
fn is_host_port(text: &str) -> bool {
    match text.strip_prefix('[') {
        Some(rest) => rest
            .split_once("]:")
            .is_some_and(|(host, port)| !host.contains(['[', ']']) && !port.contains([':', '[', ']'])),
        None => text.matches(':').count() == 1 && !text.contains(['[', ']']),
    }
}

fn validate_fibre_channel(source: &Value, path: &Path, errs: &mut ErrorList) {
    let targets = source["targetWWNs"].items();
    let ids = source["wwids"].items();
    if targets.is_empty() && ids.is_empty() {
        errs.required(&path.child("targetWWNs"), "must specify either targetWWNs or wwids, but not both");
    }
    if !targets.is_empty() && !ids.is_empty() {
        let shown = Shown(json::to_string(&source["targetWWNs"]));
        let detail = "targetWWNs and wwids can not be specified simultaneously";
        errs.invalid(&path.child("targetWWNs"), shown, detail);
    }
    if !targets.is_empty() {
        match source["lun"].as_int() {
            None => errs.required(&path.child("lun"), "lun is required if targetWWNs is specified"),
            Some(lun) => errs.invalid_each(&path.child("lun"), lun, name::in_range(lun, 0, 255)),
        }
    }
}

/// Options in Kubernetes' own namespaces are the kubelet's.
pub fn validate_flex_options(options: &Value, path: &Path, errs: &mut ErrorList) {
    for (key, _) in options.entries() {
        let namespace = key.split_once('/').map_or(key, |(namespace, _)| namespace);
        let whole = format!(".{}", namespace.to_lowercase());
        if whole.ends_with(".kubernetes.io") || whole.ends_with(".k8s.io") {
            errs.invalid(&path.key(key), key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

fn validate_azure_disk(source: &Value, path: &Path, errs: &mut ErrorList) {
    use super::containers::validate_optional_choice;
    validate_optional_choice(
        &source["cachingMode"],
        &["None", "ReadOnly", "ReadWrite"],
        &path.child("cachingMode"),
        errs,
    );
    validate_optional_choice(&source["kind"], &["Dedicated", "Managed", "Shared"], &path.child("kind"), errs);
    let uri = source["diskURI"].str();
    let form = match source["kind"].as_str() {
        Some("Managed") if !uri.starts_with("/subscriptions/") => {
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
        }
        Some(kind) if kind != "Managed" && !uri.starts_with("https://") => {
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
        }
        _ => return,
    };
    errs.not_supported(&path.child("diskURI"), uri, &[form]);
}

fn validate_storageos(source: &Value, path: &Path, errs: &mut ErrorList) {
    match source["volumeName"].str() {
        "" => errs.required(&path.child("volumeName"), ""),
        own => errs.invalid_each(&path.child("volumeName"), own, name::dns1123_label(own)),
    }
    let namespace = source["volumeNamespace"].str();
    if !namespace.is_empty() {
        errs.invalid_each(&path.child("volumeNamespace"), namespace, name::dns1123_label(namespace));
    }
    validate_secret_name(&source["secretRef"], path, errs);
}

fn validate_csi(source: &Value, path: &Path, errs: &mut ErrorList) {
    sources::validate_driver_name(source["driver"].str(), &path.child("driver"), errs);
    let reference = &source["nodePublishSecretRef"];
    if reference.is_null() {
        return;
    }
    match reference["name"].str() {
        "" => errs.required(&path.child("nodePublishSecretRef").child("name"), ""),
        // upstream's path
        own => errs.invalid_each(&path.child("name"), own, name::dns1123_subdomain(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iscsi_names_have_three_forms() {
        for (text, right) in [
            ("iqn.2001-04.com.example:storage.kube", true),
            ("iqn.2001-04.com.example", false),
            ("iqn.01-04.com:a", false),
            ("eui.0123456789abcdef", true),
            ("eui.0123", false),
            ("naa.0123456789abcdef0123456789abcdef", true),
            ("abc", false),
        ] {
            assert_eq!(iscsi_name_error(text).is_none(), right, "{text}");
        }
    }

    #[test]
    fn registries_are_hosts_with_ports() {
        for (text, right) in [("a:1", true), ("a", false), ("[::1]:2", true), ("::1", false), (":7861", true)] {
            assert_eq!(is_host_port(text), right, "{text}");
        }
    }
}
