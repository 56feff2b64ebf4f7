//! Answers that are made while they are sent: lists of any length take as much memory as one piece.

use crate::body::Body;
use bytes::Bytes;
use flate2::write::GzEncoder;
use meta::{Result, Status};
use std::io::Write as _;

/// A piece has at least so many bytes, but for the last one. What is smaller as a whole is made before it is sent, so that
/// what goes wrong with it is a Status.
pub const PIECE_BYTES: usize = 128 << 10;

/// Makes a body bit by bit.
pub trait Source: Send {
    /// Appends a bit more; false when that was the last.
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool>;
}

/// A body that is being made.
pub struct Pieces {
    source: Box<dyn Source>,
    /// The first piece, until it is sent.
    first: Option<Bytes>,
    ended: bool,
    /// Told how many bytes were sent, when all were or nobody wants the rest.
    on_end: Option<Box<dyn FnOnce(u64) + Send>>,
    sent: u64,
}

/// The body that a source makes: whole when it is small.
pub fn body(mut source: Box<dyn Source>) -> Result<Body> {
    let mut first = Vec::new();
    if fill(&mut *source, &mut first)? {
        return Ok(Body::Pieces(Pieces::beginning_with(first.into(), source)));
    }
    Ok(Body::from(first))
}

/// Appends until there is enough for a piece; false at the end.
fn fill(source: &mut dyn Source, out: &mut Vec<u8>) -> Result<bool> {
    while out.len() < PIECE_BYTES {
        if !source.append(out)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Pieces {
    /// A body that is made already.
    pub fn of(body: Bytes) -> Pieces {
        Pieces::beginning_with(body, Box::new(Nothing))
    }

    fn beginning_with(first: Bytes, source: Box<dyn Source>) -> Pieces {
        Pieces { source, first: Some(first), ended: false, on_end: None, sent: 0 }
    }

    /// Tells how many bytes were sent, when all were or nobody wants the rest.
    pub fn on_end(mut self, told: impl FnOnce(u64) + Send + 'static) -> Pieces {
        self.on_end = Some(Box::new(told));
        self
    }

    /// Everything at once.
    pub fn gather(mut self) -> Result<Bytes> {
        let mut whole = self.first.take().map(Vec::from).unwrap_or_default();
        while self.source.append(&mut whole)? {}
        Ok(whole.into())
    }

    /// The same body in gzip.
    pub fn compressed(mut self) -> Pieces {
        let encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let (first, raw) = (self.first.take(), Vec::new());
        let source = std::mem::replace(&mut self.source, Box::new(Nothing));
        self.source = Box::new(Compressed { source, first, raw, encoder });
        self
    }
}

impl Iterator for Pieces {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        let piece = match self.first.take() {
            Some(first) => first,
            None if self.ended => return None,
            None => {
                // Room for the object that exceeds the piece.
                let mut piece = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
                match fill(&mut *self.source, &mut piece) {
                    Ok(more) => self.ended = !more,
                    Err(why) => {
                        self.ended = true;
                        return Some(Err(why));
                    }
                }
                piece.into()
            }
        };
        self.sent += piece.len() as u64;
        Some(Ok(piece))
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if let Some(told) = self.on_end.take() {
            told(self.sent);
        }
    }
}

/// Nothing more.
struct Nothing;

impl Source for Nothing {
    fn append(&mut self, _: &mut Vec<u8>) -> Result<bool> {
        Ok(false)
    }
}

/// A source in gzip.
struct Compressed {
    source: Box<dyn Source>,
    /// What the source made before.
    first: Option<Bytes>,
    raw: Vec<u8>,
    encoder: GzEncoder<Vec<u8>>,
}

impl Source for Compressed {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        // Writing to a Vec does not fail.
        let failed = |why: std::io::Error| Status::internal(why.to_string());
        if let Some(first) = self.first.take() {
            self.encoder.write_all(&first).map_err(failed)?;
        }
        self.raw.clear();
        let more = self.source.append(&mut self.raw)?;
        self.encoder.write_all(&self.raw).map_err(failed)?;
        if !more {
            self.encoder.try_finish().map_err(failed)?;
        }
        out.append(self.encoder.get_mut());
        Ok(more)
    }
}

/// A source of JSON, indented.
pub struct Indented<S> {
    source: S,
    raw: Vec<u8>,
    indenter: codec::Indenter,
}

impl<S: Source> Indented<S> {
    pub fn new(source: S) -> Indented<S> {
        Indented { source, raw: Vec::new(), indenter: codec::Indenter::default() }
    }
}

impl<S: Source> Source for Indented<S> {
    fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        self.raw.clear();
        let more = self.source.append(&mut self.raw)?;
        self.indenter.write(&self.raw, out);
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::sync::{Arc, Mutex};

    /// Counts up to a number, a line each, and fails there or ends.
    struct Lines {
        next: usize,
        end: usize,
        fails: bool,
    }

    impl Source for Lines {
        fn append(&mut self, out: &mut Vec<u8>) -> Result<bool> {
            self.next += 1;
            if self.next > self.end && self.fails {
                return Err(Status::internal("no more"));
            }
            out.extend_from_slice(format!("{:099}\n", self.next).as_bytes());
            Ok(self.next < self.end || self.fails)
        }
    }

    fn lines(end: usize, fails: bool) -> Result<Body> {
        body(Box::new(Lines { next: 0, end, fails }))
    }

    fn whole(end: usize) -> Vec<u8> {
        (1..=end).flat_map(|n| format!("{n:099}\n").into_bytes()).collect()
    }

    #[test]
    fn small_bodies_are_whole_and_their_failures_an_answer() {
        assert!(matches!(lines(3, false), Ok(Body::Whole(bytes)) if bytes == whole(3)));
        assert!(lines(3, true).is_err());
    }

    #[test]
    fn large_bodies_come_in_pieces_and_break_off_where_they_fail() {
        let end = PIECE_BYTES / 40;
        let pieces = |fails| match lines(end, fails) {
            Ok(Body::Pieces(pieces)) => pieces,
            _ => panic!("not in pieces"),
        };
        let sent = Arc::new(Mutex::new(0));
        let told = sent.clone();
        let taken: Vec<Bytes> = pieces(false).on_end(move |n| *told.lock().unwrap() = n).map(|p| p.unwrap()).collect();
        assert!(taken.len() > 2 && taken.iter().all(|piece| piece.len() < PIECE_BYTES + 200));
        assert_eq!(taken.concat(), whole(end));
        assert_eq!(*sent.lock().unwrap(), whole(end).len() as u64);
        assert_eq!(pieces(false).gather().ok(), Some(whole(end).into()));
        let last = pieces(true).last();
        assert!(last.is_some_and(|last| last.is_err()));
    }

    #[test]
    fn compressed_pieces_are_the_same_body() {
        let end = PIECE_BYTES / 10;
        let Ok(Body::Pieces(pieces)) = lines(end, false) else { panic!("not in pieces") };
        let compressed: Vec<Bytes> = pieces.compressed().map(|piece| piece.unwrap()).collect();
        let compressed = compressed.concat();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, whole(end));
    }
}
