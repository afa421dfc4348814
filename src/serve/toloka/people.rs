//! Annotators as requesters' programs see them: restrictions, skills, the little that is known.

use super::{
    Answer, Id, Key, Name,
    body::Body,
    created, now_ms, ok,
    query::{Params, page},
    refusal::{Problems, Refusal},
    values::{moment_ms, refuse, text},
    views,
};
use crate::{
    serve::state::App,
    store::{
        Command, Reply, Scope, StoreError,
        toloka::{Change, Restricting, quality::number},
    },
};
use axum::{extract::State, http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};
use std::sync::Arc;

/// The one requester of a server.
pub(super) const OWNER: &str = "veche";

/// A value as the text that a question reads.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        other => crate::store::toloka::read::cell(other),
    }
}

pub(super) async fn requester(State(app): State<Arc<App>>, _: Key) -> Answer {
    let name = &app.project.campaign.name;
    Ok(ok(json!({
        "id": OWNER, "balance": 0, "public_name": { "EN": name, "RU": name },
    })))
}

async fn annotator(app: &App, name: &str) -> Result<i64, Refusal> {
    let found = app.store.annotator_by_name(name).await?;
    Ok(found.ok_or_else(|| StoreError::missing("user", name))?)
}

pub(super) async fn restrictions(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let rows = app.store.restrictions(now_ms()).await?;
    let views = rows.iter().map(views::restriction).collect();
    page(views, &params, &["id", "created"])
}

pub(super) async fn restriction(State(app): State<Arc<App>>, _: Key, Id(id): Id) -> Answer {
    Ok(ok(views::restriction(&app.store.restriction(id).await?)))
}

