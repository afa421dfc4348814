//! `veche votes import` and `veche votes export`.

use super::input::Twice;
use crate::{
    Result,
    config::Project,
    files::{
        FileVote, ScaleHint, Skipped, VoteForm, VoteOptions, VoteReader, VoteTable, WriteOptions,
        write_votes,
    },
    pool::StoredPool,
    problem,
    provenance::Provenance,
    tasks::{TaskFinder, vote_files},
};
use std::{collections::BTreeMap, path::PathBuf};

/// What to do with votes.
#[derive(Debug, clap::Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    Import(Import),
    Collect(Collect),
    Export(Export),
}

/// Read votes into a campaign: Toloka result TSV, CSV, TSV or Parquet, long or wide
///
/// Columns are found by their usual names (annotator, worker, performer or user; item or task; answer, value or label; one
/// column per question in wide tables) or as the section votes of campaign.toml says. A file imported again replaces itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche votes import faces toloka-results.tsv")]
pub struct Import {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// Files with votes
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// An annotator who answers twice about an item: an error, or only the first or last answer counts
    #[arg(long, value_enum, default_value_t = Twice::Error)]
    pub duplicates: Twice,
    /// Leave bad rows out and count them, instead of stopping at the first
    #[arg(long)]
    pub skip_bad_rows: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Take the votes that `veche serve` has stored into the campaign; the server may be running
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  veche votes collect faces && veche aggregate faces --out labels.csv"
)]
pub struct Collect {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// Database of the server, where it is not the campaign's own SQLite file
    #[arg(long, env = "VECHE_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// What annotators said of themselves, for audits (annotators.csv): age in bands of five years with the error they expect, year of birth
    /// instead of the band, or nothing
    #[arg(long, value_enum, default_value_t = Ages::Band)]
    pub ages: Ages,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// How much of what annotators said of themselves is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ages {
    /// Age in bands of five years
    Band,
    /// Year of birth
    Year,
    /// Nothing
    None,
}

/// Write a campaign's votes: CSV, TSV or Parquet by the file's ending
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche votes export faces --form crowd-kit --out votes.csv")]
pub struct Export {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// File to write: .csv, .tsv or .parquet
    #[arg(long)]
    pub out: PathBuf,
    /// Columns of a text file
    #[arg(long, value_enum, default_value_t = Form::Long)]
    pub form: Form,
    /// Repeat the known answer of controls in a column `truth` (long form)
    #[arg(long)]
    pub truth: bool,
    /// Put a ' before cells that a spreadsheet would run as a formula
    #[arg(long)]
    pub spreadsheet_safe: bool,
}

/// [`VoteForm`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// annotator, item, question, answer and what else is known
    Long,
    /// worker, task, label (and question)
    CrowdKit,
    /// annotator, item, one column per question
    Wide,
}

#[derive(serde::Serialize)]
struct Imported {
    votes: usize,
    annotators: usize,
    tasks: usize,
    left_out_bad_rows: u64,
    left_out_by_status: BTreeMap<String, u64>,
    left_out_repeated: u64,
    simulated: bool,
}

/// Runs the subcommand.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Import(args) => import(args),
        Command::Collect(args) => collect(args),
        Command::Export(args) => export(args),
    }
}

fn collect(args: &Collect) -> Result<()> {
    let project = Project::open(&args.dir)?;
    let file = project.dir.join("served.db");
    let named = args
        .database
        .as_deref()
        .or(project.campaign.serve.database.as_deref());
    if named.is_none() && !file.is_file() {
        return problem("no server has run on this campaign")
            .file(&file)
            .hint("start one with `veche serve`, or name its --database")
            .fail();
    }
    let url = crate::store::database_url(named, &file);
    let detail = match args.ages {
        Ages::Band => Some(crate::serve::Detail::Band),
        Ages::Year => Some(crate::serve::Detail::Year),
        Ages::None => None,
    };
    let (collected, people) = super::serve::runtime()?.block_on(async {
        let store = crate::store::Store::open(&url).await?;
        let collected = crate::serve::collect(&project, &store).await;
        let people = match detail {
            Some(detail) => crate::serve::collect_people(&project, &store, detail).await,
            None => Ok(0),
        };
        store.close().await;
        Ok::<_, Box<crate::Problem>>((collected?, people?))
    })?;
    let Some(collected) = collected else {
        return problem("no votes have been submitted yet")
            .file(&args.dir)
            .fail();
    };
    if args.json {
        return super::print_json(&collected);
    }
    super::print(&format!(
        "{} votes of {} annotators in {} suites\n",
        collected.votes, collected.annotators, collected.suites
    ));
    if people > 0 {
        super::note(&format!(
            "{people} annotators said something of themselves: {}",
            project.dir.join(crate::audit::PEOPLE).display()
        ));
    }
    Ok(())
}

