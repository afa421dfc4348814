//! `veche simulate`: synthetic annotators answer a pool.

use crate::{
    Result,
    config::Project,
    files::{
        FileAnswer, FileVote, VoteTable, WriteOptions,
        toloka_write::{ResultAssignment, TolokaTask, write_results},
        write_votes,
    },
    pool::{StoredPool, StoredSuites, disk},
    problem,
    provenance::Provenance,
    tasks::vote_files,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use veche_pools::{
    Answer, Question, Scale, Slot,
    assignment::{Assigner, Settings},
    controls::Strata,
    random,
    simulation::{Arrivals, Crowd, CrowdSpec},
};

/// Let synthetic annotators answer the pool, to see the whole loop before a single vote is paid for
///
/// Careful, hurried, drifting, constant and random annotators, calibrated to the errors of a real crowd. Everything made
/// from their votes is marked as simulated.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche simulate faces --annotators 120 --bots 0.1")]
pub struct Args {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// How many annotators there are
    #[arg(long, default_value_t = 200)]
    pub annotators: u32,
    /// Share of annotators who do not look at all (constant, random)
    #[arg(long)]
    pub bots: Option<f64>,
    /// Seed of the crowd; the campaign's by default
    #[arg(long)]
    pub seed: Option<u64>,
    /// Write the answers as a Toloka result TSV too
    #[arg(long, value_name = "FILE")]
    pub toloka_tsv: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a simulation did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Summary {
    /// Always true: these are no people.
    pub simulated: bool,
    /// Annotators who answered at least one suite.
    pub annotators: usize,
    /// Suites answered.
    pub suites: usize,
    /// Answers given, one per task and question.
    pub votes: usize,
    /// Whether every item has the votes wanted.
    pub complete: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let project = Project::open(&args.dir)?;
    let mut spec = crowd(&project, args.annotators)?;
    if let Some(bots) = args.bots {
        if !(0.0..1.0).contains(&bots) {
            return problem("--bots is a share, 0 up to 1")
                .value(bots.to_string())
                .fail();
        }
        spec = spec.with_bots(bots);
    }
    let summary = simulate(&project, spec, args.seed, args.toloka_tsv.as_deref())?;
    if args.json {
        return super::print_json(&summary);
    }
    super::print(&format!(
        "SIMULATED: {} annotators answered {} suites, {} answers\n",
        summary.annotators, summary.suites, summary.votes
    ));
    if !summary.complete {
        super::warn("not every item has the votes wanted: a larger crowd is needed (--annotators)");
    }
    Ok(())
}

/// A crowd of this size for the campaign's pool: just so busy that nearly everybody is needed.
pub fn crowd(project: &Project, annotators: u32) -> Result<CrowdSpec> {
    let summary = disk::read_summary(&project.pool_dir())?;
    let suites = summary.items.div_ceil(project.mix.real) * summary.overlap as usize;
    // Activity is log-normal with σ = 1.33: the mean is 2.42 times the median.
    let typical_suites = (suites as f64 / f64::from(annotators.max(1)) / 2.42).max(1.0);
    Ok(CrowdSpec {
        annotators,
        typical_suites,
        ..CrowdSpec::default()
    })
}

/// Fills a pool with simulated votes and stores them as `votes/simulated.parquet`.
pub fn simulate(
    project: &Project,
    spec: CrowdSpec,
    seed: Option<u64>,
    toloka_tsv: Option<&Path>,
) -> Result<Summary> {
    let path = project.votes_dir().join(SIMULATED);
    if let Some(real) = vote_files(&project.votes_dir())?
        .into_iter()
        .find(|f| *f != path)
    {
        return problem("this campaign has other votes, and simulated ones would mix with them")
            .file(real)
            .hint("simulate in a copy of the campaign's folder without its votes")
            .fail();
    }
    let pool = StoredPool::read(&project.pool_dir(), &project.questions)?;
    let suites = disk::read_suites(&project.pool_dir())?;
    let seed = seed.unwrap_or(project.campaign.seed);
    let crowd = Crowd::new(spec, project.questions.clone(), seed)?;
    let mut desk = Desk {
        pool: &pool,
        questions: &project.questions,
        crowd: &crowd,
        done: vec![0; crowd.annotators().len()],
        table: VoteTable::new(),
        suites: 0,
        results: toloka_tsv.map(|_| Vec::new()),
    };
    let complete = match &suites {
        Some(suites) => desk.answer_static(suites, project.mix.size())?,
        None => desk.answer_mixed(project, seed)?,
    };
    let summary = Summary {
        simulated: true,
        annotators: desk.done.iter().filter(|n| **n > 0).count(),
        suites: desk.suites,
        votes: desk.table.len(),
        complete,
    };
    if let (Some(out), Some(results)) = (toloka_tsv, desk.results.take()) {
        let tasks: Vec<TolokaTask> = (0..pool.len())
            .map(|i| TolokaTask {
                inputs: vec![("image".into(), format!("{}.jpg", pool.names[i]))],
                truth: pool.is_control(i).then(|| {
                    (0..project.questions.len())
                        .map(|q| pool.truth(i, q))
                        .collect()
                }),
                hint: None,
            })
            .collect();
        write_results(out, &tasks, &project.questions, results, Some("simulated"))?;
    }
    write_votes(&path, &desk.table, &WriteOptions::default())?;
    // The campaign's seed is a secret; another one is not, and repeats the simulation.
    let mut origin = Provenance::new(
        "veche simulate",
        Some(seed).filter(|s| *s != project.campaign.seed),
    );
    origin.simulated = true;
    for file in ["tasks.parquet", "roles.parquet"] {
        origin = origin.with_file(&project.pool_dir().join(file))?;
    }
    origin.write(&project.votes_dir().join("simulated.provenance.json"))?;
    Ok(summary)
}

/// File of simulated votes in a campaign.
pub const SIMULATED: &str = "simulated.parquet";

/// A campaign begins on a fixed day: a simulation has no clock.
const FIRST_DAY: i64 = 1_767_258_000; // 2026-01-01T09:00:00Z

struct Desk<'a> {
    pool: &'a StoredPool,
    questions: &'a [Question],
    crowd: &'a Crowd,
    /// Tasks answered so far, by annotator.
    done: Vec<u32>,
    table: VoteTable,
    suites: usize,
    /// The same answers by assignment, if a Toloka result file is wanted.
    results: Option<Vec<ResultAssignment>>,
}

impl Desk<'_> {
    /// Suites mixed for each annotator, as a server does it.
    fn answer_mixed(&mut self, project: &Project, seed: u64) -> Result<bool> {
        let controls: Vec<u32> = self.pool.controls().map(|t| t as u32).collect();
        let real: Vec<u32> = (0..self.pool.len())
            .filter(|&t| !self.pool.is_control(t))
            .map(|t| t as u32)
            .collect();
        let truths: Vec<Vec<Option<Answer>>> = controls
            .iter()
            .map(|&t| {
                (0..self.questions.len())
                    .map(|q| self.pool.truth(t as usize, q))
                    .collect()
            })
            .collect();
        let range = project.campaign.controls.as_ref().map(|c| &c.range);
        let widths: Vec<Option<f64>> = self
            .questions
            .iter()
            .map(|q| range.and_then(|r| r.get(&q.name)).copied())
            .collect();
        let strata = Strata::new(self.questions, &truths, &widths)?;
        let settings = Settings {
            mix: project.mix,
            overlap: project.campaign.suite.overlap,
            lifetime_seconds: 3600,
        };
        let dice = random::stream(seed, "simulated assignment");
        let mut assigner = Assigner::new(real.len(), &strata.of, settings, dice)?;
        let mut arrivals = Arrivals::new(self.crowd, project.mix.size());
        let mut left = self.crowd.annotators().len();
        while left > 0 && !assigner.is_complete() {
            let Some(arrival) = arrivals.next() else {
                break;
            };
            let now = FIRST_DAY + arrival.seconds as i64;
            let Some(assigned) = assigner.next(arrival.annotator, now) else {
                arrivals.retire(arrival.annotator);
                left -= 1;
                continue;
            };
            let tasks: Vec<u32> = assigned
                .slots
                .iter()
                .map(|slot| match *slot {
                    Slot::Item(i) => real[i as usize],
                    Slot::Control(c) => controls[c as usize],
                })
                .collect();
            self.answer(arrival.annotator, assigned.assignment, now, &tasks)?;
            assigner.submit(assigned.assignment, now)?;
        }
        Ok(assigner.is_complete())
    }

    /// Suites laid out beforehand: each goes to the first annotator who has met none of its items.
    fn answer_static(&mut self, suites: &StoredSuites, size: usize) -> Result<bool> {
        let mut open: Vec<usize> = (0..suites.len()).collect();
        let mut met: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); self.crowd.annotators().len()];
        let mut arrivals = Arrivals::new(self.crowd, size);
        let mut left = met.len();
        while left > 0 && !open.is_empty() {
            let Some(arrival) = arrivals.next() else {
                break;
            };
            let met = &mut met[arrival.annotator as usize];
            let new = |s: &usize| suites.suite(*s).iter().all(|t| !met.contains(t));
            let Some(at) = open.iter().position(new) else {
                arrivals.retire(arrival.annotator);
                left -= 1;
                continue;
            };
            let suite = open.remove(at);
            met.extend(suites.suite(suite));
            let now = FIRST_DAY + arrival.seconds as i64;
            self.answer(arrival.annotator, suite as u32, now, suites.suite(suite))?;
        }
        Ok(open.is_empty())
    }

    fn answer(&mut self, annotator: u32, assignment: u32, from: i64, tasks: &[u32]) -> Result<()> {
        let who = format!("sim-{annotator:04}");
        let assignment = format!("sim-{assignment:06}");
        let mut answered = Vec::with_capacity(tasks.len());
        let mut spent = 0.0;
        for &task in tasks {
            let task = task as usize;
            let truths: Vec<Option<Answer>> = (0..self.questions.len())
                .map(|q| {
                    let simulated = self.pool.simulated_truths.get(task);
                    self.pool
                        .truth(task, q)
                        .or_else(|| simulated.and_then(|t| t.get(q).copied().flatten()))
                })
                .collect();
            let name = self.pool.names[task];
            let [a, b, c, d, e, f, g, h, ..] = name.0;
            let item = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            let sequence = self.done[annotator as usize];
            let (answers, seconds) = self.crowd.answer(annotator, &truths, item, sequence)?;
            self.done[annotator as usize] += 1;
            spent += seconds;
            answered.push((task as u32, name.to_string(), answers, seconds));
        }
        self.suites += 1;
        if let Some(results) = &mut self.results {
            let given = |answers: &[Answer]| answers.iter().map(|a| Some(*a)).collect();
            results.push(ResultAssignment {
                assignment_id: assignment.clone(),
                suite_id: assignment.clone(),
                worker_id: who.clone(),
                status: "APPROVED".into(),
                started: from,
                submitted: Some(from + spent as i64),
                tasks: answered
                    .iter()
                    .map(|(t, name, a, _)| (*t, name.clone(), given(a)))
                    .collect(),
            });
        }
        for (_, name, answers, seconds) in &answered {
            for (question, answer) in self.questions.iter().zip(answers) {
                let text;
                let answer = match (*answer, &question.scale) {
                    (Answer::Number(value), _) => FileAnswer::Number(value),
                    (choice @ Answer::Choice(_), Scale::Choice(_)) => {
                        text = question.write(choice);
                        FileAnswer::Choice(&text)
                    }
                    _ => FileAnswer::Unsure,
                };
                self.table.push(&FileVote {
                    seconds: Some(*seconds),
                    submitted: Some(from + spent as i64),
                    assignment: Some(&assignment),
                    source: Some("simulated"),
                    ..FileVote::new(&who, name, &question.name, answer)
                });
            }
        }
        Ok(())
    }
}
