//! The annotation server from outside: an annotator's life over HTTP, the requester's side, and `kill -9` at any moment.

use crate::support::Dir;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// A running server, killed when the test ends.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(dir: &Dir, more: &[&str]) -> Self {
        let mut args = vec!["serve", "c", "--listen", "127.0.0.1:0", "--open-signup"];
        args.extend(more);
        let mut command: Command = dir.command(&args);
        command
            .env("VECHE_API_KEY", "a key of tests")
            .env("VECHE_PASSWORD", "a password of tests")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let url = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the server ended before it listened:\n{said}");
            };
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
            said += &line;
            said.push('\n');
        };
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// Asks it to end, and waits until it has.
    fn end(mut self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "the server does not end"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What came back: the status, and the body as JSON.
type Answer = Result<(u16, Value), reqwest::Error>;

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    authorization: String,
}

impl Client {
    fn new(url: &str, authorization: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self {
            http,
            url: url.into(),
            authorization: authorization.into(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.url));
        Self::answer(request.header("authorization", &self.authorization)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(body.to_string());
        Self::answer(request).await
    }

    async fn answer(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await?;
        let (status, text) = (response.status().as_u16(), response.text().await?);
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    /// Expects success.
    async fn ok(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body).await.unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A new annotator, on the way to `work`.
    async fn sign_up(url: &str) -> Self {
        let stranger = Self::new(url, "");
        let signed = stranger.ok("/api/annotator/sign-up", &json!({})).await;
        let token = signed["token"].as_str().unwrap();
        let client = Self::new(url, &format!("Bearer {token}"));
        let consent = json!({ "consent": true, "birth_year": 1990, "expected_error": 5 });
        assert_eq!(
            client.ok("/api/annotator/consent", &consent).await["stage"],
            "instructions"
        );
        let mut stage = client.ok("/api/annotator/ready", &json!({})).await["stage"].clone();
        while stage == "practice" {
            let task = client.ok("/api/annotator/practice", &json!({})).await;
            if task["task"].is_null() {
                stage = task["stage"].clone();
                break;
            }
            let answer =
                json!({ "number": task["number"], "output": { "age": 30, "sex": "female" } });
            let known = client.ok("/api/annotator/practice/answer", &answer).await;
            assert!(known["known"]["age"].is_number(), "{known}");
        }
        assert_eq!(stage, "work");
        client
    }
}

/// All of a suite's answers the same; the photos of the test campaign do not matter.
fn answers(suite: &Value, token: &str, age: i64) -> Value {
    let n = suite["tasks"].as_array().unwrap().len();
    let answer = json!({ "output": { "age": age, "sex": "female" }, "seconds": 3.5 });
    json!({ "assignment": suite["assignment"], "token": token, "answers": vec![answer; n] })
}

fn campaign(items: u32, controls: u32, overlap: u32, practice: u32) -> Dir {
    let dir = Dir::new();
    dir.campaign(items, controls);
    let text = dir.read("c/campaign.toml");
    let kept = text.lines().filter(|line| !line.starts_with("overlap"));
    let mut text: String = kept.flat_map(|line| [line, "\n"]).collect();
    text = text.replace("[suite]", &format!("[suite]\noverlap = {overlap}"));
    dir.write(
        "c/campaign.toml",
        format!("{text}\n[serve]\npractice = {practice}\n"),
    );
    dir.ok(&["pool", "build", "c"]);
    dir
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn an_annotators_life_over_http_ends_in_labels() {
    let dir = campaign(20, 12, 3, 5);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let url = &server.url;
        let (status, told) = Client::new(url, "")
            .get("/api/annotator/campaign")
            .await
            .unwrap();
        assert_eq!((status, told["suite"].as_u64()), (200, Some(4)));
        for _ in 0..3 {
            let client = Client::sign_up(url).await;
            let mut n = 0;
            loop {
                let next = client.ok("/api/annotator/next", &json!({})).await;
                if next["suite"].is_null() {
                    assert_eq!(next["reason"], "done");
                    break;
                }
                let suite = &next["suite"];
                // Asked again, it is the same suite.
                assert_eq!(
                    client.ok("/api/annotator/next", &json!({})).await["suite"]["assignment"],
                    suite["assignment"]
                );
                for task in suite["tasks"].as_array().unwrap() {
                    let address = task["picture"].as_str().unwrap();
                    let picture = client
                        .http
                        .get(format!("{url}{address}"))
                        .send()
                        .await
                        .unwrap();
                    assert_eq!(picture.headers()["content-type"], "image/jpeg");
                    assert!(picture.bytes().await.unwrap().starts_with(&[0xff, 0xd8]));
                    // Nothing but the picture's address.
                    assert_eq!(task.as_object().unwrap().len(), 1, "{task}");
                }
                let wrong =
                    json!({ "assignment": suite["assignment"], "token": "t", "answers": [] });
                let (status, problem) = client.post("/api/annotator/submit", &wrong).await.unwrap();
                assert_eq!(
                    (status, problem["code"].as_str()),
                    (400, Some("VALIDATION_ERROR"))
                );
                let body = answers(suite, &format!("token {n}"), 30 + n);
                assert_eq!(
                    client.ok("/api/annotator/submit", &body).await["repeated"],
                    false
                );
                assert_eq!(
                    client.ok("/api/annotator/submit", &body).await["repeated"],
                    true
                );
                n += 1;
            }
            assert!(n >= 3, "{n} suites for 20 items");
        }
        let late = Client::sign_up(url).await;
        assert_eq!(
            late.ok("/api/annotator/next", &json!({})).await["reason"],
            "done"
        );
    });
    server.end();
    // The server wrote the votes when it ended; taken again they are the same.
    let collected: Value =
        serde_json::from_str(&dir.ok(&["votes", "collect", "c", "--json"])).unwrap();
    assert_eq!(collected["annotators"], 3);
    dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
    assert_eq!(dir.read("labels.csv").lines().count(), 21);
}

#[test]
fn strangers_learn_nothing_and_every_refusal_is_json() {
    let dir = campaign(8, 12, 2, 0);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let stranger = Client::new(&server.url, "");
        for (path, status, code) in [
            ("/api/annotator/me", 401, "AUTHENTICATION_ERROR"),
            ("/api/requester/overview", 401, "AUTHENTICATION_ERROR"),
            ("/api/requester/export.csv", 401, "AUTHENTICATION_ERROR"),
            ("/api/annotator/submit", 405, "METHOD_NOT_ALLOWED"),
            ("/api/nothing", 404, "DOES_NOT_EXIST"),
            ("/picture/..%2f..%2fcampaign.toml", 404, "DOES_NOT_EXIST"),
            (
                "/picture/0000000001--000000000000000000000000-0-000000000000000000000000",
                404,
                "DOES_NOT_EXIST",
            ),
        ] {
            let (got, body) = stranger.get(path).await.unwrap();
            assert_eq!(
                (got, body["code"].as_str()),
                (status, Some(code)),
                "{path}: {body}"
            );
        }
        let client = Client::sign_up(&server.url).await;
        let post = client
            .http
            .post(format!("{}/api/annotator/next", server.url));
        let plain = post
            .header("authorization", &client.authorization)
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(
            plain.status(),
            200,
            "next takes no body, so its type does not matter"
        );
        let (status, body) = client
            .post("/api/annotator/submit", &json!("x".repeat(2_000_000)))
            .await
            .unwrap();
        assert_eq!(
            (status, body["code"].as_str()),
            (413, Some("PAYLOAD_TOO_LARGE")),
            "{body}"
        );
        // The server closes a connection on which an unread body is under way: the next request takes a new one.
        let client = Client::new(&server.url, &client.authorization);
        // The cookie alone is not enough for a change.
        let token = client.authorization.strip_prefix("Bearer ").unwrap();
        let request = client
            .http
            .post(format!("{}/api/annotator/next", server.url));
        let forged = request
            .header("cookie", format!("veche={token}"))
            .send()
            .await
            .unwrap();
        assert_eq!(forged.status(), 403);
        let own = client
            .http
            .post(format!("{}/api/annotator/next", server.url));
        let own = own
            .header("cookie", format!("veche={token}"))
            .header("x-veche", "1")
            .send()
            .await
            .unwrap();
        assert_eq!(own.status(), 200);
        // Headers that browsers obey.
        assert!(
            own.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'self'")
        );
        assert_eq!(own.headers()["x-content-type-options"], "nosniff");
    });
}

