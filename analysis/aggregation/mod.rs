//! From votes to labels. [`NumberMethod`] and [`ChoiceMethod`] are the methods by name; each lives in one file under
//! `number/` or `choice/`. [`bakeoff`] compares them on controls, with every score computed without the item under test.

pub mod bakeoff;
pub(crate) mod bootstrap;
pub mod choice;
pub(crate) mod crossfit;
pub mod number;

pub use bakeoff::{BakeoffSettings, ChoiceRow, NumberRow};
pub use choice::{ChoiceEstimate, ChoiceMethod, ChoiceResult, ChoiceSettings};
pub use number::{NumberEstimate, NumberMethod, NumberResult, NumberSettings};

use serde::Serialize;

/// How a method came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Convergence {
    /// A closed formula: nothing to converge.
    Closed,
    /// Iterations ended because the change fell below the tolerance.
    Converged {
        /// Passes over the votes.
        passes: usize,
    },
    /// Iterations ended at their limit, or because the objective fell: the result is usable and not final.
    Stopped {
        /// Passes over the votes.
        passes: usize,
        /// Largest change in the last pass, in the unit of the estimates (or probability).
        change: f64,
    },
}

impl Convergence {
    /// The less settled of two ends.
    pub(crate) fn less_settled(self, other: Self) -> Self {
        use Convergence::{Closed, Converged, Stopped};
        match (self, other) {
            (Closed, other) | (other, Closed) => other,
            (Converged { passes: a }, Converged { passes: b }) => Converged { passes: a.max(b) },
            (Stopped { change: x, .. }, Stopped { change: y, .. }) => {
                if x >= y {
                    self
                } else {
                    other
                }
            }
            (stopped @ Stopped { .. }, _) | (_, stopped) => stopped,
        }
    }
}
