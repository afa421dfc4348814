//! `veche audit annotators`: how far each errs, and how far they agree.

use super::Audited;
use crate::{
    Result,
    assemble::kind,
    cmd::score::scores,
    curves::{Cell, Picture, Sheet},
    report::{
        Kind,
        chart::{Axis, Bins, Chart, Cloud, CloudPoint, Histogram, Mark, MarkKind},
        format::{count, decimals, interval, number, percent, plural, with_unit},
    },
    study::Study,
};
use serde_json::json;
use veche_analysis::{
    Interval,
    audit::{Resampling, agree_on_labels, agree_on_numbers, habits, median},
};
use veche_pools::banning::Verdict;

/// Errors, bias, round numbers and speed of every annotator on one question, with the agreement of all. `round` is what counts as a round
/// answer. Errors if settings are out of range.
pub fn annotators(
    study: &Study,
    question: usize,
    verdicts: &[Verdict],
    round: f64,
    resampling: &Resampling,
) -> Result<Audited> {
    let numbers = kind(study, question) != Kind::Choice;
    let unit = match kind(study, question) {
        Kind::Number { unit } => unit,
        Kind::Choice => String::new(),
    };
    let n = study.annotators.len();
    let (mut answers, mut seconds) = (vec![Vec::new(); n], vec![Vec::new(); n]);
    for vote in study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
    {
        let who = vote.annotator as usize;
        answers[who].extend(vote.answer.number());
        seconds[who].extend(vote.seconds.map(f64::from));
    }
    let mut sheet = Sheet::new(
        "annotators",
        &[
            "annotator",
            "controls",
            "mae",
            "low",
            "high",
            "bias",
            "accuracy",
            "votes",
            "round_share",
            "distinct",
            "commonest",
            "commonest_share",
            "seconds_median",
            "verdict",
        ],
    );
    let places: std::collections::BTreeMap<&str, usize> = study
        .annotators
        .iter()
        .enumerate()
        .map(|(i, a)| (a.as_str(), i))
        .collect();
    let mut errors: Vec<(f64, u32)> = Vec::new();
    let mut round_shares = Vec::new();
    // Error against how much one answer is repeated: who does not look stands apart in both.
    let mut points: Vec<CloudPoint> = Vec::new();
    for score in scores(study, question, verdicts)? {
        let who = places[score.annotator.as_str()];
        let found = habits(&answers[who], round).filter(|_| numbers);
        let whole = |v: Option<usize>| Cell::Count(v.map(|v| v as u64));
        errors.extend(
            score
                .mae
                .or(score.accuracy.map(|a| 1.0 - a))
                .map(|e| (e, score.n)),
        );
        round_shares.extend(found.map(|h| h.round_share));
        points.extend(found.zip(score.mae).map(|(habits, mae)| CloudPoint {
            x: habits.commonest_share,
            y: mae,
            name: score.annotator.clone(),
            strong: false,
        }));
        sheet.row(vec![
            Cell::Text(score.annotator),
            (score.n as usize).into(),
            score.mae.into(),
            score.low.into(),
            score.high.into(),
            score.bias.into(),
            score.accuracy.into(),
            (score.votes as usize).into(),
            found.map(|h| h.round_share).into(),
            whole(found.map(|h| h.distinct)),
            found.map(|h| h.commonest).into(),
            found.map(|h| h.commonest_share).into(),
            median(seconds[who].clone()).into(),
            score.verdict.into(),
        ]);
    }
    let all: Vec<f64> = errors.iter().map(|e| e.0).collect();
    let mean = (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64);
    let middle = median(all.clone());
    // One lucky answer makes nobody the best.
    let best = errors
        .iter()
        .filter(|e| e.1 >= 10)
        .map(|e| e.0)
        .min_by(f64::total_cmp);
    let far = middle.map(|m| all.iter().filter(|e| **e > 2.0 * m).count());
    let agreement = if numbers {
        agree_on_numbers(&study.number_votes(question, |_| true)?, resampling)?
    } else {
        let votes = study.choice_votes(question, |_| true)?;
        agree_on_labels(&votes, study.n_labels(question), resampling)?
    };
    let (what, d) = if numbers {
        ("mean |error|", decimals(middle))
    } else {
        ("share of wrong answers", 3)
    };
    let value = |v: f64| {
        if numbers {
            with_unit(&number(v, d), &unit)
        } else {
            percent(v)
        }
    };
    let range = |i: Option<Interval>| {
        i.map(|i| format!(" [{}]", interval(&number(i.low, 3), &number(i.high, 3))))
            .unwrap_or_default()
    };
    let mut words = Vec::new();
    if let (Some(mean), Some(middle), Some(far)) = (mean, middle, far) {
        let mut line = format!(
            "The {what} of {} on controls has mean {}, median {}",
            plural(all.len() as u64, "annotator", "annotators"),
            value(mean),
            value(middle)
        );
        if let Some(best) = best {
            line += &format!(", best {} (of those with 10 controls)", value(best));
        }
        words.push(format!(
            "{line}; {} more than twice the median.",
            plural(far as u64, "annotator errs", "annotators err")
        ));
    }
    if let Some(a) = &agreement {
        let mut line = format!(
            "Agreement on {} items with two votes or more: Krippendorff's α {}{}",
            count(a.items as u64),
            number(a.alpha, 3),
            range(a.alpha_interval)
        );
        if let (Some(icc), Some(of_mean)) = (a.icc, a.icc_mean) {
            line += &format!(
                ", ICC(1) of one vote {}{}, of the mean of {} votes {}",
                number(icc, 3),
                range(a.icc_interval),
                number(a.votes_per_item, 1),
                number(of_mean, 3)
            );
        }
        words.push(line + ".");
    }
    if let Some(share) = median(round_shares) {
        words.push(format!(
            "Half of the annotators give multiples of {} in {} of their answers or more.",
            number(round, usize::from(round.fract() != 0.0) * 2),
            percent(share)
        ));
    }
    let marks = [
        ("mean", mean, MarkKind::Mean),
        ("median", middle, MarkKind::Median),
        ("best", best, MarkKind::Best),
    ];
    let marks = marks
        .into_iter()
        .filter_map(|(name, at, kind)| Some(Mark::new(name, at?, kind)));
    for point in &mut points {
        point.strong = middle.is_some_and(|m| point.y > 2.0 * m);
    }
    let habit = Cloud {
        title: "Error and the answer each annotator gives most".into(),
        x: Axis::share("share of the annotator's most frequent answer"),
        y: Axis::new(what, unit.clone()),
        points_name: "annotator".into(),
        strong_name: if points.iter().any(|p| p.strong) {
            "errs more than twice the median".into()
        } else {
            String::new()
        },
        curve_name: String::new(),
        curve: Vec::new(),
        band_name: String::new(),
        thin_name: String::new(),
        diagonal: String::new(),
        from_zero: true,
        points,
    };
    let axis = if numbers {
        Axis::new(what, unit)
    } else {
        Axis::share(what)
    };
    let chart = Histogram::one(
        "Annotators by their error on controls",
        axis,
        "annotators",
        bins(&all),
        marks.collect(),
    );
    let mut pictures = vec![Picture {
        file: "annotators.svg".into(),
        chart: Chart::Histogram(chart),
    }];
    if numbers {
        pictures.push(Picture {
            file: "annotators-habits.svg".into(),
            chart: Chart::Cloud(habit),
        });
    }
    Ok(Audited {
        facts: json!({"annotators": all.len(), "mean": mean, "median": middle, "best": best, "above_twice_median": far,
            "agreement": agreement}),
        words,
        sheets: vec![sheet],
        pictures,
    })
}

/// About thirty bins for the bulk, and as many more as it takes to draw those far outside too: they are whom one looks for.
fn bins(errors: &[f64]) -> Bins {
    let bulk = Bins::nice(errors, 30);
    let largest = errors.iter().copied().fold(bulk.to(), f64::max);
    let n = ((largest - bulk.from) / bulk.width).floor() + 1.0;
    if bulk.above == 0 || n > 200.0 {
        return bulk;
    }
    Bins::new(bulk.from, bulk.width, n as usize, errors.iter().copied())
}
