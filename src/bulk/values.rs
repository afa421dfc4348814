//! What votes say: numbers or labels, and lists of the different ones.

use super::{
    ids::{Found, Ids, NEW, mixed, of_words},
    pages::ABSENT,
    record::Record,
    source::{Answers, unknown},
};
use crate::Result;

/// Different numbers, each with its place in the order of first sight.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    values: Vec<f64>,
    /// Open addressing: place + 1, 0 where empty; a power of two long, at most half full.
    slots: Vec<u32>,
}

impl Distinct {
    fn slot(&self, value: f64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = mixed(value.to_bits() as i64) as usize & mask;
        loop {
            match self.slots[at] {
                0 => return at,
                place if self.values[place as usize - 1].to_bits() == value.to_bits() => return at,
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn find(&self, value: f64) -> u32 {
        if value.is_nan() {
            return ABSENT;
        }
        if self.slots.is_empty() {
            return NEW;
        }
        self.slots[self.slot(value)].checked_sub(1).unwrap_or(NEW)
    }

    fn add(&mut self, value: f64) -> u32 {
        if (self.values.len() + 1) * 2 > self.slots.len() {
            self.slots = vec![0; (self.slots.len() * 2).max(64)];
            for place in 0..self.values.len() {
                let at = self.slot(self.values[place]);
                self.slots[at] = place as u32 + 1;
            }
        }
        let at = self.slot(value);
        if self.slots[at] == 0 {
            self.values.push(value);
            self.slots[at] = self.values.len() as u32;
        }
        self.slots[at] - 1
    }
}

/// All values there are: numbers where records hold their places, labels always.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    numbers: Distinct,
    pub(super) labels: Ids,
}

impl Meanings {
    /// Number of different values.
    pub(super) fn len(&self) -> usize {
        self.numbers.values.len() + self.labels.len()
    }
}

/// What a vote says: a number, or the index of a label.
pub(super) trait Value: Copy + Send + Sync + PartialEq + Default + 'static {
    /// The numbers of a column's values, as far as they have any; with the hashes of its words.
    fn find<R: Record>(answers: &Answers, known: &Meanings) -> Result<(Found, Vec<u64>)>;
    /// Gives new values their numbers.
    fn add(answers: &Answers, hashes: &[u64], found: &mut Found, known: &mut Meanings);
    /// What a record holds for the value at this place; `None` for no answer.
    fn code<R: Record>(answers: &Answers, found: &Found, place: u32) -> Option<u64>;
    /// The value of what a record holds.
    fn of<R: Record>(code: u64, known: &Meanings) -> Self;
    /// The value at this place.
    fn at(answers: &Answers, found: &Found, place: u32) -> Option<Self>;
    fn show(self, known: &Meanings) -> String;
}

impl Value for f64 {
    fn find<R: Record>(answers: &Answers, known: &Meanings) -> Result<(Found, Vec<u64>)> {
        let Answers::Numbers(column) = answers else {
            return Err(unknown().into());
        };
        let found = if R::RAW {
            Found {
                numbers: Vec::new(),
                complete: true,
            }
        } else {
            let values = column.values.iter();
            Found::of(values.map(|&v| known.numbers.find(v)).collect())
        };
        Ok((found, Vec::new()))
    }

    fn add(answers: &Answers, _: &[u64], found: &mut Found, known: &mut Meanings) {
        if let Answers::Numbers(column) = answers {
            found.complete(answers.codes(), |at| known.numbers.add(column.values[at]));
        }
    }

    fn code<R: Record>(answers: &Answers, found: &Found, place: u32) -> Option<u64> {
        if R::RAW {
            return Self::at(answers, found, place).map(f64::to_bits);
        }
        let known = found.numbers.get(place as usize)?;
        (*known != ABSENT).then_some(u64::from(*known))
    }

    fn of<R: Record>(code: u64, known: &Meanings) -> Self {
        if R::RAW {
            f64::from_bits(code)
        } else {
            known.numbers.values[code as usize]
        }
    }

    fn at(answers: &Answers, _: &Found, place: u32) -> Option<Self> {
        match answers {
            Answers::Numbers(column) => {
                let value = column.values.get(place as usize).copied();
                value.filter(|value| !value.is_nan())
            }
            Answers::Labels(_) => None,
        }
    }

    fn show(self, _: &Meanings) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn find<R: Record>(answers: &Answers, known: &Meanings) -> Result<(Found, Vec<u64>)> {
        let Answers::Labels(column) = answers else {
            return Err(unknown().into());
        };
        let Some(hashes) = of_words(&column.values) else {
            return Err(unknown().into());
        };
        let mut numbers = known.labels.find_words(&column.values, &hashes);
        for (at, number) in numbers.iter_mut().enumerate() {
            if column.values.get(at) == b"?" {
                *number = ABSENT;
            }
        }
        Ok((Found::of(numbers), hashes))
    }

    fn add(answers: &Answers, hashes: &[u64], found: &mut Found, known: &mut Meanings) {
        if let Answers::Labels(column) = answers {
            found.complete(answers.codes(), |at| {
                known.labels.word(column.values.get(at), hashes[at])
            });
        }
    }

    fn code<R: Record>(_: &Answers, found: &Found, place: u32) -> Option<u64> {
        let known = found.numbers.get(place as usize)?;
        (*known != ABSENT).then_some(u64::from(*known))
    }

    fn of<R: Record>(code: u64, _: &Meanings) -> Self {
        code as Self
    }

    fn at(_: &Answers, found: &Found, place: u32) -> Option<Self> {
        let known = found.numbers.get(place as usize).copied();
        known.filter(|&label| label != ABSENT)
    }

    fn show(self, known: &Meanings) -> String {
        known.labels.name(self as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::pages::Column, *};

    #[test]
    fn different_numbers_have_places_of_their_own_and_no_answer_has_none() {
        let mut known = Meanings::default();
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 300) / 10.0).collect();
        let answers = Answers::Numbers(Column {
            values: [vec![0.0, f64::NAN, -0.0], values].concat(),
            codes: None,
        });
        for _ in 0..2 {
            let (mut found, hashes) = <f64 as Value>::find::<u64>(&answers, &known).unwrap();
            f64::add(&answers, &hashes, &mut found, &mut known);
            assert_eq!(known.len(), 301);
            for place in 0..1003 {
                let code = f64::code::<u64>(&answers, &found, place);
                let back = code.map(|code| <f64 as Value>::of::<u64>(code, &known));
                let raw = f64::code::<u128>(&answers, &found, place);
                let raw = raw.map(|code| <f64 as Value>::of::<u128>(code, &known));
                let expected = f64::at(&answers, &found, place);
                assert_eq!(back.map(f64::to_bits), expected.map(f64::to_bits));
                assert_eq!(raw.map(f64::to_bits), expected.map(f64::to_bits));
            }
            assert_eq!(f64::code::<u64>(&answers, &found, ABSENT), None);
        }
    }
}
