//! From a file or a frame to a report, here or on presend's own threads.

#[cfg(unix)]
use std::ffi::c_int;
use std::ffi::{c_char, c_void};
use std::io::{self, Read};

use presend::Limits;
use presend::limits::{Budget, Incomplete};

use crate::borrow;
use crate::file;
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

/// Scans a file. No more of it is read than the options allow, and the deadline and
/// the cancel hold while it is read. PRESEND_CANNOT_READ for a folder, a named pipe
/// or a device, which is not waited for.
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
            let path = borrow::text(path)?;
            let report = scan_file(&scanner.scanner, limits, || file::open(path))?;
            borrow::give(out, Report::new(report));
        }
        Ok(())
    })
}

/// Scans what can be read of a file, by its descriptor, from where it stands to the
/// end. It stays open, and its place is the end afterwards; the deadline and the
/// cancel hold while it is read. PRESEND_CANNOT_READ for a pipe, a socket or a device:
/// read those yourself, and scan the bytes. (Unix)
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
            let file = file::borrowed(fd)?;
            let report = scan_file(&scanner.scanner, limits, || Ok(&*file))?;
            borrow::give(out, Report::new(report));
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
/// bytes are copied before it does, unless they are more than the options allow. It
/// calls back if, and only if, the status is PRESEND_OK.
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
        if data.len() as u64 > limits.input_bytes {
            let scanner = scanner.scanner.clone();
            queue.run(move |turn| {
                let reason = turn.err().unwrap_or(Incomplete::TooManyBytes);
                call.make(scanner.not_scanned(reason));
            });
        } else {
            queue.scan(data.to_vec(), limits, move |report| call.make(report));
        }
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

/// The time counts from here, so that opening and reading take their part of it.
fn scan_file<F: Read>(
    scanner: &presend::Scanner,
    mut limits: Limits,
    open: impl FnOnce() -> Result<F, Failure>,
) -> Result<presend::Report, Failure> {
    let budget = Budget::start(&limits);
    let start = budget.now();
    let mut file = open()?;
    let read = read(&mut file, &limits, &budget);
    Ok(match read.map_err(|error| Failure::cannot_read(&error))? {
        Ok(bytes) => {
            let spent = budget.now().saturating_sub(start);
            limits.time = limits.time.map(|time| time.saturating_sub(spent));
            scanner.scan(&bytes, &limits)
        }
        Err(reason) => scanner.not_scanned(reason),
    })
}

/// One byte more than may be scanned, so that the scan sees that it is too large;
/// or why there was no time to read it.
fn read(
    file: &mut impl Read,
    limits: &Limits,
    budget: &Budget,
) -> io::Result<Result<Vec<u8>, Incomplete>> {
    let mut bytes = Vec::new();
    let mut left = limits.input_bytes.saturating_add(1);
    loop {
        if let Err(reason) = budget.check() {
            return Ok(Err(reason));
        }
        let count = file.take(left.min(PIECE)).read_to_end(&mut bytes)? as u64;
        left -= count;
        if count == 0 || left == 0 {
            return Ok(Ok(bytes));
        }
    }
}

