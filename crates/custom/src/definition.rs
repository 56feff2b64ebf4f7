//! From a stored CustomResourceDefinition to descriptors.

use crate::compile;
use crate::expressions::RuleTree;
use crate::hooks::{CustomHooks, StatusHooks, Version};
use crate::validate::Patterns;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meta::{Gvk, Str, Value};
use resource::{
    Column, Convert, DefaultGc, Descriptor, Generation, MetadataRules, NameRule, PART_VERBS, ScaleSelector,
    SelectField, SelectValue, Strategy, Subresource, SubresourceKind, Verb,
};
use schema::Schema;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::sync::Arc;

/// Discovery lists custom resources' verbs in this order.
const VERBS: &[Verb] = &[
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Get,
    Verb::List,
    Verb::Patch,
    Verb::Create,
    Verb::Update,
    Verb::Watch,
];

/// One descriptor for each served version. The names are those that were accepted, so that a definition whose names
/// are in conflict serves nothing. Metadata's types come from `builtin`. The error says what a stored definition lacks.
pub fn descriptors(definition: &Value, builtin: &Schema) -> Result<Vec<Descriptor>, String> {
    let versions = definition["spec"]["versions"].items();
    let storage = versions.iter().find(|version| version["storage"].bool()).ok_or("no version is stored")?;
    let served = versions.iter().filter(|version| version["served"].bool());
    served.map(|version| descriptor(definition, version, storage, builtin)).collect()
}

fn descriptor(definition: &Value, version: &Value, storage: &Value, builtin: &Schema) -> Result<Descriptor, String> {
    let spec = &definition["spec"];
    let names = &definition["status"]["acceptedNames"];
    let group = Str::from(spec["group"].str());
    let kind = Str::from(names["kind"].str());
    let name = Str::from(version["name"].str());
    let storage_gvk = Gvk { group: group.clone(), version: storage["name"].str().into(), kind: kind.clone() };
    let object_meta = builtin.named(compile::OBJECT_META).ok_or("the built-in schema has no ObjectMeta")?;
    let mut schema = Schema::default();
    let object_meta = schema.copy(builtin, object_meta);
    let node = &version["schema"]["openAPIV3Schema"];
    let type_name = format!("{}.{name}.{kind}", reversed(&group));
    let type_id = compile::object(&mut schema, &type_name, node, object_meta);
    let rules = Arc::new(Version {
        group: group.clone(),
        plural: names["plural"].str().into(),
        kind: kind.clone(),
        node: node.clone(),
        patterns: Patterns::of(node),
        rules: RuleTree::new(node),
        has_status: has_status(version),
        terminating: !definition["metadata"]["deletionTimestamp"].is_null(),
    });
    let convert = (storage_gvk.version != name).then(|| convert(&group, &name, &storage_gvk.version));
    let texts = |list: &Value| list.items().iter().map(|item| Str::from(item.str())).collect::<Vec<Str>>();
    Ok(Descriptor {
        version: name.clone(),
        list_kind: names["listKind"].str().into(),
        plural: names["plural"].str().into(),
        singular: names["singular"].str().into(),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"].str() == "Namespaced",
        verbs: VERBS.to_vec(),
        schema: Arc::new(schema),
        type_id,
        storage: storage_gvk.clone(),
        storage_type_id: type_id,
        storage_prefix: format!("/registry/{group}/{}", names["plural"].str()).into(),
        stored_as_json: true,
        has_opaque_data: false,
        in_etcd: None,
        stored_before: Vec::new(),
        storage_version_hash: storage_version_hash(&storage_gvk).into(),
        strategy: Strategy { reset_fields: if has_status(version) { &["status"] } else { &[] }, ..strategy() },
        columns: columns(version),
        cells: None,
        cell_fields: &[],
        select_fields: select_fields(version),
        unknown_field_names_kind: false,
        subresources: subresources(version, &group, &name, &kind, &rules),
        review: None,
        hooks: Arc::new(CustomHooks(rules)),
        convert,
        deprecation: deprecation(version, spec["versions"].items(), &group, &name, &kind),
        acts: None,
        protobuf: false,
        group,
        kind,
    })
}

/// `sc.example.com` → `com.example.sc`, as OpenAPI names types.
fn reversed(group: &str) -> String {
    group.split('.').rev().collect::<Vec<&str>>().join(".")
}

fn has_status(version: &Value) -> bool {
    version["subresources"].get("status").is_some()
}

fn strategy() -> Strategy {
    Strategy {
        unconditional_update: false,
        generation: Generation::Hooks,
        default_gc: DefaultGc::Background,
        name: NameRule::Subdomain,
        metadata: MetadataRules::CHANGES.with_any_finalizers(),
        ..Strategy::default()
    }
}

fn deprecation(version: &Value, versions: &[Value], group: &str, name: &str, kind: &str) -> Str {
    if !version["deprecated"].bool() {
        return Str::default();
    }
    match version["deprecationWarning"].as_str() {
        Some(text) => text.into(),
        None => {
            let text = format!("{group}/{name} {kind} is deprecated");
            match newest_instead(name, versions) {
                Some(newest) => format!("{text}; use {group}/{newest} {kind}").into(),
                None => text.into(),
            }
        }
    }
}

/// The newest served version that is newer than a deprecated one and not deprecated itself.
fn newest_instead<'a>(deprecated: &str, versions: &'a [Value]) -> Option<&'a str> {
    let good = versions.iter().filter(|version| version["served"].bool() && !version["deprecated"].bool());
    let newer = good.map(|version| version["name"].str()).filter(|name| age(name) < age(deprecated));
    newer.min_by_key(|name| age(name))
}

