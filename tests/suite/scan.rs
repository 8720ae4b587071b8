//! The scanner: a picture goes in, a verdict comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use presend::frame::{Frame, Layout, Orientation};
use presend::hash::Algorithm;
use presend::hash::views::{Dihedral, Variant, ViewSet};
use presend::limits::{Clock, Incomplete};
use presend::media::Unsupported;
use presend::publish::{self, Feed, Parameters};
use presend::scanner::BuildError;
use presend::verdict::{Match, NotScanned, Part};
use presend::{
    Classifier, Finding, HashList, Limits, Model, Policy, Report, Runtime, Scanner, Verdict,
};

use crate::{read, root};

fn demo() -> HashList {
    HashList::open(read(root("hashlists/demo/demo.presend"))).expect("the list opens")
}

fn scanner() -> Scanner {
    Scanner::builder().list(demo()).build().expect("one list")
}

fn scan(path: &str) -> Report {
    scanner().scan(&read(root(path)), &Limits::default())
}

/// What was found; that no model is loaded stands in every report here.
fn findings(report: &Report) -> Vec<Finding> {
    let all = report.findings.iter().map(|judged| judged.finding.clone());
    all.filter(|finding| *finding != Finding::NoData(Part::Model)).collect()
}

fn incomplete(reason: Incomplete) -> Finding {
    Finding::Incomplete(reason)
}

fn near(view: Dihedral, frame: u32) -> Finding {
    let by = Match::Near { view: view.into(), frame };
    Finding::Match { list: "demo".into(), version: 1, by }
}

#[test]
fn one_scanner_serves_all_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Scanner>();
    let scanner = scanner();
    let bytes = read(root("tests/data/media/test-picture.png"));
    std::thread::scope(|scope| {
        let scans: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| scanner.scan(&bytes, &Limits::default()).verdict))
            .collect();
        for scan in scans {
            assert_eq!(scan.join().expect("no panic"), Verdict::Block);
        }
    });
}

#[test]
fn the_test_picture_is_blocked_as_itself_and_as_a_copy() {
    let report = scan("tests/data/media/test-picture.png");
    assert_eq!(report.verdict, Verdict::Block);
    let exact =
        Finding::Match { list: "demo".into(), version: 1, by: Match::Exact(Algorithm::Sha256) };
    assert_eq!(findings(&report), [exact, near(Dihedral::Identity, 0)]);
    assert_eq!(report.findings[0].rule, "list.default.exact");

    let report = scan("tests/data/media/test-picture-halved-q50.jpg");
    assert_eq!(report.verdict, Verdict::Block);
    assert_eq!(findings(&report), [near(Dihedral::Identity, 0)]);
}

#[test]
fn other_pictures_are_allowed_without_a_finding() {
    for name in ["flower.webp", "mountains.jpg", "poster.gif", "spheres.png", "waves.jpg"] {
        let report = scan(&format!("tests/data/media/{name}"));
        assert_eq!((report.verdict, findings(&report)), (Verdict::Allow, vec![]), "{name}");
        assert!(report.reason().is_none());
    }
}

#[test]
fn a_turned_or_mirrored_copy_is_found() {
    for name in ["aquarium.png", "balloons.jpg", "lighthouse.jpg"] {
        let rows = luma(&format!("hashlists/demo/pictures/{name}"));
        let (width, height) = (rows[0].len(), rows.len());
        let (right, bottom) = (width - 1, height - 1);
        // Each turned pixel by pixel, and the view that turns it back.
        let upright = |pixel: &dyn Fn(usize, usize) -> u8| picture(width, height, pixel);
        let lying = |pixel: &dyn Fn(usize, usize) -> u8| picture(height, width, pixel);
        for (turned, back) in [
            (upright(&|x, y| rows[y][right - x]), Dihedral::FlipHorizontal),
            (upright(&|x, y| rows[bottom - y][x]), Dihedral::FlipVertical),
            (upright(&|x, y| rows[bottom - y][right - x]), Dihedral::Rotate180),
            (lying(&|x, y| rows[x][y]), Dihedral::Transpose),
            (lying(&|x, y| rows[bottom - x][right - y]), Dihedral::Transverse),
            // Clockwise, and back by three more quarters.
            (lying(&|x, y| rows[bottom - x][y]), Dihedral::Rotate270),
            (lying(&|x, y| rows[x][right - y]), Dihedral::Rotate90),
        ] {
            let scanner = Scanner::builder().list(demo()).views(ViewSet::TwentyFive);
            let scanner = scanner.build().expect("one list");
            let report = scanner.scan_frames(b"a file", [turned], &Limits::default());
            assert_eq!(findings(&report), [near(back, 0)], "{name}");
        }
    }
}

