//! Result files of Toloka: which column means what. The reading itself is that of every vote file.

use super::{
    Table,
    mapping::{AnswerColumn, Asked, Cell, ItemColumns, Layout, VoteMapping},
};
use crate::Result;
use std::collections::BTreeMap;
use veche_pools::{Question, TaskName};

/// Whether a table is a result file of Toloka: it has `OUTPUT:` columns.
pub fn is_result(table: &Table) -> bool {
    table.columns().iter().any(|c| c.starts_with("OUTPUT:"))
}

/// The opaque task name at the end of an address, path or text: `https://host/p/00ff….jpg?x=1` gives `00ff…`.
pub fn task_name(text: &str) -> Option<&str> {
    let text = text.trim();
    let (path, query) = text.split_once(['?', '#']).unwrap_or((text, ""));
    let last = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = last.split('.').next().unwrap_or(last);
    let value = query.rsplit('=').next().unwrap_or(query);
    [stem, value]
        .into_iter()
        .find(|name| name.parse::<TaskName>().is_ok())
}

/// The columns of a result file. `OUTPUT:` columns are questions (those of the campaign, if it is known); `GOLDEN:`
/// columns their truths.
///
/// A task is named by the opaque name in which an `INPUT:` column ends, else by an `INPUT:` column that is alone or called
/// item, id, image, url or text, else by `ASSIGNMENT:task_id`, else by all `INPUT:` values together: the platform's own
/// ids say nothing about our items, and the smallest result file has none.
pub(super) fn layout(
    table: &Table,
    mapping: &VoteMapping,
    questions: &[Question],
) -> Result<Layout> {
    let named = |name: &Option<String>, usual: &str| match name {
        Some(name) => table.column(name).map(Some),
        None => Ok(table.find(usual)),
    };
    let annotator = match &mapping.annotator {
        Some(name) => table.column(name)?,
        None => table.column_of(&["ASSIGNMENT:worker_id", "ASSIGNMENT:user_id"])?,
    };
    Ok(Layout {
        annotator,
        item: item(table, mapping)?,
        answers: answers(table, mapping, questions)?,
        seconds: mapping
            .seconds
            .as_deref()
            .map(|c| table.column(c))
            .transpose()?,
        started: table.find("ASSIGNMENT:started"),
        submitted: named(&mapping.submitted, "ASSIGNMENT:submitted")?,
        assignment: named(&mapping.assignment, "ASSIGNMENT:assignment_id")?,
        status: named(&mapping.status, "ASSIGNMENT:status")?,
        source: named(&mapping.source, "source")?,
        hint: table.find("HINT:text"),
    })
}

fn item(table: &Table, mapping: &VoteMapping) -> Result<ItemColumns> {
    let ends_in_name = |column: usize| {
        let first = table.rows().find_map(|row| row.text(column));
        first.is_some_and(|text| task_name(text).is_some())
    };
    if let Some(name) = &mapping.item {
        let column = table
            .find(&format!("INPUT:{name}"))
            .map_or_else(|| table.column(name), Ok)?;
        return Ok(if ends_in_name(column) {
            ItemColumns::TaskName(column)
        } else {
            ItemColumns::Whole(column)
        });
    }
    let names = table.columns();
    let inputs: Vec<usize> = (0..names.len())
        .filter(|&i| names[i].starts_with("INPUT:"))
        .collect();
    if let Some(&column) = inputs.iter().find(|&&column| ends_in_name(column)) {
        return Ok(ItemColumns::TaskName(column));
    }
    if let [only] = inputs[..] {
        return Ok(ItemColumns::Whole(only));
    }
    for usual in ["item", "id", "image", "url", "text"] {
        if let Some(column) = table.find(&format!("INPUT:{usual}")) {
            return Ok(ItemColumns::Whole(column));
        }
    }
    match table.find("ASSIGNMENT:task_id") {
        Some(column) => Ok(ItemColumns::Whole(column)),
        None if inputs.is_empty() => table
            .problem("there is no column that says which task was answered")
            .hint("download the results with INPUT columns or with ASSIGNMENT:task_id")
            .fail(),
        None => Ok(ItemColumns::Joined(inputs)),
    }
}

fn answers(
    table: &Table,
    mapping: &VoteMapping,
    questions: &[Question],
) -> Result<Vec<AnswerColumn>> {
    let answer = |question: &str, column: usize| AnswerColumn {
        question: Asked::Always(question.to_owned()),
        from: Cell::Column(column),
        truth: table.columns()[column]
            .strip_prefix("OUTPUT:")
            .and_then(|field| table.find(&format!("GOLDEN:{field}"))),
        // Accepted work without an answer: the field was optional and the annotator left it empty.
        empty_is_unsure: true,
    };
    if !mapping.answers.is_empty() {
        let find = |column: &String| {
            table
                .find(&format!("OUTPUT:{column}"))
                .map_or_else(|| table.column(column), Ok)
        };
        let columns = mapping.answers.iter();
        return columns
            .map(|(name, column)| Ok(answer(name, find(column)?)))
            .collect();
    }
    let outputs = table.columns().iter().enumerate().filter_map(|(i, name)| {
        let field = name.strip_prefix("OUTPUT:")?;
        let wanted = questions.is_empty() || questions.iter().any(|q| q.name == field);
        wanted.then(|| answer(field, i))
    });
    let found: Vec<AnswerColumn> = outputs.collect();
    if found.is_empty() {
        let names: Vec<String> = questions
            .iter()
            .map(|q| format!("OUTPUT:{}", q.name))
            .collect();
        table.column_of(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    Ok(found)
}

/// How many rows each assignment has, where the time of a task is known only as its share of the assignment's.
pub(super) fn tasks_per_assignment<'a>(
    table: &'a Table,
    layout: &Layout,
) -> BTreeMap<&'a str, u32> {
    let mut counts = BTreeMap::new();
    if let (Some(assignment), Some(_), None) = (layout.assignment, layout.started, layout.seconds) {
        for id in table.rows().filter_map(|row| row.text(assignment)) {
            *counts.entry(id).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_name_is_found_at_the_end_of_an_address() {
        let name = "00112233445566778899aabb";
        for text in [
            name.to_owned(),
            format!("https://host/p/{name}.jpg"),
            format!(" shown/{name}.jpg?size=1"),
            format!("https://host/show?task={name}"),
        ] {
            assert_eq!(task_name(&text), Some(name), "{text}");
        }
        assert_eq!(task_name("https://host/cat.jpg"), None);
        assert_eq!(task_name(&format!("{name}0.jpg")), None);
    }
}
