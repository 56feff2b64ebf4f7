//! The wire format: varints, tags, lengths. Reading is bounded and never panics; writing goes backwards, as upstream's
//! generated code does, so that lengths are known when they are written.

/// How a field's value is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Wire<'a> {
    /// The bytes of a length-delimited value; none for others.
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Wire::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    pub(crate) fn kind(self) -> u8 {
        match self {
            Wire::Varint(_) => 0,
            Wire::Fixed64(_) => 1,
            Wire::Bytes(_) => 2,
            Wire::Fixed32(_) => 5,
        }
    }
}

/// A malformed message, in gogo's words.
pub(crate) type Malformed = &'static str;

pub(crate) const EOF: Malformed = "unexpected EOF";
const OVERFLOW: Malformed = "proto: integer overflow";
const NEGATIVE: Malformed = "proto: negative length found during unmarshaling";

/// Reads the fields of one message in order.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.bytes {
            [a @ 0..0x80, rest @ ..] => {
                self.bytes = rest;
                Ok(u64::from(*a))
            }
            [a, b @ 0..0x80, rest @ ..] => {
                self.bytes = rest;
                Ok(u64::from(a & 0x7f) | u64::from(*b) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.bytes.split_first().ok_or(EOF)?;
            self.bytes = rest;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(OVERFLOW)
    }

    #[inline(always)]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(EOF)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next field's number and value; `None` at the end.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Malformed> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = (tag >> 3) as u32;
        if number == 0 || number > i32::MAX as u32 {
            return Err("proto: illegal tag 0 (wire type 0)");
        }
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().unwrap_or_default())),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).ok().filter(|n| *n <= i64::MAX as usize).ok_or(NEGATIVE)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().unwrap_or_default())),
            3 | 4 => return Err("proto: wiretype end group for non-group"),
            _ => return Err("proto: illegal wireType 7"),
        };
        Ok(Some((number, value)))
    }
}

/// The length of a length-delimited field of a number below 16 with so many bytes.
pub(crate) fn field_len(bytes: usize) -> usize {
    let varint = (64 - (bytes as u64 | 1).leading_zeros()).div_ceil(7) as usize;
    1 + varint + bytes
}

/// Appends tag and length of a length-delimited field of a number below 16.
pub(crate) fn open_field(number: u32, bytes: usize, out: &mut Vec<u8>) {
    out.push((number << 3) as u8 | 2);
    let mut rest = bytes;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A buffer that grows towards its front.
pub(crate) struct Backwards {
    bytes: Vec<u8>,
    start: usize,
}

impl Backwards {
    pub(crate) fn with_capacity(capacity: usize) -> Backwards {
        let capacity = capacity.max(64);
        Backwards { bytes: vec![0; capacity], start: capacity }
    }

    /// How many bytes are written.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    #[cold]
    fn grow(&mut self, need: usize) {
        let more = self.bytes.len().max(need);
        let mut bytes = vec![0; more + self.bytes.len()];
        bytes[more + self.start..].copy_from_slice(&self.bytes[self.start..]);
        self.bytes = bytes;
        self.start += more;
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if self.start < bytes.len() {
            self.grow(bytes.len());
        }
        self.start -= bytes.len();
        self.bytes[self.start..self.start + bytes.len()].copy_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        if self.start == 0 {
            self.grow(1);
        }
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    #[inline]
    pub(crate) fn varint(&mut self, n: u64) {
        if n < 0x80 {
            return self.byte(n as u8);
        }
        let mut digits = [0_u8; 10];
        let mut count = 0;
        let mut rest = n;
        while rest >= 0x80 {
            digits[count] = rest as u8 | 0x80;
            rest >>= 7;
            count += 1;
        }
        digits[count] = rest as u8;
        self.bytes(&digits[..=count]);
    }

    #[inline]
    pub(crate) fn tag(&mut self, number: u32, wire: u8) {
        self.varint(u64::from(number) << 3 | u64::from(wire));
    }

    /// Closes a message that was begun when the length was `before`: its length and tag.
    #[inline]
    pub(crate) fn close(&mut self, number: u32, before: usize) {
        self.varint((self.len() - before) as u64);
        self.tag(number, 2);
    }

    /// A whole length-delimited field.
    #[inline]
    pub(crate) fn field(&mut self, number: u32, bytes: &[u8]) {
        let before = self.len();
        self.bytes(bytes);
        self.close(number, before);
    }
}
