//! Names as dense numbers: each different text once, in the order in which it was first met.

/// A set of names with dense indices `0..len`. All text lies in one string, so millions of names cost their bytes and
/// 24 to 40 bytes each. Indices depend only on the order of the calls, never on hashes.
#[derive(Debug, Clone)]
pub struct Names {
    text: String,
    ends: Vec<usize>,
    /// Open addressing: part of the hash and index + 1 of a name, 0 where empty; always a power of two long, at most half
    /// full. With the hash beside it a different name is nearly always told apart without looking at its text.
    slots: Vec<(u32, u32)>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            text: String::new(),
            ends: Vec::new(),
            slots: vec![(0, 0); 16],
        }
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.ends == other.ends
    }
}

/// Multiply and fold, eight bytes at a time: several times faster than SipHash on short names. The hash decides where
/// a name is looked for, never its number.
pub(crate) fn hash(name: &[u8]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product >> 64) as u64 ^ product as u64
    };
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ name.len() as u64;
    let (whole, rest) = name.as_chunks::<8>();
    for &word in whole {
        state = fold(state ^ u64::from_le_bytes(word), 0xd6e8_feb8_6659_fd93);
    }
    if !rest.is_empty() {
        let word = rest
            .iter()
            .rev()
            .fold(0, |word, &b| (word << 8) | u64::from(b));
        state = fold(state ^ word, 0xd6e8_feb8_6659_fd93);
    }
    fold(state, 0xa076_1d64_78bd_642f)
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
        self.find_hashed(name.as_bytes(), hash(name.as_bytes()))
    }

    /// The same for a name whose [`hash`] is known already.
    pub(crate) fn find_hashed(&self, name: &[u8], hash: u64) -> Option<u32> {
        let at = self.slot(name, hash);
        self.slots[at].1.checked_sub(1)
    }

    /// The index of a name, which is added if it is new.
    pub fn intern(&mut self, name: &str) -> u32 {
        self.intern_hashed(name, hash(name.as_bytes()))
    }

    /// The same for a name whose [`hash`] is known already.
    pub(crate) fn intern_hashed(&mut self, name: &str, hash: u64) -> u32 {
        let at = self.slot(name.as_bytes(), hash);
        if let Some(index) = self.slots[at].1.checked_sub(1) {
            return index;
        }
        let index = u32::try_from(self.ends.len()).expect("fewer than 4 billion different names");
        self.text.push_str(name);
        self.ends.push(self.text.len());
        self.slots[at] = (tag(hash), index + 1);
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
    fn slot(&self, name: &[u8], hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (known, index) = self.slots[at];
            if index == 0 || (known == tag(hash) && self.get(index - 1).as_bytes() == name) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![(0, 0); mask + 1];
        for index in 0..self.len() as u32 {
            let hash = hash(self.get(index).as_bytes());
            let mut at = hash as usize & mask;
            while slots[at].1 != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = (tag(hash), index + 1);
        }
        self.slots = slots;
    }
}

/// The half of the hash that is kept beside the index; the other half chooses the slot.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
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
