//! What a scan found, for the person and for a log.

#[cfg(unix)]
use std::ffi::c_int;
use std::ffi::{CString, c_char};
use std::mem;
use std::ptr;

use presend::{Verdict, verdict};

use crate::borrow::{self, BySize};
use crate::status::{Failure, PRESEND_NOT_SCANNED, status_of};

/// Send it.
pub const PRESEND_ALLOW: i32 = 0;
/// Tell the person, and send it unless they turn back.
pub const PRESEND_WARN: i32 = 1;
/// Send it only if the person confirms.
pub const PRESEND_ASK: i32 = 2;
/// Do not send it; show the person why.
pub const PRESEND_BLOCK: i32 = 3;

pub(crate) fn number(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Allow => PRESEND_ALLOW,
        Verdict::Warn => PRESEND_WARN,
        Verdict::Ask => PRESEND_ASK,
        Verdict::Block => PRESEND_BLOCK,
    }
}

/// The answer to one scan. It does not change, so all threads may read it.
pub struct Report {
    report: presend::Report,
    texts: Vec<Texts>,
}

/// A finding's texts, as C reads them.
struct Texts {
    code: CString,
    rule: CString,
    text: CString,
    list: Option<CString>,
}

impl Report {
    pub(crate) fn new(report: presend::Report) -> Self {
        // None of them has a zero byte in it: ids, labels and rules are plain.
        let text = |text: String| CString::new(text).unwrap_or_default();
        let texts = report.findings.iter().map(|judged| Texts {
            code: text(judged.finding.code()),
            rule: text(judged.rule.clone()),
            text: text(judged.finding.to_string()),
            list: match &judged.finding {
                verdict::Finding::Match { list, .. } => Some(text(list.clone())),
                _ => None,
            },
        });
        Self { texts: texts.collect(), report }
    }
}

/// What follows, and what it cost.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Summary {
    /// sizeof(presend_summary), set by the caller
    pub struct_size: usize,
    /// Microseconds from start to end.
    pub time_us: u64,
    /// PRESEND_ALLOW to PRESEND_BLOCK
    pub verdict: i32,
    /// Findings, gravest first.
    pub findings: u32,
    /// Displayed frames that were looked at.
    pub frames: u32,
    /// Inferences of all models together.
    pub inferences: u32,
    /// Width of the first frame, upright, in pixels; 0 if the host decoded it.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

// SAFETY: numbers, the size first.
unsafe impl BySize for Summary {
    const FIRST_SIZE: usize = mem::offset_of!(Self, height) + 4;

    fn absent() -> Self {
        Self {
            struct_size: 0,
            time_us: 0,
            verdict: PRESEND_ASK,
            findings: 0,
            frames: 0,
            inferences: 0,
            width: 0,
            height: 0,
        }
    }
}
const _: () = assert!(Summary::FIRST_SIZE == 40 || cfg!(not(target_pointer_width = "64")));

/// One thing that a scan found out. Its texts live as long as the report.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Finding {
    /// sizeof(presend_finding), set by the caller
    pub struct_size: usize,
    /// A stable code, safe to log: `list.near`, `incomplete.truncated`, ...
    pub code: *const c_char,
    /// The rule of the policy that decided: `list.default.near`, ...
    pub rule: *const c_char,
    /// An English sentence, as safe to log as the code.
    pub text: *const c_char,
    /// The list's id; NULL unless a list matched.
    pub list: *const c_char,
    /// The list's version; 0 unless a list matched.
    pub list_version: u64,
    /// What follows from this finding alone: PRESEND_ALLOW to PRESEND_BLOCK
    pub verdict: i32,
    /// A classifier's score, 0 to 1; negative unless a classifier spoke. Keep it out
    /// of logs.
    pub score: f32,
}

// SAFETY: numbers and pointers, the size first.
unsafe impl BySize for Finding {
    const FIRST_SIZE: usize = mem::offset_of!(Self, score) + 4;

    fn absent() -> Self {
        Self {
            struct_size: 0,
            code: ptr::null(),
            rule: ptr::null(),
            text: ptr::null(),
            list: ptr::null(),
            list_version: 0,
            verdict: PRESEND_ASK,
            score: -1.0,
        }
    }
}
const _: () = assert!(Finding::FIRST_SIZE == 56 || cfg!(not(target_pointer_width = "64")));

