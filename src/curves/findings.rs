//! Everything computed about a field.

use super::field::{Field, SideKind};
use crate::{Result, problem};
use veche_analysis::{
    aggregation::NumberMethod,
    curves::{
        ADIENCE, ClassAccuracy, ClassScheme, Contest, CurvePoint, CurveSettings, FAIRFACE,
        ItemError, Overlap, OverlapSettings, Pairing, Ranges, SharePoint, Summary, by_range,
        classify, contests, overlap, share_by_range, smoothed, summary,
    },
    smoothing::{places, silverman},
};

/// What to compute.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where ranges start; the last is open.
    pub edges: Option<Vec<f64>>,
    /// Width of even ranges.
    pub width: Option<f64>,
    /// Smooth by this bandwidth, or by the rule of thumb.
    pub smooth: Option<Option<f64>>,
    /// Also by sex.
    pub by_sex: bool,
    /// The k of CS@k.
    pub within: f64,
    /// Level, resamples, seed, thin ranges.
    pub curve: CurveSettings,
    /// Age classes of benchmarks: `None` for both where answers are ages.
    pub classes: Option<Vec<ClassScheme>>,
    /// Error against overlap, by these methods (none: the usual ones).
    pub overlap: Option<(OverlapSettings, Vec<NumberMethod>)>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Ranges of the true answer; `None` if no number is known.
    pub ranges: Option<Ranges>,
    /// Where the last range ends for the eye: beyond the largest truth.
    pub end: f64,
    /// All items, then each sex if asked for.
    pub groups: Vec<Group>,
    /// Level of everything.
    pub settings: CurveSettings,
    /// Bandwidth of smoothed curves.
    pub bandwidth: Option<f64>,
    /// Items with a known number that lie in no range.
    pub outside: usize,
    /// Accuracy in classes.
    pub classes: Vec<ClassRow>,
    /// Accuracy of sex.
    pub sexes: Vec<SexRow>,
    /// Error against overlap.
    pub overlap: Option<Overlap>,
}

/// The items of one sex, or all.
#[derive(Debug, Clone)]
pub struct Group {
    /// `all`, or the sex.
    pub name: String,
    /// Items all sides have, then, if they differ, all items of each side.
    pub sets: Vec<Set>,
    /// Pairs of sides, by index, with who is better where.
    pub contests: Vec<(usize, usize, Contest)>,
}

/// Curves on one choice of items, one entry per side.
#[derive(Debug, Clone)]
pub struct Set {
    /// Whether only items count that all sides have.
    pub common: bool,
    /// By range.
    pub curves: Vec<Vec<CurvePoint>>,
    /// Smoothed, if asked for.
    pub smooth: Option<Vec<Vec<CurvePoint>>>,
    /// In one line.
    pub summaries: Vec<Option<Summary>>,
}

/// Accuracy of one side in the classes of one benchmark.
#[derive(Debug, Clone)]
pub struct ClassRow {
    /// The benchmark.
    pub scheme: ClassScheme,
    /// The side.
    pub side: String,
    /// Whether only items count that all sides have.
    pub common: bool,
    /// How often it is right.
    pub accuracy: ClassAccuracy,
}

/// Accuracy of one side on sex, of all and by range.
#[derive(Debug, Clone)]
pub struct SexRow {
    /// Index of the side.
    pub side: usize,
    /// All items first, then by range.
    pub points: Vec<SharePoint>,
}

