//! What the figures say, in sentences.

use super::{Field, Findings, Group, SideKind, Theme};
use crate::report::format::{
    count, decimals, interval, level, number, percent, plural, signed, with_unit,
};
use veche_analysis::{
    Interval,
    curves::{Contest, CurvePoint, Mean, Overlap, Ranges, Verdict},
};

/// Formats numbers of one field alike.
struct Style<'a> {
    unit: &'a str,
    decimals: usize,
}

impl Style<'_> {
    fn value(&self, value: f64) -> String {
        with_unit(&number(value, self.decimals), self.unit)
    }

    fn interval(&self, i: Option<Interval>) -> String {
        i.map(|i| {
            format!(
                " [{}]",
                interval(
                    &number(i.low, self.decimals),
                    &number(i.high, self.decimals)
                )
            )
        })
        .unwrap_or_default()
    }

    fn mean(&self, mean: &Mean) -> String {
        self.value(mean.value) + &self.interval(mean.interval)
    }
}

/// The sentences, one per line, most important first.
pub fn words(field: &Field, found: &Findings) -> Vec<String> {
    let mut lines = Vec::new();
    if field.simulated {
        lines.push("SIMULATED annotators: nobody looked at anything.".into());
    }
    lines.extend(told(field, found).into_iter().map(|(_, line)| line));
    lines
}

/// The same sentences without that on simulation, each with what it is about.
pub fn told(field: &Field, found: &Findings) -> Vec<(Theme, String)> {
    let errors = found
        .groups
        .iter()
        .flat_map(|g| &g.sets)
        .flat_map(|s| s.summaries.iter().flatten())
        .map(|s| s.mae.value);
    let style = Style {
        unit: &field.unit,
        decimals: decimals(errors),
    };
    let mut lines = Vec::new();
    if let Some(ranges) = &found.ranges {
        for group in &found.groups {
            group_words(field, found, ranges, group, &style, &mut lines);
        }
    }
    if found.outside > 0 {
        let items = plural(found.outside as u64, "item lies", "items lie");
        lines.push((
            Theme::Errors,
            format!("{items} below the first range and in no figure by range."),
        ));
    }
    for row in &found.classes {
        let (a, items) = (
            &row.accuracy,
            if row.common { "" } else { ", all its items" },
        );
        lines.push((
            Theme::Classes,
            format!(
                "{}: {} {} in the right class of {}{items} (one class off allowed: {}), {} items.",
                row.side,
                percent(a.exact.value),
                percent_interval(&a.exact),
                row.scheme.name,
                percent(a.one_off.value),
                count(a.items as u64)
            ),
        ));
    }
    for row in &found.sexes {
        if let Some(all) = row.points.first() {
            let worst = row.points[1..]
                .iter()
                .filter(|p| !p.thin)
                .min_by(|a, b| a.share.value.total_cmp(&b.share.value));
            let worst = worst.zip(found.ranges.as_ref()).and_then(|(p, ranges)| {
                let range = p.range?;
                Some(format!(
                    ", least at {}: {}",
                    ranges.label(range, range),
                    percent(p.share.value)
                ))
            });
            lines.push((
                Theme::Sex,
                format!(
                    "{}: sex right in {} {} of {} items{}.",
                    field.sides[row.side].name,
                    percent(all.share.value),
                    percent_interval(&all.share),
                    count(all.items as u64),
                    worst.unwrap_or_default()
                ),
            ));
        }
    }
    if let Some(overlap) = &found.overlap {
        overlap_words(overlap, &style, &mut lines);
    }
    lines
}

fn percent_interval(mean: &Mean) -> String {
    mean.interval
        .map(|i| format!("[{}]", interval(&percent(i.low), &percent(i.high))))
        .unwrap_or_default()
}

fn group_words(
    field: &Field,
    found: &Findings,
    ranges: &Ranges,
    group: &Group,
    style: &Style<'_>,
    lines: &mut Vec<(Theme, String)>,
) {
    let who = if group.name == "all" {
        String::new()
    } else {
        format!("{}: ", group.name)
    };
    let several = group.sets.len() > 1;
    // Of one sex the common items are enough to read about; the rest is in the tables.
    let wordy = |common: bool| common || group.name == "all" || !several;
    for set in group.sets.iter().filter(|s| wordy(s.common)) {
        let on = match (set.common, several) {
            (true, true) => ", on the items that all sides have",
            (false, _) => ", on all its items",
            _ => "",
        };
        for (side, (s, curve)) in field
            .sides
            .iter()
            .zip(set.summaries.iter().zip(&set.curves))
        {
            let Some(s) = s else { continue };
            let mut line = format!(
                "{who}{}{on}: mean |error| {}, bias {}, {} of {} items within {}",
                side.name,
                style.mean(&s.mae),
                signed(s.bias.value, style.decimals),
                percent(s.cs.value),
                count(s.items as u64),
                with_unit(
                    &number(s.within, usize::from(s.within.fract() != 0.0)),
                    style.unit
                )
            );
            let solid = || curve.iter().filter(|p| !p.thin);
            let at = |p: &CurvePoint| {
                let place = p.range.map(|r| ranges.label(r, r)).unwrap_or_default();
                format!(
                    "{place} ({}, bias {})",
                    number(p.mae.value, style.decimals),
                    signed(p.bias.value, style.decimals)
                )
            };
            let by = |a: &&CurvePoint, b: &&CurvePoint| a.mae.value.total_cmp(&b.mae.value);
            if let (Some(best), Some(worst)) = (solid().min_by(by), solid().max_by(by))
                && best.range != worst.range
            {
                line += &format!("; best at {}, worst at {}", at(best), at(worst));
            }
            lines.push((theme(group, Theme::Errors), line + "."));
        }
    }
    for (a, b, contest) in &group.contests {
        let line = contest_words(field, ranges, &who, (*a, *b), contest, found, style);
        lines.push((theme(group, Theme::Contest), line));
    }
}

