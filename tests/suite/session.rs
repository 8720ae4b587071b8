//! Films and live pictures: frames with times go in, a verdict stands at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use presend::frame::{Frame, Layout};
use presend::hash::Algorithm;
use presend::hash::views::Variant;
use presend::limits::{Budget, CancelToken, Clock, Incomplete};
use presend::session::{Session, Settings};
use presend::verdict::{Match, NotScanned, Part};
use presend::{
    Classifier, Finding, HashList, Limits, Model, Policy, Report, Runtime, Scanner, Verdict, media,
};

use crate::{read, root};

fn scanner() -> Scanner {
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    Scanner::builder().list(list).build().expect("one list")
}

fn session(limits: &Limits) -> Session {
    scanner().session(Settings::default(), limits)
}

/// A picture that is not listed; each number gives another.
fn plain(number: u32) -> Frame<'static> {
    let pixel = |n: u32| (((n % 64) * (number + 3)) ^ ((n / 64) * (number + 7))) as u8;
    Frame::new(64, 64, Layout::Luma8, (0..64 * 64).map(pixel).collect::<Vec<_>>()).expect("a frame")
}

fn file() -> Vec<u8> {
    read(root("tests/data/media/test-picture.png"))
}

/// The official test picture, as a host's decoder would give it.
fn listed() -> Frame<'static> {
    let bytes = file();
    let budget = Budget::start(&Limits::default());
    let frame = media::open(&bytes, &budget).expect("it opens").next().expect("a frame");
    let frame = frame.expect("it decodes");
    let mut pixels = Vec::new();
    for y in 0..frame.height() {
        for x in 0..frame.width() {
            let [red, green, blue] = frame.rgb(x, y, presend::frame::Background::White);
            pixels.extend([red, green, blue, 255]);
        }
    }
    Frame::new(frame.width(), frame.height(), Layout::Rgba8, pixels).expect("a frame")
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// What was found; that no model is loaded stands in every report here.
fn findings(report: &Report) -> Vec<Finding> {
    let all = report.findings.iter().map(|judged| judged.finding.clone());
    all.filter(|finding| *finding != Finding::NoData(Part::Model)).collect()
}

fn near(frame: u32) -> Finding {
    let by = Match::Near { view: Variant::IDENTITY, frame };
    Finding::Match { list: "demo".into(), version: 1, by }
}

fn incomplete(reason: Incomplete) -> Finding {
    Finding::Incomplete(reason)
}

#[test]
fn about_one_frame_a_second_is_looked_at_and_the_last() {
    let mut session = session(&Limits::default());
    for n in 0..60 {
        session.push_frame(&plain(n), ms(u64::from(n) * 40));
    }
    assert_eq!(session.finish().frames, 4, "at 0, 1 and 2 seconds, and at 2.36");

    let mut session = scanner().session(Settings::default(), &Limits::default());
    session.push_frame(&plain(0), ms(0));
    session.push_frame(&plain(1), ms(1000));
    assert_eq!(session.finish().frames, 2, "the last frame is looked at once");
}

#[test]
fn a_listed_frame_changes_the_verdict_when_it_is_pushed() {
    let mut session = session(&Limits::default());
    assert_eq!(session.verdict(), Verdict::Allow);
    assert_eq!(session.push_frame(&plain(0), ms(0)), Verdict::Allow);
    assert_eq!(session.push_frame(&listed(), ms(500)), Verdict::Allow, "not due");
    assert_eq!(session.push_frame(&listed(), ms(1000)), Verdict::Block);
    assert_eq!(session.push_frame(&plain(1), ms(2000)), Verdict::Block);
    assert_eq!(session.verdict(), Verdict::Block);
    assert_eq!(findings(&session.finish()), [near(1)]);
}

#[test]
fn the_last_frame_is_looked_at_although_it_is_not_due() {
    let mut session = session(&Limits::default());
    session.push_frame(&plain(0), ms(0));
    session.push_frame(&plain(1), ms(100));
    assert_eq!(session.push_frame(&listed(), ms(200)), Verdict::Allow);
    let report = session.finish();
    assert_eq!((report.verdict, findings(&report)), (Verdict::Block, vec![near(1)]));
}

