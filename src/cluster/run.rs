//! Runs a plan on a server, a step at a time, and looks at what came back before going on.

use super::connect::{Cell, Field, FieldKind, Session};
use super::dawid_skene::Passes;
use super::plan::{Dialect, Keep, Plan};
use super::source::{Place, Source, Truths};
use super::{NUMBER, Request, Summary, WORD, choice, method, number, passes, said_numbers};
use crate::{Result, labels::Method, problem};
use veche_analysis::aggregation::{
    ChoiceSettings, Convergence, number::calibration::LEAST_CONTROLS,
};

/// Labels every item and says what was done.
pub(super) fn label(request: &Request, master: &str) -> Result<Summary> {
    let job = Job::open(request, master)?;
    let (source, numbers) = (&job.source, job.numbers);
    let votes = job.check_votes()?;
    let controls = source.has_truths() && job.known()? > 0;
    let method = method(request, numbers, controls)?;
    let mut summary = Summary {
        method: method.name(),
        items: 0,
        votes,
        calibrated: false,
        includes_shared: controls && numbers,
        choices: !numbers,
        convergence: Convergence::Closed,
        server: job.server.clone(),
    };
    match method {
        Method::Number(method, settings) => {
            job.run(&number::plan(source, method, &settings, controls)?)?;
            let ratios = job
                .session
                .row("SELECT CAST(COUNT(r) AS BIGINT) AS n FROM veche_estimates")?;
            summary.calibrated = ratios[0].int().unwrap_or(0) >= LEAST_CONTROLS as i64;
        }
        Method::Choice(method, settings) => match passes(method, &settings) {
            None => job.run(&choice::plan(source, method))?,
            Some(passes) => summary.convergence = job.iterate(passes, &settings, votes)?,
        },
    }
    summary.items = job.labelled()?;
    job.tidy();
    Ok(summary)
}

/// A request on its way.
pub(super) struct Job<'a> {
    request: &'a Request,
    pub(super) session: Session,
    pub(super) source: Source,
    pub(super) numbers: bool,
    pub(super) server: String,
    work: String,
    written: std::cell::RefCell<Vec<String>>,
}

impl<'a> Job<'a> {
    /// Connects, and finds the columns.
    pub(super) fn open(request: &'a Request, master: &str) -> Result<Self> {
        let session = Session::connect(master)?;
        let server = format!("Spark Connect {}", session.version()?);
        let fields =
            |place: &Place| session.fields(&format!("SELECT * FROM {}", place.sql(Dialect::Spark)));
        let names = |fields: &[Field]| fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
        let votes = fields(&request.votes)?;
        let truth = request.truth.as_ref().map(&fields).transpose()?;
        let mut source = Source::new(
            Dialect::Spark,
            request.votes.clone(),
            request.truth.clone(),
            &request.mapping,
            Some(&names(&votes)),
            truth.as_ref().map(|t| names(t)).as_deref(),
        )?;
        let kind = |fields: &[Field], name: &str| {
            fields
                .iter()
                .find(|f| f.name == name)
                .map_or(FieldKind::Other, |f| f.kind)
        };
        let item = kind(&votes, &source.columns.item);
        source.items_as_words = match (&source.truths, &truth) {
            (Truths::Table(_, name, _), Some(truth)) => kind(truth, name) != item,
            _ => false,
        };
        let answer = kind(&votes, &source.columns.answer);
        let numbers =
            said_numbers(request).unwrap_or(matches!(answer, FieldKind::Whole | FieldKind::Number));
        if numbers && answer == FieldKind::Text {
            return problem("answers are words, and numbers are wanted")
                .file(request.votes.text())
                .column(&source.columns.answer)
                .hint("name a method for labels, or cast the column to DOUBLE in a view on the cluster")
                .fail();
        }
        let work = format!("{}/{}", request.work.trim_end_matches('/'), session.id());
        Ok(Self {
            request,
            session,
            source,
            numbers,
            server,
            work,
            written: std::cell::RefCell::default(),
        })
    }

    /// The votes and known answers under their names, and whether they can be used; returns the number of votes.
    pub(super) fn check_votes(&self) -> Result<u64> {
        let (cast, usable) = if self.numbers {
            ("CAST({} AS DOUBLE)", NUMBER)
        } else {
            ("CAST({} AS STRING)", WORD)
        };
        let mut views = Plan::default();
        self.source.votes(&mut views, &format!("{cast} AS v"));
        self.source.truths(&mut views, cast, "z");
        self.run(&views)?;
        let place = self.request.votes.text();
        let facts = self.session.row(&self.source.facts(usable))?;
        let fact = |at: usize| facts[at].int().unwrap_or(0);
        if fact(0) == 0 {
            return problem("nobody answered anything")
                .file(place)
                .column(&self.source.columns.answer)
                .fail();
        }
        if fact(2) > 0 {
            let bad = self.session.rows(&format!(
                "SELECT CAST(annotator AS STRING) AS u, CAST(item AS STRING) AS i, CAST(v AS STRING) AS v FROM veche_votes
WHERE NOT ({usable} AND item IS NOT NULL AND annotator IS NOT NULL) OR item IS NULL OR annotator IS NULL ORDER BY i, u LIMIT 1"
            ))?;
            return problem(format!(
                "{} votes cannot be used: the annotator or the item is missing, or the answer is empty, no number, or not below 10³⁰",
                fact(2)
            ))
            .file(place)
            .value(words(bad.first()))
            .hint("leave them out in a view on the cluster: SELECT … WHERE …")
            .fail();
        }
        if fact(1) > 0 {
            let twice = self.session.rows(
                "SELECT CAST(annotator AS STRING) AS u, CAST(item AS STRING) AS i FROM veche_votes
GROUP BY item, annotator HAVING COUNT(*) > 1 ORDER BY i, u LIMIT 1",
            )?;
            return problem("an annotator answers the same question about the same item twice")
                .file(place)
                .value(words(twice.first()))
                .hint(format!("{} pairs of annotator and item are repeated: keep one row of each in a view on the cluster", fact(1)))
                .fail();
        }
        Ok(fact(0).max(0) as u64)
    }

