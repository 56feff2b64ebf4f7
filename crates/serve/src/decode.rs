//! From a request to what it wants: options from the query, an object from the body.

use crate::change::{Intent, Patch, PatchKind, Sent};
use crate::form;
use crate::options::{Delete, FieldValidation, WriteKind, WriteOptions};
use crate::path::PathInfo;
use crate::query::Query;
use crate::route::Route;
use crate::scale::{self, ScaleChange};
use crate::warnings::Warnings;
use bytes::Bytes;
use codec::negotiate::Format;
use codec::{DecodeError, Decoded, Stage};
use http::{HeaderMap, header};
use meta::{Gvk, Reason, Result, Status, Str, Value, json};
use resource::{Descriptor, SubresourceKind};
use schema::Schema;

/// A body longer than this is shown cut in messages.
const SHOWN_BYTES_MAX: usize = 30;
const MANAGER_BYTES_MAX: usize = 128;

/// The media types of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchFormat {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// The Content-Type without its parameters; `None` when there is none or it is malformed.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
    let well_formed = parameters.is_empty() || parameters.split(';').all(|p| p.contains('='));
    Some(if well_formed { kind.trim() } else { "" })
}

/// 415 when the body is in no format that is read. Without Content-Type it is JSON.
pub fn format_of(headers: &HeaderMap) -> Result<Format> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    codec::negotiate::content_type(given)
}

/// 415 when the patch is in no format that the resource takes.
pub fn patch_format_of(headers: &HeaderMap, descriptor: &Descriptor) -> Result<PatchFormat> {
    match media_type(headers) {
        Some("application/json-patch+json") => Ok(PatchFormat::Json),
        Some("application/merge-patch+json") => Ok(PatchFormat::Merge),
        Some("application/strategic-merge-patch+json") if !descriptor.stored_as_json => Ok(PatchFormat::Strategic),
        Some("application/apply-patch+yaml") => Ok(PatchFormat::Apply),
        _ if descriptor.stored_as_json => Err(Status::failure(
            415,
            Reason::UnsupportedMediaType,
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        _ => {
            let mut status = Status::failure(415, Reason::UnsupportedMediaType, "415: Unsupported Media Type");
            status.details = Some(Box::default());
            Err(status)
        }
    }
}

/// A decoded write, with the options that came with it.
pub struct DecodedWrite {
    pub intent: Intent,
    pub options: WriteOptions,
    pub options_object: Value,
}

/// What a client sent, and where warnings about it go.
#[derive(Clone, Copy)]
pub struct Arrived<'a> {
    pub query: &'a Query,
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
    pub warnings: &'a Warnings,
}

/// A create or update.
pub fn object(route: &Route, arrived: Arrived, kind: WriteKind) -> Result<DecodedWrite> {
    let format = format_of(arrived.headers)?;
    let options = WriteOptions::parse(arrived.query, kind)?;
    let intent = if is_scale(route) {
        let decoded = typed_object(route, &schema::builtin(), format, arrived.body, &scale::gvk(), scale::type_id()?)?;
        check_strict(decoded.strict, options.field_validation, &scale::gvk(), arrived.warnings)?;
        Intent::Scale(ScaleChange::Replace(decoded.value))
    } else {
        let sent = whole_object(route, format, arrived, options.field_validation)?;
        match kind {
            WriteKind::Create => Intent::Create(sent),
            _ => Intent::Update(sent),
        }
    };
    let options_object = options.to_value(kind);
    Ok(DecodedWrite { intent, options, options_object })
}

/// The object of a body in the storage version with its defaults.
fn whole_object(route: &Route, format: Format, arrived: Arrived, validation: FieldValidation) -> Result<Sent> {
    let descriptor = route.descriptor();
    let expected = descriptor.gvk();
    let (schema, body) = (&descriptor.schema, arrived.body);
    let Decoded { mut value, strict, empties } =
        typed_object(route, schema, format, body, &expected, descriptor.type_id)?;
    check_strict(strict, validation, &expected, arrived.warnings)?;
    let clears_managers = clears_managers(format, body);
    value.set("apiVersion", expected.api_version());
    value.set("kind", &expected.kind);
    Ok(Sent { object: form::default_served(descriptor, value), clears_managers, empties })
}

fn is_scale(route: &Route) -> bool {
    route.part.as_ref().is_some_and(|part| matches!(part.does, SubresourceKind::Scale { .. }))
}

/// The body of an action: an object of a built-in kind, in its own version or one that is as good.
pub fn body_of_kind(
    route: &Route,
    arrived: Arrived,
    kind: &Gvk,
    other_versions: &[&str],
    validation: FieldValidation,
) -> Result<Value> {
    let (format, body) = (format_of(arrived.headers)?, arrived.body);
    let schema = schema::builtin();
    let Some(ty) = schema.kind(kind) else { return Err(Status::internal(format!("the schema has no {kind}"))) };
    let said = kind_of(format, body).ok().map(|(api_version, _)| api_version);
    let other = said.as_deref().and_then(|v| meta::gvk::split_api_version(v).1.into()).unwrap_or("");
    let mut expected = kind.clone();
    if other_versions.contains(&other) {
        expected.version = other.into();
    }
    let Decoded { mut value, strict, .. } = typed_object(route, &schema, format, body, &expected, ty)?;
    check_strict(strict, validation, &expected, arrived.warnings)?;
    value.set("apiVersion", expected.api_version());
    value.set("kind", &expected.kind);
    Ok(value)
}

/// What strict decoding found becomes warnings, or 400, or nothing, as the client wishes.
fn check_strict(strict: Vec<String>, validation: FieldValidation, expected: &Gvk, warnings: &Warnings) -> Result<()> {
    match validation {
        _ if strict.is_empty() => Ok(()),
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            warnings.extend(strict_warnings(&strict));
            Ok(())
        }
        FieldValidation::Strict => {
            let text = format!("strict decoding error: {}", strict.join(", "));
            Err(cannot_be_handled(expected, &expected.kind, &text))
        }
    }
}

