//! The guard by itself: Python has no way to make the binding panic.

#[path = "../src/guard.rs"]
mod guard;

use presend::limits::{Incomplete, Limits};
use presend::{Report, Scanner, Verdict};

#[test]
fn a_panic_is_incomplete_internal_and_never_allowed() {
    let scanner = Scanner::builder().build().expect("nothing to disagree");
    let defect = || -> Report { panic!("a defect") };
    let report = guard::or_internal(defect, |reason| scanner.not_scanned(reason));
    assert_eq!(report.verdict, Verdict::Ask);
    let codes: Vec<_> = report.findings.iter().map(|judged| judged.finding.code()).collect();
    assert!(codes.contains(&"incomplete.internal".to_owned()), "{codes:?}");
    report.clearance.check(b"").expect_err("nothing was scanned");
}

#[test]
fn what_does_not_panic_goes_through() {
    let scanner = Scanner::builder().build().expect("nothing to disagree");
    let scan = || scanner.scan(b"", &Limits::default());
    let report = guard::or_internal(scan, |_| scanner.not_scanned(Incomplete::Internal));
    assert!(report.findings.iter().any(|judged| judged.finding.code() == "incomplete.truncated"));
}
