//! The cheapest items for given numbers per cell, when groups give only so many: a flow from cells to groups.
//!
//! Items of one group and one cell form a bundle, of which the cheapest are taken first. A cell grows by one along a
//! shortest path of the residual graph (successive shortest paths; Ford and Fulkerson 1958, Busacker and Gowen 1960),
//! which keeps the whole as cheap as can be for its numbers. There are millions of groups but few cells, so the graph is kept
//! between cells only: an arc from a to b is the cheapest exchange inside one full group, in which a gains an item and b
//! loses one. Heaps with entries that go stale hold the exchanges.

use super::balance::Candidate;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// What there is to take: items by cell, and the groups that bind.
pub(super) struct Stock {
    cells: usize,
    per_group: u32,
    cost: Vec<u32>,
    /// Per cell the items whose group can never bind, cheapest first.
    private: Vec<Vec<u32>>,
    /// Items of the groups that can bind: bundle after bundle, cheapest first in each.
    items: Vec<u32>,
    bundles: Vec<Bundle>,
    /// Where the bundles of each group begin; one more than there are groups.
    groups: Vec<u32>,
}

/// Items of one group and one cell.
#[derive(Debug, Clone, Copy)]
struct Bundle {
    cell: u32,
    group: u32,
    from: u32,
    to: u32,
}

impl Stock {
    /// Sorts the candidates. Two cells per block: women, then men.
    pub(super) fn new(candidates: &[Candidate], blocks: u32, per_group: u32) -> Self {
        let cell = |i: u32| {
            let c = &candidates[i as usize];
            2 * c.block + u32::from(c.is_male)
        };
        let cost = |i: u32| candidates[i as usize].cost;
        let mut stock = Self {
            cells: 2 * blocks as usize,
            per_group,
            cost: candidates.iter().map(|c| c.cost).collect(),
            private: vec![Vec::new(); 2 * blocks as usize],
            items: Vec::new(),
            bundles: Vec::new(),
            groups: vec![0],
        };
        let mut grouped: Vec<(u32, u32, u32, u32)> = Vec::new();
        for i in 0..candidates.len() as u32 {
            match candidates[i as usize].group {
                None => stock.private[cell(i) as usize].push(i),
                Some(group) => grouped.push((group, cell(i), cost(i), i)),
            }
        }
        grouped.sort_unstable();
        for group in grouped.chunk_by(|a, b| a.0 == b.0) {
            stock.add_group(group);
        }
        for list in &mut stock.private {
            list.sort_unstable_by_key(|&i| (cost(i), i));
        }
        stock
    }

    /// Adds a group; its members are sorted by cell and cost.
    fn add_group(&mut self, members: &[(u32, u32, u32, u32)]) {
        // Of one cell no more than the group gives can ever be taken.
        let most = self.per_group as usize;
        let parts = || members.chunk_by(|a, b| a.1 == b.1);
        let useful: usize = parts().map(|part| part.len().min(most)).sum();
        let binds = useful > most;
        let group = self.groups.len() as u32 - 1;
        for part in parts() {
            let part = &part[..part.len().min(most)];
            let cell = part[0].1;
            if !binds {
                self.private[cell as usize].extend(part.iter().map(|m| m.3));
                continue;
            }
            let from = self.items.len() as u32;
            self.items.extend(part.iter().map(|m| m.3));
            let to = self.items.len() as u32;
            self.bundles.push(Bundle {
                cell,
                group,
                from,
                to,
            });
        }
        if binds {
            self.groups.push(self.bundles.len() as u32);
        }
    }

    /// Number of cells.
    pub(super) fn cells(&self) -> usize {
        self.cells
    }

    /// How many items can be taken from all cells together.
    pub(super) fn rank(&self) -> u64 {
        let private: usize = self.private.iter().map(Vec::len).sum();
        // A group that binds gives all it may.
        private as u64 + (self.groups.len() as u64 - 1) * u64::from(self.per_group)
    }