fn luma(path: &str) -> Vec<Vec<u8>> {
    let bytes = read(root(path));
    let budget = presend::limits::Budget::start(&Limits::default());
    let mut frames = presend::media::open(&bytes, &budget).expect("it opens");
    let frame = frames.next().expect("a frame").expect("it decodes");
    let mut rows: Vec<Vec<u8>> = Vec::new();
    let sink = |row: &[f32]| -> Result<(), ()> {
        rows.push(row.iter().map(|&luma| luma.round() as u8).collect());
        Ok(())
    };
    frame.luma_rows(presend::frame::Background::White, sink).expect("no error");
    rows
}

fn picture(width: usize, height: usize, pixel: &dyn Fn(usize, usize) -> u8) -> Frame<'static> {
    let pixels: Vec<u8> = (0..width * height).map(|n| pixel(n % width, n / width)).collect();
    Frame::new(width as u32, height as u32, Layout::Luma8, pixels).expect("a frame")
}

#[test]
fn a_listed_picture_in_a_later_frame_is_found() {
    let bytes = read(root("tests/data/media/test-picture-halved-q50.jpg"));
    let budget = presend::limits::Budget::start(&Limits::default());
    let mut frames = presend::media::open(&bytes, &budget).expect("it opens");
    let listed = frames.next().expect("a frame").expect("it decodes");
    let white = Frame::new(64, 64, Layout::Luma8, vec![255; 64 * 64]).expect("a frame");
    let report =
        scanner().scan_frames(b"a film", [white.clone(), white, listed], &Limits::default());
    assert_eq!(findings(&report), [near(Dihedral::Identity, 2), Finding::LowQuality]);
    assert_eq!(report.frames, 3);
}

#[test]
fn no_frame_is_too_late_to_be_found() {
    // Noise with alpha: each is three pictures, over white, over black and without.
    let mut state = 1u32;
    let mut noise = || {
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let pixels: Vec<u8> = (0..64 * 64 * 4).map(|_| random()).collect();
        Frame::new(64, 64, Layout::Rgba8, pixels).expect("a frame")
    };
    let bytes = read(root("tests/data/media/test-picture.png"));
    let budget = presend::limits::Budget::start(&Limits::default());
    let mut frames = presend::media::open(&bytes, &budget).expect("it opens");
    let listed = frames.next().expect("a frame").expect("it decodes");
    let with = |before: usize, noise: &mut dyn FnMut() -> Frame<'static>, limits: &Limits| {
        let frames = (0..before).map(|_| noise()).chain([listed.clone()]);
        findings(&scanner().scan_frames(b"a film", frames, limits))
    };
    let found = with(63, &mut noise, &Limits::default());
    assert_eq!(found, [near(Dihedral::Identity, 63)]);
    // A host may let more frames come than a scan looks up, and is told.
    let limits = Limits { frames: 65, ..Limits::default() };
    let found = with(64, &mut noise, &limits);
    assert_eq!(found, [incomplete(Incomplete::TooManyFrames)]);
}

