//! Lists of indexes such as `0,2-5`.

use meta::field::quote;

/// First and last index of a part.
type Interval = (i64, i64);

/// How many indexes a list has, or what is wrong with it.
pub fn count(text: &str, completions: i64) -> Result<i64, String> {
    let mut total = 0;
    let mut last = None;
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (from, to) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= from) {
            return Err(not_increasing(last, from));
        }
        total += to - from + 1;
        last = Some(to);
    }
    Ok(total)
}

/// The first index that two lists share; parts that cannot be read are left out.
pub fn overlap(a: &str, b: &str, completions: i64) -> Option<i64> {
    let read =
        |text: &str| -> Vec<Interval> { text.split(',').filter_map(|part| interval(part, completions).ok()).collect() };
    let (a, b) = (read(a), read(b));
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x.0 <= y.1 && y.0 <= x.1 {
            return Some(x.0.max(y.0));
        }
        if x.0 <= y.0 {
            i += 1;
        } else {
            j += 1;
        }
    }
    None
}

fn interval(part: &str, completions: i64) -> Result<Interval, String> {
    let mut limits = part.split('-');
    let from = limits.next().unwrap_or_default();
    let to = limits.next();
    if limits.next().is_some() {
        return Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            quote(part)
        ));
    }
    let from = index(from, completions)?;
    let Some(to) = to else { return Ok((from, from)) };
    let to = index(to, completions)?;
    if from >= to { Err(not_increasing(from, to)) } else { Ok((from, to)) }
}

fn index(text: &str, completions: i64) -> Result<i64, String> {
    match text.parse::<i64>() {
        Err(_) => Err(format!("cannot convert string to integer for index: {}", quote(text))),
        Ok(n) if n >= completions => Err(format!("too large index: {}", quote(text))),
        Ok(n) => Ok(n),
    }
}

fn not_increasing(previous: i64, current: i64) -> String {
    format!("non-increasing order, previous: {previous}, current: {current}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted_and_compared() {
        assert_eq!(count("0,2-5", 12), Ok(5));
        assert_eq!(count("", 12), Ok(0));
        assert_eq!(count("0,12", 12), Err("too large index: \"12\"".into()));
        assert_eq!(count("3,2", 12), Err("non-increasing order, previous: 3, current: 2".into()));
        assert_eq!(count("x", 12), Err("cannot convert string to integer for index: \"x\"".into()));
        assert!(count("1-2-3", 12).is_err());
        assert_eq!(overlap("0,2-5", "1,4", 12), Some(4));
        assert_eq!(overlap("0,2-5", "1,6", 12), None);
    }
}
