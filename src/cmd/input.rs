//! Arguments shared by the commands that judge votes: where they are, and how to read them.

use crate::{
    Result,
    files::{Duplicates, ScaleHint, VoteMapping},
    labels, problem,
    study::{Reading, Study},
};
use std::path::PathBuf;
use veche_analysis::aggregation::NumberSettings;
use veche_pools::{
    Scale,
    banning::{Policy, Rule, Verdict},
};

/// Where votes come from.
#[derive(Debug, Clone, clap::Args)]
pub struct VotesArgs {
    /// Folder of a campaign, or a table of votes (CSV, TSV, Parquet: annotator, item, answer[, truth])
    pub votes: PathBuf,
    /// Table with known answers: item, truth (for a table of votes)
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// Whether answers are numbers or labels; found out by default
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    pub scale: Kind,
    /// Column with the annotator, if it has an unusual name
    #[arg(long, value_name = "COLUMN")]
    pub annotator_column: Option<String>,
    /// Column with the item
    #[arg(long, value_name = "COLUMN")]
    pub item_column: Option<String>,
    /// Column with the answer
    #[arg(long, value_name = "COLUMN")]
    pub answer_column: Option<String>,
    /// Column with the known answer
    #[arg(long, value_name = "COLUMN")]
    pub truth_column: Option<String>,
    /// Which question, where there are several
    #[arg(long)]
    pub question: Option<String>,
    /// An annotator who answers twice about an item: an error, or only the first or last answer counts
    #[arg(long, value_enum, default_value_t = Twice::Error)]
    pub duplicates: Twice,
    /// Leave bad rows out and count them, instead of stopping at the first
    #[arg(long)]
    pub skip_bad_rows: bool,
}

/// Said where answers are 0, 1, … up to 4 at most.
pub const MAY_BE_LABELS: &str =
    "answers are taken as numbers; if 0, 1 … are labels, say --scale choice";

/// Whether a name matches a pattern in which `*` stands for anything.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len())
                .filter(|&at| tail.is_char_boundary(at))
                .any(|at| matches(rest, &tail[at..]))
        }),
    }
}

/// What answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Numbers, if nearly all of them are
    Auto,
    /// Numbers
    Number,
    /// Labels, even if they look like numbers
    Choice,
}

/// What to do with second votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Twice {
    /// Stop with an error that names both rows
    Error,
    /// The first counts
    First,
    /// The last counts
    Last,
}

impl From<Twice> for Duplicates {
    fn from(twice: Twice) -> Self {
        match twice {
            Twice::Error => Self::Error,
            Twice::First => Self::First,
            Twice::Last => Self::Last,
        }
    }
}

impl VotesArgs {
    /// A campaign's folder, read strictly.
    pub fn campaign(dir: &std::path::Path) -> Self {
        Self {
            votes: dir.to_path_buf(),
            truth: None,
            scale: Kind::Auto,
            annotator_column: None,
            item_column: None,
            answer_column: None,
            truth_column: None,
            question: None,
            duplicates: Twice::Error,
            skip_bad_rows: false,
        }
    }

    /// Whether answers were said to be numbers or labels.
    pub fn hint(&self) -> ScaleHint {
        match self.scale {
            Kind::Auto => ScaleHint::Auto,
            Kind::Number => ScaleHint::Number,
            Kind::Choice => ScaleHint::Choice,
        }
    }

    /// Columns that were named.
    pub fn mapping(&self) -> VoteMapping {
        VoteMapping {
            annotator: self.annotator_column.clone(),
            item: self.item_column.clone(),
            value: self.answer_column.clone(),
            truth: self.truth_column.clone(),
            ..VoteMapping::default()
        }
    }

    /// The tables of votes: one file, or all tables of a folder that is no campaign, or those whose names match a pattern with
    /// `*` in the last part of the path, sorted by name. `None` for a campaign.
    pub fn tables(&self) -> Result<Option<Vec<PathBuf>>> {
        let path = &self.votes;
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let (dir, pattern) = if path.is_dir() {
            if path.join(crate::config::FILE).exists() {
                return Ok(None);
            }
            (path.as_path(), None)
        } else if name.contains('*') && !path.exists() {
            let dir = path.parent().filter(|d| !d.as_os_str().is_empty());
            (dir.unwrap_or(std::path::Path::new(".")), Some(name))
        } else {
            return Ok(Some(vec![path.clone()]));
        };
        let fail = |e: std::io::Error| crate::Problem::io("read the folder", dir, &e);
        let mut tables = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(fail)? {
            let file = entry.map_err(fail)?.path();
            let name = file
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            let wanted = match pattern {
                Some(pattern) => matches(pattern, name),
                None => ["parquet", "csv", "tsv"]
                    .iter()
                    .any(|e| file.extension().is_some_and(|x| x.eq_ignore_ascii_case(e))),
            };
            if wanted && file.is_file() {
                tables.push(file);
            }
        }
        tables.sort();
        if tables.is_empty() && pattern.is_none() {
            // No campaign and no tables: the error of a missing campaign says what there should be.
            return Ok(None);
        }
        if tables.is_empty() {
            return problem("no file matches this pattern").file(path).fail();
        }
        Ok(Some(tables))
    }