/// Computes all that is wanted. Errors if nothing is known to judge by, or a setting is out of range.
pub fn find(field: &Field, wanted: &Wanted) -> Result<Findings> {
    let known = || field.truth.iter().flatten().copied();
    let mut found = Findings {
        ranges: None,
        end: 0.0,
        groups: Vec::new(),
        settings: wanted.curve,
        bandwidth: None,
        outside: 0,
        classes: classes(field, wanted)?,
        sexes: Vec::new(),
        overlap: None,
    };
    if known().next().is_none() {
        if found.classes.is_empty() {
            return problem("no answer is known, so there is nothing to measure errors by")
                .hint("give known answers: controls, a column `truth`, or --truth; for classes say --classes")
                .fail();
        }
        return Ok(found);
    }
    let whole = known().all(|t| t.fract() == 0.0);
    let years = field.unit == "years";
    let ranges = match (&wanted.edges, wanted.width) {
        (Some(edges), _) => {
            Ranges::from_starts(edges, whole && edges.iter().all(|e| e.fract() == 0.0))?
        }
        (None, Some(width)) => Ranges::even(&field.truth, Some(width))?,
        (None, None) => Ranges::even(&field.truth, years.then_some(5.0))?,
    };
    found.outside = known().filter(|t| ranges.index(*t).is_none()).count();
    let (last, high) = (
        ranges.ends(ranges.len() - 1),
        known().fold(f64::NEG_INFINITY, f64::max),
    );
    found.end = last
        .1
        .unwrap_or(if high > last.0 { high } else { last.0 + 1.0 });

    let errors = field
        .sides
        .iter()
        .map(|s| Ok(s.answers.errors(&field.truth)?))
        .collect::<Result<Vec<_>>>()?;
    if errors.iter().flatten().all(Option::is_none) {
        return problem("no side has an answer on an item whose answer is known")
            .hint("add --predictions NAME=FILE, or votes on items with known answers")
            .fail();
    }
    if let Some(asked) = wanted.smooth {
        let x: Vec<f64> = known().collect();
        found.bandwidth = Some(asked.or_else(|| silverman(&x)).unwrap_or(1.0));
    }
    let mut names = vec!["all".to_owned()];
    if wanted.by_sex {
        let mut sexes: Vec<String> = field.sex.iter().flatten().cloned().collect();
        sexes.sort_unstable();
        sexes.dedup();
        if sexes.is_empty() {
            return problem("no sex is known, so there is nothing to split by")
                .hint("add a column sex to the table of known answers (--truth), or ask a question named sex")
                .fail();
        }
        names.extend(sexes);
    }
    let truths: Vec<Vec<Option<f64>>> = names.iter().map(|name| of_group(field, name)).collect();
    let pairs = pairs(field, &errors);
    // All groups in one family: the ranges of women and of men are tested together.
    let pairings: Vec<Pairing<'_>> = truths
        .iter()
        .flat_map(|truth| {
            pairs.iter().map(|&(a, b)| Pairing {
                truth,
                first: &errors[a],
                second: &errors[b],
            })
        })
        .collect();
    let mut contests = contests(&pairings, &ranges, &wanted.curve)?.into_iter();
    for (name, truth) in names.into_iter().zip(&truths) {
        let mut group = Group {
            name,
            sets: Vec::new(),
            contests: Vec::new(),
        };
        for &(a, b) in &pairs {
            group.contests.extend(contests.next().map(|c| (a, b, c)));
        }
        let common: Vec<Option<f64>> = (0..truth.len())
            .map(|i| truth[i].filter(|_| errors.iter().all(|e| e[i].is_some())))
            .collect();
        let differ = errors.iter().any(|e| {
            (0..truth.len()).any(|i| truth[i].is_some() && e[i].is_some() && common[i].is_none())
        });
        if common.iter().any(Option::is_some) {
            group.sets.push(set(
                field,
                &errors,
                &common,
                true,
                &ranges,
                wanted,
                found.bandwidth,
            )?);
        }
        if differ {
            group.sets.push(set(
                field,
                &errors,
                truth,
                false,
                &ranges,
                wanted,
                found.bandwidth,
            )?);
        }
        found.groups.push(group);
    }
    for (side, of) in field.sides.iter().enumerate() {
        if let Some(right) = &of.sex_right {
            let points = share_by_range(&field.truth, right, &ranges, &wanted.curve)?;
            if !points.is_empty() {
                found.sexes.push(SexRow { side, points });
            }
        }
    }
    if let Some((settings, methods)) = &wanted.overlap {
        let Some((votes, method, numbers)) = &field.votes else {
            return problem("error against overlap needs single votes")
                .hint("give a table of votes or a campaign")
                .fail();
        };
        let mut methods = methods.clone();
        if methods.is_empty() {
            methods = vec![
                NumberMethod::Mean,
                NumberMethod::Median,
                NumberMethod::ExpMae,
            ];
            if !methods.contains(method) {
                methods.push(*method);
            }
        }
        found.overlap = Some(overlap(votes, &field.truth, &methods, numbers, settings)?);
    }
    found.ranges = Some(ranges);
    Ok(found)
}

