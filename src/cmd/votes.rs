//! `veche votes import` and `veche votes export`.

use super::input::Twice;
use crate::{
    Result,
    config::Project,
    files::{
        FileVote, ScaleHint, Skipped, VoteForm, VoteFormat, VoteOptions, VoteReader, VoteTable,
        WriteOptions,
        foreign::{label_studio_write, prolific},
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

/// Read votes into a campaign: tables (CSV, TSV, Parquet) and what Toloka, Label Studio, CVAT and Mechanical Turk export
///
/// Columns are found by their usual names (annotator, worker, performer or user; item or task; answer, value or label; one
/// column per question in wide tables) or as the section votes of campaign.toml says. A file imported again replaces itself.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche votes import faces toloka-results.tsv\n  \
    veche votes import faces label-studio-export.json\n  \
    veche votes import faces job-7.xml --annotator ann\n  \
    veche votes import faces answers.csv --participants prolific_export.csv"
)]
pub struct Import {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// Files with votes
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// How the files are laid out
    #[arg(long, value_enum, default_value_t = VoteFormat::Auto)]
    pub format: VoteFormat,
    /// Who annotated, for CVAT files that do not say it
    #[arg(long, value_name = "NAME")]
    pub annotator: Option<String>,
    /// Prolific's export of submissions: votes of those whose work was returned or rejected are left out, and ages are kept in
    /// votes/annotators.csv
    #[arg(long, value_name = "FILE")]
    pub participants: Option<PathBuf>,
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
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Write a campaign's votes: CSV, TSV or Parquet by the file's ending, or JSON for Label Studio
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche votes export faces --format crowd-kit --out votes.csv\n  \
    veche votes export faces --format label-studio --out annotated.json"
)]
pub struct Export {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// File to write: .csv, .tsv or .parquet; .json for Label Studio
    #[arg(long)]
    pub out: PathBuf,
    /// What is written: columns of a text file, or Label Studio's annotations
    #[arg(long, visible_alias = "format", value_enum, default_value_t = Form::Long)]
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
    /// Tasks with annotations, JSON
    LabelStudio,
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
    if args.database.is_none() && !file.is_file() {
        return problem("no server has run on this campaign")
            .file(&file)
            .hint("start one with `veche serve`, or name its --database")
            .fail();
    }
    let url = crate::store::database_url(args.database.as_deref(), &file);
    let collected = super::serve::runtime()?.block_on(async {
        let store = crate::store::Store::open(&url).await?;
        let collected = crate::serve::collect(&project, &store).await;
        store.close().await;
        collected
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
        format: args.format,
        annotator: args.annotator.clone(),
    };
    let participants = match &args.participants {
        Some(path) => {
            let mut skipped = Skipped::if_asked(args.skip_bad_rows);
            let accept = project.campaign.votes.accept.as_ref();
            let read = prolific::read(path, accept, &mut skipped)?;
            if !skipped.is_empty() {
                super::warn(&skipped.to_string());
            }
            Some(read)
        }
        None => None,
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
        if let Some(participants) = &participants {
            read.votes = taken_part(
                &read.votes,
                participants,
                &mut read.by_status,
                &mut read.skipped,
            )?;
        }
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
    if let Some(participants) = &participants {
        let path = project.votes_dir().join("annotators.csv");
        prolific::write_annotators(&path, participants)?;
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

/// The votes of those whose submission counts.
fn taken_part(
    votes: &VoteTable,
    participants: &prolific::Participants,
    by_status: &mut BTreeMap<String, u64>,
    skipped: &mut Skipped,
) -> Result<VoteTable> {
    let mut kept = VoteTable::new();
    for vote in votes.votes() {
        match participants.get(vote.annotator) {
            Some(p) if p.counts => kept.push(&vote),
            Some(p) => *by_status.entry(p.status.clone()).or_default() += 1,
            None => skipped.take(
                problem("a vote of somebody who is not among the participants")
                    .file(vote.place.0)
                    .row(vote.place.1)
                    .value(vote.annotator)
                    .hint("was this a trial run? export the participants again, or leave such votes out with --skip-bad-rows"),
            )?,
        }
    }
    Ok(kept)
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
    if args.form == Form::LabelStudio {
        if ending != "json" {
            return problem("annotations for Label Studio are written as .json")
                .file(&args.out)
                .fail();
        }
        label_studio_write::write_votes(&args.out, &votes)?;
        super::note(&format!(
            "wrote {} votes to {}",
            votes.len(),
            args.out.display()
        ));
        return Ok(());
    }
    if !["csv", "tsv", "parquet"].contains(&ending.as_str()) {
        return problem("votes are written as .csv, .tsv or .parquet")
            .file(&args.out)
            .fail();
    }
    let form = match args.form {
        Form::Long | Form::LabelStudio => VoteForm::Long,
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
