//! The ciphers, byte for byte as kube-apiserver has them (k8s.io/apiserver/pkg/storage/value/encrypt/{aes,secretbox}).
//! What is authenticated with an object is its key in the store, so that objects cannot be exchanged behind the
//! server's back; where the cipher can do that.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::consts::U12;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit, StreamCipher as _, StreamCipherSeek as _};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{AesGcm, KeyInit as _};
use poly1305::Poly1305;
use ring::rand::{SecureRandom as _, SystemRandom};
use salsa20::XSalsa20;
use subtle::ConstantTimeEq as _;

const GCM_NONCE_BYTES: usize = 12;
const CBC_BLOCK_BYTES: usize = 16;
const BOX_NONCE_BYTES: usize = 24;
const BOX_TAG_BYTES: usize = 16;
const INFO_BYTES: usize = 32;
/// Of a seed, at least; and of the keys that are made from it.
pub(crate) const SEED_BYTES: usize = 32;

/// Why something does not open. Fit for a log: no secrets.
pub(crate) type Why = String;

const TOO_SHORT: &str = "the stored data was shorter than the required size";
const NOT_AUTHENTIC: &str = "cipher: message authentication failed";

/// A key, ready to use. No `Debug`: it is a secret.
pub(crate) enum Cipher {
    Cbc(BlockKey),
    Gcm(Box<GcmKey>),
    Secretbox([u8; 32]),
    Seeded(Seed),
}

pub(crate) enum BlockKey {
    Short([u8; 16]),
    Middle([u8; 24]),
    Long([u8; 32]),
}

pub(crate) enum GcmKey {
    Short(AesGcm<Aes128, U12>),
    Middle(AesGcm<Aes192, U12>),
    Long(AesGcm<Aes256, U12>),
}

/// A secret from which a new key is made for every object: KMS v2 since Kubernetes 1.29.
pub(crate) struct Seed(ring::hkdf::Prk);

impl Cipher {
    /// `None`: AES has no keys of this length.
    pub(crate) fn cbc(key: &[u8]) -> Option<Cipher> {
        let short = || key.try_into().ok().map(BlockKey::Short);
        let middle = || key.try_into().ok().map(BlockKey::Middle);
        let long = || key.try_into().ok().map(BlockKey::Long);
        short().or_else(middle).or_else(long).map(Cipher::Cbc)
    }

    pub(crate) fn gcm(key: &[u8]) -> Option<Cipher> {
        GcmKey::new(key).map(|key| Cipher::Gcm(Box::new(key)))
    }

    pub(crate) fn secretbox(key: &[u8]) -> Option<Cipher> {
        key.try_into().ok().map(Cipher::Secretbox)
    }

    pub(crate) fn seeded(seed: &[u8]) -> Option<Cipher> {
        let prk = || ring::hkdf::Prk::new_less_safe(ring::hkdf::HKDF_SHA256, seed);
        (seed.len() >= SEED_BYTES).then(|| Cipher::Seeded(Seed(prk())))
    }

    /// Appends the sealed bytes.
    pub(crate) fn seal(&self, plain: &[u8], store_key: &[u8], out: &mut Vec<u8>) -> Result<(), Why> {
        match self {
            Cipher::Cbc(key) => key.seal(&random()?, plain, out),
            Cipher::Gcm(key) => return key.seal(&random()?, plain, store_key, out),
            Cipher::Secretbox(key) => seal_box(key, &random()?, plain, out),
            Cipher::Seeded(seed) => {
                let info: [u8; INFO_BYTES] = random()?;
                out.extend_from_slice(&info);
                return seed.key(&info)?.seal(&random()?, plain, store_key, out);
            }
        }
        Ok(())
    }

