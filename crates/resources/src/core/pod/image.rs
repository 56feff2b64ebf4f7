//! Image references, as far as defaults need them (upstream: distribution/reference).

const NAME_BYTES_MAX: usize = 255;

/// Does an image's reference mean the tag "latest": said, or because neither tag nor digest is? Never for text that
/// is no reference.
pub fn tag_is_latest(image: &str) -> bool {
    match parse(image) {
        Some((Some(tag), _)) => tag == "latest",
        Some((None, has_digest)) => !has_digest,
        None => false,
    }
}

/// Tag, and whether there is a digest.
fn parse(image: &str) -> Option<(Option<&str>, bool)> {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    let is_identifier = image.len() == 64 && image.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let right = !is_identifier && is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
    right.then_some((tag, digest.is_some()))
}

/// `[host[:port]/]path`. What comes before the first slash is a host when it looks like one.
fn is_name(name: &str) -> bool {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first => {
            (Some(first), rest)
        }
        _ => (None, name),
    };
    let length = path.len() + domain.map_or("docker.io/".len(), |d| d.len() + 1);
    domain.is_none_or(is_domain) && length <= NAME_BYTES_MAX && path.split('/').all(is_component)
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let is_label = |label: &str| {
        let ends = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        ends(label.bytes().next())
            && ends(label.bytes().next_back())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let in_brackets = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let right_host = match in_brackets {
        Some(address) => !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => host.split('.').all(is_label),
    };
    right_host && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, with one dot, one or two underscores or any number of dashes between them.
fn is_component(text: &str) -> bool {
    let is_alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(first), Some(last)) = (text.as_bytes().first(), text.as_bytes().last()) else { return false };
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let right = |s: &str| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    is_alnum(first) && is_alnum(last) && separators.into_iter().all(right)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().enumerate().all(|(i, b)| word(b) || (i > 0 && matches!(b, b'.' | b'-')))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let starts = |part: &str| part.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    algorithm.split(['-', '_', '+', '.']).all(|part| starts(part) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && hex.len() >= 32
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_said_or_meant() {
        let digest = format!("busybox@sha256:{}", "a".repeat(64));
        for (image, latest) in [
            ("busybox", true),
            ("busybox:latest", true),
            ("busybox:1.36", false),
            ("registry.example:5000/team/app", true),
            ("registry.example:5000/team/app:v1", false),
            (digest.as_str(), false),
            ("", false),
            ("Bad_Value!", false),
            ("a__b/c-d", true),
            ("a___b", false),
        ] {
            assert_eq!(tag_is_latest(image), latest, "{image}");
        }
    }
}
