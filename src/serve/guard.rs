//! What every request passes through: counting, limits per client, and headers that browsers obey.

use super::{failure::Failure, state::App};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Instant,
};

/// Only our own files, styles and scripts; pictures may also come as data (drawn charts).
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Clients remembered at most; the oldest are forgotten together.
const CLIENTS: usize = 50_000;

/// A bucket of permissions that fills at a constant rate.
#[derive(Debug)]
pub(super) struct Bucket {
    size: f64,
    per_second: f64,
    clients: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Bucket {
    fn new(size: f64, per_second: f64) -> Self {
        Self {
            size,
            per_second,
            clients: Mutex::default(),
        }
    }

    /// Whether a client may do this once more now.
    pub(super) fn take(&self, client: IpAddr, now: Instant) -> bool {
        let mut clients = match self.clients.lock() {
            Ok(clients) => clients,
            Err(poisoned) => poisoned.into_inner(),
        };
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        let (left, since) = clients.entry(client).or_insert((self.size, now));
        let filled = now.saturating_duration_since(*since).as_secs_f64() * self.per_second;
        *left = (*left + filled).min(self.size);
        *since = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

/// How often a client may do what is costly or could be used to guess.
#[derive(Debug)]
pub(super) struct Limits {
    sign_up: Bucket,
    login: Bucket,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A class of students behind one address may come at once; a flood of accounts may not.
            sign_up: Bucket::new(2000.0, 5.0),
            login: Bucket::new(10.0, 0.1),
        }
    }
}

impl Limits {
    fn allows(&self, method: &Method, path: &str, client: IpAddr) -> bool {
        let bucket = match path {
            "/api/annotator/sign-up" => &self.sign_up,
            "/api/requester/login" => &self.login,
            _ => return true,
        };
        method != Method::POST || bucket.take(client, Instant::now())
    }
}

/// The client as the proxy in front of the server saw it: the last address, which the client cannot write itself.
fn named_by_proxy(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().last()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Wraps every request.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let client = if app.behind_proxy {
        named_by_proxy(request.headers()).unwrap_or(client.ip())
    } else {
        client.ip()
    };
    let allowed = app
        .limits
        .allows(request.method(), request.uri().path(), client);
    let mut response = if allowed {
        next.run(request).await
    } else {
        Failure::TooMany.into_response()
    };
    // Layers and the framework refuse in words of their own; programs that call us read JSON.
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if (status.is_client_error() || status.is_server_error()) && !is_json {
        response = super::failure::in_json(status);
    }
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::CACHE_CONTROL, "no-store");
    set(
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        header::HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=()",
    );
    if app.tls {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    app.metrics.count(response.status(), start.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, time::Duration};

    #[test]
    fn the_client_is_whom_the_proxy_saw_not_whom_the_client_claims_to_be() {
        let mut headers = HeaderMap::new();
        assert_eq!(named_by_proxy(&headers), None);
        headers.append(
            "x-forwarded-for",
            HeaderValue::from_static("1.2.3.4, 10.0.0.7"),
        );
        assert_eq!(
            named_by_proxy(&headers),
            Some(IpAddr::from(Ipv4Addr::new(10, 0, 0, 7)))
        );
        headers.append("x-forwarded-for", HeaderValue::from_static("unknown"));
        assert_eq!(named_by_proxy(&headers), None);
    }

    #[test]
    fn a_bucket_empties_fills_again_and_is_each_clients_own() {
        let bucket = Bucket::new(2.0, 1.0);
        let (one, other) = (
            IpAddr::from(Ipv4Addr::new(10, 0, 0, 1)),
            IpAddr::from(Ipv4Addr::new(10, 0, 0, 2)),
        );
        let start = Instant::now();
        assert!(bucket.take(one, start) && bucket.take(one, start));
        assert!(!bucket.take(one, start));
        assert!(bucket.take(other, start));
        assert!(bucket.take(one, start + Duration::from_millis(1100)));
        assert!(!bucket.take(one, start + Duration::from_millis(1200)));
        // A long rest does not save up more than the bucket holds.
        let later = start + Duration::from_secs(3600);
        assert!(bucket.take(one, later) && bucket.take(one, later) && !bucket.take(one, later));
    }
}
