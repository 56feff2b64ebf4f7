//! Watches over WebSocket (RFC 6455): one text or binary message for each event.

use crate::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_core::Stream;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Clients of a watch have nothing to say beyond control frames.
const INCOMING_BYTES_MAX: u64 = 64 * 1024;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Whether the request asks for a WebSocket.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let has = |name: header::HeaderName, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|v| v.trim().eq_ignore_ascii_case(token))
    };
    has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket")
}

/// 101, and from then on the frames as messages. `None`: the connection cannot be upgraded.
pub fn answer(
    head: &Parts,
    frames: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    is_text: bool,
) -> Option<Response<Body>> {
    let key = head.headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    let upgrade = head.extensions.get::<OnUpgrade>()?.clone();
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
            send(reader, writer, frames, is_text).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept_key(key)).ok()?);
    Some(response)
}

fn accept_key(key: &str) -> String {
    let text = format!("{key}{ACCEPT_SUFFIX}");
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// Until the watch ends or the client closes.
async fn send(
    reader: impl AsyncRead + Send + Unpin + 'static,
    mut writer: impl AsyncWrite + Unpin,
    mut frames: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    is_text: bool,
) {
    let (tell, mut told) = mpsc::channel(4);
    let listening = tokio::spawn(listen(reader, tell));
    let kind = if is_text { TEXT } else { BINARY };
    loop {
        let next = std::future::poll_fn(|cx| frames.as_mut().poll_next(cx));
        let sent = tokio::select! {
            event = next => match event {
                Some(event) => say(&mut writer, kind, event.trim_ascii_end()).await,
                None => break,
            },
            control = told.recv() => match control {
                Some(payload) => say(&mut writer, PONG, &payload).await,
                None => break,
            },
        };
        if sent.is_err() {
            break;
        }
    }
    // 1000: a normal end
    let _ = say(&mut writer, CLOSE, &1000_u16.to_be_bytes()).await;
    let _ = writer.shutdown().await;
    listening.abort();
}

/// Writes a message; flushed, since the connection gathers what is written until then.
async fn say(writer: &mut (impl AsyncWrite + Unpin), kind: u8, payload: &[u8]) -> std::io::Result<()> {
    writer.write_all(&message(kind, payload)).await?;
    writer.flush().await
}

/// Reads what the client sends: pings are passed on to be answered; its end is told by dropping the sender.
async fn listen(reader: impl AsyncRead + Unpin, pings: mpsc::Sender<Vec<u8>>) {
    let mut reader = BufReader::new(reader);
    while let Some((kind, payload)) = read_message(&mut reader).await {
        match kind {
            CLOSE => return,
            PING if pings.send(payload).await.is_err() => return,
            _ => {}
        }
    }
}

/// One frame of the client; `None` at the end of the connection and for frames that no watch needs.
async fn read_message(reader: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = reader.read_u8().await.ok()?;
    let second = reader.read_u8().await.ok()?;
    let length = match second & 0x7f {
        126 => u64::from(reader.read_u16().await.ok()?),
        127 => reader.read_u64().await.ok()?,
        short => u64::from(short),
    };
    if length > INCOMING_BYTES_MAX || second & 0x80 == 0 {
        return None;
    }
    let mut mask = [0; 4];
    reader.read_exact(&mut mask).await.ok()?;
    let mut payload = vec![0; usize::try_from(length).ok()?];
    reader.read_exact(&mut payload).await.ok()?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((first & 0x0f, payload))
}

/// A whole message in one unmasked frame.
fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | kind];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < 126 => out.push(length),
        (_, Ok(length)) => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(message(TEXT, b"Hello"), b"\x81\x05Hello");
        assert_eq!(message(BINARY, &[7; 300])[..4], [0x82, 126, 1, 44]);
    }

    #[tokio::test]
    async fn masked_frames_are_read() {
        let mut bytes: &[u8] = b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(read_message(&mut bytes).await, Some((PING, b"Hello".to_vec())));
        assert_eq!(read_message(&mut bytes).await, None);
    }
}
