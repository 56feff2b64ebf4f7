//! Moments and durations.

use super::Run;
use super::operators::{SECONDS_MAX, SECONDS_MIN};
use crate::eval::{Call, Failed};
use crate::value::{Moment, Value};

const DAY: i64 = 86_400;

pub fn implementation(name: &str) -> Option<Run> {
    Some(match name {
        "getFullYear" => |call| part(call, |date| date.year),
        "getMonth" => |call| part(call, |date| date.month - 1),
        "getDayOfYear" => |call| part(call, |date| date.day_of_year),
        "getDayOfMonth" => |call| part(call, |date| date.day - 1),
        "getDate" => |call| part(call, |date| date.day),
        "getDayOfWeek" => |call| part(call, |date| date.day_of_week),
        "getHours" => |call| clock(call, 3_600_000_000_000, |date| date.second_of_day / 3600),
        "getMinutes" => |call| clock(call, 60_000_000_000, |date| date.second_of_day / 60 % 60),
        "getSeconds" => |call| clock(call, 1_000_000_000, |date| date.second_of_day % 60),
        "getMilliseconds" => |call| clock(call, 1_000_000, |date| date.nanos / 1_000_000),
        _ => return None,
    })
}

/// A moment by the calendar and the clock of some zone.
struct Date {
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
    day_of_year: i64,
    /// From Sunday.
    day_of_week: i64,
    second_of_day: i64,
    nanos: i64,
}

/// Year, month and day of a day, counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years of 400 make a cycle of 146097 days; years start in March, so that the leap day is the last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day, counted from 1970-01-01.
fn days_from(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date(moment: Moment, offset: i64) -> Date {
    let seconds = moment.seconds + offset;
    let days = seconds.div_euclid(DAY);
    let (year, month, day) = civil(days);
    Date {
        year,
        month,
        day,
        day_of_year: days - days_from(year, 1, 1),
        day_of_week: (days + 4).rem_euclid(7),
        second_of_day: seconds.rem_euclid(DAY),
        nanos: i64::from(moment.nanos),
    }
}

fn part<'a>(call: &mut Call<'a, '_>, of: fn(&Date) -> i64) -> Result<Value<'a>, Failed> {
    match call.args {
        [Value::Timestamp(moment)] => Ok(Value::Int(of(&date(*moment, 0)))),
        [Value::Timestamp(moment), Value::String(zone)] => Ok(Value::Int(of(&date(*moment, offset(zone)?)))),
        _ => Err(call.no_overload()),
    }
}

/// Of a moment its part, of a duration the whole in units of so many nanoseconds.
fn clock<'a>(call: &mut Call<'a, '_>, unit: i64, of: fn(&Date) -> i64) -> Result<Value<'a>, Failed> {
    match call.args {
        [Value::Duration(nanos)] => Ok(Value::Int(nanos / unit)),
        _ => part(call, of),
    }
}

/// The seconds a zone is ahead of UTC. Zones by name need a database, which there is not.
fn offset(zone: &str) -> Result<i64, Failed> {
    if matches!(zone, "UTC" | "" | "Z" | "Etc/UTC" | "GMT") {
        return Ok(0);
    }
    let unknown = || Failed::new(format!("unknown time zone {zone}"));
    let (hours, minutes) = zone.split_once(':').ok_or_else(unknown)?;
    let negative = hours.starts_with('-');
    let hours: i64 = hours.parse().map_err(|_| unknown())?;
    let minutes: i64 = minutes.parse().map_err(|_| unknown())?;
    if !(-23..=23).contains(&hours) || !(0..=59).contains(&minutes) {
        return Err(unknown());
    }
    Ok(hours * 3600 + if negative { -60 * minutes } else { 60 * minutes })
}

/// A moment as RFC 3339 writes it; `None` when it does not.
pub fn parse_timestamp(text: &str) -> Option<Moment> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let is = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|b| wanted.contains(b));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"T") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let digits = fraction.get(..length).filter(|digits| !digits.is_empty())?;
        nanos = format!("{digits:0<9}").get(..9)?.parse().ok()?;
        rest = fraction.get(length..)?;
    }
    let offset = match rest {
        "Z" => 0,
        zone => {
            let bytes = zone.as_bytes();
            let signed =
                matches!(bytes, [b'+' | b'-', a, b, b':', c, d] if [a, b, c, d].iter().all(|b| b.is_ascii_digit()));
            let (hours, minutes) = (zone.get(1..3)?.parse::<i64>().ok()?, zone.get(4..6)?.parse::<i64>().ok()?);
            if !signed || hours > 24 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if zone.starts_with('-') { -1 } else { 1 }
        }
    };
    let seconds = days_from(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    (SECONDS_MIN..=SECONDS_MAX).contains(&seconds).then_some(Moment { seconds, nanos })
}

/// As RFC 3339, with as many digits of the fraction as there are.
pub fn format_timestamp(moment: Moment) -> String {
    let date = date(moment, 0);
    let (hour, minute, second) = (date.second_of_day / 3600, date.second_of_day / 60 % 60, date.second_of_day % 60);
    let mut text = format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}", date.year, date.month, date.day);
    if moment.nanos > 0 {
        let fraction = format!("{:09}", moment.nanos);
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Nanoseconds of a duration as Go writes one (`1h30m`, `-2.5s`); `None` when it does not.
pub fn parse_duration(text: &str) -> Option<i64> {
    meta::time::parse_duration(text).ok()
}

/// Seconds, as `string(duration)` writes them: `5400s`, `1.5s`.
pub fn format_duration(nanos: i64) -> String {
    let (seconds, fraction) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    let sign = if nanos < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{seconds}s");
    }
    let fraction = format!("{fraction:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
}
