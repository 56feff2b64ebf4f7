//! PodSecurity: the Pod Security Standards, as a namespace's labels ask for them. Pods are refused, workloads that
//! make pods are only warned about.

mod baseline;
mod checks;
mod findings;
mod policy;
mod restricted;

pub use checks::{details, evaluate};
pub use policy::{Level, LevelVersion, Policy, Version};

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Status, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The plugin with its defaults and exemptions (`PodSecurityConfiguration`).
pub struct PodSecurity {
    pub default: Policy,
    pub exempt_users: Vec<String>,
    pub exempt_namespaces: Vec<String>,
    pub exempt_runtime_classes: Vec<String>,
}

impl Default for PodSecurity {
    fn default() -> PodSecurity {
        PodSecurity {
            default: Policy::PRIVILEGED,
            exempt_users: Vec::new(),
            exempt_namespaces: Vec::new(),
            exempt_runtime_classes: Vec::new(),
        }
    }
}

impl PodSecurity {
    /// From a PodSecurityConfiguration; null for the defaults.
    ///
    /// # Errors
    /// Of a level or version that does not exist.
    pub fn new(configuration: &Value) -> std::result::Result<PodSecurity, String> {
        let names = |field: &str| {
            let list = configuration["exemptions"][field].items().iter();
            list.map(|name| name.str().to_string()).collect::<Vec<String>>()
        };
        Ok(PodSecurity {
            default: Policy::of_defaults(&configuration["defaults"])?,
            exempt_users: names("usernames"),
            exempt_namespaces: names("namespaces"),
            exempt_runtime_classes: names("runtimeClasses"),
        })
    }
}

/// A tightened namespace is told about this many of its pods at most.
const PODS_CHECKED_MAX: usize = 3000;

/// Subresources of pods that do not change what runs.
const HARMLESS_SUBRESOURCES: &[&str] =
    &["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];

/// Workloads and where their pod template is.
const WORKLOADS: &[(&str, &str, &str)] = &[
    ("", "podtemplates", "template"),
    ("", "replicationcontrollers", "spec.template"),
    ("apps", "replicasets", "spec.template"),
    ("apps", "deployments", "spec.template"),
    ("apps", "statefulsets", "spec.template"),
    ("apps", "daemonsets", "spec.template"),
    ("batch", "jobs", "spec.template"),
    ("batch", "cronjobs", "spec.jobTemplate.spec.template"),
];

impl Plugin for PodSecurity {
    fn name(&self) -> &'static str {
        "PodSecurity"
    }

    fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        if !matches!(attributes.operation, Operation::Create | Operation::Update) {
            return Ok(());
        }
        if attributes.is("", "namespaces") {
            return self.validate_namespace(attributes, object);
        }
        if attributes.group.is_empty() && attributes.resource == "pods" {
            return self.validate_pod(attributes, object);
        }
        let mut workloads = WORKLOADS.iter();
        if let Some((_, _, path)) = workloads.find(|(group, resource, _)| attributes.is(group, resource)) {
            let template = object.path(path);
            if !template.is_null() {
                return self.hold_against(attributes, &template["metadata"], &template["spec"], false);
            }
        }
        Ok(())
    }
}

impl PodSecurity {
    fn validate_pod(&self, attributes: &Attributes, pod: &Value) -> Result<()> {
        if HARMLESS_SUBRESOURCES.contains(&attributes.subresource()) {
            return Ok(());
        }
        if let (Operation::Update, Some(old)) = (attributes.operation, attributes.old)
            && !changes_what_runs(&pod["spec"], &old["spec"])
        {
            return Ok(());
        }
        self.hold_against(attributes, &pod["metadata"], &pod["spec"], true)
    }

