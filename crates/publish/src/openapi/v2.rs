//! OpenAPI version 2: one document of everything, with shared parameters.

use super::definitions::{Definitions, MetaKinds, Version};
use super::operation::{Body, Content, Operation, Path, reason};
use super::parameters::Parameter;
use super::{Form, Source, bearer_token, gnostic, info, paths};
use meta::{Value, json, value};
use std::collections::BTreeMap;

/// The whole document.
pub(crate) fn document(source: &Source, form: Form) -> Vec<u8> {
    let builtin = schema::builtin();
    let mut shared = SharedParameters::default();
    let mut needed = Definitions::default();
    let (mut written, mut definitions, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
    // One group version at a time, so that never all paths are in memory.
    for key in paths::keys(source) {
        let group_version = paths::group_version(&key).unwrap_or_default();
        for path in paths::of(source, &key).unwrap_or_default() {
            needed.need_all(source, &builtin, &path, group_version);
            form.add(2, &path.path, &write_path(&path, &mut shared), gnostic::v2::path, &mut written);
        }
    }
    for (name, definition) in &needed.found {
        let definition = definition.write(Version::V2, &source.descriptions, MetaKinds::All);
        form.add(1, name, &definition, gnostic::v2::schema, &mut definitions);
    }
    for (name, parameter) in &shared.found {
        form.add(1, name, parameter, gnostic::v2::parameter, &mut parameters);
    }
    let security = value!({"BearerToken": (bearer_token())});
    let mut out = Vec::new();
    match form {
        Form::Protobuf => {
            gnostic::v2::head(&info(), &mut out);
            gnostic::bytes(gnostic::v2::PATHS, &written, &mut out);
            gnostic::bytes(gnostic::v2::DEFINITIONS, &definitions, &mut out);
            gnostic::bytes(gnostic::v2::PARAMETERS, &parameters, &mut out);
            gnostic::v2::security(&security, &mut out);
        }
        Form::Json => {
            out.extend(b"{\"swagger\":\"2.0\",\"info\":");
            json::write(&info(), &mut out);
            for (name, members) in [("paths", written), ("definitions", definitions), ("parameters", parameters)] {
                out.extend(format!(",\"{name}\":{{").as_bytes());
                out.extend(members);
                out.push(b'}');
            }
            out.extend(b",\"securityDefinitions\":");
            json::write(&security, &mut out);
            out.extend(b",\"security\":[{\"BearerToken\":[]}]}");
        }
    }
    out
}

fn write_path(path: &Path, shared: &mut SharedParameters) -> Value {
    let mut out = Value::object();
    for operation in &path.operations {
        out.set(operation.method, write_operation(operation, shared));
    }
    let parameters: Vec<Value> = path.parameters.iter().map(|p| shared.share(write_parameter(p), p)).collect();
    if !parameters.is_empty() {
        out.set("parameters", parameters);
    }
    out
}

fn write_operation(operation: &Operation, shared: &mut SharedParameters) -> Value {
    let strings = |items: &[&str]| Value::Array(items.iter().map(|s| Value::from(*s)).collect());
    let mut out = value!({
        "description": (&operation.description),
        "operationId": (&operation.id),
        "produces": (strings(&operation.produces)),
        "schemes": ["https"],
        "tags": [(&operation.tag)],
    });
    if !operation.consumes.is_empty() {
        out.set("consumes", strings(operation.consumes));
    }
    let mut parameters: Vec<Value> = operation.body.iter().map(|b| shared.share_body(b)).collect();
    parameters.extend(operation.parameters.iter().map(|p| shared.share(write_parameter(p), p)));
    if !parameters.is_empty() {
        out.set("parameters", parameters);
    }
    let schema = match &operation.response {
        Content::Definition(name) => Version::V2.reference(name),
        Content::Text => value!({"type": "string"}),
    };
    let mut responses = value!({"401": {"description": (reason(401))}});
    for code in operation.codes {
        responses.set(&code.to_string(), value!({"description": (reason(*code)), "schema": (&schema)}));
    }
    out.set("responses", responses);
    write_action(&mut out, operation);
    out
}

/// What an operation does to which kind, as both versions say it.
pub(super) fn write_action(out: &mut Value, operation: &Operation) {
    if let Some((action, gvk)) = &operation.action {
        out.set("x-kubernetes-action", *action);
        out.set(
            "x-kubernetes-group-version-kind",
            value!({"group": (&gvk.group), "version": (&gvk.version), "kind": (&gvk.kind)}),
        );
    }
}

fn write_parameter(parameter: &Parameter) -> Value {
    let mut out = value!({
        "uniqueItems": true, "type": (parameter.kind), "description": (&*parameter.description), "name": (&parameter.name), "in": (parameter.place),
    });
    if parameter.required() {
        out.set("required", true);
    }
    out
}

/// Parameters that are written once and referred to, by the name upstream gives them: their own and a hash of their JSON.
#[derive(Default)]
struct SharedParameters {
    found: BTreeMap<String, Value>,
}

/// Never shared: `name` says the kind; the other two are looked for in place by kubectl up to 1.27.
const NOT_SHARED: &[&str] = &["name", "fieldValidation", "dryRun"];

impl SharedParameters {
    fn share(&mut self, written: Value, parameter: &Parameter) -> Value {
        if NOT_SHARED.contains(&parameter.name.as_str()) {
            return written;
        }
        self.refer(&parameter.name, written, &["uniqueItems", "type", "description", "name", "in", "required"])
    }

    /// Bodies of meta types are shared, bodies of objects are not.
    fn share_body(&mut self, body: &Body) -> Value {
        let mut written = value!({"name": "body", "in": "body", "schema": (Version::V2.reference(&body.definition))});
        if body.required {
            written.set("required", true);
        }
        if !body.definition.starts_with("io.k8s.apimachinery") {
            return written;
        }
        self.refer("body", written, &["name", "in", "required", "schema"])
    }

    fn refer(&mut self, name: &str, written: Value, order: &[&str]) -> Value {
        let mut text = b"{".to_vec();
        for key in order {
            if let Some(member) = written.get(key) {
                text.extend(if text.len() > 1 { ",\"" } else { "\"" }.as_bytes());
                text.extend(key.as_bytes());
                text.extend(b"\":");
                json::write(member, &mut text);
            }
        }
        text.push(b'}');
        let name = format!("{name}-{}", short_hash(&text));
        self.found.entry(name.clone()).or_insert(written);
        value!({"$ref": (format!("#/parameters/{name}"))})
    }
}

/// Eight characters of URL-safe base64 of the first six bytes of FNV-1 over the text.
fn short_hash(text: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let step = |hash: u64, byte: &u8| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte);
    let bits = text.iter().fold(0xcbf2_9ce4_8422_2325, step) >> 16;
    (0..8).rev().map(|i| char::from(ALPHABET[(bits >> (6 * i)) as usize & 63])).collect()
}
