//! Names of items, annotators or labels to dense numbers, in the order of first sight.

use super::{pages::Words, source::Keys, text::canonical};
use crate::files::Names;

/// Whole numbers below this have a place of their own in a table.
const DENSE: usize = 1 << 24;

/// A set of names with dense indices. A whole number and its usual text are the same name: item 7 of one file is item "7"
/// of another.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// For whole numbers from 0 on: index + 1, or 0.
    dense: Vec<u32>,
    /// All other whole numbers, by open addressing: the number and index + 1.
    slots: Vec<(i64, u32)>,
    sparse: usize,
    words: Names,
    /// Index of each word.
    of_word: Vec<u32>,
    /// What each name is.
    origin: Vec<Origin>,
}

#[derive(Debug, Clone, Copy)]
enum Origin {
    Number(i64),
    Word(u32),
}

impl Ids {
    /// Number of names.
    pub(super) fn len(&self) -> usize {
        self.origin.len()
    }

    /// Writes a name at the end of a text.
    pub(super) fn write(&self, index: usize, out: &mut String) {
        use std::fmt::Write;
        match self.origin[index] {
            Origin::Word(word) => out.push_str(self.words.get(word)),
            // Writing to a String cannot fail.
            Origin::Number(number) => {
                let _ = write!(out, "{number}");
            }
        }
    }

    /// A name as text.
    pub(super) fn name(&self, index: usize) -> String {
        let mut name = String::new();
        self.write(index, &mut name);
        name
    }

    /// Forgets what is only needed to add names.
    pub(super) fn freeze(&mut self) {
        self.dense = Vec::new();
        self.slots = Vec::new();
        self.of_word = Vec::new();
        self.words.freeze();
    }

    /// The index of each row's name, for all rows in their order.
    pub(super) fn all(&mut self, keys: &Keys, hashes: &[u64], out: &mut Vec<u32>) {
        out.clear();
        match keys {
            Keys::Numbers(numbers) => {
                out.extend(numbers.iter().map(|&number| self.number(number)));
            }
            Keys::Words(words) => {
                // 0: not looked up yet; most words of a dictionary stand in many rows.
                let mut known = vec![0u32; words.len()];
                for &code in &words.codes {
                    let known = &mut known[code as usize];
                    if *known == 0 {
                        let word = words.get(code as usize);
                        *known = 1 + self.word(word, hashes[code as usize]);
                    }
                    out.push(*known - 1);
                }
            }
        }
    }

    /// The index of a word; `hash` is that of [`hashes`].
    pub(super) fn word(&mut self, word: &[u8], hash: u64) -> u32 {
        if let Some(number) = canonical(word) {
            return self.number(number);
        }
        // Words were checked when they were hashed.
        let text = std::str::from_utf8(word).unwrap_or_default();
        let place = self.words.intern_hashed(text, hash);
        if place as usize == self.of_word.len() {
            self.of_word.push(self.origin.len() as u32);
            self.origin.push(Origin::Word(place));
        }
        self.of_word[place as usize]
    }

    fn number(&mut self, number: i64) -> u32 {
        if let Ok(at) = usize::try_from(number) {
            if at >= self.dense.len() && at < DENSE.max(16 * self.origin.len()) && at < 1 << 30 {
                // Fresh memory that nobody touches costs nothing.
                let mut dense = vec![0; (at + 1).next_power_of_two().max(1 << 16)];
                dense[..self.dense.len()].copy_from_slice(&self.dense);
                self.dense = dense;
            }
            if let Some(&index) = self.dense.get(at) {
                if index > 0 {
                    return index - 1;
                }
                // It may have been met before the table reached so far.
                let earlier = if self.sparse > 0 {
                    self.slots[place(&self.slots, number)].1
                } else {
                    0
                };
                return match earlier {
                    0 => self.add(number, at),
                    index => index - 1,
                };
            }
        }
        self.scattered(number)
    }

    fn add(&mut self, number: i64, at: usize) -> u32 {
        let index = self.origin.len() as u32;
        self.origin.push(Origin::Number(number));
        self.dense[at] = index + 1;
        index
    }

    fn scattered(&mut self, number: i64) -> u32 {
        if (self.sparse + 1) * 2 > self.slots.len() {
            let mut slots = vec![(0, 0); (self.slots.len() * 2).max(1024)];
            for &(old, index) in self.slots.iter().filter(|slot| slot.1 > 0) {
                let at = place(&slots, old);
                slots[at] = (old, index);
            }
            self.slots = slots;
        }
        let at = place(&self.slots, number);
        if self.slots[at].1 == 0 {
            self.sparse += 1;
            let index = self.origin.len() as u32;
            self.origin.push(Origin::Number(number));
            self.slots[at] = (number, index + 1);
        }
        self.slots[at].1 - 1
    }
}

/// The slot of a number, or the empty one where it belongs.
fn place(slots: &[(i64, u32)], number: i64) -> usize {
    let mask = slots.len() - 1;
    let product = u128::from(number as u64 ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    let mut at = ((product >> 64) as u64 ^ product as u64) as usize & mask;
    while slots[at].1 > 0 && slots[at].0 != number {
        at = (at + 1) & mask;
    }
    at
}

/// Trims words and hashes them, on whatever thread read them; `None` if one is empty or not UTF-8.
pub(super) fn hashes(keys: &Keys) -> Option<Vec<u64>> {
    match keys {
        Keys::Numbers(_) => Some(Vec::new()),
        Keys::Words(words) => of_words(words),
    }
}

/// The same for words alone.
pub(super) fn of_words(words: &Words) -> Option<Vec<u64>> {
    (0..words.len())
        .map(|at| {
            let text = std::str::from_utf8(words.get(at)).ok()?;
            (!text.is_empty() && text.trim().len() == text.len())
                .then(|| crate::files::names::hash(text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_texts_are_one_name_in_the_order_of_first_sight() {
        let mut ids = Ids::default();
        let mut words = Words::default();
        for word in ["x", "7", "007", "-3", "x"] {
            let code = words.push(word.as_bytes()).unwrap();
            words.codes.push(code);
        }
        let keys = Keys::Words(words);
        let mut out = Vec::new();
        ids.all(&keys, &hashes(&keys).unwrap(), &mut out);
        assert_eq!(out, [0, 1, 2, 3, 0]);
        let far = 1 << 40;
        ids.all(&Keys::Numbers(vec![-3, 7, far, 8, far, 0]), &[], &mut out);
        assert_eq!(out, [3, 1, 4, 5, 4, 6]);
        let names: Vec<String> = (0..ids.len()).map(|i| ids.name(i)).collect();
        assert_eq!(names, ["x", "7", "007", "-3", "1099511627776", "8", "0"]);
    }

    #[test]
    fn any_numbers_keep_their_places() {
        let numbers: Vec<i64> = (0..5000i64)
            .map(|i| (i * 7919 * (1 + i % 3 * 100_000)) % (1 << 33))
            .collect();
        let mut ids = Ids::default();
        let (mut once, mut again) = (Vec::new(), Vec::new());
        ids.all(&Keys::Numbers(numbers.clone()), &[], &mut once);
        ids.all(&Keys::Numbers(numbers.clone()), &[], &mut again);
        assert_eq!(once, again);
        assert!(
            once.iter()
                .zip(&numbers)
                .all(|(&i, n)| ids.name(i as usize) == n.to_string())
        );
    }
}
