//! String formats of custom resources. Names are compared without dashes, so `date-time` is `datetime`; formats that
//! upstream does not know are not checked.

use meta::name;
use regex::Regex;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// Formats that are one regular expression.
static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    let uuid = |version: &str, variant: &str| {
        format!("(?i)^[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}-?{variant}-?[0-9a-f]{{12}}$")
    };
    let any = "[0-9a-f]{4}";
    let rfc = "[89ab][0-9a-f]{3}";
    let list = [
        ("bsonobjectid", "^[0-9a-fA-F]{24}$".to_string()),
        ("uuid", uuid(any, any)),
        ("uuid3", uuid("3[0-9a-f]{3}", any)),
        ("uuid4", uuid("4[0-9a-f]{3}", rfc)),
        ("uuid5", uuid("5[0-9a-f]{3}", rfc)),
        ("ssn", r"^\d{3}[- ]?\d{2}[- ]?\d{4}$".to_string()),
        ("hexcolor", "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$".to_string()),
        ("email", r#"^([^@<>\s",:;]+|"[^"]*")@[^@<>\s",:;]+$"#.to_string()),
        ("hostname", r"^([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\.?)+$".to_string()),
    ];
    list.into_iter().filter_map(|(name, text)| Some((name, Regex::new(&text).ok()?))).collect()
});

/// Formats of texts that are not one regular expression.
const TEXT_FORMATS: &[&str] = &[
    "datetime",
    "date",
    "duration",
    "byte",
    "ipv4",
    "ipv6",
    "cidr",
    "mac",
    "uri",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "rgbcolor",
    "password",
    "k8sshortname",
    "k8slongname",
];

/// Whether a format is one that upstream knows for a type; "" is the format of nodes that have none.
pub fn is_known(kind: &str, format: &str) -> bool {
    match kind {
        _ if format.is_empty() => true,
        "" | "string" => {
            let format = format.replace('-', "");
            TEXT_FORMATS.contains(&format.as_str()) || PATTERNS.iter().any(|(name, _)| *name == format)
        }
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    }
}

/// May `text` stand where the schema says `format`?
pub fn is_valid(format: &str, text: &str) -> bool {
    let format = format.replace('-', "");
    if let Some((_, regex)) = PATTERNS.iter().find(|(name, _)| *name == format) {
        return regex.is_match(text);
    }
    match format.as_str() {
        "datetime" => is_date_time(text),
        "date" => is_date(text),
        "duration" => is_duration(text),
        "byte" => is_base64(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uri" => is_request_uri(text),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_credit_card(text),
        "rgbcolor" => is_rgb_color(text),
        "k8sshortname" => name::dns1123_label(text).is_empty(),
        "k8slongname" => name::dns1123_subdomain(text).is_empty(),
        _ => true,
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_date_time(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]([01]\d|2[0-3]):?[0-5]\d)$").ok()
    });
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else { return false };
    is_date(date) && TIME.as_ref().is_some_and(|regex| regex.is_match(time))
}

/// Go's `time.ParseDuration`, or Scala's words: "1.5h", "3 days".
fn is_duration(text: &str) -> bool {
    static GO: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[+-]?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$").ok());
    static SCALA: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)^((\d+)\s*([a-zµ]+))$").ok());
    const UNITS: &[&str] = &[
        "ns",
        "nano",
        "nanos",
        "nanosecond",
        "nanoseconds",
        "us",
        "µs",
        "micro",
        "micros",
        "microsecond",
        "microseconds",
        "ms",
        "milli",
        "millis",
        "millisecond",
        "milliseconds",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "h",
        "hr",
        "hrs",
        "hour",
        "hours",
        "d",
        "day",
        "days",
        "w",
        "wk",
        "wks",
        "week",
        "weeks",
    ];
    let scala = |text: &str| {
        let regex = SCALA.as_ref()?;
        let unit = regex.captures(text)?.get(3)?.as_str().to_lowercase();
        Some(UNITS.contains(&unit.as_str()))
    };
    text == "0" || GO.as_ref().is_some_and(|regex| regex.is_match(text)) || scala(text).unwrap_or(false)
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    text.len().is_multiple_of(4)
        && padding <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

