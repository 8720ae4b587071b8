//! Scans on presend's own threads.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use presend::limits::{CancelToken, Clock, Incomplete};
use presend::queue::{Queue, Settings};
use presend::{Finding, HashList, Limits, Report, Scanner, Verdict};

use crate::{read, root};

/// With one thread.
fn queue(waiting: usize) -> Queue {
    queue_of(Settings { waiting, ..Settings::default() })
}

fn queue_of(settings: Settings) -> Queue {
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    let scanner = Scanner::builder().list(list).build().expect("one list");
    Queue::new(scanner, Settings { threads: NonZeroUsize::MIN, ..settings }).expect("a thread")
}

fn picture() -> Vec<u8> {
    read(root("tests/data/media/test-picture.png"))
}

/// Takes the only thread until the sender is dropped.
fn hold(queue: &Queue) -> Sender<()> {
    let (go, goes) = channel::<()>();
    let (begun, has_begun) = channel();
    queue.run(move |turn| {
        turn.expect("a place");
        begun.send(()).expect("the test listens");
        goes.recv().expect_err("nothing is sent");
    });
    has_begun.recv().expect("it begins");
    go
}

fn scan(queue: &Queue, limits: Limits) -> Receiver<Report> {
    let (done, report) = channel();
    queue.scan(picture(), limits, move |report| done.send(report).expect("the test listens"));
    report
}

fn is(report: &Report, reason: Incomplete) -> bool {
    report.findings.iter().any(|judged| judged.finding == Finding::Incomplete(reason))
}

#[test]
fn a_scan_does_not_run_where_it_is_asked_for() {
    let queue = queue(64);
    let (here, go) = (thread::current().id(), hold(&queue));
    let (done, ran_on) = channel();
    queue.scan(picture(), Limits::default(), move |report| {
        done.send((report.verdict, thread::current().id())).expect("the test listens");
    });
    assert!(ran_on.try_recv().is_err(), "the thread is taken");
    drop(go);
    let (verdict, there) = ran_on.recv().expect("an answer");
    assert_eq!(verdict, Verdict::Block);
    assert_ne!(there, here);
}

#[test]
fn one_too_many_is_busy_at_once() {
    let queue = queue(1);
    let go = hold(&queue);
    let waits = scan(&queue, Limits::default());
    let report = scan(&queue, Limits::default()).try_recv().expect("answered before it returned");
    assert!(is(&report, Incomplete::Busy) && report.verdict == Verdict::Ask);
    drop(go);
    assert_eq!(waits.recv().expect("an answer").verdict, Verdict::Block);
}

#[test]
fn the_wait_counts_and_a_cancel_reaches_what_waits() {
    let queue = queue(64);
    let go = hold(&queue);
    let cancel = CancelToken::default();
    let cancelled = scan(&queue, Limits { cancel: cancel.clone(), ..Limits::default() });
    // It has passed when the scan is asked for a second time.
    let (tick, ticks) = channel();
    tick.send(Duration::ZERO).expect("a channel");
    let ticks = std::sync::Mutex::new(ticks);
    let clock = Clock::new(move || {
        ticks.lock().expect("no panic").try_recv().unwrap_or(Duration::from_secs(9))
    });
    let time = Some(Duration::from_secs(9));
    let late = scan(&queue, Limits { clock, time, ..Limits::default() });
    cancel.cancel();
    drop(go);
    assert!(is(&cancelled.recv().expect("an answer"), Incomplete::Cancelled));
    assert!(is(&late.recv().expect("an answer"), Incomplete::DeadlinePassed));
}

#[test]
fn a_panic_in_the_hosts_part_costs_no_thread() {
    let queue = queue(64);
    queue.scan(picture(), Limits::default(), |_| panic!("in the host's part"));
    assert_eq!(scan(&queue, Limits::default()).recv().expect("an answer").verdict, Verdict::Block);
}

#[test]
fn what_was_given_is_answered_although_the_queue_is_dropped() {
    let queue = queue(64);
    let go = hold(&queue);
    let answer = scan(&queue, Limits::default());
    drop(queue);
    drop(go);
    assert_eq!(answer.recv().expect("an answer").verdict, Verdict::Block);
}

#[test]
fn no_more_bytes_wait_than_may() {
    let size = picture().len() as u64;
    for (waiting_bytes, may_wait) in [(2 * size, 2), (2 * size - 1, 1), (0, 1)] {
        let queue = queue_of(Settings { waiting_bytes, ..Settings::default() });
        // A second time, because they come back.
        for _ in 0..2 {
            let go = hold(&queue);
            let wait: Vec<_> = (0..may_wait).map(|_| scan(&queue, Limits::default())).collect();
            let report = scan(&queue, Limits::default()).try_recv().expect("at once");
            assert!(is(&report, Incomplete::Busy) && report.verdict == Verdict::Ask);
            assert!(queue.hold(size).is_none());
            drop(go);
            for wait in wait {
                assert_eq!(wait.recv().expect("an answer").verdict, Verdict::Block);
            }
        }
    }
}

#[test]
fn bytes_that_are_scanned_do_not_wait() {
    let queue = queue_of(Settings { waiting_bytes: 1, ..Settings::default() });
    let (begun, has_begun) = channel();
    let (go, goes) = channel::<()>();
    let held = queue.hold(9).expect("alone, it may be larger");
    queue.run(move |turn| {
        drop(held);
        begun.send(turn).expect("the test listens");
        goes.recv().expect_err("nothing is sent");
    });
    has_begun.recv().expect("it begins").expect("a turn");
    let waits = scan(&queue, Limits::default());
    drop(go);
    assert_eq!(waits.recv().expect("an answer").verdict, Verdict::Block);
}