fn of_group(field: &Field, name: &str) -> Vec<Option<f64>> {
    let belongs = |i: usize| name == "all" || field.sex[i].as_deref() == Some(name);
    (0..field.truth.len())
        .map(|i| field.truth[i].filter(|_| belongs(i)))
        .collect()
}

/// Labels against networks, single answers against networks, the first network against the others.
fn pairs(field: &Field, errors: &[Vec<Option<ItemError>>]) -> Vec<(usize, usize)> {
    let of = |kind: SideKind| -> Vec<usize> {
        (0..field.sides.len())
            .filter(|&s| field.sides[s].kind == kind && errors[s].iter().any(Option::is_some))
            .collect()
    };
    let networks = of(SideKind::Network);
    let mut pairs = Vec::new();
    for kind in [SideKind::Label, SideKind::People] {
        for a in of(kind) {
            pairs.extend(networks.iter().map(|&b| (a, b)));
        }
    }
    pairs.extend(networks.iter().skip(1).map(|&b| (networks[0], b)));
    pairs
}

fn set(
    field: &Field,
    errors: &[Vec<Option<ItemError>>],
    truth: &[Option<f64>],
    common: bool,
    ranges: &Ranges,
    wanted: &Wanted,
    bandwidth: Option<f64>,
) -> Result<Set> {
    let x: Vec<f64> = truth.iter().flatten().copied().collect();
    let at = places(&x, 100);
    let mut set = Set {
        common,
        curves: Vec::new(),
        smooth: bandwidth.map(|_| Vec::new()),
        summaries: Vec::new(),
    };
    for (side, errors) in field.sides.iter().zip(errors) {
        set.curves
            .push(by_range(truth, errors, ranges, &wanted.curve)?);
        if let (Some(smooth), Some(bandwidth)) = (&mut set.smooth, bandwidth) {
            smooth.push(smoothed(truth, errors, &at, bandwidth, &wanted.curve)?);
        }
        set.summaries
            .push(summary(&side.answers, truth, wanted.within, &wanted.curve)?);
    }
    Ok(set)
}

fn classes(field: &Field, wanted: &Wanted) -> Result<Vec<ClassRow>> {
    let schemes = match &wanted.classes {
        Some(schemes) => schemes.clone(),
        None if field.unit == "years" => vec![ADIENCE, FAIRFACE],
        None => Vec::new(),
    };
    let mut rows = Vec::new();
    for scheme in schemes {
        let truth: Vec<Option<usize>> = field
            .truth
            .iter()
            .zip(&field.class)
            .map(|(number, class)| match (number, class) {
                (Some(age), _) => Some(scheme.class_of(*age)),
                (None, Some(text)) => scheme.class_named(text),
                (None, None) => None,
            })
            .collect();
        let answered = |side: &super::FieldSide, i: usize| {
            side.answers
                .share(i, f64::NEG_INFINITY, f64::INFINITY, false)
                .is_some()
        };
        let common: Vec<Option<usize>> = (0..truth.len())
            .map(|i| truth[i].filter(|_| field.sides.iter().all(|s| answered(s, i))))
            .collect();
        for side in &field.sides {
            let mut add = |truth: &[Option<usize>], common: bool| -> Result<Option<usize>> {
                let Some(accuracy) = classify(&side.answers, truth, &scheme, &wanted.curve)? else {
                    return Ok(None);
                };
                let items = accuracy.items;
                rows.push(ClassRow {
                    scheme,
                    side: side.name.clone(),
                    common,
                    accuracy,
                });
                Ok(Some(items))
            };
            let items = add(&common, true)?;
            let all = (0..truth.len())
                .filter(|&i| truth[i].is_some() && answered(side, i))
                .count();
            if items.unwrap_or(0) < all {
                add(&truth, false)?;
            }
        }
    }
    Ok(rows)
}
