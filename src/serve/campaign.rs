//! The campaign's pool into the database when a server starts; its votes out of it as files.

use super::state::now_ms;
use crate::{
    Result,
    config::Project,
    files::{FileAnswer, FileVote, VoteTable, WriteOptions, write_atomically, write_votes},
    pool::StoredPool,
    problem,
    provenance::Provenance,
    store::{Command, Kind, NewTask, PoolRow, PoolSettings, Reply, Store, StoreError},
    study::SECOND_SIGHTS,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};
use veche_pools::{Answer, Question, Scale, banning::Rule};

/// Tasks per transaction while a pool is brought in.
const STEP: usize = 5000;

/// Assignments per query while votes are read.
const PAGE: i64 = 5000;

/// The settings of the campaign's pool.
fn settings(project: &Project) -> PoolSettings {
    let serve = &project.campaign.serve;
    let rules = project.campaign.ban.rules.iter();
    PoolSettings {
        questions: project.questions.clone(),
        real: project.mix.real,
        min_real: 1,
        control: project.mix.control,
        practice: serve.practice,
        exam: serve.exam,
        exam_limit: serve.exam_limit,
        lifetime_ms: i64::from(serve.minutes) * 60_000,
        auto_accept: true,
        rules: rules
            .filter(|rule| !compares_annotators(rule))
            .cloned()
            .collect(),
        reopen: serve.reopen,
        target_error: serve.target_error,
        min_votes: i64::from(serve.min_votes),
        api: None,
    }
}

/// Rules that need the votes of everybody speak when `veche ban` looks at the collected votes, not while they come in.
pub(super) fn compares_annotators(rule: &Rule) -> bool {
    matches!(rule, Rule::Insensitive { .. } | Rule::Duplicate { .. })
}

/// Brings the campaign's pool into the database, or the database up to date with a pool that was built again: new tasks are
/// added, and tasks that are gone get no more votes. Safe to be killed and done again, and by several servers at once.
pub(super) async fn bring_in(project: &Project, store: &Store) -> Result<PoolRow> {
    if project.is_empty() {
        let command = Command::Campaign {
            settings: settings(project),
            document: json!({ "private_name": project.campaign.name }),
            now: now_ms(),
        };
        return match store.carry_out(command).await? {
            Reply::Id(id) => Ok(store.pool(id).await?),
            _ => problem("the database did not make a pool").fail(),
        };
    }
    let pool = StoredPool::read(&project.pool_dir(), &project.questions)?;
    let mut hasher = blake3::Hasher::new();
    for name in &pool.names {
        hasher.update(&name.0);
    }
    let hash = hasher.finalize().to_hex().to_string();
    let document = json!({ "private_name": project.campaign.name, "tasks": hash });
    let command = Command::Campaign {
        settings: settings(project),
        document: json!({ "private_name": project.campaign.name }),
        now: now_ms(),
    };
    let Reply::Id(id) = store.carry_out(command).await? else {
        return problem("the database did not make a pool").fail();
    };
    if store.setting(&format!("tasks {hash}")).await?.is_none() {
        bring_tasks(project, store, id, &pool).await?;
        let (name, value) = (format!("tasks {hash}"), "in".to_owned());
        store.carry_out(Command::SetOnce { name, value }).await?;
        let command = Command::ChangePool {
            pool: id,
            status: Some("OPEN".into()),
            settings: None,
            document: Some(document),
            now: now_ms(),
        };
        store.carry_out(command).await?;
    }
    Ok(store.pool(id).await?)
}

