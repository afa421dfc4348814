//! campaign.toml as typed by people ([`Campaign`]) and as checked for the program ([`Project`]).
//!
//! Over 600 lines because all of campaign.toml is one type and its check: who adds a field sees both.

use crate::{Result, files::VoteMapping, problem};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use veche_analysis::aggregation::{ChoiceMethod, NumberMethod};
use veche_pools::{
    ChoiceScale, Mix, NumberScale, Question, Scale,
    banning::{Context, Policy, Rule},
};

/// Name of the file that makes a folder a campaign.
pub const FILE: &str = "campaign.toml";

/// campaign.toml, field by field. Unknown keys are errors: a misspelt rule must not be silently ignored.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Title for reports.
    pub name: String,
    /// Seed of all chance in this campaign, and the secret behind the opaque names.
    pub seed: u64,
    /// What is asked about every item.
    #[serde(rename = "question")]
    pub questions: Vec<QuestionEntry>,
    /// Where the items come from.
    pub items: ItemsEntry,
    /// Where the controls come from.
    pub controls: Option<ControlsEntry>,
    /// How tasks are put together.
    #[serde(default)]
    pub suite: SuiteEntry,
    /// How pictures are shown.
    #[serde(default)]
    pub pictures: PicturesEntry,
    /// Whose votes stop counting.
    #[serde(default)]
    pub ban: BanEntry,
    /// How imported vote files are read.
    #[serde(default)]
    pub votes: VoteMapping,
    /// How votes become labels.
    #[serde(default)]
    pub aggregate: AggregateEntry,
    /// How annotators work on our server.
    #[serde(default)]
    pub serve: ServeEntry,
    /// Networks that people are compared with: tables of predictions by name.
    #[serde(default)]
    pub predictions: BTreeMap<String, PathBuf>,
}

/// One question.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum QuestionEntry {
    /// A number from `min` to `max`.
    Number {
        /// Column name.
        name: String,
        /// What the annotator reads.
        prompt: String,
        /// Smallest answer.
        min: f64,
        /// Largest answer.
        max: f64,
        /// Unit, as people read it.
        #[serde(default)]
        unit: String,
        /// Only whole numbers.
        #[serde(default)]
        integer: bool,
    },
    /// One of several labels.
    Choice {
        /// Column name.
        name: String,
        /// What the annotator reads.
        prompt: String,
        /// The labels, in the order shown.
        labels: Vec<String>,
    },
}

/// Columns of a box: four names, for the left, upper, right and lower edge.
pub type BoxColumns = [String; 4];

/// Where the items come from: a folder of pictures or a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemsEntry {
    /// Folder, or CSV, TSV, Parquet manifest.
    pub source: PathBuf,
    /// Folder that the manifest's paths are relative to; the manifest's own folder by default.
    pub pictures: Option<PathBuf>,
    /// Column, or template with {columns}, that names the picture file.
    pub path: Option<String>,
    /// Column with the address of the picture.
    pub url: Option<String>,
    /// Column with a text to show instead of a picture.
    pub text: Option<String>,
    /// Column with the item's id; the path by default.
    pub id: Option<String>,
    /// A ready set of columns: `imdb-clean` or `mivolo`.
    pub preset: Option<Preset>,
    /// Columns of the face box.
    pub face: Option<BoxColumns>,
    /// Columns of the person box.
    pub person: Option<BoxColumns>,
    /// Only for `veche simulate`: columns with the true answers, by question. Never used for anything else.
    #[serde(default)]
    pub simulated_truth: BTreeMap<String, String>,
}

/// Where the controls come from: a table with known answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlsEntry {
    /// CSV, TSV or Parquet table.
    pub source: PathBuf,
    /// Folder that its paths are relative to; the table's own folder by default.
    pub pictures: Option<PathBuf>,
    /// Column, or template with {columns}, that names the picture file.
    pub path: Option<String>,
    /// Column with the address of the picture.
    pub url: Option<String>,
    /// Column with a text to show instead of a picture.
    pub text: Option<String>,
    /// Column with the control's id; the path by default.
    pub id: Option<String>,
    /// A ready set of columns: `imdb-clean` or `mivolo`.
    pub preset: Option<Preset>,
    /// Columns of the face box.
    pub face: Option<BoxColumns>,
    /// Columns of the person box.
    pub person: Option<BoxColumns>,
    /// Column with the true answer, by question.
    #[serde(default)]
    pub truth: BTreeMap<String, String>,
    /// Whether a control may lack the truth of some questions, and serves for the others.
    #[serde(default)]
    pub partial: bool,
    /// Other spellings of labels, by question: `values.sex = { M = "male", F = "female" }`.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    /// How many controls to use at most; they are chosen to cover the ranges evenly.
    #[serde(default = "default_control_count")]
    pub count: usize,
    /// Width of the answer ranges that are covered evenly, by question, in its unit.
    #[serde(default)]
    pub range: BTreeMap<String, f64>,
}

