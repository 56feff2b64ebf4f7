use super::*;
use crate::escalation::{self, Write};
use crate::{Attributes, Decision};
use meta::{Str, Value, value};

fn role(rules: Value) -> Value {
    value!({"rules": rules})
}

fn binding(kind: &str, role: &str, subjects: Value) -> Value {
    value!({"roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}, "subjects": subjects})
}

fn small() -> Rbac {
    let mut rbac = Rbac::default();
    let read = value!([
        {"apiGroups": [""], "resources": ["configmaps", "pods/log", "*/scale"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get"]},
        {"nonResourceURLs": ["/metrics", "/logs/*"], "verbs": ["get"]}
    ]);
    rbac.set("clusterroles", "", "read", Some(&role(read)));
    let subjects = value!([{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "sa"}]);
    rbac.set("rolebindings", "ns", "b", Some(&binding("ClusterRole", "read", subjects)));
    let group = value!([{"kind": "Group", "name": "g"}]);
    rbac.set("clusterrolebindings", "", "c", Some(&binding("ClusterRole", "read", group)));
    rbac
}

fn request<'a>(user: &'a str, groups: &'a [Str], what: &'a str) -> Attributes<'a> {
    let mut words = what.split(' ');
    let mut next = || words.next().unwrap_or("");
    let (verb, resource, namespace, name) = (next(), next(), next(), next());
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    if resource.is_empty() {
        let path = what.split(' ').nth(1).unwrap_or("");
        return Attributes { user, groups, verb, path, ..Attributes::default() };
    }
    Attributes { user, groups, verb, resource, subresource, namespace, name, ..Attributes::default() }
}

#[test]
fn rules_allow_what_they_say_and_no_more() {
    let rbac = small();
    let group = [Str::from("g")];
    let cases: [(&str, &[Str], &str, bool); 15] = [
        ("u", &[], "get configmaps ns a", true),
        ("u", &[], "list configmaps ns", true),
        ("u", &[], "create configmaps ns", false),
        ("u", &[], "get configmaps other a", false),
        ("u", &[], "list configmaps", false),
        ("u", &[], "get pods ns p", false),
        ("u", &[], "get pods/log ns p", true),
        ("u", &[], "get deployments/scale ns d", true),
        ("u", &[], "get secrets ns one", true),
        ("u", &[], "get secrets ns two", false),
        ("system:serviceaccount:ns:sa", &[], "get configmaps ns a", true),
        ("system:serviceaccount:x:sa", &[], "get configmaps ns a", false),
        ("v", &group, "get configmaps other a", true),
        ("v", &group, "get /logs/x", true),
        ("v", &group, "get /log", false),
    ];
    for (user, groups, what, allowed) in cases {
        assert_eq!(rbac.authorize(&request(user, groups, what)).is_allowed(), allowed, "{user} {what}");
    }
}

#[test]
fn reasons_name_the_binding_or_the_missing_role() {
    let mut rbac = small();
    let by = rbac.authorize(&request("u", &[], "get configmaps ns a"));
    let text = "RBAC: allowed by RoleBinding \"b/ns\" of ClusterRole \"read\" to User \"u\"";
    assert_eq!(by, Decision::Allow(text.to_string()));
    let group = [Str::from("g")];
    let by = rbac.authorize(&request("v", &group, "get configmaps"));
    let text = "RBAC: allowed by ClusterRoleBinding \"c\" of ClusterRole \"read\" to Group \"g\"";
    assert_eq!(by, Decision::Allow(text.to_string()));
    rbac.set("clusterroles", "", "read", None);
    let text = "RBAC: clusterrole.rbac.authorization.k8s.io \"read\" not found";
    assert_eq!(rbac.authorize(&request("u", &[], "get configmaps ns a")), Decision::NoOpinion(text.to_string()));
    rbac.set("rolebindings", "ns", "b", None);
    assert_eq!(rbac.authorize(&request("u", &[], "get configmaps ns a")), Decision::NoOpinion(String::new()));
}

#[test]
fn reviews_list_the_rules() {
    let rbac = small();
    let status = rbac.review("u", &[], "ns");
    assert_eq!(status["resourceRules"].items().len(), 2);
    assert_eq!(status["nonResourceRules"][0]["nonResourceURLs"], value!(["/metrics", "/logs/*"]));
}

/// A write by a user in no special group.
fn written(rbac: &Rbac, resource: &str, object: &Value, authorized: bool) -> Result<(), (u16, String)> {
    let groups = [Str::from("system:authenticated")];
    let write = Write {
        subresource: "",
        user: "u",
        groups: &groups,
        group: GROUP,
        resource,
        namespace: "ns",
        request_name: "",
        old: None,
        object,
    };
    if !escalation::is_checked(&write) || authorized && escalation::exemption(&write).is_some() {
        return Ok(());
    }
    escalation::check(rbac, &write).map_err(|e| (e.code, e.message))
}

#[test]
fn nobody_grants_more_than_they_have() {
    let mut rbac = small();
    let named = |mut v: Value| {
        v.set("metadata", value!({"name": "esc"}));
        v
    };
    let held = named(role(value!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}])));
    assert_eq!(written(&rbac, "roles", &held, false), Ok(()));
    let more = named(role(value!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}
    ])));
    let text = "roles.rbac.authorization.k8s.io \"esc\" is forbidden: user \"u\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"deployments\"], Verbs:[\"get\"]}";
    assert_eq!(written(&rbac, "roles", &more, false), Err((403, text.to_string())));
    assert_eq!(written(&rbac, "roles", &more, true), Ok(()), "with the verb escalate");
    let missing = named(binding("Role", "nosuch", value!([])));
    let text = "rolebindings.rbac.authorization.k8s.io \"nosuch\" not found";
    assert_eq!(written(&rbac, "rolebindings", &missing, false), Err((404, text.to_string())));
    let own = named(binding("ClusterRole", "read", value!([])));
    assert_eq!(written(&rbac, "rolebindings", &own, false), Ok(()));
    rbac.set(
        "roles",
        "ns",
        "big",
        Some(&role(value!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]))),
    );
    let big = named(binding("Role", "big", value!([])));
    let refused = written(&rbac, "rolebindings", &big, false).unwrap_err().1;
    assert!(refused.ends_with("\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"*\"]}"), "{refused}");
    let aggregated = named(value!({"aggregationRule": {"clusterRoleSelectors": [{}]}, "rules": []}));
    let refused = written(&rbac, "clusterroles", &aggregated, false).unwrap_err().1;
    assert!(refused.ends_with("must have cluster-admin privileges to use the aggregationRule"));
}

