//! Fixed cuts of the items, so that parallel sums are the same for any number of threads.

use std::ops::Range;

use crate::ChoiceVotes;

/// Votes per cut below which a thread of its own is not worth it.
const VOTES: usize = 1 << 15;
/// Most cuts.
const CUTS: usize = 32;
/// Memory all cuts may use for their sums, in numbers of 8 bytes (64 MiB), unless one cut alone needs more.
const NUMBERS: usize = 8 << 20;

/// At least one range of items, with about equally many votes each, covering all items in order. `sums` is how many numbers each cut adds up
/// for itself. Depends on the votes alone and not on the machine.
pub(super) fn cuts(votes: &ChoiceVotes, sums: usize) -> Vec<Range<usize>> {
    let by_memory = NUMBERS / sums.max(1);
    let n = (votes.n_votes() / VOTES).min(CUTS).min(by_memory).max(1);
    let size = votes.n_votes().div_ceil(n).max(1);
    let (mut cuts, mut start, mut held) = (Vec::with_capacity(n), 0, 0);
    for (item, _, labels) in votes.items() {
        held += labels.len();
        if held >= size {
            cuts.push(start..item + 1);
            (start, held) = (item + 1, 0);
        }
    }
    if start < votes.n_items() || cuts.is_empty() {
        cuts.push(start..votes.n_items());
    }
    cuts
}

/// `data`, with `width` entries per item, as one slice per cut.
pub(super) fn split<'a, T>(
    mut data: &'a mut [T],
    cuts: &[Range<usize>],
    width: usize,
) -> Vec<&'a mut [T]> {
    let mut parts = Vec::with_capacity(cuts.len());
    for cut in cuts {
        let (part, rest) = data.split_at_mut(cut.len() * width);
        parts.push(part);
        data = rest;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_cover_all_items_in_order_and_fewer_are_made_where_sums_are_large() {
        let n = 4 * VOTES;
        let items: Vec<u32> = (0..n as u32).map(|v| v / 2).collect();
        let votes = ChoiceVotes::new(n / 2 + 3, 1, &items, &vec![0; n], &vec![0; n]).unwrap();
        for (sums, most) in [(1, 5), (NUMBERS / 2, 3), (NUMBERS * 2, 2)] {
            let cuts = cuts(&votes, sums);
            assert!(cuts.len() <= most && cuts.len() + 1 >= most, "{cuts:?}");
            assert_eq!((cuts[0].start, cuts[cuts.len() - 1].end), (0, n / 2 + 3));
            assert!(cuts.windows(2).all(|w| w[0].end == w[1].start));
        }
        let mut data = vec![0; 2 * votes.n_items()];
        let cuts = cuts(&votes, 1);
        let parts = split(&mut data, &cuts, 2);
        assert!(parts.iter().zip(&cuts).all(|(p, c)| p.len() == 2 * c.len()));
    }
}
