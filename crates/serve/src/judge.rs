//! What admission plugins may ask of the server besides what is stored.
//!
//! Plugins cannot wait, and some authorizers have to ask another server. A question that cannot be answered at once is
//! noted ([`Opinions`]); whoever called the plugins has it answered and calls them again. Until then what they decide is
//! worth nothing.

use crate::authorize::{Attributes, Authorizers, Decision, Target};
use crate::registry::{Endpoint, Resources};
use crate::{form, scale};
use admission::{Cluster, Form, Question, Served};
use meta::{Str, Value, json};
use resource::{Subresource, User};
use schema::{Schema, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many questions of one request are answered by other servers; what is asked beyond that is refused.
const OPINIONS_MAX: usize = 256;

/// The server as admission plugins see it.
pub struct Judge<'a> {
    pub authorizers: &'a Authorizers,
    pub resources: &'a Resources,
    pub opinions: &'a Opinions,
}

/// What the authorizers said to the questions of one request that took waiting.
#[derive(Debug, Default)]
pub struct Opinions(Mutex<Vec<Opinion>>);

#[derive(Debug)]
struct Opinion {
    asked: Asked,
    /// `None`: it is not known yet.
    allowed: Option<bool>,
}

/// [`Attributes`] that outlive who asked.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    user: User,
    verb: Str,
    path: Str,
    /// Group, version, resource, subresource, namespace and name.
    target: Option<[Str; 6]>,
}

impl Asked {
    fn of(attributes: &Attributes) -> Asked {
        let target = attributes
            .resource
            .map(|t| [t.group, t.version, t.resource, t.subresource, t.namespace, t.name].map(Str::from));
        Asked { user: attributes.user.clone(), verb: attributes.verb.into(), path: attributes.path.into(), target }
    }

    async fn is_allowed(&self, authorizers: &Authorizers) -> bool {
        let resource = self.target.as_ref().map(|[group, version, resource, subresource, namespace, name]| Target {
            group,
            version,
            resource,
            subresource,
            namespace,
            name,
        });
        let attributes = Attributes {
            user: &self.user,
            verb: &self.verb,
            path: &self.path,
            resource,
            selection: Default::default(),
        };
        matches!(authorizers.decide(&attributes).await, Decision::Allow(_))
    }
}

impl Opinions {
    fn lock(&self) -> MutexGuard<'_, Vec<Opinion>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known; until it is, the question is noted and refused.
    fn allows(&self, attributes: &Attributes) -> bool {
        let (asked, mut known) = (Asked::of(attributes), self.lock());
        match known.iter().find(|opinion| opinion.asked == asked) {
            Some(opinion) => opinion.allowed == Some(true),
            None if known.len() >= OPINIONS_MAX => false,
            None => {
                known.push(Opinion { asked, allowed: None });
                false
            }
        }
    }

    /// Whether something was decided without an answer: then it is worth nothing.
    pub fn are_missing(&self) -> bool {
        self.lock().iter().any(|opinion| opinion.allowed.is_none())
    }

    /// By their places.
    fn missing(&self) -> BTreeMap<usize, Asked> {
        let known = self.lock();
        let missing = known.iter().enumerate().filter(|(_, opinion)| opinion.allowed.is_none());
        missing.map(|(at, opinion)| (at, opinion.asked.clone())).collect()
    }

    /// Asks for what is missing. True: there was something, and all must be decided again.
    pub async fn complete(&self, authorizers: &Authorizers) -> bool {
        let missing = self.missing();
        for (at, asked) in &missing {
            let allowed = asked.is_allowed(authorizers).await;
            if let Some(opinion) = self.lock().get_mut(*at) {
                opinion.allowed = Some(allowed);
            }
        }
        !missing.is_empty()
    }
}

/// What an object of a form is.
enum Kind<'a> {
    /// The resource's own.
    Own(&'a Arc<Endpoint>),
    /// A view of the resource's: its plugins see the resource.
    Scale(&'a Arc<Endpoint>, &'a Subresource),
    /// What a subresource is sent.
    Other,
}

impl<'a> Judge<'a> {
    fn decide(&self, attributes: &Attributes) -> bool {
        match self.authorizers.decide_at_once(attributes) {
            Some(decision) => matches!(decision, Decision::Allow(_)),
            None => self.opinions.allows(attributes),
        }
    }

    fn kind(&self, of: &Form) -> Kind<'a> {
        let Some(endpoint) = self.resources.endpoint(&of.group, &of.version, &of.resource) else { return Kind::Other };
        let d = &endpoint.descriptor;
        if d.gvk() == of.kind {
            return Kind::Own(endpoint);
        }
        let scale = d.subresources.iter().find(|part| part.kind == of.kind && of.kind == scale::gvk());
        scale.map_or(Kind::Other, |part| Kind::Scale(endpoint, part))
    }
}

