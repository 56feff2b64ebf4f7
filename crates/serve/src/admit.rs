//! The cluster's policy on one request: the chain of admission plugins, and the other servers that some of them have asked.
//! Whatever a request does comes through here.

use crate::judge::{Judge, Opinions};
use crate::registry::Resources;
use crate::server::{Server, StoreReader, new_uid};
use crate::warnings::Warnings;
use crate::webhooks::Webhooks;
use admission::webhook::{Call, Hook, Hooks, Judged, Mutating, Turn, Validating};
use admission::{Asks, Attributes, ImagePolicy, Notes, Operation, Pause};
use futures_util::future::join_all;
use meta::time::Timestamp;
use meta::{Gvk, Result, Value};
use resource::{Context, SideWrite, User};
use std::cell::RefCell;
use std::time::Instant;

/// A request as admission sees it.
pub struct Admission<'a> {
    pub server: &'a Server,
    pub resources: &'a Resources,
    pub user: &'a User,
    pub operation: Operation,
    pub group: &'a str,
    pub version: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
    /// "" while a generateName waits for its suffix.
    pub name: &'a str,
    /// Of the object: the resource's, or the subresource's own.
    pub kind: &'a Gvk,
    /// The stored object; `None` where there is none or it does not matter.
    pub old: Option<&'a Value>,
    /// CreateOptions, UpdateOptions, PatchOptions or DeleteOptions; null on connect.
    pub options: &'a Value,
    pub dry_run: bool,
    pub now: Timestamp,
    pub warnings: &'a Warnings,
    /// Of authorizers that had to ask other servers.
    pub opinions: Opinions,
}