#[test]
fn what_viewers_show_is_seen_where_readers_are_careless() {
    for (name, frame) in [
        ("dispose-to-background.webp", 1),
        ("alpha-without-flag.webp", 0),
        ("screen-smaller-than-frame.gif", 0),
    ] {
        let report = scan(&format!("tests/data/hidden/{name}"));
        assert_eq!(report.verdict, Verdict::Block, "{name}: {report:?}");
        assert!(findings(&report).contains(&near(Dihedral::Identity, frame)), "{name}");
    }
    let (found, _) = hidden("uncounted-frame.png");
    assert_eq!(found, [incomplete(Incomplete::Malformed), Finding::LowQuality]);
    let (found, frames) = hidden("uncounted-behind-default.png");
    assert_eq!(found, [incomplete(Incomplete::Malformed), Finding::LowQuality]);
    assert_eq!(frames, 2);
}

#[test]
fn what_readers_take_in_two_ways_is_asked_about() {
    for (name, frames) in [
        ("broken-profile.png", 1),
        ("huge-profile.png", 1),
        ("count-with-a-wrong-checksum.png", 1),
        ("alpha-twice.webp", 1),
        ("canvas-twice.webp", 1),
        ("beside-the-screen.gif", 3),
        ("means-alone.jpg", 1),
    ] {
        let report = scan(&format!("tests/data/hidden/{name}"));
        let found = findings(&report);
        assert!(found.contains(&incomplete(Incomplete::Malformed)), "{name}");
        // It is told behind the last frame, which is the listed one.
        let is_listed = found.contains(&near(Dihedral::Identity, frames - 1));
        let shows_it = ["canvas-twice.webp", "beside-the-screen.gif"].contains(&name);
        assert_eq!(is_listed, shows_it, "{name}");
        let verdict = if is_listed { Verdict::Block } else { Verdict::Ask };
        assert_eq!((report.verdict, report.frames), (verdict, frames), "{name}");
    }
}

#[test]
fn the_first_word_of_a_picture_turns_it_wherever_it_stands() {
    for name in ["turned-by-the-first.webp", "turned-behind-the-pixels.png"] {
        assert_eq!(hidden(name), (vec![near(Dihedral::Identity, 0)], 1), "{name}");
    }
}

/// What is found in a file of `tests/data/hidden`, and in how many frames.
fn hidden(name: &str) -> (Vec<Finding>, u32) {
    let report = scan(&format!("tests/data/hidden/{name}"));
    (findings(&report), report.frames)
}

fn unsupported(class: &'static str, kind: &'static str) -> Finding {
    Finding::Unsupported(Unsupported { class, kind })
}

#[test]
fn pictures_behind_the_first_are_scanned() {
    // The first is plain.
    let second = vec![near(Dihedral::Identity, 1), Finding::LowQuality];
    assert_eq!(hidden("second-behind-the-first.jpg"), (second.clone(), 2));
    assert_eq!(hidden("multi-picture.jpg"), (second.clone(), 2));
    let limits = Limits { frames: 1, ..Limits::default() };
    let bytes = read(root("tests/data/hidden/multi-picture.jpg"));
    let expected = [incomplete(Incomplete::TooManyFrames), Finding::LowQuality];
    assert_eq!(findings(&scanner().scan(&bytes, &limits)), expected);

    let (found, frames) = hidden("second-behind-a-film.jpg");
    assert!(found.contains(&second[0]) && found.contains(&unsupported("video", "mp4")));
    assert_eq!(frames, 2);
}

#[test]
fn what_cannot_be_looked_at_behind_a_picture_is_told() {
    for (name, finding) in [
        ("motion-photo.jpg", unsupported("video", "mp4")),
        ("film-without-a-type.jpg", unsupported("video", "mov")),
        ("film-in-webm.jpg", unsupported("video", "webm")),
        ("second-is-lossless.jpg", unsupported("image", "jpeg-lossless")),
        ("second-is-cut.jpg", incomplete(Incomplete::Truncated)),
    ] {
        let (found, _) = hidden(name);
        assert!(found.contains(&finding), "{name}: {found:?}");
        assert!(scan(&format!("tests/data/hidden/{name}")).verdict >= Verdict::Ask, "{name}");
    }
}

