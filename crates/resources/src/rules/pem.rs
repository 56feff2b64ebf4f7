//! PEM texts in objects. What is in the blocks is not looked at.

/// Whether the text has a PEM block.
pub fn has_block(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.split_once("-----BEGIN ").is_some_and(|(_, rest)| rest.contains("-----END "))
}