fn import(args: &Import) -> Result<()> {
    let project = Project::open(&args.dir)?;
    let pool = StoredPool::read(&project.pool_dir(), &project.questions)?;
    let finder = TaskFinder::new(&pool);
    let options = VoteOptions {
        mapping: project.campaign.votes.clone(),
        questions: project.questions.clone(),
        scale: ScaleHint::Auto,
        duplicates: args.duplicates.into(),
        skip_bad_rows: args.skip_bad_rows,
    };
    let mut total = Imported {
        votes: 0,
        annotators: 0,
        tasks: 0,
        left_out_bad_rows: 0,
        left_out_by_status: BTreeMap::new(),
        left_out_repeated: 0,
        simulated: false,
    };
    let mut ready: Vec<(PathBuf, VoteTable)> = Vec::new();
    for file in &args.files {
        let mut reader = VoteReader::new(options.clone());
        reader.read(file)?;
        let mut read = reader.finish()?;
        let named = by_task(&pool, &finder, &read.votes, &mut read.skipped)?;
        if named.is_empty() {
            return problem("no votes are left to import")
                .file(file)
                .hint(read.skipped.to_string())
                .fail();
        }
        if !read.skipped.is_empty() {
            super::warn(&read.skipped.to_string());
        }
        total.left_out_bad_rows += read.skipped.rows();
        total.left_out_repeated += read.repeated;
        for (status, n) in read.by_status {
            *total.left_out_by_status.entry(status).or_default() += n;
        }
        let stem = file
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        let target = project.votes_dir().join(format!("{stem}.parquet"));
        if ready.iter().any(|(other, _)| *other == target) {
            return problem("two files to import have the same name")
                .file(file)
                .hint("rename one")
                .fail();
        }
        ready.push((target, named));
    }
    let mut all = VoteTable::new();
    let mut seen: Vec<(PathBuf, bool)> = Vec::new();
    for stored in vote_files(&project.votes_dir())? {
        if ready.iter().any(|(target, _)| *target == stored) {
            continue;
        }
        let options = VoteOptions {
            questions: project.questions.clone(),
            ..VoteOptions::default()
        };
        let read = crate::files::read_votes(&stored, &options)?;
        seen.push((stored, read.votes.is_simulated()));
        read.votes.votes().for_each(|vote| all.push(&vote));
    }
    for (target, table) in &ready {
        seen.push((target.clone(), table.is_simulated()));
        table.votes().for_each(|vote| all.push(&vote));
    }
    if let Some((simulated, _)) = seen.iter().find(|(_, simulated)| *simulated)
        && let Some((real, _)) = seen.iter().find(|(_, simulated)| !simulated)
    {
        return problem("simulated votes would mix with those of people")
            .file(simulated)
            .hint(format!("remove this file, or {}", real.display()))
            .fail();
    }
    // Across files nobody chose which answer counts, so a second one is an error that names both places.
    all.settle_duplicates(crate::files::Duplicates::Error).map_err(|mut p| {
        p.hint = p.hint.map(|h| {
            let h = h.split(": remove").next().unwrap_or_default().to_owned();
            format!("{h}: remove one, or import both rows from one file with --duplicates first or last")
        });
        p
    })?;
    for (target, table) in &ready {
        write_votes(target, table, &WriteOptions::default())?;
        let mut origin = Provenance::new("veche votes import", None);
        origin.simulated = table.is_simulated();
        let sources = args
            .files
            .iter()
            .filter(|f| f.file_stem() == target.file_stem());
        for source in sources {
            origin = origin.with_file(source)?;
        }
        origin.write(&target.with_extension("provenance.json"))?;
        total.votes += table.len();
        total.simulated |= table.is_simulated();
    }
    let all = ready.iter().flat_map(|(_, t)| t.votes());
    let (mut annotators, mut tasks) = (
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
    );
    for vote in all {
        annotators.insert(vote.annotator);
        tasks.insert(vote.item);
    }
    (total.annotators, total.tasks) = (annotators.len(), tasks.len());
    if args.json {
        return super::print_json(&total);
    }
    super::print(&format!(
        "{} votes of {} annotators on {} tasks\n",
        total.votes, total.annotators, total.tasks
    ));
    for (status, n) in &total.left_out_by_status {
        super::note(&format!("{n} votes left out: their assignment is {status}"));
    }
    if total.left_out_repeated > 0 {
        super::note(&format!(
            "{} second votes left out",
            total.left_out_repeated
        ));
    }
    Ok(())
}

