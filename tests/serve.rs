//! The annotation server from outside: an annotator's life over HTTP, and the requester's side.

use crate::server::{Client, Server, answers, campaign, runtime};
use crate::support::skipped;
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn an_annotators_life_over_http_ends_in_labels() {
    let dir = campaign(20, 12, 3, 5);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let url = &server.url;
        let (status, told) = Client::new(url, "")
            .get("/api/annotator/campaign")
            .await
            .unwrap();
        assert_eq!((status, told["suite"].as_u64()), (200, Some(4)));
        for _ in 0..3 {
            let client = Client::sign_up(url).await;
            let mut n = 0;
            loop {
                let next = client.ok("/api/annotator/next", &json!({})).await;
                if next["suite"].is_null() {
                    assert_eq!(next["reason"], "done");
                    break;
                }
                let suite = &next["suite"];
                // Asked again, it is the same suite.
                assert_eq!(
                    client.ok("/api/annotator/next", &json!({})).await["suite"]["assignment"],
                    suite["assignment"]
                );
                for task in suite["tasks"].as_array().unwrap() {
                    let address = task["picture"].as_str().unwrap();
                    let picture = client
                        .http
                        .get(format!("{url}{address}"))
                        .send()
                        .await
                        .unwrap();
                    assert_eq!(picture.headers()["content-type"], "image/jpeg");
                    assert!(picture.bytes().await.unwrap().starts_with(&[0xff, 0xd8]));
                    // Nothing but the picture's address.
                    assert_eq!(task.as_object().unwrap().len(), 1, "{task}");
                }
                let wrong =
                    json!({ "assignment": suite["assignment"], "token": "t", "answers": [] });
                let (status, problem) = client.post("/api/annotator/submit", &wrong).await.unwrap();
                assert_eq!(
                    (status, problem["code"].as_str()),
                    (400, Some("VALIDATION_ERROR"))
                );
                let body = answers(suite, &format!("token {n}"), 30 + n);
                assert_eq!(
                    client.ok("/api/annotator/submit", &body).await["repeated"],
                    false
                );
                assert_eq!(
                    client.ok("/api/annotator/submit", &body).await["repeated"],
                    true
                );
                n += 1;
            }
            assert!(n >= 3, "{n} suites for 20 items");
        }
        let late = Client::sign_up(url).await;
        assert_eq!(
            late.ok("/api/annotator/next", &json!({})).await["reason"],
            "done"
        );
    });
    server.end();
    // The server wrote the votes when it ended; taken again they are the same.
    let collected: Value =
        serde_json::from_str(&dir.ok(&["votes", "collect", "c", "--json"])).unwrap();
    assert_eq!(collected["annotators"], 3);
    dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
    assert_eq!(dir.read("labels.csv").lines().count(), 21);
}

