//! The queues of one priority level. Queues take turns by virtual time: each is charged for the seats and the time that its
//! requests took, and the one that was charged least is next, so that no flow gets more than its share of seats, however
//! many requests it sends (k8s.io/apiserver/pkg/util/flowcontrol/fairqueuing/queueset).

use crate::config::Queuing;
use crate::deal::Dealer;
use crate::demand::Demand;
use std::collections::{HashMap, VecDeque};

/// What a request is charged before it is known how long it takes, in seconds.
const SERVICE_SECONDS: f64 = 0.003;

/// What a request takes: seats while it is answered, and seats for a while after that, while watchers are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    pub seats: u32,
    pub last_seats: u32,
    pub last_seconds: f64,
}

impl Work {
    pub fn of_seats(seats: u32) -> Work {
        Work { seats, last_seats: 0, last_seconds: 0.0 }
    }

    /// It has as many from its start to its end.
    fn width(&self) -> u32 {
        self.seats.max(self.last_seats)
    }

    /// Seats times seconds, if it is answered within `seconds`.
    fn total(&self, seconds: f64) -> f64 {
        f64::from(self.seats) * seconds + f64::from(self.last_seats) * self.last_seconds
    }
}

/// What becomes of a request that arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// It runs.
    Started(u64),
    /// It is told later, by [`QueueSet::finish`] and others.
    Queued(u64),
    Rejected(Rejection),
}

/// Upstream's reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    ConcurrencyLimit,
    QueueFull,
    TimeOut,
    Cancelled,
}

impl Rejection {
    pub const ALL: [Rejection; 4] =
        [Rejection::ConcurrencyLimit, Rejection::QueueFull, Rejection::TimeOut, Rejection::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            Rejection::ConcurrencyLimit => "concurrency-limit",
            Rejection::QueueFull => "queue-full",
            Rejection::TimeOut => "time-out",
            Rejection::Cancelled => "cancelled",
        }
    }
}

/// How busy a level is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub limit: u32,
    pub executing: u32,
    pub executing_seats: u32,
    pub waiting: u32,
    pub waiting_seats: u32,
    pub active_queues: u32,
}

/// How busy a queue is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueCounts {
    pub waiting: usize,
    pub waiting_initial_seats: u32,
    pub waiting_seats: u32,
    /// Seats times seconds.
    pub waiting_work: f64,
    pub executing: u32,
    /// In use.
    pub seats: u32,
    /// The virtual time at which its next request begins.
    pub next: f64,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub id: u64,
    pub queue: Option<usize>,
    /// `None`: it runs.
    pub position: Option<usize>,
    pub work: Work,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<u64>,
    waiting_seats: u32,
    executing: u32,
    /// In use.
    seats: u32,
    /// The virtual time at which its next request begins.
    next: f64,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    /// `None`: the level has no queues.
    queue: Option<usize>,
    work: Work,
    /// What it holds.
    seats: u32,
    /// `None`: it waits.
    since: Option<f64>,
}

#[derive(Debug)]
pub struct QueueSet {
    /// Nobody waits, and nobody is rejected.
    exempt: bool,
    queuing: Option<Queuing>,
    dealer: Dealer,
    queues: Vec<Queue>,
    requests: HashMap<u64, Running>,
    last_id: u64,
    counts: Counts,
    /// Seconds, as callers count them, of the last event.
    at: f64,
    virtual_time: f64,
    /// Where the search for the next queue begins.
    robin: usize,
    pub demand: Demand,
}

impl QueueSet {
    /// `None`: what does not fit is rejected.
    pub fn new(queuing: Option<Queuing>, limit: u32) -> QueueSet {
        let (queues, hand) = queuing.map_or((0, 1), |queuing| (queuing.queues, queuing.hand_size));
        QueueSet {
            exempt: false,
            queuing,
            dealer: Dealer::new(queues, hand),
            queues: std::iter::repeat_with(Queue::default).take(queues).collect(),
            requests: HashMap::new(),
            last_id: 0,
            counts: Counts { limit, ..Counts::default() },
            at: 0.0,
            virtual_time: 0.0,
            robin: 0,
            demand: Demand::default(),
        }
    }

