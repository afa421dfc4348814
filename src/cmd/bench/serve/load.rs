//! Annotators that do not look: each on a connection of its own.

use crate::{Result, problem};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1::SendRequest, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::Mutex, task::JoinSet};

/// What a load came to.
#[derive(Debug, Default, Clone, Serialize)]
pub(super) struct Load {
    pub(super) suites_per_second: f64,
    pub(super) next_p50_ms: f64,
    pub(super) next_p99_ms: f64,
    pub(super) submit_p50_ms: f64,
    pub(super) submit_p99_ms: f64,
    /// Answers that were not the expected ones, and connections that broke.
    pub(super) errors: u64,
    pub(super) acknowledged: u64,
    pub(super) first_error: Option<String>,
}

/// One annotator.
pub(super) struct Annotator {
    send: SendRequest<Full<Bytes>>,
    token: String,
    host: String,
    n: u64,
}

#[derive(Deserialize)]
struct Next {
    suite: Option<Suite>,
}

#[derive(Deserialize)]
struct Suite {
    assignment: String,
    tasks: Vec<IgnoredAny>,
}

/// Times of one annotator.
#[derive(Default)]
struct Times {
    next: Vec<Duration>,
    submit: Vec<Duration>,
    errors: u64,
    acknowledged: u64,
    first_error: Option<String>,
}

impl Times {
    fn add(&mut self, other: Self) {
        self.next.extend(other.next);
        self.submit.extend(other.submit);
        self.errors += other.errors;
        self.acknowledged += other.acknowledged;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    fn fail(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }

    fn load(mut self, took: Duration) -> Load {
        self.next.sort();
        self.submit.sort();
        let at = |times: &[Duration], share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times
                .get(place.min(times.len().saturating_sub(1)))
                .map_or(f64::NAN, |t| 1000.0 * t.as_secs_f64())
        };
        Load {
            suites_per_second: self.submit.len() as f64 / took.as_secs_f64(),
            next_p50_ms: at(&self.next, 0.5),
            next_p99_ms: at(&self.next, 0.99),
            submit_p50_ms: at(&self.submit, 0.5),
            submit_p99_ms: at(&self.submit, 0.99),
            errors: self.errors,
            acknowledged: self.acknowledged,
            first_error: self.first_error,
        }
    }
}

impl Annotator {
    async fn open(address: SocketAddr) -> std::result::Result<Self, String> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let (send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        Ok(Self {
            send,
            token: String::new(),
            host: address.to_string(),
            n: 0,
        })
    }

    async fn post(&mut self, path: &str, body: String) -> std::result::Result<Bytes, String> {
        let request = Request::post(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, &self.token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| e.to_string())?;
        self.send.ready().await.map_err(|e| e.to_string())?;
        let response = self
            .send
            .send_request(request)
            .await
            .map_err(|e| e.to_string())?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|e| e.to_string())?
            .to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            Err(format!(
                "{path}: {status} {}",
                String::from_utf8_lossy(&body)
            ))
        }
    }

    async fn sign_up(&mut self) -> std::result::Result<(), String> {
        let answer = self.post("/api/annotator/sign-up", "{}".into()).await?;
        let answer: serde_json::Value =
            serde_json::from_slice(&answer).map_err(|e| e.to_string())?;
        self.token = format!("Bearer {}", answer["token"].as_str().unwrap_or_default());
        self.post(
            "/api/annotator/consent",
            json!({ "consent": true }).to_string(),
        )
        .await?;
        self.post("/api/annotator/ready", "{}".into()).await?;
        Ok(())
    }

    /// The next suite, and its submission. `due`: from when the time counts.
    async fn suite(
        &mut self,
        due: Option<Instant>,
        times: &mut Times,
    ) -> std::result::Result<(), String> {
        let start = due.unwrap_or_else(Instant::now);
        let answer = self.post("/api/annotator/next", "{}".into()).await?;
        times.next.push(start.elapsed());
        let next: Next = serde_json::from_slice(&answer).map_err(|e| e.to_string())?;
        let suite = next
            .suite
            .ok_or_else(|| format!("no suite: {}", String::from_utf8_lossy(&answer)))?;
        self.n += 1;
        let mut body = format!(
            "{{\"assignment\":\"{}\",\"token\":\"{}\",\"answers\":[",
            suite.assignment, self.n
        );
        for place in 0..suite.tasks.len() {
            let age = 20 + (self.n as usize * 7 + place * 5) % 60;
            let comma = if place == 0 { "" } else { "," };
            body += &format!(
                "{comma}{{\"output\":{{\"age\":{age},\"sex\":\"female\"}},\"seconds\":4.25}}"
            );
        }
        body += "]}";
        let start = Instant::now();
        self.post("/api/annotator/submit", body).await?;
        times.submit.push(start.elapsed());
        times.acknowledged += 1;
        Ok(())
    }
}