#[test]
fn a_requester_sees_bans_and_lifts() {
    let dir = campaign(20, 12, 3, 5);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let client = Client::sign_up(&server.url).await;
        let (_, me) = client.get("/api/annotator/me").await.unwrap();
        let next = client.ok("/api/annotator/next", &json!({})).await;
        client
            .ok("/api/annotator/submit", &answers(&next["suite"], "1", 33))
            .await;
        let requester = Client::new(&server.url, "ApiKey a key of tests");
        let (_, overview) = requester.get("/api/requester/overview").await.unwrap();
        assert_eq!(overview["votes"], 3, "{overview}");
        assert_eq!(
            (overview["wanted"].as_i64(), overview["banned"].as_i64()),
            (Some(60), Some(0))
        );
        requester
            .ok(
                "/api/requester/ban",
                &json!({ "annotator": me["annotator"], "comment": "a test" }),
            )
            .await;
        assert_eq!(
            client.ok("/api/annotator/next", &json!({})).await["reason"],
            "ended"
        );
        let (_, overview) = requester.get("/api/requester/overview").await.unwrap();
        // The votes are asked of others.
        assert_eq!(
            (overview["votes"].as_i64(), overview["banned"].as_i64()),
            (Some(0), Some(1)),
            "{overview}"
        );
        let (_, list) = requester.get("/api/requester/annotators").await.unwrap();
        assert_eq!(list["annotators"][0]["ban"]["comment"], "a test");
        requester
            .ok(
                "/api/requester/lift",
                &json!({ "annotator": me["annotator"] }),
            )
            .await;
        assert!(client.ok("/api/annotator/next", &json!({})).await["suite"].is_object());
        let invited = requester
            .ok("/api/requester/invite", &json!({ "uses": 1 }))
            .await;
        let body = json!({ "invitation": invited["invitation"] });
        let stranger = Client::new(&server.url, "");
        stranger.ok("/api/annotator/sign-up", &body).await;
        let (status, used) = stranger
            .post("/api/annotator/sign-up", &body)
            .await
            .unwrap();
        assert_eq!(
            (status, used["code"].as_str()),
            (409, Some("INVITATION_USED"))
        );
        // The password opens, another does not.
        let (status, _) = stranger
            .post("/api/requester/login", &json!({ "password": "x" }))
            .await
            .unwrap();
        assert_eq!(status, 403);
        let right = json!({ "password": "a password of tests" }).to_string();
        let login = stranger
            .http
            .post(format!("{}/api/requester/login", server.url));
        let login = login
            .header("content-type", "application/json")
            .body(right)
            .send()
            .await
            .unwrap();
        let cookie = login.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let seen = stranger
            .http
            .get(format!("{}/api/requester/controls", server.url));
        assert_eq!(
            seen.header("cookie", cookie).send().await.unwrap().status(),
            200
        );
    });
}

