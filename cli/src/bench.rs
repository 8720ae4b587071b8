//! `presend bench`: how long scans take on this device.
//!
//! The stages of warm scans come from the scanner's own clock, see [`warm`];
//! cold starts and memory from new processes, see [`cold`]. [`compare`] says
//! what has become slower than in an earlier run.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use presend::{HashList, Limits, Scanner};
use serde_json::{Value, json};

use crate::input::steps;
use crate::scan::ScannerArgs;
use crate::{Failure, Outcome};

mod cold;
mod compare;
mod machine;
mod page;
mod picture;
mod report;
mod stage;
mod warm;

use cold::Cold;
use compare::Comparison;
use machine::Machine;
use picture::{Class, Picture};
use report::{BUILD, Report};
use warm::{Scans, Throughput, Unusable};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files and folders (with everything below them) [default: built-in pictures].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    scanner: ScannerArgs,
    /// Warm scans of each file [default: as many as take five seconds, five at least].
    #[arg(long, value_name = "N")]
    runs: Option<NonZeroUsize>,
    /// New processes for the largest file of each format and size; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 3)]
    cold: usize,
    /// Most threads that scan at the same time; 0 leaves throughput out [default: one for each
    /// processor].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print every figure as JSON.
    #[arg(long)]
    json: bool,
    /// Write the report with its drawings to FILE, a page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Say what has become slower than in FILE, which --json wrote; exit 1 if anything has.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// By how many percent a median may grow before it counts as slower.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent,
        requires = "compare")]
    tolerance: f64,
    /// What a cold start does: open everything and scan one file.
    #[arg(long, value_name = "FILE", hide = true)]
    once: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        if let Some(path) = &self.once {
            return cold::once(&self.scanner, path);
        }
        let earlier = self.compare.as_ref().map(read_run).transpose()?;
        if BUILD == "debug" && !self.json {
            eprintln!("presend: a debug build; its times say little about a release build");
        }
        let report = self.measure()?;
        let mut run = report.json();
        let compared = match earlier {
            None => None,
            Some(earlier) => Some(
                Comparison::of(&earlier, &run, self.tolerance)
                    .ok_or_else(|| Failure::new("the earlier run scanned none of these files"))?,
            ),
        };
        run["compared"] = compared.as_ref().map(Comparison::json).into();
        if let Some(file) = &self.html {
            fs::write(file, report.html()).map_err(|error| Failure::at(file, error))?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{run}")?;
        } else {
            report.text(&mut out)?;
            compared.iter().try_for_each(|compared| compared.text(&mut out))?;
        }
        let slower = compared.is_some_and(|compared| compared.is_slower());
        Ok(if slower { Outcome::Flagged } else { Outcome::Clean })
    }

    fn measure(&self) -> Result<Report, Failure> {
        let start = Instant::now();
        let machine = Machine::here();
        let bar = steps("making and opening what is scanned", 0);
        let pictures =
            if self.paths.is_empty() { Picture::built_in()? } else { Picture::files(&self.paths)? };
        let scanner = self.scanner.build(self.scanner.lists()?, self.scanner.models()?)?;
        let limits = Limits::default();
        bar.finish_and_clear();

        let bar = steps("scanning every file once", pictures.len());
        let mut scans: Vec<Scans> = Vec::new();
        let mut unusable: Vec<Unusable> = Vec::new();
        for picture in pictures {
            match Scans::first(picture, &scanner, &limits)? {
                Ok(first) => scans.push(first),
                Err(file) => unusable.push(file),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if scans.is_empty() {
            let found = unusable.len();
            return Err(Failure::new(format!("none of {found} files can be scanned in full")));
        }
        let cold = self.cold_starts(&scans)?;
        self.warm_scans(&mut scans, &scanner, &limits)?;
        // Before other threads add to it.
        let peak = machine::peak();
        let throughput = self.throughput(&scans, &scanner, &limits)?;
        let scanner = self.describe(&scanner);
        let elapsed = start.elapsed();
        Ok(Report { machine, scanner, scans, unusable, cold, throughput, peak, elapsed })
    }

    fn cold_starts(&self, scans: &[Scans]) -> Result<Vec<Cold>, Failure> {
        if self.cold == 0 {
            return Ok(Vec::new());
        }
        let mut largest: BTreeMap<Class, &Scans> = BTreeMap::new();
        for scans in scans {
            let known = largest.entry(scans.class()).or_insert(scans);
            if scans.pixels() > known.pixels() {
                *known = scans;
            }
        }
        let bar = steps("starting anew", largest.len());
        let cold = largest.into_iter().map(|(class, scans)| {
            bar.inc(1);
            Cold::measure(class, &scans.picture, self.cold)
        });
        let cold = cold.collect();
        bar.finish_and_clear();
        cold
    }

    /// Round by round, so that whatever else the machine does meets all alike.
    fn warm_scans(
        &self,
        scans: &mut [Scans],
        scanner: &Scanner,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let bar = steps("scanning again and again", 0);
        let start = Instant::now();
        for round in 0.. {
            let done = match self.runs {
                Some(runs) => round >= runs.get(),
                None => round >= MOST_RUNS || round >= LEAST_RUNS && start.elapsed() >= WARM,
            };
            if done {
                break;
            }
            scans.iter_mut().try_for_each(|scans| scans.again(scanner, limits))?;
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn throughput(
        &self,
        scans: &[Scans],
        scanner: &Scanner,
        limits: &Limits,
    ) -> Result<Vec<Throughput>, Failure> {
        let processors = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let most = self.threads.unwrap_or_else(processors);
        let counts = (1..=most).filter(|&n| n <= 4 || n.is_power_of_two() || n == most);
        let counts: Vec<usize> = counts.collect();
        let rounds = self.runs.map_or_else(|| warm::rounds(scans, THROUGHPUT), NonZeroUsize::get);
        let bar = steps("scanning on several threads", counts.len());
        let measured = counts.into_iter().map(|threads| {
            bar.inc(1);
            warm::throughput(scans, threads, rounds, scanner, limits)
        });
        let measured = measured.collect();
        bar.finish_and_clear();
        measured
    }

    fn describe(&self, scanner: &Scanner) -> Value {
        let list = |list: &HashList| {
            json!({
                "name": list.id(),
                "version": list.version(),
                "profile": list.header().profile(),
                "near_entries": list.header().near_entries,
                "exact_entries": list.header().exact_entries,
            })
        };
        let models = scanner.classifiers().iter().map(|classifier| {
            let description = classifier.description();
            json!({ "name": description.name, "version": description.version })
        });
        json!({
            "lists": scanner.lists().iter().map(list).collect::<Vec<_>>(),
            "models": models.collect::<Vec<_>>(),
            "runtime": self.scanner.runtime(),
            "views": self.scanner.views(),
            "fidelity": self.scanner.fidelity(),
            "policy": self.scanner.policy(),
        })
    }
}

fn read_run(file: &PathBuf) -> Result<Value, Failure> {
    let text = fs::read(file).map_err(|error| Failure::at(file, error))?;
    let run: Value = serde_json::from_slice(&text).map_err(|error| Failure::at(file, error))?;
    if run["files"].is_array() {
        Ok(run)
    } else {
        Err(Failure::at(file, "not what presend bench --json writes"))
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..f64::INFINITY).contains(&percent) => Ok(percent),
        _ => Err("a percentage, 0 or more".to_owned()),
    }
}

const LEAST_RUNS: usize = 5;
const MOST_RUNS: usize = 2_000;
const WARM: Duration = Duration::from_secs(5);

/// For each number of threads, if one thread more did as much more.
const THROUGHPUT: Duration = Duration::from_millis(1_500);
