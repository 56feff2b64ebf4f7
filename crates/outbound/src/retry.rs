//! Trying again, a little later each time.

use std::time::Duration;

use crate::failure::Failure;

/// How often and after which waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Between the first and the second try.
    pub first: Duration,
    /// Each wait is this many percent of the one before.
    pub factor_percent: u32,
    /// The first try counts.
    pub tries_max: u32,
}

impl Backoff {
    /// apiserver/pkg/util/webhook DefaultRetryBackoffWithInitialDelay: 500 ms and half as much more, five tries.
    pub const WEBHOOK: Backoff = Backoff { first: Duration::from_millis(500), factor_percent: 150, tries_max: 5 };
}

/// Tries until it succeeds, fails for good, or has been tried often enough; the last failure is the answer.
pub async fn retry<T, F>(backoff: Backoff, mut attempt: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut wait = backoff.first;
    for _ in 1..backoff.tries_max {
        match attempt().await {
            Err(why) if why.is_temporary() => {}
            ended => return ended,
        }
        tokio::time::sleep(wait).await;
        wait = wait.saturating_mul(backoff.factor_percent) / 100;
    }
    attempt().await
}
