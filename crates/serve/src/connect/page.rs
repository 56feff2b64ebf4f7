//! A page of HTML on its way back, its links rewritten as it passes; compressed pages are opened and closed again.

use super::links::Links;
use crate::body::BoxError;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateDecoder, DeflateEncoder, GzEncoder, MultiGzDecoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Frame;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// So much is opened at a time: what a few compressed bytes become can be a thousand times as much.
const OPENED_BYTES_MAX: usize = 1024;

/// How a page is compressed; the second part compresses it again.
enum Coding {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>, Box<GzEncoder<Vec<u8>>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>, Box<DeflateEncoder<Vec<u8>>>),
}

/// The body of a page.
pub struct Page<B, F> {
    body: B,
    links: Links<F>,
    coding: Coding,
    ended: bool,
}

impl<B, F: Fn(&str) -> Option<String>> Page<B, F> {
    /// Takes a body whose headers say that it is a page that can be read, and corrects them; else gives the body back.
    pub fn of(headers: &mut HeaderMap, body: B, replace: F) -> Result<Page<B, F>, B> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("text/html") {
            return Err(body);
        }
        let fast = Compression::fast();
        let coding = match text(CONTENT_ENCODING) {
            "" => Coding::Plain,
            "gzip" => Coding::Gzip(Box::new(MultiGzDecoder::new(vec![])), Box::new(GzEncoder::new(vec![], fast))),
            "deflate" => {
                Coding::Deflate(Box::new(DeflateDecoder::new(vec![])), Box::new(DeflateEncoder::new(vec![], fast)))
            }
            _ => return Err(body),
        };
        headers.remove(CONTENT_LENGTH);
        Ok(Page { body, links: Links::new(replace), coding, ended: false })
    }

    fn pass(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let Page { links, coding, .. } = self;
        let mut out = Vec::new();
        for piece in bytes.chunks(OPENED_BYTES_MAX) {
            match coding {
                Coding::Plain => out.extend(links.push(piece)),
                Coding::Gzip(decoder, encoder) => {
                    decoder.write_all(piece)?;
                    encoder.write_all(&links.push(&std::mem::take(decoder.get_mut())))?;
                    out.append(encoder.get_mut());
                }
                Coding::Deflate(decoder, encoder) => {
                    decoder.write_all(piece)?;
                    encoder.write_all(&links.push(&std::mem::take(decoder.get_mut())))?;
                    out.append(encoder.get_mut());
                }
            }
        }
        Ok(out)
    }

    fn end(&mut self) -> io::Result<Vec<u8>> {
        let Page { links, coding, .. } = self;
        match std::mem::replace(coding, Coding::Plain) {
            Coding::Plain => Ok(links.finish()),
            Coding::Gzip(decoder, mut encoder) => {
                encoder.write_all(&links.push(&decoder.finish()?))?;
                encoder.write_all(&links.finish())?;
                encoder.finish()
            }
            Coding::Deflate(decoder, mut encoder) => {
                encoder.write_all(&links.push(&decoder.finish()?))?;
                encoder.write_all(&links.finish())?;
                encoder.finish()
            }
        }
    }
}

impl<B, F> http_body::Body for Page<B, F>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    F: Fn(&str) -> Option<String> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while !self.ended {
            let done = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.pass(&bytes),
                    // Trailers speak of the page as it was.
                    Err(_) => continue,
                },
                Some(Err(why)) => return Poll::Ready(Some(Err(why.into()))),
                None => {
                    self.ended = true;
                    self.end()
                }
            };
            match done {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Err(why) => return Poll::Ready(Some(Err(why.into()))),
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::{DeflateDecoder as ReadDeflate, GzDecoder};
    use http::HeaderValue;
    use http_body_util::{BodyExt, Full};
    use std::io::Read;

    const PAGE: &str = r#"<p>to <a href="/x">x</a></p>"#;
    const WANT: &str = r#"<p>to <a href="/p/x">x</a></p>"#;

    fn headers(media: &'static str, coding: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("1"));
        if !coding.is_empty() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        headers
    }

    async fn passed(coding: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, BoxError> {
        let mut headers = headers("text/html; charset=utf-8", coding);
        let replace = |url: &str| Some(format!("/p{url}"));
        let page = Page::of(&mut headers, Full::new(Bytes::from(bytes)), replace).map_err(|_| "no page")?;
        assert!(!headers.contains_key(CONTENT_LENGTH));
        Ok(page.collect().await?.to_bytes().to_vec())
    }

    #[tokio::test]
    async fn pages_are_rewritten_in_each_coding() {
        assert_eq!(passed("", PAGE.into()).await.unwrap(), WANT.as_bytes());
        let mut gzip = GzEncoder::new(vec![], Compression::default());
        gzip.write_all(PAGE.as_bytes()).unwrap();
        let mut text = String::new();
        let answer = passed("gzip", gzip.finish().unwrap()).await.unwrap();
        GzDecoder::new(answer.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, WANT);
        let mut deflate = DeflateEncoder::new(vec![], Compression::default());
        deflate.write_all(PAGE.as_bytes()).unwrap();
        let mut text = String::new();
        let answer = passed("deflate", deflate.finish().unwrap()).await.unwrap();
        ReadDeflate::new(answer.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, WANT);
    }

    #[tokio::test]
    async fn a_broken_page_breaks_off() {
        assert!(passed("gzip", b"no gzip at all".to_vec()).await.is_err());
    }

    #[test]
    fn what_is_no_page_stays_as_it_is() {
        for (media, coding) in [("text/plain", ""), ("text/html", "br"), ("application/xhtml+xml", "")] {
            let mut headers = headers(media, coding);
            assert!(Page::of(&mut headers, (), |_: &str| None).is_err());
            assert!(headers.contains_key(CONTENT_LENGTH));
        }
    }
}
