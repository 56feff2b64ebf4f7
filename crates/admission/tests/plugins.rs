//! The plugins that are off by default, and those that ask what the sender may do: one by one over a small cluster.

use admission::{Attributes, Chain, Configuration, Notes, Operation, Question, Served};
use meta::time::Timestamp;
use meta::{Gvk, Result, Value, value};
use resource::{Context, Reader, SideWrite, User};
use std::cell::RefCell;

/// What is stored, and the verbs and names that everybody may use.
#[derive(Default)]
struct Cluster {
    objects: Vec<(&'static str, Value)>,
    rights: Vec<(&'static str, &'static str)>,
}

impl Reader for Cluster {
    fn get(&self, _group: &str, resource: &str, _namespace: &str, name: &str) -> Option<Value> {
        let is_it = |object: &Value| object["metadata"]["name"].str() == name;
        self.objects.iter().find(|(r, object)| *r == resource && is_it(object)).map(|(_, object)| object.clone())
    }

    fn list(&self, _group: &str, resource: &str, _namespace: &str) -> Vec<Value> {
        self.objects.iter().filter(|(r, _)| *r == resource).map(|(_, object)| object.clone()).collect()
    }
}

impl admission::Cluster for Cluster {
    fn allows(&self, _user: &User, question: &Question) -> bool {
        self.rights.contains(&(question.verb, question.name))
    }

    fn resources_of(&self, _group: &str, _version: &str, kind: &str) -> Vec<Served> {
        let known = kind == "ReplicaSet";
        known.then(|| Served { plural: "replicasets".into(), namespaced: true }).into_iter().collect()
    }
}

/// A request through one plugin.
struct Request<'a> {
    plugin: &'a str,
    configuration: Value,
    operation: Operation,
    /// group/resource/subresource
    resource: &'a str,
    user: User,
    old: Option<Value>,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Request {
            plugin: "AlwaysAdmit",
            configuration: Value::Null,
            operation: Operation::Create,
            resource: "/pods/",
            user: User { name: "u".into(), ..User::default() },
            old: None,
        }
    }
}

impl Request<'_> {
    fn send(&self, cluster: &Cluster, object: &mut Value) -> Result<Vec<SideWrite>> {
        let file = value!({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
            "plugins": [{"name": (self.plugin), "configuration": (&self.configuration)}]
        });
        let configuration = Configuration::new(&file, |path| Err(path.to_string())).unwrap();
        let all = Chain::new(&[], &[]).unwrap();
        let others: Vec<&str> = all.names().into_iter().filter(|name| *name != self.plugin).collect();
        let chain = Chain::configured(&[self.plugin], &others, &configuration).unwrap();
        assert_eq!(chain.names(), [self.plugin]);
        let mut parts = self.resource.split('/');
        let mut next = || parts.next().unwrap_or_default();
        let (group, resource, subresource) = (next(), next(), next());
        let now = Timestamp { seconds: 7, nanos: 0 };
        let ctx = Context { user: &self.user, now, dry_run: false, namespace: "ns", subresource, reader: cluster };
        let attributes = Attributes {
            operation: self.operation,
            group,
            version: "v1",
            resource,
            kind: &Gvk::new(group, "v1", ""),
            name: "x",
            old: self.old.as_ref(),
            options: &Value::Null,
            ctx: &ctx,
            cluster,
            notes: &RefCell::new(Notes::default()),
        };
        chain.admit(&attributes, object)?;
        chain.validate(&attributes, object)?;
        chain.plan_side_writes(&attributes, object)
    }

    fn refusal(&self, cluster: &Cluster, mut object: Value) -> String {
        self.send(cluster, &mut object).expect_err("refused").message
    }
}

fn namespace(annotations: Value) -> Cluster {
    let namespace = value!({"metadata": {"name": "ns", "annotations": annotations}});
    Cluster { objects: vec![("namespaces", namespace)], ..Cluster::default() }
}

fn pod(spec: Value) -> Value {
    value!({"metadata": {"name": "x", "namespace": "ns"}, "spec": spec})
}