/// The same votes with items by their task names.
fn by_task(
    pool: &StoredPool,
    finder: &TaskFinder<'_>,
    votes: &VoteTable,
    skipped: &mut Skipped,
) -> Result<VoteTable> {
    let names: Vec<Result<String, &'static str>> = votes
        .items()
        .iter()
        .map(|item| finder.find(item).map(|task| pool.names[task].to_string()))
        .collect();
    let mut named = VoteTable::new();
    // Several answers of one row are one bad row.
    let mut counted = None;
    for row in 0..votes.len() {
        let vote = votes.vote(row);
        match &names[votes.indices(row).1 as usize] {
            Ok(name) => named.push(&FileVote { item: name, ..vote }),
            Err(_) if counted.replace(vote.place) == Some(vote.place) => {}
            Err(what) => skipped.take(
                problem(*what)
                    .file(vote.place.0)
                    .row(vote.place.1)
                    .value(vote.item)
                    .hint("votes name the task (24 hexadecimal digits) or the item's id; leave the row out with --skip-bad-rows"),
            )?,
        }
    }
    Ok(named)
}

fn export(args: &Export) -> Result<()> {
    let project = Project::open(&args.dir)?;
    let pool = StoredPool::read(&project.pool_dir(), &project.questions)?;
    let mut reader = VoteReader::new(VoteOptions {
        questions: project.questions.clone(),
        ..VoteOptions::default()
    });
    let files = vote_files(&project.votes_dir())?;
    if files.is_empty() {
        return problem("there are no votes yet")
            .file(project.votes_dir())
            .hint("collect some and `veche votes import` them, or try `veche simulate`")
            .fail();
    }
    for file in files {
        reader.read(file)?;
    }
    let read = reader.finish()?;
    let finder = TaskFinder::new(&pool);
    let mut votes = VoteTable::new();
    for vote in read.votes.votes() {
        // The owner's id where it means one task, else the task's name: both are read back.
        let task = finder
            .find(vote.item)
            .map_err(|what| problem(what).value(vote.item))?;
        let id = pool.items[task].as_str();
        let item = if finder.find(id).is_ok() {
            id
        } else {
            vote.item
        };
        votes.push(&FileVote { item, ..vote });
        if args.truth {
            for (q, question) in project.questions.iter().enumerate() {
                if let Some(truth) = pool.truth(task, q) {
                    let text = question.write(truth);
                    let answer = match truth {
                        veche_pools::Answer::Number(v) => crate::files::FileAnswer::Number(v),
                        _ => crate::files::FileAnswer::Choice(&text),
                    };
                    votes.push_truth(item, &question.name, answer, ("roles.parquet", 0))?;
                }
            }
        }
    }
    let ending = args
        .out
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_lowercase();
    if !["csv", "tsv", "parquet"].contains(&ending.as_str()) {
        return problem("votes are written as .csv, .tsv or .parquet")
            .file(&args.out)
            .fail();
    }
    let form = match args.form {
        Form::Long => VoteForm::Long,
        Form::CrowdKit => VoteForm::CrowdKit,
        Form::Wide => VoteForm::Wide,
    };
    let options = WriteOptions {
        form,
        spreadsheet_safe: args.spreadsheet_safe,
        truth: args.truth,
    };
    write_votes(&args.out, &votes, &options)?;
    super::note(&format!(
        "wrote {} votes to {}",
        votes.len(),
        args.out.display()
    ));
    Ok(())
}
