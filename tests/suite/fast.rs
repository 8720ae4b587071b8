//! A fast scan reads large JPEG files at a part of their size, and all of what is
//! doubtful.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use presend::frame::Background;
use presend::hash::PerceptualHash;
use presend::hash::pdq::Pdq;
use presend::limits::{Budget, Clock, Incomplete};
use presend::media::{self, Fault, Fidelity};
use presend::publish::{self, Feed, Parameters};
use presend::{Classifier, HashList, Limits, Model, Policy, Report, Runtime, Scanner, Verdict};

use crate::{read, root, shared, table};

/// Whether the file is decoded in full whatever it looks like.
fn is_drawn(bytes: &[u8]) -> bool {
    blake3::hash(bytes).as_bytes()[0] < 4
}

/// The hash, the quality and the scale of a decode.
fn hashed(bytes: &[u8], fidelity: Fidelity) -> (PerceptualHash, u8, u32) {
    let budget = Budget::start(&Limits::default());
    let mut frames = media::open_with(bytes, fidelity, &budget).expect("a picture");
    let frame = frames.next().expect("a frame").expect("it decodes");
    assert!(frames.next().is_none(), "an undamaged picture");
    let pdq = Pdq::of(&frame, Background::White, &budget).expect("no limits");
    (pdq.hash(), pdq.quality(), frame.scale())
}

#[test]
fn a_reduced_picture_hashes_as_the_whole_one_does() {
    let mut distances = Vec::new();
    for row in table(root("tests/data/reduced/reduced.csv")) {
        let file = &row["file"];
        let bytes = read(root("tests/data/reduced").join(file));
        let (ours, quality, scale) = hashed(&bytes, Fidelity::Fast);
        assert_eq!(scale.to_string(), row["scale"], "{file}");
        assert_eq!(quality.to_string(), row["quality"], "{file}");
        distances.push(ours.distance(&PerceptualHash::from_hex(&row["pdq"]).expect("a hash")));
        let (whole, _, scale) = hashed(&bytes, Fidelity::Full);
        assert_eq!((whole.to_hex(), scale), (row["pdq"].to_owned(), 1), "{file}");
    }
    assert_eq!(distances.len(), 7);
    assert!(distances.iter().all(|&distance| distance <= 6), "{distances:?}");
    assert!(distances.iter().sum::<u32>() <= 7, "{distances:?}: more than a bit on average");
}

#[test]
fn phone_pictures_differ_by_a_bit_on_average() {
    let Some(folder) = shared("phone") else { return };
    let mut distances = Vec::new();
    for entry in folder.read_dir().expect("a folder") {
        let bytes = read(entry.expect("a file").path());
        let (fast, _, scale) = hashed(&bytes, Fidelity::Fast);
        assert!(scale >= 4);
        distances.push(fast.distance(&hashed(&bytes, Fidelity::Full).0));
    }
    let sum: u32 = distances.iter().sum();
    assert!(distances.iter().all(|&distance| distance <= 6) && sum <= distances.len() as u32);
}

#[test]
fn photos_at_a_quarter_or_a_half_differ_by_two_bits_at_most_on_average() {
    let Some(folder) = shared("photos") else { return };
    let mut distances = Vec::new();
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "jpg") {
            continue;
        }
        let bytes = read(path);
        let (fast, quality, scale) = hashed(&bytes, Fidelity::Fast);
        if quality > 49 && scale > 1 {
            distances.push(fast.distance(&hashed(&bytes, Fidelity::Full).0));
        }
    }
    let sum: u32 = distances.iter().sum();
    assert!(distances.len() > 40 && distances.iter().all(|&distance| distance <= 10));
    assert!(sum <= 2 * distances.len() as u32, "{distances:?}");
}