/// What strict decoding found as warnings: YAML's findings are several lines in one.
pub fn strict_warnings(found: &[String]) -> Vec<String> {
    let lines = found.iter().flat_map(|text| text.split('\n')).map(str::trim);
    lines.filter(|line| !line.is_empty() && *line != "yaml: unmarshal errors:").map(str::to_owned).collect()
}

/// Decodes a body as an object of a type of the route's schema, checking that it is of the expected kind.
fn typed_object(
    route: &Route,
    schema: &Schema,
    format: Format,
    body: &[u8],
    expected: &Gvk,
    ty: schema::TypeId,
) -> Result<Decoded> {
    let unrecognized = |why: &str| {
        let kind = &expected.kind;
        let text = format!("the object provided is unrecognized (must be of type {kind}): {why} ({})", shown(body));
        Status::bad_request(text)
    };
    let decoded = match format {
        Format::Json => codec::decode_json(schema, ty, body),
        Format::Yaml => codec::decode_yaml(schema, ty, body),
        Format::Protobuf => codec::decode_protobuf(schema, ty, body),
    };
    // A body that is read says its kind by the way. What cannot be read may be of another kind, which comes first.
    let kind = match decoded.as_ref().ok().and_then(|decoded| kind_of_decoded(&decoded.value)) {
        Some(kind) => kind,
        None => kind_of(format, body).map_err(|why| unrecognized(&why.text))?,
    };
    let (api_version, kind) = kind;
    if api_version.matches('/').count() > 1 {
        return Err(unrecognized(&format!("unexpected GroupVersion string: {api_version}")));
    }
    let actual = actual_kind(&api_version, &kind, expected);
    if route.descriptor().stored_as_json && ty == route.descriptor().type_id {
        if kind.is_empty() {
            return Err(unrecognized(&format!("Object 'Kind' is missing in '{}'", shown(body))));
        }
        if api_version.is_empty() {
            return Err(other_version(&Gvk::new("", "", &kind), expected));
        }
        check_custom_kind(&actual, expected, body)?;
    } else {
        check_kind(route, &actual, expected)?;
    }
    match decoded {
        Ok(decoded) => Ok(decoded),
        Err(DecodeError { stage: Stage::Kind, text }) => Err(unrecognized(&text)),
        Err(DecodeError { stage: Stage::Body, text }) => Err(cannot_be_handled(&actual, &expected.kind, &text)),
    }
}

