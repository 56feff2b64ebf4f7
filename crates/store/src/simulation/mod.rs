//! The store itself in a world without threads and clocks, under a seed: clients, watchers, the log's writer and the
//! housekeeping take turns that the seed chooses, also in the middle of every file operation; the disk fails, processes
//! are killed, the power goes, and the next process goes on with what is left. Afterwards [`check`](check::check) says
//! whether what all of them were told was true.
//!
//! `KYBERN_SIMULATION_SEED=n` repeats one seed, `KYBERN_SIMULATION_SEEDS=n` plays that many.

mod bad;
mod check;
mod history;
mod scene;

use crate::embedded::disk::{Disk, Fault, Random};
use crate::embedded::{Loaded, LogPlan, Writer, checkpoint, load, prepare_segment};
use crate::engine::Threads;
use crate::object::{Meta, Resource};
use crate::store::{Options, Store};
use crate::upkeep::{begin_expiry, checkpoint_when_due};
use history::History;
use scene::Scene;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is listed and watched.
const PREFIXES: [&str; 4] = ["/registry/a/", "/registry/b/", "/registry/a/x/", "/registry/b/x/"];
/// Keys of each prefix.
const KEYS: u64 = 4;

fn key(random: &mut Random) -> String {
    format!("{}{}", random.pick(&["/registry/a/x/", "/registry/b/x/", "/registry/a/y/"]), random.below(KEYS))
}

/// The one selectable field.
fn field_of(value: u64) -> String {
    (value % 3).to_string()
}