impl Admission<'_> {
    /// The mutating phase. The object is null on delete. Whether a policy or another server changed something.
    pub async fn mutate(&self, object: &mut Value) -> Result<bool> {
        let (chain, mut notes) = (&self.server.admission, Notes::default());
        loop {
            let mut at = 0;
            while let Some(Pause { asks, next }) =
                self.settled(&mut notes, object, |sees, object| chain.admit_from(at, sees, object)).await?
            {
                if let Asks::MutatingWebhooks(hooks) = asks {
                    Box::pin(self.ask_in_turn(&mut notes, hooks, object)).await?;
                }
                at = next;
            }
            if !notes.rounds.begin_second() {
                return Ok(notes.rounds.is_second());
            }
        }
    }

    /// The validating phase.
    pub async fn validate(&self, object: &Value) -> Result<()> {
        let (chain, mut notes) = (&self.server.admission, Notes::default());
        let mut at = 0;
        while let Some(Pause { asks, next }) =
            self.settled(&mut notes, &mut (), |sees, ()| chain.validate_from(at, sees, object)).await?
        {
            match asks {
                Asks::ValidatingWebhooks(hooks) => Box::pin(self.ask_at_once(&mut notes, &hooks, object)).await?,
                Asks::ImagePolicy(policy) => Box::pin(self.ask_about_images(&mut notes, &policy, object)).await?,
                Asks::MutatingWebhooks(_) => {}
            }
            at = next;
        }
        Ok(())
    }

    /// What must be committed together with the object.
    pub fn plan_side_writes(&self, object: &Value) -> Result<Vec<SideWrite>> {
        self.see(&mut Notes::default(), |sees| self.server.admission.plan_side_writes(sees, object))
    }

    async fn ask_in_turn(&self, notes: &mut Notes, hooks: Hooks, object: &mut Value) -> Result<()> {
        let mut hooks = self.see(notes, |sees| Mutating::begin(hooks, sees, object));
        while let Some(turn) =
            self.settled(notes, &mut hooks, |sees, hooks| hooks.turn(sees, object, new_uid())).await?
        {
            match turn {
                Turn::Ask(call) => {
                    let began = Instant::now();
                    let arrived = self.call(&self.server.mutating_webhooks, &call).await;
                    let judged = self.see(notes, |sees| hooks.take(sees, &call, arrived, object));
                    self.settle(&call.hook, "admit", began, judged)?;
                }
                Turn::Failed(judged, hook) => self.settle(&hook, "admit", Instant::now(), judged)?,
            }
        }
        Ok(())
    }

    async fn ask_at_once(&self, notes: &mut Notes, hooks: &Hooks, object: &Value) -> Result<()> {
        let begin = |sees: &Attributes<'_>, (): &mut ()| Validating::begin(hooks, sees, object, new_uid);
        let asked = self.settled(notes, &mut (), begin).await?;
        let began = Instant::now();
        let arrived = join_all(asked.calls().map(|call| async move {
            match call {
                Some(call) => Some(self.call(&self.server.validating_webhooks, call).await),
                None => None,
            }
        }));
        let arrived = arrived.await;
        let judged = self.see(notes, |sees| asked.take(sees, arrived));
        // All of them count, and the first refusal is the answer.
        let settled = judged.into_iter().map(|(hook, judged)| self.settle(&hook, "validating", began, judged));
        settled.collect::<Vec<Result<()>>>().into_iter().collect()
    }

    async fn ask_about_images(&self, notes: &mut Notes, policy: &ImagePolicy, pod: &Value) -> Result<()> {
        let Some(reviews) = &self.server.image_reviews else { return Ok(()) };
        let review = self.see(notes, |sees| policy.question(sees, pod));
        let status = reviews.ask(&review).await;
        let status = status.as_ref().map(|status| &**status).map_err(String::as_str);
        self.see(notes, |sees| policy.take(sees, status))
    }

    async fn call(&self, webhooks: &Webhooks, call: &Call) -> std::result::Result<Value, (String, u16)> {
        let reader = StoreReader { resources: self.resources, store: &self.server.store };
        webhooks.call(&reader, call).await
    }

    /// Calls `f`, and again with the same `state` when it asked authorizers what only other servers know.
    async fn settled<S: Clone, T>(
        &self,
        notes: &mut Notes,
        state: &mut S,
        mut f: impl FnMut(&Attributes<'_>, &mut S) -> T,
    ) -> T {
        let authorizers = &self.server.authorizers;
        if !authorizers.ask_others() {
            return self.see(notes, |sees| f(sees, state));
        }
        loop {
            let (before, rounds) = (state.clone(), notes.rounds.clone());
            let answer = self.see(notes, |sees| f(sees, state));
            if !self.opinions.complete(authorizers).await {
                return answer;
            }
            *state = before;
            *notes = Notes { rounds, ..Notes::default() };
        }
    }

    fn settle(&self, hook: &Hook, phase: &'static str, began: Instant, judged: Judged) -> Result<()> {
        if judged.failed_open {
            tracing::warn!(webhook = %hook.name, "the webhook could not be asked, which its policy ignores");
        }
        self.server.metrics.webhooks.observe(&hook.name, phase, self.operation, began.elapsed(), &judged);
        judged.result
    }

    /// Calls `f` with what plugins may know. What they say besides goes to the client and the audit log.
    fn see<T>(&self, notes: &mut Notes, f: impl FnOnce(&Attributes<'_>) -> T) -> T {
        let reader = StoreReader { resources: self.resources, store: &self.server.store };
        let cell = RefCell::new(std::mem::take(notes));
        let answer = f(&Attributes {
            operation: self.operation,
            group: self.group,
            version: self.version,
            resource: self.resource,
            kind: self.kind,
            name: self.name,
            old: self.old,
            options: self.options,
            ctx: &Context {
                user: self.user,
                now: self.now,
                dry_run: self.dry_run,
                namespace: self.namespace,
                subresource: self.subresource,
                reader: &reader,
            },
            cluster: &Judge {
                authorizers: &self.server.authorizers,
                resources: self.resources,
                opinions: &self.opinions,
            },
            notes: &cell,
        });
        *notes = cell.into_inner();
        if self.opinions.are_missing() {
            return answer;
        }
        self.warnings.extend(notes.warnings.drain(..));
        let trail = &self.warnings.trail;
        notes.annotations.drain(..).for_each(|(key, text)| trail.annotate(&key, || text));
        notes.detailed_annotations.drain(..).for_each(|(key, text)| trail.annotate_request(&key, || text));
        answer
    }
}
