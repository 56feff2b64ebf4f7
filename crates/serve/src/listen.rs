//! The outermost shell: connections. TLS, HTTP/1.1 and HTTP/2, limits, draining. Knows no path and no resource.

mod gathered;
mod socket;
pub mod tls;

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, Method, Request, Response, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

use gathered::gathered;
use socket::Socket;

/// Who is at the other end of a connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// `None` for requests from inside the process.
    pub address: Option<SocketAddr>,
    /// As presented, leaf first, not yet verified; empty without a client certificate.
    pub certificates: Arc<[CertificateDer<'static>]>,
    /// The insecure port and the process itself: full rights without credentials.
    pub trusted: bool,
    /// TLS.
    pub encrypted: bool,
}

impl Peer {
    /// The process itself, as upstream's loopback client.
    pub fn loopback() -> Peer {
        Peer { trusted: true, ..Peer::default() }
    }
}

/// Bounds on what a client can hold. The values are upstream's where it has them.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connections_max: usize,
    pub handshake_timeout: Duration,
    /// Time for the head of a request, and for the first byte of the next one on a kept connection.
    pub header_timeout: Duration,
    /// A larger head is answered 431.
    pub header_bytes_max: usize,
    pub streams_max: u32,
    /// HTTP/2 connections without a request for this long are closed.
    pub idle_timeout: Duration,
    /// HTTP/2 peers that leave a ping unanswered for this long are gone.
    pub ping_timeout: Duration,
    pub http2: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 50_000,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(90),
            header_bytes_max: (1 << 20) + 4096,
            streams_max: 100,
            idle_timeout: Duration::from_secs(90),
            ping_timeout: Duration::from_secs(15),
            http2: true,
        }
    }
}

/// One port: where requests come from and what is known of their senders beforehand.
pub struct Port {
    pub listener: TcpListener,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub trusted: bool,
    pub limits: Limits,
}

/// Accepts until `stop` turns true, then lets open requests finish. Returns when every connection is gone; the
/// caller bounds that time by dropping the future.
pub async fn listen<H, F, B>(port: Port, handler: H, mut stop: watch::Receiver<bool>)
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Port { listener, tls, trusted, limits } = port;
    let acceptor = tls.map(TlsAcceptor::from);
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    // Every connection holds a sender; when the last is dropped the receiver knows that all are gone.
    let (alive, mut drained) = mpsc::channel::<()>(1);
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                pause_after(&why).await;
                continue;
            }
        };
        let peer = Peer { address: Some(address), trusted, encrypted: acceptor.is_some(), ..Peer::default() };
        let connection = Connection { peer, limits: limits.clone(), handler: handler.clone(), stop: stop.clone() };
        let (acceptor, alive) = (acceptor.clone(), alive.clone());
        tokio::spawn(async move {
            connection.run(stream, acceptor).await;
            drop((permit, alive));
        });
    }
    drop((listener, alive));
    drained.recv().await;
}

