//! Checkpoints made here byte by byte, honest, malicious and damaged.

use super::{pickle::Pickle, *};
use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Builds pickles of protocol 2.
#[derive(Default)]
struct Pickler(Vec<u8>);

impl Pickler {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        let len = (text.len() as u32).to_le_bytes();
        self.raw(b"X").raw(&len).raw(text.as_bytes())
    }

    fn int(self, value: i32) -> Self {
        self.raw(b"J").raw(&value.to_le_bytes())
    }

    fn class(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    /// A key and a tensor of f32 over the whole storage of that key.
    fn tensor(self, name: &str, storage: &str, len: i32, shape: &[i32], stride: &[i32]) -> Self {
        let mut p = self
            .text(name)
            .class("torch._utils", "_rebuild_tensor_v2")
            .raw(b"((")
            .text("storage")
            .class("torch", "FloatStorage")
            .text(storage)
            .text("cpu")
            .int(len)
            .raw(b"tQ")
            .int(0);
        for list in [shape, stride] {
            p = p.raw(b"(");
            for &n in list {
                p = p.int(n);
            }
            p = p.raw(b"t");
        }
        p.raw(b"\x89")
            .class("collections", "OrderedDict")
            .raw(b")RtR")
    }

    /// A numpy scalar as protocol 2 writes it.
    fn scalar(self, code: &str, order: &str, bytes: &[u8]) -> Self {
        let text: String = bytes.iter().map(|&b| char::from(b)).collect();
        self.class("numpy.core.multiarray", "scalar")
            .class("numpy", "dtype")
            .text(code)
            .raw(b"\x89\x88\x87R(")
            .int(3)
            .text(order)
            .raw(b"NNN")
            .int(-1)
            .int(-1)
            .int(0)
            .raw(b"tb")
            .class("_codecs", "encode")
            .text(&text)
            .text("latin1")
            .raw(b"\x86R\x86R")
    }
}

fn start() -> Pickler {
    Pickler(b"\x80\x02".to_vec())
}

