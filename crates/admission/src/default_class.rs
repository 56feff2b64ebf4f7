//! DefaultStorageClass and DefaultIngressClass: objects that name no class get the one that is marked as default,
//! the newest when several are.

use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

pub struct DefaultStorageClass;
pub struct DefaultIngressClass;

impl Plugin for DefaultStorageClass {
    fn name(&self) -> &'static str {
        "DefaultStorageClass"
    }

    fn admit(&self, attributes: &Attributes, claim: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("", "persistentvolumeclaims") {
            return Ok(());
        }
        let annotated = claim["metadata"]["annotations"].get("volume.beta.kubernetes.io/storage-class").is_some();
        if annotated || claim["spec"].get("storageClassName").is_some() {
            return Ok(());
        }
        let marks = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
        if let Some(class) = newest_default(attributes, "storage.k8s.io", "storageclasses", &marks) {
            claim.entry("spec").set("storageClassName", &class["metadata"]["name"]);
        }
        Ok(())
    }
}

impl Plugin for DefaultIngressClass {
    fn name(&self) -> &'static str {
        "DefaultIngressClass"
    }

    fn admit(&self, attributes: &Attributes, ingress: &mut Value) -> Result<()> {
        if attributes.operation != Operation::Create || !attributes.is("networking.k8s.io", "ingresses") {
            return Ok(());
        }
        let annotated = ingress["metadata"]["annotations"].get("kubernetes.io/ingress.class").is_some();
        if annotated || ingress["spec"].get("ingressClassName").is_some() {
            return Ok(());
        }
        let marks = ["ingressclass.kubernetes.io/is-default-class"];
        if let Some(class) = newest_default(attributes, "networking.k8s.io", "ingressclasses", &marks) {
            ingress.entry("spec").set("ingressClassName", &class["metadata"]["name"]);
        }
        Ok(())
    }
}

/// Of the classes marked "true" the newest; of equally old ones the first by name.
fn newest_default(attributes: &Attributes, group: &str, resource: &str, marks: &[&str]) -> Option<Value> {
    let marked = |class: &Value| {
        let annotations = &class["metadata"]["annotations"];
        marks.iter().any(|mark| annotations[*mark].str() == "true")
    };
    let mut classes = attributes.ctx.reader.list(group, resource, "");
    classes.retain(marked);
    // RFC 3339 in UTC sorts as text.
    let age = |class: &Value| class["metadata"]["creationTimestamp"].str().to_string();
    classes.sort_by_key(|class| std::cmp::Reverse(age(class)));
    classes.into_iter().next()
}
