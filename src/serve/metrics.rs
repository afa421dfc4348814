//! Health, and counters in the text form that Prometheus reads.

use super::state::App;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Upper edges of the histogram of answer times, seconds.
const EDGES: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// What is counted since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    by_class: [AtomicU64; 5],
    times: [AtomicU64; EDGES.len() + 1],
    microseconds: AtomicU64,
    suites_given: AtomicU64,
    suites_taken: AtomicU64,
    bans: AtomicU64,
}

impl Metrics {
    /// An answered request.
    pub(super) fn count(&self, status: StatusCode, time: Duration) {
        let class = (status.as_u16() / 100).clamp(1, 5) as usize - 1;
        self.by_class[class].fetch_add(1, Relaxed);
        let seconds = time.as_secs_f64();
        let at = EDGES
            .iter()
            .position(|edge| seconds <= *edge)
            .unwrap_or(EDGES.len());
        self.times[at].fetch_add(1, Relaxed);
        self.microseconds
            .fetch_add(time.as_micros() as u64, Relaxed);
    }

    pub(super) fn gave_suite(&self) {
        self.suites_given.fetch_add(1, Relaxed);
    }

    pub(super) fn took_suite(&self, banned: bool) {
        self.suites_taken.fetch_add(1, Relaxed);
        self.bans.fetch_add(u64::from(banned), Relaxed);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: std::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{line}");
        };
        line(format_args!("# TYPE veche_requests_total counter"));
        for (class, n) in self.by_class.iter().enumerate() {
            line(format_args!(
                "veche_requests_total{{class=\"{}xx\"}} {}",
                class + 1,
                n.load(Relaxed)
            ));
        }
        line(format_args!("# TYPE veche_request_seconds histogram"));
        let mut sum = 0;
        for (n, edge) in self.times.iter().zip(EDGES) {
            sum += n.load(Relaxed);
            line(format_args!(
                "veche_request_seconds_bucket{{le=\"{edge}\"}} {sum}"
            ));
        }
        sum += self.times[EDGES.len()].load(Relaxed);
        line(format_args!(
            "veche_request_seconds_bucket{{le=\"+Inf\"}} {sum}"
        ));
        line(format_args!("veche_request_seconds_count {sum}"));
        let seconds = self.microseconds.load(Relaxed) as f64 / 1e6;
        line(format_args!("veche_request_seconds_sum {seconds}"));
        for (name, n) in [
            ("veche_suites_given_total", &self.suites_given),
            ("veche_suites_taken_total", &self.suites_taken),
            ("veche_bans_total", &self.bans),
        ] {
            line(format_args!("# TYPE {name} counter"));
            line(format_args!("{name} {}", n.load(Relaxed)));
        }
        text
    }
}

/// Whether the database answers.
pub(super) async fn health(State(app): State<Arc<App>>) -> Response {
    match app.store.setting("secret").await {
        Ok(_) => Json(json!({ "status": "ok" })).into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "the database does not answer", "code": "REMOTE_SERVICE_UNAVAILABLE" })),
        )
            .into_response(),
    }
}

/// Counters since the start. No names, no answers.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        app.metrics.text(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let metrics = Metrics::default();
        for ms in [0, 2, 30, 9000] {
            metrics.count(StatusCode::OK, Duration::from_millis(ms));
        }
        metrics.count(StatusCode::NOT_FOUND, Duration::from_millis(2));
        let text = metrics.text();
        for line in [
            "veche_requests_total{class=\"2xx\"} 4",
            "veche_requests_total{class=\"4xx\"} 1",
            "veche_request_seconds_bucket{le=\"0.0025\"} 3",
            "veche_request_seconds_bucket{le=\"2.5\"} 4",
            "veche_request_seconds_bucket{le=\"+Inf\"} 5",
            "veche_request_seconds_count 5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
