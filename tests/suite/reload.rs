//! A running scanner takes new editions of its lists.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use presend::hook::{PreSendHook, Settings};
use presend::publish::{self, Feed, Parameters};
use presend::scanner::ReloadError;
use presend::{Finding, HashList, Limits, Report, Scanner};

use crate::{read, root};

/// The demonstration list in any version; all hold the test picture.
fn edition(version: u64) -> HashList {
    let feed = Feed::read(&read(root("hashlists/demo/feed.csv"))).expect("rows");
    let (id, profile) = ("demo".into(), "balanced".into());
    let parameters = Parameters { id, version, profile, salt: None };
    let built = publish::build(&parameters, &feed).expect("it builds");
    HashList::open(built.list).expect("it opens")
}

fn scanner(version: u64) -> Scanner {
    Scanner::builder().list(edition(version)).build().expect("one list")
}

fn picture() -> Vec<u8> {
    read(root("tests/data/media/test-picture.png"))
}

/// The versions that matched: of the file, then of the picture.
fn versions(report: &Report) -> Vec<u64> {
    let versions = report.findings.iter().filter_map(|judged| match judged.finding {
        Finding::Match { version, .. } => Some(version),
        _ => None,
    });
    versions.collect()
}

#[test]
fn a_scan_sees_one_edition_from_start_to_end() {
    let scanner = scanner(1);
    let limits = Limits::default();
    let frame = || {
        // Exact digests are looked up before the first frame is asked for.
        scanner.reload(edition(2)).expect("it follows");
        std::iter::empty()
    };
    let frames = std::iter::once_with(frame).flatten();
    assert_eq!(versions(&scanner.scan_frames(&picture(), frames, &limits)), [1]);
    assert_eq!(versions(&scanner.scan(&picture(), &limits)), [2, 2]);
}

#[test]
fn scans_go_on_while_lists_are_replaced() {
    const LAST: u64 = 40;
    let editions: Vec<_> = (2..=LAST).map(edition).collect();
    let (scanner, picture) = (scanner(1), picture());
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = Vec::new();
                    while !is_done.load(Ordering::Relaxed) {
                        let versions = versions(&scanner.scan(&picture, &Limits::default()));
                        assert!(versions.len() == 2 && versions[0] == versions[1], "{versions:?}");
                        seen.push(versions[0]);
                    }
                    seen
                })
            })
            .collect();
        for edition in editions {
            scanner.clone().reload(edition).expect("it follows");
            thread::sleep(Duration::from_millis(10));
        }
        is_done.store(true, Ordering::Relaxed);
        let seen: Vec<_> = threads.into_iter().map(|seen| seen.join().expect("no panic")).collect();
        assert!(seen.iter().all(|seen| seen.is_sorted()), "{seen:?}");
        let mut all = seen.concat();
        all.sort_unstable();
        all.dedup();
        assert!(all.len() > 3, "{all:?}");
    });
    assert_eq!(versions(&scanner.scan(&picture, &Limits::default())), [LAST, LAST]);
}

#[test]
fn a_list_that_replaces_nothing_or_goes_back_is_refused() {
    let scanner = scanner(5);
    let older = ReloadError::Older { in_use: 5, offered: 4 };
    assert_eq!(scanner.reload(edition(4)), Err(older));
    let other = crate::served::edition(9, 0..3);
    let other = HashList::open(other.list).expect("it opens");
    assert_eq!(scanner.reload(other), Err(ReloadError::UnknownList("daily".into())));
    assert_eq!(versions(&scanner.scan(&picture(), &Limits::default())), [5, 5]);
    scanner.reload(edition(5)).expect("the same again");
}

#[test]
fn a_hook_takes_a_list() {
    let hook = PreSendHook::new(scanner(1), Settings::default());
    hook.reload_list(edition(2)).expect("it follows");
    let older = ReloadError::Older { in_use: 2, offered: 1 };
    assert_eq!(hook.reload_list(edition(1)), Err(older));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let report = runtime.expect("a runtime").block_on(hook.check(picture()));
    assert_eq!(versions(&report), [2, 2]);
}
