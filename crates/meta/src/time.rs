//! Times and durations as Kubernetes reads and writes them: RFC 3339 in UTC, to the second (`Time`) or with six
//! digits (`MicroTime`), and Go's duration text. Error texts are those of Go's `time` package.

use std::fmt::Write;

/// A moment: Unix seconds and nanoseconds of the second. Go's zero time is not a Timestamp but an absent value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    pub seconds: i64,
    pub nanos: u32,
}

/// Unix seconds of Go's zero time, 0001-01-01T00:00:00Z, which prints as null.
pub const ZERO_SECONDS: i64 = -62_135_596_800;

/// The layout of `Time`, as parse errors name it.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
/// The layout of `MicroTime`.
const LAYOUT_MICRO: &str = "2006-01-02T15:04:05.000000Z07:00";

const DAY_SECONDS: i64 = 86_400;

impl Timestamp {
    /// The time of the system's clock. The only function here that is not pure.
    pub fn now() -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() }
    }

    /// Whether this is Go's zero time.
    pub fn is_zero(self) -> bool {
        self.seconds == ZERO_SECONDS && self.nanos == 0
    }

    /// Reads RFC 3339 text as `metav1.Time` does. The error is Go's text.
    pub fn parse(text: &str) -> Result<Timestamp, String> {
        Parser { layout: LAYOUT, text, rest: text }.parse(false)
    }

    /// Reads RFC 3339 text with exactly six fractional digits, as `metav1.MicroTime` does. The error is Go's text.
    pub fn parse_micro(text: &str) -> Result<Timestamp, String> {
        Parser { layout: LAYOUT_MICRO, text, rest: text }.parse(true)
    }

    /// `2006-01-02T15:04:05Z`.
    pub fn to_rfc3339(self) -> String {
        let mut out = String::with_capacity(20);
        self.write_seconds(&mut out);
        out.push('Z');
        out
    }

    /// `2006-01-02T15:04:05.000000Z`.
    pub fn to_rfc3339_micro(self) -> String {
        let mut out = String::with_capacity(27);
        self.write_seconds(&mut out);
        let _ = write!(out, ".{:06}Z", self.nanos / 1000);
        out
    }

    fn write_seconds(self, out: &mut String) {
        let (year, month, day) = civil(self.seconds.div_euclid(DAY_SECONDS));
        let of_day = self.seconds.rem_euclid(DAY_SECONDS);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let sign = if year < 0 { "-" } else { "" };
        let _ = write!(out, "{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", year.abs());
    }
}

/// Year, month and day of a day number since 1970-01-01 (proleptic Gregorian).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day number since 1970-01-01.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn days_in(month: i64, year: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// What stopped a step: text that does not fit, or a number out of range (named).
enum Stop {
    Bad,
    Range(&'static str),
}

/// Reads one text by one layout, step by step, so that errors name the element that Go's parser names.
struct Parser<'a> {
    layout: &'static str,
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn parse(mut self, micro: bool) -> Result<Timestamp, String> {
        let year = self.element("2006", |p| p.digits(4))?;
        self.literal("-")?;
        let month = self.element("01", |p| p.number(true, 1, 12, "month"))?;
        self.literal("-")?;
        let day = self.element("02", |p| p.number(true, 0, 99, "day"))?;
        self.literal("T")?;
        let hour = self.element("15", |p| p.number(false, 0, 23, "hour"))?;
        self.literal(":")?;
        let minute = self.element("04", |p| p.number(true, 0, 59, "minute"))?;
        self.literal(":")?;
        let mut nanos = 0;
        let second = self.element("05", |p| {
            let second = p.number(true, 0, 59, "second")?;
            if !micro {
                nanos = p.optional_fraction();
            }
            Ok(second)
        })?;
        if micro {
            nanos = self.element(".000000", Self::six_digits)?;
        }
        let offset = self.element("Z07:00", Self::zone)?;
        if !self.rest.is_empty() {
            return Err(format!("parsing time {}: extra text: {}", quote(self.text), quote(self.rest)));
        }
        if day < 1 || day > days_in(month, year) {
            return Err(format!("parsing time {}: day out of range", quote(self.text)));
        }
        let of_day = hour * 3600 + minute * 60 + second;
        Ok(Timestamp { seconds: day_number(year, month, day) * DAY_SECONDS + of_day - offset, nanos: nanos as u32 })
    }

    fn cannot(&self, element: &str, at: &str) -> String {
        let (text, layout) = (quote(self.text), quote(self.layout));
        format!("parsing time {text} as {layout}: cannot parse {} as {}", quote(at), quote(element))
    }

    fn element(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Result<i64, Stop>) -> Result<i64, String> {
        let hold = self.rest;
        read(self).map_err(|stop| match stop {
            Stop::Bad => self.cannot(name, hold),
            Stop::Range(what) => format!("parsing time {}: {what} out of range", quote(self.text)),
        })
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(literal).ok_or_else(|| self.cannot(literal, self.rest))?;
        Ok(())
    }

