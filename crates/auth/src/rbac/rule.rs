//! One policy rule: what it allows, and what it covers of another.

use crate::Attributes;
use meta::{Str, Value};

/// A `PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    pub verbs: Vec<Str>,
    pub groups: Vec<Str>,
    pub resources: Vec<Str>,
    pub names: Vec<Str>,
    pub urls: Vec<Str>,
}

fn has(set: &[Str], item: &str) -> bool {
    set.iter().any(|s| s == item)
}

fn has_or_all(set: &[Str], item: &str) -> bool {
    set.iter().any(|s| s == "*" || s == item)
}

fn texts(value: &Value) -> Vec<Str> {
    value.items().iter().map(|v| Str::from(v.str())).collect()
}

impl Rule {
    pub fn from_value(rule: &Value) -> Rule {
        Rule {
            verbs: texts(&rule["verbs"]),
            groups: texts(&rule["apiGroups"]),
            resources: texts(&rule["resources"]),
            names: texts(&rule["resourceNames"]),
            urls: texts(&rule["nonResourceURLs"]),
        }
    }

    /// The rules of a Role or ClusterRole.
    pub fn of_role(role: &Value) -> Vec<Rule> {
        role["rules"].items().iter().map(Rule::from_value).collect()
    }

    pub fn to_value(&self) -> Value {
        let list = |texts: &[Str]| Value::Array(texts.iter().map(Value::from).collect());
        let mut rule = Value::object();
        rule.set("verbs", list(&self.verbs));
        let optional = [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.urls),
        ];
        for (key, texts) in optional.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            rule.set(key, list(texts));
        }
        rule
    }

    pub fn allows(&self, request: &Attributes) -> bool {
        if !has_or_all(&self.verbs, request.verb) {
            return false;
        }
        if !request.is_resource() {
            return self.urls.iter().any(|url| url_covers(url, request.path));
        }
        has_or_all(&self.groups, request.group)
            && self.resources.iter().any(|r| resource_matches(r, request.resource, request.subresource))
            && (self.names.is_empty() || has(&self.names, request.name))
    }

    /// Whether everything a rule of single parts allows is allowed by this one.
    fn covers(&self, part: &Rule) -> bool {
        let all = |own: &[Str], parts: &[Str]| parts.iter().all(|p| has_or_all(own, p));
        let resource = |r: &Str| {
            let subresource = r.split_once('/').map(|(_, sub)| sub);
            has_or_all(&self.resources, r)
                || subresource.is_some_and(|sub| self.resources.iter().any(|own| own.strip_prefix("*/") == Some(sub)))
        };
        all(&self.verbs, &part.verbs)
            && all(&self.groups, &part.groups)
            && part.resources.iter().all(resource)
            && part.urls.iter().all(|url| self.urls.iter().any(|own| url_covers(own, url)))
            && (self.names.is_empty() || !part.names.is_empty() && part.names.iter().all(|n| has(&self.names, n)))
    }

    /// The same as rules of one verb, group, resource, name or path each. Lazy: a hostile rule has very many.
    fn parts(&self) -> impl Iterator<Item = Rule> + '_ {
        let one = |s: &Str| vec![s.clone()];
        let names: Vec<Vec<Str>> =
            if self.names.is_empty() { vec![vec![]] } else { self.names.iter().map(one).collect() };
        let resources = self.groups.iter().flat_map(move |group| {
            let names = names.clone();
            self.resources.iter().flat_map(move |resource| {
                let names = names.clone();
                self.verbs.iter().flat_map(move |verb| {
                    let part =
                        Rule { verbs: one(verb), groups: one(group), resources: one(resource), ..Rule::default() };
                    names.clone().into_iter().map(move |names| Rule { names, ..part.clone() })
                })
            })
        });
        let urls = self.urls.iter().flat_map(move |url| {
            self.verbs.iter().map(move |verb| Rule { verbs: one(verb), urls: one(url), ..Rule::default() })
        });
        resources.chain(urls)
    }

    /// The text of escalation messages: `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`.
    pub fn compact_text(&self) -> String {
        let parts = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.urls),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let shown = parts.iter().filter(|(_, texts)| !texts.is_empty());
        let shown: Vec<String> = shown.map(|(name, texts)| format!("{name}:{}", quoted(texts))).collect();
        format!("{{{}}}", shown.join(", "))
    }
}

/// A list of strings as Go's %q: `["a" "b"]`.
pub(crate) fn quoted(texts: &[Str]) -> String {
    format!("[{}]", texts.iter().map(|t| meta::field::quote(t)).collect::<Vec<_>>().join(" "))
}

fn resource_matches(rule: &str, resource: &str, subresource: &str) -> bool {
    match rule.split_once('/') {
        _ if rule == "*" => true,
        None => subresource.is_empty() && rule == resource,
        Some((parent, sub)) => !subresource.is_empty() && sub == subresource && (parent == "*" || parent == resource),
    }
}

/// Whether a rule's path, which may end in a star, covers another.
fn url_covers(own: &str, path: &str) -> bool {
    own == "*" || own == path || own.ends_with('*') && path.starts_with(own.trim_end_matches('*'))
}

/// More single parts than this are not looked at one by one.
const PARTS_MAX: usize = 100_000;

/// What `owned` does not cover of `wanted`, in rules of single parts.
pub fn uncovered(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let mut missing = Vec::new();
    let mut seen = 0;
    for rule in wanted {
        // One rule that covers the whole saves taking it apart.
        if owned.iter().any(|own| own.covers(rule)) {
            continue;
        }
        for part in rule.parts() {
            seen += 1;
            if seen > PARTS_MAX {
                missing.push(part);
                return missing;
            }
            if !owned.iter().any(|own| own.covers(&part)) {
                missing.push(part);
            }
        }
    }
    missing
}

pub fn covers_all(owned: &[Rule], wanted: &[Rule]) -> bool {
    uncovered(owned, wanted).is_empty()
}
