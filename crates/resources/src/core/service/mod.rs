//! Service: a name and addresses for a set of pods.

mod allocate;
mod defaults;
mod families;
mod port_range;
mod table;
mod update;
mod validate;
mod warn;

use crate::columns;
use crate::settings::Settings;
use meta::field::ErrorList;
use meta::{Gvk, Result, Value};
use resource::{Context, Descriptor, Hooks, NameRule, SideWrite, Strategy, SubresourceKind, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn descriptor(schema: &Arc<Schema>, settings: &Settings) -> Descriptor {
    let descriptor = Descriptor::builtin(schema, "", "v1", "Service", "services")
        .short_names(&["svc"])
        .categories(&["all"])
        .storage_prefix("/registry/services/specs")
        .storage_version_hash("0/CO1lhkEBI=")
        .strategy(Strategy {
            create_on_update: true,
            delete_returns_object: true,
            name: NameRule::Label,
            reset_on_create: &["status"],
            keep_on_update: &["status"],
            reset_fields: &["status"],
            ..Strategy::default()
        })
        .select_field("spec.clusterIP")
        .select_field("spec.type")
        .hooks(Service { settings: settings.clone() })
        .with_subresource(
            "proxy",
            Gvk::new("", "v1", "ServiceProxyOptions"),
            PROXY_VERBS,
            SubresourceKind::Connect(Arc::new(crate::connect::ServiceProxy)),
        )
        .status(Strategy { keep_on_update: &["spec"], reset_fields: &["spec"], ..Strategy::default() }, ServiceStatus);
    columns::with(descriptor, table::cells)
}

const PROXY_VERBS: &[Verb] = &[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update];

struct Service {
    settings: Settings,
}

impl Hooks for Service {
    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }

    fn prepare_create(&self, ctx: &Context, object: &mut Value) {
        // upstream allocates before it validates; what cannot be allocated is told by validation
        let _ = allocate::prepare(&self.settings, ctx, object, None);
    }

    fn prepare_update(&self, ctx: &Context, object: &mut Value, old: &Value) {
        let _ = allocate::prepare(&self.settings, ctx, object, Some(old));
        update::drop_type_dependent(object, old);
        if object["spec"]["type"].str() != "LoadBalancer" {
            object.entry("status").set("loadBalancer", Value::object());
        }
    }

    fn validate(&self, ctx: &Context, object: &Value, errs: &mut ErrorList) {
        match allocate::prepare(&self.settings, ctx, &mut object.clone(), None) {
            Ok(()) => validate::validate(object, None, errs),
            Err(found) => *errs = found,
        }
    }

    fn validate_update(&self, ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        match allocate::prepare(&self.settings, ctx, &mut object.clone(), Some(old)) {
            Ok(()) => validate::validate_update(object, old, errs),
            Err(found) => *errs = found,
        }
    }

    fn warn(&self, _ctx: &Context, object: &Value, _old: Option<&Value>, warnings: &mut Vec<String>) {
        warn::warn(object, warnings);
    }

    fn plan_side_writes(
        &self,
        ctx: &Context,
        object: Option<&mut Value>,
        old: Option<&Value>,
    ) -> Result<Vec<SideWrite>> {
        let mut writes = allocate::plan_side_writes(ctx, object.as_deref(), old)?;
        writes.extend(port_range::plan_write(&self.settings, ctx, object.as_deref(), old));
        Ok(writes)
    }
}

struct ServiceStatus;

impl Hooks for ServiceStatus {
    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }

    fn validate_update(&self, _ctx: &Context, object: &Value, old: &Value, errs: &mut ErrorList) {
        validate::validate_status(object, old, errs);
    }
}

/// Whether the service asks for no cluster address.
fn is_headless(object: &Value) -> bool {
    matches!(object["spec"]["clusterIPs"].items(), [one] if one.str() == NONE)
}

/// The cluster address of headless services.
const NONE: &str = "None";

fn has_type(object: &Value, types: &[&str]) -> bool {
    types.contains(&object["spec"]["type"].str())
}

/// Unknown types too, which validation refuses.
fn needs_cluster_ip(object: &Value) -> bool {
    !has_type(object, &["ExternalName"])
}

fn is_in_cluster(object: &Value) -> bool {
    has_type(object, &["ClusterIP", "NodePort", "LoadBalancer"])
}

fn needs_node_port(object: &Value) -> bool {
    let spec = &object["spec"];
    match spec["type"].str() {
        "NodePort" => true,
        "LoadBalancer" => spec["allocateLoadBalancerNodePorts"].as_bool().unwrap_or(true),
        _ => false,
    }
}

fn needs_health_check_node_port(object: &Value) -> bool {
    has_type(object, &["LoadBalancer"]) && object["spec"]["externalTrafficPolicy"].str() == "Local"
}

fn is_externally_accessible(object: &Value) -> bool {
    has_type(object, &["NodePort", "LoadBalancer"])
        || has_type(object, &["ClusterIP"]) && !object["spec"]["externalIPs"].is_empty()
}
