//! A made-up campaign for the tests of the page: realistic sizes, no statistics.

use super::chart::{Axis, Bins, Chart, Line, LinePoint, LineSeries, Scatter, ScatterPoint};
use super::*;

/// Dice for a sample: a small linear congruential generator, the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn share(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self, mean: f64, sd: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.share()).sum();
        mean + sd * (sum - 6.0)
    }
}

fn made(command: &str, inputs: &[&str], note: Option<&str>) -> Made {
    Made {
        command: command.into(),
        inputs: inputs.iter().map(|i| (*i).to_owned()).collect(),
        note: note.map(str::to_owned),
    }
}

/// Annotators on their controls.
pub(crate) fn annotators(n: usize, choice: bool, dice: &mut Dice) -> Annotators {
    let scale = if choice { 1.0 / 40.0 } else { 1.0 };
    let mut rows = Vec::new();
    for i in 0..n {
        let bot = i % 12 == 5;
        let mean = if bot { 15.0 } else { 6.9 };
        let error = dice.normal(mean, 1.3).max(if bot { 13.1 } else { 4.54 }) * scale;
        let controls = 3 + (dice.share() * dice.share() * 90.0) as u64;
        let half = 1.96 * error * 0.75 / (controls as f64).sqrt();
        let verdict = match (bot, controls) {
            (_, 0..5) => Verdict::TooFewControls,
            (true, _) => Verdict::Banned,
            _ => Verdict::Kept,
        };
        rows.push(AnnotatorRow {
            id: format!("a{:04}", (i * 7919) % 10_000),
            controls,
            error: Some(error),
            interval: Some(((error - half).max(0.0), error + half)),
            bias: (!choice).then(|| dice.normal(-0.8, 2.0)),
            votes: controls * 6 + (dice.share() * 6.0) as u64,
            seconds_median: Some(dice.normal(5.5, 1.2).max(0.8)),
            verdict,
            evidence: match verdict {
                Verdict::Banned if !choice => {
                    format!("MAE {error:.1} above 13 after {controls} controls")
                }
                Verdict::Banned => format!("banned on age after {controls} controls"),
                Verdict::TooFewControls => format!("{controls} of 5 controls"),
                Verdict::Kept => String::new(),
            },
        });
    }
    let errors: Vec<f64> = rows.iter().filter_map(|r| r.error).collect();
    Annotators {
        errors: Bins::nice(&errors, 28),
        mean: Some(7.58 * scale),
        median: Some(7.05 * scale),
        best: Some(4.54 * scale),
        threshold: (!choice).then_some(13.0),
        rows,
        made: made(
            "veche score",
            &["votes/round-1.parquet", "pool/roles.parquet"],
            None,
        ),
    }
}

/// Number methods with intervals.
pub(crate) fn bake_off() -> BakeOff {
    let rows = [
        ("mean", 5.986, 5.62, 6.37, 7.52, 0.517),
        ("median", 5.267, 4.91, 5.63, 6.86, 0.572),
        ("exp-mae", 4.599, 4.27, 4.94, 6.02, 0.644),
        ("inverse-mae", 5.101, 4.77, 5.44, 6.51, 0.587),
        ("inverse-mae2", 4.818, 4.49, 5.15, 6.22, 0.614),
        ("trimmed", 5.402, 5.05, 5.77, 6.95, 0.561),
        ("winsorized", 5.31, 4.96, 5.67, 6.84, 0.566),
        ("iqm", 5.288, 4.94, 5.65, 6.85, 0.569),
        ("mode", 6.44, 6.01, 6.88, 8.34, 0.489),
    ];
    BakeOff {
        rows: rows
            .iter()
            .map(|r| MethodRow {
                method: r.0.into(),
                value: r.1,
                interval: Some((r.2, r.3)),
                rmse: Some(r.4),
                share_within: Some(r.5),
                items: 100,
                note: String::new(),
            })
            .collect(),
        within: Some(5.0),
        level: 0.95,
        made: made(
            "veche methods votes/round-1.parquet --truth controls.csv",
            &["votes/round-1.parquet", "controls.csv"],
            Some("Intervals: bootstrap over controls, 2,000 draws."),
        ),
    }
}

