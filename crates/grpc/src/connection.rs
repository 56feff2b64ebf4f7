//! gRPC over one HTTP/2 connection: calls with one answer, and a call with a stream of them.

use crate::error::{Code, Error};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// One message. Servers have bounds of their own, of a few MiB; a page of a list may be more.
const MESSAGE_BYTES_MAX: usize = 1 << 30;
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// How a connection is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Scheme and authority: `https://10.0.0.1:2379`.
    pub base: String,
    /// Sent with each call.
    pub headers: &'static [(&'static str, &'static str)],
    pub ping_period: Duration,
    pub ping_timeout: Duration,
}

/// Messages on their way out; the stream ends when the sender is dropped.
struct Outgoing {
    messages: mpsc::Receiver<Bytes>,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.messages.poll_recv(cx).map(|message| message.map(|message| Ok(Frame::data(message))))
    }
}

/// A message with gRPC's five bytes before it.
pub fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    // What is larger than 4 GiB is refused long before.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    framed.freeze()
}

/// A connection to one server. Clones share it; it closes with the last one.
#[derive(Clone, Debug)]
pub struct Connection {
    sender: http2::SendRequest<Outgoing>,
    base: Arc<str>,
    headers: &'static [(&'static str, &'static str)],
}

impl Connection {
    /// Begins HTTP/2 on a stream of bytes.
    pub async fn begin<I>(io: I, settings: Settings) -> Result<Connection, Error>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .keep_alive_interval(settings.ping_period)
            .keep_alive_timeout(settings.ping_timeout)
            .handshake(hyper_util::rt::TokioIo::new(io))
            .await
            .map_err(Error::unreachable)?;
        // Its errors are those of the calls on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { sender, base: settings.base.into(), headers: settings.headers })
    }

    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    async fn send(&self, path: &str, messages: mpsc::Receiver<Bytes>) -> Result<Response<Incoming>, Error> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers");
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Outgoing { messages }).map_err(Error::unreachable)?;
        let mut sender = self.sender.clone();
        sender.ready().await.map_err(Error::unreachable)?;
        sender.try_send_request(request).await.map_err(|mut why| match why.take_message() {
            Some(_) => Error::unreachable(why.error()),
            None => Error::interrupted(why.error()),
        })
    }

    /// One message there, one back.
    pub async fn call(&self, path: &str, message: Bytes) -> Result<Bytes, Error> {
        let (sender, messages) = mpsc::channel(1);
        // There is room for one.
        let _ = sender.try_send(message);
        drop(sender);
        let mut answers = Answers::begin(self.send(path, messages).await?)?;
        let answer = answers.next().await?.ok_or_else(|| Error::malformed("empty answer"))?;
        // The status comes after the message, and counts.
        while answers.next().await?.is_some() {}
        Ok(answer)
    }

    /// A stream in both directions.
    pub async fn stream(&self, path: &str, messages: mpsc::Receiver<Bytes>) -> Result<Answers, Error> {
        Answers::begin(self.send(path, messages).await?)
    }
}

/// Messages on their way in.
#[derive(Debug)]
pub struct Answers {
    body: Incoming,
    buffered: BytesMut,
}

impl Answers {
    fn begin(response: Response<Incoming>) -> Result<Answers, Error> {
        if response.status() != http::StatusCode::OK {
            return Err(Error::interrupted(format!("unexpected HTTP status code {}", response.status())));
        }
        // An answer without messages has its status where headers are.
        if let Some(result) = status(response.headers()) {
            result?;
        }
        Ok(Answers { body: response.into_body(), buffered: BytesMut::new() })
    }

    /// The next message; nothing when the stream has ended well. Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(Some(message));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(Error::interrupted)?;
            match frame.into_data() {
                Ok(data) => self.buffered.extend_from_slice(&data),
                Err(frame) => {
                    let ended = frame.into_trailers().ok().and_then(|trailers| status(&trailers));
                    ended.unwrap_or_else(|| Err(Error::interrupted("the stream ended without a status")))?;
                }
            }
        }
    }

    fn take_message(&mut self) -> Result<Option<Bytes>, Error> {
        let Some((prefix, _)) = self.buffered.split_first_chunk::<5>() else { return Ok(None) };
        let [compressed, len @ ..] = *prefix;
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        if compressed != 0 || len > MESSAGE_BYTES_MAX {
            return Err(Error::malformed("frame"));
        }
        if self.buffered.len() - 5 < len {
            return Ok(None);
        }
        self.buffered.advance(5);
        Ok(Some(self.buffered.split_to(len).freeze()))
    }
}

/// What `grpc-status` says, if it is there.
fn status(headers: &HeaderMap) -> Option<Result<(), Error>> {
    let code: u32 = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    if code == 0 {
        return Some(Ok(()));
    }
    let message = headers.get("grpc-message").map_or_else(String::new, percent_decoded);
    Some(Err(Error { code: Code::of(code), message, sent: true }))
}

fn percent_decoded(value: &HeaderValue) -> String {
    let mut decoded = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let escaped = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if escaped.is_some() {
            rest = after.get(2..).unwrap_or_default();
        }
        decoded.push(escaped.unwrap_or(first));
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_statuses_are_percent_encoded() {
        for (text, want) in [("a%20b%C3%A4", "a bä"), ("100%", "100%"), ("%zz%2", "%zz%2"), ("", "")] {
            assert_eq!(percent_decoded(&HeaderValue::from_static(text)), want);
        }
    }
}
