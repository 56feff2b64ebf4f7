//! The recorded object cases against the resources' rules, without a server: decode, defaults, admission, preparation,
//! validation, and what comes out compared with what upstream answered.
//!
//! `KIND=Pod cargo test -p resources --test wire_objects -- --nocapture` scores one kind and prints what differs;
//! `SHOW=n` prints so many cases of each (10). Patches need the server's patch code and are replayed there.

use admission::{Attributes, Chain, Notes, Operation};
use meta::time::Timestamp;
use meta::{Result, Status, Value, json, value};
use resource::rules::{self, Rules};
use resource::{Context, Descriptor, Reader, User};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/wire/corpus/objects.jsonl.gz");

/// Shares of exact answers, in percent, below which no kind may fall again. Kinds that are missing have no floor yet.
const FLOORS: &[(&str, usize)] = &[
    ("APIService", 100),
    ("CSIDriver", 100),
    ("CSINode", 88),
    ("CSIStorageCapacity", 100),
    ("CertificateSigningRequest", 31),
    ("ClusterRole", 73),
    ("ClusterRoleBinding", 100),
    ("ConfigMap", 93),
    ("ControllerRevision", 100),
    ("CronJob", 100),
    ("CustomResourceDefinition", 97),
    ("DaemonSet", 96),
    ("Deployment", 99),
    ("DeviceClass", 97),
    ("EndpointSlice", 88),
    ("Event", 100),
    ("HorizontalPodAutoscaler", 100),
    ("IPAddress", 100),
    ("Ingress", 99),
    ("IngressClass", 100),
    ("Job", 98),
    ("Lease", 100),
    ("LimitRange", 91),
    ("MutatingAdmissionPolicy", 94),
    ("MutatingAdmissionPolicyBinding", 100),
    ("MutatingWebhookConfiguration", 97),
    ("Namespace", 85),
    ("NetworkPolicy", 100),
    ("Node", 100),
    ("PersistentVolume", 94),
    ("PersistentVolumeClaim", 95),
    ("Pod", 98),
    ("PodDisruptionBudget", 100),
    ("PodTemplate", 100),
    ("PriorityClass", 100),
    ("PriorityLevelConfiguration", 100),
    ("ReplicaSet", 98),
    ("ReplicationController", 99),
    ("ResourceClaim", 97),
    ("ResourceClaimTemplate", 100),
    ("ResourceQuota", 100),
    ("ResourceSlice", 99),
    ("Role", 100),
    ("RoleBinding", 100),
    ("RuntimeClass", 100),
    ("Secret", 99),
    ("Service", 57),
    ("ServiceAccount", 100),
    ("ServiceCIDR", 100),
    ("StatefulSet", 98),
    ("StorageClass", 97),
    ("ValidatingAdmissionPolicy", 89),
    ("ValidatingAdmissionPolicyBinding", 100),
    ("ValidatingWebhookConfiguration", 97),
    ("VolumeAttachment", 100),
    ("VolumeAttributesClass", 100),
];

/// The time of all requests.
const NOW: &str = "2027-01-15T08:00:00Z";

/// Codes that this test can judge; others come from the request path.
const JUDGED: &[i64] = &[200, 201, 403, 422];

/// What the request path says of an update without a version.
const NOT_CONDITIONAL: &str = "must be specified for an update";

struct Cluster;

impl Reader for Cluster {
    fn get(&self, _group: &str, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let is_there = match resource {
            "namespaces" => ["wire", "default", "kube-system"].contains(&name),
            "serviceaccounts" => name == "default",
            "priorityclasses" => return priority_class(name),
            _ => false,
        };
        is_there.then(|| value!({"metadata": {"name": name, "namespace": namespace}, "status": {"phase": "Active"}}))
    }

    fn list(&self, _group: &str, _resource: &str, _namespace: &str) -> Vec<Value> {
        Vec::new()
    }
}

fn priority_class(name: &str) -> Option<Value> {
    let priority = match name {
        "system-node-critical" => 2_000_001_000,
        "system-cluster-critical" => 2_000_000_000,
        _ => return None,
    };
    Some(value!({"metadata": {"name": name}, "value": priority, "preemptionPolicy": "PreemptLowerPriority"}))
}