    /// For each block how many items can be taken together of its women, of its men, and of both.
    pub(super) fn ranks(&self, blocks: u32) -> Vec<[u32; 3]> {
        let mut ranks: Vec<[u32; 3]> = (0..blocks as usize)
            .map(|block| {
                let [women, men] = [2 * block, 2 * block + 1].map(|c| self.private[c].len() as u32);
                [women, men, women + men]
            })
            .collect();
        for bounds in self.groups.windows(2) {
            let bundles = &self.bundles[bounds[0] as usize..bounds[1] as usize];
            // Bundles of a group are sorted by cell, so those of a block are neighbours.
            for of_block in bundles.chunk_by(|a, b| a.cell / 2 == b.cell / 2) {
                let rank = &mut ranks[of_block[0].cell as usize / 2];
                let mut both = 0;
                for bundle in of_block {
                    let n = bundle.to - bundle.from;
                    rank[bundle.cell as usize % 2] += n;
                    both += n;
                }
                rank[2] += both.min(self.per_group);
            }
        }
        ranks
    }
}

/// A cell's cheapest item that is free for the taking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Free {
    pub(super) cost: i64,
    /// Its bundle; `None` for an item whose group does not bind.
    bundle: Option<u32>,
}

/// The cheapest exchange between two cells inside a full group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Swap {
    /// The cell that gains an item.
    pub(super) gains: u32,
    /// The cell that loses one.
    pub(super) loses: u32,
    pub(super) cost: i64,
    into: u32,
    out_of: u32,
}

/// Cost, bundle, bundle or 0, version of the group.
type Entry = Reverse<(i64, u32, u32, u32)>;

/// What has been taken so far: as cheap as can be for its numbers per cell.
pub(super) struct Taken<'a> {
    stock: &'a Stock,
    private: Vec<u32>,
    count: Vec<u32>,
    used: Vec<u32>,
    /// Raised when a group's counts change; entries of older versions are stale.
    version: Vec<u32>,
    open: Vec<BinaryHeap<Entry>>,
    /// Lengths that make every arc of the residual graph at least 0 (Edmonds and Karp 1972); that of the sink is 0.
    potential: Vec<i64>,
    heaps: Vec<BinaryHeap<Entry>>,
    /// The best exchange of each pair of cells that ever had one; the heaps stand in the same order.
    swaps: Vec<(u32, u32, Option<Swap>)>,
    swap_of: BTreeMap<(u32, u32), u32>,
    /// For each cell the places in `swaps` in which it gains, and in which it loses.
    gaining: Vec<Vec<u32>>,
    losing: Vec<Vec<u32>>,
}

impl<'a> Taken<'a> {
    /// Nothing taken yet.
    pub(super) fn new(stock: &'a Stock) -> Self {
        let groups = stock.groups.len() - 1;
        let mut taken = Self {
            stock,
            private: vec![0; stock.cells],
            count: vec![0; stock.bundles.len()],
            used: vec![0; groups],
            version: vec![0; groups],
            open: vec![BinaryHeap::new(); stock.cells],
            potential: vec![0; stock.cells],
            heaps: Vec::new(),
            swaps: Vec::new(),
            swap_of: BTreeMap::new(),
            gaining: vec![Vec::new(); stock.cells],
            losing: vec![Vec::new(); stock.cells],
        };
        for b in 0..stock.bundles.len() as u32 {
            taken.offer(b);
        }
        taken
    }

    /// Cost of the next item of a bundle, if any is left.
    fn next(&self, bundle: u32) -> Option<i64> {
        let b = &self.stock.bundles[bundle as usize];
        let at = b.from + self.count[bundle as usize];
        (at < b.to).then(|| i64::from(self.stock.cost[self.stock.items[at as usize] as usize]))
    }

    /// Cost of the last item taken of a bundle, if any was.
    fn last(&self, bundle: u32) -> Option<i64> {
        let b = &self.stock.bundles[bundle as usize];
        let taken = self.count[bundle as usize].checked_sub(1)?;
        let item = self.stock.items[(b.from + taken) as usize];
        Some(i64::from(self.stock.cost[item as usize]))
    }

