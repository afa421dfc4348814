//! Classes of ages that a spreadsheet has taken for dates: `3-9` saved as `9-Mar`, `10-19` as `19-Oct`.
//!
//! Only these two of FairFace's nine classes can be read as a month and a day; which of the two numbers became the month
//! depends on the spreadsheet's language, so `3-9` may also come back as `3-Sep`.

use jiff::{ToSpan, civil::date};

/// Beginnings of the names of March, September and October in languages whose spreadsheets write them so.
const MONTHS: [(&str, u32); 22] = [
    ("mar", 3),
    ("mär", 3),
    ("mrz", 3),
    ("мар", 3),
    ("mrt", 3),
    ("maa", 3),
    ("bře", 3),
    ("sep", 9),
    ("set", 9),
    ("сен", 9),
    ("wrz", 9),
    ("syy", 9),
    ("eyl", 9),
    ("zář", 9),
    ("oct", 10),
    ("okt", 10),
    ("out", 10),
    ("ott", 10),
    ("окт", 10),
    ("paź", 10),
    ("lok", 10),
    ("eki", 10),
];

/// The class that this date was before a spreadsheet opened the file, `3-9` or `10-19`; `None` if it is no such date.
///
/// Reads `9-Mar`, `03-Sep`, `Oct-19`, `19.окт`, `2024-03-09`, `3/9/2024`, `09.03.24`, and the number of the day
/// (45360), which is what is left when the cell's format is lost too.
pub fn undated(text: &str) -> Option<&'static str> {
    let text = text.trim().to_lowercase();
    if let Ok(day) = text.parse::<i64>() {
        // Days since 1899-12-30; from 1990 to 2100.
        if !(32_874..73_415).contains(&day) {
            return None;
        }
        let day = date(1899, 12, 30).checked_add(day.days()).ok()?;
        return class(day.month() as u32, day.day() as u32);
    }
    let time = text.split([' ', 't']).next().unwrap_or_default();
    // 2024-03-09 00:00:00 has a time behind it; "Oct" does not begin with one.
    let text = if time.len() >= 8 { time } else { &text };
    let parts: Vec<&str> = text
        .split(['-', '/', '.', ' '])
        .filter(|p| !p.is_empty())
        .collect();
    let month = |part: &str| {
        let named = MONTHS.iter().find(|(name, _)| part.starts_with(name));
        named.map(|(_, month)| *month)
    };
    let number = |part: &str| part.parse::<u32>().ok();
    match *parts {
        [a, b] => match (month(a), month(b)) {
            (Some(m), None) => class(m, number(b)?),
            (None, Some(m)) => class(m, number(a)?),
            _ => None,
        },
        [a, b, c] => {
            // A year stands first or last; the other two are month and day in either order.
            let (first, second) = if a.len() == 4 { (b, c) } else { (a, b) };
            let of = |part| month(part).or_else(|| number(part));
            let (x, y) = (of(first)?, of(second)?);
            class(x, y).or_else(|| class(y, x))
        }
        _ => None,
    }
}

/// The class of a month and a day. October 2019, written `Oct-19`, comes from `10-19` too.
fn class(month: u32, day: u32) -> Option<&'static str> {
    match (month, day) {
        (3, 9) | (9, 3) => Some("3-9"),
        (10, 19) => Some("10-19"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::undated;

    #[test]
    fn dates_of_many_spreadsheets_are_the_classes_they_were() {
        for text in [
            "9-Mar",
            "09-Mar",
            "Mar-09",
            "3-Sep",
            "03-Sep",
            "9. Mär",
            "09.мар",
            "2024-03-09",
            "3/9/2024",
            "09/03/2024",
            "2024-03-09 00:00:00",
            "45360",
            "03.09.24",
        ] {
            assert_eq!(undated(text), Some("3-9"), "{text}");
        }
        for text in [
            "19-Oct",
            "Oct-19",
            "19.окт",
            "2023-10-19",
            "10/19/2024",
            "19.10.2024",
            "45584",
        ] {
            assert_eq!(undated(text), Some("10-19"), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_date_is_left_alone() {
        for text in [
            "3-9",
            "10-19",
            "20-29",
            "0-2",
            "more than 70",
            "25",
            "",
            "9-Apr",
            "2024-05-05",
            "-1",
            "(25, 32)",
            "31;60",
            "x-y-z",
        ] {
            assert_eq!(undated(text), None, "{text}");
        }
    }
}
