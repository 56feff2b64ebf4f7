//! How many requests are answered at a time: the rest waits in order for a while, then is told to come back.
//! Watches and streams take no seat, and the system's own administrators are never turned away.

use crate::authenticate::{Authenticated, GROUP_MASTERS};
use http::{HeaderValue, Response, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer;
use crate::body::Body;

/// Upstream's --max-requests-inflight and --max-mutating-requests-inflight together.
const SEATS: usize = 600;
const RETRY_SECONDS: u64 = 1;

pub struct Queue {
    seats: Arc<Semaphore>,
    wait: Duration,
}

/// Proof that the request may be worked on; its place is free again when this is dropped.
pub struct Seat {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Queue {
    /// `wait`: the longest time in the queue.
    pub fn new(wait: Duration) -> Queue {
        Queue { seats: Arc::new(Semaphore::new(SEATS)), wait }
    }

    /// 429 as plain text when no seat becomes free in time.
    pub async fn enter(&self, sender: &Authenticated, is_long_running: bool) -> Result<Seat, Response<Body>> {
        let exempt = sender.user().groups.iter().any(|group| group == GROUP_MASTERS);
        if exempt || is_long_running {
            return Ok(Seat { _permit: None });
        }
        match tokio::time::timeout(self.wait, self.seats.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Seat { _permit: Some(permit) }),
            Ok(Err(_)) | Err(_) => Err(too_many()),
        }
    }
}

fn too_many() -> Response<Body> {
    let mut response = answer::text(429, "Too many requests, please try again later.\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::User;

    #[tokio::test]
    async fn a_full_house_turns_away_all_but_masters_and_watches() {
        let queue = Queue { seats: Arc::new(Semaphore::new(1)), wait: Duration::ZERO };
        let someone = Authenticated::impersonating(User::default());
        let master = Authenticated::impersonating(User { groups: vec![GROUP_MASTERS.into()], ..User::default() });
        let seat = queue.enter(&someone, false).await;
        assert!(seat.is_ok());
        assert_eq!(queue.enter(&someone, false).await.err().map(|r| r.status().as_u16()), Some(429));
        assert!(queue.enter(&someone, true).await.is_ok());
        assert!(queue.enter(&master, false).await.is_ok());
        drop(seat);
        assert!(queue.enter(&someone, false).await.is_ok());
    }
}
