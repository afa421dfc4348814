//! Votes with everything needed to judge them, whether they come from a campaign or from a plain table.

use crate::{
    Result,
    config::Project,
    files::{
        Duplicates, FileAnswer, ScaleHint, Skipped, VoteMapping, VoteOptions, VoteReader, VotesRead,
    },
    pool::StoredPool,
    problem,
    provenance::Provenance,
};
use crate::{
    table_questions::{number_sequences, questions_of},
    tasks::{TaskFinder, vote_files},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use veche_analysis::{ChoiceVotes, NumberVotes, Table};
use veche_pools::{
    Answer, Question, Scale,
    banning::{
        Context, Estimation, Given, History, Judged, Policy, Rule, Verdict, decide, estimate_tables,
    },
    controls::{Judgement, judge},
};

/// One vote as the analysis sees it. Indices point into the study's tables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cast {
    /// Index of the annotator.
    pub annotator: u32,
    /// Index of the item; in a campaign the index of the task in its pool.
    pub item: u32,
    /// Index of the question.
    pub question: u32,
    /// What was answered.
    pub answer: Answer,
    /// Seconds spent, where known.
    pub seconds: Option<f32>,
    /// When it was submitted, seconds since 1970, where known.
    pub submitted: Option<i64>,
    /// How many tasks the annotator had answered before.
    pub sequence: u32,
}

/// Votes, items, annotators and truths of one campaign or one table.
#[derive(Debug, Clone)]
pub struct Study {
    /// Title for reports.
    pub title: String,
    /// The questions.
    pub questions: Vec<Question>,
    /// Names of annotators.
    pub annotators: Vec<String>,
    /// Names of items: their owner's ids.
    pub items: Vec<String>,
    /// Known answers: `truths[question][item]`.
    pub truths: Vec<Vec<Option<Answer>>>,
    /// The votes, in the order of the files.
    pub votes: Vec<Cast>,
    /// Whether any vote is simulated.
    pub simulated: bool,
    /// The pool, in a campaign.
    pub pool: Option<StoredPool>,
    /// The campaign.
    pub project: Option<Project>,
    /// Bad rows left out on request.
    pub skipped: Skipped,
    /// Votes left out for the status of their assignment, by status.
    pub by_status: BTreeMap<String, u64>,
    /// Second votes of an annotator on an item that were left out.
    pub repeated: u64,
    /// The files read.
    pub sources: Vec<PathBuf>,
}

/// How to read a plain table of votes.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// File with known answers.
    pub truth: Option<PathBuf>,
    /// Numbers or labels.
    pub scale: ScaleHint,
    /// What to do with second votes.
    pub duplicates: Duplicates,
    /// Leave bad rows out.
    pub skip_bad_rows: bool,
    /// Columns of a plain table, where they have other than the usual names.
    pub mapping: VoteMapping,
}

impl Study {
    /// Opens a campaign's folder, or a table of votes.
    pub fn open(path: &Path, reading: &Reading) -> Result<Self> {
        if path.is_dir() {
            if let Some(truth) = &reading.truth {
                return problem(
                    "--truth belongs to a table of votes; a campaign knows its controls",
                )
                .file(truth)
                .fail();
            }
            if reading.scale != ScaleHint::Auto || reading.mapping != VoteMapping::default() {
                return problem("--scale and names of columns belong to a table of votes")
                    .file(path)
                    .hint("a campaign says in campaign.toml what its questions are and how files are read")
                    .fail();
            }
            return Self::of_campaign(Project::open(path)?, reading);
        }
        Self::of_table(path, reading)
    }

