//! Attribute-based access control: a policy in a file, one rule a line (upstream: pkg/auth/authorizer/abac).

use crate::{Attributes, Decision};
use meta::{Str, Value, json, value};

/// Rules in the order of their lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy(Vec<Line>);

/// What is "" matches nothing but "", "*" matches everything.
#[derive(Clone, Debug, Default, PartialEq)]
struct Line {
    user: Str,
    group: Str,
    readonly: bool,
    api_group: Str,
    resource: Str,
    namespace: Str,
    path: Str,
}

const GROUP: &str = "abac.authorization.kubernetes.io/";

impl Policy {
    /// From the text of a policy file: JSON objects, one a line, besides empty lines and those that begin with `#`.
    pub fn parse(text: &str) -> Result<Policy, String> {
        let mut lines = vec![];
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let read =
                json::parse(trimmed.as_bytes()).map_err(|why| why.to_string()).and_then(|read| Line::read(&read.value));
            lines.push(read.map_err(|why| format!("line {}: {trimmed}: {why}", index.saturating_add(1)))?);
        }
        Ok(Policy(lines))
    }

    pub fn authorize(&self, request: &Attributes) -> Decision {
        if self.0.iter().any(|line| line.is_about(request.user, request.groups) && line.allows(request)) {
            return Decision::Allow(String::new());
        }
        Decision::NoOpinion("No policy matched.".into())
    }

    /// The `status` of a SelfSubjectRulesReview.
    pub fn review(&self, user: &str, groups: &[Str], namespace: &str) -> Value {
        let own = self.0.iter().filter(|line| line.is_about(user, groups) && matches(&line.namespace, namespace));
        let (mut resources, mut paths) = (vec![], vec![]);
        for line in own {
            let verbs = if line.readonly { value!(["get", "list", "watch"]) } else { value!(["*"]) };
            if !line.resource.is_empty() {
                let (group, resource) = (&line.api_group, &line.resource);
                resources.push(value!({"verbs": (verbs.clone()), "apiGroups": [group], "resources": [resource]}));
            }
            if !line.path.is_empty() {
                paths.push(value!({"verbs": verbs, "nonResourceURLs": [(&line.path)]}));
            }
        }
        value!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
    }
}

impl Line {
    fn read(object: &Value) -> Result<Line, String> {
        let version = object["apiVersion"].str();
        let kind = object["kind"].str();
        if version.is_empty() && kind.is_empty() {
            return Ok(Line::read_first_version(object));
        }
        let known = version.strip_prefix(GROUP).is_some_and(|version| matches!(version, "v1beta1" | "v0"));
        if kind != "Policy" || !known {
            let [kind, version] = [kind, version].map(meta::field::quote);
            return Err(format!("no kind {kind} is registered for version {version}"));
        }
        if version.ends_with("/v0") {
            return Ok(Line::read_first_version(object));
        }
        let spec = &object["spec"];
        let text = |key: &str| Str::from(spec[key].str());
        Ok(Line {
            user: text("user"),
            group: text("group"),
            readonly: spec["readonly"].bool(),
            api_group: text("apiGroup"),
            resource: text("resource"),
            namespace: text("namespace"),
            path: text("nonResourcePath"),
        })
    }

    /// The form without a version: what it leaves out is everything (pkg/apis/abac/v0/conversion.go).
    fn read_first_version(object: &Value) -> Line {
        let or_all = |key: &str| Str::from(if object[key].is_empty() { "*" } else { object[key].str() });
        let (user, group) = (Str::from(object["user"].str()), Str::from(object["group"].str()));
        let everybody = user.is_empty() && group.is_empty();
        let is_general = object["namespace"].is_empty() && object["resource"].is_empty();
        Line {
            user: user.clone(),
            group: if everybody { "system:authenticated".into() } else { group },
            readonly: object["readonly"].bool(),
            api_group: "*".into(),
            resource: or_all("resource"),
            namespace: or_all("namespace"),
            path: if is_general { "*".into() } else { Str::default() },
        }
    }

