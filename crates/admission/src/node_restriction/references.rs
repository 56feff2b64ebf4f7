//! What of the API a mirror pod names: it may name nothing (k8s.io/kubernetes/pkg/api/pod HasAPIObjectReference).

use meta::Value;

/// The first kind of object that a pod's spec names.
pub fn first(spec: &Value) -> Option<&'static str> {
    if !spec["serviceAccountName"].str().is_empty() {
        return Some("serviceaccounts");
    }
    if names_secret(spec) {
        return Some("secrets");
    }
    if in_environment(spec, "configMapRef", "configMapKeyRef") || in_volumes(spec, "configMap", "name") {
        return Some("configmaps");
    }
    if !spec["resourceClaims"].is_empty() {
        return Some("resourceclaims");
    }
    spec["volumes"].items().iter().find_map(of_volume)
}

/// By the member that a volume, or a projected source, has.
const VOLUMES: &[(&str, &str)] = &[
    ("configMap", "configmaps (via configmap volumes)"),
    ("secret", "secrets (via secret volumes)"),
    ("csi", "csidrivers (via CSI volumes)"),
    ("glusterfs", "endpoints (via glusterFS volumes)"),
    ("persistentVolumeClaim", "persistentvolumeclaims"),
    ("ephemeral", "persistentvolumeclaims (via ephemeral volumes)"),
    ("azureFile", "secrets (via azureFile volumes)"),
];
const SOURCES: &[(&str, &str)] = &[
    ("configMap", "configmaps (via projected volumes)"),
    ("secret", "secrets (via projected volumes)"),
    ("serviceAccountToken", "serviceaccounts (via projected volumes)"),
    ("clusterTrustBundle", "clustertrustbundles"),
    ("podCertificate", "podcertificates"),
];

fn of_volume(volume: &Value) -> Option<&'static str> {
    let of = |table: &[(&str, &'static str)], of: &Value| {
        table.iter().find(|(member, _)| !of[*member].is_null()).map(|(_, what)| *what)
    };
    of(VOLUMES, volume).or_else(|| volume["projected"]["sources"].items().iter().find_map(|source| of(SOURCES, source)))
}

fn in_environment(spec: &Value, from: &str, key: &str) -> bool {
    let containers = ["initContainers", "containers", "ephemeralContainers"].into_iter();
    containers.flat_map(|field| spec[field].items()).any(|container| {
        let named = |reference: &Value| !reference["name"].str().is_empty();
        container["envFrom"].items().iter().any(|source| named(&source[from]))
            || container["env"].items().iter().any(|env| named(&env["valueFrom"][key]))
    })
}

/// Whether a volume of a kind, or a projected source of it, has a name.
fn in_volumes(spec: &Value, kind: &str, name: &str) -> bool {
    spec["volumes"].items().iter().any(|volume| {
        let projected = volume["projected"]["sources"].items();
        !volume[kind][name].str().is_empty() || projected.iter().any(|source| !source[kind]["name"].str().is_empty())
    })
}

fn names_secret(spec: &Value) -> bool {
    let named = |reference: &Value| !reference["name"].str().is_empty();
    let of_kind = |volume: &Value| {
        let references = volume.entries().map(|(_, source)| &source["secretRef"]);
        let mut references = references.chain([&volume["csi"]["nodePublishSecretRef"]]);
        references.any(named) || !volume["azureFile"]["secretName"].str().is_empty()
    };
    spec["imagePullSecrets"].items().iter().any(named)
        || in_environment(spec, "secretRef", "secretKeyRef")
        || in_volumes(spec, "secret", "secretName")
        || spec["volumes"].items().iter().any(of_kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn everything_that_names_objects_is_found() {
        let volume = |volume: Value| value!({"volumes": [volume]});
        let cases = [
            (value!({"containers": [{"name": "c"}], "volumes": [{"hostPath": {"path": "/"}}]}), None),
            (value!({"serviceAccountName": "a"}), Some("serviceaccounts")),
            (value!({"imagePullSecrets": [{"name": "s"}]}), Some("secrets")),
            (value!({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "s"}}}]}]}), Some("secrets")),
            (value!({"initContainers": [{"envFrom": [{"configMapRef": {"name": "s"}}]}]}), Some("configmaps")),
            (volume(value!({"cephfs": {"secretRef": {"name": "s"}}})), Some("secrets")),
            (volume(value!({"projected": {"sources": [{"configMap": {"name": "s"}}]}})), Some("configmaps")),
            (value!({"resourceClaims": [{"name": "r"}]}), Some("resourceclaims")),
            (volume(value!({"csi": {"driver": "d"}})), Some("csidrivers (via CSI volumes)")),
            (volume(value!({"ephemeral": {}})), Some("persistentvolumeclaims (via ephemeral volumes)")),
            (
                volume(
                    value!({"projected": {"sources": [{"downwardAPI": {}}, {"serviceAccountToken": {"path": "t"}}]}}),
                ),
                Some("serviceaccounts (via projected volumes)"),
            ),
        ];
        for (spec, wanted) in cases {
            assert_eq!(first(&spec), wanted, "{spec:?}");
        }
    }
}
