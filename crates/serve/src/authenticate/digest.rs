//! Digests of secrets, and what is remembered about secrets for a while.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::SystemRandom;

/// Known to this process only, so that nobody can make secrets whose digests meet.
static KEY: LazyLock<hmac::Key> = LazyLock::new(|| {
    hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).unwrap_or_else(|_| {
        // No entropy source: nothing that this process hands out could be trusted.
        std::process::abort()
    })
});

/// What stands for a secret in tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(secret: &str) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&KEY, secret.as_bytes()).as_ref());
        Digest(digest)
    }
}

/// How many secrets are remembered; when there are more, those whose time is over go first, then all.
const REMEMBERED_MAX: usize = 8192;

/// What was found out about secrets, each for its time.
pub struct Remembered<T>(Mutex<HashMap<Digest, (T, Instant)>>);

impl<T> Default for Remembered<T> {
    fn default() -> Remembered<T> {
        Remembered(Mutex::default())
    }
}

impl<T: Clone> Remembered<T> {
    pub fn get(&self, secret: &str) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&Digest::of(secret)).filter(|(_, until)| *until > Instant::now()).map(|(found, _)| found.clone())
    }

    pub fn remember(&self, secret: &str, found: T, time: Duration) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, (_, until)| *until > now);
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
        }
        if let Some(until) = now.checked_add(time) {
            known.insert(Digest::of(secret), (found, until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_ends() {
        let known = Remembered::default();
        known.remember("a", 1, Duration::from_secs(60));
        known.remember("b", 2, Duration::ZERO);
        assert_eq!((known.get("a"), known.get("b"), known.get("c")), (Some(1), None, None));
        for n in 0..=REMEMBERED_MAX {
            known.remember(&n.to_string(), 3, Duration::from_secs(60));
        }
        assert!(known.0.lock().is_ok_and(|known| known.len() <= REMEMBERED_MAX));
    }
}