    fn digit(&self, at: usize) -> Option<i64> {
        self.rest.as_bytes().get(at).filter(|b| b.is_ascii_digit()).map(|b| i64::from(b - b'0'))
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }

    fn digits(&mut self, count: usize) -> Result<i64, Stop> {
        let mut n = 0;
        for at in 0..count {
            n = n * 10 + self.digit(at).ok_or(Stop::Bad)?;
        }
        self.skip(count);
        Ok(n)
    }

    /// Two digits, or one when not `fixed`, within a range.
    fn number(&mut self, fixed: bool, min: i64, max: i64, what: &'static str) -> Result<i64, Stop> {
        let first = self.digit(0).ok_or(Stop::Bad)?;
        let n = match self.digit(1) {
            Some(second) => first * 10 + second,
            None if fixed => return Err(Stop::Bad),
            None => first,
        };
        self.skip(if self.digit(1).is_some() { 2 } else { 1 });
        if n < min || n > max { Err(Stop::Range(what)) } else { Ok(n) }
    }

    /// A fraction that the layout does not ask for: any number of digits after a point or comma; nine count.
    fn optional_fraction(&mut self) -> i64 {
        if !self.rest.starts_with(['.', ',']) || self.digit(1).is_none() {
            return 0;
        }
        let (mut nanos, mut at) = (0, 1);
        while let Some(digit) = self.digit(at) {
            if at <= 9 {
                nanos = nanos * 10 + digit;
            }
            at += 1;
        }
        self.skip(at);
        nanos * 10_i64.pow(10_u32.saturating_sub(at.min(10) as u32))
    }

    fn six_digits(&mut self) -> Result<i64, Stop> {
        if !self.rest.starts_with(['.', ',']) {
            return Err(Stop::Bad);
        }
        self.skip(1);
        Ok(self.digits(6)? * 1000)
    }

    /// `Z`, or a signed offset; in seconds east of UTC.
    fn zone(&mut self) -> Result<i64, Stop> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let (sign, colon) = (self.rest.as_bytes().first(), self.rest.as_bytes().get(3));
        let sign = match (sign, colon) {
            (Some(b'+'), Some(b':')) => 1,
            (Some(b'-'), Some(b':')) => -1,
            _ => return Err(Stop::Bad),
        };
        let two = |at| Some(self.digit(at)? * 10 + self.digit(at + 1)?);
        let hours = two(1).ok_or(Stop::Bad)?;
        let minutes = two(4).ok_or(Stop::Bad)?;
        self.skip(6);
        if hours > 24 {
            return Err(Stop::Range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(Stop::Range("time zone offset minute"));
        }
        Ok(sign * (hours * 60 + minutes) * 60)
    }
}

/// In quotes as Go's `time` quotes: every byte that is not printable ASCII as `\x..`.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='\u{7f}' => out.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
    }
    out.push('"');
    out
}

