//! Tables of items and controls with mistakes in them.

use super::{build_refused, build_skips};
use crate::support::Dir;
use std::fs;

/// A campaign whose row 3 of controls.csv says this.
fn with_control(row: &str) -> Dir {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.edit("c/controls.csv", "photos/k1.jpg,12,M", row);
    dir
}

#[test]
fn a_truth_that_cannot_be_true_is_named_or_left_out_and_counted() {
    for (value, what) in [
        ("212", "0 to 120"),
        ("-1", "0 to 120"),
        ("34.5", "whole"),
        ("1e308", "0 to 120"),
        ("inf", "number"),
        ("old", "number"),
        ("", "missing"),
        ("NaN", "missing"),
        ("n/a", "missing"),
    ] {
        let dir = with_control(&format!("photos/k1.jpg,{value},M"));
        println!("{value}");
        build_refused(
            &dir,
            &[
                "c/controls.csv, row 3, column age",
                &format!("found: \"{value}\""),
                what,
                "--skip-bad-rows",
            ],
        );
        let summary = build_skips(&dir, 1);
        assert_eq!(summary["controls"], 3, "{value}");
        assert!(
            summary["skipped"][0]["examples"][0]
                .to_string()
                .contains("row 3"),
            "{summary}"
        );
    }
    for (value, what) in [("X", "not one of female, male"), ("", "missing")] {
        let dir = with_control(&format!("photos/k1.jpg,12,{value}"));
        build_refused(
            &dir,
            &[
                "c/controls.csv, row 3, column gender",
                &format!("found: \"{value}\""),
                what,
            ],
        );
        assert_eq!(build_skips(&dir, 1)["controls"], 3);
    }
}

#[test]
fn the_first_bad_row_is_described_and_the_other_ones_are_listed() {
    let dir = with_control("photos/k1.jpg,130,M");
    dir.edit(
        "c/controls.csv",
        "photos/k3.jpg,26,M",
        "photos/k3.jpg,140,M",
    );
    build_refused(&dir, &["row 3", "5", "found: \"130\""]);
    let summary = build_skips(&dir, 2);
    assert_eq!(summary["controls"], 2);
}

#[test]
fn one_control_twice_is_an_error_whether_by_id_or_by_picture() {
    let dir = with_control("photos/k0.jpg,12,M");
    build_refused(&dir, &["c/controls.csv, row 3", "photos/k0.jpg", "row 2"]);
    assert_eq!(build_skips(&dir, 1)["controls"], 3);

    // The same file under two ids.
    let dir = with_control("photos/k0.jpg,12,M");
    dir.edit("c/controls.csv", "file,age,gender", "file,age,gender,id");
    for i in [0, 2, 3] {
        dir.edit(
            "c/controls.csv",
            &format!("photos/k{i}.jpg,{},{}\n", 5 + 7 * i, ["F", "M"][i % 2]),
            &format!(
                "photos/k{i}.jpg,{},{},id{i}\n",
                5 + 7 * i,
                ["F", "M"][i % 2]
            ),
        );
    }
    dir.edit(
        "c/controls.csv",
        "photos/k0.jpg,12,M",
        "photos/k0.jpg,12,M,id1",
    );
    dir.edit(
        "c/campaign.toml",
        "source = \"controls.csv\"",
        "source = \"controls.csv\"\nid = \"id\"",
    );
    build_refused(
        &dir,
        &[
            "two controls show the same picture",
            "c/controls.csv, row 3",
            "row 2",
        ],
    );

    // A copy of the file under another name.
    let dir = with_control("photos/copy.jpg,12,M");
    fs::copy(dir.join("c/photos/k3.jpg"), dir.join("c/photos/copy.jpg")).unwrap();
    build_refused(
        &dir,
        &[
            "two controls show the same picture",
            "c/controls.csv, row 5",
            "row 3",
        ],
    );
}

#[test]
fn one_item_twice_is_an_error_that_names_both_rows() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.edit("c/items.csv", "item4,", "item1,");
    build_refused(
        &dir,
        &[
            "the same id",
            "c/items.csv, row 6",
            "found: \"item1\"",
            "row 3",
        ],
    );
    assert_eq!(build_skips(&dir, 1)["items"], 5);
}

