//! Pictures named by http(s) addresses: many at once, each within a time and a size, tried again when that may help.

use super::decode::Kind;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::{Client, StatusCode, Url, header, redirect::Policy};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How pictures are fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchSpec {
    /// How many addresses are asked at the same time, at least 1.
    pub concurrency: usize,
    /// Time for one attempt, from connecting to the last byte.
    pub timeout: Duration,
    /// Largest picture file, bytes. Reading stops where it is exceeded.
    pub max_bytes: usize,
    /// How often one address is tried at most, at least 1.
    pub attempts: u32,
    /// Wait before the second attempt, on average; doubled before each further one.
    pub backoff: Duration,
    /// Longest wait between two attempts, also when the server asks for more by `Retry-After`.
    pub longest_wait: Duration,
    /// How many redirects are followed.
    pub redirects: usize,
}

impl Default for FetchSpec {
    /// 16 at once, 30 seconds, 32 MiB, 4 attempts after 0.5, 1 and 2 seconds on average, 5 redirects.
    fn default() -> Self {
        Self {
            concurrency: 16,
            timeout: Duration::from_secs(30),
            max_bytes: 32 << 20,
            attempts: 4,
            backoff: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            redirects: 5,
        }
    }
}

/// Why an address gave no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// Not an address of the web.
    #[error("this is not an http:// or https:// address")]
    BadUrl,
    /// The server answered, but not with a picture: 404 no such page, 403 forbidden, 429 too many questions, 5xx broken.
    #[error("the server answered {status}{}", tries(*.attempts))]
    Status {
        /// The HTTP status of the last attempt.
        status: u16,
        /// How often it was tried.
        attempts: u32,
    },
    /// The file is larger than [`FetchSpec::max_bytes`].
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// [`FetchSpec::max_bytes`].
        limit: usize,
    },
    /// Not all bytes came in time.
    #[error("no complete answer within {} s{}", .after.as_secs_f32(), tries(*.attempts))]
    Timeout {
        /// [`FetchSpec::timeout`].
        after: Duration,
        /// How often it was tried.
        attempts: u32,
    },
    /// No connection, or it broke: no such host, refused, bad certificate, closed half-way.
    #[error("no connection: {why}{}", tries(*.attempts))]
    Connection {
        /// What the system said.
        why: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// More redirects than [`FetchSpec::redirects`], or a circle.
    #[error("more than {limit} redirects")]
    Redirects {
        /// [`FetchSpec::redirects`].
        limit: usize,
    },
    /// The server answered 200 with something else, often a page that asks to sign in.
    #[error("the server sent no picture: {why} (content type {content_type})")]
    NotAPicture {
        /// What the bytes are instead.
        why: String,
        /// What the server called it.
        content_type: String,
    },
    /// The client could not be set up: no certificates on this machine, no threads.
    #[error("fetching could not be started: {0}")]
    Setup(String),
}

fn tries(attempts: u32) -> String {
    match attempts {
        1 => String::new(),
        n => format!(", {n} times"),
    }
}

/// Fetches every address and hands each result over as it comes, with the index of its address; in any order, every
/// index once. What is handed over starts like a picture ([`Kind::of`]) but is not decoded.
///
/// `got` runs on the calling thread while others are fetched, so it is the place to decode and render. At most
/// `concurrency · max_bytes` bytes are held at any time, however slow `got` is. Blocks until all are done; must not be
/// called inside an async runtime.
///
/// Answers 408, 425, 429 and 5xx, timeouts and failed connections are tried again after a wait that is drawn between
/// half and one and a half of the backoff, from the address: many clients do not come back at the same moment, and a
/// run can be repeated.
///
/// # Errors
/// Only [`FetchFault::Setup`]; everything about one address is in its own result.
pub fn fetch_each(
    urls: &[String],
    spec: &FetchSpec,
    got: impl FnMut(usize, Result<Vec<u8>, FetchFault>),
) -> Result<(), FetchFault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| FetchFault::Setup(error.to_string()))?;
    let client = client(spec)
        .build()
        .map_err(|error| FetchFault::Setup(because(&error)))?;
    runtime.block_on(run(client, urls, spec, got));
    Ok(())
}

fn client(spec: &FetchSpec) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("veche/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(spec.timeout)
        .redirect(Policy::limited(spec.redirects))
}

