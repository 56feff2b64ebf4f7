//! Which rules an update may keep breaking because the stored object broke them already
//! (upstream: pkg/api/pod GetValidationOptionsFromPodSpecAndMeta).

use super::{affinity, annotations, resources, security, topology};
use crate::core::pod::containers::all_containers;
use meta::Value;
use meta::field::{ErrorList, Path};

/// How strictly a pod spec is judged. All false but `is_pod`: a new pod.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A pod and not a template.
    pub is_pod: bool,
    pub allow_invalid_deletion_cost: bool,
    pub allow_invalid_affinity_selector: bool,
    pub allow_invalid_required_node_affinity: bool,
    pub allow_invalid_spread_selector: bool,
    pub allow_match_label_keys_in_selector: bool,
    pub allow_indivisible_hugepages: bool,
    pub allow_non_local_token_path: bool,
    pub allow_host_sysctls: bool,
    pub allow_devices_in_user_namespace: bool,
    pub allow_any_selinux_change: bool,
}

impl Options {
    /// For a new pod.
    pub fn pod() -> Options {
        Options { is_pod: true, ..Options::default() }
    }

    /// For an update of a pod or template: `old` has `metadata` and `spec`.
    pub fn with_old(self, old: &Value) -> Options {
        let spec = &old["spec"];
        let root = Path::root();
        let finds = |check: &dyn Fn(&mut ErrorList)| {
            let mut errs = ErrorList::new();
            check(&mut errs);
            !errs.is_empty()
        };
        let cost = &old["metadata"]["annotations"];
        let strict = Options { is_pod: self.is_pod, ..Options::default() };
        Options {
            is_pod: self.is_pod,
            allow_invalid_deletion_cost: !annotations::deletion_cost_is_valid(cost),
            allow_invalid_affinity_selector: finds(&|errs| affinity::validate_term_selectors(spec, &root, errs)),
            allow_invalid_required_node_affinity: finds(&|errs| {
                affinity::validate_required_values(&spec["affinity"]["nodeAffinity"], &root, errs);
            }),
            allow_invalid_spread_selector: finds(&|errs| topology::validate_selectors(spec, &root, errs)),
            allow_match_label_keys_in_selector: finds(&|errs| {
                topology::validate_label_keys_of_all(spec, strict, &root, errs);
            }),
            allow_indivisible_hugepages: resources::has_indivisible_hugepages(spec),
            allow_non_local_token_path: has_non_local_token_path(spec),
            allow_host_sysctls: finds(&|errs| security::validate_host_sysctls(spec, &root, errs)),
            allow_devices_in_user_namespace: spec["hostUsers"] == Value::Bool(false)
                && all_containers(spec, &root).any(|(c, _)| !c["volumeDevices"].is_empty()),
            allow_any_selinux_change: !spec["securityContext"]["seLinuxChangePolicy"].is_null(),
        }
    }
}

fn has_non_local_token_path(spec: &Value) -> bool {
    spec["volumes"].items().iter().flat_map(|v| v["projected"]["sources"].items()).any(|source| {
        let path = &source["serviceAccountToken"]["path"];
        let mut errs = ErrorList::new();
        super::projected::validate_local_path(path.str(), &Path::root(), &mut errs);
        !errs.is_empty()
    })
}
