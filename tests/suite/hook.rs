//! The asynchronous hook, on a runtime of a single thread: what blocks it
//! blocks everything.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use presend::hook::{PreSendHook, Settings};
use presend::limits::{Clock, Incomplete};
use presend::verdict::NotScanned;
use presend::{
    CancelToken, Classifier, Finding, HashList, Limits, Model, Policy, Report, Runtime, Scanner,
    Verdict,
};
use tokio::task::{self, JoinHandle};
use tokio::time::sleep;

use crate::{read, root};

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}

fn scanner() -> Scanner {
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    Scanner::builder().list(list).build().expect("one list")
}

fn picture() -> Vec<u8> {
    read(root("tests/data/media/test-picture-halved-q50.jpg"))
}

/// Scans one at a time.
fn narrow(waiting: usize, limits: Limits) -> PreSendHook {
    let concurrency = NonZeroUsize::MIN;
    PreSendHook::new(scanner(), Settings { concurrency, waiting, limits, ..Settings::default() })
}

fn found(report: &Report, reason: Incomplete) -> bool {
    report.findings.iter().any(|judged| judged.finding == Finding::Incomplete(reason))
}

/// Bytes whose scan begins by saying so, and goes on when it is told to.
struct Held {
    bytes: Vec<u8>,
    begun: Sender<()>,
    go: Mutex<Receiver<()>>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.begun.send(()).expect("the test listens");
        self.go.lock().expect("no panic").recv().expect("the test tells it to go on");
        &self.bytes
    }
}

/// Starts a scan that holds the hook's only permit: it has begun on return.
async fn hold(hook: &PreSendHook, cancel: CancelToken) -> (JoinHandle<Report>, Sender<()>) {
    let ((begun, has_begun), (go, goes)) = (channel(), channel());
    let held = Held { bytes: picture(), begun, go: Mutex::new(goes) };
    let hook = hook.clone();
    let check = task::spawn(async move { hook.check_with(held, cancel).await });
    while has_begun.try_recv().is_err() {
        sleep(Duration::from_millis(1)).await;
    }
    (check, go)
}

