//! What a decision costs: the roles that every cluster has, and a thousand bindings of users, groups and accounts.
//!
//! `cargo run --release -p auth --example decision`

use std::hint::black_box;
use std::time::Instant;

use auth::bootstrap::policy;
use auth::rbac::Rbac;
use auth::{Attributes, Decision};
use meta::{Str, value};

const BINDINGS: usize = 1000;
const ROUNDS: u32 = 200_000;

fn main() {
    let mut rbac = Rbac::default();
    for entry in policy() {
        rbac.set(entry.resource, &entry.namespace, &entry.name, Some(&entry.object));
    }
    let read = value!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]);
    rbac.set("clusterroles", "", "read", Some(&value!({"rules": read})));
    for n in 0..BINDINGS {
        let subject = match n % 3 {
            0 => value!({"kind": "User", "name": (format!("user-{n}"))}),
            1 => value!({"kind": "Group", "name": (format!("team-{}", n % 50))}),
            _ => value!({"kind": "ServiceAccount", "name": (format!("robot-{n}")), "namespace": "ns-1"}),
        };
        let role = ["system:node", "read", "system:kube-dns"][n % 3];
        let binding = value!({"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [subject]});
        let (resource, namespace) = if n % 4 == 0 {
            ("clusterrolebindings", String::new())
        } else {
            ("rolebindings", format!("ns-{}", n % 20))
        };
        rbac.set(resource, &namespace, &format!("b-{n}"), Some(&binding));
    }
    let groups = ["system:authenticated", "team-1", "team-7", "team-13"].map(Str::from);
    let accounts =
        ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"].map(Str::from);
    let pods = |user, groups, verb| Attributes {
        user,
        groups,
        verb,
        resource: "pods",
        namespace: "ns-1",
        ..Attributes::default()
    };
    let scheduler = "system:kube-scheduler";
    let controller = "system:serviceaccount:kube-system:replicaset-controller";
    let health = Attributes { user: "user-3", groups: &groups, verb: "get", path: "/readyz", ..Attributes::default() };
    let cases = [
        ("a user of four groups, refused", pods("nobody", &groups, "escalate")),
        ("a user of four groups, allowed", pods("user-3", &groups, "list")),
        ("a controller, allowed", pods(controller, &accounts, "list")),
        ("the scheduler, allowed", pods(scheduler, &groups[..1], "watch")),
        ("a path, allowed", health),
    ];
    for (what, request) in cases {
        let began = Instant::now();
        for _ in 0..ROUNDS {
            black_box(rbac.authorize(black_box(&request)));
        }
        let cost = began.elapsed() / ROUNDS;
        let allowed = matches!(rbac.authorize(&request), Decision::Allow(_));
        println!("{what:34} {:>6} ns  {}", cost.as_nanos(), if allowed { "allow" } else { "no opinion" });
    }
}
