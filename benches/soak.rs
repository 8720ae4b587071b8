//! Ten thousand mixed scans from sixteen threads: every report is the one that the
//! file has when it is scanned alone, and memory does not grow.
//!
//! One scan in eight is cancelled from another thread, one has a deadline that
//! most miss; these may stop early and say so, and nothing else may differ.
//! `PRESEND_SOAK` scans instead of 10,000; under `cargo test` 400.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use presend::limits::Incomplete;
use presend::{
    CancelToken, Classifier, Finding, HashList, Limits, Model, Report, Runtime, Scanner,
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let given = std::env::var("PRESEND_SOAK").ok().and_then(|scans| scans.parse().ok());
    let scans: usize = given.unwrap_or(if is_bench { 10_000 } else { 400 });
    let scanner = scanner();
    let files = files();
    let expected: Vec<_> =
        files.iter().map(|file| scanner.scan(file, &Limits::default())).collect();

    let (stopped, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut held = Vec::new();
    let start = Instant::now();
    HEAP.reset_peak_usage();
    // Ten rounds, and between them nothing is scanned: what is held then stays.
    for round in 0..10 {
        let next = AtomicUsize::new(round * scans / 10);
        let end = (round + 1) * scans / 10;
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= end {
                            return;
                        }
                        let file = n * 7919 % files.len();
                        let report = scan(&scanner, &files[file], n);
                        match told(&report) {
                            Some(Incomplete::Cancelled) => stopped.fetch_add(1, Ordering::Relaxed),
                            Some(Incomplete::DeadlinePassed) => {
                                late.fetch_add(1, Ordering::Relaxed)
                            }
                            _ => {
                                assert_eq!(report.findings, expected[file].findings, "scan {n}");
                                assert_eq!(report.clearance, expected[file].clearance, "scan {n}");
                                0
                            }
                        };
                    }
                });
            }
        });
        held.push(HEAP.current_usage());
    }
    let took = start.elapsed();
    let mib = |bytes: usize| bytes as f64 / 1048576.0;
    println!(
        "{scans} scans of {} files by 16 threads in {:.1} s: {} cancelled, {} past their deadline",
        files.len(),
        took.as_secs_f64(),
        stopped.load(Ordering::Relaxed),
        late.load(Ordering::Relaxed)
    );
    println!("most at a time {:.1} MiB; after each tenth, MiB:", mib(HEAP.peak_usage()));
    println!(
        "{}",
        held.iter().map(|&held| format!("{:.3}", mib(held))).collect::<Vec<_>>().join(" ")
    );
    assert!(HEAP.peak_usage() < CEILING, "{} bytes were held at a time", HEAP.peak_usage());
    let grown = held[9].saturating_sub(held[1]);
    assert!(grown < 256 << 10, "{grown} bytes more are held after warming up");
}

/// For sixteen scans of these files at a time, the list and the model.
const CEILING: usize = 192 << 20;

/// Each as it comes, but one in eight is cancelled and one has little time.
fn scan(scanner: &Scanner, file: &[u8], n: usize) -> Report {
    let some = Duration::from_micros(n as u64 * 37 % 20_000);
    match n % 8 {
        0 => {
            let cancel = CancelToken::default();
            let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(some);
                    cancel.cancel();
                });
                scanner.scan(file, &limits)
            })
        }
        1 => scanner.scan(file, &Limits { time: Some(some), ..Limits::default() }),
        _ => scanner.scan(file, &Limits::default()),
    }
}

/// Why the scan did not go on, if it was told to stop.
fn told(report: &Report) -> Option<Incomplete> {
    report.findings.iter().find_map(|judged| match judged.finding {
        Finding::Incomplete(
            reason @ (Incomplete::Cancelled | Incomplete::DeadlinePassed | Incomplete::Internal),
        ) => Some(reason),
        _ => None,
    })
}

fn scanner() -> Scanner {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read(root.join("hashlists/demo/demo.presend")).expect("it is in the repository");
    let model = Model::read(&root.join("models/nsfwjs-tiny-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let list = HashList::open(list).expect("a list");
    Scanner::builder().list(list).classifier(classifier).build().expect("a list and a model")
}

/// Every kind of file, good and bad.
fn files() -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths = Vec::new();
    for folder in ["media", "modes", "broken", "hidden", "orient"] {
        let entries = fs::read_dir(data.join(folder)).expect("a folder");
        paths.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}