fn choice_bake_off() -> BakeOff {
    let rows = [
        ("majority", 0.957, 0.93, 0.98),
        ("control-accuracy", 0.968, 0.94, 0.99),
    ];
    BakeOff {
        rows: rows
            .iter()
            .map(|r| MethodRow {
                method: r.0.into(),
                value: r.1,
                interval: Some((r.2, r.3)),
                items: 100,
                ..MethodRow::default()
            })
            .collect(),
        level: 0.95,
        made: made(
            "veche methods --question sex",
            &["votes/round-1.parquet"],
            None,
        ),
        ..BakeOff::default()
    }
}

fn choices(labels: &[(&str, u64)]) -> Vec<ChoiceCount> {
    let count = |(label, count): &(&str, u64)| ChoiceCount {
        label: (*label).into(),
        count: *count,
    };
    labels.iter().map(count).collect()
}

fn photo(photos: &[Vec<u8>], i: usize) -> Option<Picture> {
    photos
        .get(i % photos.len().max(1))
        .and_then(|bytes| Picture::new(bytes))
}

fn age(photos: &[Vec<u8>], n_annotators: usize, dice: &mut Dice) -> QuestionReport {
    let truths = [53.0, 24.0, 61.0, 36.0, 19.0, 45.0, 30.0, 28.0];
    let hard = truths.iter().enumerate().map(|(i, &truth)| {
        let shift = [-16.2, 9.4, -12.1, 8.3, 7.9, -7.4, 6.9, 6.6][i];
        let answers: Vec<f64> = (0..70)
            .map(|_| dice.normal(truth + shift, 4.5).round())
            .collect();
        HardControl {
            name: format!("{:03}_03.jpg", 7 + i * 11),
            picture: photo(photos, i),
            truth: Value::Number(truth),
            answers: 70,
            error: f64::abs(shift) + 0.3,
            bias: Some(shift),
            numbers: Bins::nice(&answers, 14),
            choices: vec![],
            others: vec![Said {
                who: "nano".into(),
                what: Value::Number(truth + 2.0),
            }],
        }
    });
    let controls = hard.collect();
    let examples = (0..8).map(|i| {
        let label = 22.0 + 5.3 * i as f64;
        ExampleItem {
            name: format!("item {:05}", 1234 + i * 7777),
            picture: photo(photos, i + 8),
            label: Value::Number(label),
            interval: Some((label - 4.2 - i as f64 * 0.3, label + 4.6 + i as f64 * 0.4)),
            confidence: None,
            votes: 10 - (i as u64 % 3),
            others: vec![],
        }
    });
    let examples = examples.collect();
    let mut groups = Vec::new();
    for (name, mean, n) in [("female", 31.0, 260), ("male", 37.0, 280)] {
        let labels: Vec<f64> = (0..n)
            .map(|_| dice.normal(mean, 11.0).clamp(1.0, 90.0))
            .collect();
        groups.push(LabelGroup {
            name: name.into(),
            bins: Bins::new(0.0, 2.5, 32, labels),
        });
    }
    let curve = |a: f64, b: f64| {
        (2..=14).map(move |i| {
            let x = f64::from(i) * 5.0;
            let y = a + b * (x - 30.0).abs() / 10.0;
            LinePoint {
                x,
                y,
                band: Some((y * 0.85, y * 1.2)),
            }
        })
    };
    let line = Line {
        title: "Error by true age".into(),
        x: Axis::new("true age", "years"),
        y: Axis::new("mean absolute error", "years"),
        series: vec![
            LineSeries {
                name: "one annotator".into(),
                points: curve(5.5, 0.9).collect(),
            },
            LineSeries {
                name: "label of ten votes".into(),
                points: curve(3.4, 0.5).collect(),
            },
        ],
        from_zero: true,
    };
    let scatter = Scatter {
        title: "Labels against truth".into(),
        x: Axis::new("truth", "years"),
        y: Axis::new("label", "years"),
        points: (0..100)
            .map(|i| {
                let x = 16.0 + (dice.share() * 50.0).round();
                ScatterPoint {
                    x,
                    y: dice.normal(x * 0.85 + 5.0, 4.0),
                    name: format!("control {i}"),
                }
            })
            .collect(),
        line: Some((1.0, 0.0)),
    };
    QuestionReport {
        name: "age".into(),
        prompt: "How old is this person?".into(),
        kind: Kind::Number {
            unit: "years".into(),
        },
        method: Some("exp-mae".into()),
        annotators: Some(annotators(n_annotators, false, dice)),
        bake_off: Some(bake_off()),
        labels: Some(Labels {
            items: 540,
            without: 0,
            numbers: groups,
            level: 0.9,
            interval_width_median: Some(8.73),
            made: made(
                "veche aggregate --method exp-mae",
                &["votes/round-1.parquet"],
                None,
            ),
            ..Labels::default()
        }),
        hardest: Some(Hardest {
            controls,
            made: made("veche report", &["pool/roles.parquet"], None),
        }),
        examples: Some(Examples {
            chosen: "Eight items drawn at random.".into(),
            items: examples,
            level: 0.9,
            made: made(
                "veche aggregate --method exp-mae",
                &["out/labels.csv"],
                None,
            ),
        }),
        figures: vec![
            Figure {
                text: "Ages far from the middle are missed by more.".into(),
                chart: Chart::Line(line),
                made: made("veche curves", &["votes/round-1.parquet"], None),
            },
            Figure {
                text: "Every point is a control. On the line, label and truth agree.".into(),
                chart: Chart::Scatter(scatter),
                made: made("veche methods", &["votes/round-1.parquet"], None),
            },
        ],
    }
}

