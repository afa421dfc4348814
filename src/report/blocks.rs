//! What the template prints: sections of blocks, each with sentences, a picture, a table, cards and the command that made
//! it. All numbers are text by now.

use super::chart::Axis;
use super::chart::{Bar, Bars, Chart, Histogram, Mark, MarkKind, NARROW, Svg, WIDE};
use super::data::{CheckVerdict, LeftOut, Made, Progress, Secrecy};
use super::format::{count, plural, share};
use minijinja::Value as Safe;
use serde::Serialize;

/// Said on every picture of simulated votes.
pub(crate) const SIMULATED: &str = "simulated annotators";

/// A chapter of the page.
#[derive(Serialize)]
pub(crate) struct Section {
    pub(crate) id: String,
    pub(crate) heading: String,
    pub(crate) intro: String,
    pub(crate) blocks: Vec<Block>,
}

/// One subject: heading, sentences, picture, cards, table, caption.
#[derive(Serialize, Default)]
pub(crate) struct Block {
    pub(crate) id: String,
    pub(crate) heading: String,
    pub(crate) text: Vec<String>,
    pub(crate) figure: Option<Safe>,
    /// Further pictures, each below its own title.
    pub(crate) figures: Vec<Titled>,
    pub(crate) cards: Vec<PictureCard>,
    pub(crate) table: Option<Table>,
    /// Further tables.
    pub(crate) tables: Vec<Table>,
    pub(crate) made: Option<Made>,
}

/// A picture with its title in words beside it.
#[derive(Serialize)]
pub(crate) struct Titled {
    pub(crate) title: String,
    pub(crate) svg: Safe,
}

/// A picture with what is known about it.
#[derive(Serialize)]
pub(crate) struct PictureCard {
    pub(crate) name: String,
    pub(crate) src: String,
    pub(crate) alt: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) chart: Option<Safe>,
}

/// A name and a value.
#[derive(Serialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Fact {
    pub(crate) fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// A table whose columns can be sorted.
#[derive(Serialize, Default)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    /// Shown only when asked for.
    pub(crate) folded: bool,
}

/// A column; `sorted` is `ascending`, `descending` or empty, as `aria-sort` says it.
#[derive(Serialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) numeric: bool,
    pub(crate) sorted: &'static str,
}

/// A row; the first cell is its heading.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) strong: bool,
    pub(crate) cells: Vec<Cell>,
}

/// A cell with what it is sorted by.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) sort: String,
    pub(crate) class: &'static str,
}

impl Cell {
    /// A number; one that is missing or not finite sorts last.
    pub(crate) fn number(value: Option<f64>, text: impl FnOnce(f64) -> String) -> Self {
        let value = value.filter(|v| v.is_finite());
        Self {
            text: value.map_or_else(|| super::format::NONE.into(), text),
            sort: value.map(|v| format!("{v}")).unwrap_or_default(),
            class: "n",
        }
    }

    pub(crate) fn count(n: u64) -> Self {
        Self {
            text: count(n),
            sort: n.to_string(),
            class: "n",
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            sort: text.clone(),
            text,
            class: "",
        }
    }
}

impl Table {
    /// A table with columns named in order; a leading `#` makes a column numeric.
    pub(crate) fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| Column {
            name: name.trim_start_matches('#').to_owned(),
            numeric: name.starts_with('#'),
            sorted: "",
        });
        Self {
            caption: caption.into(),
            columns: columns.collect(),
            rows: Vec::new(),
            folded: false,
        }
    }

    pub(crate) fn row(&mut self, strong: bool, cells: Vec<Cell>) {
        self.rows.push(Row { strong, cells });
    }
}

/// Places pictures on one page: gives them ids and the stamp of simulated votes.
pub(crate) struct Easel {
    simulated: bool,
    used: usize,
}

impl Easel {
    pub(crate) fn new(simulated: bool) -> Self {
        Self { simulated, used: 0 }
    }

    fn place(&mut self, svg: Svg, class: &str) -> String {
        self.used += 1;
        let svg = if self.simulated && class != "mini" {
            svg.stamped(SIMULATED)
        } else {
            svg
        };
        svg.inline(&format!("c{}", self.used), class)
    }

    /// A chart twice, for desk and phone; the style shows one of them.
    pub(crate) fn chart(&mut self, chart: &Chart) -> Option<Safe> {
        let wide = self.place(chart.draw(WIDE), "wide");
        let narrow = self.place(chart.draw(NARROW), "narrow");
        Some(Safe::from_safe_string(wide + &narrow))
    }

    /// The same with its title, for a block with several pictures.
    pub(crate) fn titled(&mut self, chart: &Chart) -> Option<Titled> {
        let title = chart.draw(WIDE).title().to_owned();
        let svg = self.chart(chart)?;
        Some(Titled { title, svg })
    }

    /// A small picture for a card.
    pub(crate) fn mini(&mut self, svg: Svg) -> Option<Safe> {
        Some(Safe::from_safe_string(self.place(svg, "mini")))
    }
}

/// Items by votes collected.
pub(crate) fn progress_chart(data: &Progress) -> Chart {
    let marks = vec![Mark::new("wanted", data.wanted as f64, MarkKind::Target)];
    Chart::Histogram(Histogram::one(
        "Items by votes collected",
        Axis::new("votes on an item", ""),
        "items",
        data.votes_per_item.clone(),
        marks,
    ))
}

