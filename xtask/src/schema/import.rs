//! From published crates to facts: names, numbers, shapes, order and markers from the `.proto` files; required fields and
//! newer shapes from `k8s-openapi`. What neither says is guessed from how Kubernetes' types are usually written, and
//! corrected by the overlay.

use super::facts::{Field, Package, Type};
use meta::Value;
use std::collections::BTreeMap;
use std::path::Path;
use upstream::{openapi, proto};

/// The published sources.
pub struct Sources {
    /// By package (`io.k8s.api.apps.v1`), then name.
    messages: BTreeMap<String, BTreeMap<String, proto::Message>>,
    /// By full name.
    schemas: BTreeMap<String, Value>,
}

/// Messages that JSON flattens into the type that holds them: type and field.
const EMBEDDED: &[(&str, &str)] = &[
    ("ConfigMapEnvSource", "localObjectReference"),
    ("ConfigMapKeySelector", "localObjectReference"),
    ("ConfigMapProjection", "localObjectReference"),
    ("ConfigMapVolumeSource", "localObjectReference"),
    ("DeviceAllocationConfiguration", "deviceConfiguration"),
    ("DeviceClaimConfiguration", "deviceConfiguration"),
    ("DeviceClassConfiguration", "deviceConfiguration"),
    ("EphemeralContainer", "ephemeralContainerCommon"),
    ("IngressRule", "ingressRuleValue"),
    ("NamedRuleWithOperations", "ruleWithOperations"),
    ("PersistentVolumeSpec", "persistentVolumeSource"),
    ("Probe", "handler"),
    ("RuleWithOperations", "rule"),
    ("SecretEnvSource", "localObjectReference"),
    ("SecretKeySelector", "localObjectReference"),
    ("SecretProjection", "localObjectReference"),
    ("Volume", "volumeSource"),
];

/// Fields whose JSON name is not their protobuf name: type ("" for any), field, JSON name.
const RENAMED: &[(&str, &str, &str)] = &[
    ("", "uID", "uid"),
    ("", "aPIGroup", "apiGroup"),
    ("", "Webhooks", "webhooks"),
    ("", "Expression", "expression"),
    ("", "Name", "name"),
    ("JSONSchemaProps", "ref", "$ref"),
    ("JSONSchemaProps", "schema", "$schema"),
    ("JSONSchemaProps", "xKubernetesEmbeddedResource", "x-kubernetes-embedded-resource"),
    ("JSONSchemaProps", "xKubernetesIntOrString", "x-kubernetes-int-or-string"),
    ("JSONSchemaProps", "xKubernetesListMapKeys", "x-kubernetes-list-map-keys"),
    ("JSONSchemaProps", "xKubernetesListType", "x-kubernetes-list-type"),
    ("JSONSchemaProps", "xKubernetesMapType", "x-kubernetes-map-type"),
    ("JSONSchemaProps", "xKubernetesPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields"),
    ("JSONSchemaProps", "xKubernetesValidations", "x-kubernetes-validations"),
];

/// Messages that are values of a form of their own, by the end of their full name.
const VALUES: &[(&str, &str)] = &[
    ("meta.v1.Time", "time"),
    ("meta.v1.MicroTime", "microtime"),
    ("meta.v1.Duration", "duration"),
    ("meta.v1.FieldsV1", "fieldsv1"),
    ("api.resource.Quantity", "quantity"),
    ("util.intstr.IntOrString", "intorstring"),
    ("pkg.runtime.RawExtension", "rawextension"),
    ("apiextensions.v1.JSON", "json"),
    ("apiextensions.v1beta1.JSON", "json"),
    (".JSONSchemaPropsOrBool", "schema|bool"),
    (".JSONSchemaPropsOrArray", "schema|array"),
    (".JSONSchemaPropsOrStringArray", "schema|strings"),
];

/// Messages that only wrap a list of strings.
const WRAPPERS: &[&str] = &["ExtraValue", "Verbs"];

impl Sources {
    /// Reads the sources of the pinned crates. `manifest` is one of the workspace's.
    pub fn read(manifest: &Path) -> Result<Sources, String> {
        let mut sources = Sources { messages: BTreeMap::new(), schemas: BTreeMap::new() };
        let io = |why: std::io::Error| why.to_string();
        let protos = upstream::package("k8s-rs-pb", manifest)?.join("src/v1_35");
        for file in upstream::files(&protos, ".proto").map_err(io)? {
            let (package, messages) = proto::read(&std::fs::read_to_string(file).map_err(io)?);
            sources.messages.insert(full_name(&package), messages);
        }
        let schemas = upstream::package("k8s-openapi", manifest)?.join("src/v1_36");
        for file in upstream::files(&schemas, ".rs").map_err(io)? {
            sources.schemas.extend(openapi::read(&std::fs::read_to_string(file).map_err(io)?));
        }
        Ok(sources)
    }

    /// The facts of the packages that the overlay lists.
    pub fn import(&self, packages: &[Package]) -> Vec<Package> {
        let aliases: BTreeMap<&str, &str> = packages.iter().map(|p| (p.name.as_str(), p.alias.as_str())).collect();
        let mut imported = packages.to_vec();
        for package in &mut imported {
            for (name, message) in self.messages.get(&package.name).into_iter().flatten() {
                let full = format!("{}.{name}", package.name);
                if value_shape(&full).is_none() && !WRAPPERS.contains(&name.as_str()) {
                    let import = Import { sources: self, aliases: &aliases, package: &package.name };
                    package.types.insert(name.clone(), import.ty(name, message));
                }
            }
        }
        imported
    }
}