    /// The votes collected in a campaign so far.
    pub fn of_campaign(project: Project, reading: &Reading) -> Result<Self> {
        let pool = StoredPool::read(&project.pool_dir(), &project.questions)?;
        let sources = vote_files(&project.votes_dir())?;
        if sources.is_empty() {
            return problem("there are no votes yet")
                .file(project.votes_dir())
                .hint("collect some and `veche votes import` them, or try `veche simulate`")
                .fail();
        }
        let mut reader = VoteReader::new(VoteOptions {
            mapping: VoteMapping::default(),
            questions: project.questions.clone(),
            scale: ScaleHint::Auto,
            duplicates: reading.duplicates,
            skip_bad_rows: reading.skip_bad_rows,
            ..VoteOptions::default()
        });
        for source in &sources {
            reader.read(source)?;
        }
        let mut read = reader.finish()?;
        let finder = TaskFinder::new(&pool);
        let mut place = Vec::with_capacity(read.votes.items().len());
        for name in read.votes.items().iter() {
            place.push(finder.find(name));
        }
        let mut lost = false;
        for row in 0..read.votes.len() {
            let Err(what) = place[read.votes.indices(row).1 as usize] else {
                continue;
            };
            let vote = read.votes.vote(row);
            let problem = problem(what).file(vote.place.0).row(vote.place.1).value(vote.item).hint(
                "was the pool built anew with other items? votes stay where they are: put the item back, or use \
                 --skip-bad-rows",
            );
            read.skipped.take(problem)?;
            lost = true;
        }
        if lost {
            let bad: Vec<bool> = place.iter().map(std::result::Result::is_err).collect();
            let names = read.votes.items().clone();
            read.votes = read
                .votes
                .filtered(|v| names.find(v.item).is_none_or(|i| !bad[i as usize]));
        }
        let place: Vec<u32> = place.into_iter().map(|p| p.unwrap_or(0) as u32).collect();
        let questions = project.questions.clone();
        let truths = (0..questions.len())
            .map(|q| (0..pool.len()).map(|task| pool.truth(task, q)).collect())
            .collect();
        let title = project.campaign.name.clone();
        let items = pool.items.clone();
        let mut study = Self::assemble(title, questions, items, truths, &place, &read, sources)?;
        study.pool = Some(pool);
        study.project = Some(project);
        Ok(study)
    }

    /// A plain table of votes; truths from its own column, or from another file.
    pub fn of_table(path: &Path, reading: &Reading) -> Result<Self> {
        let mut reader = VoteReader::new(VoteOptions {
            mapping: reading.mapping.clone(),
            questions: Vec::new(),
            scale: reading.scale,
            duplicates: reading.duplicates,
            skip_bad_rows: reading.skip_bad_rows,
            ..VoteOptions::default()
        });
        reader.read(path)?;
        let mut sources = vec![path.to_path_buf()];
        if let Some(truth) = &reading.truth {
            reader.read_truths(truth)?;
            sources.push(truth.clone());
        }
        let read = reader.finish()?;
        let questions = questions_of(&read, path)?;
        let n = read.votes.items().len();
        let mut truths = vec![vec![None; n]; questions.len()];
        for (item, question, answer) in read.votes.truths() {
            truths[question as usize][item as usize] =
                answer_on(&questions[question as usize], answer);
        }
        let items = read.votes.items().iter().map(str::to_owned).collect();
        let place: Vec<u32> = (0..n as u32).collect();
        let title = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        Self::assemble(title, questions, items, truths, &place, &read, sources)
    }

