use super::{CHART_CSS, SCRIPT, STYLE, policy};
use crate::report::sample::{Dice, annotators, bake_off, sample};
use crate::report::*;

/// Everything between `<body` and the script, where the words of people stand.
fn body(html: &str) -> &str {
    let from = html.find("<body").unwrap();
    &html[from..html.rfind("<script>").unwrap()]
}

/// Every opening tag has its closing one, in order. Void elements and self-closing ones stand alone.
fn assert_nested(html: &str) {
    let void = ["meta", "link", "img", "br"];
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let tag = &rest[..rest.find('>').unwrap()];
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_alphanumeric())
            .collect();
        if tag.starts_with('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name.as_str()),
                "before {rest:.80}"
            );
        } else if !(tag.ends_with('/') || tag.starts_with('!') || void.contains(&name.as_str())) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn the_same_data_give_the_same_bytes() {
    assert_eq!(page(&sample(&[], 60)), page(&sample(&[], 60)));
}

#[test]
fn words_of_people_cannot_become_markup() {
    let evil = "<script>alert(1)</script>\"'&<img src=x onerror=y>";
    let mut data = sample(&[vec![0xff, 0xd8, 0xff]], 20);
    data.title = evil.into();
    data.warnings = vec![evil.into()];
    data.provenance.command = evil.into();
    data.provenance.inputs[0].path = evil.into();
    let q = &mut data.questions[0];
    q.name = evil.into();
    q.prompt = evil.into();
    q.method = Some(evil.into());
    q.kind = Kind::Number { unit: evil.into() };
    q.annotators.as_mut().unwrap().rows[0].id = evil.into();
    q.annotators.as_mut().unwrap().rows[0].evidence = evil.into();
    q.bake_off.as_mut().unwrap().rows[0].method = evil.into();
    q.bake_off.as_mut().unwrap().rows[0].note = evil.into();
    q.labels.as_mut().unwrap().numbers[0].name = evil.into();
    q.labels.as_mut().unwrap().made.inputs[0] = evil.into();
    q.hardest.as_mut().unwrap().controls[0].name = evil.into();
    q.examples.as_mut().unwrap().items[0].name = evil.into();
    let q = &mut data.questions[1];
    q.hardest.as_mut().unwrap().controls[0].truth = data::Value::Label(evil.into());
    q.hardest.as_mut().unwrap().controls[0].choices[0].label = evil.into();
    data.left_out.as_mut().unwrap().policies[1].reasons[0].reason = evil.into();
    data.left_out.as_mut().unwrap().policies[0].policy = evil.into();
    data.secrecy.as_mut().unwrap().checks[0].value = evil.into();
    let chapter = &mut data.chapters[0];
    chapter.heading = evil.into();
    chapter.intro = evil.into();
    let passage = &mut chapter.passages[0];
    passage.heading = evil.into();
    passage.text.push(evil.into());
    passage.photos[0].name = evil.into();
    passage.photos[0].facts.push((evil.into(), evil.into()));
    passage.grids[0].caption = evil.into();
    passage.grids[0].columns[0].0 = evil.into();
    passage.grids[1].rows[0][0] = GridCell::Text(evil.into());
    passage.made.command = evil.into();
    let html = page(&data);
    assert_eq!(html.matches("<script").count(), 1);
    assert!(!body(&html).contains("<img src=x"));
    assert!(html.contains("&lt;script&gt;"));
    assert_nested(
        body(&html)
            .split_once('>')
            .unwrap()
            .1
            .rsplit_once("</div>")
            .unwrap()
            .0
            .split_once("<div class=\"page\">")
            .unwrap()
            .1,
    );
    let svg = bakeoff_svg(
        data.questions[0].bake_off.as_ref().unwrap(),
        &Kind::Choice,
        evil,
        true,
    );
    assert!(!svg.contains("<script") && !svg.contains("<img"));
}

#[test]
fn the_page_asks_the_network_for_nothing() {
    let html = page(&sample(&[vec![0xff, 0xd8, 0xff]], 60));
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("//cdn"));
    assert!(!html.contains("@import") && !html.contains(" style="));
    for address in ["src=\"", "href=\""] {
        for found in html.split(address).skip(1) {
            assert!(
                found.starts_with("data:") || found.starts_with('#'),
                "{found:.60}"
            );
        }
    }
    assert!(html.contains("default-src &#x27;none&#x27;") || html.contains("default-src 'none'"));
}

#[test]
fn the_policy_names_the_hashes_of_what_the_page_carries() {
    // `printf abc | sha256sum | xxd -r -p | base64`
    let policy = policy("abc", "abc");
    assert_eq!(
        policy
            .matches("'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='")
            .count(),
        2
    );
    let html = page(&ReportData::default());
    let style = html
        .split_once("<style>")
        .unwrap()
        .1
        .split_once("</style>")
        .unwrap()
        .0;
    assert_eq!(style, format!("{STYLE}{CHART_CSS}"));
    assert!(!STYLE.contains('<') && !SCRIPT.contains("</"));
}

