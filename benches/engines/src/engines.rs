//! One engine each: durable writes, and everything in memory after a start.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What an API server needs of its storage.
pub trait Engine: Send + Sync {
    /// Sets or deletes; returns when it is durable.
    fn write(&self, key: String, value: Option<Vec<u8>>);

    /// Everything, as it is kept in memory from then on.
    fn load(&self) -> BTreeMap<String, Bytes>;
}

type Open = fn(&Path) -> Box<dyn Engine>;

pub const ENGINES: &[(&str, Open)] = &[
    ("redb 4.6", |dir| Box::new(Grouped::new(Redb::open(dir)))),
    ("fjall 3.1", |dir| Box::new(Grouped::new(Fjall::open(dir)))),
    ("surrealkv 1.2", |dir| Box::new(Surreal::open(dir))),
    ("own log", |dir| Box::new(Own::open(dir))),
];

type Change = (String, Option<Vec<u8>>);

/// An engine that takes batches.
trait Batches: Send + Sync + 'static {
    fn apply(&self, changes: &[Change]);
    fn load(&self) -> BTreeMap<String, Bytes>;
}

/// Group commit in front of an engine.
struct Grouped<E> {
    engine: Arc<E>,
    queue: Mutex<Option<Sender<(Change, Sender<()>)>>>,
    committer: Option<JoinHandle<()>>,
}

impl<E: Batches> Grouped<E> {
    fn new(engine: E) -> Self {
        let engine = Arc::new(engine);
        let (queue, gathered) = channel();
        let committer = std::thread::spawn({
            let engine = engine.clone();
            move || commit(&*engine, &gathered)
        });
        Grouped { engine, queue: Mutex::new(Some(queue)), committer: Some(committer) }
    }
}

fn commit(engine: &impl Batches, gathered: &Receiver<(Change, Sender<()>)>) {
    while let Ok(first) = gathered.recv() {
        let (changes, waiters): (Vec<Change>, Vec<Sender<()>>) =
            std::iter::once(first).chain(gathered.try_iter()).unzip();
        engine.apply(&changes);
        waiters.iter().for_each(|waiter| waiter.send(()).expect("it waits"));
    }
}

impl<E: Batches> Engine for Grouped<E> {
    fn write(&self, key: String, value: Option<Vec<u8>>) {
        let (tell, told) = channel();
        let queue = self.queue.lock().expect("a queue").clone();
        queue.expect("open").send(((key, value), tell)).expect("a committer");
        told.recv().expect("it is committed");
    }

    fn load(&self) -> BTreeMap<String, Bytes> {
        self.engine.load()
    }
}

impl<E> Drop for Grouped<E> {
    fn drop(&mut self) {
        *self.queue.lock().expect("a queue") = None;
        self.committer.take().expect("a committer").join().expect("it ends");
    }
}

struct Redb(redb::Database);

const TABLE: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("objects");

impl Redb {
    fn open(dir: &Path) -> Redb {
        let database = redb::Database::create(dir.join("redb")).expect("a database");
        let begun = database.begin_write().expect("a transaction");
        begun.open_table(TABLE).expect("a table");
        begun.commit().expect("durable");
        Redb(database)
    }
}

impl Batches for Redb {
    fn apply(&self, changes: &[Change]) {
        let begun = self.0.begin_write().expect("a transaction");
        {
            let mut table = begun.open_table(TABLE).expect("a table");
            for (key, value) in changes {
                match value {
                    Some(value) => drop(table.insert(key.as_str(), value.as_slice()).expect("set")),
                    None => drop(table.remove(key.as_str()).expect("removed")),
                }
            }
        }
        begun.commit().expect("durable");
    }

    fn load(&self) -> BTreeMap<String, Bytes> {
        use redb::{ReadableDatabase, ReadableTable};
        let table = self.0.begin_read().expect("a snapshot").open_table(TABLE).expect("a table");
        let entries = table.iter().expect("entries").map(|entry| entry.expect("an entry"));
        entries.map(|(key, value)| (key.value().to_owned(), Bytes::copy_from_slice(value.value()))).collect()
    }
}

