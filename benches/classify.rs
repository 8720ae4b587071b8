//! Models: loading, the first inference and the steady ones, on one thread and
//! on two, the memory they hold, and what preparing a picture takes.
//!
//! Memory is measured in a process of its own for each row, because one that has
//! run a model before gives the next what it has freed.
//!
//! Set `ORT_DYLIB_PATH` to a library of ONNX Runtime to measure it beside the
//! embedded runtime.

use std::fs;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use presend::frame::{Background, Frame, Layout};
use presend::limits::Budget;
use presend::{Classifier, Limits, Model, Runtime, media};

const MODELS: [&str; 3] = ["nsfwjs-mid-1", "nsfwjs-tiny-1", "open-nsfw-1"];

fn classify(c: &mut Criterion) {
    if let Ok(row) = std::env::var(ROW) {
        return tell_memory(&row);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let budget = Budget::start(&Limits::default());
    let bytes = fs::read(root.join("tests/data/media/mountains.jpg")).expect("a picture");
    let mut frames = media::open(&bytes, &budget).expect("it opens");
    let frame: Frame<'static> = frames.next().expect("a frame").expect("it decodes");
    assert_eq!((frame.width(), frame.height()), (640, 480));
    // Its content makes no difference.
    let large = vec![127; 4000 * 3000 * 3];
    let large = Frame::new(4000, 3000, Layout::Rgb8, large).expect("a picture");

    let mut runtimes = vec![("embedded", Runtime::embedded())];
    match std::env::var_os("ORT_DYLIB_PATH") {
        Some(library) => runtimes.push(("onnxruntime", Runtime::onnx_runtime(library))),
        None => eprintln!("ORT_DYLIB_PATH is not set: only the embedded runtime is measured"),
    }
    let mut group = c.benchmark_group("classify");
    for name in MODELS {
        let model = Model::read(&root.join("models").join(name)).expect("a model");
        for (kind, runtime) in &runtimes {
            for threads in [1, 2].map(|n| NonZeroUsize::new(n).expect("not zero")) {
                let runtime = runtime.clone().threads(threads);
                let start = Instant::now();
                // Runs the first golden input: loading and the first inference.
                let classifier = Classifier::open(&model, &runtime).expect("it opens");
                let opened = start.elapsed();
                let tensor =
                    classifier.prepare(&frame, Background::White, &budget).expect("a tensor");
                let start = Instant::now();
                let scores = classifier.scores(&tensor, &budget).expect("scores");
                let second = start.elapsed();
                assert!(scores.as_slice().last() < Some(&0.5), "a landscape");
                let memory = memory_of(&format!("{name}/{kind}/{threads}"));
                eprintln!(
                    "{name} on {kind}, {threads} threads: opened and tested in {opened:.1?}, the \
                     next inference {second:.1?}, {memory}"
                );
                group.bench_function(format!("{name}/{kind}/{threads}"), |b| {
                    b.iter(|| classifier.scores(black_box(&tensor), &budget));
                });
            }
        }
        let input = &model.description().input;
        for (size, frame) in [("640x480", &frame), ("4000x3000", &large)] {
            group.bench_function(format!("{name}/prepare/{size}"), |b| {
                b.iter(|| input.prepare(black_box(frame), Background::White, &budget));
            });
        }
    }
}

/// What a model adds to the resident memory of a new process, now and at most.
fn memory_of(row: &str) -> String {
    let this = std::env::current_exe().expect("this bench");
    let told = Command::new(this).arg("--bench").env(ROW, row).output().expect("it runs");
    String::from_utf8(told.stdout).expect("text")
}

/// In the new process: opens the model of the row, runs it, and tells.
fn tell_memory(row: &str) {
    let [name, kind, threads] = *row.split('/').collect::<Vec<_>>() else { panic!("{row}") };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let model = Model::read(&root.join(name)).expect("a model");
    let runtime = match std::env::var_os("ORT_DYLIB_PATH") {
        Some(library) if kind == "onnxruntime" => Runtime::onnx_runtime(library),
        _ => Runtime::embedded(),
    };
    let before = resident();
    let runtime = runtime.threads(threads.parse().expect("a number"));
    let classifier = Classifier::open(&model, &runtime).expect("it opens");
    classifier.verify(&model).expect("its scores");
    match (before, resident()) {
        (Some((before, _)), Some((now, most))) => print!(
            "{} MiB more resident, {} at most",
            now.saturating_sub(before) >> 10,
            most.saturating_sub(before) >> 10
        ),
        _ => print!("memory not measured"),
    }
}

/// Names the row to a process that is to measure its memory.
const ROW: &str = "PRESEND_BENCH_MEMORY";

/// Resident memory of this process in KiB, where the system tells: now, and the
/// most so far.
fn resident() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let of = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((of("VmRSS:")?, of("VmHWM:")?))
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = classify
}
criterion_main!(benches);
