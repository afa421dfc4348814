//! When something happened, as text and as seconds since 1970-01-01T00:00:00Z.

use jiff::{Timestamp, civil::DateTime};

/// Reads a moment: RFC 3339 (`2026-11-23T08:00:00Z`, any offset), a date and time without zone, which means UTC as
/// Toloka writes it (`2026-11-23T08:00:00.123`, also with a space for the T), a date with hyphens, or seconds since 1970.
/// Fractions of a second are cut off. `None` if the text is none of these.
pub fn read_moment(text: &str) -> Option<i64> {
    let text = text.trim();
    // Before the calendar: jiff reads 20261123 as a date.
    if let Ok(seconds) = text.parse::<f64>() {
        // Up to the year 5138; larger numbers are milliseconds by mistake.
        return (0.0..1e11)
            .contains(&seconds)
            .then_some(seconds.floor() as i64);
    }
    let moment = match text.parse::<Timestamp>() {
        Ok(moment) => moment,
        Err(_) => {
            let local = text.parse::<DateTime>().ok()?;
            local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
        }
    };
    Some(moment.as_millisecond().div_euclid(1000))
}

/// Writes a moment as `2026-11-23T08:00:00Z`; as a plain number of seconds if it lies outside the calendar.
pub fn write_moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

/// Writes a moment as Toloka does, UTC without a zone: `2026-11-23T08:00:00.000`.
pub fn write_toloka_moment(seconds: i64) -> String {
    let text = write_moment(seconds);
    text.strip_suffix('Z')
        .map_or(text.clone(), |bare| format!("{bare}.000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_with_and_without_zone_are_read() {
        // 2026-11-23T08:00:00Z is 20,780 days and 8 hours after 1970: 20,780 × 86,400 + 28,800.
        let expected = Some(1_795_420_800);
        for text in [
            "2026-11-23T08:00:00Z",
            "2026-11-23T11:00:00+03:00",
            "2026-11-23T08:00:00.123",
            " 2026-11-23 08:00:00 ",
            "2026-11-23T08:00:00.434847",
            "1795420800",
            "1795420800.5",
        ] {
            assert_eq!(read_moment(text), expected, "{text}");
        }
        assert_eq!(read_moment("2026-11-23"), Some(1_795_420_800 - 28_800));
        assert_eq!(read_moment("20261123"), Some(20_261_123));
        for text in ["", "yesterday", "1795420800000", "-5", "NaN", "23.11.2026"] {
            assert_eq!(read_moment(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(write_moment(1_795_420_800), "2026-11-23T08:00:00Z");
        assert_eq!(
            write_toloka_moment(1_795_420_800),
            "2026-11-23T08:00:00.000"
        );
        for seconds in [0, 1, 1_795_420_801, 20_261_123, 99_999_999_999] {
            assert_eq!(read_moment(&write_moment(seconds)), Some(seconds));
            assert_eq!(read_moment(&write_toloka_moment(seconds)), Some(seconds));
        }
    }
}
