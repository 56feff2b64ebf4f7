//! The roles and bindings that every cluster has, brought up to date without taking away what somebody added.

use auth::bootstrap::{Plan, plan, policy};
use meta::Value;
use resource::Reader as _;
use serve::{Server, StoreReader};

use super::{How, Wanted};

pub fn objects(server: &Server) -> Vec<Wanted> {
    let resources = server.registry.load();
    let reader = StoreReader { resources: &resources, store: &server.store };
    let mut wanted = vec![];
    for entry in policy() {
        let prefix = format!("/apis/{}/v1", auth::rbac::GROUP);
        let collection = match entry.namespace.as_str() {
            "" => format!("{prefix}/{}", entry.resource),
            namespace => format!("{prefix}/namespaces/{namespace}/{}", entry.resource),
        };
        let existing = reader.get(auth::rbac::GROUP, entry.resource, &entry.namespace, &entry.name);
        let (how, object): (How, Value) = match plan(&entry.object, existing.as_ref()) {
            Plan::Nothing => continue,
            Plan::Create(object) => (How::Create, object),
            Plan::Update(object) => (How::Replace, object),
            Plan::Recreate(object) => (How::Recreate, object),
        };
        wanted.push(Wanted { how, ..Wanted::new(collection, object) });
    }
    wanted
}
