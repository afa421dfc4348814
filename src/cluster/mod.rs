//! Labels where the votes are too many for one machine: the closed formulas as queries that run where the votes are, on Spark,
//! Databricks, Sail, or any engine that is given the printed plan. The statistics are those of `veche_analysis`; tests hold
//! every number to the embedded engine's. See docs/spark.md.

mod choice;
#[cfg(feature = "spark")]
mod connect;
mod dawid_skene;
mod evidence;
mod number;
mod plan;
#[cfg(feature = "spark")]
mod run;
mod source;

pub use plan::Dialect;
pub use source::Place;

use crate::{
    Result,
    files::{ScaleHint, VoteMapping},
    labels::Method,
    problem,
};
use dawid_skene::Passes;
use plan::Plan;
use source::Source;
use veche_analysis::aggregation::{
    ChoiceMethod, ChoiceSettings, Convergence, NumberMethod, NumberSettings,
};

/// Where computing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Engine {
    /// Here
    #[default]
    Embedded,
    /// On a Spark Connect server
    Spark,
}

/// Arguments of the commands that can run on a cluster.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ClusterArgs {
    /// Where to compute. With spark, VOTES and --truth are tables of the cluster or Parquet that it can read
    #[arg(long, value_enum, default_value_t = Engine::Embedded)]
    pub engine: Engine,
    /// Address of the Spark Connect server: sc://HOST:15002
    #[arg(long, value_name = "URL", env = "SPARK_REMOTE", hide_env_values = true)]
    pub master: Option<String>,
    /// Print the queries instead of running them, for any engine of this dialect; needs no server
    #[arg(long, value_enum, value_name = "DIALECT", num_args = 0..=1, default_missing_value = "spark", require_equals = true)]
    pub print_sql: Option<Dialect>,
    /// Folder on the cluster for tables in between, one below it for every run [default: OUT.work]
    #[arg(long, value_name = "PATH")]
    pub work: Option<String>,
    /// Replace what is at OUT on the cluster
    #[arg(long)]
    pub overwrite: bool,
}

impl ClusterArgs {
    /// Whether a cluster or its queries are asked for.
    pub fn asked(&self) -> bool {
        self.engine == Engine::Spark || self.print_sql.is_some()
    }

    /// The folder for tables in between: the one given, or beside `path`.
    pub fn work_beside(&self, path: &str) -> String {
        let beside = || format!("{}.work", path.trim_end_matches('/'));
        self.work.clone().unwrap_or_else(beside)
    }
}

/// What is to be labelled, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// The votes.
    pub votes: Place,
    /// The known answers, where they are a table of their own.
    pub truth: Option<Place>,
    /// Columns with other than the usual names.
    pub mapping: VoteMapping,
    /// Numbers or labels.
    pub scale: ScaleHint,
    /// Name of the method; the usual one by default.
    pub method: Option<String>,
    /// Settings of numeric methods.
    pub settings: NumberSettings,
    /// Where the labels go: a folder of Parquet on the cluster.
    pub out: String,
    /// Where tables in between go.
    pub work: String,
    /// Whether what is at `out` is replaced.
    pub overwrite: bool,
}

