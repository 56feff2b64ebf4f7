//! Amounts with a suffix ("100m", "2Gi", "5e3"), exactly: k8s.io/apimachinery/pkg/api/resource.Quantity.

#[cfg(test)]
mod tests;

use crate::Str;
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::ops::{Add, Neg, Sub};

/// How an amount is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// 12e6
    DecimalExponent,
    /// 12Mi
    BinarySI,
    /// 12M
    #[default]
    DecimalSI,
}

/// `mantissa * 10^exponent`. Two quantities are equal when their amounts are, whatever their text.
#[derive(Clone, Debug, Default)]
pub struct Quantity {
    mantissa: i128,
    exponent: i32,
    pub format: Format,
    /// The text as read, where upstream prints it again unchanged; also the exact text of amounts beyond 38 digits.
    text: Option<Str>,
}

/// Upstream's three complaints about a quantity's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantityError {
    Format,
    Numeric,
    Suffix,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            QuantityError::Format => {
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            }
            QuantityError::Numeric => "unable to parse numeric part of quantity",
            QuantityError::Suffix => "unable to parse quantity's suffix",
        })
    }
}

impl std::error::Error for QuantityError {}

/// The finest amount that is kept.
const NANO: i32 = -9;
/// Significant digits that upstream's integer form takes; longer texts take its decimal form.
const FAST_DIGITS_MAX: i32 = 18;

