//! An annotator's life over HTTP and JSON: docs/annotator-api.md.
//!
//! Over 600 lines because it is the whole of that page: every request and answer in the order of a life.

use super::{
    board::moment,
    failure::Failure,
    state::{App, now_ms},
    tokens::{random_name, token_hash},
};
use crate::{
    config::Feedback,
    store::{
        AnnotatorRow, Assigned, Command, FieldProblem, Profile, Reply, StoreError, Submission,
        Submitted,
    },
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use veche_pools::{Question, Scale};

/// How long a token's owner is remembered: so long may an erased token be taken by another server.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Tokens remembered at most.
const TOKENS: usize = 20_000;

/// How long to wait before asking again for suites that others hold, seconds.
const RETRY: u32 = 20;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/campaign", get(campaign))
        .route("/sign-up", post(sign_up))
        .route("/me", get(me))
        .route("/consent", post(consent))
        .route("/ready", post(ready))
        .route("/practice", post(practice))
        .route("/practice/answer", post(practice_answer))
        .route("/next", post(next))
        .route("/submit", post(submit))
        .route("/skip", post(skip))
        .route("/messages", get(messages))
        .route("/messages/seen", post(seen))
        .route("/data", get(data))
        .route("/erase", post(erase))
        .method_not_allowed_fallback(super::failure::wrong_method)
}

/// A JSON body, or why there is none.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let is_json = kind.is_some_and(|kind| {
            kind.as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"application/json")
        });
        if !is_json {
            let reason = "the body must be application/json".to_owned();
            return Err(Failure::Body(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        let bytes = match Bytes::from_request(request, app).await {
            Ok(bytes) => bytes,
            Err(rejection) => return Err(Failure::Body(rejection.status(), rejection.body_text())),
        };
        // PostgreSQL cannot store the character U+0000, and nobody types it.
        if holds_nul(&bytes) {
            let reason = "the body holds the character U+0000".to_owned();
            return Err(Failure::Body(StatusCode::BAD_REQUEST, reason));
        }
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Failure::Body(StatusCode::BAD_REQUEST, error.to_string())),
        }
    }
}

/// Whether a JSON text holds U+0000; as a byte of its own it is no JSON.
fn holds_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// The annotator who asks.
pub(super) struct Annotator(pub(super) i64);

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

impl FromRequestParts<Arc<App>> for Annotator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let bearer = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let token = match bearer {
            Some(token) => token,
            None => {
                let token = cookie(&parts.headers, "veche").ok_or(Failure::Unknown)?;
                if parts.method != Method::GET && !parts.headers.contains_key("x-veche") {
                    let reason = "requests that lean on the cookie carry the header X-Veche: 1";
                    return Err(Failure::Forbidden("HEADER_NEEDED", reason.into()));
                }
                token
            }
        };
        let hash = token_hash(token);
        if let Some(annotator) = app.remembered(&hash) {
            return Ok(Self(annotator));
        }
        let found = app
            .store
            .annotator_by_token(&hash)
            .await?
            .ok_or(Failure::Unknown)?;
        app.remember(hash, found.id);
        Ok(Self(found.id))
    }
}

impl App {
    fn remembered(&self, hash: &str) -> Option<i64> {
        let known = self.known.lock().ok()?;
        known
            .get(hash)
            .filter(|(_, since)| since.elapsed() < REMEMBERED)
            .map(|(annotator, _)| *annotator)
    }

    fn remember(&self, hash: String, annotator: i64) {
        if let Ok(mut known) = self.known.lock() {
            if known.len() >= TOKENS {
                known.clear();
            }
            known.insert(hash, (annotator, Instant::now()));
        }
    }

    fn forget(&self, annotator: i64) {
        if let Ok(mut known) = self.known.lock() {
            known.retain(|_, (who, _)| *who != annotator);
        }
    }

    async fn annotator(&self, id: i64) -> Result<AnnotatorRow, Failure> {
        let found = self.store.annotators(id - 1, 1).await?;
        found
            .into_iter()
            .find(|row| row.id == id)
            .ok_or(Failure::Unknown)
    }
}

