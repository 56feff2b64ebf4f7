//! The rules for the schemas in a CustomResourceDefinition: which are structural, which defaults and list types make
//! sense, and what an update need not satisfy because the stored definition does not either. Paths and texts are
//! upstream's (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation).

mod default_values;
pub mod expressions;
pub mod field_path;
mod list_type;
mod node;
mod pattern;
pub mod shown;
mod structural;
pub mod walk;

use meta::Value;
use meta::field::{ErrorList, Path};

/// What a schema must satisfy. A create demands everything; an update what the stored definition satisfies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demands {
    /// Every version has a schema.
    pub schemas: bool,
    /// Types are those of OpenAPI.
    pub known_types: bool,
    pub structural: bool,
    /// Defaults have no fields that the schema does not know.
    pub pruned_defaults: bool,
    /// Items of sets are atomic.
    pub atomic_sets: bool,
    /// Items of sets and maps are not null, and those of maps have all keys.
    pub map_keys: bool,
}

impl Demands {
    /// For a new definition.
    pub const ALL: Demands = Demands {
        schemas: true,
        known_types: true,
        structural: true,
        pruned_defaults: true,
        atomic_sets: true,
        map_keys: true,
    };

    /// For an update of a definition with these schemas; null for a version without one.
    pub fn of_stored(schemas: &[&Value]) -> Demands {
        let none = |wrong: &dyn Fn(&Value) -> bool| !schemas.iter().any(|schema| walk::any(schema, wrong));
        let structural = |schema: &&Value| schema.is_null() || structural::is_structural(schema);
        Demands {
            schemas: !schemas.iter().any(|schema| schema.is_null()),
            known_types: none(&node::has_unknown_type),
            structural: schemas.iter().all(structural),
            pruned_defaults: !schemas
                .iter()
                .any(|schema| structural::is_structural(schema) && default_values::has_unpruned_default(schema)),
            atomic_sets: none(&list_type::is_non_atomic_set),
            map_keys: none(&|node| {
                let mut errs = ErrorList::new();
                list_type::validate_items_of_sets_and_maps(node, &Path::root(), &mut errs);
                !errs.is_empty()
            }),
        }
    }
}

/// What a root node may say beside its fields when the status subresource, whose schema is a part of it, is enabled:
/// upstream's Go names, and the names on the wire.
const ALLOWED_AT_ROOT: &[(&str, &str)] = &[
    ("Description", "description"),
    ("Type", "type"),
    ("Format", "format"),
    ("Title", "title"),
    ("Maximum", "maximum"),
    ("ExclusiveMaximum", "exclusiveMaximum"),
    ("Minimum", "minimum"),
    ("ExclusiveMinimum", "exclusiveMinimum"),
    ("MaxLength", "maxLength"),
    ("MinLength", "minLength"),
    ("Pattern", "pattern"),
    ("MaxItems", "maxItems"),
    ("MinItems", "minItems"),
    ("UniqueItems", "uniqueItems"),
    ("MultipleOf", "multipleOf"),
    ("Required", "required"),
    ("Items", "items"),
    ("Properties", "properties"),
    ("ExternalDocs", "externalDocs"),
    ("Example", "example"),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields"),
    ("XValidations", "x-kubernetes-validations"),
];

