//! From a study and its results to what the report says. The statistics come from `veche-analysis` and `veche-pools`; here
//! they are picked, counted and given to [`crate::report`], which draws.
//!
//! Over 600 lines because the page's first chapters are made here; what came later has files of its own beside it.

mod audits;
mod benchmark;
mod curves;
mod grid;
mod items;
mod rivals;

pub use rivals::Rival;

use crate::{
    Problem, Result,
    cmd::score,
    curves::{Field, find},
    labels::{Counting, Labels, Method, Rows, bake_off as compare, labels},
    pool::{PoolSummary, disk},
    provenance::Provenance,
    report::{
        AnnotatorRow, Annotators, BakeOff, Check, CheckVerdict, InputFile, Kind, LeftOut,
        LeftOutVotes, Made, MethodRow, PolicyVotes, Progress, QuestionReport, ReportData, Secrecy,
        Totals, Verdict as Shown, chart::Bins,
    },
    study::Study,
};
use std::{fs, path::PathBuf};
use veche_analysis::{Interval, aggregation::Convergence, aggregation::bakeoff::BakeoffSettings};
use veche_pools::{
    Role, Scale,
    banning::{Policy, Rule, Verdict},
};

/// The kind of a question.
pub fn kind(study: &Study, question: usize) -> Kind {
    match &study.questions[question].scale {
        Scale::Number(scale) => Kind::Number {
            unit: scale.unit.clone(),
        },
        Scale::Choice(_) => Kind::Choice,
    }
}

fn pair(interval: Option<Interval>) -> Option<(f64, f64)> {
    interval.map(|i| (i.low, i.high))
}

/// What made a block.
fn made(study: &Study, command: &str, note: Option<&str>) -> Made {
    let name = |p: &PathBuf| {
        p.file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    Made {
        command: command.to_owned(),
        inputs: study.sources.iter().map(name).collect(),
        note: note.map(str::to_owned),
    }
}

/// A bake-off as the report shows it.
pub fn bake_off(study: &Study, _question: usize, rows: &Rows, command: &str) -> BakeOff {
    let note = |c: Convergence| match c {
        Convergence::Stopped { passes, .. } => format!("stopped after {passes} passes"),
        _ => String::new(),
    };
    let note_text = "each annotator's score is computed without the control under test; intervals are 95 % bootstrap \
                     intervals over controls";
    let made = made(study, command, Some(note_text));
    match rows {
        Rows::Numbers(rows) => BakeOff {
            rows: rows
                .iter()
                .map(|r| MethodRow {
                    method: r.method.name().to_owned(),
                    value: r.mae,
                    interval: pair(r.mae_interval),
                    rmse: Some(r.rmse),
                    share_within: Some(r.cs),
                    items: r.n_items as u64,
                    note: note(r.convergence),
                })
                .collect(),
            within: rows.first().map(|r| r.within),
            level: 0.95,
            made,
        },
        Rows::Choices(rows) => BakeOff {
            rows: rows
                .iter()
                .map(|r| MethodRow {
                    method: r.method.name().to_owned(),
                    value: r.accuracy,
                    interval: pair(r.accuracy_interval),
                    rmse: None,
                    share_within: None,
                    items: r.n_items as u64,
                    note: note(r.convergence),
                })
                .collect(),
            within: None,
            level: 0.95,
            made,
        },
    }
}

/// What a page shows besides a study.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// Networks to compare people with.
    pub rivals: Vec<Rival>,
    /// Folders of frozen benchmarks.
    pub benchmarks: Vec<PathBuf>,
    /// The study as the user named it, for the commands on the page.
    pub subject: String,
    /// Leave out curves and audits, which take longest.
    pub brief: bool,
    /// Folder for every figure as SVG.
    pub figures: Option<PathBuf>,
}

impl Extras {
    /// The flags that name the rivals.
    fn flags(&self) -> String {
        self.rivals
            .iter()
            .map(|r| format!(" --predictions {}={}", r.name, r.path.display()))
            .collect()
    }
}