struct Fjall(fjall::Database, fjall::Keyspace);

impl Fjall {
    fn open(dir: &Path) -> Fjall {
        let database = fjall::Database::builder(dir.join("fjall")).open().expect("a database");
        let objects = database.keyspace("objects", fjall::KeyspaceCreateOptions::default).expect("a keyspace");
        Fjall(database, objects)
    }
}

impl Batches for Fjall {
    fn apply(&self, changes: &[Change]) {
        let mut batch = self.0.batch().durability(Some(fjall::PersistMode::SyncData));
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(&self.1, key.as_str(), value.as_slice()),
                None => batch.remove(&self.1, key.as_str()),
            }
        }
        batch.commit().expect("durable");
    }

    fn load(&self) -> BTreeMap<String, Bytes> {
        let entries = self.1.iter().map(|entry| entry.into_inner().expect("an entry"));
        let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        entries.map(|(key, value)| (text(&key), Bytes::copy_from_slice(&value))).collect()
    }
}

/// Many transactions at a time, which the engine syncs together.
struct Surreal {
    tree: surrealkv::Tree,
    runtime: tokio::runtime::Runtime,
}

impl Surreal {
    fn open(dir: &Path) -> Surreal {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let _entered = runtime.enter();
        let tree = surrealkv::TreeBuilder::new().with_path(dir.join("surrealkv")).build().expect("a tree");
        drop(_entered);
        Surreal { tree, runtime }
    }
}

impl Engine for Surreal {
    fn write(&self, key: String, value: Option<Vec<u8>>) {
        self.runtime.block_on(async {
            let mut begun = self.tree.begin().expect("a transaction");
            begun.set_durability(surrealkv::Durability::Immediate);
            match value {
                Some(value) => begun.set(key.as_bytes(), value.as_slice()).expect("set"),
                None => begun.delete(key.as_bytes()).expect("deleted"),
            }
            begun.commit().await.expect("durable");
        });
    }

    fn load(&self) -> BTreeMap<String, Bytes> {
        use surrealkv::LSMIterator;
        let begun = self.tree.begin().expect("a snapshot");
        let mut cursor = begun.range("/".as_bytes(), "0".as_bytes()).expect("a range");
        let mut loaded = BTreeMap::new();
        cursor.seek_first().expect("a beginning");
        while cursor.valid() {
            let key = String::from_utf8_lossy(cursor.key().user_key()).into_owned();
            loaded.insert(key, Bytes::from(cursor.value().expect("a value").to_vec()));
            cursor.next().expect("the next");
        }
        loaded
    }
}

impl Drop for Surreal {
    fn drop(&mut self) {
        self.runtime.block_on(self.tree.close()).expect("closed");
    }
}

struct Own {
    store: store::Store,
    runtime: tokio::runtime::Runtime,
}

impl Own {
    fn open(dir: &Path) -> Own {
        let pods = store::Resource {
            prefix: "/registry/pods/".into(),
            extract: Arc::new(|_, _| Ok(store::Meta::default())),
            field_names: Vec::new(),
            canonical: None,
        };
        // The others keep no history for watches: as little as possible here.
        let options = store::Options { retention_seconds: 1, disk_log_bytes_max: 64 << 20, ..Default::default() };
        let store = store::Store::open_embedded(&dir.join("own"), vec![pods], options).expect("a store");
        Own { store, runtime: tokio::runtime::Builder::new_multi_thread().build().expect("a runtime") }
    }
}

impl Engine for Own {
    fn write(&self, key: String, value: Option<Vec<u8>>) {
        let expect = store::Expect::Any;
        let op = match value {
            Some(value) => store::Op::Put { key, bytes: value.into(), meta: store::Meta::default(), expect },
            None => store::Op::Delete { key, expect },
        };
        self.runtime.block_on(self.store.commit(vec![op])).expect("durable");
    }

    fn load(&self) -> BTreeMap<String, Bytes> {
        let objects = self.store.snapshot("/registry/pods/");
        objects.iter().map(|object| (object.key.to_string(), object.bytes.clone())).collect()
    }
}
