//! Which objects a node's pods refer to.

use meta::{Str, Value};
use std::collections::{HashMap, HashSet};

/// What a pod can refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Referent {
    Secret,
    ConfigMap,
    Claim,
    ResourceClaim,
    ServiceAccount,
}

/// Namespace and name.
type Key = (Str, Str);

/// Pods by node, and what leads to them. Changes cost what the changed object refers to.
#[derive(Debug, Default)]
pub struct Graph {
    pods: HashMap<Key, Pod>,
    /// How many pods of each node refer to an object.
    nodes_of: HashMap<(Referent, Key), HashMap<Str, usize>>,
    volumes: HashMap<Str, Volume>,
    /// The volumes that need a secret.
    volumes_of_secret: HashMap<Key, HashSet<Str>>,
    attachments: HashMap<Str, Str>,
    slices: HashMap<Str, Str>,
}

#[derive(Debug)]
struct Pod {
    node: Str,
    refers_to: HashSet<(Referent, Key)>,
}

#[derive(Debug)]
struct Volume {
    claim: Key,
    secrets: HashSet<Key>,
}

impl Graph {
    /// Takes over a change of one object; `None` when it was deleted. Resources that do not matter change nothing.
    pub fn set(&mut self, group: &str, resource: &str, namespace: &str, name: &str, object: Option<&Value>) {
        let node = |path: &str| object.map(|o| o.path(path).str()).filter(|n| !n.is_empty());
        match (group, resource) {
            ("", "pods") => self.set_pod((namespace.into(), name.into()), object),
            ("", "persistentvolumes") => self.set_volume(name, object),
            ("storage.k8s.io", "volumeattachments") => replace(&mut self.attachments, name, node("spec.nodeName")),
            ("resource.k8s.io", "resourceslices") => replace(&mut self.slices, name, node("spec.nodeName")),
            _ => {}
        }
    }

    fn set_pod(&mut self, key: Key, object: Option<&Value>) {
        if let Some(old) = self.pods.remove(&key) {
            for referent in &old.refers_to {
                if let Some(nodes) = self.nodes_of.get_mut(referent) {
                    if let Some(count) = nodes.get_mut(&old.node) {
                        *count = count.saturating_sub(1);
                    }
                    nodes.retain(|_, count| *count > 0);
                    if nodes.is_empty() {
                        self.nodes_of.remove(referent);
                    }
                }
            }
        }
        let Some(pod) = object else { return };
        let node = Str::from(pod["spec"]["nodeName"].str());
        if node.is_empty() {
            return;
        }
        let refers_to = references(pod, &key);
        for referent in &refers_to {
            *self.nodes_of.entry(referent.clone()).or_default().entry(node.clone()).or_default() += 1;
        }
        self.pods.insert(key, Pod { node, refers_to });
    }

    fn set_volume(&mut self, name: &str, object: Option<&Value>) {
        if let Some(old) = self.volumes.remove(name) {
            for secret in &old.secrets {
                if let Some(volumes) = self.volumes_of_secret.get_mut(secret) {
                    volumes.remove(name);
                    if volumes.is_empty() {
                        self.volumes_of_secret.remove(secret);
                    }
                }
            }
        }
        let Some(spec) = object.map(|o| &o["spec"]).filter(|s| !s["claimRef"].is_null()) else { return };
        let claim: Key = (spec["claimRef"]["namespace"].str().into(), spec["claimRef"]["name"].str().into());
        let secrets = volume_secrets(spec, &claim.0);
        for secret in &secrets {
            self.volumes_of_secret.entry(secret.clone()).or_default().insert(name.into());
        }
        self.volumes.insert(name.into(), Volume { claim, secrets });
    }

    fn refers(&self, node: &str, referent: Referent, namespace: &str, name: &str) -> bool {
        let key = (referent, (Str::from(namespace), Str::from(name)));
        self.nodes_of.get(&key).is_some_and(|nodes| nodes.contains_key(node))
    }