    /// Votes on items whose answer is known. Errors if a known answer contradicts itself or cannot be used.
    pub(super) fn known(&self) -> Result<u64> {
        let (cast, bad) = if self.numbers {
            (
                "CAST({} AS DOUBLE)",
                "MAX(CASE WHEN ABS(z) < 1E30 THEN 0 ELSE 1 END) = 1",
            )
        } else {
            ("CAST({} AS STRING)", "MIN(z) = ''")
        };
        let all = self.source.all_truths(cast, "z").unwrap_or_default();
        let wrong = self.session.rows(&format!(
            "SELECT CAST(item AS STRING) AS i, CAST(MIN(z) AS STRING) AS low, CAST(MAX(z) AS STRING) AS high FROM ({all}) x
GROUP BY item HAVING MIN(z) <> MAX(z) OR {bad} ORDER BY i LIMIT 1"
        ))?;
        if let Some(row) = wrong.first() {
            return problem("the known answer to an item contradicts itself, or cannot be used")
                .file(
                    self.request
                        .truth
                        .as_ref()
                        .unwrap_or(&self.request.votes)
                        .text(),
                )
                .value(words(Some(row)))
                .hint("an item has one known answer")
                .fail();
        }
        self.session
            .count("veche_votes v JOIN veche_truths t ON v.item = t.item")
    }

    /// Runs the steps in their order.
    pub(super) fn run(&self, plan: &Plan) -> Result<()> {
        for step in &plan.steps {
            let (path, overwrite) = match step.keep {
                Keep::View => {
                    self.session.view(&step.name, &step.query)?;
                    continue;
                }
                Keep::Table => (format!("{}/{}", self.work, step.name), true),
                Keep::Result => (self.request.out.clone(), self.request.overwrite),
            };
            crate::cmd::note_progress(step.about);
            self.session
                .write(&step.query, "parquet", &path, overwrite)?;
            if step.keep == Keep::Table {
                self.written.borrow_mut().push(path.clone());
            }
            let view = format!("SELECT * FROM {}", Dialect::Spark.file(&path));
            self.session.view(&step.name, &view)?;
            // No step of a plan has nothing to say: what is empty was not written whole.
            if self.session.count(&step.name)? == 0 {
                return problem(format!("the cluster wrote no rows of {}", step.name))
                    .file(&path)
                    .hint("an empty answer to a long query points at the server's stream deadline: see the traps in docs/spark.md")
                    .fail();
            }
        }
        Ok(())
    }

    /// Passes until they settle, and the labels.
    fn iterate(
        &self,
        passes: Passes,
        settings: &ChoiceSettings,
        votes: u64,
    ) -> Result<Convergence> {
        self.run(&passes.start(&self.source))?;
        let mut objective = f64::NEG_INFINITY;
        let mut t = 0;
        let ended = loop {
            t += 1;
            self.run(&passes.pass(t))?;
            let found = self.session.row(&passes.objective(t))?;
            let new = found[0].double().unwrap_or(f64::NAN) / votes as f64;
            crate::cmd::note_progress(&format!("pass {t}: {new:.6} per vote"));
            let gain = match passes.pooling {
                None => new - objective,
                Some(_) => (new - objective).abs(),
            };
            let stopped = gain < -settings.tolerance
                || (t >= settings.max_passes && gain >= settings.tolerance);
            if stopped || gain.is_nan() {
                let change = self.session.row(&passes.change(t))?[0]
                    .double()
                    .unwrap_or(f64::NAN);
                break Convergence::Stopped { passes: t, change };
            }
            if gain < settings.tolerance {
                break Convergence::Converged { passes: t };
            }
            objective = new;
            self.forget(t - 1);
        };
        self.run(&passes.end(t))?;
        Ok(ended)
    }

    /// Empties what pass `t` wrote.
    fn forget(&self, t: usize) {
        let ending = format!("_{t}");
        self.empty(|path| path.ends_with(&ending));
    }

    /// Empties the tables in between: no query can delete a folder, but an empty table takes no room. What remains harms nobody,
    /// so an error is none.
    pub(super) fn tidy(&self) {
        self.empty(|_| true);
    }

    fn empty(&self, which: impl Fn(&str) -> bool) {
        self.written.borrow_mut().retain(|path| {
            if which(path) {
                let _ =
                    self.session
                        .write("SELECT 1 AS emptied WHERE 1 = 0", "parquet", path, true);
            }
            !which(path)
        });
    }

    /// The number of labels, of which there must be as many as items.
    fn labelled(&self) -> Result<u64> {
        let labels = self.session.count("veche_labels")?;
        let items = self
            .session
            .row("SELECT CAST(COUNT(DISTINCT item) AS BIGINT) AS n FROM veche_votes")?;
        let items = items[0].int().unwrap_or(0).max(0) as u64;
        if labels != items {
            return problem(format!("the cluster wrote {labels} labels of {items} items"))
                .file(&self.request.out)
                .hint("do not use them; run the command again with --overwrite, and see the traps in docs/spark.md")
                .fail();
        }
        Ok(labels)
    }
}

/// A row for people.
fn words(row: Option<&Vec<Cell>>) -> String {
    let word = |cell: &Cell| cell.text().unwrap_or("(nothing)").to_owned();
    row.map(|r| r.iter().map(word).collect::<Vec<_>>().join(", "))
        .unwrap_or_default()
}
