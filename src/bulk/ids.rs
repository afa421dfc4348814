//! Names of annotators or labels to dense numbers, in the order of first sight. Names that are known already are looked up on
//! all cores; only new ones wait for their turn.

use super::{
    pages::{ABSENT, Words},
    source::Keys,
    text::canonical,
};
use crate::files::Names;

/// Whole numbers below this have a place of their own in a table.
const DENSE: usize = 1 << 24;

/// A name or value that has no number yet.
pub(super) const NEW: u32 = ABSENT - 1;

/// The numbers of a column's values: [`NEW`] where there is none yet, [`ABSENT`] where there will be none.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) numbers: Vec<u32>,
    /// Whether none is [`NEW`].
    pub(super) complete: bool,
}

impl Found {
    pub(super) fn of(numbers: Vec<u32>) -> Self {
        let complete = !numbers.contains(&NEW);
        Self { numbers, complete }
    }

    /// Gives the new values that rows have their numbers, in the order of the rows; others stay new.
    pub(super) fn complete(&mut self, codes: Option<&[u32]>, mut number: impl FnMut(usize) -> u32) {
        if self.complete {
            return;
        }
        match codes {
            Some(codes) => {
                for &code in codes.iter().filter(|&&code| code != ABSENT) {
                    let known = &mut self.numbers[code as usize];
                    if *known == NEW {
                        *known = number(code as usize);
                    }
                }
            }
            None => {
                for (at, known) in self.numbers.iter_mut().enumerate() {
                    if *known == NEW {
                        *known = number(at);
                    }
                }
            }
        }
        self.complete = true;
    }
}

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

    /// A name as text.
    pub(super) fn name(&self, index: usize) -> String {
        match self.origin[index] {
            Origin::Word(word) => self.words.get(word).to_owned(),
            Origin::Number(number) => number.to_string(),
        }
    }

    /// The numbers of a column's names, as far as they have any; `hashes` are those of its words.
    pub(super) fn find(&self, keys: &Keys, hashes: &[u64]) -> Found {
        Found::of(match keys {
            Keys::Numbers(column) => {
                let numbers = column.values.iter();
                numbers.map(|&number| self.find_number(number)).collect()
            }
            Keys::Words(column) => self.find_words(&column.values, hashes),
        })
    }

    /// The same of words.
    pub(super) fn find_words(&self, words: &Words, hashes: &[u64]) -> Vec<u32> {
        let all = hashes.iter().enumerate();
        all.map(|(at, &hash)| self.find_word(words.get(at), hash))
            .collect()
    }

    /// Gives names that have no number yet theirs.
    pub(super) fn add(&mut self, keys: &Keys, hashes: &[u64], found: &mut Found) {
        found.complete(keys.codes(), |at| match keys {
            Keys::Numbers(column) => self.number(column.values[at]),
            Keys::Words(column) => self.word(column.values.get(at), hashes[at]),
        });
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

    fn find_word(&self, word: &[u8], hash: u64) -> u32 {
        if let Some(number) = canonical(word) {
            return self.find_number(number);
        }
        match self.words.find_hashed(word, hash) {
            Some(place) => self.of_word[place as usize],
            None => NEW,
        }
    }

    fn find_number(&self, number: i64) -> u32 {
        let dense = usize::try_from(number).ok();
        let index = dense.and_then(|at| self.dense.get(at)).copied();
        match index.unwrap_or_default() {
            0 if self.sparse > 0 => self.slots[place(&self.slots, number)]
                .1
                .checked_sub(1)
                .unwrap_or(NEW),
            0 => NEW,
            index => index - 1,
        }
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
                    0 => self.insert(number, at),
                    index => index - 1,
                };
            }
        }
        self.scattered(number)
    }

    fn insert(&mut self, number: i64, at: usize) -> u32 {
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

/// A number's bits well mixed.
pub(super) fn mixed(number: i64) -> u64 {
    let product = u128::from(number as u64 ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    (product >> 64) as u64 ^ product as u64
}

/// The slot of a number, or the empty one where it belongs.
fn place(slots: &[(i64, u32)], number: i64) -> usize {
    let mask = slots.len() - 1;
    let mut at = mixed(number) as usize & mask;
    while slots[at].1 > 0 && slots[at].0 != number {
        at = (at + 1) & mask;
    }
    at
}

/// Hashes of a column's words; `None` if one is empty, not UTF-8 or not trimmed.
pub(super) fn hashes(keys: &Keys) -> Option<Vec<u64>> {
    match keys {
        Keys::Numbers(_) => Some(Vec::new()),
        Keys::Words(column) => of_words(&column.values),
    }
}

/// The same for words alone.
pub(super) fn of_words(words: &Words) -> Option<Vec<u64>> {
    (0..words.len())
        .map(|at| {
            let word = words.get(at);
            let graphic = |b: Option<&u8>| b.is_some_and(u8::is_ascii_graphic);
            let plain = graphic(word.first()) && graphic(word.last()) && word.is_ascii();
            let good = plain || {
                let text = std::str::from_utf8(word).ok()?;
                !text.is_empty() && text.trim().len() == text.len()
            };
            good.then(|| crate::files::names::hash(word))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::pages::Column, *};

    fn all(ids: &mut Ids, keys: &Keys) -> Vec<u32> {
        let hashes = hashes(keys).unwrap();
        let mut found = ids.find(keys, &hashes);
        ids.add(keys, &hashes, &mut found);
        assert_eq!(ids.find(keys, &hashes).numbers, found.numbers);
        match keys.codes() {
            Some(codes) => codes.iter().map(|&c| found.numbers[c as usize]).collect(),
            None => found.numbers,
        }
    }

    fn numbers(values: Vec<i64>) -> Keys {
        Keys::Numbers(Column {
            values,
            codes: None,
        })
    }

    #[test]
    fn numbers_and_their_texts_are_one_name_in_the_order_of_first_sight() {
        let mut ids = Ids::default();
        let mut words = Words::default();
        for word in ["-3", "7", "007", "x"] {
            words.push(word.as_bytes()).unwrap();
        }
        let words = Keys::Words(Column {
            values: words,
            codes: Some(vec![3, 1, 2, 0, 3]),
        });
        assert_eq!(all(&mut ids, &words), [0, 1, 2, 3, 0]);
        let far = 1 << 40;
        let found = all(&mut ids, &numbers(vec![-3, 7, far, 8, far, 0]));
        assert_eq!(found, [3, 1, 4, 5, 4, 6]);
        let names: Vec<String> = (0..ids.len()).map(|i| ids.name(i)).collect();
        assert_eq!(names, ["x", "7", "007", "-3", "1099511627776", "8", "0"]);
    }

    #[test]
    fn names_of_a_dictionary_that_no_row_has_get_no_number() {
        let mut ids = Ids::default();
        let keys = Keys::Numbers(Column {
            values: vec![5, 6, 7],
            codes: Some(vec![2, 0, 2]),
        });
        let mut found = ids.find(&keys, &[]);
        ids.add(&keys, &[], &mut found);
        assert_eq!((found.numbers, ids.len()), (vec![1, NEW, 0], 2));
    }

    #[test]
    fn any_numbers_keep_their_places() {
        let values: Vec<i64> = (0..5000i64)
            .map(|i| (i * 7919 * (1 + i % 3 * 100_000)) % (1 << 33))
            .collect();
        let mut ids = Ids::default();
        let once = all(&mut ids, &numbers(values.clone()));
        let again = all(&mut ids, &numbers(values.clone()));
        assert_eq!(once, again);
        assert!(
            once.iter()
                .zip(&values)
                .all(|(&i, n)| ids.name(i as usize) == n.to_string())
        );
    }
}
