//! How many requests are answered at a time. What is decided is the business of the crate `fairness`; here requests wait
//! and are woken. Without fairness there are two fixed bounds, one for reads and one for writes.
//!
//! A watch has its seat until it is open. Other streams have none.

mod fair;
mod report;
mod tabulate;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, header};
use meta::{Str, Value};
use resource::{SubresourceKind, User};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer;
use crate::authenticate::GROUP_MASTERS;
use crate::body::Body;
use crate::path::PathInfo;
use crate::query::Query;
use crate::server::Server;
use crate::warnings::Warnings;
use fair::{Details, Fair, FairSeat};
use fairness::Work;
pub use watches::OpenWatch;
use watches::Watches;

const RETRY_SECONDS: i64 = 1;
/// From so many watchers on a write has seats for a while after it was answered, one for each so many, within a bound
/// (k8s.io/apiserver/pkg/util/flowcontrol/request/config.go).
const WATCHES_PER_SEAT: usize = 10;
const WRITE_SEATS_MAX: u32 = 10;
const EVENT_SECONDS: f64 = 0.005;
/// A list has a seat for each of these, of stored bytes (k8s.io/apiserver/pkg/util/flowcontrol/request).
const BYTES_PER_SEAT: u64 = 100_000;
const SCHEMA_UID: &str = "x-kubernetes-pf-flowschema-uid";
const LEVEL_UID: &str = "x-kubernetes-pf-prioritylevel-uid";

/// `--max-requests-inflight` and its kin.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub fair: bool,
    pub reading: usize,
    pub mutating: usize,
    /// The longest time in a queue.
    pub wait_max: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { fair: true, reading: 400, mutating: 200, wait_max: Duration::from_secs(15) }
    }
}

pub struct Queue {
    kind: Kind,
    watches: Watches,
}

enum Kind {
    Fair(Fair),
    /// 0 is no bound.
    Fixed {
        reading: Option<Arc<Semaphore>>,
        mutating: Option<Arc<Semaphore>>,
    },
}

/// Proof that the request may be worked on; its place is free again when this is dropped.
#[derive(Default)]
pub struct Seat {
    _permit: Option<OwnedSemaphorePermit>,
    _seat: Option<FairSeat>,
}

/// To which schema and level a request belongs: their UIDs.
#[derive(Clone, Debug)]
pub struct Flow {
    pub schema: Str,
    pub level: Str,
}

impl Queue {
    pub fn new(bounds: Bounds) -> Queue {
        let seats = bounds.reading.saturating_add(bounds.mutating);
        if bounds.fair && seats > 0 {
            let fair = Fair::new(u32::try_from(seats).unwrap_or(u32::MAX), bounds.wait_max);
            return Queue { kind: Kind::Fair(fair), watches: Watches::default() };
        }
        let bound = |max: usize| (max > 0).then(|| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))));
        let kind = Kind::Fixed { reading: bound(bounds.reading), mutating: bound(bounds.mutating) };
        Queue { kind, watches: Watches::default() }
    }

    /// 429 as plain text when there is no room, or none in time. `warnings` are told where the request belongs.
    pub async fn enter(
        &self,
        server: &Server,
        user: &Arc<User>,
        info: &PathInfo,
        query: &Query,
        warnings: &Warnings,
    ) -> Result<Seat, Response<Body>> {
        if crate::handle::is_long_running(info) && info.verb != "watch" {
            return Ok(Seat::default());
        }
        match &self.kind {
            Kind::Fair(fair) => {
                let request = fairness::Request {
                    user,
                    verb: info.verb,
                    path: &info.path,
                    is_resource: info.is_resource,
                    group: &info.group,
                    resource: &info.resource,
                    subresource: &info.subresource,
                    namespace: &info.namespace,
                };
                let note = |flow| warnings.note_flow(flow);
                let details = || Details {
                    user: user.clone(),
                    verb: info.verb,
                    path: info.path.clone(),
                    target: [
                        &info.namespace,
                        &info.name,
                        &info.group,
                        &info.version,
                        &info.resource,
                        &info.subresource,
                    ]
                    .map(Str::clone),
                };
                let seat = fair.enter(&request, |most| self.estimate(server, info, query, most), note, details).await;
                seat.map(|seat| Seat { _seat: seat, _permit: None }).map_err(|away| too_many(away.retry_seconds))
            }
            Kind::Fixed { .. } if info.verb == "watch" => Ok(Seat::default()),
            Kind::Fixed { reading, mutating } => {
                let reads = matches!(info.verb, "get" | "list" | "head" | "options");
                let Some(bound) = (if reads { reading } else { mutating }) else { return Ok(Seat::default()) };
                match bound.clone().try_acquire_owned() {
                    Ok(permit) => Ok(Seat { _permit: Some(permit), _seat: None }),
                    // Upstream lets its administrators pass, so that they can see what is wrong.
                    Err(_) if user.groups.iter().any(|group| group == GROUP_MASTERS) => Ok(Seat::default()),
                    Err(_) => Err(too_many(RETRY_SECONDS)),
                }
            }
        }
    }

    /// A watch is open: writes that it hears of cost more.
    pub fn open_watch(&self, info: &PathInfo) -> OpenWatch {
        self.watches.open(info)
    }

    /// What a request will take of a level that gives one `most` seats at most: a list as many as what it reads is large, a
    /// write as many as have to hear of it, everything else one.
    fn estimate(&self, server: &Server, info: &PathInfo, query: &Query, most: u32) -> Work {
        match info.verb {
            "list" | "watch" => Work::of_seats(seats(server, info, query).min(most)),
            "create" if makes_token(server, info) => Work::of_seats(1),
            "create" | "update" | "patch" | "delete" => of_write(self.watches.count(info), most),
            _ => Work::of_seats(1),
        }
    }

    /// The FlowSchemas and PriorityLevelConfigurations that are stored now.
    pub fn configure(&self, schemas: &[Value], levels: &[Value]) {
        if let Kind::Fair(fair) = &self.kind {
            fair.configure(schemas, levels);
        }
    }

    /// Lends seats that are not wanted to levels that want them; to be called every ten seconds.
    pub fn lend(&self) {
        if let Kind::Fair(fair) = &self.kind {
            fair.lend();
        }
    }
}

