//! `kill -9` at any moment, of the server and of the database: what was acknowledged is there once.

use crate::{
    postgres::Postgres,
    server::{Client, Server, answers, campaign, runtime},
    support::Dir,
};
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// What one round's annotators were told.
#[derive(Default)]
struct Told {
    /// Assignments whose submission was answered with 200.
    acknowledged: BTreeSet<String>,
}

/// How often the server is killed: the short form, or what `VECHE_KILL_ROUNDS` says for SQLite and PostgreSQL (`200,50`).
fn rounds(place: usize, short: u32) -> u32 {
    std::env::var("VECHE_KILL_ROUNDS").map_or(short, |text| {
        let wanted = text
            .split(',')
            .nth(place)
            .and_then(|n| n.trim().parse().ok());
        wanted.expect("VECHE_KILL_ROUNDS is two numbers: rounds on SQLite, rounds on PostgreSQL")
    })
}

/// Eight annotators, each until their server is gone.
fn annotators(
    runtime: &tokio::runtime::Runtime,
    url: &str,
    told: &Arc<Mutex<Told>>,
    stop: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    (0..8)
        .map(|_| {
            let (url, told, stop) = (url.to_owned(), told.clone(), stop.clone());
            runtime.spawn(async move { work(&url, &told, &stop).await })
        })
        .collect()
}

/// Waits until so many more suites are acknowledged.
fn progress(told: &Mutex<Told>, more: usize) {
    let wanted = told.lock().unwrap().acknowledged.len() + more;
    let patience = Instant::now();
    while told.lock().unwrap().acknowledged.len() < wanted {
        assert!(
            patience.elapsed() < Duration::from_secs(60),
            "nobody gets anything done"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Annotators submit while the server is killed again and again, and in every other round the database instead, if there is
/// one to kill: what was acknowledged is there once, and no item has more votes than it wants.
fn survives(
    dir: &Dir,
    more: &[&str],
    rounds: u32,
    overlap: i64,
    mut database: Option<&mut Postgres>,
) {
    let told = Arc::new(Mutex::new(Told::default()));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let runtime = runtime();
    let (mut servers, mut databases) = (0, 0);
    for round in 0..rounds {
        let server = Server::start(dir, more);
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = annotators(&runtime, &server.url, &told, &stop);
        // In the middle of the work, however long a busy machine takes to get there.
        progress(&told, 2);
        std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
        match &mut database {
            Some(database) if round % 2 == 1 => {
                // SIGKILL to every process of the database. The server stays and must find it again.
                database.kill();
                databases += 1;
                stop.store(true, SeqCst);
                for worker in workers.drain(..) {
                    runtime.block_on(worker).unwrap();
                }
                database.start();
                // Annotators give up at the first refusal: others come until the server has its database again.
                let before = told.lock().unwrap().acknowledged.len();
                let patience = Instant::now();
                while told.lock().unwrap().acknowledged.len() < before + 8 {
                    assert!(
                        patience.elapsed() < Duration::from_secs(60),
                        "the server does not find its database again"
                    );
                    let again = Arc::new(AtomicBool::new(false));
                    let crowd = annotators(&runtime, &server.url, &told, &again);
                    let since = Instant::now();
                    while since.elapsed() < Duration::from_secs(5)
                        && told.lock().unwrap().acknowledged.len() < before + 8
                        && !crowd.iter().all(tokio::task::JoinHandle::is_finished)
                    {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    again.store(true, SeqCst);
                    for worker in crowd {
                        runtime.block_on(worker).unwrap();
                    }
                }
                drop(server);
            }
            _ => {
                // SIGKILL, in the middle of whatever it does.
                drop(server);
                servers += 1;
            }
        }
        stop.store(true, SeqCst);
        for worker in workers {
            runtime.block_on(worker).unwrap();
        }
    }
    let mut args = vec!["votes", "collect", "c"];
    args.extend(more.iter().copied());
    dir.ok(&args);
    dir.ok(&["votes", "export", "c", "--out", "votes.csv"]);
    let mut reader = csv::Reader::from_path(dir.join("votes.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let (annotator, item, question, assignment) = (
        at("annotator"),
        at("item"),
        at("question"),
        at("assignment"),
    );
    let (mut seen, mut stored) = (BTreeSet::new(), BTreeSet::new());
    let mut votes: BTreeMap<String, i64> = BTreeMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        let key = (
            record[annotator].to_owned(),
            record[item].to_owned(),
            record[question].to_owned(),
        );
        assert!(seen.insert(key), "doubled: {record:?}");
        stored.insert(record[assignment].to_owned());
        if &record[question] == "age" && record[item].starts_with("item") {
            *votes.entry(record[item].to_owned()).or_default() += 1;
        }
    }
    let told = told.lock().unwrap();
    let lost: Vec<&String> = told.acknowledged.difference(&stored).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged suites are lost: {lost:?}",
        lost.len(),
        told.acknowledged.len()
    );
    assert!(
        votes.values().all(|n| *n <= overlap),
        "more votes than wanted: {votes:?}"
    );
    println!(
        "{servers} kills of the server, {databases} of the database: {} suites acknowledged, {} stored; 0 lost, 0 doubled, overlap \
         exceeded 0 (at most {} of {overlap})",
        told.acknowledged.len(),
        stored.len(),
        votes.values().max().unwrap_or(&0)
    );
}

/// One annotator until the server is gone.
async fn work(url: &str, told: &Mutex<Told>, stop: &AtomicBool) {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(3))
        .build()
        .unwrap();
    let mut client = Client {
        http,
        url: url.into(),
        authorization: String::new(),
    };
    let Ok((200, signed)) = client.post("/api/annotator/sign-up", &json!({})).await else {
        return;
    };
    client.authorization = format!("Bearer {}", signed["token"].as_str().unwrap());
    let consent = json!({ "consent": true });
    for (path, body) in [("consent", &consent), ("ready", &json!({}))] {
        if client
            .post(&format!("/api/annotator/{path}"), body)
            .await
            .is_err()
        {
            return;
        }
    }
    while !stop.load(SeqCst) {
        let Ok((200, next)) = client.post("/api/annotator/next", &json!({})).await else {
            return;
        };
        let suite = &next["suite"];
        if suite.is_null() {
            return;
        }
        let body = answers(suite, "t", 30);
        if let Ok((200, _)) = client.post("/api/annotator/submit", &body).await {
            let name = suite["assignment"].as_str().unwrap().to_owned();
            told.lock().unwrap().acknowledged.insert(name);
        }
    }
}

#[test]
fn no_acknowledged_vote_is_lost_by_sigkill_on_sqlite() {
    let rounds = rounds(0, 30);
    // Enough work that it never runs out.
    let dir = campaign(400, 12, 40 + 10 * rounds / 3, 0);
    survives(&dir, &[], rounds, i64::from(40 + 10 * rounds / 3), None);
}

#[test]
fn no_acknowledged_vote_is_lost_by_sigkill_of_server_and_database_on_postgresql() {
    let Some(mut database) = Postgres::make() else {
        crate::support::skipped("there is no PostgreSQL (initdb, postgres) on this machine");
        return;
    };
    let rounds = rounds(1, 10);
    let dir = campaign(400, 12, 40 + 10 * rounds, 0);
    let url = database.url.clone();
    survives(
        &dir,
        &["--database", &url],
        rounds,
        i64::from(40 + 10 * rounds),
        Some(&mut database),
    );
}
