//! Items and controls from a folder of pictures or from a table in any column layout.

use super::{
    Names, Skipped, Table,
    columns::{Cell, preset_columns},
};
use crate::{
    Problem, Result,
    config::{BoxColumns, ControlsEntry, ItemsEntry, Preset},
    problem,
};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};
use veche_pools::{Answer, Content, Item, PixelBox, Question};

/// Endings of files that count as pictures when a folder is read.
pub const PICTURE_ENDINGS: [&str; 9] = [
    "jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "jfif",
];

/// Items with where they came from.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// The items; ids are unique.
    pub items: Vec<Item>,
    /// Row of each in its table (header = 1); for a folder the position in name order.
    pub rows: Vec<u64>,
    /// Known answers, one entry per item and question. Empty where no truth columns were asked for.
    pub truths: Vec<Vec<Option<Answer>>>,
}

/// The columns of one table, whichever section of campaign.toml they come from.
struct Layout<'a> {
    source: &'a Path,
    pictures: Option<&'a Path>,
    path: Option<String>,
    url: Option<&'a str>,
    text: Option<&'a str>,
    id: Option<&'a str>,
    face: Option<BoxColumns>,
    person: Option<BoxColumns>,
    preset: Option<Preset>,
    truth: BTreeMap<String, String>,
    values: BTreeMap<String, BTreeMap<String, String>>,
    /// Rows whose every truth is missing are other people in the photo (MiVOLO's files), not controls.
    skip_unlabelled: bool,
    /// A row may lack the truth of some questions.
    partial: bool,
    /// Truths serve simulations only, and a row may lack them all.
    simulated: bool,
}

/// What people write where a truth is missing.
const MISSING: [&str; 6] = ["", "na", "n/a", "nan", "null", "none"];

/// Reads the items of a campaign. Their truths are filled only from `simulated_truth`, for simulations.
pub fn read_items(
    entry: &ItemsEntry,
    questions: &[Question],
    skips: &mut Skipped,
) -> Result<Items> {
    if entry.source.is_dir() {
        let columns = [&entry.path, &entry.url, &entry.text, &entry.id];
        if columns.iter().any(|c| c.is_some()) || entry.preset.is_some() {
            return problem("[items] names columns, and its source is a folder")
                .file(&entry.source)
                .hint("let source be the table, and pictures the folder")
                .fail();
        }
        return pictures_in(&entry.source);
    }
    let preset = preset_columns(entry.preset);
    let layout = Layout {
        source: &entry.source,
        pictures: entry.pictures.as_deref(),
        path: entry.path.clone().or(preset.path),
        url: entry.url.as_deref(),
        text: entry.text.as_deref(),
        id: entry.id.as_deref(),
        face: entry.face.clone(),
        person: entry.person.clone(),
        preset: entry.preset,
        truth: entry.simulated_truth.clone(),
        values: BTreeMap::new(),
        skip_unlabelled: false,
        partial: true,
        simulated: true,
    };
    let items = read_table(&layout, questions, skips)?;
    if items.items.is_empty() {
        return problem("no items")
            .file(&entry.source)
            .hint("the table needs at least one good row")
            .fail();
    }
    Ok(items)
}

