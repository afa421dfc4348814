//! Opaque names of tasks and the order they give to a pool.
//!
//! A name is keyed BLAKE3 of the role's salt and the owner's id, cut to 12 bytes. It depends on nothing else, so an item
//! keeps its name when items are added or reordered, and votes collected earlier still match. Without the seed nobody can
//! recompute a name, hence nobody can test a guess such as "is this task a control?".

use crate::pool::narrow;
use crate::random::derived_key;
use crate::{Error, Slot, TaskName};

/// Salt of the names of items.
pub const ITEM: &str = "item";
/// Salt of the names of controls: a file that is both item and control has two unrelated names.
pub const CONTROL: &str = "control";

/// Turns ids into names with one key and one reused buffer.
struct Namer {
    key: [u8; 32],
    buffer: Vec<u8>,
    salt_len: usize,
}

impl Namer {
    fn new(seed: u64, role_salt: &str) -> Self {
        // The salt's length goes first: salt "a" with id "bc" must not hash like salt "ab" with id "c".
        let mut buffer = (role_salt.len() as u64).to_le_bytes().to_vec();
        buffer.extend_from_slice(role_salt.as_bytes());
        let salt_len = buffer.len();
        let key = derived_key(seed, "task names");
        Self {
            key,
            buffer,
            salt_len,
        }
    }

    fn name(&mut self, id: &str) -> TaskName {
        self.buffer.truncate(self.salt_len);
        self.buffer.extend_from_slice(id.as_bytes());
        let hash = blake3::keyed_hash(&self.key, &self.buffer);
        let mut name = [0u8; 12];
        name.copy_from_slice(&hash.as_bytes()[..12]);
        TaskName(name)
    }
}

/// The names of `ids`, in the same order. The same seed, salt and id always give the same name; another seed or salt gives
/// an unrelated one. Repeated ids give repeated names: [`Naming::new`] refuses them.
pub fn task_names<'a>(
    seed: u64,
    role_salt: &str,
    ids: impl Iterator<Item = &'a str>,
) -> Vec<TaskName> {
    let mut namer = Namer::new(seed, role_salt);
    ids.map(|id| namer.name(id)).collect()
}

/// All tasks of a pool in the order of their names, and where each item and control went. As names are noise, the order
/// says nothing about role or origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Names in ascending order; the index in this list is the task's index.
    pub names: Vec<TaskName>,
    /// Task index of every item.
    pub task_of_item: Vec<u32>,
    /// Task index of every control.
    pub task_of_control: Vec<u32>,
}

impl Naming {
    /// Names items and controls and sorts them. Either may be empty.
    ///
    /// Errors: an id listed twice among the items or among the controls, with both places; two different ids with the same
    /// name (chance below 10⁻¹⁵ for 10⁷ tasks), with the ids; more than 2³² − 1 tasks. The same id among items and among
    /// controls is allowed here: whether the pictures are the same is decided where pictures are read.
    /// Time n log n, memory at most 32 bytes per task at the peak.
    pub fn new<'a>(
        seed: u64,
        items: impl Iterator<Item = &'a str> + Clone,
        controls: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Self, Error> {
        let (mut item_namer, mut control_namer) =
            (Namer::new(seed, ITEM), Namer::new(seed, CONTROL));
        let mut order: Vec<(TaskName, u32)> =
            Vec::with_capacity(items.size_hint().0 + controls.size_hint().0);
        for id in items.clone() {
            order.push((item_namer.name(id), narrow(order.len())?));
        }
        let n_items = order.len();
        for id in controls.clone() {
            order.push((control_namer.name(id), narrow(order.len())?));
        }
        order.sort_unstable();
        // Of several repetitions the earliest in the owner's order is named, so that the message does not depend on the seed.
        let repeated = order.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        if let Some(pair) = repeated.min_by_key(|pair| pair[1].1) {
            return Err(repetition(
                pair[0].1 as usize,
                pair[1].1 as usize,
                n_items,
                items.chain(controls),
            ));
        }
        let mut task_of_item = vec![0u32; n_items];
        let mut task_of_control = vec![0u32; order.len() - n_items];
        for (task, &(_, source)) in order.iter().enumerate() {
            match (source as usize).checked_sub(n_items) {
                None => task_of_item[source as usize] = task as u32,
                Some(control) => task_of_control[control] = task as u32,
            }
        }
        let names = order.into_iter().map(|(name, _)| name).collect();
        Ok(Self {
            names,
            task_of_item,
            task_of_control,
        })
    }

    /// The task that stands for a slot. Panics if the item or control is not of this pool.
    pub fn task_of(&self, slot: Slot) -> u32 {
        match slot {
            Slot::Item(item) => self.task_of_item[item as usize],
            Slot::Control(control) => self.task_of_control[control as usize],
        }
    }