struct Run<'a> {
    descriptor: &'a Descriptor,
    chain: &'a Chain,
    ctx: Context<'a>,
    notes: RefCell<Notes>,
    warnings: Vec<String>,
}

/// Everything is allowed.
impl admission::Cluster for Cluster {
    fn allows(&self, _user: &User, _question: &admission::Question) -> bool {
        true
    }

    fn resources_of(&self, _group: &str, _version: &str, _kind: &str) -> Vec<admission::Served> {
        Vec::new()
    }
}

impl<'a> Run<'a> {
    fn new(descriptor: &'a Descriptor, chain: &'a Chain, user: &'a User) -> Run<'a> {
        let namespace = if descriptor.namespaced { "wire" } else { "" };
        let now = Timestamp { seconds: 1_800_000_000, nanos: 0 };
        let ctx = Context { user, now, dry_run: true, namespace, subresource: "", reader: &Cluster };
        Run { descriptor, chain, ctx, notes: RefCell::default(), warnings: Vec::new() }
    }

    fn rules(&self) -> Rules<'_> {
        let Descriptor { strategy, hooks, .. } = self.descriptor;
        Rules { descriptor: self.descriptor, strategy, hooks: hooks.as_ref(), ctx: &self.ctx }
    }

    /// The storage form of a body; `None` when it cannot be decoded.
    fn decode(&mut self, body: &Value) -> Option<Value> {
        let d = self.descriptor;
        let decoded = codec::decode_json(&d.schema, d.type_id, json::to_string(body).as_bytes()).ok()?;
        self.warnings.extend(decoded.strict);
        let mut object = decoded.value;
        object.set("apiVersion", d.api_version());
        object.set("kind", &d.kind);
        if let Some(convert) = &d.convert {
            object = convert.to_storage(object);
        }
        d.hooks.default(&mut object);
        Some(object)
    }

    fn admit(&self, operation: Operation, object: &mut Value, old: Option<&Value>) -> Result<()> {
        let d = self.descriptor;
        let name = object["metadata"]["name"].str().to_string();
        let attributes = Attributes {
            operation,
            group: &d.group,
            version: &d.version,
            resource: &d.plural,
            kind: &d.gvk(),
            name: &name,
            old,
            options: &Value::Null,
            ctx: &self.ctx,
            cluster: &Cluster,
            notes: &self.notes,
        };
        self.chain.admit(&attributes, object)?;
        d.hooks.default(object);
        Ok(())
    }

    fn create(&mut self, mut object: Value) -> Result<Value> {
        rules::wipe_system_fields(&mut object);
        rules::ensure_namespace(self.descriptor, self.ctx.namespace, &mut object)?;
        self.admit(Operation::Create, &mut object, None)?;
        rules::fill_system_fields(&mut object, self.ctx.now, "uid");
        rules::prepare_create(&self.rules(), &mut object);
        rules::validate_create(&self.rules(), &object)?;
        self.descriptor.hooks.warn(&self.ctx, &object, None, &mut self.warnings);
        self.descriptor.hooks.plan_side_writes(&self.ctx, Some(&mut object), None)?;
        Ok(object)
    }

    fn update(&mut self, mut object: Value, old: &Value) -> Result<Value> {
        rules::ensure_namespace(self.descriptor, self.ctx.namespace, &mut object)?;
        object.entry("metadata").set("resourceVersion", "1");
        self.admit(Operation::Update, &mut object, Some(old))?;
        rules::prepare_update(&self.rules(), &mut object, old);
        rules::validate_update(&self.rules(), &object, old)?;
        self.descriptor.hooks.warn(&self.ctx, &object, Some(old), &mut self.warnings);
        self.descriptor.hooks.plan_side_writes(&self.ctx, Some(&mut object), Some(old))?;
        Ok(object)
    }

