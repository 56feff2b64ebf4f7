//! Texts that are no expressions, and what clients see about them.

use crate::Env;

const OPERANDS: &str =
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/// Texts with the places and messages of what is wrong with them.
const CASES: &[(&str, &[&str])] = &[
    ("Bad_Value!", &["1:10: Syntax error: extraneous input '!' expecting <EOF>"]),
    ("truex x", &["1:7: Syntax error: extraneous input 'x' expecting <EOF>"]),
    ("1 2 3", &["1:3: Syntax error: mismatched input '2' expecting <EOF>"]),
    ("object.", &["1:8: Syntax error: no viable alternative at input '.'"]),
    ("", &["1:0: Syntax error: mismatched input '<EOF>' expecting OPERANDS"]),
    ("1 +", &["1:4: Syntax error: mismatched input '<EOF>' expecting OPERANDS"]),
    (
        "in",
        &[
            "1:1: Syntax error: mismatched input 'in' expecting OPERANDS",
            "1:3: Syntax error: mismatched input '<EOF>' expecting OPERANDS",
        ],
    ),
    (
        "1 + +",
        &[
            "1:5: Syntax error: mismatched input '+' expecting OPERANDS",
            "1:6: Syntax error: mismatched input '<EOF>' expecting OPERANDS",
        ],
    ),
    (
        "1 + $",
        &[
            "1:5: Syntax error: token recognition error at: '$'",
            "1:6: Syntax error: mismatched input '<EOF>' expecting OPERANDS",
        ],
    ),
    (
        "*@a | b",
        &[
            "1:1: Syntax error: extraneous input '*' expecting OPERANDS",
            "1:2: Syntax error: token recognition error at: '@'",
            "1:5: Syntax error: token recognition error at: '| '",
            "1:7: Syntax error: extraneous input 'b' expecting <EOF>",
        ],
    ),
    (
        "{",
        &[
            "1:2: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '}', '(', '.', ',', '-', '!', '?', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
        ],
    ),
    ("A(){}", &["1:4: Syntax error: mismatched input '{' expecting <EOF>"]),
    ("A{}()", &["1:4: Syntax error: mismatched input '(' expecting <EOF>"]),
    ("{a}", &["1:3: Syntax error: mismatched input '}' expecting ':'"]),
    ("ind[a{b}]", &["1:8: Syntax error: mismatched input '}' expecting ':'"]),
    (
        "func{{a}}",
        &[
            "1:6: Syntax error: extraneous input '{' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}",
            "1:8: Syntax error: mismatched input '}' expecting ':'",
            "1:9: Syntax error: extraneous input '}' expecting <EOF>",
        ],
    ),
    (
        "msg{:a}",
        &[
            "1:5: Syntax error: extraneous input ':' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}",
            "1:7: Syntax error: mismatched input '}' expecting ':'",
        ],
    ),
    ("{\"a\": 1}.\"a\"", &["1:10: Syntax error: no viable alternative at input '.\"a\"'"]),
    ("self.true == 1", &["1:6: Syntax error: mismatched input 'true' expecting IDENTIFIER"]),
    ("x{.", &["1:3: Syntax error: mismatched input '.' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}"]),
    (
        "?",
        &[
            "1:1: Syntax error: mismatched input '?' expecting OPERANDS",
            "1:2: Syntax error: mismatched input '<EOF>' expecting OPERANDS",
        ],
    ),
    (
        "--",
        &[
            "1:3: Syntax error: no viable alternative at input '-'",
            "1:3: Syntax error: mismatched input '<EOF>' expecting OPERANDS",
        ],
    ),
    (
        "\"\\xFh\"",
        &[
            "1:1: Syntax error: token recognition error at: '\"\\xFh'",
            "1:6: Syntax error: token recognition error at: '\"'",
            "1:7: Syntax error: mismatched input '<EOF>' expecting OPERANDS",
        ],
    ),
    ("1 + 2\n3 +", &["2:1: Syntax error: mismatched input '3' expecting <EOF>"]),
];

/// The places and messages reported for a text, a line each.
fn reported(text: &str) -> Vec<String> {
    let issues = Env::default().compile(text).expect_err(text).to_string();
    issues.lines().filter_map(|line| line.strip_prefix("ERROR: <input>:")).map(str::to_owned).collect()
}

#[test]
fn what_is_wrong_is_said_as_antlr_says_it() {
    for (text, wanted) in CASES {
        let wanted: Vec<String> = wanted.iter().map(|line| line.replace("OPERANDS", OPERANDS)).collect();
        assert_eq!(reported(text), wanted, "{text}");
    }
}

#[test]
fn wide_characters_are_pointed_at_with_wide_marks() {
    let issues = Env::default().compile("'é' == é").unwrap_err().to_string();
    assert!(issues.contains("\n | '\u{e9}' == \u{e9}\n | .\u{ff0e}.....\u{ff3e}"), "{issues}");
}

#[test]
fn any_text_is_explained() {
    // Pieces of expressions put together in a fixed but wild order.
    let pieces =
        ["a", ".", "(", ")", "[", "]", "{", "}", "1", "'s'", "?", ":", ",", "-", "!", "+", "in", "&&", "$", "\n"];
    let mut state = 7u64;
    for _ in 0..2000 {
        let mut text = String::new();
        for _ in 0..state % 14 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        state = state.wrapping_add(1);
        if let Err(issues) = Env::default().compile(&text) {
            let shown = issues.to_string();
            assert!(shown.starts_with("ERROR: <input>:"), "{text}");
            assert!(!shown.contains("invalid expression"), "{text}: {shown}");
        }
    }
}
