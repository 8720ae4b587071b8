//! What scans allocate: at most at a time, beyond the file, the list and the model,
//! and what those hold themselves.

use std::fs;
use std::path::Path;

use peak_alloc::PeakAlloc;
use presend::media::Fidelity;
use presend::{Classifier, HashList, Limits, Model, Policy, Runtime, Scanner};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// File, and the megabytes that a scan of it may allocate: fast, then in full.
const FILES: [(&str, f32, f32); 8] = [
    ("reduced/eighth-420.jpg", 4.0, 20.0),
    ("reduced/eighth-progressive-422.jpg", 4.0, 48.0),
    ("reduced/quarter-444.jpg", 4.0, 12.0),
    ("reduced/half-progressive.jpg", 8.0, 8.0),
    ("media/mountains.jpg", 4.0, 4.0),
    ("media/test-picture.png", 4.0, 4.0),
    ("media/flower.webp", 4.0, 4.0),
    ("media/poster.gif", 4.0, 4.0),
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read(root.join(path)).expect("the file is in the repository");
    let before = HEAP.current_usage_as_mb();
    let list = HashList::open(read("hashlists/demo/demo.presend")).expect("a list");
    println!("{:8.2} MB: the demonstration list", HEAP.current_usage_as_mb() - before);

    let before = HEAP.current_usage_as_mb();
    HEAP.reset_peak_usage();
    let model = Model::read(&root.join("models/nsfwjs-mid-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    println!(
        "{:8.2} MB: the default model, {:.2} MB while it opens",
        HEAP.current_usage_as_mb() - before,
        HEAP.peak_usage_as_mb() - before
    );

    println!("\nmost at a time, MB, fast and in full, without a model, and fast with one");
    for (file, fast, full) in FILES {
        let bytes = read(&format!("tests/data/{file}"));
        let scan = |fidelity, models: &[Classifier]| {
            let builder = Scanner::builder().list(list.clone()).policy(Policy::default());
            let builder = models.iter().cloned().fold(builder, |b, model| b.classifier(model));
            let scanner = builder.fidelity(fidelity).build().expect("a list and a model");
            let before = HEAP.current_usage_as_mb();
            HEAP.reset_peak_usage();
            let report = scanner.scan(&bytes, &Limits::default());
            assert!(report.frames > 0, "{file}");
            HEAP.peak_usage_as_mb() - before
        };
        let (few, many) = (scan(Fidelity::Fast, &[]), scan(Fidelity::Full, &[]));
        let with_model = scan(Fidelity::Fast, std::slice::from_ref(&classifier));
        println!(
            "{few:8.2} {many:8.2} {with_model:8.2}  {file}, {:.2} MB",
            bytes.len() as f32 / 1048576.0
        );
        assert!(few <= fast && many <= full, "{file}: more than {fast} and {full} MB");
    }
}
