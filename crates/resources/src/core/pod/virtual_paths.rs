//! Warnings about files of one volume that hide each other.

use meta::Value;
use meta::field::quote;

/// A file, and what it comes from; "" when the volume says it.
#[derive(Clone, PartialEq)]
struct File {
    path: String,
    source: String,
}

impl File {
    fn new(path: &str, source: &str) -> File {
        File { path: path.trim_end_matches('/').into(), source: source.into() }
    }

    fn shown(&self) -> String {
        if self.source.is_empty() { quote(&self.path) } else { format!("{} ({})", quote(&self.path), self.source) }
    }

    /// The same file, or one in a folder that the other is.
    fn overlaps(&self, other: &File) -> bool {
        let folder = |f: &File| format!("{}/", f.path);
        let (a, b) = (folder(self), folder(other));
        !self.path.is_empty() && !other.path.is_empty() && (a.starts_with(&b) || b.starts_with(&a))
    }
}

pub fn warn(volumes: &Value, out: &mut Vec<String>) {
    for volume in volumes.items() {
        let own = quote(volume["name"].str());
        for (field, name) in [("configMap", "name"), ("secret", "secretName"), ("downwardAPI", "")] {
            let source = &volume[field];
            let files: Vec<File> = source["items"].items().iter().map(|i| File::new(i["path"].str(), "")).collect();
            let what = describe(field, source[name].str());
            for text in overlaps(files) {
                out.push(format!("volume {own} ({what}): overlapping paths: {text}"));
            }
        }
        if volume["projected"].is_null() {
            continue;
        }
        let mut files = Vec::new();
        for source in volume["projected"]["sources"].items() {
            if source.is_empty() {
                out.push(format!("volume {own} (Projected) has no sources provided"));
                continue;
            }
            files.extend(projected_files(source));
        }
        for text in overlaps(files) {
            out.push(format!("volume {own} (Projected): overlapping paths: {text}"));
        }
    }
}

fn describe(field: &str, name: &str) -> String {
    match field {
        "configMap" => format!("ConfigMap {}", quote(name)),
        "secret" => format!("Secret {}", quote(name)),
        _ => "DownwardAPI".into(),
    }
}

fn projected_files(source: &Value) -> Vec<File> {
    for field in ["configMap", "secret", "downwardAPI"] {
        let part = &source[field];
        if !part["items"].items().is_empty() {
            let what = describe(field, part["name"].str());
            return part["items"].items().iter().map(|i| File::new(i["path"].str(), &what)).collect();
        }
    }
    let token = &source["serviceAccountToken"];
    let bundle = &source["clusterTrustBundle"];
    if !token.is_null() {
        return vec![File::new(token["path"].str(), "ServiceAccountToken")];
    }
    if !bundle.is_null() {
        let name = bundle["name"].as_str().unwrap_or(bundle["signerName"].str());
        return vec![File::new(bundle["path"].str(), &format!("ClusterTrustBundle {}", quote(name)))];
    }
    let certificate = &source["podCertificate"];
    [
        ("certificateChainPath", "PodCertificate chain"),
        ("keyPath", "PodCertificate key"),
        ("credentialBundlePath", "PodCertificate credential bundle"),
    ]
    .iter()
    .filter(|(field, _)| !certificate[*field].str().is_empty())
    .map(|(field, what)| File::new(certificate[*field].str(), what))
    .collect()
}

fn overlaps(files: Vec<File>) -> Vec<String> {
    let mut out = Vec::new();
    for (i, file) in files.iter().enumerate() {
        for earlier in files.iter().take(i).filter(|f| file.overlaps(f)) {
            out.push(format!("{} with {}", file.shown(), earlier.shown()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn files_within_files_are_told() {
        let volumes = value!([{"name": "v", "configMap": {"name": "c", "items": [{"path": "a/"}, {"path": "a/b"}, {"path": "ab"}]}}]);
        let mut out = Vec::new();
        warn(&volumes, &mut out);
        assert_eq!(out, ["volume \"v\" (ConfigMap \"c\"): overlapping paths: \"a/b\" with \"a\""]);
    }
}
