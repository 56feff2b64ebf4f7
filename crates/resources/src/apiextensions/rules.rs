//! The rules for a definition as a whole (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation). Those for
//! its schemas are in [`custom::schema_rules`].

use super::{conversion, internal};
use crate::rules::immutable;
use custom::approval::{self, Approval};
use custom::names::is_true;
use custom::schema_rules::{self, Demands, field_path};
use meta::field::{ErrorList, Path};
use meta::{Value, name};
use resource::NameRule;
use resource::rules::validate_metadata;
use std::collections::BTreeSet;

const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: &[&str] = &["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const SELECTABLE_FIELDS_MAX: usize = 8;
const DEPRECATION_WARNING_BYTES_MAX: usize = 256;
const NAME_IS: &str = "must be spec.names.plural+\".\"+spec.group";
const PRESERVE: &str =
    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";

/// What an update may keep as it is, and what it may not change.
struct Judgement<'a> {
    demands: Demands,
    /// The stored spec, in the internal form.
    old: Option<&'a Value>,
    /// Names and scope are in use.
    established: bool,
    bundle_may_be_wrong: bool,
    review_version_known: bool,
}

pub fn validate_create(definition: &Value, errs: &mut ErrorList) {
    validate_name(definition, errs);
    let judgement = Judgement {
        demands: Demands::ALL,
        old: None,
        established: false,
        bundle_may_be_wrong: true,
        review_version_known: true,
    };
    judgement.validate(definition, errs);
    validate_approval(definition, None, errs);
    if definition["spec"]["preserveUnknownFields"].bool() {
        errs.invalid(&Path::new("spec").child("preserveUnknownFields"), true, PRESERVE);
    }
}

pub fn validate_update(definition: &Value, old: &Value, errs: &mut ErrorList) {
    let old_spec = internal::of_spec(&old["spec"]);
    let established = is_true(old, "Established");
    let conversion = &old_spec["conversion"];
    let judgement = Judgement {
        demands: Demands::of_stored(&internal::schemas(&old_spec)),
        established,
        bundle_may_be_wrong: !established || conversion::has_wrong_bundle(conversion),
        review_version_known: conversion::has_known_review_version_or_none(conversion),
        old: Some(&old_spec),
    };
    judgement.validate(definition, errs);
    validate_approval(definition, Some(old), errs);
    if definition["spec"]["preserveUnknownFields"].bool() && !old["spec"]["preserveUnknownFields"].bool() {
        errs.invalid(&Path::new("spec").child("preserveUnknownFields"), true, PRESERVE);
    }
}

/// The name says what is defined. Its errors come before the rest of the metadata's.
fn validate_name(definition: &Value, errs: &mut ErrorList) {
    let mut metadata = ErrorList::new();
    validate_metadata(definition, false, NameRule::Subdomain, &mut metadata);
    let (names, rest): (Vec<_>, Vec<_>) = metadata
        .iter()
        .cloned()
        .partition(|error| matches!(error.field.as_str(), "metadata.generateName" | "metadata.name"));
    names.into_iter().for_each(|error| errs.push(error));
    let wanted = format!("{}.{}", definition["spec"]["names"]["plural"].str(), definition["spec"]["group"].str());
    for field in ["generateName", "name"] {
        let own = definition["metadata"][field].str();
        if !own.is_empty() && own != wanted {
            errs.invalid(&Path::new("metadata").child(field), own, NAME_IS);
        }
    }
    rest.into_iter().for_each(|error| errs.push(error));
}

