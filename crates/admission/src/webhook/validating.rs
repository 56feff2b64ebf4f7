//! Validating webhooks are asked all at once; the first of them that does not let the request pass refuses it.

use super::answer::{self, Arrived};
use super::hook::{Call, Hook, Hooks};
use super::{Failed, Judged};
use crate::{Attributes, Phase};
use meta::{Result, Str, Value};
use std::sync::Arc;

/// All validating webhooks that a request is for.
pub struct Validating(Vec<(Arc<Hook>, std::result::Result<Call, Failed>)>);

impl Validating {
    /// Decides who is asked. `uid` makes one that was never used.
    ///
    /// # Errors
    /// 403 when the conditions of a webhook cannot be evaluated.
    pub fn begin(hooks: &Hooks, attributes: &Attributes, object: &Value, uid: impl Fn() -> Str) -> Result<Validating> {
        let mut asked = Vec::new();
        for hook in hooks.iter() {
            if let Some(form) = hook.select(attributes, object, object)? {
                asked.push((hook.clone(), hook.ask(attributes, object, form, uid())));
            }
        }
        Ok(Validating(asked))
    }

    /// The questions; `None` for those that cannot be asked.
    pub fn calls(&self) -> impl Iterator<Item = Option<&Call>> {
        self.0.iter().map(|(_, call)| call.as_ref().ok())
    }

    /// What the answers mean, in the order of the calls: nothing where none could arrive.
    pub fn take(self, attributes: &Attributes, arrived: Vec<Option<Arrived>>) -> Vec<(Arc<Hook>, Judged)> {
        let mut judged = Vec::with_capacity(self.0.len());
        for (i, ((hook, call), arrived)) in self.0.into_iter().zip(arrived).enumerate() {
            let result = match (call, arrived) {
                (Ok(call), Some(arrived)) => answer::read(attributes, &call, Phase::Validating, arrived).map(drop),
                (Err(failed), _) => Err(failed),
                (Ok(_), None) => {
                    Err(Failed::Calling { why: "failed to call webhook: it was not asked".into(), code: 503 })
                }
            };
            let found = Judged::of(&hook, result);
            if found.failed_open {
                let key = format!("failed-open.validating.webhook.admission.k8s.io/round_0_index_{i}");
                attributes.annotate(&key, hook.name.as_str());
            }
            judged.push((hook, found));
        }
        judged
    }
}
