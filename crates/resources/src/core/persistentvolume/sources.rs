//! The kinds of storage that a PersistentVolume may be (upstream: validate…VolumeSource in pkg/apis/core/validation).

use meta::field::{ErrorList, Path};
use meta::{Value, name as names};

type Check = fn(&Value, &Path, &mut ErrorList);

/// A source: its field, the name that upstream's errors give it, the fields that may not be empty, and more checks.
struct Source {
    field: &'static str,
    shown: &'static str,
    required: &'static [&'static str],
    check: Option<Check>,
}

const fn source(field: &'static str, required: &'static [&'static str], check: Option<Check>) -> Source {
    Source { field, shown: field, required, check }
}

/// In the order in which upstream looks at them: the first counts, others are forbidden.
const SOURCES: &[Source] = &[
    source("hostPath", &[], Some(host_path)),
    Source { shown: "persistentDisk", ..source("gcePersistentDisk", &["pdName"], Some(partition)) },
    source("awsElasticBlockStore", &["volumeID"], Some(partition)),
    source("glusterfs", &["endpoints", "path"], Some(glusterfs)),
    source("flocker", &[], Some(flocker)),
    source("nfs", &["server", "path"], Some(nfs)),
    source("rbd", &["monitors", "image"], None),
    source("quobyte", &[], Some(quobyte)),
    source("cephfs", &["monitors"], None),
    source("iscsi", &["targetPortal"], Some(iscsi)),
    source("cinder", &["volumeID"], Some(secret_reference)),
    source("fc", &[], Some(fc)),
    source("flexVolume", &["driver"], Some(flex)),
    source("azureFile", &["secretName", "shareName"], Some(azure_file)),
    source("vsphereVolume", &["volumePath"], None),
    source("photonPersistentDisk", &["pdID"], None),
    source("portworxVolume", &["volumeID"], None),
    source("azureDisk", &["diskName", "diskURI"], Some(azure_disk)),
    source("scaleIO", &["gateway", "system", "volumeName"], None),
    source("local", &[], Some(local)),
    source("storageos", &["volumeName"], Some(storage_os)),
    source("csi", &[], Some(csi)),
];

/// All source fields of a volume's spec.
pub fn fields() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|s| s.field)
}

