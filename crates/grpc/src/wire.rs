//! The protobuf wire format, as far as such messages use it: varints, and bytes with their length.

use bytes::{Buf, Bytes};

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A field's value. Fixed-width ones occur in no message that is read, and are skipped.
#[derive(Clone, Debug)]
pub enum Field {
    Varint(u64),
    Bytes(Bytes),
}

impl Field {
    pub fn number(&self) -> u64 {
        match self {
            Field::Varint(number) => *number,
            Field::Bytes(_) => 0,
        }
    }

    pub fn signed(&self) -> i64 {
        self.number().cast_signed()
    }

    pub fn bytes(self) -> Bytes {
        match self {
            Field::Bytes(bytes) => bytes,
            Field::Varint(_) => Bytes::new(),
        }
    }
}

/// Calls `take` for every field of a message.
pub fn read_fields(
    mut message: Bytes,
    mut take: impl FnMut(u64, Field) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while message.has_remaining() {
        let tag = read_varint(&mut message)?;
        let field = match tag & 7 {
            0 => Field::Varint(read_varint(&mut message)?),
            2 => {
                let len = usize::try_from(read_varint(&mut message)?).map_err(|_| Malformed)?;
                Field::Bytes(take_bytes(&mut message, len)?)
            }
            1 => {
                take_bytes(&mut message, 8)?;
                continue;
            }
            5 => {
                take_bytes(&mut message, 4)?;
                continue;
            }
            _ => return Err(Malformed),
        };
        take(tag >> 3, field)?;
    }
    Ok(())
}

fn take_bytes(message: &mut Bytes, len: usize) -> Result<Bytes, Malformed> {
    if len > message.remaining() { Err(Malformed) } else { Ok(message.split_to(len)) }
}

fn read_varint(message: &mut Bytes) -> Result<u64, Malformed> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = message.try_get_u8().map_err(|_| Malformed)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

/// Writes a message. Zeros, empty bytes and `false` are proto3's defaults and not written.
#[derive(Debug, Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push((number & 0x7f) as u8);
    }

    pub fn number(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.present_number(field, number);
        }
    }

    /// Written also when it is 0.
    pub fn present_number(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    pub fn flag(&mut self, field: u64, flag: bool) {
        self.number(field, u64::from(flag));
    }

    pub fn bytes(&mut self, field: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.present(field, bytes);
        }
    }

    fn present(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// A message within; written even when it is empty.
    pub fn message(&mut self, field: u64, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.present(field, &inner.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.number(1, 0);
        writer.number(2, u64::MAX);
        writer.bytes(3, b"abc");
        writer.message(4, |inner| inner.flag(1, true));
        writer.message(5, |_| {});
        let mut seen = Vec::new();
        read_fields(writer.bytes.into(), |field, value| {
            seen.push(format!("{field} {value:?}"));
            Ok(())
        })
        .expect("well formed");
        let want =
            ["2 Varint(18446744073709551615)", "3 Bytes(b\"abc\")", "4 Bytes(b\"\\x08\\x01\")", "5 Bytes(b\"\")"];
        assert_eq!(seen, want);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let malformed: [&[u8]; 5] = [b"\x08", b"\x12\x05abc", b"\x0b", b"\x09\x01", &[0xff; 12]];
        for bytes in malformed {
            assert_eq!(read_fields(Bytes::from_static(bytes), |_, _| Ok(())), Err(Malformed), "{bytes:?}");
        }
        // Fixed-width fields are skipped.
        let fixed = b"\x09\x01\x02\x03\x04\x05\x06\x07\x08\x0d\x01\x02\x03\x04\x10\x01";
        let mut seen = 0;
        read_fields(Bytes::from_static(fixed), |field, _| {
            seen += field;
            Ok(())
        })
        .expect("well formed");
        assert_eq!(seen, 2);
    }
}
