//! Cards with a photo, a few lines and a small histogram: the hardest controls in one picture.

use super::axes::{self, Axis, Mark};
use super::histogram::{Bins, Histogram};
use super::svg::{Anchor, Svg, fit};
use super::{Bar, Bars};
use crate::report::Picture;
use serde::{Deserialize, Serialize};

/// What was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answered {
    /// Numbers, with reference lines.
    Numbers(Bins, Vec<Mark>),
    /// Votes for each label, and whether it is the known one.
    Labels(Vec<(String, u64, bool)>),
}

/// One card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GalleryCard {
    /// The item's name.
    pub name: String,
    /// The photo.
    pub picture: Option<Picture>,
    /// Lines below, the first one strong.
    pub lines: Vec<String>,
    /// Whether the first line is a warning.
    pub warn: bool,
    /// The answers.
    pub answered: Answered,
}

/// Cards in rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gallery {
    /// What the picture is called.
    pub title: String,
    /// What the answers are.
    pub x: Axis,
    /// The cards.
    pub cards: Vec<GalleryCard>,
}

const CARD: f64 = 196.0;
const GAP: f64 = 18.0;
const PHOTO: f64 = 150.0;

impl Gallery {
    /// Draws it `width` CSS pixels wide, as many cards in a row as there is room for.
    pub fn draw(&self, width: f64) -> Svg {
        if self.cards.is_empty() {
            return Svg::no_data(width, &self.title);
        }
        let columns = (((width + GAP) / (CARD + GAP)) as usize).max(1);
        let card = (width + GAP) / columns as f64 - GAP;
        let photos = self.cards.iter().any(|c| c.picture.is_some());
        let mut svg = Svg::new(width, 0.0, &self.title, &self.describe());
        let mut top = 0.0;
        for row in self.cards.chunks(columns) {
            let mut tallest = 0.0f64;
            for (i, c) in row.iter().enumerate() {
                let left = (card + GAP) * i as f64;
                tallest = tallest.max(self.card(&mut svg, c, [left, top], card, photos));
            }
            top += tallest + 26.0;
        }
        svg.set_height(top - 14.0);
        svg
    }

    fn card(&self, svg: &mut Svg, c: &GalleryCard, at: [f64; 2], width: f64, photos: bool) -> f64 {
        let [left, mut top] = at;
        if photos {
            match &c.picture {
                Some(picture) => svg.image(picture.uri(), [left, top, width, PHOTO], &c.name),
                None => svg.rect(
                    "empty",
                    [left + 0.5, top + 0.5, width - 1.0, PHOTO - 1.0],
                    None,
                ),
            }
            top += PHOTO + 4.0;
        }
        top += 14.0;
        let name = fit(&c.name, width, axes::SMALL);
        svg.text_titled("note", Anchor::Start, [left, top], &name, Some(&c.name));
        for (i, line) in c.lines.iter().enumerate() {
            top += 17.0;
            let class = match (i, c.warn) {
                (0, true) => "value strong",
                (0, false) => "value",
                _ => "note",
            };
            // Bold text is wider.
            let room = if i == 0 { width / 1.15 } else { width };
            let shown = fit(line, room, axes::NORMAL);
            svg.text_titled(class, Anchor::Start, [left, top], &shown, Some(line));
        }
        // Names of two reference lines stand above each other.
        let lanes = match &c.answered {
            Answered::Numbers(_, marks) => marks.len().saturating_sub(1),
            Answered::Labels(_) => 0,
        };
        top += 10.0 + 15.0 * lanes as f64;
        let title = format!("Answers on {}", c.name);
        let small = match &c.answered {
            Answered::Numbers(bins, marks) => Histogram::one(
                &title,
                self.x.clone(),
                "answers",
                bins.clone(),
                marks.clone(),
            )
            .mini(width),
            Answered::Labels(votes) => Bars {
                title,
                counted: "answers".into(),
                parts: vec!["answers".into()],
                bars: votes
                    .iter()
                    .map(|(label, n, known)| Bar {
                        name: if *known {
                            format!("{label} ✓")
                        } else {
                            label.clone()
                        },
                        parts: vec![*n],
                        chosen: *known,
                    })
                    .collect(),
            }
            .draw(width),
        };
        svg.place_inside(&small, left, top);
        top + small.height() - at[1]
    }

    fn describe(&self) -> String {
        let cards = self
            .cards
            .iter()
            .map(|c| format!(" {}: {}.", c.name, c.lines.join(", ")));
        format!("{} cards.{}", self.cards.len(), cards.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::super::MarkKind;
    use super::*;

    #[test]
    fn a_card_shows_photo_lines_and_answers() {
        let photo = Picture::new(&[0xff, 0xd8, 0xff, 0xe0]);
        let gallery = Gallery {
            title: "Hardest controls".into(),
            x: Axis::new("answer", "years"),
            cards: vec![
                GalleryCard {
                    name: "<k1>".into(),
                    picture: photo,
                    lines: vec!["label probably wrong".into(), "truth 53".into()],
                    warn: true,
                    answered: Answered::Numbers(
                        Bins::nice(&[30.0, 35.0, 40.0], 14),
                        vec![Mark::new("truth", 53.0, MarkKind::Truth)],
                    ),
                },
                GalleryCard {
                    name: "k2".into(),
                    picture: None,
                    lines: vec!["hard photo".into()],
                    warn: false,
                    answered: Answered::Labels(vec![
                        ("female".into(), 3, true),
                        ("male".into(), 9, false),
                    ]),
                },
            ],
        };
        let svg = gallery.draw(640.0).inline("g", "");
        for part in [
            "data:image/jpeg;base64,",
            "label probably wrong",
            "&lt;k1&gt;",
            "female ✓",
            "class=\"empty\"",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        let none = Gallery {
            cards: vec![],
            ..gallery
        };
        assert!(none.draw(320.0).inline("g", "").contains("no data yet"));
    }
}