/// A key that sorts versions from new to old: stable before beta before alpha, each by number, then all others by name.
fn age(version: &str) -> (u8, Reverse<u64>, Reverse<u64>, &str) {
    let other = (3, Reverse(0), Reverse(0), version);
    let Some(rest) = version.strip_prefix('v') else { return other };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, stage) = rest.split_at(digits);
    let Ok(major) = major.parse::<u64>() else { return other };
    let (rank, minor) = match (stage.strip_prefix("beta"), stage.strip_prefix("alpha")) {
        _ if stage.is_empty() => return (0, Reverse(major), Reverse(0), ""),
        (Some(minor), _) => (1, minor),
        (_, Some(minor)) => (2, minor),
        _ => return other,
    };
    minor.parse::<u64>().map_or(other, |minor| (rank, Reverse(major), Reverse(minor), ""))
}

/// Versions without a conversion webhook differ in nothing but their apiVersion.
struct SameContent {
    served: Str,
    stored: Str,
}

impl Convert for SameContent {
    fn to_storage(&self, mut object: Value) -> Value {
        object.set("apiVersion", &self.stored);
        object
    }

    fn from_storage(&self, mut object: Value) -> Value {
        object.set("apiVersion", &self.served);
        object
    }
}

fn convert(group: &str, served: &str, stored: &str) -> Arc<dyn Convert> {
    let api_version = |version| meta::gvk::api_version(group, version);
    Arc::new(SameContent { served: api_version(served), stored: api_version(stored) })
}

fn columns(version: &Value) -> Vec<Column> {
    let column = |c: &Value| Column {
        name: c["name"].str().into(),
        kind: c["type"].str().into(),
        format: c["format"].str().into(),
        description: c["description"].str().into(),
        priority: c["priority"].int() as i32,
        json_path: c["jsonPath"].str().into(),
    };
    version["additionalPrinterColumns"].items().iter().map(column).collect()
}

/// `.spec.color` → `spec.color`
fn dotted(json_path: &str) -> Str {
    json_path.trim_start_matches('.').into()
}

fn select_fields(version: &Value) -> Vec<SelectField> {
    let field = |f: &Value| {
        let path = dotted(f["jsonPath"].str());
        SelectField { name: path.clone(), value: SelectValue::Path(path) }
    };
    version["selectableFields"].items().iter().map(field).collect()
}

fn subresources(version: &Value, group: &str, name: &str, kind: &str, rules: &Arc<Version>) -> Vec<Subresource> {
    let mut list = Vec::new();
    let declared = &version["subresources"];
    if rules.has_status {
        list.push(Subresource {
            name: "status".into(),
            kind: Gvk::new(group, name, kind),
            verbs: PART_VERBS.to_vec(),
            does: SubresourceKind::Part {
                strategy: Strategy { reset_fields: &["metadata", "spec"], ..strategy() },
                hooks: Arc::new(StatusHooks(rules.clone())),
            },
        });
    }
    if let Some(scale) = declared.get("scale") {
        list.push(Subresource {
            name: "scale".into(),
            kind: Gvk::new("autoscaling", "v1", "Scale"),
            verbs: PART_VERBS.to_vec(),
            does: SubresourceKind::Scale {
                spec_replicas: dotted(scale["specReplicasPath"].str()),
                status_replicas: dotted(scale["statusReplicasPath"].str()),
                selector: ScaleSelector::Text(dotted(scale["labelSelectorPath"].str())),
            },
        });
    }
    list
}

/// base64 of the first eight bytes of SHA-256 over "group/version/kind".
fn storage_version_hash(gvk: &Gvk) -> String {
    let digest = Sha256::digest(format!("{}/{}/{}", gvk.group, gvk.version, gvk.kind));
    STANDARD.encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    #[test]
    fn deprecated_versions_point_to_the_newest() {
        let version = |name: &str, served: bool| value!({"name": name, "served": served});
        let versions = [version("v1alpha1", true), version("v1", true), version("v2", false), version("v2beta1", true)];
        assert_eq!(newest_instead("v1beta1", &versions), Some("v1"));
        assert_eq!(newest_instead("v1", &versions), None);
        assert_eq!(newest_instead("foo", &versions), Some("v1"));
    }

    #[test]
    fn a_definition_becomes_a_descriptor() {
        let definition = value!({
            "spec": {"group": "sc.example.com", "scope": "Namespaced", "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"ports": {
                        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["p"],
                        "items": {"type": "object", "properties": {"p": {"type": "integer"}}}
                    }}}
                }}},
                "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.color"}]
            }]},
            "status": {"acceptedNames": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}}
        });
        let list = descriptors(&definition, &schema::builtin()).unwrap();
        let [thing] = list.as_slice() else { panic!("one version is served") };
        assert_eq!(thing.storage_prefix, "/registry/sc.example.com/things");
        assert_eq!(thing.select_fields[0].name, "spec.color");
        assert_eq!(thing.subresources.len(), 1);
        let ty = thing.schema.ty(thing.type_id);
        let schema::Shape::Object(spec) = &ty.field("spec").unwrap().shape else { panic!("spec is an object") };
        let ports = thing.schema.ty(*spec).field("ports").unwrap();
        assert_eq!(ports.list_type, Some(schema::ListType::Map(vec!["p".into()])));
    }
}