impl Request {
    /// Errors where a place cannot be written into a query.
    fn check(&self) -> Result<()> {
        plan::check_quotable("path of the result", &self.out)?;
        plan::check_quotable("folder for tables in between", &self.work)
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Name of the method.
    pub method: &'static str,
    /// Items with a label.
    pub items: u64,
    /// Votes.
    pub votes: u64,
    /// Whether intervals were fitted to the errors on controls.
    pub calibrated: bool,
    /// Whether standard errors include the error that all share.
    pub includes_shared: bool,
    /// Whether labels are words.
    pub choices: bool,
    /// How the method came to its end.
    pub convergence: Convergence,
    /// The server.
    pub server: String,
}

/// The names of all methods that run on a cluster, as a hint.
fn names() -> String {
    let numbers = number::METHODS.iter().map(|m| m.name());
    let choices = choice::METHODS.iter().map(|m| m.name());
    format!(
        "on a cluster there are {} for numbers and {} for labels; the embedded engine has all",
        numbers.collect::<Vec<_>>().join(", "),
        choices.collect::<Vec<_>>().join(", ")
    )
}

fn not_a_query<T>(method: &str) -> Result<T> {
    problem("this method is not computed on a cluster")
        .value(method)
        .hint(names())
        .fail()
}

/// The method, from its name or the usual one.
fn method(request: &Request, numbers: bool, controls: bool) -> Result<Method> {
    let method = Method::named(
        numbers,
        controls,
        request.method.as_deref(),
        request.settings,
    )?;
    match method {
        Method::Number(m, _) => number::check(m)?,
        Method::Choice(m, _) => choice::check(m)?,
    }
    if !controls {
        let needs = match method {
            Method::Number(m, _) => m.needs_controls(),
            Method::Choice(m, _) => m.needs_controls(),
        };
        if needs {
            return Err(veche_analysis::Error::NoControls {
                method: method.name(),
            }
            .into());
        }
    }
    Ok(method)
}

/// Whether answers are numbers, where the request says so.
fn said_numbers(request: &Request) -> Option<bool> {
    match request.scale {
        ScaleHint::Number => return Some(true),
        ScaleHint::Choice => return Some(false),
        ScaleHint::Auto => {}
    }
    let name = request.method.as_deref()?;
    if NumberMethod::from_name(name).is_ok() {
        return Some(true);
    }
    ChoiceMethod::from_name(name).is_ok().then_some(false)
}

/// How the passes of a method that iterates differ; `None` for a formula.
fn passes(method: ChoiceMethod, settings: &ChoiceSettings) -> Option<Passes> {
    match method {
        ChoiceMethod::DawidSkene => Some(Passes { pooling: None }),
        ChoiceMethod::DawidSkenePooled => Some(Passes {
            pooling: (settings.pooling > 0.0).then_some(settings.pooling),
        }),
        _ => None,
    }
}

/// What every usable answer fulfils.
const NUMBER: &str = "ABS(v) < 1E30";
const WORD: &str = "v <> ''";

/// The queries as text.
pub fn print(request: &Request, dialect: Dialect) -> Result<String> {
    request.check()?;
    let source = Source::new(
        dialect,
        request.votes.clone(),
        request.truth.clone(),
        &request.mapping,
        None,
        None,
    )?;
    let numbers = said_numbers(request).unwrap_or(true);
    let method = method(request, numbers, source.has_truths())?;
    let mut text = format!(
        "-- {} by veche {}. Run from top to bottom in one session.\n",
        method.name(),
        env!("CARGO_PKG_VERSION")
    );
    let write = |plan: &Plan| plan.print(dialect, &request.work, &request.out);
    match method {
        Method::Number(method, settings) => {
            text += &write(&number::plan(
                &source,
                method,
                &settings,
                source.has_truths(),
            )?);
            text += &check(&source, NUMBER);
        }
        Method::Choice(method, settings) => {
            match passes(method, &settings) {
                None => text += &write(&choice::plan(&source, method)),
                Some(passes) => {
                    text += &write(&passes.start(&source));
                    text += "\n-- One pass. Repeat it with the numbers in its names raised by one until the objective per vote gains\n\
                             -- less than 1E-5; the labels are those of the last pass.";
                    text += &write(&passes.pass(1));
                    text += &format!("\n{};\n", passes.objective(1));
                    text += &write(&passes.end(1));
                }
            }
            text += &check(&source, WORD);
        }
    }
    Ok(text)
}

/// The query that tells whether the votes are good, as a statement.
fn check(source: &Source, usable: &str) -> String {
    format!(
        "\n-- Of these, repeated and unusable must be 0: an annotator votes once on an item, and every answer can be used.\n{};\n",
        source.facts(usable)
    )
}

/// Labels every item on the cluster, which writes the labels.
#[cfg(feature = "spark")]
pub fn label(request: &Request, master: Option<&str>) -> Result<Summary> {
    request.check()?;
    run::label(request, needed(master)?)
}

/// Without the client nothing can be run.
#[cfg(not(feature = "spark"))]
pub fn label(_: &Request, _: Option<&str>) -> Result<Summary> {
    without_client()
}

#[cfg(feature = "spark")]
fn needed(master: Option<&str>) -> Result<&str> {
    master.map_or_else(
        || {
            problem("--engine spark needs to know the server")
                .hint(
                    "give --master sc://HOST:15002, or set SPARK_REMOTE; `--print-sql` needs none",
                )
                .fail()
        },
        Ok,
    )
}

#[cfg(not(feature = "spark"))]
fn without_client<T>() -> Result<T> {
    problem("this veche was built without the client of Spark Connect")
        .hint(
            "install protoc (apt-get install protobuf-compiler) and build it with `cargo install --path . --features spark`; \
             or print the queries with --print-sql and run them yourself",
        )
        .fail()
}