pub(super) async fn restrict(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let mut problems = Problems::new();
    let name = text(&body, "user_id", &mut problems).to_owned();
    let mut target = |field: &str| {
        let id = number(&body[field])
            .filter(|id| id.fract() == 0.0)
            .map(|id| id as i64);
        if id.is_none() {
            refuse(&mut problems, field, "VALUE_REQUIRED", "an id is missing");
        }
        id.unwrap_or_default()
    };
    let scope = match body["scope"].as_str() {
        Some("ALL_PROJECTS") => Scope::All,
        Some("PROJECT") => Scope::Project(target("project_id")),
        Some("POOL") => Scope::Pool(target("pool_id")),
        Some("SYSTEM") => {
            return Err(Refusal::conflict(
                "SYSTEM_SCOPE_MODIFICATION",
                "restrictions of a system are not set by requesters: ALL_PROJECTS",
            ));
        }
        _ => {
            let why = "ALL_PROJECTS, PROJECT or POOL";
            refuse(&mut problems, "scope", "UNKNOWN_ENUM_VALUE", why);
            Scope::All
        }
    };
    let comment = body["private_comment"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if comment.chars().count() > 499 {
        let why = "at most 499 characters";
        refuse(
            &mut problems,
            "private_comment",
            "STRING_LENGTH_GREATER_THAN_MAX",
            why,
        );
    }
    let until = match &body["will_expire"] {
        Value::Null => None,
        value => {
            let until = value.as_str().and_then(moment_ms);
            if until.is_none() {
                refuse(
                    &mut problems,
                    "will_expire",
                    "INVALID_DATE_TIME_SYNTAX",
                    "YYYY-MM-DDThh:mm:ss, UTC",
                );
            }
            until
        }
    };
    if !problems.is_empty() {
        return Err(Refusal::invalid(&problems));
    }
    match scope {
        Scope::Project(id) => drop(app.store.project(id).await?),
        Scope::Pool(id) => drop(app.store.pool(id).await?),
        Scope::All => {}
    }
    let restricting = Restricting {
        annotator: annotator(&app, &name).await?,
        scope,
        comment,
        until,
    };
    match app.change(Change::Restrict(restricting)).await? {
        Reply::Id(id) => Ok(ok(views::restriction(&app.store.restriction(id).await?))),
        _ => Err(StoreError::missing("restriction", "just made").into()),
    }
}

pub(super) async fn lift(State(app): State<Arc<App>>, _: Key, Id(id): Id) -> Answer {
    app.store.restriction(id).await?;
    let now = now_ms();
    let restriction = id;
    app.store
        .carry_out(Command::Lift { restriction, now })
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn skills(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let rows = app.store.skills().await?;
    page(
        rows.iter().map(views::skill).collect(),
        &params,
        &["id", "created"],
    )
}

async fn find_skill(app: &App, id: i64) -> Result<Value, Refusal> {
    let rows = app.store.skills().await?;
    let row = rows.iter().find(|row| row.0 == id);
    Ok(views::skill(
        row.ok_or_else(|| StoreError::missing("skill", id))?,
    ))
}

pub(super) async fn skill(State(app): State<Arc<App>>, _: Key, Id(id): Id) -> Answer {
    Ok(ok(find_skill(&app, id).await?))
}

fn skill_words(body: &Value) -> Result<Value, Refusal> {
    let mut problems = Problems::new();
    text(body, "name", &mut problems);
    if problems.is_empty() {
        Ok(Value::Object(super::spec::own_words(body)))
    } else {
        Err(Refusal::invalid(&problems))
    }
}

pub(super) async fn create_skill(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let document = skill_words(&body)?;
    match app.change(Change::CreateSkill { document }).await? {
        Reply::Id(id) => Ok(created(find_skill(&app, id).await?)),
        _ => Err(StoreError::missing("skill", "just made").into()),
    }
}

pub(super) async fn change_skill(
    State(app): State<Arc<App>>,
    _: Key,
    Id(skill): Id,
    Body(body): Body,
) -> Answer {
    let document = skill_words(&body)?;
    app.change(Change::ChangeSkill { skill, document }).await?;
    Ok(ok(find_skill(&app, skill).await?))
}

pub(super) async fn user_skills(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let rows = app.store.annotator_skills().await?;
    let views = rows.iter().map(views::user_skill).collect();
    page(views, &params, &["id", "created", "modified"])
}

async fn find_user_skill(app: &App, id: i64) -> Result<Value, Refusal> {
    let rows = app.store.annotator_skills().await?;
    let row = rows.iter().find(|row| row.id == id);
    Ok(views::user_skill(
        row.ok_or_else(|| StoreError::missing("user skill", id))?,
    ))
}

pub(super) async fn user_skill(State(app): State<Arc<App>>, _: Key, Id(id): Id) -> Answer {
    Ok(ok(find_user_skill(&app, id).await?))
}

pub(super) async fn set_skill(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let mut problems = Problems::new();
    let name = text(&body, "user_id", &mut problems).to_owned();
    let skill = number(&body["skill_id"]).map(|id| id as i64);
    if skill.is_none() {
        refuse(
            &mut problems,
            "skill_id",
            "VALUE_REQUIRED",
            "a skill's id is missing",
        );
    }
    let value = number(&body["value"]).filter(|v| (0.0..=100.0).contains(v));
    if value.is_none() {
        refuse(
            &mut problems,
            "value",
            "VALUE_OUT_OF_BOUNDS",
            "a number from 0 to 100",
        );
    }
    let (Some(skill), Some(value), true) = (skill, value, problems.is_empty()) else {
        return Err(Refusal::invalid(&problems));
    };
    let annotator = annotator(&app, &name).await?;
    match app
        .change(Change::SetSkill {
            annotator,
            skill,
            value,
        })
        .await?
    {
        Reply::Id(id) => Ok(ok(find_user_skill(&app, id).await?)),
        _ => Err(StoreError::missing("user skill", "just made").into()),
    }
}

pub(super) async fn delete_skill(State(app): State<Arc<App>>, _: Key, Id(id): Id) -> Answer {
    app.change(Change::DeleteSkill { id }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What there is to say of an annotator: their language, if they told it. Nothing that tells who they are.
pub(super) async fn metadata(State(app): State<Arc<App>>, _: Key, Name(name): Name) -> Answer {
    let id = annotator(&app, &name).await?;
    let profile = app.store.profile(id).await?.unwrap_or_default();
    let language = profile["language"]
        .as_str()
        .map(|l| l.split('-').next().unwrap_or_default().to_ascii_uppercase());
    Ok(ok(json!({
        "id": name, "languages": language.into_iter().collect::<Vec<_>>(), "adult_allowed": false,
        "attributes": { "client_type": "BROWSER" },
    })))
}