#[test]
fn walks_over_markers_look_at_the_clock() {
    let picture = read(root("tests/data/media/waves.jpg"));
    let looks = |bytes: &[u8]| {
        let looks = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&looks);
        let clock = Clock::new(move || Duration::from_nanos(count.fetch_add(1, Ordering::Relaxed)));
        let limits = Limits { time: Some(Duration::MAX), clock, ..Limits::default() };
        scanner().scan(bytes, &limits);
        looks.load(Ordering::Relaxed)
    };
    let plain = looks(&picture);
    // Before the first segment, and behind the picture where another begins.
    for pattern in [b"\xff\xd0", b"\xff\x00"] {
        let walk = pattern.repeat(1 << 20);
        let before = [&picture[..2], &walk, &picture[2..]].concat();
        let behind = [&picture[..], &picture[..20], &walk].concat();
        assert!(looks(&before) > plain + 50);
        assert!(looks(&behind) > plain + 50);
    }
}

#[test]
fn starts_that_chance_makes_are_no_pictures() {
    let picture = read(root("tests/data/media/waves.jpg"));
    // Without a second segment, as a film's data has it.
    let noise =
        |starts: usize| [&picture[..], &b"\xff\xd8\xff\xe0\x01\x01".repeat(starts)].concat();
    let found = |bytes: &[u8]| findings(&scanner().scan(bytes, &Limits::default()));
    assert_eq!(found(&noise(15)), []);
    assert_eq!(found(&noise(1000)), [incomplete(Incomplete::Malformed)]);
}

#[test]
fn every_thumbnail_is_passed_over() {
    // The picture's own maker chooses it, and no recipient sees it.
    let thumbnail = read(root("tests/data/media/test-picture-halved-q50.jpg"));
    let picture = read(root("tests/data/media/waves.jpg"));
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    let with = [b"\xff\xd8\xff\xe1", &length[..], &thumbnail, &picture[2..]].concat();
    let report = scanner().scan(&with, &Limits::default());
    assert_eq!((report.verdict, findings(&report), report.frames), (Verdict::Allow, vec![], 1));
}

#[test]
fn what_few_readers_show_is_asked_about() {
    for (name, finding) in [
        ("junk-before-the-start.jpg", unsupported("other", "unknown")),
        ("height-told-later.jpg", incomplete(Incomplete::Malformed)),
        ("page-with-a-picture.pdf", unsupported("document", "pdf")),
        ("archive-with-a-picture.zip", unsupported("archive", "zip")),
    ] {
        assert_eq!(hidden(name), (vec![finding], 0), "{name}");
        assert_eq!(scan(&format!("tests/data/hidden/{name}")).verdict, Verdict::Ask, "{name}");
    }
    let report = scan("tests/data/modes/arithmetic.jpg");
    assert_eq!(findings(&report), [unsupported("image", "jpeg-arithmetic")]);
    assert_eq!(report.verdict, Verdict::Ask);
}

#[test]
fn pictures_of_a_line_are_looked_at() {
    for name in ["one-pixel.png", "one-wide-30000-high.png", "30000-wide-one-high.jpg"] {
        assert_eq!(hidden(name), (vec![Finding::LowQuality], 1), "{name}");
    }
}

#[test]
fn a_turned_strip_is_charged_for_what_turning_it_takes() {
    let pixels = vec![0; 5 * 65_535];
    let frame = Frame::new(5, 65_535, Layout::Luma8, pixels).expect("a frame");
    let limits = Limits { memory: 2 << 20, ..Limits::default() };
    let upright = scanner().scan_frames(b"x", [frame.clone()], &limits);
    assert_eq!(findings(&upright), [Finding::LowQuality]);
    let turned = frame.with_orientation(Orientation::Rotate90);
    let turned = scanner().scan_frames(b"x", [turned], &limits);
    assert_eq!(findings(&turned), [incomplete(Incomplete::TooMuchMemory)]);
}