/// What one round's annotators were told.
#[derive(Default)]
struct Told {
    /// Assignments whose submission was answered with 200.
    acknowledged: BTreeSet<String>,
}

/// Annotators submit while the server is killed again and again: what was acknowledged is there once, and no item has more
/// votes than it wants.
fn survives(dir: &Dir, more: &[&str], rounds: u32, overlap: i64) {
    let told = Arc::new(Mutex::new(Told::default()));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let runtime = runtime();
    for round in 0..rounds {
        let server = Server::start(dir, more);
        let stop = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let (url, told, stop) = (server.url.clone(), told.clone(), stop.clone());
                runtime.spawn(async move { work(&url, &told, &stop).await })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(rng.random_range(60..400)));
        // SIGKILL, in the middle of whatever it does.
        drop(server);
        stop.store(true, SeqCst);
        runtime.block_on(async {
            for worker in workers {
                worker.await.unwrap();
            }
        });
        assert!(
            round < 3 || !told.lock().unwrap().acknowledged.is_empty(),
            "nobody got anything done"
        );
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
        "{rounds} kills: {} acknowledged, {} stored, 0 lost",
        told.acknowledged.len(),
        stored.len()
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
    let dir = campaign(400, 12, 40, 0);
    survives(&dir, &[], 30, 40);
}

#[test]
fn no_acknowledged_vote_is_lost_by_sigkill_on_postgresql() {
    let Some(server) = std::env::var("VECHE_TEST_POSTGRES").ok() else {
        crate::support::skipped("VECHE_TEST_POSTGRES does not name a server");
        return;
    };
    let dir = campaign(400, 12, 40, 0);
    let name = format!("veche_kill_{}", std::process::id());
    let (base, _) = server.rsplit_once('/').unwrap();
    let sql = |text: String| {
        let status = Command::new("psql")
            .args([&server, "-q", "-c", &text])
            .status()
            .unwrap();
        assert!(status.success(), "{text}");
    };
    sql(format!("CREATE DATABASE {name}"));
    survives(&dir, &["--database", &format!("{base}/{name}")], 10, 40);
    sql(format!("DROP DATABASE {name} WITH (FORCE)"));
}
