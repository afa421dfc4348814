//! The annotator's page and the requester's: plain files inside the binary, and no build step.

use super::state::App;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

/// A file of the page: its address, its content type, its content, its name in the folder.
type File = (&'static str, &'static str, &'static str, &'static str);

macro_rules! files {
    ($($address:literal $kind:literal $name:literal),* $(,)?) => {
        &[$(($address, $kind, include_str!(concat!("page/", $name)), $name)),*]
    };
}

const FILES: &[File] = files![
    "/" "text/html" "index.html",
    // At the root, or a browser would not let it answer for the page.
    "/offline.js" "text/javascript" "offline.js",
    "/assets/page.css" "text/css" "page.css",
    "/assets/page.js" "text/javascript" "page.js",
    "/assets/answers.js" "text/javascript" "answers.js",
    "/assets/dom.js" "text/javascript" "dom.js",
    "/assets/kept.js" "text/javascript" "kept.js",
    "/assets/keys.js" "text/javascript" "keys.js",
    "/assets/pictures.js" "text/javascript" "pictures.js",
    "/assets/screens.js" "text/javascript" "screens.js",
    "/assets/task.js" "text/javascript" "task.js",
    "/assets/wire.js" "text/javascript" "wire.js",
    "/assets/words.js" "text/javascript" "words.js",
    "/assets/work.js" "text/javascript" "work.js",
    "/assets/en.json" "application/json" "en.json",
    "/assets/ru.json" "application/json" "ru.json",
    "/assets/icon.svg" "image/svg+xml" "icon.svg",
    "/requester" "text/html" "dashboard.html",
    "/assets/dashboard.css" "text/css" "dashboard.css",
    "/assets/dashboard.js" "text/javascript" "dashboard.js",
    "/assets/chart.css" "text/css" "../../report/chart/chart.css",
];

/// The routes of all files.
pub(super) fn routes() -> Router<Arc<App>> {
    FILES.iter().fold(Router::new(), |router, &file| {
        let tag = tag(file.2);
        router.route(
            file.0,
            get(move |headers: HeaderMap| async move { answer(file, &tag, &headers) }),
        )
    })
}

/// Name of a content, for a browser that has it.
fn tag(content: &str) -> String {
    format!("\"{}\"", &blake3::hash(content.as_bytes()).to_hex()[..16])
}

/// The file, or that it has not changed. Browsers ask every time, so that no old script meets a new server.
fn answer((_, kind, content, _): File, tag: &str, asked: &HeaderMap) -> Response {
    let known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|t| t.trim().trim_start_matches("W/") == tag)
        });
    let headers = [
        (header::ETAG, tag.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, Bytes::from_static(content.as_bytes())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn content(name: &str) -> &'static str {
        FILES.iter().find(|f| f.0.ends_with(name)).unwrap().2
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/page");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        // The style of the report's charts lies with them.
        let own = FILES.iter().filter(|f| !f.3.starts_with(".."));
        let served: BTreeSet<String> = own.map(|f| f.3.to_owned()).collect();
        assert_eq!(there, served);
    }

    #[test]
    fn what_pages_and_scripts_refer_to_is_served() {
        for &(address, _, text, _) in FILES {
            let names = text.split(['"', '\'']).filter_map(|part| {
                part.strip_prefix("./")
                    .map(|name| format!("/assets/{name}"))
                    .or_else(|| {
                        (part.starts_with("/assets/") && part.contains('.'))
                            .then(|| part.to_owned())
                    })
            });
            for name in names {
                assert!(
                    FILES.iter().any(|f| f.0 == name),
                    "{address} refers to {name}"
                );
            }
        }
    }

    #[test]
    fn pages_have_no_script_and_no_style_of_their_own() {
        for name in ["/", "/requester"] {
            let page = FILES.iter().find(|f| f.0 == name).unwrap().2;
            assert!(
                !page.contains("<style") && !page.contains("style=") && !page.contains("onclick")
            );
            for script in page.split("<script").skip(1) {
                assert!(
                    script.starts_with(" type=\"module\" src=") && script.contains("></script>")
                );
            }
        }
        for &(address, kind, text, _) in FILES {
            assert!(
                kind != "text/javascript" || !text.contains("innerHTML"),
                "{address}"
            );
        }
    }

    #[test]
    fn every_message_is_there_in_both_languages_with_all_its_forms() {
        let read = |name: &str| serde_json::from_str::<Value>(content(name)).unwrap();
        let (en, ru) = (read("en.json"), read("ru.json"));
        let keys = |v: &Value| {
            v.as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(keys(&en), keys(&ru));
        assert_eq!(keys(&en["units"]), keys(&ru["units"]));
        for (key, message) in ru.as_object().unwrap() {
            let Some(forms) = message
                .as_object()
                .filter(|_| !["units", "known"].contains(&key.as_str()))
            else {
                continue;
            };
            let forms: BTreeSet<&str> = forms.keys().map(String::as_str).collect();
            assert_eq!(
                forms,
                BTreeSet::from(["one", "few", "many", "other"]),
                "{key}"
            );
            assert!(
                en[key]["one"].is_string() && en[key]["other"].is_string(),
                "{key}"
            );
        }
    }

    #[test]
    fn a_browser_that_has_a_file_is_not_sent_it_again() {
        let file = FILES[0];
        let tag = tag(file.2);
        let mut asked = HeaderMap::new();
        assert_eq!(answer(file, &tag, &asked).status(), StatusCode::OK);
        asked.insert(
            header::IF_NONE_MATCH,
            format!("\"other\", W/{tag}").parse().unwrap(),
        );
        assert_eq!(
            answer(file, &tag, &asked).status(),
            StatusCode::NOT_MODIFIED
        );
        asked.insert(header::IF_NONE_MATCH, "\"other\"".parse().unwrap());
        assert_eq!(answer(file, &tag, &asked).status(), StatusCode::OK);
    }
}
