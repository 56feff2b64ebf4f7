//! Calls, with failover.

use crate::endpoint::{Endpoint, Io, Tls, TlsClient};
use crate::error::Error;
use crate::messages::{
    RangeRequest, RangeResponse, TxnRequest, TxnResponse, WatchRequest, WatchResponse, read_number, read_version,
};
use bytes::Bytes;
use grpc::{Answers, Code, Connection, Malformed, Settings, Writer, framed};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a call may take, with everything that is tried for it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one member may take for a call that another may answer as well.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);
/// etcd closes connections that are asked more often than every 5 s.
const PING_PERIOD: Duration = Duration::from_secs(6);
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// A member that has lost its leader ends streams instead of keeping them waiting.
const HEADERS: &[(&str, &str)] = &[("hasleader", "true")];
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Where etcd is.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// URLs of members, such as `https://10.0.0.1:2379`.
    pub endpoints: Vec<String>,
    pub tls: Tls,
}

/// Calls to whichever member answers. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    endpoints: Vec<Endpoint>,
    tls: Option<TlsClient>,
    /// Of the member that is used now, counted on and on.
    current: AtomicUsize,
    connection: tokio::sync::Mutex<Option<(usize, Connection)>>,
    /// What the last attempt to connect failed with.
    trouble: Mutex<Option<Error>>,
}

/// Whether a call may be made twice.
#[derive(Clone, Copy, PartialEq)]
enum Repeat {
    Freely,
    /// Only when etcd has certainly not seen it.
    Unsent,
}

fn malformed(what: &'static str) -> impl Fn(Malformed) -> Error {
    move |_| Error::malformed(what)
}

