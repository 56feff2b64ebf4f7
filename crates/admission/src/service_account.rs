//! ServiceAccount: every pod runs as an account that exists, and gets that account's token mounted.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value, value};

pub struct ServiceAccount;

/// Pods that kubelet made from a local manifest carry this annotation; they may have no account.
const MIRROR_POD: &str = "kubernetes.io/config.mirror";
/// Accounts with this annotation limit their pods to the secrets that they list.
const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";
const TOKEN_MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_VOLUME_PREFIX: &str = "kube-api-access-";
/// The lifetime that pods ask for. kube-apiserver recognises this very number as a kubelet's request.
const TOKEN_EXPIRATION_SECONDS: i64 = 3607;

impl Plugin for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("", "pods") || is_mirror(pod) {
            return Ok(());
        }
        let spec = pod.entry("spec");
        if spec["serviceAccountName"].str().is_empty() {
            spec.set("serviceAccountName", "default");
        }
        let name = spec["serviceAccountName"].clone();
        spec.set("serviceAccount", name.clone()); // the field's old name, which upstream still fills
        let account = find_account(attributes, name.str())?;
        let automount = spec["automountServiceAccountToken"].as_bool();
        if automount.or(account["automountServiceAccountToken"].as_bool()).unwrap_or(true) {
            mount_token(spec);
        }
        if spec["imagePullSecrets"].is_empty() && !account["imagePullSecrets"].is_empty() {
            let names = account["imagePullSecrets"].items().iter().map(|secret| value!({"name": (&secret["name"])}));
            spec.set("imagePullSecrets", names.collect::<Vec<Value>>());
        }
        Ok(())
    }

    fn validate(&self, attributes: &Attributes, pod: &Value) -> Result<()> {
        let creates = attributes.operation == Operation::Create && attributes.is("", "pods");
        let adds_containers = attributes.resource == "pods" && attributes.subresource() == "ephemeralcontainers";
        if !creates && !adds_containers {
            return Ok(());
        }
        if is_mirror(pod) {
            return validate_mirror(attributes, pod);
        }
        let name = pod["spec"]["serviceAccountName"].str();
        if name.is_empty() {
            let why = format!("no service account specified for pod {}/{}", attributes.namespace(), attributes.name);
            return Err(attributes.forbidden(&why));
        }
        let account = find_account(attributes, name)?;
        if account["metadata"]["annotations"][ENFORCE_MOUNTABLE_SECRETS].str().parse() == Ok(true) {
            return validate_secrets(attributes, pod, &account);
        }
        Ok(())
    }
}

fn is_mirror(pod: &Value) -> bool {
    pod["metadata"]["annotations"].get(MIRROR_POD).is_some()
}

fn find_account(attributes: &Attributes, name: &str) -> Result<Value> {
    let namespace = attributes.namespace();
    attributes.ctx.reader.get("", "serviceaccounts", namespace, name).ok_or_else(|| {
        let name = meta::field::quote(name);
        let account = format!("{namespace}/{}", name.trim_matches('"'));
        attributes.forbidden(&format!("error looking up service account {account}: serviceaccount {name} not found"))
    })
}

fn validate_mirror(attributes: &Attributes, pod: &Value) -> Result<()> {
    let spec = &pod["spec"];
    if !spec["serviceAccountName"].str().is_empty() {
        return Err(attributes.forbidden("a mirror pod may not reference service accounts"));
    }
    if !secrets_of(spec).is_empty() {
        return Err(attributes.forbidden("a mirror pod may not reference secrets"));
    }
    let sources = spec["volumes"].items().iter().flat_map(|volume| volume["projected"]["sources"].items());
    if sources.into_iter().any(|source| !source["serviceAccountToken"].is_null()) {
        return Err(attributes.forbidden("a mirror pod may not use ServiceAccountToken volume projections"));
    }
    Ok(())
}

/// All containers of a pod spec with the word that upstream puts before "container".
fn containers_of(spec: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    [("init ", "initContainers"), ("", "containers"), ("ephemeral ", "ephemeralContainers")]
        .into_iter()
        .flat_map(|(word, field)| spec[field].items().iter().map(move |container| (word, container)))
}

/// Every secret that a pod names, with the text that refuses it.
fn secrets_of(spec: &Value) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    for volume in spec["volumes"].items() {
        let name = volume["secret"]["secretName"].str();
        if !name.is_empty() {
            found.push((name, format!("volume with secret.secretName=\"{name}\" is not allowed")));
        }
    }
    for (word, container) in containers_of(spec) {
        for env in container["env"].items() {
            let name = env["valueFrom"]["secretKeyRef"]["name"].str();
            if !name.is_empty() {
                let (container, env) = (container["name"].str(), env["name"].str());
                let place =
                    format!("{word}container {container} with envVar {env} referencing secret.secretName=\"{name}\"");
                found.push((name, format!("{place} is not allowed")));
            }
        }
    }
    for secret in spec["imagePullSecrets"].items() {
        let name = secret["name"].str();
        found.push((name, format!("imagePullSecret with name=\"{name}\" is not allowed")));
    }
    found
}

fn validate_secrets(attributes: &Attributes, pod: &Value, account: &Value) -> Result<()> {
    let listed = |name: &str| {
        let lists = account["secrets"].items().iter().chain(account["imagePullSecrets"].items());
        lists.into_iter().any(|secret| secret["name"].str() == name)
    };
    match secrets_of(&pod["spec"]).into_iter().find(|(name, _)| !listed(name)) {
        None => Ok(()),
        Some((_, why)) => {
            let account = account["metadata"]["name"].str();
            let because = format!("{why} because service account {account} does not reference that secret");
            Err(attributes.forbidden(&because))
        }
    }
}

/// Mounts the token volume into every container that has nothing at its path, and adds the volume when one did.
fn mount_token(spec: &mut Value) {
    let named = |volume: &&Value| volume["name"].str().starts_with(TOKEN_VOLUME_PREFIX);
    let existing = spec["volumes"].items().iter().find(named).map(|volume| volume["name"].clone());
    let volume_name = existing
        .clone()
        .unwrap_or_else(|| Value::from(format!("{TOKEN_VOLUME_PREFIX}{}", meta::name::random_suffix())));
    let mut mounted = false;
    for field in ["initContainers", "containers"] {
        let Some(containers) = spec.get_mut(field) else { continue };
        for container in containers.items_mut() {
            if container["volumeMounts"].items().iter().any(|mount| mount["mountPath"].str() == TOKEN_MOUNT_PATH) {
                continue;
            }
            let mount = value!({"name": (&volume_name), "readOnly": true, "mountPath": TOKEN_MOUNT_PATH});
            container.entry("volumeMounts").array_mut().push(mount);
            mounted = true;
        }
    }
    if mounted && existing.is_none() {
        spec.entry("volumes").array_mut().push(token_volume(&volume_name));
    }
}

fn token_volume(name: &Value) -> Value {
    let field = value!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
    value!({
        "name": name,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_EXPIRATION_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}}
            ]
        }
    })
}
