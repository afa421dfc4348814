use crate::{
    Result,
    files::{FileAnswer, VoteFormat, VoteOptions, VotesRead, read_votes},
};
use veche_pools::{ChoiceScale, NumberScale, Question, Scale};

fn asked() -> Vec<Question> {
    let (min, max) = (0.0, 120.0);
    let number = NumberScale {
        min,
        max,
        unit: "years".into(),
        integer: true,
    };
    let labels = ["female", "male"].map(str::to_owned).to_vec();
    let question = |name: &str, scale| Question {
        name: name.into(),
        prompt: "?".into(),
        scale,
    };
    vec![
        question("age", Scale::Number(number)),
        question("sex", Scale::Choice(ChoiceScale { labels })),
    ]
}

fn campaign() -> VoteOptions {
    VoteOptions {
        questions: asked(),
        ..VoteOptions::default()
    }
}

fn read(name: &str, text: &str, options: &VoteOptions) -> Result<VotesRead> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    read_votes(&path, options)
}

/// `annotator item question answer`, one line per vote.
fn said(read: &VotesRead) -> Vec<String> {
    let line = |v: crate::files::FileVote<'_>| {
        let answer = crate::files::votes::text_of(v.answer);
        format!("{} {} {} {answer}", v.annotator, v.item, v.question)
    };
    read.votes.votes().map(line).collect()
}

const NAME: &str = "00112233445566778899aabb";

fn label_studio() -> String {
    format!(
        r#"[
 {{"id": 7, "data": {{"image": "https://host/p/{NAME}.jpg"}}, "predictions": [{{"result": [{{"from_name": "age", "value": {{"number": 3}}}}]}}],
   "annotations": [
    {{"id": 1, "completed_by": {{"id": 5, "email": "ann@example.org"}}, "lead_time": 4.5, "created_at": "2026-11-23T08:00:00.5Z", "result": [
      {{"from_name": "age", "to_name": "image", "type": "number", "value": {{"number": 31}}}},
      {{"from_name": "box", "type": "rectanglelabels", "value": {{"x": 1, "rectanglelabels": ["face"]}}}},
      {{"from_name": "sex", "to_name": "image", "type": "choices", "value": {{"choices": ["female"]}}}}]}},
    {{"id": 2, "completed_by": 6, "result": [{{"from_name": "sex", "type": "choices", "value": {{"choices": ["male"]}}}}]}},
    {{"id": 3, "completed_by": 8, "was_cancelled": true, "result": []}},
    {{"id": 4, "ground_truth": true, "result": [{{"from_name": "age", "type": "number", "value": {{"number": 33}}}}]}}]}},
 {{"id": 8, "data": {{"item": "cat"}}, "annotations": []}}
]"#
    )
}

#[test]
fn label_studio_annotations_are_votes_and_ground_truth_is_truth() {
    let read = read("export.json", &label_studio(), &campaign()).unwrap();
    let expected = [
        format!("ann@example.org {NAME} age 31"),
        format!("ann@example.org {NAME} sex female"),
        format!("6 {NAME} sex male"),
        // Submitted without an age.
        format!("6 {NAME} age ?"),
    ];
    assert_eq!(said(&read), expected);
    assert_eq!(read.by_status["SKIPPED"], 1);
    let first = read.votes.vote(0);
    assert_eq!(
        (first.seconds, first.submitted),
        (Some(4.5), Some(1_795_420_800))
    );
    assert_eq!(first.assignment, Some("1"));
    let truths: Vec<_> = read.votes.truths().collect();
    assert_eq!(truths, [(0, 0, FileAnswer::Number(33.0))]);
}

#[test]
fn without_a_campaign_label_studio_says_what_was_asked_itself() {
    let read = read("export.json", &label_studio(), &VoteOptions::default()).unwrap();
    assert_eq!(said(&read).len(), 3);
    assert_eq!(read.votes.vote(0).answer, FileAnswer::Number(31.0));
    assert_eq!(read.votes.vote(1).answer, FileAnswer::Choice("female"));
}

