//! FlowSchemas and PriorityLevelConfigurations made ready: which requests belong to which level, and how many seats each
//! level has (k8s.io/apiserver/pkg/util/flowcontrol/{apf_controller,rule}.go).

use meta::{Str, Value};
use resource::User;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

const EXEMPT: &str = "exempt";
const CATCH_ALL: &str = "catch-all";
const CATCH_ALL_SHARES: u32 = 5;
const PRECEDENCE_LAST: i64 = 10_000;

/// A request as schemas see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub user: &'a User,
    pub verb: &'a str,
    pub path: &'a str,
    /// Whether the path names a resource; the members below are "" when not.
    pub is_resource: bool,
    pub group: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
}

/// What makes the flows of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distinguisher {
    /// All requests are one flow.
    None,
    User,
    Namespace,
}

#[derive(Clone, Debug)]
pub struct Schema {
    pub name: Str,
    pub uid: Str,
    /// The index of its level in [`Config::levels`].
    pub level: usize,
    precedence: i64,
    distinguisher: Distinguisher,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    subjects: Vec<Subject>,
    resources: Vec<ResourceRule>,
    paths: Vec<PathRule>,
}

#[derive(Clone, Debug)]
enum Subject {
    User(Str),
    Group(Str),
    /// Of service accounts: the beginning of their names, or one name.
    Accounts(Str),
}

#[derive(Clone, Debug)]
struct ResourceRule {
    verbs: Vec<Str>,
    groups: Vec<Str>,
    resources: Vec<Str>,
    namespaces: Vec<Str>,
    cluster_scope: bool,
}

#[derive(Clone, Debug)]
struct PathRule {
    verbs: Vec<Str>,
    paths: Vec<Str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queuing {
    pub queues: usize,
    pub hand_size: usize,
    pub length_max: usize,
}

/// The seats of a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub nominal: u32,
    /// What it keeps when it lends, and what it has when it borrows.
    pub lower: u32,
    pub upper: u32,
    /// `None`: what does not fit is rejected.
    pub queuing: Option<Queuing>,
}

#[derive(Clone, Debug)]
pub struct Level {
    pub name: Str,
    pub uid: Str,
    /// Its requests never wait; the others' levels get what they leave.
    pub exempt: bool,
    pub limits: Limits,
}

/// What is in force.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// By precedence, then by name.
    pub schemas: Vec<Schema>,
    /// By name.
    pub levels: Vec<Level>,
}

impl Config {
    /// From the stored objects; `seats` are all that there are. The two levels that must be there are added when they are
    /// not, and schemas of levels that are not there are left out.
    pub fn new(schemas: &[Value], levels: &[Value], seats: u32) -> Config {
        let mut found: Vec<Value> = levels.to_vec();
        for (name, spec) in [
            (EXEMPT, meta::value!({"type": "Exempt"})),
            (
                CATCH_ALL,
                meta::value!({"type": "Limited", "limited": {"nominalConcurrencyShares": (i64::from(CATCH_ALL_SHARES))}}),
            ),
        ] {
            if !found.iter().any(|level| level["metadata"]["name"].str() == name) {
                found.push(meta::value!({"metadata": {"name": name}, "spec": spec}));
            }
        }
        found.sort_by(|a, b| a["metadata"]["name"].str().cmp(b["metadata"]["name"].str()));
        let sum: i64 = found.iter().map(shares).sum();
        let levels: Vec<Level> = found.iter().map(|level| read_level(level, sum, seats)).collect();
        let mut schemas: Vec<Schema> = schemas.iter().filter_map(|schema| read_schema(schema, &levels)).collect();
        for (name, precedence) in [(EXEMPT, 1), (CATCH_ALL, PRECEDENCE_LAST)] {
            if !schemas.iter().any(|schema| schema.name == name) {
                schemas.extend(mandatory(name, precedence, &levels));
            }
        }
        schemas.sort_by(|a, b| (a.precedence, &a.name).cmp(&(b.precedence, &b.name)));
        Config { schemas, levels }
    }

