//! The etcd engine: objects live in etcd, as kube-apiserver keeps them; what is in memory is the watch cache.
//!
//! One task ([`follow`]) feeds the memory from a list and then one watch, so that snapshots, watches and indexes are
//! the same as with every engine. A transaction ([`commit`]) is one of etcd's, and is acknowledged when the watch has
//! brought it back. A consistent read ([`barrier`]) asks etcd for its newest revision and waits for the watch.
//! Any number of servers, kube-apiservers among them, may use one etcd.

mod barrier;
mod commit;
mod compact;
mod follow;
mod keys;
mod lease;
mod link;
mod load;
mod own_writes;
mod stored;

use crate::engine::{Core, Threads, now_seconds};
use crate::object::Resource;
use crate::store::{Options, Store};
use ::etcd::{Client, Config};
use keys::Keys;
use lease::Leases;
use link::Link;
use own_writes::OwnWrites;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

/// Where etcd is, and kube-apiserver's agreements with other servers on it.
#[derive(Clone, Debug)]
pub struct EtcdOptions {
    pub client: Config,
    /// What keys begin with in place of "/registry".
    pub prefix: String,
    /// How often history is compacted; zero leaves that to others.
    pub compaction_interval: Duration,
    /// How long a lease is given to further objects, at most.
    pub lease_reuse_seconds: i64,
}

impl Default for EtcdOptions {
    fn default() -> EtcdOptions {
        EtcdOptions {
            client: Config::default(),
            prefix: "/registry".into(),
            compaction_interval: Duration::from_secs(300),
            lease_reuse_seconds: 60,
        }
    }
}

/// What the tasks and the callers share.
#[derive(Debug)]
pub(crate) struct Etcd {
    core: Arc<Core>,
    client: Client,
    keys: Keys,
    leases: Leases,
    own_writes: OwnWrites,
    link: Link,
    /// Somebody waits for a revision: the watch is asked how far it is.
    impatient: Notify,
    askers: mpsc::Sender<barrier::Asker>,
}

/// The engine with its tasks, which end with it.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) etcd: Arc<Etcd>,
    _tasks: JoinSet<()>,
}

/// Requests for a barrier that wait for the one in progress.
const ASKERS_MAX: usize = 1024;

impl Store {
    /// A store in etcd. Returns when all of it is in memory. Its tasks run on the current runtime.
    ///
    /// # Errors
    /// When the configuration is wrong, or etcd cannot be read for a while; for the person who starts the server.
    pub async fn open_etcd(etcd: EtcdOptions, resources: Vec<Resource>, options: Options) -> Result<Store, String> {
        let client = Client::new(&etcd.client)?;
        let upkeep = options.upkeep;
        let core = Arc::new(Core::starting_at(0, false, Arc::default(), options));
        let (askers, asked) = mpsc::channel(ASKERS_MAX);
        let shared = Arc::new(Etcd {
            core: core.clone(),
            client,
            keys: Keys::new(&etcd.prefix),
            leases: Leases::new(etcd.lease_reuse_seconds),
            own_writes: OwnWrites::default(),
            link: Link::default(),
            impatient: Notify::new(),
            askers,
        });
        shared.install(resources);
        let newest = shared.load_first().await.map_err(|why| why.to_string())?;
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::run(shared.clone()));
        tasks.spawn(barrier::run(shared.clone(), asked));
        tasks.spawn(link::run(shared.clone()));
        if !etcd.compaction_interval.is_zero() {
            tasks.spawn(compact::run(shared.clone(), etcd.compaction_interval));
        }
        if upkeep {
            tasks.spawn(keep_house(core.clone()));
        }
        let remote = Arc::new(Remote { etcd: shared, _tasks: tasks });
        if let Err(why) = remote.etcd.wait_for(newest).await {
            return Err(remote.etcd.failure().map_or_else(|| why.to_string(), |cause| cause.to_string()));
        }
        Ok(Store { core: core.clone(), _threads: Arc::new(Threads::new(core, Vec::new())), remote: Some(remote) })
    }
}

/// Bounds what is remembered, also when nobody compacts, and what that takes.
async fn keep_house(core: Arc<Core>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        core.compact_by_age(now_seconds());
        core.encodings.tick();
        let packing = core.clone();
        // Only a panic fails it, which has said so.
        let _ = tokio::task::spawn_blocking(move || packing.pack_when_due()).await;
    }
}

/// etcd's revisions are positive.
fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
