//! The plugins in their order, and how a request goes through them.

use crate::*;

/// Where a phase waits for the answers of others.
pub struct Pause {
    pub asks: Asks,
    /// Where it goes on after them.
    pub next: usize,
}

/// The plugins that are on, in upstream's order.
pub struct Chain(Vec<Box<dyn Plugin>>);

/// Every plugin there is, in upstream's order, and whether it is on by default.
const ALL: &[(&str, bool, Make)] = &[
    ("AlwaysAdmit", false, |_| Ok(Box::new(always::AlwaysAdmit))),
    (namespace_auto_provision::NAME, false, |_| Ok(Box::new(namespace_auto_provision::NamespaceAutoProvision))),
    ("NamespaceLifecycle", true, |_| Ok(Box::new(namespace_lifecycle::NamespaceLifecycle::default()))),
    ("NamespaceExists", false, |_| Ok(Box::new(namespace_exists::NamespaceExists))),
    ("LimitPodHardAntiAffinityTopology", false, |_| {
        Ok(Box::new(limit_pod_hard_anti_affinity_topology::LimitPodHardAntiAffinityTopology))
    }),
    ("LimitRanger", true, |_| Ok(Box::new(limit_ranger::LimitRanger))),
    ("ServiceAccount", true, |_| Ok(Box::new(service_account::ServiceAccount))),
    ("NodeRestriction", false, |_| Ok(Box::new(node_restriction::NodeRestriction))),
    ("TaintNodesByCondition", true, |_| Ok(Box::new(taint_nodes_by_condition::TaintNodesByCondition))),
    ("AlwaysPullImages", false, |_| Ok(Box::new(always_pull_images::AlwaysPullImages))),
    ("ImagePolicyWebhook", false, |given| Ok(Box::new(image_policy_webhook::ImagePolicyWebhook::new(given)?))),
    ("PodSecurity", true, |given| Ok(Box::new(pod_security::PodSecurity::new(given)?))),
    ("PodNodeSelector", false, |given| Ok(Box::new(pod_node_selector::PodNodeSelector::new(given)?))),
    ("Priority", true, |_| Ok(Box::new(priority::Priority))),
    ("DefaultTolerationSeconds", true, |_| Ok(Box::new(default_toleration_seconds::DefaultTolerationSeconds))),
    ("PodTolerationRestriction", false, |given| {
        Ok(Box::new(pod_toleration_restriction::PodTolerationRestriction::new(given)))
    }),
    ("EventRateLimit", false, |given| Ok(Box::new(event_rate_limit::EventRateLimit::new(given)?))),
    ("ExtendedResourceToleration", false, |_| Ok(Box::new(extended_resource_toleration::ExtendedResourceToleration))),
    ("DefaultStorageClass", true, |_| Ok(Box::new(default_class::DefaultStorageClass))),
    ("StorageObjectInUseProtection", true, |_| {
        Ok(Box::new(storage_object_in_use_protection::StorageObjectInUseProtection))
    }),
    ("PodGroupProtection", true, |_| Ok(Box::new(gated::Gated("PodGroupProtection")))),
    ("OwnerReferencesPermissionEnforcement", false, |_| {
        Ok(Box::new(owner_references_permission_enforcement::OwnerReferencesPermissionEnforcement))
    }),
    ("PersistentVolumeClaimResize", true, |_| {
        Ok(Box::new(persistent_volume_claim_resize::PersistentVolumeClaimResize))
    }),
    ("RuntimeClass", true, |_| Ok(Box::new(runtime_class::RuntimeClass))),
    ("CertificateApproval", true, |_| Ok(Box::new(certificate_approval::CertificateApproval))),
    ("CertificateSigning", true, |_| Ok(Box::new(certificate_signing::CertificateSigning))),
    ("ClusterTrustBundleAttest", true, |_| Ok(Box::new(cluster_trust_bundle_attest::ClusterTrustBundleAttest))),
    ("CertificateSubjectRestriction", true, |_| {
        Ok(Box::new(certificate_subject_restriction::CertificateSubjectRestriction))
    }),
    ("DefaultIngressClass", true, |_| Ok(Box::new(default_class::DefaultIngressClass))),
    ("DenyServiceExternalIPs", false, |_| Ok(Box::new(deny_service_external_ips::DenyServiceExternalIPs))),
    ("PodTopologyLabels", true, |_| Ok(Box::new(pod_topology_labels::PodTopologyLabels))),
    ("PodGroupWorkloadExists", true, |_| Ok(Box::new(gated::Gated("PodGroupWorkloadExists")))),
    ("NodeDeclaredFeatureValidator", true, |_| {
        Ok(Box::new(node_declared_feature_validator::NodeDeclaredFeatureValidator))
    }),
    ("JobValidation", true, |_| Ok(Box::new(gated::Gated("JobValidation")))),
    ("PodResizeValidator", true, |_| Ok(Box::new(pod_resize_validator::PodResizeValidator))),
    ("MutatingAdmissionPolicy", true, |_| Ok(Box::new(policy::mutating::MutatingAdmissionPolicy::default()))),
    ("MutatingAdmissionWebhook", true, |_| Ok(Box::new(webhook::MutatingAdmissionWebhook::default()))),
    ("ValidatingAdmissionPolicy", true, |_| Ok(Box::new(policy::validating::ValidatingAdmissionPolicy::default()))),
    ("ValidatingAdmissionWebhook", true, |_| Ok(Box::new(webhook::ValidatingAdmissionWebhook::default()))),
    ("ResourceQuota", true, |given| Ok(Box::new(resource_quota::ResourceQuota::new(given)))),
    ("AlwaysDeny", false, |_| Ok(Box::new(always::AlwaysDeny))),
];

