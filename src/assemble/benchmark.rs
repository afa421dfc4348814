//! A frozen benchmark and how networks do on it, as a chapter of the page.

use super::rivals::Rival;
use crate::{
    Result,
    benchmark::{
        Frozen, FrozenItem, coverage, read_frozen, read_predictions, read_shortages, verify,
    },
    curves::slug,
    files::Skipped,
    report::{
        Chapter, Drawing, Grid, GridCell, Made, Passage,
        format::{count, number, plural, signed},
    },
};
use std::path::Path;
use veche_analysis::benchmark::{Ranking, rank};

/// The chapter of the benchmark in a folder; rivals that answer its items are ranked.
pub(super) fn chapter(dir: &Path, rivals: &[Rival]) -> Result<Chapter> {
    let frozen = read_frozen(dir)?;
    let shown = dir.display().to_string();
    let mut passages = vec![counts(&frozen, &shown)?];
    passages.extend(ranking(&frozen, rivals, &shown)?);
    Ok(Chapter {
        id: format!("benchmark-{}", slug(&frozen.description.name)),
        heading: format!("Benchmark: {}", frozen.description.name),
        intro: "A frozen choice of items with men and women equal in every range.".into(),
        passages,
    })
}

fn counts(frozen: &Frozen, shown: &str) -> Result<Passage> {
    let d = &frozen.description;
    let blocks = read_shortages(&frozen.dir)?;
    let faults = verify(&frozen.dir)?;
    let half = d.items / 2;
    let mut text = vec![format!(
        "{} people, {half} women and {half} men, in {}; each range was to have {} women and {} men.",
        count(d.items as u64),
        plural(blocks.len() as u64, "range", "ranges"),
        d.cap,
        d.cap
    )];
    let short: Vec<String> = blocks
        .iter()
        .filter(|b| b.is_short(d.cap))
        .map(|b| format!("{} ({} of each)", b.name(), b.chosen))
        .collect();
    text.push(if short.is_empty() {
        "Every range is full.".into()
    } else {
        format!("Ranges that fall short: {}.", short.join(", "))
    });
    if let Some(e) = d.label_error {
        text.push(format!(
            "On {} with a known answer the labels are off by {} years on average, bias {}.",
            plural(e.items as u64, "item", "items"),
            number(e.mae_years, 2),
            signed(e.bias_years, 2)
        ));
    }
    text.push(match faults.len() {
        0 => "Every file is as it was frozen.".into(),
        n => format!(
            "{} not as they were frozen: results on this copy cannot be compared with others.",
            plural(n as u64, "file is", "files are")
        ),
    });
    let mut grid = Grid {
        caption: "People there, chosen and missing, by range".into(),
        columns: [
            "range",
            "women there",
            "men there",
            "chosen of each",
            "women missing",
            "men missing",
            "without a partner",
        ]
        .iter()
        .enumerate()
        .map(|(i, name)| ((*name).to_owned(), i > 0))
        .collect(),
        ..Grid::default()
    };
    for b in &blocks {
        let mut row = vec![GridCell::Text(b.name())];
        let counts = [
            b.women,
            b.men,
            b.chosen,
            b.women_missing,
            b.men_missing,
            b.unpaired,
        ];
        row.extend(counts.map(|n| GridCell::Count(Some(u64::from(n)))));
        grid.rows.push(row);
    }
    Ok(Passage {
        heading: "What it holds".into(),
        text,
        drawings: vec![Drawing {
            file: format!("benchmark-{}", slug(&d.name)),
            chart: coverage(&blocks, d.cap, &d.name),
        }],
        photos: Vec::new(),
        grids: vec![grid],
        made: Made {
            command: "veche benchmark build".into(),
            inputs: vec![shown.to_owned()],
            note: Some(format!(
                "edition {}, seed {}, veche {}",
                d.edition, d.seed, d.version
            )),
        },
    })
}

fn ranking(frozen: &Frozen, rivals: &[Rival], shown: &str) -> Result<Option<Passage>> {
    let mut models = Vec::new();
    let mut inputs = vec![shown.to_owned()];
    for rival in rivals {
        // A table that is about other items has nothing to say here.
        let read = read_predictions(
            &rival.path,
            &rival.name,
            &frozen.items,
            &mut Skipped::strict(),
        );
        if let Ok((answers, _)) = read {
            models.push(answers);
            inputs.push(rival.path.display().to_string());
        }
    }
    if models.is_empty() {
        return Ok(None);
    }
    let known: Vec<_> = frozen.items.iter().map(FrozenItem::known).collect();
    let ranking = rank(&known, &models, 2000, 0.95, 1)?;
    let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
    let mut text = Vec::new();
    if ranking.unanswered > 0 {
        text.push(format!(
            "{} of {} items have no answer of one model or another and count for none.",
            count(ranking.unanswered as u64),
            count(known.len() as u64)
        ));
    }
    Ok(Some(Passage {
        heading: "Models on it".into(),
        text,
        grids: grids(&names, &ranking),
        made: Made {
            command: "veche benchmark score".into(),
            inputs,
            note: Some("intervals: 95 % paired bootstrap over items, 2,000 draws".into()),
        },
        ..Passage::default()
    }))
}

fn grids(names: &[&str], ranking: &Ranking) -> Vec<Grid> {
    let columns = |names: &[&str]| {
        names
            .iter()
            .map(|n| (n.trim_start_matches('#').to_owned(), n.starts_with('#')))
            .collect()
    };
    let years = |metric: &str| metric == "mae";
    let value = |metric: &str, v: f64| {
        if years(metric) {
            GridCell::Number(Some(v), 2)
        } else {
            GridCell::Share(Some(v))
        }
    };
    let ends = |metric: &str, i: Option<veche_analysis::Interval>| {
        let ends = i.map(|i| (i.low, i.high));
        if years(metric) {
            GridCell::Interval(ends, 2)
        } else {
            GridCell::ShareInterval(ends)
        }
    };
    let mut scores = Grid {
        caption: "Scores on the benchmark".into(),
        columns: columns(&["model", "measure", "#value", "#interval", "#items"]),
        ..Grid::default()
    };
    for &m in &ranking.order {
        for s in &ranking.scores[m] {
            let metric = s.metric.name();
            scores.rows.push(vec![
                GridCell::Text(names[m].to_owned()),
                GridCell::Text(metric.to_owned()),
                value(metric, s.value),
                ends(metric, s.interval),
                GridCell::Count(Some(s.items as u64)),
            ]);
        }
    }
    let mut differences = Grid {
        caption: "Paired differences on the benchmark".into(),
        columns: columns(&["pair", "measure", "#difference", "#interval", "better"]),
        ..Grid::default()
    };
    for d in &ranking.differences {
        let metric = d.metric.name();
        differences.rows.push(vec![
            GridCell::Text(format!("{} − {}", names[d.first], names[d.second])),
            GridCell::Text(metric.to_owned()),
            value(metric, d.value),
            ends(metric, d.interval),
            GridCell::Text(d.winner().map_or("open", |w| names[w]).to_owned()),
        ]);
    }
    vec![scores, differences]
}
