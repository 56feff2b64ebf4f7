//! etcd's messages (api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto), with those fields that are used.

use bytes::Bytes;
use grpc::{Field, Malformed, Writer, read_fields};

/// Empty `range_end`: the one key. The byte 0 as both: every key.
#[derive(Clone, Debug, Default)]
pub struct RangeRequest {
    pub key: Vec<u8>,
    pub range_end: Vec<u8>,
    /// 0 is none.
    pub limit: i64,
    /// 0 is the newest.
    pub revision: i64,
    pub count_only: bool,
}

impl RangeRequest {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(1, &self.key);
        w.bytes(2, &self.range_end);
        w.number(3, self.limit.cast_unsigned());
        w.number(4, self.revision.cast_unsigned());
        w.flag(9, self.count_only);
    }
}

/// A key's state.
#[derive(Clone, Debug, Default)]
pub struct KeyValue {
    pub key: Bytes,
    pub create_revision: i64,
    pub mod_revision: i64,
    /// How often the key was written since it was created.
    pub version: i64,
    pub value: Bytes,
    pub lease: i64,
}

impl KeyValue {
    fn read(message: Bytes) -> Result<KeyValue, Malformed> {
        let mut kv = KeyValue::default();
        read_fields(message, |field, value| {
            match field {
                1 => kv.key = value.bytes(),
                2 => kv.create_revision = value.signed(),
                3 => kv.mod_revision = value.signed(),
                4 => kv.version = value.signed(),
                5 => kv.value = value.bytes(),
                6 => kv.lease = value.signed(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(kv)
    }
}

#[derive(Clone, Debug, Default)]
pub struct RangeResponse {
    /// etcd's when it answered.
    pub revision: i64,
    pub kvs: Vec<KeyValue>,
    pub more: bool,
}

impl RangeResponse {
    pub(crate) fn read(message: Bytes) -> Result<RangeResponse, Malformed> {
        let mut response = RangeResponse::default();
        read_fields(message, |field, value| {
            match field {
                1 => response.revision = header_revision(value)?,
                2 => response.kvs.push(KeyValue::read(value.bytes())?),
                3 => response.more = value.number() != 0,
                _ => {}
            }
            Ok(())
        })?;
        Ok(response)
    }
}

/// The revision in a ResponseHeader.
pub(crate) fn header_revision(header: Field) -> Result<i64, Malformed> {
    let mut revision = 0;
    read_fields(header.bytes(), |field, value| {
        if field == 3 {
            revision = value.signed();
        }
        Ok(())
    })?;
    Ok(revision)
}

/// What must hold for a transaction's first branch. A key that is absent has the revision and version 0.
#[derive(Clone, Debug)]
pub enum Compare {
    ModRevision { key: Vec<u8>, equal: i64 },
    Exists { key: Vec<u8> },
    Version { key: Vec<u8>, equal: i64 },
}

impl Compare {
    fn write(&self, w: &mut Writer) {
        const GREATER: u64 = 1;
        const MOD: u64 = 2;
        let (key, result, target, field, number) = match self {
            Compare::ModRevision { key, equal } => (key, 0, MOD, 6, *equal),
            Compare::Exists { key } => (key, GREATER, MOD, 6, 0),
            Compare::Version { key, equal } => (key, 0, 0, 4, *equal),
        };
        w.number(1, result);
        w.number(2, target);
        w.bytes(3, key);
        // One of a oneof: etcd takes a comparison without it as true.
        w.present_number(field, number.cast_unsigned());
    }
}

/// One step of a transaction.
#[derive(Clone, Debug)]
pub enum Request {
    Range(RangeRequest),
    Put { key: Vec<u8>, value: Bytes, lease: i64 },
    Delete { key: Vec<u8> },
}

impl Request {
    fn write(&self, w: &mut Writer) {
        match self {
            Request::Range(range) => w.message(1, |w| range.write(w)),
            Request::Put { key, value, lease } => w.message(2, |w| {
                w.bytes(1, key);
                w.bytes(2, value);
                w.number(3, lease.cast_unsigned());
            }),
            Request::Delete { key } => w.message(3, |w| w.bytes(1, key)),
        }
    }
}

/// Does all of `then` when all of `compare` holds, else all of `otherwise`.
#[derive(Clone, Debug, Default)]
pub struct TxnRequest {
    pub compare: Vec<Compare>,
    pub then: Vec<Request>,
    pub otherwise: Vec<Request>,
}

impl TxnRequest {
    pub(crate) fn write(&self, w: &mut Writer) {
        self.compare.iter().for_each(|compare| w.message(1, |w| compare.write(w)));
        self.then.iter().for_each(|request| w.message(2, |w| request.write(w)));
        self.otherwise.iter().for_each(|request| w.message(3, |w| request.write(w)));
    }
}

#[derive(Clone, Debug, Default)]
pub struct TxnResponse {
    pub revision: i64,
    pub succeeded: bool,
    /// One per request.
    pub responses: Vec<Response>,
}

#[derive(Clone, Debug)]
pub enum Response {
    Range(RangeResponse),
    /// Of a put or a deletion.
    Done,
}

impl TxnResponse {
    pub(crate) fn read(message: Bytes) -> Result<TxnResponse, Malformed> {
        let mut response = TxnResponse::default();
        read_fields(message, |field, value| {
            match field {
                1 => response.revision = header_revision(value)?,
                2 => response.succeeded = value.number() != 0,
                3 => response.responses.push(read_response(value.bytes())?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(response)
    }
}

fn read_response(message: Bytes) -> Result<Response, Malformed> {
    let mut response = Response::Done;
    read_fields(message, |field, value| {
        if field == 1 {
            response = Response::Range(RangeResponse::read(value.bytes())?);
        }
        Ok(())
    })?;
    Ok(response)
}

/// What to watch. There is one watch on a stream, so that it needs no number.
#[derive(Clone, Debug, Default)]
pub struct WatchRequest {
    pub key: Vec<u8>,
    pub range_end: Vec<u8>,
    /// The first revision whose events are told.
    pub start_revision: i64,
}

impl WatchRequest {
    /// With notifications of progress (4), and large answers in fragments (8).
    pub(crate) fn write(&self, w: &mut Writer) {
        w.message(1, |w| {
            w.bytes(1, &self.key);
            w.bytes(2, &self.range_end);
            w.number(3, self.start_revision.cast_unsigned());
            w.flag(4, true);
            w.flag(8, true);
        });
    }

    /// Asks how far the watch is.
    pub(crate) fn write_progress(w: &mut Writer) {
        w.message(3, |_| {});
    }
}

#[derive(Clone, Debug, Default)]
pub struct WatchResponse {
    pub revision: i64,
    pub created: bool,
    pub canceled: bool,
    /// Not 0: the watch asked for something older than this, and is over.
    pub compact_revision: i64,
    pub cancel_reason: String,
    /// More of the same revision may follow.
    pub fragment: bool,
    pub events: Vec<WatchEvent>,
}

/// A deletion's `kv` has only its key and revision.
#[derive(Clone, Debug, Default)]
pub struct WatchEvent {
    pub deleted: bool,
    pub kv: KeyValue,
}

impl WatchResponse {
    /// Whether it says nothing but that everything up to `revision` has been told.
    pub fn is_progress(&self) -> bool {
        self.events.is_empty() && !self.created && !self.canceled && !self.fragment && self.compact_revision == 0
    }

    pub(crate) fn read(message: Bytes) -> Result<WatchResponse, Malformed> {
        let mut response = WatchResponse::default();
        read_fields(message, |field, value| {
            match field {
                1 => response.revision = header_revision(value)?,
                3 => response.created = value.number() != 0,
                4 => response.canceled = value.number() != 0,
                5 => response.compact_revision = value.signed(),
                6 => response.cancel_reason = String::from_utf8_lossy(&value.bytes()).into_owned(),
                7 => response.fragment = value.number() != 0,
                11 => response.events.push(WatchEvent::read(value.bytes())?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(response)
    }
}

impl WatchEvent {
    fn read(message: Bytes) -> Result<WatchEvent, Malformed> {
        let mut event = WatchEvent::default();
        read_fields(message, |field, value| {
            match field {
                1 => event.deleted = value.number() != 0,
                2 => event.kv = KeyValue::read(value.bytes())?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(event)
    }
}

/// The field of a message that has one number of interest: a lease's ID, for instance.
pub(crate) fn read_number(message: Bytes, wanted: u64) -> Result<i64, Malformed> {
    let mut number = 0;
    read_fields(message, |field, value| {
        if field == wanted {
            number = value.signed();
        }
        Ok(())
    })?;
    Ok(number)
}

/// The version in a StatusResponse, such as "3.6.4".
pub(crate) fn read_version(message: Bytes) -> Result<String, Malformed> {
    let mut version = String::new();
    read_fields(message, |field, value| {
        if field == 2 {
            version = String::from_utf8_lossy(&value.bytes()).into_owned();
        }
        Ok(())
    })?;
    Ok(version)
}