    /// What every task is, in task order: the inverse of [`Naming::task_of`].
    pub fn origins(&self) -> Vec<Slot> {
        let mut origins = vec![Slot::Item(0); self.names.len()];
        for (item, &task) in self.task_of_item.iter().enumerate() {
            origins[task as usize] = Slot::Item(item as u32);
        }
        for (control, &task) in self.task_of_control.iter().enumerate() {
            origins[task as usize] = Slot::Control(control as u32);
        }
        origins
    }

    /// Task index of a name; `None` if no task of this pool is called so.
    pub fn task(&self, name: TaskName) -> Option<u32> {
        self.names.binary_search(&name).ok().map(|task| task as u32)
    }
}

fn repetition<'a>(
    first: usize,
    second: usize,
    n_items: usize,
    mut ids: impl Iterator<Item = &'a str>,
) -> Error {
    let a = ids.nth(first).unwrap_or_default().to_owned();
    let b = ids.nth(second - first - 1).unwrap_or_default();
    if a != b || (first < n_items) != (second < n_items) {
        return Error::Unusable(format!(
            "\"{a}\" and \"{b}\" get the same task name: rename one of them"
        ));
    }
    let (kind, offset) = if first < n_items {
        ("item", 0)
    } else {
        ("control", n_items)
    };
    Error::DuplicateId {
        kind,
        id: a,
        first: first - offset + 1,
        second: second - offset + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(n: usize, prefix: &str) -> Vec<String> {
        (0..n).map(|i| format!("{prefix}{i}.jpg")).collect()
    }

    fn naming(items: &[String], controls: &[String]) -> Result<Naming, Error> {
        Naming::new(
            7,
            items.iter().map(String::as_str),
            controls.iter().map(String::as_str),
        )
    }

    #[test]
    fn a_name_stays_when_items_are_added_or_reordered() {
        let few = task_names(7, ITEM, ["a.jpg", "b.jpg"].into_iter());
        let more = task_names(7, ITEM, ["z.jpg", "b.jpg", "a.jpg"].into_iter());
        assert_eq!((few[0], few[1]), (more[2], more[1]));
    }

    #[test]
    fn a_name_changes_with_seed_salt_and_id() {
        let name = |seed, salt, id| task_names(seed, salt, std::iter::once(id))[0];
        let base = name(7, ITEM, "a");
        assert_ne!(base, name(8, ITEM, "a"));
        assert_ne!(base, name(7, CONTROL, "a"));
        assert_ne!(base, name(7, ITEM, "b"));
        assert_ne!(name(7, "a", "bc"), name(7, "ab", "c"));
    }

    #[test]
    fn names_are_the_first_twelve_bytes_of_keyed_blake3_over_length_salt_and_id() {
        let key = derived_key(7, "task names");
        let hash = blake3::keyed_hash(&key, b"\x04\0\0\0\0\0\0\0itema.jpg");
        assert_eq!(
            task_names(7, ITEM, std::iter::once("a.jpg"))[0].0,
            hash.as_bytes()[..12]
        );
    }

    #[test]
    fn a_repeated_id_is_an_error_that_names_it_and_both_places() {
        let mut items = ids(50, "i");
        items[41] = "i3.jpg".into();
        items[45] = "i9.jpg".into();
        let e = naming(&items, &ids(5, "c")).unwrap_err();
        assert_eq!(
            e,
            Error::DuplicateId {
                kind: "item",
                id: "i3.jpg".into(),
                first: 4,
                second: 42
            }
        );
        assert_eq!(
            e.to_string(),
            "the item \"i3.jpg\" is listed twice, as number 4 and number 42"
        );
        let controls = ["x".to_owned(), "y".to_owned(), "x".to_owned()];
        let e = naming(&ids(5, "i"), &controls).unwrap_err();
        assert_eq!(
            e,
            Error::DuplicateId {
                kind: "control",
                id: "x".into(),
                first: 1,
                second: 3
            }
        );
    }

    #[test]
    fn an_id_may_be_item_and_control_and_a_pool_may_be_empty() {
        assert!(naming(&ids(5, "i"), &ids(5, "i")).is_ok());
        assert!(naming(&[], &[]).unwrap().names.is_empty());
    }

    #[test]
    fn the_order_of_tasks_says_nothing_about_role() {
        // Ranks of 500 controls among 1,000 tasks: the mean rank has sd √(500·501·1001/12)/500 ≈ 9.1 around 499.5.
        let n = naming(&ids(500, "i"), &ids(500, "c")).unwrap();
        let mean = n.task_of_control.iter().map(|&t| f64::from(t)).sum::<f64>() / 500.0;
        assert!((mean - 499.5).abs() < 4.0 * 9.1, "{mean}");
    }

    proptest! {
        #[test]
        fn every_item_and_control_is_one_task_and_names_ascend(n in 0usize..60, m in 0usize..60) {
            let n = naming(&ids(n, "i"), &ids(m, "c")).unwrap();
            prop_assert!(n.names.windows(2).all(|w| w[0] < w[1]));
            for (task, origin) in n.origins().into_iter().enumerate() {
                prop_assert_eq!(n.task_of(origin) as usize, task);
                prop_assert_eq!(n.task(n.names[task]), Some(task as u32));
            }
        }
    }
}