impl Judgement<'_> {
    fn validate(&self, definition: &Value, errs: &mut ErrorList) {
        let spec = internal::of_spec(&definition["spec"]);
        let path = Path::new("spec");
        self.validate_spec(&spec, &path, errs);
        if let Some(old) = self.old {
            let immutable: &[&[&str]] = match self.established {
                true => &[&["scope"], &["names", "kind"], &["group"], &["names", "plural"]],
                false => &[&["group"], &["names", "plural"]],
            };
            for steps in immutable {
                let member = |spec: &Value| steps.iter().fold(spec.clone(), |value, step| value[*step].clone());
                let (new, old) = (member(&spec), member(old));
                if new.str() != old.str() {
                    let at = steps.iter().fold(path.clone(), |path, step| path.child_named(step));
                    errs.invalid(&at, new.str(), immutable::MESSAGE);
                }
            }
        }
        validate_status(&definition["status"], errs);
        validate_stored_versions(&definition["status"]["storedVersions"], &spec["versions"], errs);
    }

    fn validate_spec(&self, spec: &Value, path: &Path, errs: &mut ErrorList) {
        validate_group(spec["group"].str(), &path.child("group"), errs);
        validate_choice(&spec["scope"], &["Cluster", "Namespaced"], &path.child("scope"), errs);
        self.validate_presence_of_schemas(spec, &path.child("versions"), errs);
        let versions = spec["versions"].items();
        for (i, version) in versions.iter().enumerate() {
            let at = path.child("versions").index(i);
            let own = version["name"].str();
            validate_label(own, &at.child("name"), errs);
            self.validate_version(spec, version, &at, errs);
        }
        validate_versions(spec, path, errs);
        let names_path = path.child("names");
        for field in ["plural", "singular", "kind", "listKind"] {
            if spec["names"][field].str().is_empty() {
                errs.required(&names_path.child(field), "");
            }
        }
        validate_names(&spec["names"], &names_path, errs);
        let status = std::iter::once(spec).chain(versions).any(|holder| has_status(&holder["subresources"]));
        let accepted = self.is_cost_accepted(spec, spec["version"].str());
        let validation = &spec["validation"];
        schema_rules::validate_schema(validation, status, &self.demands, accepted, &path.child("validation"), errs);
        validate_subresources(&spec["subresources"], &path.child("subresources"), errs);
        validate_columns(&spec["additionalPrinterColumns"], &path.child("additionalPrinterColumns"), errs);
        let fields = path.child("selectableFields");
        if !spec["selectableFields"].is_empty() && validation.is_null() {
            errs.invalid(&fields, "", "may only be set when validations.schema is included");
        } else {
            self.validate_selectable_fields(spec, validation, "", &fields, errs);
        }
        let conversion = &spec["conversion"];
        if spec["preserveUnknownFields"].bool() && !conversion.is_null() && conversion["strategy"].str() != "None" {
            let detail = "must be None if spec.preserveUnknownFields is true";
            errs.invalid(&path.child("conversion").child("strategy"), conversion["strategy"].str(), detail);
        }
        conversion::validate_conversion(
            conversion,
            self.review_version_known,
            self.bundle_may_be_wrong,
            &path.child("conversion"),
            errs,
        );
    }

    fn validate_presence_of_schemas(&self, spec: &Value, path: &Path, errs: &mut ErrorList) {
        if !spec["validation"]["openAPIV3Schema"].is_null() {
            return;
        }
        for (i, version) in spec["versions"].items().iter().enumerate() {
            let at = path.index(i).child("schema").child("openAPIV3Schema");
            let missing = version["schema"]["openAPIV3Schema"].is_null();
            if missing && self.demands.schemas {
                errs.required(&at, "");
            } else if missing && version["served"].bool() && !spec["preserveUnknownFields"].bool() {
                errs.required(&at, "because otherwise all fields are pruned");
            }
        }
    }

    fn validate_version(&self, spec: &Value, version: &Value, path: &Path, errs: &mut ErrorList) {
        validate_deprecation(version, &path.child("deprecationWarning"), errs);
        let status = has_status(internal::subresources(spec, version));
        let accepted = self.is_cost_accepted(spec, version["name"].str());
        let (schema, schema_path) = (&version["schema"], path.child("schema"));
        schema_rules::validate_schema(schema, status, &self.demands, accepted, &schema_path, errs);
        validate_subresources(&version["subresources"], &path.child("subresources"), errs);
        validate_columns(&version["additionalPrinterColumns"], &path.child("additionalPrinterColumns"), errs);
        let fields = path.child("selectableFields");
        if !version["selectableFields"].is_empty() && schema["openAPIV3Schema"].is_null() {
            errs.invalid(&fields, "", "may only be set when `version.schema.openAPIV3Schema` is not included");
        } else {
            self.validate_selectable_fields(version, schema, version["name"].str(), &fields, errs);
        }
    }

    /// The version's schema is stored as it is.
    fn is_cost_accepted(&self, spec: &Value, version: &str) -> bool {
        let schema = |spec: &Value| {
            let index = spec["versions"].items().iter().position(|one| one["name"].str() == version)?;
            internal::schemas(spec).get(index).map(|schema| (*schema).clone())
        };
        self.old.is_some_and(|old| schema(old).is_some_and(|old| schema(spec) == Some(old)))
    }

    /// `holder`: the spec or a version; `version` is "" for the spec.
    fn validate_selectable_fields(
        &self,
        holder: &Value,
        schema: &Value,
        version: &str,
        path: &Path,
        errs: &mut ErrorList,
    ) {
        let mut unique = BTreeSet::new();
        for (i, field) in holder["selectableFields"].items().iter().enumerate() {
            let (text, at) = (field["jsonPath"].str(), path.index(i).child("jsonPath"));
            if text.is_empty() {
                errs.required(&at, "");
                continue;
            }
            let (found, node) = match field_path::resolve(text, &schema["openAPIV3Schema"], false) {
                Ok(found) => found,
                Err(why) => {
                    errs.invalid(&at, text, &format!("is an invalid path: {why}"));
                    continue;
                }
            };
            let found = found.to_string();
            if found.split(['.', '[']).next() == Some("metadata") {
                errs.invalid(&at, text, "must not point to fields in metadata");
            }
            if !["string", "boolean", "integer"].contains(&node["type"].str()) {
                let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
                errs.invalid(&at, text, detail);
            }
            if !unique.insert(found) {
                errs.duplicate(&at, text);
            }
        }
        if unique.len() > SELECTABLE_FIELDS_MAX && !self.has_as_many(holder, version) {
            errs.too_many(path, unique.len(), SELECTABLE_FIELDS_MAX);
        }
    }

    /// The stored definition selects by the same fields.
    fn has_as_many(&self, holder: &Value, version: &str) -> bool {
        let Some(old) = self.old else { return false };
        let own = |old: &&Value| old["name"].str() == version;
        let old = if version.is_empty() { Some(old) } else { old["versions"].items().iter().find(own) };
        old.is_some_and(|old| old["selectableFields"] == holder["selectableFields"])
    }
}