fn sex(photos: &[Vec<u8>], dice: &mut Dice) -> QuestionReport {
    let hard = (0..4).map(|i| HardControl {
        name: format!("{:03}_03.jpg", 19 + i * 23),
        picture: photo(photos, 16 + i),
        truth: Value::Label("female".into()),
        answers: 70,
        error: 0.41 - 0.07 * i as f64,
        bias: None,
        numbers: Bins::default(),
        choices: choices(&[("female", 41 + 5 * i as u64), ("male", 29 - 5 * i as u64)]),
        others: vec![],
    });
    QuestionReport {
        name: "sex".into(),
        prompt: "Is this person female or male?".into(),
        kind: Kind::Choice,
        method: Some("majority".into()),
        annotators: Some(annotators(40, true, dice)),
        bake_off: Some(choice_bake_off()),
        labels: Some(Labels {
            items: 540,
            choices: choices(&[("female", 260), ("male", 280)]),
            confidence_median: Some(0.987),
            made: made(
                "veche aggregate --method majority",
                &["votes/round-1.parquet"],
                None,
            ),
            ..Labels::default()
        }),
        hardest: Some(Hardest {
            controls: hard.collect(),
            made: made("veche report", &["pool/roles.parquet"], None),
        }),
        ..QuestionReport::default()
    }
}

/// A chapter with everything that one can hold.
fn chapter() -> Chapter {
    let scatter = Scatter {
        title: "Network against label".into(),
        x: Axis::new("label", "years"),
        y: Axis::new("network", "years"),
        points: (0..20)
            .map(|i| ScatterPoint {
                x: f64::from(i),
                y: f64::from(i * i % 17),
                name: format!("item {i}"),
            })
            .collect(),
        line: Some((1.0, 0.0)),
    };
    let grid = |caption: &str, folded| Grid {
        caption: caption.into(),
        columns: vec![
            ("side".into(), false),
            ("MAE".into(), true),
            ("interval".into(), true),
            ("right".into(), true),
            ("items".into(), true),
        ],
        rows: [("people", 7.25), ("network", 6.5)]
            .map(|(side, mae)| {
                vec![
                    GridCell::Text(side.into()),
                    GridCell::Number(Some(mae), 2),
                    GridCell::Interval(Some((mae - 1.0, mae + 1.0)), 2),
                    GridCell::Share(None),
                    GridCell::Count(Some(1200)),
                ]
            })
            .to_vec(),
        folded,
    };
    Chapter {
        id: "curves-age".into(),
        heading: "People and networks".into(),
        intro: "Everybody on the same items.".into(),
        passages: vec![Passage {
            heading: "Error by age".into(),
            text: vec!["The network errs less.".into()],
            drawings: vec![Drawing {
                file: "curves-age-error".into(),
                chart: Chart::Scatter(scatter),
            }],
            photos: vec![Photo {
                name: "item 7".into(),
                picture: None,
                facts: vec![("label".into(), "31 years".into())],
            }],
            grids: vec![grid("All sides", false), grid("Every range", true)],
            made: made("veche curves faces", &["votes/round-1.parquet"], None),
        }],
    }
}