    /// The schema of a request and the hash of its flow. `None` only when nothing is in force.
    pub fn classify(&self, request: &Request) -> Option<(&Schema, u64)> {
        let last = || self.schemas.iter().find(|schema| schema.name == CATCH_ALL).or(self.schemas.last());
        let schema = self.schemas.iter().find(|schema| schema.fits(request)).or_else(last)?;
        let mut hasher = DefaultHasher::new();
        schema.name.hash(&mut hasher);
        schema.flow(request).hash(&mut hasher);
        Some((schema, hasher.finish()))
    }
}

/// Everybody with every request, or the administrators.
fn mandatory(name: &str, precedence: i64, levels: &[Level]) -> Option<Schema> {
    let level = levels.iter().position(|level| level.name == name)?;
    let groups: &[&str] =
        if name == EXEMPT { &["system:masters"] } else { &["system:authenticated", "system:unauthenticated"] };
    let any = || vec![Str::from("*")];
    let rule = Rule {
        subjects: groups.iter().map(|group| Subject::Group((*group).into())).collect(),
        resources: vec![ResourceRule {
            verbs: any(),
            groups: any(),
            resources: any(),
            namespaces: any(),
            cluster_scope: true,
        }],
        paths: vec![PathRule { verbs: any(), paths: any() }],
    };
    let distinguisher = if name == EXEMPT { Distinguisher::None } else { Distinguisher::User };
    Some(Schema { name: name.into(), uid: Str::default(), level, precedence, distinguisher, rules: vec![rule] })
}

fn shares(level: &Value) -> i64 {
    let spec = &level["spec"];
    let kind = if spec["type"].str() == "Exempt" { "exempt" } else { "limited" };
    let default = if kind == "exempt" { 0 } else { 30 };
    spec[kind]["nominalConcurrencyShares"].as_int().unwrap_or(default).max(0)
}

fn read_level(level: &Value, shares_sum: i64, seats: u32) -> Level {
    let (metadata, spec) = (&level["metadata"], &level["spec"]);
    let of_seats = |part: i64, whole: i64, seats: u32| {
        let (part, whole) = (part.max(0) as f64, whole.max(1) as f64);
        f64::from(seats) * part / whole
    };
    let exempt = spec["type"].str() == "Exempt";
    let limits = {
        let limited = if exempt { &spec["exempt"] } else { &spec["limited"] };
        let nominal = of_seats(shares(level), shares_sum, seats).ceil() as u32;
        let lendable = of_seats(limited["lendablePercent"].int(), 100, nominal).round() as u32;
        let borrowed = limited["borrowingLimitPercent"].as_int();
        let borrowed = borrowed.map(|percent| of_seats(percent, 100, nominal).round() as u32);
        let response = &limited["limitResponse"];
        let queuing = (!exempt && response["type"].str() == "Queue").then(|| {
            let number = |key: &str, default: i64, max: i64| {
                usize::try_from(response["queuing"][key].as_int().unwrap_or(default).clamp(1, max)).unwrap_or(1)
            };
            Queuing {
                queues: number("queues", 64, 10_000_000).min(4096),
                hand_size: number("handSize", 8, 64),
                length_max: number("queueLengthLimit", 50, i64::from(i32::MAX)),
            }
        });
        Limits {
            nominal,
            lower: nominal.saturating_sub(lendable),
            upper: borrowed.map_or(seats.max(nominal), |borrowed| nominal.saturating_add(borrowed)),
            queuing,
        }
    };
    Level { name: metadata["name"].str().into(), uid: metadata["uid"].str().into(), exempt, limits }
}

fn read_schema(schema: &Value, levels: &[Level]) -> Option<Schema> {
    let (metadata, spec) = (&schema["metadata"], &schema["spec"]);
    let wanted = spec["priorityLevelConfiguration"]["name"].str();
    Some(Schema {
        name: metadata["name"].str().into(),
        uid: metadata["uid"].str().into(),
        level: levels.iter().position(|level| level.name == wanted)?,
        precedence: spec["matchingPrecedence"].as_int().unwrap_or(1000),
        distinguisher: match spec["distinguisherMethod"]["type"].str() {
            "ByUser" => Distinguisher::User,
            "ByNamespace" => Distinguisher::Namespace,
            _ => Distinguisher::None,
        },
        rules: spec["rules"].items().iter().map(read_rule).collect(),
    })
}

fn texts(from: &Value, key: &str) -> Vec<Str> {
    from[key].items().iter().map(|text| text.str().into()).collect()
}

