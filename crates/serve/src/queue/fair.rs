//! Priority levels with the requests that wait in them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fairness::{Arrival, Borrower, Config, QueueSet, Rejected, Rejection, Request, Settled, Work, plan_limits};
use meta::time::Timestamp;
use meta::{Str, Value};
use resource::User;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Flow;
use crate::metrics::Histogram;

/// A request has no more than this share of its level's nominal seats.
const SEATS_MAX_PERCENT: u32 = 15;

pub(super) struct Fair {
    seats: u32,
    wait_max: Duration,
    began: Instant,
    pub(super) state: ArcSwap<State>,
}

/// What is in force. Levels and counts outlive it as long as their names are there.
pub(super) struct State {
    pub(super) config: Config,
    /// As [`Config::levels`].
    pub(super) levels: Vec<Arc<Level>>,
    /// As [`Config::schemas`].
    pub(super) counts: Vec<Arc<Counts>>,
}

pub(super) struct Level {
    began: Instant,
    waiting: Mutex<Waiting>,
    rejected: Mutex<Rejected>,
    /// What the last period was like, and what was to come of it.
    settled: Mutex<(Settled, f64)>,
}

pub(super) struct Waiting {
    pub(super) set: QueueSet,
    told: HashMap<u64, oneshot::Sender<()>>,
    /// Of those that wait or run.
    pub(super) known: HashMap<u64, Known>,
}

/// What people who look are told of a request.
pub(super) struct Known {
    pub(super) schema: Str,
    pub(super) flow: Str,
    pub(super) arrived: Timestamp,
    /// `None`: it waits.
    pub(super) started: Option<Timestamp>,
    pub(super) details: Details,
}

/// What it asks for.
#[derive(Default)]
pub(super) struct Details {
    pub(super) user: Arc<User>,
    pub(super) verb: &'static str,
    pub(super) path: String,
    /// Namespace, name, group, version, resource and subresource.
    pub(super) target: [Str; 6],
}

/// A request that may not be answered, and when it should come again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TurnedAway {
    pub(super) why: Rejection,
    pub(super) retry_seconds: i64,
}

/// Of the histograms, in seconds (k8s.io/apiserver/pkg/util/flowcontrol/metrics).
const SECONDS: &[f64] = &[0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0];

/// What has become of the requests of a schema.
#[derive(Default)]
pub(super) struct Counts {
    /// How long requests waited: those that were turned away, and those that were answered.
    pub(super) waited: [Times; 2],
    /// How long they were answered: watches until they were open, and others.
    pub(super) executed: [Times; 2],
    pub(super) dispatched: AtomicU64,
    pub(super) rejected: [AtomicU64; Rejection::ALL.len()],
    pub(super) executing: AtomicI64,
    pub(super) waiting: AtomicI64,
}

pub(super) struct Times(Mutex<Histogram>);

impl Default for Times {
    fn default() -> Times {
        Times(Mutex::new(Histogram::new(SECONDS)))
    }
}

impl Times {
    /// `None`: nothing yet.
    pub(super) fn observed(&self) -> Option<Histogram> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).filter(|times| !times.is_empty())
    }

    fn observe(&self, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).observe(time.as_secs_f64());
    }
}

/// A place in a level: of one that waits, then of one that runs.
pub(super) struct FairSeat {
    level: Arc<Level>,
    id: u64,
    counts: Arc<Counts>,
    is_watch: bool,
    /// `None`: it waits.
    runs_since: Option<Instant>,
}

impl Drop for FairSeat {
    fn drop(&mut self) {
        let gauge = if self.runs_since.is_some() { &self.counts.executing } else { &self.counts.waiting };
        gauge.fetch_sub(1, Ordering::Relaxed);
        if let Some(since) = self.runs_since {
            let [watches, others] = &self.counts.executed;
            (if self.is_watch { watches } else { others }).observe(since.elapsed());
        }
        let id = self.id;
        self.level.lock().known.remove(&id);
        let Some(seconds) = self.level.change(|set, at, started| set.finish(at, id, started)) else { return };
        let level = self.level.clone();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                level.change(|set, at, started| set.release(at, id, started));
            })),
            // The process ends.
            Err(_) => level.change(|set, at, started| set.release(at, id, started)),
        }
    }
}

