//! The policy: the first rule that fits a request says how much of it is recorded
//! (upstream: k8s.io/apiserver/pkg/audit/policy, pkg/apis/audit/validation).

use crate::{Level, Stage};
use meta::field::{ErrorList, Path, quote};
use meta::{Str, Value, json, name};
use resource::User;

/// A request as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `None`: nobody knows.
    pub user: Option<&'a User>,
    pub verb: &'a str,
    pub path: &'a str,
    /// Whether the path names a resource; the members below are "" when not.
    pub is_resource: bool,
    pub group: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub level: Level,
    omitted: u8,
    pub omits_managed_fields: bool,
}

impl Verdict {
    pub fn omits(&self, stage: Stage) -> bool {
        self.omitted & bit(stage) != 0
    }
}

/// A checked audit.k8s.io/v1 Policy.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    /// Of requests that no rule fits.
    otherwise: Verdict,
}

#[derive(Clone, Debug)]
struct Rule {
    users: Vec<Str>,
    groups: Vec<Str>,
    verbs: Vec<Str>,
    resources: Vec<GroupResources>,
    namespaces: Vec<Str>,
    paths: Vec<Str>,
    verdict: Verdict,
}

#[derive(Clone, Debug)]
struct GroupResources {
    group: Str,
    resources: Vec<Str>,
    names: Vec<Str>,
}

/// The members that a Policy, a rule and an entry of its resources have.
const POLICY: &[&str] = &["apiVersion", "kind", "metadata", "omitManagedFields", "omitStages", "rules"];
const RULE: &[&str] = &[
    "level",
    "namespaces",
    "nonResourceURLs",
    "omitManagedFields",
    "omitStages",
    "resources",
    "userGroups",
    "users",
    "verbs",
];
const RESOURCES: &[&str] = &["group", "resourceNames", "resources"];

impl Policy {
    /// From the tree of a policy file; also what is wrong with it and does not matter. The error is upstream's text,
    /// without the file's name.
    pub fn from_value(policy: &Value) -> Result<(Policy, Vec<String>), String> {
        check_kind(policy)?;
        let mut unknown = vec![];
        check_members(policy, POLICY, "", &mut unknown);
        let mut errs = ErrorList::new();
        let omitted = read_stages(policy, &Path::new("omitStages"), false, &mut errs)?;
        let omits_managed_fields = switch(policy, "omitManagedFields")?.unwrap_or(false);
        let otherwise = Verdict { level: Level::None, omitted, omits_managed_fields };
        let mut rules = vec![];
        for (index, rule) in list(policy, "rules")?.iter().enumerate() {
            check_members(rule, RULE, &format!("rules[{index}]"), &mut unknown);
            for (at, entry) in rule["resources"].items().iter().enumerate() {
                check_members(entry, RESOURCES, &format!("rules[{index}].resources[{at}]"), &mut unknown);
            }
            rules.push(read_rule(rule, &Path::new("rules").index(index), otherwise, &mut errs)?);
        }
        if !errs.is_empty() {
            return Err(errs.message());
        }
        if rules.is_empty() {
            return Err("loaded illegal policy with 0 rules".into());
        }
        Ok((Policy { rules, otherwise }, unknown))
    }

    pub fn evaluate(&self, request: &Request) -> Verdict {
        self.rules.iter().find(|rule| rule.fits(request)).map_or(self.otherwise, |rule| rule.verdict)
    }
}

impl Rule {
    fn fits(&self, request: &Request) -> bool {
        let has_user = self.users.is_empty() || request.user.is_some_and(|user| has(&self.users, &user.name));
        let has_group = self.groups.is_empty()
            || request.user.is_some_and(|user| user.groups.iter().any(|group| has(&self.groups, group)));
        if !has_user || !has_group || !(self.verbs.is_empty() || has(&self.verbs, request.verb)) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return request.is_resource
                && (self.namespaces.is_empty() || has(&self.namespaces, request.namespace))
                && (self.resources.is_empty() || self.resources.iter().any(|entry| entry.fits(request)));
        }
        self.paths.is_empty() || !request.is_resource && self.paths.iter().any(|path| fits_path(path, request.path))
    }
}

