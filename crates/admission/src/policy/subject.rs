//! A request with its objects as the expressions of a policy see them.

use super::evaluate::{Given, object as or_null};
use super::request::{Asked, request, resource_question};
use crate::Form;
use crate::matching::Candidate;
use cel::Value as Cel;
use meta::Value;

/// A request as a policy sees it.
pub struct Subject<'a> {
    pub candidate: &'a Candidate<'a>,
    request: Value,
    /// The objects where they have another form than the candidate's.
    new: Option<Value>,
    old: Option<Value>,
    asked: Asked<'a>,
}

impl<'s> Subject<'s> {
    pub fn new(candidate: &'s Candidate<'s>, form: &Form) -> Subject<'s> {
        let attributes = candidate.attributes;
        let converted = |object: &Value| attributes.cluster.converted(form, object);
        Subject {
            candidate,
            request: request(attributes, form),
            new: converted(candidate.object),
            old: attributes.old.and_then(converted),
            asked: Asked(attributes),
        }
    }

    /// The variables' values. `spec` is the policy's.
    pub fn given<'a>(&'a self, spec: &Value, param: Option<&'a Value>) -> Given<'a> {
        let candidate = self.candidate;
        let object = Some(self.new.as_ref().unwrap_or(candidate.object)).filter(|object| !object.is_null());
        let mut given = vec![
            ("object", or_null(object)),
            ("oldObject", or_null(self.old.as_ref().or(candidate.attributes.old))),
            ("request", Cel::data(&self.request)),
            ("namespaceObject", or_null(candidate.namespace)),
            ("authorizer", Cel::authorizer(&self.asked)),
            ("authorizer.requestResource", Cel::resource_check(&self.asked, resource_question(candidate.attributes))),
        ];
        if !spec["paramKind"].is_null() {
            given.push(("params", or_null(param)));
        }
        given
    }
}
