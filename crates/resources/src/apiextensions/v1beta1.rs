//! The form in which kube-apiserver stores definitions, to this day: JSON of v1beta1, which is shorter where versions
//! have things in common (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1/types.go).

use super::internal::SHARED;
use meta::{Value, value};

/// v1beta1 → v1.
pub fn to_v1(mut definition: Value) -> Value {
    definition.set("apiVersion", "apiextensions.k8s.io/v1");
    let spec = definition.entry("spec");
    let name = spec.remove("version").unwrap_or_default();
    if spec["versions"].is_empty() && !name.str().is_empty() {
        spec.set("versions", value!([{"name": name, "served": true, "storage": true}]));
    }
    for (own, top) in SHARED {
        let shared = spec.remove(top).filter(|shared| !shared.is_null());
        for version in spec.entry("versions").items_mut() {
            if let Some(shared) = &shared {
                version.set_default(own, shared.clone());
            }
        }
    }
    for version in spec.entry("versions").items_mut() {
        for column in version.get_mut("additionalPrinterColumns").map_or(&mut [][..], Value::items_mut) {
            if let Some(path) = column.remove("JSONPath") {
                column.set("jsonPath", path);
            }
        }
    }
    if let Some(conversion) = spec.get_mut("conversion").filter(|conversion| conversion.as_object().is_some()) {
        let client = conversion.remove("webhookClientConfig").filter(|client| !client.is_null());
        let versions = conversion.remove("conversionReviewVersions").filter(|versions| !versions.is_null());
        if client.is_some() || versions.is_some() {
            let mut webhook = Value::object();
            for (name, value) in [("clientConfig", client), ("conversionReviewVersions", versions)] {
                if let Some(value) = value {
                    webhook.set(name, value);
                }
            }
            conversion.set("webhook", webhook);
        }
    }
    definition
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::json;

    #[test]
    fn what_kube_apiserver_stores_is_read() {
        let stored = r#"{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1beta1",
            "metadata":{"name":"widgets.example.com"},
            "spec":{"group":"example.com","version":"v1","names":{"plural":"widgets","kind":"Widget"},"scope":"Namespaced",
            "validation":{"openAPIV3Schema":{"type":"object"}},"subresources":{"status":{}},
            "versions":[{"name":"v1","served":true,"storage":true},{"name":"v2","served":true,"storage":false}],
            "additionalPrinterColumns":[{"name":"Size","type":"integer","JSONPath":".spec.size"}],
            "conversion":{"strategy":"Webhook","webhookClientConfig":{"url":"https://x"},"conversionReviewVersions":["v1"]},
            "preserveUnknownFields":false},"status":{"storedVersions":["v1"]}}"#;
        let got = to_v1(json::parse(stored.as_bytes()).unwrap().value);
        let version = |name: &str, storage: bool| {
            value!({
                "name": name, "served": true, "storage": storage,
                "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {"type": "object"}},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
            })
        };
        let spec = value!({
            "group": "example.com", "names": {"plural": "widgets", "kind": "Widget"}, "scope": "Namespaced",
            "versions": [(version("v1", true)), (version("v2", false))],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"clientConfig": {"url": "https://x"}, "conversionReviewVersions": ["v1"]}
            },
            "preserveUnknownFields": false
        });
        assert_eq!(got["spec"], spec);
        assert_eq!(
            (got["apiVersion"].str(), got["status"]["storedVersions"][0].str()),
            ("apiextensions.k8s.io/v1", "v1")
        );
    }

    #[test]
    fn the_oldest_name_one_version_and_versions_keep_what_is_their_own() {
        let old = value!({"spec": {"version": "v1", "validation": {"openAPIV3Schema": {}}, "conversion": {"strategy": "None"}}});
        let want = value!({
            "conversion": {"strategy": "None"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {}}}]
        });
        assert_eq!(to_v1(old)["spec"], want);
        let versions = value!([{"name": "a", "schema": {"x": 1}}, {"name": "b", "schema": {"x": 2}}]);
        let own = value!({"spec": {"version": "a", "versions": (&versions)}});
        assert_eq!(to_v1(own)["spec"]["versions"], versions);
    }
}
