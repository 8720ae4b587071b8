//! A Matrix client of two people in an encrypted room, with presend before the
//! encryption: plays the plan that `examples/matrix/run` writes, and prints what
//! happened as one JSON object a step. The runner compares.
//!
//! `outbox.rs` is what a messenger would take over.

// The SDK's futures are deep.
#![recursion_limit = "256"]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matrix_sdk::ruma::OwnedEventId;
use presend::hook::{PreSendHook, Settings};
use presend::{Classifier, HashList, Model, Policy, Report, Runtime, Scanner};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

mod outbox;
mod person;

use outbox::{NotSent, Outbox, Picture};
use person::{Account, Person, Received};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
struct Plan {
    homeserver: String,
    alice: Account,
    bob: Account,
    /// Where the clients keep what they keep.
    state: PathBuf,
    lists: Vec<PathBuf>,
    model: PathBuf,
    policy: PathBuf,
    steps: Vec<Step>,
    album: Vec<Outgoing>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    #[serde(flatten)]
    send: Outgoing,
    /// What the person says when asked.
    #[serde(default)]
    answer: bool,
    /// Takes the file's place while the person makes up their mind.
    swap: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Outgoing {
    file: PathBuf,
    content_type: String,
    thumbnail: Option<PathBuf>,
}

impl Outgoing {
    fn picture(&self) -> Result<Picture, Failure> {
        let (file, thumbnail) = (self.file.clone(), self.thumbnail.clone());
        Ok(Picture { file, thumbnail, content_type: self.content_type.parse()? })
    }
}

/// What reached Bob and was not asked for yet.
struct Inbox(UnboundedReceiver<Result<Received, String>>);

impl Inbox {
    async fn next(&mut self) -> Result<Received, Failure> {
        Ok(timeout(PATIENCE, self.0.recv()).await?.ok_or("the inbox is closed")??)
    }

    async fn event(&mut self, event: OwnedEventId) -> Result<Received, Failure> {
        let received = self.next().await?;
        if received.event == event { Ok(received) } else { Err("another picture arrived".into()) }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let plan = std::env::args().nth(1).ok_or("usage: presend-matrix PLAN")?;
    let plan: Plan = serde_json::from_slice(&fs::read(plan)?)?;
    let hook = PreSendHook::new(scanner(&plan)?, Settings::default());

    let log_in = async |account: &Account, name: &str| {
        Person::log_in(&plan.homeserver, account, &plan.state.join(name)).await
    };
    let alice = log_in(&plan.alice, "alice").await?;
    let bob = log_in(&plan.bob, "bob").await?;
    let outbox = Outbox::new(hook, alice.room_with(&bob).await?);
    let mut inbox = Inbox(bob.pictures());
    alice.follow();
    bob.follow();

    for step in &plan.steps {
        println!("{}", play(step, &outbox, &mut inbox).await?);
    }
    println!("{}", album(&plan.album, &outbox, &mut inbox).await?);
    // Whatever else was sent would be here by now, or come before this one.
    println!("{}", json!({ "done": true, "unexpected": inbox.0.len() }));
    Ok(())
}

fn scanner(plan: &Plan) -> Result<Scanner, Failure> {
    let model = Model::read(&plan.model)?;
    let mut scanner = Scanner::builder()
        .classifier(Classifier::open(&model, &Runtime::embedded())?)
        .policy(Policy::parse(&fs::read_to_string(&plan.policy)?)?);
    for list in &plan.lists {
        scanner = scanner.list(HashList::open(fs::read(list)?)?);
    }
    Ok(scanner.build()?)
}

async fn play(step: &Step, outbox: &Outbox, inbox: &mut Inbox) -> Result<Value, Failure> {
    let picture = step.send.picture()?;
    let scanned = outbox.scan(&picture).await?;
    let mut played = told(scanned.gravest());
    let mut asked = false;
    let mut swapped = Ok(());
    let decided = Outbox::decide(scanned, |_| {
        asked = true;
        if let Some(other) = &step.swap {
            swapped = fs::copy(other, &picture.file).map(drop);
        }
        step.answer
    });
    swapped?;
    let sent = match decided {
        Ok(may_go) => outbox.send(&picture, &may_go).await,
        Err(reason) => Err(reason),
    };
    let (outcome, files) = match sent {
        Ok(event) => ("sent", inbox.event(event).await?.files),
        Err(NotSent::Blocked) => ("blocked", vec![]),
        Err(NotSent::Declined) => ("declined", vec![]),
        Err(NotSent::NotScanned(_)) => ("refused", vec![]),
        Err(failure) => return Err(failure.into()),
    };
    played["step"] = json!(step.name);
    played["outcome"] = json!(outcome);
    played["asked"] = json!(asked);
    played["files"] = json!(files);
    Ok(played)
}

fn told(report: &Report) -> Value {
    let reason = report.reason();
    json!({
        "verdict": report.verdict.name(),
        "code": reason.map(|reason| reason.finding.code()),
        "rule": reason.map(|reason| reason.rule.as_str()),
    })
}

/// All are scanned before the first is sent; what is kept of each meanwhile is
/// its report alone.
async fn album(album: &[Outgoing], outbox: &Outbox, inbox: &mut Inbox) -> Result<Value, Failure> {
    let before = Memory::reset()?;
    let mut decided = Vec::new();
    for send in album {
        let picture = send.picture()?;
        let scanned = outbox.scan(&picture).await?;
        decided.push((picture, Outbox::decide(scanned, |_| false)?));
    }
    let scanned = before.grown()?;
    for (picture, may_go) in &decided {
        outbox.queue(picture, may_go).await?;
    }
    let mut files = Vec::new();
    for _ in album {
        files.extend(inbox.next().await?.files);
    }
    let grown = [scanned, before.grown()?];
    Ok(json!({ "step": "an album", "outcome": "sent", "files": files, "memory": grown }))
}

/// The most memory that this process has held, in bytes (Linux).
struct Memory(u64);

impl Memory {
    fn reset() -> Result<Self, Failure> {
        fs::write("/proc/self/clear_refs", "5")?;
        Self::peak().map(Self)
    }

    fn grown(&self) -> Result<u64, Failure> {
        Ok(Self::peak()?.saturating_sub(self.0))
    }

    fn peak() -> Result<u64, Failure> {
        let status = fs::read_to_string(Path::new("/proc/self/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes: u64 = line.ok_or("no VmHWM")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes << 10)
    }
}
