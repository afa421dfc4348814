//! Damaged and hostile files: the readers of checkpoints, descriptions, models and manifests are given mutations of the files in tests/fuzz,
//! and must answer with a result or an error, whatever the bytes.
//!
//! `VECHE_FUZZ_CASES` says how many in all (100,000 by default); `VECHE_FUZZ_SEED` begins another stream. The long run, within 4 GB:
//!
//! ```sh
//! (ulimit -v 4194304; VECHE_FUZZ_CASES=12000000 cargo test --release -p veche --test tests -- fuzz:: --nocapture)
//! ```
//!
//! A case that fails is written to the temporary folder and named; it belongs into tests/fuzz, where every run begins with it as it is.

use std::{
    env, fs,
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};
use veche::{
    files::{ManifestOptions, Skipped, read_manifest},
    model::{
        backend::Output,
        checkpoint::{Checkpoint, pickle::Pickle},
        description::{Recipe, parse},
        onnx::{blocks::Weights, file::head_of},
    },
};

/// Xorshift64 (Marsaglia 2003): fast, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|n| n.parse().ok())
}

/// The files of a folder of tests/fuzz by name.
fn corpus(kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz")
        .join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

/// One to seven changes; `telling` are the words that matter more than others in this kind of file.
fn mutated(dice: &mut Dice, seeds: &[(PathBuf, Vec<u8>)], telling: &[&[u8]]) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].1.clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len());
        match dice.below(8) {
            _ if bytes.is_empty() => bytes.push(dice.below(256) as u8),
            0 => bytes[at] = dice.below(256) as u8,
            1 => bytes[at] ^= 1 << dice.below(8),
            2 => bytes.truncate(at.max(1)),
            3 => {
                let word = telling[dice.below(telling.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            4 => {
                let word = telling[dice.below(telling.len())];
                let end = (at + word.len()).min(bytes.len());
                bytes.splice(at..end, word.iter().copied());
            }
            5 => {
                let end = (at + dice.below(12)).min(bytes.len());
                bytes.drain(at..end);
            }
            6 => {
                // A stretch of another file.
                let other = &seeds[dice.below(seeds.len())].1;
                let from = dice.below(other.len());
                let to = (from + dice.below(60)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let end = (at + dice.below(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let place = dice.below(bytes.len());
                bytes.splice(place..place, part);
            }
        }
    }
    bytes
}

/// Gives the corpus and then `share` hundredths of the cases to a reader.
fn fuzz(kind: &str, share: u64, telling: &[&[u8]], mut read: impl FnMut(&[u8])) {
    let seeds = corpus(kind);
    let cases = number("VECHE_FUZZ_CASES").unwrap_or(100_000) * share / 100;
    let seed = number("VECHE_FUZZ_SEED").unwrap_or(0);
    let mut dice = Dice(0x1234_5678_9abc_def1 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut give = |name: String, bytes: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| read(bytes))).is_err() {
            let path = env::temp_dir().join(format!("veche-fuzz-{kind}.bin"));
            fs::write(&path, bytes).unwrap();
            panic!(
                "{kind}, {name}: a reader panicked; the bytes are in {}",
                path.display()
            );
        }
    };
    for (path, bytes) in &seeds {
        give(path.display().to_string(), bytes);
    }
    for case in 0..cases {
        let bytes = mutated(&mut dice, &seeds, telling);
        give(format!("case {case}"), &bytes);
        if case % 1_000_000 == 999_999 {
            println!("{kind}: {} of {cases}", case + 1);
        }
    }
    println!("{kind}: {cases} cases");
}

#[test]
fn no_bytes_make_the_reader_of_checkpoints_panic() {
    // Operations of pickles, lengths at the edges, names that are called.
    let telling: [&[u8]; 26] = [
        b".",
        b"(",
        b")",
        b"]",
        b"}",
        b"0",
        b"2",
        b"R",
        b"b",
        b"Q",
        b"e",
        b"a",
        b"u",
        b"s",
        b"t",
        b"\x85",
        b"\x86",
        b"\x93",
        b"\x94",
        b"\x8a\x08",
        b"X\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x80",
        b"cos\nsystem\n",
        b"ccollections\nOrderedDict\n",
        b"PK\x03\x04",
    ];
    fuzz("checkpoint", 65, &telling, |bytes| {
        if let Some(at) = bytes.windows(2).position(|w| w == b"\x80\x02")
            && bytes.len() % 2 == 0
        {
            // The pickle without what is around it, which most changes damage first.
            let _ = Pickle::read(&bytes[at..]);
        }
        let config = Some(r#"{"min_age": 0, "max_age": 122, "avg_age": 61}"#);
        if let Ok(mut checkpoint) = Checkpoint::read(Box::new(Cursor::new(bytes.to_vec())), config)
        {
            let names: Vec<String> = checkpoint.tensors.keys().cloned().collect();
            let mut held = 0;
            for name in names {
                held += Weights::read(&mut checkpoint, &name).map_or(0, |v| v.len());
            }
            assert!(
                held <= 2 * bytes.len(),
                "{held} numbers from {} bytes",
                bytes.len()
            );
        }
    });
}

#[test]
fn no_text_makes_the_reader_of_descriptions_panic() {
    let telling: [&[u8]; 14] = [
        b"[",
        b"]",
        b"\"",
        b"\n",
        b"=",
        b"-1",
        b"1e999",
        b"nan",
        b"inf",
        b"4096",
        b"18446744073709551616",
        b"columns = [0, 99999]\n",
        b"\"years\"",
        b"\"logits\"",
    ];
    let model = corpus("model").remove(0).1;
    let head = head_of(&model).unwrap();
    fuzz("description", 15, &telling, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(description) = parse(&text)
            && let Ok(recipe) = Recipe::new(&description, &head)
        {
            let output = Output {
                name: "y".into(),
                shape: vec![2, 5],
                values: vec![0.25; 10],
            };
            let _ = recipe.answers(&[output.clone(), output], 2);
        }
    });
}

#[test]
fn no_bytes_make_the_reader_of_models_panic() {
    let telling: [&[u8]; 8] = [
        b"\x0a",
        b"\x3a",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff\x0f",
        b"\x00",
        b"\x12\x01x",
        b"veche.description",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    ];
    let text = String::from_utf8(corpus("description").remove(0).1).unwrap();
    let description = parse(&text).unwrap();
    fuzz("model", 15, &telling, |bytes| {
        if let Ok(head) = head_of(bytes) {
            let _ = Recipe::new(&description, &head);
        }
    });
}

#[test]
fn no_bytes_make_the_reader_of_manifests_panic() {
    let telling: [&[u8]; 16] = [
        b",",
        b"\n",
        b"\"",
        b"\t",
        b";",
        b"-1",
        b"1e999",
        b"nan",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\0",
        b"face_x0,",
        b"person_x0",
        b"99999999999999999999",
        b"25;32",
        b"\r",
    ];
    let dir = tempfile::tempdir().unwrap();
    fuzz("manifest", 5, &telling, |bytes| {
        let path = dir.path().join("m.csv");
        fs::write(&path, bytes).unwrap();
        for mut skipped in [Skipped::strict(), Skipped::lenient()] {
            if let Ok(m) = read_manifest(&path, &ManifestOptions::default(), &mut skipped) {
                let _ = m.names();
                let grouped: usize = m.by_picture().iter().map(Vec::len).sum();
                assert_eq!(grouped, m.rows.len());
            }
        }
    });
}
