//! The works that are measured, in their order.

use super::process::Watched;
use super::report::{Report, Row};
use super::target::{Access, Call, JSON, Target};
use super::{Amounts, load, objects};
use http::Method;
use http_body_util::BodyExt as _;
use objects::{NAMESPACE, pod_name, pods_path};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const PARTIAL: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const PARTIAL_PROTOBUF: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
/// Lists of everything are repeated so often.
const LISTS: usize = 10;
/// Deployments that are applied in turn.
const DEPLOYMENTS: usize = 100;
/// Watches on one connection: servers bound them.
const WATCHES_PER_CONNECTION: usize = 90;
/// A watcher that waits so long for an event waits in vain.
const WATCH_TIMEOUT: Duration = Duration::from_secs(60);

/// A run in progress.
pub struct Works<'a> {
    pub target: Target,
    pub watched: Watched,
    pub amounts: Amounts,
    pub report: Report,
    /// Empty: all.
    pub only: Vec<&'a str>,
}

impl Works<'_> {
    /// What the works need; may be there already.
    pub async fn prepare(&self) -> Result<(), String> {
        let accounts = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts");
        let account = Call::send(Method::POST, accounts, objects::service_account());
        for call in [Call::send(Method::POST, "/api/v1/namespaces", objects::namespace()), account] {
            match self.target.count(0, call).await {
                Err(why) if !why.contains("409") => return Err(why),
                _ => {}
            }
        }
        Ok(())
    }

    pub fn note_memory(&mut self, when: &str) {
        if let Some(memory) = self.watched.memory() {
            self.report.add_memory(when, memory);
        }
    }

    /// What one byte of the pods' encoding costs in memory, everything else in the process included.
    async fn note_stored(&mut self) -> Result<(), String> {
        let stored = self.target.count(0, Call::get(pods_path()).accepting(PROTOBUF)).await?;
        if let Some(memory) = self.watched.memory() {
            self.report.set_stored(memory, stored);
        }
        Ok(())
    }

    pub async fn run_all(&mut self, access: &Access) -> Result<(), String> {
        self.create_pods().await?;
        self.note_memory("with all pods");
        let calls = self.amounts.calls;
        let pods = self.amounts.pods;
        let get = move |n: usize| Call::get(format!("{}/{}", pods_path(), pod_name(n * 7919 % pods)));
        self.measure("get pod", calls, get).await?;
        let patch = move |n: usize| {
            let path = format!("{}/{}/status", pods_path(), pod_name(n % pods));
            Call::send(Method::PATCH, path, objects::status_patch(n)).typed(STRATEGIC)
        };
        self.measure("status patch (strategic merge)", pods, patch).await?;
        self.update_leases().await?;
        self.lists().await?;
        self.watch_fan_out(access).await?;
        let apply = |n: usize| {
            let name = n % DEPLOYMENTS;
            let path =
                format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/web-{name:04}?fieldManager=bench&force=true");
            Call::send(Method::PATCH, path, objects::deployment(name, n % 7 + 1)).typed(APPLY)
        };
        self.measure("server-side apply of a deployment", calls.min(5000), apply).await?;
        self.note_memory("after the run");
        self.note_stored().await?;
        self.select_rare().await?;
        Ok(())
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only))
    }

    /// A work of `count` calls.
    async fn measure<C>(&mut self, name: &str, count: usize, call: C) -> Result<(), String>
    where
        C: Fn(usize) -> Call + Clone + Send + Sync + 'static,
    {
        self.measure_with(name, self.amounts.workers, count, call).await
    }

    async fn measure_with<C>(&mut self, name: &str, workers: usize, count: usize, call: C) -> Result<(), String>
    where
        C: Fn(usize) -> Call + Clone + Send + Sync + 'static,
    {
        if !self.wants(name) {
            return Ok(());
        }
        let target = self.target.clone();
        let work = move |worker: usize, n: usize| {
            let (target, call) = (target.clone(), call(n));
            async move { target.count(worker, call).await }
        };
        let row = load::run(name, &self.watched, workers, count, work).await?;
        self.report.add(row);
        Ok(())
    }

    async fn create_pods(&mut self) -> Result<(), String> {
        let target = self.target.clone();
        let work = move |worker: usize, n: usize| {
            let (target, call) = (target.clone(), Call::send(Method::POST, pods_path(), objects::pod(n)));
            async move { target.count(worker, call).await }
        };
        let row = load::run("create pod", &self.watched, self.amounts.workers, self.amounts.pods, work).await?;
        self.report.add(row);
        Ok(())
    }

    /// Every worker has one lease and renews it, as a node does.
    async fn update_leases(&mut self) -> Result<(), String> {
        const NAME: &str = "lease update";
        if !self.wants(NAME) {
            return Ok(());
        }
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
        let mut revisions = Vec::new();
        for n in 0..self.amounts.workers {
            let body = self.target.fetch(n, Call::send(Method::POST, &*path, objects::lease(n, "", 0))).await?;
            revisions.push(Arc::new(tokio::sync::Mutex::new(revision_of(&body)?)));
        }
        let (target, revisions) = (self.target.clone(), Arc::new(revisions));
        let work = move |worker: usize, n: usize| {
            let (target, path, revisions) = (target.clone(), path.clone(), revisions.clone());
            async move {
                let Some(own) = revisions.get(worker) else { return Err("no lease".to_owned()) };
                let mut revision = own.lock().await;
                let body = objects::lease(worker, &revision, n);
                let call = Call::send(Method::PUT, format!("{path}/node-{worker:05}"), body);
                let body = target.fetch(worker, call).await?;
                *revision = revision_of(&body)?;
                Ok(body.len() as u64)
            }
        };
        let row = load::run(NAME, &self.watched, self.amounts.workers, self.amounts.calls, work).await?;
        self.report.add(row);
        Ok(())
    }

    async fn lists(&mut self) -> Result<(), String> {
        let pods = self.amounts.pods;
        let all = pods_path();
        for (name, accept) in [("JSON", JSON), ("protobuf", PROTOBUF), ("Table", TABLE)] {
            let path = all.clone();
            let call = move |_| Call::get(path.clone()).accepting(accept);
            self.measure_with(&format!("list {pods} pods, {name}"), 1, LISTS, call).await?;
        }
        for (name, accept) in [("JSON", PARTIAL), ("protobuf", PARTIAL_PROTOBUF)] {
            let path = all.clone();
            let call = move |_| Call::get(path.clone()).accepting(accept);
            self.measure_with(&format!("list {pods} pods, metadata, {name}"), 1, LISTS, call).await?;
        }
        // Those above are consistent: as new as all that was acknowledged before them.
        let path = format!("{all}?resourceVersion=0");
        self.measure_with(&format!("list {pods} pods, JSON, any version"), 1, LISTS, move |_| Call::get(path.clone()))
            .await?;
        self.list_exact().await?;
        self.pages().await?;
        let path = all.clone();
        let call = move |n: usize| Call::get(format!("{path}?labelSelector=group%3Dg-{}", n % objects::GROUPS));
        self.measure(&format!("label selector, {} of {pods}", pods.div_ceil(objects::GROUPS)), 500, call).await?;
        let nodes = pods.div_ceil(objects::PODS_PER_NODE);
        let call = move |n: usize| Call::get(format!("{all}?fieldSelector=spec.nodeName%3Dnode-{:05}", n % nodes));
        self.measure(&format!("spec.nodeName selector, {} of {pods}", objects::PODS_PER_NODE), 5000, call).await
    }

    /// The list as it was before the last changes of pods.
    async fn list_exact(&mut self) -> Result<(), String> {
        let name = format!("list {} pods, JSON, an exact revision", self.amounts.pods);
        if !self.wants(&name) {
            return Ok(());
        }
        let revision = revision_of(&self.target.fetch(0, Call::get(format!("{}?limit=1", pods_path()))).await?)?;
        for n in 0..100 {
            let path = format!("{}/{}", pods_path(), pod_name(n % self.amounts.pods));
            self.target
                .count(
                    n,
                    Call::send(Method::PATCH, path, objects::annotation_patch(&format!("exact {n}"))).typed(MERGE),
                )
                .await?;
        }
        let path = format!("{}?resourceVersion={revision}&resourceVersionMatch=Exact", pods_path());
        self.measure_with(&name, 1, LISTS, move |_| Call::get(path.clone())).await
    }

    /// Ten of very many.
    async fn select_rare(&mut self) -> Result<(), String> {
        let objects = self.amounts.objects;
        if objects == 0 {
            return Ok(());
        }
        let path = objects::config_maps_path();
        let create = move |n: usize| Call::send(Method::POST, path.clone(), objects::config_map(n));
        self.measure("create config map", objects, create).await?;
        let (path, values) = (objects::config_maps_path(), objects.div_ceil(objects::RARE_SIZE));
        let call = move |n: usize| Call::get(format!("{path}?labelSelector=tenth%3Dt-{}", n * 7919 % values));
        let name = format!("label selector, {} of {objects} config maps", objects::RARE_SIZE);
        self.measure_with(&name, 1, 2000, call).await?;
        self.note_memory("with all config maps");
        Ok(())
    }

    /// Walks through all pods in pages of 500; each page is a call.
    async fn pages(&mut self) -> Result<(), String> {
        const NAME: &str = "page of 500, JSON";
        if !self.wants(NAME) {
            return Ok(());
        }
        let token = Arc::new(tokio::sync::Mutex::new(String::new()));
        let target = self.target.clone();
        let work = move |worker: usize, _| {
            let (target, token) = (target.clone(), token.clone());
            async move {
                let mut token = token.lock().await;
                let body =
                    target.fetch(worker, Call::get(format!("{}?limit=500&continue={token}", pods_path()))).await?;
                let head = String::from_utf8_lossy(body.get(..1000).unwrap_or(&body)).into_owned();
                *token = text_after(&head, "\"continue\":\"").unwrap_or_default().to_owned();
                Ok(body.len() as u64)
            }
        };
        let row = load::run(NAME, &self.watched, 1, (self.amounts.pods / 500).max(1) * 4, work).await?;
        self.report.add(row);
        Ok(())
    }

    /// All watchers are told of each change; a call is an event that one of them received.
    async fn watch_fan_out(&mut self, access: &Access) -> Result<(), String> {
        let (watchers, changes) = (self.amounts.watchers, self.amounts.watched_changes);
        let name = format!("watch fan-out, {watchers} watchers, per event");
        if watchers == 0 || changes == 0 || !self.wants(&name) {
            return Ok(());
        }
        let connections = watchers.div_ceil(WATCHES_PER_CONNECTION);
        let target = Target::connect(access, connections).await?;
        let list = self.target.fetch(0, Call::get(format!("{}?limit=1", pods_path()))).await?;
        let revision = revision_of(&list)?;
        let (received, bytes, done) =
            (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default(), Arc::new(Semaphore::new(0)));
        let mut tasks = Vec::new();
        for n in 0..watchers {
            let path = format!("{}?watch=true&resourceVersion={revision}&timeoutSeconds=600", pods_path());
            let mut body = target.open(n, Call::get(path)).await?.into_body();
            let (received, bytes, done) = (received.clone(), bytes.clone(), done.clone());
            tasks.push(tokio::spawn(async move {
                let mut own = 0;
                while let Some(Ok(frame)) = body.frame().await {
                    let Some(data) = frame.data_ref() else { continue };
                    let events = data.iter().filter(|byte| **byte == b'\n').count();
                    bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                    received.fetch_add(events as u64, Ordering::Relaxed);
                    own += events;
                    if own >= changes {
                        break;
                    }
                }
                done.add_permits(1);
            }));
        }
        self.watched.forget_peak();
        let before = self.watched.memory();
        let (cpu_before, begun) = (self.watched.cpu(), Instant::now());
        for n in 0..changes {
            let path = format!("{}/{}", pods_path(), pod_name(n % self.amounts.pods));
            let call = Call::send(Method::PATCH, path, objects::annotation_patch(&format!("watched {n}"))).typed(MERGE);
            self.target.count(n, call).await?;
        }
        let all_done = done.acquire_many(u32::try_from(watchers).unwrap_or(u32::MAX));
        let in_time = tokio::time::timeout(WATCH_TIMEOUT, all_done).await.is_ok();
        let elapsed = begun.elapsed();
        let cpu = self.watched.cpu().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        tasks.iter().for_each(|task| task.abort());
        let calls = received.load(Ordering::Relaxed);
        let wanted = (watchers * changes) as u64;
        if !in_time {
            eprintln!("{name}: {calls} of {wanted} events arrived");
        }
        let (bytes, errors) = (bytes.load(Ordering::Relaxed), wanted.saturating_sub(calls));
        let memory = before.zip(self.watched.memory());
        self.report.add(Row { name, calls, errors, elapsed, latencies: Vec::new(), cpu, bytes, memory });
        Ok(())
    }

    pub async fn delete_pods(&mut self) -> Result<(), String> {
        let call = |n| Call::send(Method::DELETE, format!("{}/{}?gracePeriodSeconds=0", pods_path(), pod_name(n)), "");
        self.measure("delete pod", self.amounts.pods, call).await
    }

    /// Takes away what the works made, where the server does that: the namespace goes when its contents are gone.
    pub async fn clean_up(&self) -> Result<(), String> {
        if self.amounts.objects > 0 {
            self.target.count(0, Call::send(Method::DELETE, objects::config_maps_path(), "")).await?;
        }
        for path in ["/apis/apps/v1", "/apis/coordination.k8s.io/v1"] {
            let kind = if path.contains("apps") { "deployments" } else { "leases" };
            let path = format!("{path}/namespaces/{NAMESPACE}/{kind}");
            self.target.count(0, Call::send(Method::DELETE, path, "")).await?;
        }
        self.target.count(0, Call::send(Method::DELETE, format!("{}?gracePeriodSeconds=0", pods_path()), "")).await?;
        self.target.count(0, Call::send(Method::DELETE, format!("/api/v1/namespaces/{NAMESPACE}"), "")).await?;
        Ok(())
    }
}

/// The first resourceVersion in a JSON text.
fn revision_of(body: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(body);
    let found = text_after(&text, "\"resourceVersion\":\"").map(str::to_owned);
    found.ok_or_else(|| "the answer has no resourceVersion".to_owned())
}

/// What follows `mark` up to the next quotation mark.
fn text_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.1.split('"').next()
}