    /// Whether a pod on the node refers to the object, itself or through a volume.
    pub(super) fn reaches(&self, node: &str, referent: Referent, namespace: &str, name: &str) -> bool {
        if self.refers(node, referent, namespace, name) {
            return true;
        }
        let secret: Key = (namespace.into(), name.into());
        let volumes = if referent == Referent::Secret { self.volumes_of_secret.get(&secret) } else { None };
        volumes.into_iter().flatten().any(|volume| self.has_volume(node, volume))
    }

    pub(super) fn has_volume(&self, node: &str, name: &str) -> bool {
        let claim = self.volumes.get(name).map(|v| &v.claim);
        claim.is_some_and(|(namespace, name)| self.refers(node, Referent::Claim, namespace, name))
    }

    pub(super) fn has_pod(&self, node: &str, namespace: &str, name: &str) -> bool {
        self.pods.get(&(namespace.into(), name.into())).is_some_and(|pod| pod.node == node)
    }

    pub(super) fn has_attachment(&self, node: &str, name: &str) -> bool {
        self.attachments.get(name).is_some_and(|n| n == node)
    }

    pub(super) fn has_slice(&self, node: &str, name: &str) -> bool {
        self.slices.get(name).is_some_and(|n| n == node)
    }
}

fn replace(map: &mut HashMap<Str, Str>, name: &str, node: Option<&str>) {
    match node {
        Some(node) => drop(map.insert(name.into(), node.into())),
        None => drop(map.remove(name)),
    }
}

/// Where a volume of a pod names a secret: the source and the path below it.
const VOLUME_SECRETS: [(&str, &str); 10] = [
    ("azureFile", "secretName"),
    ("cephfs", "secretRef.name"),
    ("cinder", "secretRef.name"),
    ("flexVolume", "secretRef.name"),
    ("rbd", "secretRef.name"),
    ("secret", "secretName"),
    ("scaleIO", "secretRef.name"),
    ("iscsi", "secretRef.name"),
    ("storageos", "secretRef.name"),
    ("csi", "nodePublishSecretRef.name"),
];

fn references(pod: &Value, (namespace, pod_name): &Key) -> HashSet<(Referent, Key)> {
    let mut out = HashSet::new();
    // A node makes mirror pods itself: they must not give it anything.
    if pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some() {
        return out;
    }
    let mut add = |referent: Referent, name: &str| {
        if !name.is_empty() {
            out.insert((referent, (namespace.clone(), Str::from(name))));
        }
    };
    let spec = &pod["spec"];
    add(Referent::ServiceAccount, spec["serviceAccountName"].str());
    for secret in spec["imagePullSecrets"].items() {
        add(Referent::Secret, secret["name"].str());
    }
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    for container in lists.iter().flat_map(|list| spec[*list].items()) {
        for source in container["envFrom"].items() {
            add(Referent::Secret, source["secretRef"]["name"].str());
            add(Referent::ConfigMap, source["configMapRef"]["name"].str());
        }
        for variable in container["env"].items() {
            let source = &variable["valueFrom"];
            add(Referent::Secret, source["secretKeyRef"]["name"].str());
            add(Referent::ConfigMap, source["configMapKeyRef"]["name"].str());
        }
    }
    for volume in spec["volumes"].items() {
        for (source, path) in VOLUME_SECRETS {
            add(Referent::Secret, volume[source].path(path).str());
        }
        add(Referent::ConfigMap, volume["configMap"]["name"].str());
        for source in volume["projected"]["sources"].items() {
            add(Referent::Secret, source["secret"]["name"].str());
            add(Referent::ConfigMap, source["configMap"]["name"].str());
        }
        add(Referent::Claim, volume["persistentVolumeClaim"]["claimName"].str());
        if !volume["ephemeral"].is_null() {
            add(Referent::Claim, &format!("{pod_name}-{}", volume["name"].str()));
        }
    }
    let made = pod["status"]["resourceClaimStatuses"].items();
    for claim in spec["resourceClaims"].items() {
        add(Referent::ResourceClaim, claim["resourceClaimName"].str());
        if claim["resourceClaimName"].is_null() {
            let status = made.iter().find(|s| s["name"] == claim["name"]);
            add(Referent::ResourceClaim, status.map_or("", |s| s["resourceClaimName"].str()));
        }
    }
    add(Referent::ResourceClaim, pod.path("status.extendedResourceClaimStatus.resourceClaimName").str());
    out
}