/// Annotators at work, spread over the servers.
pub(super) async fn sign_up(servers: &[SocketAddr], n: usize) -> Result<Vec<Annotator>> {
    let mut tasks = JoinSet::new();
    for i in 0..n {
        let address = servers[i % servers.len()];
        tasks.spawn(async move {
            let mut annotator = Annotator::open(address).await?;
            annotator.sign_up().await?;
            Ok::<_, String>(annotator)
        });
    }
    let mut annotators = Vec::with_capacity(n);
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(Ok(annotator)) => annotators.push(annotator),
            Ok(Err(error)) => {
                return problem(format!("an annotator could not sign up: {error}")).fail();
            }
            Err(error) => {
                return problem(format!("an annotator could not sign up: {error}")).fail();
            }
        }
    }
    Ok(annotators)
}

/// All of them at once, each asking for the next suite as soon as the last is acknowledged.
pub(super) async fn without_pause(annotators: &mut Vec<Annotator>, time: Duration) -> Load {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut annotator in annotators.drain(..) {
        tasks.spawn(async move {
            let mut times = Times::default();
            while start.elapsed() < time {
                if let Err(error) = annotator.suite(None, &mut times).await {
                    times.fail(error);
                    if times.errors > 10 {
                        break;
                    }
                }
            }
            (annotator, times)
        });
    }
    let mut all = Times::default();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((annotator, times)) => {
                annotators.push(annotator);
                all.add(times);
            }
            Err(error) => all.fail(error.to_string()),
        }
    }
    let took = start.elapsed();
    all.load(took)
}

/// Suites at a steady rate, whoever is free. Times count from when a suite was due, so that a server that stands still does not
/// keep what it delays from being counted.
pub(super) async fn steady(annotators: Vec<Annotator>, rate: u32, time: Duration) -> Load {
    let start = Instant::now();
    let wanted = (f64::from(rate) * time.as_secs_f64()) as u32;
    let (free, times) = (
        Arc::new(Mutex::new(annotators)),
        Arc::new(Mutex::new(Times::default())),
    );
    let mut tasks = JoinSet::new();
    for i in 0..wanted {
        let due = start + Duration::from_secs_f64(f64::from(i) / f64::from(rate));
        tokio::time::sleep_until(due.into()).await;
        let Some(mut annotator) = free.lock().await.pop() else {
            times.lock().await.fail("nobody is free".into());
            continue;
        };
        let (free, times) = (free.clone(), times.clone());
        tasks.spawn(async move {
            let mut own = Times::default();
            if let Err(error) = annotator.suite(Some(due), &mut own).await {
                own.fail(error);
            }
            times.lock().await.add(own);
            free.lock().await.insert(0, annotator);
        });
    }
    while tasks.join_next().await.is_some() {}
    let took = start.elapsed();
    let times = std::mem::take(&mut *times.lock().await);
    times.load(took)
}