#[test]
fn strangers_learn_nothing_and_every_refusal_is_json() {
    let dir = campaign(8, 12, 2, 0);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let stranger = Client::new(&server.url, "");
        for (path, status, code) in [
            ("/api/annotator/me", 401, "AUTHENTICATION_ERROR"),
            ("/api/requester/overview", 401, "AUTHENTICATION_ERROR"),
            ("/api/requester/export.csv", 401, "AUTHENTICATION_ERROR"),
            ("/api/annotator/submit", 405, "METHOD_NOT_ALLOWED"),
            ("/api/nothing", 404, "DOES_NOT_EXIST"),
            ("/picture/..%2f..%2fcampaign.toml", 404, "DOES_NOT_EXIST"),
            (
                "/picture/0000000001--000000000000000000000000-0-000000000000000000000000",
                404,
                "DOES_NOT_EXIST",
            ),
        ] {
            let (got, body) = stranger.get(path).await.unwrap();
            assert_eq!(
                (got, body["code"].as_str()),
                (status, Some(code)),
                "{path}: {body}"
            );
        }
        let client = Client::sign_up(&server.url).await;
        let post = client
            .http
            .post(format!("{}/api/annotator/next", server.url));
        let plain = post
            .header("authorization", &client.authorization)
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(
            plain.status(),
            200,
            "next takes no body, so its type does not matter"
        );
        let (status, body) = client
            .post("/api/annotator/submit", &json!("x".repeat(2_000_000)))
            .await
            .unwrap();
        assert_eq!(
            (status, body["code"].as_str()),
            (413, Some("PAYLOAD_TOO_LARGE")),
            "{body}"
        );
        // The server closes a connection on which an unread body is under way: the next request takes a new one.
        let client = Client::new(&server.url, &client.authorization);
        // The cookie alone is not enough for a change.
        let token = client.authorization.strip_prefix("Bearer ").unwrap();
        let request = client
            .http
            .post(format!("{}/api/annotator/next", server.url));
        let forged = request
            .header("cookie", format!("veche={token}"))
            .send()
            .await
            .unwrap();
        assert_eq!(forged.status(), 403);
        let own = client
            .http
            .post(format!("{}/api/annotator/next", server.url));
        let own = own
            .header("cookie", format!("veche={token}"))
            .header("x-veche", "1")
            .send()
            .await
            .unwrap();
        assert_eq!(own.status(), 200);
        // Headers that browsers obey.
        assert!(
            own.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'self'")
        );
        assert_eq!(own.headers()["x-content-type-options"], "nosniff");
    });
}

#[test]
fn a_requester_sees_bans_and_lifts() {
    let dir = campaign(20, 12, 3, 5);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let client = Client::sign_up(&server.url).await;
        let (_, me) = client.get("/api/annotator/me").await.unwrap();
        let next = client.ok("/api/annotator/next", &json!({})).await;
        client
            .ok("/api/annotator/submit", &answers(&next["suite"], "1", 33))
            .await;
        let requester = Client::new(&server.url, "ApiKey a key of tests");
        let (_, overview) = requester.get("/api/requester/overview").await.unwrap();
        assert_eq!(overview["votes"], 3, "{overview}");
        assert_eq!(
            (overview["wanted"].as_i64(), overview["banned"].as_i64()),
            (Some(60), Some(0))
        );
        requester
            .ok(
                "/api/requester/ban",
                &json!({ "annotator": me["annotator"], "comment": "a test" }),
            )
            .await;
        assert_eq!(
            client.ok("/api/annotator/next", &json!({})).await["reason"],
            "ended"
        );
        let (_, overview) = requester.get("/api/requester/overview").await.unwrap();
        // The votes are asked of others.
        assert_eq!(
            (overview["votes"].as_i64(), overview["banned"].as_i64()),
            (Some(0), Some(1)),
            "{overview}"
        );
        let (_, list) = requester.get("/api/requester/annotators").await.unwrap();
        assert_eq!(list["annotators"][0]["ban"]["comment"], "a test");
        requester
            .ok(
                "/api/requester/lift",
                &json!({ "annotator": me["annotator"] }),
            )
            .await;
        assert!(client.ok("/api/annotator/next", &json!({})).await["suite"].is_object());
        let invited = requester
            .ok("/api/requester/invite", &json!({ "uses": 1 }))
            .await;
        let body = json!({ "invitation": invited["invitation"] });
        let stranger = Client::new(&server.url, "");
        stranger.ok("/api/annotator/sign-up", &body).await;
        let (status, used) = stranger
            .post("/api/annotator/sign-up", &body)
            .await
            .unwrap();
        assert_eq!(
            (status, used["code"].as_str()),
            (409, Some("INVITATION_USED"))
        );
        // The password opens, another does not.
        let (status, _) = stranger
            .post("/api/requester/login", &json!({ "password": "x" }))
            .await
            .unwrap();
        assert_eq!(status, 403);
        let right = json!({ "password": "a password of tests" }).to_string();
        let login = stranger
            .http
            .post(format!("{}/api/requester/login", server.url));
        let login = login
            .header("content-type", "application/json")
            .body(right)
            .send()
            .await
            .unwrap();
        let cookie = login.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let seen = stranger
            .http
            .get(format!("{}/api/requester/controls", server.url));
        assert_eq!(
            seen.header("cookie", cookie).send().await.unwrap().status(),
            200
        );
    });
}