/// What is said of one sex is about the sexes.
pub(super) fn theme(group: &Group, of_all: Theme) -> Theme {
    if group.name == "all" {
        of_all
    } else {
        Theme::BySex
    }
}

fn contest_words(
    field: &Field,
    ranges: &Ranges,
    who: &str,
    (a, b): (usize, usize),
    contest: &Contest,
    found: &Findings,
    style: &Style<'_>,
) -> String {
    let (first, second) = (&field.sides[a], &field.sides[b]);
    let Some(difference) = &contest.difference else {
        return format!(
            "{who}{} and {} have no item in common.",
            first.name, second.name
        );
    };
    let (better, worse) = if difference.value > 0.0 {
        (second, first)
    } else {
        (first, second)
    };
    let turned = difference.interval.map(|i| {
        if difference.value > 0.0 {
            i
        } else {
            Interval {
                low: -i.high,
                high: -i.low,
            }
        }
    });
    let sure = turned.is_some_and(|i| i.low > 0.0);
    let size = format!(
        "{}{}",
        style.value(difference.value.abs()),
        style.interval(turned)
    );
    let items = plural(contest.items as u64, "common item", "common items");
    let mut line = match (sure, first.kind == SideKind::Network) {
        // A network beside itself with parts hidden: the drop.
        (true, true) if difference.value < 0.0 => format!(
            "{who}{} errs more than {} by {size} on {items}",
            worse.name, better.name
        ),
        (true, _) => format!(
            "{who}{} errs less than {} by {size} on {items}",
            better.name, worse.name
        ),
        (false, _) => format!(
            "{who}{} and {} cannot be told apart on {items}: {size}",
            first.name, second.name
        ),
    };
    if contest.tested > 0 {
        let won: Vec<String> = contest
            .won
            .iter()
            .map(|w| {
                let winner = if w.winner == Verdict::First {
                    first
                } else {
                    second
                };
                let (by, range) = (style.value(w.by), ranges.label(w.from, w.to));
                format!(
                    "{} at {range} by {by}{}",
                    winner.name,
                    style.interval(Some(w.interval))
                )
            })
            .collect();
        let undecided = contest
            .duels
            .iter()
            .filter(|d| d.verdict == Verdict::Undecided)
            .count();
        let few = contest
            .duels
            .iter()
            .filter(|d| d.verdict == Verdict::TooFew)
            .count();
        line += &if won.is_empty() {
            format!(
                ". In no range is either better with {} confidence",
                level(found.settings.level)
            )
        } else {
            format!(
                ". Better with {} confidence: {}",
                level(found.settings.level),
                won.join("; ")
            )
        };
        if undecided > 0 && !won.is_empty() {
            line += &format!(
                "; undecided in {}",
                plural(undecided as u64, "other range", "other ranges")
            );
        }
        if few > 0 {
            line += &format!(
                "; {} too few items to tell",
                plural(few as u64, "range has", "ranges have")
            );
        }
        line += &format!(
            " (paired, held for all {} ranges together)",
            count(contest.tested as u64)
        );
    }
    line + "."
}

fn overlap_words(overlap: &Overlap, style: &Style<'_>, lines: &mut Vec<(Theme, String)>) {
    for curve in &overlap.curves {
        let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) else {
            continue;
        };
        let gain = first.mae.value - last.mae.value;
        let mut line = format!(
            "{}: from {} vote to {} votes per item the mean |error| goes from {} to {}",
            curve.method.name(),
            first.votes,
            last.votes,
            style.value(first.mae.value),
            style.mean(&last.mae)
        );
        if gain > 0.0 {
            let enough = curve
                .points
                .iter()
                .find(|p| first.mae.value - p.mae.value >= 0.9 * gain);
            if let Some(p) = enough {
                line += &format!(
                    "; {} have nine tenths of that gain",
                    plural(u64::from(p.votes), "vote", "votes")
                );
            }
        }
        if let Some(floor) = curve.floor_rmse {
            line += &format!(
                "; the root mean squared error goes from {} to {}, and by extrapolation no number of votes would bring it below about {}",
                number(first.rmse, style.decimals),
                number(last.rmse, style.decimals),
                style.value(floor)
            );
        }
        lines.push((Theme::Overlap, line + "."));
    }
    let mut line = format!("Overlap was tried on {} items", count(overlap.items as u64));
    if overlap.left_out > 0 {
        line += &format!(
            "; {} with fewer than {} votes left out",
            count(overlap.left_out as u64),
            overlap.most
        );
    }
    line += ", annotators being judged by all their other votes.";
    lines.push((Theme::Overlap, line));
}
