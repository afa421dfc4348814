//! Votes that do not fit in memory, in a temporary file: stretches of votes, each of one part.

use super::{gather::Run, record::Record};
use crate::{Problem, Result};
use std::{fs::File, io, os::unix::fs::FileExt};

/// So many bytes are written at a time.
const BLOCK: usize = 1 << 22;

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
        "votes that do not fit in memory take 8 or 16 bytes each on the disk: make room, name another folder in TMPDIR, or allow \
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

    /// Moves all votes of these runs to the disk, those of each part one after another.
    pub(super) fn add<R: Record>(&mut self, runs: &mut Vec<Run<R>>) -> Result<()> {
        for (part, stretches) in self.stretches.iter_mut().enumerate() {
            let from = self.length + self.bytes.len() as u64;
            let mut n = 0;
            for run in runs.iter() {
                let votes = run.of(part);
                votes.iter().for_each(|vote| vote.write(&mut self.bytes));
                n += votes.len();
            }
            if n > 0 {
                stretches.push((from, n));
            }
            if self.bytes.len() >= BLOCK {
                write(&self.file, &mut self.length, &mut self.bytes)?;
            }
        }
        write(&self.file, &mut self.length, &mut self.bytes)?;
        runs.clear();
        Ok(())
    }

    /// All votes of a part, in the order in which they came, behind those that are in `votes`.
    pub(super) fn read<R: Record>(
        &self,
        part: usize,
        bytes: &mut Vec<u8>,
        votes: &mut Vec<R>,
    ) -> Result<()> {
        for &(from, n) in &self.stretches[part] {
            bytes.resize(n * R::SIZE, 0);
            self.file
                .read_exact_at(bytes, from)
                .map_err(|e| failed(&e))?;
            R::read(bytes, votes);
        }
        Ok(())
    }
}

fn write(file: &File, length: &mut u64, bytes: &mut Vec<u8>) -> Result<()> {
    file.write_all_at(bytes, *length).map_err(|e| failed(&e))?;
    *length += bytes.len() as u64;
    bytes.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_come_back_as_they_were_part_by_part() {
        let mut spill = Spill::new(2).unwrap();
        let votes = |k: u32| {
            (0..k)
                .map(|i| u64::pack(i, i * 7, u64::from(i)))
                .collect::<Vec<_>>()
        };
        let run = |k: u32, j: u32| Run {
            records: [votes(k), votes(j)].concat(),
            ends: vec![k, k + j],
        };
        spill.add(&mut vec![run(0, 3), run(0, 0)]).unwrap();
        spill.add(&mut Vec::<Run<u64>>::new()).unwrap();
        spill.add(&mut vec![run(1, 1000)]).unwrap();
        let read = |part: usize| {
            let mut all: Vec<u64> = Vec::new();
            spill.read(part, &mut Vec::new(), &mut all).unwrap();
            all
        };
        assert_eq!(read(1), [votes(3), votes(1000)].concat());
        assert_eq!(read(0), votes(1));
    }
}
