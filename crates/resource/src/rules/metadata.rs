//! Validation of metadata (k8s.io/apimachinery/pkg/api/validation/objectmeta.go).

use crate::NameRule;
use meta::field::{ErrorList, Path, Shown, quote};
use meta::{Value, json, name};
use std::collections::BTreeSet;

/// All annotations together, keys and values, in bytes.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;
const SUBRESOURCE_NAME_BYTES_MAX: usize = 256;
const FIELD_MANAGER_BYTES_MAX: usize = 128;
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What is wrong with a name. `prefix`: it is a generateName, to which a suffix will be added.
pub fn check_name(rule: NameRule, text: &str, prefix: bool) -> Vec<String> {
    let whole = if prefix { name::mask_trailing_dash(text) } else { text.to_string() };
    match rule {
        NameRule::Subdomain => name::dns1123_subdomain(&whole),
        NameRule::LongName if prefix => Vec::new(),
        NameRule::LongName => name::long_name(text),
        NameRule::Label => name::dns1123_label(&whole),
        NameRule::Label1035 => name::dns1035_label(&whole),
        NameRule::PathSegment | NameRule::Hooks if prefix => name::path_segment_prefix(text),
        NameRule::PathSegment | NameRule::Hooks => name::path_segment(text),
    }
}

/// Upstream's ValidateObjectMeta: what must hold for every stored object. Rules of [`NameRule::Hooks`] leave the
/// name to the hooks, but for what a path cannot hold.
pub fn validate_metadata(object: &Value, namespaced: bool, rule: NameRule, errs: &mut ErrorList) {
    let metadata = &object["metadata"];
    let path = Path::new("metadata");
    let base = metadata["generateName"].str();
    if !base.is_empty() {
        for message in check_name(rule, base, true) {
            errs.invalid(&path.child("generateName"), base, &message);
        }
    }
    let own = metadata["name"].str();
    if own.is_empty() {
        errs.required(&path.child("name"), "name or generateName is required");
    } else {
        for message in check_name(rule, own, false) {
            errs.invalid(&path.child("name"), own, &message);
        }
    }
    validate_namespace(metadata["namespace"].str(), namespaced, &path.child("namespace"), errs);
    let generation = metadata["generation"].int();
    if generation < 0 {
        errs.invalid(&path.child("generation"), generation, "must be greater than or equal to 0");
    }
    validate_labels(&metadata["labels"], &path.child("labels"), errs);
    validate_annotations(&metadata["annotations"], &path.child("annotations"), errs);
    validate_owner_references(&metadata["ownerReferences"], &path.child("ownerReferences"), errs);
    validate_finalizers(&metadata["finalizers"], &path.child("finalizers"), errs);
    validate_managed_fields(&metadata["managedFields"], &path.child("managedFields"), errs);
}