fn archive(pickle: &[u8], storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("archive/data.pkl", stored).unwrap();
    zip.write_all(pickle).unwrap();
    for (key, bytes) in storages {
        zip.start_file(format!("archive/data/{key}"), stored)
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint> {
    Checkpoint::read(Box::new(Cursor::new(bytes)), None)
}

fn read(checkpoint: &mut Checkpoint, name: &str) -> Result<Vec<f32>> {
    Weights::read(checkpoint, name)
}

/// Two sets of weights, ages of three kinds, leftovers of training.
fn realistic() -> Vec<u8> {
    let pickle = start()
        .raw(b"}(")
        .text("state_dict")
        .raw(b"}(")
        .tensor("w", "0", 4, &[2, 2], &[2, 1])
        .raw(b"u")
        .text("state_dict_ema")
        .class("collections", "OrderedDict")
        .raw(b")R(")
        .tensor("module.w", "1", 4, &[2, 2], &[1, 2])
        .tensor("fds.running_mean", "1", 4, &[4], &[1])
        .raw(b"u}")
        .text("_metadata")
        .class("collections", "OrderedDict")
        .raw(b")Rsb")
        .text("min_age")
        .scalar("f8", "<", &1.0f64.to_le_bytes())
        .text("max_age")
        .scalar("i4", ">", &95i32.to_be_bytes())
        .text("avg_age")
        .raw(b"G")
        .raw(&48.5f64.to_be_bytes())
        .text("no_gender")
        .raw(b"\x89")
        .text("args")
        .class("argparse", "Namespace")
        .raw(b")\x81}(")
        .text("lr")
        .raw(b"G")
        .raw(&0.1f64.to_be_bytes())
        .raw(b"ub")
        .raw(b"u.");
    archive(
        &pickle.0,
        &[
            ("0", floats(&[9.0; 4])),
            ("1", floats(&[1.0, 2.0, 3.0, 4.0])),
        ],
    )
}

#[test]
fn averaged_weights_are_preferred_views_are_followed_and_numpy_ages_are_found() {
    let mut checkpoint = open(realistic()).unwrap();
    assert_eq!(checkpoint.taken.as_deref(), Some("state_dict_ema"));
    assert_eq!(checkpoint.not_taken, ["state_dict"]);
    assert_eq!(checkpoint.skipped, 1);
    // Its strides are those of a transposed matrix.
    assert_eq!(read(&mut checkpoint, "w").unwrap(), [1.0, 3.0, 2.0, 4.0]);
    let numbers = checkpoint.numbers;
    assert_eq!(
        (numbers.min_age, numbers.max_age, numbers.avg_age),
        (Some(1.0), Some(95.0), Some(48.5))
    );
    assert_eq!(
        (numbers.no_gender, numbers.with_persons),
        (Some(false), None)
    );
    assert!(read(&mut checkpoint, "absent").is_err());
}

#[test]
fn a_pickle_that_would_run_a_program_is_refused_by_name() {
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("numpy", "load"),
    ] {
        let call = start()
            .class(module, name)
            .raw(b"(")
            .text("touch /tmp/owned")
            .raw(b"tR.");
        let spelled = start().text(module).text(name).raw(b"\x93)R.");
        let old = Pickler::default()
            .raw(b"(")
            .text("x")
            .raw(format!("i{module}\n{name}\n.").as_bytes());
        for pickle in [call, spelled, old] {
            let p = *open(archive(&pickle.0, &[])).err().unwrap();
            assert!(p.what.contains("nothing of it was run"), "{p}");
            assert_eq!(p.value, Some(format!("{module}.{name}")));
        }
    }
}

#[test]
fn what_would_multiply_in_memory_is_refused() {
    // A view of one number repeated two thousand million times.
    let pickle = start()
        .raw(b"}(")
        .tensor("w", "0", 1, &[1 << 15, 1 << 15], &[0, 0])
        .raw(b"u.");
    let mut checkpoint = open(archive(&pickle.0, &[("0", floats(&[1.0]))])).unwrap();
    let p = read(&mut checkpoint, "w").unwrap_err();
    assert!(p.what.contains("beyond its storage"), "{p}");
    // A storage that claims to be larger than the file.
    let pickle = start()
        .raw(b"}(")
        .tensor("w", "0", i32::MAX, &[i32::MAX], &[1])
        .raw(b"u.");
    let mut checkpoint = open(archive(&pickle.0, &[("0", floats(&[1.0]))])).unwrap();
    assert!(read(&mut checkpoint, "w").is_err());
    // A tuple of tuples of tuples, each twice the one before: 2^200 items if it were unfolded.
    let mut pickle = start().raw(b")");
    for _ in 0..200 {
        pickle = pickle.raw(b"2\x86");
    }
    assert!(open(archive(&pickle.raw(b".").0, &[])).is_err());
    // A dictionary made of the same list again and again.
    let mut pickle = start().raw(b"]q\x00(");
    for _ in 0..10_000 {
        pickle = pickle.raw(b"NN\x86");
    }
    pickle = pickle.raw(b"e0");
    for _ in 0..10_000 {
        pickle = pickle
            .class("collections", "OrderedDict")
            .raw(b"h\x00\x85R0");
    }
    let p = Pickle::read(&pickle.raw(b"N.").0).unwrap_err();
    assert!(p.what.contains("copies"), "{p}");
    // Marks and copies of the top without end.
    assert!(Pickle::read(&vec![b'('; 2_000_000]).is_err());
    let mut doubled = vec![b'N'];
    doubled.resize(2_000_000, b'2');
    assert!(Pickle::read(&doubled).is_err());
    let mut many = vec![b'N'; 2_000_000];
    many.push(b'.');
    assert!(Pickle::read(&many).is_err());
}

#[test]
fn deep_nesting_and_cycles_do_not_overflow_the_stack() {
    let mut deep = vec![b']'];
    deep.resize(300_000, 0x85);
    deep.push(b'.');
    assert!(Pickle::read(&deep).is_ok());
    // A list that contains itself.
    let round = start().raw(b"]q\x00h\x00a.");
    let pickle = Pickle::read(&round.0).unwrap();
    assert_eq!(pickle.items(pickle.root), [pickle.root]);
    assert!(open(archive(&round.0, &[])).is_err());
}

#[test]
fn a_compressed_archive_is_refused_before_it_is_unpacked() {
    let mut zip = realistic();
    // The compression method of every entry, at its head and in the directory: deflated.
    for (mark, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let places: Vec<usize> = (0..zip.len() - 4)
            .filter(|&i| &zip[i..i + 4] == mark)
            .collect();
        for place in places {
            zip[place + at] = 8;
        }
    }
    assert!(open(zip).is_err());
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_nothing_worse() {
    let whole = realistic();
    for len in 0..whole.len() {
        assert!(open(whole[..len].to_vec()).is_err(), "{len} bytes");
    }
}

#[test]
fn weights_that_are_not_numbers_are_named() {
    let pickle = start()
        .raw(b"}(")
        .tensor("w", "0", 2, &[2], &[1])
        .raw(b"u.");
    let bytes = archive(&pickle.0, &[("0", floats(&[1.0, f32::NAN]))]);
    let p = read(&mut open(bytes).unwrap(), "w").unwrap_err();
    assert!(p.what.contains("the tensor w holds NaN at place 1"), "{p}");
}

#[test]
fn other_files_are_told_apart() {
    let what = |bytes: &[u8]| open(bytes.to_vec()).err().unwrap().to_string();
    assert!(what(b"").contains("no checkpoint"));
    assert!(what(&[0; 600]).contains("no checkpoint"));
    let mut tar = vec![0; 600];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(what(&tar).contains("before 2018"));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(
        "a.txt",
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
    )
    .unwrap();
    assert!(what(&zip.finish().unwrap().into_inner()).contains("no data.pkl"));
}

#[test]
fn elements_of_every_type_are_read() {
    let cases: [(Dtype, &[u8], f32); 10] = [
        (Dtype::F32, &1.5f32.to_le_bytes(), 1.5),
        (Dtype::F64, &(-2.5f64).to_le_bytes(), -2.5),
        (Dtype::F16, &half::f16::from_f32(0.5).to_le_bytes(), 0.5),
        (Dtype::Bf16, &half::bf16::from_f32(-4.0).to_le_bytes(), -4.0),
        (Dtype::I64, &(-7i64).to_le_bytes(), -7.0),
        (Dtype::I32, &(-7i32).to_le_bytes(), -7.0),
        (Dtype::I16, &(-7i16).to_le_bytes(), -7.0),
        (Dtype::I8, &(-7i8).to_le_bytes(), -7.0),
        (Dtype::U8, &[200], 200.0),
        (Dtype::Bool, &[1], 1.0),
    ];
    for (dtype, bytes, value) in cases {
        assert_eq!(bytes.len(), dtype.size());
        assert_eq!(number(dtype, bytes), value, "{dtype:?}");
    }
}
