//! Every resource, every verb: nobody, a user without rights, one with exactly the right, and one with its neighbours'.

mod client;

use client::Sender::{self, Itself, Nobody, Token};
use client::{ask, create, head};
use kybern::TestServer;
use meta::{Value, value};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";

/// What everybody who is somebody may do: questions about oneself (ClusterRole system:basic-user). This list only shrinks.
const FOR_EVERYBODY: &[(&str, &str, &str)] = &[
    ("authentication.k8s.io", "selfsubjectreviews", "create"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "create"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "create"),
];

/// One resource, or a part of it, and one verb.
struct Case {
    group: String,
    version: String,
    /// With its subresource.
    resource: String,
    namespaced: bool,
    verb: String,
}

impl Case {
    /// Method and path. Writes are tried only.
    fn request(&self) -> (&'static str, String) {
        let prefix = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        let namespace = if self.namespaced { "/namespaces/default" } else { "" };
        let (resource, part) = match self.resource.split_once('/') {
            Some((resource, part)) => (resource, format!("/{part}")),
            None => (self.resource.as_str(), String::new()),
        };
        let collection = format!("{prefix}{namespace}/{resource}");
        let item = format!("{collection}/x{part}");
        match self.verb.as_str() {
            "list" => ("GET", collection),
            "watch" => ("GET", format!("{collection}?watch=1&timeoutSeconds=1")),
            "deletecollection" => ("DELETE", collection),
            "create" if part.is_empty() => ("POST", format!("{collection}?dryRun=All")),
            "create" => ("POST", format!("{item}?dryRun=All")),
            "get" => ("GET", item),
            "update" => ("PUT", format!("{item}?dryRun=All")),
            "patch" => ("PATCH", format!("{item}?dryRun=All")),
            "delete" => ("DELETE", item),
            other => panic!("{other} is no verb"),
        }
    }

    fn is_for_everybody(&self) -> bool {
        FOR_EVERYBODY.contains(&(self.group.as_str(), self.resource.as_str(), self.verb.as_str()))
    }

    /// The code, and whether the authorizer refused this very request (and not admission, or a further right that it needs).
    async fn ask(&self, server: &TestServer, sender: Sender<'_>) -> (u16, bool) {
        let (method, path) = self.request();
        // The options of deletions come from the body when there is one.
        let body = if method == "DELETE" { value!({"dryRun": ["All"]}) } else { Value::object() };
        let (code, answer) = head(server, sender, method, &path, &body).await;
        let said = format!("cannot {} resource \"{}\" in API group \"{}\"", self.verb, self.resource, self.group);
        (code, code == 403 && answer["message"].str().contains(&said))
    }

    fn exact(&self) -> Value {
        rules(&[(&self.verb, &self.group, &self.resource)], &[])
    }

    /// Rights that are each one step away.
    fn neighbours(&self) -> Value {
        const VERBS: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
        let (verb, group, resource) = (&self.verb, &self.group, &self.resource);
        let other = match resource.split_once('/') {
            Some((parent, _)) => parent.to_owned(),
            None => format!("{resource}/part"),
        };
        let further = format!("{resource}s");
        let mut near =
            vec![(verb.as_str(), group.as_str(), other.as_str()), (verb, group, &further), (verb, "near.io", resource)];
        near.extend(VERBS.iter().filter(|near| *near != verb).map(|near| (*near, group.as_str(), resource.as_str())));
        rules(&near, &[(verb, group, resource)])
    }
}

/// Rules that allow some things, and others on the object `other` only.
fn rules(all: &[(&str, &str, &str)], named: &[(&str, &str, &str)]) -> Value {
    let rule = |(verb, group, resource): &(&str, &str, &str), names: Value| {
        let mut rule = value!({"verbs": [(*verb)], "apiGroups": [(*group)], "resources": [(*resource)]});
        if !names.is_null() {
            rule.set("resourceNames", names);
        }
        rule
    };
    let all = all.iter().map(|right| rule(right, Value::Null));
    all.chain(named.iter().map(|right| rule(right, value!(["other"])))).collect::<Vec<Value>>().into()
}

/// Everything that discovery says is served.
async fn cases(server: &TestServer) -> Vec<Case> {
    let (_, groups) = ask(server, Itself, "GET", "/apis", &Value::Null).await;
    let versions = groups["groups"].items().iter().flat_map(|group| group["versions"].items());
    let mut paths: Vec<String> = versions.map(|version| format!("/apis/{}", version["groupVersion"].str())).collect();
    paths.push("/api/v1".into());
    let mut out = vec![];
    for path in paths {
        let (_, list) = ask(server, Itself, "GET", &path, &Value::Null).await;
        let (group, version) = list["groupVersion"].str().split_once('/').unwrap_or(("", "v1"));
        for resource in list["resources"].items() {
            for verb in resource["verbs"].items() {
                out.push(Case {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    resource: resource["name"].str().to_owned(),
                    namespaced: resource["namespaced"].bool(),
                    verb: verb.str().to_owned(),
                });
            }
        }
    }
    out
}

/// Gives a user the rights of the cluster role of the user's name, which may change.
async fn bind(server: &TestServer, user: &str) {
    create(server, ROLES, &value!({"metadata": {"name": user}, "rules": []})).await;
    let binding = value!({
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
    });
    create(server, &format!("{RBAC}/clusterrolebindings"), &binding).await;
}

async fn grant(server: &TestServer, user: &str, rules: Value) {
    let role = value!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules
    });
    let (code, answer) = ask(server, Itself, "PUT", &format!("{ROLES}/{user}"), &role).await;
    assert_eq!(code, 200, "{answer:?}");
}

#[tokio::test]
async fn nothing_is_allowed_without_its_right() {
    let tokens = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(tokens.path(), "t-none,none,1\nt-exact,exact,2\nt-near,near,3\n").expect("a file");
    let flag = format!("--token-auth-file={}", tokens.path().display());
    let server = TestServer::start_with(&[&flag]).await.expect("a server");
    let closed = TestServer::start_with(&[&flag, "--anonymous-auth=false"]).await.expect("a server");
    bind(&server, "exact").await;
    bind(&server, "near").await;
    let cases = cases(&server).await;
    assert!(cases.len() > 500, "{} cases", cases.len());
    let mut wrong = vec![];
    for case in &cases {
        grant(&server, "exact", case.exact()).await;
        grant(&server, "near", case.neighbours()).await;
        let open = case.is_for_everybody();
        let got = [
            ("nobody, where nobody may come", case.ask(&closed, Nobody).await.0 == 401),
            ("a wrong token", case.ask(&server, Token("wrong")).await.0 == 401),
            ("nobody", case.ask(&server, Nobody).await == (403, true)),
            ("none", case.ask(&server, Token("t-none")).await.1 != open),
            ("near", case.ask(&server, Token("t-near")).await.1 != open),
            ("exact", matches!(case.ask(&server, Token("t-exact")).await, (code, false) if code != 401)),
        ];
        let failed = got.iter().filter(|(_, holds)| !holds);
        wrong.extend(failed.map(|(who, _)| format!("{who}: {} {}.{}", case.verb, case.resource, case.group)));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