/// Upstream's ValidateObjectMetaUpdate: what an update may not change.
pub fn validate_metadata_update(object: &Value, old: &Value, errs: &mut ErrorList) {
    let (new, old) = (&object["metadata"], &old["metadata"]);
    let path = Path::new("metadata");
    if !old["deletionTimestamp"].is_null() {
        validate_no_new_finalizers(&new["finalizers"], &old["finalizers"], &path.child("finalizers"), errs);
    }
    if new["resourceVersion"].str().is_empty() {
        errs.invalid(&path.child("resourceVersion"), "", "must be specified for an update");
    }
    if new["generation"].int() < old["generation"].int() {
        errs.invalid(&path.child("generation"), new["generation"].int(), "must not be decremented");
    }
    const IMMUTABLE: &[&str] =
        &["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];
    for field in IMMUTABLE {
        if new[*field] != old[*field] {
            errs.invalid(&path.child(field), &new[*field], "field is immutable");
        }
    }
    validate_labels(&new["labels"], &path.child("labels"), errs);
    validate_annotations(&new["annotations"], &path.child("annotations"), errs);
    validate_owner_references(&new["ownerReferences"], &path.child("ownerReferences"), errs);
    validate_managed_fields(&new["managedFields"], &path.child("managedFields"), errs);
}

fn validate_namespace(namespace: &str, namespaced: bool, path: &Path, errs: &mut ErrorList) {
    match (namespaced, namespace.is_empty()) {
        (true, true) => errs.required(path, ""),
        (true, false) => {
            for message in name::dns1123_label(namespace) {
                errs.invalid(path, namespace, &message);
            }
        }
        (false, true) => {}
        (false, false) => errs.forbidden(path, "not allowed on this type"),
    }
}

fn validate_labels(labels: &Value, path: &Path, errs: &mut ErrorList) {
    for (key, value) in labels.entries() {
        for message in name::qualified_name(key) {
            errs.invalid(path, key, &message);
        }
        for message in name::label_value(value.str()) {
            errs.invalid(path, value.str(), &message);
        }
    }
}

/// Keys are qualified names, whatever their case; all together at most 256 KiB.
pub fn validate_annotations(annotations: &Value, path: &Path, errs: &mut ErrorList) {
    let mut total = 0;
    for (key, value) in annotations.entries() {
        total += key.len() + value.str().len();
        for message in name::qualified_name(&key.to_lowercase()) {
            errs.invalid(path, key, &message);
        }
    }
    if total > ANNOTATIONS_BYTES_MAX {
        errs.too_long(path, ANNOTATIONS_BYTES_MAX);
    }
}

fn validate_owner_references(references: &Value, path: &Path, errs: &mut ErrorList) {
    let mut controller: Option<String> = None;
    for reference in references.items() {
        let api_version = reference["apiVersion"].str();
        // an apiVersion with more than one slash does not parse, and reads as nothing
        let version = match api_version.split('/').collect::<Vec<_>>().as_slice() {
            [version] | [_, version] => version,
            _ => "",
        };
        if version.is_empty() {
            errs.invalid(&path.child("apiVersion"), api_version, "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            if reference[field].str().is_empty() {
                errs.invalid(&path.child(field), "", "must not be empty");
            }
        }
        if api_version == "v1" && reference["kind"].str() == "Event" {
            let shown = Shown(reference_text(reference));
            errs.invalid(path, shown, "/v1, Kind=Event is disallowed from being an owner");
        }
        if reference["controller"].bool() {
            let this = format!("{}/{}", reference["kind"].str(), reference["name"].str());
            match &controller {
                None => controller = Some(this),
                Some(first) => errs.invalid(
                    path,
                    references_shown(references),
                    &format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                    ),
                ),
            }
        }
    }
}

/// In the order of Go's fields.
fn reference_text(reference: &Value) -> String {
    const FIELDS: &[&str] = &["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let member = |field: &&str| reference.get(field).map(|v| format!("\"{field}\":{}", json::to_string(v)));
    format!("{{{}}}", FIELDS.iter().filter_map(member).collect::<Vec<_>>().join(","))
}

fn references_shown(references: &Value) -> Shown {
    Shown(format!("[{}]", references.items().iter().map(reference_text).collect::<Vec<_>>().join(",")))
}

fn validate_finalizers(finalizers: &Value, path: &Path, errs: &mut ErrorList) {
    let has = |name: &str| finalizers.items().iter().any(|f| f.str() == name);
    for finalizer in finalizers.items() {
        for message in name::qualified_name(finalizer.str()) {
            errs.invalid(path, finalizer.str(), &message);
        }
    }
    if has(ORPHAN) && has(FOREGROUND) {
        let message = format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set");
        errs.invalid(path, Shown(json::to_string(finalizers)), &message);
    }
}

/// What upstream's core validation asks of an object's finalizers besides.
pub fn validate_standard_finalizers(object: &Value, errs: &mut ErrorList) {
    let path = Path::new("metadata").child("finalizers");
    for (i, finalizer) in object["metadata"]["finalizers"].items().iter().enumerate() {
        validate_standard_finalizer(finalizer.str(), &path.index(i), errs);
    }
}