/// A whole campaign.
pub(crate) fn sample(photos: &[Vec<u8>], n_annotators: usize) -> ReportData {
    let mut dice = Dice(7);
    let votes_per_item: Vec<u64> = (0..540)
        .map(|_| {
            if dice.share() < 0.93 {
                10
            } else {
                5 + (dice.share() * 8.0) as u64
            }
        })
        .collect();
    let left = |reason: &str, votes: u64| LeftOutVotes {
        reason: reason.into(),
        votes,
    };
    let policy =
        |policy: &str, in_force: bool, kept: u64, reasons: Vec<LeftOutVotes>| PolicyVotes {
            policy: policy.into(),
            in_force,
            kept,
            reasons,
        };
    ReportData {
        title: "Age and sex of 540 faces".into(),
        simulated: true,
        provenance: Provenance {
            command: "veche demo --seed 7 --out demo".into(),
            version: "0.1.0".into(),
            seed: Some(7),
            made_at: None,
            inputs: vec![
                InputFile {
                    path: "demo/votes/round-1.parquet".into(),
                    hash: "blake3:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
                        .into(),
                    rows: Some(6_300),
                },
                InputFile {
                    path: "demo/pool/roles.parquet".into(),
                    hash: "blake3:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
                        .into(),
                    rows: Some(640),
                },
            ],
        },
        totals: Totals {
            items: 540,
            votes: 12_600,
            annotators: n_annotators as u64,
            banned: 9,
            controls: 100,
        },
        warnings: vec![
            "2 of 102 controls have no known age and were left out: 033_03.jpg and 048_03.jpg."
                .into(),
            "11 items have fewer than 10 votes; their intervals are wider.".into(),
        ],
        progress: Some(Progress {
            wanted: 10,
            items: 540,
            items_done: 529,
            votes_wanted: 5_400,
            votes_collected: 5_371,
            votes_per_item: Bins::whole(votes_per_item),
            made: made("veche votes import", &["result.tsv"], None),
        }),
        questions: vec![age(photos, n_annotators, &mut dice), sex(photos, &mut dice)],
        chapters: vec![chapter()],
        left_out: Some(LeftOut {
            policies: vec![
                policy("keep", false, 12_600, vec![]),
                policy(
                    "after-ban",
                    false,
                    12_290,
                    vec![
                        left("cast after the ban", 270),
                        left("annotator could not tell", 40),
                    ],
                ),
                policy(
                    "from-the-start",
                    true,
                    11_498,
                    vec![
                        left("annotator banned", 1_062),
                        left("annotator could not tell", 40),
                    ],
                ),
            ],
            made: made(
                "veche aggregate",
                &["votes/round-1.parquet", "out/bans.csv"],
                None,
            ),
        }),
        secrecy: Some(Secrecy {
            checks: vec![
                Check {
                    check: "longest sides of pictures are alike".into(),
                    value: "256 px for 540 items and 100 controls".into(),
                    verdict: CheckVerdict::Holds,
                },
                Check {
                    check: "file sizes are alike".into(),
                    value: "median 21.3 kB and 19.8 kB, p = 0.04".into(),
                    verdict: CheckVerdict::Look,
                },
                Check {
                    check: "time to load".into(),
                    value: "no server in this run".into(),
                    verdict: CheckVerdict::Unchecked,
                },
            ],
            made: made("veche pool build", &["pool/tasks.parquet"], None),
        }),
    }
}
