//! Frames to hashes, and files to digests.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use presend::frame::{Background, Frame, Layout};
use presend::hash::pdq::Pdq;
use presend::hash::views::{Dihedral, View};
use presend::hash::{Algorithm, Algorithms, Digest, exact};
use presend::limits::{Budget, Limits};
use presend::media;

/// As PyPI `pdqhash` 0.2.8 hashes the picture of [`twelve_megapixels`].
const TWELVE_MEGAPIXELS: &str = "c1518a551681ed2fdbea355f4ad599a57368c4cb191ad6352dcda39368a6534c";

/// As Python's hashlib and PyPI `blake3` have it for the bytes of [`four_mebibytes`].
const DIGESTS: [(Algorithm, &str); 4] = [
    (Algorithm::Md5, "aad8b8e4d120d0df7a7fda991d5dab03"),
    (Algorithm::Sha1, "077c791119e055e7a0ae5e507089a3f9114836f5"),
    (Algorithm::Sha256, "a117210941a0b00dcb2d8577e680d84b6fa0eaf760d2afc654c953b9859d54fa"),
    (Algorithm::Blake3, "4e94e6f582581a0f3855f3ce504b153e951e65036fe9e2f010b7e25473c54f98"),
];

fn perceptual(c: &mut Criterion) {
    let mountains = mountains();
    let mut group = c.benchmark_group("pdq");
    for (name, frame, expected) in [
        ("12-megapixels", twelve_megapixels(), TWELVE_MEGAPIXELS.to_owned()),
        ("640x480", mountains.clone(), reference("pdq")),
    ] {
        assert_eq!(pdq(&frame).hash().to_hex(), expected, "{name}");
        group
            .throughput(Throughput::Elements(u64::from(frame.width()) * u64::from(frame.height())));
        group.bench_function(name, |b| b.iter(|| pdq(black_box(&frame)).quality()));
    }
    group.finish();

    let mountains = pdq(&mountains);
    for (symmetry, column) in Dihedral::ALL.into_iter().zip(COLUMNS) {
        assert_eq!(
            View::dihedral(&mountains, symmetry).hash.to_hex(),
            reference(column),
            "{column}"
        );
    }
    c.bench_function("eight-views", |b| {
        b.iter(|| Dihedral::ALL.map(|symmetry| View::dihedral(black_box(&mountains), symmetry)));
    });
}

fn digests(c: &mut Criterion) {
    let bytes = four_mebibytes();
    let budget = Budget::start(&Limits::default());
    let mut group = c.benchmark_group("digest");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for (algorithm, expected) in DIGESTS {
        let wanted = Algorithms::from_iter([algorithm]);
        let of = |bytes: &[u8]| exact::digests(bytes, wanted, &budget).expect("no deadline");
        let made = of(&bytes).iter().map(hex).collect::<Vec<_>>();
        assert_eq!(made, [expected]);
        group.bench_function(algorithm.name(), |b| b.iter(|| of(black_box(&bytes))));
    }
}

/// In the order of [`Dihedral::ALL`]. The reference's rotations are
/// counter-clockwise.
const COLUMNS: [&str; 8] = ["pdq", "fliph", "r270", "r90", "r180", "flipv", "r90flipv", "r90fliph"];

/// The reference's hash of mountains.png, in the table's column of that name.
fn reference(column: &str) -> String {
    let table = fs::read_to_string(vectors().join("vectors.csv")).expect("the table is there");
    let cells = |line: &str| -> Vec<String> { line.split(',').map(str::to_owned).collect() };
    let header = cells(table.lines().next().expect("a header"));
    let row = table.lines().map(cells).find(|row| row[0] == "mountains.png").expect("its row");
    row[header.iter().position(|name| name == column).expect("a column of that name")].clone()
}

fn mountains() -> Frame<'static> {
    let bytes = fs::read(vectors().join("mountains.png")).expect("the test data is there");
    let budget = Budget::start(&Limits::default());
    let mut frames = media::open(&bytes, &budget).expect("a PNG file");
    frames.next().expect("one frame").expect("the file is whole")
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors")
}

/// Rings, hyperbolas and stripes: 4032 x 3024 pixels from whole numbers alone.
fn twelve_megapixels() -> Frame<'static> {
    let (width, height) = (4032u32, 3024u32);
    let at = |y: u32, x: u32| [(x * x + y * y) >> 15, (x * y) >> 14, (x + y) >> 4];
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| at(y, x)));
    let pixels: Vec<u8> = pixels.map(|value| value as u8).collect();
    Frame::new(width, height, Layout::Rgb8, pixels).expect("three bytes a pixel")
}

/// The pattern of BLAKE3's test vectors.
fn four_mebibytes() -> Vec<u8> {
    (0..4 << 20).map(|n: u32| (n % 251) as u8).collect()
}

fn pdq(frame: &Frame<'_>) -> Pdq {
    let budget = Budget::start(&Limits::default());
    Pdq::of(frame, Background::White, &budget).expect("no deadline")
}

fn hex(digest: &Digest) -> String {
    digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = perceptual, digests
}
criterion_main!(benches);