#[test]
fn a_requester_writes_to_annotators_takes_results_home_and_erases_personal_data() {
    // Three annotators meet each of twelve controls once.
    let dir = campaign(40, 12, 3, 0);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let url = &server.url;
        let requester = Client::new(url, "ApiKey a key of tests");
        let (_, empty) = requester.get("/api/requester/quality").await.unwrap();
        assert_eq!(empty["questions"], json!([]));
        let (status, none) = requester.get("/api/requester/labels.csv").await.unwrap();
        assert_eq!(
            (status, none["code"].as_str()),
            (404, Some("DOES_NOT_EXIST"))
        );

        let mut people = Vec::new();
        for who in 0..3 {
            let client = Client::sign_up(url).await;
            for n in 0..12 {
                let next = client.ok("/api/annotator/next", &json!({})).await;
                assert_eq!(next["messages"], false);
                client
                    .ok(
                        "/api/annotator/submit",
                        &answers(&next["suite"], &n.to_string(), 20 + 9 * who + n),
                    )
                    .await;
            }
            let (_, me) = client.get("/api/annotator/me").await.unwrap();
            people.push((client, me["annotator"].as_str().unwrap().to_owned()));
        }
        let (client, name) = &people[0];
        let body = json!({ "annotator": name, "text": "Thank you!" });
        requester.ok("/api/requester/message", &body).await;
        assert_eq!(
            client.ok("/api/annotator/next", &json!({})).await["messages"],
            true
        );
        assert_eq!(
            people[1].0.ok("/api/annotator/next", &json!({})).await["messages"],
            false
        );
        let (_, list) = client.get("/api/annotator/messages").await.unwrap();
        assert_eq!(
            (&list["messages"][0]["text"], &list["messages"][0]["seen"]),
            (&json!("Thank you!"), &json!(false))
        );
        client
            .ok(
                "/api/annotator/messages/seen",
                &json!({ "up_to": list["messages"][0]["id"] }),
            )
            .await;
        assert_eq!(
            client.ok("/api/annotator/next", &json!({})).await["messages"],
            false
        );

        let (_, quality) = requester.get("/api/requester/quality").await.unwrap();
        let age = &quality["questions"][0];
        assert_eq!(
            (age["question"].as_str(), age["measure"].as_str()),
            (Some("age"), Some("mean error")),
            "{quality}"
        );
        assert!(
            age["rows"]
                .as_array()
                .unwrap()
                .iter()
                .any(|r| r["method"] == "exp-mae" && r["value"].is_number())
        );
        assert!(age["chart"].as_str().unwrap().starts_with("<svg"));
        let (_, controls) = requester.get("/api/requester/controls").await.unwrap();
        let hardest = &controls["controls"][0];
        assert!(
            hardest["chart"].as_str().unwrap().starts_with("<svg"),
            "{controls}"
        );
        assert_eq!(hardest["facts"][0]["name"], "truth");
        for (file, start) in [
            ("labels.csv", "item,"),
            ("export.csv", "annotator,"),
            ("report.html", "<!doctype html>"),
        ] {
            let (status, text) = requester
                .get(&format!("/api/requester/{file}"))
                .await
                .unwrap();
            let text = text.as_str().unwrap_or_default().trim_start();
            assert!(
                status == 200 && text.to_lowercase().starts_with(start),
                "{file}: {status} {}",
                &text[..text.len().min(300)]
            );
        }

        let (_, stored) = requester
            .get(&format!("/api/requester/annotators/{name}"))
            .await
            .unwrap();
        assert_eq!(stored["profile"]["birth_year"], 1990, "{stored}");
        requester
            .ok("/api/requester/erase", &json!({ "annotator": name }))
            .await;
        assert_eq!(client.get("/api/annotator/me").await.unwrap().0, 401);
        let (_, stored) = requester
            .get(&format!("/api/requester/annotators/{name}"))
            .await
            .unwrap();
        assert_eq!(
            (&stored["profile"], &stored["messages"]),
            (&Value::Null, &json!([]))
        );
        assert_eq!(
            stored["answers"].as_array().unwrap().len(),
            48,
            "votes stay"
        );

        let (_, log) = requester.get("/api/requester/log").await.unwrap();
        let what: Vec<&str> = log["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["what"].as_str().unwrap())
            .collect();
        for kind in [
            "erased",
            "erasure by the requester",
            "personal data shown",
            "export",
            "message sent",
            "consented",
            "signed up",
        ] {
            assert!(what.contains(&kind), "{kind} is not in {what:?}");
        }
        assert!(
            !log.to_string().contains("Thank you") && !log.to_string().contains("birth_year"),
            "{log}"
        );
        // What PostgreSQL could not store is refused on both.
        let (status, refused) = requester
            .post(
                "/api/requester/message",
                &json!({ "annotator": name, "text": "a\0b" }),
            )
            .await
            .unwrap();
        assert_eq!(
            (status, refused["code"].as_str()),
            (400, Some("VALIDATION_ERROR"))
        );
    });
}

