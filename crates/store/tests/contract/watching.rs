//! What watches promise.

use crate::{Subject, commit, delete, put, set};
use std::sync::Arc;
use store::{Event, Expect, Interest, Kind};

pub async fn watches_are_ordered_complete_and_resumable(mut subject: Subject) {
    let begun = subject.store().revision();
    let mut expected: Vec<String> = Vec::new();
    for n in 0..50u32 {
        let store = subject.store();
        let key = format!("/registry/pods/ns{}/p{}", n % 3, n % 7);
        let previous = store.get(&key).map(|o| o.revision);
        let done = match previous {
            Some(_) if n % 4 == 0 => commit(store, delete(&key, Expect::Any)).await.unwrap(),
            _ => commit(store, put(&key, &format!("|node{}|", n % 5), Expect::Any)).await.unwrap(),
        };
        let kind = if previous.is_some() && n % 4 == 0 { Kind::Delete } else { Kind::Put };
        expected.push(format!("{kind:?} {key} {} {previous:?}", done.revision));
        set(store, &format!("/registry/nodes/n{n}"), "").await;
    }
    for _ in 0..2 {
        for (skipped, prefix) in [(0, "/registry/pods/"), (20, "/registry/pods/"), (0, "/registry/pods/ns1/")] {
            let mut cursor = subject.store().watch(prefix, begun + 2 * skipped as u64).unwrap();
            let mut seen = Vec::new();
            while let Some(event) = cursor.try_next().unwrap() {
                assert_eq!(event.object.revision, event.revision);
                let previous = event.previous.as_ref().map(|o| o.revision);
                seen.push(format!("{:?} {} {} {previous:?}", event.kind, event.object.key, event.revision));
            }
            let wanted: Vec<_> = expected[skipped..].iter().filter(|line| line.contains(prefix)).cloned().collect();
            assert_eq!(seen, wanted, "{prefix} after {skipped}");
        }
        subject.restart();
    }
    let key: Arc<str> = "/registry/pods/ns1/p1".into();
    for interest in [Interest::Key(key), Interest::Field { index: 0, value: "node2".into() }] {
        let mut cursor = subject.store().watch_where("/registry/pods/", begun, interest.clone()).unwrap();
        let mut all = subject.store().watch("/registry/pods/", begun).unwrap();
        let wanted = |event: &Event| match &interest {
            Interest::Key(key) => event.object.key == *key,
            Interest::Field { value, .. } => [Some(&event.object), event.previous.as_ref()]
                .into_iter()
                .flatten()
                .any(|object| object.meta.fields.first() == Some(value)),
            Interest::All => true,
        };
        let mut count = 0;
        while let Some(event) = all.try_next().unwrap() {
            if wanted(&event) {
                assert_eq!(cursor.try_next().unwrap().unwrap().revision, event.revision);
                count += 1;
            }
        }
        assert!(count >= 3 && cursor.try_next().unwrap().is_none());
    }
}

pub async fn watchers_wait_and_hear(subject: Subject) {
    let store = subject.store().clone();
    let begun = store.revision();
    let hear = |prefix: &'static str, after: u64, count: usize| {
        let mut cursor = store.watch(prefix, after).unwrap();
        tokio::spawn(async move {
            let mut revisions = Vec::new();
            while revisions.len() < count {
                revisions.push(cursor.next().await.unwrap().revision);
            }
            revisions
        })
    };
    let all = hear("/registry/pods/", begun, 30);
    let part = hear("/registry/pods/ns1/", begun, 10);
    let future = hear("/registry/pods/", begun + 20, 10);
    let mut waiting = Vec::new();
    for n in 0..30 {
        let store = store.clone();
        // Concurrently: they share batches.
        waiting.push(tokio::spawn(async move { set(&store, &format!("/registry/pods/ns{}/p{n}", n % 3), "").await }));
    }
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(all.await.unwrap(), (begun + 1..=begun + 30).collect::<Vec<_>>());
    let part = part.await.unwrap();
    assert!(part.is_sorted() && part.len() == 10);
    assert_eq!(future.await.unwrap(), (begun + 21..=begun + 30).collect::<Vec<_>>());
    store.wait_for(begun + 30).await.unwrap();
    assert_eq!(store.read_barrier().await.unwrap(), begun + 30);
}

pub async fn quiet_watchers_lose_nothing(subject: Subject) {
    let store = subject.store();
    let begun = set(store, "/registry/pods/ns2/quiet", "|far|").await;
    let interests = [
        ("/registry/pods/ns2/", Interest::All),
        ("/registry/pods/", Interest::Key("/registry/pods/ns2/quiet".into())),
        ("/registry/pods/", Interest::Field { index: 0, value: "far".into() }),
        ("/registry/pods/", Interest::Field { index: 0, value: "near".into() }),
    ];
    let open =
        |(prefix, interest): &(&'static str, Interest)| store.watch_where(prefix, begun, interest.clone()).unwrap();
    let mut cursors: Vec<_> = interests.iter().map(open).collect();
    // A second one of each, that goes away: the topic stays.
    interests.iter().for_each(|interest| drop(open(interest)));
    for n in 0..50 {
        set(store, "/registry/pods/ns1/busy", &format!("|{n}|")).await;
    }
    for cursor in &mut cursors {
        assert!(cursor.try_next().unwrap().is_none());
        assert_eq!(cursor.progress(), store.revision());
    }
    store.compact(store.revision() - 1);
    let moved = set(store, "/registry/pods/ns2/quiet", "|near|").await;
    for cursor in &mut cursors {
        let event = cursor.next().await.unwrap();
        assert_eq!((event.revision, event.previous.unwrap().revision), (moved, begun));
    }
    store.compact(moved);
    let late = set(store, "/registry/pods/ns1/busy", "|near|").await;
    assert_eq!(cursors[3].next().await.unwrap().revision, late);
    for cursor in &mut cursors[..3] {
        assert!(cursor.try_next().unwrap().is_none());
    }
    // What was not read in time is lost, and only that.
    set(store, "/registry/pods/ns2/quiet", "|near|").await;
    store.compact(store.revision());
    assert!(cursors[0].try_next().is_err() && cursors[1].try_next().is_err());
    assert!(cursors[2].try_next().unwrap().is_none());
}

pub async fn bookmarks_are_true(subject: Subject) {
    let store = subject.store();
    let begun = store.revision();
    let mut cursor = store.watch("/registry/pods/", begun).unwrap();
    assert_eq!(cursor.progress(), begun);
    set(store, "/registry/nodes/n", "").await;
    assert_eq!(cursor.progress(), begun + 1, "grows when nothing happens under the prefix");
    let both = vec![put("/registry/pods/ns1/a", "", Expect::Any), put("/registry/pods/ns1/b", "", Expect::Any)];
    let revision = store.commit(both).await.unwrap().revision;
    assert_eq!(cursor.progress(), revision - 1);
    cursor.next().await.unwrap();
    assert_eq!(cursor.progress(), revision - 1, "half of a transaction was returned");
    cursor.next().await.unwrap();
    assert_eq!(cursor.progress(), revision);
}