fn default_control_count() -> usize {
    500
}

/// Ready column layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// IMDB-clean: `filename,age,gender,x_min,y_min,x_max,y_max…`.
    ImdbClean,
    /// MiVOLO annotations: `img_name,age,gender,face_x0…face_y1[,person_x0…person_y1]`, −1 is missing.
    Mivolo,
}

/// How tasks are put together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SuiteEntry {
    /// Real tasks per suite.
    pub real: usize,
    /// Controls per suite.
    pub control: usize,
    /// Votes wanted per item.
    pub overlap: u32,
    /// When tasks are mixed.
    pub mixing: Mixing,
}

impl Default for SuiteEntry {
    fn default() -> Self {
        Self {
            real: 6,
            control: 1,
            overlap: 10,
            mixing: Mixing::PerAnnotator,
        }
    }
}

/// When real tasks and controls are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mixing {
    /// At assignment time, for each annotator anew: what our server and Toloka's smart mixing do.
    PerAnnotator,
    /// Once, at build time: for files.
    Static,
}

/// How pictures are shown; the same for items and controls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PicturesEntry {
    /// Longest side, pixels.
    pub longest_side: u32,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// Which part is shown.
    pub crop: Crop,
    /// How far the box is grown on every side, as a share of its own width and height.
    pub margin: f64,
    /// Pictures with more pixels than this are refused, in millions.
    pub max_megapixels: u32,
}

impl Default for PicturesEntry {
    fn default() -> Self {
        Self {
            longest_side: 448,
            quality: 85,
            crop: Crop::Auto,
            margin: 0.4,
            max_megapixels: 100,
        }
    }
}

/// Which part of a picture is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// The face box where all items and all controls have one, else the whole picture.
    Auto,
    /// The face box.
    Face,
    /// The person box.
    Person,
    /// The whole picture.
    None,
}

/// Whose votes stop counting.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BanEntry {
    /// Which votes of a banned annotator are left out of the labels.
    pub policy: Policy,
    /// The rules; the first that speaks bans.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// How votes become labels.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AggregateEntry {
    /// Method by question; `exp-mae` for numbers and `control-accuracy` for choices by default.
    pub method: BTreeMap<String, String>,
    /// Temperature T of exp(−MAE/T), in the question's unit.
    pub temperature: f64,
    /// Level of the intervals.
    pub level: f64,
}

impl Default for AggregateEntry {
    fn default() -> Self {
        Self {
            method: BTreeMap::new(),
            temperature: 1.0,
            level: 0.9,
        }
    }
}

/// How annotators work on our server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeEntry {
    /// What annotators read before they begin; paragraphs are separated by empty lines.
    pub instructions: String,
    /// Minutes for a suite; then others get its items.
    pub minutes: u32,
    /// Tasks whose known answer is shown after the annotator's, before work begins. Taken from the controls for good.
    pub practice: usize,
    /// Controls in an exam before work begins; 0: no exam.
    pub exam: usize,
    /// Largest mean |error| in the exam on the first number question; without numbers, the smallest share of right answers.
    pub exam_limit: Option<f64>,
    /// What annotators are told about their error.
    pub feedback: Feedback,
    /// Whether votes of a banned annotator are asked of others.
    pub reopen: bool,
    /// Ask no more about an item once the standard error of its mean is at most this, in the first number question's unit.
    pub target_error: Option<f64>,
    /// Votes per item before that may happen.
    pub min_votes: u32,
    /// Where to listen, unless `--listen` or `VECHE_LISTEN` says otherwise.
    pub listen: Option<std::net::SocketAddr>,
    /// Database instead of the campaign's own SQLite file.
    pub database: Option<String>,
    /// Annotators need no invitation.
    pub open_signup: bool,
    /// Certificate chain, PEM, relative to the campaign's folder.
    pub tls_cert: Option<PathBuf>,
    /// Its private key.
    pub tls_key: Option<PathBuf>,
    /// A proxy in front names the client in X-Forwarded-For.
    pub behind_proxy: bool,
}

