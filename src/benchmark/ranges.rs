//! Ranges of ages, inside each of which the sexes are balanced.

use crate::{Result, files::manifest::TrueAge, problem};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// One range of ages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgeRange {
    /// As people write it: `20–24`, `70+`. With a long dash, which spreadsheets do not take for a date.
    pub name: String,
    /// Lowest age, years, included.
    pub from: f64,
    /// Where the next range begins, years; `None` if there is no upper end.
    pub to: Option<f64>,
}

impl AgeRange {
    /// From `from` to just below `to`.
    pub fn new(from: f64, to: Option<f64>) -> Self {
        let whole = |v: f64| v.fract() == 0.0;
        let name = match to {
            None => format!("{from}+"),
            Some(to) if whole(from) && whole(to) && to - from == 1.0 => format!("{from}"),
            Some(to) if whole(from) && whole(to) => format!("{from}–{}", to - 1.0),
            Some(to) => format!("{from}–<{to}"),
        };
        Self { name, from, to }
    }

    /// Whether an age of so many years lies in it.
    pub fn holds(&self, years: f64) -> bool {
        self.from <= years && self.to.is_none_or(|to| years < to)
    }

    /// Whether a whole class of ages lies in it.
    fn holds_class(&self, low: f64, high: f64) -> bool {
        // A class holds people until the birthday after its last year.
        self.from <= low && self.to.is_none_or(|to| high + 1.0 <= to)
    }
}

/// Which ranges are wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum RangesAsked {
    /// Ranges of so many years from 0.
    Years(f64),
    /// Ranges between these edges; the last has no upper end.
    Edges(Vec<f64>),
    /// The classes that the labels themselves name.
    Classes,
}

/// Edges of FairFace's nine classes.
pub const FAIRFACE: [f64; 9] = [0.0, 3.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0];
/// Edges between Adience's eight classes, as MiVOLO's evaluation closes their gaps.
pub const ADIENCE: [f64; 8] = [0.0, 4.0, 7.0, 14.0, 24.0, 36.0, 46.0, 57.0];

impl FromStr for RangesAsked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fairface" => return Ok(Self::Edges(FAIRFACE.into())),
            "adience" => return Ok(Self::Edges(ADIENCE.into())),
            "classes" => return Ok(Self::Classes),
            _ => {}
        }
        let number = |t: &str| {
            let value: f64 = t
                .trim()
                .parse()
                .map_err(|_| format!("\"{t}\" is not a number"))?;
            Some(value)
                .filter(|v| v.is_finite() && *v >= 0.0)
                .ok_or_else(|| format!("\"{t}\" is not an age"))
        };
        let edges = text
            .split(',')
            .map(number)
            .collect::<Result<Vec<f64>, _>>()?;
        match edges[..] {
            [years] if years > 0.0 => Ok(Self::Years(years)),
            [_] => Err("a range has at least a part of a year".into()),
            _ if edges.windows(2).all(|w| w[0] < w[1]) => Ok(Self::Edges(edges)),
            _ => Err("edges must rise".into()),
        }
    }
}

/// Ranges in rising order that do not overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges(pub Vec<AgeRange>);

