//! Rules that no compiler checks. Each says what to do instead; lengths may only shrink.

mod layers;
mod lengths;
mod words;

/// One broken rule at one place.
#[derive(Debug, PartialEq)]
pub struct Finding {
    pub place: String,
    pub what: String,
}

pub fn run(args: &[String]) -> Result<(), String> {
    if args.iter().any(|arg| arg == "--accept") {
        return lengths::accept();
    }
    let findings = check();
    if findings.is_empty() {
        println!("tidy");
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(|finding| format!("{}: {}", finding.place, finding.what)).collect();
    Err(format!("{}\n{} findings", lines.join("\n"), lines.len()))
}

fn check() -> Vec<Finding> {
    let mut findings = layers::check();
    findings.extend(words::check());
    findings.extend(lengths::check());
    findings
}

fn finding(place: impl std::fmt::Display, what: impl Into<String>) -> Finding {
    Finding { place: place.to_string(), what: what.into() }
}

/// The line number of a place in a text, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let findings = super::check();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
