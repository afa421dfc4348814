//! A vote in eight bytes, or in sixteen where numbers are too large or too many for that.

use super::pages::ABSENT;

/// A vote: the number of its item within a part, its annotator, what it says. Ordered by item, then annotator.
pub(super) trait Record: Copy + Ord + Send + Sync + Default + 'static {
    /// Items of a part, annotators and different values there may be at most.
    const ITEMS: u64;
    const ANNOTATORS: u64;
    const VALUES: u64;
    /// Whether values are numbers of double precision as they are, and not places in a list of them.
    const RAW: bool;
    /// Bytes on the disk.
    const SIZE: usize;

    fn pack(item: u32, annotator: u32, value: u64) -> Self;
    fn item(self) -> u32;
    fn annotator(self) -> u32;
    fn value(self) -> u64;
    fn write(self, out: &mut Vec<u8>);
    fn read(bytes: &[u8], out: &mut Vec<Self>);
}

/// Bits of the value and of the annotator; the rest is the item's.
const VALUE: u32 = 20;
const ANNOTATOR: u32 = 24;

impl Record for u64 {
    const ITEMS: u64 = 1 << (64 - VALUE - ANNOTATOR);
    const ANNOTATORS: u64 = 1 << ANNOTATOR;
    const VALUES: u64 = 1 << VALUE;
    const RAW: bool = false;
    const SIZE: usize = 8;

    fn pack(item: u32, annotator: u32, value: u64) -> Self {
        (u64::from(item) << (VALUE + ANNOTATOR)) | (u64::from(annotator) << VALUE) | value
    }

    fn item(self) -> u32 {
        (self >> (VALUE + ANNOTATOR)) as u32
    }

    fn annotator(self) -> u32 {
        (self >> VALUE) as u32 & ((1 << ANNOTATOR) - 1)
    }

    fn value(self) -> u64 {
        self & ((1 << VALUE) - 1)
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8], out: &mut Vec<Self>) {
        let (all, _) = bytes.as_chunks();
        out.extend(all.iter().map(|&bytes| Self::from_le_bytes(bytes)));
    }
}

impl Record for u128 {
    const ITEMS: u64 = ABSENT as u64 - 1;
    const ANNOTATORS: u64 = ABSENT as u64 - 1;
    const VALUES: u64 = u64::MAX;
    const RAW: bool = true;
    const SIZE: usize = 16;

    fn pack(item: u32, annotator: u32, value: u64) -> Self {
        (Self::from(item) << 96) | (Self::from(annotator) << 64) | Self::from(value)
    }

    fn item(self) -> u32 {
        (self >> 96) as u32
    }

    fn annotator(self) -> u32 {
        (self >> 64) as u32
    }

    fn value(self) -> u64 {
        self as u64
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8], out: &mut Vec<Self>) {
        let (all, _) = bytes.as_chunks();
        out.extend(all.iter().map(|&bytes| Self::from_le_bytes(bytes)));
    }
}

/// What a thread needs to bring votes into order.
#[derive(Debug, Default)]
pub(super) struct Room<R> {
    counts: Vec<u32>,
    sorted: Vec<R>,
}

impl<R: Record> Room<R> {
    /// Orders a part's votes by item and annotator; `n` is above every item.
    pub(super) fn sort(&mut self, records: &mut Vec<R>, n: usize) {
        self.counts.clear();
        self.counts.resize(n + 1, 0);
        for record in records.iter() {
            self.counts[record.item() as usize] += 1;
        }
        let mut start = 0;
        for count in &mut self.counts {
            start += std::mem::replace(count, start);
        }
        self.sorted.clear();
        self.sorted.resize(records.len(), R::default());
        for &record in records.iter() {
            let at = &mut self.counts[record.item() as usize];
            self.sorted[*at as usize] = record;
            *at += 1;
        }
        // Every start has moved to its item's end.
        let mut from = 0;
        for &to in &self.counts[..n] {
            let votes = &mut self.sorted[from as usize..to as usize];
            if votes.len() > 1 {
                votes.sort_unstable();
            }
            from = to;
        }
        std::mem::swap(records, &mut self.sorted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<R: Record + std::fmt::Debug>(item: u32, annotator: u32, value: u64) {
        let record = R::pack(item, annotator, value);
        assert_eq!(
            (record.item(), record.annotator(), record.value()),
            (item, annotator, value)
        );
        let (mut bytes, mut read) = (Vec::new(), Vec::new());
        record.write(&mut bytes);
        record.write(&mut bytes);
        assert_eq!(bytes.len(), 2 * R::SIZE);
        R::read(&bytes, &mut read);
        assert_eq!(read, [record, record]);
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let last = |n: u64| (n - 1) as u32;
        there_and_back::<u64>(last(u64::ITEMS), 0, u64::VALUES - 1);
        there_and_back::<u64>(0, last(u64::ANNOTATORS), 0);
        there_and_back::<u64>(1, 2, 3);
        there_and_back::<u128>(
            last(u128::ITEMS),
            last(u128::ANNOTATORS),
            (-0.1f64).to_bits(),
        );
    }

    #[test]
    fn votes_are_ordered_by_item_and_annotator() {
        let votes = (0..500u32).map(|i| (i * 7919 % 31, i * 104_729 % 997, u64::from(i % 5)));
        let mut records: Vec<u64> = votes.map(|(i, a, v)| u64::pack(i, a, v)).collect();
        let mut expected = records.clone();
        expected.sort_unstable();
        let mut room = Room::default();
        room.sort(&mut records, 31);
        assert_eq!(records, expected);
        room.sort(&mut Vec::new(), 0);
    }
}
