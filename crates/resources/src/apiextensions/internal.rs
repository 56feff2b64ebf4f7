//! The form in which upstream judges a definition: what all versions have in common stands at the top, and errors name
//! it there (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1/conversion.go).

use custom::schema_rules::shown;
use meta::field::{Shown, quote};
use meta::{Value, json};

/// A version's member and the name of the same at the top.
pub(super) const SHARED: &[(&str, &str)] = &[
    ("subresources", "subresources"),
    ("schema", "validation"),
    ("additionalPrinterColumns", "additionalPrinterColumns"),
    ("selectableFields", "selectableFields"),
];

/// The spec in that form. Members that the versions share are moved to the top; a version then has them no more.
pub fn of_spec(spec: &Value) -> Value {
    let mut internal = spec.clone();
    let versions = spec["versions"].items();
    if let Some(first) = versions.first() {
        internal.set("version", &first["name"]);
        for (own, top) in SHARED {
            if versions.iter().all(|version| version[*own] == first[*own]) {
                internal.set(top, &first[*own]);
                for version in internal.entry("versions").items_mut() {
                    version.remove(own);
                }
            }
        }
    }
    if let Some(conversion) = internal.get_mut("conversion").filter(|conversion| conversion.as_object().is_some()) {
        let webhook = conversion.remove("webhook").unwrap_or_default();
        conversion.set("webhookClientConfig", &webhook["clientConfig"]);
        conversion.set("conversionReviewVersions", &webhook["conversionReviewVersions"]);
    }
    internal
}

/// The schema of each version; null for those without one.
pub fn schemas(internal: &Value) -> Vec<&Value> {
    let shared = &internal["validation"];
    let own = internal["versions"].items().iter().map(|version| &version["schema"]);
    own.map(|own| if own.is_null() { &shared["openAPIV3Schema"] } else { &own["openAPIV3Schema"] }).collect()
}

/// The subresources of a version.
pub fn subresources<'a>(internal: &'a Value, version: &'a Value) -> &'a Value {
    let own = &version["subresources"];
    let shared = !internal["versions"].items().iter().any(|version| !version["subresources"].is_null());
    if shared { &internal["subresources"] } else { own }
}

/// The versions as messages show them.
pub fn versions_shown(versions: &Value) -> Shown {
    match versions {
        Value::Array(list) => Shown(format!("[{}]", list.iter().map(version_shown).collect::<Vec<_>>().join(","))),
        _ => Shown("null".into()),
    }
}

fn version_shown(version: &Value) -> String {
    let flag = |field: &str| version[field].bool().to_string();
    let schema = match &version["schema"] {
        Value::Null => "null".into(),
        schema => format!("{{\"OpenAPIV3Schema\":{}}}", shown::schema(&schema["openAPIV3Schema"]).0),
    };
    let members = [
        ("Name", json::to_string(&version["name"].str().into())),
        ("Served", flag("served")),
        ("Storage", flag("storage")),
        ("Deprecated", flag("deprecated")),
        ("DeprecationWarning", json::to_string(&version["deprecationWarning"])),
        ("Schema", schema),
        ("Subresources", subresources_shown(&version["subresources"])),
        ("AdditionalPrinterColumns", list_shown(&version["additionalPrinterColumns"], COLUMN_FIELDS)),
        ("SelectableFields", list_shown(&version["selectableFields"], &[("JSONPath", "jsonPath")])),
    ];
    let members = members.iter().map(|(name, value)| format!("{}:{value}", quote(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

const COLUMN_FIELDS: &[(&str, &str)] = &[
    ("Name", "name"),
    ("Type", "type"),
    ("Format", "format"),
    ("Description", "description"),
    ("Priority", "priority"),
    ("JSONPath", "jsonPath"),
];

fn subresources_shown(subresources: &Value) -> String {
    if subresources.is_null() {
        return "null".into();
    }
    let status = if subresources["status"].is_null() { "null" } else { "{}" };
    let scale = match &subresources["scale"] {
        Value::Null => "null".into(),
        scale => format!(
            "{{\"SpecReplicasPath\":{},\"StatusReplicasPath\":{},\"LabelSelectorPath\":{}}}",
            json::to_string(&scale["specReplicasPath"].str().into()),
            json::to_string(&scale["statusReplicasPath"].str().into()),
            json::to_string(&scale["labelSelectorPath"]),
        ),
    };
    format!("{{\"Status\":{status},\"Scale\":{scale}}}")
}

/// A list of structs whose fields are texts, but for the priority of a column.
fn list_shown(list: &Value, fields: &[(&str, &str)]) -> String {
    let field = |item: &Value, name: &str| match name {
        "priority" => item[name].int().to_string(),
        _ => json::to_string(&item[name].str().into()),
    };
    let item = |item: &Value| {
        let members = fields.iter().map(|(go, name)| format!("{}:{}", quote(go), field(item, name)));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    match list {
        Value::Array(items) => format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(",")),
        _ => "null".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn what_versions_share_stands_at_the_top() {
        let schema = value!({"openAPIV3Schema": {"type": "object"}});
        let spec = value!({"versions": [
            {"name": "v1", "schema": (&schema), "subresources": {"status": {}}},
            {"name": "v2", "schema": (&schema)}
        ]});
        let internal = of_spec(&spec);
        assert_eq!(internal["version"].str(), "v1");
        assert_eq!(internal["validation"], schema);
        assert!(internal["versions"][0]["schema"].is_null() && internal["subresources"].is_null());
        assert_eq!(schemas(&internal), [&schema["openAPIV3Schema"], &schema["openAPIV3Schema"]]);
        assert!(subresources(&internal, &internal["versions"][1]).is_null());
    }
}
