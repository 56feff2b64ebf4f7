//! Bodies: requests read whole within a bound, responses whole or as a stream.

use crate::audit::Trail;
use crate::pieces::Pieces;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use meta::{Reason, Result, Status};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a request, at most.
pub const REQUEST_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Why a body breaks off.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response.
pub enum Body {
    Whole(Bytes),
    /// Made while it is sent. When that fails, the body breaks off.
    Pieces(Pieces),
    Stream(Pin<Box<dyn futures_core::Stream<Item = Bytes> + Send>>),
    /// A body whose end is recorded.
    Followed(Box<Body>, Trail),
    /// A backend's answer. When it breaks off, so does ours: the client must not take it for whole.
    Passed(UnsyncBoxBody<Bytes, BoxError>),
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::Whole(bytes.into())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body::Whole(bytes)
    }
}

impl Body {
    pub fn empty() -> Body {
        Body::Whole(Bytes::new())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Body::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Body::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Body::Pieces(pieces) => Poll::Ready(pieces.next().map(|piece| {
                let piece = piece.inspect_err(|why| tracing::error!(why = why.message, "an answer breaks off"));
                piece.map(Frame::data).map_err(|why| BoxError::from(why.message))
            })),
            Body::Stream(stream) => stream.as_mut().poll_next(cx).map(|next| next.map(|bytes| Ok(Frame::data(bytes)))),
            Body::Passed(passed) => Pin::new(passed).poll_frame(cx),
            Body::Followed(body, _) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(bytes) => bytes.is_empty(),
            Body::Pieces(_) | Body::Stream(_) => false,
            Body::Passed(passed) => passed.is_end_stream(),
            Body::Followed(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Body::Whole(bytes) => http_body::SizeHint::with_exact(bytes.len() as u64),
            Body::Pieces(_) | Body::Stream(_) => http_body::SizeHint::default(),
            Body::Passed(passed) => passed.size_hint(),
            Body::Followed(body, _) => body.size_hint(),
        }
    }
}

/// The whole body of a request; 413 when it is too large, 400 when it breaks off.
pub async fn read<B>(body: B) -> Result<Bytes>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(why) if why.is::<LengthLimitError>() => {
            let text = format!("Request entity too large: limit is {REQUEST_BYTES_MAX}");
            let mut status = Status::failure(413, Reason::RequestEntityTooLarge, text);
            status.details = Some(Box::default());
            Err(status)
        }
        Err(why) => Err(Status::bad_request(why.to_string())),
    }
}