#[test]
fn what_a_profile_shows_is_found() {
    for row in crate::table(root("tests/data/profiles/profiles.csv")) {
        let list = list_of(&format!("pdq {}", &row["pdq"]));
        let scanner = Scanner::builder().list(list).build().expect("one list");
        let bytes = read(root("tests/data/profiles").join(&row["file"]));
        let report = scanner.scan(&bytes, &Limits::default());
        let near = |frame| Finding::Match {
            list: "one".into(),
            version: 2,
            by: Match::Near { view: Variant::IDENTITY, frame },
        };
        // A curve that rises may leave the stored values near, too.
        let is_inverted = row["file"].starts_with("inverted");
        let profiles = if row["file"].contains("behind-a-code-point") { 2 } else { 1 };
        let found = findings(&report);
        let is_found = found.contains(&near(profiles)) || !is_inverted && found.contains(&near(0));
        assert!(is_found, "{}: {report:?}", &row["file"]);
        assert_eq!((report.frames, report.media.expect("a picture").scale), (1 + profiles, 1));
        // It is a frame of its own.
        let limits = Limits { frames: 1, ..Limits::default() };
        let report = scanner.scan(&bytes, &limits);
        assert!(findings(&report).contains(&incomplete(Incomplete::TooManyFrames)));
    }
}

/// A list of one feed line, called `one`.
fn list_of(line: &str) -> HashList {
    let feed = Feed::read(line.as_bytes()).expect("a row");
    let parameters =
        Parameters { id: "one".into(), version: 2, profile: "strict".into(), salt: None };
    HashList::open(publish::build(&parameters, &feed).expect("it builds").list).expect("it opens")
}

#[test]
fn what_only_a_dark_or_a_bright_screen_shows_is_found() {
    // The two differ by more than 80 bits; the hashes are pdqhash's.
    let picture = read(root("tests/data/modes/gif-animated.gif"));
    for row in crate::table(root("tests/data/modes/modes.csv")) {
        if &row["file"] != "gif-animated.gif" {
            continue;
        }
        let list = list_of(&format!("pdq {}", &row["pdq"]));
        let scanner = Scanner::builder().list(list).build().expect("one list");
        let report = scanner.scan(&picture, &Limits::default());
        let frame = row["frame"].parse().expect("a number");
        let by = Match::Near { view: Variant::IDENTITY, frame };
        let expected = Finding::Match { list: "one".into(), version: 2, by };
        assert!(findings(&report).contains(&expected), "{} over {}", frame, &row["background"]);
    }
}

#[test]
fn what_alpha_hides_is_found() {
    let bytes = read(root("tests/data/media/test-picture.png"));
    let budget = presend::limits::Budget::start(&Limits::default());
    let frame = presend::media::open(&bytes, &budget).expect("it opens").next();
    let frame = frame.expect("a frame").expect("it decodes");
    let (width, height) = (frame.width(), frame.height());
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width, height);
    encoder.set_color(png::ColorType::Rgba);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let white = presend::frame::Background::White;
    let pixels = places.map(|(x, y)| frame.rgb(x, y, white)).flat_map(|[r, g, b]| [r, g, b, 0]);
    let pixels: Vec<u8> = pixels.collect();
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    let report = scanner().scan(&png, &Limits::default());
    assert_eq!(findings(&report), [near(Dihedral::Identity, 0), Finding::LowQuality]);
}