/// `apiVersion` and `kind` of a decoded body; `None` when they are no texts, as custom resources may have them.
fn kind_of_decoded(object: &Value) -> Option<(Str, Str)> {
    let text = |field: &str| match &object[field] {
        Value::Null => Some(Str::default()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    Some((text("apiVersion")?, text("kind")?))
}

fn kind_of(format: Format, body: &[u8]) -> std::result::Result<(Str, Str), DecodeError> {
    match format {
        Format::Json => codec::kind_of_json(body),
        Format::Yaml => codec::kind_of_yaml(body),
        Format::Protobuf => codec::kind_of_protobuf(body),
    }
}

/// What the body says that it is; what it leaves out is taken from the path.
fn actual_kind(api_version: &str, kind: &str, expected: &Gvk) -> Gvk {
    let kind = if kind.is_empty() { expected.kind.as_str() } else { kind };
    if api_version.is_empty() {
        return Gvk::new(&expected.group, &expected.version, kind);
    }
    Gvk::from_api_version(api_version, kind)
}

/// Of custom resources the version is checked first, and another kind is invalid instead of unknown.
fn check_custom_kind(actual: &Gvk, expected: &Gvk, body: &[u8]) -> Result<()> {
    if actual.group != expected.group || actual.version != expected.version {
        return Err(other_version(actual, expected));
    }
    if actual.kind == expected.kind {
        return Ok(());
    }
    let object = json::parse(body).map(|parsed| parsed.value).unwrap_or_default();
    let mut errs = meta::field::ErrorList::new();
    errs.invalid(&meta::field::Path::new("kind"), &actual.kind, &format!("must be {}", expected.kind));
    Err(Status::invalid(&actual.group, &actual.kind, object["metadata"]["name"].str(), errs))
}

fn other_version(actual: &Gvk, expected: &Gvk) -> Status {
    Status::bad_request(format!(
        "the API version in the data ({}) does not match the expected API version ({})",
        actual.api_version(),
        expected.api_version()
    ))
}

/// Versions that upstream knows and no longer serves.
const FORMER_VERSIONS: &[(&str, &str)] = &[
    ("extensions", "v1beta1"),
    ("apps", "v1beta1"),
    ("apps", "v1beta2"),
    ("batch", "v1beta1"),
    ("policy", "v1beta1"),
    ("autoscaling", "v2beta1"),
    ("autoscaling", "v2beta2"),
    ("networking.k8s.io", "v1beta1"),
    ("rbac.authorization.k8s.io", "v1alpha1"),
    ("rbac.authorization.k8s.io", "v1beta1"),
    ("storage.k8s.io", "v1alpha1"),
    ("storage.k8s.io", "v1beta1"),
    ("scheduling.k8s.io", "v1alpha1"),
    ("scheduling.k8s.io", "v1beta1"),
    ("coordination.k8s.io", "v1beta1"),
    ("discovery.k8s.io", "v1beta1"),
    ("events.k8s.io", "v1beta1"),
    ("admissionregistration.k8s.io", "v1beta1"),
    ("certificates.k8s.io", "v1beta1"),
    ("node.k8s.io", "v1beta1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta2"),
    ("flowcontrol.apiserver.k8s.io", "v1beta3"),
];

fn check_kind(route: &Route, actual: &Gvk, expected: &Gvk) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    if actual.kind == expected.kind && FORMER_VERSIONS.contains(&(&*actual.group, &*actual.version)) {
        return Err(other_version(actual, expected));
    }
    if !route.resources.has_kind(actual) {
        return Err(cannot_be_handled(actual, &expected.kind, &not_registered(actual, &expected.group)));
    }
    if actual.kind != expected.kind {
        let package = |gvk: &Gvk| match gvk.group.split('.').next() {
            None | Some("") => "core".to_owned(),
            Some(first) => first.to_owned(),
        };
        let text = format!(
            "converting ({}.{}) to ({}.{}): unknown conversion",
            actual.version,
            actual.kind,
            package(expected),
            expected.kind
        );
        return Err(cannot_be_handled(actual, &expected.kind, &text));
    }
    Err(other_version(actual, expected))
}

/// Upstream's words for a kind that the server of `group` does not know. Upstream is three servers in one, each with a
/// register of kinds that is named after a line of its source.
pub fn not_registered(gvk: &Gvk, group: &str) -> String {
    let scheme = match group {
        "apiextensions.k8s.io" => "k8s.io/apiextensions-apiserver/pkg/apiserver/apiserver.go:55",
        "apiregistration.k8s.io" => "k8s.io/kube-aggregator/pkg/apiserver/scheme/scheme.go:28",
        _ => "pkg/api/legacyscheme/scheme.go:30",
    };
    let (kind, api_version) = (meta::field::quote(&gvk.kind), meta::field::quote(&gvk.api_version()));
    format!("no kind {kind} is registered for version {api_version} in scheme \"{scheme}\"")
}

fn cannot_be_handled(actual: &Gvk, expected: &str, why: &str) -> Status {
    let version = meta::field::quote(&actual.version);
    Status::bad_request(format!("{} in version {version} cannot be handled as a {expected}: {why}", actual.kind))
}

/// The beginning of a body as messages show it: JSON objects as text, all else in hexadecimal.
fn shown(body: &[u8]) -> String {
    let cut = body.get(..SHOWN_BYTES_MAX).unwrap_or(body);
    let more = if body.len() > SHOWN_BYTES_MAX { " ..." } else { "" };
    match body.first() {
        None => "<empty>".into(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(cut)),
        Some(_) => cut.iter().map(|b| format!("{b:02x}")).collect::<String>() + more,
    }
}

/// Whether the body has managedFields that ask to forget all managers. Only then is it read a second time.
fn clears_managers(format: Format, body: &[u8]) -> bool {
    let mentions = memchr::memmem::find(body, b"managedFields").is_some();
    mentions && format == Format::Json && json::parse(body).is_ok_and(|parsed| patch::managed::clears(&parsed.value))
}

/// The name and namespace of an update's result must be those of the path.
pub fn check_name(info: &PathInfo, object: &Value) -> Result<()> {
    let metadata = &object["metadata"];
    let (own, namespace) = (metadata["name"].str(), metadata["namespace"].str());
    if own.is_empty() {
        let name = &info.name;
        let why = format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
        return Err(Status::bad_request(why));
    }
    if own != info.name {
        let why = format!("the name of the object ({own}) does not match the name on the URL ({})", info.name);
        return Err(Status::bad_request(why));
    }
    if info.in_namespace && !namespace.is_empty() && namespace != info.namespace {
        let on_request = &info.namespace;
        let why = format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request ({on_request})"
        );
        return Err(Status::bad_request(why));
    }
    Ok(())
}

