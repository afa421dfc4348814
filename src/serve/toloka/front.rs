//! What annotators work on beside the campaign's own pool: the open pools of requesters' programs.

use super::{App, now_ms};
use crate::{
    serve::api::question_json,
    store::{Assigned, Command, Reply, StoreError},
};
use serde_json::{Value, json};

/// What an annotator reads first on a server without a campaign: the open pool of greatest priority, or that there is
/// nothing yet.
pub(in crate::serve) async fn front(app: &App) -> Result<Value, StoreError> {
    let mut front = json!({
        "name": app.project.campaign.name, "questions": [], "suite": 1, "minutes": 20, "open_signup": app.open_signup,
        "feedback": "none", "practice": 0, "exam": 0, "instructions": "",
    });
    if let Some(&id) = app.store.open_pools().await?.first() {
        let pool = app.store.pool(id).await?;
        let project = app.store.project(pool.project).await?.document;
        let own = pool.document["public_instructions"].as_str();
        let instructions = own
            .or(project["public_instructions"].as_str())
            .unwrap_or("");
        front["name"] = project["public_name"].clone();
        front["questions"] = pool.settings.questions.iter().map(question_json).collect();
        front["suite"] = json!(pool.settings.real + pool.settings.control);
        front["minutes"] = json!((pool.settings.lifetime_ms / 60_000).max(1));
        front["instructions"] = json!(plain(instructions));
    }
    Ok(front)
}

/// Why there is no suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::serve) enum NoSuite {
    /// No more for this annotator, whatever the cause.
    Ended,
    /// Nothing is left for them.
    Done,
    /// There may be more later.
    Wait,
}

/// The next suite of one pool, or why there is none.
pub(in crate::serve) async fn next(
    app: &App,
    annotator: i64,
    pool: i64,
) -> Result<Result<Assigned, NoSuite>, StoreError> {
    let command = Command::Next {
        annotator,
        pool,
        now: now_ms(),
    };
    match app.store.carry_out(command).await {
        Ok(Reply::Suite(Some(suite))) => Ok(Ok(suite)),
        Ok(_) if app.store.must_wait(annotator, pool).await? => Ok(Err(NoSuite::Wait)),
        Ok(_) => Ok(Err(NoSuite::Done)),
        Err(StoreError::Conflict { code, reason }) => match code {
            "BARRED" => Ok(Err(NoSuite::Ended)),
            "FILTERED" => Ok(Err(NoSuite::Done)),
            "POOL_CLOSED" => Ok(Err(NoSuite::Wait)),
            "TOO_FEW_CONTROLS" if pool != app.pool.id => {
                tracing::warn!(pool, reason, "a pool is open and cannot be given out");
                Ok(Err(NoSuite::Wait))
            }
            _ => Err(StoreError::Conflict { code, reason }),
        },
        Err(error) => Err(error),
    }
}

/// The next suite: of the pool that was asked for, else of the campaign's, else of the first other that has one.
pub(in crate::serve) async fn next_of_any(
    app: &App,
    annotator: i64,
    only: Option<i64>,
) -> Result<Result<Assigned, NoSuite>, StoreError> {
    if let Some(pool) = only {
        return next(app, annotator, pool).await;
    }
    let mut why = match next(app, annotator, app.pool.id).await? {
        Ok(suite) => return Ok(Ok(suite)),
        Err(why) => why,
    };
    let others = app.store.open_pools().await?;
    if app.project.is_empty() && !others.is_empty() {
        // The campaign's pool has nothing and never will.
        why = NoSuite::Ended;
    }
    for pool in others {
        match next(app, annotator, pool).await? {
            Ok(suite) => return Ok(Ok(suite)),
            Err(other) => why = why.max(other),
        }
    }
    Ok(Err(why))
}

/// Instructions that were written as HTML, as the text that the page shows: paragraphs, headings, lists.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>') else {
            // Not a tag: people write "a < b".
            text.push_str(&rest[start..]);
            rest = "";
            break;
        };
        let tag = rest[start + 1..start + end]
            .trim_matches('/')
            .to_ascii_lowercase();
        let name = tag.split([' ', '\t', '\n']).next().unwrap_or_default();
        let closing = rest[start + 1..].starts_with('/');
        rest = &rest[start + end + 1..];
        match name {
            "script" | "style" if !closing => {
                let ending = format!("</{name}");
                rest = rest.find(&ending).map_or("", |at| &rest[at..]);
            }
            "li" if !closing => text.push_str("\n- "),
            "br" => text.push('\n'),
            "h1" | "h2" | "h3" | "h4" if !closing => text.push_str("\n\n# "),
            "h1" | "h2" | "h3" | "h4" | "p" | "div" | "ul" | "ol" => text.push_str("\n\n"),
            _ => {}
        }
    }
    text.push_str(rest);
    for (entity, sign) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, sign);
    }
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_lose_their_tags_and_keep_their_lines() {
        let html = "<h1>Ages</h1><p>Look &amp; say <b>how old</b>.</p><ul><li>one</li><li>two</li></ul><script>x()</script>";
        assert_eq!(plain(html), "# Ages\n\nLook & say how old.\n\n- one\n- two");
        assert_eq!(plain("a < b"), "a < b");
        assert_eq!(plain(""), "");
    }

    #[test]
    fn of_several_reasons_the_most_hopeful_is_told() {
        assert_eq!(NoSuite::Ended.max(NoSuite::Done), NoSuite::Done);
        assert_eq!(NoSuite::Wait.max(NoSuite::Done), NoSuite::Wait);
    }
}
