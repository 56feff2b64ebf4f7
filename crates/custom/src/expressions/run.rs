//! Whether a resource keeps the rules of its schema (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel).

use super::CompiledRule;
use super::tree::{Rule, RuleTree};
use cel::{Activation, Failed, PER_CALL_COST_MAX, REQUEST_COST_MAX, Value as Cel};
use meta::Value;
use meta::field::{ErrorKind, ErrorList, Path, Shown};

/// The longest message that an expression makes (bytes).
const MESSAGE_BYTES_MAX: usize = 5 * 1024;

const BUDGET_SPENT: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// What became of an object's rules.
#[derive(Default)]
pub struct Verdict {
    pub errs: ErrorList,
    /// Rules that are broken by values that were so before: they warn only.
    pub ratcheted: ErrorList,
}

/// Judges an object by the rules of its schema; on updates with the object before.
pub fn judge(tree: &RuleTree, object: &Value, old: Option<&Value>) -> Verdict {
    let mut run = Run { verdict: Verdict::default(), budget: REQUEST_COST_MAX };
    let place = Place { pair: old.map(|old| (object, old)), ancestor: None };
    // Without budget the rest is left unsaid, and that it ran out was reported.
    let _ = run.node(tree, &Path::root(), object, old, &place);
    run.verdict
}

/// The budget ran out, or something else that ends the run.
struct Over;

struct Run {
    verdict: Verdict,
    budget: u64,
}

/// How a value relates to what was there before, for ratcheting.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The value and the one before, where it is known which that is.
    pair: Option<(&'a Value, &'a Value)>,
    /// The same of the nearest node above of which it is known.
    ancestor: Option<(&'a Value, &'a Value)>,
}

impl<'a> Place<'a> {
    /// Whether nothing moved here: then what is wrong was so before.
    fn is_unmoved(&self) -> bool {
        self.pair.or(self.ancestor).is_some_and(|(new, old)| new == old)
    }

    fn below(&self, pair: Option<(&'a Value, &'a Value)>) -> Place<'a> {
        match self.pair {
            None => *self,
            Some(own) => Place { pair, ancestor: Some(own) },
        }
    }
}

