//! Look-ups in a list of 100,000 entries, and what an entry costs.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use presend::hash::views::View;
use presend::hash::{Algorithm, Digest, PerceptualHash};
use presend::list::HashList;
use presend::publish::{self, Feed, Parameters};

const NEAR: u32 = 90_000;
const EXACT: u32 = 10_000;

/// What a scan tries for one view.
const PROBES: usize = 1 << 15;

/// Bytes an entry of three bands may cost.
const BYTES_A_NEAR_ENTRY: f64 = 24.0;

fn list(c: &mut Criterion) {
    let bytes = build(NEAR, EXACT);
    let list = HashList::open(bytes).expect("what is built opens");
    let near_only = HashList::open(build(NEAR + EXACT, 0)).expect("what is built opens");
    let cost = near_only.size() as f64 / f64::from(NEAR + EXACT);
    println!("{cost:.1} bytes a near entry, {} for {NEAR} near and {EXACT} exact", list.size());
    assert!(cost <= BYTES_A_NEAR_ENTRY, "{cost:.1} bytes");

    let mut group = c.benchmark_group("list");
    group.bench_function("open", |b| b.iter(|| HashList::open(black_box(bytes))));
    group.bench_function("open-unverified", |b| {
        b.iter(|| HashList::open_unverified(black_box(bytes)));
    });

    let listed = Digest::new(Algorithm::Sha256, random(NEAR)).expect("32 bytes");
    let other = Digest::new(Algorithm::Sha256, random(NEAR + EXACT)).expect("32 bytes");
    assert!(list.contains(&listed) && !list.contains(&other));
    group.bench_function("exact-hit", |b| b.iter(|| list.contains(black_box(&listed))));
    group.bench_function("exact-miss", |b| b.iter(|| list.contains(black_box(&other))));

    // Twelve of 256 bits differ, all of them among the least certain.
    let copy = view(0, 12);
    let stranger = view(NEAR + EXACT, 0);
    assert!(list.contains_near(&copy, PROBES) && !list.contains_near(&stranger, PROBES));
    let (hit, miss) = (list.probes(&copy, PROBES), list.probes(&stranger, PROBES));
    group.bench_function("near-hit", |b| b.iter(|| list.contains_any(black_box(&hit))));
    group.throughput(Throughput::Elements(PROBES as u64));
    group.bench_function("probes", |b| b.iter(|| list.probes(black_box(&stranger), PROBES)));
    group.bench_function("near-miss", |b| b.iter(|| list.contains_any(black_box(&miss))));
}

/// Kept for ever, so that a list can be opened over it again and again.
fn build(near: u32, exact: u32) -> &'static [u8] {
    let mut feed = String::from("algorithm,hex\n");
    for n in 0..near + exact {
        let algorithm = if n < near { "pdq" } else { "sha256" };
        let hex = blake3::hash(&n.to_le_bytes()).to_hex();
        writeln!(feed, "{algorithm},{hex}").expect("writing to a string");
    }
    let feed = Feed::read(feed.as_bytes()).expect("a feed");
    assert_eq!((feed.rows.len() as u32, feed.bad.len()), (near + exact, 0));
    let parameters =
        Parameters { id: "bench".into(), version: 1, profile: "balanced".into(), salt: None };
    publish::build(&parameters, &feed).expect("rows and parameters are usable").list.leak()
}

/// Hash number `n` of the feed with `flipped` bits changed. Where a picture's
/// margins come from its DCT, these come from BLAKE3; changed bits have the
/// smallest.
fn view(n: u32, flipped: usize) -> View {
    let mut margins = [0.0; 256];
    let mut order: Vec<usize> = (0..256).collect();
    order.sort_by_key(|&bit| random(bit as u32));
    for (rank, &bit) in order.iter().enumerate() {
        margins[bit] = rank as f32;
    }
    let mut words = PerceptualHash::from_bytes(random(n)).words();
    // Every other one: a copy does not flip exactly the likeliest bits.
    for &bit in order.iter().step_by(2).take(flipped) {
        words[bit / 64] ^= 1 << (bit % 64);
    }
    View { hash: PerceptualHash::from_words(words), margins }
}

fn random(n: u32) -> [u8; 32] {
    *blake3::hash(&n.to_le_bytes()).as_bytes()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50);
    targets = list
}
criterion_main!(benches);