#[test]
fn the_default_set_is_upstreams() {
    let names = Chain::new(&[], &[]).unwrap().names();
    let wanted = [
        "NamespaceLifecycle",
        "LimitRanger",
        "ServiceAccount",
        "TaintNodesByCondition",
        "PodSecurity",
        "Priority",
        "DefaultTolerationSeconds",
        "DefaultStorageClass",
        "StorageObjectInUseProtection",
        "PodGroupProtection",
        "PersistentVolumeClaimResize",
        "RuntimeClass",
        "CertificateApproval",
        "CertificateSigning",
        "ClusterTrustBundleAttest",
        "CertificateSubjectRestriction",
        "DefaultIngressClass",
        "PodTopologyLabels",
        "PodGroupWorkloadExists",
        "NodeDeclaredFeatureValidator",
        "JobValidation",
        "PodResizeValidator",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionWebhook",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionWebhook",
        "ResourceQuota",
    ];
    assert_eq!(names, wanted);
    assert!(Chain::new(&["Nope"], &[]).is_err());
    assert!(Chain::new(&["EventRateLimit"], &[]).is_err(), "it wants a configuration");
}

fn a_node() -> User {
    User { name: "system:node:n".into(), groups: vec!["system:nodes".into()], ..User::default() }
}

/// A node, a pod on it and one elsewhere, with what the first one uses.
fn around_a_node() -> Cluster {
    let stored = value!({"metadata": {"name": "n", "uid": "u1"}});
    let bound = value!({"metadata": {"name": "p", "uid": "u2"}, "spec": {
        "nodeName": "n", "serviceAccountName": "s", "volumes": [
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"audience": "mine", "path": "t"}}]}},
            {"name": "d", "csi": {"driver": "driver"}}
        ]
    }});
    let driver = value!({"metadata": {"name": "driver"}, "spec": {"tokenRequests": [{"audience": "its"}]}});
    let account = value!({"metadata": {"name": "s", "uid": "u4"}});
    let foreign = value!({"metadata": {"name": "f", "uid": "u3"}, "spec": {"nodeName": "m"}});
    let objects = vec![
        ("nodes", stored),
        ("pods", bound),
        ("pods", foreign),
        ("csidrivers", driver),
        ("serviceaccounts", account),
    ];
    Cluster { objects, ..Cluster::default() }
}

fn of_node(
    cluster: &Cluster,
    operation: Operation,
    resource: &str,
    old: Option<&Value>,
    object: Value,
) -> std::result::Result<(), String> {
    let (plugin, user, old) = ("NodeRestriction", a_node(), old.cloned());
    let request = Request { plugin, operation, resource, user, old, ..Request::default() };
    request.send(cluster, &mut object.clone()).map(drop).map_err(|status| status.message)
}

#[test]
fn nodes_keep_to_their_own() {
    let cluster = around_a_node();
    let [bound, foreign] = ["p", "f"].map(|name| cluster.get("", "pods", "", name).unwrap());
    let ask = |operation, resource, old: Option<&Value>, object| of_node(&cluster, operation, resource, old, object);
    let plain = ask(Operation::Create, "/pods/", None, pod(value!({"nodeName": "n"}))).unwrap_err();
    assert_eq!(
        plain,
        "pods \"x\" is forbidden: pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n\" can only create mirror pods"
    );
    let owner = value!({"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u1", "controller": true});
    let mirror = |spec: Value| {
        let annotations = value!({"kubernetes.io/config.mirror": "1"});
        value!({"metadata": {"name": "x", "annotations": annotations, "ownerReferences": [(&owner)]}, "spec": spec})
    };
    assert_eq!(ask(Operation::Create, "/pods/", None, mirror(value!({"nodeName": "n"}))), Ok(()));
    let volume = value!({"name": "v", "secret": {"secretName": "s"}});
    let curious = ask(Operation::Create, "/pods/", None, mirror(value!({"nodeName": "n", "volumes": [volume]})));
    assert!(curious.unwrap_err().ends_with("node \"n\" can not create pods that reference secrets"));
    assert_eq!(ask(Operation::Delete, "/pods/", Some(&bound), Value::Null), Ok(()));
    assert!(ask(Operation::Delete, "/pods/", Some(&foreign), Value::Null).is_err());
    assert!(ask(Operation::Update, "/pods/status", Some(&foreign), foreign.clone()).is_err());
    assert_eq!(ask(Operation::Update, "/pods/status", Some(&bound), bound.clone()), Ok(()));
    assert!(ask(Operation::Create, "/nodes/", None, value!({"metadata": {"name": "m"}})).is_err());
    let slice = value!({"metadata": {"name": "x"}, "spec": {"nodeName": "m"}});
    assert!(ask(Operation::Delete, "resource.k8s.io/resourceslices/", Some(&slice), Value::Null).is_err());
    let other = Request { plugin: "NodeRestriction", ..Request::default() };
    assert!(other.send(&cluster, &mut pod(value!({}))).is_ok(), "others are not restricted");
}

