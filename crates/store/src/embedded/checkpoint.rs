//! A checkpoint: a whole state in one file, so that the log before it can go. A backup has the same form.
//!
//! The first frame says which revision was the newest and after which revision the log is needed. Then frames of
//! objects, each with the prefix and the revision of its resource: the state of that resource at that revision exactly.
//! Objects of no registered resource are under the prefix "". An empty frame ends the file.

use super::files::{File, Files};
use super::frame::{self, FILE_HEADER_BYTES, FileHeader, FileKind, Found};
use super::record::{self, Malformed, Reader, Stored};
use super::refuse;
use crate::at_rest::AtRest;
use crate::object::Object;
use meta::Str;
use std::io;
use std::sync::Arc;

/// A frame is closed when it has this much.
pub(crate) const FRAME_BYTES: usize = 1 << 20;

pub(crate) fn checkpoint_name(revision: u64) -> String {
    format!("checkpoint-{revision:020}")
}

/// What the first frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The newest revision when the checkpoint was made.
    pub(crate) newest: u64,
    /// Transactions after this one may be missing from the checkpoint.
    pub(crate) log_after: u64,
}

/// The state of one resource.
pub(crate) struct Section<'a> {
    pub(crate) prefix: Str,
    pub(crate) revision: u64,
    pub(crate) objects: Box<dyn Iterator<Item = Arc<Object>> + 'a>,
}

/// Writes a checkpoint into `file`, durably. `stop` interrupts it with an error.
pub(crate) fn write_checkpoint(
    file: &dyn File,
    store_id: u64,
    summary: Summary,
    sections: Vec<Section<'_>>,
    at_rest: Option<&dyn AtRest>,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let header = FileHeader { kind: FileKind::Checkpoint, store_id, first: summary.newest };
    let mut writer = Writer::create(file, header, summary)?;
    for section in sections {
        writer.begin_section(&section.prefix, section.revision);
        for object in section.objects {
            let sealed = match at_rest {
                Some(at_rest) => at_rest.seal(&object.key, object.key.as_bytes(), &object.bytes()),
                None => Ok(None),
            };
            record::write_object(&mut writer.frame, &object, sealed.map_err(io::Error::other)?.as_ref());
            if writer.frame.len() >= FRAME_BYTES {
                if stop() {
                    return Err(io::Error::new(io::ErrorKind::Interrupted, "the store is closing"));
                }
                writer.end()?;
                // In portions: one large sync would hold up the log's.
                file.sync()?;
                writer.begin_section(&section.prefix, section.revision);
            }
        }
        writer.end()?;
    }
    writer.finish()
}

/// Writes the frames of a checkpoint one after the other.
pub(crate) struct Writer<'a> {
    file: &'a dyn File,
    store_id: u64,
    offset: u64,
    sequence: u64,
    /// The frame that is being filled.
    pub(crate) frame: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Begins a file.
    pub(crate) fn create(file: &'a dyn File, header: FileHeader, summary: Summary) -> io::Result<Writer<'a>> {
        file.write_at(&header.encode(), 0)?;
        let (store_id, offset) = (header.store_id, FILE_HEADER_BYTES as u64);
        let mut writer = Writer { file, store_id, offset, sequence: 0, frame: Vec::new() };
        writer.begin();
        writer.frame.extend_from_slice(&summary.newest.to_le_bytes());
        writer.frame.extend_from_slice(&summary.log_after.to_le_bytes());
        writer.end()?;
        Ok(writer)
    }

    /// Begins a frame of a section's objects.
    pub(crate) fn begin_section(&mut self, prefix: &str, revision: u64) {
        self.begin();
        record::write_bytes(&mut self.frame, prefix.as_bytes());
        self.frame.extend_from_slice(&revision.to_le_bytes());
    }

    /// Ends the file, durably.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.begin();
        self.end()?;
        self.file.sync()
    }

    fn begin(&mut self) {
        self.frame.clear();
        frame::begin(&mut self.frame);
    }

    pub(crate) fn end(&mut self) -> io::Result<()> {
        frame::seal(&mut self.frame, 0, self.store_id, self.sequence);
        self.file.write_at(&self.frame, self.offset)?;
        self.offset += self.frame.len() as u64;
        self.sequence += 1;
        Ok(())
    }
}