/// Where a persistent volume names a secret that kubelets need.
const PERSISTENT_SECRETS: [(&str, &str); 10] = [
    ("cephfs", "secretRef"),
    ("cinder", "secretRef"),
    ("flexVolume", "secretRef"),
    ("rbd", "secretRef"),
    ("scaleIO", "secretRef"),
    ("iscsi", "secretRef"),
    ("storageos", "secretRef"),
    ("csi", "nodePublishSecretRef"),
    ("csi", "nodeStageSecretRef"),
    ("csi", "nodeExpandSecretRef"),
];

fn volume_secrets(spec: &Value, claim_namespace: &str) -> HashSet<Key> {
    let key = |namespace: &str, name: &str| -> Option<Key> {
        let namespace = if namespace.is_empty() { claim_namespace } else { namespace };
        (!name.is_empty()).then(|| (namespace.into(), name.into()))
    };
    let file = &spec["azureFile"];
    let refs = PERSISTENT_SECRETS.iter().map(|(source, member)| &spec[*source][*member]);
    let mut out: HashSet<Key> = refs.filter_map(|r| key(r["namespace"].str(), r["name"].str())).collect();
    out.extend(key(file["secretNamespace"].str(), file["secretName"].str()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn pod(node: &str, secret: &str) -> Value {
        value!({"spec": {
            "nodeName": node,
            "serviceAccountName": "default",
            "volumes": [
                {"name": "s", "secret": {"secretName": secret}},
                {"name": "p", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "e", "ephemeral": {}}
            ],
            "containers": [{"envFrom": [{"configMapRef": {"name": "env"}}]}]
        }})
    }

    #[test]
    fn a_node_reaches_what_its_pods_refer_to() {
        let mut graph = Graph::default();
        graph.set("", "pods", "ns", "a", Some(&pod("n1", "one")));
        graph.set("", "pods", "ns", "b", Some(&pod("n1", "one")));
        assert!(graph.reaches("n1", Referent::Secret, "ns", "one"));
        assert!(graph.reaches("n1", Referent::ConfigMap, "ns", "env"));
        assert!(graph.reaches("n1", Referent::Claim, "ns", "a-e"));
        assert!(graph.reaches("n1", Referent::ServiceAccount, "ns", "default"));
        assert!(!graph.reaches("n2", Referent::Secret, "ns", "one"));
        assert!(!graph.reaches("n1", Referent::Secret, "other", "one"));
        graph.set("", "pods", "ns", "a", None);
        assert!(graph.reaches("n1", Referent::Secret, "ns", "one"), "the other pod still does");
        graph.set("", "pods", "ns", "b", None);
        assert!(!graph.reaches("n1", Referent::Secret, "ns", "one"));
        assert!(graph.nodes_of.is_empty());
    }

    #[test]
    fn volumes_lead_to_their_secrets() {
        let mut graph = Graph::default();
        let volume = value!({"spec": {"claimRef": {"namespace": "ns", "name": "c"}, "csi": {"nodeStageSecretRef": {"namespace": "x", "name": "stage"}}}});
        graph.set("", "persistentvolumes", "", "v", Some(&volume));
        assert!(!graph.has_volume("n1", "v"));
        graph.set("", "pods", "ns", "a", Some(&pod("n1", "one")));
        assert!(graph.has_volume("n1", "v") && graph.reaches("n1", Referent::Secret, "x", "stage"));
        graph.set("", "persistentvolumes", "", "v", None);
        assert!(!graph.has_volume("n1", "v") && !graph.reaches("n1", Referent::Secret, "x", "stage"));
    }

    #[test]
    fn mirror_pods_give_nothing() {
        let mut graph = Graph::default();
        let mut mirror = pod("n1", "one");
        mirror.set("metadata", value!({"annotations": {"kubernetes.io/config.mirror": "x"}}));
        graph.set("", "pods", "ns", "m", Some(&mirror));
        assert!(graph.has_pod("n1", "ns", "m") && !graph.reaches("n1", Referent::Secret, "ns", "one"));
    }
}
