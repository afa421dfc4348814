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
        if real + control > 1000 {
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
