//! Accuracy in the age classes of a benchmark from regressed ages.

use serde::Serialize;

use super::{Answers, CurveSettings, Mean, means};
use crate::Error;
use crate::error::check_truths;
use crate::interval::wilson;

/// Classes of a benchmark: class i holds ages from `starts[i]` up to, and without, the next start. The first also holds what lies
/// below it, the last is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScheme {
    /// The benchmark's name.
    pub name: &'static str,
    /// Where classes start, ascending.
    pub starts: &'static [f64],
    /// What the benchmark calls them.
    pub labels: &'static [&'static str],
}

/// Adience (Eidinger, Enbar and Hassner 2014) has gaps between its classes. A regressed age needs a class everywhere, so gaps are
/// closed as MiVOLO does (Kuprashevich and Tolstykh 2023).
pub const ADIENCE: ClassScheme = ClassScheme {
    name: "adience",
    starts: &[0.0, 4.0, 7.0, 14.0, 24.0, 36.0, 46.0, 57.0],
    labels: &[
        "0–2", "4–6", "8–12", "15–20", "25–32", "38–43", "48–53", "60–100",
    ],
};

/// FairFace (Karkkainen and Joo 2021): no gaps.
pub const FAIRFACE: ClassScheme = ClassScheme {
    name: "fairface",
    starts: &[0.0, 3.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0],
    labels: &[
        "0–2", "3–9", "10–19", "20–29", "30–39", "40–49", "50–59", "60–69", "70+",
    ],
};

impl ClassScheme {
    /// The class of an age.
    pub fn class_of(&self, age: f64) -> usize {
        self.starts.partition_point(|&s| s <= age).saturating_sub(1)
    }

    /// The class that a cell of a benchmark's table names: `25-32`, `(25, 32)`, `25;32`, `more than 70`, `70+`, or a plain age.
    /// `None` if it has no number, or its two ends lie in different classes.
    pub fn class_named(&self, text: &str) -> Option<usize> {
        let numbers: Vec<f64> = text
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .filter_map(|part| part.parse().ok())
            .collect();
        let classes: Vec<usize> = numbers.iter().map(|&n| self.class_of(n)).collect();
        match classes[..] {
            [one] => Some(one),
            [a, b] if a == b && numbers[0] <= numbers[1] => Some(a),
            _ => None,
        }
    }

    /// From its start to the next one's; the first begins at −∞, the last ends at ∞.
    fn ends(&self, class: usize) -> (f64, f64) {
        let from = if class == 0 {
            f64::NEG_INFINITY
        } else {
            self.starts[class]
        };
        (
            from,
            self.starts.get(class + 1).copied().unwrap_or(f64::INFINITY),
        )
    }
}

/// How often one side hits the class. Every item counts once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassAccuracy {
    /// Items with an answer and a known class.
    pub items: usize,
    /// Share in the right class, with the interval of Wilson (1927) for one answer per item, else by bootstrap over items.
    pub exact: Mean,
    /// Share in the right class or one beside it.
    pub one_off: Mean,
    /// The same class by class, `(items, exact, one_off)`; shares are 0 without items.
    pub by_class: Vec<(usize, f64, f64)>,
}