impl Ranges {
    /// The ranges asked for, as far as these ages reach.
    ///
    /// Errors: more than 1000 ranges; classes asked for where an age is in years, or where classes overlap.
    pub fn of(asked: &RangesAsked, ages: impl Iterator<Item = TrueAge>) -> Result<Self> {
        let ages = ages.map(|age| match age {
            TrueAge::Years(y) => (y, y, false),
            TrueAge::Class { low, high } => (low, high, true),
        });
        match asked {
            RangesAsked::Years(width) => {
                let (low, high) = ages.fold((f64::INFINITY, 0.0_f64), |(low, high), (a, b, _)| {
                    (low.min(a), high.max(if b.is_finite() { b } else { a }))
                });
                let first = (low / width).floor();
                let n = (high / width).floor() - first + 1.0;
                if n > 1000.0 {
                    return problem("there would be more than 1000 ranges")
                        .hint("choose wider ones")
                        .fail();
                }
                let edge = |i: f64| (first + i) * width;
                let range = |i: usize| AgeRange::new(edge(i as f64), Some(edge(i as f64 + 1.0)));
                Ok(Self((0..n.max(0.0) as usize).map(range).collect()))
            }
            RangesAsked::Edges(edges) => {
                let range = |i: usize| AgeRange::new(edges[i], edges.get(i + 1).copied());
                Ok(Self((0..edges.len()).map(range).collect()))
            }
            RangesAsked::Classes => {
                let mut classes: Vec<(f64, f64)> = Vec::new();
                for (low, high, is_class) in ages {
                    if !is_class {
                        return problem("the ages are not all classes")
                            .value(low.to_string())
                            .hint("name the ranges: --ranges 5, or --ranges 0,3,10,20")
                            .fail();
                    }
                    if !classes.contains(&(low, high)) {
                        classes.push((low, high));
                    }
                }
                classes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
                if let Some(w) = classes.windows(2).find(|w| w[0].1 >= w[1].0) {
                    return problem(format!(
                        "classes of ages overlap: {}–{} and {}–{}",
                        w[0].0, w[0].1, w[1].0, w[1].1
                    ))
                    .hint("correct the labels, or name the ranges: --ranges 0,3,10,20")
                    .fail();
                }
                let to = |high: f64| high.is_finite().then_some(high + 1.0);
                Ok(Self(
                    classes
                        .iter()
                        .map(|&(low, high)| AgeRange::new(low, to(high)))
                        .collect(),
                ))
            }
        }
    }

    /// The range of an age; `None` if it lies in none, or if its class reaches over the end of one.
    pub fn find(&self, age: TrueAge) -> Option<usize> {
        let start = match age {
            TrueAge::Years(years) => years,
            TrueAge::Class { low, .. } => low,
        };
        let at = self.0.partition_point(|r| r.from <= start).checked_sub(1)?;
        let fits = match age {
            TrueAge::Years(years) => self.0[at].holds(years),
            TrueAge::Class { low, high } => self.0[at].holds_class(low, high),
        };
        fits.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &str, ages: &[TrueAge]) -> Vec<String> {
        let ranges = Ranges::of(&asked.parse().unwrap(), ages.iter().copied()).unwrap();
        ranges.0.into_iter().map(|r| r.name).collect()
    }

    #[test]
    fn five_year_ranges_reach_from_the_youngest_to_the_oldest() {
        let ages = [TrueAge::Years(9.5), TrueAge::Years(20.0)];
        assert_eq!(names("5", &ages), ["5–9", "10–14", "15–19", "20–24"]);
        assert_eq!(names("5", &[]), [""; 0]);
        assert_eq!(names("1", &ages[..1]), ["9"]);
        assert_eq!(names("0.5", &ages[..1]), ["9.5–<10"]);
    }

    #[test]
    fn classes_become_ranges_in_order() {
        let class = |low, high| TrueAge::Class { low, high };
        let ages = [
            class(70.0, f64::INFINITY),
            class(0.0, 2.0),
            class(3.0, 9.0),
            class(0.0, 2.0),
        ];
        assert_eq!(names("classes", &ages), ["0–2", "3–9", "70+"]);
        let ranges = Ranges::of(&"fairface".parse().unwrap(), [].into_iter()).unwrap();
        assert_eq!(
            ages.map(|age| ranges.find(age)),
            [Some(8), Some(0), Some(1), Some(0)]
        );
        assert_eq!(ranges.find(class(3.0, 10.0)), None, "reaches into the next");
        let overlap = [class(0.0, 5.0), class(3.0, 9.0)];
        assert!(Ranges::of(&RangesAsked::Classes, overlap.into_iter()).is_err());
        assert!(Ranges::of(&RangesAsked::Classes, [TrueAge::Years(1.0)].into_iter()).is_err());
    }

    #[test]
    fn what_is_no_list_of_edges_is_refused() {
        for text in ["", "0", "5,3", "a", "-5", "1,1", "inf"] {
            assert!(text.parse::<RangesAsked>().is_err(), "{text}");
        }
    }
}