fn is_cidr(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else { return false };
    let max = match (ip.parse::<Ipv4Addr>(), ip.parse::<Ipv6Addr>()) {
        (Ok(_), _) => 32,
        (_, Ok(_)) => 128,
        _ => return false,
    };
    bits.bytes().all(|b| b.is_ascii_digit()) && bits.parse::<u32>().is_ok_and(|bits| bits <= max)
}

fn is_mac(text: &str) -> bool {
    let hex = |part: &&str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
    [(':', 2), ('-', 2), ('.', 4)].iter().any(|(separator, digits)| {
        let parts: Vec<&str> = text.split(*separator).collect();
        let bytes = parts.len() * digits / 2;
        matches!(bytes, 6 | 8 | 20) && parts.iter().all(|part| hex(part, *digits))
    })
}

/// Go's `url.ParseRequestURI`: absolute, or a path that begins with a slash.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|b| b < 0x20 || b == 0x7f || b == b' ') {
        return false;
    }
    if text.starts_with('/') {
        return true;
    }
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut bytes = scheme.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let others = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    first && others && !rest.is_empty()
}

fn is_isbn10(text: &str) -> bool {
    let digits: Vec<char> = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if digits.len() != 10 {
        return false;
    }
    let sum = digits.iter().enumerate().try_fold(0, |sum, (i, c)| match c {
        'X' | 'x' if i == 9 => Some(sum + 100),
        c => Some(sum + (i as u32 + 1) * c.to_digit(10)?),
    });
    sum.is_some_and(|sum| sum % 11 == 0)
}

fn is_isbn13(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_digit(10)).collect();
    let weighted =
        |digits: &[u32]| digits.iter().enumerate().map(|(i, d)| d * if i % 2 == 0 { 1 } else { 3 }).sum::<u32>();
    digits.is_some_and(|digits| digits.len() == 13 && weighted(&digits) % 10 == 0)
}

/// The issuers' ranges, and Luhn's sum.
fn is_credit_card(text: &str) -> bool {
    static ISSUERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let ranges = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$";
        Regex::new(ranges).ok()
    });
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let luhn = digits.bytes().rev().enumerate().map(|(i, b)| {
        let digit = u32::from(b - b'0');
        let doubled = digit * 2;
        if i % 2 == 0 { digit } else { doubled / 10 + doubled % 10 }
    });
    luhn.sum::<u32>() % 10 == 0 && ISSUERS.as_ref().is_some_and(|regex| regex.is_match(&digits))
}

fn is_rgb_color(text: &str) -> bool {
    let inner = text.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')'));
    let part = |part: &str| {
        let part = part.trim();
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u32>().is_ok_and(|n| n <= 255)
    };
    inner.is_some_and(|inner| inner.split(',').count() == 3 && inner.split(',').all(part))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn formats_accept_and_refuse() {
        let cases = [
            ("date-time", "2026-01-02T03:04:05Z", "yesterday"),
            ("datetime", "2026-01-02T03:04:05.123+02:00", "2026-13-02T03:04:05Z"),
            ("date", "2024-02-29", "2023-02-29"),
            ("duration", "1h30m", "soon"),
            ("ipv4", "1.2.3.4", "1.2.3"),
            ("ipv6", "::1", "1.2.3.4"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("mac", "00:11:22:33:44:55", "00:11:22"),
            ("uri", "https://example.com/x", ":::"),
            ("uuid", "3b241101-e2bb-4255-8caf-4136c566a962", "3b241101"),
            ("byte", "aGk=", "a"),
            ("isbn", "978-0321751041", "978-0321751042"),
            ("rgbcolor", "rgb(1,2,255)", "rgb(1,2,256)"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("email", "a@example.com", "a"),
            ("hexcolor", "#FFF", "#FF"),
        ];
        for (format, good, bad) in cases {
            assert!(is_valid(format, good), "{format} {good}");
            assert!(!is_valid(format, bad), "{format} {bad}");
        }
        assert!(is_valid("no-such-format", "anything"));
    }
}
