//! What a connection writes in one turn leaves in one piece: few system calls, few TLS records.
//!
//! HTTP/2 flushes after every frame that carries data. Here a flush only notes that there is something to send, and the
//! connection's task sends it when its turn is over. Nothing waits longer than that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What waits at most: four of TLS's largest records. A client that does not read holds no more than this here.
const WAITING_BYTES_MAX: usize = 64 << 10;
/// What a connection keeps for its next turn; room beyond this is given back when nothing waits.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// A stream for the protocol. [`Turns`] is the other end of it.
pub(super) struct Gathered<S>(Arc<Mutex<Gathering<S>>>);

/// For the task that runs the connection.
pub(super) struct Turns<S>(Arc<Mutex<Gathering<S>>>);

struct Gathering<S> {
    stream: S,
    waiting: Vec<u8>,
    /// How much of it the stream has taken.
    taken: usize,
    /// Somebody ends each turn with [`Turns::send`].
    has_turns: bool,
}

/// Makes both ends.
pub(super) fn gathered<S>(stream: S) -> (Gathered<S>, Turns<S>) {
    let gathering = Gathering { stream, waiting: Vec::new(), taken: 0, has_turns: true };
    let shared = Arc::new(Mutex::new(gathering));
    (Gathered(shared.clone()), Turns(shared))
}

/// Both ends are of one task, so that nobody ever waits here.
fn lock<S>(shared: &Mutex<Gathering<S>>) -> MutexGuard<'_, Gathering<S>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncWrite + Unpin> Turns<S> {
    /// Sends what was written in this turn; the task is woken when there is more to send. After the `last` turn a flush
    /// sends: an upgraded connection lives on without turns.
    pub(super) fn send(&self, ctx: &mut Context<'_>, last: bool) -> Poll<io::Result<()>> {
        let mut gathering = lock(&self.0);
        gathering.has_turns &= !last;
        gathering.poll_send(ctx)
    }
}

impl<S: AsyncWrite + Unpin> Gathering<S> {
    /// Gives everything that waits to the stream.
    fn poll_drain(&mut self, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.waiting.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(ctx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.taken += taken,
            }
        }
        self.taken = 0;
        self.waiting.clear();
        self.waiting.shrink_to(KEPT_BYTES_MAX);
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(ctx))?;
        Pin::new(&mut self.stream).poll_flush(ctx)
    }

    /// Takes in as much of the pieces as there is room for: something, when anything is given.
    fn poll_gather(&mut self, ctx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= WAITING_BYTES_MAX {
            ready!(self.poll_drain(ctx))?;
        }
        let before = self.waiting.len();
        for piece in pieces {
            let room = WAITING_BYTES_MAX.saturating_sub(self.waiting.len());
            self.waiting.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        Poll::Ready(Ok(self.waiting.len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, ctx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_gather(ctx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_gather(ctx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathering = lock(&self.0);
        if gathering.has_turns { Poll::Ready(Ok(())) } else { gathering.poll_send(ctx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathering = lock(&self.0);
        ready!(gathering.poll_drain(ctx))?;
        Pin::new(&mut gathering.stream).poll_shutdown(ctx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, ctx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut gathering = lock(&self.0);
        if !gathering.has_turns && !gathering.waiting.is_empty() {
            // What the last turn left behind; an error shows itself in the read, too.
            let _ = gathering.poll_send(ctx);
        }
        Pin::new(&mut gathering.stream).poll_read(ctx, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_turn_leaves_in_one_piece() {
        let (here, mut there) = tokio::io::duplex(1 << 20);
        let (mut protocol, turns) = gathered(here);
        for frame in [b"one ", b"two "] {
            protocol.write_all(frame).await.expect("there is room");
            protocol.flush().await.expect("a flush is only noted");
        }
        let mut got = [0; 64];
        let waker = noop_waker();
        let mut ctx = Context::from_waker(&waker);
        let mut buffer = ReadBuf::new(&mut got);
        assert!(Pin::new(&mut there).poll_read(&mut ctx, &mut buffer).is_pending(), "the turn is not over");
        assert!(turns.send(&mut ctx, false).is_ready());
        let read = there.read(&mut got).await.expect("it is there");
        assert_eq!(&got[..read], b"one two ");
        assert!(turns.send(&mut ctx, true).is_ready());
        protocol.write_all(b"three").await.expect("there is room");
        protocol.flush().await.expect("nobody else sends");
        let read = there.read(&mut got).await.expect("it is there");
        assert_eq!(&got[..read], b"three");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_a_bounded_amount() {
        let (here, mut there) = tokio::io::duplex(1000);
        let (mut protocol, turns) = gathered(here);
        let waker = noop_waker();
        let mut ctx = Context::from_waker(&waker);
        let mut written = 0;
        while let Poll::Ready(Ok(more)) = Pin::new(&mut protocol).poll_write(&mut ctx, &[7; 4096]) {
            written += more;
            assert!(written <= WAITING_BYTES_MAX + 1000);
        }
        assert!(turns.send(&mut ctx, false).is_pending());
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            there.read_to_end(&mut all).await.map(|_| all.len())
        });
        std::future::poll_fn(|ctx| turns.send(ctx, false)).await.expect("the client reads");
        protocol.shutdown().await.expect("the client reads");
        drop((protocol, turns));
        assert_eq!(reading.await.expect("no panic").expect("no error"), written);
    }
}
