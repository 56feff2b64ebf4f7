//! Plugins that upstream turns on with features that are off: GenericWorkload and WorkloadWithJob, alpha in 1.36. Without
//! them there are no PodGroups and no Workloads, and the plugins, which are on by default, let everything pass.

use crate::Plugin;

/// PodGroupProtection, PodGroupWorkloadExists or JobValidation.
pub struct Gated(pub &'static str);

impl Plugin for Gated {
    fn name(&self) -> &'static str {
        self.0
    }
}
