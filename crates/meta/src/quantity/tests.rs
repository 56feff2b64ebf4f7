//! Tables of upstream's texts, and what holds for every amount.

use super::*;

fn printed(text: &str) -> Result<String, QuantityError> {
    Quantity::parse(text).map(|q| q.to_string())
}

#[test]
fn quantities_print_as_upstream_prints_them() {
    for (text, want) in [
        ("0", "0"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("100m", "100m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1.1Ki", "1126400m"),
        ("0.1m", "100u"),
        ("0.1n", "1n"),
        ("0.00000000012", "1n"),
        ("1000000", "1M"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("5000e3", "5e6"),
        ("+5", "+5"),
        ("05", "05"),
        ("-1500m", "-1500m"),
        ("-1000m", "-1"),
        ("16Ei", "9223372036854775807"),
        ("1000Ki", "1000Ki"),
        (".5", "500m"),
        ("5.", "5."),
        ("0000", "0"),
        ("-0", "0"),
        ("123456789012345678901234567890123456789012345678", "123456789012345678901234567890123456789012345678"),
        ("1234567890123456789012345678901234567890000", "1234567890123456789012345678901234567890k"),
    ] {
        assert_eq!(printed(text), Ok(want.to_string()), "{text}");
    }
}

#[test]
fn what_is_no_quantity_says_why() {
    use QuantityError::*;
    for (text, want) in [
        ("", Format),
        ("x", Format),
        ("1 ", Format),
        ("1.2.3", Format),
        ("1x", Format),
        ("1KiB", Format),
        ("1Kii", Suffix),
        ("1i", Suffix),
        ("1e", Suffix),
        ("m5", Suffix),
        ("1e99999999999999999999", Suffix),
    ] {
        assert_eq!(printed(text), Err(want), "{text}");
    }
}

/// Digits, sign and suffix from a small generator: enough shapes to meet every branch.
fn samples() -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-4"];
    (0..20_000)
        .map(|_| {
            let mut text = ["", "-", "+"][next(3)].to_string();
            let mut digits = |out: &mut String, max: usize| {
                (0..next(max)).for_each(|_| out.push(char::from(b'0' + next(10) as u8)));
            };
            digits(&mut text, 12);
            text.push('1');
            text.push('.');
            digits(&mut text, 12);
            text.push_str(suffixes[next(suffixes.len())]);
            text
        })
        .collect()
}

#[test]
fn canonical_text_keeps_the_amount_and_is_a_fixed_point() {
    for text in samples() {
        let Ok(read) = Quantity::parse(&text) else { panic!("{text} is well formed") };
        if read.scaled(-9).abs() >= 10_i128.pow(30) {
            continue; // beyond E there is no suffix and upstream's own text changes the amount
        }
        let once = read.to_string();
        let again = Quantity::parse(&once).unwrap();
        assert_eq!(again, read, "{text} → {once}");
        assert_eq!(again.to_string(), once);
    }
}

#[test]
fn sums_and_order_agree() {
    let all: Vec<Quantity> = samples().iter().take(300).filter_map(|t| Quantity::parse(t).ok()).collect();
    for pair in all.windows(2) {
        let [a, b] = pair else { continue };
        assert_eq!(&(a + b) - b, *a);
        assert_eq!(a.cmp(b), (a - b).sign().cmp(&0));
        assert_eq!((a + b).scaled(-9), a.scaled(-9) + b.scaled(-9));
    }
}

#[test]
fn values_round_away_from_zero() {
    for (text, value, milli) in
        [("1m", 1, 1), ("-1m", -1, -1), ("1.5", 2, 1500), ("100u", 1, 1), ("2Ki", 2048, 2_048_000)]
    {
        let q = Quantity::parse(text).unwrap();
        assert_eq!((q.value(), q.milli_value()), (value, milli), "{text}");
    }
    assert_eq!(Quantity::parse("1e100").unwrap().value(), i64::MAX);
    assert_eq!(Quantity::milli(1500, Format::DecimalSI).to_string(), "1500m");
    let sum = &Quantity::default() + &Quantity::parse("1Gi").unwrap();
    assert_eq!(sum.to_string(), "1Gi");
}