    fn offer(&mut self, bundle: u32) {
        let Some(cost) = self.next(bundle) else {
            return;
        };
        let b = self.stock.bundles[bundle as usize];
        let version = self.version[b.group as usize];
        self.open[b.cell as usize].push(Reverse((cost, bundle, 0, version)));
    }

    /// Renews the entries of a group whose counts have changed.
    fn renew(&mut self, group: u32) {
        let g = group as usize;
        self.version[g] += 1;
        let bundles = self.stock.groups[g]..self.stock.groups[g + 1];
        if self.used[g] < self.stock.per_group {
            bundles.for_each(|b| self.offer(b));
            return;
        }
        for into in bundles.clone() {
            for out_of in bundles.clone().filter(|&b| b != into) {
                self.renew_swap(into, out_of);
            }
        }
    }

    /// Offers the exchange of two bundles of a full group, if there is one now, and finds the best of their cells anew.
    fn renew_swap(&mut self, into: u32, out_of: u32) {
        let stock = self.stock;
        let [gains, loses] = [into, out_of].map(|b| stock.bundles[b as usize].cell);
        let cost = self.next(into).zip(self.last(out_of)).map(|(a, b)| a - b);
        let at = match (self.swap_of.get(&(gains, loses)), cost) {
            (Some(&at), _) => at as usize,
            (None, None) => return,
            (None, Some(_)) => {
                let at = self.swaps.len();
                self.swap_of.insert((gains, loses), at as u32);
                self.swaps.push((gains, loses, None));
                self.heaps.push(BinaryHeap::new());
                self.gaining[gains as usize].push(at as u32);
                self.losing[loses as usize].push(at as u32);
                at
            }
        };
        if let Some(cost) = cost {
            let group = stock.bundles[into as usize].group;
            let version = self.version[group as usize];
            self.heaps[at].push(Reverse((cost, into, out_of, version)));
        }
        let top = Self::top(&mut self.heaps[at], &stock.bundles, &self.version);
        self.swaps[at].2 = top.map(|(cost, into, out_of)| Swap {
            gains,
            loses,
            cost,
            into,
            out_of,
        });
    }

    /// The top of a heap after stale entries are gone.
    fn top(
        heap: &mut BinaryHeap<Entry>,
        bundles: &[Bundle],
        version: &[u32],
    ) -> Option<(i64, u32, u32)> {
        while let Some(&Reverse((cost, bundle, other, of))) = heap.peek() {
            if version[bundles[bundle as usize].group as usize] == of {
                return Some((cost, bundle, other));
            }
            heap.pop();
        }
        None
    }

    /// The cheapest item of a cell that can be taken without giving one back.
    pub(super) fn free(&mut self, cell: usize) -> Option<Free> {
        let stock = self.stock;
        let private = stock.private[cell]
            .get(self.private[cell] as usize)
            .map(|&i| Free {
                cost: i64::from(stock.cost[i as usize]),
                bundle: None,
            });
        let shared = Self::top(&mut self.open[cell], &stock.bundles, &self.version);
        match (private, shared) {
            (Some(p), Some((cost, ..))) if p.cost <= cost => Some(p),
            (_, Some((cost, bundle, _))) => Some(Free {
                cost,
                bundle: Some(bundle),
            }),
            (p, None) => p,
        }
    }

