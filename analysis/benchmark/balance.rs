//! The balanced selection: as many items as possible, with as many women as men in every block, at most so many per cell
//! and at most so many of one group; among all such selections one of the most certain labels. Exact.
//!
//! A **block** is a range of ages (within a stratum, if there are strata); a **cell** is one sex of a block; a **group** is
//! a source photo. With x_i ∈ {0, 1} for candidate i of cost w_i (the width of its label's interval):
//!
//! 1. hard: Σ women of block r = Σ men of block r = n_r ≤ cap, Σ of each group ≤ per_group;
//! 2. Σ n_r is maximal;
//! 3. among these, Σ w_i x_i is minimal;
//! 4. ties go to candidates that stand earlier where one may stand for the other.
//!
//! Without groups this has a closed form: n_r = min(cap, women, men), and the cheapest of each cell. With them it is a
//! matching in a graph that is not bipartite (a pair of a block is an edge between two groups), which no flow solves
//! alone. Given the n_r it is a flow from cells to groups, solved by successive shortest paths over the few cells
//! (`exchange`). If every block reaches what it could reach alone, that is the optimum and the work is done.
//! Else blocks contend for groups, and the n_r are found by branch and bound over its linear relaxation, whose solutions
//! are halves of whole numbers (`parity`).

use super::{exchange::Stock, exchange::Taken, parity};
use crate::{Error, error::check_setting};

/// A labelled item that may enter the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Index of its block: a range of ages, or a range within a stratum.
    pub block: u32,
    /// Whether it is a man; else a woman.
    pub is_male: bool,
    /// Its group, for items that must not all enter together: the source photo. `None` is a group of its own.
    pub group: Option<u32>,
    /// What taking it costs: the width of the label's interval, in thousandths of a year, say.
    pub cost: u32,
}

/// The selection and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Indices of the chosen candidates, rising.
    pub chosen: Vec<usize>,
    /// Pairs of a woman and a man in each block.
    pub pairs: Vec<u32>,
    /// Sum of the costs.
    pub cost: u64,
    /// Relaxations solved to settle which block yields a shared group to which: 0 where no block had to.
    pub relaxations: u32,
}

/// The optimum of the module's objective, for `blocks` blocks, at most `cap` items per cell and `per_group` per group.
///
/// Any of the inputs may be empty. The same candidates in the same order give the same selection. Errors: a candidate
/// of a block that does not exist, `per_group` of 0.
pub fn select(
    candidates: &[Candidate],
    blocks: u32,
    cap: u32,
    per_group: u32,
) -> Result<Selection, Error> {
    let stock = stock(candidates, blocks, per_group)?;
    let reach = reach(&stock, blocks, cap);
    let mut relaxations = 0;
    // Where the blocks together want more than there is, trying would be in vain.
    let wanted: u64 = reach.iter().map(|&n| 2 * u64::from(n)).sum();
    let all = (wanted <= stock.rank()).then(|| fill(&stock, &reach));
    let (pairs, taken) = match all.flatten() {
        Some(taken) => (reach, taken),
        None => {
            let (pairs, solved) = parity::best_pairs(&stock, &reach);
            relaxations = solved;
            let taken = fill(&stock, &pairs);
            // The relaxation gives whole numbers of pairs only if a flow has them.
            (pairs, taken.unwrap_or_else(|| Taken::new(&stock)))
        }
    };
    let chosen = taken.chosen();
    Ok(Selection {
        cost: chosen.iter().map(|&i| u64::from(candidates[i].cost)).sum(),
        chosen,
        pairs,
        relaxations,
    })
}

/// Pairs that each block could have if it were alone: with a cap on groups, without one on cells.
pub fn reachable_pairs(
    candidates: &[Candidate],
    blocks: u32,
    per_group: u32,
) -> Result<Vec<u32>, Error> {
    Ok(reach(
        &stock(candidates, blocks, per_group)?,
        blocks,
        u32::MAX,
    ))
}

/// The largest cap that at least half of the blocks with any pair can reach: the upper median of their pairs; 0 if no
/// block has one. Larger caps leave most blocks short, smaller ones throw items away of which most blocks have enough.
pub fn even_cap(pairs: &[u32]) -> u32 {
    let mut some: Vec<u32> = pairs.iter().copied().filter(|&n| n > 0).collect();
    some.sort_unstable();
    some.get(some.len() / 2).copied().unwrap_or(0)
}

/// The largest cap with which blocks of so many pairs give at most `items` items, if they do not contend for groups.
/// `u32::MAX` if all of them together are not more.
pub fn cap_for_size(pairs: &[u32], items: u64) -> u32 {
    let size = |cap: u32| -> u64 { pairs.iter().map(|&n| 2 * u64::from(n.min(cap))).sum() };
    if size(u32::MAX) <= items {
        return u32::MAX;
    }
    // size(low) ≤ items < size(high)
    let (mut low, mut high) = (0, pairs.iter().copied().max().unwrap_or(0));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if size(middle) <= items {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn stock(candidates: &[Candidate], blocks: u32, per_group: u32) -> Result<Stock, Error> {
    check_setting(
        per_group > 0,
        "per_group",
        f64::from(per_group),
        "must be at least 1",
    )?;
    if let Some(item) = candidates.iter().position(|c| c.block >= blocks) {
        let reason = format!(
            "block {} of {blocks} does not exist",
            candidates[item].block
        );
        return Err(Error::Item { item, reason });
    }
    Ok(Stock::new(candidates, blocks, per_group))
}

/// For each block the pairs it could have alone, at most `cap`: no more than its women, its men, and half of both.
fn reach(stock: &Stock, blocks: u32, cap: u32) -> Vec<u32> {
    let ranks = stock.ranks(blocks);
    let most = |[women, men, both]: &[u32; 3]| cap.min(*women).min(*men).min(both / 2);
    ranks.iter().map(most).collect()
}

/// The cheapest selection with exactly these pairs, if there is one.
fn fill<'a>(stock: &'a Stock, pairs: &[u32]) -> Option<Taken<'a>> {
    let mut taken = Taken::new(stock);
    for (block, &n) in pairs.iter().enumerate() {
        for cell in [2 * block, 2 * block + 1] {
            for _ in 0..n {
                if !taken.grow(cell) {
                    return None;
                }
            }
        }
    }
    Some(taken)
}

#[cfg(test)]
#[path = "balance_tests.rs"]
mod tests;
