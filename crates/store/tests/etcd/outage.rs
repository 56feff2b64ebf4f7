//! etcd stops, is slow, or is cut off.

use crate::etcd_server::options_at;
use crate::proxy::{Proxy, Weather};
use crate::{EtcdServer, commit, events, eventually, key, open, put, set, text};
use std::time::Duration;
use store::{CommitError, Expect, Op};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_etcd_comes_back_and_nothing_is_lost() {
    let Some(mut etcd) = EtcdServer::start("killed") else { return };
    let store = open(etcd.options()).await;
    let begun = store.revision();
    let mut cursor = store.watch(crate::PODS, begun).unwrap();
    let mut acknowledged = vec![format!("a 1 {}", set(&store, "a", "1").await)];
    for round in 2..4 {
        etcd.stop();
        let (refused, unread) = tokio::join!(commit(&store, put("a", "lost", Expect::Any)), store.read_barrier());
        assert!(matches!(refused, Err(CommitError::Unavailable(_) | CommitError::TimedOut)), "{refused:?}");
        let why = unread.unwrap_err().to_string();
        assert!(why.contains("connection refused"), "{why}");
        assert!(store.failure().is_some());
        assert_eq!(text(&store, "a"), Some((round - 1).to_string()), "what is in memory stays readable");
        etcd.run();
        eventually("healthy again", async || store.failure().is_none()).await;
        acknowledged.push(format!("a {round} {}", set(&store, "a", &round.to_string()).await));
    }
    assert_eq!(events(&mut cursor, 3).await, acknowledged);
    assert!(cursor.try_next().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_etcd_is_waited_for() {
    let Some(etcd) = EtcdServer::start("slow") else { return };
    let proxy = Proxy::to(etcd.port).await;
    let (near, far) = (open(etcd.options()).await, open(options_at(&proxy.url())).await);
    proxy.set(Weather::Slow(Duration::from_millis(100)));
    let mut cursor = far.watch(crate::PODS, far.revision()).unwrap();
    let mut expected = Vec::new();
    for n in 0..5 {
        // What one has acknowledged the other sees when it asks, and only then for certain.
        let revision = set(&near, "a", &format!("near{n}")).await;
        assert!(far.read_barrier().await.unwrap() >= revision);
        assert_eq!(text(&far, "a"), Some(format!("near{n}")));
        expected.push(format!("a near{n} {revision}"));
        let revision = set(&far, "a", &format!("far{n}")).await;
        near.read_barrier().await.unwrap();
        assert_eq!(text(&near, "a"), Some(format!("far{n}")));
        expected.push(format!("a far{n} {revision}"));
    }
    assert_eq!(events(&mut cursor, 10).await, expected);
    // Many readers share a question: all of them together take about as long as one.
    let barriers: Vec<_> = (0..200)
        .map(|_| {
            tokio::spawn({
                let far = far.clone();
                async move { far.read_barrier().await.unwrap() }
            })
        })
        .collect();
    for barrier in barriers {
        barrier.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_cut_off_is_left_for_another() {
    let Some(etcd) = EtcdServer::start("cut-off") else { return };
    let proxy = Proxy::to(etcd.port).await;
    let mut options = options_at(&proxy.url());
    options.client.endpoints.push(format!("http://127.0.0.1:{}", etcd.port));
    let (store, other) = (open(options).await, open(etcd.options()).await);
    let mut cursor = store.watch(crate::PODS, store.revision()).unwrap();
    for weather in [Weather::Stalled, Weather::Fair, Weather::Cut] {
        proxy.set(weather);
        let name = format!("{weather:?}").to_lowercase();
        let revision = set(&other, &name, "by another").await;
        // Both the calls and the watch find the way that is open.
        assert_eq!(events(&mut cursor, 1).await, [format!("{name} by another {revision}")]);
        eventually("written", async || commit(&store, put(&name, "again", Expect::Revision(revision))).await.is_ok())
            .await;
        assert_eq!(events(&mut cursor, 1).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_gone_ends_watches_and_memory_is_filled_anew() {
    let Some(etcd) = EtcdServer::start("gap") else { return };
    let proxy = Proxy::to(etcd.port).await;
    let (store, other) = (open(options_at(&proxy.url())).await, open(etcd.options()).await);
    let begun = store.revision();
    set(&store, "stays", "1").await;
    set(&store, "goes", "1").await;
    let mut behind = store.watch(crate::PODS, begun).unwrap();
    let mut quiet = store.watch(crate::PODS, store.revision()).unwrap();
    let mut of_one = store.watch_where(crate::PODS, begun, store::Interest::Key(key("goes").into())).unwrap();
    proxy.set(Weather::Cut);
    commit(&other, Op::Delete { key: key("goes"), expect: Expect::Any }).await.unwrap();
    set(&other, "comes", "2").await;
    let newest = set(&other, "stays", "2").await;
    let client = etcd::Client::new(&etcd.options().client).unwrap();
    client.compact(i64::try_from(newest).unwrap()).await.unwrap();
    assert_eq!(text(&store, "goes").as_deref(), Some("1"));
    proxy.set(Weather::Fair);
    // A deletion was missed, so nobody may go on as if there had been none.
    for cursor in [&mut behind, &mut quiet, &mut of_one] {
        while let Ok(event) = cursor.next().await {
            assert!(event.revision < newest);
        }
    }
    store.read_barrier().await.unwrap();
    let texts = ["stays", "goes", "comes"].map(|name| text(&store, name));
    assert_eq!(texts, [Some("2".into()), None, Some("2".into())]);
    assert!(store.watch(crate::PODS, newest - 1).is_err());
    let mut cursor = store.watch(crate::PODS, newest).unwrap();
    let revision = set(&other, "comes", "3").await;
    assert_eq!(events(&mut cursor, 1).await, [format!("comes 3 {revision}")]);
    assert_eq!(store.get(&key("comes")).unwrap().create_revision, other.get(&key("comes")).unwrap().create_revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_was_replaced_is_not_believed() {
    let Some(etcd) = EtcdServer::start("first") else { return };
    let Some(second) = EtcdServer::start("second") else { return };
    let proxy = Proxy::to(etcd.port).await;
    let store = open(options_at(&proxy.url())).await;
    for n in 0..5 {
        set(&store, "a", &n.to_string()).await;
    }
    let mut options = options_at(&proxy.url());
    options.client.endpoints.push(format!("http://127.0.0.1:{}", second.port));
    let torn = open(options).await;
    proxy.set(Weather::Cut);
    let error = loop {
        match torn.read_barrier().await {
            Err(error) => break error.to_string(),
            Ok(_) => tokio::task::yield_now().await,
        }
    };
    assert!(error.contains("was replaced"), "{error}");
    assert!(commit(&torn, put("a", "x", Expect::Any)).await.is_err());
    assert!(torn.failure().is_some_and(|why| why.contains("was replaced")));
}
