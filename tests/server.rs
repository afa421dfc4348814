//! A real server in a folder of its own, and clients that speak to it.

use crate::support::Dir;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server, killed when the test ends.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Serves the campaign in `c` and waits until it listens.
    pub fn start(dir: &Dir, more: &[&str]) -> Self {
        let mut args = vec!["--listen", "127.0.0.1:0", "--open-signup"];
        args.extend(more);
        Self::run(dir, &args)
    }

    /// `veche serve c` with these arguments and no others.
    pub fn run(dir: &Dir, args: &[&str]) -> Self {
        let mut command: Command = dir.command(&["serve", "c"]);
        command.args(args);
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
    pub fn end(mut self) {
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
pub type Answer = Result<(u16, Value), reqwest::Error>;

/// Somebody who asks.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub url: String,
    pub authorization: String,
}

impl Client {
    pub fn new(url: &str, authorization: &str) -> Self {
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

    pub async fn get(&self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.url));
        Self::answer(request.header("authorization", &self.authorization)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
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
    pub async fn ok(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body).await.unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A new annotator, on the way to `work`.
    pub async fn sign_up(url: &str) -> Self {
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
pub fn answers(suite: &Value, token: &str, age: i64) -> Value {
    let n = suite["tasks"].as_array().unwrap().len();
    let answer = json!({ "output": { "age": age, "sex": "female" }, "seconds": 3.5 });
    json!({ "assignment": suite["assignment"], "token": token, "answers": vec![answer; n] })
}

/// A built campaign in `c` with these many items, controls, votes per item and practice tasks.
pub fn campaign(items: u32, controls: u32, overlap: u32, practice: u32) -> Dir {
    let (suite, serve) = (
        format!("overlap = {overlap}\n"),
        format!("[serve]\npractice = {practice}\n"),
    );
    campaign_of(items, controls, &suite, &serve, "")
}

/// The same with lines of one's own: in `[suite]`, at the end, and in `[controls]`.
pub fn campaign_of(items: u32, controls: u32, suite: &str, end: &str, of_controls: &str) -> Dir {
    let dir = Dir::new();
    dir.campaign(items, controls);
    let text = dir.read("c/campaign.toml");
    let kept = text.lines().filter(|line| !line.starts_with("overlap"));
    let mut text: String = kept.flat_map(|line| [line, "\n"]).collect();
    text = text
        .replace("[suite]\n", &format!("[suite]\n{suite}"))
        .replace("[controls]\n", &format!("[controls]\n{of_controls}"));
    dir.write("c/campaign.toml", format!("{text}\n{end}"));
    dir.ok(&["pool", "build", "c"]);
    dir
}

/// A runtime of the test's own.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}
