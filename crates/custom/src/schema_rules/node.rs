//! What every node of a definition's schema must satisfy
//! (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation).

use super::expressions::{Costs, Place, validate_expressions};
use super::walk::is_set;
use super::{Demands, field_path, list_type, structural};
use meta::Value;
use meta::field::{ErrorList, Path};

const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];
const REASONS: &[&str] = &["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const RULES: &str = "x-kubernetes-validations";

/// What was found in a node and below it. Expressions are judged only where the schema is sound, and reported last.
#[derive(Default)]
pub struct Found {
    pub schema: ErrorList,
    pub expressions: ErrorList,
    pub costs: Costs,
}

impl Found {
    fn extend(&mut self, other: Found) {
        self.schema.extend(other.schema);
        self.expressions.extend(other.expressions);
        self.costs.extend(other.costs);
    }
}

/// What the nodes above say about those below.
#[derive(Clone)]
pub struct Walk<'a> {
    pub demands: &'a Demands,
    /// Why there may be no default here.
    no_default_because: Option<String>,
    /// Within the metadata of a whole object.
    in_metadata: bool,
    /// Set where expressions are judged: not under logic.
    place: Option<Place>,
}

impl<'a> Walk<'a> {
    /// `judged`: the schema is structural, so its expressions can be judged.
    pub fn new(demands: &'a Demands, judged: bool, cost_accepted: bool) -> Walk<'a> {
        let place = judged.then(|| Place::of_schema(cost_accepted));
        Walk { demands, no_default_because: None, in_metadata: false, place }
    }

    /// The walk below `node`.
    fn within(&self, node: &Value) -> Walk<'a> {
        Walk { place: self.place.as_ref().map(|place| place.below(node)), ..self.clone() }
    }

    fn under_logic(&self) -> Walk<'a> {
        Walk { place: None, ..self.clone() }
    }

    /// Old and new values below `path` cannot be told to belong together. The highest such node counts.
    fn uncorrelatable(mut self, path: &Path) -> Walk<'a> {
        if let Some(place) = &mut self.place {
            place.uncorrelatable.get_or_insert_with(|| path.clone());
        }
        self
    }

    fn no_default(mut self, because: String) -> Walk<'a> {
        self.no_default_because = Some(because);
        self
    }

    /// Judges a node and all below it. `root`: the node is the schema of a whole resource.
    pub fn validate(&self, node: &Value, root: bool, path: &Path) -> Found {
        let mut found = Found::default();
        if node.as_object().is_none() {
            return found;
        }
        self.validate_supported(node, path, &mut found.schema);
        if node["uniqueItems"].bool() {
            let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            found.schema.forbidden(&path.child("uniqueItems"), detail);
        }
        self.within(node).descend(node, root, path, &mut found);
        validate_maps(node, path, &mut found.schema);
        list_type::validate_list_type(node, self.demands.atomic_sets, path, &mut found.schema);
        if self.demands.map_keys {
            list_type::validate_items_of_sets_and_maps(node, path, &mut found.schema);
        }
        for (i, rule) in node[RULES].items().iter().enumerate() {
            validate_rule_form(node, rule, &path.child(RULES).index(i), &mut found.schema);
        }
        let judged = self.place.as_ref().filter(|_| found.schema.is_empty() && !node[RULES].items().is_empty());
        if let Some(place) = judged {
            let resource = root || node["x-kubernetes-embedded-resource"].bool();
            let place = Place { resource, ..place.clone() };
            validate_expressions(node, &place, path, &mut found.costs, &mut found.expressions);
        }
        found
    }

    fn descend(&self, node: &Value, root: bool, path: &Path, found: &mut Found) {
        let more = &node["additionalProperties"];
        if !more.is_null() {
            let at = path.child("additionalProperties");
            if !node["properties"].is_empty() && more.as_bool() != Some(true) {
                found.schema.forbidden(&at, "additionalProperties and properties are mutual exclusive");
            }
            let walk = match self.in_metadata {
                true => self.clone().no_default("inside additionalProperties applying to object metadata".into()),
                false => self.clone(),
            };
            found.extend(walk.validate(more, false, &at));
        }
        let embedded = node["x-kubernetes-embedded-resource"].bool();
        for (key, property) in node["properties"].entries() {
            let mut walk = self.clone();
            if (root || embedded) && matches!(key, "metadata" | "kind" | "apiVersion") {
                walk.in_metadata = true;
                if root {
                    walk = walk.no_default(format!("in top-level {key}"));
                }
            }
            found.extend(walk.validate(property, false, &path.child("properties").key(key)));
        }
        self.descend_into_logic(node, path, found);
        self.descend_into_items(node, path, found);
        for (key, dependency) in node["dependencies"].entries() {
            found.extend(self.under_logic().validate(dependency, false, &path.child("dependencies").key(key)));
        }
    }

    fn descend_into_logic(&self, node: &Value, path: &Path, found: &mut Found) {
        let walk = self.under_logic();
        found.extend(walk.validate(&node["not"], false, &path.child("not")));
        for logic in ["allOf", "oneOf", "anyOf"] {
            for (i, branch) in node[logic].items().iter().enumerate() {
                found.extend(walk.validate(branch, false, &path.child(logic).index(i)));
            }
        }
        for (key, definition) in node["definitions"].entries() {
            found.extend(walk.validate(definition, false, &path.child("definitions").key(key)));
        }
    }

    fn descend_into_items(&self, node: &Value, path: &Path, found: &mut Found) {
        let items = &node["items"];
        let walk = match node["x-kubernetes-list-type"].str() {
            "map" => self.clone(),
            _ => self.clone().uncorrelatable(path),
        };
        found.extend(walk.validate(items, false, &path.child("items")));
        for (i, item) in items.items().iter().enumerate() {
            found.extend(walk.validate(item, false, &path.child("items").index(i)));
        }
    }

    /// What OpenAPI has and definitions may not use.
    fn validate_supported(&self, node: &Value, path: &Path, errs: &mut ErrorList) {
        let own = node["type"].str();
        if self.demands.known_types && !own.is_empty() && !TYPES.contains(&own) {
            errs.not_supported(&path.child("type"), own, TYPES);
        }
        if let Some(because) = self.no_default_because.as_ref().filter(|_| !node["default"].is_null()) {
            errs.forbidden(&path.child("default"), &format!("must not be set {because}"));
        }
        for field in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
            let said = match field {
                "additionalItems" | "dependencies" | "$ref" => !node[field].is_null(),
                _ => !node[field].is_empty(),
            };
            if said {
                errs.forbidden(&path.child(field), &format!("{field} is not supported"));
            }
        }
        if own == "null" {
            errs.forbidden(&path.child("type"), "type cannot be set to null, use nullable as an alternative");
        }
        if !node["items"].items().is_empty() {
            errs.forbidden(&path.child("items"), "items must be a schema object and not an array");
        }
        if self.in_metadata && node["x-kubernetes-embedded-resource"].bool() {
            let detail = "must not be used inside of resource meta";
            errs.forbidden(&path.child("x-kubernetes-embedded-resource"), detail);
        }
    }
}