/// Nanoseconds of a Go duration text ("1h30m", "-1.5s"). The error is Go's text.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let whole_len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(whole_len);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_len = after.bytes().take_while(|b| *b != b'.' && !b.is_ascii_digit()).count();
        let (unit, after) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let Some(scale) = unit_nanos(unit) else {
            return Err(format!("time: unknown unit {} in duration {}", quote(unit), quote(text)));
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole.checked_mul(scale).and_then(|n| total.checked_add(n)).ok_or_else(invalid)?;
        let mut step = scale;
        for digit in fraction.bytes() {
            // Ten times finer per digit; what is below a nanosecond is cut off, as Go's float product is.
            step *= 10;
            total += i128::from(digit - b'0') * scale * scale / step;
            if step > scale * 1_000_000_000_000_000 {
                break;
            }
        }
        if total > 1 << 63 {
            return Err(invalid());
        }
        rest = after;
    }
    let signed = if negative { -total } else { total };
    i64::try_from(signed).map_err(|_| invalid())
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A duration in Go's text: "1h30m0s", "1.5s", "0s".
pub fn format_duration(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".to_string();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let second = 1_000_000_000;
    if n < second {
        let (unit, name) = match n {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{name}", with_fraction(n, unit));
    }
    let (hours, minutes) = (n / second / 3600, n / second / 60 % 60);
    let mut out = sign.to_string();
    if hours > 0 {
        let _ = write!(out, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(out, "{minutes}m");
    }
    out + &with_fraction(n % (60 * second), second) + "s"
}

/// `n / unit` with the fraction's trailing zeros cut off; `unit` is a power of ten.
fn with_fraction(n: u64, unit: u64) -> String {
    let mut out = (n / unit).to_string();
    if !n.is_multiple_of(unit) {
        let width = unit.ilog10() as usize;
        let fraction = format!("{:0width$}", n % unit);
        out.push('.');
        out.push_str(fraction.trim_end_matches('0'));
    }
    out
}

/// An age as kubectl prints it: two units at most ("5m30s", "3h", "2d4h"), "<invalid>" when negative beyond a second.
/// After k8s.io/apimachinery/pkg/util/duration.HumanDuration.
pub fn human_duration(seconds: i64) -> String {
    let two = |major: i64, unit: &str, minor: i64, minor_unit: &str| match minor {
        0 => format!("{major}{unit}"),
        _ => format!("{major}{unit}{minor}{minor_unit}"),
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / DAY_SECONDS);
    match seconds {
        ..-1 => "<invalid>".to_string(),
        -1..0 => "0s".to_string(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_print() {
        for (text, want) in [
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
            ("2024-01-01T00:00:00+02:30", "2023-12-31T21:30:00Z"),
            ("1970-01-01T00:00:00.999999999Z", "1970-01-01T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59-00:01", "10000-01-01T00:00:59Z"),
        ] {
            assert_eq!(Timestamp::parse(text).map(Timestamp::to_rfc3339), Ok(want.to_string()), "{text}");
        }
        assert!(Timestamp::parse("0001-01-01T00:00:00Z").is_ok_and(Timestamp::is_zero));
        let micro = Timestamp::parse_micro("2024-05-06T07:08:09.123456Z").map(Timestamp::to_rfc3339_micro);
        assert_eq!(micro, Ok("2024-05-06T07:08:09.123456Z".to_string()));
    }

    #[test]
    fn bad_times_have_gos_texts() {
        for (text, want) in [
            ("Bad", r#"parsing time "Bad" as "2006-01-02T15:04:05Z07:00": cannot parse "Bad" as "2006""#),
            ("", r#"parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006""#),
            ("2024-13-01T00:00:00Z", r#"parsing time "2024-13-01T00:00:00Z": month out of range"#),
            ("2024-02-30T00:00:00Z", r#"parsing time "2024-02-30T00:00:00Z": day out of range"#),
            ("2024-02-03T00:00:00Zx", r#"parsing time "2024-02-03T00:00:00Zx": extra text: "x""#),
            ("2024-02-03", r#"parsing time "2024-02-03" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#),
            ("é", r#"parsing time "\xc3\xa9" as "2006-01-02T15:04:05Z07:00": cannot parse "\xc3\xa9" as "2006""#),
        ] {
            assert_eq!(Timestamp::parse(text), Err(want.to_string()));
        }
        let want = r#"parsing time "2024-05-06T07:08:09Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000""#;
        assert_eq!(Timestamp::parse_micro("2024-05-06T07:08:09Z"), Err(want.to_string()));
    }

    #[test]
    fn every_day_of_many_years_survives() {
        for day in (-800_000..3_000_000).step_by(97) {
            let (year, month, of_month) = civil(day);
            assert_eq!(day_number(year, month, of_month), day);
            let t = Timestamp { seconds: day * DAY_SECONDS + day.rem_euclid(DAY_SECONDS), nanos: 0 };
            if (0..10_000).contains(&year) {
                assert_eq!(Timestamp::parse(&t.to_rfc3339()), Ok(t));
            }
        }
    }

    #[test]
    fn durations_read_and_print() {
        for (text, nanos, printed) in [
            ("0", 0, "0s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("-2ms", -2_000_000, "-2ms"),
            (".5us", 500, "500ns"),
            ("1h1ns", 3_600_000_000_001, "1h0m0.000000001s"),
        ] {
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
            assert_eq!(format_duration(nanos), printed);
            assert_eq!(parse_duration(printed), Ok(nanos));
        }
        assert_eq!(parse_duration("x"), Err(r#"time: invalid duration "x""#.to_string()));
        assert_eq!(parse_duration("3"), Err(r#"time: missing unit in duration "3""#.to_string()));
        assert_eq!(parse_duration("3d"), Err(r#"time: unknown unit "d" in duration "3d""#.to_string()));
        assert_eq!(parse_duration("99999999999h"), Err(r#"time: invalid duration "99999999999h""#.to_string()));
        assert_eq!(format_duration(i64::MIN), "-2562047h47m16.854775808s");
    }

    #[test]
    fn ages_are_kubectls() {
        for (seconds, want) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (330, "5m30s"),
            (600, "10m"),
            (3 * 3600 + 60, "3h1m"),
            (9 * 3600 + 60, "9h"),
            (2 * 86_400 + 3600, "2d1h"),
            (8 * 86_400 + 3600, "8d"),
            (3 * 365 * 86_400, "3y"),
            (9 * 365 * 86_400, "9y"),
        ] {
            assert_eq!(human_duration(seconds), want, "{seconds}");
        }
    }
}
