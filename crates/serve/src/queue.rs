//! How many requests are answered at a time. What is decided is the business of the crate `fairness`; here requests wait
//! and are woken. Without fairness there are two fixed bounds, one for reads and one for writes.
//!
//! A watch has its seat until it is open. Other streams have none.

mod fair;
mod report;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, header};
use meta::{Str, Value};
use resource::User;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer;
use crate::authenticate::GROUP_MASTERS;
use crate::body::Body;
use crate::path::PathInfo;
use crate::query::Query;
use crate::server::Server;
use crate::warnings::Warnings;
use fair::{Fair, FairSeat};

const RETRY_SECONDS: u64 = 1;
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

pub struct Queue(Kind);

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
            return Queue(Kind::Fair(Fair::new(u32::try_from(seats).unwrap_or(u32::MAX), bounds.wait_max)));
        }
        let bound = |max: usize| (max > 0).then(|| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))));
        Queue(Kind::Fixed { reading: bound(bounds.reading), mutating: bound(bounds.mutating) })
    }

    /// 429 as plain text when there is no room, or none in time. `warnings` are told where the request belongs.
    pub async fn enter(
        &self,
        server: &Server,
        user: &User,
        info: &PathInfo,
        query: &Query,
        warnings: &Warnings,
    ) -> Result<Seat, Response<Body>> {
        if crate::handle::is_long_running(info) && info.verb != "watch" {
            return Ok(Seat::default());
        }
        match &self.0 {
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
                let seat = fair.enter(&request, || seats(server, info, query), note).await;
                seat.map(|seat| Seat { _seat: seat, _permit: None }).map_err(|_| too_many())
            }
            Kind::Fixed { .. } if info.verb == "watch" => Ok(Seat::default()),
            Kind::Fixed { reading, mutating } => {
                let reads = matches!(info.verb, "get" | "list" | "head" | "options");
                let Some(bound) = (if reads { reading } else { mutating }) else { return Ok(Seat::default()) };
                match bound.clone().try_acquire_owned() {
                    Ok(permit) => Ok(Seat { _permit: Some(permit), _seat: None }),
                    // Upstream lets its administrators pass, so that they can see what is wrong.
                    Err(_) if user.groups.iter().any(|group| group == GROUP_MASTERS) => Ok(Seat::default()),
                    Err(_) => Err(too_many()),
                }
            }
        }
    }

    /// The FlowSchemas and PriorityLevelConfigurations that are stored now.
    pub fn configure(&self, schemas: &[Value], levels: &[Value]) {
        if let Kind::Fair(fair) = &self.0 {
            fair.configure(schemas, levels);
        }
    }

    /// Lends seats that are not wanted to levels that want them; to be called every ten seconds.
    pub fn lend(&self) {
        if let Kind::Fair(fair) = &self.0 {
            fair.lend();
        }
    }
}

/// How many seats a request needs: a list as many as what it reads is large, everything else one.
fn seats(server: &Server, info: &PathInfo, query: &Query) -> u32 {
    if info.verb != "list" || info.is_named {
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

fn too_many() -> Response<Body> {
    let mut response = answer::text(429, "Too many requests, please try again later.\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    response
}