const DECIMAL_SUFFIXES: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY_SUFFIXES: [(&str, i32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// A quantity's text in its parts.
struct Parts<'a> {
    negative: bool,
    /// Digits before the point without leading zeros; "0" when there are none.
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
    /// Some digit or sign-free number is there: what upstream's decimal parser needs.
    numeric: bool,
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let stripped = unsigned.trim_start_matches('0');
    if stripped.is_empty() {
        return Ok(Parts { negative, whole: "0", fraction: "", suffix: "", numeric: true });
    }
    let (whole, rest) = stripped.split_at(digits(stripped));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    let letters = suffix.bytes().take_while(|b| b"eEinumkKMGTP".contains(b)).count();
    let (_, exponent) = suffix.split_at(letters);
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if !exponent.bytes().all(|b| b.is_ascii_digit()) {
        return Err(QuantityError::Format);
    }
    let numeric = !(whole.is_empty() && fraction.is_empty() && unsigned.len() == stripped.len());
    Ok(Parts { negative, whole: if whole.is_empty() { "0" } else { whole }, fraction, suffix, numeric })
}

/// Base (2 or 10), exponent and format of a suffix.
fn interpret(suffix: &str) -> Result<(i32, i32, Format), QuantityError> {
    if let Some((_, exponent)) = DECIMAL_SUFFIXES.iter().find(|(s, _)| *s == suffix) {
        return Ok((10, *exponent, Format::DecimalSI));
    }
    if let Some((_, exponent)) = BINARY_SUFFIXES.iter().find(|(s, _)| *s == suffix) {
        return Ok((2, *exponent, Format::BinarySI));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).and_then(|digits| digits.parse::<i64>().ok());
    // Go cuts the exponent to 32 bits.
    exponent.map(|e| (10, e as i32, Format::DecimalExponent)).ok_or(QuantityError::Suffix)
}

impl Quantity {
    /// `value` units.
    pub fn new(value: i64, format: Format) -> Quantity {
        Quantity { mantissa: value.into(), exponent: 0, format, text: None }
    }

    /// `value` thousandths.
    pub fn milli(value: i64, format: Format) -> Quantity {
        Quantity { mantissa: value.into(), exponent: -3, format, text: None }
    }

    /// Reads a quantity; surrounding space is not accepted here.
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let parts = split(text)?;
        let (base, exponent, format) = interpret(parts.suffix)?;
        let digits = (parts.whole.len() + parts.fraction.len()) as i32;
        let fine = parts.fraction.len() as i32;
        let room = match base {
            10 => FAST_DIGITS_MAX - digits,
            _ if parts.fraction.is_empty() => 15 - digits - exponent * 3 / 10 - 1,
            _ => -1,
        };
        let scale = if base == 10 { exponent.wrapping_sub(fine) } else { -fine };
        if room >= 0 && scale >= NANO {
            return Quantity::parse_small(text, &parts, base, exponent, scale, format);
        }
        if !parts.numeric {
            return Err(QuantityError::Numeric);
        }
        Ok(Quantity::parse_large(&parts, base, exponent, scale, format))
    }

    /// Upstream's integer form. A text that is already canonical is kept, and so are some that are not:
    /// upstream's test for it looks at the last digits only.
    fn parse_small(
        text: &str,
        parts: &Parts,
        base: i32,
        exponent: i32,
        scale: i32,
        format: Format,
    ) -> Result<Quantity, QuantityError> {
        let shifted = [parts.whole, parts.fraction].concat();
        let value: i128 = shifted.parse().map_err(|_| QuantityError::Numeric)?;
        let multiple = if base == 2 { 1_i128 << exponent } else { 1 };
        let kept = if text == "0" {
            true
        } else if base == 2 {
            value & 7 != 0
        } else {
            scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0')
        };
        let sign = if parts.negative { -1 } else { 1 };
        Ok(Quantity { mantissa: sign * value * multiple, exponent: scale, format, text: kept.then(|| text.into()) })
    }

    /// Upstream's decimal form: rounded away from zero to nano, binary amounts capped at 2^63-1.
    fn parse_large(parts: &Parts, base: i32, exponent: i32, scale: i32, format: Format) -> Quantity {
        let shifted = [parts.whole, parts.fraction].concat();
        let digits = shifted.trim_start_matches('0');
        // Round up at nano: the digits below it are cut and add one when any is not zero.
        let below = usize::try_from(i64::from(NANO) - i64::from(scale)).unwrap_or(0);
        let (mut mantissa, exact);
        let mut exponent10 = scale;
        if base == 10 && below > 0 {
            let (kept, cut) = digits.split_at(digits.len().saturating_sub(below));
            (mantissa, exact) = saturating(kept);
            mantissa = mantissa.saturating_add(i128::from(!cut.trim_start_matches('0').is_empty()));
            exponent10 = NANO;
        } else if base == 10 {
            (mantissa, exact) = saturating(digits);
        } else if let (Ok(shift), (value, true)) = (u32::try_from(exponent), saturating(digits)) {
            let multiple = 1_i128 << shift.min(60);
            (mantissa, exact) = (value.checked_mul(multiple).unwrap_or(i128::MAX), true);
        } else {
            (mantissa, exact) = (i128::MAX, true);
        }
        let sign = if parts.negative { -1 } else { 1 };
        let mut quantity = Quantity { mantissa, exponent: exponent10, format, text: None };
        if base == 2 {
            if exponent10 < NANO {
                quantity.round_up_to(NANO);
            }
            if quantity > Quantity::new(i64::MAX, format) {
                quantity = Quantity::new(i64::MAX, format);
            }
            if quantity < Quantity::new(1, format) && quantity.mantissa != 0 {
                quantity.format = Format::DecimalSI;
            }
        } else if !exact {
            let text = long_text(digits, scale, format, parts.negative);
            quantity.text = Some(text);
        }
        quantity.mantissa *= sign;
        quantity
    }

    /// Rounds away from zero so that the exponent is at least `exponent`; says whether nothing was lost.
    pub fn round_up_to(&mut self, exponent: i32) -> bool {
        if self.exponent >= exponent {
            return true;
        }
        self.text = None;
        let (quotient, exact) = divide_up(self.mantissa, i64::from(exponent) - i64::from(self.exponent));
        self.mantissa = quotient;
        self.exponent = exponent;
        exact
    }

    /// The amount in units of `10^exponent`, rounded away from zero, saturating.
    pub fn scaled(&self, exponent: i32) -> i128 {
        let shift = i64::from(self.exponent) - i64::from(exponent);
        if shift < 0 {
            return divide_up(self.mantissa, -shift).0;
        }
        scale_up(self.mantissa, shift)
    }

    /// Whole units, rounded away from zero, saturating at 64 bits.
    pub fn value(&self) -> i64 {
        clamp(self.scaled(0))
    }

    /// Thousandths, rounded away from zero, saturating at 64 bits.
    pub fn milli_value(&self) -> i64 {
        clamp(self.scaled(-3))
    }

    pub fn is_zero(&self) -> bool {
        self.mantissa == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.mantissa.signum() as i32
    }

    /// Whether the amount is a whole number of units.
    pub fn is_integer(&self) -> bool {
        self.exponent >= 0 || divide_up(self.mantissa, -i64::from(self.exponent)).1
    }

    /// Whether the amount has nothing finer than a thousandth.
    pub fn is_milli(&self) -> bool {
        self.exponent >= -3 || divide_up(self.mantissa, -3 - i64::from(self.exponent)).1
    }

    /// Times an integer, saturating.
    pub fn times(&self, n: i64) -> Quantity {
        let mantissa = self.mantissa.saturating_mul(n.into()).max(-i128::MAX);
        Quantity { mantissa, exponent: self.exponent, format: self.format, text: None }
    }

    fn plus(&self, other: &Quantity, sign: i128) -> Quantity {
        let format = if self.mantissa == 0 { other.format } else { self.format };
        if self.mantissa == 0 {
            return Quantity { mantissa: other.mantissa * sign, exponent: other.exponent, format, text: None };
        }
        let exponent = if other.mantissa == 0 { self.exponent } else { self.exponent.min(other.exponent) };
        let of = |q: &Quantity| scale_up(q.mantissa, i64::from(q.exponent) - i64::from(exponent));
        let mantissa = of(self).saturating_add(of(other).saturating_mul(sign)).max(-i128::MAX);
        Quantity { mantissa, exponent, format, text: None }
    }

    fn write_decimal(&self, f: &mut impl Write, exponential: bool) -> fmt::Result {
        let (mut mantissa, mut exponent) = (self.mantissa, self.exponent);
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        let down = exponent.rem_euclid(3);
        mantissa = scale_up(mantissa, down.into());
        exponent -= down;
        write!(f, "{mantissa}{}", decimal_suffix(exponent, exponential))
    }
}

