//! Priority levels with the requests that wait in them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fairness::{Arrival, Class, Config, Limited, QueueSet, Rejection, Request, allocate};
use meta::{Str, Value};
use tokio::sync::oneshot;

use super::Flow;

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
    /// As [`Config::levels`]; `None`: exempt.
    pub(super) levels: Vec<Option<Arc<Level>>>,
    /// As [`Config::schemas`].
    pub(super) counts: Vec<Arc<Counts>>,
}

pub(super) struct Level {
    began: Instant,
    waiting: Mutex<Waiting>,
}

pub(super) struct Waiting {
    pub(super) set: QueueSet,
    told: HashMap<u64, oneshot::Sender<()>>,
}

/// What has become of the requests of a schema.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) dispatched: AtomicU64,
    pub(super) rejected: [AtomicU64; Rejection::ALL.len()],
    pub(super) executing: AtomicI64,
    pub(super) waiting: AtomicI64,
}

/// A place in a level: of one that waits, then of one that runs.
pub(super) struct FairSeat {
    level: Option<(Arc<Level>, u64)>,
    counts: Arc<Counts>,
    runs: bool,
}

impl Drop for FairSeat {
    fn drop(&mut self) {
        let gauge = if self.runs { &self.counts.executing } else { &self.counts.waiting };
        gauge.fetch_sub(1, Ordering::Relaxed);
        if let Some((level, id)) = &self.level {
            level.change(|set, at, started| set.finish(at, *id, started));
        }
    }
}