/// A question as the page needs it.
pub(super) fn question_json(question: &Question) -> Value {
    match &question.scale {
        Scale::Number(scale) => json!({
            "name": question.name, "prompt": question.prompt, "kind": "number",
            "min": scale.min, "max": scale.max, "unit": scale.unit, "integer": scale.integer,
        }),
        Scale::Choice(scale) => json!({
            "name": question.name, "prompt": question.prompt, "kind": "choice", "labels": scale.labels,
        }),
    }
}

async fn campaign(State(app): State<Arc<App>>) -> Json<Value> {
    let serve = &app.project.campaign.serve;
    Json(json!({
        "name": app.project.campaign.name,
        "questions": app.project.questions.iter().map(question_json).collect::<Vec<_>>(),
        "suite": app.project.mix.size(),
        "minutes": serve.minutes,
        "open_signup": app.open_signup,
        "feedback": serve.feedback,
        "practice": serve.practice,
        "exam": serve.exam,
        "instructions": serve.instructions,
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SignUp {
    invitation: Option<String>,
}

async fn sign_up(
    State(app): State<Arc<App>>,
    Body(body): Body<SignUp>,
) -> Result<Response, Failure> {
    let invitation = body.invitation.filter(|code| !code.is_empty());
    if invitation.is_none() && !app.open_signup {
        return Err(Failure::Forbidden(
            "INVITATION_NEEDED",
            "this campaign is by invitation: use the link that was sent to you".into(),
        ));
    }
    let (name, token) = (random_name::<16>()?, random_name::<32>()?);
    let command = Command::SignUp {
        name: name.clone(),
        token_hash: token_hash(&token),
        invitation,
        now: now_ms(),
    };
    app.store.carry_out(command).await?;
    let secure = if app.tls { "; Secure" } else { "" };
    let cookie =
        format!("veche={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict{secure}");
    let mut response =
        Json(json!({ "annotator": name, "token": token, "stage": "consent" })).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn me(State(app): State<Arc<App>>, Annotator(id): Annotator) -> Result<Json<Value>, Failure> {
    let row = app.annotator(id).await?;
    let active = app.store.is_active(id).await?;
    Ok(Json(json!({
        "annotator": row.name, "stage": row.stage, "answered": row.answered, "suites": row.suites, "active": active,
        "messages": app.has_message(id).await?,
    })))
}

#[derive(Debug, Deserialize)]
struct Consent {
    consent: bool,
    #[serde(flatten)]
    profile: Profile,
}

async fn consent(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
    Body(body): Body<Consent>,
) -> Result<Json<Value>, Failure> {
    let mut problems = BTreeMap::new();
    let mut refuse = |path: &str, code: &str, why: &str| {
        problems.insert(path.to_owned(), FieldProblem::new(code, why));
    };
    if !body.consent {
        refuse(
            "consent",
            "VALUE_REQUIRED",
            "without consent nothing is stored, and no work can begin",
        );
    }
    if body
        .profile
        .birth_year
        .is_some_and(|year| !(1900..=2100).contains(&year))
    {
        refuse(
            "birth_year",
            "VALUE_NOT_ALLOWED",
            "a year between 1900 and 2100",
        );
    }
    if body
        .profile
        .expected_error
        .is_some_and(|e| !(e.is_finite() && (0.0..=1e9).contains(&e)))
    {
        refuse("expected_error", "VALUE_NOT_ALLOWED", "a number from 0 on");
    }
    if body.profile.contact.as_ref().is_some_and(|c| c.len() > 300) {
        refuse("contact", "VALUE_NOT_ALLOWED", "at most 300 characters");
    }
    if body.profile.language.as_ref().is_some_and(|l| l.len() > 35) {
        refuse("language", "VALUE_NOT_ALLOWED", "a language tag");
    }
    if !problems.is_empty() {
        return Err(Failure::Invalid(problems));
    }
    let command = Command::SetProfile {
        annotator,
        profile: body.profile,
        now: now_ms(),
    };
    app.store.carry_out(command).await?;
    let row = app.annotator(annotator).await?;
    if row.stage == "consent" {
        let stage = "instructions".to_owned();
        app.store
            .carry_out(Command::SetStage {
                annotator,
                stage,
                now: now_ms(),
            })
            .await?;
        return Ok(Json(json!({ "stage": "instructions" })));
    }
    Ok(Json(json!({ "stage": row.stage })))
}

async fn ready(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
) -> Result<Json<Value>, Failure> {
    let row = app.annotator(annotator).await?;
    match row.stage.as_str() {
        "instructions" => {}
        "consent" => {
            let error = StoreError::conflict("INAPPROPRIATE_STATUS", "consent comes first");
            return Err(error.into());
        }
        later => return Ok(Json(json!({ "stage": later }))),
    }
    let settings = &app.pool.settings;
    let stage = match (settings.practice, settings.exam) {
        (1.., _) => "practice",
        (0, 1..) => "exam",
        (0, 0) => "work",
    };
    let command = Command::SetStage {
        annotator,
        stage: stage.into(),
        now: now_ms(),
    };
    app.store.carry_out(command).await?;
    Ok(Json(json!({ "stage": stage })))
}

/// What of a task's content an annotator gets.
fn shown(app: &App, assignment: &str, place: usize, content: &Value) -> Value {
    let mut task = serde_json::Map::new();
    if content["picture"].is_string() {
        let address = format!("/picture/{}", app.secret.picture(assignment, place));
        task.insert("picture".into(), Value::from(address));
    }
    if content["text"].is_string() {
        task.insert("text".into(), content["text"].clone());
    }
    Value::Object(task)
}

async fn practice(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
) -> Result<Json<Value>, Failure> {
    let pool = app.pool.id;
    match app
        .store
        .carry_out(Command::PracticeNext {
            annotator,
            pool,
            now: now_ms(),
        })
        .await?
    {
        Reply::Practice(Some((assignment, place, of, content))) => {
            let task = shown(&app, &assignment, place, &content);
            Ok(Json(json!({ "task": task, "number": place + 1, "of": of })))
        }
        _ => {
            let row = app.annotator(annotator).await?;
            Ok(Json(json!({ "task": null, "stage": row.stage })))
        }
    }
}

#[derive(Debug, Deserialize)]
struct PracticeAnswer {
    number: usize,
    output: Value,
}

async fn practice_answer(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
    Body(body): Body<PracticeAnswer>,
) -> Result<Json<Value>, Failure> {
    let command = Command::PracticeAnswer {
        annotator,
        pool: app.pool.id,
        number: body.number,
        output: body.output,
        now: now_ms(),
    };
    match app.store.carry_out(command).await? {
        Reply::Value(known) => Ok(Json(json!({ "known": known }))),
        _ => Err(StoreError::missing("practice task", body.number).into()),
    }
}

fn suite_json(app: &App, suite: &Assigned, now: i64) -> Value {
    let tasks: Vec<Value> = suite
        .tasks
        .iter()
        .enumerate()
        .map(|(place, task)| shown(app, &suite.name, place, &task.content))
        .collect();
    let seconds = (suite.expires - now).max(0) / 1000;
    json!({ "suite": { "assignment": suite.name, "seconds": seconds, "tasks": tasks } })
}

async fn next(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
) -> Result<Json<Value>, Failure> {
    let (pool, now) = (app.pool.id, now_ms());
    let messages = app.has_message(annotator).await?;
    let none = |reason: &str| {
        let mut answer = json!({ "suite": null, "reason": reason, "messages": messages });
        if reason == "wait" {
            answer["retry_seconds"] = Value::from(RETRY);
        }
        Ok(Json(answer))
    };
    match app
        .store
        .carry_out(Command::Next {
            annotator,
            pool,
            now,
        })
        .await
    {
        Ok(Reply::Suite(Some(suite))) => {
            app.metrics.gave_suite();
            let mut answer = suite_json(&app, &suite, now);
            answer["messages"] = Value::from(messages);
            Ok(Json(answer))
        }
        Ok(_) if app.store.must_wait(annotator, pool).await? => none("wait"),
        Ok(_) => none("done"),
        Err(StoreError::Conflict { code: "BARRED", .. }) => none("ended"),
        Err(StoreError::Conflict {
            code: "POOL_CLOSED",
            ..
        }) => none("wait"),
        Err(error) => Err(error.into()),
    }
}

async fn submit(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
    Body(submission): Body<Submission>,
) -> Result<Json<Value>, Failure> {
    if submission.token.is_empty() || submission.token.len() > 64 {
        let problem = FieldProblem::new(
            "VALUE_NOT_ALLOWED",
            "1 to 64 characters, chosen by who submits",
        );
        return Err(Failure::Invalid(BTreeMap::from([(
            "token".to_owned(),
            problem,
        )])));
    }
    match app
        .store
        .carry_out(Command::Submit {
            annotator,
            submission,
            now: now_ms(),
        })
        .await?
    {
        Reply::Submitted(Submitted::Taken {
            repeated,
            banned,
            mean_error,
        }) => {
            if !repeated {
                app.metrics.took_suite(banned);
            }
            let tell = app.project.campaign.serve.feedback == Feedback::AfterSuite;
            // Rounded: the change from suite to suite must not give the last control's error away to the decimal.
            let told = mean_error.filter(|_| tell).map(|e| (e * 2.0).round() / 2.0);
            Ok(Json(
                json!({ "taken": true, "repeated": repeated, "mean_error": told }),
            ))
        }
        _ => Err(StoreError::conflict(
            "LATE",
            "the time for this suite had run out, or it was taken back: ask for the next",
        )
        .into()),
    }
}

#[derive(Debug, Deserialize)]
struct Skip {
    assignment: String,
}

async fn skip(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
    Body(body): Body<Skip>,
) -> Result<Json<Value>, Failure> {
    let command = Command::Skip {
        annotator,
        assignment: body.assignment,
        now: now_ms(),
    };
    app.store.carry_out(command).await?;
    Ok(Json(json!({})))
}

async fn data(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
) -> Result<Json<Value>, Failure> {
    Ok(Json(app.stored_about(annotator).await?))
}

impl App {
    /// Everything stored about an annotator.
    pub(super) async fn stored_about(&self, annotator: i64) -> Result<Value, Failure> {
        let row = self.annotator(annotator).await?;
        let profile = self.store.profile(annotator).await?;
        let messages = self.store.messages(annotator).await?;
        let answers = self.store.own_answers(annotator).await?;
        Ok(json!({
            "annotator": row.name, "created": row.created, "stage": row.stage, "profile": profile, "messages": messages,
            "answers": answers,
        }))
    }

    /// Deletes what an annotator said of themselves, and signs them out everywhere.
    pub(super) async fn erase(&self, annotator: i64) -> Result<(), Failure> {
        let now = now_ms();
        self.store
            .carry_out(Command::Erase { annotator, now })
            .await?;
        self.forget(annotator);
        Ok(())
    }
}

async fn messages(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
) -> Result<Json<Value>, Failure> {
    let messages = app.store.messages(annotator).await?;
    let list: Vec<Value> = messages
        .iter()
        .map(
            |m| json!({ "id": m.id, "at": moment(m.at), "text": m.text, "seen": m.seen.is_some() }),
        )
        .collect();
    Ok(Json(json!({ "messages": list })))
}

#[derive(Debug, Deserialize)]
struct Seen {
    up_to: i64,
}

async fn seen(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
    Body(body): Body<Seen>,
) -> Result<Json<Value>, Failure> {
    let command = Command::SeenMessages {
        annotator,
        up_to: body.up_to,
        now: now_ms(),
    };
    app.store.carry_out(command).await?;
    app.messages_changed().await;
    Ok(Json(json!({})))
}

async fn erase(
    State(app): State<Arc<App>>,
    Annotator(annotator): Annotator,
) -> Result<Response, Failure> {
    app.erase(annotator).await?;
    let mut response = Json(json!({})).into_response();
    let gone = HeaderValue::from_static("veche=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    response.headers_mut().insert(header::SET_COOKIE, gone);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nul_character_is_found_where_it_is_one() {
        assert!(holds_nul(br#"{"a": "x\u0000"}"#) && holds_nul(br#"{"a": "\\\u0000"}"#));
        assert!(!holds_nul(br#"{"a": "\\u0000", "b": "\u0001"}"#) && !holds_nul(b"\\"));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_not_inside_them() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("xveche=1; veche=ab; b=veche=2"),
        );
        assert_eq!(cookie(&headers, "veche"), Some("ab"));
        assert_eq!(cookie(&headers, "b"), Some("veche=2"));
        assert_eq!(cookie(&headers, "c"), None);
    }
}
