//! A TCP connection that is read in large pieces: TLS asks for 4 KiB at a time, each of which would be a system call.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is read at once at most.
const PIECE_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// Shared by all connections of a thread, so that an idle one holds no memory for what it may read some day.
    static PIECE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A TCP connection with what was read and not asked for yet.
pub(super) struct Socket {
    stream: TcpStream,
    rest: Vec<u8>,
    taken: usize,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Socket {
        Socket { stream, rest: Vec::new(), taken: 0 }
    }

    /// Hands out what is left over; the memory goes with its end.
    fn take_rest(&mut self, into: &mut ReadBuf<'_>) {
        let rest = self.rest.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(into.remaining());
        into.put_slice(rest.get(..count).unwrap_or_default());
        self.taken += count;
        if self.taken >= self.rest.len() {
            self.rest = Vec::new();
            self.taken = 0;
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, ctx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.rest.is_empty() {
            this.take_rest(into);
            return Poll::Ready(Ok(()));
        }
        PIECE.with_borrow_mut(|piece| {
            piece.resize(PIECE_BYTES_MAX, 0);
            let mut whole = ReadBuf::new(piece);
            ready!(Pin::new(&mut this.stream).poll_read(ctx, &mut whole))?;
            let (now, later) = whole.filled().split_at(whole.filled().len().min(into.remaining()));
            into.put_slice(now);
            if !later.is_empty() {
                this.rest = later.to_vec();
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, ctx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(ctx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(ctx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(ctx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_is_read_ahead_is_handed_out_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let sending = tokio::spawn({
            let sent = sent.clone();
            async move {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(&sent).await?;
                stream.shutdown().await
            }
        });
        let (stream, _) = listener.accept().await.expect("it connects");
        let mut socket = Socket::new(stream);
        let (mut got, mut portion) = (Vec::new(), [0; 1000]);
        loop {
            let read = socket.read(&mut portion).await.expect("no error");
            if read == 0 {
                break;
            }
            got.extend_from_slice(&portion[..read]);
        }
        assert!(got == sent, "{} of {} bytes in order", got.len(), sent.len());
        assert!(socket.rest.capacity() == 0, "nothing is kept");
        sending.await.expect("no panic").expect("sent");
    }
}