#[test]
fn the_dashboard_is_told_of_changes_as_they_happen() {
    let dir = campaign(20, 12, 3, 0);
    let server = Server::start(&dir, &[]);
    runtime().block_on(async {
        let client = Client::sign_up(&server.url).await;
        let live = client
            .http
            .get(format!("{}/api/requester/live", server.url));
        let mut live = live
            .header("authorization", "ApiKey a key of tests")
            .send()
            .await
            .unwrap();
        assert_eq!(live.headers()["content-type"], "text/event-stream");
        let mut heard = String::new();
        let mut submitted = false;
        while !heard.contains("\"votes\":3,") {
            heard += &String::from_utf8_lossy(&live.chunk().await.unwrap().unwrap());
            if heard.contains("event: overview") && !submitted {
                let next = client.ok("/api/annotator/next", &json!({})).await;
                client
                    .ok("/api/annotator/submit", &answers(&next["suite"], "1", 33))
                    .await;
                submitted = true;
            }
        }
    });
}

#[test]
fn settings_come_from_flags_then_the_environment_then_the_file() {
    let dir = campaign(8, 12, 2, 0);
    let text = dir.read("c/campaign.toml");
    let end = "listen = \"127.0.0.1:0\"\nopen_signup = true\ndatabase = \"sqlite://elsewhere.db?mode=rwc\"\n";
    dir.write("c/campaign.toml", format!("{text}{end}"));
    let server = Server::run(&dir, &[]);
    runtime().block_on(async { Client::sign_up(&server.url).await });
    assert!(dir.join("elsewhere.db").is_file() && !dir.join("c/served.db").exists());
    drop(server);
    // The environment comes before the file: nothing can listen there.
    let mut command = dir.command(&["serve", "c"]);
    let said = crate::support::ran(command.env("VECHE_LISTEN", "192.0.2.1:1").output().unwrap());
    assert!(
        said.code == 1 && said.err.contains("192.0.2.1:1"),
        "{}",
        said.err
    );
    dir.write(
        "c/campaign.toml",
        format!("{text}tls_cert = \"cert.pem\"\n"),
    );
    dir.fails(&["serve", "c"], &["serve.tls_key", "belong together"]);
}

#[test]
fn with_a_certificate_the_server_speaks_https_and_says_so() {
    let dir = campaign(8, 12, 2, 0);
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir.path())
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return skipped("there is no openssl to make a certificate with");
    }
    let server = Server::start(&dir, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    runtime().block_on(async {
        let http = reqwest::Client::builder()
            .danger_accept_invalid_certs(true)
            .build()
            .unwrap();
        let answer = http
            .post(format!("{}/api/annotator/sign-up", server.url))
            .header("content-type", "application/json");
        let answer = answer.body("{}").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(
            answer.headers()["set-cookie"]
                .to_str()
                .unwrap()
                .contains("; Secure")
        );
        assert!(answer.headers().contains_key("strict-transport-security"));
    });
    server.end();
}
