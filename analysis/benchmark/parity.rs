//! How many pairs each block gets when blocks contend for groups.
//!
//! The relaxation that allows fractions is a flow in the double cover of the problem (as for fractional matchings;
//! Balinski 1965): two copies of the flow from cells to groups, where the women of a block in one copy are as many as its
//! men in the other. Its optimum, the mean of the copies, has whole or half numbers of pairs n_r. Where all are whole, a
//! selection with these numbers costs no more; else branch and bound (Land and Doig 1960), best bound first, splits at a
//! half. The first whole solution that comes up is the optimum. Blocks are few and halves are rare, since blocks
//! share them in odd cycles only.

use super::exchange::{Free, Search, Stock, Swap, Taken};
use std::{cmp::Reverse, collections::BinaryHeap};

/// Worth of a pair, more than all costs of one path; and of a pair that a branch demands, more than all pairs of a path.
/// A path is what an optimum is judged by: where one solution is better than another, some path or ring between them is.
const PAIR: i64 = 1 << 45;
const DEMANDED: i64 = 1 << 53;

/// The numbers of pairs, block by block, of the optimum with at most `most` pairs in each; and how many relaxations were solved.
pub(super) fn best_pairs(stock: &Stock, most: &[u32]) -> (Vec<u32>, u32) {
    let mut open = BinaryHeap::new();
    let mut solved = 0;
    let mut push = |open: &mut BinaryHeap<_>, low: Vec<u32>, high: Vec<u32>| {
        solved += 1;
        if let Some(found) = relax(stock, &low, &high) {
            // Most pairs first, then least cost, then the branch made first.
            open.push((
                found.pairs,
                Reverse(found.cost),
                Reverse(solved),
                found.twice,
                low,
                high,
            ));
        }
    };
    push(&mut open, vec![0; most.len()], most.to_vec());
    while let Some((_, _, _, twice, low, high)) = open.pop() {
        let Some(half) = twice.iter().position(|n| n % 2 == 1) else {
            return (twice.iter().map(|n| n / 2).collect(), solved);
        };
        let (mut lower, mut upper) = (high.clone(), low.clone());
        lower[half] = twice[half] / 2;
        upper[half] = twice[half] / 2 + 1;
        push(&mut open, low, lower);
        push(&mut open, upper, high);
    }
    // Nothing at all is always possible, so the loop has returned.
    (vec![0; most.len()], solved)
}

/// A solution of the relaxation, with the most whole pairs and then the least cost.
struct Relaxed {
    /// Pairs altogether.
    pairs: u64,
    /// Twice the cost.
    cost: i64,
    /// Twice the pairs of each block.
    twice: Vec<u32>,
}

/// A step of a path; nodes are cells of the first copy, then cells of the second.
#[derive(Clone, Copy)]
enum Step {
    /// An exchange in one of the copies.
    Swap(usize, Swap),
    /// One unit more (+1) or less (−1) from this cell of the first copy to the other sex of its block in the second.
    Cross(usize, i32),
}

/// Solves the relaxation with `low ≤ n ≤ high`; `None` if there is no solution.
fn relax(stock: &Stock, low: &[u32], high: &[u32]) -> Option<Relaxed> {
    let cells = stock.cells();
    let mut copies = [Taken::new(stock), Taken::new(stock)];
    let mut flow = vec![0_u32; cells];
    let (mut total, mut cost) = (0_u64, 0_i64);
    let mut before = (flow.clone(), cost);
    let mut potentials = first_potentials(low);
    while let Some(path) = shortest(&mut copies, &flow, low, high, &mut potentials) {
        before.0.copy_from_slice(&flow);
        before.1 = cost;
        cost += path.begin.1.cost + path.end.1.cost;
        let mut swaps = [Vec::new(), Vec::new()];
        for step in &path.steps {
            match *step {
                Step::Swap(copy, swap) => {
                    cost += swap.cost;
                    swaps[copy].push(swap);
                }
                Step::Cross(cell, by) => flow[cell] = flow[cell].saturating_add_signed(by),
            }
        }
        for (copy, swaps) in copies.iter_mut().zip(&swaps) {
            copy.exchange(swaps);
        }
        copies[0].take(path.begin.0, path.begin.1);
        copies[1].take(path.end.0, path.end.1);
        total += 1;
    }
    if total % 2 == 1 {
        // Half a pair is none: the best with one unit less is the state before the last path.
        (flow, cost) = before;
    }
    let enough = (0..cells).all(|cell| flow[cell] >= low[cell / 2]);
    enough.then(|| Relaxed {
        pairs: total / 2,
        cost,
        twice: flow.chunks_exact(2).map(|f| f[0] + f[1]).collect(),
    })
}