/// Exactly one source, and that one right. The name of the volume counts for iSCSI.
pub fn validate(spec: &Value, name: &str, path: &Path, errs: &mut ErrorList) {
    let mut found = 0;
    for source in SOURCES {
        let value = &spec[source.field];
        if value.is_null() {
            continue;
        }
        if found > 0 && source.field != "flexVolume" {
            let field = if source.field == "cephfs" { "cephFS" } else { source.field };
            errs.forbidden(&path.child(field), "may not specify more than 1 volume type");
            continue;
        }
        found += 1;
        let at = path.child(source.shown);
        for field in source.required.iter().filter(|field| value[**field].is_empty()) {
            errs.required(&at.child(field), "");
        }
        if source.field == "iscsi" {
            portal_length(value, name, &at, errs);
        }
        if let Some(check) = source.check {
            check(value, &at, errs);
        }
        if source.field == "local" && spec["nodeAffinity"].is_null() {
            errs.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    }
    if found == 0 {
        errs.required(path, "must specify a volume type");
    }
}

fn no_backsteps(text: &str, path: &Path, errs: &mut ErrorList) {
    if text.split('/').any(|part| part == "..") {
        errs.invalid(path, text, "must not contain '..'");
    }
}

fn host_path(source: &Value, path: &Path, errs: &mut ErrorList) {
    const TYPES: &[&str] =
        &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    local(source, path, errs);
    if let Some(kind) = source["type"].as_str()
        && !source["path"].is_empty()
        && !TYPES.contains(&kind)
    {
        errs.not_supported(&path.child("type"), kind, TYPES);
    }
}

fn local(source: &Value, path: &Path, errs: &mut ErrorList) {
    match source["path"].str() {
        "" => errs.required(&path.child("path"), ""),
        text => no_backsteps(text, &path.child("path"), errs),
    }
}

/// Upstream's text names a range that does not hold its check's 0.
fn partition(source: &Value, path: &Path, errs: &mut ErrorList) {
    let partition = source["partition"].int();
    if !(0..=255).contains(&partition) {
        errs.invalid(&path.child("partition"), partition, &names::inclusive_range_error(1, 255));
    }
}

fn glusterfs(source: &Value, path: &Path, errs: &mut ErrorList) {
    let at = path.child("endpointsNamespace");
    match source["endpointsNamespace"].as_str() {
        None => {}
        Some("") => {
            errs.invalid(&at, "", "if the endpointnamespace is set, it must be a valid namespace name");
        }
        Some(namespace) => errs.invalid_each(&at, namespace, names::dns1123_label(namespace)),
    }
}

fn flocker(source: &Value, path: &Path, errs: &mut ErrorList) {
    let dataset = source["datasetName"].str();
    match (dataset.is_empty(), source["datasetUUID"].is_empty()) {
        (true, true) => errs.required(path, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            errs.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
        }
        _ => {}
    }
    if dataset.contains('/') {
        errs.invalid(&path.child("datasetName"), dataset, "must not contain '/'");
    }
}

fn nfs(source: &Value, path: &Path, errs: &mut ErrorList) {
    let text = source["path"].str();
    if !text.starts_with('/') {
        errs.invalid(&path.child("path"), text, "must be an absolute path");
    }
}

fn quobyte(source: &Value, path: &Path, errs: &mut ErrorList) {
    let detail = "must be a host:port pair or multiple pairs separated by commas";
    let registry = source["registry"].str();
    if registry.is_empty() {
        errs.required(&path.child("registry"), detail);
    } else if source["tenant"].str().len() >= 65 {
        errs.required(&path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else {
        for _ in registry.split(',').filter(|pair| !is_host_port(pair)) {
            errs.invalid(&path.child("registry"), registry, detail);
        }
    }
    if source["volume"].is_empty() {
        errs.required(&path.child("volume"), "");
    }
}

/// As Go's net.SplitHostPort: one colon outside brackets.
fn is_host_port(pair: &str) -> bool {
    let (host, port) = match pair.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some(split) => split,
        None => match pair.split_once(':') {
            Some(split) => split,
            None => return false,
        },
    };
    !port.contains(':') && (pair.starts_with('[') || !host.contains(['[', ']'])) && !port.contains(['[', ']'])
}

fn portal_length(source: &Value, name: &str, path: &Path, errs: &mut ErrorList) {
    let portal = source["targetPortal"].str();
    if !source["initiatorName"].is_null() && name.len() + 1 + portal.len() > 64 {
        let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
        errs.invalid(&path.child("targetportal"), portal, detail);
    }
}

/// `iqn.YYYY-MM.domain:name`, `eui.` and 16 letters or digits, `naa.` and 32.
fn is_initiator(text: &str) -> bool {
    let alnum = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_alphanumeric());
    // upstream's expressions take any character for the dot
    let rest = |prefix: &str| text.strip_prefix(prefix).and_then(|r| r.char_indices().nth(1).map(|(i, _)| &r[i..]));
    if text.starts_with("iqn") {
        return is_iqn(text);
    }
    rest("eui").is_some_and(|r| alnum(r, 16)) || rest("naa").is_some_and(|r| alnum(r, 32))
}

fn is_iqn(text: &str) -> bool {
    let digits = |s: Option<&str>| s.is_some_and(|s| s.bytes().all(|b| b.is_ascii_digit()));
    let Some(rest) = text.strip_prefix("iqn.") else { return false };
    let dated = digits(rest.get(..4)) && rest.get(4..5) == Some("-") && digits(rest.get(5..7));
    let Some((domain, name)) = rest.get(8..).and_then(|r| r.split_once(':')) else { return false };
    let in_domain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let in_name = |c: char| !",;*&$|".contains(c) && !c.is_ascii_whitespace();
    dated
        && rest.get(7..8) == Some(".")
        && !domain.is_empty()
        && domain.bytes().all(in_domain)
        && !name.is_empty()
        && name.chars().all(in_name)
}

fn iscsi(source: &Value, path: &Path, errs: &mut ErrorList) {
    match source["iqn"].str() {
        "" => errs.required(&path.child("iqn"), ""),
        iqn if !is_initiator(iqn) => errs.invalid(&path.child("iqn"), iqn, "must be valid format"),
        _ => {}
    }
    errs.invalid_each(&path.child("lun"), source["lun"].int(), names::in_range(source["lun"].int(), 0, 255));
    let secret = &source["secretRef"];
    let chap = source["chapAuthDiscovery"].bool() || source["chapAuthSession"].bool();
    if chap && secret.is_null() {
        errs.required(&path.child("secretRef"), "");
    }
    if !secret.is_null() && secret["name"].is_empty() {
        errs.required(&path.child("secretRef").child("name"), "");
    }
    if let Some(initiator) = source["initiatorName"].as_str()
        && !is_initiator(initiator)
    {
        errs.invalid(&path.child("initiatorname"), initiator, "must be valid format");
    }
}

/// A reference to a secret needs a name and a namespace.
fn secret_reference(source: &Value, path: &Path, errs: &mut ErrorList) {
    let secret = &source["secretRef"];
    for field in ["name", "namespace"] {
        if !secret.is_null() && secret[field].is_empty() {
            errs.required(&path.child("secretRef").child(field), "");
        }
    }
}

fn fc(source: &Value, path: &Path, errs: &mut ErrorList) {
    let at = path.child("targetWWNs");
    let names = &source["targetWWNs"];
    match (names.is_empty(), source["wwids"].is_empty()) {
        (true, true) => errs.required(&at, "must specify either targetWWNs or wwids, but not both"),
        (false, false) => {
            errs.invalid(&at, names, "targetWWNs and wwids can not be specified simultaneously");
        }
        _ => {}
    }
    if names.is_empty() {
        return;
    }
    match source["lun"].as_int() {
        None => errs.required(&path.child("lun"), "lun is required if targetWWNs is specified"),
        Some(lun) => errs.invalid_each(&path.child("lun"), lun, names::in_range(lun, 0, 255)),
    }
}

fn flex(source: &Value, path: &Path, errs: &mut ErrorList) {
    for (key, _) in source["options"].entries() {
        let domain = format!(".{}", key.split('/').next().unwrap_or(key).to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let at = path.child("options").key(key);
            errs.invalid(&at, key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

fn azure_file(source: &Value, path: &Path, errs: &mut ErrorList) {
    if source["secretNamespace"].as_str() == Some("") {
        errs.required(&path.child("secretNamespace"), "");
    }
}

fn azure_disk(source: &Value, path: &Path, errs: &mut ErrorList) {
    const CACHING: &[&str] = &["None", "ReadOnly", "ReadWrite"];
    const KINDS: &[&str] = &["Dedicated", "Managed", "Shared"];
    const MANAGED: &str =
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
    const BLOB: &str = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
    for (field, known) in [("cachingMode", CACHING), ("kind", KINDS)] {
        if let Some(value) = source[field].as_str()
            && !known.contains(&value)
        {
            errs.not_supported(&path.child(field), value, known);
        }
    }
    let uri = source["diskURI"].str();
    let (prefix, form) = match source["kind"].as_str() {
        Some("Managed") => ("/subscriptions/", MANAGED),
        Some(_) => ("https://", BLOB),
        None => return,
    };
    if !uri.starts_with(prefix) {
        errs.not_supported(&path.child("diskURI"), uri, &[form]);
    }
}

fn storage_os(source: &Value, path: &Path, errs: &mut ErrorList) {
    for field in ["volumeName", "volumeNamespace"] {
        let value = source[field].str();
        if !value.is_empty() {
            errs.invalid_each(&path.child(field), value, names::dns1123_label(value));
        }
    }
    secret_reference(source, path, errs);
}

fn csi(source: &Value, path: &Path, errs: &mut ErrorList) {
    validate_driver_name(source["driver"].str(), &path.child("driver"), errs);
    if source["volumeHandle"].is_empty() {
        errs.required(&path.child("volumeHandle"), "");
    }
    for field in
        ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"]
    {
        let secret = &source[field];
        if secret.is_null() {
            continue;
        }
        let at = path.child(field);
        match secret["name"].str() {
            "" => errs.required(&at.child("name"), ""),
            name => errs.invalid_each(&at.child("name"), name, names::dns1123_subdomain(name)),
        }
        match secret["namespace"].str() {
            "" => errs.required(&at.child("namespace"), ""),
            namespace => errs.invalid_each(&at.child("namespace"), namespace, names::dns1123_label(namespace)),
        }
    }
}

/// The name of a CSI driver: at most 63 bytes, a subdomain when lower-cased.
pub fn validate_driver_name(driver: &str, path: &Path, errs: &mut ErrorList) {
    if driver.is_empty() {
        errs.required(path, "");
        return;
    }
    if driver.len() > 63 {
        errs.too_long(path, 63);
    }
    errs.invalid_each(path, driver, names::dns1123_subdomain(&driver.to_lowercase()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initiators() {
        for (text, right) in [
            ("iqn.2001-04.com.example:storage.disk1", true),
            ("iqn.2001-04.com.example", false),
            ("iqn.2001-04.com.example:a b", false),
            ("eui.02004567A425678D", true),
            ("eui.02004567A425678", false),
            ("naa.52004567BA64678D52004567BA64678D", true),
            ("abc", false),
            ("iqn", false),
            ("", false),
        ] {
            assert_eq!(is_initiator(text), right, "{text}");
        }
        for (pair, right) in [("a:1", true), ("[::1]:2", true), ("a", false), ("a:1:2", false), (":1", true)] {
            assert_eq!(is_host_port(pair), right, "{pair}");
        }
    }
}
