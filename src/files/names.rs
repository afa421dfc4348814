//! Names as dense numbers: each different text once, in the order in which it was first met.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// A set of names with dense indices `0..len`. All text lies in one string, so millions of names cost their bytes and
/// about 16 bytes each. Indices depend only on the order of the calls, never on hashes.
#[derive(Debug, Clone)]
pub struct Names {
    text: String,
    ends: Vec<usize>,
    /// Open addressing: index + 1 of a name, 0 where empty; always a power of two long, at most half full.
    slots: Vec<u32>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            text: String::new(),
            ends: Vec::new(),
            slots: vec![0; 16],
        }
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.ends == other.ends
    }
}

fn hash(name: &str) -> u64 {
    // SipHash with fixed keys: the same table layout in every run.
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

impl Names {
    /// No names yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of different names.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The name with this index. Panics if there is none.
    pub fn get(&self, index: u32) -> &str {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    /// The index of a name, if it is known.
    pub fn find(&self, name: &str) -> Option<u32> {
        let at = self.slot(name);
        self.slots[at].checked_sub(1)
    }

    /// The index of a name, which is added if it is new.
    pub fn intern(&mut self, name: &str) -> u32 {
        let at = self.slot(name);
        if let Some(index) = self.slots[at].checked_sub(1) {
            return index;
        }
        let index = u32::try_from(self.ends.len()).expect("fewer than 4 billion different names");
        self.text.push_str(name);
        self.ends.push(self.text.len());
        self.slots[at] = index + 1;
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        index
    }

    /// All names in index order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.get(i as u32))
    }

    /// The slot that holds `name`, or the empty one where it belongs.
    fn slot(&self, name: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash(name) as usize & mask;
        while self.slots[at] != 0 && self.get(self.slots[at] - 1) != name {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0u32; mask + 1];
        for index in 0..self.len() as u32 {
            let mut at = hash(self.get(index)) as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = index + 1;
        }
        self.slots = slots;
    }
}

impl<T: AsRef<str>> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let mut all = Self::new();
        for name in names {
            all.intern(name.as_ref());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_in_the_order_of_first_sight() {
        let mut names = Names::new();
        assert_eq!(names.intern("b"), 0);
        assert_eq!(names.intern(""), 1);
        assert_eq!(names.intern("b"), 0);
        assert_eq!(names.intern("ю"), 2);
        assert_eq!((names.find("ю"), names.find("c")), (Some(2), None));
        assert_eq!(names.iter().collect::<Vec<_>>(), ["b", "", "ю"]);
    }

    #[test]
    fn ten_thousand_names_keep_their_numbers_while_the_table_grows() {
        let names: Names = (0..10_000).map(|i| format!("item {i}")).collect();
        assert_eq!(names.len(), 10_000);
        assert!((0..10_000u32).all(|i| names.find(&format!("item {i}")) == Some(i)));
        assert_eq!(names.get(9_999), "item 9999");
    }
}