/// Reads the controls of a campaign; each has a truth for at least one question.
pub fn read_controls(
    entry: &ControlsEntry,
    questions: &[Question],
    skips: &mut Skipped,
) -> Result<Items> {
    let preset = preset_columns(entry.preset);
    let asked = |name: &String| questions.iter().any(|q| &q.name == name);
    let mut truth = entry.truth.clone();
    if truth.is_empty() {
        truth = preset
            .truth
            .into_iter()
            .filter(|(name, _)| asked(name))
            .collect();
    }
    if truth.is_empty() {
        return problem("[controls.truth] names no column")
            .hint("say which column holds the true answer, for example: age = \"age\"")
            .fail();
    }
    let mut values = entry.values.clone();
    for (name, map) in preset.values {
        let known = values.entry(name).or_default();
        for (from, to) in map {
            known.entry(from).or_insert(to);
        }
    }
    let layout = Layout {
        source: &entry.source,
        pictures: entry.pictures.as_deref(),
        path: entry.path.clone().or(preset.path),
        url: entry.url.as_deref(),
        text: entry.text.as_deref(),
        id: entry.id.as_deref(),
        face: entry.face.clone(),
        person: entry.person.clone(),
        preset: entry.preset,
        truth,
        values,
        skip_unlabelled: entry.preset == Some(Preset::Mivolo),
        partial: entry.partial,
        simulated: false,
    };
    if entry.source.is_dir() {
        return problem("controls come from a table with their true answers, and this is a folder")
            .file(&entry.source)
            .hint("let [controls] source be a CSV with the columns file and the answers")
            .fail();
    }
    let controls = read_table(&layout, questions, skips)?;
    if controls.items.is_empty() {
        return problem("no controls at all")
            .file(&entry.source)
            .hint(
                "annotators can only be scored on controls: give at least as many as a suite needs",
            )
            .fail();
    }
    Ok(controls)
}

/// All pictures below a folder, in name order; the id is the path below the folder. Hidden files and folders are left alone.
///
/// # Errors
/// A folder that cannot be read, or without pictures.
pub fn pictures_in(dir: &Path) -> Result<Items> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|e| Problem::io("read the folder", &folder, &e))?;
        for entry in entries {
            let path = entry
                .map_err(|e| Problem::io("read the folder", &folder, &e))?
                .path();
            let hidden = path
                .file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with('.'));
            let ending = path
                .extension()
                .map(|e| e.to_string_lossy().to_lowercase())
                .unwrap_or_default();
            if hidden {
                continue;
            } else if path.is_dir() {
                open.push(path);
            } else if PICTURE_ENDINGS.contains(&ending.as_str()) {
                found.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() {
        return problem("no pictures in this folder")
            .file(dir)
            .hint(format!("pictures end in {}", PICTURE_ENDINGS.join(", ")))
            .fail();
    }
    let rows = (1..=found.len() as u64).collect();
    let item = |path: PathBuf| Item {
        id: path
            .strip_prefix(dir)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned(),
        content: Content::File(path.to_string_lossy().into_owned()),
        face: None,
        person: None,
    };
    Ok(Items {
        items: found.into_iter().map(item).collect(),
        rows,
        truths: Vec::new(),
    })
}

