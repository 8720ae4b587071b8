//! What is scanned: the user's files, or pictures made on the spot.

use std::borrow::Cow;
use std::io::{self, Cursor};
use std::path::PathBuf;

use image::imageops::{self, FilterType};
use image::{ImageFormat, RgbImage};

use crate::chance::Chance;
use crate::encode::{Libwebp, jpeg, webp};
use crate::input::{self, Input};
use crate::{Failure, input::shown};

/// Something to scan, again and again.
pub(crate) struct Picture {
    pub(crate) name: String,
    source: Source,
}

enum Source {
    File(Input),
    BuiltIn(Vec<u8>),
}

/// What a picture is measured together with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    pub(crate) format: &'static str,
    pub(crate) size: Size,
}

/// By the pixels of one frame, in millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    /// Less than one: thumbnails, stickers.
    Small,
    /// Less than four: what messengers send, screenshots.
    Medium,
    /// Less than 16: what most phones take.
    Large,
    Huge,
}

impl Size {
    pub(crate) fn of(width: u32, height: u32) -> Self {
        match u64::from(width) * u64::from(height) {
            0..1_000_000 => Self::Small,
            1_000_000..4_000_000 => Self::Medium,
            4_000_000..16_000_000 => Self::Large,
            _ => Self::Huge,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "below 1 MP",
            Self::Medium => "1 to 4 MP",
            Self::Large => "4 to 16 MP",
            Self::Huge => "16 MP and more",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.format, self.size.name())
    }
}

impl Picture {
    /// The files below `paths`.
    ///
    /// # Errors
    /// Every one must be there: figures without the largest file would mislead.
    pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        if paths.iter().any(|path| path.as_os_str() == "-") {
            return Err(Failure::new("bench scans every picture many times; name files, not -"));
        }
        let file = |input: Result<Input, (PathBuf, io::Error)>| match input {
            Ok(input) => Ok(Self { name: shown(&input.0), source: Source::File(input) }),
            Err((path, error)) => Err(Failure::at(&path, error)),
        };
        input::expand(paths).into_iter().map(file).collect()
    }

    /// Pictures as they are sent, made of the project's own renders. A phone's
    /// noise is drawn on those that stand for photos: without it they would be
    /// a tenth of a photo's bytes, and decoded in half the time.
    pub(crate) fn built_in() -> Result<Vec<Self>, Failure> {
        let mountains = enlarged(include_bytes!("../../../tests/data/media/mountains.jpg"))?;
        let waves = enlarged(include_bytes!("../../../tests/data/media/waves.jpg"))?;
        let flower = enlarged(include_bytes!("../../../tests/data/media/flower.webp"))?;
        let spheres = enlarged(include_bytes!("../../../tests/data/media/spheres.png"))?;
        let poster = include_bytes!("../../../tests/data/media/poster.gif");
        let pictures = [
            ("photo-12mp.jpg", jpeg(&grained(mountains(4032, 3024), 7.0), 88)?),
            ("sent-2mp.jpg", jpeg(&grained(waves(1600, 1200), 7.0), 80)?),
            ("sent-1mp.webp", webp(&grained(flower(1281, 853), 3.0), Libwebp::Quality80)?),
            ("screenshot.png", png(&spheres(1080, 1440))?),
            ("poster.gif", poster.to_vec()),
        ];
        let named = |(name, bytes)| Self {
            name: format!("built-in/{name}"),
            source: Source::BuiltIn(bytes),
        };
        Ok(pictures.into_iter().map(named).collect())
    }

    /// The bytes, but at most one more than `limit`.
    pub(crate) fn read(&self, limit: u64) -> io::Result<Cow<'_, [u8]>> {
        match &self.source {
            Source::File(input) => input.read(limit).map(Cow::Owned),
            Source::BuiltIn(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Where another process finds it: a path, or the bytes for its standard input.
    pub(crate) fn elsewhere(&self) -> Result<&PathBuf, &[u8]> {
        match &self.source {
            Source::File(Input(path)) => Ok(path),
            Source::BuiltIn(bytes) => Err(bytes),
        }
    }
}

/// A picture at any size.
fn enlarged(bytes: &[u8]) -> Result<impl Fn(u32, u32) -> RgbImage, Failure> {
    let picture = image::load_from_memory(bytes).map_err(unmade)?.into_rgb8();
    Ok(move |width, height| imageops::resize(&picture, width, height, FilterType::Triangle))
}

/// With a sensor's noise of deviation `sigma`, the same on every run.
fn grained(mut picture: RgbImage, sigma: f64) -> RgbImage {
    let mut chance = Chance::new(picture.len() as u64);
    for pixel in picture.pixels_mut() {
        let noise = sigma * chance.normal();
        for level in &mut pixel.0 {
            // `as` saturates.
            *level = (f64::from(*level) + noise).round() as u8;
        }
    }
    picture
}

fn png(picture: &RgbImage) -> Result<Vec<u8>, Failure> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(unmade)?;
    Ok(bytes.into_inner())
}

fn unmade(error: image::ImageError) -> Failure {
    Failure::new(format!("a built-in picture cannot be made: {error}"))
}
