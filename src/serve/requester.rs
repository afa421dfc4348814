//! The requester's side over HTTP and JSON: docs/requester-api.md.

use super::{
    api::{Body, cookie},
    board::{self, Board},
    failure::Failure,
    insight,
    state::{App, now_ms},
    tokens::random_name,
};
use crate::store::{Command, FieldProblem, Restriction, Scope, StoreError};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_stream::wrappers::ReceiverStream;

/// A session ends so long after the login.
const SESSION: Duration = Duration::from_secs(12 * 3600);

/// Sessions remembered at most.
const SESSIONS: usize = 1000;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/overview", get(overview))
        .route("/annotators", get(annotators))
        .route("/ban", post(ban))
        .route("/lift", post(lift))
        .route("/invite", post(invite))
        .route("/controls", get(controls))
        .route("/message", post(message))
        .route("/annotators/{name}", get(person))
        .route("/erase", post(erase))
        .route("/log", get(log))
        .route("/quality", get(quality))
        .route("/export.csv", get(votes))
        .route("/labels.csv", get(labels))
        .route("/report.html", get(report))
        .route("/live", get(live))
        .method_not_allowed_fallback(super::failure::wrong_method)
}

/// A password as it is kept in memory: Argon2id with a salt of its own.
pub(super) fn hash_password(password: &str) -> crate::Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|e| crate::problem(format!("the password cannot be used: {e}")))?;
    Ok(hash.to_string())
}

fn is_right(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// Somebody who may see and change everything.
pub(super) struct Requester;

impl FromRequestParts<Arc<App>> for Requester {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        if has_key(app, &parts.headers) {
            return Ok(Self);
        }
        if !has_session(app, &parts.headers) {
            return Err(Failure::Unknown);
        }
        if parts.method != Method::GET && !parts.headers.contains_key("x-veche") {
            let reason = "requests that lean on the cookie carry the header X-Veche: 1";
            return Err(Failure::Forbidden("HEADER_NEEDED", reason.into()));
        }
        Ok(Self)
    }
}

/// `Authorization: ApiKey KEY` or `OAuth KEY` with the right key. Hashes are compared, so the time says nothing.
pub(super) fn has_key(app: &App, headers: &HeaderMap) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    let key = given.and_then(|v| {
        v.strip_prefix("ApiKey ")
            .or_else(|| v.strip_prefix("OAuth "))
    });
    match (key, &app.api_key) {
        (Some(key), Some(right)) => {
            blake3::hash(key.trim().as_bytes()) == blake3::Hash::from_bytes(*right)
        }
        _ => false,
    }
}

/// Whether the cookie is of a session that has not ended.
pub(super) fn has_session(app: &App, headers: &HeaderMap) -> bool {
    let Some(token) = cookie(headers, "veche-requester") else {
        return false;
    };
    let key = blake3::hash(token.as_bytes());
    app.sessions.lock().is_ok_and(|sessions| {
        sessions
            .get(&key)
            .is_some_and(|since| since.elapsed() < SESSION)
    })
}

