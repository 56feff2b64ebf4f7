//! What admission plugins may ask of the server besides what is stored.

use crate::authorize::{Attributes, Authorizers, Target};
use crate::registry::Resources;
use admission::{Cluster, Question, Served};
use resource::User;

/// The server as admission plugins see it.
pub struct Judge<'a> {
    pub authorizers: &'a Authorizers,
    pub resources: &'a Resources,
}

impl Cluster for Judge<'_> {
    fn allows(&self, user: &User, question: &Question) -> bool {
        self.authorizers.decide_at_once(&Attributes {
            user,
            verb: question.verb,
            path: "",
            resource: Some(Target {
                group: question.group,
                version: question.version,
                resource: question.resource,
                subresource: question.subresource,
                namespace: question.namespace,
                name: question.name,
            }),
            selection: Default::default(),
        })
    }

    fn allows_path(&self, user: &User, verb: &str, path: &str) -> bool {
        self.authorizers.decide_at_once(&Attributes { user, verb, path, resource: None, selection: Default::default() })
    }

    fn resources_of(&self, group: &str, version: &str, kind: &str) -> Vec<Served> {
        let of_kind =
            self.resources.all().map(|endpoint| &endpoint.descriptor).filter(|descriptor| {
                descriptor.group == group && descriptor.version == version && descriptor.kind == kind
            });
        of_kind.map(|d| Served { plural: d.plural.clone(), namespaced: d.namespaced }).collect()
    }
}