impl Level {
    fn new(level: &fairness::Level, began: Instant) -> Arc<Level> {
        let set = match level.exempt {
            true => QueueSet::exempt(),
            false => QueueSet::new(level.limits.queuing, level.limits.nominal),
        };
        let waiting = Mutex::new(Waiting { set, told: HashMap::new(), known: HashMap::new() });
        Arc::new(Level { began, waiting, rejected: Mutex::default(), settled: Mutex::default() })
    }

    fn turn_away(&self, why: Rejection) -> TurnedAway {
        let second = i64::try_from(self.began.elapsed().as_secs()).unwrap_or(i64::MAX);
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        TurnedAway { why, retry_seconds: rejected.count(second) }
    }

    pub(super) fn settled(&self) -> (Settled, f64) {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Changes the queues, and wakes those that run because of that.
    fn change<T>(&self, change: impl FnOnce(&mut QueueSet, f64, &mut Vec<u64>) -> T) -> T {
        let at = self.now();
        let mut waiting = self.lock();
        let mut started = vec![];
        let changed = change(&mut waiting.set, at, &mut started);
        for id in started {
            if let Some(known) = waiting.known.get_mut(&id) {
                known.started = Some(Timestamp::now());
            }
            if let Some(tell) = waiting.told.remove(&id) {
                // One that has gone away meanwhile gives its seat back by itself.
                let _ = tell.send(());
            }
        }
        changed
    }

    fn arrive(&self, flow: u64, work: Work, mut known: Known) -> (Arrival, Option<oneshot::Receiver<()>>) {
        let at = self.now();
        let mut waiting = self.lock();
        let arrival = waiting.set.arrive(at, flow, work);
        if let Arrival::Started(id) = arrival {
            known.started = Some(known.arrived);
            waiting.known.insert(id, known);
            return (arrival, None);
        }
        let Arrival::Queued(id) = arrival else { return (arrival, None) };
        waiting.known.insert(id, known);
        let (tell, told) = oneshot::channel();
        waiting.told.insert(id, tell);
        (arrival, Some(told))
    }
}

impl Counts {
    fn reject(&self, why: Rejection) -> Rejection {
        let place = Rejection::ALL.iter().position(|other| *other == why);
        if let Some(count) = place.and_then(|place| self.rejected.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        why
    }
}

impl Fair {
    pub(super) fn new(seats: u32, wait_max: Duration) -> Fair {
        let (began, nothing) = (Instant::now(), State { config: Config::default(), levels: vec![], counts: vec![] });
        let fair = Fair { seats, wait_max, began, state: ArcSwap::from_pointee(nothing) };
        fair.configure(&[], &[]);
        fair
    }

    pub(super) fn configure(&self, schemas: &[Value], levels: &[Value]) {
        let config = Config::new(schemas, levels, self.seats);
        let before = self.state.load();
        let known = before.config.levels.iter().zip(&before.levels);
        let known: BTreeMap<&Str, &Arc<Level>> = known.map(|(level, queues)| (&level.name, queues)).collect();
        let counted = before.config.schemas.iter().zip(&before.counts);
        let counted: BTreeMap<&Str, &Arc<Counts>> = counted.map(|(schema, counts)| (&schema.name, counts)).collect();
        let levels = config.levels.iter().map(|level| {
            let is_same = |known: &&&Arc<Level>| {
                let set = &known.lock().set;
                (set.is_exempt(), set.queuing()) == (level.exempt, level.limits.queuing)
            };
            let Some(same) = known.get(&level.name).filter(is_same) else { return Level::new(level, self.began) };
            same.change(|set, at, started| set.set_limit(at, level.limits.nominal, started));
            (*same).clone()
        });
        let levels = levels.collect();
        let counts =
            config.schemas.iter().map(|schema| counted.get(&schema.name).map(|c| (*c).clone()).unwrap_or_default());
        let counts = counts.collect();
        self.state.store(Arc::new(State { config, levels, counts }));
    }

