//! Keeps the queue at what is stored: FlowSchemas and PriorityLevelConfigurations, and seats lent among levels.

use std::sync::Arc;
use std::time::Duration;

use resource::Reader as _;
use serve::{Server, StoreReader};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// How soon a change is in force.
const PERIOD: Duration = Duration::from_secs(1);
/// Seats are lent anew after as many periods.
const LENDING_PERIODS: u32 = 10;

/// Takes over what is stored, and from then on what changes, until the process stops.
pub fn start(server: Arc<Server>) {
    let mut known = revisions(&server);
    configure(&server);
    let mut stopping = server.stopping.clone();
    // A task that holds the server would keep it for ever.
    let server = Arc::downgrade(&server);
    tokio::spawn(async move {
        let mut periods = 0_u32;
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            let Some(server) = server.upgrade() else { return };
            let now = revisions(&server);
            if now != known {
                configure(&server);
                known = now;
            }
            periods = periods.wrapping_add(1);
            if periods.is_multiple_of(LENDING_PERIODS) {
                server.queue.lend();
            }
        }
    });
}

const RESOURCES: [&str; 2] = ["flowschemas", "prioritylevelconfigurations"];

/// Of every object; they change with any of them.
fn revisions(server: &Server) -> Vec<u64> {
    let resources = server.registry.load();
    let stored = RESOURCES.iter().filter_map(|resource| resources.stored(GROUP, resource));
    stored.flat_map(|endpoint| revisions_under(server, &endpoint.prefix)).collect()
}

fn revisions_under(server: &Server, prefix: &str) -> Vec<u64> {
    server.store.snapshot(prefix).iter().map(|object| object.revision).collect()
}

fn configure(server: &Server) {
    let resources = server.registry.load();
    let reader = StoreReader { resources: &resources, store: &server.store };
    let [schemas, levels] = RESOURCES.map(|resource| reader.list(GROUP, resource, ""));
    server.queue.configure(&schemas, &levels);
}
