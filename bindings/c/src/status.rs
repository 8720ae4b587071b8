//! What every function answers: a number, and a sentence behind it.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// Done.
pub const PRESEND_OK: i32 = 0;
/// A parameter is NULL, out of range, or not UTF-8.
pub const PRESEND_BAD_ARGUMENT: i32 = 1;
/// struct_size is none that a version of presend had.
pub const PRESEND_BAD_SIZE: i32 = 2;
/// A file cannot be read.
pub const PRESEND_CANNOT_READ: i32 = 3;
/// The bytes are not a hash list that this version can use.
pub const PRESEND_BAD_LIST: i32 = 4;
/// The files are not a model that this version can use.
pub const PRESEND_BAD_MODEL: i32 = 5;
/// The text is not a policy.
pub const PRESEND_BAD_POLICY: i32 = 6;
/// The parts do not make a scanner, or the list does not replace one.
pub const PRESEND_BAD_PARTS: i32 = 7;
/// The bytes are not those that were scanned: do not send them.
pub const PRESEND_NOT_SCANNED: i32 = 8;
/// The session has ended.
pub const PRESEND_ENDED: i32 = 9;
/// The system has no thread more.
pub const PRESEND_NO_THREAD: i32 = 10;
/// A defect in presend, which was caught.
pub const PRESEND_PANIC: i32 = 11;

/// Why a function did not do its work.
pub(crate) struct Failure {
    pub(crate) status: i32,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: i32, message: impl Display) -> Self {
        Self { status, message: message.to_string() }
    }

    pub(crate) fn argument(message: &str) -> Self {
        Self::new(PRESEND_BAD_ARGUMENT, message)
    }

    /// After a panic, which was caught.
    pub(crate) fn defect() -> Self {
        Self::new(PRESEND_PANIC, "a defect in presend")
    }

    /// The system's reason without the path.
    pub(crate) fn cannot_read(error: &std::io::Error) -> Self {
        Self::new(PRESEND_CANNOT_READ, format_args!("the file cannot be read: {}", error.kind()))
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// The status of some work. A panic in it ends here.
pub(crate) fn status_of(work: impl FnOnce() -> Result<(), Failure>) -> i32 {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Failure::defect()));
    match outcome {
        Ok(()) => PRESEND_OK,
        Err(Failure { status, message }) => {
            let message = CString::new(message).unwrap_or_default();
            // A thread that ends has no use for a message.
            let _ = LAST.try_with(|last| last.replace(message));
            status
        }
    }
}

/// What was wrong when a function of presend last failed on this thread, for a log:
/// it names no path and shows nothing of the media. Stands until the next failure.
#[unsafe(no_mangle)]
pub extern "C" fn presend_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(ptr::null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn a_panic_becomes_a_status_with_a_message() {
        assert_eq!(status_of(|| panic!("below")), PRESEND_PANIC);
        // SAFETY: it stands until this thread's next failure.
        let message = unsafe { CStr::from_ptr(presend_last_error()) };
        assert_eq!(message.to_str(), Ok("a defect in presend"));
    }
}
