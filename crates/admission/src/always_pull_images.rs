//! AlwaysPullImages: every pod pulls its images anew, so that nobody runs what only another may pull.

use crate::{Attributes, Operation, Plugin};
use meta::field::{ErrorList, Path};
use meta::{Result, Value};
use std::collections::BTreeSet;

pub struct AlwaysPullImages;

const CONTAINERS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];
const ALWAYS: &str = "Always";

impl Plugin for AlwaysPullImages {
    fn name(&self) -> &'static str {
        "AlwaysPullImages"
    }

    fn admit(&self, attributes: &Attributes, pod: &mut Value) -> Result<()> {
        if !concerns(attributes, pod) {
            return Ok(());
        }
        let spec = pod.entry("spec");
        for field in CONTAINERS {
            for container in spec.get_mut(field).map(Value::items_mut).unwrap_or_default() {
                container.set("imagePullPolicy", ALWAYS);
            }
        }
        for volume in spec.get_mut("volumes").map(Value::items_mut).unwrap_or_default() {
            if let Some(image) = volume.get_mut("image").filter(|image| image.as_object().is_some()) {
                image.set("pullPolicy", ALWAYS);
            }
        }
        Ok(())
    }

    fn validate(&self, attributes: &Attributes, pod: &Value) -> Result<()> {
        if !concerns(attributes, pod) {
            return Ok(());
        }
        let mut errs = ErrorList::new();
        let path = Path::new("spec");
        for field in CONTAINERS {
            for (i, container) in pod["spec"][*field].items().iter().enumerate() {
                let policy = container["imagePullPolicy"].str();
                if policy != ALWAYS {
                    errs.not_supported(&path.child(field).index(i).child("imagePullPolicy"), policy, &[ALWAYS]);
                }
            }
        }
        for (i, volume) in pod["spec"]["volumes"].items().iter().enumerate() {
            let policy = volume["image"]["pullPolicy"].str();
            if !volume["image"].is_null() && policy != ALWAYS {
                let at = path.child("volumes").index(i).child("image").child("pullPolicy");
                errs.not_supported(&at, policy, &[ALWAYS]);
            }
        }
        if errs.is_empty() { Ok(()) } else { Err(attributes.forbidden(&errs.message())) }
    }
}

/// A pod that is made, or gets an image that it did not have.
fn concerns(attributes: &Attributes, pod: &Value) -> bool {
    if !attributes.writes("", "pods") {
        return false;
    }
    match attributes.old.filter(|_| attributes.operation == Operation::Update) {
        None => true,
        Some(old) => !images(pod).is_subset(&images(old)),
    }
}

fn images(pod: &Value) -> BTreeSet<&str> {
    let spec = &pod["spec"];
    let containers = CONTAINERS.iter().flat_map(|field| spec[*field].items()).map(|container| container["image"].str());
    let volumes = spec["volumes"].items().iter().map(|volume| volume["image"]["reference"].str());
    containers.chain(volumes).filter(|image| !image.is_empty()).collect()
}