impl Cluster for Judge<'_> {
    fn allows(&self, user: &User, question: &Question) -> bool {
        self.decide(&Attributes {
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
        self.decide(&Attributes { user, verb, path, resource: None, selection: Default::default() })
    }

    fn resources_of(&self, group: &str, version: &str, kind: &str) -> Vec<Served> {
        let of_kind =
            self.resources.all().map(|endpoint| &endpoint.descriptor).filter(|descriptor| {
                descriptor.group == group && descriptor.version == version && descriptor.kind == kind
            });
        of_kind.map(|d| Served { plural: d.plural.clone(), namespaced: d.namespaced }).collect()
    }

    fn equivalents(&self, sent: &Form, subresource: &str) -> Vec<Form> {
        let Some(own) = self.resources.endpoint(&sent.group, &sent.version, &sent.resource) else { return vec![] };
        let others = self.resources.all().filter(|e| !e.prefix.is_empty() && e.prefix == own.prefix);
        let mut forms: Vec<Form> = others
            .filter(|e| !Arc::ptr_eq(e, own))
            .filter_map(|e| {
                let d = &e.descriptor;
                let kind = match subresource {
                    "" => d.gvk(),
                    name => d.subresource(name)?.kind.clone(),
                };
                Some(Form { group: d.group.clone(), version: d.version.clone(), resource: d.plural.clone(), kind })
            })
            .collect();
        forms.sort_by(|a, b| (&a.group, &a.version).cmp(&(&b.group, &b.version)));
        forms
    }

    fn converted(&self, of: &Form, object: &Value) -> Option<Value> {
        if object.is_null() {
            return None;
        }
        match self.kind(of) {
            Kind::Own(e) if e.descriptor.convert.is_some() => Some(form::to_served(&e.descriptor, object.clone())),
            Kind::Scale(e, part) if object["kind"].str() != "Scale" => {
                Some(scale::of_parent(&part.does, &form::to_served(&e.descriptor, object.clone())))
            }
            _ => None,
        }
    }

    fn written(&self, of: &Form, object: &Value) -> Value {
        let converted = self.converted(of, object);
        let shown = converted.as_ref().unwrap_or(object);
        let mut text = Vec::new();
        match (self.kind(of), schema::builtin().kind(&of.kind)) {
            (Kind::Own(e), _) => form::encode_served_json(&e.descriptor, shown, &mut text),
            (_, Some(ty)) => codec::encode_json(&schema::builtin(), ty, shown, &mut text),
            (_, None) => json::write(shown, &mut text),
        }
        json::parse(&text).map_or_else(|_| shown.clone(), |parsed| parsed.value)
    }

    fn type_of(&self, of: &Form) -> Option<(Arc<Schema>, TypeId)> {
        match self.kind(of) {
            Kind::Own(e) => Some((e.descriptor.schema.clone(), e.descriptor.type_id)),
            // Upstream looks for the type in what is published of the kind's own version, where views of others are not.
            Kind::Other if (&of.kind.group, &of.kind.version) == (&of.group, &of.version) => {
                schema::builtin().kind(&of.kind).map(|ty| (schema::builtin(), ty))
            }
            Kind::Scale(..) | Kind::Other => None,
        }
    }

    fn unknown_in(&self, of: &Form, written: &Value) -> Vec<String> {
        match self.kind(of) {
            // Custom resources have no type that is decoded into.
            Kind::Own(e) if !e.descriptor.stored_as_json => {
                let d = &e.descriptor;
                codec::canonicalise(&d.schema, d.type_id, &mut written.clone())
                    .map(|found| found.strict)
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn read(&self, of: &Form, mut written: Value, before: &Value) -> Result<Value, String> {
        match self.kind(of) {
            Kind::Own(e) => {
                let d = &e.descriptor;
                codec::canonicalise(&d.schema, d.type_id, &mut written).map_err(|why| why.text)?;
                Ok(form::default_served(d, written))
            }
            Kind::Scale(e, part) => {
                let mut parent = form::to_served(&e.descriptor, before.clone());
                scale::set_replicas(&part.does, &mut parent, written["spec"]["replicas"].int());
                Ok(form::to_storage(&e.descriptor, parent))
            }
            Kind::Other => {
                let schema = schema::builtin();
                if let Some(ty) = schema.kind(&of.kind) {
                    codec::canonicalise(&schema, ty, &mut written).map_err(|why| why.text)?;
                }
                Ok(written)
            }
        }
    }
}