    fn assemble(
        title: String,
        questions: Vec<Question>,
        items: Vec<String>,
        truths: Vec<Vec<Option<Answer>>>,
        place: &[u32],
        read: &VotesRead,
        sources: Vec<PathBuf>,
    ) -> Result<Self> {
        let table = &read.votes;
        let asked: Vec<Option<u32>> = table
            .questions()
            .iter()
            .map(|name| {
                questions
                    .iter()
                    .position(|q| q.name == name)
                    .map(|q| q as u32)
            })
            .collect();
        let mut votes = Vec::with_capacity(table.len());
        for i in 0..table.len() {
            let (annotator, item, question) = table.indices(i);
            let vote = table.vote(i);
            let Some(question) = asked[question as usize] else {
                return problem("a vote on a question that the campaign does not ask")
                    .file(vote.place.0)
                    .row(vote.place.1)
                    .value(vote.question)
                    .fail();
            };
            let Some(answer) = answer_on(&questions[question as usize], vote.answer) else {
                return problem("the answer does not fit its question")
                    .file(vote.place.0)
                    .row(vote.place.1)
                    .fail();
            };
            votes.push(Cast {
                annotator,
                item: place[item as usize],
                question,
                answer,
                seconds: vote.seconds,
                submitted: vote.submitted,
                sequence: 0,
            });
        }
        let annotators: Vec<String> = table.annotators().iter().map(str::to_owned).collect();
        number_sequences(&mut votes, annotators.len());
        Ok(Self {
            title,
            questions,
            annotators,
            items,
            truths,
            votes,
            simulated: table.is_simulated(),
            pool: None,
            project: None,
            skipped: read.skipped.clone(),
            by_status: read.by_status.clone(),
            repeated: read.repeated,
            sources,
        })
    }