fn session_cookie(app: &App, token: &str, seconds: u64) -> Result<HeaderValue, Failure> {
    let secure = if app.tls { "; Secure" } else { "" };
    let text = format!(
        "veche-requester={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::from_str(&text).map_err(|_| Failure::Unknown)
}

#[derive(Debug, Deserialize)]
struct Login {
    password: String,
}

async fn login(State(app): State<Arc<App>>, Body(body): Body<Login>) -> Result<Response, Failure> {
    let Some(hash) = app.password.clone() else {
        return Err(Failure::Forbidden(
            "NO_PASSWORD_SET",
            "start the server with the environment variable VECHE_PASSWORD".into(),
        ));
    };
    // Slow on purpose, so not on a thread that serves others.
    let right = tokio::task::spawn_blocking(move || is_right(&body.password, &hash)).await;
    let right = right.unwrap_or(false);
    note(
        &app,
        if right { "signed in" } else { "wrong password" },
        None,
        json!({}),
    )
    .await?;
    if !right {
        return Err(Failure::Forbidden(
            "WRONG_PASSWORD",
            "this is not the password".into(),
        ));
    }
    let token = random_name::<32>()?;
    if let Ok(mut sessions) = app.sessions.lock() {
        sessions.retain(|_, since| since.elapsed() < SESSION);
        if sessions.len() >= SESSIONS {
            sessions.clear();
        }
        sessions.insert(blake3::hash(token.as_bytes()), Instant::now());
    }
    let mut response = Json(json!({})).into_response();
    let cookie = session_cookie(&app, &token, SESSION.as_secs())?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

async fn logout(
    State(app): State<Arc<App>>,
    _: Requester,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let (Some(token), Ok(mut sessions)) =
        (cookie(&headers, "veche-requester"), app.sessions.lock())
    {
        sessions.remove(&blake3::hash(token.as_bytes()));
    }
    let mut response = Json(json!({})).into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, session_cookie(&app, "", 0)?);
    Ok(response)
}

async fn overview(State(app): State<Arc<App>>, _: Requester) -> Result<Json<Value>, Failure> {
    Ok(Json(Board::read(&app).await?.overview()))
}

async fn annotators(State(app): State<Arc<App>>, _: Requester) -> Result<Json<Value>, Failure> {
    Ok(Json(Board::read(&app).await?.annotators(&app).await?))
}

async fn controls(State(app): State<Arc<App>>, _: Requester) -> Result<Json<Value>, Failure> {
    Ok(Json(Board::read(&app).await?.controls(&app).await?))
}

#[derive(Debug, Deserialize)]
struct Ban {
    annotator: String,
    #[serde(default)]
    comment: String,
}

async fn ban(
    State(app): State<Arc<App>>,
    _: Requester,
    Body(body): Body<Ban>,
) -> Result<Json<Value>, Failure> {
    let annotator = named(&app, &body.annotator).await?;
    if body.comment.len() > LONGEST_MESSAGE {
        let problem = FieldProblem::new("VALUE_NOT_ALLOWED", "at most 4000 bytes");
        return Err(Failure::Invalid(BTreeMap::from([(
            "comment".to_owned(),
            problem,
        )])));
    }
    let restriction = Restriction {
        annotator,
        scope: Scope::All,
        origin: "requester".into(),
        comment: body.comment,
        evidence: None,
        until: None,
        reopen: true,
    };
    app.store
        .carry_out(Command::Restrict {
            restriction,
            now: now_ms(),
        })
        .await?;
    app.board_changed().await;
    Ok(Json(json!({})))
}

/// An answer to be saved as a file, noted in the log.
async fn file(
    app: &App,
    name: &str,
    kind: &'static str,
    bytes: Vec<u8>,
) -> Result<Response, Failure> {
    note(app, "export", None, json!({ "file": name })).await?;
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .map_err(|_| Failure::Unknown)?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// Writes into the log what a requester did.
async fn note(app: &App, kind: &str, annotator: Option<i64>, detail: Value) -> Result<(), Failure> {
    let kind = kind.to_owned();
    let now = now_ms();
    app.store
        .carry_out(Command::Note {
            kind,
            annotator,
            detail,
            now,
        })
        .await?;
    Ok(())
}

async fn votes(State(app): State<Arc<App>>, _: Requester) -> Result<Response, Failure> {
    let bytes = insight::votes_csv(&app).await?;
    file(&app, "votes.csv", "text/csv; charset=utf-8", bytes).await
}

async fn labels(State(app): State<Arc<App>>, _: Requester) -> Result<Response, Failure> {
    let bytes = insight::labels_csv(&app).await?;
    file(&app, "labels.csv", "text/csv; charset=utf-8", bytes).await
}

async fn report(State(app): State<Arc<App>>, _: Requester) -> Result<Response, Failure> {
    let bytes = insight::report_html(&app).await?;
    file(&app, "report.html", "text/html; charset=utf-8", bytes).await
}

async fn quality(State(app): State<Arc<App>>, _: Requester) -> Result<Json<Value>, Failure> {
    Ok(Json(insight::quality(&app).await?))
}

#[derive(Debug, Deserialize)]
struct Message {
    annotator: String,
    text: String,
}

/// Longest message, bytes.
const LONGEST_MESSAGE: usize = 4000;

async fn message(
    State(app): State<Arc<App>>,
    _: Requester,
    Body(body): Body<Message>,
) -> Result<Json<Value>, Failure> {
    let text = body.text.trim().to_owned();
    if text.is_empty() || text.len() > LONGEST_MESSAGE {
        let problem = FieldProblem::new("VALUE_NOT_ALLOWED", "1 to 4000 bytes of text");
        return Err(Failure::Invalid(BTreeMap::from([(
            "text".to_owned(),
            problem,
        )])));
    }
    let annotator = named(&app, &body.annotator).await?;
    let now = now_ms();
    app.store
        .carry_out(Command::SendMessage {
            annotator,
            text,
            now,
        })
        .await?;
    app.messages_changed().await;
    Ok(Json(json!({})))
}

/// Everything stored about an annotator, for who asks the requester for it.
async fn person(
    State(app): State<Arc<App>>,
    _: Requester,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    let id = named(&app, &name).await?;
    note(&app, "personal data shown", Some(id), json!({})).await?;
    Ok(Json(app.stored_about(id).await?))
}

#[derive(Debug, Deserialize)]
struct Who {
    annotator: String,
}

/// Deletes what an annotator said of themselves; votes stay.
async fn erase(
    State(app): State<Arc<App>>,
    _: Requester,
    Body(body): Body<Who>,
) -> Result<Json<Value>, Failure> {
    let annotator = named(&app, &body.annotator).await?;
    note(&app, "erasure by the requester", Some(annotator), json!({})).await?;
    app.erase(annotator).await?;
    app.board_changed().await;
    Ok(Json(json!({})))
}

#[derive(Debug, Deserialize)]
struct Before {
    before: Option<i64>,
}

/// Events per page of the log.
const EVENTS: i64 = 100;

async fn log(
    State(app): State<Arc<App>>,
    _: Requester,
    query: Result<Query<Before>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(Before { before }) = query.map_err(|e| Failure::Body(e.status(), e.body_text()))?;
    let events = app.store.events(before.unwrap_or(i64::MAX), EVENTS).await?;
    let list: Vec<Value> = events
        .iter()
        .map(|e| {
            json!({ "id": e.id, "at": board::moment(e.at), "what": e.kind, "annotator": e.annotator, "detail": e.detail })
        })
        .collect();
    Ok(Json(json!({ "events": list })))
}

async fn named(app: &App, name: &str) -> Result<i64, Failure> {
    // Names are made here: 32 hexadecimal digits. Nothing else needs to reach the database.
    if name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(StoreError::missing("annotator", "of this name").into());
    }
    let found = app.store.annotator_by_name(name).await?;
    Ok(found.ok_or_else(|| StoreError::missing("annotator", name))?)
}

#[derive(Debug, Deserialize)]
struct Lift {
    annotator: String,
}

async fn lift(
    State(app): State<Arc<App>>,
    _: Requester,
    Body(body): Body<Lift>,
) -> Result<Json<Value>, Failure> {
    let annotator = named(&app, &body.annotator).await?;
    for held in app.store.bans(Some(annotator), now_ms()).await? {
        let command = Command::Lift {
            restriction: held.id,
            now: now_ms(),
        };
        app.store.carry_out(command).await?;
    }
    app.board_changed().await;
    Ok(Json(json!({})))
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Invite {
    uses: i64,
    note: String,
}

impl Default for Invite {
    fn default() -> Self {
        Self {
            uses: 1,
            note: String::new(),
        }
    }
}

async fn invite(
    State(app): State<Arc<App>>,
    _: Requester,
    Body(body): Body<Invite>,
) -> Result<Json<Value>, Failure> {
    if body.note.len() > 300 {
        let problem = FieldProblem::new("VALUE_NOT_ALLOWED", "at most 300 bytes");
        return Err(Failure::Invalid(BTreeMap::from([(
            "note".to_owned(),
            problem,
        )])));
    }
    if !(1..=1_000_000).contains(&body.uses) {
        let problem = FieldProblem::new("VALUE_NOT_ALLOWED", "1 to 1000000");
        return Err(Failure::Invalid(BTreeMap::from([(
            "uses".to_owned(),
            problem,
        )])));
    }
    let code = random_name::<12>()?;
    let command = Command::Invite {
        code: code.clone(),
        uses: body.uses,
        note: body.note,
        now: now_ms(),
    };
    app.store.carry_out(command).await?;
    Ok(Json(
        json!({ "invitation": code, "path": format!("/?invitation={code}") }),
    ))
}

/// The overview at once, and whenever it has changed, looked at every two seconds.
async fn live(State(app): State<Arc<App>>, _: Requester) -> Response {
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(1);
    tokio::spawn(async move {
        let mut last = Value::Null;
        loop {
            let now = Board::read(&app)
                .await
                .map_or(Value::Null, |board| board.overview());
            if now != last && !now.is_null() {
                let event = Event::default().event("overview").data(now.to_string());
                if send.send(Ok(event)).await.is_err() {
                    return;
                }
                last = now;
            }
            tokio::time::sleep(board::FRESH).await;
            if send.is_closed() {
                return;
            }
        }
    });
    Sse::new(ReceiverStream::new(receive))
        .keep_alive(KeepAlive::default())
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_opens_and_its_hash_does_not_show_it() {
        let hash = hash_password("correct horse").unwrap();
        assert!(
            hash.starts_with("$argon2id$") && !hash.contains("horse"),
            "{hash}"
        );
        assert!(is_right("correct horse", &hash));
        assert!(
            !is_right("correct horse ", &hash) && !is_right("", &hash) && !is_right(&hash, &hash)
        );
        assert_ne!(hash, hash_password("correct horse").unwrap());
    }
}