#[test]
fn times_that_stand_still_or_go_back_hide_no_frame() {
    for times in [[0, 0, 0], [900, 600, 300], [u64::MAX, 1, 2]] {
        let mut session = session(&Limits::default());
        session.push_frame(&plain(0), ms(times[0]));
        assert!(session.is_due(ms(times[1])));
        assert_eq!(session.push_frame(&listed(), ms(times[1])), Verdict::Block, "{times:?}");
        session.push_frame(&plain(2), ms(times[2]));
    }
    let mut session = session(&Limits::default());
    session.push_frame(&plain(0), Duration::MAX);
    session.push_frame(&plain(1), Duration::MAX);
    assert_eq!(session.finish().frames, 2);
}

#[test]
fn times_that_hardly_advance_hide_few_frames() {
    let mut session = session(&Limits::default());
    let nanosecond = Duration::from_nanos;
    for n in 0..121 {
        assert_eq!(session.push_frame(&plain(0), nanosecond(n)), Verdict::Allow);
    }
    assert!(session.is_due(nanosecond(121)));
    assert_eq!(session.push_frame(&listed(), nanosecond(121)), Verdict::Block);
}

#[test]
fn a_session_beyond_its_limits_is_incomplete_and_goes_on_saying_so() {
    let frames = Limits { frames: 2, ..Limits::default() };
    let pixels = Limits { pixels: 2 * 64 * 64, ..Limits::default() };
    for (limits, reason) in
        [(frames, Incomplete::TooManyFrames), (pixels, Incomplete::TooManyPixels)]
    {
        let mut session = session(&limits);
        assert_eq!(session.push_frame(&plain(0), ms(0)), Verdict::Allow);
        assert_eq!(session.push_frame(&plain(1), ms(1000)), Verdict::Allow);
        assert_eq!(session.push_frame(&plain(2), ms(2000)), Verdict::Ask);
        assert_eq!(session.push_frame(&plain(3), ms(3000)), Verdict::Ask);
        session.push_bytes(b"the file");
        let report = session.finish();
        assert_eq!((report.verdict, findings(&report)), (Verdict::Ask, vec![incomplete(reason)]));
        assert_eq!(report.frames, 2);
        assert_eq!(report.clearance.check(b"the file"), Ok(()), "the person may say yes");
    }
    let limits = Limits { memory: 64 * 64 - 1, ..Limits::default() };
    let mut session = session(&limits);
    session.push_frame(&plain(0), ms(0));
    assert_eq!(session.push_frame(&plain(1), ms(1)), Verdict::Ask, "no room for a copy");
    assert_eq!(session.finish().verdict, Verdict::Ask);
}

#[test]
fn a_session_without_frames_is_not_an_allow() {
    let report = session(&Limits::default()).finish();
    assert_eq!(report.verdict, Verdict::Ask);
    assert_eq!(findings(&report), [incomplete(Incomplete::Malformed)]);
}

#[test]
fn a_cancel_or_a_deadline_ends_the_looks() {
    let cancel = CancelToken::default();
    let mut cancelled = session(&Limits { cancel: cancel.clone(), ..Limits::default() });
    cancelled.push_frame(&plain(0), ms(0));
    cancel.cancel();
    assert_eq!(cancelled.push_frame(&plain(0), ms(1)), Verdict::Ask);
    assert_eq!(findings(&cancelled.finish()), [incomplete(Incomplete::Cancelled)]);

    let now = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&now);
    let clock = Clock::new(move || ms(clock.load(Ordering::Relaxed)));
    let limits = Limits { clock, time: Some(ms(50)), ..Limits::default() };
    let mut late = session(&limits);
    late.push_frame(&plain(0), ms(0));
    now.store(50, Ordering::Relaxed);
    let report = late.finish();
    assert_eq!(findings(&report), [incomplete(Incomplete::DeadlinePassed)]);
    assert_eq!(report.timings.total, ms(50));
}

