//! Writes a benchmark: its manifest with the hash of every picture, its pictures, its shortages and its card.

use super::{
    card,
    frozen::{Description, FORMAT, FrozenItem, MANIFEST, PICTURES, write_items},
    labelled::{Candidate, Labelled},
    plan::{Block, Plan},
    ranges::AgeRange,
};
use crate::{
    Problem, Result,
    files::{Table, manifest::TrueAge, replace_dir_atomically, write_atomically},
    problem,
    provenance::{Provenance, write_json},
    report::chart::{Bar, Bars, Chart, WIDE},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// How far labels are from known ages, on items that have both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelError {
    /// Items.
    pub items: usize,
    /// Mean absolute error, years.
    pub mae_years: f64,
    /// Mean error, years.
    pub bias_years: f64,
}

/// What is written besides the choice.
#[derive(Debug, Clone)]
pub struct Freezing<'a> {
    /// The benchmark's name.
    pub name: &'a str,
    /// Its edition.
    pub edition: &'a str,
    /// The seed.
    pub seed: u64,
    /// Folder of the pictures; `None` writes a benchmark without pictures.
    pub pictures: Option<&'a Path>,
    /// Most items of one photo.
    pub per_photo: u32,
    /// Error of the labels on controls, if it was measured.
    pub label_error: Option<LabelError>,
    /// Whether copies were looked for in the pictures.
    pub copies_sought: bool,
    /// Where it came from.
    pub provenance: Provenance,
}

/// Writes the benchmark into a folder, which is replaced as a whole if it is an older one.
///
/// Pictures are copied byte by byte, each once, under numbers in the order of the items. Errors: a picture that cannot be
/// read (naming its row), a folder that is no benchmark.
pub fn freeze(dir: &Path, labelled: &Labelled, plan: &Plan, how: &Freezing<'_>) -> Result<()> {
    let chosen: Vec<&Candidate> = plan
        .chosen
        .iter()
        .map(|&i| &labelled.candidates[i])
        .collect();
    if chosen.is_empty() {
        return problem("no range has both a woman and a man, so the benchmark would be empty")
            .file(labelled.file())
            .hint("look at the table of shortages: --dry-run")
            .fail();
    }
    replace_dir_atomically(dir, MANIFEST, |dir| {
        let files = match how.pictures {
            Some(root) => copy_pictures(dir, root, labelled, &chosen)?,
            None => BTreeMap::new(),
        };
        let items: Vec<FrozenItem> = chosen
            .iter()
            .zip(&plan.block_of)
            .map(|(c, &block)| item(labelled, c, &plan.blocks[block], &files))
            .collect();
        let manifest = write_items(&dir.join("items.csv"), &items)?;
        let description = Description {
            format: FORMAT,
            name: how.name.to_owned(),
            edition: how.edition.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: how.seed,
            items: items.len(),
            pictures: files.len(),
            cap: plan.cap,
            per_photo: how.per_photo,
            ranges_short: plan.short().count(),
            mean_interval_width_years: plan.mean_width,
            label_error: how.label_error,
            items_blake3: manifest,
        };
        write_shortages(&dir.join(SHORTAGES), plan)?;
        let svg = coverage(&plan.blocks, plan.cap, how.name)
            .draw(WIDE)
            .standalone();
        write_text(&dir.join("coverage.svg"), &svg)?;
        write_text(
            &dir.join("CARD.md"),
            &card::card(&description, plan, labelled, &items, how),
        )?;
        how.provenance.write(&dir.join("provenance.json"))?;
        write_json(&dir.join(MANIFEST), &description)
    })
}

/// Writes a text file whole.
pub(super) fn write_text(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, |w| std::io::Write::write_all(w, text.as_bytes()))
}

/// A picture as it lies in the benchmark.
struct Copied {
    file: String,
    bytes: u64,
    blake3: String,
}

