//! The authorizers that decide by themselves: RBAC and the node authorizer, over indexes that follow the store, and ABAC.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use auth::abac::Policy;
use auth::escalation;
use auth::node::{Graph, NodeAuthorizer};
use auth::rbac::Rbac;
use meta::{Status, Value, value};
use resource::{Reader as _, User};
use serve::authenticate::Answer;
use serve::authorize::{Attributes, Authorizer, Decision, Grants};
use serve::{Resources, StoreReader};
use store::{Cursor, Store};

/// What is made from the objects of some resources, one change at a time.
pub trait Index: Default + Send + Sync + 'static {
    /// Group and plural of each.
    const RESOURCES: &'static [(&'static str, &'static str)];

    /// `None`: the object is gone.
    fn set(&mut self, group: &str, resource: &str, namespace: &str, name: &str, object: Option<&Value>);
}

impl Index for Rbac {
    const RESOURCES: &'static [(&'static str, &'static str)] = &[
        (auth::rbac::GROUP, "clusterroles"),
        (auth::rbac::GROUP, "clusterrolebindings"),
        (auth::rbac::GROUP, "roles"),
        (auth::rbac::GROUP, "rolebindings"),
    ];

    fn set(&mut self, _: &str, resource: &str, namespace: &str, name: &str, object: Option<&Value>) {
        Rbac::set(self, resource, namespace, name, object);
    }
}

impl Index for Graph {
    const RESOURCES: &'static [(&'static str, &'static str)] = &[
        ("", "pods"),
        ("", "persistentvolumes"),
        ("storage.k8s.io", "volumeattachments"),
        ("resource.k8s.io", "resourceslices"),
    ];

    fn set(&mut self, group: &str, resource: &str, namespace: &str, name: &str, object: Option<&Value>) {
        Graph::set(self, group, resource, namespace, name, object);
    }
}

/// An index that is made when it is first asked, and brought up to date whenever it is asked: an answer never misses a
/// write that was acknowledged before the question.
pub struct Followed<I> {
    store: Store,
    resources: Arc<Resources>,
    /// The store's revision when the index was last brought up to date.
    seen: AtomicU64,
    state: RwLock<State<I>>,
}

struct State<I> {
    index: I,
    /// One for each resource; none before the first question, and after history was lost.
    cursors: Vec<Cursor>,
}

impl<I: Index> Followed<I> {
    pub fn new(store: Store, resources: Arc<Resources>) -> Followed<I> {
        let state = RwLock::new(State { index: I::default(), cursors: vec![] });
        Followed { store, resources, seen: AtomicU64::new(0), state }
    }

    pub fn ask<T>(&self, question: impl FnOnce(&I) -> T) -> T {
        let newest = self.store.revision();
        if self.seen.load(Ordering::Acquire) != newest {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            if !self.follow(&mut state) {
                self.rebuild(&mut state);
            }
            self.seen.store(newest, Ordering::Release);
        }
        question(&self.state.read().unwrap_or_else(PoisonError::into_inner).index)
    }

    /// Takes over what has changed; false when that is not known.
    fn follow(&self, state: &mut State<I>) -> bool {
        let reader = StoreReader { resources: &self.resources, store: &self.store };
        for (cursor, (group, resource)) in state.cursors.iter_mut().zip(I::RESOURCES) {
            loop {
                let event = match cursor.try_next() {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(_) => return false,
                };
                let (namespace, name) = (&event.object.meta.namespace, &event.object.meta.name);
                let object = reader.get(group, resource, namespace, name);
                state.index.set(group, resource, namespace, name, object.as_ref());
            }
        }
        !state.cursors.is_empty()
    }

    fn rebuild(&self, state: &mut State<I>) {
        *state = State { index: I::default(), cursors: vec![] };
        let reader = StoreReader { resources: &self.resources, store: &self.store };
        let after = self.store.revision();
        for (group, resource) in I::RESOURCES {
            for object in reader.list(group, resource, "") {
                let metadata = &object["metadata"];
                let (namespace, name) = (metadata["namespace"].str(), metadata["name"].str());
                state.index.set(group, resource, namespace, name, Some(&object));
            }
            let prefix = self.resources.stored(group, resource).map(|endpoint| endpoint.prefix.clone());
            match self.store.watch(&prefix.unwrap_or_default(), after) {
                Ok(cursor) => state.cursors.push(cursor),
                // Without all cursors the next question begins anew.
                Err(_) => return state.cursors.clear(),
            }
        }
    }
}

/// `--authorization-mode=RBAC`
pub struct RbacMode(pub Arc<Followed<Rbac>>);

impl Authorizer for RbacMode {
    fn authorize<'a>(&'a self, attributes: &'a Attributes<'a>) -> Answer<'a, Decision> {
        Answer::Now(decision(self.0.ask(|rbac| rbac.authorize(&question(attributes)))))
    }

    fn rules(&self, user: &User, namespace: &str) -> Option<Value> {
        Some(self.0.ask(|rbac| rbac.review(&user.name, &user.groups, namespace)))
    }
}

impl Grants for Followed<Rbac> {
    fn check(&self, write: &escalation::Write) -> Result<(), Status> {
        self.ask(|rbac| escalation::check(rbac, write))
    }
}

/// `--authorization-mode=ABAC`
pub struct AbacMode(pub Policy);

impl Authorizer for AbacMode {
    fn authorize<'a>(&'a self, attributes: &'a Attributes<'a>) -> Answer<'a, Decision> {
        Answer::Now(decision(self.0.authorize(&question(attributes))))
    }

    fn rules(&self, user: &User, namespace: &str) -> Option<Value> {
        Some(self.0.review(&user.name, &user.groups, namespace))
    }
}

/// `--authorization-mode=Node`
pub struct NodeMode {
    pub graph: Followed<Graph>,
    pub rules: NodeAuthorizer,
}

impl Authorizer for NodeMode {
    fn authorize<'a>(&'a self, attributes: &'a Attributes<'a>) -> Answer<'a, Decision> {
        if auth::node::node_name(&attributes.user.name, &attributes.user.groups).is_none() {
            return Answer::Now(Decision::NoOpinion(String::new()));
        }
        let decided = self.graph.ask(|graph| self.rules.authorize(graph, &question(attributes)));
        Answer::Now(decision(decided))
    }

    fn rules(&self, user: &User, _: &str) -> Option<Value> {
        let why = "node authorizer does not support user rule resolution";
        auth::node::node_name(&user.name, &user.groups).map(|_| value!({"incomplete": true, "evaluationError": why}))
    }
}

fn question<'a>(attributes: &'a Attributes<'a>) -> auth::Attributes<'a> {
    let target = attributes.resource.unwrap_or_default();
    auth::Attributes {
        user: &attributes.user.name,
        groups: &attributes.user.groups,
        verb: attributes.verb,
        group: target.group,
        resource: target.resource,
        subresource: target.subresource,
        namespace: target.namespace,
        name: target.name,
        path: attributes.path,
        selection: attributes.selection,
    }
}

fn decision(decided: auth::Decision) -> Decision {
    match decided {
        auth::Decision::Allow(reason) => Decision::Allow(reason),
        auth::Decision::NoOpinion(reason) => Decision::NoOpinion(reason),
    }
}