fn has_status(subresources: &Value) -> bool {
    !subresources["status"].is_null()
}

fn validate_group(group: &str, path: &Path, errs: &mut ErrorList) {
    let wrong = name::dns1123_subdomain(group);
    if group.is_empty() {
        errs.required(path, "");
    } else if !wrong.is_empty() {
        errs.invalid(path, group, &wrong.join(","));
    } else if !group.contains('.') {
        errs.invalid(path, group, "should be a domain with at least one dot");
    }
}

/// One of a few words, which must be there. They are listed in the order given.
pub(super) fn validate_choice(value: &Value, choices: &[&str], path: &Path, errs: &mut ErrorList) {
    match value.str() {
        "" => errs.required(path, ""),
        own if choices.contains(&own) => {}
        own => errs.not_supported(path, own, choices),
    }
}

fn validate_label(own: &str, path: &Path, errs: &mut ErrorList) {
    let wrong = name::dns1035_label(own);
    if !wrong.is_empty() {
        errs.invalid(path, own, &wrong.join(","));
    }
}

fn validate_versions(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let versions = spec["versions"].items();
    let at = path.child("versions");
    let mut names = BTreeSet::new();
    if !versions.iter().all(|version| names.insert(version["name"].str())) {
        errs.invalid(&at, internal::versions_shown(&spec["versions"]), "must contain unique version names");
    }
    if versions.iter().filter(|version| version["storage"].bool()).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        errs.invalid(&at, internal::versions_shown(&spec["versions"]), detail);
    }
    // What upstream calls the version is the name of the first.
    let first = spec["version"].str();
    if !first.is_empty() {
        validate_label(first, &path.child("version"), errs);
    }
}

/// Why a deprecation's text is refused.
fn validate_deprecation(version: &Value, path: &Path, errs: &mut ErrorList) {
    let Some(text) = version["deprecationWarning"].as_str() else { return };
    if !version["deprecated"].bool() {
        errs.invalid(path, text, "can only be set for deprecated versions");
        return;
    }
    if text.len() > DEPRECATION_WARNING_BYTES_MAX {
        errs.invalid(path, text, "must be <= 256 characters long");
    }
    if text.is_empty() {
        errs.invalid(path, text, "must not be an empty string");
    }
    if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control() || (c.is_whitespace() && *c != ' ')) {
        let detail =
            format!("must only contain printable UTF-8 characters; non-printable character found at index {at}");
        errs.invalid(path, text, &detail);
    }
}

/// The names of spec and status.
fn validate_names(names: &Value, path: &Path, errs: &mut ErrorList) {
    for field in ["plural", "singular"] {
        if !names[field].str().is_empty() {
            validate_label(names[field].str(), &path.child(field), errs);
        }
    }
    for field in ["kind", "listKind"] {
        let own = names[field].str();
        let wrong = name::dns1035_label(&own.to_lowercase());
        if !own.is_empty() && !wrong.is_empty() {
            let detail = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
            errs.invalid(&path.child(field), own, &detail);
        }
    }
    let list = |field: &'static str, errs: &mut ErrorList| {
        for (i, own) in names[field].items().iter().enumerate() {
            validate_label(own.str(), &path.child(field).index(i), errs);
        }
    };
    list("shortNames", errs);
    if !names["kind"].str().is_empty() && names["kind"] == names["listKind"] {
        errs.invalid(&path.child("listKind"), names["listKind"].str(), "kind and listKind may not be the same");
    }
    list("categories", errs);
}