#[test]
fn numbers_that_are_none_are_dashes_and_never_drawn() {
    let mut data = sample(&[], 30);
    let q = &mut data.questions[0];
    let lost = f64::NAN;
    for r in &mut q.bake_off.as_mut().unwrap().rows[..3] {
        r.value = lost;
        r.interval = Some((lost, f64::INFINITY));
        r.rmse = Some(lost);
    }
    let a = q.annotators.as_mut().unwrap();
    a.mean = Some(lost);
    a.median = Some(f64::NEG_INFINITY);
    a.rows[0].error = Some(lost);
    a.rows[1].interval = Some((lost, lost));
    a.rows[2].bias = Some(f64::INFINITY);
    q.labels.as_mut().unwrap().interval_width_median = Some(lost);
    q.hardest.as_mut().unwrap().controls[0].truth = data::Value::Number(lost);
    q.hardest.as_mut().unwrap().controls[0].error = lost;
    q.examples.as_mut().unwrap().items[0].label = data::Value::Number(lost);
    q.examples.as_mut().unwrap().items[1].interval = Some((lost, 1.0));
    q.labels.as_mut().unwrap().numbers[0].bins.from = lost;
    let html = page(&data);
    for word in ["NaN", ">inf", "\"inf", "-inf", "Infinity"] {
        assert!(!body(&html).contains(word), "{word}");
    }
    assert!(html.contains('–'));
    let huge = BakeOff {
        rows: vec![
            MethodRow {
                method: "a".into(),
                value: 1e308,
                interval: Some((-1e308, 1e308)),
                ..MethodRow::default()
            },
            MethodRow {
                method: "b".into(),
                value: -1e308,
                ..MethodRow::default()
            },
        ],
        ..BakeOff::default()
    };
    let svg = bakeoff_svg(&huge, &Kind::default(), "huge", false);
    assert!(!svg.contains("NaN") && !svg.contains("inf\""));
}

#[test]
fn a_chapter_shows_its_pictures_photos_and_tables_and_folds_those_behind() {
    let data = sample(&[], 20);
    let html = page(&data);
    for part in [
        "<a href=\"#curves-age\">People and networks</a>",
        "<figcaption>Network against label</figcaption>",
        "<h4>item 7</h4>",
        "<details class=\"behind\"><summary>Every range ",
        "6.25\u{202f}–\u{202f}8.25",
        "Made by <code>veche curves faces</code>",
    ] {
        assert!(html.contains(part), "{part} is missing");
    }
    assert_eq!(html.matches("<details").count(), 1);
    let drawn = figures(&data);
    let names: Vec<&str> = drawn.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "progress",
        "labels-age",
        "methods-age",
        "annotators-sex",
        "curves-age-error",
        "votes-left-out",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "two figures have one name");
    for (name, svg) in &drawn {
        assert!(svg.standalone().contains("simulated annotators"), "{name}");
    }
}

#[test]
fn no_data_is_a_page_that_says_so() {
    let html = page(&ReportData::default());
    assert!(html.contains("There is no data yet") && html.contains("<title>Report</title>"));
    let empty = ReportData {
        questions: vec![QuestionReport {
            name: "age".into(),
            annotators: Some(Annotators::default()),
            bake_off: Some(BakeOff::default()),
            labels: Some(Labels::default()),
            hardest: Some(Hardest::default()),
            examples: Some(Examples::default()),
            ..QuestionReport::default()
        }],
        progress: Some(Progress::default()),
        left_out: Some(LeftOut::default()),
        secrecy: Some(Secrecy::default()),
        ..ReportData::default()
    };
    let html = page(&empty);
    assert_eq!(html.matches(">no data yet</text>").count(), 2 * 5);
    assert_nested(&html[html.find("<main").unwrap()..html.find("</main>").unwrap() + 7]);
}

#[test]
fn one_annotator_has_a_page_and_five_thousand_have_a_short_table() {
    let one = page(&sample(&[], 1));
    assert!(one.contains("1\u{a0}annotator on the controls"));
    let many = page(&sample(&[], 5000));
    let table = many
        .split("aria-label=\"Table: Annotators; errors")
        .nth(1)
        .unwrap();
    let rows = table
        .split("</table>")
        .next()
        .unwrap()
        .matches("scope=\"row\"")
        .count();
    assert_eq!(rows, 200);
    assert!(many.contains("The table shows 200 of them"));
    assert!(many.len() < 900_000, "{}", many.len());
}

