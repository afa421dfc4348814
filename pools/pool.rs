//! Pools, tasks and suites: what is shown to whom, apart from what it is.

use crate::{Answer, Error};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The opaque name under which a task is shown: 24 hexadecimal digits that say nothing about role, item or order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskName(pub [u8; 12]);

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for TaskName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = || {
            Error::Unusable(format!(
                "\"{text}\" is not a task name: 24 hexadecimal digits"
            ))
        };
        if text.len() != 24 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(fail());
        }
        let mut name = [0u8; 12];
        for (byte, at) in name.iter_mut().zip((0..24).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| fail())?;
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for TaskName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.to_string()
    }
}

/// What a task is, known to the requester's side only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Role {
    /// A real task: its answer is wanted.
    Real,
    /// A control: its answer is known, one entry per question of the campaign; `None` where that truth is missing.
    Control(Vec<Option<Answer>>),
}

/// How many real tasks and controls make a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// Real tasks per suite; 6 in the seed campaign.
    pub real: usize,
    /// Controls per suite; 1 in the seed campaign.
    pub control: usize,
}

impl Mix {
    /// Checked: at least one real task, at most 1,000 tasks altogether. Zero controls are allowed and hide nothing.
    pub fn new(real: usize, control: usize) -> Result<Self, Error> {
        let fail = |reason: &str| {
            Err(Error::Mix {
                real,
                control,
                reason: reason.into(),
            })
        };
        if real == 0 {
            return fail("a suite needs at least one real task");
        }
        if real.saturating_add(control) > 1000 {
            return fail("a suite holds at most 1000 tasks");
        }
        Ok(Self { real, control })
    }

    /// Tasks in a full suite.
    pub fn size(self) -> usize {
        self.real + self.control
    }
}

/// Tasks shown together, in this order. Indices are the pool's task indices (name order).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suite {
    /// Task indices in the order in which they are shown.
    pub tasks: Vec<u32>,
}

/// One place of a suite before names are looked up: what is shown there. Never reaches an annotator in this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slot {
    /// A real task: index of its item among the pool's items.
    Item(u32),
    /// A control: its index among the pool's controls.
    Control(u32),
}

impl Slot {
    /// The item's index, if the slot holds a real task.
    pub fn item(self) -> Option<u32> {
        match self {
            Self::Item(index) => Some(index),
            Self::Control(_) => None,
        }
    }

    /// The control's index, if the slot holds a control.
    pub fn control(self) -> Option<u32> {
        match self {
            Self::Control(index) => Some(index),
            Self::Item(_) => None,
        }
    }
}

/// A number of tasks, or an index, as the 32 bits it is kept in.
pub(crate) fn narrow(n: usize) -> Result<u32, Error> {
    match u32::try_from(n) {
        Ok(n) if n < u32::MAX => Ok(n),
        _ => Err(Error::Unusable(format!(
            "{n} tasks are too many: a pool holds fewer than {}",
            u32::MAX
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_name_is_24_hexadecimal_digits_there_and_back() {
        let name = TaskName([0, 1, 0xab, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
        assert_eq!(name.to_string(), "0001ab030405060708090aff");
        assert_eq!("0001AB030405060708090aff".parse(), Ok(name));
        assert_eq!(TaskName::try_from(String::from(name)), Ok(name));
    }

    #[test]
    fn text_that_is_no_task_name_is_refused() {
        for bad in [
            "",
            "0001ab",
            "0001ab030405060708090afg",
            "+001ab030405060708090aff",
            "éé01ab030405060708090a",
        ] {
            assert!(bad.parse::<TaskName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_sort_as_their_text_does() {
        let (low, high) = (TaskName([9; 12]), TaskName([10; 12]));
        assert!(low < high && low.to_string() < high.to_string());
    }

    #[test]
    fn a_mix_needs_a_real_task_and_holds_at_most_a_thousand() {
        assert_eq!(Mix::new(6, 1).unwrap().size(), 7);
        assert_eq!(Mix::new(1, 0).unwrap().size(), 1);
        assert!(Mix::new(0, 1).is_err());
        assert!(Mix::new(999, 1).is_ok() && Mix::new(1000, 1).is_err());
        assert!(Mix::new(usize::MAX, 1).is_err());
    }
}