/// Judges a version's `schema` (`{"openAPIV3Schema": …}`); `path` is that of `schema`. `status`: the version has the
/// status subresource. `cost_accepted`: this schema is stored as it is.
pub fn validate_schema(
    schema: &Value,
    status: bool,
    demands: &Demands,
    cost_accepted: bool,
    path: &Path,
    errs: &mut ErrorList,
) {
    let (root, path) = (&schema["openAPIV3Schema"], path.child("openAPIV3Schema"));
    if root.as_object().is_none() {
        return;
    }
    let mut own = ErrorList::new();
    if status {
        validate_root_with_status(root, &path, &mut own);
    }
    if root["nullable"].bool() {
        own.forbidden(&path.child("nullable"), "nullable cannot be true at the root");
    }
    let mut judged = false;
    let mut unreadable = None;
    if demands.structural {
        unreadable = structural::unreadable(root);
        if unreadable.is_none() {
            let structural = structural::validate_structural(root, &path);
            let defaults = match structural.is_empty() {
                true => default_values::validate_defaults(root, demands.pruned_defaults, &path),
                false => ErrorList::new(),
            };
            judged = structural.is_empty() && defaults.is_empty();
            structural.into_iter().for_each(|error| own.push(error));
            own.extend(defaults);
        }
    }
    let found = node::Walk::new(demands, judged, cost_accepted).validate(root, true, &path);
    own.extend(found.schema);
    own.extend(found.expressions);
    found.costs.validate(&path, &mut own);
    if let Some(why) = unreadable.filter(|_| own.is_empty()) {
        own.invalid(&path, "", &why);
    }
    errs.extend(own);
}

fn validate_root_with_status(root: &Value, path: &Path, errs: &mut ErrorList) {
    let allowed = |name: &str| ALLOWED_AT_ROOT.iter().any(|(_, allowed)| *allowed == name);
    let own = root["type"].str();
    // In the order of Go's fields the type comes first of what can be wrong.
    if !own.is_empty() && own != "object" {
        let detail =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        errs.invalid(&path.child("type"), own, detail);
        return;
    }
    if root.entries().any(|(key, value)| !allowed(key) && (walk::is_set(value) || key == "default")) {
        let names: Vec<&str> = ALLOWED_AT_ROOT.iter().map(|(go, _)| *go).collect();
        let names = names.join(" ");
        let detail =
            format!("only [{names}] fields are allowed at the root of the schema if the status subresource is enabled");
        errs.invalid(path, shown::schema(root), &detail);
    }
}

/// The formats in a schema that nobody checks, in the order of the nodes.
pub fn unrecognized_formats(schema: &Value) -> Vec<&str> {
    let mut list = Vec::new();
    walk::each(schema, &mut |node| {
        let format = node["format"].str();
        if !format.is_empty() && !crate::formats::is_known(node["type"].str(), format) {
            list.push(format);
        }
    });
    list
}

/// The types of items that are not scalar of the sets in a schema.
pub fn non_scalar_set_items(schema: &Value) -> Vec<&str> {
    let mut list = Vec::new();
    walk::each(schema, &mut |node| {
        let item = node["items"]["type"].str();
        if node["x-kubernetes-list-type"].str() == "set" && matches!(item, "object" | "array") {
            list.push(item);
        }
    });
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn found(schema: Value, status: bool) -> Vec<String> {
        let mut errs = ErrorList::new();
        validate_schema(&value!({"openAPIV3Schema": schema}), status, &Demands::ALL, false, &Path::new("s"), &mut errs);
        errs.iter().map(|error| error.to_string()).collect()
    }

    #[test]
    fn structure_first_then_the_nodes() {
        assert_eq!(
            found(value!({"type": "objectx"}), false),
            [
                "s.openAPIV3Schema.type: Invalid value: \"objectx\": must be object at the root",
                "s.openAPIV3Schema.type: Unsupported value: \"objectx\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"",
            ]
        );
        assert_eq!(
            found(value!({"type": "object", "x-kubernetes-preserve-unknown-fields": false}), false),
            ["s.openAPIV3Schema.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"]
        );
        assert_eq!(
            found(value!({"type": "string"}), true).first().map(String::as_str),
            Some(
                "s.openAPIV3Schema.type: Invalid value: \"string\": only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled"
            )
        );
    }

    #[test]
    fn updates_need_not_be_better_than_what_is_stored() {
        let good = value!({"type": "object"});
        assert_eq!(Demands::of_stored(&[&good]), Demands::ALL);
        let bad = value!({"properties": {"a": {"type": "text"}}});
        let demands = Demands::of_stored(&[&good, &bad, &Value::Null]);
        assert!(!demands.schemas && !demands.known_types && !demands.structural && demands.atomic_sets);
    }
}