fn validate_maps(node: &Value, path: &Path, errs: &mut ErrorList) {
    const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
    if node[PRESERVE].as_bool() == Some(false) {
        errs.invalid(&path.child(PRESERVE), false, "must be true or undefined");
    }
    let Some(kind) = node["x-kubernetes-map-type"].as_str() else { return };
    list_type::require_type(node, "object", "x-kubernetes-map-type", path, errs);
    if !["atomic", "granular"].contains(&kind) {
        errs.not_supported(&path.child("x-kubernetes-map-type"), kind, &["atomic", "granular"]);
    }
}

fn has_newline(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// The texts around a rule's expression; `at` is the path of the rule.
fn validate_rule_form(node: &Value, rule: &Value, at: &Path, errs: &mut ErrorList) {
    let text = |field: &str| rule[field].str();
    let (own, message, path) = (text("rule").trim(), text("message").trim(), text("fieldPath"));
    let message_path = at.child("message");
    if own.is_empty() {
        errs.required(&at.child("rule"), "rule is not specified");
    } else if !text("message").is_empty() && message.is_empty() {
        errs.invalid(&message_path, text("message"), "must be non-empty if specified");
    } else if has_newline(message) {
        errs.invalid(&message_path, text("message"), "must not contain line breaks");
    } else if has_newline(own) && message.is_empty() {
        errs.required(&message_path, "message must be specified if rule contains line breaks");
    }
    let expression = text("messageExpression");
    if !expression.is_empty() && expression.trim().is_empty() {
        errs.required(&at.child("messageExpression"), "messageExpression must be non-empty if specified");
    }
    if let Some(reason) = rule["reason"].as_str().filter(|reason| !REASONS.contains(reason)) {
        errs.not_supported(&at.child("reason"), reason, REASONS);
    }
    let field_path = at.child("fieldPath");
    if !path.is_empty() && path.trim().is_empty() {
        errs.invalid(&field_path, path, "must be non-empty if specified");
    }
    if has_newline(path) {
        errs.invalid(&field_path, path, "must not contain line breaks");
    }
    let leads_nowhere = || structural::unreadable(node).is_none() && field_path::resolve(path, node, true).is_err();
    if !path.is_empty() && leads_nowhere() {
        errs.invalid(&field_path, path, "must be a valid path");
    }
}

/// Whether a node is of a type that upstream does not know.
pub fn has_unknown_type(node: &Value) -> bool {
    is_set(&node["type"]) && !TYPES.contains(&node["type"].str())
}
