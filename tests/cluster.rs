//! Labels by queries instead of by the program: the same numbers, whatever engine runs them.

use crate::support::{Dir, Ran, ran, skipped};
use std::{env, path::PathBuf, process::Command};

const NUMBERS: [&str; 8] = [
    "mean",
    "median",
    "exp-mae",
    "inverse-mae",
    "inverse-mae2",
    "inverse-mse",
    "inverse-mse-unbiased",
    "inverse-mse-unbiased-shared",
];
const CHOICES: [&str; 3] = ["majority", "control-accuracy", "control-log-odds"];

/// The Python with DuckDB that tests/run has made, or `None` after saying SKIPPED.
fn python() -> Option<PathBuf> {
    let python = env::var_os("VECHE_TEST_CLUSTER_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skipped("VECHE_TEST_CLUSTER_PYTHON names no Python with DuckDB: tests/run makes one");
    }
    python
}

/// tests/cluster/tables.py with these arguments.
fn tables(python: &PathBuf, dir: &Dir, args: &[&str]) -> Ran {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/tables.py");
    let mut command = Command::new(python);
    command.arg(script).args(args).current_dir(dir.path());
    ran(command.output().unwrap())
}

fn tables_ok(python: &PathBuf, dir: &Dir, args: &[&str]) {
    let ran = tables(python, dir, args);
    assert_eq!(ran.code, 0, "tables.py {args:?}:\n{}{}", ran.out, ran.err);
}

/// Labels by the embedded engine, and by printed queries in DuckDB: whether they agree.
fn agree(python: &PathBuf, dir: &Dir, table: &str, method: &str, more: &[&str]) {
    let votes = format!("{table}.votes.parquet");
    let truth = format!("{table}.truth.parquet");
    let (ours, theirs) = (
        format!("{table}.{method}.ours.parquet"),
        format!("{table}.{method}.parquet"),
    );
    let mut args = vec!["aggregate", &votes, "--method", method];
    if dir.join(&truth).exists() {
        args.extend(["--truth", &truth]);
    }
    args.extend(more);
    dir.ok(&[&args[..], &["--out", &ours]].concat());
    let sql = dir.ok(&[&args[..], &["--out", &theirs, "--print-sql=duckdb"]].concat());
    let file = format!("{table}.{method}.sql");
    dir.write(&file, sql);
    tables_ok(python, dir, &["run", &file]);
    tables_ok(python, dir, &["compare", &ours, &theirs]);
}

#[test]
fn printed_queries_give_the_numbers_of_the_embedded_engine() {
    let Some(python) = python() else { return };
    let dir = Dir::new();
    tables_ok(&python, &dir, &["draw", "."]);
    for method in NUMBERS {
        agree(&python, &dir, "plain", method, &[]);
        agree(&python, &dir, "deep", method, &[]);
    }
    for table in ["few", "far", "wide"] {
        agree(
            &python,
            &dir,
            table,
            "exp-mae",
            &["--temperature", "3", "--level", "0.8"],
        );
        agree(&python, &dir, table, "median", &[]);
        agree(&python, &dir, table, "inverse-mse-unbiased-shared", &[]);
    }
    for method in ["mean", "median"] {
        agree(&python, &dir, "blind", method, &[]);
    }
    for table in ["words", "figures"] {
        for method in CHOICES {
            agree(&python, &dir, table, method, &["--scale", "choice"]);
        }
    }
    // What compares can fail.
    let other = ["compare", "plain.mean.parquet", "plain.median.parquet"];
    assert_ne!(tables(&python, &dir, &other).code, 0);
}

#[test]
fn queries_are_printed_without_a_server_and_need_known_answers_where_the_method_does() {
    let dir = Dir::new();
    let sql = dir.ok(&[
        "aggregate",
        "main.crowd.votes",
        "--truth",
        "s3://crowd/truth",
        "--method",
        "exp-mae",
        "--print-sql",
        "--out",
        "s3://crowd/labels",
    ]);
    for part in [
        "FROM `main`.`crowd`.`votes`",
        "FROM parquet.`s3://crowd/truth`",
        "INSERT OVERWRITE DIRECTORY 's3://crowd/labels' USING PARQUET",
        "s3://crowd/labels.work/veche_noise",
    ] {
        assert!(sql.contains(part), "\"{part}\" is missing in\n{sql}");
    }
    let print = [
        "aggregate",
        "votes",
        "--print-sql",
        "--out",
        "labels",
        "--method",
    ];
    dir.fails(
        &[&print[..], &["exp-mae"]].concat(),
        &["exp-mae", "known answers"],
    );
    dir.fails(
        &[&print[..], &["hybrid"]].concat(),
        &["not computed on a cluster", "hybrid", "exp-mae"],
    );
    dir.fails(
        &["aggregate", "votes.csv", "--print-sql", "--out", "labels"],
        &["tables and Parquet only", "votes.csv"],
    );
    dir.fails(
        &["aggregate", "a`b", "--print-sql", "--out", "labels"],
        &["cannot be written into a query"],
    );
}

#[cfg(not(feature = "spark"))]
#[test]
fn without_the_client_the_engine_says_how_it_is_built() {
    Dir::new().fails(
        &[
            "aggregate",
            "votes",
            "--engine",
            "spark",
            "--master",
            "sc://127.0.0.1:1",
            "--out",
            "labels",
        ],
        &[
            "without the client of Spark Connect",
            "protobuf-compiler",
            "--features spark",
        ],
    );
}