#[test]
fn an_unknown_column_is_answered_with_the_columns_there_are() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    let good = dir.read("c/campaign.toml");
    for (from, to, column, file) in [
        ("age = \"age\"", "age = \"agee\"", "agee", "c/controls.csv"),
        ("sex = \"gender\"", "sex = \"sex\"", "sex", "c/controls.csv"),
        (
            "path = \"file\"\nid = \"id\"",
            "path = \"flie\"\nid = \"id\"",
            "flie",
            "c/items.csv",
        ),
        ("id = \"id\"", "id = \"{id}-{nr}\"", "nr", "c/items.csv"),
        (
            "id = \"id\"",
            "id = \"id\"\nface = [\"x0\", \"y0\", \"x1\", \"y1\"]",
            "x0",
            "c/items.csv",
        ),
    ] {
        dir.write("c/campaign.toml", good.replace(from, to));
        build_refused(
            &dir,
            &[
                &format!("there is no column \"{column}\""),
                file,
                "the columns are: ",
            ],
        );
    }
}

#[test]
fn tables_without_rows_are_refused() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    for (content, what) in [
        ("", "the file is empty"),
        ("\n\n \n", "the file is empty"),
        ("file,age,gender\n", "a header and no rows"),
        ("file,age,gender\n,,\n,,\n", "no rows"),
    ] {
        dir.write("c/controls.csv", content);
        println!("{content:?}");
        build_refused(&dir, &["c/controls.csv", what]);
        super::refused(
            &dir,
            &["pool", "build", "c", "--skip-bad-rows"],
            &["c/controls.csv"],
        );
    }
    dir.campaign(6, 4);
    for content in ["", "id,file\n"] {
        dir.write("c/items.csv", content);
        build_refused(&dir, &["c/items.csv"]);
    }
    fs::remove_file(dir.join("c/items.csv")).unwrap();
    build_refused(&dir, &["c/items.csv", "No such file"]);
}

#[test]
fn a_campaign_without_controls_is_told_what_to_do() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    let good = dir.read("c/campaign.toml");
    // No table.
    fs::remove_file(dir.join("c/controls.csv")).unwrap();
    build_refused(&dir, &["c/controls.csv", "No such file"]);
    // No good row.
    dir.write("c/controls.csv", "file,age,gender\nphotos/k0.jpg,200,F\n");
    super::refused(
        &dir,
        &["pool", "build", "c", "--skip-bad-rows"],
        &["no controls at all", "c/controls.csv"],
    );
    // No section.
    let (before, rest) = good.split_once("[controls]").unwrap();
    let after = &rest[rest.find("[suite]").unwrap()..];
    dir.write("c/campaign.toml", format!("{before}{after}"));
    build_refused(
        &dir,
        &["no [controls] section", "c/campaign.toml", "control = 0"],
    );
    // Fewer than a suite needs.
    dir.campaign(6, 1);
    dir.edit(
        "c/campaign.toml",
        "control = 1",
        "control = 2\nmixing = \"static\"",
    );
    build_refused(&dir, &["2 different controls, 1"]);
    // Without controls on purpose there is a pool, and nobody can be judged.
    dir.write(
        "c/campaign.toml",
        format!("{before}{after}").replace("control = 1", "control = 0"),
    );
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&["simulate", "c", "--annotators", "30"]);
    for command in ["score", "methods"] {
        // What else is said comes before: the votes are simulated.
        dir.fails(
            &[command, "c"],
            &["error: no answer is known", "help: ", "[controls.truth]"],
        );
    }
    dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
    dir.ok(&["report", "c"]);
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_make_no_difference() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    let plain = dir.ok(&["pool", "build", "c", "--json"]);
    let roles = fs::read(dir.join("c/pool/roles.parquet")).unwrap();
    for table in ["c/items.csv", "c/controls.csv"] {
        let text = dir.read(table).replace('\n', "\r\n");
        dir.write(table, format!("\u{feff}{text}"));
    }
    assert_eq!(dir.ok(&["pool", "build", "c", "--json"]), plain);
    assert_eq!(fs::read(dir.join("c/pool/roles.parquet")).unwrap(), roles);
    // As Excel does where the comma is the decimal sign.
    for table in ["c/items.csv", "c/controls.csv"] {
        let text = dir.read(table).replace(',', ";");
        dir.write(table, text);
    }
    assert_eq!(dir.ok(&["pool", "build", "c", "--json"]), plain);
    // campaign.toml is often saved by the same editors.
    let text = dir.read("c/campaign.toml").replace('\n', "\r\n");
    dir.write("c/campaign.toml", format!("\u{feff}{text}"));
    assert_eq!(dir.ok(&["pool", "build", "c", "--json"]), plain);
}