#[test]
fn nodes_get_tokens_and_certificates_for_their_pods() {
    let cluster = around_a_node();
    let ask = |operation, resource, old: Option<&Value>, object| of_node(&cluster, operation, resource, old, object);
    let token_for = |pod: &str, uid: &str, audience: &str| {
        let reference = value!({"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid});
        value!({"spec": {"boundObjectRef": reference, "audiences": [audience]}})
    };
    let token =
        |pod: &str, uid: &str| ask(Operation::Create, "/serviceaccounts/token", None, token_for(pod, uid, "mine"));
    assert_eq!(token("p", "u2"), Ok(()));
    assert!(token("p", "old").is_err() && token("f", "u3").is_err() && token("gone", "u").is_err());
    let audience = |of: &str| ask(Operation::Create, "/serviceaccounts/token", None, token_for("p", "u2", of));
    assert_eq!(audience("its"), Ok(()));
    assert!(audience("others").unwrap_err().ends_with(
        "audience \"others\" not found in pod spec volume, system:node:n is not authorized to request tokens for this audience"
    ));
    let rights = vec![("request-serviceaccounts-token-audience", "x")];
    let trusting = Cluster { rights, ..around_a_node() };
    let token_path = "/serviceaccounts/token";
    assert_eq!(of_node(&trusting, Operation::Create, token_path, None, token_for("p", "u2", "others")), Ok(()));
    let certificate = |field: &str, text: &str| {
        let mut spec = value!({
            "nodeName": "n", "nodeUID": "u1", "podName": "p", "podUID": "u2", "serviceAccountName": "s",
            "serviceAccountUID": "u4"
        });
        spec.set(field, text);
        let resource = "certificates.k8s.io/podcertificaterequests/";
        ask(Operation::Create, resource, None, value!({"metadata": {"name": "x"}, "spec": spec}))
    };
    assert_eq!(certificate("nodeName", "n"), Ok(()));
    for field in ["nodeName", "nodeUID", "podName", "podUID", "serviceAccountName", "serviceAccountUID"] {
        assert!(certificate(field, "other").is_err(), "{field}");
    }
    let signing = value!({"spec": {"signerName": "kubernetes.io/kubelet-serving", "request": "eA=="}});
    let resource = "certificates.k8s.io/certificatesigningrequests/";
    assert!(ask(Operation::Create, resource, None, signing).unwrap_err().contains("unable to parse csr: "));
}

#[test]
fn signers_are_spoken_for_by_those_who_may() {
    let request = value!({"metadata": {"name": "x"}, "spec": {"signerName": "example.com/s"}});
    let mut signed = request.clone();
    signed.set("status", value!({"certificate": "eA=="}));
    let ask = |plugin, resource, rights: &[(&'static str, &'static str)]| {
        let cluster = Cluster { rights: rights.to_vec(), ..Cluster::default() };
        let old = Some(request.clone());
        let operation = Operation::Update;
        Request { plugin, operation, resource, old, ..Request::default() }.send(&cluster, &mut signed.clone()).map(drop)
    };
    let approval = "certificates.k8s.io/certificatesigningrequests/approval";
    let status = "certificates.k8s.io/certificatesigningrequests/status";
    let refused = ask("CertificateApproval", approval, &[("sign", "example.com/s")]).unwrap_err();
    assert_eq!(
        refused.message,
        "certificatesigningrequests.certificates.k8s.io \"x\" is forbidden: user not permitted to approve requests with signerName \"example.com/s\""
    );
    assert!(ask("CertificateApproval", approval, &[("approve", "example.com/*")]).is_ok());
    assert!(ask("CertificateSigning", status, &[("approve", "example.com/s")]).is_err());
    assert!(ask("CertificateSigning", status, &[("sign", "example.com/s")]).is_ok());
    let bundles = "certificates.k8s.io/clustertrustbundles/";
    let new = Request { plugin: "ClusterTrustBundleAttest", resource: bundles, ..Request::default() };
    assert!(new.send(&Cluster::default(), &mut request.clone()).is_err());
}

#[test]
fn owners_are_named_by_those_who_may() {
    let owned = |blocks: bool| {
        let owner = value!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "blockOwnerDeletion": blocks});
        value!({"metadata": {"name": "x", "ownerReferences": [owner]}})
    };
    let plugin = "OwnerReferencesPermissionEnforcement";
    let create = Request { plugin, ..Request::default() };
    let nobody = Cluster::default();
    assert!(create.send(&nobody, &mut owned(false)).is_ok());
    assert!(create.refusal(&nobody, owned(true)).contains(
        "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on"
    ));
    let update = Request { plugin, operation: Operation::Update, old: Some(value!({})), ..Request::default() };
    assert!(update.refusal(&nobody, owned(false)).contains("cannot set an ownerRef on a resource you can't delete"));
    let somebody = Cluster { rights: vec![("delete", "x"), ("update", "r")], ..Cluster::default() };
    assert!(update.send(&somebody, &mut owned(true)).is_ok());
}

