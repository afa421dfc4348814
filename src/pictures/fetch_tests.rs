//! Fetching from a server of a few lines on a free port of this machine.

use super::*;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Serves every connection with `answer(path, how many times this server was asked before)`, on its own thread.
fn server(answer: fn(&mut TcpStream, &str, usize)) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else {
                    return;
                };
                // To the empty line, or closing early would reset the connection.
                let _ = lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
                let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
                answer(&mut stream, &path, count.fetch_add(1, Ordering::SeqCst));
            });
        }
    });
    (root, asked)
}

fn reply(stream: &mut TcpStream, status: &str, extra: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{extra}\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

fn gif() -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend([0; 200]);
    bytes
}

fn quick() -> FetchSpec {
    FetchSpec {
        backoff: Duration::from_millis(1),
        timeout: Duration::from_secs(20),
        attempts: 3,
        ..FetchSpec::default()
    }
}

/// All results in order. A proxy of the surroundings must not stand before this machine's own server.
fn fetched(urls: &[String], spec: &FetchSpec) -> Vec<Result<Vec<u8>, FetchFault>> {
    let client = client(spec).no_proxy().build().unwrap();
    let mut results = vec![None; urls.len()];
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(run(client, urls, spec, |at, result| {
            assert!(results[at].replace(result).is_none(), "each index once");
        }));
    results.into_iter().map(Option::unwrap).collect()
}

fn one(url: String, spec: &FetchSpec) -> Result<Vec<u8>, FetchFault> {
    fetched(&[url], spec).remove(0)
}

#[test]
fn a_picture_comes_whole_and_each_result_belongs_to_its_address() {
    let (root, asked) = server(|stream, path, _| {
        let mut body = gif();
        body.extend(path.as_bytes());
        reply(stream, "200 OK", "", &body);
    });
    let urls: Vec<String> = (0..50).map(|i| format!("{root}/{i}.jpg")).collect();
    let results = fetched(&urls, &quick());
    for (i, result) in results.into_iter().enumerate() {
        let bytes = result.unwrap();
        assert!(bytes.ends_with(format!("/{i}.jpg").as_bytes()));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 50);
}

#[test]
fn a_passing_failure_is_tried_again() {
    let (root, asked) = server(|stream, _, before| match before {
        0 => reply(stream, "500 Oops", "", b""),
        1 => reply(stream, "429 Slow down", "Retry-After: 0\r\n", b""),
        _ => reply(stream, "200 OK", "", &gif()),
    });
    assert_eq!(one(format!("{root}/a"), &quick()), Ok(gif()));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_lasting_failure_names_its_status_and_how_often_it_was_tried() {
    let (root, asked) = server(|stream, _, _| reply(stream, "503 Busy", "", b""));
    let fault = one(format!("{root}/a"), &quick()).unwrap_err();
    assert_eq!(
        fault,
        FetchFault::Status {
            status: 503,
            attempts: 3
        }
    );
    assert_eq!(fault.to_string(), "the server answered 503, 3 times");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_missing_page_is_not_asked_for_twice() {
    let (root, asked) = server(|stream, _, _| reply(stream, "404 Not Found", "", b"<html>"));
    assert_eq!(
        one(format!("{root}/a"), &quick()),
        Err(FetchFault::Status {
            status: 404,
            attempts: 1
        })
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_slow_body_is_given_up() {
    // Headers at once, half of the body, then silence until the client hangs up.
    let (root, _) = server(|stream, _, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 206\r\n\r\nGIF89a");
        let _ = stream.read(&mut [0; 1]);
    });
    let spec = FetchSpec {
        timeout: Duration::from_millis(150),
        attempts: 2,
        ..quick()
    };
    assert_eq!(
        one(format!("{root}/a"), &spec),
        Err(FetchFault::Timeout {
            after: spec.timeout,
            attempts: 2
        })
    );
}

#[test]
fn a_connection_that_breaks_half_way_is_tried_again() {
    let (root, _) = server(|stream, _, before| {
        if before == 0 {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 206\r\n\r\nGIF89a");
        } else {
            reply(stream, "200 OK", "", &gif());
        }
    });
    assert_eq!(one(format!("{root}/a"), &quick()), Ok(gif()));
}

#[test]
fn a_file_too_large_is_refused_by_its_header_or_while_reading() {
    let (root, _) = server(|stream, path, _| {
        if path == "/honest" {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n");
            let _ = stream.read(&mut [0; 1]);
        } else {
            // No length: an endless body, which ends only because the client hangs up.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nGIF89a");
            while stream.write_all(&[0; 4096]).is_ok() {}
        }
    });
    let spec = FetchSpec {
        max_bytes: 100_000,
        ..quick()
    };
    for path in ["honest", "endless"] {
        assert_eq!(
            one(format!("{root}/{path}"), &spec),
            Err(FetchFault::TooLarge { limit: 100_000 })
        );
    }
    let exact = FetchSpec {
        max_bytes: gif().len(),
        ..quick()
    };
    let (root, _) = server(|stream, _, _| reply(stream, "200 OK", "", &gif()));
    assert!(one(format!("{root}/a"), &exact).is_ok());
}

#[test]
fn a_page_instead_of_a_picture_is_a_fault() {
    let (root, _) = server(|stream, _, _| {
        reply(
            stream,
            "200 OK",
            "Content-Type: text/html\r\n",
            b"<!doctype html><title>Sign in",
        );
    });
    assert_eq!(
        one(format!("{root}/a.jpg"), &quick())
            .unwrap_err()
            .to_string(),
        "the server sent no picture: this is not a picture (a web page) (content type text/html)"
    );
}

#[test]
fn redirects_are_followed_a_few_times() {
    let (root, _) = server(|stream, path, _| {
        let n: u32 = path[1..].parse().unwrap();
        if n == 0 {
            reply(stream, "200 OK", "", &gif());
        } else {
            reply(
                stream,
                "302 Found",
                &format!("Location: /{}\r\n", n - 1),
                b"",
            );
        }
    });
    assert_eq!(one(format!("{root}/5"), &quick()), Ok(gif()));
    assert_eq!(
        one(format!("{root}/6"), &quick()),
        Err(FetchFault::Redirects { limit: 5 })
    );
}

#[test]
fn what_is_no_address_or_leads_nowhere_is_said_so() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}/a", listener.local_addr().unwrap());
    drop(listener);
    let urls = [
        "photo.jpg".to_owned(),
        "ftp://example.org/a.jpg".to_owned(),
        nowhere,
    ];
    let results = fetched(&urls, &quick());
    assert_eq!(results[0], Err(FetchFault::BadUrl));
    assert_eq!(results[1], Err(FetchFault::BadUrl));
    assert!(matches!(
        results[2],
        Err(FetchFault::Connection { attempts: 3, .. })
    ));
}

#[test]
fn no_more_than_the_allowed_number_are_asked_at_once() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let (root, _) = server(|stream, _, _| {
        let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
        MOST.fetch_max(now, Ordering::SeqCst);
        thread::yield_now();
        // Before the answer, or the client could start the next one while this one still counts.
        NOW.fetch_sub(1, Ordering::SeqCst);
        reply(stream, "200 OK", "", &gif());
    });
    let urls: Vec<String> = (0..40).map(|i| format!("{root}/{i}")).collect();
    let spec = FetchSpec {
        concurrency: 4,
        ..quick()
    };
    assert!(fetched(&urls, &spec).iter().all(Result::is_ok));
    assert!((1..=4).contains(&MOST.load(Ordering::SeqCst)));
}
