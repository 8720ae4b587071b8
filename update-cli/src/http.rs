//! A repository on a web server.
//!
//! Nothing that comes is trusted: the engine verifies it, and reads no more of it
//! than it may have bytes. This file sees to the rest: that a connection is
//! private, that no answer takes for ever, that one that broke off goes on where it
//! was, also in the next run, and that what has not changed is not sent again.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, Cursor, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use presend::update::{FetchError, Transport};
use ureq::http::{Response, StatusCode, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use crate::cache::{Cache, Tagged};

/// How patient and how strict a connection is.
pub(crate) struct Settings {
    /// For everything together.
    pub(crate) total: Duration,
    /// Between two bytes.
    pub(crate) idle: Duration,
    pub(crate) retries: u32,
    pub(crate) proxy: Option<String>,
    /// In PEM.
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) allow_http: bool,
    pub(crate) quiet: bool,
}

/// What has gone over the wire.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    /// Of files, without headers.
    pub(crate) bytes: u64,
}

/// A repository's base address, and how to ask there.
pub(crate) struct Http {
    base: String,
    agent: Agent,
    cache: Cache,
    total: Duration,
    /// From the first request on: another updater of the store may be waited for.
    deadline: OnceCell<Instant>,
    retries: u32,
    is_quiet: bool,
    traffic: Cell<Traffic>,
    /// Whether anything came from what an earlier run had left.
    has_resumed: Cell<bool>,
}

impl Http {
    pub(crate) fn new(base: &str, store: &Path, settings: Settings) -> Result<Self, String> {
        let uri: Uri = base.parse().map_err(|error| format!("{base}: {error}"))?;
        let host = uri.host().ok_or_else(|| format!("{base}: an address has a host"))?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if settings.allow_http || is_this_machine(host) => {}
            Some("http") => {
                return Err(format!(
                    "{base}: use https; or, if others may see what is fetched, --allow-http"
                ));
            }
            _ => return Err(format!("{base}: an address begins with https://")),
        }
        if uri.query().is_some() {
            return Err(format!("{base}: the address of a repository has no query"));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A repository is where it is said to be: nobody sends a client to
            // addresses that only it can reach.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("presend-update/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .max_response_header_size(MOST_HEADER_BYTES)
            .timeout_connect(Some(settings.idle))
            .timeout_recv_response(Some(settings.idle))
            .timeout_per_read(Some(settings.idle));
        if let Some(proxy) = &settings.proxy {
            let wrong = |error| format!("--proxy {proxy}: {error}");
            let proxy = (proxy != "none").then(|| Proxy::new(proxy).map_err(wrong)).transpose()?;
            config = config.proxy(proxy);
        }
        if let Some(pem) = &settings.ca {
            let certificates = parse_pem(pem).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            let certificates: Vec<_> = certificates.collect();
            if certificates.is_empty() {
                return Err("--ca: the file holds no certificate in PEM".into());
            }
            let roots = RootCerts::new_with_certs(&certificates);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            agent: config.build().into(),
            cache: Cache::of(store),
            total: settings.total,
            deadline: OnceCell::new(),
            retries: settings.retries,
            is_quiet: settings.quiet,
            traffic: Cell::default(),
            has_resumed: Cell::default(),
        })
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    /// Whether anything came from what an earlier run had left, which is dropped.
    pub(crate) fn forgets_what_was_left(&self) -> bool {
        let has_resumed = self.has_resumed.replace(false);
        if has_resumed {
            self.cache.clear();
        }
        has_resumed
    }

    fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| Instant::now() + self.total)
    }

    /// Asks until there is an answer that another request would not change.
    fn ask(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, FetchError> {
        let mut tries = 0;
        loop {
            let failed = match self.ask_once(url, headers) {
                Ok(answer) if !may_pass(answer.status()) => return Ok(answer),
                Ok(answer) => format!("{url}: status {}", answer.status().as_u16()),
                Err(error) => format!("{url}: {error}"),
            };
            if !self.waits(&mut tries) {
                return Err(FetchError::Failed(failed));
            }
        }
    }

    fn ask_once(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, ureq::Error> {
        let left = self.deadline().saturating_duration_since(Instant::now());
        let mut request = self.agent.get(url).config().timeout_global(Some(left)).build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let traffic = self.traffic.get();
        self.traffic.set(Traffic { requests: traffic.requests + 1, ..traffic });
        request.call()
    }

    /// Waits before another try; whether there is one.
    fn waits(&self, tries: &mut u32) -> bool {
        *tries += 1;
        // Half of it to one and a half: clients that failed together do not come
        // back together.
        let random = RandomState::new().hash_one(()) as u32;
        let jitter = 0.5 + f64::from(random) / f64::from(u32::MAX);
        let pause = FIRST_PAUSE.mul_f64(jitter * f64::from(1 << (*tries - 1).min(6)));
        if *tries > self.retries || Instant::now() + pause >= self.deadline() {
            return false;
        }
        thread::sleep(pause);
        true
    }

    fn timestamp(&self, url: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        let kept = self.cache.timestamp(url);
        let condition = kept.as_ref().map(|kept| ("if-none-match", kept.tag.as_str()));
        let mut tries = 0;
        loop {
            let answer = self.ask(url, condition.as_slice())?;
            if let (StatusCode::NOT_MODIFIED, Some(kept)) = (answer.status(), kept.as_ref()) {
                self.has_resumed.set(true);
                return Ok(Box::new(Cursor::new(kept.bytes.clone())));
            }
            check(url, &answer, StatusCode::OK)?;
            let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
            let tag = tag.map(str::to_owned);
            let mut bytes = Vec::new();
            // A byte more than it may have, so that the engine sees it is too long.
            let read = answer.into_body().into_reader().take(MOST_TIMESTAMP + 1);
            match self.counted(read).read_to_end(&mut bytes) {
                Ok(_) => {
                    if let Some(tag) = tag {
                        self.cache.keep_timestamp(url, &Tagged { tag, bytes: bytes.clone() });
                    }
                    return Ok(Box::new(Cursor::new(bytes)));
                }
                Err(_) if self.waits(&mut tries) => {}
                Err(error) => return Err(FetchError::Failed(format!("{url}: {error}"))),
            }
        }
    }

    fn counted<R>(&self, inner: R) -> Counted<'_, R> {
        Counted { inner, traffic: &self.traffic }
    }
}

impl Transport for Http {
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        let url = format!("{}/{path}", self.base);
        if path == "metadata/timestamp.json" {
            return self.timestamp(&url);
        }
        let mut download = Download {
            http: self,
            left: may_be_large(path).then(|| self.cache.part(path)).flatten(),
            path: path.to_owned(),
            url,
            at: 0,
            end: None,
            body: None,
            part: RefCell::default(),
            tries: 0,
            bar: self.bar(path),
        };
        if download.left.is_some() {
            self.has_resumed.set(true);
        } else {
            // Whether there is such a file is to be known now.
            download.connect()?;
        }
        Ok(Box::new(download))
    }
}

impl Http {
    /// A bar on standard error, on a terminal alone, for what may take long.
    fn bar(&self, path: &str) -> ProgressBar {
        if self.is_quiet || !may_be_large(path) {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(0).with_style(style)
    }
}

/// One file on its way.
struct Download<'h> {
    http: &'h Http,
    path: String,
    url: String,
    /// What an earlier run has left, before anything is asked for.
    left: Option<BufReader<File>>,
    /// Bytes handed on so far.
    at: u64,
    /// The file's length, if the server has said it.
    end: Option<u64>,
    body: Option<Box<dyn Read>>,
    /// Where a list is kept until it is whole.
    part: RefCell<Option<File>>,
    tries: u32,
    bar: ProgressBar,
}

