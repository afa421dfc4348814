//! What a run has found so far, photo by photo, so that one that is stopped can go on.

use crate::{Problem, Result, problem};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// What is said about one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Row of the list.
    pub row: u64,
    /// The person's name.
    pub item: String,
    /// Age in years, ten-thousandths: what is written.
    pub age: Option<i64>,
    /// Whether male is likelier, and the probability of what is likelier in ten-thousandths.
    pub sex: Option<(bool, i64)>,
    /// Whether the network saw the face.
    pub face_used: bool,
    /// Whether the network saw the body.
    pub body_used: bool,
    /// Why there is no prediction.
    pub error: Option<String>,
}

/// What is said about one photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// BLAKE3 of the picture's file, if it could be read.
    pub blake3: Option<String>,
    /// How many of its people had no mask where masks were asked for.
    pub without_mask: u32,
    /// Its people.
    pub people: Vec<Prediction>,
}

/// A file with a first line that says what run it belongs to, and one line per photo.
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// `P.csv` → `P.csv.part`.
pub fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

impl Journal {
    /// Opens the journal beside `out`, and what stands in it: one entry per photo that was finished. `key` says what run this is.
    ///
    /// # Errors
    /// A journal of another run, unless `restart`; another process at work on it; input or output errors.
    pub fn open(out: &Path, key: &str, restart: bool) -> Result<(Self, Vec<Judged>)> {
        let path = beside(out);
        let fail = |e: std::io::Error| Problem::io("write the results so far", &path, &e);
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|e| Problem::io("make the folder", parent, &e))?;
        }
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return problem("another veche is writing these results")
                .file(&path)
                .hint("wait for it, or write to another file")
                .fail();
        }
        let (mut done, mut good) = (Vec::new(), 0_u64);
        if !restart {
            let mut reader = BufReader::new(&file);
            let mut line = Vec::new();
            loop {
                line.clear();
                let n = reader.read_until(b'\n', &mut line).map_err(fail)?;
                // A line without its end was being written when the run was stopped.
                if n == 0 || line.pop() != Some(b'\n') {
                    break;
                }
                if good == 0 {
                    if line != key.as_bytes() {
                        return problem("results of another run stand here: other items, another model or other settings")
                            .file(&path)
                            .hint("finish that run with its own settings, write to another file, or begin anew with --restart")
                            .fail();
                    }
                } else {
                    match serde_json::from_slice(&line) {
                        Ok(photo) => done.push(photo),
                        Err(_) => break,
                    }
                }
                good += n as u64;
            }
        }
        file.set_len(good).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        if good == 0 {
            file.write_all(format!("{key}\n").as_bytes())
                .map_err(fail)?;
        }
        Ok((Self { path, file }, done))
    }

    /// Adds a finished photo.
    ///
    /// # Errors
    /// Output errors.
    pub fn add(&mut self, photo: &Judged) -> Result<()> {
        let mut line = serde_json::to_vec(photo)
            .map_err(|e| problem(format!("cannot write as JSON: {e}")).file(&self.path))?;
        line.push(b'\n');
        // One write per photo: what a killed run had finished is there.
        self.file
            .write_all(&line)
            .map_err(|e| Problem::io("write the results so far", &self.path, &e))
    }

    /// Removes the journal: the results stand where they belong.
    ///
    /// # Errors
    /// Output errors.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| Problem::io("remove", &self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(row: u64) -> Judged {
        let person = Prediction {
            row,
            item: format!("a\n{row}"),
            age: Some(-3),
            sex: Some((true, 9_000)),
            face_used: true,
            body_used: false,
            error: None,
        };
        Judged {
            blake3: Some("00".into()),
            without_mask: 0,
            people: vec![person],
        }
    }

    #[test]
    fn a_run_that_was_stopped_in_the_middle_of_a_line_goes_on_behind_the_last_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("sub/p.csv");
        let (mut journal, done) = Journal::open(&out, "key", false).unwrap();
        assert!(done.is_empty());
        for row in 0..3 {
            journal.add(&photo(row)).unwrap();
        }
        drop(journal);
        let path = beside(&out);
        let bytes = fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let (mut journal, done) = Journal::open(&out, "key", false).unwrap();
            let whole = bytes[..cut].iter().filter(|&&b| b == b'\n').count();
            assert_eq!(done.len(), whole.saturating_sub(1));
            for row in done.len() as u64..3 {
                journal.add(&photo(row)).unwrap();
            }
            drop(journal);
            assert_eq!(fs::read(&path).unwrap(), bytes, "as if never stopped");
        }
        let (journal, done) = Journal::open(&out, "key", false).unwrap();
        assert_eq!(done, [photo(0), photo(1), photo(2)]);
        journal.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn results_of_another_run_are_not_mixed_in_and_go_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("p.csv");
        let (mut journal, _) = Journal::open(&out, "one", false).unwrap();
        journal.add(&photo(1)).unwrap();
        let busy = Journal::open(&out, "one", false).err().unwrap();
        assert!(busy.what.contains("another veche is writing"), "{busy}");
        drop(journal);
        let other = Journal::open(&out, "two", false).err().unwrap();
        assert!(other.hint.unwrap().contains("--restart"));
        assert!(Journal::open(&out, "two", true).unwrap().1.is_empty());
    }
}