    /// The served form, as a client would read it.
    fn served(&self, mut object: Value) -> Value {
        let d = self.descriptor;
        if let Some(convert) = &d.convert {
            object = convert.from_storage(object);
        }
        // what hooks leave empty is not written
        let text = {
            let _ = codec::canonicalise(&d.schema, d.type_id, &mut object);
            let mut out = Vec::new();
            codec::encode_json(&d.schema, d.type_id, &object, &mut out);
            out
        };
        json::parse(&text).map(|p| p.value).unwrap_or_default()
    }
}

/// What no two servers share goes; causes are sorted.
fn normal(mut value: Value) -> Value {
    if value["kind"].str() == "Status" {
        if let Some(causes) = value.path_mut("details.causes") {
            causes.array_mut().sort_by_cached_key(json::to_string);
        }
        return whole_objects(value);
    }
    let metadata = value.entry("metadata");
    for field in ["managedFields", "uid", "creationTimestamp", "resourceVersion"] {
        metadata.remove(field);
    }
    random(value)
}

/// Messages that quote a whole object are compared without it.
fn whole_objects(value: Value) -> Value {
    match value {
        Value::String(s) => match (s.find("Invalid value: \"{"), s.rfind("}\": ")) {
            (Some(a), Some(b)) if a < b => Value::from(format!("{}<object>{}", &s[..a + 15], &s[b + 2..])),
            _ => Value::String(s),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(whole_objects).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, whole_objects(v))).collect()),
        other => other,
    }
}

/// What is new in every object: the time, its uid, the random end of a token volume's name.
fn random(value: Value) -> Value {
    match value {
        Value::String(s) if s.starts_with("kube-api-access-") => Value::from("kube-api-access-"),
        Value::String(s) if s == NOW => Value::from("<now>"),
        Value::String(s) if s == "uid" => Value::from("<uid>"),
        Value::Array(items) => Value::Array(items.into_iter().map(random).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, random(v))).collect()),
        other => other,
    }
}

/// Reason, and every cause's field and reason.
fn outline(status: &Value) -> Value {
    let causes = status["details"]["causes"].items().iter().map(|c| value!([(&c["field"]), (&c["reason"])])).collect();
    value!([(&status["reason"]), (&status["details"]["kind"]), (Value::Array(causes))])
}

#[derive(Default)]
struct Score {
    cases: usize,
    code: usize,
    reason: usize,
    exact: usize,
    shown: usize,
}

fn judge(case: &Value, run: &mut Run) -> Option<(i64, Value)> {
    let result = if case["op"].str() == "create" {
        let object = run.decode(&case["body"])?;
        (201, run.create(object))
    } else {
        let stored = run.decode(&case["stored"])?;
        let stored = run.create(stored).ok()?;
        let mut stored = stored;
        stored.entry("metadata").set("resourceVersion", "1");
        run.warnings.clear();
        run.notes.borrow_mut().warnings.clear();
        let object = run.decode(&case["body"])?;
        (200, run.update(object, &stored))
    };
    Some(match result {
        (code, Ok(object)) => (code, run.served(object)),
        (_, Err(status)) => (i64::from(status.code), Status::to_value(&status)),
    })
}

/// "299 - \"text\"" → text
fn warning_texts(case: &Value) -> Vec<String> {
    let unquote = |w: &str| {
        let text = w.strip_prefix("299 - ").unwrap_or(w);
        json::parse(text.as_bytes()).map_or(text.to_string(), |p| p.value.str().to_string())
    };
    let mut texts: Vec<String> = case["want"]["warnings"].items().iter().map(|w| unquote(w.str())).collect();
    texts.sort();
    texts
}

fn score_case(case: &Value, run: &mut Run, score: &mut Score, show: usize) {
    let want = &case["want"];
    let code = want["code"].int();
    if !JUDGED.contains(&code) || want["body"]["message"].str().ends_with(NOT_CONDITIONAL) {
        return;
    }
    let Some((got_code, got)) = judge(case, run) else { return };
    score.cases += 1;
    let (got, body) = (normal(got), normal(want["body"].clone()));
    let same_code = got_code == code;
    let same_reason = same_code && if code >= 400 { outline(&got) == outline(&body) } else { got == body };
    let mut warnings: Vec<String> = run.warnings.iter().chain(&run.notes.borrow().warnings).cloned().collect();
    warnings.sort();
    warnings.dedup();
    let same_warnings = warnings == warning_texts(case);
    let exact = same_reason && got == body && same_warnings;
    score.code += usize::from(same_code);
    score.reason += usize::from(same_reason);
    score.exact += usize::from(exact);
    if !exact && score.shown < show {
        score.shown += 1;
        println!(
            "--- {}\n want {code} {}\n  got {got_code} {}",
            case["id"].str(),
            differ(&body, &got),
            differ(&got, &body)
        );
        if !same_warnings {
            println!("  want warnings {:?}\n   got warnings {warnings:?}", warning_texts(case));
        }
    }
}

