//! Standard base64 with padding, and Go's error when a text is not.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NONE: u8 = 0xff;

const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut i = 0;
    while i < 64 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// Appends the base64 text of bytes.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let digit = |shift: u32| ALPHABET[(bits >> shift & 63) as usize];
        let quad = [digit(18), digit(12), digit(6), digit(0)];
        out.extend_from_slice(&quad[..=chunk.len()]);
        out.extend_from_slice(&b"=="[..3 - chunk.len()]);
    }
}

/// The bytes of a text. Line breaks are skipped. The error has the offset of the first byte that does not fit, as Go counts it.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let corrupt = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let mut digits = text.iter().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n'));
    let (mut bits, mut count) = (0_u32, 0);
    while let Some((at, &byte)) = digits.next() {
        let value = VALUES[usize::from(byte)];
        if value != NONE {
            bits = bits << 6 | u32::from(value);
            count += 1;
            if count == 4 {
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                (bits, count) = (0, 0);
            }
            continue;
        }
        if byte != b'=' || count < 2 {
            return corrupt(at);
        }
        if count == 2 {
            match digits.next() {
                Some((_, b'=')) => {}
                Some((at, _)) => return corrupt(at),
                None => return corrupt(text.len()),
            }
        }
        let whole = (bits << (6 * (4 - count))).to_be_bytes();
        out.extend_from_slice(whole.get(1..count).unwrap_or(&[]));
        return match digits.next() {
            Some((at, _)) => corrupt(at),
            None => Ok(out),
        };
    }
    if count > 0 {
        return corrupt(text.len().saturating_sub(count));
    }
    Ok(out)
}

/// Whether a text is base64 in the one form that [`encode`] writes.
pub(crate) fn is_canonical(text: &[u8]) -> bool {
    let digits = text.trim_ascii_end();
    let padding = digits.iter().rev().take(2).take_while(|b| **b == b'=').count();
    let (body, _) = digits.split_at(digits.len() - padding);
    let spare = match padding {
        0 => 0,
        1 => 3,
        _ => 15,
    };
    digits.len() == text.len()
        && text.len().is_multiple_of(4)
        && body.iter().all(|b| VALUES[usize::from(*b)] != NONE)
        && body.last().is_none_or(|b| VALUES[usize::from(*b)] & spare == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive() {
        for length in 0..70_u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(73).wrapping_add(length)).collect();
            let mut text = Vec::new();
            encode(&bytes, &mut text);
            assert!(is_canonical(&text));
            assert_eq!(decode(&text), Ok(bytes));
        }
    }

    #[test]
    fn errors_are_gos() {
        for (text, at) in
            [("!", 0), ("Zm9v!", 4), ("Zg", 0), ("Zg=", 3), ("Zg=x", 3), ("Zg==x", 4), ("Z===", 1), ("Zm9vZ", 4)]
        {
            assert_eq!(decode(text.as_bytes()), Err(format!("illegal base64 data at input byte {at}")), "{text}");
        }
        assert_eq!(decode(b"Zm\n9v\r\n"), Ok(b"foo".to_vec()));
        assert!(!is_canonical(b"Zm9=") && !is_canonical(b"Zm\n9v"));
    }
}
