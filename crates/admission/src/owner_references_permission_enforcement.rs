//! OwnerReferencesPermissionEnforcement: who says that an object belongs to another must be able to delete it, and who
//! lets it hold up the owner's deletion must be able to change the owner's finalizers.

use crate::{Attributes, Operation, Plugin, Question};
use meta::{Result, Value};

pub struct OwnerReferencesPermissionEnforcement;

impl Plugin for OwnerReferencesPermissionEnforcement {
    fn name(&self) -> &'static str {
        "OwnerReferencesPermissionEnforcement"
    }

    fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        let is_pod_status =
            attributes.group.is_empty() && attributes.resource == "pods" && attributes.subresource() == "status";
        let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
        let old = attributes.old.map(owners).unwrap_or_default();
        let new = owners(object);
        if is_pod_status || !writes || new == old {
            return Ok(());
        }
        let delete = Question {
            verb: "delete",
            group: attributes.group,
            version: attributes.version,
            resource: attributes.resource,
            subresource: attributes.subresource(),
            namespace: attributes.namespace(),
            name: attributes.name,
        };
        if attributes.operation == Operation::Update && !attributes.allows(&delete) {
            return Err(attributes.forbidden("cannot set an ownerRef on a resource you can't delete: , <nil>"));
        }
        let blocks = |reference: &&Value| reference["blockOwnerDeletion"].bool();
        let blocked = |uid: &Value| old.iter().any(|reference| reference["uid"] == *uid && blocks(&reference));
        for reference in new.iter().filter(blocks).filter(|reference| !blocked(&reference["uid"])) {
            judge_blocking(attributes, reference)?;
        }
        Ok(())
    }
}

fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"].items()
}

fn judge_blocking(attributes: &Attributes, reference: &Value) -> Result<()> {
    let (api_version, kind) = (reference["apiVersion"].str(), reference["kind"].str());
    let (group, version) = meta::gvk::split_api_version(api_version);
    let resources = attributes.cluster.resources_of(group, version, kind);
    if resources.is_empty() {
        let why = format!(
            "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion {api_version} Kind {kind}: no matches for kind {} in version {}",
            meta::field::quote(kind),
            meta::field::quote(api_version)
        );
        return Err(attributes.forbidden(&why));
    }
    for owner in resources {
        let finalizers = Question {
            verb: "update",
            group,
            version,
            resource: &owner.plural,
            subresource: "finalizers",
            namespace: if owner.namespaced { attributes.namespace() } else { "" },
            name: reference["name"].str(),
        };
        if !attributes.allows(&finalizers) {
            let why = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>";
            return Err(attributes.forbidden(why));
        }
    }
    Ok(())
}
