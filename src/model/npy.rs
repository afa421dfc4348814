//! NumPy's `.npy` files of numbers: read as f32, written as f32; and `.npz`, several of them in a zip archive.

use crate::{Problem, Result, files::write_atomically, problem};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

/// Numbers with a shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The shape.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Reads a file of little-endian f2, f4, f8 or unsigned bytes, row by row (C order).
///
/// # Errors
/// A file that cannot be read, is no .npy, or holds something else.
pub fn read(path: &Path) -> Result<Array> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut f| f.read_to_end(&mut bytes))
        .map_err(|e| Problem::io("read the numbers", path, &e))?;
    parse(&bytes).map_err(|p| Box::new(p.file(path)))
}

/// The same from the bytes of a file.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8]) -> Result<Array> {
    let wrong = |what: &str| {
        problem(format!("is no .npy file that can be read: {what}"))
            .hint("write it with numpy.save of a float32 array")
    };
    if bytes.get(..6) != Some(MAGIC) {
        return wrong("it does not begin as one").fail();
    }
    let short = || wrong("it ends too early");
    let version = *bytes.get(6).ok_or_else(short)?;
    let (start, len) = if version == 1 {
        let len = bytes.get(8..10).ok_or_else(short)?;
        (10, usize::from(u16::from_le_bytes([len[0], len[1]])))
    } else {
        let len = bytes.get(8..12).ok_or_else(short)?;
        (
            12,
            u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize,
        )
    };
    let header = bytes
        .get(start..)
        .and_then(|b| b.get(..len))
        .ok_or_else(short)?;
    let header = std::str::from_utf8(header).map_err(|_| wrong("its header is not text"))?;
    let after = |key: &str| {
        let at = header.find(key)? + key.len();
        Some(
            header[at..]
                .trim_start()
                .trim_start_matches(':')
                .trim_start(),
        )
    };
    let descr = after("'descr'").ok_or_else(|| wrong("its header has no descr"))?;
    let order = after("'fortran_order'").ok_or_else(|| wrong("its header has no order"))?;
    let shape = after("'shape'").and_then(|s| s.strip_prefix('(')?.split_once(')'));
    let shape = shape.ok_or_else(|| wrong("its header has no shape"))?.0;
    if !order.starts_with("False") {
        return wrong("its order is Fortran's (use numpy.ascontiguousarray)").fail();
    }
    let shape: Option<Vec<usize>> = shape
        .split(',')
        .map(str::trim)
        .filter(|d| !d.is_empty())
        .map(|d| d.parse().ok())
        .collect();
    let shape = shape.ok_or_else(|| wrong("its shape is not one"))?;
    let kind = descr.get(1..4).unwrap_or("");
    let size = match kind {
        "<f4" => 4,
        "<f8" => 8,
        "<f2" => 2,
        "|u1" => 1,
        _ => return wrong("its numbers are not float32").value(kind).fail(),
    };
    let data = &bytes[start + len..];
    let count = shape.iter().try_fold(size, |n: usize, &d| n.checked_mul(d));
    if count != Some(data.len()) {
        return wrong("its length does not fit its shape").fail();
    }
    let values = match size {
        4 => data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect(),
        8 => data
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
            .collect(),
        2 => data
            .chunks_exact(2)
            .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect(),
        _ => data.iter().map(|&b| f32::from(b)).collect(),
    };
    Ok(Array { shape, values })
}

/// The bytes of a file.
pub fn bytes(array: &Array) -> Vec<u8> {
    let mut shape = String::new();
    for d in &array.shape {
        shape += &format!("{d}, ");
    }
    // One dimension is written `(3,)`, several without the last comma.
    let shape = match array.shape.len() {
        0 | 1 => shape.trim_end(),
        _ => shape.trim_end_matches(", "),
    };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.extend(std::iter::repeat_n(' ', padding % 64));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(array.values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// Writes one array.
///
/// # Errors
/// An error of writing.
pub fn write(path: &Path, array: &Array) -> Result<()> {
    write_atomically(path, |w| w.write_all(&bytes(array)))
}

/// Writes several arrays by name as `.npz`.
///
/// # Errors
/// An error of writing.
pub fn write_npz(path: &Path, arrays: &[(&str, Array)]) -> Result<()> {
    let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut pack = || -> zip::result::ZipResult<()> {
        for (name, array) in arrays {
            archive.start_file(format!("{name}.npy"), stored)?;
            archive.write_all(&bytes(array))?;
        }
        Ok(())
    };
    pack().map_err(|e| problem(format!("cannot pack the result: {e}")).file(path))?;
    let packed = archive
        .finish()
        .map_err(|e| problem(format!("cannot pack the result: {e}")).file(path))?;
    write_atomically(path, |w| w.write_all(packed.get_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(shape in prop::collection::vec(0usize..5, 0..4)) {
            let count: usize = shape.iter().product();
            let array = Array { shape, values: (0..count).map(|i| i as f32 / 3.0).collect() };
            let bytes = bytes(&array);
            prop_assert_eq!((bytes.len() - 4 * count) % 64, 0);
            prop_assert_eq!(parse(&bytes).unwrap(), array);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&tail);
            let mut bytes = MAGIC.to_vec();
            bytes.extend(tail);
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn a_shape_that_the_file_cannot_hold_is_refused() {
        let mut array = bytes(&Array {
            shape: vec![2, 2],
            values: vec![0.0; 4],
        });
        array.truncate(array.len() - 1);
        assert!(parse(&array).unwrap_err().what.contains("length"));
    }
}