impl GroupResources {
    fn fits(&self, request: &Request) -> bool {
        let named = || self.names.is_empty() || has(&self.names, request.name);
        self.group == request.group
            && (self.resources.is_empty() || named() && self.resources.iter().any(|form| fits_form(form, request)))
    }
}

/// `pods`, `pods/log`, `*`, `*/log`, `pods/*`
fn fits_form(form: &str, request: &Request) -> bool {
    let (resource, subresource) = (request.resource, request.subresource);
    if form == "*" {
        return true;
    }
    match form.split_once('/') {
        None => subresource.is_empty() && form == resource,
        Some((own, "*")) if own == resource => true,
        Some(("*", part)) if !subresource.is_empty() && part == subresource => true,
        Some((own, part)) => !subresource.is_empty() && own == resource && part == subresource,
    }
}

fn fits_path(form: &str, path: &str) -> bool {
    form == path || form.strip_suffix('*').is_some_and(|start| path.starts_with(start))
}

fn has(list: &[Str], text: &str) -> bool {
    list.iter().any(|own| own == text)
}

fn bit(stage: Stage) -> u8 {
    1 << stage as u8
}

fn check_kind(policy: &Value) -> Result<(), String> {
    let (kind, version) = (policy["kind"].str(), policy["apiVersion"].str());
    for (member, text) in [("Kind", kind), ("apiVersion", version)] {
        if text.is_empty() {
            return Err(format!("failed decoding: Object '{member}' is missing in '{}'", json::to_string(policy)));
        }
    }
    if kind == "Policy" && version == crate::API_VERSION {
        return Ok(());
    }
    let (kind, version) = (quote(kind), quote(version));
    Err(format!(
        "failed decoding: no kind {kind} is registered for version {version} in scheme \"k8s.io/apiserver/pkg/audit/scheme.go:30\""
    ))
}

fn check_members(object: &Value, known: &[&str], path: &str, unknown: &mut Vec<String>) {
    let dot = if path.is_empty() { "" } else { "." };
    let others = object.entries().filter(|(key, _)| !known.contains(key));
    unknown.extend(others.map(|(key, _)| format!("unknown field {}", quote(&format!("{path}{dot}{key}")))));
}

fn read_rule(rule: &Value, path: &Path, otherwise: Verdict, errs: &mut ErrorList) -> Result<Rule, String> {
    let level = read_level(rule, &path.child("level"), errs)?;
    let paths = texts(rule, "nonResourceURLs")?;
    validate_paths(&paths, &path.child("nonResourceURLs"), errs);
    let resources = list(rule, "resources")?.iter().map(read_resources).collect::<Result<Vec<_>, String>>()?;
    validate_resources(&resources, &path.child("resources"), errs);
    let omitted = read_stages(rule, &path.child("omitStages"), true, errs)? | otherwise.omitted;
    let namespaces = texts(rule, "namespaces")?;
    if !paths.is_empty() && (!resources.is_empty() || !namespaces.is_empty()) {
        let why = "rules cannot apply to both regular resources and non-resource URLs";
        errs.invalid(&path.child("nonResourceURLs"), shown(&paths), why);
    }
    Ok(Rule {
        users: texts(rule, "users")?,
        groups: texts(rule, "userGroups")?,
        verbs: texts(rule, "verbs")?,
        resources,
        namespaces,
        paths,
        verdict: Verdict {
            level,
            omitted,
            omits_managed_fields: switch(rule, "omitManagedFields")?.unwrap_or(otherwise.omits_managed_fields),
        },
    })
}