#[test]
fn each_exact_digest_is_found_and_no_other_is_needed() {
    // Digests of the test picture by Python's hashlib and PyPI blake3.
    let rows = [
        ("md5 01759174055e9521a62c4c90565bc27d", Algorithm::Md5),
        ("sha1 742aa7334fe4aed8d6606d9ffbeec47e1cf92afd", Algorithm::Sha1),
        (
            "sha256 75fe3758b07469f9d7ada882942524edfce5fe8eecd63ee9987f76f194d96e60",
            Algorithm::Sha256,
        ),
        (
            "blake3 088d215efbe6f5fa5bec9296d1166900933faf624b3fe0b737b535363bec1630",
            Algorithm::Blake3,
        ),
    ];
    let picture = read(root("tests/data/media/test-picture.png"));
    for (line, algorithm) in rows {
        let scanner =
            Scanner::builder().list(list_of(line)).list(demo()).build().expect("two lists");
        let report = scanner.scan(&picture, &Limits::default());
        let expected =
            Finding::Match { list: "one".into(), version: 2, by: Match::Exact(algorithm) };
        assert!(findings(&report).contains(&expected), "{line}");
        assert!(findings(&report).contains(&near(Dihedral::Identity, 0)), "the other list too");
    }
}

#[test]
fn what_cannot_be_seen_is_asked_about() {
    for (name, finding) in [
        ("truncated-baseline.jpg", incomplete(Incomplete::Truncated)),
        ("bad-deflate.png", incomplete(Incomplete::Malformed)),
        ("too-large-60000x60000.png", incomplete(Incomplete::TooManyPixels)),
        ("empty.jpg", incomplete(Incomplete::Truncated)),
    ] {
        let report = scan(&format!("tests/data/broken/{name}"));
        assert_eq!(report.verdict, Verdict::Ask, "{name}");
        assert!(findings(&report).contains(&finding), "{name}: {report:?}");
    }
    let report = scan("tests/data/broken/header-only.pdf");
    assert_eq!(report.verdict, Verdict::Ask);
    assert_eq!(report.findings[0].finding.code(), "unsupported.document.pdf");
}

#[test]
fn a_truncated_listed_picture_is_found_and_reported() {
    let whole = read(root("tests/data/media/test-picture-halved-q50.jpg"));
    let report = scanner().scan(&whole[..whole.len() * 97 / 100], &Limits::default());
    assert_eq!(report.verdict, Verdict::Block);
    let expected = [near(Dihedral::Identity, 0), incomplete(Incomplete::Truncated)];
    assert_eq!(findings(&report), expected);
}

#[test]
fn no_frame_at_all_is_not_an_allow() {
    let report = scanner().scan_frames(b"x", [], &Limits::default());
    assert_eq!(report.verdict, Verdict::Ask);
    assert_eq!(findings(&report), [incomplete(Incomplete::Malformed)]);
}

#[test]
fn without_a_list_nothing_was_compared() {
    let scanner = Scanner::builder().build().expect("no list is fine");
    let bytes = read(root("tests/data/media/waves.jpg"));
    let report = scanner.scan(&bytes, &Limits::default());
    assert_eq!(
        (report.verdict, findings(&report)),
        (Verdict::Ask, vec![Finding::NoData(Part::List)])
    );
}

