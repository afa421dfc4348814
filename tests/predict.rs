//! Networks on photos: crops and pairings against the official code's, `veche predict`, `veche model check`.

mod preprocessing;
mod shards;
