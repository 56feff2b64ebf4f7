//! Unified diffs as upstream's messages show them: Python's difflib, which its Go port follows to the letter, so that
//! the choice of matching lines is the same.

use std::collections::HashMap;

/// Lines around a change.
const CONTEXT: usize = 3;
/// From this many lines on, lines that are too common anchor no match.
const POPULAR_FROM: usize = 200;

/// A stretch of lines that both have: where it begins in each, and its length.
#[derive(Clone, Copy)]
struct Match {
    a: usize,
    b: usize,
    size: usize,
}

/// Lines `a.0..a.1` became lines `b.0..b.1`.
#[derive(Clone, Copy)]
struct Change {
    equal: bool,
    a: (usize, usize),
    b: (usize, usize),
}

/// The unified diff of two texts, without file names; "" when they are the same.
pub fn unified(old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let mut out = String::new();
    for group in grouped(changes(&a, &b)) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (old_range, new_range) = (range(first.a.0, last.a.1), range(first.b.0, last.b.1));
        out.push_str(&format!("@@ -{old_range} +{new_range} @@\n"));
        for change in &group {
            let old_lines = a.get(change.a.0..change.a.1).unwrap_or(&[]);
            if change.equal {
                write_lines(&mut out, ' ', old_lines);
                continue;
            }
            write_lines(&mut out, '-', old_lines);
            write_lines(&mut out, '+', b.get(change.b.0..change.b.1).unwrap_or(&[]));
        }
    }
    out
}

fn write_lines(out: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        out.push('\n');
    }
}

fn range(start: usize, end: usize) -> String {
    match end.saturating_sub(start) {
        1 => (start + 1).to_string(),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

/// Where each line of `b` that may anchor a match is.
fn anchors<'t>(b: &[&'t str]) -> HashMap<&'t str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, line) in b.iter().enumerate() {
        places.entry(line).or_default().push(i);
    }
    if b.len() >= POPULAR_FROM {
        let most = b.len() / 100 + 1;
        places.retain(|_, at| at.len() <= most);
    }
    places
}

/// The longest match within the bounds that begins earliest, extended over equal lines on both sides.
fn longest(
    a: &[&str],
    b: &[&str],
    anchors: &HashMap<&str, Vec<usize>>,
    (a_from, a_to): (usize, usize),
    (b_from, b_to): (usize, usize),
) -> Match {
    let mut best = Match { a: a_from, b: b_from, size: 0 };
    // lengths of the matches that end at each line of b, for the line of a before
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (i, line) in a.iter().enumerate().take(a_to).skip(a_from) {
        let mut next = HashMap::new();
        for &j in anchors.get(line).map_or(&[][..], Vec::as_slice) {
            if j < b_from {
                continue;
            }
            if j >= b_to {
                break;
            }
            let size = j.checked_sub(1).and_then(|before| lengths.get(&before)).unwrap_or(&0) + 1;
            next.insert(j, size);
            if size > best.size {
                best = Match { a: i + 1 - size, b: j + 1 - size, size };
            }
        }
        lengths = next;
    }
    let same = |i: usize, j: usize| a.get(i) == b.get(j);
    while best.a > a_from && best.b > b_from && same(best.a - 1, best.b - 1) {
        best = Match { a: best.a - 1, b: best.b - 1, size: best.size + 1 };
    }
    while best.a + best.size < a_to && best.b + best.size < b_to && same(best.a + best.size, best.b + best.size) {
        best.size += 1;
    }
    best
}

/// All matches in order, adjacent ones joined, and an empty one at the end.
fn matches(a: &[&str], b: &[&str]) -> Vec<Match> {
    let anchors = anchors(b);
    let mut found = Vec::new();
    let mut open = vec![((0, a.len()), (0, b.len()))];
    while let Some((in_a, in_b)) = open.pop() {
        let best = longest(a, b, &anchors, in_a, in_b);
        if best.size == 0 {
            continue;
        }
        open.push(((in_a.0, best.a), (in_b.0, best.b)));
        open.push(((best.a + best.size, in_a.1), (best.b + best.size, in_b.1)));
        found.push(best);
    }
    found.sort_by_key(|m| (m.a, m.b));
    let mut joined: Vec<Match> = Vec::new();
    for m in found {
        match joined.last_mut() {
            Some(last) if last.a + last.size == m.a && last.b + last.size == m.b => last.size += m.size,
            _ => joined.push(m),
        }
    }
    joined.push(Match { a: a.len(), b: b.len(), size: 0 });
    joined
}

fn changes(a: &[&str], b: &[&str]) -> Vec<Change> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    for m in matches(a, b) {
        if i < m.a || j < m.b {
            out.push(Change { equal: false, a: (i, m.a), b: (j, m.b) });
        }
        (i, j) = (m.a + m.size, m.b + m.size);
        if m.size > 0 {
            out.push(Change { equal: true, a: (m.a, i), b: (m.b, j) });
        }
    }
    out
}

/// Changes with a few lines of what is equal around them; far ones apart.
fn grouped(mut all: Vec<Change>) -> Vec<Vec<Change>> {
    if let Some(first) = all.first_mut().filter(|c| c.equal) {
        first.a.0 = first.a.0.max(first.a.1.saturating_sub(CONTEXT));
        first.b.0 = first.b.0.max(first.b.1.saturating_sub(CONTEXT));
    }
    if let Some(last) = all.last_mut().filter(|c| c.equal) {
        last.a.1 = last.a.1.min(last.a.0 + CONTEXT);
        last.b.1 = last.b.1.min(last.b.0 + CONTEXT);
    }
    let mut groups = Vec::new();
    let mut group: Vec<Change> = Vec::new();
    for mut change in all {
        if change.equal && change.a.1 - change.a.0 > 2 * CONTEXT {
            let head = |(from, to): (usize, usize)| (from, to.min(from + CONTEXT));
            group.push(Change { a: head(change.a), b: head(change.b), ..change });
            groups.push(std::mem::take(&mut group));
            change.a.0 = change.a.0.max(change.a.1.saturating_sub(CONTEXT));
            change.b.0 = change.b.0.max(change.b.1.saturating_sub(CONTEXT));
        }
        group.push(change);
    }
    if group.iter().any(|c| !c.equal) {
        groups.push(group);
    }
    groups.retain(|g| g.iter().any(|c| !c.equal));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_three_lines_around_it() {
        let old: Vec<String> = (0..20).map(|i| format!("line {i}")).collect();
        let mut new = old.clone();
        new[10] = "other".into();
        new.remove(0);
        let want = "@@ -1,4 +1,3 @@\n-line 0\n line 1\n line 2\n line 3\n@@ -8,7 +7,7 @@\n line 7\n line 8\n line 9\n-line 10\n+other\n line 11\n line 12\n line 13\n";
        assert_eq!(unified(&old.join("\n"), &new.join("\n")), want);
        assert_eq!(unified("a\nb", "a\nb"), "");
    }
}
