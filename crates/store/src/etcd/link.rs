//! Whether etcd is there.

use super::Etcd;
use ::etcd::{Error, RangeRequest};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often etcd is asked when nothing else asks it.
const PERIOD: Duration = Duration::from_secs(1);
/// `--etcd-healthcheck-timeout`
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Link {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// etcd does not answer.
    calls: Option<Arc<str>>,
    /// Since when nothing is heard of what others write.
    watch: Option<(Instant, Arc<str>)>,
    /// What etcd has cannot be taken over: an object is under a key that this server does not have (yet).
    reload: Option<Arc<str>>,
    /// Not to be repaired: what is in memory is not what etcd has.
    lasting: Option<Arc<str>>,
}

impl Link {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn note_calls(&self, failed: Option<String>) {
        self.change(|state| state.calls = failed.map(Arc::from));
    }

    pub(super) fn note_watch(&self, failed: Option<String>) {
        self.change(|state| match (failed, &state.watch) {
            (None, _) => state.watch = None,
            (Some(why), known) => {
                let since = known.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                state.watch = Some((since, why.into()));
            }
        });
    }

    pub(super) fn note_reload(&self, failed: Option<String>) {
        self.change(|state| state.reload = failed.map(Arc::from));
    }

    /// Nothing is read or written any more.
    pub(super) fn give_up(&self, why: String) {
        self.change(|state| state.lasting = Some(why.into()));
    }

    /// Why nothing can be read or written any more.
    pub(super) fn lasting_failure(&self) -> Option<Arc<str>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lasting.clone()
    }

    /// What is wrong now. A watch may move to another member without anyone's noticing.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = state.watch.as_ref().filter(|(since, _)| since.elapsed() > TIMEOUT).map(|(_, why)| why);
        state.lasting.as_ref().or(state.calls.as_ref()).or(state.reload.as_ref()).or(watch).cloned()
    }
}

impl Etcd {
    /// The newest revision. A read of a key that need not be there, as upstream checks health.
    pub(super) async fn ask_revision(&self) -> Result<u64, Error> {
        let before = self.core.newest_revision();
        let request = RangeRequest { key: self.keys.in_etcd("/health"), limit: 1, ..RangeRequest::default() };
        let newest = super::unsigned(self.client.range(&request).await?.revision);
        if newest < before {
            let why = format!("etcd is at revision {newest} after {before}: it was replaced. Start this server anew");
            self.link.give_up(why);
        }
        Ok(newest)
    }
}

/// Asks from time to time, for those who look at health.
pub(super) async fn run(etcd: Arc<Etcd>) {
    loop {
        let asked = tokio::time::timeout(TIMEOUT, etcd.ask_revision()).await;
        etcd.link.note_calls(match asked {
            Ok(Ok(_)) => None,
            Ok(Err(why)) => Some(why.to_string()),
            Err(_) => Some("context deadline exceeded".into()),
        });
        tokio::time::sleep(PERIOD).await;
    }
}