fn validate_columns(columns: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, column) in columns.items().iter().enumerate() {
        let at = path.index(i);
        if column["name"].str().is_empty() {
            errs.required(&at.child("name"), "");
        }
        let (kind, types) = (column["type"].str(), format!("must be one of {}", COLUMN_TYPES.join(",")));
        if kind.is_empty() {
            errs.required(&at.child("type"), &types);
        } else if !COLUMN_TYPES.contains(&kind) {
            errs.invalid(&at.child("type"), kind, &types);
        }
        let format = column["format"].str();
        if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
            errs.invalid(&at.child("format"), format, &format!("must be one of {}", COLUMN_FORMATS.join(",")));
        }
        match column["jsonPath"].str() {
            "" => errs.required(&at.child("JSONPath"), ""),
            text => {
                validate_simple_path(text, &at.child("JSONPath"), errs);
            }
        }
    }
}

/// A path of names after dots. Says whether it is one.
fn validate_simple_path(text: &str, path: &Path, errs: &mut ErrorList) -> bool {
    let right = text.starts_with('.');
    if !right {
        errs.invalid(path, text, "must be a simple json path starting with .");
    }
    right
}

fn validate_subresources(subresources: &Value, path: &Path, errs: &mut ErrorList) {
    let scale = &subresources["scale"];
    if scale.is_null() {
        return;
    }
    for (field, below, detail) in [
        ("specReplicasPath", ".spec.", "should be a json path under .spec"),
        ("statusReplicasPath", ".status.", "should be a json path under .status"),
    ] {
        let at = path.child("scale").child(field);
        match scale[field].str() {
            "" => errs.required(&at, ""),
            text => {
                if validate_simple_path(text, &at, errs) && !text.starts_with(below) {
                    errs.invalid(&at, text, detail);
                }
            }
        }
    }
    let (text, at) = (scale["labelSelectorPath"].str(), path.child("scale").child("labelSelectorPath"));
    let below = text.starts_with(".spec.") || text.starts_with(".status.");
    if !text.is_empty() && validate_simple_path(text, &at, errs) && !below {
        errs.invalid(&at, text, "should be a json path under either .spec or .status");
    }
}

/// What the status endpoint may write, too.
pub fn validate_status(status: &Value, errs: &mut ErrorList) {
    validate_names(&status["acceptedNames"], &Path::new("status").child("acceptedNames"), errs);
}

fn validate_stored_versions(stored: &Value, versions: &Value, errs: &mut ErrorList) {
    let path = Path::new("status").child("storedVersions");
    if stored.is_empty() {
        // upstream's list is missing then, not empty
        errs.invalid(&path, &Value::Null, "must have at least one stored version");
        return;
    }
    // Each stored version answers for one version: a second of the same name has none left.
    let mut left: Vec<&Value> = stored.items().iter().collect();
    for version in versions.items() {
        match left.iter().position(|name| **name == version["name"]) {
            Some(at) => drop(left.remove(at)),
            None if version["storage"].bool() => {
                errs.invalid(&path, stored, &format!("must have the storage version {}", version["name"].str()));
            }
            None => {}
        }
    }
    for (i, name) in stored.items().iter().enumerate() {
        if !versions.items().iter().any(|version| version["name"] == *name) {
            let name = name.str();
            let detail = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            errs.invalid(&path.index(i), name, &detail);
        }
    }
}

/// Definitions in the community's groups need its approval.
fn validate_approval(definition: &Value, old: Option<&Value>, errs: &mut ErrorList) {
    let state = Approval::of(definition);
    let is_protected = approval::is_protected(definition["spec"]["group"].str());
    if !is_protected || old.is_some_and(|old| Approval::of(old) == state) {
        return;
    }
    let path = Path::new("metadata").child("annotations").key(approval::ANNOTATION);
    let text = definition["metadata"]["annotations"][approval::ANNOTATION].str();
    match state {
        Approval::Missing => errs.required(&path, &state.explain(text)),
        Approval::Invalid => errs.invalid(&path, text, &state.explain(text)),
        Approval::Given | Approval::Bypassed => {}
    }
}

/// What is told about schemas that are accepted. An update is told what it brings anew.
pub fn warn(definition: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    let texts = |definition: &Value| {
        let spec = internal::of_spec(&definition["spec"]);
        let mut schemas = vec![&spec["validation"]["openAPIV3Schema"]];
        schemas.extend(spec["versions"].items().iter().map(|version| &version["schema"]["openAPIV3Schema"]));
        let formats = schemas.iter().flat_map(|schema| schema_rules::unrecognized_formats(schema));
        let mut texts: Vec<String> =
            formats.map(|format| format!("unrecognized format {}", meta::field::quote(format))).collect();
        let sets: BTreeSet<&str> =
            schemas.iter().flat_map(|schema| schema_rules::non_scalar_set_items(schema)).collect();
        texts.extend(sets.iter().map(|item| {
            format!("x-kubernetes-list-type: set for items of type \"{item}\" is not supported by server-side apply or CEL validation rules")
        }));
        texts
    };
    let known = old.map(texts).unwrap_or_default();
    warnings.extend(texts(definition).into_iter().filter(|text| !known.contains(text)));
}
