//! From a file or a frame to a report, here or on presend's own threads.

use std::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Read};
use std::mem::ManuallyDrop;

use crate::borrow;
use crate::frame::{Frame, frame};
use crate::options::{Options, limits};
use crate::report::Report;
use crate::scanner::Scanner;
use crate::status::{Failure, status_of};

/// Takes the report of a scan that was started, and has to free it. Called exactly
/// once, on a thread of presend's, or on the caller's before presend_scan_start
/// returns if too many scans wait. The report is NULL only if presend has a defect:
/// that is no verdict, so ask the person. It must not throw.
pub type Done = Option<unsafe extern "C" fn(user_data: *mut c_void, report: *mut Report)>;

/// Scans the bytes of a file, exactly as they would be sent.
///
/// Whatever the bytes are, the status is PRESEND_OK: what could not be looked at is
/// a finding in the report, and the policy decides.
///
/// # Safety
/// `scanner` is a live handle; `data` has `length` bytes that nobody changes
/// meanwhile; `options` is NULL or a struct; `out` is to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_scan_bytes(
    scanner: *const Scanner,
    data: *const u8,
    length: usize,
    options: *const Options,
    out: *mut *mut Report,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        unsafe {
            borrow::prepare(out)?;
            let (scanner, limits) = (borrow::shared(scanner)?, limits(options)?);
            let data = borrow::bytes(data, length)?;
            borrow::give(out, Report::new(scanner.scanner.scan(data, &limits)));
        }
        Ok(())
    })
}

/// Scans a file. No more of it is read than the options allow.
///
/// # Safety
/// `scanner` is a live handle; `path` is text; `options` is NULL or a struct; `out`
/// is to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_scan_path(
    scanner: *const Scanner,
    path: *const c_char,
    options: *const Options,
    out: *mut *mut Report,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        unsafe {
            borrow::prepare(out)?;
            let (scanner, limits) = (borrow::shared(scanner)?, limits(options)?);
            let file = File::open(borrow::text(path)?);
            let bytes = file.and_then(|file| read(&file, limits.input_bytes));
            let bytes = bytes.map_err(|error| Failure::cannot_read(&error))?;
            borrow::give(out, Report::new(scanner.scanner.scan(&bytes, &limits)));
        }
        Ok(())
    })
}

/// Scans what can be read from a file descriptor, from where it stands to the end.
/// It stays open, and its place is the end afterwards. (Unix)
///
/// # Safety
/// `scanner` is a live handle; `fd` is open; `options` is NULL or a struct; `out` is
/// to a pointer.
#[cfg(unix)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_scan_fd(
    scanner: *const Scanner,
    fd: c_int,
    options: *const Options,
    out: *mut *mut Report,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        unsafe {
            borrow::prepare(out)?;
            let (scanner, limits) = (borrow::shared(scanner)?, limits(options)?);
            let bytes = read(&*opened(fd)?, limits.input_bytes);
            let bytes = bytes.map_err(|error| Failure::cannot_read(&error))?;
            borrow::give(out, Report::new(scanner.scanner.scan(&bytes, &limits)));
        }
        Ok(())
    })
}

/// Scans pixels that the host decoded from the file's bytes, for media that presend
/// does not decode itself (HEIC). The report clears the file's bytes.
///
/// # Safety
/// `scanner` is a live handle; `pixels` is a struct whose pixels are there; `data`
/// has `length` bytes; `options` is NULL or a struct; `out` is to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_scan_frame(
    scanner: *const Scanner,
    pixels: *const Frame,
    data: *const u8,
    length: usize,
    options: *const Options,
    out: *mut *mut Report,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        unsafe {
            borrow::prepare(out)?;
            let (scanner, limits) = (borrow::shared(scanner)?, limits(options)?);
            let (frame, data) = (frame(pixels)?, borrow::bytes(data, length)?);
            let report = scanner.scanner.scan_frames(data, [frame], &limits);
            borrow::give(out, Report::new(report));
        }
        Ok(())
    })
}

/// Starts a scan of the bytes of a file on presend's own threads, and returns. The
/// bytes are copied before it does. It calls back if, and only if, the status is
/// PRESEND_OK.
///
/// # Safety
/// As for presend_scan_bytes; `done` may be called with `user_data` on another
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_scan_start(
    scanner: *const Scanner,
    data: *const u8,
    length: usize,
    options: *const Options,
    done: Done,
    user_data: *mut c_void,
) -> i32 {
    status_of(|| {
        let done = done.ok_or_else(|| Failure::argument("`done` is NULL"))?;
        // SAFETY: the caller's promise.
        let (scanner, limits, data) =
            unsafe { (borrow::shared(scanner)?, limits(options)?, borrow::bytes(data, length)?) };
        let queue = scanner.queue()?;
        let call = Call { done, user_data, is_made: false };
        queue.scan(data.to_vec(), limits, move |report| call.make(report));
        Ok(())
    })
}

/// A call that is made once, whatever happens.
struct Call {
    done: unsafe extern "C" fn(*mut c_void, *mut Report),
    user_data: *mut c_void,
    is_made: bool,
}

// SAFETY: the caller of `presend_scan_start` lets it be called on another thread.
unsafe impl Send for Call {}

impl Call {
    fn make(mut self, report: presend::Report) {
        let report = Box::into_raw(Box::new(Report::new(report)));
        self.is_made = true;
        // SAFETY: the caller of `presend_scan_start` promised a function that takes
        // this data and such a report.
        unsafe { (self.done)(self.user_data, report) };
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_made {
            // SAFETY: as in `make`; the function takes NULL for a report.
            unsafe { (self.done)(self.user_data, std::ptr::null_mut()) };
        }
    }
}

/// # Safety
/// `fd` is open while the file is used.
#[cfg(unix)]
pub(crate) unsafe fn opened(fd: c_int) -> Result<ManuallyDrop<File>, Failure> {
    use std::os::fd::FromRawFd;

    if fd < 0 {
        return Err(Failure::argument("the file descriptor is negative"));
    }
    // SAFETY: open, by the caller's promise; never closed, because never dropped.
    Ok(ManuallyDrop::new(unsafe { File::from_raw_fd(fd) }))
}

/// One byte more than may be scanned, so that the scan sees that it is too large.
fn read(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