/// `api.core.v1.Pod` or `.api.core.v1.Pod` → `io.k8s.api.core.v1.Pod`.
fn full_name(proto_name: &str) -> String {
    let name = proto_name
        .trim_start_matches('.')
        .replace("_apiserver.", "-apiserver.")
        .replace("kube_aggregator.", "kube-aggregator.");
    format!("io.k8s.{name}")
}

fn value_shape(full: &str) -> Option<&'static str> {
    VALUES.iter().find(|(ending, _)| full.ends_with(ending)).map(|(_, shape)| *shape)
}

struct Import<'a> {
    sources: &'a Sources,
    aliases: &'a BTreeMap<&'a str, &'a str>,
    package: &'a str,
}

impl Import<'_> {
    fn ty(&self, name: &str, message: &proto::Message) -> Type {
        let full = format!("{}.{name}", self.package);
        let schema = self.sources.schemas.get(&full);
        let mut ty = Type::default();
        self.fields(name, message, "", &mut ty.fields);
        let whole = match schema {
            Some(schema) => {
                schema["properties"].get("kind").is_some() && schema["properties"].get("apiVersion").is_some()
            }
            None => ty.fields.iter().any(|f| f.name == "metadata" && f.number == "1"),
        };
        if whole && !ty.fields.iter().any(|f| f.name == "kind") {
            ty.words.push("kind".into());
        }
        if markers(&message.comment, &["structType", "mapType"]).any(|v| v == "atomic") {
            ty.words.push("atomic".into());
        }
        let required: Option<Vec<&str>> = schema.map(|s| s["required"].items().iter().map(Value::str).collect());
        for field in &mut ty.fields {
            if let Some(required) = &required {
                field.remove_word("req");
                if required.contains(&field.name.as_str()) && field.name != "metadata" {
                    field.set_word("req");
                }
            }
        }
        ty
    }

    fn fields(&self, type_name: &str, message: &proto::Message, prefix: &str, out: &mut Vec<Field>) {
        for field in &message.fields {
            let number = format!("{prefix}{}", field.number);
            if EMBEDDED.contains(&(type_name, field.name.as_str())) {
                let full = self.full(&field.ty);
                let (package, name) = full.rsplit_once('.').unwrap_or_default();
                if let Some(embedded) = self.sources.messages.get(package).and_then(|m| m.get(name)) {
                    self.fields(name, embedded, &format!("{number}."), out);
                }
                continue;
            }
            out.push(self.field(type_name, field, number));
        }
    }

    fn field(&self, type_name: &str, field: &proto::Field, number: String) -> Field {
        let rename = RENAMED.iter().find(|(ty, name, _)| (ty.is_empty() || *ty == type_name) && *name == field.name);
        let mut out = Field {
            number,
            name: rename.map_or(field.name.as_str(), |(_, _, json)| json).to_string(),
            ..Field::default()
        };
        let item = self.shape(&field.ty);
        out.shape = match (field.repeated, field.map) {
            (true, _) => format!("[]{item}"),
            (_, true) => format!("map:{item}"),
            _ => item,
        };
        if WRAPPERS.contains(&field.ty.rsplit('.').next().unwrap_or_default()) {
            out.set_word("wrapped");
        }
        let optional = markers(&field.comment, &["optional"]).next().is_some();
        out.presence = presence(&out.shape, &out.name, optional).to_string();
        if !optional && out.presence != "ptr" {
            out.set_word("req");
        }
        marker_words(field, &mut out);
        out
    }

    fn full(&self, ty: &str) -> String {
        if ty.contains('.') { full_name(ty) } else { format!("{}.{ty}", self.package) }
    }

    fn shape(&self, ty: &str) -> String {
        if matches!(ty, "string" | "bool" | "int32" | "int64" | "bytes") {
            return ty.to_string();
        }
        if ty == "double" {
            return "float64".to_string();
        }
        let full = self.full(ty);
        let (package, name) = full.rsplit_once('.').unwrap_or_default();
        if WRAPPERS.contains(&name) {
            return "[]string".to_string();
        }
        if let Some(shape) = value_shape(&full) {
            return shape.to_string();
        }
        match self.aliases.get(package) {
            Some(alias) if package != self.package => format!("{alias}.{name}"),
            _ => name.to_string(),
        }
    }
}

fn markers<'a>(comment: &'a [String], names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    names.iter().flat_map(move |name| proto::markers(comment, name))
}

/// How Go most often declares a field of a shape.
fn presence(shape: &str, name: &str, optional: bool) -> &'static str {
    let ordinary = ["metadata", "spec", "status"].contains(&name);
    let list = shape.starts_with("[]") || shape.starts_with("map:");
    let (when_optional, when_required) = match shape {
        _ if list || matches!(shape, "string" | "bool" | "bytes") => ("omit", "always"),
        "time" => ("always", "always"),
        _ if ordinary => ("always", "always"),
        _ => ("ptr", "always"),
    };
    if optional { when_optional } else { when_required }
}

fn marker_words(field: &proto::Field, out: &mut Field) {
    if let Some(default) = field.markers("default").next() {
        out.set_word(&format!("={}", default.replace(' ', "")));
    }
    let keys: Vec<&str> = field.markers("listMapKey").collect();
    match field.markers("listType").next() {
        Some("map") => out.set_word(&format!("list:map:{}", keys.join(","))),
        Some(list) => out.set_word(&format!("list:{list}")),
        None => {}
    }
    let strategies: Vec<&str> = field.markers("patchStrategy").collect();
    if !strategies.is_empty() {
        out.set_word(&format!("patch:{}", strategies.join(",")));
    }
    if let Some(key) = field.markers("patchMergeKey").next() {
        out.set_word(&format!("key:{key}"));
    }
    match markers(&field.comment, &["mapType", "structType"]).next() {
        Some("atomic") => out.set_word("mapatomic"),
        Some("granular") => out.set_word("mapgranular"),
        _ => {}
    }
}
