//! A pool for Label Studio, CVAT and Amazon Mechanical Turk. Nothing in these files says which tasks are controls.

use super::{StoredPool, StoredSuites, prefilled};
use crate::{
    Problem, Result,
    cmd::pool::Export,
    config::Project,
    files::{
        foreign::{
            cvat_write::{self, CvatImage, CvatObject},
            label_studio_write::{self, Shown},
            mturk_write,
        },
        write_atomically,
    },
    problem,
    provenance::write_json,
};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// What a task shows: its text, or the picture's address.
fn shown(pool: &StoredPool, task: usize, url: &dyn Fn(usize) -> String) -> Shown {
    match &pool.texts[task] {
        Some(text) => Shown::Text(text.clone()),
        None => Shown::Picture(url(task)),
    }
}

/// A file beside another, with another ending.
fn beside(out: &Path, ending: &str) -> PathBuf {
    out.with_extension(ending)
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, |w| w.write_all(text.as_bytes()))
}

/// Tasks for Label Studio, and beside them the labelling configuration.
pub(super) fn label_studio(
    project: &Project,
    args: &Export,
    pool: &StoredPool,
    url: &dyn Fn(usize) -> String,
) -> Result<String> {
    let predicted = match &args.predictions {
        Some(path) => Some(prefilled::read(path, pool, &project.questions)?),
        None => None,
    };
    let tasks: Vec<(String, Shown)> = (0..pool.len())
        .map(|task| (pool.names[task].to_string(), shown(pool, task, url)))
        .collect();
    let predicted = predicted
        .as_ref()
        .map(|p| (p.model.as_str(), p.answers.as_slice()));
    label_studio_write::write_tasks(&args.out, &tasks, &project.questions, predicted)?;
    let text = pool.texts.iter().any(Option::is_some);
    let page = beside(&args.out, "config.xml");
    write_text(
        &page,
        &label_studio_write::configuration(&project.questions, text),
    )?;
    Ok(format!(
        "{} tasks (labelling configuration: {})",
        pool.len(),
        page.display()
    ))
}

/// Pictures for CVAT with what is predicted of them, and beside them the label with its attributes.
pub(super) fn cvat(project: &Project, args: &Export, pool: &StoredPool) -> Result<String> {
    let predicted = match &args.predictions {
        Some(path) => Some(prefilled::read(path, pool, &project.questions)?),
        None => None,
    };
    let dir = project.pool_dir();
    let mut images = Vec::with_capacity(pool.len());
    for task in 0..pool.len() {
        let Some(picture) = &pool.pictures[task] else {
            return problem("CVAT shows pictures, and this pool has none")
                .file(&dir)
                .hint("build it without --no-pictures; texts go to Label Studio")
                .fail();
        };
        let file = dir.join(picture);
        let (width, height) = image::image_dimensions(&file).map_err(|e| {
            let what = format!("the picture cannot be read: {e}");
            Box::<Problem>::from(problem(what).file(&file).hint("build the pool again"))
        })?;
        let answers: Vec<_> = match &predicted {
            Some(p) => p
                .answers
                .iter()
                .map(|a| a.get(task).copied().flatten())
                .collect(),
            None => Vec::new(),
        };
        images.push(CvatImage {
            name: format!("{}.jpg", pool.names[task]),
            width,
            height,
            objects: match cvat_write::values(&project.questions, &answers) {
                none if none.is_empty() => Vec::new(),
                answers => vec![CvatObject { at: None, answers }],
            },
        });
    }
    let title = &project.campaign.name;
    cvat_write::write(&args.out, title, &project.questions, &images, "auto")?;
    let labels = beside(&args.out, "labels.json");
    write_json(&labels, &cvat_write::labels(&project.questions))?;
    Ok(format!(
        "{} pictures (label for the raw constructor: {})",
        images.len(),
        labels.display()
    ))
}

/// A batch for Mechanical Turk, one HIT per suite, and beside it the design of the HIT.
pub(super) fn mturk(
    project: &Project,
    args: &Export,
    pool: &StoredPool,
    suites: &StoredSuites,
    url: &dyn Fn(usize) -> String,
) -> Result<String> {
    let of = |suite: usize| -> Vec<(String, String)> {
        let tasks = suites.suite(suite).iter().map(|&task| task as usize);
        tasks
            .map(|task| {
                let what = match shown(pool, task, url) {
                    Shown::Picture(url) => url,
                    Shown::Text(text) => text,
                };
                (pool.names[task].to_string(), what)
            })
            .collect()
    };
    let all: Vec<Vec<(String, String)>> = (0..suites.len()).map(of).collect();
    let text = pool.texts.iter().any(Option::is_some);
    mturk_write::write_batch(&args.out, &all, text)?;
    let places = all.iter().map(Vec::len).max().unwrap_or(0);
    let page = beside(&args.out, "layout.html");
    write_text(
        &page,
        &mturk_write::layout(&project.questions, places, text),
    )?;
    Ok(format!(
        "{} HITs (design: {}), each to be given to one worker",
        all.len(),
        page.display()
    ))
}
