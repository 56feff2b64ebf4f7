//! Leases of objects that expire. Objects share one while their times are close, as with kube-apiserver
//! (k8s.io/apiserver/pkg/storage/etcd3/lease_manager.go): etcd is slow with very many leases.

use crate::engine::now_seconds;
use ::etcd::{Client, Error};
use tokio::sync::Mutex;

/// Of the time to live, at most, by which an object may outlive its time.
const REUSE_PERCENT: i64 = 5;
/// Objects of one lease.
const OBJECTS_MAX: u32 = 1000;

#[derive(Debug)]
pub(super) struct Leases {
    reuse_seconds_max: i64,
    last: Mutex<Option<Lease>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Lease {
    id: i64,
    expires_at_seconds: i64,
    objects: u32,
}

#[derive(Debug, PartialEq)]
enum Plan {
    Reuse,
    Grant { ttl_seconds: i64 },
}

/// What an object does that expires at `at_seconds`.
fn plan_lease(last: Option<&Lease>, now_seconds: i64, at_seconds: i64, reuse_seconds_max: i64) -> Plan {
    // etcd's leases last a second at least.
    let ttl = at_seconds.saturating_sub(now_seconds).max(1);
    let reuse = (ttl.saturating_mul(REUSE_PERCENT) / 100).min(reuse_seconds_max).max(0);
    let at = now_seconds.saturating_add(ttl);
    let fits = |lease: &Lease| {
        let late = lease.expires_at_seconds.saturating_sub(at);
        lease.objects < OBJECTS_MAX && (0..=reuse).contains(&late)
    };
    if last.is_some_and(fits) { Plan::Reuse } else { Plan::Grant { ttl_seconds: ttl.saturating_add(reuse) } }
}

impl Leases {
    pub(super) fn new(reuse_seconds_max: i64) -> Leases {
        Leases { reuse_seconds_max, last: Mutex::default() }
    }

    /// The ID of a lease that ends at `at_seconds`, or a little later.
    pub(super) async fn lease_until(&self, client: &Client, at_seconds: i64) -> Result<i64, Error> {
        // Held while a lease is made: whoever comes meanwhile shares it.
        let mut last = self.last.lock().await;
        let now = now_seconds();
        match (plan_lease(last.as_ref(), now, at_seconds, self.reuse_seconds_max), &mut *last) {
            (Plan::Reuse, Some(lease)) => {
                lease.objects += 1;
                Ok(lease.id)
            }
            (Plan::Grant { ttl_seconds }, _) => {
                let id = client.grant_lease(ttl_seconds).await?;
                *last = Some(Lease { id, expires_at_seconds: now.saturating_add(ttl_seconds), objects: 1 });
                Ok(id)
            }
            (Plan::Reuse, None) => Ok(0),
        }
    }

    /// The next object gets a new one.
    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_shared_for_a_while() {
        let lease = |expires_at_seconds, objects| Lease { id: 7, expires_at_seconds, objects };
        let hour = 3600;
        for (last, at, want) in [
            (None, hour, Plan::Grant { ttl_seconds: 3660 }),
            (Some(lease(3660, 1)), hour, Plan::Reuse),
            (Some(lease(3600, 1)), hour, Plan::Reuse),
            (Some(lease(3599, 1)), hour, Plan::Grant { ttl_seconds: 3660 }),
            (Some(lease(3661, 1)), hour, Plan::Grant { ttl_seconds: 3660 }),
            (Some(lease(3660, OBJECTS_MAX)), hour, Plan::Grant { ttl_seconds: 3660 }),
            (Some(lease(3660, 1)), 100, Plan::Grant { ttl_seconds: 105 }),
            (Some(lease(105, 1)), 100, Plan::Reuse),
            (None, 10, Plan::Grant { ttl_seconds: 10 }),
            (None, -5, Plan::Grant { ttl_seconds: 1 }),
        ] {
            assert_eq!(plan_lease(last.as_ref(), 0, at, 60), want, "{last:?} at {at}");
        }
        assert_eq!(plan_lease(None, 0, hour, 0), Plan::Grant { ttl_seconds: hour });
    }
}
