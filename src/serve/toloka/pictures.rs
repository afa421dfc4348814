//! Pictures that tasks name by address: fetched by the server, drawn alike, kept beside the database.
//!
//! Annotators never see the address, which may tell a control from a task; and all pictures have one size and one format.
//! The server asks only addresses of the public network, or whoever has the key could have it look around at home.

use crate::pictures::{DecodeLimits, RenderSpec, decode, render};
use axum::body::Bytes;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;

/// Largest picture file.
const LARGEST: usize = 32 << 20;

/// Pictures fetched at the same time.
const AT_ONCE: usize = 8;

/// Fetched pictures.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Fetched {
    client: Client,
    dir: PathBuf,
    private: bool,
    spec: RenderSpec,
    at_once: Arc<Semaphore>,
}

/// Whether an address belongs to the public network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                // Shared by carriers, for benchmarks, and for protocols.
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a == 192 && b == 0))
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4() {
                return is_public(IpAddr::V4(v4));
            }
            // Global unicast, without the ranges that carry IPv4 addresses inside.
            let [first, second, ..] = v6.segments();
            (first & 0xe000) == 0x2000 && first != 0x2002 && !(first == 0x2001 && second < 0x0200)
        }
    }
}

/// Looks names up, and knows only those of the public network: also after a redirect, also if a name changes its address.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|a| is_public(a.ip())).collect();
            if public.is_empty() {
                return Err("this name leads to no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether a URL may be asked: of the web, and where it has an address instead of a name, a public one.
fn may_be_asked(url: &Url, private: bool) -> bool {
    let literal = url.host_str().and_then(|host| {
        host.trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .ok()
    });
    matches!(url.scheme(), "http" | "https") && (private || literal.is_none_or(is_public))
}

impl Fetched {
    pub(in crate::serve) fn new(
        dir: PathBuf,
        spec: RenderSpec,
        private: bool,
    ) -> crate::Result<Self> {
        let mut builder = Client::builder()
            .user_agent(concat!("veche/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_secs(20))
            .redirect(Policy::custom(move |attempt| {
                if attempt.previous().len() > 5 || !may_be_asked(attempt.url(), private) {
                    attempt.stop()
                } else {
                    attempt.follow()
                }
            }));
        if !private {
            builder = builder.dns_resolver(Arc::new(PublicOnly)).no_proxy();
        }
        let client = builder
            .build()
            .map_err(|e| crate::problem(format!("pictures cannot be fetched: {e}")))?;
        Ok(Self {
            client,
            dir,
            private,
            spec,
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The picture behind an address, as annotators see it; from the folder if it was fetched before.
    pub(in crate::serve) async fn picture(&self, address: &str) -> Result<Bytes, String> {
        let file = self
            .dir
            .join(format!("{}.jpg", blake3::hash(address.as_bytes()).to_hex()));
        if let Ok(bytes) = tokio::fs::read(&file).await {
            return Ok(bytes.into());
        }
        let _turn = self.at_once.acquire().await.map_err(|e| e.to_string())?;
        let bytes = self.fetch(address).await?;
        let (spec, dir) = (self.spec.clone(), self.dir.clone());
        let drawn = tokio::task::spawn_blocking(move || -> Result<Vec<u8>, String> {
            let picture = decode(&bytes, &DecodeLimits::default()).map_err(|e| e.to_string())?;
            let drawn = render(&picture, None, &spec).map_err(|e| e.to_string())?;
            std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
            // Written beside and renamed: another request reads all of it or nothing.
            let mut beside = tempfile::NamedTempFile::new_in(&dir).map_err(|e| e.to_string())?;
            std::io::Write::write_all(&mut beside, &drawn).map_err(|e| e.to_string())?;
            beside.persist(&file).map_err(|e| e.to_string())?;
            Ok(drawn)
        });
        drawn.await.map_err(|e| e.to_string())?.map(Bytes::from)
    }

    async fn fetch(&self, address: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(address.trim()).map_err(|e| e.to_string())?;
        if !may_be_asked(&url, self.private) {
            return Err("this address is not of the public network".into());
        }
        let mut response = self
            .client
            .get(url)
            .send()
            .await
            .map_err(|e| e.without_url().to_string())?;
        if !response.status().is_success() {
            return Err(format!(
                "the server answered {}",
                response.status().as_u16()
            ));
        }
        let mut bytes = Vec::new();
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|e| e.without_url().to_string())?
        {
            if bytes.len() + part.len() > LARGEST {
                return Err(format!("the file is larger than {LARGEST} bytes"));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// Fetches pictures before they are shown: one that many get would else come quicker than one that is new, and tell that
    /// it is a control.
    pub(super) fn ahead(&self, addresses: Vec<String>) {
        if addresses.is_empty() {
            return;
        }
        let fetched = self.clone();
        tokio::spawn(async move {
            let mut missing = 0usize;
            for address in addresses {
                if let Err(reason) = fetched.picture(&address).await {
                    missing += 1;
                    tracing::debug!(%address, %reason, "a picture cannot be fetched");
                }
            }
            if missing > 0 {
                tracing::warn!(
                    missing,
                    "pictures of tasks cannot be fetched; VECHE_LOG=veche=debug names them"
                );
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_network_is_asked() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "93.184.216.34",
            "8.8.8.8",
            "2606:2800:220:1:248:1893:25c8:1946",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
        let asked = |url: &str| may_be_asked(&Url::parse(url).unwrap(), false);
        assert!(asked("https://example.org/a.jpg"));
        for url in [
            "http://127.0.0.1/a.jpg",
            "http://[::1]/a.jpg",
            "http://2130706433/a.jpg",
            "http://0x7f.1/a.jpg",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "ftp://example.org/a.jpg",
        ] {
            assert!(!asked(url), "{url}");
        }
    }
}