#[test]
fn namespaces_say_where_pods_run_and_what_they_tolerate() {
    let wanted = namespace(value!({"scheduler.alpha.kubernetes.io/node-selector": "zone=a"}));
    let selector = Request { plugin: "PodNodeSelector", ..Request::default() };
    let mut plain = pod(value!({}));
    selector.send(&wanted, &mut plain).unwrap();
    assert_eq!(plain["spec"]["nodeSelector"], value!({"zone": "a"}));
    let conflict = selector.refusal(&wanted, pod(value!({"nodeSelector": {"zone": "b"}})));
    assert_eq!(
        conflict,
        "pods \"x\" is forbidden: pod node label selector conflicts with its namespace node label selector"
    );
    let configuration =
        value!({"podNodeSelectorPluginConfig": {"clusterDefaultNodeSelector": "env=t", "ns": "env=t,zone=a"}});
    let listed = Request { plugin: "PodNodeSelector", configuration, ..Request::default() };
    let unlisted = listed.refusal(&namespace(Value::Null), pod(value!({"nodeSelector": {"disk": "ssd"}})));
    assert!(unlisted.ends_with("pod node label selector labels conflict with its namespace whitelist"));

    let allowed = value!({"key": "a", "operator": "Exists"});
    let configuration = value!({"default": [{"key": "a", "operator": "Exists"}], "whitelist": [(&allowed)]});
    let tolerations = Request { plugin: "PodTolerationRestriction", configuration, ..Request::default() };
    let mut plain = pod(value!({}));
    tolerations.send(&namespace(Value::Null), &mut plain).unwrap();
    assert_eq!(plain["spec"]["tolerations"], value!([allowed]));
    let refused = tolerations
        .refusal(&namespace(Value::Null), pod(value!({"tolerations": [{"key": "b", "operator": "Exists"}]})));
    assert!(refused.ends_with("conflict with its namespace whitelist"));
}

#[test]
fn the_small_ones() {
    let nothing = Cluster::default();
    let of = |plugin: &'static str| Request { plugin, ..Request::default() };
    assert!(
        of("AlwaysDeny").refusal(&nothing, pod(value!({}))).ends_with("admission control is denying all modifications")
    );
    assert_eq!(of("NamespaceExists").refusal(&nothing, pod(value!({}))), "namespaces \"ns\" not found");
    let made = of("NamespaceAutoProvision").send(&nothing, &mut pod(value!({}))).unwrap();
    assert!(
        matches!(made.as_slice(), [SideWrite::Create { resource, name, .. }] if resource == "namespaces" && name == "ns")
    );
    let mut pulled = pod(value!({"containers": [{"name": "c", "image": "i", "imagePullPolicy": "Never"}]}));
    of("AlwaysPullImages").send(&nothing, &mut pulled).unwrap();
    assert_eq!(pulled["spec"]["containers"][0]["imagePullPolicy"].str(), "Always");
    let services = Request { plugin: "DenyServiceExternalIPs", resource: "/services/", ..Request::default() };
    let service = value!({"spec": {"externalIPs": ["1.2.3.4"]}});
    assert!(
        services.refusal(&nothing, service.clone()).ends_with("Use of external IPs is denied by admission control")
    );
    let kept = Request { operation: Operation::Update, old: Some(service.clone()), ..services };
    assert!(kept.send(&nothing, &mut service.clone()).is_ok());
    let term = value!({"topologyKey": "zone"});
    let affinity = value!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    let zone = of("LimitPodHardAntiAffinityTopology").refusal(&nothing, pod(value!({"affinity": affinity})));
    assert!(zone.ends_with("has TopologyKey zone but only key kubernetes.io/hostname is allowed"));
    let mut gpu = pod(value!({"containers": [{"resources": {"requests": {"example.com/gpu": "1", "cpu": "1"}}}]}));
    of("ExtendedResourceToleration").send(&nothing, &mut gpu).unwrap();
    assert_eq!(
        gpu["spec"]["tolerations"],
        value!([{"key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule"}])
    );
    let configuration = value!({"limits": [{"type": "Namespace", "qps": 1, "burst": 1}]});
    let events = Request { plugin: "EventRateLimit", configuration, resource: "/events/", ..Request::default() };
    assert!(events.send(&nothing, &mut value!({})).is_ok());
}

