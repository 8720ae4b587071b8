//! `presend scan`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use presend::hash::views::ViewSet;
use presend::media::Fidelity;
use presend::verdict::{Finding, Judged, Match};
use presend::{CancelToken, Classifier, Limits, Policy, Report, Scanner, ScannerBuilder, Verdict};
use serde_json::{Value, json};

use crate::input::{self, Input};
use crate::list::{self, Opened};
use crate::model::ModelArgs;
use crate::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files, folders (with everything below them), or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    scanner: ScannerArgs,
    /// Time for one file, in milliseconds.
    #[arg(long, value_name = "MS")]
    deadline: Option<u64>,
    /// Files scanned at the same time [default: one for each processor].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Say nothing about files that are allowed, and show no progress.
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object a line with every finding and score, the last with a summary.
    /// (Otherwise only the finding that decides is shown.)
    #[arg(long)]
    json: bool,
}

/// What files are scanned with, the same for every command that scans.
#[derive(clap::Args)]
pub(crate) struct ScannerArgs {
    /// List to compare with, a file or a store of `presend-update`; may be repeated [default: the
    /// embedded demonstration list].
    #[arg(long, value_name = "FILE|STORE")]
    list: Vec<PathBuf>,
    #[command(flatten)]
    models: ModelArgs,
    /// Policy file, or one of the presets default, teen and off.
    #[arg(long, default_value = "default", value_name = "FILE|PRESET")]
    policy: PathBuf,
    /// Ways in which a picture is looked up: mirrored, turned, without its borders, cropped.
    #[arg(long, value_name = "SET", default_value = ViewSet::Nine.name(),
        value_parser = PossibleValuesParser::new(ViewSet::ALL.map(ViewSet::name))
            .map(|name| ViewSet::from_name(&name).unwrap_or_default()))]
    views: ViewSet,
    /// How much of a large JPEG is decoded; fast decodes what is doubtful in full.
    #[arg(long, value_name = "FIDELITY", default_value = Fidelity::Fast.name(),
        value_parser = PossibleValuesParser::new(Fidelity::ALL.map(Fidelity::name))
            .map(|name| Fidelity::from_name(&name).unwrap_or_default()))]
    fidelity: Fidelity,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let start = Instant::now();
        let lists = self.scanner.lists()?;
        let described = lists.iter().map(|opened| {
            let list = &opened.list;
            json!({ "id": list.id(), "version": list.version(), "stale": opened.is_stale() })
        });
        let described: Vec<_> = described.collect();
        for Opened { list, .. } in lists.iter().filter(|opened| opened.is_stale()) {
            eprintln!(
                "presend: {} version {} may not be the newest: run presend-update",
                list.id(),
                list.version()
            );
        }
        let scanner = self.scanner.build(lists, self.scanner.models()?)?;
        if self.scanner.list.is_empty() && !self.quiet && !self.json {
            eprintln!(
                "presend: no --list given; using the demonstration list, which flags the official test picture"
            );
        }
        let time = self.deadline.map(Duration::from_millis);
        let limits = Limits { time, ..Limits::default() };
        let mut summary = Summary::default();
        self.scan_all(&scanner, &limits, &mut summary)?;
        if self.json {
            let mut line = summary.json(start.elapsed());
            line["summary"]["lists"] = described.into();
            writeln!(io::stdout(), "{line}")?;
        }
        Ok(summary.outcome())
    }

    /// Scans on several threads and prints in the order of the inputs.
    fn scan_all(
        &self,
        scanner: &Scanner,
        limits: &Limits,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let inputs = input::expand(&self.paths);
        let jobs = self.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let bar = input::progress(inputs.len(), self.quiet);
        let next = AtomicUsize::new(0);
        let (send, receive) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..jobs.min(inputs.len()) {
                let (send, inputs, next) = (send.clone(), &inputs, &next);
                scope.spawn(move || {
                    while let Some((n, input)) = {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        inputs.get(n).map(|input| (n, input))
                    } {
                        if send.send((n, Scanned::of(input, scanner, limits))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            let stop = StopOnDrop(&limits.cancel, &next, inputs.len());
            let mut waiting = BTreeMap::new();
            let mut due = 0;
            for (n, scanned) in receive {
                waiting.insert(n, scanned);
                while let Some(scanned) = waiting.remove(&due) {
                    due += 1;
                    bar.inc(1);
                    summary.count(&scanned);
                    bar.suspend(|| self.print(&scanned))?;
                }
            }
            bar.finish_and_clear();
            drop(stop);
            Ok(())
        })
    }

    fn print(&self, scanned: &Scanned) -> Result<(), Failure> {
        let path = input::shown(&scanned.path);
        let mut out = io::stdout().lock();
        match &scanned.result {
            Err(error) => {
                eprintln!("presend: {path}: {error}");
                if self.json {
                    writeln!(
                        out,
                        "{}",
                        json!({ "path": scanned.path.display().to_string(), "error": error.to_string() })
                    )?;
                }
            }
            Ok((report, _)) if self.quiet && report.verdict == Verdict::Allow => {}
            Ok((report, read)) if self.json => {
                writeln!(out, "{}", to_json(&scanned.path, report, *read))?;
            }
            Ok((report, _)) => {
                let reason = report.reason().map(|Judged { finding, rule, .. }| {
                    let score = match finding {
                        Finding::Label { score, .. } => format!(" {score}"),
                        _ => String::new(),
                    };
                    format!("  {}{score}: {finding} (rule {rule})", finding.code())
                });
                writeln!(
                    out,
                    "{:<5}  {path}{}",
                    report.verdict.name(),
                    reason.unwrap_or_default()
                )?;
            }
        }
        Ok(())
    }
}

impl ScannerArgs {
    /// Opens the lists.
    pub(crate) fn lists(&self) -> Result<Vec<Opened>, Failure> {
        list::open_all(&self.list)
    }

    /// Opens the models.
    pub(crate) fn models(&self) -> Result<Vec<Classifier>, Failure> {
        self.models.open()
    }

    /// What runs the models, in a word.
    pub(crate) fn runtime(&self) -> String {
        self.models.runtime()
    }

    /// The name of the set of views.
    pub(crate) fn views(&self) -> &'static str {
        self.views.name()
    }

    /// How much is decoded.
    pub(crate) fn fidelity(&self) -> &'static str {
        self.fidelity.name()
    }

    /// The policy as it was named.
    pub(crate) fn policy(&self) -> String {
        input::shown(&self.policy)
    }

    /// The scanner of these lists and models.
    pub(crate) fn build(
        &self,
        lists: Vec<Opened>,
        models: Vec<Classifier>,
    ) -> Result<Scanner, Failure> {
        let mut policy = self.read_policy()?;
        for opened in &lists {
            if let Some(most) = opened.most() {
                policy = policy.at_most(opened.list.id(), most);
            }
        }
        let builder = Scanner::builder().policy(policy).views(self.views).fidelity(self.fidelity);
        let lists = lists.into_iter().map(|opened| opened.list);
        let builder = lists.fold(builder, ScannerBuilder::list);
        let builder = models.into_iter().fold(builder, ScannerBuilder::classifier);
        builder.build().map_err(|error| Failure::new(error.to_string()))
    }

    fn read_policy(&self) -> Result<Policy, Failure> {
        if let Some(preset) = self.policy.to_str().and_then(Policy::preset) {
            return Ok(preset);
        }
        let text = std::fs::read_to_string(&self.policy).map_err(|error| {
            let presets = Policy::PRESETS.join(", ");
            Failure::at(&self.policy, format!("{error} (the presets are {presets})"))
        })?;
        Policy::parse(&text).map_err(|error| Failure::at(&self.policy, error))
    }
}

