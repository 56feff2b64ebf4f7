//! Tokens of service accounts, which kubelets get for their pods.

use super::Request;
use crate::{Operation, Question};
use meta::field::quote;
use meta::{Result, Status, Value};

/// Volumes of former times and the drivers that serve them now (k8s.io/csi-translation-lib).
const MIGRATED: &[(&str, &str)] = &[
    ("awsElasticBlockStore", "ebs.csi.aws.com"),
    ("azureDisk", "disk.csi.azure.com"),
    ("azureFile", "file.csi.azure.com"),
    ("cinder", "cinder.csi.openstack.org"),
    ("gcePersistentDisk", "pd.csi.storage.gke.io"),
    ("portworxVolume", "pxd.portworx.com"),
    ("vsphereVolume", "csi.vsphere.vmware.com"),
];

/// The driver that a volume, or the spec of a persistent one, names; "" for none.
fn driver_in(volume: &Value) -> String {
    let named = volume["csi"]["driver"].str();
    let migrated = MIGRATED.iter().find(|(member, _)| !volume[*member].is_null()).map_or("", |(_, driver)| *driver);
    if named.is_empty() { migrated.into() } else { named.into() }
}

impl Request<'_> {
    /// Tokens for pods that run on the node.
    pub(super) fn judge_token(&self) -> Result<()> {
        if self.attributes.operation != Operation::Create || self.attributes.subresource() != "token" {
            return Ok(());
        }
        let bound = &self.object["spec"]["boundObjectRef"];
        let (name, uid) = (bound["name"].str(), bound["uid"].str());
        if bound["apiVersion"].str() != "v1" || bound["kind"].str() != "Pod" || name.is_empty() {
            return self.refuse("node requested token not bound to a pod");
        }
        if uid.is_empty() {
            return self.refuse("node requested token with a pod binding without a uid");
        }
        let namespace = self.attributes.namespace();
        let Some(pod) = self.attributes.ctx.reader.get("", "pods", namespace, name) else {
            return Err(Status::not_found("", "pods", name));
        };
        if pod["metadata"]["uid"].str() != uid {
            return self.refuse(format!("the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"));
        }
        if pod["spec"]["nodeName"].str() != self.node {
            return self.refuse("node requested token bound to a pod scheduled on a different node");
        }
        self.judge_audience(&pod)
    }

    /// A token is for whom the pod has it, or whom the node may have tokens for.
    fn judge_audience(&self, pod: &Value) -> Result<()> {
        let audience = match self.object["spec"]["audiences"].items() {
            [] => "",
            [one] => one.str(),
            _ => return self.refuse("node may only request 0 or 1 audiences"),
        };
        let quoted = quote(audience);
        match self.names_audience(pod, audience) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(why) => return self.refuse(format!("error validating audience {quoted}: {why}")),
        }
        let question = Question {
            verb: "request-serviceaccounts-token-audience",
            version: "v1",
            resource: audience,
            namespace: self.attributes.namespace(),
            name: self.attributes.name,
            ..Question::default()
        };
        if self.attributes.allows(&question) {
            return Ok(());
        }
        let user = &self.attributes.ctx.user.name;
        self.refuse(format!(
            "audience {quoted} not found in pod spec volume, {user} is not authorized to request tokens for this audience"
        ))
    }

    /// Whether a volume of the pod has tokens for the audience: itself, or through a driver.
    fn names_audience(&self, pod: &Value, audience: &str) -> std::result::Result<bool, String> {
        let mut errs = Vec::new();
        for volume in pod["spec"]["volumes"].items() {
            let mut tokens = volume["projected"]["sources"].items().iter().map(|source| &source["serviceAccountToken"]);
            if tokens.any(|token| !token.is_null() && token["audience"].str() == audience) {
                return Ok(true);
            }
            match self.driver_of(pod, volume).and_then(|driver| self.driver_names_audience(&driver, audience)) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(why) => errs.push(why),
            }
        }
        match errs.as_slice() {
            [] => Ok(false),
            [one] => Err(one.clone()),
            several => Err(format!("[{}]", several.join(", "))),
        }
    }

    /// The CSI driver of a volume; "" when it has none.
    fn driver_of(&self, pod: &Value, volume: &Value) -> std::result::Result<String, String> {
        let claim = &volume["persistentVolumeClaim"];
        if !volume["ephemeral"]["volumeClaimTemplate"].is_null() {
            return self.driver_of_claim(&format!("{}-{}", pod["metadata"]["name"].str(), volume["name"].str()));
        }
        if !claim.is_null() {
            return self.driver_of_claim(claim["claimName"].str());
        }
        Ok(driver_in(volume))
    }

    fn driver_of_claim(&self, name: &str) -> std::result::Result<String, String> {
        let (reader, namespace) = (self.attributes.ctx.reader, self.attributes.namespace());
        let claim = reader.get("", "persistentvolumeclaims", namespace, name);
        let claim = claim.ok_or_else(|| format!("persistentvolumeclaim {} not found", quote(name)))?;
        let name = claim["spec"]["volumeName"].str();
        let volume = reader.get("", "persistentvolumes", "", name);
        let volume = volume.ok_or_else(|| format!("persistentvolume {} not found", quote(name)))?;
        Ok(driver_in(&volume["spec"]))
    }

    fn driver_names_audience(&self, name: &str, audience: &str) -> std::result::Result<bool, String> {
        if name.is_empty() {
            return Ok(false);
        }
        let driver = self.attributes.ctx.reader.get("storage.k8s.io", "csidrivers", "", name);
        let driver = driver.ok_or_else(|| format!("csidriver.storage.k8s.io {} not found", quote(name)))?;
        Ok(driver["spec"]["tokenRequests"].items().iter().any(|token| token["audience"].str() == audience))
    }
}