async fn bring_tasks(project: &Project, store: &Store, id: i64, pool: &StoredPool) -> Result<()> {
    let there: BTreeSet<String> = store.task_names(id).await?.into_iter().collect();
    let practice = practice_tasks(pool, project.campaign.serve.practice);
    let mut names = BTreeSet::new();
    let mut new = Vec::new();
    for task in 0..pool.len() {
        let name = pool.names[task].to_string();
        if !there.contains(&name) {
            new.push(task_of(project, pool, task, practice.contains(&task)));
        }
        names.insert(name);
    }
    for tasks in new.chunks(STEP) {
        let tasks = Arc::new(tasks.to_vec());
        match store
            .carry_out(Command::AddTasks {
                pool: id,
                tasks,
                now: now_ms(),
            })
            .await
        {
            Ok(_) => {}
            // Another server is doing the same: it began before us and will finish.
            Err(StoreError::Conflict {
                code: "TASK_EXISTS",
                ..
            }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let gone: Vec<String> = there
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    if !gone.is_empty() {
        let names = Arc::new(gone);
        store
            .carry_out(Command::Retire {
                pool: id,
                names,
                now: now_ms(),
            })
            .await?;
    }
    Ok(())
}

/// Controls that become practice, spread evenly over the answers to the first number question.
fn practice_tasks(pool: &StoredPool, want: usize) -> BTreeSet<usize> {
    let mut controls: Vec<usize> = pool.controls().collect();
    let place = |task: usize| match pool.truth(task, 0) {
        Some(Answer::Number(value)) => value,
        Some(Answer::Choice(label)) => f64::from(label),
        _ => f64::MAX,
    };
    // Names are random, so equal answers are in no order that means something.
    controls.sort_by(|&a, &b| place(a).total_cmp(&place(b)).then(a.cmp(&b)));
    // Half of the controls at least stay controls.
    let want = want.min(controls.len() / 2);
    (0..want)
        .map(|i| controls[(2 * i + 1) * controls.len() / (2 * want)])
        .collect()
}

fn task_of(project: &Project, pool: &StoredPool, task: usize, practice: bool) -> NewTask {
    let known = |task: usize| {
        let mut output = serde_json::Map::new();
        for (q, question) in project.questions.iter().enumerate() {
            if let Some(truth) = pool.truth(task, q) {
                output.insert(question.name.clone(), json_of(truth, question));
            }
        }
        json!([{ "output_values": output, "correctness_weight": 1 }])
    };
    let is_control = pool.is_control(task);
    NewTask {
        name: pool.names[task].to_string(),
        kind: match (is_control, practice) {
            (false, _) => Kind::Real,
            (true, false) => Kind::Control,
            (true, true) => Kind::Practice,
        },
        wanted: i64::from(project.campaign.suite.overlap),
        stratum: stratum(project, pool, task),
        content: json!({ "picture": pool.pictures[task], "text": pool.texts[task] }),
        known: is_control.then(|| known(task)),
    }
}

/// Range of the known answer to the first question that has ranges, so that controls are used evenly over them.
fn stratum(project: &Project, pool: &StoredPool, task: usize) -> u32 {
    let ranges = project.campaign.controls.as_ref().map(|c| &c.range);
    for (q, question) in project.questions.iter().enumerate() {
        match (pool.truth(task, q), &question.scale) {
            (Some(Answer::Number(value)), Scale::Number(scale)) => {
                let width = ranges
                    .and_then(|r| r.get(&question.name).copied())
                    .unwrap_or((scale.max - scale.min) / 10.0);
                return ((value - scale.min) / width).floor().clamp(0.0, 1e6) as u32;
            }
            (Some(Answer::Choice(label)), _) => return label,
            _ => {}
        }
    }
    0
}

fn json_of(answer: Answer, question: &Question) -> Value {
    match answer {
        Answer::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Value::from(value as i64)
        }
        Answer::Number(value) => Value::from(value),
        other => Value::from(question.write(other)),
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Collected {
    /// Votes: answers to one question about one task each.
    pub votes: usize,
    /// Annotators.
    pub annotators: usize,
    /// Suites.
    pub suites: usize,
    /// Answers to controls that the annotator had met before: no votes.
    pub second_sights: usize,
}

/// The campaign's submitted and accepted votes. Practice and exams are no votes.
pub(super) async fn votes(
    project: &Project,
    store: &Store,
) -> Result<(VoteTable, Collected), StoreError> {
    let (table, _, collected) = votes_and_repeats(project, store).await?;
    Ok((table, collected))
}

/// The votes, and apart from them the answers of annotators who met a control again.
async fn votes_and_repeats(
    project: &Project,
    store: &Store,
) -> Result<(VoteTable, VoteTable, Collected), StoreError> {
    let (mut first, mut again) = (VoteTable::new(), VoteTable::new());
    let mut collected = Collected::default();
    let Some(pool) = store.setting("campaign").await? else {
        return Ok((first, again, collected));
    };
    let pool: i64 = pool
        .parse()
        .map_err(|_| StoreError::Database(format!("the setting campaign is no pool: {pool}")))?;
    let mut after = 0;
    // Who has seen all controls meets one again: that answer is no independent vote, so the first counts.
    let mut seen: HashMap<String, HashSet<String>> = HashMap::new();
    loop {
        let page = store.answers(pool, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        for answer in &page {
            if answer.state == "rejected" {
                continue;
            }
            collected.suites += usize::from(answer.place == 0);
            let new = seen
                .entry(answer.annotator.clone())
                .or_default()
                .insert(answer.task.clone());
            let table = if new { &mut first } else { &mut again };
            for question in &project.questions {
                let value = &answer.output[&question.name];
                let given = match (value.as_f64(), value.as_str()) {
                    (Some(number), _) => FileAnswer::Number(number),
                    (None, Some(text)) => FileAnswer::Choice(text),
                    (None, None) => FileAnswer::Unsure,
                };
                table.push(&FileVote {
                    seconds: answer.seconds.map(|s| s as f32),
                    submitted: Some(answer.submitted.div_euclid(1000)),
                    assignment: Some(&answer.assignment_name),
                    ..FileVote::new(&answer.annotator, &answer.task, &question.name, given)
                });
            }
        }
        after = last.assignment;
    }
    (collected.votes, collected.annotators) = (first.len(), seen.len());
    collected.second_sights = again.len();
    Ok((first, again, collected))
}

/// Writes the votes to `votes/served.parquet`, where `score`, `ban` and `aggregate` find them; `None` if there are none yet.
pub async fn collect(project: &Project, store: &Store) -> Result<Option<Collected>> {
    let (table, again, collected) = votes_and_repeats(project, store).await?;
    if table.is_empty() {
        return Ok(None);
    }
    let path = project.votes_dir().join("served.parquet");
    write_votes(&path, &table, &WriteOptions::default())?;
    let origin = Provenance::new("veche votes collect", None);
    origin.write(&path.with_extension("provenance.json"))?;
    let path = project.dir.join(SECOND_SIGHTS);
    if !again.is_empty() {
        write_votes(&path, &again, &WriteOptions::default())?;
        origin.write(&path.with_extension("provenance.json"))?;
    } else if path.is_file() {
        // Of an earlier database.
        std::fs::remove_file(&path).map_err(|e| crate::Problem::io("remove", &path, &e))?;
    }
    Ok(Some(collected))
}

/// How much of what annotators said of themselves is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Age in bands of five years.
    Band,
    /// Year of birth.
    Year,
}

/// Writes what annotators said of themselves (age, the error they expect; never contact or language) to the campaign's folder, where audits
/// find it. Returns how many said something; writes nothing if nobody did. A year of birth gives the age at the end of the year in which it was
/// said, so that it may be one too many.
pub async fn collect_people(project: &Project, store: &Store, detail: Detail) -> Result<usize> {
    let people = store.self_reports().await?;
    if people.is_empty() {
        return Ok(0);
    }
    let age = |p: &crate::store::SelfReport| {
        let moment = crate::files::time::write_moment(p.said.div_euclid(1000));
        let year: i64 = moment.get(..4)?.parse().ok()?;
        Some(year - p.birth_year?)
    };
    let path = project.dir.join(crate::audit::PEOPLE);
    write_atomically(&path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        let second = match detail {
            Detail::Band => "age_band",
            Detail::Year => "birth_year",
        };
        let head = ["annotator", second, "age", "expected_error"];
        let keep = |c: &&&str| detail == Detail::Year || **c != "age";
        csv.write_record(head.iter().filter(keep))?;
        for p in &people {
            let band =
                |age: i64| format!("{}-{}", age.div_euclid(5) * 5, age.div_euclid(5) * 5 + 4);
            let text = |v: Option<String>| v.unwrap_or_default();
            let expected = text(p.expected_error.map(|e| e.to_string()));
            match detail {
                Detail::Band => {
                    csv.write_record([&p.annotator, &text(age(p).map(band)), &expected])?
                }
                Detail::Year => csv.write_record([
                    &p.annotator,
                    &text(p.birth_year.map(|y| y.to_string())),
                    &text(age(p).map(|a| a.to_string())),
                    &expected,
                ])?,
            }
        }
        csv.flush()
    })?;
    Provenance::new("veche votes collect", None).write(&path.with_extension("provenance.json"))?;
    Ok(people.len())
}