fn read_rule(rule: &Value) -> Rule {
    Rule {
        subjects: rule["subjects"].items().iter().filter_map(read_subject).collect(),
        resources: rule["resourceRules"]
            .items()
            .iter()
            .map(|rule| ResourceRule {
                verbs: texts(rule, "verbs"),
                groups: texts(rule, "apiGroups"),
                resources: texts(rule, "resources"),
                namespaces: texts(rule, "namespaces"),
                cluster_scope: rule["clusterScope"].bool(),
            })
            .collect(),
        paths: rule["nonResourceRules"]
            .items()
            .iter()
            .map(|rule| PathRule { verbs: texts(rule, "verbs"), paths: texts(rule, "nonResourceURLs") })
            .collect(),
    }
}

fn read_subject(subject: &Value) -> Option<Subject> {
    match subject["kind"].str() {
        "User" => Some(Subject::User(subject["user"]["name"].str().into())),
        "Group" => Some(Subject::Group(subject["group"]["name"].str().into())),
        "ServiceAccount" => {
            let account = &subject["serviceAccount"];
            let (namespace, name) = (account["namespace"].str(), account["name"].str());
            let name = if name == "*" { "" } else { name };
            Some(Subject::Accounts(format!("system:serviceaccount:{namespace}:{name}").into()))
        }
        _ => None,
    }
}

fn has(list: &[Str], text: &str) -> bool {
    list.iter().any(|own| own == "*" || own == text)
}

impl Schema {
    /// What tells the flows of this schema from one another.
    pub fn flow<'a>(&self, request: &Request<'a>) -> &'a str {
        match self.distinguisher {
            Distinguisher::None => "",
            Distinguisher::User => &request.user.name,
            Distinguisher::Namespace => request.namespace,
        }
    }

    fn fits(&self, request: &Request) -> bool {
        self.rules.iter().any(|rule| rule.fits(request))
    }
}

impl Rule {
    fn fits(&self, request: &Request) -> bool {
        self.subjects.iter().any(|subject| subject.fits(request.user))
            && match request.is_resource {
                true => self.resources.iter().any(|rule| rule.fits(request)),
                false => self.paths.iter().any(|rule| rule.fits(request)),
            }
    }
}

impl Subject {
    fn fits(&self, user: &User) -> bool {
        match self {
            Subject::User(name) => name == "*" || *name == user.name,
            Subject::Group(name) => name == "*" || user.groups.contains(name),
            Subject::Accounts(start) if start.ends_with(':') => user.name.starts_with(start.as_str()),
            Subject::Accounts(name) => *name == user.name,
        }
    }
}

impl ResourceRule {
    fn fits(&self, request: &Request) -> bool {
        let scope =
            if request.namespace.is_empty() { self.cluster_scope } else { has(&self.namespaces, request.namespace) };
        let named = |form: &Str| match form.split_once('/') {
            None => request.subresource.is_empty() && form == request.resource,
            Some((resource, part)) => resource == request.resource && part == request.subresource,
        };
        scope
            && has(&self.verbs, request.verb)
            && has(&self.groups, request.group)
            && self.resources.iter().any(|form| form == "*" || named(form))
    }
}

impl PathRule {
    fn fits(&self, request: &Request) -> bool {
        let below = |form: &Str| {
            form.strip_suffix("/*")
                .is_some_and(|start| request.path.strip_prefix(start).is_some_and(|rest| rest.starts_with('/')))
        };
        has(&self.verbs, request.verb)
            && self.paths.iter().any(|form| form == "*" || form == request.path || below(form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn user(name: &str, groups: &[&str]) -> User {
        User { name: name.into(), groups: groups.iter().map(|group| (*group).into()).collect(), ..User::default() }
    }

    fn of_resource<'a>(user: &'a User, verb: &'a str, resource: &'a str, namespace: &'a str) -> Request<'a> {
        Request { user, verb, path: "/", is_resource: true, group: "", resource, subresource: "", namespace }
    }

    fn level(name: &str, shares: i64, lendable: i64) -> Value {
        value!({"metadata": {"name": name, "uid": name}, "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": shares, "lendablePercent": lendable,
            "limitResponse": {"type": "Queue", "queuing": {"queues": 8, "handSize": 2, "queueLengthLimit": 5}}
        }}})
    }

    fn schema(name: &str, precedence: i64, level: &str, rule: Value) -> Value {
        value!({"metadata": {"name": name}, "spec": {
            "matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": level},
            "distinguisherMethod": {"type": "ByUser"}, "rules": [rule]
        }})
    }