fn read_level(rule: &Value, path: &Path, errs: &mut ErrorList) -> Result<Level, String> {
    let text = text(rule, "level")?;
    let names: Vec<&str> = Level::ALL.iter().map(|level| level.as_str()).collect();
    match Level::ALL.iter().find(|level| level.as_str() == text) {
        Some(level) => return Ok(*level),
        None if text.is_empty() => errs.required(path, ""),
        None => errs.not_supported(path, text, &names),
    }
    Ok(Level::None)
}

fn read_resources(entry: &Value) -> Result<GroupResources, String> {
    Ok(GroupResources {
        group: text(entry, "group")?.into(),
        resources: texts(entry, "resources")?,
        names: texts(entry, "resourceNames")?,
    })
}

/// Stages as bits. Upstream checks those of rules only, and ignores what it does not know elsewhere.
fn read_stages(from: &Value, path: &Path, checked: bool, errs: &mut ErrorList) -> Result<u8, String> {
    let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
    let mut bits = 0;
    for (index, text) in texts(from, "omitStages")?.iter().enumerate() {
        match Stage::ALL.iter().find(|stage| stage.as_str() == text) {
            Some(stage) => bits |= bit(*stage),
            None if checked => {
                errs.invalid(&path.index(index), text.as_str(), &format!("allowed stages are {}", names.join(",")));
            }
            None => {}
        }
    }
    Ok(bits)
}

fn validate_paths(paths: &[Str], at: &Path, errs: &mut ErrorList) {
    for (index, path) in paths.iter().enumerate().filter(|(_, path)| *path != "*") {
        if !path.starts_with('/') {
            errs.invalid(&at.index(index), path.as_str(), "non-resource URL rules must begin with a '/' character");
        }
        if path.strip_suffix('*').unwrap_or(path).contains('*') {
            let why = "non-resource URL wildcards '*' must be the final character of the rule";
            errs.invalid(&at.index(index), path.as_str(), why);
        }
    }
}

fn validate_resources(entries: &[GroupResources], path: &Path, errs: &mut ErrorList) {
    for entry in entries {
        let wrong = name::dns1123_subdomain(&entry.group);
        if !entry.group.is_empty() && !wrong.is_empty() {
            errs.invalid(&path.child("group"), entry.group.as_str(), &wrong.join(","));
        }
        if !entry.names.is_empty() && entry.resources.is_empty() {
            let why = "using resourceNames requires at least one resource";
            errs.invalid(&path.child("resourceNames"), shown(&entry.names), why);
        }
    }
}

fn shown(texts: &[Str]) -> meta::field::Shown {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    meta::field::Shown(format!("[{}]", quoted.join(",")))
}

fn wrong_type(key: &str, wanted: &str) -> String {
    format!("failed decoding: json: the value of {key} must be {wanted}")
}

fn text<'a>(from: &'a Value, key: &str) -> Result<&'a str, String> {
    let value = &from[key];
    if value.is_null() { Ok("") } else { value.as_str().ok_or_else(|| wrong_type(key, "a string")) }
}

fn list<'a>(from: &'a Value, key: &str) -> Result<&'a [Value], String> {
    let value = &from[key];
    if value.is_null() { Ok(&[]) } else { value.as_array().ok_or_else(|| wrong_type(key, "a list")) }
}

fn texts(from: &Value, key: &str) -> Result<Vec<Str>, String> {
    let items = list(from, key)?.iter();
    items.map(|item| item.as_str().map(Str::from).ok_or_else(|| wrong_type(key, "a list of strings"))).collect()
}

