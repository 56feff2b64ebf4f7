//! OpenAPI version 3: an index, and one document per group version and per fixed path.

use super::definitions::{Definitions, Version};
use super::operation::{Content, Operation, Path, reason};
use super::parameters::Parameter;
use super::v2::{Members, references, write_action};
use super::{Source, bearer_token, info, paths};
use meta::{Value, json, value};

/// The keys of all documents, in order: "api/v1", "apis/apps", "version", …
pub(crate) fn keys(source: &Source) -> Vec<String> {
    let mut keys: Vec<String> = paths::FIXED.iter().map(|k| k.to_string()).collect();
    for group in source.groups {
        if !group.name.is_empty() {
            keys.push(format!("apis/{}", group.name));
        }
        let own =
            |version: &&meta::Str| source.descriptors.iter().any(|d| d.group == group.name && d.version == **version);
        let prefix = if group.name.is_empty() { "api".to_string() } else { format!("apis/{}", group.name) };
        keys.extend(group.versions.iter().filter(own).map(|version| format!("{prefix}/{version}")));
    }
    keys.sort();
    keys
}

/// The document of a key as JSON; `None` when there is none.
pub(crate) fn document(source: &Source, key: &str) -> Option<Vec<u8>> {
    let paths = paths_of(source, key)?;
    let builtin = schema::builtin();
    let mut definitions = Definitions::default();
    let mut out = b"{\"openapi\":\"3.0.0\",\"info\":".to_vec();
    json::write(&info(), &mut out);
    let mut writer = Members::open(&mut out, "paths");
    for path in &paths {
        for name in references(path) {
            definitions.need(&builtin, &name);
            for d in source
                .descriptors
                .iter()
                .filter(|d| !d.protobuf && path.path.starts_with(&super::names::version_path(&d.group, &d.version)))
            {
                definitions.need(&d.schema, &name);
            }
        }
        writer.member(&path.path, &write_path(path));
    }
    writer.close();
    out.extend(b",\"components\":{\"securitySchemes\":");
    json::write(&value!({"BearerToken": (bearer_token())}), &mut out);
    if !definitions.found.is_empty() {
        let mut writer = Members::open(&mut out, "schemas");
        for (name, definition) in &definitions.found {
            writer.member(name, &definition.write(Version::V3, &source.descriptions, group_version(key)));
        }
        writer.close();
    }
    out.extend(b"}}");
    Some(out)
}

fn paths_of(source: &Source, key: &str) -> Option<Vec<Path>> {
    if let Some(path) = paths::fixed(key, false) {
        return Some(vec![path]);
    }
    if let Some((group, version)) = group_version(key) {
        let known = source.groups.iter().find(|g| g.name == group)?;
        known.versions.iter().find(|v| *v == version)?;
        return Some(paths::version(source, group, version));
    }
    let group = key.strip_prefix("apis/").filter(|g| !g.is_empty())?;
    source.groups.iter().find(|g| g.name == group)?;
    Some(vec![paths::group(group)])
}

/// Group and version of "api/v1" or "apis/apps/v1".
fn group_version(key: &str) -> Option<(&str, &str)> {
    match key.split_once('/')? {
        ("api", version) => Some(("", version)),
        ("apis", rest) => rest.split_once('/').filter(|(group, _)| !group.is_empty()),
        _ => None,
    }
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
        "description": (&parameter.description),
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