/// The slow way: every binding, every rule, straight from the objects.
fn naive(objects: &[(&str, &str, String, Value)], request: &Attributes) -> bool {
    let rules = |kind: &str, namespace: &str, name: &str| {
        let resource = if kind == "Role" { "roles" } else { "clusterroles" };
        let namespace = if kind == "Role" { namespace } else { "" };
        objects.iter().find(|o| o.0 == resource && o.1 == namespace && o.2 == name).map(|o| &o.3["rules"])
    };
    let bound = |subject: &Value, namespace: &str| match subject["kind"].str() {
        "User" => subject["name"].str() == request.user,
        "Group" => request.groups.iter().any(|g| g == subject["name"].str()),
        _ => {
            let own = subject["namespace"].str();
            let namespace = if own.is_empty() { namespace } else { own };
            !namespace.is_empty()
                && request.user == format!("system:serviceaccount:{namespace}:{}", subject["name"].str())
        }
    };
    objects.iter().filter(|o| o.0.ends_with("bindings")).any(|(_, namespace, _, object)| {
        let here = namespace.is_empty() || *namespace == request.namespace;
        let role = &object["roleRef"];
        here && object["subjects"].items().iter().any(|s| bound(s, namespace))
            && rules(role["kind"].str(), namespace, role["name"].str())
                .is_some_and(|rules| rules.items().iter().any(|rule| permits(rule, request)))
    })
}

/// One rule, word for word as the documentation has it.
fn permits(rule: &Value, request: &Attributes) -> bool {
    let lists = |list: &str, wanted: &str| {
        rule[list].items().iter().any(|item| matches!(item.str(), "*") || item.str() == wanted)
    };
    if !lists("verbs", request.verb) {
        return false;
    }
    if request.resource.is_empty() {
        let fits = |url: &str| match url.strip_suffix('*') {
            Some(prefix) => request.path.starts_with(prefix),
            None => url == request.path,
        };
        return rule["nonResourceURLs"].items().iter().any(|url| fits(url.str()));
    }
    let (resource, part) = (request.resource, request.subresource);
    let whole = if part.is_empty() { resource.to_owned() } else { format!("{resource}/{part}") };
    let any_parent = !part.is_empty() && rule["resources"].items().iter().any(|r| r.str() == format!("*/{part}"));
    let names = rule["resourceNames"].items();
    lists("apiGroups", request.group)
        && (lists("resources", &whole) || any_parent)
        && (names.is_empty() || names.iter().any(|name| name.str() == request.name))
}

