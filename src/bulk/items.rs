//! Names of items to keys: the low bits of a key are the item's part, the others its number within the part.
//!
//! Whole numbers that lie close together need no table: their distance from a base is the key. All other names are looked up in
//! their part's table, which is small enough for a core's cache; which part that is, the hash of the name says. Either way a
//! name's key does not depend on the number of threads.

use super::{
    ids::{hashes, mixed},
    pages::ABSENT,
    source::{Keys, unknown},
    text::canonical,
};
use crate::Problem;
use rayon::prelude::*;

/// All items.
pub(super) enum Items {
    /// Item `key` is called `base + key`.
    Close(i64),
    /// By part.
    Any(Vec<Shard>),
}

/// The names of a part's items, in the order of first sight.
#[derive(Debug, Default, Clone)]
pub(super) struct Shard {
    /// Open addressing: part of the hash and number + 1, 0 where empty; a power of two long, at most half full.
    slots: Vec<(u32, u32)>,
    names: Vec<Name>,
    text: Vec<u8>,
    /// Where the name was first seen: a batch, and a row of it.
    first: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Name {
    Number(i64),
    Word(u32, u32),
}

/// The order of names that only the table of truths has: behind all others.
pub(super) const NEVER: u64 = u64::MAX;

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    fn find(&self, hash: u64, same: impl Fn(Name) -> bool) -> usize {
        let (mask, tag) = (self.slots.len() - 1, (hash >> 20) as u32);
        let mut at = (hash >> 1) as usize & mask;
        loop {
            let (known, number) = self.slots[at];
            if number == 0 || (known == tag && same(self.names[number as usize - 1])) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of a name, which is added if it is new. `None` where there is no room for more.
    fn intern(&mut self, name: Sight<'_>, hash: u64, seen: u64) -> Option<u32> {
        if (self.names.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let (at, name) = match name {
            Sight::Number(number) => {
                let name = Name::Number(number);
                (self.find(hash, |known| known == name), name)
            }
            Sight::Word(word) => {
                let (from, length) = (self.text.len() as u32, word.len() as u32);
                let at = self.find(hash, |known| match known {
                    Name::Word(from, length) => {
                        &self.text[from as usize..(from + length) as usize] == word
                    }
                    Name::Number(_) => false,
                });
                if self.slots[at].1 == 0 {
                    self.text.extend_from_slice(word);
                    u32::try_from(self.text.len()).ok()?;
                }
                (at, Name::Word(from, length))
            }
        };
        let slot = &mut self.slots[at];
        if slot.1 == 0 {
            self.names.push(name);
            self.first.push(seen);
            *slot = ((hash >> 20) as u32, self.names.len() as u32);
        }
        let number = slot.1 - 1;
        let first = &mut self.first[number as usize];
        *first = (*first).min(seen);
        Some(number)
    }

    fn grow(&mut self) {
        self.slots = vec![(0, 0); (self.slots.len() * 2).max(64)];
        let mask = self.slots.len() - 1;
        for (number, &name) in self.names.iter().enumerate() {
            let hash = match name {
                Name::Number(number) => of_number(number),
                Name::Word(from, length) => {
                    of_text(&self.text[from as usize..(from + length) as usize])
                }
            };
            let mut at = (hash >> 1) as usize & mask;
            while self.slots[at].1 > 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = ((hash >> 20) as u32, number as u32 + 1);
        }
    }
}

/// The lowest bit tells numbers from text; it is not the one that chooses between neighbouring slots alone.
fn of_number(number: i64) -> u64 {
    mixed(number) | 1
}

fn of_text(text: &[u8]) -> u64 {
    crate::files::names::hash(text) & !1
}

/// A name as a batch has it.
enum Sight<'a> {
    Number(i64),
    Word(&'a [u8]),
}

/// Which of a batch's names are looked up, and what is found.
#[derive(Default)]
pub(super) struct Sought {
    /// Places of the names among the batch's values, part by part, in each part in the order of the rows.
    places: Vec<u32>,
    /// In step with them: hashes, first rows, the names themselves if they are numbers or where they end in the text.
    hashes: Vec<u64>,
    rows: Vec<u32>,
    numbers: Vec<i64>,
    bounds: Vec<u32>,
    found: Vec<u32>,
    /// Words in the same order: each part's lie together, so that looking them up waits for memory only once.
    text: Vec<u8>,
    /// Where the names of each part end.
    ends: Vec<u32>,
}

impl Sought {
    /// Looks through a batch's names on whatever thread read it. An error if a name is empty, not UTF-8 or not trimmed.
    pub(super) fn of(keys: &Keys, bits: u32) -> Result<Self, Box<Problem>> {
        let Some(mut hashes) = hashes(keys) else {
            return Err(unknown().into());
        };
        match keys {
            Keys::Numbers(column) => {
                hashes = column.values.iter().map(|&n| of_number(n)).collect();
            }
            Keys::Words(column) => {
                for (at, hash) in hashes.iter_mut().enumerate() {
                    *hash = match canonical(column.values.get(at)) {
                        Some(number) => of_number(number),
                        None => *hash & !1,
                    };
                }
            }
        }
        let part = |hash: u64| (hash >> 40) as usize & ((1 << bits) - 1);
        // Where each value that a row has is first met.
        let mut first: Vec<(u32, u32)> = Vec::with_capacity(hashes.len());
        match keys.codes() {
            None => first.extend((0..hashes.len() as u32).map(|at| (at, at))),
            Some(codes) => {
                let mut met = vec![false; hashes.len()];
                for (row, &code) in codes.iter().enumerate() {
                    if !std::mem::replace(&mut met[code as usize], true) {
                        first.push((code, row as u32));
                    }
                }
            }
        }
        let (n, parts) = (first.len(), 1 << bits);
        let (mut ends, mut bytes) = (vec![0u32; parts], vec![0u32; parts]);
        for &(place, _) in &first {
            let part = part(hashes[place as usize]);
            ends[part] += 1;
            if let Keys::Words(column) = keys {
                bytes[part] += column.values.get(place as usize).len() as u32;
            }
        }
        let total = bytes.iter().sum::<u32>() as usize;
        for counts in [&mut ends, &mut bytes] {
            let mut start = 0;
            for end in counts {
                start += std::mem::replace(end, start);
            }
        }
        let is_words = matches!(keys, Keys::Words(_));
        let mut sought = Self {
            places: vec![0; n],
            hashes: vec![0; n],
            rows: vec![0; n],
            numbers: vec![0; if is_words { 0 } else { n }],
            bounds: vec![0; if is_words { n } else { 0 }],
            found: vec![0; n],
            text: vec![0; total],
            ends: Vec::new(),
        };
        for (place, row) in first {
            let hash = hashes[place as usize];
            let part = part(hash);
            let at = ends[part] as usize;
            ends[part] += 1;
            sought.places[at] = place;
            sought.hashes[at] = hash;
            sought.rows[at] = row;
            match keys {
                Keys::Numbers(column) => sought.numbers[at] = column.values[place as usize],
                Keys::Words(column) => {
                    let word = column.values.get(place as usize);
                    let from = bytes[part] as usize;
                    sought.text[from..from + word.len()].copy_from_slice(word);
                    bytes[part] += word.len() as u32;
                    sought.bounds[at] = bytes[part];
                }
            }
        }
        sought.ends = ends;
        Ok(sought)
    }

    /// The names from one place in the order of the parts up to another.
    fn sights(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = Option<Sight<'_>>> {
        let is_words = !self.bounds.is_empty();
        range.map(move |at| {
            if !is_words {
                return Some(Sight::Number(self.numbers[at]));
            }
            let from = if at == 0 { 0 } else { self.bounds[at - 1] };
            let word = &self.text[from as usize..self.bounds[at] as usize];
            // Whole numbers written as text have the hashes of the numbers.
            if self.hashes[at] & 1 == 1 {
                canonical(word).map(Sight::Number)
            } else {
                Some(Sight::Word(word))
            }
        })
    }

    /// The key of each value of the batch that a row has.
    pub(super) fn keys(&self, keys: &Keys, bits: u32) -> Vec<u32> {
        let mut all = vec![ABSENT; keys.len()];
        let mut from = 0;
        for (part, &to) in self.ends.iter().enumerate() {
            for at in from..to as usize {
                all[self.places[at] as usize] = (self.found[at] << bits) | part as u32;
            }
            from = to as usize;
        }
        all
    }
}

/// Looks names up in all parts, part by part on all cores, the batches of each in their order. `false`: too many names.
///
/// Batches are numbered from `first_batch` on; [`NEVER`]: they hold no votes.
pub(super) fn look_up(
    shards: &mut [Shard],
    batches: &mut [&mut Sought],
    first_batch: u64,
    most: u64,
) -> bool {
    let mut found: Vec<Vec<u32>> = batches
        .iter_mut()
        .map(|sought| std::mem::take(&mut sought.found))
        .collect();
    // By part, for each batch: the numbers that are to be found.
    let mut pieces: Vec<Vec<&mut [u32]>> = shards.iter().map(|_| Vec::new()).collect();
    for (sought, found) in batches.iter().zip(&mut found) {
        let (mut from, mut rest) = (0, &mut found[..]);
        for (pieces, &to) in pieces.iter_mut().zip(&sought.ends) {
            let (mine, others) = rest.split_at_mut((to - from) as usize);
            (from, rest) = (to, others);
            pieces.push(mine);
        }
    }
    let read = &*batches;
    let room = shards
        .par_iter_mut()
        .zip(pieces)
        .enumerate()
        .map(|(part, (shard, pieces))| {
            for (number, (sought, piece)) in read.iter().zip(pieces).enumerate() {
                let from = if part == 0 { 0 } else { sought.ends[part - 1] } as usize;
                let sights = sought.sights(from..from + piece.len());
                for (at, (sight, found)) in sights.zip(piece).enumerate() {
                    let seen = match first_batch {
                        NEVER => NEVER,
                        first => {
                            ((first + number as u64) << 32) | u64::from(sought.rows[from + at])
                        }
                    };
                    let hash = sought.hashes[from + at];
                    match sight.and_then(|sight| shard.intern(sight, hash, seen)) {
                        Some(number) => *found = number,
                        None => return false,
                    }
                }
            }
            shard.len() as u64 <= most
        })
        .reduce(|| true, |a, b| a & b);
    for (sought, found) in batches.iter_mut().zip(found) {
        sought.found = found;
    }
    room
}

impl Items {
    /// Writes a name at the end of a text.
    pub(super) fn write(&self, key: u32, bits: u32, out: &mut String) {
        let number = match self {
            Self::Close(base) => base + i64::from(key),
            Self::Any(shards) => {
                let shard = &shards[key as usize & ((1 << bits) - 1)];
                match shard.names[(key >> bits) as usize] {
                    Name::Number(number) => number,
                    Name::Word(from, length) => {
                        let word = &shard.text[from as usize..(from + length) as usize];
                        // Words were checked when they were hashed.
                        out.push_str(std::str::from_utf8(word).unwrap_or_default());
                        return;
                    }
                }
            }
        };
        out.push_str(itoa::Buffer::new().format(number));
    }

    /// A name as text.
    pub(super) fn name(&self, key: u32, bits: u32) -> String {
        let mut name = String::new();
        self.write(key, bits, &mut name);
        name
    }

    /// Where a name was first seen; `None` where names are in the order of their keys.
    pub(super) fn first(&self, key: u32, bits: u32) -> Option<u64> {
        match self {
            Self::Close(_) => None,
            Self::Any(shards) => {
                let shard = &shards[key as usize & ((1 << bits) - 1)];
                Some(shard.first[(key >> bits) as usize])
            }
        }
    }

    /// Forgets what is only needed to add names.
    pub(super) fn freeze(&mut self) {
        if let Self::Any(shards) = self {
            for shard in shards {
                shard.slots = Vec::new();
            }
        }
    }
}

/// Keys of whole numbers close to a base, one per value; `None` if one is too far.
pub(super) fn close(keys: &Keys, base: i64, limit: u64) -> Option<Vec<u32>> {
    let Keys::Numbers(column) = keys else {
        return None;
    };
    let key = |number: i64| number.wrapping_sub(base) as u64;
    // A dictionary may have far numbers that no row has; that is rare enough to take them for names of rows.
    let largest = column.values.iter().map(|&n| key(n)).max();
    if largest.is_some_and(|largest| largest >= limit) {
        return None;
    }
    Some(column.values.iter().map(|&n| key(n) as u32).collect())
}

/// Smallest and largest of a batch's whole numbers; `None` if it has words.
pub(super) fn range(keys: &Keys) -> Option<(i64, i64)> {
    let Keys::Numbers(column) = keys else {
        return None;
    };
    let ends = (i64::MAX, i64::MIN);
    let all = column.values.iter();
    Some(all.fold(ends, |(low, high), &n| (low.min(n), high.max(n))))
}
