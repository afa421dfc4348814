//! Bytes of a text file to UTF-8, with a guess where they are something else.

use crate::{Result, problem};
use encoding_rs::{KOI8_R, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252};
use std::path::Path;

/// The bytes as UTF-8 without byte order mark. UTF-16 with a byte order mark (Excel's "Unicode text") is converted.
///
/// Errors: not UTF-8 (names row, the text as it probably reads, and how to convert it), a NUL byte (names row),
/// a compressed file or workbook.
pub(super) fn to_utf8(path: &Path, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let foreign: [(&[u8], &str, &str); 4] = [
        (
            b"PK\x03\x04",
            "is a zip archive or an Excel workbook, not a text table",
            "save it as CSV (UTF-8)",
        ),
        (
            b"\x1f\x8b",
            "is compressed with gzip",
            "uncompress it first: gunzip",
        ),
        (
            b"\x28\xb5\x2f\xfd",
            "is compressed with zstd",
            "uncompress it first: unzstd",
        ),
        (
            b"SQLite format 3\0",
            "is an SQLite database, not a text table",
            "export the table as CSV",
        ),
    ];
    for (magic, what, hint) in foreign {
        if bytes.starts_with(magic) {
            return problem(what).file(path).hint(hint).fail();
        }
    }
    let utf16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => Some(UTF_16LE),
        Some([0xfe, 0xff]) => Some(UTF_16BE),
        _ => None,
    };
    if let Some(encoding) = utf16 {
        let (text, broken) = encoding.decode_with_bom_removal(&bytes);
        if broken {
            return problem("starts like UTF-16 text but is not valid UTF-16")
                .file(path)
                .hint("save it again as UTF-8")
                .fail();
        }
        bytes = text.into_owned().into_bytes();
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    if let Err(error) = std::str::from_utf8(&bytes) {
        return Err(Box::new(guess(path, &bytes, error.valid_up_to())));
    }
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        return problem("holds a NUL byte, so it is not a text table")
            .file(path)
            .row(row_of(&bytes, at))
            .hint("save it again as UTF-8 text (UTF-16 needs its byte order mark)")
            .fail();
    }
    Ok(bytes)
}

/// The line on which a byte lies, counted from 1.
fn row_of(bytes: &[u8], at: usize) -> u64 {
    1 + bytes[..at].iter().filter(|&&b| b == b'\n').count() as u64
}

fn guess(path: &Path, bytes: &[u8], at: usize) -> crate::Problem {
    // Russian text has most letters in one half of the upper range: lower case lies at E0–FF in Windows-1251 and at
    // C0–DF in KOI8-R. Western text has lone high bytes between ASCII letters.
    let high: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|&b| b >= 0x80)
        .take(100_000)
        .collect();
    let share = |low: u8, top: u8| {
        high.iter().filter(|&&b| (low..=top).contains(&b)).count() as f64 / high.len() as f64
    };
    let pairs = bytes.windows(2).filter(|w| w[0] >= 0x80).take(100_000);
    let (mut together, mut all) = (0usize, 0usize);
    for pair in pairs {
        all += 1;
        together += usize::from(pair[1] >= 0x80);
    }
    let cyrillic = share(0xc0, 0xff) > 0.8 && together * 2 > all;
    let encoding = if !cyrillic {
        WINDOWS_1252
    } else if share(0xe0, 0xff) >= share(0xc0, 0xdf) {
        WINDOWS_1251
    } else {
        KOI8_R
    };
    let start = bytes[..at]
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |p| p + 1);
    let line = bytes[start..]
        .split(|&b| b == b'\n' || b == b'\r')
        .next()
        .unwrap_or_default();
    let (text, _) = encoding.decode_without_bom_handling(&line[..line.len().min(400)]);
    let name = encoding.name().to_lowercase();
    let hint = if bytes.iter().take(4096).any(|&b| b == 0) {
        "it is not a text table; name a CSV, TSV or Parquet file".to_owned()
    } else {
        format!(
            "looks like {name}; convert with: iconv -f {} -t UTF-8 {} > utf8.csv",
            name.to_uppercase(),
            path.display()
        )
    };
    problem("is not UTF-8 text")
        .file(path)
        .row(row_of(bytes, at))
        .value(text)
        .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String> {
        to_utf8(Path::new("t.csv"), bytes.to_vec()).map(|b| String::from_utf8(b).unwrap())
    }

    #[test]
    fn windows_1251_is_named_with_its_row_and_how_to_convert_it() {
        let (bytes, _, _) = WINDOWS_1251.encode("имя,возраст\nИван,30\n");
        let mut file = b"name,age\n".to_vec();
        file.extend_from_slice(&bytes);
        let p = read(&file).unwrap_err();
        assert_eq!((p.row, p.value.as_deref()), (Some(2), Some("имя,возраст")));
        assert!(p.hint.unwrap().contains("iconv -f WINDOWS-1251 -t UTF-8"));
    }

    #[test]
    fn koi8_and_western_text_are_told_apart() {
        let (koi, _, _) = KOI8_R.encode("столица нашей родины");
        assert!(read(&koi).unwrap_err().hint.unwrap().contains("koi8-r"));
        let p = read(b"a\ncaf\xe9,1\n").unwrap_err();
        assert_eq!((p.row, p.value.as_deref()), (Some(2), Some("café,1")));
        assert!(p.hint.unwrap().contains("windows-1252"));
    }

    #[test]
    fn utf_16_is_converted_and_byte_order_marks_are_dropped() {
        let utf16: Vec<u8> = "\u{feff}a\tю\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(read(&utf16).unwrap(), "a\tю\n");
        assert_eq!(read("\u{feff}a,ю".as_bytes()).unwrap(), "a,ю");
        assert!(read(b"\xff\xfe\x00\xd8\x00").is_err());
    }

    #[test]
    fn nul_bytes_and_archives_are_refused_by_name() {
        assert_eq!(read(b"a,b\n1,\0\n").unwrap_err().row, Some(2));
        assert!(read(b"PK\x03\x04....").unwrap_err().what.contains("Excel"));
        assert!(read(b"\x1f\x8b\x08").unwrap_err().what.contains("gzip"));
    }
}