#[test]
fn the_worst_and_the_most_active_are_shown() {
    let mut data = sample(&[], 2);
    let a = data.questions[0].annotators.as_mut().unwrap();
    *a = annotators(1000, false, &mut Dice(3));
    a.rows[10].error = Some(99.0);
    a.rows[10].id = "the-worst".into();
    a.rows[20].error = Some(0.1);
    a.rows[20].votes = 1_000_000;
    a.rows[20].id = "the-most-active".into();
    let html = page(&data);
    let (worst, active) = (html.find(">the-worst<"), html.find(">the-most-active<"));
    assert!(worst.unwrap() < active.unwrap());
}

#[test]
fn the_structure_is_sound() {
    let html = page(&sample(&[vec![0xff, 0xd8, 0xff]], 60));
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    assert_eq!(html.matches("<h1").count(), 1);
    assert_nested(body(&html).split_once('>').unwrap().1);
    let mut ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .map(|s| &s[..s.find('"').unwrap()])
        .collect();
    for link in html
        .split("href=\"#")
        .skip(1)
        .map(|s| &s[..s.find('"').unwrap()])
    {
        assert!(ids.contains(&link), "nothing at #{link}");
    }
    let n = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), n, "an id is used twice");
    // Headings go down one level at a time.
    let levels: Vec<u32> = body(&html)
        .split("<h")
        .skip(1)
        .filter_map(|s| s.chars().next()?.to_digit(10))
        .collect();
    assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{levels:?}");
    assert_eq!(
        html.matches("<svg").count(),
        html.matches("role=\"img\"").count()
    );
    assert!(html.contains("alt=\"Control 007_03.jpg, truth 53\u{a0}years\""));
}

#[test]
fn simulated_votes_are_marked_at_the_top_below_every_block_and_in_every_chart() {
    let mut data = sample(&[], 30);
    let html = page(&data);
    assert!(html.contains("SIMULATED ANNOTATORS"));
    let charts = html.matches("chart wide").count() + html.matches("chart narrow").count();
    assert_eq!(html.matches(">simulated annotators</text>").count(), charts);
    // Where no chart says it, the caption does: examples, hardest controls twice, secrecy.
    assert_eq!(html.matches("class=\"tag\"").count(), 4);
    assert!(bakeoff_svg(&bake_off(), &Kind::default(), "t", true).contains("simulated"));
    data.simulated = false;
    let html = page(&data);
    assert!(!body(&html).to_lowercase().contains("simulated"));
    assert!(!bakeoff_svg(&bake_off(), &Kind::default(), "t", false).contains("simulated"));
}

#[test]
fn pictures_as_files_stand_alone() {
    let kind = Kind::Number { unit: "cm".into() };
    let svg = bakeoff_svg(&bake_off(), &kind, "Methods", false);
    assert_eq!(svg.matches("http").count(), 1);
    assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("★ exp-mae"));
    assert_nested(&svg);
    let svg = annotators_svg(&annotators(236, false, &mut Dice(1)), &kind, false);
    assert!(svg.contains("ban above\u{a0}13<"), "{svg}");
    assert_nested(&svg);
}

#[test]
fn the_best_method_comes_first_for_numbers_and_for_choices() {
    let html = page(&sample(&[], 30));
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(html.contains(
        "exp-mae has the smallest error: 4.60\u{a0}years (95\u{202f}% interval 4.27 to 4.94)"
    ));
    assert!(at("exp-mae (used)</th>") < at(">median</th>"));
    assert!(html.contains("control-accuracy is most often right"));
    assert!(
        html.contains("95.7\u{202f}%</span><span class=\"under\">"),
        "the method in use is in the headline"
    );
}

#[test]
#[allow(clippy::disallowed_methods)]
fn a_page_to_look_at() {
    // VECHE_SAMPLE=out.html keeps the page; VECHE_PHOTOS=folder puts one's own photos into it.
    let folder = tempfile::tempdir().unwrap();
    let usual = folder.path().join("sample.html").display().to_string();
    let out = std::env::var("VECHE_SAMPLE").unwrap_or(usual);
    let mut photos = Vec::new();
    if let Ok(folder) = std::env::var("VECHE_PHOTOS") {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        paths.sort();
        photos = paths
            .iter()
            .map(|p| std::fs::read(p).unwrap())
            .filter(|b| Picture::new(b).is_some())
            .collect();
    }
    let data = sample(&photos, 110);
    std::fs::write(&out, page(&data)).unwrap();
    let kind = Kind::Number { unit: "cm".into() };
    std::fs::write(
        format!("{out}.methods.svg"),
        bakeoff_svg(&bake_off(), &kind, "Methods", false),
    )
    .unwrap();
    let annotators = data.questions[0].annotators.as_ref().unwrap();
    std::fs::write(
        format!("{out}.annotators.svg"),
        annotators_svg(annotators, &kind, true),
    )
    .unwrap();
}