/// Read from one look at the clock to the next.
const PIECE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use presend::limits::{CancelToken, Clock};

    /// A file of this size; each time it is read from takes a second.
    struct Slow {
        size: usize,
        clock: Arc<AtomicU64>,
        reads: u64,
    }

    impl Slow {
        fn new(size: usize) -> (Self, Clock) {
            let clock = Arc::<AtomicU64>::default();
            let read = Arc::clone(&clock);
            let clock_of_limits =
                Clock::new(move || Duration::from_secs(read.load(Ordering::Relaxed)));
            (Self { size, clock, reads: 0 }, clock_of_limits)
        }
    }

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            self.clock.fetch_add(1, Ordering::Relaxed);
            let count = buffer.len().min(self.size);
            self.size -= count;
            Ok(count)
        }
    }

    #[test]
    fn a_call_that_a_panic_prevents_is_made_with_null() {
        unsafe extern "C" fn done(user_data: *mut c_void, report: *mut Report) {
            // SAFETY: the test's, which lives until it has heard.
            let answer = unsafe { &*user_data.cast::<std::sync::mpsc::Sender<bool>>() };
            answer.send(report.is_null()).unwrap();
        }
        let scanner = presend::Scanner::builder().build().unwrap();
        let threads = std::num::NonZeroUsize::MIN;
        let settings = presend::queue::Settings { threads, ..Default::default() };
        let queue = presend::queue::Queue::new(scanner, settings).unwrap();
        let (mut answer, answered) = std::sync::mpsc::channel::<bool>();
        let call = Call { done, user_data: (&raw mut answer).cast(), is_made: false };
        queue.run(move |_| {
            let _call = call;
            panic!("before the call");
        });
        let (done, is_done) = std::sync::mpsc::channel();
        queue.run(move |_| done.send(()).unwrap());
        is_done.recv().unwrap();
        assert_eq!(answered.try_iter().collect::<Vec<_>>(), [true], "once");
    }

    #[test]
    fn reading_stops_at_the_deadline() {
        let (mut file, clock) = Slow::new(64 << 20);
        let time = Some(Duration::from_secs(5));
        let limits = Limits { time, clock, input_bytes: u64::MAX, ..Limits::default() };
        let read = read(&mut file, &limits, &Budget::start(&limits)).unwrap();
        assert_eq!(read, Err(Incomplete::DeadlinePassed));
        assert!(file.reads < 100, "{} reads", file.reads);
    }

    #[test]
    fn reading_hears_a_cancel() {
        /// Cancelled while it is read.
        struct Cancelling(CancelToken);
        impl Read for Cancelling {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.cancel();
                Ok(buffer.len())
            }
        }
        let limits = Limits { input_bytes: 8 << 20, ..Limits::default() };
        let mut file = Cancelling(limits.cancel.clone());
        let read = read(&mut file, &limits, &Budget::start(&limits)).unwrap();
        assert_eq!(read, Err(Incomplete::Cancelled));
    }

    #[test]
    fn no_more_is_read_than_shows_that_it_is_too_much() {
        for (size, most, expected) in [(0, 9, 0), (9, 9, 9), (10, 9, 10), (99, 9, 10), (9, 0, 1)] {
            let (mut file, clock) = Slow::new(size);
            let limits = Limits { clock, input_bytes: most, ..Limits::default() };
            let read = read(&mut file, &limits, &Budget::start(&limits)).unwrap();
            assert_eq!(read.map(|bytes| bytes.len()), Ok(expected), "{size} of {most}");
        }
        let (mut file, clock) = Slow::new(3 << 20);
        let limits = Limits { clock, ..Limits::default() };
        let read = read(&mut file, &limits, &Budget::start(&limits)).unwrap();
        assert_eq!(read.map(|bytes| bytes.len()), Ok(3 << 20), "in pieces");
    }

    #[test]
    fn the_time_that_opening_and_reading_take_counts() {
        let scanner = presend::Scanner::builder().build().unwrap();
        // It goes on by a second each time it is read, and by ten where the file is opened.
        let now = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&now);
        let clock = Clock::new(move || Duration::from_secs(clock.fetch_add(1, Ordering::Relaxed)));
        let limits = Limits { clock, time: Some(Duration::from_secs(15)), ..Limits::default() };
        let open = || {
            now.fetch_add(10, Ordering::Relaxed);
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
            file::open(path)
        };
        let Ok(report) = scan_file(&scanner, limits, open) else { panic!("it opens") };
        let late = |judged: &presend::verdict::Judged| {
            judged.finding == presend::Finding::Incomplete(Incomplete::DeadlinePassed)
        };
        assert!(report.findings.iter().any(late), "{report:?}");
    }
}
