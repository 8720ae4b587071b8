//! Models: loading, the first inference and the steady ones, on one thread and
//! on two, and the memory they hold.
//!
//! Set `ORT_DYLIB_PATH` to a library of ONNX Runtime to measure it beside the
//! embedded runtime.

use std::fs;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use presend::frame::{Background, Frame};
use presend::limits::Budget;
use presend::{Classifier, Limits, Model, Runtime, media};

const MODELS: [&str; 3] = ["nsfwjs-mid-1", "nsfwjs-tiny-1", "open-nsfw-1"];

fn classify(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let budget = Budget::start(&Limits::default());
    let bytes = fs::read(root.join("tests/data/media/mountains.jpg")).expect("a picture");
    let mut frames = media::open(&bytes, &budget).expect("it opens");
    let frame: Frame<'static> = frames.next().expect("a frame").expect("it decodes");

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
                let before = resident();
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
                eprintln!(
                    "{name} on {kind}, {threads} threads: opened and tested in {opened:.1?}, the next \
                     inference {second:.1?}, {} more resident",
                    match (before, resident()) {
                        (Some(before), Some(after)) =>
                            format!("{} MiB", after.saturating_sub(before) >> 10),
                        _ => "memory not measured".to_owned(),
                    }
                );
                group.bench_function(format!("{name}/{kind}/{threads}"), |b| {
                    b.iter(|| classifier.scores(black_box(&tensor), &budget));
                });
            }
        }
        let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
        group.bench_function(format!("{name}/prepare"), |b| {
            b.iter(|| classifier.prepare(black_box(&frame), Background::White, &budget));
        });
    }
}

/// Resident memory of this process in KiB, where the system tells.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
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
