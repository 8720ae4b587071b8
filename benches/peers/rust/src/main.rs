//! Times presend's library and other crates: `presend-peers PLAN`.
//!
//! PLAN is JSON: `repeat`, `files` (a name each) and `lumas` (path, width and
//! height of raw 8-bit luma, a name each). Prints JSON: for each name and file
//! the milliseconds of every repetition, and the hashes of the lumas, for
//! somebody else to compare.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use image_0_23 as image_for_pdqhash;
use presend::Limits;
use presend::frame::{Background, Frame, Layout};
use presend::hash::pdq::Pdq;
use presend::limits::Budget;
use presend::media::{self, Fault, Fidelity, Frames};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// How presend opens a file to hash it.
fn open<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Frames<'a>, Fault> {
    media::open_with(bytes, Fidelity::Fast, budget)
}

fn hash(frame: &Frame<'_>, budget: &Budget) -> Result<Pdq, Fault> {
    Ok(Pdq::of(frame, Background::White, budget)?)
}

fn main() -> Result<(), Failure> {
    let plan = std::env::args().nth(1).ok_or("usage: presend-peers PLAN")?;
    let plan: Value = serde_json::from_slice(&std::fs::read(plan)?)?;
    let mut timer = Timer { repeat: plan["repeat"].as_u64().unwrap_or(1), ..Timer::default() };
    for (name, path) in plan["files"].as_object().into_iter().flatten() {
        timer.file(name, Path::new(path.as_str().ok_or("a path")?))?;
    }
    let mut hashes = BTreeMap::new();
    for (name, luma) in plan["lumas"].as_object().into_iter().flatten() {
        hashes.insert(name, timer.luma(name, luma)?);
    }
    println!("{}", json!({ "times": timer.times, "hashes": hashes }));
    Ok(())
}

#[derive(Default)]
struct Timer {
    repeat: u64,
    /// By what was done, then by file, in milliseconds.
    times: BTreeMap<&'static str, BTreeMap<String, Vec<f64>>>,
}

impl Timer {
    /// Once without the clock, then with it.
    fn time<T>(
        &mut self,
        what: &'static str,
        file: &str,
        mut work: impl FnMut() -> Result<T, Failure>,
    ) -> Result<(), Failure> {
        black_box(work()?);
        for _ in 0..self.repeat {
            let start = Instant::now();
            black_box(work()?);
            let took = start.elapsed().as_secs_f64() * 1e3;
            self.times.entry(what).or_default().entry(file.to_owned()).or_default().push(took);
        }
        Ok(())
    }

    fn file(&mut self, name: &str, path: &Path) -> Result<(), Failure> {
        let bytes = std::fs::read(path)?;
        let limits = Limits::default();
        self.time("presend: hash from bytes", name, || {
            let budget = Budget::start(&limits);
            let frame = open(&bytes, &budget)?.next().ok_or("a frame")??;
            Ok(hash(&frame, &budget)?.hash())
        })?;
        self.time("presend: full decode", name, || {
            let budget = Budget::start(&limits);
            Ok(media::open(&bytes, &budget)?.next().ok_or("a frame")??.width())
        })?;
        self.time("crate image: decode, RGB", name, || {
            Ok(image::load_from_memory(black_box(&bytes))?.into_rgb8())
        })?;
        let picture = image::load_from_memory(&bytes)?;
        let hasher = image_hasher::HasherConfig::new().to_hasher();
        self.time("crate image_hasher: gradient hash from pixels", name, || {
            Ok(hasher.hash_image(black_box(&picture)))
        })?;
        let rgb = picture.into_rgb8();
        let (width, height) = rgb.dimensions();
        let picture = image_for_pdqhash::RgbImage::from_raw(width, height, rgb.into_raw())
            .map(image_for_pdqhash::DynamicImage::ImageRgb8)
            .ok_or("a picture")?;
        self.time("crate pdqhash: PDQ from pixels, shrunk to 512", name, || {
            Ok(pdqhash::generate_pdq(black_box(&picture)))
        })
    }

    /// Its hash.
    fn luma(&mut self, name: &str, luma: &Value) -> Result<Value, Failure> {
        let pixels = std::fs::read(luma["path"].as_str().ok_or("a path")?)?;
        let side = |side: &str| luma[side].as_u64().and_then(|n| u32::try_from(n).ok());
        let (width, height) = (side("width").ok_or("a width")?, side("height").ok_or("a height")?);
        let limits = Limits::default();
        let frame = Frame::new(width, height, Layout::Luma8, pixels.as_slice())?;
        let of = || hash(black_box(&frame), &Budget::start(&limits));
        self.time("presend: PDQ from luma", name, || Ok(of()?.hash()))?;
        let picture = image_for_pdqhash::GrayImage::from_raw(width, height, pixels.clone())
            .map(image_for_pdqhash::DynamicImage::ImageLuma8)
            .ok_or("a picture")?;
        self.time("crate pdqhash: PDQ from luma, full size", name, || {
            Ok(pdqhash::generate_pdq_full_size(black_box(&picture)))
        })?;
        Ok(of()?.hash().to_hex().into())
    }
}