#[test]
fn a_wrong_quote_is_named_where_it_opens() {
    let dir = with_control("\"photos/k1.jpg,12,M");
    build_refused(&dir, &["a quote is opened here", "c/controls.csv, row 3"]);
    super::refused(
        &dir,
        &["pool", "build", "c", "--skip-bad-rows"],
        &["a quote is opened here", "row 3"],
    );
    let dir = with_control("\"photos/k1.jpg\"x,12,M");
    build_refused(
        &dir,
        &["text follows a closing quote", "c/controls.csv, row 3"],
    );
    // Quotes that are right, one around a line break, keep the row numbers right.
    let dir = with_control("\"photos/k1.jpg\",\"12\",\"M\"");
    dir.edit(
        "c/controls.csv",
        "file,age,gender",
        "file,age,\"gender\nas said\"",
    );
    dir.edit(
        "c/campaign.toml",
        "sex = \"gender\"",
        "sex = \"gender\\nas said\"",
    );
    dir.edit("c/controls.csv", "k3.jpg,26,M", "k3.jpg,260,M");
    build_refused(
        &dir,
        &["c/controls.csv, row 6, column age", "found: \"260\""],
    );
}

#[test]
fn rows_with_too_few_or_too_many_cells_are_named_or_left_out_and_counted() {
    for row in ["photos/k1.jpg,12", "photos/k1.jpg,12,M,extra"] {
        let dir = with_control(row);
        build_refused(
            &dir,
            &[
                "c/controls.csv, row 3",
                &format!("found: \"{row}\""),
                "3 columns",
            ],
        );
        assert_eq!(build_skips(&dir, 1)["controls"], 3);
    }
}

#[test]
fn text_in_windows_1251_is_named_as_such_with_the_command_that_converts_it() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    // «женский» and «мужской», as a spreadsheet saves them.
    let (text, _, _) = encoding_rs::WINDOWS_1251.encode(
        "file,age,gender\nphotos/k0.jpg,5,женский\nphotos/k1.jpg,12,мужской\nphotos/k2.jpg,19,женский\n",
    );
    dir.write("c/controls.csv", text);
    build_refused(
        &dir,
        &[
            "c/controls.csv, row 2",
            "not UTF-8",
            "женский",
            "iconv -f WINDOWS-1251 -t UTF-8",
        ],
    );
    super::refused(
        &dir,
        &["pool", "build", "c", "--skip-bad-rows"],
        &["not UTF-8"],
    );
}

#[test]
fn files_that_are_no_tables_are_called_what_they_are() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    for (bytes, name) in [
        (&b"PK\x03\x04\x14\0\x06\0xl/workbook.xml"[..], "xcel"),
        (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2][..], "gzip"),
        (&b"file,age\0,gender\n"[..], "NUL"),
        (&b"PAR1 cut off"[..], "Parquet"),
    ] {
        dir.write("c/controls.csv", bytes);
        println!("{name}");
        build_refused(&dir, &["c/controls.csv", name]);
    }
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.edit("c/controls.csv", "file,age,gender", "file,age,age");
    build_refused(
        &dir,
        &[
            "two columns have the same name",
            "c/controls.csv, row 1, column age",
        ],
    );
}

#[test]
fn an_item_that_is_a_control_too_is_left_out_and_named() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    fs::copy(dir.join("c/photos/k2.jpg"), dir.join("c/photos/i2.jpg")).unwrap();
    let summary = dir.json(&["pool", "build", "c", "--json"]);
    assert_eq!(summary["items"], 5);
    assert_eq!(summary["duplicates"][0]["item"], "item2");
    assert_eq!(summary["duplicates"][0]["control"], "photos/k2.jpg");
    assert_eq!(summary["duplicates"][0]["exact"], true);
}
