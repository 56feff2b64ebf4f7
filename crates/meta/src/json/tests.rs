//! Tables of texts and errors.

use super::*;
use crate::value;

fn error(text: &str) -> String {
    parse(text.as_bytes()).map_or_else(|e| e.0, |v| format!("{v:?}"))
}

#[test]
fn syntax_errors_have_gos_texts() {
    for (text, want) in [
        ("", "unexpected end of JSON input"),
        (" {", "unexpected end of JSON input"),
        ("}", "invalid character '}' looking for beginning of value"),
        ("{a", "invalid character 'a' looking for beginning of object key string"),
        ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
        ("{\"a\" 1}", "invalid character '1' after object key"),
        ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("01", "invalid character '1' after top-level value"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ("trye", "invalid character 'y' in literal true (expecting 'u')"),
        ("\"\n\"", "invalid character '\\n' in string literal"),
        ("\"\\x\"", "invalid character 'x' in string escape code"),
        ("\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
        ("'a'", "invalid character '\\'' looking for beginning of value"),
        ("1e999", "json: cannot unmarshal number 1e999 into Go value of type float64"),
    ] {
        assert_eq!(error(text), want, "{text}");
    }
    assert_eq!(error(&"[".repeat(2000)), "exceeded max depth");
}

#[test]
fn values_read_as_go_unstructured() {
    let parsed = parse(br#" {"b":[1,-0,1.0,1e2,9223372036854775808,null,true],"a":"\u00e9\ud83d\ude00\ud800\"\/"} "#);
    let want = value!({
        "a": "é😀\u{fffd}\"/",
        "b": [1, 0, (1.0), (100.0), (9_223_372_036_854_775_808.0), null, true]
    });
    assert_eq!(parsed.map(|p| p.value), Ok(want));
    assert_eq!(parse(b"\"a\xff\xe2\x82b\"").map(|p| p.value), Ok("a\u{fffd}\u{fffd}\u{fffd}b".into()));
}

#[test]
fn duplicates_are_reported_with_their_path() {
    let parsed = parse(br#"{"a":[{"x":1,"x":2}],"a":[{"y":{"z":1,"z":1}}]}"#).unwrap();
    assert_eq!(parsed.duplicates, ["a[0].x", "a[0].y.z", "a"]);
    assert_eq!(to_string(&parsed.value), r#"{"a":[{"y":{"z":1}}]}"#);
}

#[test]
fn text_is_written_as_go_writes_it() {
    let v = value!({"k<&>": "\u{1}\u{8}\u{c}\n\r\t\"\\/é\u{2028}\u{2029}\u{7f}", "n": [(-1), (i64::MIN)]});
    let want = r#"{"k\u003c\u0026\u003e":"\u0001\b\f\n\r\t\"\\/é\u2028\u2029"#;
    assert_eq!(to_string(&v), format!("{want}\u{7f}\",\"n\":[-1,-9223372036854775808]}}"));
    for (n, want) in [
        (0.0, "0"),
        (1.5, "1.5"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e100, "1e+100"),
    ] {
        assert_eq!(to_string(&Value::Float(n)), want);
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut text = String::new();
    for c in (0..0x3000).filter_map(char::from_u32) {
        text.push(c);
    }
    let v = value!({"a": (text.as_str()), "b": {"c": [[], {}, (1e300), (-5)]}});
    assert_eq!(parse(&to_vec(&v)).map(|p| p.value), Ok(v));
}

#[test]
fn raw_text_is_made_compact_as_go_does() {
    for (text, want) in [
        (r#"{"a": [1, 2.50e1 , "b c"],"#, r#"{"a":[1,2.50e1,"b c"],"#),
        ("\t{ \"a\\\" \\\\\" :\r\n null }", "{\"a\\\" \\\\\":null}"),
        ("\"<&>\u{2028}\u{2029}\u{e9}\"", "\"\\u003c\\u0026\\u003e\\u2028\\u2029\u{e9}\""),
        ("", ""),
    ] {
        let mut out = Vec::new();
        compact(text.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), want);
    }
}
