//! Scans on threads of presend's own, for hosts without a runtime.
//!
//! A scan computes for tens of milliseconds, which no thread that draws or
//! answers can spare. A [`Queue`] takes the bytes, returns at once and hands over
//! the report later. It runs a few scans at a time, in the order in which they
//! came. (With tokio, take the [`hook`](crate::hook).)
//!
//! ```
//! use std::sync::mpsc;
//!
//! use presend::queue::{Queue, Settings};
//! use presend::{HashList, Limits, Scanner, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let list = HashList::open(std::fs::read("hashlists/demo/demo.presend")?)?;
//! let queue = Queue::new(Scanner::builder().list(list).build()?, Settings::default())?;
//!
//! let picture = std::fs::read("tests/data/media/test-picture.png")?;
//! let (done, report) = mpsc::channel();
//! queue.scan(picture, Limits::default(), move |report| drop(done.send(report)));
//! assert_eq!(report.recv()?.verdict, Verdict::Block);
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::limits::{Budget, Incomplete, Limits};
use crate::scanner::Scanner;
use crate::verdict::Report;

/// Scans in the background. When it is dropped its threads finish what they were
/// given, and end.
pub struct Queue {
    scanner: Scanner,
    jobs: Sender<Job>,
    /// Scans that run or wait, and how many may.
    taken: Arc<AtomicUsize>,
    places: usize,
    weight: Arc<Weight>,
}

type Job = Box<dyn FnOnce() + Send>;

/// How a queue scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Threads, at most 64. Default: one for each processor.
    pub threads: NonZeroUsize,
    /// Scans that may wait for a thread; each holds its bytes. One more is
    /// answered at once as [`Incomplete::Busy`]. Default 64.
    pub waiting: usize,
    /// Bytes that may wait for a thread, of all scans together; more is
    /// [`Incomplete::Busy`], too. One scan alone may have more. Default 256 MiB.
    pub waiting_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { threads, waiting: 64, waiting_bytes: 256 << 20 }
    }
}

impl Queue {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has no more of them.
    pub fn new(scanner: Scanner, settings: Settings) -> io::Result<Self> {
        let (jobs, receive) = mpsc::channel::<Job>();
        let receive = Arc::new(Mutex::new(receive));
        let threads = settings.threads.get().min(MOST_THREADS);
        for _ in 0..threads {
            let receive = Arc::clone(&receive);
            let work = move || {
                while let Some(job) = next(&receive) {
                    job();
                }
            };
            thread::Builder::new().name("presend".into()).spawn(work)?;
        }
        let places = settings.waiting.saturating_add(threads);
        let weight = Weight::new(settings.waiting_bytes);
        Ok(Self { scanner, jobs, taken: Arc::default(), places, weight })
    }

    /// The scanner, which can be [reloaded](Scanner::reload).
    pub fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Scans the bytes of a file, and calls `done` exactly once: on a thread of
    /// the queue, or here if too many wait.
    ///
    /// [`Limits::time`] counts from here, the time in the queue included. What is
    /// cancelled or too late is answered when its turn comes. A panic in `done`
    /// is caught.
    pub fn scan(
        &self,
        bytes: impl AsRef<[u8]> + Send + 'static,
        limits: Limits,
        done: impl FnOnce(Report) + Send + 'static,
    ) {
        let budget = Budget::start(&limits);
        let scanner = self.scanner.clone();
        let held = self.hold(bytes.as_ref().len() as u64);
        let fits = held.is_some();
        let scan = move |turn: Result<(), Incomplete>| {
            drop(held);
            let report = match turn {
                Ok(()) => scanner.scan_within(bytes.as_ref(), budget),
                Err(reason) => scanner.not_scanned(reason),
            };
            drop(bytes);
            done(report);
        };
        if fits { self.run(scan) } else { caught(|| scan(Err(Incomplete::Busy))) }
    }

    /// Runs other work in its turn: a frame, a part of a session. It is told
    /// whether it has a turn; it is [`Incomplete::Busy`], and runs here, if too
    /// many wait. A panic in it is caught.
    ///
    /// Without a turn, compute nothing: the thread is the caller's. A session has
    /// [`leave_out_frame`](crate::Session::leave_out_frame) for that. What the work
    /// holds while it waits is counted by [`hold`](Self::hold).
    pub fn run(&self, work: impl FnOnce(Result<(), Incomplete>) + Send + 'static) {
        let work = |turn| caught(|| work(turn));
        let taken = Arc::clone(&self.taken);
        if taken.fetch_add(1, Ordering::Relaxed) >= self.places {
            taken.fetch_sub(1, Ordering::Relaxed);
            return work(Err(Incomplete::Busy));
        }
        let job = move || {
            work(Ok(()));
            taken.fetch_sub(1, Ordering::Relaxed);
        };
        self.jobs.send(Box::new(job)).expect("the threads wait as long as there is a sender");
    }

    /// Counts bytes that are about to wait, as those of a scan do: until what this
    /// gives is dropped. Where there are too many, it gives nothing, and what they
    /// are for is [`Incomplete::Busy`].
    pub fn hold(&self, bytes: u64) -> Option<Held> {
        self.weight.hold(bytes)
    }
}

/// The bytes that wait in a queue.
#[derive(Debug)]
pub(crate) struct Weight {
    most: u64,
    now: AtomicU64,
}

/// Bytes that wait in a [`Queue`], until this is dropped.
#[derive(Debug)]
#[must_use = "they no longer count when it is dropped"]
pub struct Held {
    weight: Arc<Weight>,
    bytes: u64,
}

impl Weight {
    pub(crate) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, now: AtomicU64::new(0) })
    }

    /// Nothing if it is too much. What alone is too much may be there alone.
    pub(crate) fn hold(self: &Arc<Self>, bytes: u64) -> Option<Held> {
        let before = self.now.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { weight: Arc::clone(self), bytes };
        let fits = before == 0 || bytes == 0 || before.saturating_add(bytes) <= self.most;
        fits.then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.weight.now.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A panic in the host's part is the host's.
fn caught(work: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(work)));
}

/// One thread waits for a job, the others for their turn to wait.
fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// More of them would only hold more memory.
const MOST_THREADS: usize = 64;

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("taken", &self.taken).finish_non_exhaustive()
    }
}
