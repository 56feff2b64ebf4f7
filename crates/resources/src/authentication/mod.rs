//! authentication.k8s.io: reviews, answered and not stored.

use resource::{Descriptor, Review};
use schema::Schema;
use std::sync::Arc;

pub fn all(schema: &Arc<Schema>) -> Vec<Descriptor> {
    let review = |kind: &str, plural: &str, review: Review| {
        Descriptor::builtin(schema, "authentication.k8s.io", "v1", kind, plural).cluster_scoped().review(review)
    };
    vec![
        review("SelfSubjectReview", "selfsubjectreviews", Review::Sender),
        review("TokenReview", "tokenreviews", Review::Token),
    ]
}
