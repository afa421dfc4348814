//! Annotators: sign-up, stage, what they say of themselves.

use super::{
    StoreError,
    command::{Profile, Reply},
    db::{Work, sql},
};
use serde_json::json;
use sqlx::Row;

/// An annotator's row, as decisions need it.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) stage: String,
    pub(super) version: i64,
    pub(super) active: Option<i64>,
}

/// The annotator with this id.
pub(super) async fn person(work: &mut Work<'_>, annotator: i64) -> Result<Person, StoreError> {
    let row = work
        .row(sql("SELECT stage, version, active FROM annotator WHERE id = $1").bind(annotator))
        .await?
        .ok_or_else(|| StoreError::missing("annotator", annotator))?;
    Ok(Person {
        id: annotator,
        stage: row.try_get(0)?,
        version: row.try_get(1)?,
        active: row.try_get(2)?,
    })
}

/// A new annotator. With an invitation its code is used up by one.
pub(super) async fn sign_up(
    work: &mut Work<'_>,
    name: &str,
    token_hash: &str,
    invitation: Option<&str>,
    now: i64,
) -> Result<Reply, StoreError> {
    if let Some(code) = invitation {
        let used = work
            .change(
                sql("UPDATE invitation SET uses_left = uses_left - 1 WHERE code = $1 AND uses_left > 0")
                    .bind(code.to_owned()),
            )
            .await?;
        if used == 0 {
            return Err(StoreError::conflict(
                "INVITATION_USED",
                "this invitation is not known or has been used up",
            ));
        }
    }
    let id = work.id();
    work.change(
        sql("INSERT INTO annotator (id, name, token, created, stage, version, active, answered, suites) \
             VALUES ($1, $2, $3, $4, 'consent', 0, NULL, 0, 0)")
        .bind(id)
        .bind(name.to_owned())
        .bind(token_hash.to_owned())
        .bind(now),
    )
    .await?;
    work.log(now, "signed up", Some(id), None, &json!({}));
    Ok(Reply::Id(id))
}

/// Invitations with as many uses.
pub(super) async fn invite(
    work: &mut Work<'_>,
    code: &str,
    uses: i64,
    note: &str,
    now: i64,
) -> Result<Reply, StoreError> {
    work.change(
        sql("INSERT INTO invitation (code, created, uses_left, note) VALUES ($1, $2, $3, $4)")
            .bind(code.to_owned())
            .bind(now)
            .bind(uses)
            .bind(note.to_owned()),
    )
    .await?;
    work.log(
        now,
        "invitation made",
        None,
        None,
        &json!({ "uses": uses, "note": note }),
    );
    Ok(Reply::Done)
}

/// Writes down consent and what the annotator chose to say; consenting again replaces it.
pub(super) async fn set_profile(
    work: &mut Work<'_>,
    annotator: i64,
    profile: &Profile,
    now: i64,
) -> Result<Reply, StoreError> {
    person(work, annotator).await?;
    work.change(
        sql("INSERT INTO profile (annotator, consented, birth_year, expected_error, contact, language) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (annotator) DO UPDATE SET consented = excluded.consented, \
             birth_year = excluded.birth_year, expected_error = excluded.expected_error, contact = excluded.contact, \
             language = excluded.language")
        .bind(annotator)
        .bind(now)
        .bind(profile.birth_year)
        .bind(profile.expected_error)
        .bind(profile.contact.clone())
        .bind(profile.language.clone()),
    )
    .await?;
    // What was said is personal: the log has only that something was.
    work.log(now, "consented", Some(annotator), None, &json!({}));
    Ok(Reply::Done)
}

/// Forgets what an annotator said of themselves, and what could sign them in. Votes stay, under a name that means nothing.
pub(super) async fn erase(
    work: &mut Work<'_>,
    annotator: i64,
    now: i64,
) -> Result<Reply, StoreError> {
    person(work, annotator).await?;
    work.change(sql("DELETE FROM profile WHERE annotator = $1").bind(annotator))
        .await?;
    work.change(sql("DELETE FROM message WHERE annotator = $1").bind(annotator))
        .await?;
    work.change(
        sql("UPDATE annotator SET token = $1, stage = 'erased', version = version + 1 WHERE id = $2")
            .bind(format!("erased {annotator}"))
            .bind(annotator),
    )
    .await?;
    work.log(now, "erased", Some(annotator), None, &json!({}));
    Ok(Reply::Done)
}

/// Moves an annotator to a stage of the way: consent, instructions, practice, work.
pub(super) async fn set_stage(
    work: &mut Work<'_>,
    annotator: i64,
    stage: &str,
    now: i64,
) -> Result<Reply, StoreError> {
    let old = person(work, annotator).await?;
    if old.stage != stage {
        work.change(
            sql("UPDATE annotator SET stage = $1 WHERE id = $2")
                .bind(stage.to_owned())
                .bind(annotator),
        )
        .await?;
        work.log(
            now,
            "stage",
            Some(annotator),
            None,
            &json!({ "from": old.stage, "to": stage }),
        );
    }
    Ok(Reply::Done)
}