#[test]
fn the_reactor_ticks_while_eight_scans_run() {
    // A scan goes on only when the reactor has ticked since it last looked at
    // the clock: on the reactor itself, it would stand still for ever.
    let ticks = Arc::new(AtomicU64::new(0));
    let (count, reactor) = (Arc::clone(&ticks), thread::current().id());
    let clock = Clock::new(move || {
        let before = count.load(Ordering::Relaxed);
        let waits = if thread::current().id() == reactor { 0 } else { 10_000 };
        let stands = (0..waits).all(|_| {
            thread::sleep(Duration::from_millis(1));
            count.load(Ordering::Relaxed) == before
        });
        assert!(waits == 0 || !stands, "the reactor stands still");
        Duration::ZERO
    });
    let settings =
        Settings { limits: Limits { clock, ..Limits::default() }, ..Settings::default() };
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    let model = Model::read(&root("tests/data/models/mean-colour-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let rules = String::from_utf8(read(root("src/policy/default.toml"))).expect("text");
    let policy = Policy::parse(&(rules + "[label.red]\nwarn = 1.0\n")).expect("a policy");
    let scanner = Scanner::builder().list(list).classifier(classifier).policy(policy);
    let scanner = scanner.build().expect("parts");
    let hook = PreSendHook::new(scanner, settings);
    let count = Arc::clone(&ticks);
    run(async move {
        let ticker = task::spawn(async move {
            loop {
                count.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(1)).await;
            }
        });
        let checks: Vec<_> = (0..8)
            .map(|_| {
                let hook = hook.clone();
                task::spawn(async move { hook.check(picture()).await })
            })
            .collect();
        for check in checks {
            let report = check.await.expect("no panic");
            assert_eq!((report.verdict, report.inferences), (Verdict::Block, 1));
            assert!(!found(&report, Incomplete::Internal), "{report:?}");
        }
        ticker.abort();
    });
    println!("{} ticks during 8 scans", ticks.load(Ordering::Relaxed));
    assert!(ticks.load(Ordering::Relaxed) >= 8);
}

/// Bytes that write down when their scan begins, on another thread than this.
struct Noted(u32, Arc<Mutex<Vec<u32>>>, thread::ThreadId);

impl AsRef<[u8]> for Noted {
    fn as_ref(&self) -> &[u8] {
        if thread::current().id() != self.2 {
            self.1.lock().expect("no panic").push(self.0);
        }
        b"hello"
    }
}

#[test]
fn checks_run_in_the_order_in_which_they_came() {
    let hook = narrow(10, Limits::default());
    run(async {
        let (first, go) = hold(&hook, CancelToken::default()).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut later = Vec::new();
        for n in 0..6 {
            let bytes = Noted(n, Arc::clone(&order), thread::current().id());
            let hook = hook.clone();
            later.push(task::spawn(async move { hook.check(bytes).await }));
            // Into the queue, before the next one.
            task::yield_now().await;
        }
        go.send(()).expect("it waits");
        first.await.expect("no panic");
        for check in later {
            check.await.expect("no panic");
        }
        assert_eq!(*order.lock().expect("no panic"), [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn a_full_queue_answers_at_once_and_asks() {
    let hook = narrow(1, Limits::default());
    run(async {
        let (first, go) = hold(&hook, CancelToken::default()).await;
        let second = task::spawn({
            let hook = hook.clone();
            async move { hook.check(picture()).await }
        });
        task::yield_now().await;
        let third = hook.check(picture()).await;
        assert!(found(&third, Incomplete::Busy) && third.verdict == Verdict::Ask, "{third:?}");
        assert_eq!(third.clearance.check(&picture()), Err(NotScanned));
        assert_eq!(third.clearance.check(b""), Err(NotScanned));
        go.send(()).expect("it waits");
        assert_eq!(first.await.expect("no panic").verdict, Verdict::Block);
        assert_eq!(second.await.expect("no panic").verdict, Verdict::Block);
    });
}

#[test]
fn the_deadline_counts_the_time_in_the_queue() {
    let now = Arc::new(AtomicU64::new(0));
    let read_now = Arc::clone(&now);
    let clock = Clock::new(move || Duration::from_millis(read_now.load(Ordering::Relaxed)));
    let hook =
        narrow(1, Limits { time: Some(Duration::from_millis(5)), clock, ..Limits::default() });
    run(async {
        let (first, go) = hold(&hook, CancelToken::default()).await;
        let second = task::spawn({
            let hook = hook.clone();
            async move { hook.check(picture()).await }
        });
        task::yield_now().await;
        now.store(5, Ordering::Relaxed);
        let second = second.await.expect("no panic");
        assert!(found(&second, Incomplete::DeadlinePassed), "{second:?}");
        // So does the one that runs.
        go.send(()).expect("it waits");
        assert!(found(&first.await.expect("no panic"), Incomplete::DeadlinePassed));
    });
}

#[test]
fn a_cancelled_check_ends_in_the_queue_and_at_work() {
    let hook = narrow(1, Limits::default());
    run(async {
        let running = CancelToken::default();
        let (first, go) = hold(&hook, running.clone()).await;
        let waiting = CancelToken::default();
        let second = task::spawn({
            let (hook, waiting) = (hook.clone(), waiting.clone());
            async move { hook.check_with(picture(), waiting).await }
        });
        task::yield_now().await;
        waiting.cancel();
        assert!(found(&second.await.expect("no panic"), Incomplete::Cancelled));
        running.cancel();
        go.send(()).expect("it waits");
        assert!(found(&first.await.expect("no panic"), Incomplete::Cancelled));
    });
}

#[test]
fn a_dropped_check_stops_its_scan_and_a_finished_one_cancels_nothing() {
    let hook = narrow(1, Limits::default());
    run(async {
        let cancel = CancelToken::default();
        let (check, go) = hold(&hook, cancel.clone()).await;
        check.abort();
        assert!(check.await.expect_err("dropped").is_cancelled());
        assert!(cancel.is_cancelled());
        go.send(()).expect("its thread still waits");
        // The permit comes back.
        let cancel = CancelToken::default();
        let report = hook.check_with(picture(), cancel.clone()).await;
        assert_eq!(report.verdict, Verdict::Block);
        assert!(!cancel.is_cancelled());
    });
}

#[test]
fn a_reload_changes_the_next_scan_and_not_the_one_at_work() {
    let hook = narrow(1, Limits::default());
    run(async {
        let (first, go) = hold(&hook, CancelToken::default()).await;
        let off = Policy::preset("off").expect("a preset");
        hook.reload(Scanner::builder().policy(off).build().expect("no parts"));
        let second = task::spawn({
            let hook = hook.clone();
            async move { hook.check(picture()).await }
        });
        go.send(()).expect("it waits");
        assert_eq!(first.await.expect("no panic").verdict, Verdict::Block);
        assert_eq!(second.await.expect("no panic").verdict, Verdict::Allow);
    });
}

#[test]
fn bytes_that_panic_are_not_allowed() {
    struct Panics;
    impl AsRef<[u8]> for Panics {
        fn as_ref(&self) -> &[u8] {
            panic!("in the host's bytes")
        }
    }
    let report = run(narrow(1, Limits::default()).check(Panics));
    assert!(found(&report, Incomplete::Internal) && report.verdict == Verdict::Ask);
}

#[test]
fn no_more_bytes_wait_than_may() {
    let size = picture().len() as u64;
    for (waiting_bytes, may_wait) in [(2 * size, 2), (2 * size - 1, 1), (0, 1)] {
        let concurrency = NonZeroUsize::MIN;
        let settings = Settings { concurrency, waiting_bytes, ..Settings::default() };
        let hook = PreSendHook::new(scanner(), settings);
        run(async move {
            for round in 0..2 {
                let (held, go) = hold(&hook, CancelToken::default()).await;
                let check = || {
                    let hook = hook.clone();
                    task::spawn(async move { hook.check(picture()).await })
                };
                let wait: Vec<_> = (0..may_wait).map(|_| check()).collect();
                task::yield_now().await;
                let busy = hook.check(picture()).await;
                assert!(found(&busy, Incomplete::Busy), "{waiting_bytes} in round {round}");
                go.send(()).expect("it listens");
                held.await.expect("no panic");
                for wait in wait {
                    let report = wait.await.expect("no panic");
                    assert_eq!(report.verdict, Verdict::Block, "{waiting_bytes}");
                }
            }
        });
    }
}
