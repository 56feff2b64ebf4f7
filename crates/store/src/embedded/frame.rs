//! The form of the files: a header that says whose file it is, then frames with a checksum.
//!
//! ```text
//! file   = header (64 bytes) frame*
//! header = "kybern store 01\n" | kind u64 | store id u64 | first u64 | zeros | crc32c u32
//! frame  = "kyF1" | length u32 | crc32c u32 | zero u32 | sequence u64 | payload | zeros up to a multiple of 8
//! ```
//! Checksums of frames begin with the store's id: a frame inside an object's bytes (somebody's backup of a store) is
//! not taken for one of ours.

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Transactions; `first` is the sequence of the first frame.
    Log,
    /// A state; `first` is its revision.
    Checkpoint,
    /// The same elsewhere; `first` is the time when it was made, Unix seconds.
    Backup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) kind: FileKind,
    pub(crate) store_id: u64,
    pub(crate) first: u64,
}

pub(crate) const FILE_HEADER_BYTES: usize = 64;
pub(crate) const FRAME_HEADER_BYTES: usize = 24;
const FILE_MAGIC: &[u8; 16] = b"kybern store 01\n";
const FRAME_MAGIC: &[u8; 4] = b"kyF1";

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let kind: u64 = match self.kind {
            FileKind::Log => 1,
            FileKind::Checkpoint => 2,
            FileKind::Backup => 3,
        };
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[..16].copy_from_slice(FILE_MAGIC);
        bytes[16..24].copy_from_slice(&kind.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.store_id.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The error says what is wrong with the file.
    pub(crate) fn decode(bytes: &[u8]) -> Result<FileHeader, &'static str> {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER_BYTES>() else { return Err("is too short to have a header") };
        if &bytes[..16] != FILE_MAGIC {
            return Err("is not a file of this store, or of a newer format");
        }
        if crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return Err("has a damaged header");
        }
        let kind = match u64_at(bytes, 16) {
            1 => FileKind::Log,
            2 => FileKind::Checkpoint,
            3 => FileKind::Backup,
            _ => return Err("is of an unknown kind"),
        };
        Ok(FileHeader { kind, store_id: u64_at(bytes, 24), first: u64_at(bytes, 32) })
    }
}

/// Room for a frame's header at the end of `buffer`; the payload is appended after it, then [`seal`] completes the frame.
pub(crate) fn begin(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.resize(start + FRAME_HEADER_BYTES, 0);
    start
}

/// Completes the frame that begins at `start` of `buffer`.
pub(crate) fn seal(buffer: &mut Vec<u8>, start: usize, store_id: u64, sequence: u64) {
    let len = buffer.len() - start - FRAME_HEADER_BYTES;
    let frame = &mut buffer[start..];
    frame[..4].copy_from_slice(FRAME_MAGIC);
    frame[4..8].copy_from_slice(&u32::try_from(len).expect("batches are bounded far below 4 GiB").to_le_bytes());
    frame[16..24].copy_from_slice(&sequence.to_le_bytes());
    let crc = checksum(frame, store_id);
    frame[8..12].copy_from_slice(&crc.to_le_bytes());
    buffer.resize(start + frame_bytes(len), 0);
}

/// A whole frame's bytes for a payload of `len`.
pub(crate) fn frame_bytes(len: usize) -> usize {
    (FRAME_HEADER_BYTES + len).next_multiple_of(8)
}

/// What is at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole frame; `bytes` is its whole length. The zeros at its end may be missing in a file that ends there: the next
    /// frame goes after them all the same.
    Frame { sequence: u64, payload: &'a [u8], bytes: usize },
    /// Zeros, or the end of the file.
    Nothing,
    /// Something else: a part of a frame, or damage.
    Broken,
}

/// Looks for a frame at the beginning of `bytes`.
pub(crate) fn find(bytes: &[u8], store_id: u64) -> Found<'_> {
    let Some(header) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Found::Nothing } else { Found::Broken };
    };
    if header.iter().all(|byte| *byte == 0) {
        return Found::Nothing;
    }
    let len = u32_at(header, 4) as usize;
    let Some(payload) = bytes.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + len) else { return Found::Broken };
    let frame = &bytes[..FRAME_HEADER_BYTES + len];
    if &header[..4] != FRAME_MAGIC || checksum(frame, store_id) != u32_at(header, 8) {
        return Found::Broken;
    }
    Found::Frame { sequence: u64_at(header, 16), payload, bytes: frame_bytes(len) }
}

/// The sequence of some whole frame in `bytes` at a multiple of 8 from its beginning.
pub(crate) fn find_any(bytes: &[u8], store_id: u64) -> Option<u64> {
    (0..bytes.len()).step_by(8).filter(|at| bytes[*at..].starts_with(FRAME_MAGIC)).find_map(|at| {
        match find(&bytes[at..], store_id) {
            Found::Frame { sequence, .. } => Some(sequence),
            _ => None,
        }
    })
}

/// Over everything but the checksum itself.
fn checksum(frame: &[u8], store_id: u64) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&store_id.to_le_bytes()), &frame[..8]);
    crc32c::crc32c_append(crc, &frame[12..])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |number| u32::from_le_bytes(*number))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |number| u64::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_is_noticed() {
        let mut buffer = Vec::new();
        let start = begin(&mut buffer);
        buffer.extend_from_slice(b"thirteen byte");
        seal(&mut buffer, start, 77, 5);
        assert_eq!(buffer.len() % 8, 0);
        let whole = Found::Frame { sequence: 5, payload: b"thirteen byte", bytes: buffer.len() };
        assert_eq!(find(&buffer, 77), whole);
        assert_eq!(find(&buffer, 78), Found::Broken, "another store's");
        assert_eq!(find(&buffer[..FRAME_HEADER_BYTES + 13], 77), whole, "a write that ended before the zeros");
        for bit in 0..(FRAME_HEADER_BYTES + 13) * 8 {
            let mut damaged = buffer.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(find(&damaged, 77), Found::Broken, "bit {bit}");
        }
        assert_eq!(find(&[0; 40], 77), Found::Nothing);
        assert_eq!(find(&[], 77), Found::Nothing);
        let mut later = vec![1; 16];
        later.extend_from_slice(&buffer);
        assert_eq!(find_any(&later, 77), Some(5));
        assert_eq!(find_any(&later, 78), None);
    }

    #[test]
    fn headers_are_checked() {
        let header = FileHeader { kind: FileKind::Checkpoint, store_id: 3, first: 9 };
        let bytes = header.encode();
        assert_eq!(FileHeader::decode(&bytes), Ok(header));
        for at in 0..FILE_HEADER_BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 0x40;
            assert!(FileHeader::decode(&damaged).is_err(), "byte {at}");
        }
        assert!(FileHeader::decode(&bytes[..63]).is_err());
    }
}
