//! What accuracy costs: the expected error of the labels of a campaign that has not been run, and what it takes.
//!
//! [`Population`] says who votes, [`Setup`] what is asked of them, [`Bans`] who is found out when. [`predict`] simulates
//! campaigns from these and labels their items with the very method that will be used; [`curve`] does so for several
//! overlaps, [`cheapest`] finds the least expensive way to a wanted error, [`adaptive`] stops an item as soon as its
//! standard error is small enough. [`formula`] has the closed form for equal annotators, which is exact for the plain mean
//! and nothing else. [`measure`] takes the population from a pilot campaign, with its uncertainty.
//!
//! Why a simulation and not a formula: the error of a weighted mean depends on how annotators differ, on how well few
//! controls tell them apart, on heavy tails and on the bots that were not found out, and each of these is worth more than
//! the five per cent to which a plan should be right.

mod adaptive;
mod bans;
mod cost;
pub mod formula;
mod minds;
mod pilot;
mod population;
mod predict;
mod search;
mod world;

pub use adaptive::{Adaptive, adaptive};
pub use bans::{Bans, BotKind, Caught};
pub use cost::{Bill, ControlNeeds, Prices, Setup, bill, control_needs};
pub use pilot::{Pilot, measure};
pub use population::{Population, Truths, Uncertainty};
pub use predict::{Effort, Plan, Prediction, curve, predict};
pub use search::{Cheapest, cheapest, stops_helping};
