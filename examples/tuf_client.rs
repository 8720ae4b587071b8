//! Fetches files from any TUF repository over plain HTTP, with the command line
//! of the TUF project's conformance suite.
//!
//!     tuf_client --metadata-dir DIR init ROOT.json
//!     tuf_client --metadata-dir DIR --metadata-url URL refresh
//!     tuf_client --metadata-dir DIR --metadata-url URL --target-name NAME...
//!         --target-base-url URL --target-dir DIR download
//!
//! The engine brings no network code; this is what a host adds. HTTP/1.0 without
//! TLS will do for a server on the same machine.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use presend::update::store::MetadataFolder;
use presend::update::tuf::{Repository, TargetName};
use presend::update::{FetchError, Transport};

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let (mut options, mut names, mut words) = (HashMap::new(), Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--") {
            Some(name) => {
                let value = arguments.next().ok_or_else(|| format!("--{name} needs a value"))?;
                match name {
                    "target-name" => names.push(value),
                    _ => drop(options.insert(name.to_owned(), value)),
                }
            }
            None => words.push(argument),
        }
    }
    let option = |name: &str| options.get(name).ok_or_else(|| format!("--{name} is missing"));

    let folder = PathBuf::from(option("metadata-dir")?);
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["init", root] => {
            fs::create_dir_all(&folder)?;
            fs::copy(root, folder.join("root.json"))?;
        }
        ["refresh"] => {
            let server = Server { metadata: option("metadata-url")?, targets: "" };
            let mut trusted = MetadataFolder::new(folder);
            Repository::refresh(&server, &mut trusted, SystemTime::now())?;
        }
        // Names behind the first stand by themselves.
        [ref more @ .., "download"] => {
            let server =
                Server { metadata: option("metadata-url")?, targets: option("target-base-url")? };
            let mut trusted = MetadataFolder::new(folder);
            let mut repository = Repository::refresh(&server, &mut trusted, SystemTime::now())?;
            let names: Vec<&str> =
                names.iter().map(String::as_str).chain(more.iter().copied()).collect();
            if names.is_empty() {
                return Err("--target-name is missing".into());
            }
            let folder = Path::new(option("target-dir")?);
            for name in names {
                download(&mut repository, name, folder)?;
            }
        }
        _ => return Err("one of init ROOT, refresh and download is due".into()),
    }
    Ok(())
}

/// Fetches a target, unless it is there already.
fn download(
    repository: &mut Repository<'_>,
    name: &str,
    folder: &Path,
) -> Result<(), Box<dyn Error>> {
    let target = TargetName::new(name).ok_or("this is no name of a target")?;
    let facts = repository.find(&target)?;
    // A name in which no slash is left stays in the folder.
    let path = folder.join(name.replace('%', "%25").replace('/', "%2F"));
    if fs::read(&path).is_ok_and(|bytes| facts.are_of(&bytes)) {
        return Ok(());
    }
    let part = folder.join(".part");
    let fetched = repository.fetch(&target, &facts, &mut File::create(&part)?);
    match fetched {
        Ok(()) => fs::rename(part, path)?,
        Err(_) => fs::remove_file(part)?,
    }
    Ok(fetched?)
}

/// Where the two folders of a repository are.
struct Server<'a> {
    metadata: &'a str,
    targets: &'a str,
}

impl Transport for Server<'_> {
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        let (base, path) = match path.split_once('/') {
            Some(("metadata", rest)) => (self.metadata, rest),
            Some((_, rest)) => (self.targets, rest),
            None => return Err(FetchError::NotFound),
        };
        get(&format!("{}/{path}", base.trim_end_matches('/')))
    }
}

fn get(url: &str) -> Result<Box<dyn Read>, FetchError> {
    let failed = |error: std::io::Error| FetchError::Failed(error.to_string());
    let wrong = |what: &str| FetchError::Failed(format!("{what}: {url}"));

    let rest = url.strip_prefix("http://").ok_or_else(|| wrong("not an HTTP address"))?;
    let (host, path) = rest.split_once('/').ok_or_else(|| wrong("no path"))?;
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(failed)?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").map_err(failed)?;

    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.by_ref().take(LONGEST_LINE).read_line(&mut line).map_err(failed)?;
    let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = None;
    for _ in 0..MOST_HEADERS {
        line.clear();
        answer.by_ref().take(LONGEST_LINE).read_line(&mut line).map_err(failed)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    match status.as_str() {
        "200" => Ok(Box::new(answer.take(length.unwrap_or(u64::MAX)))),
        // Object stores say 403 where a listing is not allowed.
        "403" | "404" => Err(FetchError::NotFound),
        _ => Err(wrong(&format!("status {status:?}"))),
    }
}

const LONGEST_LINE: u64 = 8192;
const MOST_HEADERS: usize = 64;