impl Run {
    fn node<'a>(
        &mut self,
        tree: &RuleTree,
        path: &Path,
        value: &'a Value,
        old: Option<&'a Value>,
        place: &Place<'a>,
    ) -> Result<(), Over> {
        if value.is_null() {
            return Ok(());
        }
        let old = old.filter(|old| !old.is_null());
        self.rules(tree, path, value, old, place)?;
        for branch in &tree.all_of {
            // Branches are not ratcheted but by what is above the node.
            self.node(branch, path, value, old, &Place { pair: None, ancestor: place.ancestor })?;
        }
        match value {
            Value::Array(items) => self.items(tree, path, items, old, place),
            Value::Object(_) => self.members(tree, path, value, old, place),
            _ => Ok(()),
        }
    }

    fn members<'a>(
        &mut self,
        tree: &RuleTree,
        path: &Path,
        object: &'a Value,
        old: Option<&'a Value>,
        place: &Place<'a>,
    ) -> Result<(), Over> {
        for (key, value) in object.entries() {
            let (below, at) = match (&tree.values, tree.properties.get(key)) {
                (Some(values), _) => (&**values, path.key(key)),
                (None, Some(property)) => (property, path.child_named(key)),
                (None, None) => continue,
            };
            let old = old.and_then(|old| old.get(key));
            let paired = old.filter(|_| !tree.atomic).map(|old| (value, old));
            self.node(below, &at, value, old, &place.below(paired))?;
        }
        Ok(())
    }

    fn items<'a>(
        &mut self,
        tree: &RuleTree,
        path: &Path,
        items: &'a [Value],
        old: Option<&'a Value>,
        place: &Place<'a>,
    ) -> Result<(), Over> {
        let Some(below) = &tree.items else { return Ok(()) };
        for (i, item) in items.iter().enumerate() {
            let same = |old: &&Value| tree.list_keys.iter().all(|key| old[key.as_str()] == item[key.as_str()]);
            // Only the items of a map have an identity.
            let before = match tree.list_keys.is_empty() {
                true => None,
                false => old.and_then(|old| old.items().iter().find(same)),
            };
            self.node(below, &path.index(i), item, before, &place.below(before.map(|before| (item, before))))?;
        }
        Ok(())
    }

    fn rules(
        &mut self,
        tree: &RuleTree,
        path: &Path,
        value: &Value,
        old: Option<&Value>,
        place: &Place,
    ) -> Result<(), Over> {
        let Some(schema) = tree.schema.as_ref().filter(|_| !tree.rules.is_empty()) else { return Ok(()) };
        let shown = || Shown::from(tree.type_name.as_str());
        if self.budget == 0 {
            self.verdict.errs.invalid(path, shown(), BUDGET_SPENT);
            return Err(Over);
        }
        let typed = Cel::typed(value, schema.root());
        let typed_old = old.map(|old| Cel::typed(old, schema.root()));
        for rule in &tree.rules {
            let compiled = match &rule.compiled {
                Ok(compiled) => compiled,
                Err(detail) => {
                    self.verdict.errs.invalid(path, shown(), &format!("rule compile error: {detail}"));
                    continue;
                }
            };
            let optional = rule.source["optionalOldSelf"].bool();
            if compiled.uses_old && old.is_none() && !optional {
                continue;
            }
            let mut variables = Activation::new([("self", typed.clone())]);
            match (&typed_old, optional) {
                (old, true) => variables.set("oldSelf", Cel::optional(old.clone())),
                (Some(old), false) => variables.set("oldSelf", old.clone()),
                (None, false) => {}
            }
            match compiled.rule.evaluate(&variables, PER_CALL_COST_MAX) {
                Ok(evaluated) => {
                    self.spend(evaluated.cost, path, &shown)?;
                    if evaluated.value.as_bool() == Some(true) {
                        continue;
                    }
                }
                Err(failed) => {
                    self.spend(failed.cost(), path, &shown)?;
                    self.report_failed(&failed, rule, path, shown())?;
                    continue;
                }
            }
            let mut plain = Activation::new([("self", typed.clone())]);
            if let Some(old) = &typed_old {
                plain.set("oldSelf", old.clone());
            }
            self.report_broken(tree, rule, compiled, &plain, (path, value, place))?;
        }
        Ok(())
    }

    fn spend(&mut self, cost: u64, path: &Path, shown: &impl Fn() -> Shown) -> Result<(), Over> {
        match self.budget.checked_sub(cost) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                self.verdict.errs.invalid(path, shown(), BUDGET_SPENT);
                Err(Over)
            }
        }
    }

    /// A rule that could not be evaluated.
    fn report_failed(&mut self, failed: &Failed, rule: &Rule, path: &Path, shown: Shown) -> Result<(), Over> {
        let (why, text) = (failed.to_string(), rule_text(rule));
        if failed.is_fatal() {
            let detail = format!(
                "'{why}': no further validation rules will be run due to call cost exceeds limit for rule: {text}"
            );
            self.verdict.errs.invalid(path, shown, &detail);
            return Err(Over);
        }
        let detail = if why.starts_with("no such overload") {
            format!(
                "'{why}': call arguments did not match a supported operator, function or macro signature for rule: {text}"
            )
        } else {
            format!("{why} evaluating rule: {text}")
        };
        self.verdict.errs.invalid(path, shown, &detail);
        Ok(())
    }

    fn report_broken<'a>(
        &mut self,
        tree: &RuleTree,
        rule: &'a Rule,
        compiled: &'a CompiledRule,
        variables: &Activation<'a>,
        (path, value, place): (&Path, &Value, &Place),
    ) -> Result<(), Over> {
        let at = match &rule.field_path {
            Some(below) => path.child_named(below),
            None => path.clone(),
        };
        let mut list = ErrorList::new();
        let made = match &compiled.message {
            Some(message) => self.message(message, rule, variables),
            None => Ok(None),
        };
        let over = made.is_err();
        match made {
            Err(detail) => list.invalid(&at, tree.type_name.as_str(), &detail),
            Ok(made) => {
                let message = rule.source["message"].str();
                let detail = made.unwrap_or_else(|| match message {
                    "" => format!("failed rule: {}", rule_text(rule)),
                    message => message.trim().to_owned(),
                });
                let structured = matches!(tree.type_name.as_str(), "object" | "array");
                add(&mut list, &at, rule.source["reason"].str(), (!structured).then(|| Shown::from(value)), &detail);
            }
        }
        if !compiled.uses_old && place.is_unmoved() {
            self.verdict.ratcheted.extend(list);
        } else {
            self.verdict.errs.extend(list);
        }
        if over { Err(Over) } else { Ok(()) }
    }

    /// What the message expression makes; `None` when it makes nothing usable, and an error when the run ends with it.
    fn message<'a>(
        &mut self,
        message: &'a cel::Program,
        rule: &Rule,
        variables: &Activation<'a>,
    ) -> Result<Option<String>, String> {
        let (made, cost) = match message.evaluate(variables, PER_CALL_COST_MAX) {
            Ok(evaluated) => (Some(evaluated.value), evaluated.cost),
            Err(failed) if failed.is_fatal() => {
                let text = rule.source["messageExpression"].str();
                let detail =
                    "no further validation rules will be run due to call cost exceeds limit for messageExpression";
                return Err(format!("{detail}: {}", meta::field::quote(text)));
            }
            Err(failed) => (None, failed.cost()),
        };
        let Some(left) = self.budget.checked_sub(cost) else {
            let detail = "messageExpression evaluation failed due to running out of cost budget";
            return Err(format!("{detail}, no further validation rules will be run"));
        };
        self.budget = left;
        let made = made.and_then(|made| made.as_str().map(|text| text.trim().to_owned()));
        Ok(made.filter(|text| !text.is_empty() && text.len() <= MESSAGE_BYTES_MAX && !text.contains('\n')))
    }
}

/// The rule as errors name it: by its message, if it has one.
fn rule_text(rule: &Rule) -> &str {
    match rule.source["message"].str() {
        "" => rule.source["rule"].str().trim(),
        message => message.trim(),
    }
}

fn add(list: &mut ErrorList, path: &Path, reason: &str, shown: Option<Shown>, detail: &str) {
    match (reason, shown) {
        ("FieldValueForbidden", _) => list.forbidden(path, detail),
        ("FieldValueRequired", _) => list.required(path, detail),
        ("FieldValueDuplicate", Some(shown)) => list.duplicate(path, shown),
        ("FieldValueDuplicate", None) => list.push(meta::field::Error {
            kind: ErrorKind::Duplicate,
            field: path.to_string(),
            body: "Duplicate value".to_owned(),
        }),
        (_, Some(shown)) => list.invalid(path, shown, detail),
        (_, None) => list.invalid_omitted(path, detail),
    }
}