/// The digits as a number, and whether it fits.
fn saturating(digits: &str) -> (i128, bool) {
    match digits.parse() {
        Ok(n) => (n, true),
        Err(_) if digits.is_empty() => (0, true),
        Err(_) => (i128::MAX / 16, false),
    }
}

/// The canonical text of a decimal of more digits than an i128 holds, by moving digits only.
fn long_text(digits: &str, scale: i32, format: Format, negative: bool) -> Str {
    let trimmed = digits.trim_end_matches('0');
    let mut exponent = scale.saturating_add((digits.len() - trimmed.len()) as i32);
    let mut text = trimmed.to_string();
    while exponent < NANO && !text.is_empty() {
        let cut = text.pop();
        exponent += 1;
        if exponent == NANO && cut.is_some() {
            text = increment(&text);
        }
    }
    while exponent % 3 != 0 {
        text.push('0');
        exponent -= 1;
    }
    let sign = if negative { "-" } else { "" };
    format!("{sign}{text}{}", decimal_suffix(exponent, format == Format::DecimalExponent)).into()
}

/// Decimal digits plus one.
fn increment(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let zeros = "0".repeat(digits.len() - kept.len());
    let mut bytes = kept.as_bytes().to_vec();
    match bytes.last_mut() {
        Some(last) => *last += 1,
        None => bytes.push(b'1'),
    }
    String::from_utf8_lossy(&bytes).into_owned() + &zeros
}

/// Beyond the suffixes' range upstream prints none, although that changes the amount.
fn decimal_suffix(exponent: i32, exponential: bool) -> Str {
    match (exponential, exponent) {
        (true, 0) => Str::const_new(""),
        (true, _) => format!("e{exponent}").into(),
        (false, _) => DECIMAL_SUFFIXES.iter().find(|(_, e)| *e == exponent).map_or("", |(s, _)| s).into(),
    }
}

fn clamp(n: i128) -> i64 {
    n.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// `n * 10^by`, saturating.
fn scale_up(n: i128, by: i64) -> i128 {
    if n == 0 || by <= 0 {
        return n;
    }
    let power = u32::try_from(by).ok().and_then(|by| 10_i128.checked_pow(by));
    power.and_then(|p| n.checked_mul(p)).unwrap_or(if n < 0 { -i128::MAX } else { i128::MAX })
}

/// `n / 10^by` rounded away from zero, and whether it was exact.
fn divide_up(n: i128, by: i64) -> (i128, bool) {
    let power = u32::try_from(by).ok().and_then(|by| 10_i128.checked_pow(by));
    let Some(power) = power else { return (n.signum(), n == 0) };
    let exact = n % power == 0;
    (n / power + if exact { 0 } else { n.signum() }, exact)
}

impl fmt::Display for Quantity {
    /// The canonical text, except where upstream repeats what it read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        if self.mantissa == 0 {
            return f.write_str("0");
        }
        let small = *self > Quantity::new(-1024, self.format) && *self < Quantity::new(1024, self.format);
        if self.format != Format::BinarySI || small || !self.is_integer() {
            return self.write_decimal(f, self.format == Format::DecimalExponent);
        }
        let mut n = self.scaled(0);
        let mut thousands = 0;
        while n % 1024 == 0 {
            n /= 1024;
            thousands += 1;
        }
        let suffix = BINARY_SUFFIXES.iter().find(|(_, e)| *e == thousands * 10).map_or("", |(s, _)| s);
        write!(f, "{n}{suffix}")
    }
}

impl std::str::FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Quantity, QuantityError> {
        Quantity::parse(text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        if self.mantissa.signum() != other.mantissa.signum() || self.exponent == other.exponent {
            return self.mantissa.cmp(&other.mantissa);
        }
        // Bring the coarser one down; when that overflows it is the larger in magnitude.
        let shift = i64::from(self.exponent) - i64::from(other.exponent);
        if shift > 0 {
            scale_up(self.mantissa, shift).cmp(&other.mantissa)
        } else {
            self.mantissa.cmp(&scale_up(other.mantissa, -shift))
        }
    }
}

impl Add for &Quantity {
    type Output = Quantity;

    fn add(self, other: &Quantity) -> Quantity {
        self.plus(other, 1)
    }
}

impl Sub for &Quantity {
    type Output = Quantity;

    fn sub(self, other: &Quantity) -> Quantity {
        self.plus(other, -1)
    }
}

impl Neg for &Quantity {
    type Output = Quantity;

    fn neg(self) -> Quantity {
        Quantity { mantissa: -self.mantissa, exponent: self.exponent, format: self.format, text: None }
    }
}