/// Without file descriptors `accept` fails at once, again and again.
async fn pause_after(why: &io::Error) {
    if !matches!(why.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%why, "accepting a connection");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Connection<H> {
    peer: Peer,
    limits: Limits,
    handler: H,
    stop: watch::Receiver<bool>,
}

impl<H> Connection<H> {
    async fn run<F, B>(mut self, stream: TcpStream, acceptor: Option<TlsAcceptor>)
    where
        H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        prepare_socket(&stream);
        let Some(acceptor) = acceptor else {
            return self.serve(Socket::new(stream)).await;
        };
        let handshake = async {
            if speaks_plain_http(&stream).await {
                refuse_plain_http(stream).await;
                return None;
            }
            Some(acceptor.accept(Socket::new(stream)).await)
        };
        match tokio::time::timeout(self.limits.handshake_timeout, handshake).await {
            Ok(Some(Ok(stream))) => {
                let (_, session) = stream.get_ref();
                if let Some(chain) = session.peer_certificates() {
                    self.peer.certificates = chain.iter().map(|der| der.clone().into_owned()).collect();
                }
                self.serve(stream).await;
            }
            Ok(Some(Err(why))) => tracing::debug!(%why, peer = ?self.peer.address, "TLS handshake"),
            Ok(None) => {}
            Err(_) => tracing::debug!(peer = ?self.peer.address, "TLS handshake takes too long"),
        }
    }

    async fn serve<S, F, B>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Connection { peer, limits, handler, mut stop } = self;
        let activity = Arc::new(Activity::default());
        let counted = activity.clone();
        let service = service_fn(move |request| {
            let running = counted.clone().begin();
            let headless = request.method() == Method::HEAD;
            let (http2, activity) = (request.version() == Version::HTTP_2, counted.clone());
            let answer = Box::pin(handler(request, peer.clone()));
            async move {
                // The request runs until the last byte of its answer, or the client's end, drops the body.
                let mut response = answer.await;
                activity.note_leave(http2, response.headers_mut());
                if let (true, Some(length)) = (headless, response.body().size_hint().exact()) {
                    response.headers_mut().insert(CONTENT_LENGTH, length.into());
                }
                let response = response.map(|body| Counted { body, headless, _running: running });
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let builder = protocols(&limits);
        let (stream, turns) = gathered(stream);
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut idle = tokio::time::interval(limits.idle_timeout);
        idle.tick().await;
        let mut closing = *stop.borrow_and_update();
        if closing {
            connection.as_mut().graceful_shutdown();
        }
        loop {
            tokio::select! {
                ended = poll_fn(|ctx| {
                    let ended = connection.as_mut().poll(ctx);
                    // At the end, too: an upgraded connection's answer is sent by nobody else.
                    match turns.send(ctx, ended.is_ready()) {
                        Poll::Ready(Err(why)) if ended.is_pending() => Poll::Ready(Err(why.into())),
                        _ => ended,
                    }
                }) => {
                    if let Err(why) = ended {
                        tracing::debug!(%why, "connection ended");
                    }
                    return;
                }
                _ = stop.wait_for(|stop| *stop), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = activity.left.notified(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = idle.tick(), if !closing => {
                    if activity.is_idle() {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

fn protocols(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !limits.http2 {
        builder = builder.http1_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes_max)
        .half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(256 << 10)
        .max_send_buf_size(64 << 10)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(limits.ping_timeout);
    builder
}

/// Small answers leave at once; peers that vanish are noticed after two minutes even when nothing is sent to them.
fn prepare_socket(stream: &TcpStream) {
    let keepalive =
        socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let set = stream.set_nodelay(true).and_then(|()| socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(why) = set {
        tracing::debug!(%why, "socket options");
    }
}

/// Whether the first bytes are a request rather than a TLS record.
async fn speaks_plain_http(stream: &TcpStream) -> bool {
    let mut first = [0; 5];
    let Ok(read) = stream.peek(&mut first).await else { return false };
    read == first.len() && matches!(&first, b"GET /" | b"HEAD " | b"POST " | b"PUT /" | b"OPTIO" | b"PATCH" | b"DELET")
}

/// What has arrived is read first: closing a socket with unread bytes resets it, and the answer may be lost.
async fn refuse_plain_http(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let mut request = [0; 8192];
    let answered = async {
        let _how_much = stream.read(&mut request).await?;
        stream.write_all(ANSWER).await?;
        stream.shutdown().await
    };
    if let Err(why) = answered.await {
        tracing::debug!(%why, "refusing plain HTTP");
    }
}

/// How busy a connection is.
#[derive(Debug, Default)]
struct Activity {
    begun: AtomicU64,
    begun_before: AtomicU64,
    running: AtomicUsize,
    /// The client is to make a new connection for what comes next.
    left: Notify,
}

struct Running(Arc<Activity>);

/// A body that keeps its connection from counting as idle.
struct Counted<B> {
    body: B,
    /// The answer to a HEAD request: only the length of the body is sent. hyper does this by itself in HTTP/1 alone.
    headless: bool,
    _running: Running,
}

impl<B: Body + Unpin> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if self.headless {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(ctx)
    }

    fn is_end_stream(&self) -> bool {
        self.headless || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Activity {
    /// HTTP/2 has no header that ends a connection: it ends otherwise.
    fn note_leave(&self, http2: bool, headers: &mut HeaderMap) {
        if http2 && headers.remove(CONNECTION).is_some_and(|value| value == "close") {
            self.left.notify_one();
        }
    }

    fn begin(self: Arc<Activity>) -> Running {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// No request runs, and none has begun since this was asked before.
    fn is_idle(&self) -> bool {
        let begun = self.begun.load(Ordering::Relaxed);
        self.running.load(Ordering::Relaxed) == 0 && self.begun_before.swap(begun, Ordering::Relaxed) == begun
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
