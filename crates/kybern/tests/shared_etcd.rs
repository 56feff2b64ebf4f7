//! What is read of an etcd that kube-apiserver 1.36.2 writes, too, and what it finds there.

use meta::{Gvk, Value, value};
use std::sync::Arc;

/// How the store sees a resource.
fn stored(group: &str, plural: &str) -> store::Resource {
    let schema = schema::builtin();
    let all = resources::all_with(&schema, &resources::Settings::default()).into_iter().map(Arc::new);
    let served = serve::Resources::new(all);
    serve::store_resource(served.stored(group, plural).expect("a resource"))
}

fn protobuf(api_version: &str, kind: &str, object: &Value) -> Vec<u8> {
    let (schema, gvk) = (schema::builtin(), Gvk::from_api_version(api_version, kind));
    let mut bytes = vec![];
    codec::encode_protobuf(&schema, schema.kind(&gvk).expect("a kind"), &gvk, object, &mut bytes);
    bytes
}

fn decoded(api_version: &str, kind: &str, bytes: &[u8]) -> Value {
    let (schema, gvk) = (schema::builtin(), Gvk::from_api_version(api_version, kind));
    codec::decode_protobuf(&schema, schema.kind(&gvk).expect("a kind"), bytes).expect("an object").value
}

/// kube-apiserver stores an object as its create left it; these defaults depend on what the create set, or are of
/// another version, and it gives them to what it reads.
#[test]
fn defaults_that_were_not_stored_are_there_when_it_is_read() {
    let claim =
        value!({"metadata": {"name": "c", "namespace": "n"}, "spec": {"volumeMode": "Filesystem"}, "status": {}});
    let bytes = protobuf("v1", "PersistentVolumeClaim", &claim);
    let canonical = stored("", "persistentvolumeclaims").canonical.expect("one form");
    let read = canonical(&bytes).expect("a default is missing");
    assert_eq!(decoded("v1", "PersistentVolumeClaim", &read)["status"]["phase"].str(), "Pending");
    assert_eq!(canonical(&read), None, "all are there");

    let labels = value!({"a": "b"});
    let job = value!({"metadata": {"name": "j", "namespace": "n"}, "spec": {"template": {"metadata": {"labels": (&labels)}}}});
    let canonical = stored("batch", "jobs").canonical.expect("one form");
    let read = canonical(&protobuf("batch/v1", "Job", &job)).expect("a default is missing");
    assert_eq!(decoded("batch/v1", "Job", &read)["metadata"]["labels"], labels);
}

#[test]
fn what_kube_apiserver_keeps_otherwise_is_kept_so_in_etcd() {
    let resource = stored("apiregistration.k8s.io", "apiservices");
    let service = value!({"metadata": {"name": "v1.x.io"}, "spec": {"group": "x.io", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 2}});
    let bytes = protobuf("apiregistration.k8s.io/v1", "APIService", &service);
    let in_etcd = resource.in_etcd.expect("another form")(&bytes).expect("bytes");
    let text = String::from_utf8_lossy(&in_etcd);
    assert!(
        text.starts_with(
            r#"{"kind":"APIService","apiVersion":"apiregistration.k8s.io/v1","metadata":{"name":"v1.x.io""#
        ),
        "{text}"
    );
    assert!(text.ends_with("}\n"), "{text}");
    assert_eq!(resource.canonical.expect("one form")(&in_etcd).as_deref(), Some(bytes.as_slice()));

    for (kind, plural) in [
        ("MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
        ("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    ] {
        let resource = stored("admissionregistration.k8s.io", plural);
        let canonical = resource.canonical.expect("one form");
        let bytes = protobuf("admissionregistration.k8s.io/v1", kind, &value!({"metadata": {"name": "x"}}));
        let bytes = canonical(&bytes).map_or(bytes, |bytes| bytes.to_vec());
        let in_etcd = resource.in_etcd.expect("another form")(&bytes).expect("bytes");
        let envelope = codec::Envelope::open(&in_etcd).expect("an envelope");
        assert_eq!(envelope.api_version, "admissionregistration.k8s.io/v1beta1");
        assert_eq!(canonical(&in_etcd).as_deref(), Some(bytes.as_slice()), "{kind}");
    }
}