    /// For requests that never wait; they are counted only.
    pub fn exempt() -> QueueSet {
        QueueSet { exempt: true, ..QueueSet::new(None, 0) }
    }

    pub fn is_exempt(&self) -> bool {
        self.exempt
    }

    pub fn queuing(&self) -> Option<Queuing> {
        self.queuing
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// For people who look.
    pub fn queues(&self) -> impl Iterator<Item = QueueCounts> {
        self.queues.iter().map(|queue| {
            let waiting = || queue.waiting.iter().filter_map(|id| self.requests.get(id));
            QueueCounts {
                waiting: queue.waiting.len(),
                waiting_initial_seats: waiting().map(|request| request.work.seats).sum(),
                waiting_seats: queue.waiting_seats,
                waiting_work: waiting().map(|request| request.work.total(SERVICE_SECONDS)).sum(),
                executing: queue.executing,
                seats: queue.seats,
                next: queue.next,
            }
        })
    }

    /// Those that wait or run, in no order.
    pub fn requests(&self) -> impl Iterator<Item = Place> {
        self.requests.iter().map(|(id, request)| {
            let queue = request.queue.and_then(|index| self.queues.get(index)).filter(|_| request.since.is_none());
            let position = queue.and_then(|queue| queue.waiting.iter().position(|waiting| waiting == id));
            Place { id: *id, queue: request.queue, position, work: request.work }
        })
    }

    /// A request of the flow with this hash.
    pub fn arrive(&mut self, at: f64, flow: u64, work: Work) -> Arrival {
        self.advance(at);
        let most = if self.exempt { u32::MAX } else { self.counts.limit.max(1) };
        let seats = work.width().clamp(1, most);
        let Some(queuing) = self.queuing else {
            if !self.fits(seats) {
                return Arrival::Rejected(Rejection::ConcurrencyLimit);
            }
            let id = self.admit(None, work, seats);
            self.start(id, at);
            return Arrival::Started(id);
        };
        let queue = self.shortest(flow);
        let len = self.queues.get(queue).map_or(0, |queue| queue.waiting.len());
        if len >= queuing.length_max && !self.fits(seats) {
            return Arrival::Rejected(Rejection::QueueFull);
        }
        let id = self.admit(Some(queue), work, seats);
        if self.counts.waiting == 0 && self.fits(seats) {
            self.start(id, at);
            return Arrival::Started(id);
        }
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.waiting.push_back(id);
            queue.waiting_seats += seats;
        }
        self.counts.waiting += 1;
        self.counts.waiting_seats += seats;
        self.note_demand(at);
        Arrival::Queued(id)
    }

    /// A request is done, or goes away while it waits. `started` are told which others run now. For as many seconds as this
    /// says its seats are still taken; then they are to be [released](QueueSet::release).
    pub fn finish(&mut self, at: f64, id: u64, started: &mut Vec<u64>) -> Option<f64> {
        self.advance(at);
        let request = self.requests.get(&id).copied()?;
        let queue = request.queue.and_then(|index| self.queues.get_mut(index));
        match (request.since, queue) {
            (Some(since), queue) => {
                self.counts.executing -= 1;
                if let Some(queue) = queue {
                    queue.executing -= 1;
                    queue.next += request.work.total((at - since).max(0.0)) - request.work.total(SERVICE_SECONDS);
                }
            }
            (None, Some(queue)) => {
                queue.waiting.retain(|waiting| *waiting != id);
                queue.waiting_seats -= request.seats;
                self.counts.waiting -= 1;
                self.counts.waiting_seats -= request.seats;
            }
            (None, None) => {}
        }
        self.count_active(request.queue);
        if request.since.is_some() && request.work.last_seconds > 0.0 {
            return Some(request.work.last_seconds);
        }
        self.release(at, id, started);
        None
    }

    /// A request that is done gives its seats back.
    pub fn release(&mut self, at: f64, id: u64, started: &mut Vec<u64>) {
        self.advance(at);
        let Some(request) = self.requests.remove(&id) else { return };
        if request.since.is_some() {
            self.counts.executing_seats -= request.seats;
            if let Some(queue) = request.queue.and_then(|index| self.queues.get_mut(index)) {
                queue.seats -= request.seats;
            }
        }
        self.dispatch(at, started);
        self.note_demand(at);
    }

