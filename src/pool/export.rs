//! A pool for a platform: Toloka TSV and JSON, plain CSV, and other tools' formats. What annotators see carries opaque names only.

use super::{StoredPool, disk, elsewhere};
use crate::{
    Result,
    cmd::pool::Export,
    config::Project,
    files::{
        toloka_write::{
            NativeGolden, TaskOptions, TolokaTask, write_suites_json, write_tasks_json,
            write_upload_tsv,
        },
        write_atomically,
    },
    problem,
};
use veche_pools::Role;

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Toloka upload: INPUT:, GOLDEN: columns; the platform mixes the suites
    TolokaTsv,
    /// Toloka JSON tasks (API or upload); the platform mixes the suites
    TolokaJson,
    /// Toloka JSON task suites, mixed beforehand (mixing = "static")
    TolokaSuites,
    /// For annotators: suite, place, task, picture; no roles, no answers (mixing = "static")
    Csv,
    /// Label Studio JSON tasks, and the labelling configuration beside them
    LabelStudio,
    /// CVAT for images 1.1 (XML), and the label with its attributes beside it
    Cvat,
    /// Amazon Mechanical Turk batch, one HIT per suite, and its design beside it (mixing = "static")
    Mturk,
}

/// How a platform that compares answers for equality judges numeric controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum NativeControl {
    /// Only the exact number is right
    Exact,
    /// Every number within the tolerance is right
    Tolerance,
    /// The nearer the better: a rate of correct answers is then a clipped mean error
    Triangular,
}

/// Writes the pool; returns what was written, in words.
pub fn export(project: &Project, args: &Export) -> Result<String> {
    let dir = project.pool_dir();
    let pool = StoredPool::read(&dir, &project.questions)?;
    if !args.picture_url.contains("{task}") {
        return problem("--picture-url must contain {task}, or all pictures have one address")
            .value(&args.picture_url)
            .hint("for example https://pictures.example.org/{task}.jpg")
            .fail();
    }
    let url = |i: usize| {
        args.picture_url
            .replace("{task}", &pool.names[i].to_string())
    };
    if args.predictions.is_some() && !matches!(args.format, Format::LabelStudio | Format::Cvat) {
        return problem("--predictions belongs to label-studio and cvat")
            .hint("other formats have no place for answers given beforehand")
            .fail();
    }
    match args.format {
        Format::Csv => return csv(project, args, &pool, &url),
        Format::LabelStudio => return elsewhere::label_studio(project, args, &pool, &url),
        Format::Cvat => return elsewhere::cvat(project, args, &pool),
        Format::Mturk => {
            let suites = static_suites(project)?;
            return elsewhere::mturk(project, args, &pool, &suites, &url);
        }
        Format::TolokaTsv | Format::TolokaJson | Format::TolokaSuites => {}
    }
    let tasks: Vec<TolokaTask> = (0..pool.len())
        .map(|i| TolokaTask {
            inputs: match &pool.texts[i] {
                Some(text) => {
                    vec![
                        ("text".into(), text.clone()),
                        ("task".into(), pool.names[i].to_string()),
                    ]
                }
                None => vec![("image".into(), url(i))],
            },
            truth: match &pool.roles[i] {
                Role::Control(truth) => Some(truth.clone()),
                Role::Real => None,
            },
            hint: None,
        })
        .collect();
    let options = TaskOptions {
        pool_id: Some(args.pool_id.clone()).filter(|id| !id.is_empty()),
        overlap: project.campaign.suite.overlap,
        golden: match args.native_control {
            NativeControl::Exact => NativeGolden::Exact,
            NativeControl::Tolerance => NativeGolden::Tolerance(args.tolerance),
            NativeControl::Triangular => NativeGolden::Triangular(args.tolerance),
        },
    };
    let controls = pool.controls().count();
    let counted = format!("{} items and {controls} controls", pool.len() - controls);
    match args.format {
        Format::TolokaTsv => write_upload_tsv(&args.out, &tasks, &project.questions)?,
        Format::TolokaJson => write_tasks_json(&args.out, &tasks, &project.questions, &options)?,
        Format::TolokaSuites => {
            let suites = static_suites(project)?;
            let lists: Vec<Vec<u32>> = (0..suites.len())
                .map(|s| suites.suite(s).to_vec())
                .collect();
            // The rounds are the overlap: each suite is given out once.
            let once = TaskOptions {
                overlap: 1,
                ..options
            };
            write_suites_json(&args.out, &tasks, &lists, &project.questions, &once)?;
            return Ok(format!("{} suites over {counted}", suites.len()));
        }
        Format::Csv | Format::LabelStudio | Format::Cvat | Format::Mturk => {}
    }
    Ok(counted)
}

fn static_suites(project: &Project) -> Result<super::StoredSuites> {
    match disk::read_suites(&project.pool_dir())? {
        Some(suites) => Ok(suites),
        None => problem(
            "suites of this pool are mixed for each annotator, so there are none to write",
        )
        .file(project.pool_dir())
        .hint("set mixing = \"static\" under [suite] in campaign.toml and build the pool again")
        .fail(),
    }
}

fn csv(
    project: &Project,
    args: &Export,
    pool: &StoredPool,
    url: &dyn Fn(usize) -> String,
) -> Result<String> {
    let suites = static_suites(project)?;
    let text = pool.texts.iter().any(Option::is_some);
    write_atomically(&args.out, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record([
            "suite",
            "place",
            "task",
            if text { "text" } else { "picture" },
        ])?;
        for s in 0..suites.len() {
            for (place, &task) in suites.suite(s).iter().enumerate() {
                let i = task as usize;
                let shown = pool.texts[i].clone().unwrap_or_else(|| url(i));
                let (suite, place) = ((s + 1).to_string(), (place + 1).to_string());
                csv.write_record([suite, place, pool.names[i].to_string(), shown])?;
            }
        }
        csv.flush()
    })?;
    Ok(format!("{} suites", suites.len()))
}