#[test]
fn a_file_in_pieces_has_the_digests_and_the_clearance_of_the_whole() {
    let bytes = file();
    let whole = scanner().scan(&bytes, &Limits::default());
    for size in [1000, bytes.len()] {
        let mut session = session(&Limits::default());
        session.push_frame(&plain(0), ms(0));
        bytes.chunks(size).for_each(|piece| session.push_bytes(piece));
        let report = session.finish();
        let by = Match::Exact(Algorithm::Sha256);
        let exact = Finding::Match { list: "demo".into(), version: 1, by };
        assert_eq!((report.verdict, findings(&report)), (Verdict::Block, vec![exact]));
        assert_eq!(report.clearance.blake3(), whole.clearance.blake3());
        assert_eq!(report.clearance.check_pieces(bytes.chunks(777)), Ok(()));
        assert_eq!(report.clearance.check_pieces(bytes[1..].chunks(777)), Err(NotScanned));
    }
}

#[test]
fn bytes_that_were_not_pushed_are_not_cleared() {
    let mut live = session(&Limits::default());
    live.push_frame(&plain(0), ms(0));
    let report = live.finish();
    assert_eq!(report.verdict, Verdict::Allow);
    assert_eq!(report.clearance.check(b""), Err(NotScanned));

    let mut half = session(&Limits::default());
    half.push_frame(&plain(0), ms(0));
    half.push_bytes(b"the fi");
    assert_eq!(half.finish().clearance.check(b"the file"), Err(NotScanned));
}

#[test]
fn the_files_size_is_counted_over_its_pieces() {
    let mut session = session(&Limits { input_bytes: 8, ..Limits::default() });
    session.push_bytes(b"12345678");
    assert_eq!(session.verdict(), Verdict::Allow);
    session.push_bytes(b"9");
    assert_eq!(session.verdict(), Verdict::Ask);
    assert_eq!(session.push_frame(&listed(), ms(0)), Verdict::Block, "frames are looked at");
    let report = session.finish();
    assert_eq!(findings(&report), [near(0), incomplete(Incomplete::TooManyBytes)]);
    assert_eq!(report.clearance.blake3(), None);
}

