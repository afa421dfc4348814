//! A random stream for each thing that is drawn, addressed by what it is for, so that the order of calls cannot matter.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream is for. Different purposes never share dice.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Kinds of annotators, shuffled.
    Kinds = 1,
    /// The traits of one annotator.
    Traits = 2,
    /// What an item does to everybody: shared error, difficulty, look-alike label.
    Item = 3,
    /// The truth of an item that nobody knows.
    Truth = 4,
    /// One answer.
    Answer = 5,
    /// When an annotator comes and how long a suite takes.
    Arrival = 6,
}

/// The key of one crowd.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice([u8; 32]);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(crate::random::derived_key(seed, "simulated crowd"))
    }

    /// The stream addressed by these numbers. The address is mixed into ChaCha's key directly: deriving a key by a hash
    /// for every answer would cost more than the answer.
    pub(super) fn stream(self, purpose: Purpose, a: u64, b: u64, c: u64) -> ChaCha8Rng {
        let mut key = self.0;
        for (place, number) in key.chunks_exact_mut(8).zip([purpose as u64, a, b, c]) {
            for (byte, other) in place.iter_mut().zip(number.to_le_bytes()) {
                *byte ^= other;
            }
        }
        ChaCha8Rng::from_seed(key)
    }
}
