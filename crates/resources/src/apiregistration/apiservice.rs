//! APIService: which server serves a group and version.

use crate::{cells, columns};
use meta::field::{ErrorList, Path, quote};
use meta::{Value, name, value};
use resource::{Context, Descriptor, Hooks, InEtcd, MetadataRules, NameRule, Strategy};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "apiregistration.k8s.io", "v1", "APIService", "apiservices")
        .cluster_scoped()
        .categories(&["api-extensions"])
        .storage_prefix("/registry/apiregistration.k8s.io/apiservices")
        .storage_version_hash("InPBPD7+PqM=")
        .in_etcd(InEtcd::Json)
        .strategy(Strategy {
            unconditional_update: false,
            name: NameRule::Hooks,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            metadata: MetadataRules::CHANGES.with_any_finalizers(),
            ..Strategy::default()
        })
        .hooks(APIService)
        .status(
            Strategy {
                keep_on_update: &[
                    "spec",
                    "metadata.labels",
                    "metadata.annotations",
                    "metadata.finalizers",
                    "metadata.ownerReferences",
                ],
                reset_fields: &["spec"],
                metadata: MetadataRules::CHANGES.with_any_finalizers(),
                ..Strategy::default()
            },
            APIServiceStatus,
        );
    columns::with(descriptor, |object, now| {
        let service = &object["spec"]["service"];
        let reference = match service.is_null() {
            true => "Local".to_owned(),
            false => format!("{}/{}", service["namespace"].str(), service["name"].str()),
        };
        vec![cells::name(object), reference.into(), available(object).into(), cells::age(object, now)]
    })
}

/// Whether the server behind it answers, and why not.
fn available(object: &Value) -> String {
    let conditions = object["status"]["conditions"].items();
    match conditions.iter().find(|condition| condition["type"].str() == "Available") {
        None => "Unknown".into(),
        Some(c) if c["status"].str() == "True" || c["reason"].str().is_empty() => c["status"].str().into(),
        Some(c) => format!("{} ({})", c["status"].str(), c["reason"].str()),
    }
}

struct APIService;

impl Hooks for APIService {
    fn default(&self, object: &mut Value) {
        if let Some(service) = object.path_mut("spec.service").filter(|s| !s.is_null()) {
            service.set_default("port", 443);
        }
    }

    /// What this server serves itself is there at once.
    fn prepare_create(&self, ctx: &Context, object: &mut Value) {
        if object["spec"]["service"].is_null() {
            let now = ctx.now.to_rfc3339();
            object.set(
                "status",
                value!({"conditions": [{
                    "type": "Available",
                    "status": "True",
                    "lastTransitionTime": now,
                    "reason": "Local",
                    "message": "Local APIServices are always available"
                }]}),
            );
        }
    }

    fn validate(&self, _ctx: &Context, object: &Value, errs: &mut ErrorList) {
        let spec = &object["spec"];
        let path = Path::new("spec");
        let (group, version) = (spec["group"].str(), spec["version"].str());
        resource::rules::validate_metadata(object, false, NameRule::PathSegment, errs);
        let own = object["metadata"]["name"].str();
        let wanted = format!("{version}.{group}");
        if !own.is_empty() && own != wanted && name::path_segment(own).is_empty() {
            let detail = format!("must be `spec.version+\".\"+spec.group`: {}", quote(&wanted));
            errs.invalid(&Path::new("metadata").child("name"), own, &detail);
        }
        if group.is_empty() && version != "v1" {
            let detail = "only v1 may have an empty group and it better be legacy kube";
            errs.required(&path.child("group"), detail);
        }
        if !group.is_empty() {
            errs.invalid_each(&path.child("group"), group, name::dns1123_subdomain(group));
        }
        errs.invalid_each(&path.child("version"), version, name::dns1035_label(version));
        for (field, max) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1_000)] {
            let priority = spec[field].int();
            if priority <= 0 || priority > max {
                let detail = format!("must be positive and less than {max}");
                errs.invalid(&path.child(field), priority, &detail);
            }
        }
        validate_backend(spec, &path, errs);
    }
}

/// Where the group is served: here, or by a service.
fn validate_backend(spec: &Value, path: &Path, errs: &mut ErrorList) {
    let (service, insecure) = (&spec["service"], spec["insecureSkipTLSVerify"].bool());
    let bundle = crate::rules::base64::decoded_len(spec["caBundle"].str());
    let insecure_path = path.child("insecureSkipTLSVerify");
    if service.is_null() {
        if bundle > 0 {
            let shown = format!("{bundle} bytes");
            errs.invalid(&path.child("caBundle"), shown, "local APIServices may not have a caBundle");
        }
        if insecure {
            errs.invalid(&insecure_path, true, "local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    }
    let at = path.child("service");
    for field in ["namespace", "name"] {
        if service[field].is_empty() {
            errs.required(&at.child(field), "");
        }
    }
    let port = service["port"].int();
    let wrong = name::port_number(port);
    if !wrong.is_empty() {
        errs.invalid(&at.child("port"), port, &format!("port is not valid: {}", wrong.join(", ")));
    }
    if insecure && bundle > 0 {
        errs.invalid(&insecure_path, true, "may not be true if caBundle is present");
    }
}

struct APIServiceStatus;

impl Hooks for APIServiceStatus {
    fn validate_update(&self, _ctx: &Context, object: &Value, _old: &Value, errs: &mut ErrorList) {
        let path = Path::new("status").child("conditions");
        for (i, condition) in object["status"]["conditions"].items().iter().enumerate() {
            let status = condition["status"].str();
            if !["True", "False", "Unknown"].contains(&status) {
                errs.not_supported_in_order(&path.index(i).child("status"), status, &["True", "False", "Unknown"]);
            }
        }
    }
}