fn value_of(bytes: &[u8]) -> u64 {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn meta_of(_: &str, bytes: &[u8]) -> Meta {
    Meta { fields: vec![field_of(value_of(bytes)).as_str().into()], ..Meta::default() }
}

fn resources() -> Vec<Resource> {
    let resource = |prefix: &str| Resource {
        prefix: prefix.into(),
        extract: Arc::new(|key, bytes| Ok(meta_of(key, bytes))),
        field_names: vec!["thirds".into()],
        canonical: None,
        in_etcd: None,
    };
    vec![resource("/registry/a/"), resource("/registry/b/")]
}

/// What the housekeeping does.
#[derive(Clone, Copy)]
enum House {
    Compact,
    Prepare,
    Checkpoint,
    CheckpointWhenDue,
    Expire,
    Pack,
}

const HOUSE: [House; 6] =
    [House::Compact, House::Prepare, House::Checkpoint, House::CheckpointWhenDue, House::Expire, House::Pack];

/// What can be happening while a file operation is waited for.
struct World {
    scene: Mutex<Scene>,
    /// Of the process that runs. Taken by whoever writes the log.
    writer: Mutex<Option<Writer>>,
    keeping_house: AtomicBool,
    plan: Mutex<Option<LogPlan>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Called before each file operation.
    fn interlude(&self) {
        let Ok(mut scene) = self.scene.try_lock() else { return };
        if scene.store.is_none() {
            return;
        }
        (0..scene.random.below(3)).for_each(|_| scene.step());
        let turn = scene.random.below(12);
        drop(scene);
        match turn {
            // Only while the housekeeping waits for the disk: a writer that waits has the lock.
            0..4 => self.write_batch(),
            // Preparing a segment waits for a writer that begins one.
            4 => self.keep_house(&[House::Compact, House::Checkpoint, House::CheckpointWhenDue, House::Expire]),
            _ => {}
        }
    }

    fn store(&self) -> Option<Store> {
        lock(&self.scene).store.clone()
    }

    fn write_batch(&self) {
        let Some(store) = self.store() else { return };
        let Ok(mut writer) = self.writer.try_lock() else { return };
        let ready = !store.core.lock_head().batch.is_empty() && store.failure().is_none();
        if let (Some(writer), true) = (writer.as_mut(), ready) {
            // Whoever waits is told.
            let _ = writer.write_batch(&store.core);
        }
    }

    fn keep_house(&self, tasks: &[House]) {
        let (Some(store), Some(plan)) = (self.store(), lock(&self.plan).clone()) else { return };
        if self.keeping_house.swap(true, Ordering::Relaxed) {
            return;
        }
        let task = lock(&self.scene).random.pick(tasks);
        // What fails here is tried again later, as in the real housekeeping.
        match task {
            House::Compact => drop(lock(&self.scene).compact()),
            House::Prepare => drop(prepare_segment(&plan, &|| false)),
            House::Checkpoint => drop(checkpoint(&store.core, &plan, store.core.compacted())),
            House::CheckpointWhenDue => drop(checkpoint_when_due(&store.core, &plan)),
            House::Expire => {
                let seconds = lock(&self.scene).tick();
                drop(begin_expiry(&store.core, seconds));
            }
            House::Pack => store.core.pack_when_due(),
        }
        self.keeping_house.store(false, Ordering::Relaxed);
    }

    /// A process from its start to its end. An error when it did not start.
    fn live(&self, disk: &Disk, steps: u64) -> std::io::Result<()> {
        // Small enough that segments change often; compaction by size would come before the audit.
        let options = Options { upkeep: false, segment_bytes: 4 << 10, ..Options::default() };
        let Loaded { core, writer, plan } = load(Arc::new(disk.clone()), resources(), options)?;
        *lock(&self.writer) = Some(writer);
        *lock(&self.plan) = Some(plan);
        let store = Store { core: core.clone(), _threads: Arc::new(Threads::new(core, Vec::new())), remote: None };
        lock(&self.scene).store = Some(store.clone());
        for _ in 0..steps {
            let turn = lock(&self.scene).random.below(30);
            match turn {
                0..9 => self.write_batch(),
                9..12 => self.keep_house(&HOUSE),
                12 => {
                    // Full, or soon, or space again.
                    let free = lock(&self.scene).random.pick(&[0, 100, 2000, u64::MAX, u64::MAX]);
                    disk.set_capacity(disk.used_bytes().saturating_add(free));
                }
                _ => lock(&self.scene).step(),
            }
            if store.failure().is_some() {
                break;
            }
        }
        Ok(())
    }

    /// What a good end is: everything that was begun is done.
    fn close(&self) {
        self.write_batch();
        if let (Some(writer), Some(store)) = (lock(&self.writer).as_mut(), self.store()) {
            writer.close(&store.core);
        }
    }

    /// The process is gone.
    fn end(&self) {
        let mut scene = lock(&self.scene);
        scene.poll_all();
        scene.forget_calls();
        scene.close_watches();
        let store = scene.store.take();
        drop(scene);
        *lock(&self.writer) = None;
        *lock(&self.plan) = None;
        drop(store);
    }
}

const FAULTS: [Fault; 6] =
    [Fault::End, Fault::End, Fault::EndBeforeNames, Fault::EndBeforeNames, Fault::Sync, Fault::Write];

/// Several lives of a store on one disk.
fn simulate(seed: u64) -> History {
    let scene = Mutex::new(Scene::new(seed));
    let world = Arc::new(World {
        scene,
        writer: Mutex::new(None),
        keeping_house: AtomicBool::new(false),
        plan: Mutex::new(None),
    });
    let weak = Arc::downgrade(&world);
    let attach = |disk: Disk| {
        let weak = weak.clone();
        disk.with_interlude(Arc::new(move || {
            if let Some(world) = weak.upgrade() {
                world.interlude();
            }
        }))
    };
    let mut disk = attach(Disk::new(seed));
    let lives = 2 + lock(&world.scene).random.below(4);
    for life in 0..=lives {
        let mut random = lock(&world.scene).random.clone();
        lock(&world.scene).random.next();
        let last = life == lives;
        if !last && random.below(5) > 0 {
            let after_max = random.pick(&[10, 60, 300]);
            disk.arm(random.below(after_max), random.pick(&FAULTS));
        }
        let steps = random.pick(&[20, 150, 400]);
        let lived = world.live(&disk, if last { 150 } else { steps });
        if let (Err(why), true) = (lived, last) {
            panic!("the store did not open on a good disk: {why}");
        }
        if last {
            world.close();
            let mut scene = lock(&world.scene);
            scene.poll_all();
            scene.audit();
            scene.drain_watches();
        } else if random.below(4) == 0 {
            world.close();
        }
        world.end();
        disk = attach(if random.below(2) == 0 { disk.after_power_loss() } else { disk.after_kill() });
    }
    std::mem::take(&mut lock(&world.scene).history)
}

#[test]
fn every_history_is_strictly_serializable_and_every_watch_is_true() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("KYBERN_SIMULATION_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("KYBERN_SIMULATION_SEEDS").unwrap_or(300),
    };
    let (mut writes, mut told, mut lost) = (0, 0, 0);
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| simulate(seed)).map_err(|_| "it panicked".to_owned());
        let outcome = outcome.and_then(|history| check::check(&history).map(|()| history));
        let history = outcome.unwrap_or_else(|why| panic!("KYBERN_SIMULATION_SEED={seed}: {why}"));
        writes += history.order.len();
        told += history.watches.iter().map(|watching| watching.told.len()).sum::<usize>();
        lost += history.watches.iter().filter(|watching| watching.lost.is_some()).count();
    }
    println!("{writes} changes, {told} events told, {lost} watches lost events");
}

#[test]
fn a_seed_repeats_its_history() {
    for seed in 1..=5 {
        assert!(simulate(seed) == simulate(seed), "KYBERN_SIMULATION_SEED={seed}");
    }
}