/// The accuracy of one side in the classes of a scheme; `None` without any item that has both. `truth` holds the true class by item.
/// Errors if lengths differ, a class is not of the scheme, or a setting is out of range.
pub fn classify(
    answers: &Answers,
    truth: &[Option<usize>],
    scheme: &ClassScheme,
    settings: &CurveSettings,
) -> Result<Option<ClassAccuracy>, Error> {
    settings.check()?;
    check_truths(truth.len(), answers.n_items())?;
    let last = scheme.starts.len() - 1;
    let mut rows = Vec::new();
    let mut by_class = vec![(0, 0.0, 0.0); last + 1];
    for (item, class) in truth.iter().enumerate() {
        let Some(class) = *class else { continue };
        if class > last {
            let reason = format!("class {class} of {}", last + 1);
            return Err(Error::Item { item, reason });
        }
        let (from, to) = scheme.ends(class);
        let (low, high) = (
            scheme.ends(class.saturating_sub(1)).0,
            scheme.ends((class + 1).min(last)).1,
        );
        if let (Some(exact), Some(near)) = (
            answers.share(item, from, to, false),
            answers.share(item, low, high, false),
        ) {
            rows.push([exact, near]);
            let row = &mut by_class[class];
            *row = (row.0 + 1, row.1 + exact, row.2 + near);
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    for row in by_class.iter_mut().filter(|r| r.0 > 0) {
        *row = (row.0, row.1 / row.0 as f64, row.2 / row.0 as f64);
    }
    let items = rows.len();
    let [exact, one_off] = shares(rows, settings);
    Ok(Some(ClassAccuracy {
        items,
        exact,
        one_off,
        by_class,
    }))
}

/// Mean shares with their intervals: Wilson's where every share is 0 or 1, else bootstrap intervals.
pub(super) fn shares<const N: usize>(rows: Vec<[f64; N]>, settings: &CurveSettings) -> [Mean; N] {
    let n = rows.len() as f64;
    let plain: [bool; N] = std::array::from_fn(|c| rows.iter().all(|r| r[c] == 0.0 || r[c] == 1.0));
    let mut found = means(rows, settings);
    for (mean, plain) in found.iter_mut().zip(plain) {
        if plain {
            mean.interval = Some(wilson(mean.value * n, n, settings.level));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NumberVotes;

    #[test]
    fn gaps_are_closed_and_every_age_has_a_class() {
        let class = |age| ADIENCE.labels[ADIENCE.class_of(age)];
        assert_eq!(
            [
                class(-1.0),
                class(3.9),
                class(4.0),
                class(13.5),
                class(21.0),
                class(56.9),
                class(57.0)
            ],
            ["0–2", "0–2", "4–6", "8–12", "15–20", "48–53", "60–100"]
        );
        assert_eq!(FAIRFACE.labels[FAIRFACE.class_of(120.0)], "70+");
        for scheme in [ADIENCE, FAIRFACE] {
            assert_eq!(scheme.starts.len(), scheme.labels.len());
        }
    }

    #[test]
    fn the_names_of_classes_in_published_tables_are_understood() {
        let adience: Vec<_> = [
            "(0, 2)",
            "4;6",
            "(8, 12)",
            "15-20",
            "(25, 32)",
            "38–43",
            "48 53",
            "(60, 100)",
            "35",
        ]
        .iter()
        .map(|t| ADIENCE.class_named(t))
        .collect();
        assert_eq!(
            adience,
            [
                Some(0),
                Some(1),
                Some(2),
                Some(3),
                Some(4),
                Some(5),
                Some(6),
                Some(7),
                Some(4)
            ]
        );
        assert_eq!(FAIRFACE.class_named("more than 70"), Some(8));
        assert_eq!(FAIRFACE.class_named("3-9"), Some(1));
        // A spreadsheet made a date of it.
        assert_eq!(FAIRFACE.class_named("9-Mar"), Some(1));
        assert_eq!(
            [
                FAIRFACE.class_named("None"),
                FAIRFACE.class_named("9-3"),
                FAIRFACE.class_named("0-19")
            ],
            [None; 3]
        );
    }

    #[test]
    fn accuracy_as_worked_by_hand() {
        // True classes 0, 3, 7; predicted 2.9 (0), 24 (4: one off), 20 (3: far off).
        let predicted = Answers::Estimates(vec![Some(2.9), Some(24.0), Some(20.0), None]);
        let truth = [Some(0), Some(3), Some(7), Some(1)];
        let a = classify(&predicted, &truth, &ADIENCE, &CurveSettings::default())
            .unwrap()
            .unwrap();
        assert_eq!(
            (a.items, a.exact.value, a.one_off.value),
            (3, 1.0 / 3.0, 2.0 / 3.0)
        );
        assert_eq!(
            (a.by_class[3], a.by_class[1]),
            ((1, 0.0, 1.0), (0, 0.0, 0.0))
        );
        // Wilson for 1 of 3: 0.0615 to 0.7923.
        let i = a.exact.interval.unwrap();
        assert!(
            (i.low - 0.0615).abs() < 1e-3 && (i.high - 0.7923).abs() < 1e-3,
            "{i:?}"
        );
        let votes = NumberVotes::new(1, 2, &[0, 0], &[0, 1], &[1.0, 5.0]).unwrap();
        let people = classify(
            &Answers::Votes(votes),
            &[Some(0)],
            &ADIENCE,
            &CurveSettings::default(),
        )
        .unwrap()
        .unwrap();
        assert_eq!((people.exact.value, people.one_off.value), (0.5, 1.0));
        assert!(
            classify(
                &predicted,
                &[Some(9); 4],
                &ADIENCE,
                &CurveSettings::default()
            )
            .is_err()
        );
    }
}