fn copy_pictures<'a>(
    dir: &Path,
    root: &Path,
    labelled: &'a Labelled,
    chosen: &[&Candidate],
) -> Result<BTreeMap<&'a str, Copied>> {
    let mut first: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for c in chosen {
        let n = first.len() + 1;
        first
            .entry(labelled.path(c))
            .or_insert((n, labelled.number(c)));
    }
    let folder = dir.join(PICTURES);
    fs::create_dir_all(&folder).map_err(|e| Problem::io("make the folder", &folder, &e))?;
    let list: Vec<(&str, (usize, u64))> = first.into_iter().collect();
    let copied: Vec<Copied> = list
        .par_iter()
        .map(|&(path, (number, row))| {
            let from = root.join(path);
            let bytes = fs::read(&from).map_err(|e| {
                let mut p = Problem::io("read the picture", &from, &e);
                p.row = Some(row);
                p.hint = Some("name the folder that paths start at by --pictures, or leave pictures out by --no-pictures".into());
                p
            })?;
            let ending = Path::new(path).extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let ending = if ending.is_empty() { "jpg".into() } else { ending };
            let file = format!("{PICTURES}/{number:06}.{ending}");
            let to = dir.join(&file);
            fs::write(&to, &bytes).map_err(|e| Problem::io("write the picture", &to, &e))?;
            Ok(Copied {
                file,
                bytes: bytes.len() as u64,
                blake3: blake3::hash(&bytes).to_hex().to_string(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(list.into_iter().map(|(path, _)| path).zip(copied).collect())
}

fn item(
    labelled: &Labelled,
    c: &Candidate,
    block: &Block,
    files: &BTreeMap<&str, Copied>,
) -> FrozenItem {
    let copied = files.get(labelled.path(c));
    let (age, age_low, age_high) = match c.age {
        TrueAge::Years(years) => (Some(years), None, None),
        TrueAge::Class { low, high } => (None, Some(low), high.is_finite().then_some(high)),
    };
    let [face, body] = labelled.boxes(c);
    let text = |t: Option<&str>| t.map(str::to_owned);
    FrozenItem {
        item: labelled.item(c),
        file: copied.map(|f| f.file.clone()),
        age,
        age_low,
        age_high,
        sex: c.sex,
        range: block.range.clone(),
        stratum: block.stratum.clone(),
        width: c.width,
        photo: labelled.photo(c).to_owned(),
        face,
        body,
        licence: text(labelled.licence(c)),
        source: text(labelled.source(c)),
        bytes: copied.map(|f| f.bytes),
        blake3: copied.map(|f| f.blake3.clone()),
    }
}

/// Writes the table of all ranges: what there is, what was chosen, what is missing.
pub fn write_shortages(path: &Path, plan: &Plan) -> Result<()> {
    write_atomically(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(HEAD)?;
        for b in &plan.blocks {
            let mut cells = vec![b.stratum.clone(), b.range.name.clone()];
            let counts = [
                b.women,
                b.men,
                b.chosen,
                b.chosen,
                b.women_missing,
                b.men_missing,
                b.unpaired,
            ];
            cells.extend(counts.map(|n| n.to_string()));
            csv.write_record(cells)?;
        }
        csv.flush()
    })
}

const SHORTAGES: &str = "shortages.csv";

const HEAD: [&str; 9] = [
    "stratum",
    "range",
    "women",
    "men",
    "women_chosen",
    "men_chosen",
    "women_missing",
    "men_missing",
    "unpaired",
];

/// Reads what [`write_shortages`] wrote. Of the ranges only the names are known then.
pub fn read_shortages(dir: &Path) -> Result<Vec<Block>> {
    let table = Table::read(&dir.join(SHORTAGES))?;
    let columns = HEAD.map(|name| table.column(name));
    let mut at = [0; HEAD.len()];
    for (place, column) in at.iter_mut().zip(columns) {
        *place = column?;
    }
    let blocks = table.rows().map(|row| {
        let count = |c: usize| -> Result<u32> {
            let text = row.get(at[c]).trim();
            text.parse()
                .map_err(|_| Box::new(row.problem(at[c], "is no count")))
        };
        Ok(Block {
            stratum: row.get(at[0]).to_owned(),
            range: AgeRange {
                name: row.get(at[1]).to_owned(),
                from: 0.0,
                to: None,
            },
            women: count(2)?,
            men: count(3)?,
            chosen: count(4)?,
            women_missing: count(6)?,
            men_missing: count(7)?,
            unpaired: count(8)?,
        })
    });
    blocks.collect()
}

/// The picture of the shortages: one bar per range, as long as a full range is.
pub fn coverage(blocks: &[Block], cap: u32, name: &str) -> Chart {
    let bar = |b: &Block| Bar {
        name: b.name(),
        parts: [2 * b.chosen, b.women_missing, b.men_missing, b.unpaired]
            .map(u64::from)
            .to_vec(),
        chosen: false,
    };
    let parts = [
        "chosen",
        "women missing",
        "men missing",
        "without a partner",
    ];
    Chart::Bars(Bars {
        title: format!(
            "{name}: what each range has of the {cap} women and {cap} men it should have"
        ),
        counted: "people".into(),
        parts: parts.map(str::to_owned).to_vec(),
        bars: blocks.iter().map(bar).collect(),
    })
}
