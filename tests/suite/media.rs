//! What decoding promises: limits before memory, and an honest end.

use presend::limits::{Budget, CancelToken, Incomplete, Limits};
use presend::media::{self, Fault, Format};

use crate::{read, root, table};

fn drain(bytes: &[u8], limits: &Limits) -> (usize, Option<Fault>) {
    let budget = Budget::start(limits);
    let mut frames = match media::open(bytes, &budget) {
        Ok(frames) => frames,
        Err(fault) => return (0, Some(fault)),
    };
    let mut seen = 0;
    while let Some(item) = frames.next() {
        match item {
            Ok(_) => seen += 1,
            Err(fault) => {
                assert!(frames.next().is_none(), "nothing comes behind a fault");
                return (seen, Some(fault));
            }
        }
    }
    (seen, None)
}

#[test]
fn broken_files_are_told_by_their_fault() {
    let folder = root("tests/data/broken");
    let rows = table(folder.join("broken.csv"));
    assert!(rows.len() >= 20);
    for row in rows {
        let (seen, fault) = drain(&read(folder.join(&row["file"])), &Limits::default());
        let told = match fault {
            None => "ok",
            Some(Fault::Unsupported(_)) => "unsupported",
            Some(Fault::Incomplete(Incomplete::Truncated)) => "truncated",
            Some(Fault::Incomplete(Incomplete::Malformed)) => "malformed",
            Some(Fault::Incomplete(Incomplete::TooManyPixels)) => "too-large",
            Some(other) => panic!("{}: {other}", &row["file"]),
        };
        assert_eq!(told, &row["expect"], "{} ({seen} frames)", &row["file"]);
    }
}

#[test]
fn a_truncated_picture_gives_what_it_has() {
    // WebP decodes a picture whole or not at all.
    for name in [
        "truncated-baseline.jpg",
        "truncated-progressive.jpg",
        "truncated.png",
        "truncated-interlaced.png",
        "truncated-static.gif",
        "truncated-animated.gif",
        "truncated.bmp",
    ] {
        let bytes = read(root("tests/data/broken").join(name));
        let (seen, _) = drain(&bytes, &Limits::default());
        assert!(seen >= 1, "{name}");
    }
}

#[test]
fn formats_frames_and_sizes_are_those_of_the_tables() {
    let folder = root("tests/data/modes");
    for row in table(folder.join("modes.csv")) {
        let bytes = read(folder.join(&row["file"]));
        let budget = Budget::start(&Limits::default());
        if row["pdq"].is_empty() {
            assert!(matches!(media::open(&bytes, &budget), Err(Fault::Unsupported(_))));
            continue;
        }
        let mut frames = media::open(&bytes, &budget).expect("it opens");
        assert_eq!(frames.format().name(), &row["format"]);
        let first = frames.next().expect("a frame").expect("it decodes");
        assert_eq!(first.width().to_string(), row["width"]);
        assert_eq!(first.height().to_string(), row["height"]);
        let hidden = usize::from(&row["file"] == "apng-hidden-default.png");
        assert_eq!((1 + frames.count() - hidden).to_string(), row["frames"], "{}", &row["file"]);
    }
}

#[test]
fn the_content_decides_the_format() {
    let bytes = read(root("tests/data/broken/jpeg-named.png"));
    let budget = Budget::start(&Limits::default());
    assert_eq!(media::open(&bytes, &budget).expect("it opens").format(), Format::Jpeg);
}

/// One small file of each format.
const EACH: [&str; 5] = ["waves.jpg", "spheres.png", "flower.webp", "poster.gif", "bmp-24.bmp"];

fn each() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    EACH.into_iter().map(|name| {
        let media = root("tests/data/media").join(name);
        let path = if media.exists() { media } else { root("tests/data/modes").join(name) };
        (name, read(path))
    })
}

#[test]
fn every_limit_is_named_when_it_is_met() {
    for (name, bytes) in each() {
        for (limits, reason) in [
            (Limits { input_bytes: 100, ..Limits::default() }, Incomplete::TooManyBytes),
            (Limits { pixels: 1000, ..Limits::default() }, Incomplete::TooManyPixels),
            (Limits { frames: 0, ..Limits::default() }, Incomplete::TooManyFrames),
            (Limits { memory: 1000, ..Limits::default() }, Incomplete::TooMuchMemory),
            (
                Limits { time: Some(std::time::Duration::ZERO), ..Limits::default() },
                Incomplete::DeadlinePassed,
            ),
        ] {
            assert_eq!(drain(&bytes, &limits), (0, Some(Fault::Incomplete(reason))), "{name}");
        }
        let limits = Limits::default();
        limits.cancel.cancel();
        let cancelled = Some(Fault::Incomplete(Incomplete::Cancelled));
        assert_eq!(drain(&bytes, &limits), (0, cancelled), "{name}");
    }
}

#[test]
fn a_long_animation_is_cut_and_said_so() {
    for name in ["apng-animated.png", "gif-animated.gif", "webp-animated.webp"] {
        let bytes = read(root("tests/data/modes").join(name));
        let limits = Limits { frames: 2, ..Limits::default() };
        let expected = (2, Some(Fault::Incomplete(Incomplete::TooManyFrames)));
        assert_eq!(drain(&bytes, &limits), expected, "{name}");
    }
}

#[test]
fn a_scan_can_be_cancelled_between_frames() {
    let bytes = read(root("tests/data/modes/gif-animated.gif"));
    let cancel = CancelToken::default();
    let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
    let budget = Budget::start(&limits);
    let mut frames = media::open(&bytes, &budget).expect("it opens");
    assert!(frames.next().expect("a frame").is_ok());
    cancel.cancel();
    let fault = frames.next().expect("an answer").expect_err("cancelled");
    assert_eq!(fault, Fault::Incomplete(Incomplete::Cancelled));
}