    pub(super) async fn enter(
        &self,
        request: &Request<'_>,
        estimate: impl FnOnce(u32) -> Work,
        note: impl FnOnce(Flow),
        details: impl FnOnce() -> Details,
    ) -> Result<Option<FairSeat>, TurnedAway> {
        let (level, limits, counts, flow, known) = {
            let state = self.state.load();
            let Some((schema, flow)) = state.config.classify(request) else { return Ok(None) };
            let (Some(level), Some(queues), Some(place)) = (
                state.config.levels.get(schema.level),
                state.levels.get(schema.level).cloned(),
                state.config.schemas.iter().position(|s| s.name == schema.name),
            ) else {
                return Ok(None);
            };
            note(Flow { schema: schema.uid.clone(), level: level.uid.clone() });
            let (name, distinguisher) = (schema.name.clone(), schema.flow(request).into());
            let (arrived, details) = (Timestamp::now(), details());
            let known = Known { schema: name, flow: distinguisher, arrived, started: None, details };
            (queues, level.limits, state.counts.get(place).cloned().unwrap_or_default(), flow, known)
        };
        let seats_max = limits.nominal.saturating_mul(SEATS_MAX_PERCENT).div_ceil(100).clamp(1, 100);
        let began = Instant::now();
        let (arrival, told) = level.arrive(flow, estimate(seats_max), known);
        let [turned_away, answered] = &counts.waited;
        let id = match arrival {
            Arrival::Rejected(why) => {
                turned_away.observe(Duration::ZERO);
                return Err(level.turn_away(counts.reject(why)));
            }
            Arrival::Started(id) | Arrival::Queued(id) => id,
        };
        let gauge = if told.is_some() { &counts.waiting } else { &counts.executing };
        gauge.fetch_add(1, Ordering::Relaxed);
        // From here on this gives the place back, also when the client goes away.
        let is_watch = request.verb == "watch";
        let runs_since = told.is_none().then_some(began);
        let mut seat = FairSeat { level: level.clone(), id, counts: counts.clone(), is_watch, runs_since };
        if let Some(told) = told {
            if !matches!(tokio::time::timeout(self.wait_max, told).await, Ok(Ok(()))) {
                turned_away.observe(began.elapsed());
                return Err(level.turn_away(counts.reject(Rejection::TimeOut)));
            }
            counts.waiting.fetch_sub(1, Ordering::Relaxed);
            counts.executing.fetch_add(1, Ordering::Relaxed);
            seat.runs_since = Some(Instant::now());
        }
        answered.observe(seat.runs_since.map_or(Duration::ZERO, |since| since - began));
        counts.dispatched.fetch_add(1, Ordering::Relaxed);
        Ok(Some(seat))
    }