/// A patch of any kind.
pub fn patch(route: &Route, arrived: Arrived) -> Result<DecodedWrite> {
    let body = arrived.body;
    let format = patch_format_of(arrived.headers, route.descriptor())?;
    let kind = if format == PatchFormat::Apply { WriteKind::Apply } else { WriteKind::Patch };
    let options = WriteOptions::parse(arrived.query, kind)?;
    let bad = |why: &str| Status::bad_request(format!("error decoding patch: {why}"));
    let intent = if format == PatchFormat::Apply {
        let applied = codec::parse_yaml(body);
        let applied = applied
            .map_err(|why| Status::bad_request(format!("error decoding YAML: error converting YAML to JSON: {why}")))?;
        patch::managed::check_configuration(&applied.value)?;
        let strict = applied.strict.map(|found| format!("error converting YAML to JSON: {found}"));
        match (strict, options.field_validation) {
            (Some(found), FieldValidation::Strict) => {
                return Err(Status::bad_request(format!("error strict decoding YAML: {found}")));
            }
            (Some(found), FieldValidation::Warn) => arrived.warnings.extend(strict_warnings(&[found])),
            _ => {}
        }
        match is_scale(route) {
            true => Intent::Scale(ScaleChange::Apply(applied.value)),
            false => Intent::Apply(applied.value),
        }
    } else {
        let parsed = json::parse(body).map_err(|why| match format {
            PatchFormat::Strategic => Status::bad_request(why.0),
            _ => bad(&why.0),
        })?;
        let patch_kind = match format {
            PatchFormat::Json => PatchKind::Json,
            PatchFormat::Merge => PatchKind::Merge,
            PatchFormat::Strategic | PatchFormat::Apply => PatchKind::Strategic,
        };
        if patch_kind == PatchKind::Merge {
            patch::merge::check(&parsed.value)?;
        }
        let duplicates = parsed.duplicates.iter().map(|path| format!("duplicate field \"{path}\"")).collect();
        let patch = Patch { kind: patch_kind, body: parsed.value, duplicates };
        match is_scale(route) {
            true => Intent::Scale(ScaleChange::Patch(patch)),
            false => Intent::Patch(patch),
        }
    };
    let options_object = options.to_value(kind);
    Ok(DecodedWrite { intent, options, options_object })
}