/// When printing fails, no thread starts another file and those that scan stop.
struct StopOnDrop<'a>(&'a CancelToken, &'a AtomicUsize, usize);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.1.store(self.2, Ordering::Relaxed);
        self.0.cancel();
    }
}

/// One file's report and the time it took to read.
struct Scanned {
    path: PathBuf,
    result: io::Result<(Report, Duration)>,
}

impl Scanned {
    fn of(input: &Result<Input, (PathBuf, io::Error)>, scanner: &Scanner, limits: &Limits) -> Self {
        match input {
            Ok(input) => {
                let start = Instant::now();
                let result = input.read(limits.input_bytes).map(|bytes| {
                    let read = start.elapsed();
                    (scanner.scan(&bytes, limits), read)
                });
                Self { path: input.0.clone(), result }
            }
            Err((path, error)) => {
                let error = io::Error::new(error.kind(), error.to_string());
                Self { path: path.clone(), result: Err(error) }
            }
        }
    }
}

#[derive(Default)]
struct Summary {
    verdicts: BTreeMap<Verdict, u64>,
    errors: u64,
}

impl Summary {
    fn count(&mut self, scanned: &Scanned) {
        match &scanned.result {
            Ok((report, _)) => *self.verdicts.entry(report.verdict).or_insert(0) += 1,
            Err(_) => self.errors += 1,
        }
    }

