//! The balanced benchmark: chosen from labelled items, frozen in a folder, checked, exported, and models scored on it.

mod card;
pub mod copies;
pub mod export;
pub mod freeze;
pub mod frozen;
pub mod labelled;
pub mod plan;
pub mod predictions;
pub mod ranges;
mod verify;

pub use freeze::{Freezing, coverage, read_shortages};
pub use frozen::{Frozen, FrozenItem, MANIFEST, read_frozen};
pub use labelled::{LabelColumns, Labelled, read_labelled};
pub use plan::{Cap, Plan, PlanOptions, plan};
pub use predictions::read_predictions;
pub use ranges::{AgeRange, Ranges, RangesAsked};
pub use verify::{Fault, verify};