#[test]
fn a_panic_below_becomes_a_finding() {
    let bytes = read(root("tests/data/media/test-picture.png"));
    // A host's own iterator of frames may panic as a codec may.
    let frames =
        std::iter::from_fn(|| -> Option<Frame<'static>> { panic!("in the host's decoder") });
    let report = scanner().scan_frames(&bytes, frames, &Limits::default());
    assert_eq!(report.verdict, Verdict::Block, "what was found before it stays");
    assert!(findings(&report).contains(&incomplete(Incomplete::Internal)));
}

#[test]
fn a_near_match_outlives_a_panic_beside_it() {
    // The classifier looks on a thread of its own, where this clock panics.
    let here = std::thread::current().id();
    let clock = Clock::new(move || {
        assert_eq!(std::thread::current().id(), here, "the clock of another thread");
        Duration::ZERO
    });
    let model = Model::read(&root("tests/data/models/mean-colour-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let rules = String::from_utf8(read(root("src/policy/default.toml"))).expect("text");
    let policy = Policy::parse(&(rules + "[label.red]\nwarn = 1.0\n")).expect("a policy");
    let scanner = Scanner::builder().list(demo()).classifier(classifier).policy(policy);
    let bytes = read(root("tests/data/media/test-picture-halved-q50.jpg"));
    let limits = Limits { clock, ..Limits::default() };
    let report = scanner.build().expect("parts").scan(&bytes, &limits);
    assert_eq!(report.verdict, Verdict::Block);
    assert!(findings(&report).contains(&near(Dihedral::Identity, 0)));
    // On one core there is no other thread.
    let alone = std::thread::available_parallelism().map_or(1, usize::from) == 1;
    assert!(alone || findings(&report).contains(&incomplete(Incomplete::Internal)));
}

#[test]
fn the_policy_decides_and_names_its_rule() {
    let policy = "low-quality = 'allow'\n[no-data]\nlist = 'ask'\nmodel = 'ask'\n\
        [list.default]\nexact = 'allow'\nnear = 'allow'\n[list.demo]\nnear = 'warn'\n\
        [incomplete]\ndefault = 'ask'\n[unsupported]\ndefault = 'ask'\n";
    let policy = Policy::parse(policy).expect("a policy");
    let scanner = Scanner::builder().list(demo()).policy(policy).build().expect("one list");
    let report = scanner.scan(&read(root("tests/data/media/test-picture.png")), &Limits::default());
    assert_eq!(report.verdict, Verdict::Warn);
    assert_eq!(report.findings[0].rule, "list.demo.near");
    assert_eq!(report.findings[1].rule, "list.default.exact");
}

#[test]
fn the_clearance_refuses_swapped_bytes() {
    let bytes = read(root("tests/data/media/waves.jpg"));
    let report = scanner().scan(&bytes, &Limits::default());
    assert_eq!(report.clearance.check(&bytes), Ok(()));
    let mut swapped = bytes.clone();
    swapped.push(0);
    assert_eq!(report.clearance.check(&swapped), Err(NotScanned));
    assert_eq!(report.clearance.blake3(), Some(*blake3::hash(&bytes).as_bytes()));
}

#[test]
fn bytes_that_were_not_read_are_not_cleared() {
    let bytes = read(root("tests/data/media/waves.jpg"));
    let limits = Limits { input_bytes: 10, ..Limits::default() };
    let report = scanner().scan(&bytes, &limits);
    assert_eq!(findings(&report), [incomplete(Incomplete::TooManyBytes)]);
    assert_eq!(report.clearance.check(&bytes), Err(NotScanned));
}

#[test]
fn the_deadline_is_kept_on_the_injected_clock() {
    // Every look at the clock takes a millisecond.
    let ticks = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&ticks);
    let limits = Limits {
        clock: Clock::new(move || Duration::from_millis(count.fetch_add(1, Ordering::Relaxed))),
        time: Some(Duration::from_millis(20)),
        ..Limits::default()
    };
    let report = scanner().scan(&read(root("tests/data/media/mountains.jpg")), &limits);
    assert_eq!(findings(&report), [incomplete(Incomplete::DeadlinePassed)]);
    assert_eq!(report.verdict, Verdict::Ask);
    assert!(report.timings.total >= Duration::from_millis(20));
}

#[test]
fn two_lists_of_one_name_are_refused() {
    let built = Scanner::builder().list(demo()).list(demo()).build();
    assert_eq!(built.expect_err("refused"), BuildError::SameList("demo".into()));
}

#[test]
fn a_report_shows_no_digest() {
    let bytes = read(root("tests/data/media/test-picture.png"));
    let report = scanner().scan(&bytes, &Limits::default());
    let shown = format!("{report:?}");
    let digest = report.clearance.blake3().expect("it was read");
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!shown.contains(&hex[..8]) && shown.contains("Clearance(..)"), "{shown}");
    for row in crate::table(root("hashlists/demo/feed.csv")) {
        assert!(!shown.contains(&row["hex"][..12]));
    }
}