    /// The cheapest exchanges in which a cell gains an item, one for each cell that may lose it.
    pub(super) fn gains(&self, cell: usize) -> impl Iterator<Item = Swap> + '_ {
        let at = self.gaining[cell].iter();
        at.filter_map(|&at| self.swaps[at as usize].2)
    }

    /// The cheapest exchanges in which a cell loses an item.
    pub(super) fn losses(&self, cell: usize) -> impl Iterator<Item = Swap> + '_ {
        let at = self.losing[cell].iter();
        at.filter_map(|&at| self.swaps[at as usize].2)
    }

    /// Takes the free item of a cell.
    pub(super) fn take(&mut self, cell: usize, free: Free) {
        match free.bundle {
            None => self.private[cell] += 1,
            Some(bundle) => {
                let group = self.stock.bundles[bundle as usize].group;
                self.count[bundle as usize] += 1;
                self.used[group as usize] += 1;
                self.renew(group);
            }
        }
    }

    /// Makes exchanges, all found on the state before the first of them.
    pub(super) fn exchange(&mut self, swaps: &[Swap]) {
        for swap in swaps {
            self.count[swap.out_of as usize] -= 1;
        }
        for swap in swaps {
            self.count[swap.into as usize] += 1;
        }
        for swap in swaps {
            self.renew(self.stock.bundles[swap.into as usize].group);
        }
    }

    /// One more item in a cell, at the least cost; false if no more can be had.
    pub(super) fn grow(&mut self, cell: usize) -> bool {
        let mut search = Search::new(self.stock.cells);
        search.begin(cell, 0);
        let mut by: Vec<Option<Swap>> = vec![None; self.stock.cells];
        // Length to the sink, the cell before it and what is taken there.
        let mut best: Option<(i64, usize, Free)> = None;
        while let Some((length, at)) = search.next() {
            if best.is_some_and(|(limit, ..)| limit <= length) {
                break;
            }
            if let Some(free) = self.free(at) {
                let there = length + free.cost + self.potential[at];
                if best.is_none_or(|(limit, ..)| there < limit) {
                    best = Some((there, at, free));
                }
            }
            for swap in self.gains(at) {
                let to = swap.loses as usize;
                let arc = swap.cost + self.potential[at] - self.potential[to];
                if search.reach(to, length + arc) {
                    by[to] = Some(swap);
                }
            }
        }
        let Some((limit, end, free)) = best else {
            return false;
        };
        search.shorten(&mut self.potential, limit);
        let mut path = Vec::new();
        let mut at = end;
        while at != cell
            && let Some(swap) = by[at]
        {
            path.push(swap);
            at = swap.gains as usize;
        }
        self.exchange(&path);
        self.take(end, free);
        true
    }

    /// Indices of the candidates taken, rising.
    pub(super) fn chosen(&self) -> Vec<usize> {
        let stock = self.stock;
        let mut chosen: Vec<usize> = Vec::new();
        for (list, &n) in stock.private.iter().zip(&self.private) {
            chosen.extend(list[..n as usize].iter().map(|&i| i as usize));
        }
        for (bundle, &n) in stock.bundles.iter().zip(&self.count) {
            let items = &stock.items[bundle.from as usize..(bundle.from + n) as usize];
            chosen.extend(items.iter().map(|&i| i as usize));
        }
        chosen.sort_unstable();
        chosen
    }
}

/// Dijkstra's search (1959) among few nodes, with lengths of at least 0.
pub(super) struct Search {
    length: Vec<Option<i64>>,
    open: BinaryHeap<Reverse<(i64, usize)>>,
}

impl Search {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            length: vec![None; nodes],
            open: BinaryHeap::new(),
        }
    }

    /// Starts at a node, this far from the source.
    pub(super) fn begin(&mut self, node: usize, length: i64) {
        self.reach(node, length);
    }

    /// Whether this is the shortest way to the node so far.
    pub(super) fn reach(&mut self, node: usize, length: i64) -> bool {
        debug_assert!(length >= 0, "a potential is wrong");
        let shorter = self.length[node].is_none_or(|l| length < l);
        if shorter {
            self.length[node] = Some(length);
            self.open.push(Reverse((length, node)));
        }
        shorter
    }

    /// The nearest node that was not visited yet, with its length.
    pub(super) fn next(&mut self) -> Option<(i64, usize)> {
        while let Some(Reverse((length, node))) = self.open.pop() {
            if self.length[node] == Some(length) {
                return Some((length, node));
            }
        }
        None
    }

    /// Renews the potentials after a shortest path of length `limit`: nodes beyond count as at the limit, and all are
    /// measured from there, so that the sink's potential stays.
    pub(super) fn shorten(&self, potential: &mut [i64], limit: i64) {
        for (potential, length) in potential.iter_mut().zip(&self.length) {
            if let Some(length) = length {
                *potential += (length - limit).min(0);
            }
        }
    }
}
