//! The tables behind the pictures.

use super::{Cell, Field, Findings, Sheet};
use veche_analysis::{
    Interval,
    curves::{Mean, Ranges, Verdict},
};

fn low(mean: &Mean) -> Cell {
    mean.interval.map(|i| i.low).into()
}

fn high(mean: &Mean) -> Cell {
    mean.interval.map(|i| i.high).into()
}

fn ends(interval: Option<Interval>) -> [Cell; 2] {
    [
        interval.map(|i| i.low).into(),
        interval.map(|i| i.high).into(),
    ]
}

/// Which items a row is about.
fn whose(common: bool) -> Cell {
    if common { "common" } else { "all" }.into()
}

fn range_cells(ranges: &Ranges, range: Option<usize>) -> [Cell; 3] {
    match range {
        Some(r) => {
            let (from, to) = ranges.ends(r);
            [Cell::Text(ranges.label(r, r)), from.into(), to.into()]
        }
        None => [Cell::Text(String::new()), None.into(), None.into()],
    }
}

/// All tables that have rows: summary, curves, contests, wins, classes, sexes, overlap.
pub fn tables(field: &Field, found: &Findings) -> Vec<Sheet> {
    let mut sheets = vec![classes(found), overlap(found)];
    if let Some(ranges) = &found.ranges {
        sheets.extend([
            summaries(field, found),
            curves(field, found, ranges),
            contests(field, found, ranges),
            wins(field, found, ranges),
            sexes(field, found, ranges),
        ]);
    }
    sheets.retain(|s| !s.is_empty());
    sheets
}

fn summaries(field: &Field, found: &Findings) -> Sheet {
    let mut sheet = Sheet::new(
        "summary",
        &[
            "group",
            "items_of",
            "side",
            "items",
            "answers",
            "mae",
            "mae_low",
            "mae_high",
            "rmse",
            "rmse_low",
            "rmse_high",
            "within",
            "share_within",
            "share_within_low",
            "share_within_high",
            "bias",
            "bias_low",
            "bias_high",
            "spread",
        ],
    );
    for group in &found.groups {
        for set in &group.sets {
            for (side, s) in field.sides.iter().zip(&set.summaries) {
                let Some(s) = s else { continue };
                let mut row = vec![
                    Cell::Text(group.name.clone()),
                    whose(set.common),
                    Cell::Text(side.name.clone()),
                    s.items.into(),
                    Cell::Count(Some(s.answers)),
                ];
                for (i, mean) in [s.mae, s.rmse, s.cs, s.bias].iter().enumerate() {
                    if i == 2 {
                        row.push(s.within.into());
                    }
                    row.extend([mean.value.into(), low(mean), high(mean)]);
                }
                row.push(s.spread.into());
                sheet.row(row);
            }
        }
    }
    sheet
}

fn curves(field: &Field, found: &Findings, ranges: &Ranges) -> Sheet {
    let mut sheet = Sheet::new(
        "curves",
        &[
            "group",
            "items_of",
            "side",
            "kind",
            "range",
            "from",
            "to",
            "at",
            "items",
            "answers",
            "mae",
            "mae_low",
            "mae_high",
            "mae_sd",
            "bias",
            "bias_low",
            "bias_high",
            "spread",
            "thin",
        ],
    );
    for group in &found.groups {
        for set in &group.sets {
            let kinds = std::iter::once(("range", &set.curves))
                .chain(set.smooth.iter().map(|s| ("smooth", s)));
            for (kind, curves) in kinds {
                for (side, points) in field.sides.iter().zip(curves) {
                    for p in points {
                        let [range, from, to] = range_cells(ranges, p.range);
                        sheet.row(vec![
                            Cell::Text(group.name.clone()),
                            whose(set.common),
                            Cell::Text(side.name.clone()),
                            kind.into(),
                            range,
                            from,
                            to,
                            p.at.into(),
                            p.items.into(),
                            Cell::Count(p.answers),
                            p.mae.value.into(),
                            low(&p.mae),
                            high(&p.mae),
                            p.mae_sd.into(),
                            p.bias.value.into(),
                            low(&p.bias),
                            high(&p.bias),
                            p.spread.into(),
                            Cell::Flag(p.thin),
                        ]);
                    }
                }
            }
        }
    }
    sheet
}