/// A token is nothing that anybody hears of.
fn makes_token(server: &Server, info: &PathInfo) -> bool {
    if info.subresource.is_empty() {
        return false;
    }
    let resources = server.registry.load();
    let endpoint = resources.endpoint(&info.group, &info.version, &info.resource);
    let part = endpoint.and_then(|endpoint| endpoint.descriptor.subresource(&info.subresource));
    part.is_some_and(|part| matches!(part.does, SubresourceKind::Token(_)))
}

/// What a write takes that so many hear of. Work that is wider than the level allows lasts longer instead.
fn of_write(watches: usize, most: u32) -> Work {
    if watches < WATCHES_PER_SEAT {
        return Work::of_seats(1);
    }
    let wanted = u32::try_from(watches.div_ceil(WATCHES_PER_SEAT)).unwrap_or(u32::MAX);
    let last_seats = wanted.min(most.min(WRITE_SEATS_MAX)).max(1);
    Work { seats: 1, last_seats, last_seconds: f64::from(wanted) * EVENT_SECONDS / f64::from(last_seats) }
}

/// How many seats a list needs, or a watch that begins with one.
fn seats(server: &Server, info: &PathInfo, query: &Query) -> u32 {
    let begins_with_list = || {
        let version = query.text("resourceVersion");
        matches!(query.text("sendInitialEvents"), "true" | "1") || version.is_empty() || version == "0"
    };
    if info.is_named || info.verb == "watch" && !begins_with_list() {
        return 1;
    }
    let resources = server.registry.load();
    let Some(endpoint) = resources.endpoint(&info.group, &info.version, &info.resource) else { return 1 };
    let snapshot = server.store.snapshot(&endpoint.namespace_prefix(&info.namespace));
    let (objects, bytes) = (snapshot.len() as u64, snapshot.bytes());
    let limit = query.text("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(objects).min(objects);
    let read = bytes.saturating_mul(limit) / objects.max(1);
    u32::try_from(read.div_ceil(BYTES_PER_SEAT)).unwrap_or(u32::MAX).max(1)
}

/// Tells the client where its request belongs.
pub fn add_headers(headers: &mut HeaderMap, flow: &Flow) {
    for (name, uid) in [(SCHEMA_UID, &flow.schema), (LEVEL_UID, &flow.level)] {
        if let Ok(value) = HeaderValue::from_str(uid) {
            headers.insert(name, value);
        }
    }
}

fn too_many(seconds: i64) -> Response<Body> {
    let mut response = answer::text(429, "Too many requests, please try again later.\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_that_many_hear_of_cost_more() {
        let work = |seats, last_seats, last_seconds| Work { seats, last_seats, last_seconds };
        assert_eq!(of_write(9, 10), work(1, 0, 0.0));
        assert_eq!(of_write(10, 10), work(1, 1, 0.005));
        assert_eq!(of_write(25, 10), work(1, 3, 0.005));
        assert_eq!(of_write(1000, 100), work(1, 10, 0.05), "narrower and longer");
        assert_eq!(of_write(1000, 2), work(1, 2, 0.25));
        assert_eq!(of_write(1000, 0), work(1, 1, 0.5));
    }
}