fn read_table(layout: &Layout<'_>, questions: &[Question], skips: &mut Skipped) -> Result<Items> {
    let table = Table::read_skipping(layout.source, skips)?;
    let guess = |names: &[&str]| {
        names
            .iter()
            .find(|n| table.find(n).is_some())
            .map(|n| (*n).to_owned())
    };
    let path = layout.path.clone().or_else(|| {
        let other = layout.url.is_some() || layout.text.is_some();
        if other {
            None
        } else {
            guess(&["path", "file", "filename", "img_name", "image", "picture"])
        }
    });
    let url = layout.url.map(str::to_owned).or_else(|| {
        if path.is_some() || layout.text.is_some() {
            None
        } else {
            guess(&["url", "image_url"])
        }
    });
    let find = |name: Option<&str>| name.map(|n| Cell::find(&table, n)).transpose();
    let (path, url, text) = (
        find(path.as_deref())?,
        find(url.as_deref())?,
        find(layout.text)?,
    );
    if path.is_none() && url.is_none() && text.is_none() {
        return problem("no column says what there is to look at")
            .file(layout.source)
            .hint(format!(
                "name one in campaign.toml: path, url or text; columns are: {}",
                table.columns().join(", ")
            ))
            .fail();
    }
    let id = find(layout.id)?;
    let boxes = |columns: &Option<BoxColumns>| -> Result<Option<[usize; 4]>> {
        let Some(names) = columns else {
            return Ok(None);
        };
        let mut found = [0; 4];
        for (at, name) in found.iter_mut().zip(names) {
            *at = table.column(name)?;
        }
        Ok(Some(found))
    };
    // A preset's boxes are taken where the table has any of them: both layouts are also published without.
    let chosen = |own: &Option<BoxColumns>, preset: &Option<BoxColumns>| match (own, preset) {
        (Some(_), _) => boxes(own),
        (None, Some(names)) if names.iter().any(|n| table.find(n).is_some()) => boxes(preset),
        _ => Ok(None),
    };
    let preset = preset_columns(layout.preset);
    let face = chosen(&layout.face, &preset.face)?;
    let person = chosen(&layout.person, &preset.person)?;
    let mut truth = Vec::new();
    for question in questions {
        truth.push(match layout.truth.get(&question.name) {
            Some(column) => Some(table.column(column)?),
            None => None,
        });
    }
    let has_truth = truth.iter().any(Option::is_some);
    let folder = layout.pictures.map(Path::to_path_buf).unwrap_or_else(|| {
        layout
            .source
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default()
    });
    // All bad rows are found before the first is an error, so that its message can name the others.
    let mut found = Skipped::lenient();
    let mut result = Items::default();
    let mut ids = Names::new();
    // The item in which each id was first met, and for the few that come again the others.
    let (mut first_of, mut others): (Vec<u32>, HashMap<u32, Vec<u32>>) = Default::default();
    for row in table.rows() {
        let read = read_row(
            &Reading {
                layout,
                questions,
                truth: &truth,
                folder: &folder,
                has_truth,
            },
            &table,
            &row,
            [&path, &url, &text, &id],
            face,
            person,
        );
        let (item, answers) = match read {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err(p) => {
                let p = p.file(layout.source).row(row.number());
                found.take(if p.hint.is_some() {
                    p
                } else {
                    p.hint("correct the row, or leave it out with --skip-bad-rows")
                })?;
                continue;
            }
        };
        let at = result.items.len() as u32;
        let name = ids.intern(&item.id);
        if name as usize == first_of.len() {
            first_of.push(at);
        } else {
            let first = first_of[name as usize];
            let again = others.entry(name).or_default();
            let boxes = |item: &Item| (item.face, item.person);
            let same = |at: &u32| boxes(&result.items[*at as usize]) == boxes(&item);
            let known = [first].into_iter().chain(again.iter().copied()).find(same);
            let named = id.is_some() || boxes(&item) == (None, None);
            if let Some(first) = known.or(named.then_some(first)) {
                let first = result.rows[first as usize];
                let p = problem("the same id stands in an earlier row")
                    .file(layout.source)
                    .row(row.number())
                    .value(&item.id)
                    .hint(format!(
                        "it is also in row {first}: delete one, or name a unique `id` column"
                    ));
                found.take(p)?;
                continue;
            }
            again.push(at);
        }
        result.items.push(item);
        result.rows.push(row.number());
        if has_truth {
            result.truths.push(answers);
        }
    }
    // Several people in one photo are told apart by their boxes, whatever the order of the rows.
    for (&name, again) in others.iter().filter(|(_, again)| !again.is_empty()) {
        for &at in [first_of[name as usize]].iter().chain(again) {
            let item = &mut result.items[at as usize];
            if let Some(b) = item.face.or(item.person) {
                item.id = format!(
                    "{}#{:.0},{:.0},{:.0},{:.0}",
                    item.id, b.x0, b.y0, b.x1, b.y1
                );
            }
        }
    }
    if let Some(reason) = found.reasons().first()
        && !skips.is_lenient()
    {
        let mut first = reason.examples[0].clone();
        if found.rows() > 1 {
            let rows = |r: &super::skipped::Reason| {
                let rows: Vec<String> = r
                    .examples
                    .iter()
                    .filter_map(|p| p.row)
                    .map(|n| n.to_string())
                    .collect();
                let more = if r.rows as usize > rows.len() {
                    " …"
                } else {
                    ""
                };
                format!("{} in row {}{more}", r.what, rows.join(", "))
            };
            let all: Vec<String> = found.reasons().iter().map(rows).collect();
            first.what = format!("{} bad rows: {}", found.rows(), all.join("; "));
        }
        return first.fail();
    }
    skips.absorb(found);
    Ok(result)
}

struct Reading<'a> {
    layout: &'a Layout<'a>,
    questions: &'a [Question],
    truth: &'a [Option<usize>],
    folder: &'a Path,
    has_truth: bool,
}