/// Makes a plugin of its configuration, which is null when there is none. The error says what is wrong with it.
type Make = fn(&Value) -> std::result::Result<Box<dyn Plugin>, String>;

impl Chain {
    /// The default set, with `enable` added and `disable` taken away. An unknown name is returned as the error.
    pub fn new(enable: &[&str], disable: &[&str]) -> std::result::Result<Chain, String> {
        Chain::configured(enable, disable, &Configuration::default())
    }

    /// [`Chain::new`] with what a configuration file says to the plugins.
    pub fn configured(
        enable: &[&str],
        disable: &[&str],
        configuration: &Configuration,
    ) -> std::result::Result<Chain, String> {
        let known = |name: &str| ALL.iter().any(|(plugin, _, _)| *plugin == name);
        let named = enable.iter().chain(disable).copied().chain(configuration.plugins());
        if let Some(unknown) = named.into_iter().find(|name| !known(name)) {
            return Err(format!("admission-control plugin \"{unknown}\" is unknown"));
        }
        let on = |name: &str, default: bool| (default || enable.contains(&name)) && !disable.contains(&name);
        let provisions = on(namespace_auto_provision::NAME, false);
        let mut plugins = Vec::new();
        for (name, _, make) in ALL.iter().filter(|(name, default, _)| on(name, *default)) {
            plugins.push(match *name {
                // What NamespaceAutoProvision is going to make is there.
                "NamespaceLifecycle" if provisions => Box::new(namespace_lifecycle::NamespaceLifecycle { provisions }),
                _ => make(configuration.of(name))
                    .map_err(|why| format!("couldn't init admission plugin \"{name}\": {why}"))?,
            });
        }
        Ok(Chain(plugins))
    }

    /// The names of the plugins that are on, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|plugin| plugin.name()).collect()
    }

    /// No plugin at all.
    pub fn empty() -> Chain {
        Chain(Vec::new())
    }

    /// The mutating phase from the plugin at a place on, up to one that has others asked.
    pub fn admit_from(&self, at: usize, attributes: &Attributes, object: &mut Value) -> Result<Option<Pause>> {
        self.pass(at, Phase::Mutating, attributes, |plugin| plugin.admit(attributes, object))
    }

    /// The validating phase from the plugin at a place on, up to one that has others asked.
    pub fn validate_from(&self, at: usize, attributes: &Attributes, object: &Value) -> Result<Option<Pause>> {
        self.pass(at, Phase::Validating, attributes, |plugin| plugin.validate(attributes, object))
    }

    fn pass(
        &self,
        at: usize,
        phase: Phase,
        attributes: &Attributes,
        mut run: impl FnMut(&dyn Plugin) -> Result<()>,
    ) -> Result<Option<Pause>> {
        for (i, plugin) in self.0.iter().enumerate().skip(at) {
            run(&**plugin)?;
            if let Some(asks) = plugin.asks(phase, attributes) {
                return Ok(Some(Pause { next: i.saturating_add(1), asks }));
            }
        }
        Ok(None)
    }

    /// The mutating phase of a chain in which nobody else is asked.
    pub fn admit(&self, attributes: &Attributes, object: &mut Value) -> Result<()> {
        self.admit_from(0, attributes, object).map(drop)
    }

    /// The validating phase of a chain in which nobody else is asked.
    pub fn validate(&self, attributes: &Attributes, object: &Value) -> Result<()> {
        self.validate_from(0, attributes, object).map(drop)
    }

    /// What must be committed together with the object.
    pub fn plan_side_writes(&self, attributes: &Attributes, object: &Value) -> Result<Vec<SideWrite>> {
        let mut writes = Vec::new();
        for plugin in &self.0 {
            writes.extend(plugin.plan_side_writes(attributes, object)?);
        }
        Ok(writes)
    }
}
