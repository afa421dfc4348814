//! CVAT for images 1.1: a picture's tags, boxes or other shapes carry attributes, and an attribute is an answer.

use super::{Expected, Record, Records};
use crate::{
    Problem, Result,
    files::{Skipped, toloka::task_name},
    problem,
};
use roxmltree::{Document, Node};
use std::path::Path;

/// The question that a bare tag answers by its label, where no campaign names one.
const LABEL: &str = "label";

/// Reads an export of one annotator's job. The annotator is the job's assignee, or the task's; `Expected::annotator` goes before
/// both. What CVAT marked as automatic is no vote: it is left out and counted as `AUTOMATIC`. An empty attribute and `?` are
/// unsure. A bare tag answers by its label.
///
/// The row of a record is the line of its element. Errors: no XML, not CVAT's, tracks of a video, nobody named as annotator, two
/// different answers to one question about one picture.
pub fn read(path: &Path, expected: &Expected, skipped: &mut Skipped) -> Result<Records> {
    let text = super::text(path)?;
    let document = Document::parse(&text).map_err(|e| {
        Box::new(
            problem(format!("is not XML: {e}"))
                .file(path)
                .row(u64::from(e.pos().row))
                .hint("export it again as \"CVAT for images 1.1\": it may be cut off, or a page of the web server"),
        )
    })?;
    let root = document.root_element();
    let file = Export {
        path,
        document: &document,
        expected,
    };
    if root.tag_name().name() != "annotations" {
        return file
            .problem(root, "is XML, but not of CVAT")
            .value(root.tag_name().name())
            .hint("export the job as \"CVAT for images 1.1\"")
            .fail();
    }
    if let Some(track) = children(root, "track").next() {
        return file
            .problem(track, "holds tracks of a video")
            .hint("export the job as \"CVAT for images 1.1\", not as video")
            .fail();
    }
    if let Some(version) = child(root, "version").and_then(|v| v.text())
        && version.trim() != "1.1"
    {
        return file
            .problem(root, "is not version 1.1 of CVAT's format")
            .value(version)
            .fail();
    }
    let annotator = match expected.annotator.clone().or_else(|| assignee(root)) {
        Some(name) => name,
        None => {
            return file
                .problem(root, "the file does not say who annotated")
                .hint("name the annotator with --annotator, or export a job that is assigned to somebody")
                .fail();
        }
    };
    let mut found = Records::default();
    for image in children(root, "image") {
        let kept = found.records.len();
        if let Err(problem) = file.image(image, &annotator, &mut found) {
            found.records.truncate(kept);
            skipped.take(problem)?;
        }
    }
    Ok(found)
}

fn children<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |n| n.has_tag_name(name))
}

fn child<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'a str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.has_tag_name(name))
}

fn assignee(root: Node<'_, '_>) -> Option<String> {
    let meta = child(root, "meta")?;
    ["job", "task"].iter().find_map(|of| {
        let name = child(child(child(meta, of)?, "assignee")?, "username")?;
        Some(name.text()?.trim().to_owned()).filter(|n| !n.is_empty())
    })
}

struct Export<'a, 'i> {
    path: &'a Path,
    document: &'a Document<'i>,
    expected: &'a Expected,
}

impl Export<'_, '_> {
    fn line(&self, node: Node<'_, '_>) -> u64 {
        u64::from(self.document.text_pos_at(node.range().start).row)
    }

    fn problem(&self, node: Node<'_, '_>, what: impl Into<String>) -> Problem {
        problem(what).file(self.path).row(self.line(node))
    }

    fn image(&self, image: Node<'_, '_>, annotator: &str, found: &mut Records) -> Result<()> {
        let Some(name) = image
            .attribute("name")
            .map(str::trim)
            .filter(|n| !n.is_empty())
        else {
            return self
                .problem(image, "a picture without name")
                .column("image name")
                .hint("export the job again, or leave the picture out with --skip-bad-rows")
                .fail();
        };
        let item = task_name(name).unwrap_or(name);
        let first = found.records.len();
        let (mut automatic, mut people) = (0, 0);
        for shape in image.children().filter(Node::is_element) {
            if matches!(
                shape.attribute("source"),
                Some("auto" | "semi-auto" | "consensus")
            ) {
                automatic += 1;
                continue;
            }
            people += 1;
            let attributes: Vec<(&str, Option<&str>, Node<'_, '_>)> = children(shape, "attribute")
                .map(|a| (a.attribute("name").unwrap_or_default(), a.text(), a))
                .collect();
            let label = shape.attribute("label").unwrap_or_default();
            let bare = attributes.is_empty() && shape.has_tag_name("tag");
            let question = match self.expected.questions.as_slice() {
                [only] => only.as_str(),
                _ => LABEL,
            };
            let by_label = bare.then_some((question, Some(label), shape));
            for (question, answer, node) in attributes.into_iter().chain(by_label) {
                if !self.expected.wants(question) {
                    found.others.insert(question.to_owned());
                    continue;
                }
                let answer = answer
                    .map(str::trim)
                    .filter(|a| !a.is_empty() && *a != "?")
                    .map(str::to_owned);
                let record = Record {
                    annotator: annotator.to_owned(),
                    item: item.to_owned(),
                    question: question.to_owned(),
                    answer,
                    seconds: None,
                    submitted: None,
                    assignment: None,
                    truth: false,
                    row: self.line(node),
                    field: question.to_owned(),
                };
                let before = found.records[first..]
                    .iter()
                    .find(|r| r.question == question);
                match before {
                    Some(other) if other.answer != record.answer => {
                        return self
                            .problem(node, "two different answers to one question about one picture")
                            .column(question)
                            .value(record.answer.unwrap_or_default())
                            .hint(format!(
                                "line {} answers \"{}\": one object per picture, so crop pictures of several people first",
                                other.row,
                                other.answer.as_deref().unwrap_or("?")
                            ))
                            .fail();
                    }
                    Some(_) => {}
                    None => found.records.push(record),
                }
            }
        }
        if automatic > 0 && people == 0 {
            *found.left_out.entry("AUTOMATIC".to_owned()).or_default() += 1;
        }
        Ok(())
    }
}