fn contests(field: &Field, found: &Findings, ranges: &Ranges) -> Sheet {
    let mut sheet = Sheet::new(
        "contests",
        &[
            "group",
            "first",
            "second",
            "range",
            "from",
            "to",
            "items",
            "first_mae",
            "second_mae",
            "difference",
            "low",
            "high",
            "better",
            "single_level",
        ],
    );
    for group in &found.groups {
        for (a, b, contest) in &group.contests {
            for duel in &contest.duels {
                let better = match duel.verdict {
                    Verdict::First => &field.sides[*a].name,
                    Verdict::Second => &field.sides[*b].name,
                    Verdict::Undecided => "undecided",
                    Verdict::TooFew => "too few items",
                };
                let [range, from, to] = range_cells(ranges, Some(duel.range));
                let [low, high] = ends(duel.interval);
                sheet.row(vec![
                    Cell::Text(group.name.clone()),
                    Cell::Text(field.sides[*a].name.clone()),
                    Cell::Text(field.sides[*b].name.clone()),
                    range,
                    from,
                    to,
                    duel.items.into(),
                    duel.first.into(),
                    duel.second.into(),
                    duel.difference.into(),
                    low,
                    high,
                    better.into(),
                    contest.single_level.into(),
                ]);
            }
        }
    }
    sheet
}

fn wins(field: &Field, found: &Findings, ranges: &Ranges) -> Sheet {
    let mut sheet = Sheet::new(
        "wins",
        &[
            "group", "better", "worse", "range", "from", "to", "items", "by", "low", "high",
        ],
    );
    for group in &found.groups {
        for (a, b, contest) in &group.contests {
            for won in &contest.won {
                let (better, worse) = if won.winner == Verdict::First {
                    (a, b)
                } else {
                    (b, a)
                };
                sheet.row(vec![
                    Cell::Text(group.name.clone()),
                    Cell::Text(field.sides[*better].name.clone()),
                    Cell::Text(field.sides[*worse].name.clone()),
                    Cell::Text(ranges.label(won.from, won.to)),
                    ranges.ends(won.from).0.into(),
                    ranges.ends(won.to).1.into(),
                    won.items.into(),
                    won.by.into(),
                    won.interval.low.into(),
                    won.interval.high.into(),
                ]);
            }
        }
    }
    sheet
}

fn classes(found: &Findings) -> Sheet {
    let mut sheet = Sheet::new(
        "classes",
        &[
            "scheme",
            "items_of",
            "side",
            "class",
            "items",
            "accuracy",
            "low",
            "high",
            "one_off",
            "one_off_low",
            "one_off_high",
        ],
    );
    for row in &found.classes {
        let a = &row.accuracy;
        let start = |class: &str| {
            vec![
                row.scheme.name.into(),
                whose(row.common),
                Cell::Text(row.side.clone()),
                class.into(),
            ]
        };
        let mut cells = start("all");
        cells.push(a.items.into());
        for mean in [&a.exact, &a.one_off] {
            cells.extend([mean.value.into(), low(mean), high(mean)]);
        }
        sheet.row(cells);
        for (label, (items, exact, one_off)) in row.scheme.labels.iter().zip(&a.by_class) {
            if *items > 0 {
                let mut cells = start(label);
                cells.extend([
                    (*items).into(),
                    (*exact).into(),
                    None.into(),
                    None.into(),
                    (*one_off).into(),
                    None.into(),
                    None.into(),
                ]);
                sheet.row(cells);
            }
        }
    }
    sheet
}

fn sexes(field: &Field, found: &Findings, ranges: &Ranges) -> Sheet {
    let mut sheet = Sheet::new(
        "sexes",
        &[
            "side", "range", "from", "to", "at", "items", "accuracy", "low", "high", "thin",
        ],
    );
    for row in &found.sexes {
        for p in &row.points {
            let [mut range, from, to] = range_cells(ranges, p.range);
            if p.range.is_none() {
                range = "all".into();
            }
            sheet.row(vec![
                Cell::Text(field.sides[row.side].name.clone()),
                range,
                from,
                to,
                p.at.into(),
                p.items.into(),
                p.share.value.into(),
                low(&p.share),
                high(&p.share),
                Cell::Flag(p.thin),
            ]);
        }
    }
    sheet
}

fn overlap(found: &Findings) -> Sheet {
    let mut sheet = Sheet::new(
        "overlap",
        &[
            "method",
            "votes",
            "items",
            "mae",
            "low",
            "high",
            "rmse",
            "left_to_gain",
            "left_to_gain_low",
            "left_to_gain_high",
            "floor_rmse",
        ],
    );
    if let Some(overlap) = &found.overlap {
        for curve in &overlap.curves {
            for p in &curve.points {
                sheet.row(vec![
                    curve.method.name().into(),
                    (p.votes as usize).into(),
                    overlap.items.into(),
                    p.mae.value.into(),
                    low(&p.mae),
                    high(&p.mae),
                    p.rmse.into(),
                    p.left_to_gain.value.into(),
                    low(&p.left_to_gain),
                    high(&p.left_to_gain),
                    curve.floor_rmse.into(),
                ]);
            }
        }
    }
    sheet
}