#[test]
fn what_is_unusual_is_decoded_in_full() {
    let usual = read(root("tests/data/reduced/quarter-444.jpg"));
    assert_eq!(hashed(&usual, Fidelity::Fast).2, 4);
    let at =
        |marker: u8| usual.windows(2).position(|pair| pair == [0xff, marker]).expect("a marker");
    // A second start within the picture.
    let start = [&usual[..at(0xdb)], &[0xff, 0xd8], &usual[at(0xdb)..]].concat();
    // Steps so large that blocks hold more than samples can show.
    let mut loud = usual.clone();
    loud[at(0xdb) + 6..at(0xdb) + 5 + 64].fill(255);
    // RGB by the names of its components.
    let mut rgb = usual.clone();
    let jfif = at(0xe0);
    rgb[jfif + 4] = b'X';
    for (n, name) in b"RGB".iter().enumerate() {
        rgb[at(0xc0) + 10 + 3 * n] = *name;
        rgb[at(0xda) + 5 + 2 * n] = *name;
    }
    // Means beyond what libjpeg's integers hold: they begin again at the other end.
    let mut far = usual.clone();
    far[at(0xdb) + 5] = 255;
    // The same where nothing beside them is read.
    let mut alone = read(root("tests/data/reduced/eighth-progressive-422.jpg"));
    let tables = alone.windows(2).position(|pair| pair == [0xff, 0xdb]).expect("a marker");
    alone[tables + 5] = 255;
    for (what, bytes) in [
        ("two starts", start),
        ("loud blocks", loud),
        ("RGB", rgb),
        ("far means", far),
        ("far means alone", alone),
    ] {
        let (hash, quality, scale) = hashed(&bytes, Fidelity::Fast);
        assert_eq!(scale, 1, "{what}");
        assert_eq!((hash, quality, 1), hashed(&bytes, Fidelity::Full), "{what}");
    }
}

/// Fine stripes on what is nearly white or black, or is as red as can be, and squares of
/// red: people see them cut off, which their means do not tell.
#[test]
fn samples_that_are_cut_off_are_hashed_as_they_are_seen() {
    let mut several = [0, 0];
    for row in table(root("tests/data/reduced/cut-off.csv")) {
        let file = &row["file"];
        let bytes = read(root("tests/data/reduced").join(file));
        let (fast, quality, scale) = hashed(&bytes, Fidelity::Fast);
        let distance = fast.distance(&PerceptualHash::from_hex(&row["pdq"]).expect("a hash"));
        if file.starts_with("eighth-progressive") {
            // Of a large progressive file only a scan reads more than the means.
            assert!(scale == 8 && distance > 90, "{file}: {distance} bits");
            several[1] += 1;
        } else {
            assert!(quality > 49 && distance <= 6, "{file}: {distance} bits, quality {quality}");
            assert_eq!(scale.to_string(), row["scale"], "{file}");
            several[0] += 1;
        }
    }
    assert_eq!(several, [8, 2]);
}

#[test]
fn samples_that_are_cut_off_are_scanned_as_they_are_seen() {
    for row in table(root("tests/data/reduced/cut-off.csv")) {
        let file = &row["file"];
        let feed = Feed::read(format!("pdq {}\n", &row["pdq"]).as_bytes()).expect("a row");
        let profile = "balanced".into();
        let parameters = Parameters { id: "seen".into(), version: 1, profile, salt: None };
        let built = publish::build(&parameters, &feed).expect("it builds");
        let list = HashList::open(built.list).expect("it opens");
        let scanner = Scanner::builder().list(list).build().expect("a list");
        let bytes = read(root("tests/data/reduced").join(file));
        assert!(!is_drawn(&bytes), "{file}");
        let report = scanner.scan(&bytes, &Limits::default());
        assert_eq!(report.verdict, Verdict::Block, "{file}: {report:?}");
        assert_eq!(report.media.expect("a picture").scale.to_string(), row["scale"], "{file}");
    }
}

#[test]
fn damage_is_told_as_the_whole_decode_tells_it() {
    for file in ["eighth-420.jpg", "eighth-restart-turned.jpg", "quarter-444.jpg"] {
        let whole = read(root("tests/data/reduced").join(file));
        let mut damaged = whole.clone();
        let middle = whole.len() / 2;
        damaged[middle..middle + 64].fill(0xff);
        for bytes in [&whole[..middle], &damaged] {
            let of = |fidelity| {
                let budget = Budget::start(&Limits::default());
                let frames = media::open_with(bytes, fidelity, &budget).expect("a header");
                let items = frames.map(|item| item.map(|frame| frame.scale()));
                items.collect::<Vec<Result<u32, Fault>>>()
            };
            let (fast, full) = (of(Fidelity::Fast), of(Fidelity::Full));
            assert_eq!(fast, full, "{file}");
            assert!(full.last().is_some_and(Result::is_err), "{file}");
        }
    }
}

/// A scan of that file by a model of colours, with a rule for one of them.
fn scan(bytes: &[u8], fidelity: Fidelity, rule: &str) -> Report {
    scanner(fidelity, rule).scan(bytes, &Limits::default())
}