impl Level {
    fn new(limited: &Limited, began: Instant) -> Arc<Level> {
        let set = QueueSet::new(limited.queuing, limited.nominal);
        Arc::new(Level { began, waiting: Mutex::new(Waiting { set, told: HashMap::new() }) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Changes the queues, and wakes those that run because of that.
    fn change(&self, change: impl FnOnce(&mut QueueSet, f64, &mut Vec<u64>)) {
        let at = self.now();
        let mut waiting = self.lock();
        let mut started = vec![];
        change(&mut waiting.set, at, &mut started);
        for id in started {
            if let Some(tell) = waiting.told.remove(&id) {
                // One that has gone away meanwhile gives its seat back by itself.
                let _ = tell.send(());
            }
        }
    }

    fn arrive(&self, flow: u64, seats: u32) -> (Arrival, Option<oneshot::Receiver<()>>) {
        let at = self.now();
        let mut waiting = self.lock();
        let arrival = waiting.set.arrive(at, flow, seats);
        let Arrival::Queued(id) = arrival else { return (arrival, None) };
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
        let known: BTreeMap<&Str, &Arc<Level>> =
            known.filter_map(|(level, queues)| Some((&level.name, queues.as_ref()?))).collect();
        let counted = before.config.schemas.iter().zip(&before.counts);
        let counted: BTreeMap<&Str, &Arc<Counts>> = counted.map(|(schema, counts)| (&schema.name, counts)).collect();
        let levels = config.levels.iter().map(|level| {
            let limited = level.limited.as_ref()?;
            let same = known.get(&level.name).filter(|known| known.lock().set.queuing() == limited.queuing);
            let Some(same) = same else { return Some(Level::new(limited, self.began)) };
            same.change(|set, at, started| set.set_limit(at, limited.nominal, started));
            Some((*same).clone())
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
        seats: impl FnOnce() -> u32,
        note: impl FnOnce(Flow),
    ) -> Result<Option<FairSeat>, Rejection> {
        let (level, limited, counts, flow) = {
            let state = self.state.load();
            let Some((schema, flow)) = state.config.classify(request) else { return Ok(None) };
            let (Some(level), Some(place)) = (
                state.config.levels.get(schema.level),
                state.config.schemas.iter().position(|s| s.name == schema.name),
            ) else {
                return Ok(None);
            };
            note(Flow { schema: schema.uid.clone(), level: level.uid.clone() });
            let counts = state.counts.get(place).cloned().unwrap_or_default();
            (state.levels.get(schema.level).cloned().flatten(), level.limited, counts, flow)
        };
        let (Some(level), Some(limited)) = (level, limited) else {
            counts.dispatched.fetch_add(1, Ordering::Relaxed);
            counts.executing.fetch_add(1, Ordering::Relaxed);
            return Ok(Some(FairSeat { level: None, counts, runs: true }));
        };
        let seats_max = limited.nominal.saturating_mul(SEATS_MAX_PERCENT).div_ceil(100).clamp(1, 100);
        let (arrival, told) = level.arrive(flow, seats().min(seats_max));
        let id = match arrival {
            Arrival::Rejected(why) => return Err(counts.reject(why)),
            Arrival::Started(id) | Arrival::Queued(id) => id,
        };
        let gauge = if told.is_some() { &counts.waiting } else { &counts.executing };
        gauge.fetch_add(1, Ordering::Relaxed);
        // From here on this gives the place back, also when the client goes away.
        let mut seat = FairSeat { level: Some((level, id)), counts, runs: told.is_none() };
        if let Some(told) = told {
            if !matches!(tokio::time::timeout(self.wait_max, told).await, Ok(Ok(()))) {
                return Err(seat.counts.reject(Rejection::TimeOut));
            }
            seat.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            seat.counts.executing.fetch_add(1, Ordering::Relaxed);
            seat.runs = true;
        }
        seat.counts.dispatched.fetch_add(1, Ordering::Relaxed);
        Ok(Some(seat))
    }

    pub(super) fn lend(&self) {
        let state = self.state.load();
        let pairs: Vec<(&Limited, &Arc<Level>)> = state
            .config
            .levels
            .iter()
            .zip(&state.levels)
            .filter_map(|(level, queues)| Some((level.limited.as_ref()?, queues.as_ref()?)))
            .collect();
        let class = |(limited, level): &(&Limited, &Arc<Level>)| {
            let at = level.now();
            let wanted = level.lock().set.demand.settle(at);
            let (lower, upper) = (f64::from(limited.lower), f64::from(limited.upper));
            Class { lower, target: wanted.max(lower).max(1.0), upper }
        };
        let classes: Vec<Class> = pairs.iter().map(class).collect();
        for ((_, level), share) in pairs.iter().zip(allocate(f64::from(self.seats), &classes)) {
            // Shares are within the bounds, which are whole seats.
            level.change(|set, at, started| set.set_limit(at, share.round() as u32, started));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::value;
    use resource::User;

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
        fair.enter(&request, || 1, drop).await
    }

    #[tokio::test]
    async fn what_is_full_rejects_all_but_the_exempt() {
        let fair = fair(value!({"type": "Reject"}), Duration::from_secs(60));
        let seats = (enter(&fair, &[]).await, enter(&fair, &[]).await);
        assert!(seats.0.is_ok() && seats.1.is_ok());
        assert_eq!(enter(&fair, &[]).await.err(), Some(Rejection::ConcurrencyLimit));
        assert!(enter(&fair, &["system:masters"]).await.is_ok());
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
        let level =
            fair.state.load().levels.iter().flatten().map(|level| level.lock().set.counts()).collect::<Vec<_>>();
        assert!(level.iter().all(|counts| counts.waiting == 0), "the tasks did not run yet");
        tokio::task::yield_now().await;
        let waiting = || fair.state.load().levels.iter().flatten().map(|l| l.lock().set.counts().waiting).sum::<u32>();
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
        assert_eq!(fair.state.load().levels.iter().flatten().map(|l| l.lock().set.counts().waiting).sum::<u32>(), 0);
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
            state.levels[place].as_ref().expect("queues").clone()
        };
        let a = limit("a");
        a.change(|set, at, _| drop((0..40).map(|_| set.arrive(at, 1, 1)).collect::<Vec<_>>()));
        fair.lend();
        let (a, b) = (a.lock().set.counts().limit, limit("b").lock().set.counts().limit);
        assert!(a > 70 && b < 10, "{a} {b}");
    }
}
