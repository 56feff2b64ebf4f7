//! Statuses that the server itself keeps: whether flow schemas dangle, and what quotas are used for. One task, until
//! it is aborted.

mod flow_schemas;
mod quotas;

use std::sync::Arc;

use futures_util::future::select_all;
use meta::Value;
use resource::Reader as _;
use serve::{Server, StoreReader};
use store::Cursor;
use tokio::task::JoinHandle;

pub fn start(server: Arc<Server>) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(flow_schemas::keep(&server), quotas::keep(&server));
    })
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
