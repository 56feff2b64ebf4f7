//! OpenAPI version 3: an index, and one document per group version and per fixed path.

use super::definitions::{Definitions, MetaKinds, Version};
use super::operation::{Content, Operation, Path, reason};
use super::parameters::Parameter;
use super::v2::write_action;
use super::{Form, Source, bearer_token, gnostic, info, paths};
use meta::{Value, json, value};

/// The document of a key; `None` when there is none.
pub(crate) fn document(source: &Source, key: &str, form: Form) -> Option<Vec<u8>> {
    let list = paths::of(source, key)?;
    let builtin = schema::builtin();
    let mut needed = Definitions::default();
    let (mut paths, mut schemas) = (Vec::new(), Vec::new());
    let own = paths::group_version(key).unwrap_or_default();
    let is_own = |d: &&std::sync::Arc<resource::Descriptor>| own == (d.group.as_str(), d.version.as_str());
    let custom = source.descriptors.iter().any(|d| is_own(&d) && !d.protobuf);
    let meta_kinds = if custom { MetaKinds::Native } else { MetaKinds::Of(own.0, own.1) };
    for path in &list {
        needed.need_all(source, &builtin, path, own);
        form.add(1, &path.path, &write_path(path), gnostic::v3::path, &mut paths);
    }
    for (name, definition) in &needed.found {
        let written = definition.write(Version::V3, &source.descriptions, meta_kinds);
        form.add(1, name, &written, gnostic::v3::schema, &mut schemas);
    }
    // Upstream's documents of custom resources have a title of their own and do not say how to authenticate.
    let info = if custom { value!({"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}) } else { info() };
    let security = (!custom).then(|| value!({"BearerToken": (bearer_token())}));
    Some(match form {
        Form::Json => assemble_json(&info, paths, schemas, security),
        Form::Protobuf => assemble_protobuf(&info, &paths, &schemas, security),
    })
}

fn assemble_json(info: &Value, paths: Vec<u8>, schemas: Vec<u8>, security: Option<Value>) -> Vec<u8> {
    let mut out = b"{\"openapi\":\"3.0.0\",\"info\":".to_vec();
    json::write(info, &mut out);
    out.extend(b",\"paths\":{");
    out.extend(paths);
    out.extend(b"},\"components\":{");
    if !schemas.is_empty() {
        out.extend(b"\"schemas\":{");
        out.extend(schemas);
        out.extend(if security.is_some() { b"},".as_slice() } else { b"}" });
    }
    if let Some(security) = security {
        out.extend(b"\"securitySchemes\":");
        json::write(&security, &mut out);
    }
    out.extend(b"}}");
    out
}

fn assemble_protobuf(info: &Value, paths: &[u8], schemas: &[u8], security: Option<Value>) -> Vec<u8> {
    let (mut out, mut components) = (Vec::new(), Vec::new());
    gnostic::v3::head(info, &mut out);
    gnostic::bytes(gnostic::v3::PATHS, paths, &mut out);
    gnostic::bytes(gnostic::v3::SCHEMAS, schemas, &mut components);
    if let Some(security) = security {
        gnostic::v3::security(&security, &mut components);
    }
    gnostic::bytes(gnostic::v3::COMPONENTS, &components, &mut out);
    out
}

fn write_path(path: &Path) -> Value {
    let mut out = Value::object();
    for operation in &path.operations {
        out.set(operation.method, write_operation(operation));
    }
    set_parameters(&mut out, &path.parameters);
    out
}

fn set_parameters(out: &mut Value, parameters: &[Parameter]) {
    let parameters: Vec<Value> = parameters.iter().map(write_parameter).collect();
    if !parameters.is_empty() {
        out.set("parameters", parameters);
    }
}

fn write_parameter(parameter: &Parameter) -> Value {
    let mut out = value!({
        "name": (&parameter.name),
        "in": (parameter.place),
        "description": (&*parameter.description),
        "schema": {"type": (parameter.kind), "uniqueItems": true},
    });
    if parameter.required() {
        out.set("required", true);
    }
    out
}

fn write_operation(operation: &Operation) -> Value {
    let mut out =
        value!({"tags": [(&operation.tag)], "description": (&operation.description), "operationId": (&operation.id)});
    set_parameters(&mut out, &operation.parameters);
    if let Some(body) = &operation.body {
        let mut written = value!({"content": (content(operation.consumes, &Version::V3.reference(&body.definition)))});
        if body.required {
            written.set("required", true);
        }
        out.set("requestBody", written);
    }
    let schema = match &operation.response {
        Content::Definition(name) => Version::V3.reference(name),
        Content::Text => value!({"type": "string"}),
    };
    let mut responses = value!({"401": {"description": (reason(401))}});
    for code in operation.codes {
        responses.set(
            &code.to_string(),
            value!({"description": (reason(*code)), "content": (content(&operation.produces, &schema))}),
        );
    }
    out.set("responses", responses);
    write_action(&mut out, operation);
    out
}

/// The same schema under each media type.
fn content(types: &[&str], schema: &Value) -> Value {
    let mut out = Value::object();
    for media_type in types {
        out.set(media_type, value!({"schema": schema}));
    }
    out
}
