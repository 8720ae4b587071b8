//! Bytes to frames: the codecs, in pixels a second.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use presend::Limits;
use presend::limits::Budget;
use presend::media;

/// File, displayed frames, and the size of each.
const FILES: [(&str, u64, (u32, u32)); 22] = [
    ("media/mountains.jpg", 1, (640, 480)),
    ("modes/jpeg-444.jpg", 1, (403, 301)),
    ("modes/jpeg-420.jpg", 1, (403, 301)),
    ("modes/jpeg-progressive.jpg", 1, (403, 301)),
    ("modes/jpeg-restart.jpg", 1, (403, 301)),
    ("modes/jpeg-gray.jpg", 1, (403, 301)),
    ("modes/jpeg-cmyk.jpg", 1, (403, 301)),
    ("media/spheres.png", 1, (480, 640)),
    ("media/test-picture.png", 1, (512, 512)),
    ("modes/png-rgba16.png", 1, (403, 301)),
    ("modes/png-palette-trns.png", 1, (403, 301)),
    ("modes/png-interlaced.png", 1, (403, 301)),
    ("modes/apng-animated.png", 3, (151, 113)),
    ("media/poster.gif", 1, (300, 420)),
    ("modes/gif-animated.gif", 3, (151, 113)),
    ("media/flower.webp", 1, (641, 427)),
    ("modes/webp-lossy.webp", 1, (403, 301)),
    ("modes/webp-lossless.webp", 1, (403, 301)),
    ("modes/webp-alpha.webp", 1, (403, 301)),
    ("modes/webp-animated.webp", 3, (151, 113)),
    ("modes/bmp-24.bmp", 1, (151, 113)),
    ("modes/bmp-8.bmp", 1, (151, 113)),
];

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (file, frames, size) in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        let bytes = fs::read(path).expect("the test data is there");
        assert_eq!(sizes(&bytes), vec![size; frames as usize], "{file}");
        group.throughput(Throughput::Elements(frames * u64::from(size.0) * u64::from(size.1)));
        group.bench_function(file, |b| b.iter(|| sizes(black_box(&bytes))));
    }
}

fn sizes(bytes: &[u8]) -> Vec<(u32, u32)> {
    let budget = Budget::start(&Limits::default());
    let frames = media::open(bytes, &budget).expect("the format is known");
    let frames = frames.map(|frame| black_box(frame.expect("the file is whole")));
    frames.map(|frame| (frame.width(), frame.height())).collect()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = decode
}
criterion_main!(benches);
