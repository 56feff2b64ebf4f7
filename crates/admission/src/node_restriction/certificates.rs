//! Certificates, which kubelets get for themselves and for their pods.

use super::{MIRROR, NODE_PREFIX, Request};
use crate::Operation;
use crate::certificate_request::Subject;
use meta::field::quote;
use meta::{Reason, Result, Status, Value};

/// The signers of kubelets' own certificates.
const KUBELET_SIGNERS: &[&str] = &["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];

impl Request<'_> {
    /// A kubelet asks for certificates of its own name.
    pub(super) fn judge_signing_request(&self) -> Result<()> {
        let spec = &self.object["spec"];
        if self.attributes.operation != Operation::Create || !KUBELET_SIGNERS.contains(&spec["signerName"].str()) {
            return Ok(());
        }
        let own = format!("{NODE_PREFIX}{}", self.node);
        match Subject::of(spec["request"].str()) {
            Err(why) => self.refuse(format!("unable to parse csr: {why}")),
            Ok(subject) if subject.common_name != own => {
                self.refuse(format!("can only create a node CSR with CN={own}"))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Whether everything that a PodCertificateRequest names is as it says. What may only be news here that the kubelet
    /// has already is no refusal: it asks again.
    pub(super) fn judge_pod_certificate_request(&self) -> Result<()> {
        if self.attributes.operation != Operation::Create {
            return self.refuse(format!("unexpected operation {}", self.operation()));
        }
        if !self.attributes.subresource().is_empty() {
            return self.refuse(format!("unexpected subresource {}", self.attributes.subresource()));
        }
        let spec = &self.object["spec"];
        let (node, own) = (quote(spec["nodeName"].str()), self.quoted());
        if spec["nodeName"].str() != self.node {
            let why = format!("PodCertificateRequest.Spec.NodeName={node}, which is not the requesting node {own}");
            return self.refuse(why);
        }
        let pod_name = self.named(&spec["podName"]);
        let found = self.find("", "nodes", "node", &node, "", self.node)?;
        let [asked, is] = [&spec["nodeUID"], &found["metadata"]["uid"]].map(|uid| quote(uid.str()));
        if asked != is {
            return again(format!(
                "PodCertificateRequest for pod {pod_name} names node UID {asked}, inconsistent with the running node ({is})"
            ));
        }
        let namespace = self.attributes.namespace();
        let pod = self.find("", "pods", "pod", &pod_name, namespace, spec["podName"].str())?;
        self.judge_certificate_pod(&pod, &pod_name)?;
        let account = spec["serviceAccountName"].str();
        let named = self.named(&spec["serviceAccountName"]);
        let found = self.find("", "serviceaccounts", "service account", &named, namespace, account)?;
        let [asked, is] = [&spec["serviceAccountUID"], &found["metadata"]["uid"]].map(|uid| quote(uid.str()));
        if asked != is {
            return again(format!(
                "PodCertificateRequest for pod {pod_name} names service account UID {asked}, which differs from the running service account ({is})"
            ));
        }
        Ok(())
    }

    /// Whether the pod is the one that is meant, runs here, and has the account.
    fn judge_certificate_pod(&self, pod: &Value, name: &str) -> Result<()> {
        let spec = &self.object["spec"];
        let [asked, is] = [&spec["podUID"], &pod["metadata"]["uid"]].map(|uid| quote(uid.str()));
        if asked != is {
            return again(format!(
                "PodCertificateRequest for pod {name} contains pod UID ({asked}) which differs from running pod {is}"
            ));
        }
        if pod["spec"]["nodeName"].str() != self.node {
            let own = self.quoted();
            return self.refuse(format!("pod {name} is not running on node {own} named in the PodCertificateRequest"));
        }
        if pod["metadata"]["annotations"].get(MIRROR).is_some() {
            return self.refuse(format!("pod {name} is a mirror pod"));
        }
        let [asked, is] = [spec, &pod["spec"]].map(|spec| quote(spec["serviceAccountName"].str()));
        if asked != is {
            return self.refuse(format!(
                "PodCertificateRequest for pod {name} contains serviceAccountName ({asked}) that differs from running pod ({is})"
            ));
        }
        Ok(())
    }

    /// A name in the request's namespace, quoted.
    fn named(&self, name: &Value) -> String {
        quote(&format!("{}/{}", self.attributes.namespace(), name.str()))
    }

    /// An object that the request names, `shown` as messages name it.
    fn find(&self, group: &str, resource: &str, what: &str, shown: &str, namespace: &str, name: &str) -> Result<Value> {
        let found = self.attributes.ctx.reader.get(group, resource, namespace, name);
        let kind = what.replace(' ', "");
        let why = || {
            let text = format!("while retrieving {what} {shown} named in the PodCertificateRequest");
            Status::failure(500, Reason::Unknown, format!("{text}: {kind} {} not found", quote(name)))
        };
        found.ok_or_else(why)
    }
}

/// An error that upstream does not classify.
fn again(why: String) -> Result<()> {
    Err(Status::failure(500, Reason::Unknown, why))
}
