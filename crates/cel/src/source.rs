//! The text of an expression, places in it, and what is wrong at them, printed as cel-go prints it.

use std::fmt;

/// What upstream prints before the first of more issues than this.
const ISSUES_MAX: usize = 100;
/// Lines longer than this are not quoted below an issue (bytes).
const QUOTED_LINE_BYTES_MAX: usize = 16_384;

/// The text of an expression with the offsets at which its lines start.
#[derive(Debug, Clone)]
pub struct Source {
    text: Box<str>,
    /// The offset, in code points, of the first character of every line but the first.
    lines: Vec<u32>,
}

/// A place: the line from 1, the column in code points from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: i32,
    pub column: i32,
}

impl Place {
    /// What issues without a place carry; printed as `-1:0`.
    pub const NONE: Place = Place { line: -1, column: -1 };
}

impl Source {
    pub fn new(text: &str) -> Source {
        let newlines = text.chars().enumerate().filter(|(_, c)| *c == '\n');
        let lines = newlines.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX)).collect();
        Source { text: text.into(), lines }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The place of the code point at `offset`.
    pub fn place(&self, offset: u32) -> Place {
        let before = self.lines.partition_point(|start| *start <= offset);
        let start = before.checked_sub(1).and_then(|at| self.lines.get(at)).copied().unwrap_or(0);
        let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        Place { line: small(before + 1), column: small((offset - start) as usize) }
    }

    fn line(&self, number: i32) -> Option<&str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        if self.text.is_empty() {
            return None;
        }
        self.text.split('\n').nth(index)
    }
}

/// One thing that is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub place: Place,
    pub message: String,
}

/// What is wrong with an expression; its `Display` is upstream's text, several lines for each issue, in order of place.
#[derive(Debug, Clone)]
pub struct Issues {
    source: Source,
    issues: Vec<Issue>,
    /// How many there were beyond [`ISSUES_MAX`].
    dropped: usize,
}

impl Issues {
    pub(crate) fn new(source: Source) -> Issues {
        Issues { source, issues: Vec::new(), dropped: 0 }
    }

    pub(crate) fn add(&mut self, place: Place, message: impl Into<String>) {
        if self.issues.len() >= ISSUES_MAX {
            self.dropped += 1;
            return;
        }
        self.issues.push(Issue { place, message: message.into() });
    }

    pub(crate) fn add_at(&mut self, offset: u32, message: impl Into<String>) {
        self.add(self.source.place(offset), message);
    }

    pub fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Issue> {
        self.issues.iter()
    }

    fn write(&self, issue: &Issue, f: &mut fmt::Formatter) -> fmt::Result {
        let Place { line, column } = issue.place;
        write!(f, "ERROR: <input>:{line}:{}: {}", column.saturating_add(1), issue.message)?;
        let Some(quoted) = self.source.line(line).filter(|line| line.len() <= QUOTED_LINE_BYTES_MAX) else {
            return Ok(());
        };
        let quoted = quoted.replace('\t', " ");
        write!(f, "\n | {quoted}\n | ")?;
        let mut chars = quoted.chars();
        for _ in 0..column.max(0) {
            match chars.next() {
                Some(c) if c.len_utf8() > 1 => f.write_str("\u{ff0e}")?,
                Some(_) => f.write_str(".")?,
                None => break,
            }
        }
        match chars.next() {
            Some(c) if c.len_utf8() > 1 => f.write_str("\u{ff3e}"),
            _ => f.write_str("^"),
        }
    }
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut sorted: Vec<&Issue> = self.issues.iter().collect();
        sorted.sort_by_key(|issue| issue.place);
        for (at, issue) in sorted.into_iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            self.write(issue, f)?;
        }
        match self.dropped {
            0 => Ok(()),
            more => write!(f, "\n{more} more errors were truncated"),
        }
    }
}

impl std::error::Error for Issues {}