#[test]
fn pods_carry_their_nodes_topology() {
    let labels = value!({"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "other": "o"});
    let node = value!({"metadata": {"name": "n", "labels": labels}});
    let cluster = Cluster { objects: vec![("nodes", node)], ..Cluster::default() };
    let wanted = value!({"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r"});
    let mut bound = pod(value!({"nodeName": "n"}));
    let request = Request { plugin: "PodTopologyLabels", ..Request::default() };
    request.send(&cluster, &mut bound).unwrap();
    assert_eq!(bound["metadata"]["labels"], wanted);
    let mut binding = value!({"metadata": {"name": "x"}, "target": {"kind": "Node", "name": "n"}});
    Request { resource: "/pods/binding", ..request }.send(&cluster, &mut binding).unwrap();
    assert_eq!(binding["metadata"]["labels"], wanted);
    let mut free = pod(value!({}));
    Request { plugin: "PodTopologyLabels", ..Request::default() }.send(&cluster, &mut free).unwrap();
    assert!(free["metadata"]["labels"].is_null());
}

#[test]
fn pods_are_resized_within_what_their_nodes_can() {
    let sized = |generation: i64, cpu: &str, whole: &str| {
        let mut pod = pod(value!({
            "nodeName": "n", "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}],
            "resources": {"limits": {"cpu": whole}}
        }));
        pod.entry("metadata").set("generation", generation);
        pod
    };
    let cluster = |declared: &str, os: &str| {
        let node = value!({
            "metadata": {"name": "n", "labels": {"kubernetes.io/os": os}},
            "status": {"allocatable": {"cpu": "2", "memory": "1Gi"}, "declaredFeatures": [declared]}
        });
        Cluster { objects: vec![("nodes", node)], ..Cluster::default() }
    };
    let resize = |plugin: &str, cluster: &Cluster, mut new: Value| {
        let old = Some(sized(1, "1", "1"));
        let request =
            Request { plugin, operation: Operation::Update, resource: "/pods/resize", old, ..Request::default() };
        request.send(cluster, &mut new).map(|_| ())
    };
    let linux = cluster("", "linux");
    assert!(resize("PodResizeValidator", &linux, sized(2, "2", "2")).is_ok());
    let refused = resize("PodResizeValidator", &linux, sized(2, "3", "3")).unwrap_err();
    assert!(refused.message.ends_with("resources: cpu, requested: 3000, allocatable: 2000"), "{refused}");
    assert_eq!(refused.details.unwrap().causes[0].reason.as_str(), "NodeCapacity");
    let refused = resize("PodResizeValidator", &cluster("", "windows"), sized(2, "1", "1")).unwrap_err();
    assert!(refused.message.contains("only supported on linux nodes, node \"n\" is \"windows\""), "{refused}");
    let feature = "InPlacePodLevelResourcesVerticalScaling";
    let refused = resize("NodeDeclaredFeatureValidator", &linux, sized(2, "1", "2")).unwrap_err();
    assert!(refused.message.contains(&format!("requires features {feature} which are not available")), "{refused}");
    assert!(resize("NodeDeclaredFeatureValidator", &cluster(feature, "linux"), sized(2, "1", "2")).is_ok());
    assert!(resize("NodeDeclaredFeatureValidator", &linux, sized(2, "2", "1")).is_ok());
}