    pub(crate) fn open(&self, sealed: &[u8], store_key: &[u8]) -> Result<Vec<u8>, Why> {
        match self {
            Cipher::Cbc(key) => key.open(sealed),
            Cipher::Gcm(key) => key.open(sealed, store_key),
            Cipher::Secretbox(key) => open_box(key, sealed),
            Cipher::Seeded(seed) => {
                let (info, sealed) = sealed.split_first_chunk::<INFO_BYTES>().ok_or(TOO_SHORT)?;
                seed.key(info)?.open(sealed, store_key)
            }
        }
    }
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Why> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system has no random bytes".to_owned())?;
    Ok(bytes)
}

impl Seed {
    fn key(&self, info: &[u8; INFO_BYTES]) -> Result<GcmKey, Why> {
        let mut key = [0; SEED_BYTES];
        let expanded = self.0.expand(&[info], ring::hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        expanded.ok().and_then(|()| GcmKey::new(&key)).ok_or_else(|| "no key can be made from the seed".to_owned())
    }
}

impl BlockKey {
    fn seal(&self, iv: &[u8; CBC_BLOCK_BYTES], plain: &[u8], out: &mut Vec<u8>) {
        let sealed = match self {
            BlockKey::Short(key) => {
                cbc::Encryptor::<Aes128>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain)
            }
            BlockKey::Middle(key) => {
                cbc::Encryptor::<Aes192>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain)
            }
            BlockKey::Long(key) => {
                cbc::Encryptor::<Aes256>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain)
            }
        };
        out.extend_from_slice(iv);
        out.extend_from_slice(&sealed);
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Why> {
        let (iv, sealed) = sealed.split_first_chunk::<CBC_BLOCK_BYTES>().ok_or(TOO_SHORT)?;
        if sealed.is_empty() || !sealed.len().is_multiple_of(CBC_BLOCK_BYTES) {
            return Err("the stored data is not a multiple of the block size".into());
        }
        let opened = match self {
            BlockKey::Short(key) => {
                cbc::Decryptor::<Aes128>::new(key.into(), iv.into()).decrypt_padded_vec::<Pkcs7>(sealed)
            }
            BlockKey::Middle(key) => {
                cbc::Decryptor::<Aes192>::new(key.into(), iv.into()).decrypt_padded_vec::<Pkcs7>(sealed)
            }
            BlockKey::Long(key) => {
                cbc::Decryptor::<Aes256>::new(key.into(), iv.into()).decrypt_padded_vec::<Pkcs7>(sealed)
            }
        };
        opened.map_err(|_| "invalid padding on input".to_owned())
    }
}

impl GcmKey {
    fn new(key: &[u8]) -> Option<GcmKey> {
        match key.len() {
            16 => AesGcm::new_from_slice(key).ok().map(GcmKey::Short),
            24 => AesGcm::new_from_slice(key).ok().map(GcmKey::Middle),
            32 => AesGcm::new_from_slice(key).ok().map(GcmKey::Long),
            _ => None,
        }
    }

    fn seal(&self, nonce: &[u8; GCM_NONCE_BYTES], msg: &[u8], aad: &[u8], out: &mut Vec<u8>) -> Result<(), Why> {
        let payload = Payload { msg, aad };
        let sealed = match self {
            GcmKey::Short(key) => key.encrypt(nonce.into(), payload),
            GcmKey::Middle(key) => key.encrypt(nonce.into(), payload),
            GcmKey::Long(key) => key.encrypt(nonce.into(), payload),
        };
        out.extend_from_slice(nonce);
        out.extend_from_slice(&sealed.map_err(|_| "the object is too large for its cipher".to_owned())?);
        Ok(())
    }

    fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, Why> {
        let (nonce, msg) = sealed.split_first_chunk::<GCM_NONCE_BYTES>().ok_or(TOO_SHORT)?;
        let payload = Payload { msg, aad };
        let opened = match self {
            GcmKey::Short(key) => key.decrypt(nonce.into(), payload),
            GcmKey::Middle(key) => key.decrypt(nonce.into(), payload),
            GcmKey::Long(key) => key.decrypt(nonce.into(), payload),
        };
        opened.map_err(|_| NOT_AUTHENTIC.to_owned())
    }
}