    fn is_about(&self, user: &str, groups: &[Str]) -> bool {
        let names_one = !self.user.is_empty() || !self.group.is_empty();
        let user_fits = self.user.is_empty() || matches(&self.user, user);
        let group_fits = self.group.is_empty() || self.group == "*" || groups.contains(&self.group);
        names_one && user_fits && group_fits
    }

    fn allows(&self, request: &Attributes) -> bool {
        if self.readonly && !matches!(request.verb, "get" | "list" | "watch") {
            return false;
        }
        if request.is_resource() {
            return matches(&self.namespace, request.namespace)
                && matches(&self.resource, request.resource)
                && matches(&self.api_group, request.group);
        }
        matches(&self.path, request.path)
            || self.path.ends_with('*') && request.path.starts_with(self.path.trim_end_matches('*'))
    }
}

fn matches(own: &str, asked: &str) -> bool {
    own == "*" || own == asked
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
# comments and empty lines count for nothing

{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"ann","namespace":"*","resource":"*","apiGroup":"*","nonResourcePath":"*"}}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"group":"readers","readonly":true,"namespace":"ns","resource":"pods"}}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"*","readonly":true,"nonResourcePath":"/api*"}}
{"user":"old","namespace":"ns","resource":"secrets"}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"namespace":"*","resource":"*"}}
"#;

    #[test]
    fn lines_allow_what_they_say() {
        let policy = Policy::parse(POLICY).expect("well formed");
        let readers = [Str::from("readers")];
        type Case = (&'static str, bool, &'static str, &'static str, &'static str, bool);
        let cases: [Case; 13] = [
            ("ann", false, "delete", "nodes", "", true),
            ("ann", false, "post", "", "/logs", true),
            ("u", true, "list", "pods", "ns", true),
            ("u", true, "delete", "pods", "ns", false),
            ("u", true, "get", "pods", "other", false),
            ("u", true, "get", "secrets", "ns", false),
            ("u", false, "get", "pods", "ns", false),
            ("u", false, "get", "", "/apis/x", true),
            ("u", false, "post", "", "/apis/x", false),
            ("u", false, "get", "", "/version", false),
            ("old", false, "delete", "secrets", "ns", true),
            ("old", false, "get", "", "/version", false),
            ("old", false, "get", "pods", "ns", false),
        ];
        for (user, is_reader, verb, resource, place, allowed) in cases {
            let groups = if is_reader { &readers[..] } else { &[] };
            let (namespace, path) = if resource.is_empty() { ("", place) } else { (place, "") };
            let request = Attributes { user, groups, verb, resource, namespace, path, ..Attributes::default() };
            assert_eq!(policy.authorize(&request).is_allowed(), allowed, "{user} {verb} {resource} {place}");
        }
        let refused =
            policy.authorize(&Attributes { user: "u", verb: "get", resource: "pods", ..Attributes::default() });
        assert_eq!(refused, Decision::NoOpinion("No policy matched.".into()));
    }

    #[test]
    fn files_are_read_or_refused_by_line() {
        let bad = |line: &str| Policy::parse(&format!("# first\n{line}")).expect_err(line);
        assert!(bad("{").starts_with("line 2: {: "));
        let kind = bad(r#"{"apiVersion":"v1","kind":"Pod"}"#);
        assert!(kind.ends_with("no kind \"Pod\" is registered for version \"v1\""), "{kind}");
        assert_eq!(Policy::parse(""), Ok(Policy::default()));
    }

    #[test]
    fn rules_are_listed() {
        let policy = Policy::parse(POLICY).expect("well formed");
        let wanted = value!({
            "resourceRules": [{"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}],
            "nonResourceRules": [],
            "incomplete": false
        });
        assert_eq!(policy.review("u", &["readers".into()], "ns"), wanted);
    }
}
