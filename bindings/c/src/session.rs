//! Films and live pictures, frame by frame.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use presend::Verdict;
use presend::limits::Incomplete;
use presend::session::Settings;

use crate::borrow::{self, BySize};
use crate::frame::{Frame, frame};
use crate::options::{Options, limits};
use crate::report::{Report, number};
use crate::scanner::Scanner;
use crate::status::{Failure, PRESEND_ENDED, status_of};

/// A film or a live picture on its way. One thread at a time.
pub struct Session(Option<presend::Session>);

/// Which frames a session looks at, beside the first and the last. Zero stands for
/// the default; so does NULL for the whole.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SessionOptions {
    /// sizeof(presend_session_options)
    pub struct_size: usize,
    /// Microseconds from one frame that is looked at to the next. Default 1,000,000;
    /// 1 looks at every frame.
    pub every_us: u64,
    /// Frames that are passed over in a row, at most. Default 120.
    pub passed_over: u32,
    /// 0
    pub reserved: u32,
}

// SAFETY: numbers, the size first.
unsafe impl BySize for SessionOptions {
    const FIRST_SIZE: usize = mem::offset_of!(Self, reserved) + 4;

    fn absent() -> Self {
        Self { struct_size: 0, every_us: 0, passed_over: 0, reserved: 0 }
    }
}
const _: () = assert!(SessionOptions::FIRST_SIZE == 24 || cfg!(not(target_pointer_width = "64")));

/// Begins a film or a live picture. The options count over all of it: raise `frames`,
/// `pixels` and `input_bytes` for a long one.
///
/// # Safety
/// `scanner` is a live handle; `settings` and `options` are NULL or structs; `out`
/// is to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_session_new(
    scanner: *const Scanner,
    settings: *const SessionOptions,
    options: *const Options,
    out: *mut *mut Session,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        unsafe {
            borrow::prepare(out)?;
            let (scanner, limits) = (borrow::shared(scanner)?, limits(options)?);
            let mut wanted = Settings::default();
            if !settings.is_null() {
                let given = borrow::sized(settings)?;
                if given.reserved != 0 {
                    return Err(Failure::argument("`reserved` in the settings is not 0"));
                }
                if given.every_us != 0 {
                    wanted.every = Duration::from_micros(given.every_us);
                }
                if given.passed_over != 0 {
                    wanted.passed_over = given.passed_over;
                }
            }
            let session = scanner.scanner.session(wanted, &limits);
            borrow::give(out, Session(Some(session)));
        }
        Ok(())
    })
}

/// Whether a frame of this time would be looked at: 1 or 0. A host whose frames are
/// dear to convert asks first, and pushes those and the film's last.
///
/// # Safety
/// `session` is a live handle that no other thread uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_session_is_due(session: *const Session, at_us: u64) -> i32 {
    // SAFETY: the caller's promise.
    let session = unsafe { session.as_ref() };
    let is_due = |session: &presend::Session| session.is_due(Duration::from_micros(at_us));
    i32::from(session.and_then(|session| session.0.as_ref()).is_some_and(is_due))
}

/// Takes the next frame, shown `at_us` microseconds after the film's start, and gives
/// the verdict so far, which never becomes milder. A frame that is refused is one that
/// was not seen: the verdict is PRESEND_ASK or graver, and the report has the finding
/// incomplete.internal.
///
/// # Safety
/// `session` is a live handle that no other thread uses; `pixels` is a struct whose
/// pixels are there; `verdict` is NULL or to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_session_push_frame(
    session: *mut Session,
    pixels: *const Frame,
    at_us: u64,
    verdict: *mut i32,
) -> i32 {
    let mut so_far = Verdict::Ask;
    let status = status_of(|| {
        // SAFETY: the caller's promise.
        let session = unsafe { running(session)? };
        let push = |session: &mut presend::Session| {
            // SAFETY: the caller's promise.
            let frame = unsafe { frame(pixels)? };
            session.push_frame(&frame, Duration::from_micros(at_us));
            Ok(())
        };
        let pushed = attempt(session, push, presend::Session::leave_out_frame);
        so_far = match pushed {
            Ok(()) => session.verdict(),
            Err(_) => Verdict::Ask.max(session.verdict()),
        };
        pushed
    });
    if !verdict.is_null() {
        // SAFETY: the caller's promise.
        unsafe { verdict.write(number(so_far)) };
    }
    status
}

/// Reads the next bytes of the file that the frames come from, as it would be sent.
/// The report clears them, unless a piece was refused.
///
/// # Safety
/// `session` is a live handle that no other thread uses; `data` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_session_push_bytes(
    session: *mut Session,
    data: *const u8,
    length: usize,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let session = unsafe { running(session)? };
        let push = |session: &mut presend::Session| {
            // SAFETY: the caller's promise.
            session.push_bytes(unsafe { borrow::bytes(data, length)? });
            Ok(())
        };
        attempt(session, push, presend::Session::leave_out_bytes)
    })
}

/// Looks at the last frame and ends. The session still has to be freed.
///
/// # Safety
/// `session` is a live handle that no other thread uses; `out` is to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_session_finish(
    session: *mut Session,
    out: *mut *mut Report,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        unsafe {
            borrow::prepare(out)?;
            let session = borrow::exclusive(session)?.0.take().ok_or_else(ended)?;
            borrow::give(out, Report::new(session.finish()));
        }
        Ok(())
    })
}

/// # Safety
/// `session` is NULL or a live handle, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_session_free(session: *mut Session) {
    // SAFETY: the caller's promise.
    unsafe { borrow::free(session) };
}

/// # Safety
/// As for [`borrow::exclusive`].
unsafe fn running<'a>(session: *mut Session) -> Result<&'a mut presend::Session, Failure> {
    // SAFETY: the caller's promise.
    unsafe { borrow::exclusive(session)? }.0.as_mut().ok_or_else(ended)
}

/// What fails or panics was not done, and the session says so from then on.
fn attempt(
    session: &mut presend::Session,
    work: impl FnOnce(&mut presend::Session) -> Result<(), Failure>,
    leave_out: fn(&mut presend::Session, Incomplete) -> Verdict,
) -> Result<(), Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(|| work(session)));
    let outcome = outcome.unwrap_or_else(|_| Err(Failure::defect()));
    if outcome.is_err() {
        leave_out(session, Incomplete::Internal);
    }
    outcome
}

fn ended() -> Failure {
    Failure::new(PRESEND_ENDED, "the session has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::PRESEND_PANIC;

    #[test]
    fn a_panic_leaves_the_session_incomplete() {
        for leave_out in [presend::Session::leave_out_frame, presend::Session::leave_out_bytes] {
            let scanner = presend::Scanner::builder().policy(allowing()).build().unwrap();
            let mut session = scanner.session(Settings::default(), &presend::Limits::default());
            assert_eq!(session.verdict(), Verdict::Allow);
            let status = status_of(|| attempt(&mut session, |_| panic!("in a frame"), leave_out));
            assert_eq!(status, PRESEND_PANIC);
            assert_eq!(session.verdict(), Verdict::Ask);
            let report = session.finish();
            let internal = presend::Finding::Incomplete(Incomplete::Internal);
            assert!(report.findings.iter().any(|judged| judged.finding == internal));
        }
    }

    /// Where there is no list.
    fn allowing() -> presend::Policy {
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/policy/default.toml");
        let policy = std::fs::read_to_string(policy).unwrap();
        presend::Policy::parse(&policy.replace("list = \"ask\"", "list = \"allow\"")).unwrap()
    }
}
