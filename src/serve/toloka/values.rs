//! Values as requests have them: moments, ids, fields of a project's specification.

use super::refusal::Problems;
use crate::store::FieldProblem;
use jiff::{civil::DateTime, tz::TimeZone};
use serde_json::Value;

/// Milliseconds since 1970 of a moment without a zone (UTC), of a date, or of a moment that ends in `Z`.
pub(super) fn moment_ms(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches('Z');
    // A short number is a date to some parsers.
    if text.len() < 10 {
        return None;
    }
    let moment: DateTime = text.parse().ok()?;
    Some(
        moment
            .to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_millisecond(),
    )
}

/// Whether a text is a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Notes why a value cannot be taken.
pub(super) fn refuse(problems: &mut Problems, path: &str, code: &str, why: impl Into<String>) {
    problems.insert(path.to_owned(), FieldProblem::new(code, why));
}

/// A non-empty text that must be there.
pub(super) fn text<'v>(value: &'v Value, name: &str, problems: &mut Problems) -> &'v str {
    match &value[name] {
        Value::String(text) if !text.trim().is_empty() => text,
        Value::Null => {
            refuse(problems, name, "VALUE_REQUIRED", "a text is missing");
            ""
        }
        Value::String(_) => {
            refuse(
                problems,
                name,
                "BLANK_STRING_NOT_ALLOWED",
                "this text is empty",
            );
            ""
        }
        _ => {
            refuse(problems, name, "STRING_EXPECTED", "this must be a text");
            ""
        }
    }
}

/// A whole number within bounds; `None` where it is absent or refused.
pub(super) fn whole(
    value: &Value,
    path: &str,
    (least, most): (i64, i64),
    problems: &mut Problems,
) -> Option<i64> {
    match value {
        Value::Null => None,
        value => match value.as_i64() {
            Some(n) if (least..=most).contains(&n) => Some(n),
            Some(_) => {
                refuse(
                    problems,
                    path,
                    "VALUE_OUT_OF_BOUNDS",
                    format!("this must be {least} to {most}"),
                );
                None
            }
            None => {
                refuse(
                    problems,
                    path,
                    "INTEGER_EXPECTED",
                    "this must be a whole number",
                );
                None
            }
        },
    }
}

/// Checks one value against a field's specification: `{"type": "url", "required": true, …}`.
pub(super) fn check_field(spec: &Value, value: &Value, path: &str, problems: &mut Problems) {
    let kind = spec["type"].as_str().unwrap_or("json");
    if value.is_null() {
        if spec["required"].as_bool().unwrap_or(true) {
            refuse(problems, path, "VALUE_REQUIRED", "a value is missing");
        }
        return;
    }
    if let Some(kind) = kind.strip_prefix("array_") {
        let Some(values) = value.as_array() else {
            return refuse(problems, path, "ARRAY_EXPECTED", "this must be a list");
        };
        let mut one = spec.clone();
        one["type"] = Value::from(kind);
        for (i, value) in values.iter().enumerate() {
            check_field(&one, value, &format!("{path}.{i}"), problems);
        }
        return;
    }
    let wrong = match kind {
        "boolean" => {
            (!value.is_boolean()).then_some(("BOOLEAN_EXPECTED", "this must be true or false"))
        }
        "integer" => (value.as_i64().is_none())
            .then_some(("INTEGER_EXPECTED", "this must be a whole number")),
        "float" => (!value.is_number()).then_some(("FLOAT_EXPECTED", "this must be a number")),
        "string" | "coordinates" | "file" => {
            (!value.is_string()).then_some(("STRING_EXPECTED", "this must be a text"))
        }
        "url" => {
            let address = value.as_str().unwrap_or_default();
            let good = (address.starts_with("http://") || address.starts_with("https://"))
                && !address.contains(char::is_whitespace);
            (!good).then_some((
                "INVALID_URL_SYNTAX",
                "this must be an http:// or https:// address",
            ))
        }
        _ => None,
    };
    if let Some((code, why)) = wrong {
        return refuse(problems, path, code, why);
    }
    let bound = |name: &str| spec[name].as_f64();
    if let Some(number) = value.as_f64() {
        if bound("min_value").is_some_and(|min| number < min) {
            return refuse(
                problems,
                path,
                "VALUE_LESS_THAN_MIN",
                "this number is too small",
            );
        }
        if bound("max_value").is_some_and(|max| number > max) {
            return refuse(
                problems,
                path,
                "VALUE_GREATER_THAN_MAX",
                "this number is too large",
            );
        }
    }
    if let Some(text) = value.as_str() {
        let n = text.chars().count() as f64;
        if bound("min_length").is_some_and(|min| n < min) {
            return refuse(
                problems,
                path,
                "STRING_LENGTH_LESS_THAN_MIN",
                "this text is too short",
            );
        }
        if bound("max_length").is_some_and(|max| n > max) {
            return refuse(
                problems,
                path,
                "STRING_LENGTH_GREATER_THAN_MAX",
                "this text is too long",
            );
        }
    }
    if let Some(allowed) = spec["allowed_values"].as_array()
        && !allowed.is_empty()
        && !allowed.contains(value)
    {
        refuse(
            problems,
            path,
            "VALUE_NOT_ALLOWED",
            "this is none of the allowed values",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_read_as_clients_write_them() {
        assert_eq!(moment_ms("1970-01-02"), Some(86_400_000));
        assert_eq!(moment_ms("1970-01-01T00:00:01.5"), Some(1500));
        assert_eq!(moment_ms("1970-01-01T00:00:01.500123"), Some(1500));
        assert_eq!(moment_ms("1970-01-01T00:00:01Z"), Some(1000));
        for bad in ["", "soon", "36502086", "2026-13-01"] {
            assert_eq!(moment_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn fields_are_checked_by_type_and_bounds() {
        let codes = |spec: Value, value: Value| {
            let mut problems = Problems::new();
            check_field(&spec, &value, "input_values.x", &mut problems);
            problems.into_values().map(|p| p.code).collect::<Vec<_>>()
        };
        let url = json!({"type": "url", "required": true});
        assert_eq!(codes(url.clone(), json!("https://a/b.jpg")), [""; 0]);
        assert_eq!(
            codes(url.clone(), json!("javascript:alert(1)")),
            ["INVALID_URL_SYNTAX"]
        );
        assert_eq!(codes(url, Value::Null), ["VALUE_REQUIRED"]);
        let age = json!({"type": "integer", "min_value": 0, "max_value": 120});
        assert_eq!(codes(age.clone(), json!(121)), ["VALUE_GREATER_THAN_MAX"]);
        assert_eq!(codes(age.clone(), json!(-1)), ["VALUE_LESS_THAN_MIN"]);
        assert_eq!(codes(age, json!(3.5)), ["INTEGER_EXPECTED"]);
        let list = json!({"type": "array_string", "allowed_values": ["a", "b"]});
        assert_eq!(
            codes(list.clone(), json!(["a", "c"])),
            ["VALUE_NOT_ALLOWED"]
        );
        assert_eq!(codes(list, json!("a")), ["ARRAY_EXPECTED"]);
        assert_eq!(
            codes(json!({"type": "string", "required": false}), Value::Null),
            [""; 0]
        );
    }
}