/// NaCl's secretbox: XSalsa20, whose first 32 bytes are the key of Poly1305 over the rest; the tag comes first.
fn seal_box(key: &[u8; 32], nonce: &[u8; BOX_NONCE_BYTES], plain: &[u8], out: &mut Vec<u8>) {
    let (mut stream, authenticator) = begin_box(key, nonce);
    let mut sealed = plain.to_vec();
    stream.apply_keystream(&mut sealed);
    out.extend_from_slice(nonce);
    out.extend_from_slice(&authenticator.compute_unpadded(&sealed));
    out.extend_from_slice(&sealed);
}

fn open_box(key: &[u8; 32], sealed: &[u8]) -> Result<Vec<u8>, Why> {
    let (nonce, sealed) = sealed.split_first_chunk::<BOX_NONCE_BYTES>().ok_or(TOO_SHORT)?;
    let (tag, sealed) = sealed.split_first_chunk::<BOX_TAG_BYTES>().ok_or(TOO_SHORT)?;
    let (mut stream, authenticator) = begin_box(key, nonce);
    let computed = authenticator.compute_unpadded(sealed);
    if !bool::from(computed.as_slice().ct_eq(tag)) {
        return Err(NOT_AUTHENTIC.into());
    }
    let mut plain = sealed.to_vec();
    stream.apply_keystream(&mut plain);
    Ok(plain)
}

