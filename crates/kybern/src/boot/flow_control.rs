//! The FlowSchemas and PriorityLevelConfigurations that every cluster has, kept as they should be.

use meta::Value;
use resource::Reader as _;
use resources::flowcontrol::bootstrap::{flow_schemas, priority_levels, restored};
use serve::{Server, StoreReader};

use super::{How, Wanted};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// Upstream's field manager.
const PRODUCER: &str = "api-priority-and-fairness-config-producer-v1";

pub fn objects(server: &Server) -> Vec<Wanted> {
    let resources = server.registry.load();
    let reader = StoreReader { resources: &resources, store: &server.store };
    let levels = priority_levels().into_iter().map(|level| ("prioritylevelconfigurations", level));
    let schemas = flow_schemas().into_iter().map(|schema| ("flowschemas", schema));
    let new = |collection, object| Wanted { manager: PRODUCER, ..Wanted::new(collection, object) };
    let wanted = |(resource, object): (&str, Value)| {
        let collection = format!("/apis/{GROUP}/v1/{resource}");
        match reader.get(GROUP, resource, "", object["metadata"]["name"].str()) {
            None => Some(new(collection, object)),
            // Without a difference this writes nothing.
            Some(existing) => {
                let object = restored(&existing, &object)?;
                Some(Wanted { how: How::Replace, ..new(collection, object) })
            }
        }
    };
    levels.chain(schemas).filter_map(wanted).collect()
}
