//! The figures of crowd-kit 1.4.2 on a small drawn table, made by `tests/reference/choices.py`.

use super::{ChoiceMethod, ChoiceSettings};
use crate::ChoiceVotes;

const VOTES: &str = include_str!("../../../tests/reference/choice_votes.csv");
const REFERENCE: &str = include_str!("../../../tests/reference/choice_reference.csv");

#[test]
fn labels_and_posteriors_are_those_of_crowd_kit() {
    let rows = || {
        VOTES.lines().skip(1).map(|line| {
            let mut cells = line.split(',').map(|cell| cell.parse::<u32>().unwrap());
            [(); 3].map(|()| cells.next().unwrap())
        })
    };
    let column = |c: usize| rows().map(|row| row[c]).collect::<Vec<u32>>();
    let (items, annotators, labels) = (column(0), column(1), column(2));
    let n = items.iter().max().unwrap() + 1;
    let votes = ChoiceVotes::new(n as usize, 12, &items, &annotators, &labels).unwrap();
    let settings = ChoiceSettings {
        distributions: true,
        ..ChoiceSettings::default()
    };
    for name in ["majority", "wawa", "one-coin", "dawid-skene"] {
        let method = ChoiceMethod::from_name(name).unwrap();
        let found = method.estimate(&votes, &vec![None; n as usize], 3, &settings);
        let found = found.unwrap();
        let mut compared = 0;
        for line in REFERENCE
            .lines()
            .filter(|l| l.split(',').next() == Some(name))
        {
            let cells: Vec<f64> = line
                .split(',')
                .skip(1)
                .map(|c| c.parse().unwrap())
                .collect();
            let item = cells[0] as usize;
            let label = f64::from(found.estimates[item].unwrap().label);
            assert_eq!(label, cells[1], "{name}, item {item}");
            for (p, reference) in found.distribution(item).unwrap().iter().zip(&cells[2..]) {
                assert!(
                    (p - reference).abs() < 1e-8,
                    "{name}, item {item}: {p} for {reference}"
                );
            }
            compared += 1;
        }
        assert_eq!(compared, n);
    }
}
