//! What readers see while others write.

use crate::{Subject, put};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Expect, Store};

/// What was read of one resource is never ahead of what is read of another afterwards, in objects, lists and watches.
pub async fn readers_see_whole_transactions(subject: Subject) {
    let store = subject.store();
    let both = |n: u32| {
        let text = n.to_string();
        let put = |key| put(key, &text, Expect::Any);
        vec![put("/registry/nodes/n"), put("/registry/pods/ns1/p"), put("/registry/services/specs/ns1/s")]
    };
    store.commit(both(0)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let (store, done) = (store.clone(), done.clone());
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let (first, second, third) = read(&store, reader);
                    assert!(first <= second && second <= third, "reader {reader}: {first}, {second}, {third}");
                }
            })
        })
        .collect();
    for n in 1..500 {
        if readers.iter().any(|reader| reader.is_finished()) {
            break;
        }
        store.commit(both(n)).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}

/// Three revisions that were read one after the other.
fn read(store: &Store, reader: usize) -> (u64, u64, u64) {
    let got = |key: &str| store.get(key).unwrap().revision;
    let listed = |prefix: &str| store.snapshot(prefix).iter().next().unwrap().revision;
    let watched = |prefix: &str| {
        let mut cursor = store.watch(prefix, store.revision() - 1).unwrap();
        cursor.try_next().unwrap().map_or(0, |event| event.revision)
    };
    match reader {
        0 => (got("/registry/nodes/n"), got("/registry/pods/ns1/p"), store.revision()),
        1 => (got("/registry/nodes/n"), listed("/registry/services/specs/"), listed("/registry/pods/")),
        _ => (watched("/registry/nodes/"), listed("/registry/pods/"), got("/registry/services/specs/ns1/s")),
    }
}
