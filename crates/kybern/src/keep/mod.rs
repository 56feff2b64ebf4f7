//! What the server itself keeps: whether flow schemas dangle and which there are, what quotas are used for, whom it trusts,
//! and when kept tokens were used. One task, until it is aborted.

mod authorities;
mod flow_control;
mod flow_schemas;
mod legacy_tokens;
mod quotas;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use meta::Value;
use resource::Reader as _;
use serve::{Server, StoreReader};
use store::Cursor;
use tokio::task::JoinHandle;

use crate::boot::authorities::Authorities;

/// `authorities` are what the flags say now.
pub fn start(
    server: Arc<Server>,
    authorities: impl Fn() -> Result<Authorities, String> + Send + Sync + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(
            authorities::keep(&server, &authorities),
            flow_control::keep(&server),
            flow_schemas::keep(&server),
            legacy_tokens::keep(&server),
            quotas::keep(&server)
        );
    })
}

/// How long to wait before looking again when history was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// One object, and when it changes.
struct FollowedObject {
    key: String,
    cursor: Option<Cursor>,
    group: String,
    plural: String,
    namespace: String,
    name: String,
}

fn followed_object(server: &Server, group: &str, plural: &str, namespace: &str, name: &str) -> FollowedObject {
    let resources = server.registry.load();
    let key = resources.stored(group, plural).map(|endpoint| endpoint.key(namespace, name)).unwrap_or_default();
    let [group, plural, namespace, name] = [group, plural, namespace, name].map(str::to_owned);
    let cursor = server.store.watch(&key, server.store.revision()).ok();
    FollowedObject { key, cursor, group, plural, namespace, name }
}

impl FollowedObject {
    fn get(&self, server: &Server) -> Option<Value> {
        let resources = server.registry.load();
        let reader = StoreReader { resources: &resources, store: &server.store };
        reader.get(&self.group, &self.plural, &self.namespace, &self.name)
    }

    /// Returns after a change since it was followed or since the last return; sometimes without one.
    async fn changed(&mut self, server: &Server) {
        let well = match &mut self.cursor {
            Some(cursor) => cursor.next().await.is_ok(),
            None => false,
        };
        if !well {
            tokio::time::sleep(PAUSE).await;
            self.cursor = server.store.watch(&self.key, server.store.revision()).ok();
        }
    }
}

fn list(server: &Server, group: &str, plural: &str) -> Vec<Value> {
    let resources = server.registry.load();
    StoreReader { resources: &resources, store: &server.store }.list(group, plural, "")
}

/// The changes of some resources from a revision on. `None` when there is nothing to follow, or history was lost.
fn follow(server: &Server, kinds: &[(String, String)], revision: u64) -> Option<Vec<Cursor>> {
    let resources = server.registry.load();
    let cursor = |(group, plural): &(String, String)| {
        let endpoint = resources.stored(group, plural)?;
        server.store.watch(&endpoint.prefix, revision).ok()
    };
    kinds.iter().map(cursor).collect()
}

/// Which cursor has news, and what; `None` when history was lost.
async fn next(cursors: &mut [Cursor]) -> Option<(usize, store::Event)> {
    if cursors.is_empty() {
        return std::future::pending().await;
    }
    let (event, at, _) = select_all(cursors.iter_mut().map(|cursor| Box::pin(cursor.next()))).await;
    event.ok().map(|event| (at, event))
}
