//! metadata.generateName: the base and a random suffix.

use meta::Str;

/// The longest name that a suffix may complete; a longer base is cut.
const NAME_BYTES_MAX: usize = 63;
const SUFFIX_BYTES: usize = 5;
/// Upstream's alphabet: no vowels and no 0, 1, 3, so that no words appear.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The base, cut to 58 bytes, and five characters taken from `random` bits.
pub fn generate_name(base: &str, mut random: u64) -> Str {
    let mut end = base.len().min(NAME_BYTES_MAX - SUFFIX_BYTES);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = Str::from(&base[..end]);
    for _ in 0..SUFFIX_BYTES {
        let letters = ALPHABET.len() as u64;
        name.push(ALPHABET[(random % letters) as usize] as char);
        random /= letters;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_of_five_follows_the_base() {
        let name = generate_name("web-", 0x1234_5678_9abc);
        assert_eq!(name.len(), 9);
        assert!(name.strip_prefix("web-").is_some_and(|s| s.bytes().all(|b| ALPHABET.contains(&b))));
        assert_ne!(name, generate_name("web-", 0x1234_5678_9abd));
        assert_eq!(generate_name(&"x".repeat(80), 7).len(), 63);
        assert!(generate_name(&"é".repeat(40), 7).starts_with('é'));
    }
}
