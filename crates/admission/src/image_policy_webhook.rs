//! ImagePolicyWebhook: another server says whether a pod's images may be used
//! (k8s.io/kubernetes/plugin/pkg/admission/imagepolicy). The request path asks it.

use crate::{Asks, Attributes, Operation, Phase, Plugin};
use meta::{Map, Result, Value, value};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const ANNOTATIONS: &str = ".image-policy.k8s.io/";
const AUDIT: &str = "imagepolicywebhook.image-policy.k8s.io/";

/// How the other server is asked, and how long its answers are remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagePolicy {
    pub kubeconfig: PathBuf,
    pub allow_time: Duration,
    pub deny_time: Duration,
    pub backoff: Duration,
    /// When it cannot be asked, every image may be used.
    pub default_allow: bool,
}

pub struct ImagePolicyWebhook(Arc<ImagePolicy>);

impl ImagePolicy {
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(configuration: &Value) -> std::result::Result<ImagePolicy, String> {
        if configuration.is_null() {
            return Err("no config specified".into());
        }
        let given = &configuration["imagePolicy"];
        let minutes = |n: u64| Duration::from_secs(n.saturating_mul(60));
        let (second, milli) = (Duration::from_secs(1), Duration::from_millis(1));
        let time = |field: &str, name: &str, scale: Duration, least: Duration, most: Duration, default: Duration| {
            let times = given[field].int();
            match times {
                -1 => Ok(Duration::ZERO),
                0 => Ok(default),
                _ => {
                    let times = u32::try_from(times).ok();
                    let found = times.and_then(|times| scale.checked_mul(times));
                    let within = found.filter(|found| (least..=most).contains(found));
                    within.ok_or_else(|| format!("{name}: valid value is between {least:?} and {most:?}"))
                }
            }
        };
        Ok(ImagePolicy {
            kubeconfig: given["kubeConfigFile"].str().into(),
            backoff: time("retryBackoff", "backoff", milli, milli, minutes(5), Duration::from_millis(500))?,
            allow_time: time("allowTTL", "allow cache", second, second, minutes(30), minutes(5))?,
            deny_time: time("denyTTL", "deny cache", second, second, minutes(30), Duration::from_secs(30))?,
            default_allow: given["defaultAllow"].bool(),
        })
    }

    /// The ImageReview for a pod.
    pub fn question(&self, attributes: &Attributes, pod: &Value) -> Value {
        let lists: &[&str] = if attributes.subresource().is_empty() {
            &["containers", "initContainers"]
        } else {
            &["ephemeralContainers"]
        };
        let containers = lists.iter().flat_map(|list| pod["spec"][*list].items());
        let images: Vec<Value> = containers.map(|container| value!({"image": (&container["image"])})).collect();
        let mut spec = value!({"containers": images, "namespace": (attributes.namespace())});
        let annotations = pod["metadata"]["annotations"].entries().filter(|(key, _)| key.contains(ANNOTATIONS));
        let annotations: Map = annotations.map(|(key, text)| (key.into(), text.clone())).collect();
        if !annotations.is_empty() {
            spec.set("annotations", Value::Object(annotations));
        }
        value!({
            "kind": "ImageReview", "apiVersion": "imagepolicy.k8s.io/v1alpha1", "metadata": {},
            "spec": spec, "status": {"allowed": false}
        })
    }

    /// What the status of the answer means, or that there is none.
    ///
    /// # Errors
    /// 403 when the images may not be used.
    pub fn take(&self, attributes: &Attributes, status: std::result::Result<&Value, &str>) -> Result<()> {
        let status = match status {
            Ok(status) => status,
            Err(_) if self.default_allow => {
                attributes.annotate(&format!("{AUDIT}failed-open"), "true");
                return Ok(());
            }
            // Upstream wraps what is wrapped already.
            Err(why) => return Err(attributes.forbidden(&attributes.forbidden(why).message)),
        };
        for (key, text) in status["auditAnnotations"].entries() {
            attributes.annotate(&format!("{AUDIT}{key}"), text.str());
        }
        match (status["allowed"].bool(), status["reason"].str()) {
            (true, _) => Ok(()),
            (false, "") => Err(attributes.forbidden("one or more images rejected by webhook backend")),
            (false, why) => {
                Err(attributes.forbidden(&format!("image policy webhook backend denied one or more images: {why}")))
            }
        }
    }
}

impl ImagePolicyWebhook {
    pub fn new(configuration: &Value) -> std::result::Result<ImagePolicyWebhook, String> {
        ImagePolicy::new(configuration).map(|policy| ImagePolicyWebhook(Arc::new(policy)))
    }
}

impl Plugin for ImagePolicyWebhook {
    fn name(&self) -> &'static str {
        "ImagePolicyWebhook"
    }

    fn asks(&self, phase: Phase, attributes: &Attributes) -> Option<Asks> {
        let is_meant = phase == Phase::Validating
            && matches!(attributes.operation, Operation::Create | Operation::Update)
            && (attributes.group, attributes.resource) == ("", "pods")
            && matches!(attributes.subresource(), "" | "ephemeralcontainers");
        is_meant.then(|| Asks::ImagePolicy(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_defaults_and_bounds() {
        let of = |given: Value| ImagePolicy::new(&value!({"imagePolicy": given}));
        let plain = of(value!({"kubeConfigFile": "f"})).unwrap();
        assert_eq!((plain.allow_time, plain.deny_time), (Duration::from_secs(300), Duration::from_secs(30)));
        let given = of(value!({"allowTTL": 7, "denyTTL": (-1), "retryBackoff": 20})).unwrap();
        assert_eq!(
            (given.allow_time, given.deny_time, given.backoff.as_millis()),
            (Duration::from_secs(7), Duration::ZERO, 20)
        );
        assert!(of(value!({"allowTTL": 3600})).is_err() && of(value!({"allowTTL": (-2)})).is_err());
        assert!(ImagePolicy::new(&Value::Null).is_err());
    }
}