/// Everything on the page.
pub fn report(study: &Study, command: &str, extras: &Extras) -> Result<ReportData> {
    let verdicts = study.judge(study.rules())?;
    let policy = study.policy();
    let counting = Counting {
        policy,
        verdicts: &verdicts,
    };
    let settings = crate::labels::settings(study);
    let summary = match &study.project {
        Some(project) => Some(disk::read_summary(&project.pool_dir())?),
        None => None,
    };
    let mut results = Vec::new();
    for question in 0..study.questions.len() {
        let method = Method::of(study, question, None, settings)?;
        results.push((method, labels(study, question, method, counting)?));
    }
    let mut questions = Vec::new();
    let mut chapters = Vec::new();
    for (question, (method, result)) in results.iter().enumerate() {
        let asked = &study.questions[question];
        let known = study.truths[question].iter().any(Option::is_some);
        let rows = if known {
            Some(compare(
                study,
                question,
                None,
                &settings,
                &BakeoffSettings::default(),
                counting,
            )?)
        } else {
            None
        };
        let heard = rivals::heard(study, question, &extras.rivals)?;
        let made = |command: &str| made(study, &format!("{command} {}", extras.subject), None);
        if known && !extras.brief && kind(study, question) != Kind::Choice {
            let mut field = Field::of_study(study, question, None, settings, counting, 1)?;
            for h in &heard {
                field.add_predictions(&h.rival.name, &h.predictions, false)?;
            }
            let found = find(&field, &curves::usual(&field, true, None))?;
            let mut notes: Vec<String> = Vec::new();
            for note in heard.iter().filter_map(|h| h.rival.note.as_ref()) {
                notes.push(note.clone());
            }
            let mut made = made("veche curves");
            made.command += &format!(
                " --question {}{} --by sex,overlap",
                asked.name,
                extras.flags()
            );
            made.inputs = field.sources.iter().map(|s| file_name(s)).collect();
            chapters.push(curves::chapter(&field, &found, &notes, &made));
        }
        let of_networks = Made {
            inputs: extras.rivals.iter().map(|r| file_name(&r.path)).collect(),
            ..made(command)
        };
        chapters.extend(rivals::beside_labels(
            study,
            question,
            result,
            &heard,
            &of_networks,
        )?);
        if !extras.brief {
            chapters.push(audits::chapter(study, question, &verdicts, &made));
        }
        questions.push(QuestionReport {
            name: asked.name.clone(),
            prompt: asked.prompt.clone(),
            kind: kind(study, question),
            method: Some(method.name().to_owned()),
            annotators: if known {
                Some(annotators(study, question, &verdicts)?)
            } else {
                None
            },
            bake_off: rows.map(|rows| bake_off(study, question, &rows, "veche methods")),
            labels: Some(items::label_block(
                study,
                question,
                result,
                &results,
                settings.level,
            )),
            hardest: if known {
                Some(items::hardest(study, question, &heard)?)
            } else {
                None
            },
            examples: Some(items::examples(
                study,
                question,
                result,
                settings.level,
                &heard,
            )),
            figures: Vec::new(),
        });
    }
    for dir in &extras.benchmarks {
        chapters.push(benchmark::chapter(dir, &extras.rivals)?);
    }
    let n_controls = (0..study.items.len())
        .filter(|&i| study.is_control(i))
        .count();
    let banned = verdicts
        .iter()
        .filter(|v| matches!(v, Verdict::Banned { .. }))
        .count();
    let mut warnings = summary
        .as_ref()
        .map(PoolSummary::warnings)
        .unwrap_or_default();
    if !study.skipped.is_empty() {
        warnings.push(study.skipped.to_string());
    }
    warnings.extend(quality_warnings(study, &results));
    Ok(ReportData {
        title: study.title.clone(),
        simulated: study.simulated,
        provenance: provenance(&origin(study, command, extras)?),
        totals: Totals {
            items: (study.items.len() - n_controls) as u64,
            votes: study.votes.len() as u64,
            annotators: study.annotators.len() as u64,
            banned: banned as u64,
            controls: n_controls as u64,
        },
        warnings,
        progress: summary.as_ref().map(|s| progress(study, s)),
        questions,
        chapters,
        left_out: Some(left_out(study, &verdicts, policy)),
        secrecy: summary.as_ref().map(|s| secrecy(study, s)),
    })
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Where a page comes from: the study and what was shown besides.
fn origin(study: &Study, command: &str, extras: &Extras) -> Result<Provenance> {
    let mut origin = study.provenance(command)?;
    for rival in &extras.rivals {
        origin = origin.with_file(&rival.path)?;
    }
    for dir in &extras.benchmarks {
        origin = origin.with_file(&dir.join(crate::benchmark::MANIFEST))?;
    }
    Ok(origin)
}

fn provenance(origin: &Provenance) -> crate::report::Provenance {
    crate::report::Provenance {
        command: origin.command.clone(),
        version: origin.version.clone(),
        // The campaign's seed is its secret, and reports are passed on.
        seed: None,
        made_at: None,
        inputs: origin
            .inputs
            .iter()
            .map(|i| InputFile {
                path: i.path.clone(),
                hash: format!("blake3:{}", i.blake3),
                rows: None,
            })
            .collect(),
    }
}

fn quality_warnings(study: &Study, results: &[(Method, Labels)]) -> Vec<String> {
    let mut said = Vec::new();
    for (question, (_, result)) in results.iter().enumerate() {
        let name = &study.questions[question].name;
        if let Labels::Numbers(result) = result {
            if !result.includes_shared {
                said.push(format!(
                    "{name}: no answer is known, so the error that all annotators share cannot be seen, and intervals are \
                     too narrow"
                ));
            } else if result.calibration.is_none() {
                said.push(format!(
                    "{name}: only {} controls have votes, too few to check that intervals are as wide as they should be",
                    result.controls
                ));
            }
        }
    }
    said
}

/// The annotators of one question on their controls.
pub fn annotators(study: &Study, question: usize, verdicts: &[Verdict]) -> Result<Annotators> {
    let scores = score::scores(study, question, verdicts)?;
    let mut seconds: Vec<Vec<f32>> = vec![Vec::new(); study.annotators.len()];
    for vote in study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
    {
        seconds[vote.annotator as usize].extend(vote.seconds);
    }
    let medians: std::collections::BTreeMap<&str, f64> = seconds
        .iter_mut()
        .zip(&study.annotators)
        .filter_map(|(s, name)| {
            Some((
                name.as_str(),
                median(s.iter().map(|v| f64::from(*v)).collect())?,
            ))
        })
        .collect();
    let is_choice = kind(study, question) == Kind::Choice;
    let rows: Vec<AnnotatorRow> = scores
        .iter()
        .map(|s| {
            let interval = s.low.zip(s.high);
            AnnotatorRow {
                id: s.annotator.clone(),
                controls: u64::from(s.n),
                error: s.mae.or(s.accuracy.map(|a| 1.0 - a)),
                interval: if is_choice {
                    interval.map(|(l, h)| (1.0 - h, 1.0 - l))
                } else {
                    interval
                },
                bias: s.bias,
                votes: u64::from(s.votes),
                seconds_median: medians.get(s.annotator.as_str()).copied(),
                verdict: match s.verdict {
                    "banned" => Shown::Banned,
                    "kept" => Shown::Kept,
                    _ => Shown::TooFewControls,
                },
                evidence: s.evidence.clone().unwrap_or_default(),
            }
        })
        .collect();
    let errors: Vec<f64> = rows.iter().filter_map(|r| r.error).collect();
    let mean = (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64);
    // One lucky answer makes nobody the best.
    let enough = rows
        .iter()
        .filter(|r| r.controls >= 10)
        .filter_map(|r| r.error);
    let threshold = study.rules().iter().find_map(|rule| match rule {
        Rule::MaeAbove {
            question: of,
            threshold,
            ..
        } => {
            let first = study
                .questions
                .iter()
                .position(|q| matches!(q.scale, Scale::Number(_)));
            let this = of
                .as_ref()
                .map_or(first, |n| study.questions.iter().position(|q| &q.name == n));
            (this == Some(question)).then_some(*threshold)
        }
        _ => None,
    });
    Ok(Annotators {
        errors: Bins::nice(&errors, 24),
        mean,
        median: median(errors.clone()),
        best: enough.min_by(f64::total_cmp),
        threshold,
        rows,
        made: made(
            study,
            "veche score",
            Some("the error is the mean absolute error, or the share wrong, on controls"),
        ),
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(values[n / 2]),
        _ => Some(f64::midpoint(values[n / 2 - 1], values[n / 2])),
    }
}

fn progress(study: &Study, summary: &PoolSummary) -> Progress {
    let mut votes = vec![0u64; study.items.len()];
    // The first question counts: every vote on a task answers all of them.
    for vote in study.votes.iter().filter(|v| v.question == 0) {
        votes[vote.item as usize] += 1;
    }
    let real = || {
        (0..votes.len()).filter(|&i| study.pool.as_ref().is_none_or(|p| p.roles[i] == Role::Real))
    };
    let wanted = u64::from(summary.overlap);
    Progress {
        wanted,
        items: summary.items as u64,
        items_done: real().filter(|&i| votes[i] >= wanted).count() as u64,
        votes_wanted: wanted * summary.items as u64,
        votes_collected: real().map(|i| votes[i].min(wanted)).sum(),
        votes_per_item: whole_counts(real().map(|i| votes[i]).collect(), wanted),
        made: made(study, "veche votes import", None),
    }
}

/// Counts from none to one more than wanted, so that a finished campaign is one bar among empty places.
fn whole_counts(votes: Vec<u64>, wanted: u64) -> Bins {
    let most = votes.iter().copied().max().unwrap_or(0).max(wanted);
    if most > 200 {
        return Bins::whole(votes);
    }
    Bins::new(
        -0.5,
        1.0,
        most as usize + 2,
        votes.into_iter().map(|n| n as f64),
    )
}

fn left_out(study: &Study, verdicts: &[Verdict], in_force: Policy) -> LeftOut {
    let mut common = Vec::new();
    if !study.skipped.is_empty() {
        common.push(LeftOutVotes {
            reason: "bad rows".into(),
            votes: study.skipped.rows(),
        });
    }
    for (status, n) in &study.by_status {
        common.push(LeftOutVotes {
            reason: format!("assignment {}", status.to_lowercase()),
            votes: *n,
        });
    }
    if study.repeated > 0 {
        common.push(LeftOutVotes {
            reason: "second answers".into(),
            votes: study.repeated,
        });
    }
    let policies = Policy::ALL
        .iter()
        .map(|&policy| {
            let out = Counting { policy, verdicts }.left_out(study) as u64;
            let mut reasons = common.clone();
            reasons.push(LeftOutVotes {
                reason: "annotator banned".into(),
                votes: out,
            });
            PolicyVotes {
                policy: policy.to_string(),
                in_force: policy == in_force,
                kept: study.votes.len() as u64 - out,
                reasons,
            }
        })
        .collect();
    LeftOut {
        policies,
        made: made(
            study,
            "veche ban",
            Some("a ban never deletes a vote; the policy decides which count"),
        ),
    }
}

fn secrecy(study: &Study, summary: &PoolSummary) -> Secrecy {
    let mut checks: Vec<Check> = summary
        .leaks
        .iter()
        .map(|leak| Check {
            check: format!("{} does not tell controls from items", leak.feature),
            value: format!(
                "AUC {:.2} (0.50 is no difference; standard error {:.2})",
                leak.auc, leak.se
            ),
            verdict: if leak.tells() {
                CheckVerdict::Look
            } else {
                CheckVerdict::Holds
            },
        })
        .collect();
    let (duplicates, reworded) = (
        summary.duplicates.len(),
        "no item shows the picture of a control",
    );
    checks.push(Check {
        check: reworded.into(),
        value: match duplicates {
            0 => "none found".into(),
            n => format!("{n} were found and left out of the items"),
        },
        verdict: if summary.pictures {
            CheckVerdict::Holds
        } else {
            CheckVerdict::Unchecked
        },
    });
    Secrecy {
        checks,
        made: made(study, "veche pool build", None),
    }
}

/// Reads, fills and writes the page, and its main pictures as files beside it.
pub fn write_report(
    study: &Study,
    out: &std::path::Path,
    command: &str,
    extras: &Extras,
) -> Result<()> {
    let data = report(study, command, extras)?;
    write_page(&data, out)?;
    let figures = out.with_extension("figures");
    fs::create_dir_all(&figures).map_err(|e| Problem::io("make the folder", &figures, &e))?;
    for question in &data.questions {
        if let Some(rows) = &question.bake_off {
            let title = format!("Methods compared on controls: {}", question.name);
            let svg = crate::report::bakeoff_svg(rows, &question.kind, &title, data.simulated);
            let name = format!("methods-{}.svg", question.name);
            write(&figures.join(name), svg.as_bytes())?;
        }
        if let Some(annotators) = &question.annotators {
            let svg = crate::report::annotators_svg(annotators, &question.kind, data.simulated);
            let name = format!("annotators-{}.svg", question.name);
            write(&figures.join(name), svg.as_bytes())?;
        }
    }
    let origin = origin(study, command, extras)?;
    if let Some(dir) = &extras.figures {
        write_figures(&data, dir, &origin)?;
    }
    origin.write(&crate::cmd::aggregate::beside(out))
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    crate::files::write_atomically(path, |w| std::io::Write::write_all(w, bytes))
}

fn write_page(data: &ReportData, out: &std::path::Path) -> Result<()> {
    write(out, crate::report::page(data).as_bytes())
}

/// The file that says that a folder holds figures, so that nothing else is ever replaced.
const FIGURES: &str = "figures.json";

/// Every figure of the page as SVG.
fn write_figures(data: &ReportData, dir: &std::path::Path, origin: &Provenance) -> Result<()> {
    let figures = crate::report::figures(data);
    crate::files::replace_dir_atomically(dir, FIGURES, |dir| {
        for (name, svg) in &figures {
            write(
                &dir.join(format!("{name}.svg")),
                svg.standalone().as_bytes(),
            )?;
        }
        let titles: std::collections::BTreeMap<&str, &str> = figures
            .iter()
            .map(|(name, svg)| (name.as_str(), svg.title()))
            .collect();
        crate::provenance::write_json(&dir.join(FIGURES), &titles)?;
        origin.write(&dir.join("provenance.json"))
    })
}

/// The page of a table of mean guesses or of known answers: people (where there are guesses) and networks by the true answer.
pub fn write_field_report(
    mut field: Field,
    out: &std::path::Path,
    command: &str,
    extras: &Extras,
) -> Result<()> {
    let mut notes = Vec::new();
    for rival in &extras.rivals {
        let predictions = crate::files::predictions::read_predictions(
            &rival.path,
            &crate::files::predictions::PredictionColumns::default(),
            &field.quantity,
            &mut crate::files::Skipped::strict(),
        )?;
        field.add_predictions(&rival.name, &predictions, false)?;
        notes.extend(rival.note.clone());
    }
    if field.sides.is_empty() {
        return crate::problem(
            "there is no side to judge: the table has neither votes nor guesses",
        )
        .hint("add --predictions NAME=FILE, or --network with --pictures")
        .fail();
    }
    let found = find(&field, &curves::usual(&field, false, None))?;
    let made = Made {
        command: format!("veche curves {}{}", extras.subject, extras.flags()),
        inputs: field.sources.iter().map(|s| file_name(s)).collect(),
        note: None,
    };
    let mut chapters = vec![curves::chapter(&field, &found, &notes, &made)];
    let mut origin = Provenance::new(command, None);
    origin.simulated = field.simulated;
    for source in &field.sources {
        origin = origin.with_file(source)?;
    }
    for dir in &extras.benchmarks {
        chapters.push(benchmark::chapter(dir, &extras.rivals)?);
        origin = origin.with_file(&dir.join(crate::benchmark::MANIFEST))?;
    }
    let data = ReportData {
        title: field.title.clone(),
        simulated: field.simulated,
        provenance: provenance(&origin),
        totals: Totals {
            items: field.items.len() as u64,
            controls: field.truth.iter().flatten().count() as u64,
            ..Totals::default()
        },
        chapters,
        ..ReportData::default()
    };
    write_page(&data, out)?;
    if let Some(dir) = &extras.figures {
        write_figures(&data, dir, &origin)?;
    }
    origin.write(&crate::cmd::aggregate::beside(out))
}
