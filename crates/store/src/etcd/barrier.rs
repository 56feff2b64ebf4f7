//! Reads that see everything that was acknowledged before them, by whatever server.

use super::{Etcd, commit::failed};
use crate::commit::CommitError;
use etcd::CALL_TIMEOUT;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

/// Somebody who waits for etcd's newest revision.
pub(super) type Asker = oneshot::Sender<Result<u64, CommitError>>;

/// Revisions that are not under our prefix do not come by themselves; those that are come at once.
const PATIENCE: Duration = Duration::from_millis(10);
const PATIENCE_LATER: Duration = Duration::from_millis(100);

/// One question at a time, for all who have asked when it begins.
pub(super) async fn run(etcd: Arc<Etcd>, mut asked: mpsc::Receiver<Asker>) {
    while let Some(first) = asked.recv().await {
        let mut askers = vec![first];
        while let Ok(asker) = asked.try_recv() {
            askers.push(asker);
        }
        let newest = etcd.ask_revision().await.map_err(|why| failed(&why));
        let newest = match etcd.link.lasting_failure() {
            Some(why) => Err(CommitError::Unavailable(why)),
            None => newest,
        };
        for asker in askers {
            // One that went away does not mind.
            let _ = asker.send(newest.clone());
        }
    }
}

impl Etcd {
    /// A revision that everything acknowledged before this call is in, when memory has it.
    pub(crate) async fn read_barrier(&self) -> Result<u64, CommitError> {
        let closed = || CommitError::Unavailable("the store is closed".into());
        let (asker, newest) = oneshot::channel();
        self.askers.send(asker).await.map_err(|_| closed())?;
        let newest = newest.await.map_err(|_| closed())??;
        self.wait_for(newest).await?;
        Ok(newest)
    }

    /// Returns when memory has a revision.
    pub(crate) async fn wait_for(&self, revision: u64) -> Result<(), CommitError> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        let mut progress = self.core.progress.subscribe();
        let mut patience = PATIENCE;
        loop {
            if timeout(patience, progress.wait_for(|progress| progress.revision >= revision)).await.is_ok() {
                return Ok(());
            }
            if let Some(why) = self.link.lasting_failure() {
                return Err(CommitError::Unavailable(why));
            }
            if Instant::now() >= deadline {
                return Err(CommitError::TimedOut);
            }
            self.impatient.notify_one();
            patience = PATIENCE_LATER;
        }
    }

    /// Why etcd is not there; `None` while all is well.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        self.link.failure()
    }
}