async fn run(
    client: Client,
    urls: &[String],
    spec: &FetchSpec,
    mut got: impl FnMut(usize, Result<Vec<u8>, FetchFault>),
) {
    let spec = Arc::new(spec.clone());
    let mut waiting = urls.iter().enumerate();
    let mut running = JoinSet::new();
    let mut places = std::collections::BTreeMap::new();
    loop {
        while running.len() < spec.concurrency.max(1) {
            let Some((at, url)) = waiting.next() else {
                break;
            };
            let (client, url, spec) = (client.clone(), url.clone(), Arc::clone(&spec));
            let task = running.spawn(async move { fetch_one(&client, &url, &spec).await });
            places.insert(task.id(), at);
        }
        let (id, result) = match running.join_next_with_id().await {
            None => return,
            Some(Ok((id, result))) => (id, result),
            // A task that panicked must not take its address with it silently.
            Some(Err(error)) => (error.id(), Err(FetchFault::Setup(error.to_string()))),
        };
        if let Some(at) = places.remove(&id) {
            got(at, result);
        }
    }
}

/// One address, with all its attempts.
async fn fetch_one(client: &Client, url: &str, spec: &FetchSpec) -> Result<Vec<u8>, FetchFault> {
    let address = Url::parse(url.trim()).map_err(|_| FetchFault::BadUrl)?;
    if !matches!(address.scheme(), "http" | "https") {
        return Err(FetchFault::BadUrl);
    }
    let mut dice = ChaCha8Rng::from_seed(*blake3::hash(url.as_bytes()).as_bytes());
    let mut attempt = 1;
    loop {
        let (fault, asked_wait) = match attempt_once(client, &address, spec, attempt).await {
            Ok(bytes) => return Ok(bytes),
            Err(Failure::Final(fault)) => return Err(fault),
            Err(Failure::Passing { fault, wait }) => (fault, wait),
        };
        if attempt >= spec.attempts {
            return Err(fault);
        }
        let wait = spec.backoff * 2_u32.saturating_pow(attempt - 1);
        let wait = wait.mul_f64(dice.random_range(0.5..1.5));
        let wait = wait.max(asked_wait).min(spec.longest_wait);
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

enum Failure {
    /// Trying again would give the same.
    Final(FetchFault),
    /// Trying again may help, after `wait` if the server said so.
    Passing { fault: FetchFault, wait: Duration },
}

impl From<FetchFault> for Failure {
    fn from(fault: FetchFault) -> Self {
        Self::Final(fault)
    }
}

async fn attempt_once(
    client: &Client,
    address: &Url,
    spec: &FetchSpec,
    attempts: u32,
) -> Result<Vec<u8>, Failure> {
    let failed = |error: reqwest::Error| {
        if error.is_redirect() {
            return Failure::Final(FetchFault::Redirects {
                limit: spec.redirects,
            });
        }
        let fault = if error.is_timeout() {
            FetchFault::Timeout {
                after: spec.timeout,
                attempts,
            }
        } else {
            FetchFault::Connection {
                why: because(&error),
                attempts,
            }
        };
        Failure::Passing {
            fault,
            wait: Duration::ZERO,
        }
    };
    let request = client.get(address.clone()).timeout(spec.timeout);
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    if status != StatusCode::OK {
        let fault = FetchFault::Status {
            status: status.as_u16(),
            attempts,
        };
        return Err(if matches!(status.as_u16(), 408 | 425 | 429 | 500..) {
            Failure::Passing {
                fault,
                wait: retry_after(&response),
            }
        } else {
            Failure::Final(fault)
        });
    }
    let too_large = || FetchFault::TooLarge {
        limit: spec.max_bytes,
    };
    // What the server says of the length is a hint that saves the download; what counts is what comes.
    if response.content_length() > Some(spec.max_bytes as u64) {
        return Err(too_large().into());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > spec.max_bytes {
            return Err(too_large().into());
        }
        bytes.extend_from_slice(&chunk);
    }
    match Kind::of(&bytes) {
        Ok(_) => Ok(bytes),
        Err(fault) => {
            let content_type = response.headers().get(header::CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            Err(FetchFault::NotAPicture {
                why: fault.to_string(),
                content_type: content_type.unwrap_or("not given").to_owned(),
            }
            .into())
        }
    }
}

/// The wait that a server asks for in seconds; the form with a date is rare and counts as none.
fn retry_after(response: &reqwest::Response) -> Duration {
    let value = response.headers().get(header::RETRY_AFTER);
    let seconds = value.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// The innermost cause, which names what happened; the outer ones only say that sending failed.
fn because(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