struct Path {
    begin: (usize, Free),
    steps: Vec<Step>,
    end: (usize, Free),
}

/// Potentials that make every arc at least 0 while nothing flows: of the nodes, and of the sink. The source has 0.
fn first_potentials(low: &[u32]) -> (Vec<i64>, i64) {
    let cells = 2 * low.len();
    let worth = |cell: usize| if low[cell / 2] > 0 { DEMANDED } else { PAIR };
    let second = (0..cells).map(|cell| -worth(cell));
    let sink = second.clone().min().unwrap_or(0);
    (std::iter::repeat_n(0, cells).chain(second).collect(), sink)
}

/// The shortest path that raises the flow by one and gains something (Dijkstra 1959 on lengths made positive by
/// potentials, which are renewed).
fn shortest(
    copies: &mut [Taken<'_>; 2],
    flow: &[u32],
    low: &[u32],
    high: &[u32],
    (potential, sink): &mut (Vec<i64>, i64),
) -> Option<Path> {
    let cells = flow.len();
    let begins: Vec<Option<Free>> = (0..cells).map(|cell| copies[0].free(cell)).collect();
    let mut by: Vec<Option<(usize, Step)>> = vec![None; 2 * cells];
    let mut search = Search::new(2 * cells);
    for (cell, free) in begins.iter().enumerate() {
        if let Some(free) = free {
            search.begin(cell, free.cost - potential[cell]);
        }
    }
    let mut best: Option<(i64, usize, Free)> = None;
    while let Some((length, node)) = search.next() {
        if best.is_some_and(|(limit, ..)| limit <= length) {
            break;
        }
        let mut reach = |to: usize, cost: i64, step: Step| {
            if search.reach(to, length + cost + potential[node] - potential[to]) {
                by[to] = Some((node, step));
            }
        };
        // Crossings lead from a cell of the first copy to the other sex of its block in the second.
        let first = if node < cells {
            node
        } else {
            (node - cells) ^ 1
        };
        let (n, low, high) = (flow[first], low[first / 2], high[first / 2]);
        if node < cells {
            // In the first copy a unit too many moves from the cell that loses it to the one that gains it.
            for swap in copies[0].losses(node) {
                reach(swap.gains as usize, swap.cost, Step::Swap(0, swap));
            }
            if n < high {
                let worth = if n < low { DEMANDED } else { PAIR };
                reach(cells + (node ^ 1), -worth, Step::Cross(first, 1));
            }
        } else {
            // In the second a unit that is wanted moves from the cell that gains to the one that loses.
            for swap in copies[1].gains(node - cells) {
                reach(cells + swap.loses as usize, swap.cost, Step::Swap(1, swap));
            }
            if n > 0 {
                let worth = if n <= low { DEMANDED } else { PAIR };
                reach(first, worth, Step::Cross(first, -1));
            }
            if let Some(free) = copies[1].free(node - cells) {
                let there = length + free.cost + potential[node] - *sink;
                if best.is_none_or(|(limit, ..)| there < limit) {
                    best = Some((there, node - cells, free));
                }
            }
        }
    }
    let (limit, end, free) = best?;
    // The source keeps 0, so all that lies beyond the sink moves with it.
    search.shorten(potential, limit);
    potential.iter_mut().for_each(|p| *p += limit);
    *sink += limit;
    // The sink's potential is now the path's true length.
    if *sink >= 0 {
        return None;
    }
    let mut steps = Vec::new();
    let mut at = cells + end;
    while let Some((from, step)) = by[at] {
        steps.push(step);
        at = from;
    }
    Some(Path {
        begin: (at, begins[at]?),
        steps,
        end: (end, free),
    })
}