/// The verdict: PRESEND_ALLOW to PRESEND_BLOCK; PRESEND_ASK for NULL.
///
/// # Safety
/// `report` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_report_verdict(report: *const Report) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { report.as_ref() }.map_or(PRESEND_ASK, |report| number(report.report.verdict))
}

/// Fills in `summary`.
///
/// # Safety
/// `report` is a live handle; `summary` is a struct whose struct_size is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_report_summary(
    report: *const Report,
    summary: *mut Summary,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let report = &unsafe { borrow::shared(report)? }.report;
        let (width, height) = report.media.map_or((0, 0), |media| (media.width, media.height));
        let value = Summary {
            time_us: u64::try_from(report.timings.total.as_micros()).unwrap_or(u64::MAX),
            verdict: number(report.verdict),
            findings: u32::try_from(report.findings.len()).unwrap_or(u32::MAX),
            frames: report.frames,
            inferences: report.inferences,
            width,
            height,
            ..Summary::absent()
        };
        // SAFETY: the caller's promise.
        unsafe { borrow::fill(summary, value) }
    })
}

/// Fills in the finding of this number, from 0, gravest first. The first one decided,
/// unless the verdict is PRESEND_ALLOW.
///
/// # Safety
/// `report` is a live handle; `finding` is a struct whose struct_size is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_report_finding(
    report: *const Report,
    number_from_0: u32,
    finding: *mut Finding,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let report = unsafe { borrow::shared(report)? };
        let n = number_from_0 as usize;
        let (Some(judged), Some(texts)) = (report.report.findings.get(n), report.texts.get(n))
        else {
            return Err(Failure::argument("the report has no finding of this number"));
        };
        let mut value = Finding {
            code: texts.code.as_ptr(),
            rule: texts.rule.as_ptr(),
            text: texts.text.as_ptr(),
            list: texts.list.as_ref().map_or(ptr::null(), |list| list.as_ptr()),
            verdict: number(judged.verdict),
            ..Finding::absent()
        };
        match judged.finding {
            verdict::Finding::Match { version, .. } => value.list_version = version,
            verdict::Finding::Label { score, .. } => value.score = score,
            _ => {}
        }
        // SAFETY: the caller's promise.
        unsafe { borrow::fill(finding, value) }
    })
}

/// Checks that these are exactly the bytes that were scanned, just before they are
/// encrypted. PRESEND_NOT_SCANNED for any others: do not send them.
///
/// # Safety
/// `report` is a live handle; `data` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_clearance_check(
    report: *const Report,
    data: *const u8,
    length: usize,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (report, data) = unsafe { (borrow::shared(report)?, borrow::bytes(data, length)?) };
        report.report.clearance.check(data).map_err(not_scanned)
    })
}

/// The same for what can be read of a file, by its descriptor, from where it stands to
/// the end: a film need not be in memory. PRESEND_CANNOT_READ for a pipe, a socket or a
/// device. Make sure that nobody writes to the file between this and the encryption.
/// (Unix)
///
/// # Safety
/// `report` is a live handle; `fd` is open.
#[cfg(unix)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_clearance_check_fd(report: *const Report, fd: c_int) -> i32 {
    use std::io::Read;

    status_of(|| {
        // SAFETY: the caller's promise.
        let (report, file) = unsafe { (borrow::shared(report)?, crate::file::borrowed(fd)?) };
        let mut failed = Ok(());
        let pieces = std::iter::from_fn(|| {
            let mut piece = Vec::with_capacity(PIECE);
            match (&*file).take(PIECE as u64).read_to_end(&mut piece) {
                Ok(0) => None,
                Ok(_) => Some(piece),
                Err(error) => {
                    failed = Err(Failure::cannot_read(&error));
                    None
                }
            }
        });
        let checked = report.report.clearance.check_pieces(pieces).map_err(not_scanned);
        failed.and(checked)
    })
}

/// Read at a time.
#[cfg(unix)]
const PIECE: usize = 1 << 20;

/// # Safety
/// `report` is NULL or a live handle, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_report_free(report: *mut Report) {
    // SAFETY: the caller's promise.
    unsafe { borrow::free(report) };
}

fn not_scanned(error: verdict::NotScanned) -> Failure {
    Failure::new(PRESEND_NOT_SCANNED, error)
}
