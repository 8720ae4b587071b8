//! The command against servers that fail in every way that servers do.
//!
//! The repositories are python-tuf's, of the engine's tests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

/// What a server does to the next request for a file.
#[derive(Clone, Copy)]
enum Fault {
    Status(u16),
    /// Promises all, and sends so many bytes.
    Broken(usize),
    /// Says no length and never ends.
    Endless,
    /// Sends a byte and then nothing.
    Stalled,
    /// Sends a byte every 100 ms.
    Dripping,
    Redirect,
    Gzip,
    /// As if there were no ranges.
    NoRange,
    OtherRange,
}

/// A repository on this machine; `faults` come one after the other.
struct Server {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<String>,
    faults: Mutex<BTreeMap<&'static str, Vec<Fault>>>,
    requests: Mutex<Vec<String>>,
}

impl Server {
    fn of(state: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared::default());
        let server = Self { url, shared };
        server.show(state);
        let shared = Arc::clone(&server.shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        server
    }

    fn show(&self, state: &str) {
        *self.shared.state.lock().expect("no panic") = state.into();
    }

    fn fault(&self, file: &'static str, faults: &[Fault]) {
        let mut faults = faults.to_vec();
        faults.reverse();
        self.shared.faults.lock().expect("no panic").insert(file, faults);
    }

    /// Requests since the last time, with their ranges and conditions, as answered.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().expect("no panic"))
    }
}

/// Errors are clients that have gone.
fn serve(stream: TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut out = stream;
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    assert_eq!(headers.get("accept-encoding").map(String::as_str), Some("identity"));
    let fault = {
        let mut faults = shared.faults.lock().expect("no panic");
        let mut matching = faults.iter_mut().filter(|(file, _)| path.ends_with(**file));
        matching.next().and_then(|(_, faults)| faults.pop())
    };
    let range = headers.get("range").cloned();
    let from: usize = range
        .as_ref()
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    let condition = headers.get("if-none-match").cloned();
    let mut answer = |status: &str, headers: &str, body: &[u8]| {
        let asked = [Some(path.clone()), range.clone(), condition.clone()];
        let asked = asked.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let line = format!("{asked} {}", &status[..3]);
        shared.requests.lock().expect("no panic").push(line);
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n");
        out.write_all(head.as_bytes()).and_then(|()| out.write_all(body)).ok()?;
        Some(())
    };
    let state = shared.state.lock().expect("no panic").clone();
    let file = [state.as_str(), "base"]
        .into_iter()
        .find_map(|state| fs::read(tests().join("data/tuf").join(state).join(&path)).ok());
    let Some(file) = file else { return answer("404 Not Found", "content-length: 0\r\n", b"") };
    let tag = format!("\"{state}-{}\"", file.len());
    let length = format!("content-length: {}\r\netag: {tag}\r\n", file.len());
    match fault {
        Some(Fault::Status(status)) => {
            answer(&format!("{status} Fault"), "content-length: 0\r\n", b"")
        }
        Some(Fault::Broken(bytes)) => answer("200 OK", &length, &file[..bytes]),
        Some(Fault::Endless) => {
            answer("200 OK", "", &file)?;
            while out.write_all(&[b' '; 4096]).is_ok() {}
            None
        }
        Some(Fault::Stalled) => {
            answer("200 OK", &length, &file[..1])?;
            thread::sleep(Duration::from_secs(30));
            None
        }
        Some(Fault::Dripping) => {
            answer("200 OK", &length, b"")?;
            for byte in file {
                out.write_all(&[byte]).ok()?;
                thread::sleep(Duration::from_millis(100));
            }
            None
        }
        Some(Fault::Redirect) => {
            answer("302 Found", "location: http://127.0.0.1:1/\r\ncontent-length: 0\r\n", b"")
        }
        Some(Fault::Gzip) => {
            answer("200 OK", &format!("content-encoding: gzip\r\n{length}"), &file)
        }
        Some(Fault::OtherRange) => {
            let range = format!("content-range: bytes 0-0/{}\r\ncontent-length: 1\r\n", file.len());
            answer("206 Partial Content", &range, &file[..1])
        }
        None if condition.as_ref() == Some(&tag) => {
            answer("304 Not Modified", &format!("etag: {tag}\r\n"), b"")
        }
        None if from > 0 => {
            let (end, total, left) = (file.len() - 1, file.len(), file.len() - from);
            let range = format!("content-range: bytes {from}-{end}/{total}\r\n");
            let headers = format!("{range}content-length: {left}\r\n");
            answer("206 Partial Content", &headers, &file[from..])
        }
        None | Some(Fault::NoRange) => answer("200 OK", &length, &file),
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("tests")
}

/// A fresh store of this test's own.
struct Client(PathBuf);

impl Client {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn command(&self, from: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_presend-update"));
        let root = tests().join("data/tuf/base/metadata/1.root.json");
        command.arg("--store").arg(&self.0).args(["--from", from, "--id", "demo", "--json"]);
        command.arg("--root").arg(root).args(more);
        for variable in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
            command.env_remove(variable).env_remove(variable.to_lowercase());
        }
        command
    }

    /// With what the store knows by itself.
    fn again(&self, server: &Server) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_presend-update"));
        command.arg("--store").arg(&self.0).args(["--from", &server.url]);
        command
    }

    fn update(&self, from: &str, more: &[&str]) -> (i32, Value) {
        let output = self.command(from, more).output().expect("it starts");
        let (code, out, err) = ended(output);
        let answer = serde_json::from_str(&out);
        (code, answer.unwrap_or_else(|error| panic!("{error}: {out}{err}")))
    }

    /// What came of it: `updated 1`, with the exit code that belongs to the answer.
    fn says(&self, server: &Server, more: &[&str]) -> String {
        let (code, answer) = self.update(&server.url, more);
        let word = answer["answer"].as_str().expect("a word");
        let due = match word {
            "updated" | "current" => 0,
            "stale" => 1,
            _ => 2,
        };
        assert_eq!(code, due, "{answer}");
        format!("{word} {}", answer["version"])
    }
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// Ends soon where a server does not.
const HASTY: [&str; 2] = ["--idle-timeout", "1"];
const ONCE: [&str; 2] = ["--retries", "0"];