    #[test]
    fn seats_follow_shares() {
        let config = Config::new(&[], &[level("a", 30, 33), level("b", 65, 0)], 600);
        let limited = |name: &str| {
            let level = config.levels.iter().find(|level| level.name == name).expect("a level");
            (!level.exempt).then_some((level.limits.nominal, level.limits.lower, level.limits.upper))
        };
        assert_eq!(limited("a"), Some((180, 121, 600)));
        assert_eq!(limited("b"), Some((390, 390, 600)));
        assert_eq!((limited("catch-all"), limited("exempt")), (Some((30, 30, 600)), None));
        let queuing = config.levels.iter().find(|level| level.name == "a").and_then(|level| level.limits.queuing);
        assert_eq!(queuing, Some(Queuing { queues: 8, hand_size: 2, length_max: 5 }));
    }

    #[test]
    fn the_first_schema_that_fits_counts() {
        let everywhere = |subjects: Value, verbs: &str, resources: &str| {
            value!({"subjects": subjects, "resourceRules": [{
                "verbs": [verbs], "apiGroups": ["*"], "resources": [resources], "namespaces": ["*"], "clusterScope": true
            }]})
        };
        let accounts =
            value!([{"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": "*"}}]);
        let nodes = value!([{"kind": "Group", "group": {"name": "system:nodes"}}]);
        let tim = value!([{"kind": "User", "user": {"name": "tim"}}]);
        let probes = value!({"subjects": [{"kind": "Group", "group": {"name": "*"}}],
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/logs/*"]}]});
        let schemas = [
            schema("accounts", 900, "a", everywhere(accounts, "*", "*")),
            schema("nodes", 400, "a", everywhere(nodes, "get", "nodes/status")),
            schema("tim-late", 901, "a", everywhere(tim.clone(), "*", "*")),
            schema("tim", 901, "a", everywhere(tim, "list", "pods")),
            schema("dangling", 1, "nowhere", everywhere(value!([{"kind": "User", "user": {"name": "*"}}]), "*", "*")),
            schema("probes", 2, "a", probes),
        ];
        let config = Config::new(&schemas, &[level("a", 30, 0)], 100);
        let name = |request: &Request| config.classify(request).map(|(schema, _)| schema.name.to_string());
        let (tim, node) = (user("tim", &["system:authenticated"]), user("n", &["system:nodes"]));
        let account = user("system:serviceaccount:kube-system:x", &[]);
        let other = user("system:serviceaccount:kube-system2:x", &[]);
        let master = user("m", &["system:masters"]);
        let status = Request { subresource: "status", ..of_resource(&node, "get", "nodes", "") };
        for (request, want) in [
            (of_resource(&tim, "list", "pods", "a"), "tim"),
            (of_resource(&tim, "list", "secrets", "a"), "tim-late"),
            (status, "nodes"),
            (of_resource(&node, "get", "nodes", ""), "catch-all"),
            (of_resource(&account, "get", "pods", "a"), "accounts"),
            (of_resource(&other, "get", "pods", "a"), "catch-all"),
            (of_resource(&master, "get", "pods", "a"), "exempt"),
            (Request { path: "/healthz", is_resource: false, ..of_resource(&tim, "get", "", "") }, "probes"),
            (Request { path: "/logs/x", is_resource: false, ..of_resource(&tim, "get", "", "") }, "probes"),
            (Request { path: "/logs", is_resource: false, ..of_resource(&tim, "get", "", "") }, "catch-all"),
        ] {
            assert_eq!(name(&request).as_deref(), Some(want), "{request:?}");
        }
        let flow = |user: &User| config.classify(&of_resource(user, "get", "pods", "a")).map(|(_, flow)| flow);
        assert_eq!(flow(&tim), flow(&tim));
        assert_ne!(flow(&account), flow(&user("system:serviceaccount:kube-system:y", &[])));
    }
}