    fn is_exempt(&self, attributes: &Attributes, spec: &Value) -> Option<&'static str> {
        let listed = |list: &[String], name: &str| list.iter().any(|item| item == name);
        if listed(&self.exempt_namespaces, attributes.namespace()) {
            Some("namespace")
        } else if listed(&self.exempt_users, &attributes.ctx.user.name) {
            Some("user")
        } else if listed(&self.exempt_runtime_classes, spec["runtimeClassName"].str()) {
            Some("runtimeClass")
        } else {
            None
        }
    }

    fn hold_against(&self, attributes: &Attributes, metadata: &Value, spec: &Value, enforce: bool) -> Result<()> {
        if let Some(exemption) = self.is_exempt(attributes, spec) {
            attributes.annotate("pod-security.kubernetes.io/exempt", exemption);
            return Ok(());
        }
        let namespace = attributes.ctx.reader.get("", "namespaces", "", attributes.namespace()).unwrap_or_default();
        let (policy, errs) = Policy::of_labels(&namespace["metadata"]["labels"], self.default);
        if !errs.is_empty() {
            attributes
                .annotate("pod-security.kubernetes.io/error", format!("Failed to parse policy: {}", errs.message()));
        }
        if policy.is_privileged() {
            if enforce {
                attributes.annotate("pod-security.kubernetes.io/enforce-policy", policy.enforce.to_string());
            }
            return Ok(());
        }
        let audited = evaluate(policy.audit, metadata, spec);
        if !audited.is_empty() {
            let text = format!("would violate PodSecurity \"{}\": {}", policy.audit, details(&audited));
            attributes.annotate("pod-security.kubernetes.io/audit-violations", text);
        }
        if enforce {
            attributes.annotate("pod-security.kubernetes.io/enforce-policy", policy.enforce.to_string());
            let violations = evaluate(policy.enforce, metadata, spec);
            if !violations.is_empty() {
                let why = format!("violates PodSecurity \"{}\": {}", policy.enforce, details(&violations));
                return Err(attributes.forbidden(&why));
            }
        }
        let warned = evaluate(policy.warn, metadata, spec);
        if !warned.is_empty() {
            attributes.warn(format!("would violate PodSecurity \"{}\": {}", policy.warn, details(&warned)));
        }
        Ok(())
    }

    fn validate_namespace(&self, attributes: &Attributes, namespace: &Value) -> Result<()> {
        let (policy, errs) = Policy::of_labels(&namespace["metadata"]["labels"], self.default);
        let old = attributes.old.map(|old| Policy::of_labels(&old["metadata"]["labels"], self.default));
        let known = old.as_ref().is_some_and(|(_, old_errs)| *old_errs == errs);
        if !errs.is_empty() && !known {
            return Err(Status::invalid("", "Namespace", namespace["metadata"]["name"].str(), errs));
        }
        let Some((old, _)) = old else { return Ok(()) };
        let (new, old) = (policy.enforce, old.enforce);
        let relaxed = new.version == old.version && new.level <= old.level;
        if new != old && new.level != Level::Privileged && !relaxed {
            self.warn_of_pods(attributes, namespace["metadata"]["name"].str(), new);
        }
        Ok(())
    }

    /// Says which pods of a namespace would be refused under its new level.
    fn warn_of_pods(&self, attributes: &Attributes, namespace: &str, level: LevelVersion) {
        let mut pods = attributes.ctx.reader.list("", "pods", namespace);
        let exempt = |pod: &Value| {
            let class = pod["spec"]["runtimeClassName"].str();
            self.exempt_runtime_classes.iter().any(|name| name == class)
        };
        pods.retain(|pod| !exempt(pod));
        first_of_each_controller(&mut pods);
        let total = pods.len();
        pods.truncate(PODS_CHECKED_MAX);
        let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for pod in &pods {
            let violations = evaluate(level, &pod["metadata"], &pod["spec"]);
            if !violations.is_empty() {
                found.entry(checks::reasons(&violations)).or_default().push(pod["metadata"]["name"].str());
            }
        }
        if pods.len() < total {
            let checked = pods.len();
            attributes.warn(format!(
                "new PodSecurity enforce level only checked against the first {checked} of {total} existing pods"
            ));
        }
        if found.is_empty() {
            return;
        }
        attributes.warn(format!(
            "existing pods in namespace \"{namespace}\" violate the new PodSecurity enforce level \"{level}\""
        ));
        let mut lines: Vec<String> = found.iter().map(|(reasons, names)| pods_line(names, reasons)).collect();
        lines.sort_unstable();
        lines.into_iter().for_each(|line| attributes.warn(line));
    }
}

/// `p (and 2 other pods): host namespaces`, naming the first by name.
fn pods_line(names: &[&str], reasons: &str) -> String {
    let first = names.iter().min().copied().unwrap_or_default();
    match names.len() {
        1 => format!("{first}: {reasons}"),
        2 => format!("{first} (and 1 other pod): {reasons}"),
        n => format!("{first} (and {} other pods): {reasons}", n - 1),
    }
}

/// Pods of one controller are alike: the first of each comes before all seconds.
fn first_of_each_controller(pods: &mut [Value]) {
    let mut seen = BTreeSet::new();
    pods.sort_by_cached_key(|pod| {
        let mut owners = pod["metadata"]["ownerReferences"].items().iter();
        match owners.find(|owner| owner["controller"].bool()) {
            Some(owner) => !seen.insert(owner["uid"].str().to_string()),
            None => false,
        }
    });
}

/// Only images, and containers that come or go, can change in a pod in a way that matters here.
fn changes_what_runs(spec: &Value, old: &Value) -> bool {
    let same_images = |field: &str| {
        let (new, old) = (spec[field].items(), old[field].items());
        new.len() == old.len() && new.iter().zip(old).all(|(new, old)| new["image"] == old["image"])
    };
    let was_there = |container: &Value| {
        let mut old = old["ephemeralContainers"].items().iter();
        old.any(|old| old["name"] == container["name"] && old["image"] == container["image"])
    };
    !same_images("containers")
        || !same_images("initContainers")
        || !spec["ephemeralContainers"].items().iter().all(was_there)
}