fn scanner(fidelity: Fidelity, rule: &str) -> Scanner {
    let model = Model::read(&root("tests/data/models/mean-colour-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let rules = String::from_utf8(read(root("src/policy/default.toml"))).expect("text");
    let policy = Policy::parse(&(rules + rule)).expect("a policy");
    let scanner = Scanner::builder().classifier(classifier).policy(policy).fidelity(fidelity);
    scanner.build().expect("one model")
}

#[test]
fn one_file_of_64_is_decoded_in_full() {
    let usual = read(root("tests/data/reduced/half-gray.jpg"));
    let with = |tail: u16| [&usual[..], &tail.to_le_bytes()].concat();
    let scales: Vec<(bool, u32)> = (0..256)
        .map(|tail| {
            let bytes = with(tail);
            let report =
                Scanner::builder().build().expect("no parts").scan(&bytes, &Limits::default());
            (is_drawn(&bytes), report.media.expect("a picture").scale)
        })
        .collect();
    assert!(scales.iter().all(|&(drawn, scale)| scale == if drawn { 1 } else { 2 }));
    assert!(scales.iter().any(|&(drawn, _)| drawn));
}

#[test]
fn a_score_near_a_threshold_is_looked_at_again_in_full() {
    let bytes = read(root("tests/data/reduced/eighth-420.jpg"));
    assert!(!is_drawn(&bytes));
    let rule = |at: f32| format!("[label.red]\nwarn = {at}\n");
    let report = scan(&bytes, Fidelity::Fast, &rule(1.0));
    let red = |report: &Report| {
        let labels = report.findings.iter().filter_map(|judged| match &judged.finding {
            presend::Finding::Label { label, score, .. } if label == "red" => Some(*score),
            _ => None,
        });
        labels.collect::<Vec<_>>()
    };
    let scale = |report: &Report| report.media.expect("a picture").scale;
    let [score] = red(&report)[..] else { panic!("one score") };
    assert_eq!((scale(&report), report.inferences), (8, 1));

    let full = scan(&bytes, Fidelity::Full, &rule(score));
    for at in [score - 0.049, score + 0.049] {
        let again = scan(&bytes, Fidelity::Fast, &rule(at));
        assert_eq!((scale(&again), again.inferences, again.frames), (1, 2, 1));
        assert_eq!(red(&again), red(&full));
    }
    let far = scan(&bytes, Fidelity::Fast, &rule(score + 0.051));
    assert_eq!((scale(&far), far.inferences), (8, 1));
}

#[test]
fn a_second_look_that_breaks_off_leaves_what_the_first_has_seen() {
    let bytes = read(root("tests/data/reduced/eighth-420.jpg"));
    let seen = |report: &Report| {
        let labels = report.findings.iter().filter_map(|judged| match &judged.finding {
            presend::Finding::Label { label, score, .. } if label == "red" => Some(*score),
            _ => None,
        });
        labels.collect::<Vec<_>>()
    };
    let rule = |at: f32| format!("[label.red]\nwarn = {at}\n");
    let first = seen(&scan(&bytes, Fidelity::Fast, &rule(1.0)));
    let scanner = scanner(Fidelity::Fast, &rule(first[0] - 0.01));
    // Time passes with every look at the clock; each scan ends a little later.
    let mut broken_off = 0;
    for ticks in (0..).step_by(5) {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Clock::new(move || Duration::from_millis(now.fetch_add(1, Ordering::Relaxed)));
        let time = Some(Duration::from_millis(ticks));
        let report = scanner.scan(&bytes, &Limits { clock, time, ..Limits::default() });
        let late = presend::Finding::Incomplete(Incomplete::DeadlinePassed);
        if report.findings.iter().all(|judged| judged.finding != late) {
            break;
        }
        if report.inferences > 0 {
            broken_off += 1;
            assert_eq!(seen(&report), first, "after {ticks} looks at the clock");
        }
    }
    assert!(broken_off > 0);
}

#[test]
fn a_look_in_full_that_the_limits_do_not_allow_is_incomplete() {
    let bytes = read(root("tests/data/reduced/eighth-420.jpg"));
    let limits = |memory| Limits { memory, ..Limits::default() };
    let scanner = |fidelity| Scanner::builder().fidelity(fidelity).build().expect("no parts");
    let incomplete = |report: &Report| {
        let expected = presend::Finding::Incomplete(Incomplete::TooMuchMemory);
        report.findings.iter().any(|judged| judged.finding == expected)
    };
    // Of the 14 MB of the whole picture a fast scan needs an eighth of an eighth.
    let small = limits(1 << 20);
    assert!(!incomplete(&scanner(Fidelity::Fast).scan(&bytes, &small)));
    assert!(incomplete(&scanner(Fidelity::Full).scan(&bytes, &small)));
}

/// The test picture in grey, `times` as large.
fn enlarged(times: usize) -> (usize, Vec<u8>) {
    let bytes = read(root("tests/data/media/test-picture.png"));
    let budget = Budget::start(&Limits::default());
    let frame = media::open(&bytes, &budget).expect("a picture").next().expect("a frame");
    let frame = frame.expect("it decodes");
    let side = frame.width() as usize * times;
    let grey = |n: usize| {
        let (x, y) = (n % side / times, n / side / times);
        frame.rgb(x as u32, y as u32, Background::White)[1]
    };
    (side, (0..side * side).map(grey).collect())
}

/// Three frames: the picture with holes, a part of it turned over, a square in holes.
fn animated_gif() -> Vec<u8> {
    let (side, grey) = enlarged(3);
    let palette: Vec<u8> = (0..=255).flat_map(|level| [level; 3]).collect();
    let mut bytes = Vec::new();
    let mut encoder =
        gif::Encoder::new(&mut bytes, side as u16, side as u16, &palette).expect("a file");
    let mut counts = [0; 256];
    grey.iter().for_each(|&level| counts[usize::from(level)] += 1);
    let commonest = (0..=255).max_by_key(|&level| counts[usize::from(level)]).expect("levels");
    let part = side / 2;
    let turned: Vec<u8> = (0..part * part)
        .map(|n| grey[(side - 1 - n / part) * side + side - 1 - n % part])
        .collect();
    for (buffer, side, at, interlaced) in
        [(grey, side, 0, false), (turned, part, 101, true), (vec![9; 300 * 300], 300, 600, false)]
    {
        let mut rows: Vec<&[u8]> = buffer.chunks(side).collect();
        if interlaced {
            let order = [(0, 8), (4, 8), (2, 4), (1, 2)];
            let order = order.iter().flat_map(|&(first, step)| (first..side).step_by(step));
            rows = order.map(|y| &buffer[y * side..][..side]).collect();
        }
        let frame = gif::Frame {
            width: side as u16,
            height: side as u16,
            left: at,
            top: at,
            transparent: (!interlaced).then_some(commonest),
            interlaced,
            dispose: if interlaced {
                gif::DisposalMethod::Keep
            } else {
                gif::DisposalMethod::Previous
            },
            buffer: rows.concat().into(),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).expect("a frame");
    }
    drop(encoder);
    bytes
}

/// Two frames with alpha, the second a part.
fn animated_png() -> Vec<u8> {
    let (side, grey) = enlarged(3);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(png::ColorType::GrayscaleAlpha);
    encoder.set_compression(png::Compression::Fastest);
    encoder.set_animated(2, 0).expect("an animation");
    let mut writer = encoder.write_header().expect("a header");
    let alpha = |n: usize| (n % 509).min(255) as u8;
    let pixels: Vec<u8> = grey.iter().enumerate().flat_map(|(n, &g)| [g, alpha(n)]).collect();
    writer.write_image_data(&pixels).expect("a frame");
    let part = side as u32 / 3;
    writer.set_frame_dimension(part, part).expect("a size");
    writer.set_frame_position(200, 77).expect("a place");
    writer.set_blend_op(png::BlendOp::Over).expect("a way");
    writer.write_image_data(&pixels[..2 * (part * part) as usize]).expect("a frame");
    writer.finish().expect("an end");
    bytes
}

#[test]
fn reduced_frames_of_an_animation_hash_as_whole_ones_do() {
    let (gif, png) = (animated_gif(), animated_png());
    for (bytes, frames) in [(gif, 3), (png, 2)] {
        let hashes = |fidelity, expected: u32| {
            let budget = Budget::start(&Limits::default());
            let mut hashes = Vec::new();
            for frame in media::open_with(&bytes, fidelity, &budget).expect("a picture") {
                let frame = frame.expect("it decodes");
                assert_eq!((frame.scale(), frame.original_width()), (expected, 1536));
                assert!(frame.has_transparency());
                for background in [Background::White, Background::Black] {
                    let pdq = Pdq::of(&frame, background, &budget).expect("no limits");
                    assert!(pdq.quality() > 49);
                    hashes.push(pdq.hash());
                }
            }
            hashes
        };
        let (fast, full) = (hashes(Fidelity::Fast, 4), hashes(Fidelity::Full, 1));
        let distances: Vec<_> = fast.iter().zip(&full).map(|(a, b)| a.distance(b)).collect();
        assert_eq!((fast.len(), full.len()), (2 * frames, 2 * frames));
        assert!(distances.iter().all(|&distance| distance <= 6), "{distances:?}");
        let between = |n: usize, m: usize| full[n].distance(&full[m]);
        assert!(between(0, 1) > 9 && between(0, 2) > 9, "the frames are alike");
    }
}