/// DeleteOptions: from the body when there is one, else from the query.
pub fn delete(schema: &Schema, query: &Query, headers: &HeaderMap, body: &Bytes) -> Result<Delete> {
    if body.is_empty() {
        return Delete::from_query(query);
    }
    let format = format_of(headers)?;
    let refused = |why: DecodeError| Status::bad_request(why.text);
    let (api_version, kind) = kind_of(format, body).map_err(refused)?;
    if !matches!(kind.as_str(), "" | "DeleteOptions") {
        let version = if api_version.is_empty() { "meta.k8s.io/__internal" } else { &api_version };
        let why = format!(
            "no kind {} is registered for version {} in scheme \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\"",
            meta::field::quote(&kind),
            meta::field::quote(version)
        );
        return Err(Status::bad_request(why));
    }
    let Some(ty) = schema.named("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions") else {
        return Err(Status::internal("the schema has no DeleteOptions"));
    };
    let decoded = match format {
        Format::Json => codec::decode_json(schema, ty, body),
        Format::Yaml => codec::decode_yaml(schema, ty, body),
        Format::Protobuf => codec::decode_protobuf(schema, ty, body),
    };
    let decoded = decoded.map_err(refused)?;
    Delete::from_value(&decoded.value)
}

/// The manager that a write is recorded for: the parameter, or the beginning of the User-Agent.
pub fn manager_of(options: &WriteOptions, headers: &HeaderMap) -> Str {
    if !options.field_manager.is_empty() {
        return options.field_manager.clone();
    }
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("");
    let mut prefix: String = agent.split('/').next().unwrap_or("").chars().filter(|c| !c.is_control()).collect();
    while prefix.len() > MANAGER_BYTES_MAX {
        prefix.pop();
    }
    if prefix.is_empty() { "unknown".into() } else { prefix.into() }
}