const VERBS: [&str; 3] = ["get", "list", "*"];

fn random_rule(next: &mut impl FnMut(u64) -> usize) -> Value {
    let verb = VERBS[next(3)];
    if next(4) == 0 {
        return value!({"nonResourceURLs": [(["*", "/a", "/a*", "/a/*"][next(4)])], "verbs": [verb]});
    }
    let resource = ["pods", "secrets", "pods/log", "*", "*/log"][next(5)];
    let mut rule = value!({"apiGroups": [(["", "apps", "*"][next(3)])], "resources": [resource], "verbs": [verb]});
    if next(3) == 0 {
        rule.set("resourceNames", value!([(["x", "y"][next(2)])]));
    }
    rule
}

#[test]
fn the_index_decides_as_the_slow_way_does() {
    let mut seed = 99_u64;
    let mut next = |n: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((seed >> 33) % n) as usize
    };
    let (namespaces, users) = (["", "a", "b"], ["u0", "u1", "system:serviceaccount:a:s0"]);
    let (mut allowed, mut refused) = (0, 0);
    let mut rbac = Rbac::default();
    let mut objects: Vec<(&str, &str, String, Value)> = Vec::new();
    for step in 0..20_000 {
        let namespace = namespaces[next(3)];
        let name = format!("n{}", next(4));
        let is_role = next(2) == 0;
        let resource = match (is_role, namespace.is_empty()) {
            (true, true) => "clusterroles",
            (true, false) => "roles",
            (false, true) => "clusterrolebindings",
            (false, false) => "rolebindings",
        };
        let object = if is_role {
            role((0..next(3)).map(|_| random_rule(&mut next)).collect::<Vec<Value>>().into())
        } else {
            let subjects = (0..next(4)).map(|_| match next(3) {
                0 => value!({"kind": "User", "name": (users[next(2)])}),
                1 => value!({"kind": "Group", "name": (format!("g{}", next(3)))}),
                _ => value!({"kind": "ServiceAccount", "name": "s0", "namespace": (["", "a"][next(2)])}),
            });
            let subjects: Value = subjects.collect::<Vec<Value>>().into();
            let kind = if namespace.is_empty() || next(2) == 0 { "ClusterRole" } else { "Role" };
            binding(kind, &format!("n{}", next(4)), subjects)
        };
        objects.retain(|o| (o.0, o.1, o.2.as_str()) != (resource, namespace, name.as_str()));
        if next(4) == 0 {
            rbac.set(resource, namespace, &name, None);
        } else {
            rbac.set(resource, namespace, &name, Some(&object));
            objects.push((resource, namespace, name, object));
        }
        let groups: Vec<Str> = (0..next(4)).map(|_| format!("g{}", next(3)).into()).collect();
        let sender =
            Attributes { user: users[next(3)], groups: &groups, verb: VERBS[next(2)], ..Attributes::default() };
        let asked = if next(4) == 0 {
            Attributes { path: ["/a", "/ab", "/a/b", "/"][next(4)], ..sender }
        } else {
            Attributes {
                group: ["", "apps"][next(2)],
                resource: ["pods", "secrets"][next(2)],
                subresource: ["", "log"][next(2)],
                namespace: namespaces[next(3)],
                name: ["x", "y", ""][next(3)],
                ..sender
            }
        };
        let decided = rbac.authorize(&asked).is_allowed();
        assert_eq!(decided, naive(&objects, &asked), "step {step}: {asked:?}");
        *(if decided { &mut allowed } else { &mut refused }) += 1;
    }
    assert!(allowed > 1000 && refused > 1000, "{allowed} allowed, {refused} refused");
}

#[test]
fn hostile_roles_are_compared_in_bounded_time() {
    let many: Vec<Value> = (0..2000).map(|i| Value::from(format!("r{i}"))).collect();
    let hostile =
        Rule::from_value(&value!({"apiGroups": (many.clone()), "resources": (many.clone()), "verbs": (many)}));
    assert!(!covers_all(&small().rules_of("u", &[], "ns").rules, &[hostile]));
}