#[test]
fn a_list_is_followed_over_http() {
    let (server, client) = (Server::of("base"), Client::new("followed"));
    assert_eq!(client.says(&server, &[]), "updated 1");
    assert_eq!(server.requests().len(), 5);
    server.show("release-2");
    assert_eq!(client.says(&server, &[]), "updated 2");
    assert_eq!(client.says(&server, &[]), "current 2");
    server.show("base");
    assert_eq!(client.says(&server, &[]), "refused 2");
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let (server, client) = (Server::of("base"), Client::new("conditional"));
    assert_eq!(client.says(&server, &[]), "updated 1");
    server.requests();
    let (_, answer) = client.update(&server.url, &[]);
    assert_eq!((&answer["answer"], &answer["bytes"]), (&"current".into(), &0.into()));
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert_eq!(requests[0], "metadata/2.root.json 404");
    assert!(requests[1].starts_with("metadata/timestamp.json \"base-"), "{requests:?}");
    assert!(requests[1].ends_with(" 304"), "{requests:?}");
    // What is kept is not trusted: damaged, it is fetched again.
    let kept = client.0.join("cache/timestamp");
    let text = fs::read_to_string(&kept).expect("kept");
    fs::write(&kept, text.replace("\"version\": 1", "\"version\": 7")).expect("written");
    assert_eq!(client.says(&server, &[]), "current 1");
    fs::remove_dir_all(client.0.join("cache")).expect("removed");
    assert_eq!(client.says(&server, &[]), "current 1");
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() {
    let (server, client) = (Server::of("base"), Client::new("broken"));
    server.fault("demo.presend", &[Fault::Broken(100)]);
    assert_eq!(client.says(&server, &[]), "updated 1");
    let requests = server.requests();
    let last = requests.last().expect("a request");
    assert!(last.ends_with("demo.presend bytes=100- 206"), "{last}");

    // In another run, of a server that keeps breaking off.
    let client = Client::new("broken-off");
    server.fault("demo.presend", &[Fault::Broken(100)]);
    assert_eq!(client.says(&server, &ONCE), "refused null");
    server.requests();
    assert_eq!(client.says(&server, &ONCE), "updated 1");
    let requests = server.requests();
    let last = requests.last().expect("a request");
    assert!(last.ends_with("demo.presend bytes=100- 206"), "{last}");
    assert!(!client.0.join("cache/part").exists());
}

#[test]
fn a_server_without_ranges_begins_again() {
    let (server, client) = (Server::of("base"), Client::new("no-range"));
    server.fault("demo.presend", &[Fault::Broken(100), Fault::NoRange]);
    assert_eq!(client.says(&server, &[]), "updated 1");
    let client = Client::new("other-range");
    server.fault("demo.presend", &[Fault::Broken(100), Fault::OtherRange]);
    assert_eq!(client.says(&server, &[]), "refused null");
}

#[test]
fn a_part_that_is_damaged_is_fetched_again() {
    let (server, client) = (Server::of("base"), Client::new("damaged-part"));
    server.fault("demo.presend", &[Fault::Broken(100)]);
    assert_eq!(client.says(&server, &ONCE), "refused null");
    let part = client.0.join("cache/part");
    let mut bytes = fs::read(&part).expect("kept");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(part, bytes).expect("written");
    assert_eq!(client.says(&server, &[]), "updated 1");
}

#[test]
fn errors_that_may_pass_are_tried_again() {
    let (server, client) = (Server::of("base"), Client::new("passing"));
    server.fault("timestamp.json", &[Fault::Status(500), Fault::Broken(10), Fault::Status(503)]);
    server.fault("1.snapshot.json", &[Fault::Status(429), Fault::Broken(10)]);
    assert_eq!(client.says(&server, &[]), "updated 1");
    server.fault("timestamp.json", &[Fault::Status(500); 2]);
    assert_eq!(client.says(&server, &["--retries", "1"]), "stale 1");
    server.fault("timestamp.json", &[Fault::Status(400)]);
    assert_eq!(client.says(&server, &[]), "stale 1");
}

#[test]
fn a_file_that_is_not_there_leaves_the_last_list() {
    let (server, client) = (Server::of("base"), Client::new("not-there"));
    assert_eq!(client.says(&server, &[]), "updated 1");
    server.show("release-2");
    server.fault("demo.presend", &[Fault::Status(404)]);
    assert_eq!(client.says(&server, &[]), "stale 1");
    assert_eq!(client.says(&server, &[]), "updated 2");
}

#[test]
fn nobody_can_keep_the_command_for_ever() {
    let server = Server::of("base");
    for (file, name) in [("timestamp.json", "endless-metadata"), ("demo.presend", "endless-list")] {
        let client = Client::new(name);
        server.fault(file, &[Fault::Endless]);
        let start = Instant::now();
        assert_eq!(client.says(&server, &[]), "refused null");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    for (fault, name, limit) in [
        (Fault::Stalled, "stalled", &[HASTY, ONCE].concat()),
        (Fault::Dripping, "dripping", &vec!["--timeout", "2"]),
    ] {
        for file in ["timestamp.json", "demo.presend"] {
            let client = Client::new(&format!("{name}-{file}"));
            server.fault(file, &[fault]);
            let start = Instant::now();
            assert_eq!(client.says(&server, limit), "refused null");
            assert!(start.elapsed() < Duration::from_secs(8), "{name} {file}");
        }
    }
}

#[test]
fn redirects_and_encoded_answers_are_not_taken() {
    let server = Server::of("base");
    for (fault, name, reason) in [
        (Fault::Redirect, "redirect", "redirects are not followed"),
        (Fault::Gzip, "gzip", "encoded, which was not asked for"),
    ] {
        for file in ["timestamp.json", "demo.presend"] {
            let client = Client::new(&format!("{name}-{file}"));
            server.fault(file, &[fault]);
            let (code, answer) = client.update(&server.url, &[]);
            let said = answer["reason"].as_str().expect("a reason");
            assert!(code == 2 && said.contains(reason), "{answer}");
        }
    }
}

#[test]
fn plain_http_stays_on_this_machine() {
    let client = Client::new("plain");
    let (code, _, err) =
        ended(client.command("http://example.org/list", &[]).output().expect("ran"));
    assert!(code == 2 && err.contains("use https"), "{err}");
    for wrong in ["ftp://localhost/x", "https://localhost/x?y", "://"] {
        let (code, _, err) = ended(client.command(wrong, &[]).output().expect("ran"));
        assert!(code == 2 && err.starts_with("presend-update: "), "{err}");
    }
}

#[test]
fn a_proxy_is_asked_instead() {
    let (server, client) = (Server::of("base"), Client::new("proxy"));
    // Nobody listens there.
    let (code, answer) =
        client.update(&server.url, &["--proxy", "http://127.0.0.1:1", "--retries", "0"]);
    assert!(code == 2 && server.requests().is_empty(), "{answer}");
    let mut command = client.command(&server.url, &ONCE);
    let (code, ..) = ended(command.env("ALL_PROXY", "http://127.0.0.1:1").output().expect("ran"));
    assert!(code == 2 && server.requests().is_empty());
    let mut command = client.command(&server.url, &["--proxy", "none"]);
    let (code, ..) = ended(command.env("ALL_PROXY", "http://127.0.0.1:1").output().expect("ran"));
    assert_eq!(code, 0);
}

#[test]
fn a_folder_is_a_repository_too() {
    let client = Client::new("folder");
    let from = tests().join("data/tuf/base");
    let from = from.to_str().expect("UTF-8");
    assert_eq!(client.update(from, &[]).0, 0);
    // The list in the store tells which one is meant.
    let mut command = Command::new(env!("CARGO_BIN_EXE_presend-update"));
    command.arg("--store").arg(&client.0).args(["--from", from]);
    let (code, out, _) = ended(command.output().expect("it starts"));
    assert_eq!((code, out.as_str()), (0, "current: demo version 1 is in use\n"));
}

#[test]
fn a_release_without_a_proof_is_refused_where_one_is_asked_for() {
    let (server, client) = (Server::of("base"), Client::new("log"));
    assert_eq!(client.says(&server, &[]), "updated 1");
    let (policy, keys) = (client.0.join("policy"), client.0.join("keys"));
    let digits = "ab".repeat(32);
    let text = format!("log {digits}\nwitness w {digits}\nquorum w\n");
    fs::write(&policy, text).expect("written");
    fs::write(&keys, digits).expect("written");
    let (policy, keys) = (policy.to_str().expect("UTF-8"), keys.to_str().expect("UTF-8"));
    let asked = ["--require-log", policy, "--submitters", keys];
    let (code, answer) = client.update(&server.url, &asked);
    let said = answer["reason"].as_str().expect("a reason");
    assert!(code == 2 && said.ends_with("public log: there is no proof"), "{answer}");
    assert_eq!(answer["version"], 1);
    // Neither goes without the other, and a policy has to be one.
    server.requests();
    for wrong in [&asked[..2], &asked[2..], &["--require-log", keys, "--submitters", keys]] {
        assert_eq!(ended(client.command(&server.url, wrong).output().expect("ran")).0, 2);
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn a_list_that_asks_for_more_than_is_granted_is_refused() {
    let (server, client) = (Server::of("base"), Client::new("scope"));
    assert_eq!(client.says(&server, &[]), "updated 1");
    server.show("every-way");
    server.requests();
    let (_, answer) = client.update(&server.url, &["--most-probes", "1000"]);
    let said = answer["reason"].as_str().expect("a reason");
    assert!(said.ends_with("if you agree to it, say --most-probes"), "{answer}");
    assert_eq!(client.says(&server, &["--most-action", "warn"]), "refused 1");
    assert_eq!(client.says(&server, &[]), "updated 2");
    let fetched = server.requests();
    assert!(fetched.iter().any(|request| request.ends_with("demo.1-2.delta 200")), "{fetched:?}");
    assert!(!fetched.iter().any(|request| request.contains("demo.presend")), "{fetched:?}");
}

#[test]
fn without_a_root_or_a_name_the_command_says_what_to_do() {
    let client = Client::new("nothing");
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_presend-update"));
        command.arg("--store").arg(&client.0).args(["--from", "no-such-folder"]).args(more);
        ended(command.output().expect("it starts"))
    };
    let (code, _, err) = run(&[]);
    assert!(code == 2 && err.contains("name it by --id"), "{err}");
    let (code, out, _) = run(&["--id", "demo"]);
    assert!(code == 2 && out.contains("by a safe way and name it by --root"), "{out}");
}

#[test]
fn of_two_commands_at_once_one_waits() {
    let (server, client) = (Server::of("base"), Client::new("two"));
    let start = |_| client.command(&server.url, &[]).stdout(std::process::Stdio::piped()).spawn();
    let running: Vec<_> = (0..4).map(|n| start(n).expect("it starts")).collect();
    let mut answers: Vec<String> = running
        .into_iter()
        .map(|child| {
            let (code, out, _) = ended(child.wait_with_output().expect("it ends"));
            assert_eq!(code, 0, "{out}");
            let answer: Value = serde_json::from_str(&out).expect("JSON");
            answer["answer"].as_str().expect("a word").to_owned()
        })
        .collect();
    answers.sort();
    assert_eq!(answers, ["current", "current", "current", "updated"]);
}

#[test]
fn waiting_for_another_command_takes_nothing_from_the_timeout() {
    let (server, client) = (Server::of("base"), Client::new("waits"));
    assert_eq!(client.says(&server, &[]), "updated 1");
    server.requests();
    let lock = fs::File::open(client.0.join("lock")).expect("there");
    lock.lock().expect("locked");
    let mut command = client.again(&server);
    command.args(["--timeout", "2"]).stdout(std::process::Stdio::piped());
    let waits = command.spawn().expect("it starts");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(server.requests().is_empty());
    drop(lock);
    let (code, out, err) = ended(waits.wait_with_output().expect("it ends"));
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn the_store_knows_its_list_even_when_the_file_is_gone() {
    let (server, client) = (Server::of("base"), Client::new("gone"));
    assert_eq!(client.says(&server, &[]), "updated 1");
    fs::remove_dir_all(client.0.join("lists")).expect("removed");
    let (code, out, err) = ended(client.again(&server).output().expect("it starts"));
    assert_eq!((code, out.as_str()), (0, "updated: demo version 1 is in use\n"), "{err}");
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_presend-update"));
        let (code, out, _) = ended(command.args(["--completions", shell]).output().expect("ran"));
        assert!(code == 0 && out.contains("presend-update"), "{shell}");
    }
}
