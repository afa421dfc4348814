//! Votes that do not fit in memory, in a temporary file: stretches of votes, each of one part.

use super::gather::{Value, Vote};
use crate::{Problem, Result};
use std::{fs::File, io, os::unix::fs::FileExt};

/// Bytes of a vote on the disk.
const SIZE: usize = 16;

/// The file, and where the votes of each part lie in it.
pub(super) struct Spill {
    file: File,
    length: u64,
    /// By part: where each stretch starts, and how many votes it has.
    stretches: Vec<Vec<(u64, usize)>>,
    bytes: Vec<u8>,
}

fn failed(error: &io::Error) -> Box<Problem> {
    let dir = std::env::temp_dir();
    let mut problem = Problem::io("keep votes in a temporary file", dir, error);
    problem.hint = Some(
        "votes that do not fit in memory take 16 bytes each on the disk: make room, name another folder in TMPDIR, or allow \
         more memory with --memory"
            .into(),
    );
    problem
}

impl Spill {
    /// An empty file without a name, which is gone when the program ends, however it ends.
    pub(super) fn new(parts: usize) -> Result<Self> {
        Ok(Self {
            file: tempfile::tempfile().map_err(|e| failed(&e))?,
            length: 0,
            stretches: vec![Vec::new(); parts],
            bytes: Vec::new(),
        })
    }

    /// Moves votes of a part to the disk.
    pub(super) fn add<T: Value>(&mut self, part: usize, votes: &mut Vec<Vote<T>>) -> Result<()> {
        if votes.is_empty() {
            return Ok(());
        }
        self.bytes.clear();
        for &(item, annotator, value) in votes.iter() {
            self.bytes.extend_from_slice(&item.to_le_bytes());
            self.bytes.extend_from_slice(&annotator.to_le_bytes());
            self.bytes.extend_from_slice(&value.to_bytes());
        }
        self.file
            .write_all_at(&self.bytes, self.length)
            .map_err(|e| failed(&e))?;
        self.stretches[part].push((self.length, votes.len()));
        self.length += self.bytes.len() as u64;
        votes.clear();
        Ok(())
    }

    /// All votes of a part, in the order in which they came.
    pub(super) fn read<T: Value>(&self, part: usize) -> Result<Vec<Vote<T>>> {
        let stretches = &self.stretches[part];
        let mut votes = Vec::with_capacity(stretches.iter().map(|s| s.1).sum());
        let mut bytes = Vec::new();
        for &(from, n) in stretches {
            bytes.resize(n * SIZE, 0);
            self.file
                .read_exact_at(&mut bytes, from)
                .map_err(|e| failed(&e))?;
            let (rows, _) = bytes.as_chunks::<SIZE>();
            votes.extend(rows.iter().map(|row| {
                let word = |at: usize| {
                    u32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]])
                };
                let mut value = [0; 8];
                value.copy_from_slice(&row[8..]);
                (word(0), word(4), T::of_bytes(value))
            }));
        }
        Ok(votes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_come_back_as_they_were_part_by_part() {
        let mut spill = Spill::new(2).unwrap();
        let votes = |k: u32| {
            (0..k)
                .map(|i| (i, i * 7, f64::from(i) / 3.0))
                .collect::<Vec<_>>()
        };
        for k in [3, 0, 1000] {
            spill.add(1, &mut votes(k)).unwrap();
        }
        let mut expected = votes(3);
        expected.extend(votes(1000));
        assert_eq!(spill.read::<f64>(1).unwrap(), expected);
        assert_eq!(spill.read::<f64>(0).unwrap(), []);
        spill.add(0, &mut vec![(1, 2, 3u32)]).unwrap();
        assert_eq!(spill.read::<u32>(0).unwrap(), [(1, 2, 3)]);
    }
}