type ReadRow = Option<(Item, Vec<Option<Answer>>)>;

/// One row as an item with its known answers; `None` for rows that are not items (other people in a MiVOLO photo).
fn read_row(
    reading: &Reading<'_>,
    table: &Table,
    row: &super::Row<'_>,
    [path, url, text, id]: [&Option<Cell>; 4],
    face: Option<[usize; 4]>,
    person: Option<[usize; 4]>,
) -> Result<ReadRow> {
    let cell = |c: &Option<Cell>| c.as_ref().map(|c| c.text(row)).filter(|t| !t.is_empty());
    let mut answers = vec![None; reading.questions.len()];
    let mut missing = Vec::new();
    for ((question, column), answer) in reading
        .questions
        .iter()
        .zip(reading.truth)
        .zip(&mut answers)
    {
        let Some(column) = *column else { continue };
        let raw = row.get(column).trim();
        // −1 is how MiVOLO's files say "unknown".
        let unlabelled = reading.layout.skip_unlabelled && raw.parse() == Ok(-1.0);
        if unlabelled || MISSING.iter().any(|m| raw.eq_ignore_ascii_case(m)) {
            missing.push(column);
            continue;
        }
        let spelled = reading
            .layout
            .values
            .get(&question.name)
            .and_then(|m| m.get(raw));
        let read = question.read(spelled.map_or(raw, String::as_str)).map_err(|e| {
            let what = match &e {
                veche_pools::Error::Answer { reason, .. } => format!("the truth {reason}"),
                _ => e.to_string(),
            };
            problem(what)
                .column(table.columns()[column].clone())
                .value(raw)
                .hint("correct the row, map the value in [controls.values], or leave it out with --skip-bad-rows")
        })?;
        *answer = Some(read);
    }
    let known = answers.iter().any(Option::is_some);
    if reading.has_truth && !known && reading.layout.skip_unlabelled {
        return Ok(None);
    }
    if let Some(&column) = missing.first()
        && !(reading.layout.partial && (known || reading.layout.simulated))
    {
        return problem("the truth is missing")
            .column(table.columns()[column].clone())
            .value(row.get(column))
            .hint(
                "fill it in, leave the row out with --skip-bad-rows, or set partial = true under [controls] if it serves \
                 for the other questions",
            ).fail();
    }
    let (content, name) = if let Some(path) = cell(path) {
        (
            Content::File(reading.folder.join(&path).to_string_lossy().into_owned()),
            path,
        )
    } else if let Some(url) = cell(url) {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return problem("an address must begin with http:// or https://")
                .value(url)
                .fail();
        }
        (Content::Url(url.clone()), url)
    } else if let Some(text) = cell(text) {
        (Content::Text(text.clone()), text)
    } else {
        return problem("nothing to look at: path, url and text are empty").fail();
    };
    let pixel_box = |columns: Option<[usize; 4]>| -> Result<Option<PixelBox>> {
        let Some(columns) = columns else {
            return Ok(None);
        };
        let mut edges = [0.0; 4];
        for (edge, &c) in edges.iter_mut().zip(&columns) {
            let raw = row.get(c).trim();
            if raw.is_empty() {
                return Ok(None);
            }
            *edge = raw.parse::<f64>().map_err(|_| {
                problem("a box edge is not a number")
                    .column(table.columns()[c].clone())
                    .value(raw)
            })?;
        }
        if edges.iter().all(|&e| e == -1.0) {
            return Ok(None);
        }
        let [x0, y0, x1, y1] = edges;
        match PixelBox::new(x0, y0, x1, y1) {
            Some(pixel_box) => Ok(Some(pixel_box)),
            None => problem("a box without width or height")
                .column(table.columns()[columns[0]].clone())
                .value(format!("{x0}, {y0}, {x1}, {y1}"))
                .hint("edges are left, upper, right, lower in pixels; -1 in all four says missing")
                .fail(),
        }
    };
    let item = Item {
        id: cell(id).unwrap_or(name),
        content,
        face: pixel_box(face)?,
        person: pixel_box(person)?,
    };
    Ok(Some((item, answers)))
}
