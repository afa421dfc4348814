//! Which labelled items become the benchmark, and what is missing.

use super::{
    labelled::Labelled,
    ranges::{AgeRange, Ranges, RangesAsked},
};
use crate::{Result, files::Names, files::manifest::Sex, problem};
use serde::Serialize;
use std::collections::BTreeMap;
use veche_analysis::benchmark::{Candidate, cap_for_size, even_cap, reachable_pairs, select};

/// How many of one cell (a sex in a range) may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// As many as at least half of the ranges can have.
    Even,
    /// As many as there are.
    All,
    /// At most so many.
    At(u32),
    /// The most that gives at most so many items altogether.
    ForSize(u64),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOptions {
    /// The ranges.
    pub ranges: RangesAsked,
    /// Items per cell.
    pub cap: Cap,
    /// Items of one photo.
    pub per_photo: u32,
    /// Decides between items of equal certainty.
    pub seed: u64,
}

/// One range, within a stratum if there are strata.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Block {
    /// Values of the strata's columns; empty without strata.
    pub stratum: String,
    /// The range.
    pub range: AgeRange,
    /// Women among the candidates.
    pub women: u32,
    /// Men among them.
    pub men: u32,
    /// Chosen women, who are as many as the chosen men.
    pub chosen: u32,
    /// Women that are missing for the cap.
    pub women_missing: u32,
    /// Men that are missing for the cap.
    pub men_missing: u32,
    /// Women and men, up to the cap, who are there and not chosen: nobody of the other sex is left, or their photo has given
    /// all it may.
    pub unpaired: u32,
}

impl Block {
    /// As people name it: `20–24`, `Black · 20–24`.
    pub fn name(&self) -> String {
        match self.stratum.as_str() {
            "" => self.range.name.clone(),
            stratum => format!("{stratum} · {}", self.range.name),
        }
    }

    /// Whether it has fewer than the cap.
    pub fn is_short(&self, cap: u32) -> bool {
        self.chosen < cap
    }
}

/// The choice, with what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Chosen candidates, as indices into [`Labelled::candidates`], by item name.
    pub chosen: Vec<usize>,
    /// Range of each of them, as an index into [`Plan::blocks`].
    pub block_of: Vec<usize>,
    /// All ranges, by stratum and age.
    pub blocks: Vec<Block>,
    /// Most items per cell.
    pub cap: u32,
    /// Candidates that lie in no range.
    pub outside: usize,
    /// Candidates left out as copies of a more certain one.
    pub copies: usize,
    /// Photos that show several candidates.
    pub shared_photos: usize,
    /// Mean width of the chosen labels' intervals, if any is known.
    pub mean_width: Option<f64>,
    /// Relaxations solved because ranges contend for photos; 0 where none had to yield.
    pub relaxations: u32,
}

impl Plan {
    /// Ranges with fewer than the cap.
    pub fn short(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|b| b.is_short(self.cap))
    }
}