/// A finalizer has a domain, or is one of three names.
pub fn validate_standard_finalizer(name: &str, path: &Path, errs: &mut ErrorList) {
    if !name.contains('/') && !["kubernetes", ORPHAN, FOREGROUND].contains(&name) {
        errs.invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

fn validate_no_new_finalizers(new: &Value, old: &Value, path: &Path, errs: &mut ErrorList) {
    let set = |list: &Value| list.items().iter().map(|f| f.str().to_string()).collect::<BTreeSet<String>>();
    let (new, old) = (set(new), set(old));
    let extra: Vec<String> = new.difference(&old).map(|f| quote(f)).collect();
    if !extra.is_empty() {
        let what = "no new finalizers can be added if the object is being deleted, found new finalizers";
        errs.forbidden(path, &format!("{what} []string{{{}}}", extra.join(", ")));
    }
}

fn validate_managed_fields(entries: &Value, path: &Path, errs: &mut ErrorList) {
    for (i, entry) in entries.items().iter().enumerate() {
        let path = path.index(i);
        let operation = entry["operation"].str();
        if operation != "Apply" && operation != "Update" {
            errs.invalid(&path.child("operation"), operation, "must be `Apply` or `Update`");
        }
        let kind = entry["fieldsType"].str();
        if !kind.is_empty() && kind != "FieldsV1" {
            errs.invalid(&path.child("fieldsType"), kind, "must be `FieldsV1`");
        }
        validate_field_manager(entry["manager"].str(), &path.child("manager"), errs);
        if entry["subresource"].str().len() > SUBRESOURCE_NAME_BYTES_MAX {
            errs.too_long(&path.child("subresource"), SUBRESOURCE_NAME_BYTES_MAX);
        }
    }
}

/// The rule for the name of a field manager: at most 128 bytes, printable.
pub fn validate_field_manager(manager: &str, path: &Path, errs: &mut ErrorList) {
    if manager.len() > FIELD_MANAGER_BYTES_MAX {
        errs.too_long(path, FIELD_MANAGER_BYTES_MAX);
    }
    for (i, c) in manager.char_indices().filter(|(_, c)| !is_printable(*c)) {
        let shown = if c.is_control() { String::new() } else { format!(" '{c}'") };
        errs.invalid(path, manager, &format!("invalid character U+{:04X}{shown} (at position {i})", c as u32));
    }
}

/// Go's unicode.IsPrint, near enough: of white space only the ASCII space is printable, controls are not.
fn is_printable(c: char) -> bool {
    c == ' '
        || !(c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn messages(metadata: Value) -> Vec<String> {
        let mut errs = ErrorList::new();
        validate_metadata(&value!({"metadata": metadata}), true, NameRule::Subdomain, &mut errs);
        errs.iter().map(|e| e.field.clone()).collect()
    }

    #[test]
    fn metadata_is_judged_field_by_field() {
        assert!(messages(value!({"name": "a.b", "namespace": "c", "labels": {"x/y": "z"}})).is_empty());
        assert_eq!(messages(value!({"namespace": "c"})), ["metadata.name"]);
        assert_eq!(
            messages(value!({"name": "A", "generateName": "B_", "namespace": "c"})),
            ["metadata.generateName", "metadata.name"]
        );
        assert_eq!(
            messages(value!({"name": "a", "namespace": "c", "labels": {"a b": "c d"}})),
            ["metadata.labels", "metadata.labels"]
        );
        assert_eq!(
            messages(value!({"name": "a", "namespace": "c", "finalizers": ["orphan", "foregroundDeletion"]})),
            ["metadata.finalizers"]
        );
        assert_eq!(
            messages(value!({"name": "a", "namespace": "c", "ownerReferences": [{}]})),
            [
                "metadata.ownerReferences.apiVersion",
                "metadata.ownerReferences.kind",
                "metadata.ownerReferences.name",
                "metadata.ownerReferences.uid"
            ]
        );
    }

    #[test]
    fn an_update_changes_no_identity() {
        let old = value!({"metadata": {"name": "a", "uid": "1", "deletionTimestamp": "x", "finalizers": ["a/b"]}});
        let new = value!({"metadata": {"name": "a", "uid": "2", "deletionTimestamp": "x", "finalizers": ["a/b", "a/c"],
            "resourceVersion": "1"}});
        let mut errs = ErrorList::new();
        validate_metadata_update(&new, &old, &mut errs);
        assert_eq!(
            errs.message(),
            "[metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new \
             finalizers []string{\"a/c\"}, metadata.uid: Invalid value: \"2\": field is immutable]"
        );
    }
}
