//! Numbers as people read them: thousands separators, aligned decimals, a real minus sign. What is not a number is a dash.

/// What stands where a number is missing or not finite.
pub(crate) const NONE: &str = "–";

/// A count with thousands separators: `500,000`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with a fixed number of decimals, thousands separators and a real minus sign; a dash if it is not finite.
/// Beyond 10¹⁵ it is written as a power of ten.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NONE.into();
    }
    if value.abs() >= 1e15 {
        return format!("{value:.2e}").replace('-', "−");
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text.as_str(), None),
    };
    let mut out = String::new();
    // "−0.00" would say that there is a sign where there is none.
    if value < 0.0 && text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        out.push('−');
    }
    out.push_str(&count(whole.parse().unwrap_or(0)));
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A number with its sign, plus included: `+1.20`, `−0.35`, `0.00`.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = number(value, decimals);
    if value > 0.0 && value.is_finite() && text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        format!("+{text}")
    } else {
        text
    }
}

/// How many decimals show three significant digits of the largest of `values`: 2 for errors of a few years, 1 for
/// hundreds, 0 for thousands, at most 6. Values that are not finite are passed over; without any it is 2.
pub(crate) fn decimals(values: impl IntoIterator<Item = f64>) -> usize {
    let largest = values
        .into_iter()
        .filter(|v| v.is_finite())
        .fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return 2;
    }
    let magnitude = largest.log10().floor();
    if (0.0..=1.0).contains(&magnitude) {
        2 // 7.22 and 12.31 stand in one column
    } else {
        (2.0 - magnitude).clamp(0.0, 6.0) as usize
    }
}

/// Decimals for labels and their intervals: one less than for errors, as no label is known to a hundredth of its scale.
pub(crate) fn label_decimals(values: impl IntoIterator<Item = f64>) -> usize {
    decimals(values).saturating_sub(1)
}

/// A share from 0 to 1 in per cent: `12.3 %`, without decimals where they say nothing.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NONE.into();
    }
    let percent = share * 100.0;
    let decimals = match percent.abs() {
        p if p == 0.0 || (99.95..100.05).contains(&p) => 0,
        p if p < 0.1 => 2,
        _ => 1,
    };
    format!("{}\u{202f}%", number(percent, decimals))
}

/// The level of an interval: `95 %`, with a decimal only where it has one.
pub(crate) fn level(share: f64) -> String {
    let percent = share * 100.0;
    let whole = (percent - percent.round()).abs() < 1e-6;
    format!("{}\u{202f}%", number(percent, usize::from(!whole)))
}

/// An interval: `17.8 – 26.6`.
pub(crate) fn interval(low: &str, high: &str) -> String {
    format!("{low}\u{202f}–\u{202f}{high}")
}

/// `part` of `whole` in per cent; a dash if `whole` is 0.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.into();
    }
    percent(part as f64 / whole as f64)
}

/// A number and its unit with a space that does not break; no space for an empty unit.
pub(crate) fn with_unit(number: &str, unit: &str) -> String {
    if unit.is_empty() || number == NONE {
        number.to_owned()
    } else {
        format!("{number}\u{a0}{unit}")
    }
}

/// `1 vote`, `2 votes`.
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{}\u{a0}{}", count(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!(
            [0, 999, 1000, 500_000, 1_234_567].map(count),
            ["0", "999", "1,000", "500,000", "1,234,567"]
        );
        assert_eq!(number(-12345.678, 1), "−12,345.7");
    }

    #[test]
    fn a_rounded_zero_has_no_sign_and_what_is_no_number_is_a_dash() {
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(
            [1.2, -1.2, 0.0, f64::NAN].map(|v| signed(v, 1)),
            ["+1.2", "−1.2", "0.0", "–"]
        );
        assert_eq!(number(f64::NAN, 2), "–");
        assert_eq!(number(f64::INFINITY, 0), "–");
        assert_eq!(percent(f64::NAN), "–");
        assert_eq!(share(1, 0), "–");
        assert_eq!(number(1e300, 2), "1.00e300");
    }

    #[test]
    fn decimals_follow_the_size_of_the_numbers() {
        assert_eq!(decimals([7.22, 13.0]), 2);
        assert_eq!(decimals([731.0]), 0);
        assert_eq!(decimals([0.0123]), 4);
        assert_eq!(decimals([25_000.0]), 0);
        assert_eq!(decimals([f64::NAN]), 2);
        assert_eq!(decimals([]), 2);
    }

    #[test]
    fn shares_are_per_cent() {
        assert_eq!(percent(0.1234), "12.3\u{202f}%");
        assert_eq!(
            [0.95, 0.9, 0.995].map(level),
            ["95\u{202f}%", "90\u{202f}%", "99.5\u{202f}%"]
        );
        assert_eq!(percent(1.0), "100\u{202f}%");
        assert_eq!(percent(0.0004), "0.04\u{202f}%");
        assert_eq!(plural(1, "vote", "votes"), "1\u{a0}vote");
    }
}
