//! People and networks by the true answer, as chapters of the page.

use super::grid;
use crate::{
    curves::{Cell, Field, Findings, Sheet, Theme, Wanted, slug, tables, themed_pictures, told},
    report::{Chapter, Drawing, Grid, Made, Passage},
};
use veche_analysis::curves::{ClassScheme, CurveSettings, OverlapSettings};

/// What the page asks about a field: everything, with the usual settings. `classes` as in [`Wanted`].
pub(super) fn usual(field: &Field, overlap: bool, classes: Option<Vec<ClassScheme>>) -> Wanted {
    let curve = CurveSettings::default();
    Wanted {
        edges: None,
        width: None,
        smooth: None,
        by_sex: field.sex.iter().any(Option::is_some),
        within: 5.0,
        curve,
        classes,
        overlap: (overlap && field.votes.is_some()).then(|| {
            let settings = OverlapSettings {
                curve,
                ..OverlapSettings::default()
            };
            (settings, Vec::new())
        }),
    }
}

/// The chapter of what was found about a field. `note` is said first.
pub(super) fn chapter(field: &Field, found: &Findings, notes: &[String], made: &Made) -> Chapter {
    let asked = &field.quantity;
    let told = told(field, found);
    let mut drawn = themed_pictures(field, found);
    let sheets = tables(field, found);
    let sheet = |name: &str| sheets.iter().find(|s| s.name == name);
    let everybody = |cell: &dyn Fn(&str) -> Option<Cell>| {
        cell("group").is_none_or(|g| g == Cell::Text("all".into()))
    };
    let mut passages = Vec::new();
    for (theme, heading) in [
        (Theme::Errors, format!("Error by true {asked}")),
        (Theme::Contest, "Who is better where".to_owned()),
        (Theme::BySex, "Women and men".to_owned()),
        (Theme::Sex, "Sex: how often right".to_owned()),
        (Theme::Classes, "In the classes of benchmarks".to_owned()),
        (Theme::Overlap, "What more votes buy".to_owned()),
    ] {
        let mut text: Vec<String> = told
            .iter()
            .filter(|(about, _)| *about == theme)
            .map(|(_, line)| line.clone())
            .collect();
        if theme == Theme::Errors {
            text.splice(0..0, notes.iter().cloned());
        }
        let mut drawings = Vec::new();
        drawn.retain(|(about, picture)| {
            let here = *about == theme;
            if here {
                drawings.push(Drawing {
                    file: format!(
                        "curves-{}-{}",
                        slug(asked),
                        picture.file.trim_end_matches(".svg")
                    ),
                    chart: picture.chart.clone(),
                });
            }
            !here
        });
        if text.is_empty() && drawings.is_empty() {
            continue;
        }
        let unit = if field.unit.is_empty() {
            String::new()
        } else {
            format!("; errors in {}", field.unit)
        };
        let opened = |name: &str, caption: &str, columns: &[&str]| {
            sheet(name).map(|s| grid::open(s, caption, columns, everybody))
        };
        let behind = |name: &str, caption: String| sheet(name).map(|s| grid::behind(s, &caption));
        let grids: Vec<Option<Grid>> = match theme {
            Theme::Errors => vec![
                opened(
                    "summary",
                    &format!("All sides of {asked}{unit}"),
                    &[
                        "items_of",
                        "side",
                        "items",
                        "mae",
                        "mae_low",
                        "mae_high",
                        "rmse",
                        "share_within",
                        "bias",
                        "bias_low",
                        "bias_high",
                    ],
                ),
                behind("curves", format!("Every range of {asked}")),
            ],
            Theme::Contest => vec![
                opened(
                    "wins",
                    &format!("Ranges of {asked} that somebody wins{unit}"),
                    &["better", "worse", "range", "items", "by", "low", "high"],
                ),
                behind("contests", format!("Every range of {asked}, pair by pair")),
            ],
            Theme::BySex => {
                vec![sheet("summary").map(|s| by_sex(s, &format!("{asked} by sex{unit}")))]
            }
            Theme::Sex => vec![behind("sexes", format!("Right answers on sex by {asked}"))],
            Theme::Classes => vec![
                sheet("classes").map(|s| {
                    let all = |cell: &dyn Fn(&str) -> Option<Cell>| {
                        cell("class") == Some(Cell::Text("all".into()))
                    };
                    let columns = [
                        "scheme",
                        "items_of",
                        "side",
                        "items",
                        "accuracy",
                        "low",
                        "high",
                        "one_off",
                        "one_off_low",
                        "one_off_high",
                    ];
                    grid::open(
                        s,
                        &format!("Answers in the right class of {asked}"),
                        &columns,
                        all,
                    )
                }),
                behind("classes", format!("Every class of {asked}")),
            ],
            Theme::Overlap => vec![behind("overlap", format!("{asked} by votes per item"))],
        };
        passages.push(Passage {
            heading,
            text,
            drawings,
            photos: Vec::new(),
            grids: grids.into_iter().flatten().collect(),
            made: made.clone(),
        });
    }
    Chapter {
        id: format!("curves-{}", slug(asked)),
        heading: format!("People and networks: {asked}"),
        intro: if field
            .sides
            .iter()
            .any(|s| s.kind == crate::curves::SideKind::Network)
        {
            format!("Everybody on the same items, whose {asked} is known.")
        } else {
            format!(
                "People on items whose {asked} is known. No network was named to compare them with."
            )
        },
        passages,
    }
}

fn by_sex(summary: &Sheet, caption: &str) -> Grid {
    let columns = [
        "group",
        "items_of",
        "side",
        "items",
        "mae",
        "mae_low",
        "mae_high",
        "share_within",
        "bias",
    ];
    grid::open(summary, caption, &columns, |cell| {
        cell("group") != Some(Cell::Text("all".into()))
    })
}