fn begin_box(key: &[u8; 32], nonce: &[u8; BOX_NONCE_BYTES]) -> (XSalsa20, Poly1305) {
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let mut first = poly1305::Key::default();
    stream.apply_keystream(&mut first);
    debug_assert_eq!(stream.current_pos::<u64>(), 32);
    (stream, Poly1305::new(&first))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const PLAIN: &[u8] = b"k8s\0 a secret of some length, not a multiple of sixteen";
    pub(crate) const STORE_KEY: &[u8] = b"/registry/secrets/default/one";

    pub(crate) fn bytes(hex: &str) -> Vec<u8> {
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        (0..hex.len()).step_by(2).map(digits).collect()
    }

    pub(crate) fn counting(len: u8) -> Vec<u8> {
        (1..=len).collect()
    }

    /// Made with Python's `cryptography` 48 and PyNaCl 1.6: keys 01 02 03 …, the texts above.
    const SEALED: &[(&str, u8, &str)] = &[
        (
            "gcm",
            16,
            "6465666768696a6b6c6d6e6f40608ff8ad555c53ca3719656e02b633e81a872a548da7bb3a06dc8c295a460fe3a9fb9b81b1d16fe1a6362ea4aadc46b025a20225a970549c46a19def4a34a35d2570375cb7ec",
        ),
        (
            "cbc",
            16,
            "32333435363738393a3b3c3d3e3f404135cb80c63903179f23fa8b3f1511c1eefa0046949e1cd0d0dd6e2390ab107816ebf19b3acae98d3ea67a9d545c457b7b2a1c60de6363c80570a3e8b1c3a813f8",
        ),
        (
            "gcm",
            24,
            "6465666768696a6b6c6d6e6fcf100da6bdced02142e1d6dac29970b97eec6425ebac0c5419e550d330c19bece63b069556117b2e0658d2735a31524d1b1bf70d5269a2ee4ace23a52f0c212e52aa8e01c5c718",
        ),
        (
            "cbc",
            24,
            "32333435363738393a3b3c3d3e3f4041f66397028f4404f1837013877660c40cc7cee30b2d1325128ad2e40504d915a0bef7bb3181cf0e4d78773c7b695813c2552e3c3c02fa50f068d5105d54e822da",
        ),
        (
            "gcm",
            32,
            "6465666768696a6b6c6d6e6f0b67004cb1e39c0a9d34ddfd6c0c975ad4ec77a69ac69b64ceb5969755c1871c0ba0b965e46087736364e31c667d81459984f0be9d1ad2b49ad31cae714986be220b95497e7695",
        ),
        (
            "cbc",
            32,
            "32333435363738393a3b3c3d3e3f404100d98c504b47b71ef7c0d6709a6f49f947b2bd5e84307d1007012655606cd8b2b640e9a3be48c72c18b1bf8706ea636333722509289e8228baeec01fff649322",
        ),
        (
            "secretbox",
            32,
            "c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf0fb90c91a661414d9fbca7ec106d4a39ae3662270d934733719d44f20d16f9d00ef25c0647690e1e49dfeea49f85a53d2ba82e71c2b16880eedcfd8cdcb7f3ec9cc8a61d0a55b3",
        ),
        (
            "seeded",
            32,
            "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f6465666768696a6b6c6d6e6f3ed53ee687c6d4511bdc57fa3a95010c13f4dd02ad87d7e01b962f8a91bb2c9caf32c98f13a6af22fad1b85038ad43f8a665aebc76466e6720847adcf0033e496f3d1016e013cb",
        ),
    ];

    fn cipher(name: &str, key: &[u8]) -> Option<Cipher> {
        match name {
            "gcm" => Cipher::gcm(key),
            "cbc" => Cipher::cbc(key),
            "secretbox" => Cipher::secretbox(key),
            _ => Cipher::seeded(key),
        }
    }

    #[test]
    fn what_another_implementation_sealed_is_opened() {
        for (name, len, sealed) in SEALED {
            let cipher = cipher(name, &counting(*len)).expect("a key of this length");
            assert_eq!(cipher.open(&bytes(sealed), STORE_KEY).as_deref(), Ok(PLAIN), "{name} {len}");
        }
    }

    #[test]
    fn what_is_sealed_is_opened_and_never_the_same() {
        for (name, len, _) in SEALED {
            let cipher = cipher(name, &counting(*len)).expect("a key of this length");
            let seal = |plain: &[u8]| {
                let mut sealed = vec![];
                cipher.seal(plain, STORE_KEY, &mut sealed).expect("sealed");
                sealed
            };
            for len in 0..70 {
                let plain = vec![7; len];
                assert_eq!(cipher.open(&seal(&plain), STORE_KEY).as_deref(), Ok(plain.as_slice()), "{name} {len}");
            }
            assert_ne!(seal(PLAIN), seal(PLAIN), "{name}");
        }
    }

    #[test]
    fn what_is_changed_or_moved_does_not_open() {
        for (name, len, sealed) in SEALED {
            let (key, sealed) = (counting(*len), bytes(sealed));
            let right = cipher(name, &key).expect("a key of this length");
            let mut other = key.clone();
            other[0] ^= 1;
            let other = cipher(name, &other).expect("a key of this length");
            assert_ne!(other.open(&sealed, STORE_KEY).as_deref(), Ok(PLAIN), "{name}: another key");
            for cut in 0..sealed.len() {
                assert_ne!(right.open(&sealed[..cut], STORE_KEY).as_deref(), Ok(PLAIN), "{name}: cut at {cut}");
            }
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 0x20;
                let opened = right.open(&changed, STORE_KEY);
                assert_ne!(opened.as_deref(), Ok(PLAIN), "{name}: byte {at}");
                assert!(*name == "cbc" || opened.is_err(), "{name}: byte {at}");
            }
            if matches!(*name, "gcm" | "seeded") {
                assert!(right.open(&sealed, b"/registry/secrets/default/two").is_err(), "{name}: another object's");
            }
        }
    }

    #[test]
    fn keys_have_the_right_length() {
        for len in 0..40 {
            let key = vec![1; len];
            let is_aes = [16, 24, 32].contains(&len);
            let made = ["gcm", "cbc", "secretbox"].map(|name| cipher(name, &key).is_some());
            assert_eq!(made, [is_aes, is_aes, len == 32], "{len}");
        }
    }
}
