//! `s3://` in place of files, against moto's server, which speaks Amazon's protocol.

use crate::support::{Dir, ran, skipped};
use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A store of its own, gone with the test.
struct Store {
    server: Child,
    address: String,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Store {
    fn start() -> Option<Self> {
        let Some(python) = env::var_os("VECHE_TEST_FORMATS_PYTHON") else {
            skipped(
                "VECHE_TEST_FORMATS_PYTHON names no Python with tests/formats-requirements.txt",
            );
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/tools.py");
        let mut server = Command::new(python)
            .arg(script)
            .arg("s3")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        let address = serde_json::from_str(&said).unwrap();
        Some(Self { server, address })
    }

    /// The program with the rights to this store.
    fn veche(&self, dir: &Dir, args: &[&str]) -> Command {
        let mut command = dir.command(args);
        command
            .env("AWS_ENDPOINT", &self.address)
            .env("AWS_ACCESS_KEY_ID", "id")
            .env("AWS_SECRET_ACCESS_KEY", "secret-key-of-the-test")
            .env("AWS_REGION", "us-east-1");
        command
    }

    /// A plain request, past the program.
    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let client = reqwest::Client::new();
            let url = format!("{}/{path}", self.address);
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let answer = client
                .request(method, url)
                .body(body.to_owned())
                .send()
                .await
                .unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }
}

const VOTES: &str = "annotator,item,answer\nann,x,30\nbob,x,40\nann,y,7\n";

#[test]
fn tables_come_from_an_object_store_and_results_go_there() {
    let Some(store) = Store::start() else { return };
    let dir = Dir::new();
    assert_eq!(store.request("PUT", "bucket", "").0, 200);
    assert_eq!(store.request("PUT", "bucket/votes/1.csv", VOTES).0, 200);
    assert_eq!(
        store
            .request(
                "PUT",
                "bucket/votes/2.csv",
                "annotator,item,answer\nbob,y,9\n"
            )
            .0,
        200
    );
    assert_eq!(
        store
            .request(
                "PUT",
                "bucket/votes/more/3.csv",
                "annotator,item,answer\nbob,z,9\n"
            )
            .0,
        200
    );
    let aggregate = |from: &str, to: &str| {
        ran(store
            .veche(&dir, &["aggregate", from, "--method", "mean", "--out", to])
            .output()
            .unwrap())
    };
    // One object, a pattern and a prefix; the local file is the reference.
    dir.write("votes/1.csv", VOTES);
    dir.write("votes/2.csv", "annotator,item,answer\nbob,y,9\n");
    for (from, near) in [
        ("s3://bucket/votes/1.csv", "votes/1.csv"),
        ("s3://bucket/votes/*.csv", "votes/*.csv"),
        ("s3://bucket/votes/", "votes"),
    ] {
        let done = aggregate(from, "s3://bucket/out/labels.csv");
        assert_eq!(done.code, 0, "{from}: {}{}", done.out, done.err);
        assert!(
            done.err.contains("stored s3://bucket/out/labels.csv"),
            "{}",
            done.err
        );
        dir.ok(&["aggregate", near, "--method", "mean", "--out", "labels.csv"]);
        assert_eq!(
            store.request("GET", "bucket/out/labels.csv", "").1,
            dir.read("labels.csv"),
            "{from}"
        );
        // The provenance names the addresses and not what lay on this machine's disk meanwhile.
        let (code, origin) = store.request("GET", "bucket/out/labels.csv.provenance.json", "");
        assert_eq!(code, 200);
        assert!(origin.contains("\"s3://bucket/votes/1.csv\""), "{origin}");
        assert!(!origin.contains("secret-key-of-the-test"));
    }
    // A large file goes in pieces.
    let mut many = "annotator,item,answer\n".to_owned();
    for i in 0..700_000 {
        many += &format!("ann,item{i},3{}\n", i % 10);
    }
    dir.write("many.csv", &many);
    let done = aggregate("many.csv", "s3://bucket/out/many.csv");
    assert_eq!(done.code, 0, "{}", done.err);
    let stored = store.request("GET", "bucket/out/many.csv", "").1;
    assert!(stored.len() > 10 << 20, "{}", stored.len());
    assert_eq!(stored.lines().count(), 700_001);
}

#[test]
fn what_an_object_store_does_not_have_or_allow_is_said_and_nothing_is_stored() {
    let Some(store) = Store::start() else { return };
    let dir = Dir::new();
    assert_eq!(store.request("PUT", "bucket", "").0, 200);
    assert_eq!(
        store
            .request(
                "PUT",
                "bucket/bad.csv",
                "annotator,item,answer\nann,x,\u{221e}\nann,y,3\n"
            )
            .0,
        200
    );
    let fails = |args: &[&str], words: &[&str]| {
        let done = ran(store.veche(&dir, args).output().unwrap());
        assert_eq!(done.code, 1, "{args:?}: {}{}", done.out, done.err);
        for word in words {
            assert!(
                done.err.contains(word),
                "{args:?}: \"{word}\" is missing in\n{}",
                done.err
            );
        }
        assert!(!done.err.contains("secret-key-of-the-test"), "{}", done.err);
    };
    fails(
        &["score", "s3://bucket/no.csv"],
        &["no such object", "s3://bucket/no.csv", "help:"],
    );
    fails(
        &["score", "s3://nowhere/no.csv"],
        &["no such object or bucket"],
    );
    fails(
        &["score", "s3://bucket/no/*.csv"],
        &["no object is there or matches"],
    );
    fails(
        &["score", "s3://bucket"],
        &["is not an address", "s3://bucket/votes"],
    );
    // Errors in a table name its address.
    fails(
        &[
            "aggregate",
            "s3://bucket/bad.csv",
            "--scale",
            "number",
            "--out",
            "s3://bucket/labels.csv",
        ],
        &["s3://bucket/bad.csv, row 2", "not a number"],
    );
    assert_eq!(store.request("GET", "bucket/labels.csv", "").0, 404);
}
