//! Pictures given by address, from a small web server in the test itself.

use crate::support::Dir;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Serves what it is given at `/files/NAME`; `/moved/NAME` points there; `/page` is a web page; all else is 404.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (files, count) = (Arc::new(files), Arc::clone(&requests));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, count) = (Arc::clone(&files), Arc::clone(&count));
                std::thread::spawn(move || answer(stream, &files, &count));
            }
        });
        Self { address, requests }
    }
}

fn answer(stream: TcpStream, files: &BTreeMap<String, Vec<u8>>, count: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        line.clear();
    }
    count.fetch_add(1, Ordering::SeqCst);
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, header, body): (_, String, &[u8]) =
        if let Some(name) = path.strip_prefix("/moved/") {
            ("302 Found", format!("Location: /files/{name}\r\n"), b"")
        } else if path == "/page" {
            (
                "200 OK",
                String::new(),
                b"<!DOCTYPE html><title>Log in</title>",
            )
        } else {
            match path
                .strip_prefix("/files/")
                .and_then(|name| files.get(name))
            {
                Some(bytes) => (
                    "200 OK",
                    "Content-Type: image/jpeg\r\n".into(),
                    bytes.as_slice(),
                ),
                None => ("404 Not Found", String::new(), b"no such thing"),
            }
        };
    let mut stream = reader.into_inner();
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
}

/// A campaign on files, and its photos on a server.
fn served() -> (Dir, Server) {
    let dir = Dir::new();
    dir.campaign(8, 6);
    let files = fs::read_dir(dir.join("c/photos"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .map(|p| {
            (
                p.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&p).unwrap(),
            )
        })
        .collect();
    (dir, Server::start(files))
}

/// The same campaign with addresses in place of paths. Ids stay, so the tasks' names do.
fn by_address(dir: &Dir, server: &Server) {
    let base = format!("http://{}/files/", server.address);
    for table in ["c/items.csv", "c/controls.csv"] {
        dir.edit(table, "photos/", &base);
    }
    let controls = dir.read("c/controls.csv");
    let with_ids: String = controls
        .lines()
        .enumerate()
        .map(|(i, l)| {
            if i == 0 {
                format!("{l},id\n")
            } else {
                format!("{l},photos/k{}.jpg\n", i - 1)
            }
        })
        .collect();
    dir.write("c/controls.csv", with_ids);
    dir.edit(
        "c/campaign.toml",
        "source = \"items.csv\"\npath = ",
        "source = \"items.csv\"\nurl = ",
    );
    dir.edit(
        "c/campaign.toml",
        "source = \"controls.csv\"\npath = \"file\"",
        "source = \"controls.csv\"\nurl = \"file\"\nid = \"id\"",
    );
}

#[test]
fn pictures_by_address_make_the_same_pool_as_from_files() {
    let (dir, server) = served();
    dir.ok(&["pool", "build", "c"]);
    let shown = |dir: &Dir| -> BTreeMap<_, _> {
        let files = fs::read_dir(dir.join("c/pool/shown"))
            .unwrap()
            .map(|e| e.unwrap().path());
        files.map(|p| (p.clone(), fs::read(p).unwrap())).collect()
    };
    let from_files = shown(&dir);
    by_address(&dir, &server);
    // One of them has moved.
    dir.edit("c/items.csv", "/files/i3.jpg", "/moved/i3.jpg");
    let summary = dir.json(&["pool", "build", "c", "--json"]);
    assert_eq!(
        (&summary["items"], &summary["controls"]),
        (&8.into(), &6.into())
    );
    assert_eq!(server.requests.load(Ordering::SeqCst), 8 + 6 + 1);
    assert!(
        shown(&dir) == from_files,
        "pictures by address differ from those by path"
    );
    // Where a picture came from stays on the requester's side.
    let upload = |dir: &Dir| {
        dir.ok(&[
            "pool",
            "export",
            "c",
            "--format",
            "toloka-tsv",
            "--out",
            "upload.tsv",
        ]);
        dir.read("upload.tsv")
    };
    assert!(!upload(&dir).contains("127.0.0.1"));
    dir.ok(&["simulate", "c", "--annotators", "40"]);
    dir.ok(&["report", "c"]);
}

#[test]
fn an_address_that_gives_no_picture_is_named_or_left_out_and_counted() {
    let (dir, server) = served();
    by_address(&dir, &server);
    let good = dir.read("c/items.csv");
    let address = server.address.to_string();
    for (to, words) in [
        (
            format!("http://{address}/files/none.jpg"),
            &["404", "c/items.csv, row 4", "none.jpg\""][..],
        ),
        (
            format!("http://{address}/page"),
            &["web page", "row 4", "/page\""],
        ),
        (
            "ftp://example.org/i2.jpg".to_owned(),
            &["http:// or https://", "row 4", "found: \"ftp:"],
        ),
        (
            "photos/i2.jpg".to_owned(),
            &["http:// or https://", "row 4", "found: \"photos/i2.jpg\""],
        ),
        // Nobody listens on port 1.
        (
            "http://127.0.0.1:1/i2.jpg".to_owned(),
            &["row 4", "127.0.0.1:1"],
        ),
    ] {
        dir.write(
            "c/items.csv",
            good.replace(&format!("http://{address}/files/i2.jpg"), &to),
        );
        let before = dir.snapshot();
        let message = dir.fails(&["pool", "build", "c"], words);
        assert!(message.contains("help: "), "{message}");
        assert_eq!(dir.snapshot(), before);
    }
    dir.write(
        "c/items.csv",
        good.replace("/files/i2.jpg", "/files/none.jpg"),
    );
    let summary = dir.json(&["pool", "build", "c", "--skip-bad-rows", "--json"]);
    assert_eq!(
        (&summary["items"], &summary["skipped"][0]["rows"]),
        (&7.into(), &1.into())
    );
}
