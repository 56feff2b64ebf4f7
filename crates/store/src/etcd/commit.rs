//! Writing: a transaction is one of etcd's.

use super::{Etcd, signed, unsigned};
use crate::at_rest::Opened;
use crate::commit::{CommitError, Committed, Expect, Op};
use crate::object::Object;
use ::etcd::{Code, Compare, Error, RangeRequest, Request, Response, TxnRequest, TxnResponse};
use std::sync::Arc;

/// What a failed call is to who wants to write or read.
pub(super) fn failed(error: &Error) -> CommitError {
    match error.code {
        _ if error.is_too_large() => CommitError::TooLarge,
        Code::DeadlineExceeded => CommitError::TimedOut,
        _ => CommitError::Unavailable(error.to_string().into()),
    }
}

impl Etcd {
    /// As [`crate::Store::commit`].
    pub(crate) async fn commit(&self, ops: Vec<Op>) -> Result<Committed, CommitError> {
        if let Some(why) = self.link.lasting_failure() {
            return Err(CommitError::Unavailable(why));
        }
        self.core.lock_head().check_form(&ops)?;
        let noted = self.own_writes.note(&ops);
        let response = self.transact(&ops).await?;
        let revision = unsigned(response.revision);
        // Also before a conflict is told: who tries again must see what it was with.
        self.wait_for(revision).await?;
        if !response.succeeded {
            return Err(self.conflict(&ops, &response).unwrap_or_else(|why| CommitError::Unavailable(why.into())));
        }
        let mut objects = noted.objects_at(revision);
        if objects.len() != ops.len() {
            objects = ops.iter().filter_map(|op| self.object_as_written(op, revision)).collect();
        }
        Ok(Committed { revision, objects })
    }

    async fn transact(&self, ops: &[Op]) -> Result<TxnResponse, CommitError> {
        let lease = self.lease_of(ops).await.map_err(|why| failed(&why))?;
        let txn = self.plan_txn(ops, lease)?;
        let outcome = match self.client.txn(&txn).await {
            // It ended early: somebody revoked it, or the clocks differ.
            Err(why) if why.is_lease_gone() => {
                self.leases.forget().await;
                let lease = self.lease_of(ops).await.map_err(|why| failed(&why))?;
                self.client.txn(&self.plan_txn(ops, lease)?).await
            }
            outcome => outcome,
        };
        outcome.map_err(|why| failed(&why))
    }

    /// One lease for all that expires in a transaction; 0 when nothing does.
    async fn lease_of(&self, ops: &[Op]) -> Result<i64, Error> {
        let expiries = ops.iter().filter_map(|op| match op {
            Op::Put { meta, .. } => meta.expires_at_seconds,
            Op::Delete { .. } => None,
        });
        match expiries.max() {
            Some(at) => self.leases.lease_until(&self.client, at).await,
            None => Ok(0),
        }
    }

    fn plan_txn(&self, ops: &[Op], lease: i64) -> Result<TxnRequest, CommitError> {
        let mut txn = TxnRequest::default();
        for op in ops {
            let key = self.keys.in_etcd(op.key());
            txn.compare.extend(compare(op, &key));
            txn.otherwise.push(Request::Range(RangeRequest { key: key.clone(), ..RangeRequest::default() }));
            txn.then.push(match op {
                Op::Put { key, bytes, meta, .. } => {
                    self.put_request(key, bytes, if meta.expires_at_seconds.is_some() { lease } else { 0 })?
                }
                Op::Delete { .. } => Request::Delete { key },
            });
        }
        Ok(txn)
    }

    /// The first op whose expectation did not hold, and what is there.
    fn conflict(&self, ops: &[Op], response: &TxnResponse) -> Result<CommitError, String> {
        let there = ops
            .iter()
            .zip(&response.responses)
            .map(|(op, response)| match response {
                Response::Range(range) => {
                    let object = range.kvs.first().map(|kv| self.object_of(op.key().into(), kv));
                    object.map(|object| object.map(Arc::new)).transpose()
                }
                Response::Done => Ok(None),
            })
            .collect::<Result<Vec<Option<Arc<Object>>>, String>>()?;
        let broken = ops.iter().zip(&there).find(|(op, current)| !op.holds(current.as_ref()));
        Ok(match broken.or_else(|| ops.iter().zip(&there).next()) {
            Some((op, current)) => CommitError::Conflict { key: op.key().into(), current: current.clone() },
            None => CommitError::Unavailable("etcd refused an empty transaction".into()),
        })
    }

    /// What a written op made, when the watch has not told it: it was away for so long that memory was filled anew.
    fn object_as_written(&self, op: &Op, revision: u64) -> Option<Arc<Object>> {
        let Op::Put { key, bytes, .. } = op else { return None };
        let kv = ::etcd::KeyValue {
            mod_revision: signed(revision),
            create_revision: signed(revision),
            value: bytes.clone(),
            ..::etcd::KeyValue::default()
        };
        let mark = self.core.options.at_rest.as_ref().map_or(0, |at_rest| at_rest.mark(key));
        let opened = Opened { bytes: bytes.clone(), mark };
        Some(Arc::new(self.object_with(key.as_str().into(), &kv, &opened, None)))
    }
}

fn compare(op: &Op, key: &[u8]) -> Option<Compare> {
    let key = key.to_vec();
    match op {
        Op::Put { expect: Expect::Absent, .. } => Some(Compare::ModRevision { key, equal: 0 }),
        Op::Put { expect: Expect::Revision(revision), .. } | Op::Delete { expect: Expect::Revision(revision), .. } => {
            Some(Compare::ModRevision { key, equal: signed(*revision) })
        }
        Op::Delete { expect: Expect::Any, .. } => Some(Compare::Exists { key }),
        // Never so.
        Op::Delete { expect: Expect::Absent, .. } => Some(Compare::ModRevision { key, equal: -1 }),
        Op::Put { expect: Expect::Any, .. } => None,
    }
}
