use super::*;
use proptest::prelude::*;

fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    (dir, path)
}

fn read(name: &str, content: impl AsRef<[u8]>) -> Result<Table> {
    let (_dir, path) = file(name, content);
    Table::read(path)
}

fn cells(table: &Table) -> Vec<Vec<&str>> {
    let width = table.columns().len();
    table
        .rows()
        .map(|r| (0..width).map(|c| r.get(c)).collect())
        .collect()
}

fn numbers(table: &Table) -> Vec<u64> {
    table.rows().map(Row::number).collect()
}

#[test]
fn rows_keep_the_line_on_which_they_start() {
    let table = read(
        "t.csv",
        "a,b\r\n1,2\r\n\r\n\"x\ny\",\"say \"\"hi\"\", ok\"\r\n,\r\n3,4",
    )
    .unwrap();
    assert_eq!(table.columns(), ["a", "b"]);
    assert_eq!(
        cells(&table),
        [["1", "2"], ["x\ny", "say \"hi\", ok"], ["3", "4"]]
    );
    assert_eq!(numbers(&table), [2, 4, 7]);
}

#[test]
fn separators_are_found_from_the_ending_and_the_header() {
    for (name, text) in [
        ("t.tsv", "a,x\tb\n1,1\t2\n"),
        ("t.csv", "\"a,x\";b\n1,1;2\n"),
        ("t.csv", "\"a,x\",b\n\"1,1\",2\n"),
        ("t.txt", "a,x\tb\tc\n1,1\t2\t3\n"),
    ] {
        let table = read(name, text).unwrap();
        assert_eq!(
            (&*table.columns()[0], table.row(0).get(0)),
            ("a,x", "1,1"),
            "{text}"
        );
    }
    assert_eq!(read("t.csv", "only\n1\n2\n").unwrap().len(), 2);
    assert_eq!(read("mac.csv", "a,b\r1,2\r3,4\r").unwrap().len(), 2);
}

#[test]
fn a_quote_that_is_never_closed_is_named_where_it_opens() {
    let p = read("t.csv", "a,b\n1,2\n3,\"4\n5,6\n7,8\n").unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(3), "a quote is opened here and never closed")
    );
    assert_eq!(p.value.as_deref(), Some("\"4"));
    let p = read("t.csv", "a,b\n1,\"2\n3,4\n5,\"6\"\n").unwrap_err();
    assert_eq!(p.row, Some(2));
    assert!(p.what.contains("the next quote, in row 4"), "{}", p.what);
    let p = read("t.csv", "a,b\n1,\"2\"x\n").unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(2), "text follows a closing quote")
    );
    assert_eq!(
        read("t.csv", "a,b\n1,5\" screen\n").unwrap().row(0).get(1),
        "5\" screen"
    );
}

#[test]
fn too_few_and_too_many_fields_are_errors_or_left_out_and_counted() {
    let text = "a,b\n1\n2,3\n4,5,6\n";
    let p = read("t.csv", text).unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(2), "too few fields in this row")
    );
    let (_dir, path) = file("t.csv", text);
    let mut skipped = Skipped::lenient();
    let table = Table::read_skipping(&path, &mut skipped).unwrap();
    assert_eq!(
        (cells(&table), numbers(&table)),
        (vec![vec!["2", "3"]], vec![3])
    );
    assert_eq!(skipped.rows(), 2);
    assert_eq!(
        skipped.reasons()[1].examples[0].value.as_deref(),
        Some("4,5,6")
    );
}

#[test]
fn nothing_to_read_is_an_error_that_says_what_is_there() {
    let what = |name: &str, text: &str| read(name, text).unwrap_err().what;
    assert_eq!(what("t.csv", ""), "the file is empty");
    assert_eq!(what("t.csv", "\u{feff}\n \n"), "the file is empty");
    assert_eq!(what("t.csv", "a,b\n"), "the file has a header and no rows");
    assert_eq!(
        what("t.csv", "a,b,a\n1,2,3\n"),
        "two columns have the same name"
    );
    assert_eq!(
        Table::read("/").unwrap_err().what,
        "is a folder, not a table"
    );
    assert!(
        Table::read("no/such.csv")
            .unwrap_err()
            .hint
            .unwrap()
            .contains("check the path")
    );
    assert_eq!(read("t.csv", "a,b\n1,\0\n").unwrap_err().row, Some(2));
}

#[test]
fn a_missing_column_lists_those_there_are_and_the_nearest() {
    let table = read("t.csv", "file_name,Age\nx,1\n").unwrap();
    assert_eq!(table.column("age").unwrap(), 1);
    let p = table.column("filename").unwrap_err();
    assert_eq!(
        p.hint.unwrap(),
        "did you mean \"file_name\"? the columns are: file_name, Age"
    );
    assert!(
        table
            .column_of(&["item", "task"])
            .unwrap_err()
            .what
            .contains("item or task")
    );
    assert_eq!(table.column_of(&["item", "file_name"]).unwrap(), 0);
}

#[test]
fn numbers_are_read_with_either_decimal_sign_and_refused_when_useless() {
    let table = read("t.csv", "a;b\n1,5;NaN\n 2.5 ;1e308\n;inf\nx;-1e30\n").unwrap();
    let a: Vec<_> = (0..3).map(|i| table.row(i).float(0).unwrap()).collect();
    assert_eq!(a, [Some(1.5), Some(2.5), None]);
    let p = table.row(3).float(0).unwrap_err();
    assert_eq!(
        (p.row, p.column.as_deref(), p.value.as_deref()),
        (Some(5), Some("a"), Some("x"))
    );
    let whats: Vec<_> = (0..4)
        .map(|i| table.row(i).float(1).unwrap_err().what)
        .collect();
    assert_eq!(
        whats,
        [
            "is not a finite number",
            "is too large a number",
            "is not a finite number",
            "is too large a number"
        ]
    );
}

fn quoted(cell: &str, always: bool) -> String {
    if always || cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

proptest! {
    #[test]
    fn any_cells_come_back_as_they_were_written(
        rows in prop::collection::vec(("[ab\",;\t\n\r' ю😀]{0,6}", "[ab\",\n]{1,4}z"), 1..20),
        always: bool, crlf: bool,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = format!("x,y{end}");
        for (x, y) in &rows {
            text += &format!("{},{}{end}", quoted(x, always), quoted(y, always));
        }
        let table = read("t.csv", text).unwrap();
        let expected: Vec<Vec<&str>> = rows.iter().map(|(x, y)| vec![&**x, &**y]).collect();
        prop_assert_eq!(cells(&table), expected);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), tsv: bool) {
        let _ = read(if tsv { "t.tsv" } else { "t.csv" }, bytes);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ab,;\t\"\n\r]{0,40}") {
        let _ = read("t.csv", text);
    }
}
