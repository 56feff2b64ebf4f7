//! The AdmissionReview that a webhook is sent.

use crate::policy::request::user_info;
use crate::{Attributes, Form};
use meta::{Gvk, Value, value};

pub fn question(attributes: &Attributes, object: &Value, form: &Form, version: &str, uid: &str) -> Value {
    let kind = |kind: &Gvk| value!({"group": (&kind.group), "version": (&kind.version), "kind": (&kind.kind)});
    let resource =
        |form: &Form| value!({"group": (&form.group), "version": (&form.version), "resource": (&form.resource)});
    let sent = attributes.form();
    let shown = |object: Option<&Value>| match object.filter(|object| !object.is_null()) {
        Some(object) => attributes.cluster.written(form, object),
        None => Value::Null,
    };
    let mut request = value!({
        "uid": uid,
        "kind": (kind(&form.kind)), "resource": (resource(form)),
        "requestKind": (kind(&sent.kind)), "requestResource": (resource(&sent)),
        "operation": (attributes.operation.name()),
        "userInfo": (user_info(attributes.ctx.user)),
        "object": (shown(Some(object))), "oldObject": (shown(attributes.old)),
        "dryRun": (attributes.ctx.dry_run),
        "options": (attributes.options)
    });
    let optional = [
        ("subResource", attributes.subresource()),
        ("requestSubResource", attributes.subresource()),
        ("name", attributes.name),
        ("namespace", attributes.told_namespace()),
    ];
    for (field, text) in optional.into_iter().filter(|(_, text)| !text.is_empty()) {
        request.set(field, text);
    }
    value!({"kind": "AdmissionReview", "apiVersion": (format!("admission.k8s.io/{version}")), "request": request})
}