/// Chooses. `copies` gives candidates (as indices) that show the same picture, group by group.
///
/// The same items with the same labels give the same choice, whatever the order of the table's rows.
/// Errors: no candidates at all.
pub fn plan(labelled: &Labelled, copies: &[Vec<usize>], options: &PlanOptions) -> Result<Plan> {
    let candidates = &labelled.candidates;
    if candidates.is_empty() {
        return problem("no item has both an age and a sex")
            .file(labelled.file())
            .hint("a benchmark balances the sexes inside ranges of age: give labels of both")
            .fail();
    }
    let ranges = Ranges::of(&options.ranges, candidates.iter().map(|c| c.age))?;
    // Ties go to whoever a hash of seed and item puts first: no order of rows decides.
    let key = veche_pools::random::derived_key(options.seed, "benchmark");
    let rank = |i: &usize| {
        let item = labelled.item(&candidates[*i]);
        let hash = blake3::keyed_hash(&key, item.as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap_or_default())
    };
    let mut order: Vec<(u64, usize)> = (0..candidates.len()).map(|i| (rank(&i), i)).collect();
    order.sort_unstable();

    let widest = candidates
        .iter()
        .filter_map(|c| c.width)
        .fold(0.0, f64::max);
    // Whole thousandths add up without rounding. A label of unknown certainty stands behind all others.
    let cost = |width: Option<f64>| match width {
        Some(w) => (w * 1000.0).round().min(f64::from(u32::MAX - 1)) as u32,
        None => (widest * 1000.0).round().min(f64::from(u32::MAX - 1)) as u32 + 1,
    };
    let is_copy = lesser_copies(labelled, copies, &order, cost);

    let mut strata: BTreeMap<String, u32> = BTreeMap::new();
    for c in candidates {
        strata.entry(labelled.stratum(c)).or_default();
    }
    for (at, index) in strata.values_mut().enumerate() {
        *index = at as u32;
    }
    let n_ranges = ranges.0.len();
    let mut blocks: Vec<Block> = strata
        .keys()
        .flat_map(|stratum| ranges.0.iter().map(move |range| (stratum, range)))
        .map(|(stratum, range)| Block {
            stratum: stratum.clone(),
            range: range.clone(),
            women: 0,
            men: 0,
            chosen: 0,
            women_missing: 0,
            men_missing: 0,
            unpaired: 0,
        })
        .collect();
    let mut photos = Names::new();
    let mut in_photo: Vec<u32> = Vec::new();
    let (mut given, mut of, mut outside) = (
        Vec::with_capacity(order.len()),
        Vec::with_capacity(order.len()),
        0,
    );
    for &(_, i) in &order {
        let c = &candidates[i];
        if is_copy[i] {
            continue;
        }
        let Some(range) = ranges.find(c.age) else {
            outside += 1;
            continue;
        };
        let block = strata[&labelled.stratum(c)] as usize * n_ranges + range;
        let is_male = c.sex == Sex::Male;
        if is_male {
            blocks[block].men += 1;
        } else {
            blocks[block].women += 1;
        }
        let photo = labelled.photo(c);
        let group = (!photo.is_empty()).then(|| photos.intern(photo));
        if let Some(group) = group {
            in_photo.resize(photos.len(), 0);
            in_photo[group as usize] += 1;
        }
        given.push(Candidate {
            block: block as u32,
            is_male,
            group,
            cost: cost(c.width),
        });
        of.push(i);
    }
    let n_blocks = blocks.len() as u32;
    let reachable = reachable_pairs(&given, n_blocks, options.per_photo)?;
    let most = reachable.iter().copied().max().unwrap_or(0);
    let cap = match options.cap {
        Cap::Even => even_cap(&reachable),
        Cap::All => most,
        Cap::At(n) => n,
        Cap::ForSize(items) => cap_for_size(&reachable, items).min(most),
    };
    let selection = select(&given, n_blocks, cap, options.per_photo)?;
    for (block, &n) in blocks.iter_mut().zip(&selection.pairs) {
        block.chosen = n;
        block.women_missing = cap.saturating_sub(block.women);
        block.men_missing = cap.saturating_sub(block.men);
        block.unpaired = block.women.min(cap) + block.men.min(cap) - 2 * n;
    }
    let mut chosen: Vec<(String, usize, usize)> = selection
        .chosen
        .iter()
        .map(|&at| {
            (
                labelled.item(&candidates[of[at]]),
                of[at],
                given[at].block as usize,
            )
        })
        .collect();
    chosen.sort_unstable();
    let widths: Vec<f64> = chosen
        .iter()
        .filter_map(|c| candidates[c.1].width)
        .collect();
    Ok(Plan {
        block_of: chosen.iter().map(|c| c.2).collect(),
        chosen: chosen.iter().map(|c| c.1).collect(),
        blocks,
        cap,
        outside,
        copies: is_copy.iter().filter(|c| **c).count(),
        shared_photos: in_photo.iter().filter(|n| **n > 1).count(),
        mean_width: (!widths.is_empty()).then(|| widths.iter().sum::<f64>() / widths.len() as f64),
        relaxations: selection.relaxations,
    })
}

/// Of copies of one picture only the most certain is a candidate; ties as everywhere.
fn lesser_copies(
    labelled: &Labelled,
    copies: &[Vec<usize>],
    order: &[(u64, usize)],
    cost: impl Fn(Option<f64>) -> u32,
) -> Vec<bool> {
    let candidates = &labelled.candidates;
    let mut is_copy = vec![false; candidates.len()];
    let mut groups: Vec<Vec<usize>> = copies.to_vec();
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, c) in candidates.iter().enumerate() {
        if let Some(name) = labelled.copies(c) {
            named.entry(name).or_default().push(i);
        }
    }
    groups.extend(named.into_values().filter(|group| group.len() > 1));
    if groups.is_empty() {
        return is_copy;
    }
    let mut rank = vec![0; candidates.len()];
    for (at, &(_, i)) in order.iter().enumerate() {
        rank[i] = at;
    }
    for group in groups {
        let best = group
            .iter()
            .copied()
            .min_by_key(|&i| (cost(candidates[i].width), rank[i]));
        for i in group {
            is_copy[i] |= Some(i) != best;
        }
    }
    is_copy
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