/// The sentence on progress, and its histogram.
pub(crate) fn progress(data: &Progress, easel: &mut Easel) -> Section {
    let text = vec![format!(
        "{} of {} have the {} wanted ({}); {} of the {} votes wanted in all are in ({}).",
        count(data.items_done),
        plural(data.items, "item", "items"),
        plural(data.wanted, "vote", "votes"),
        share(data.items_done, data.items),
        count(data.votes_collected),
        count(data.votes_wanted),
        share(data.votes_collected, data.votes_wanted),
    )];
    let block = Block {
        id: "progress-votes".into(),
        heading: "Votes per item".into(),
        text,
        figure: easel.chart(&progress_chart(data)),
        made: Some(data.made.clone()),
        ..Block::default()
    };
    Section {
        id: "progress".into(),
        heading: "Progress".into(),
        intro: String::new(),
        blocks: vec![block],
    }
}

/// Votes kept and left out, by policy.
pub(crate) fn left_out_chart(data: &LeftOut) -> Chart {
    let mut reasons: Vec<&str> = Vec::new();
    for reason in data.policies.iter().flat_map(|p| &p.reasons) {
        if !reasons.contains(&reason.reason.as_str()) {
            reasons.push(&reason.reason);
        }
    }
    let votes = |policy: &super::PolicyVotes, reason: &str| -> u64 {
        let of = policy.reasons.iter().filter(|r| r.reason == reason);
        of.map(|r| r.votes).sum()
    };
    let mut parts = vec!["kept".to_owned()];
    parts.extend(reasons.iter().map(|r| (*r).to_owned()));
    let bars = data.policies.iter().map(|p| {
        let mut parts = vec![p.kept];
        parts.extend(reasons.iter().map(|r| votes(p, r)));
        Bar {
            name: p.policy.clone(),
            parts,
            chosen: p.in_force,
        }
    });
    Chart::Bars(Bars {
        title: "Votes kept and left out, by policy".into(),
        counted: "votes".into(),
        parts: parts.clone(),
        bars: bars.collect(),
    })
}

/// Which votes count under which policy.
pub(crate) fn left_out(data: &LeftOut, easel: &mut Easel) -> Section {
    let mut table = Table::new(
        "Votes left out, by policy and reason",
        &["policy", "reason", "#votes", "#share"],
    );
    let mut text = Vec::new();
    for policy in &data.policies {
        let out: u64 = policy.reasons.iter().map(|r| r.votes).sum();
        let all = policy.kept + out;
        if policy.in_force {
            text.push(format!(
                "The labels of this report were made with the policy “{}”: {} count, {} are left out ({}). No vote is ever \
                 deleted.",
                policy.policy,
                plural(policy.kept, "vote", "votes"),
                count(out),
                share(out, all)
            ));
        }
        let name = if policy.in_force {
            format!("{} (in force)", policy.policy)
        } else {
            policy.policy.clone()
        };
        let kept = ("kept", policy.kept);
        let rows = policy.reasons.iter().map(|r| (r.reason.as_str(), r.votes));
        for (reason, n) in std::iter::once(kept).chain(rows) {
            let mut part = Cell::number(Some(n as f64 / all.max(1) as f64), |_| share(n, all));
            part.class = "n";
            let cells = vec![Cell::text(&name), Cell::text(reason), Cell::count(n), part];
            table.row(policy.in_force, cells);
        }
    }
    let block = Block {
        id: "left-out-votes".into(),
        heading: "By policy and reason".into(),
        text,
        figure: easel.chart(&left_out_chart(data)),
        table: Some(table),
        made: Some(data.made.clone()),
        ..Block::default()
    };
    Section {
        id: "left-out".into(),
        heading: "Votes left out".into(),
        intro: String::new(),
        blocks: vec![block],
    }
}

/// Whether controls can be told from items.
pub(crate) fn secrecy(data: &Secrecy) -> Section {
    let mut table = Table::new("Checks of secrecy", &["check", "found", "verdict"]);
    for check in &data.checks {
        let (word, class) = match check.verdict {
            CheckVerdict::Holds => ("✓ holds", "good"),
            CheckVerdict::Look => ("! look", "warn"),
            CheckVerdict::Broken => ("✗ broken", "bad"),
            CheckVerdict::Unchecked => ("– not checked", "soft"),
        };
        let mut verdict = Cell::text(word);
        verdict.class = class;
        let cells = vec![Cell::text(&check.check), Cell::text(&check.value), verdict];
        table.row(false, cells);
    }
    let held = data
        .checks
        .iter()
        .filter(|c| c.verdict == CheckVerdict::Holds);
    let text = vec![format!(
        "An annotator must not be able to tell a control from an item by anything that reaches them. {} of {} hold.",
        held.count(),
        plural(data.checks.len() as u64, "check", "checks")
    )];
    let block = Block {
        id: "secrecy-checks".into(),
        heading: "Checks".into(),
        text,
        table: Some(table),
        made: Some(data.made.clone()),
        ..Block::default()
    };
    Section {
        id: "secrecy".into(),
        heading: "Secrecy of the controls".into(),
        intro: String::new(),
        blocks: vec![block],
    }
}
