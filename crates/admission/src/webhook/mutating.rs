//! Mutating webhooks are asked one after the other, each with what the one before left.

use super::answer::{self, Arrived};
use super::hook::{Call, Hook, Hooks};
use super::{Failed, Judged};
use crate::{Attributes, Phase};
use meta::{Result, Status, Str, Value, json};
use patch::json::Unfit;
use std::sync::Arc;

/// All mutating webhooks of one request in one round.
#[derive(Clone)]
pub struct Mutating {
    hooks: Hooks,
    next: usize,
    /// The object before any of them.
    before: Value,
}

/// Whose turn it is.
pub enum Turn {
    /// One is asked.
    Ask(Call),
    /// One cannot be asked.
    Failed(Judged, Arc<Hook>),
}

impl Mutating {
    pub fn begin(hooks: Hooks, attributes: &Attributes, object: &Value) -> Mutating {
        let rounds = &mut attributes.notes.borrow_mut().rounds;
        let is_second = rounds.is_second();
        rounds.webhooks.begin(is_second, object);
        Mutating { hooks, next: 0, before: object.clone() }
    }

    /// The next webhook that the request is for; `None` at the end. `uid` was never used.
    ///
    /// # Errors
    /// 403 when the conditions of a webhook cannot be evaluated.
    pub fn turn(&mut self, attributes: &Attributes, object: &Value, uid: Str) -> Result<Option<Turn>> {
        while let Some(hook) = self.hooks.get(self.next).cloned() {
            self.next = self.next.saturating_add(1);
            let Some(form) = hook.select(attributes, &self.before, object)? else { continue };
            let is_due = {
                let rounds = &attributes.notes.borrow().rounds;
                !rounds.is_second() || rounds.webhooks.is_due_again(&hook.key)
            };
            if !is_due {
                continue;
            }
            return match hook.ask(attributes, object, form, uid) {
                Ok(call) => Ok(Some(Turn::Ask(call))),
                Err(failed) => Ok(Some(Turn::Failed(self.settle(attributes, &hook, Err(failed)), hook))),
            };
        }
        attributes.notes.borrow_mut().rounds.webhooks.end(object);
        Ok(None)
    }

    /// What the answer to the last turn's call means; it may change the object.
    pub fn take(&self, attributes: &Attributes, call: &Call, arrived: Arrived, object: &mut Value) -> Judged {
        let result = self.change(attributes, call, arrived, object);
        self.settle(attributes, &call.hook, result)
    }

    /// Notes what came of a webhook: whether the object is another now.
    fn settle(&self, attributes: &Attributes, hook: &Hook, result: std::result::Result<bool, Failed>) -> Judged {
        let changed = matches!(result, Ok(true));
        let (configuration, name) = (json_text(&hook.configuration), json_text(&hook.name));
        let text = format!("{{\"configuration\":{configuration},\"webhook\":{name},\"mutated\":{changed}}}");
        attributes.annotate(&self.key(attributes, "mutation"), text);
        {
            let rounds = &mut attributes.notes.borrow_mut().rounds;
            if changed {
                rounds.webhooks.repeat_done();
                rounds.want_second();
            }
            if hook.may_repeat() {
                rounds.webhooks.note_done(&hook.key);
            }
        }
        let judged = Judged::of(hook, result.map(drop));
        if judged.failed_open {
            attributes.annotate(&self.key(attributes, "failed-open.mutation"), hook.name.as_str());
        }
        judged
    }

    /// The key of an annotation about the last turn.
    fn key(&self, attributes: &Attributes, about: &str) -> String {
        let round = u8::from(attributes.notes.borrow().rounds.is_second());
        format!("{about}.webhook.admission.k8s.io/round_{round}_index_{}", self.next.saturating_sub(1))
    }

    fn change(
        &self,
        attributes: &Attributes,
        call: &Call,
        arrived: Arrived,
        object: &mut Value,
    ) -> std::result::Result<bool, Failed> {
        let Some(patch) = answer::read(attributes, call, Phase::Mutating, arrived)? else { return Ok(false) };
        let undecodable = |why: &str| Failed::Calling {
            why: format!("received undecodable patch in webhook response: {why}"),
            code: 503,
        };
        if !matches!(patch, Value::Null | Value::Array(_)) {
            let found = patch::json::go_json_kind(&patch);
            return Err(undecodable(&format!("json: cannot unmarshal {found} into Go value of type jsonpatch.Patch")));
        }
        let operations = patch::json::operations(&patch).map_err(|why| undecodable(&why.message))?;
        if operations.is_empty() {
            return Ok(false);
        }
        let own = |why: String| Failed::Own(Status::internal(why));
        let name = meta::field::quote(&call.hook.name);
        if object.is_null() {
            let why = "attempted to modify the object, which is not supported for this operation";
            return Err(own(format!("admission webhook {name} {why}")));
        }
        let mut written = attributes.cluster.written(&call.form, object);
        patch::json::apply_explained(&mut written, operations).map_err(|why| match why {
            Unfit::Test(why) | Unfit::Operation(why) => own(why),
        })?;
        let changed = attributes.cluster.read(&call.form, written, object).map_err(own)?;
        let (configuration, name) = (json_text(&call.hook.configuration), json_text(&call.hook.name));
        let operations = json::to_string(&patch);
        let text = format!(
            "{{\"configuration\":{configuration},\"webhook\":{name},\"patch\":{operations},\"patchType\":\"JSONPatch\"}}"
        );
        let key = self.key(attributes, "patch").into();
        attributes.notes.borrow_mut().detailed_annotations.push((key, text));
        let is_other = changed != *object;
        *object = changed;
        Ok(is_other)
    }
}

fn json_text(text: &str) -> String {
    json::to_string(&Value::from(text))
}