fn switch(from: &Value, key: &str) -> Result<Option<bool>, String> {
    let value = &from[key];
    if value.is_null() { Ok(None) } else { value.as_bool().map(Some).ok_or_else(|| wrong_type(key, "true or false")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn policy(rules: Value) -> Policy {
        let tree = value!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules});
        Policy::from_value(&tree).expect("a policy").0
    }

    fn refused(extra: Value) -> String {
        let mut tree = value!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy"});
        for (key, value) in extra.entries() {
            tree.set(key, value.clone());
        }
        Policy::from_value(&tree).expect_err("a refusal")
    }

    fn user() -> User {
        User { name: "tim".into(), groups: vec!["humans".into(), "developers".into()], ..User::default() }
    }

    fn of_resource<'a>(user: &'a User, verb: &'a str, resource: &'a str, subresource: &'a str) -> Request<'a> {
        Request {
            user: Some(user),
            verb,
            path: "/api/v1/namespaces/default/pods/busybox",
            is_resource: true,
            group: "",
            resource,
            subresource,
            namespace: "default",
            name: "busybox",
        }
    }

    fn of_path<'a>(user: &'a User, path: &'a str) -> Request<'a> {
        Request { path, is_resource: false, resource: "", namespace: "", name: "", ..of_resource(user, "get", "", "") }
    }

    fn level(rule: Value, request: &Request) -> Level {
        let mut rule = rule;
        rule.set("level", "Request");
        policy(value!([rule])).evaluate(request).level
    }

    #[test]
    fn rules_fit_as_upstream_has_it() {
        let tim = user();
        let pod = of_resource(&tim, "get", "pods", "");
        let log = of_resource(&tim, "get", "pods", "log");
        let path = of_path(&tim, "/logs/x");
        // rule; does it fit the pod, its log, the path
        let cases = [
            (value!({}), [true, true, true]),
            (value!({"users": ["tim"]}), [true, true, true]),
            (value!({"users": ["tom"]}), [false, false, false]),
            (value!({"userGroups": ["admins", "humans"]}), [true, true, true]),
            (value!({"userGroups": ["admins"]}), [false, false, false]),
            (value!({"verbs": ["watch", "get"]}), [true, true, true]),
            (value!({"verbs": ["watch"]}), [false, false, false]),
            (value!({"namespaces": ["default"]}), [true, true, false]),
            (value!({"namespaces": [""]}), [false, false, false]),
            (value!({"resources": [{"resources": ["pods"]}]}), [true, false, false]),
            (value!({"resources": [{"resources": ["pods/log"]}]}), [false, true, false]),
            (value!({"resources": [{"resources": ["*/log"]}]}), [false, true, false]),
            (value!({"resources": [{"resources": ["pods/*"]}]}), [true, true, false]),
            (value!({"resources": [{"resources": ["*"]}]}), [true, true, false]),
            (value!({"resources": [{"resources": ["*/*"]}]}), [false, false, false]),
            (value!({"resources": [{"group": ""}]}), [true, true, false]),
            (value!({"resources": [{"group": "apps"}]}), [false, false, false]),
            (value!({"resources": [{"resources": ["pods"], "resourceNames": ["busybox"]}]}), [true, false, false]),
            (value!({"resources": [{"resources": ["pods"], "resourceNames": ["other"]}]}), [false, false, false]),
            (value!({"nonResourceURLs": ["/logs*"]}), [false, false, true]),
            (value!({"nonResourceURLs": ["/logs"]}), [false, false, false]),
            (value!({"nonResourceURLs": ["*"]}), [false, false, true]),
        ];
        for (rule, fits) in cases {
            let got = [&pod, &log, &path].map(|request| level(rule.clone(), request) == Level::Request);
            assert_eq!(got, fits, "{}", json::to_string(&rule));
        }
    }

    #[test]
    fn the_first_rule_decides_and_stages_add_up() {
        let tree = value!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "omitManagedFields": true,
            "rules": [
                {"level": "Metadata", "verbs": ["get"], "omitStages": ["Panic"], "omitManagedFields": false},
                {"level": "Request", "verbs": ["get", "list"]}
            ],
        });
        let (policy, unknown) = Policy::from_value(&tree).expect("a policy");
        assert!(unknown.is_empty());
        let tim = user();
        let verdict = policy.evaluate(&of_resource(&tim, "get", "pods", ""));
        assert_eq!((verdict.level, verdict.omits_managed_fields), (Level::Metadata, false));
        assert_eq!(Stage::ALL.map(|stage| verdict.omits(stage)), [true, false, false, true]);
        let verdict = policy.evaluate(&of_resource(&tim, "list", "pods", ""));
        assert_eq!((verdict.level, verdict.omits_managed_fields), (Level::Request, true));
        assert_eq!(Stage::ALL.map(|stage| verdict.omits(stage)), [true, false, false, false]);
        assert_eq!(policy.evaluate(&of_resource(&tim, "watch", "pods", "")).level, Level::None);
    }

    #[test]
    fn nobody_fits_no_rule_about_users() {
        let tim = user();
        let nobody = Request { user: None, ..of_path(&tim, "/") };
        assert_eq!(level(value!({"users": [""]}), &nobody), Level::None);
        assert_eq!(level(value!({"userGroups": [""]}), &nobody), Level::None);
        assert_eq!(level(value!({}), &nobody), Level::Request);
    }

    #[test]
    fn mistakes_are_refused_in_upstreams_words() {
        let cases = [
            (value!({}), "loaded illegal policy with 0 rules"),
            (value!({"rules": [{}]}), "rules[0].level: Required value"),
            (
                value!({"rules": [{"level": "All"}]}),
                "rules[0].level: Unsupported value: \"All\": supported values: \"Metadata\", \"None\", \"Request\", \"RequestResponse\"",
            ),
            (
                value!({"rules": [{"level": "None", "nonResourceURLs": ["logs", "/a*b"]}]}),
                "[rules[0].nonResourceURLs[0]: Invalid value: \"logs\": non-resource URL rules must begin with a '/' character, rules[0].nonResourceURLs[1]: Invalid value: \"/a*b\": non-resource URL wildcards '*' must be the final character of the rule]",
            ),
            (
                value!({"rules": [{"level": "None", "nonResourceURLs": ["/logs"], "namespaces": ["a"]}]}),
                "rules[0].nonResourceURLs: Invalid value: [\"/logs\"]: rules cannot apply to both regular resources and non-resource URLs",
            ),
            (
                value!({"rules": [{"level": "None", "resources": [{"resourceNames": ["a"]}]}]}),
                "rules[0].resources.resourceNames: Invalid value: [\"a\"]: using resourceNames requires at least one resource",
            ),
            (
                value!({"rules": [{"level": "None", "omitStages": ["Never"]}]}),
                "rules[0].omitStages[0]: Invalid value: \"Never\": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic",
            ),
            (value!({"rules": {"level": "None"}}), "failed decoding: json: the value of rules must be a list"),
            (
                value!({"kind": "Rules"}),
                "failed decoding: no kind \"Rules\" is registered for version \"audit.k8s.io/v1\" in scheme \"k8s.io/apiserver/pkg/audit/scheme.go:30\"",
            ),
        ];
        for (extra, text) in cases {
            assert_eq!(refused(extra), text);
        }
        let text = refused(value!({"rules": [{"level": "None", "resources": [{"group": "a/v1"}]}]}));
        assert!(text.starts_with("rules[0].resources.group: Invalid value: \"a/v1\": a lowercase RFC 1123"), "{text}");
        let missing = Policy::from_value(&value!({"kind": "Policy"})).expect_err("no version");
        assert_eq!(missing, "failed decoding: Object 'apiVersion' is missing in '{\"kind\":\"Policy\"}'");
    }

    #[test]
    fn what_is_not_known_is_told() {
        let tree = value!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "level": "None",
            "rules": [{"level": "None", "user": ["a"], "resources": [{"names": ["a"]}]}],
        });
        let (_, unknown) = Policy::from_value(&tree).expect("a policy");
        let fields = ["level", "rules[0].user", "rules[0].resources[0].names"];
        assert_eq!(unknown, fields.map(|field| format!("unknown field \"{field}\"")));
    }
}