impl Download<'_> {
    /// Asks for what is missing.
    fn connect(&mut self) -> Result<(), FetchError> {
        let range = format!("bytes={}-", self.at);
        let range = (self.at > 0).then_some(("range", range.as_str()));
        let answer = self.http.ask(&self.url, range.as_slice())?;
        let length = answer.headers().get(header::CONTENT_LENGTH);
        let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        match answer.status() {
            // There is nothing behind what has come.
            StatusCode::RANGE_NOT_SATISFIABLE if self.at > 0 => {
                self.body = Some(Box::new(io::empty()));
                self.end = Some(self.at);
                return Ok(());
            }
            StatusCode::PARTIAL_CONTENT if self.at > 0 => {
                check(&self.url, &answer, StatusCode::PARTIAL_CONTENT)?;
                let said = answer.headers().get(header::CONTENT_RANGE);
                let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
                if !said.starts_with(&format!("bytes {}-", self.at)) {
                    let wrong = "the server answered with another range than was asked for";
                    return Err(FetchError::Failed(format!("{}: {wrong}", self.url)));
                }
                self.end = length.and_then(|length| self.at.checked_add(length));
                self.body = Some(Box::new(answer.into_body().into_reader()));
            }
            _ => {
                check(&self.url, &answer, StatusCode::OK)?;
                self.end = length;
                let mut body = answer.into_body().into_reader();
                // A server that knows no ranges begins again.
                let again = io::copy(&mut (&mut body).take(self.at), &mut io::sink());
                if again.ok() != Some(self.at) {
                    return Err(FetchError::Failed(format!("{}: broken off", self.url)));
                }
                self.body = Some(Box::new(body));
            }
        }
        self.bar.set_length(self.end.unwrap_or(0));
        Ok(())
    }

    /// What comes next, from whichever place has it; 0 at the end.
    fn advance(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(left) = &mut self.left {
            match left.read(buffer) {
                Ok(read) if read > 0 => return Ok(read),
                _ => self.left = None,
            }
            *self.part.borrow_mut() = self.http.cache.go_on().ok();
        }
        loop {
            if self.body.is_none() {
                self.connect().map_err(io::Error::other)?;
            }
            let Some(body) = &mut self.body else { return Ok(0) };
            let broken = match self.http.counted(body).read(buffer) {
                Ok(0) if self.end.is_none_or(|end| end == self.at) => return Ok(0),
                Ok(0) => io::Error::from(io::ErrorKind::UnexpectedEof),
                Ok(read) => {
                    self.keep(&buffer[..read]);
                    return Ok(read);
                }
                Err(error) => error,
            };
            self.body = None;
            if !self.http.waits(&mut self.tries) {
                return Err(broken);
            }
        }
    }

    /// Keeps what has come for another run, as far as it goes.
    fn keep(&self, bytes: &[u8]) {
        if !may_be_large(&self.path) {
            return;
        }
        let mut part = self.part.borrow_mut();
        if part.is_none() && self.at == 0 {
            *part = self.http.cache.begin(&self.path).ok();
        }
        if part.as_mut().is_some_and(|part| part.write_all(bytes).is_err()) {
            *part = None;
            self.http.cache.end();
        }
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.http.deadline() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let read = self.advance(buffer)?;
        self.at += read as u64;
        self.bar.set_position(self.at);
        if read == 0 && !buffer.is_empty() && may_be_large(&self.path) {
            self.http.cache.end();
        }
        Ok(read)
    }
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Adds what is read to the traffic.
struct Counted<'t, R> {
    inner: R,
    traffic: &'t Cell<Traffic>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let traffic = self.traffic.get();
        self.traffic.set(Traffic { bytes: traffic.bytes + read as u64, ..traffic });
        Ok(read)
    }
}

/// Whether the answer is a file as it is.
fn check(url: &str, answer: &Response<Body>, due: StatusCode) -> Result<(), FetchError> {
    let failed = |what: String| Err(FetchError::Failed(format!("{url}: {what}")));
    let status = answer.status();
    match status.as_u16() {
        _ if status == due => {}
        // Object stores say 403 where a listing is not allowed.
        403 | 404 | 410 => return Err(FetchError::NotFound),
        300..=399 => {
            return failed(format!(
                "status {status}, and redirects are not followed: use the address that the repository is at"
            ));
        }
        other => return failed(format!("status {other}")),
    }
    match answer.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            failed("the server sends the file encoded, which was not asked for".into())
        }
        _ => Ok(()),
    }
}

/// Whether a file is worth going on with in another run. The digest before its name
/// says that it will be the same.
fn may_be_large(path: &str) -> bool {
    path.starts_with("targets/") && (path.ends_with(".presend") || path.ends_with(".packed"))
}

/// Whether the same request may have another answer soon.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MOST_HEADER_BYTES: usize = 32 << 10;
/// The engine's limit.
const MOST_TIMESTAMP: u64 = 16_384;