#[test]
fn a_session_of_every_frame_is_a_scan_of_its_frames() {
    let model = Model::read(&root("tests/data/models/mean-colour-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let rules = String::from_utf8(read(root("src/policy/default.toml"))).expect("text");
    let policy = Policy::parse(&(rules + "[label.red]\nwarn = 0.9\n")).expect("a policy");
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    let parts = Scanner::builder().list(list).classifier(classifier).policy(policy);
    let scanner = parts.build().expect("parts");
    let red = Frame::new(8, 8, Layout::Rgba8, [220, 20, 20, 255].repeat(64)).expect("a frame");
    let frames = [plain(0), red, listed(), plain(1)];

    let expected = scanner.scan_frames(b"file", frames.clone(), &Limits::default());
    let settings = Settings { every: Duration::ZERO, ..Settings::default() };
    let mut session = scanner.session(settings, &Limits::default());
    session.push_bytes(b"file");
    let verdicts: Vec<_> = (0..).zip(&frames).map(|(n, f)| session.push_frame(f, ms(n))).collect();
    assert_eq!(verdicts, [Verdict::Allow, Verdict::Warn, Verdict::Block, Verdict::Block]);
    let report = session.finish();
    assert_eq!(report.findings, expected.findings);
    assert_eq!((report.frames, report.inferences), (4, expected.inferences));
    assert_eq!(report.clearance, expected.clearance);
}

#[test]
fn a_session_can_move_to_another_thread() {
    fn moves<T: Send + 'static>() {}
    moves::<Session>();
}

#[test]
fn a_frame_that_is_left_out_has_its_part_in_the_verdict() {
    for reason in [Incomplete::Busy, Incomplete::Internal] {
        let mut session = session(&Limits::default());
        assert_eq!(session.push_frame(&plain(0), ms(0)), Verdict::Allow);
        assert_eq!(session.leave_out_frame(reason), Verdict::Ask);
        assert_eq!(session.verdict(), Verdict::Ask);
        assert_eq!(session.push_frame(&plain(1), ms(1000)), Verdict::Ask, "never milder");
        session.push_bytes(b"the file");
        let report = session.finish();
        assert_eq!((report.verdict, findings(&report)), (Verdict::Ask, vec![incomplete(reason)]));
        assert_eq!(report.frames, 2, "others are looked at");
        assert_eq!(report.clearance.check(b"the file"), Ok(()), "the person may say yes");
    }
    let mut session = session(&Limits::default());
    assert_eq!(session.push_frame(&listed(), ms(0)), Verdict::Block);
    assert_eq!(session.leave_out_frame(Incomplete::Busy), Verdict::Block);
    assert_eq!(findings(&session.finish()), [near(0), incomplete(Incomplete::Busy)]);
}

#[test]
fn a_session_of_frames_that_were_left_out_says_why_it_saw_none() {
    let mut session = session(&Limits::default());
    session.leave_out_frame(Incomplete::Busy);
    assert_eq!(findings(&session.finish()), [incomplete(Incomplete::Busy)]);
}

#[test]
fn a_frame_that_was_kept_is_not_the_last_once_another_is_left_out() {
    let mut session = session(&Limits::default());
    session.push_frame(&plain(0), ms(0));
    session.push_frame(&plain(1), ms(1));
    session.leave_out_frame(Incomplete::Busy);
    assert_eq!(session.finish().frames, 1);
}

#[test]
fn a_frame_that_was_left_out_counts_as_passed_over() {
    let settings = Settings { passed_over: 2, ..Settings::default() };
    let mut session = scanner().session(settings, &Limits::default());
    session.push_frame(&plain(0), ms(0));
    session.push_frame(&plain(1), ms(1));
    assert!(!session.is_due(ms(2)));
    session.leave_out_frame(Incomplete::Busy);
    assert!(session.is_due(ms(2)));
}

#[test]
fn a_file_with_a_piece_left_out_is_neither_looked_up_nor_cleared() {
    let bytes = file();
    for pieces in [[Some(bytes.as_slice()), None], [None, Some(bytes.as_slice())]] {
        let mut session = session(&Limits::default());
        session.push_frame(&plain(0), ms(0));
        for piece in pieces {
            match piece {
                Some(piece) => session.push_bytes(piece),
                None => assert_eq!(session.leave_out_bytes(Incomplete::Busy), Verdict::Ask),
            }
        }
        let report = session.finish();
        assert_eq!(findings(&report), [incomplete(Incomplete::Busy)]);
        assert_eq!(report.clearance.blake3(), None);
    }
}

#[test]
fn a_frame_that_is_kept_is_charged_while_another_is_looked_at() {
    let looks = |memory: u64, keeps: bool| {
        let mut session = session(&Limits { memory, ..Limits::default() });
        session.push_frame(&listed(), ms(0));
        if keeps {
            session.push_frame(&plain(0), ms(1));
        }
        session.push_frame(&listed(), ms(1000));
        !findings(&session.finish()).contains(&incomplete(Incomplete::TooMuchMemory))
    };
    let size = 64 * 64;
    let (mut least, mut enough) = (0, 512 << 20);
    while least + 1 < enough {
        let middle = (least + enough) / 2;
        if looks(middle, false) { enough = middle } else { least = middle }
    }
    assert!(enough > size, "a look alone needs memory");
    assert!(!looks(enough + size - 1, true));
    assert!(looks(enough + size, true));
}

#[test]
fn the_last_frame_is_charged_while_it_is_looked_at() {
    let looks = |memory: u64, at: u64| {
        let mut session = session(&Limits { memory, ..Limits::default() });
        session.push_frame(&plain(0), ms(0));
        session.push_frame(&listed(), ms(at));
        !findings(&session.finish()).contains(&incomplete(Incomplete::TooMuchMemory))
    };
    let size = 512 * 512 * 4;
    let (mut least, mut enough) = (0, 512 << 20);
    while least + 1 < enough {
        let middle = (least + enough) / 2;
        if looks(middle, 1000) { enough = middle } else { least = middle }
    }
    assert!(!looks(enough + size - 1, 1));
    assert!(looks(enough + size, 1));
}
