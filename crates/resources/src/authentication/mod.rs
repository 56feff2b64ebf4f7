//! authentication.k8s.io: reviews, answered and not stored.

use resource::{Descriptor, Verb};
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    let review = |kind: &str, plural: &str| {
        Descriptor::builtin(schema, "authentication.k8s.io", "v1", kind, plural)
            .cluster_scoped()
            .verbs(&[Verb::Create])
            .not_stored()
    };
    vec![review("SelfSubjectReview", "selfsubjectreviews"), review("TokenReview", "tokenreviews")]
}