impl Client {
    /// Does not connect yet. The error is for the person who wrote the configuration.
    pub fn new(config: &Config) -> Result<Client, String> {
        let endpoints = config.endpoints.iter().map(|url| Endpoint::parse(url)).collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err("no endpoint of etcd is given".into());
        }
        let is_tls = endpoints.iter().any(|endpoint| endpoint.is_tls);
        let tls = if is_tls { Some(TlsClient::new(&config.tls)?) } else { None };
        let (current, connection, trouble) = (AtomicUsize::new(0), tokio::sync::Mutex::default(), Mutex::default());
        Ok(Client { shared: Arc::new(Shared { endpoints, tls, current, connection, trouble }) })
    }

    /// Linearizable.
    pub async fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let answer = self.call("/etcdserverpb.KV/Range", Repeat::Freely, |w| request.write(w)).await?;
        RangeResponse::read(answer).map_err(malformed("RangeResponse"))
    }

    /// With an error that was sent it is not known whether the transaction has happened or will.
    pub async fn txn(&self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        let answer = self.call("/etcdserverpb.KV/Txn", Repeat::Unsent, |w| request.write(w)).await?;
        TxnResponse::read(answer).map_err(malformed("TxnResponse"))
    }

    /// Forgets history up to `revision`.
    pub async fn compact(&self, revision: i64) -> Result<(), Error> {
        let write = |w: &mut Writer| w.number(1, revision.cast_unsigned());
        self.call("/etcdserverpb.KV/Compact", Repeat::Freely, write).await.map(drop)
    }

    /// The ID of a new lease.
    pub async fn grant_lease(&self, ttl_seconds: i64) -> Result<i64, Error> {
        let write = |w: &mut Writer| w.number(1, ttl_seconds.cast_unsigned());
        let answer = self.call("/etcdserverpb.Lease/LeaseGrant", Repeat::Freely, write).await?;
        read_number(answer, 2).map_err(malformed("LeaseGrantResponse"))
    }

    /// Begins a watch on a connection of its own. What is watched may depend on the version of the member.
    pub async fn watch(&self, plan: impl FnOnce(&str) -> WatchRequest) -> Result<Watcher, Error> {
        let at = self.shared.current.load(Ordering::Acquire);
        let begin = async {
            let connection = self.shared.connect(at).await?;
            let version = connection.call("/etcdserverpb.Maintenance/Status", framed(b"")).await?;
            let version = read_version(version).map_err(malformed("StatusResponse"))?;
            let (sender, messages) = mpsc::channel(4);
            let mut w = Writer::default();
            plan(&version).write(&mut w);
            // There is room.
            let _ = sender.try_send(framed(&w.bytes));
            let answers = connection.stream("/etcdserverpb.Watch/Watch", messages).await?;
            Ok(Watcher { answers, sender, version, _connection: connection })
        };
        let begun = timeout(ATTEMPT_TIMEOUT, begin).await.unwrap_or_else(|_| Err(Error::timed_out(true)));
        if begun.is_err() {
            self.shared.leave(at);
        }
        begun
    }

    async fn call(&self, path: &str, repeat: Repeat, write: impl FnOnce(&mut Writer)) -> Result<Bytes, Error> {
        let mut w = Writer::default();
        write(&mut w);
        let message = framed(&w.bytes);
        let deadline = Instant::now() + CALL_TIMEOUT;
        let mut pause = PAUSE_MIN;
        loop {
            let attempt_deadline =
                if repeat == Repeat::Freely { deadline.min(Instant::now() + ATTEMPT_TIMEOUT) } else { deadline };
            let error = match self.shared.attempt(path, message.clone(), attempt_deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let elsewhere = matches!(error.code, Code::Unavailable | Code::DeadlineExceeded);
            let repeats = elsewhere && (repeat == Repeat::Freely || !error.sent);
            if !repeats || Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

impl Shared {
    fn endpoint(&self, at: usize) -> Option<&Endpoint> {
        self.endpoints.get(at.checked_rem(self.endpoints.len())?)
    }

    async fn connect(&self, at: usize) -> Result<Connection, Error> {
        let endpoint = self.endpoint(at).ok_or_else(|| grpc::Error::unreachable("no endpoint"))?;
        let opened = open(endpoint, self.tls.as_ref()).await;
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = opened.as_ref().err().cloned();
        opened
    }

    /// The next member's turn, if it is still this one's.
    fn leave(&self, at: usize) {
        // Another call may have moved on already.
        let _ = self.current.compare_exchange(at, at.wrapping_add(1), Ordering::AcqRel, Ordering::Acquire);
    }

    /// The connection to the member whose turn it is. Callers wait for one that is being made.
    async fn connection(&self) -> Result<(usize, Connection), Error> {
        let mut open = self.connection.lock().await;
        let at = self.current.load(Ordering::Acquire);
        if let Some((of, connection)) = &*open
            && *of == at
            && !connection.is_closed()
        {
            return Ok((at, connection.clone()));
        }
        *open = None;
        match self.connect(at).await {
            Ok(connection) => {
                *open = Some((at, connection.clone()));
                Ok((at, connection))
            }
            Err(error) => {
                self.leave(at);
                Err(error)
            }
        }
    }

    async fn attempt(&self, path: &str, message: Bytes, deadline: Instant) -> Result<Bytes, Error> {
        let (at, connection) = match timeout_at(deadline, self.connection()).await {
            Ok(connection) => connection?,
            Err(_) => {
                let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
                return Err(trouble.unwrap_or_else(|| Error::timed_out(false)));
            }
        };
        let answered = timeout_at(deadline, connection.call(path, message)).await;
        let answered = answered.map_or_else(|_| Err(Error::timed_out(true)), |answered| answered.map_err(Error::from));
        if let Err(error) = &answered
            && matches!(error.code, Code::Unavailable | Code::DeadlineExceeded)
        {
            self.leave(at);
        }
        answered
    }
}

async fn open(endpoint: &Endpoint, tls: Option<&TlsClient>) -> Result<Connection, Error> {
    let io = Io::connect(endpoint, tls).await.map_err(|why| {
        // As Go says it, and so kube-apiserver.
        let why = match why.kind() {
            std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            _ => why.to_string(),
        };
        grpc::Error::unreachable(format!("transport: Error while dialing: dial tcp {}: {why}", endpoint.authority))
    })?;
    let settings =
        Settings { base: endpoint.base(), headers: HEADERS, ping_period: PING_PERIOD, ping_timeout: PING_TIMEOUT };
    Ok(Connection::begin(io, settings).await?)
}

/// A watch in progress.
#[derive(Debug)]
pub struct Watcher {
    answers: Answers,
    sender: mpsc::Sender<Bytes>,
    version: String,
    /// Closes when nobody has it.
    _connection: Connection,
}

impl Watcher {
    /// The next message. Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Result<WatchResponse, Error> {
        let message =
            self.answers.next().await?.ok_or_else(|| grpc::Error::interrupted("the watch's stream has ended"))?;
        WatchResponse::read(message).map_err(malformed("WatchResponse"))
    }

    /// Asks how far the watch is. The answer is a message that says nothing else.
    pub fn request_progress(&self) {
        let mut w = Writer::default();
        WatchRequest::write_progress(&mut w);
        // When the queue is full, an earlier question is still to be answered.
        let _ = self.sender.try_send(framed(&w.bytes));
    }

    /// The version of the member that serves this watch.
    pub fn version(&self) -> &str {
        &self.version
    }
}