    pub(super) fn lend(&self) {
        let state = self.state.load();
        let borrower = |(level, queues): (&fairness::Level, &Arc<Level>)| {
            let at = queues.now();
            let demand = queues.lock().set.demand.settle(at);
            let fairness::Limits { nominal, lower, upper, .. } = level.limits;
            Borrower { exempt: level.exempt, nominal, lower, upper, demand }
        };
        let borrowers: Vec<Borrower> = state.config.levels.iter().zip(&state.levels).map(borrower).collect();
        for ((level, borrower), limit) in state.levels.iter().zip(&borrowers).zip(plan_limits(&borrowers)) {
            *level.settled.lock().unwrap_or_else(PoisonError::into_inner) = (borrower.demand, borrower.target());
            level.change(|set, at, started| set.set_limit(at, limit, started));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;

    fn fair(queuing: Value, wait: Duration) -> Fair {
        let fair = Fair::new(2, wait);
        let level = value!({"metadata": {"name": "all", "uid": "level"}, "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 1000, "limitResponse": queuing
        }}});
        let schema = value!({"metadata": {"name": "all", "uid": "schema"}, "spec": {
            "matchingPrecedence": 5, "priorityLevelConfiguration": {"name": "all"},
            "rules": [{"subjects": [{"kind": "User", "user": {"name": "*"}}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}]
        }});
        fair.configure(&[schema], &[level]);
        fair
    }

    fn queue() -> Value {
        value!({"type": "Queue", "queuing": {"queues": 4, "handSize": 1, "queueLengthLimit": 2}})
    }

    async fn enter(fair: &Fair, groups: &[&str]) -> Result<Option<FairSeat>, Rejection> {
        let user = User { groups: groups.iter().map(|group| (*group).into()).collect(), ..User::default() };
        let (path, verb) = ("/", "get");
        let request = Request {
            user: &user,
            verb,
            path,
            is_resource: false,
            group: "",
            resource: "",
            subresource: "",
            namespace: "",
        };
        fair.enter(&request, |_| Work::of_seats(1), drop, Details::default).await.map_err(|away| away.why)
    }

    #[tokio::test]
    async fn what_is_full_rejects_all_but_the_exempt() {
        let fair = fair(value!({"type": "Reject"}), Duration::from_secs(60));
        let seats = (enter(&fair, &[]).await, enter(&fair, &[]).await);
        assert!(seats.0.is_ok() && seats.1.is_ok());
        assert_eq!(enter(&fair, &[]).await.err(), Some(Rejection::ConcurrencyLimit));
        assert!(enter(&fair, &["system:masters"]).await.is_ok());
        let told: Vec<i64> =
            (0..4).map(|_| fair.state.load().levels[0].turn_away(Rejection::QueueFull).retry_seconds).collect();
        assert_eq!(told, [1; 4], "it rises with the next second");
        drop(seats);
        assert!(enter(&fair, &[]).await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_is_woken_and_who_goes_away_is_forgotten() {
        let fair = Arc::new(fair(queue(), Duration::from_secs(60)));
        let first = (enter(&fair, &[]).await.ok(), enter(&fair, &[]).await.ok());
        let waits = |fair: &Arc<Fair>| {
            let fair = fair.clone();
            tokio::spawn(async move { enter(&fair, &[]).await.map(drop) })
        };
        let (gone, woken) = (waits(&fair), waits(&fair));
        let level = fair.state.load().levels.iter().map(|level| level.lock().set.counts()).collect::<Vec<_>>();
        assert!(level.iter().all(|counts| counts.waiting == 0), "the tasks did not run yet");
        tokio::task::yield_now().await;
        let waiting = || fair.state.load().levels.iter().map(|l| l.lock().set.counts().waiting).sum::<u32>();
        assert_eq!(waiting(), 2);
        assert_eq!(enter(&fair, &[]).await.err(), Some(Rejection::QueueFull));
        gone.abort();
        assert!(gone.await.is_err());
        assert_eq!(waiting(), 1);
        drop(first);
        assert_eq!(woken.await.expect("no panic"), Ok(()));
        assert_eq!(waiting(), 0);
    }

    #[tokio::test]
    async fn waiting_ends() {
        let fair = fair(queue(), Duration::ZERO);
        let _seats = (enter(&fair, &[]).await.ok(), enter(&fair, &[]).await.ok());
        assert_eq!(enter(&fair, &[]).await.err(), Some(Rejection::TimeOut));
        assert_eq!(fair.state.load().levels.iter().map(|l| l.lock().set.counts().waiting).sum::<u32>(), 0);
    }

    #[tokio::test]
    async fn seats_are_lent_to_whoever_wants_them() {
        let fair = Fair::new(100, Duration::ZERO);
        let level = |name: &str| {
            value!({"metadata": {"name": name}, "spec": {"type": "Limited", "limited": {
                "nominalConcurrencyShares": 50, "lendablePercent": 100, "limitResponse": {"type": "Reject"}
            }}})
        };
        fair.configure(&[], &[level("a"), level("b")]);
        let limit = |name: &str| {
            let state = fair.state.load();
            let place = state.config.levels.iter().position(|level| level.name == name).expect("a level");
            state.levels[place].clone()
        };
        let a = limit("a");
        a.change(|set, at, _| drop((0..40).map(|_| set.arrive(at, 1, Work::of_seats(1))).collect::<Vec<_>>()));
        fair.lend();
        let (a, b) = (a.lock().set.counts().limit, limit("b").lock().set.counts().limit);
        assert!(a > 70 && b < 10, "{a} {b}");
    }
}