    /// Errors if several tables were named where only one can be read.
    pub fn refuse_several(&self) -> Result<()> {
        match self.tables()? {
            Some(tables) if tables.len() > 1 || tables.first() != Some(&self.votes) => {
                problem("tables of a folder are read together only if each has one row per vote with an annotator, an item and a \
                         number or label, and nothing is to be left out")
                    .file(&self.votes)
                    .hint("`veche aggregate` of one of the files says what is different about it")
                    .fail()
            }
            _ => Ok(()),
        }
    }

    /// Reads the votes and says on stderr what was left out.
    pub fn open(&self) -> Result<Study> {
        let study = Study::open(
            &self.votes,
            &Reading {
                truth: self.truth.clone(),
                scale: self.hint(),
                duplicates: self.duplicates.into(),
                skip_bad_rows: self.skip_bad_rows,
                mapping: self.mapping(),
            },
        )?;
        // Commands that look at all questions must not pass over a misspelt one in silence.
        if let Some(name) = &self.question {
            study.question(Some(name))?;
        }
        if !study.skipped.is_empty() {
            super::warn(&study.skipped.to_string());
        }
        for (status, n) in &study.by_status {
            super::warn(&format!("{n} votes left out: their assignment is {status}"));
        }
        if study.repeated > 0 {
            super::warn(&format!(
                "{} second votes of an annotator on an item left out",
                study.repeated
            ));
        }
        if study.simulated {
            super::warn("these votes are SIMULATED: nobody looked at anything");
        }
        if self.scale == Kind::Auto && study.project.is_none() {
            for question in &study.questions {
                let few = |s: &veche_pools::NumberScale| s.min == 0.0 && s.max <= 4.0;
                if matches!(&question.scale, Scale::Number(s) if few(s)) {
                    super::warn(MAY_BE_LABELS);
                }
            }
        }
        Ok(study)
    }

    /// The question asked for, or all of them.
    pub fn questions(&self, study: &Study) -> Result<Vec<usize>> {
        match &self.question {
            Some(name) => Ok(vec![study.question(Some(name))?]),
            None => Ok((0..study.questions.len()).collect()),
        }
    }
}

/// The ban rules to apply.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RuleArgs {
    /// Ban annotators whose mean absolute error on controls lies above this (instead of the campaign's rules)
    #[arg(long, value_name = "ERROR")]
    pub ban_mae: Option<f64>,
    /// … looked at after every control from this one on
    #[arg(long, default_value_t = 10, requires = "ban_mae")]
    pub min_controls: u32,
}

/// Which votes count.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct PolicyArgs {
    /// Which votes of a banned annotator are left out; the campaign's policy by default
    #[arg(long, value_enum)]
    pub policy: Option<PolicyArg>,
}

/// [`Policy`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PolicyArg {
    /// All of them
    FromTheStart,
    /// Those after the ban
    AfterBan,
    /// None
    Keep,
}

impl From<PolicyArg> for Policy {
    fn from(policy: PolicyArg) -> Self {
        match policy {
            PolicyArg::FromTheStart => Self::FromTheStart,
            PolicyArg::AfterBan => Self::AfterBan,
            PolicyArg::Keep => Self::Keep,
        }
    }
}

impl RuleArgs {
    /// The rules: the one given (on this question, or the first of numbers), else the campaign's.
    pub fn rules(&self, study: &Study, question: Option<&str>) -> Result<Vec<Rule>> {
        let Some(threshold) = self.ban_mae else {
            return Ok(study.rules().to_vec());
        };
        let rule = Rule::MaeAbove {
            question: question.map(str::to_owned),
            threshold,
            min_controls: self.min_controls,
        };
        rule.check(&veche_pools::banning::Context::new(study.questions.clone()))?;
        Ok(vec![rule])
    }

    /// The verdict on every annotator.
    pub fn verdicts(&self, study: &Study, question: Option<&str>) -> Result<Vec<Verdict>> {
        study.judge(&self.rules(study, question)?)
    }
}

impl PolicyArgs {
    /// The policy: the one given, else the campaign's.
    pub fn policy(&self, study: &Study) -> Policy {
        self.policy.map_or_else(|| study.policy(), Into::into)
    }
}

/// Settings of numeric methods.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct MethodArgs {
    /// T of exp(-MAE/T), in the question's unit [default: the campaign's, or 1]
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// How far winsorized votes may lie from the median, in the question's unit [default: 6]
    #[arg(long)]
    pub cap: Option<f64>,
    /// Level of the intervals [default: the campaign's, or 0.9]
    #[arg(long)]
    pub level: Option<f64>,
}

impl MethodArgs {
    /// Settings with the flags over the campaign's.
    pub fn settings(&self, study: &Study) -> Result<NumberSettings> {
        self.over(labels::settings(study))
    }

    /// These settings with the flags over them.
    pub fn over(&self, mut settings: NumberSettings) -> Result<NumberSettings> {
        settings.temperature = self.temperature.unwrap_or(settings.temperature);
        settings.cap = self.cap.unwrap_or(settings.cap);
        settings.level = self.level.unwrap_or(settings.level);
        settings.check()?;
        Ok(settings)
    }
}

/// Fails if nothing is known to judge by.
pub fn need_truth(study: &Study, question: usize) -> Result<()> {
    if study.truths[question].iter().any(Option::is_some) {
        return Ok(());
    }
    let hint = if study.project.is_some() {
        "the campaign's controls have no truth for this question: see [controls.truth] in campaign.toml"
    } else {
        "add a column `truth`, or give a table of item, truth with --truth"
    };
    problem("no answer is known, so nobody can be judged")
        .column(&study.questions[question].name)
        .hint(hint)
        .fail()
}