    /// Seats are lent or taken back.
    pub fn set_limit(&mut self, at: f64, limit: u32, started: &mut Vec<u64>) {
        self.advance(at);
        self.counts.limit = limit;
        self.dispatch(at, started);
    }

    /// Virtual time runs as fast as each active queue is served.
    fn advance(&mut self, at: f64) {
        let since = (at - self.at).max(0.0);
        self.at = self.at.max(at);
        let Counts { limit, executing_seats, waiting_seats, active_queues, .. } = self.counts;
        let served = (executing_seats + waiting_seats).min(limit);
        let rate = if active_queues == 0 { 1.0 } else { f64::from(served) / f64::from(active_queues) };
        self.virtual_time += since * rate;
    }

    fn fits(&self, seats: u32) -> bool {
        self.exempt || self.counts.executing_seats == 0 || self.counts.executing_seats + seats <= self.counts.limit
    }

    /// Of the flow's hand the queue with the least work.
    fn shortest(&self, flow: u64) -> usize {
        let mut best = (usize::MAX, u32::MAX);
        self.dealer.deal(flow, |index| {
            let work = self.queues.get(index).map_or(u32::MAX, |queue| queue.waiting_seats + queue.executing);
            if work < best.1 || best.0 == usize::MAX {
                best = (index, work);
            }
        });
        best.0
    }

    fn admit(&mut self, queue: Option<usize>, work: Work, seats: u32) -> u64 {
        self.last_id += 1;
        self.requests.insert(self.last_id, Running { queue, work, seats, since: None });
        if let Some(queue) = queue.and_then(|index| self.queues.get_mut(index))
            && queue.waiting.is_empty()
            && queue.executing == 0
        {
            // Time in which it wanted nothing is not saved up.
            queue.next = self.virtual_time;
            self.counts.active_queues += 1;
        }
        self.last_id
    }

    fn count_active(&mut self, queue: Option<usize>) {
        let idle = queue.and_then(|index| self.queues.get(index));
        if idle.is_some_and(|queue| queue.waiting.is_empty() && queue.executing == 0) {
            self.counts.active_queues -= 1;
        }
    }

    fn start(&mut self, id: u64, at: f64) {
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.since = Some(at);
        let Running { queue, work, seats, .. } = *request;
        self.counts.executing += 1;
        self.counts.executing_seats += seats;
        if let Some(queue) = queue.and_then(|index| self.queues.get_mut(index)) {
            queue.executing += 1;
            queue.seats += seats;
            queue.next += work.total(SERVICE_SECONDS);
        }
        self.note_demand(at);
    }

    fn dispatch(&mut self, at: f64, started: &mut Vec<u64>) {
        while self.counts.waiting > 0 {
            let Some((index, id, seats)) = self.next() else { return };
            if !self.fits(seats) {
                return;
            }
            if let Some(queue) = self.queues.get_mut(index) {
                queue.waiting.pop_front();
                queue.waiting_seats -= seats;
            }
            self.counts.waiting -= 1;
            self.counts.waiting_seats -= seats;
            self.robin = index + 1;
            self.start(id, at);
            started.push(id);
        }
    }

    /// The queue whose first request would be done first in virtual time; of equal ones the next in turn.
    fn next(&self) -> Option<(usize, u64, u32)> {
        let len = self.queues.len();
        let mut best: Option<(f64, (usize, u64, u32))> = None;
        for offset in 0..len {
            let index = (self.robin + offset) % len;
            let Some(queue) = self.queues.get(index) else { continue };
            let Some(id) = queue.waiting.front() else { continue };
            let Some(request) = self.requests.get(id) else { continue };
            let (seats, done) = (request.seats, queue.next + request.work.total(SERVICE_SECONDS));
            if best.is_none_or(|(earliest, _)| done < earliest) {
                best = Some((done, (index, *id, seats)));
            }
        }
        best.map(|(_, next)| next)
    }

    fn note_demand(&mut self, at: f64) {
        self.demand.set(at, f64::from(self.counts.executing_seats + self.counts.waiting_seats));
    }
}

#[cfg(test)]
mod tests;
