//! Cold starts: processes of their own, each of which opens the lists and
//! models and scans one picture.
//!
//! Cold is what one process can bring about: nothing opened, nothing allocated,
//! no page of the program touched by it. The system may well hold the files in
//! its cache, as it does after the first start of an app; a disk is not
//! measured.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use presend::Limits;
use serde_json::{Value, json};

use super::machine;
use super::picture::{Class, Picture};
use super::stage::{Spread, Stage, Times, by_stage, micros};
use crate::input::Input;
use crate::scan::ScannerArgs;
use crate::{Failure, Outcome};

/// The largest picture of a class, scanned by processes that did nothing before.
pub(crate) struct Cold {
    pub(crate) class: Class,
    pub(crate) name: String,
    pub(crate) starts: Vec<Value>,
}

/// The rest of what a start takes, beside the stages of its scan.
pub(crate) const OPENING: [(&str, &str); 3] =
    [("open_lists_us", "open lists"), ("open_models_us", "open models"), ("process_us", "process")];

impl Cold {
    /// Starts this command `count` times with the same options.
    pub(crate) fn measure(class: Class, picture: &Picture, count: usize) -> Result<Self, Failure> {
        let starts = (0..count).map(|_| start(picture)).collect::<Result<_, _>>()?;
        Ok(Self { class, name: picture.name.clone(), starts })
    }

    /// Of one of [`OPENING`].
    pub(crate) fn opening(&self, key: &str) -> Option<Spread> {
        Spread::of(self.starts.iter().filter_map(|start| start[key].as_f64()))
    }

    pub(crate) fn stage(&self, stage: Stage) -> Option<Spread> {
        Spread::of(self.starts.iter().filter_map(|start| start["scan_us"][stage.name()].as_f64()))
    }

    /// The median of the bytes behind `key`; none where the system does not tell.
    pub(crate) fn bytes(&self, key: &str) -> Option<f64> {
        Spread::of(self.starts.iter().filter_map(|start| start[key].as_f64())).map(|of| of.p50)
    }

    pub(crate) fn json(&self) -> Value {
        let opening = |key| self.opening(key).map(|spread| spread.json());
        json!({
            "format": self.class.format,
            "size": self.class.size.name(),
            "path": self.name,
            "starts": self.starts.len(),
            "process_us": opening("process_us"),
            "open_lists_us": opening("open_lists_us"),
            "open_models_us": opening("open_models_us"),
            "scan_us": by_stage(|stage| self.stage(stage).map(|spread| spread.json()).into()),
            "held_before_scan_bytes": self.bytes("held_before_scan_bytes"),
            "added_by_scan_bytes": self.bytes("added_by_scan_bytes"),
            "peak_bytes": self.bytes("peak_bytes"),
        })
    }
}

fn start(picture: &Picture) -> Result<Value, Failure> {
    let failed = |error: io::Error| Failure::new(format!("a cold start: {error}"));
    let (path, bytes) = match picture.elsewhere() {
        Ok(path) => (path.as_os_str().to_owned(), &[][..]),
        Err(bytes) => (OsString::from("-"), bytes),
    };
    let start = Instant::now();
    let mut process = Command::new(env::current_exe().map_err(failed)?)
        .args(["bench", "--once"])
        .arg(path)
        // The options of this process, which come after its name and `bench`.
        .args(env::args_os().skip(2))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = process.stdin.take() {
        // It has given up when it does not read; then it says why.
        let _ = stdin.write_all(bytes);
    }
    let output = process.wait_with_output().map_err(failed)?;
    let took = micros(start.elapsed());
    let mut told: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| Failure::new("a cold start ended without its figures"))?;
    told["process_us"] = took.into();
    Ok(told)
}

/// The process that is started.
pub(crate) fn once(scanner: &ScannerArgs, path: &Path) -> Result<Outcome, Failure> {
    let limits = Limits::default();
    let read = |path: &Path| {
        Input(PathBuf::from(path)).read(limits.input_bytes).map_err(|e| Failure::at(path, e))
    };
    // A built-in picture is there before the time starts.
    let given = if path == Path::new("-") { Some(read(path)?) } else { None };
    let start = Instant::now();
    let lists = scanner.lists()?;
    let open_lists = start.elapsed();
    let start = Instant::now();
    let models = scanner.models()?;
    let open_models = start.elapsed();
    let scanner = scanner.build(lists, models)?;
    let start = Instant::now();
    let (bytes, read) = match given {
        Some(bytes) => (bytes, std::time::Duration::ZERO),
        None => (read(path)?, start.elapsed()),
    };
    let peak = machine::peak();
    let held = machine::forget_peak().and_then(|()| machine::resident());
    let report = scanner.scan(&bytes, &limits);
    let after = machine::peak();
    let told = json!({
        "open_lists_us": micros(open_lists),
        "open_models_us": micros(open_models),
        "scan_us": Times::new(read, report.timings).json(),
        "held_before_scan_bytes": held,
        "added_by_scan_bytes": after.zip(held).map(|(after, held)| after.saturating_sub(held)),
        "peak_bytes": peak.max(after),
    });
    writeln!(io::stdout(), "{told}")?;
    Ok(Outcome::Clean)
}
