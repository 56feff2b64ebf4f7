//! The times of a cron job: five fields, or a descriptor such as `@daily` (upstream: robfig/cron).

use super::time_zone;
use meta::field::quote;
use meta::time::parse_duration;
use std::num::IntErrorKind;

const DESCRIPTORS: &[&str] = &["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Smallest and largest number of a field, and names for its numbers from the smallest on.
struct Bounds {
    min: i64,
    max: i64,
    names: &'static [&'static str],
}

const FIELDS: [Bounds; 5] = [
    Bounds { min: 0, max: 59, names: &[] },
    Bounds { min: 0, max: 23, names: &[] },
    Bounds { min: 1, max: 31, names: &[] },
    Bounds { min: 1, max: 12, names: MONTHS },
    Bounds { min: 0, max: 6, names: DAYS },
];

/// What is wrong with a schedule.
pub fn check(text: &str) -> Result<(), String> {
    let text = without_zone(text)?;
    if text.starts_with('@') {
        return check_descriptor(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly {} fields, found {}: [{}]",
            FIELDS.len(),
            fields.len(),
            fields.join(" ")
        ));
    }
    let parts = fields.iter().zip(&FIELDS).flat_map(|(field, bounds)| field.split(',').map(move |part| (part, bounds)));
    parts.filter(|(part, _)| !part.is_empty()).try_for_each(|(part, bounds)| check_part(part, bounds))
}

/// The text after a time zone.
fn without_zone(text: &str) -> Result<&str, String> {
    let zone = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
    let Some((zone, rest)) = zone.and_then(|text| text.split_once(' ')) else { return Ok(text) };
    match time_zone::load(zone) {
        Ok(()) => Ok(rest.trim()),
        Err(wrong) => Err(format!("provided bad location {zone}: {wrong}")),
    }
}

fn check_descriptor(text: &str) -> Result<(), String> {
    match text.strip_prefix("@every ") {
        Some(duration) => match parse_duration(duration) {
            Ok(_) => Ok(()),
            Err(wrong) => Err(format!("failed to parse duration {text}: {wrong}")),
        },
        None if DESCRIPTORS.contains(&text) => Ok(()),
        None => Err(format!("unrecognized descriptor: {text}")),
    }
}

/// One of the comma-separated parts of a field: `N`, `*` or `N-M`, each perhaps with `/STEP`.
fn check_part(part: &str, bounds: &Bounds) -> Result<(), String> {
    let (range, steps) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    let (low, high) = range.split_once('-').map_or((range, None), |(low, high)| (low, Some(high)));
    let (start, end) = match (low, high) {
        ("*" | "?", _) => (bounds.min, bounds.max),
        (low, None) => {
            let start = number(low, bounds)?;
            // N/STEP means from N on
            (start, if steps.is_some() { bounds.max } else { start })
        }
        (low, Some(high)) => {
            let start = number(low, bounds)?;
            if high.contains('-') {
                return Err(format!("too many hyphens: {part}"));
            }
            (start, number(high, bounds)?)
        }
    };
    let step = match steps {
        None => 1,
        Some(step) if step.contains('/') => return Err(format!("too many slashes: {part}")),
        Some(step) => integer(step)?,
    };
    let Bounds { min, max, .. } = bounds;
    match () {
        () if start < *min => Err(format!("beginning of range ({start}) below minimum ({min}): {part}")),
        () if end > *max => Err(format!("end of range ({end}) above maximum ({max}): {part}")),
        () if start > end => Err(format!("beginning of range ({start}) beyond end of range ({end}): {part}")),
        () if step == 0 => Err(format!("step of range should be a positive number: {part}")),
        () => Ok(()),
    }
}

fn number(text: &str, bounds: &Bounds) -> Result<i64, String> {
    let lower = text.to_lowercase();
    match bounds.names.iter().position(|name| *name == lower) {
        Some(position) => Ok(bounds.min + position as i64),
        None => integer(text),
    }
}

fn integer(text: &str) -> Result<i64, String> {
    match text.parse::<i64>() {
        Ok(n) if n < 0 => Err(format!("negative number ({n}) not allowed: {text}")),
        Ok(n) => Ok(n),
        Err(wrong) => {
            let reason = match wrong.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {}: {reason}", quote(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_those_of_upstream() {
        for right in ["*/5 * * * *", "0 0 1 jan sun-tue", "@daily", "@every 1h30m", "0,30 8-18/2 ? * 1"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        let wrong = [
            ("x", "expected exactly 5 fields, found 1: [x]"),
            ("5x * * * *", "failed to parse int from 5x: strconv.Atoi: parsing \"5x\": invalid syntax"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("9-3 * * * *", "beginning of range (9) beyond end of range (3): 9-3"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("@hourlyx", "unrecognized descriptor: @hourlyx"),
        ];
        for (text, message) in wrong {
            assert_eq!(check(text), Err(message.into()), "{text}");
        }
    }
}