impl Default for ServeEntry {
    fn default() -> Self {
        Self {
            instructions: String::new(),
            minutes: 20,
            practice: 5,
            exam: 0,
            exam_limit: None,
            feedback: Feedback::None,
            reopen: true,
            target_error: None,
            min_votes: 5,
            listen: None,
            database: None,
            open_signup: false,
            tls_cert: None,
            tls_key: None,
            behind_proxy: false,
        }
    }
}

/// What annotators are told about their error while they work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feedback {
    /// Nothing.
    #[default]
    None,
    /// After each suite the mean error so far, from five controls on. Never the answer of a photo.
    AfterSuite,
}

/// A checked campaign: questions that can be asked, paths resolved against the campaign's folder.
#[derive(Debug, Clone)]
pub struct Project {
    /// The campaign's folder.
    pub dir: PathBuf,
    /// What campaign.toml says, with paths resolved.
    pub campaign: Campaign,
    /// The questions, checked.
    pub questions: Vec<Question>,
    /// The suite mix, checked.
    pub mix: Mix,
}

impl Project {
    /// Reads and checks `DIR/campaign.toml`.
    pub fn open(dir: &Path) -> Result<Self> {
        let file = dir.join(FILE);
        if !file.is_file() {
            return problem(format!("there is no {FILE} here"))
                .file(dir)
                .hint("make one with `veche init DIR`, or name the folder of a campaign")
                .fail();
        }
        let text = fs::read_to_string(&file).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => Box::new(
                problem("is not UTF-8 text")
                    .file(&file)
                    .hint("save it again as UTF-8"),
            ),
            _ => crate::Problem::io("read", &file, &e),
        })?;
        Self::parse(dir, &text)
    }

    /// The pool's folder.
    pub fn pool_dir(&self) -> PathBuf {
        self.dir.join("pool")
    }

    /// The folder of imported and simulated votes.
    pub fn votes_dir(&self) -> PathBuf {
        self.dir.join("votes")
    }

    /// The folder of results.
    pub fn out_dir(&self) -> PathBuf {
        self.dir.join("out")
    }

    /// Index of a question by name.
    pub fn question(&self, name: &str) -> Option<usize> {
        self.questions.iter().position(|q| q.name == name)
    }

    /// Checks the text of a campaign.toml that stands in `dir`.
    pub fn parse(dir: &Path, text: &str) -> Result<Self> {
        let file = dir.join(FILE);
        let mut campaign: Campaign = toml::from_str(text).map_err(|e| {
            let row = e
                .span()
                .map_or(1, |s| text[..s.start].matches('\n').count() as u64 + 1);
            problem(e.message().replace('\n', " "))
                .file(&file)
                .row(row)
                .hint("`veche init --print` shows a campaign.toml with every key explained")
        })?;
        let questions: Vec<Question> = campaign
            .questions
            .iter()
            .map(QuestionEntry::question)
            .collect();
        let at = |p: crate::Problem| {
            let p = p.file(&file);
            if p.hint.is_some() {
                p
            } else {
                p.hint("`veche init --print` explains every key")
            }
        };
        if questions.is_empty() {
            return at(problem("there is no [[question]]").hint("ask at least one")).fail();
        }
        for (i, question) in questions.iter().enumerate() {
            question.check().map_err(|e| at(problem(e.to_string())))?;
            if questions[..i].iter().any(|q| q.name == question.name) {
                return at(problem("two questions have the same name").value(&question.name))
                    .fail();
            }
        }
        let mix = Mix::new(campaign.suite.real, campaign.suite.control)
            .map_err(|e| at(problem(e.to_string())))?;
        let range = |name: &str, ok: bool, must: &str| {
            if ok {
                Ok(())
            } else {
                at(problem(format!("{name} {must}"))).fail()
            }
        };
        range(
            "suite.overlap",
            (1..=30_000).contains(&campaign.suite.overlap),
            "must be 1 to 30000",
        )?;
        let p = &campaign.pictures;
        range(
            "pictures.longest_side",
            (32..=4096).contains(&p.longest_side),
            "must be 32 to 4096",
        )?;
        range(
            "pictures.quality",
            (1..=100).contains(&p.quality),
            "must be 1 to 100",
        )?;
        range(
            "pictures.margin",
            (0.0..=5.0).contains(&p.margin),
            "must be 0 to 5",
        )?;
        range(
            "pictures.max_megapixels",
            p.max_megapixels > 0,
            "must be at least 1",
        )?;
        let a = &campaign.aggregate;
        range(
            "aggregate.level",
            a.level > 0.0 && a.level < 1.0,
            "must lie between 0 and 1",
        )?;
        range(
            "aggregate.temperature",
            a.temperature > 0.0,
            "must be above 0",
        )?;
        let s = &campaign.serve;
        range(
            "serve.minutes",
            (1..=7 * 24 * 60).contains(&s.minutes),
            "must be 1 to 10080",
        )?;
        range("serve.exam", s.exam <= 100, "must be at most 100")?;
        range("serve.practice", s.practice <= 100, "must be at most 100")?;
        range(
            "serve.tls_cert",
            s.tls_cert.is_some() == s.tls_key.is_some(),
            "and serve.tls_key belong together",
        )?;
        range(
            "serve.target_error",
            s.target_error.is_none_or(|t| t > 0.0),
            "must be above 0",
        )?;
        let known = |names: Vec<&String>, place: &str| match names
            .into_iter()
            .find(|name| !questions.iter().any(|q| &q.name == *name))
        {
            None => Ok(()),
            Some(name) => at(
                problem(format!("{place} names a question that is not asked"))
                    .value(name)
                    .hint(format!("questions are: {}", names_of(&questions))),
            )
            .fail(),
        };
        known(
            campaign.aggregate.method.keys().collect(),
            "[aggregate.method]",
        )?;
        known(campaign.votes.answers.keys().collect(), "[votes.answers]")?;
        known(
            campaign.items.simulated_truth.keys().collect(),
            "[items.simulated_truth]",
        )?;
        for (name, method) in &campaign.aggregate.method {
            let question = questions.iter().find(|q| &q.name == name).map(|q| &q.scale);
            let ok = match question {
                Some(Scale::Number(_)) => NumberMethod::from_name(method).is_ok(),
                _ => ChoiceMethod::from_name(method).is_ok(),
            };
            if !ok {
                return at(problem(format!(
                    "[aggregate.method] {name}: no such method for this kind of question"
                ))
                .value(method)
                .hint("`veche methods --help` lists them"))
                .fail();
            }
        }
        for path in campaign.predictions.values_mut() {
            *path = dir.join(&*path);
        }
        campaign.items.source = dir.join(&campaign.items.source);
        campaign.items.pictures = campaign.items.pictures.map(|p| dir.join(p));
        if let Some(controls) = &mut campaign.controls {
            known(controls.truth.keys().collect(), "[controls.truth]")?;
            known(controls.values.keys().collect(), "[controls.values]")?;
            known(controls.range.keys().collect(), "[controls.range]")?;
            for (name, width) in &controls.range {
                range(
                    &format!("controls.range.{name}"),
                    *width > 0.0,
                    "must be above 0",
                )?;
            }
            controls.source = dir.join(&controls.source);
            controls.pictures = controls.pictures.take().map(|p| dir.join(p));
        }
        let context = Context::new(questions.clone());
        for rule in &campaign.ban.rules {
            rule.check(&context)
                .map_err(|e| at(problem(e.to_string())))?;
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            campaign,
            questions,
            mix,
        })
    }
}

fn names_of(questions: &[Question]) -> String {
    questions
        .iter()
        .map(|q| q.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

impl QuestionEntry {
    fn question(&self) -> Question {
        match self.clone() {
            Self::Number {
                name,
                prompt,
                min,
                max,
                unit,
                integer,
            } => {
                let scale = Scale::Number(NumberScale {
                    min,
                    max,
                    unit,
                    integer,
                });
                Question {
                    name,
                    prompt,
                    scale,
                }
            }
            Self::Choice {
                name,
                prompt,
                labels,
            } => Question {
                name,
                prompt,
                scale: Scale::Choice(ChoiceScale { labels }),
            },
        }
    }
}