/// A checkpoint that was found, with the places of its frames.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) name: String,
    pub(crate) store_id: u64,
    /// The header's.
    pub(crate) first: u64,
    pub(crate) summary: Summary,
    pub(crate) file: Box<dyn File>,
    /// Offset and whole length of each frame with objects.
    pub(crate) frames: Vec<(u64, usize)>,
}

/// The objects of one frame.
#[derive(Debug)]
pub(crate) struct Portion {
    pub(crate) prefix: Str,
    pub(crate) revision: u64,
    pub(crate) objects: Vec<Stored>,
}

/// Opens a checkpoint and finds its frames; their contents are checked when they are read.
pub(crate) fn open_checkpoint(files: &dyn Files, name: &str, kind: FileKind) -> io::Result<Checkpoint> {
    let file = files.open(name)?;
    let mut bytes = [0; FILE_HEADER_BYTES];
    let count = file.read_at(&mut bytes, 0)?;
    let header = FileHeader::decode(&bytes[..count]).map_err(|why| refuse(name, why))?;
    if header.kind != kind {
        return Err(refuse(name, "is of another kind"));
    }
    let (mut frames, mut offset) = (Vec::new(), FILE_HEADER_BYTES as u64);
    let file_len = file.len()?;
    loop {
        let mut bytes = [0; frame::FRAME_HEADER_BYTES];
        if file.read_at(&mut bytes, offset)? < bytes.len() {
            return Err(refuse(name, "is cut off"));
        }
        let len = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
        frames.push((offset, frame::frame_bytes(len)));
        offset += frame::frame_bytes(len) as u64;
        if offset > file_len {
            return Err(refuse(name, "is cut off"));
        }
        if len == 0 {
            break;
        }
    }
    let mut checkpoint = Checkpoint {
        name: name.to_owned(),
        store_id: header.store_id,
        first: header.first,
        summary: Summary { newest: 0, log_after: 0 },
        file,
        frames,
    };
    checkpoint.summary = checkpoint.read_summary()?;
    Ok(checkpoint)
}

impl Checkpoint {
    fn read_summary(&mut self) -> io::Result<Summary> {
        let last = self.frames.len() - 1;
        let end = self.read_frame(last)?;
        if !end.is_empty() {
            return Err(refuse(&self.name, "has no end"));
        }
        let first = self.read_frame(0)?;
        let mut reader = Reader::new(&first);
        let summary = (|| Ok::<_, Malformed>(Summary { newest: reader.u64()?, log_after: reader.u64()? }))();
        summary.map_err(|Malformed| refuse(&self.name, "has a malformed beginning"))
    }

    /// How many portions there are.
    pub(crate) fn portions(&self) -> usize {
        self.frames.len() - 2
    }

    pub(crate) fn read_portion(&self, number: usize) -> io::Result<Portion> {
        let payload = self.read_frame(number + 1)?;
        let mut reader = Reader::new(&payload);
        let mut read = || {
            let (prefix, revision) = (reader.text()?.into(), reader.u64()?);
            let mut objects = Vec::new();
            while !reader.is_empty() {
                objects.push(reader.object()?);
            }
            Ok(Portion { prefix, revision, objects })
        };
        read().map_err(|Malformed| refuse(&self.name, "has a malformed frame"))
    }

    fn read_frame(&self, number: usize) -> io::Result<Vec<u8>> {
        let Some((offset, len)) = self.frames.get(number).copied() else {
            return Err(refuse(&self.name, "has too few frames"));
        };
        let mut bytes = vec![0; len];
        let count = self.file.read_at(&mut bytes, offset)?;
        match frame::find(&bytes[..count], self.store_id) {
            Found::Frame { sequence, payload, .. } if sequence == number as u64 => {
                let len = payload.len();
                bytes.truncate(frame::FRAME_HEADER_BYTES + len);
                bytes.drain(..frame::FRAME_HEADER_BYTES);
                Ok(bytes)
            }
            _ => Err(refuse(&self.name, "is damaged (a checksum does not match)")),
        }
    }
}