/// The parts of `a` that `b` does not have.
fn differ(a: &Value, b: &Value) -> String {
    match (a, b) {
        _ if a == b => String::new(),
        (Value::Object(x), Value::Object(y)) => {
            let parts = x.iter().filter(|(k, v)| y.get(k) != Some(v));
            let texts: Vec<String> =
                parts.map(|(k, v)| format!("{k}: {}", differ(v, y.get(k).unwrap_or(&Value::Null)))).collect();
            format!("{{{}}}", texts.join(", "))
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            let texts: Vec<String> = x.iter().zip(y).map(|(a, b)| differ(a, b)).filter(|t| !t.is_empty()).collect();
            format!("[{}]", texts.join(", "))
        }
        // of long texts only where they part
        (Value::String(x), Value::String(y)) if x.len() > 300 => {
            let same = x.bytes().zip(y.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(60);
            format!("…{:?}", x.chars().skip(same).take(160).collect::<String>())
        }
        _ => json::to_string(a),
    }
}

fn cases() -> Option<Vec<Value>> {
    let mut text = String::new();
    let file = std::fs::File::open(CORPUS).ok()?;
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the corpus is gzip of UTF-8");
    let parse = |line: &str| json::parse(line.as_bytes()).expect("a line of the corpus is JSON").value;
    let only = std::env::var("KIND").unwrap_or_default();
    let wanted = |line: &&str| only.is_empty() || line.contains(&format!("\"kind\":\"{only}\",\"op\""));
    Some(text.lines().filter(wanted).map(parse).collect())
}

#[test]
fn recorded_creates_and_updates_have_the_recorded_answers() {
    let Some(cases) = cases() else {
        println!("skipped: no corpus at {CORPUS}");
        return;
    };
    let show = if std::env::var("KIND").is_ok() {
        std::env::var("SHOW").ok().and_then(|n| n.parse().ok()).unwrap_or(10)
    } else {
        0
    };
    let descriptors = resources::all(&schema::builtin());
    let chain = Chain::new(&[], &["NamespaceLifecycle"]).expect("the plugins are known");
    let user = User { name: "admin".into(), groups: vec!["system:masters".into()], ..User::default() };
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for case in cases.iter().filter(|c| matches!(c["op"].str(), "create" | "update")) {
        let path: Vec<&str> = case["path"].str().trim_start_matches('/').split('/').collect();
        let (group, version) = if path.first() == Some(&"api") { ("", path[1]) } else { (path[1], path[2]) };
        let plural = path.last().copied().unwrap_or("");
        let is_it = |d: &&Descriptor| d.group == group && d.version == version && d.plural == plural;
        let Some(descriptor) = descriptors.iter().find(is_it) else { continue };
        let score = scores.entry(case["kind"].str().to_string()).or_default();
        score_case(case, &mut Run::new(descriptor, &chain, &user), score, show);
    }
    let mut fallen = Vec::new();
    for (kind, score) in &scores {
        let share = |n: usize| (n * 100).checked_div(score.cases).unwrap_or(100);
        println!(
            "{kind:34} {:5} cases  code {:3}%  reason {:3}%  exact {:3}%",
            score.cases,
            share(score.code),
            share(score.reason),
            share(score.exact)
        );
        let floor = FLOORS.iter().find(|(k, _)| k == kind).map_or(0, |(_, floor)| *floor);
        if share(score.exact) < floor {
            fallen.push(format!("{kind}: {}% exact, at least {floor}% before", share(score.exact)));
        }
    }
    assert!(fallen.is_empty(), "{fallen:#?}");
}
