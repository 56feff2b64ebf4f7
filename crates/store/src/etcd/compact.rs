//! Compaction, as kube-apiservers agree on it (k8s.io/apiserver/pkg/storage/etcd3/compact.go): whoever first raises the
//! version of one key in an interval compacts to the revision that it saw an interval ago. So a revision stays readable
//! for one to two intervals, however many servers there are.

use super::{Etcd, signed, unsigned};
use ::etcd::{Compare, Error, RangeRequest, Request, Response, TxnRequest};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Not under anyone's prefix: history is the whole etcd's. Its value is the revision of the last compaction.
pub(super) const KEY: &[u8] = b"compact_rev_key";

/// What is known since the last interval.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Of the key.
    version: i64,
    /// etcd's newest then; 0 is not known.
    revision: u64,
}

pub(super) async fn run(etcd: Arc<Etcd>, interval: Duration) {
    let mut seen = Seen::default();
    loop {
        tokio::time::sleep(interval).await;
        // In trouble what is known stays, and is tried again.
        if let Ok(next) = etcd.compact_once(seen).await {
            seen = next;
        }
    }
}

impl Etcd {
    async fn compact_once(&self, seen: Seen) -> Result<Seen, Error> {
        let txn = TxnRequest {
            compare: vec![Compare::Version { key: KEY.to_vec(), equal: seen.version }],
            then: vec![Request::Put { key: KEY.to_vec(), value: Bytes::from(seen.revision.to_string()), lease: 0 }],
            otherwise: vec![Request::Range(RangeRequest { key: KEY.to_vec(), ..RangeRequest::default() })],
        };
        let response = self.client.txn(&txn).await?;
        let revision = unsigned(response.revision);
        if response.succeeded {
            let next = Seen { version: seen.version + 1, revision };
            if seen.revision > 0 {
                match self.client.compact(signed(seen.revision)).await {
                    Err(why) if !why.is_compacted() => return Err(why),
                    _ => self.core.compact(seen.revision),
                }
            }
            return Ok(next);
        }
        // Another server was first, and has compacted.
        let Some(Response::Range(range)) = response.responses.first() else { return Ok(Seen { revision, ..seen }) };
        let kv = range.kvs.first();
        self.core.compact(kv.and_then(|kv| parse(&kv.value)).unwrap_or(0));
        Ok(Seen { version: kv.map_or(0, |kv| kv.version), revision })
    }

    /// The revision of the last compaction, as far as somebody has noted it.
    pub(super) async fn compacted_revision(&self) -> Result<u64, Error> {
        let range = self.client.range(&RangeRequest { key: KEY.to_vec(), ..RangeRequest::default() }).await?;
        Ok(range.kvs.first().and_then(|kv| parse(&kv.value)).unwrap_or(0))
    }
}

fn parse(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
