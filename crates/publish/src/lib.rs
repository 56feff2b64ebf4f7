//! What the server says about itself: discovery and OpenAPI, made by loops over descriptors and their schemas.
//!
//! Everything here is a pure function of the descriptors, so a custom resource is published by the same lines as a
//! built-in. Nothing is built before it is asked for; whoever asks decides how long to keep it.

mod aggregated;
mod descriptions;
mod discovery;
mod document;
mod groups;
mod openapi;

pub use aggregated::discovery_of_list;
pub use document::Document;
pub use groups::{Service, group_priority};

use groups::Group;
use meta::Value;
use openapi::Form;
use resource::Descriptor;
use std::sync::Arc;

/// The published documents of a set of resources. Cheap to make; make a new one when the set changes.
pub struct Documents {
    descriptors: Vec<Arc<Descriptor>>,
    services: Vec<Service>,
    groups: Vec<Group>,
}

impl Documents {
    /// Documents of the resources that this server serves itself, built-in and custom.
    pub fn new(descriptors: &[Arc<Descriptor>]) -> Documents {
        Documents::with_services(descriptors, &[])
    }

    /// As [`Documents::new`], and `services`, the group versions that other servers serve behind this one.
    /// They appear in discovery and in the index of OpenAPI; their own documents are theirs to make.
    pub fn with_services(descriptors: &[Arc<Descriptor>], services: &[Service]) -> Documents {
        let groups = groups::groups(descriptors, services);
        Documents { descriptors: descriptors.to_vec(), services: services.to_vec(), groups }
    }

    /// `GET /api`: an APIVersions. `server_address` is "host:port".
    pub fn api_versions(&self, server_address: &str) -> Value {
        discovery::api_versions(server_address)
    }

    /// `GET /apis`: an APIGroupList, in order of priority.
    pub fn group_list(&self) -> Value {
        discovery::group_list(&self.groups)
    }

    /// `GET /apis/{group}`: an APIGroup; `None` when nothing is served there.
    pub fn group(&self, group: &str) -> Option<Value> {
        self.groups.iter().find(|g| g.name == group && !group.is_empty()).map(discovery::group)
    }

    /// `GET /api/v1` ("" and "v1") and `GET /apis/{group}/{version}`: an APIResourceList; `None` when this server serves nothing there.
    pub fn resource_list(&self, group: &str, version: &str) -> Option<Value> {
        discovery::resource_list(&self.descriptors, group, version)
    }

    /// `GET /api` with `Accept: …;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`. Other versions are answered with 406.
    pub fn aggregated_core(&self) -> Document {
        Document::json(&aggregated::group_discovery_list(
            &self.descriptors,
            &self.services,
            self.groups.iter().filter(|g| g.name.is_empty()),
        ))
    }

    /// `GET /apis`, aggregated.
    pub fn aggregated_groups(&self) -> Document {
        Document::json(&aggregated::group_discovery_list(
            &self.descriptors,
            &self.services,
            self.groups.iter().filter(|g| !g.name.is_empty()),
        ))
    }
    /// `GET /openapi/v2` as JSON: a few MB, made anew on each call.
    pub fn openapi_v2(&self) -> Document {
        Document::of(openapi::v2::document(&self.source(), Form::Json))
    }

    /// `GET /openapi/v2` as gnostic's protobuf, `application/com.github.proto-openapi.spec.v2.v1.0+protobuf` (also written with
    /// `@` before `v1.0`). Its ETag is that of the JSON form.
    pub fn openapi_v2_protobuf(&self) -> Vec<u8> {
        openapi::v2::document(&self.source(), Form::Protobuf)
    }

    /// `GET /openapi/v3`: where the documents of the group versions are. Makes each once for its hash.
    pub fn openapi_v3_index(&self) -> Document {
        let source = self.source();
        let mut paths = Value::object();
        for key in openapi::keys(&source) {
            let hash = openapi::v3::document(&source, &key, Form::Json)
                .map(|bytes| document::etag(&bytes))
                .unwrap_or_default();
            paths.entry(&key).set("serverRelativeURL", format!("/openapi/v3/{key}?hash={hash}"));
        }
        for service in &self.services {
            let Some(url) = &service.openapi_v3 else { continue };
            paths.entry(&format!("apis/{}/{}", service.group, service.version)).set("serverRelativeURL", url);
        }
        let mut index = Value::object();
        index.set("paths", paths);
        Document::json(&index)
    }

    /// `GET /openapi/v3/{key}` as JSON, e.g. "apis/apps/v1"; `None` when there is no such document. Its `etag` is the hash that the index has.
    pub fn openapi_v3(&self, key: &str) -> Option<Document> {
        openapi::v3::document(&self.source(), key, Form::Json).map(Document::of)
    }

    /// `GET /openapi/v3/{key}` as gnostic's protobuf, `application/com.github.proto-openapi.spec.v3.v1.0+protobuf`.
    pub fn openapi_v3_protobuf(&self, key: &str) -> Option<Vec<u8>> {
        openapi::v3::document(&self.source(), key, Form::Protobuf)
    }

    fn source(&self) -> openapi::Source<'_> {
        openapi::Source::new(&self.descriptors, &self.groups)
    }
}
