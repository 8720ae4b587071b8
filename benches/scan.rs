//! The whole of it: bytes to verdict, as the README's command scans them.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use presend::{HashList, Limits, Scanner, Verdict};

const FILES: [(&str, Verdict); 7] = [
    ("test-picture.png", Verdict::Block),
    ("test-picture-halved-q50.jpg", Verdict::Block),
    ("flower.webp", Verdict::Allow),
    ("mountains.jpg", Verdict::Allow),
    ("poster.gif", Verdict::Allow),
    ("spheres.png", Verdict::Allow),
    ("waves.jpg", Verdict::Allow),
];

fn scan(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read(root.join(path)).expect("the file is in the repository");
    let list = HashList::open(read("hashlists/demo/demo.presend")).expect("a list");
    let scanner = Scanner::builder().list(list).build().expect("one list has one id");
    let limits = Limits::default();
    let mut group = c.benchmark_group("scan");
    for (file, verdict) in FILES {
        let bytes = read(&format!("tests/data/media/{file}"));
        assert_eq!(scanner.scan(&bytes, &limits).verdict, verdict, "{file}");
        group.bench_function(file, |b| b.iter(|| scanner.scan(black_box(&bytes), &limits)));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = scan
}
criterion_main!(benches);