#[test]
fn json_min_is_read_as_the_same_votes() {
    let text = format!(
        r#"[{{"image": "/p/{NAME}.jpg", "id": 7, "age": 31, "sex": "female", "annotator": 5, "annotation_id": 1,
            "created_at": "2026-11-23T08:00:00Z", "lead_time": 4.5}}]"#
    );
    for options in [campaign(), VoteOptions::default()] {
        let read = read("min.json", &text, &options).unwrap();
        let expected = [format!("5 {NAME} age 31"), format!("5 {NAME} sex female")];
        assert_eq!(said(&read), expected);
    }
}

#[test]
fn bad_label_studio_files_are_errors_that_say_where_and_what_to_do() {
    let task = |annotation: &str| {
        format!(
            r#"[{{"data": {{"task": "t"}}, "annotations": [{{"completed_by": 1, "result": []}}, {annotation}]}}]"#
        )
    };
    let with = |result: &str| task(&format!(r#"{{"completed_by": 2, "result": [{result}]}}"#));
    let cases: Vec<(String, &[&str])> = vec![
        ("[{".into(), &["is not JSON", "row 1", "cut off"]),
        ("{\"a\": 1}".into(), &["has no annotations", "row 1", "\"a\""]),
        ("[1]".into(), &["is not a task", "\"1\""]),
        (task(r#"{"result": []}"#), &["no annotator", "annotations[1].completed_by"]),
        (task(r#"{"completed_by": 1, "result": 3}"#), &["annotations[1].result", "\"3\""]),
        (with(r#"{"from_name": "age", "value": {"number": 212}}"#), &["answer", "row 1", "annotations[1].result[0].value", "\"212\""]),
        (with(r#"{"from_name": "sex", "value": {"choices": ["female", "male"]}}"#), &["several answers", "choice=\"single\""]),
        (with(r#"{"from_name": "sex", "value": {"choices": ["cat"]}}"#), &["is not one of female, male", "\"cat\""]),
        (
            with(r#"{"from_name": "age", "value": {"number": 1}}, {"from_name": "age", "value": {"number": 2}}"#),
            &["answered before", "result[1]"],
        ),
        (with(r#"{"value": {"number": 1}}"#), &["without from_name"]),
        (
            r#"[{"data": {"task": "t"}, "annotations": [{"completed_by": 2, "result": [{"from_name": "years", "value": {"number": 1}}]}]}]"#.into(),
            &["does not answer age or sex", "\"years\"", "[votes]"],
        ),
        (task(r#"{"completed_by": 1, "created_at": "soon", "result": []}"#), &["date and time", "created_at", "\"soon\""]),
    ];
    for (text, words) in cases {
        let said = read("export.json", &text, &campaign())
            .unwrap_err()
            .to_string();
        for word in words.iter().chain(&["export.json", "help:"]) {
            assert!(
                said.contains(word),
                "\"{word}\" is missing in {said}\nof {text}"
            );
        }
    }
    // A bad task is left out whole.
    let lenient = VoteOptions {
        skip_bad_rows: true,
        ..campaign()
    };
    let text = with(r#"{"from_name": "sex", "value": {"choices": ["female", "male"]}}"#);
    let read = read("export.json", &text, &lenient).unwrap();
    assert_eq!((read.votes.len(), read.skipped.rows()), (0, 1));
}

fn cvat(images: &str, meta: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<annotations>\n<version>1.1</version>\n<meta>{meta}</meta>\n{images}</annotations>\n"
    )
}

const ANN: &str = "<job><assignee><username>ann</username></assignee></job>";

#[test]
fn attributes_of_cvat_are_votes_of_the_jobs_assignee() {
    let images = format!(
        "<image id=\"0\" name=\"faces/{NAME}.jpg\" width=\"9\" height=\"9\"><tag label=\"item\" source=\"manual\">\
         <attribute name=\"age\">31</attribute><attribute name=\"sex\">female</attribute><attribute name=\"note\">x</attribute></tag></image>\n\
         <image id=\"1\" name=\"b.jpg\"><box label=\"item\" xtl=\"1\"><attribute name=\"age\">?</attribute><attribute name=\"sex\"></attribute></box></image>\n\
         <image id=\"2\" name=\"c.jpg\"><tag label=\"item\" source=\"auto\"><attribute name=\"age\">3</attribute></tag></image>\n\
         <image id=\"3\" name=\"d.jpg\"/>\n"
    );
    let found = read("job.xml", &cvat(&images, ANN), &campaign()).unwrap();
    let expected = [
        format!("ann {NAME} age 31"),
        format!("ann {NAME} sex female"),
        "ann b.jpg age ?".into(),
        "ann b.jpg sex ?".into(),
    ];
    assert_eq!(said(&found), expected);
    assert_eq!(found.by_status["AUTOMATIC"], 1);
    assert_eq!(found.votes.vote(0).place.1, 5);
    let named = VoteOptions {
        annotator: Some("bob".into()),
        ..campaign()
    };
    let found = read("job.xml", &cvat(&images, ""), &named).unwrap();
    assert_eq!(found.votes.vote(0).annotator, "bob");
}

#[test]
fn a_bare_tag_of_cvat_answers_by_its_label() {
    let options = VoteOptions {
        questions: asked()[1..].to_vec(),
        ..VoteOptions::default()
    };
    let images = "<image id=\"0\" name=\"a.jpg\"><tag label=\"male\"/></image>\n";
    assert_eq!(
        said(&read("j.xml", &cvat(images, ANN), &options).unwrap()),
        ["ann a.jpg sex male"]
    );
}

#[test]
fn bad_cvat_files_are_errors_that_say_where_and_what_to_do() {
    let tag = |attributes: &str| {
        format!("<image id=\"0\" name=\"a.jpg\"><tag label=\"item\">{attributes}</tag></image>\n")
    };
    let age = |v: &str| format!("<attribute name=\"age\">{v}</attribute>");
    let cases: Vec<(String, &[&str])> = vec![
        ("<annotations>".into(), &["is not XML", "row 1", "cut off"]),
        ("<html></html>".into(), &["not of CVAT", "\"html\""]),
        (
            cvat("<track id=\"0\"/>\n", ANN),
            &["tracks of a video", "row 5"],
        ),
        (
            cvat(&tag(&age("31")), ""),
            &["does not say who", "--annotator"],
        ),
        (
            cvat(&tag(&age("212")), ANN),
            &["answer", "row 5", "column age", "\"212\""],
        ),
        (
            cvat(
                &format!("{}\n{}", tag(&age("31")), "<image name=\"\"/>"),
                ANN,
            ),
            &["without name", "row 7"],
        ),
        (
            cvat(
                &tag(&format!("{}</tag>\n<tag>{}", age("31"), age("32"))),
                ANN,
            ),
            &["two different answers", "row 6", "\"32\"", "line 5"],
        ),
        (
            cvat(&tag("<attribute name=\"years\">3</attribute>"), ANN),
            &["does not answer age or sex", "\"years\""],
        ),
    ];
    for (text, words) in cases {
        let said = read("job.xml", &text, &campaign()).unwrap_err().to_string();
        for word in words.iter().chain(&["job.xml", "help:"]) {
            assert!(
                said.contains(word),
                "\"{word}\" is missing in {said}\nof {text}"
            );
        }
    }
    // Entities that unfold into gigabytes are refused, not unfolded.
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\">]><annotations>&b;</annotations>";
    assert!(read("job.xml", bomb, &campaign()).is_err());
}

const HEAD: &str = "HITId,HITTypeId,AssignmentId,WorkerId,AssignmentStatus,AcceptTime,SubmitTime,WorkTimeInSeconds";

#[test]
fn a_batch_of_mechanical_turk_gives_a_vote_per_task_of_each_suite() {
    let text = format!(
        "{HEAD},Input.suite,Input.task_1,Input.picture_1,Input.task_2,Input.picture_2,Answer.age_1,Answer.age_2,Answer.sex_1.female,Answer.sex_1.male,Answer.sex_2.female,Answer.sex_2.male\n\
         h1,t,a1,W1,Approved,Tue Nov 24 08:00:00 PST 2026,Tue Nov 24 08:01:00 PST 2026,60,1,x,p/x.jpg,y,p/y.jpg,31,,false,true,true,false\n\
         h1,t,a2,W2,Rejected,Tue Nov 24 08:00:00 PST 2026,Tue Nov 24 08:01:00 PST 2026,60,1,x,p/x.jpg,y,p/y.jpg,1,1,true,false,true,false\n\
         h2,t,a3,W2,Submitted,Tue Nov 24 08:00:00 PST 2026,Tue Nov 24 08:01:00 PST 2026,30,2,z,p/z.jpg,,,20,,true,false,,\n"
    );
    let found = read("batch.csv", &text, &campaign()).unwrap();
    let expected = [
        "W1 x age 31",
        "W1 x sex male",
        "W1 y age ?",
        "W1 y sex female",
        "W2 z age 20",
        "W2 z sex female",
    ];
    assert_eq!(said(&found), expected);
    assert_eq!(found.by_status["REJECTED"], 2);
    let first = found.votes.vote(0);
    assert_eq!(
        (first.seconds, first.submitted),
        (Some(30.0), Some(1_795_478_400 + 16 * 3600 + 60))
    );
    assert_eq!((first.assignment, first.place.1), (Some("a1"), 2));
}

#[test]
fn a_crowd_form_that_bundles_its_answers_is_read_too() {
    let text = format!(
        "{HEAD},Input.image_url,Answer.taskAnswers\n\
         h1,t,a1,W1,Approved,,,12,https://host/{NAME}.jpg,\"[{{\"\"age\"\":\"\"31\"\",\"\"sex\"\":{{\"\"female\"\":true,\"\"male\"\":false}}}}]\"\n"
    );
    for options in [campaign(), VoteOptions::default()] {
        let found = read("batch.csv", &text, &options).unwrap();
        assert_eq!(
            said(&found),
            [format!("W1 {NAME} age 31"), format!("W1 {NAME} sex female")]
        );
    }
}

#[test]
fn bad_batches_are_errors_that_say_where_and_what_to_do() {
    let row = |status: &str, answer: &str| {
        format!("{HEAD},Input.task,Answer.age\nh,t,a,W,{status},,,1,x,{answer}\n")
    };
    let cases: Vec<(String, &[&str])> = vec![
        (
            row("Approved", "212"),
            &["row 2", "column Answer.age", "\"212\""],
        ),
        (
            row("Odd", "31"),
            &["unknown status", "column AssignmentStatus", "\"Odd\""],
        ),
        (
            format!("{HEAD},Input.a,Input.b,Answer.age\nh,t,a,W,Approved,,,1,x,y,3\n"),
            &["no input says", "Input.a, Input.b"],
        ),
        (
            format!("{HEAD},Input.task\nh,t,a,W,Approved,,,1,x\n"),
            &["begins with Answer."],
        ),
        (
            format!("{HEAD},Input.task,Answer.taskAnswers\nh,t,a,W,Approved,,,1,x,[{{\n"),
            &["crowd-form", "row 2"],
        ),
        (
            format!("{HEAD},Input.task,Answer.age\nh,t,a,,Approved,,,1,x,3\n"),
            &["no annotator", "WorkerId"],
        ),
        (
            format!("{HEAD},Input.task,Answer.age\nh,t,a,W,Approved,,yesterday,1,x,3\n"),
            &["date and time", "SubmitTime"],
        ),
        (
            format!("{HEAD},Input.task,Answer.years\nh,t,a,W,Approved,,,1,x,3\n"),
            &["does not answer age or sex", "\"years\""],
        ),
    ];
    for (text, words) in cases {
        let said = read("batch.csv", &text, &campaign())
            .unwrap_err()
            .to_string();
        for word in words.iter().chain(&["batch.csv", "help:"]) {
            assert!(
                said.contains(word),
                "\"{word}\" is missing in {said}\nof {text}"
            );
        }
    }
}

#[test]
fn a_format_that_was_asked_for_is_not_guessed() {
    let options = VoteOptions {
        format: VoteFormat::Table,
        ..campaign()
    };
    assert!(read("export.json", &label_studio(), &options).is_err());
    let options = VoteOptions {
        format: VoteFormat::Cvat,
        ..campaign()
    };
    let said = read("export.json", &label_studio(), &options)
        .unwrap_err()
        .to_string();
    assert!(said.contains("is not XML"), "{said}");
}