    /// The question with this name, or the only one, or an error that lists them.
    pub fn question(&self, name: Option<&str>) -> Result<usize> {
        let names = || {
            self.questions
                .iter()
                .map(|q| q.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match name {
            Some(name) => match self.questions.iter().position(|q| q.name == name) {
                Some(q) => Ok(q),
                None => problem("there is no such question")
                    .value(name)
                    .hint(format!("questions are: {}", names()))
                    .fail(),
            },
            None if self.questions.len() == 1 => Ok(0),
            None => problem("there are several questions")
                .hint(format!("choose one with --question: {}", names()))
                .fail(),
        }
    }

    /// Votes on a number question for which `keep` holds, in dense form. Unsure answers are no votes.
    pub fn number_votes(
        &self,
        question: usize,
        keep: impl Fn(&Cast) -> bool,
    ) -> Result<NumberVotes> {
        self.table(question, keep, Answer::number)
    }

    /// Votes on a choice question for which `keep` holds, in dense form. Unsure answers are no votes.
    pub fn choice_votes(
        &self,
        question: usize,
        keep: impl Fn(&Cast) -> bool,
    ) -> Result<ChoiceVotes> {
        self.table(question, keep, Answer::choice)
    }

    fn table<T: Copy>(
        &self,
        question: usize,
        keep: impl Fn(&Cast) -> bool,
        value: impl Fn(Answer) -> Option<T>,
    ) -> Result<Table<T>> {
        let (mut items, mut annotators, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for vote in &self.votes {
            if vote.question as usize == question
                && keep(vote)
                && let Some(value) = value(vote.answer)
            {
                items.push(vote.item);
                annotators.push(vote.annotator);
                values.push(value);
            }
        }
        let (n_items, n_annotators) = (self.items.len(), self.annotators.len());
        Ok(Table::new(
            n_items,
            n_annotators,
            &items,
            &annotators,
            &values,
        )?)
    }

    /// Known numbers of a question, by item.
    pub fn true_numbers(&self, question: usize) -> Vec<Option<f64>> {
        self.truths[question]
            .iter()
            .map(|t| t.and_then(Answer::number))
            .collect()
    }

    /// Known labels of a question, by item.
    pub fn true_choices(&self, question: usize) -> Vec<Option<u32>> {
        self.truths[question]
            .iter()
            .map(|t| t.and_then(Answer::choice))
            .collect()
    }

    /// Number of labels of a choice question; 0 for numbers.
    pub fn n_labels(&self, question: usize) -> usize {
        match &self.questions[question].scale {
            Scale::Choice(scale) => scale.labels.len(),
            Scale::Number(_) => 0,
        }
    }

    /// Whether an item is a control: at least one of its answers is known.
    pub fn is_control(&self, item: usize) -> bool {
        self.truths.iter().any(|t| t[item].is_some())
    }

    /// What every annotator did, in order, as the ban rules see it.
    pub fn histories(&self) -> Vec<History> {
        let n = self.annotators.len();
        let (mut judged, mut given) = (vec![Vec::new(); n], vec![Vec::new(); n]);
        for vote in &self.votes {
            let (who, seconds, sequence) = (vote.annotator as usize, vote.seconds, vote.sequence);
            let (item, question) = (vote.item, vote.question);
            given[who].push(Given {
                task: item,
                question,
                answer: vote.answer,
                seconds,
                sequence,
            });
            let truth = self.truths[question as usize][item as usize];
            if let Some(judgement) = judge(vote.answer, truth) {
                let (error, correct) = match judgement {
                    Judgement::Error(error) => (Some(error), None),
                    Judgement::Right => (None, Some(true)),
                    Judgement::Wrong => (None, Some(false)),
                    Judgement::Unsure => (None, None),
                };
                judged[who].push(Judged {
                    control: item,
                    question,
                    error,
                    correct,
                    seconds,
                    sequence,
                });
            }
        }
        judged
            .into_iter()
            .zip(given)
            .map(|(j, g)| History::new(j, g))
            .collect()
    }

    /// The verdict of these rules on every annotator.
    pub fn verdicts(&self, rules: &[Rule]) -> Result<Vec<Verdict>> {
        let context = self.context(rules)?;
        let mut verdicts = Vec::with_capacity(self.annotators.len());
        for history in self.histories() {
            verdicts.push(decide(rules, &history, &context)?);
        }
        Ok(verdicts)
    }

    /// The questions with the shipped tables of the sequential test.
    pub fn plain_context(&self) -> Context {
        Context::new(self.questions.clone())
    }

    /// The questions with tables for the sequential test: estimated from these votes where a rule needs them and there
    /// are enough, else as shipped.
    pub fn context(&self, rules: &[Rule]) -> Result<Context> {
        let mut context = self.plain_context();
        let mut histories = None;
        for rule in rules
            .iter()
            .filter(|r| matches!(r, Rule::Sequential { .. }))
        {
            let Some(question) = rule.question(&context)? else {
                continue;
            };
            let truths: Vec<f64> = self
                .true_numbers(question as usize)
                .into_iter()
                .flatten()
                .collect();
            let histories = histories.get_or_insert_with(|| self.histories());
            if let Estimation::Estimated { tables, .. } =
                estimate_tables(histories, question, &truths, &context)?
            {
                context = context.with_tables(question, tables);
            }
        }
        Ok(context)
    }

    /// The rules of the campaign; none for a plain table.
    pub fn rules(&self) -> &[Rule] {
        self.project.as_ref().map_or(&[], |p| &p.campaign.ban.rules)
    }

    /// The policy of the campaign, by default [`Policy::FromTheStart`].
    pub fn policy(&self) -> Policy {
        self.project
            .as_ref()
            .map(|p| p.campaign.ban.policy)
            .unwrap_or_default()
    }

    /// The origin of a result made from this study by `command`.
    pub fn provenance(&self, command: &str) -> Result<Provenance> {
        // The campaign's seed is a secret, and results are passed on: it stands in campaign.toml and beside the pool.
        let mut origin = Provenance::new(command, None);
        origin.simulated = self.simulated;
        for source in &self.sources {
            origin = origin.with_file(source)?;
        }
        Ok(origin)
    }
}

fn answer_on(question: &Question, answer: FileAnswer<'_>) -> Option<Answer> {
    match (answer, &question.scale) {
        (FileAnswer::Unsure, _) => Some(Answer::Unsure),
        (FileAnswer::Number(value), Scale::Number(_)) => Some(Answer::Number(value)),
        (FileAnswer::Choice(label), Scale::Choice(scale)) => scale.index(label).map(Answer::Choice),
        _ => None,
    }
}