    fn outcome(&self) -> Outcome {
        let flagged = self.verdicts.keys().any(|&verdict| verdict > Verdict::Allow);
        match (self.errors, flagged) {
            (0, false) => Outcome::Clean,
            (0, true) => Outcome::Flagged,
            _ => Outcome::Failed,
        }
    }

    fn json(&self, elapsed: Duration) -> Value {
        let count = |verdict| self.verdicts.get(&verdict).copied().unwrap_or(0);
        json!({ "summary": {
            "files": self.verdicts.values().sum::<u64>() + self.errors,
            "allow": count(Verdict::Allow),
            "warn": count(Verdict::Warn),
            "ask": count(Verdict::Ask),
            "block": count(Verdict::Block),
            "errors": self.errors,
            "elapsed_us": micros(elapsed),
        }})
    }
}

fn to_json(path: &Path, report: &Report, read: Duration) -> Value {
    let timings = &report.timings;
    json!({
        "path": path.display().to_string(),
        "verdict": report.verdict.name(),
        "findings": report.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "blake3": report.clearance.blake3().map(hex),
        "format": report.media.map(|media| media.format.name()),
        "width": report.media.map(|media| media.width),
        "height": report.media.map(|media| media.height),
        "scale": report.media.map(|media| media.scale),
        "frames": report.frames,
        "inferences": report.inferences,
        "timings_us": {
            "read": micros(read),
            "digest": micros(timings.digest),
            "sniff": micros(timings.sniff),
            "decode": micros(timings.decode),
            "hash": micros(timings.hash),
            "views": micros(timings.views),
            "lookup": micros(timings.lookup),
            "classify": micros(timings.classify),
            "policy": micros(timings.policy),
            "total": micros(timings.total),
        },
    })
}

fn finding_json(judged: &Judged) -> Value {
    let mut json = json!({
        "code": judged.finding.code(),
        "verdict": judged.verdict.name(),
        "rule": judged.rule,
        "text": judged.finding.to_string(),
    });
    let detail = match &judged.finding {
        Finding::Match { list, version, by } => match by {
            Match::Exact(algorithm) => {
                json!({ "list": list, "list_version": version, "algorithm": algorithm.name() })
            }
            Match::Near { view, frame } => {
                json!({ "list": list, "list_version": version, "view": view.name(), "frame": frame })
            }
            _ => json!({}),
        },
        Finding::Label { model, version, label, score } => {
            // As a decimal of three places, not as the f32 next to it.
            let score = (f64::from(*score) * 1000.0).round() / 1000.0;
            json!({ "model": model, "model_version": version, "label": label, "score": score })
        }
        _ => json!({}),
    };
    if let (Some(json), Value::Object(detail)) = (json.as_object_mut(), detail) {
        json.extend(detail);
    }
    json
}

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
