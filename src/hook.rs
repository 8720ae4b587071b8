//! The check as an asynchronous hook: between the send button and the
//! encryption.
//!
//! A scan computes for tens of milliseconds. [`PreSendHook`] hands it to
//! tokio's blocking threads, so the thread that runs the messenger's tasks goes
//! on; it lets a few scans run at a time and the others wait in the order in
//! which they came.
//!
//! ```
//! use presend::hook::{PreSendHook, Settings};
//! use presend::{HashList, Scanner, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let list = HashList::open(std::fs::read("hashlists/demo/demo.presend")?)?;
//! let hook = PreSendHook::new(Scanner::builder().list(list).build()?, Settings::default());
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! let report = runtime.block_on(async {
//!     let picture = std::fs::read("tests/data/media/test-picture.png")?;
//!     Ok::<_, std::io::Error>(hook.check(picture).await)
//! })?;
//! assert_eq!(report.verdict, Verdict::Block);
//! # Ok(())
//! # }
//! ```

use std::mem;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::{task, time};

use crate::limits::{Budget, CancelToken, Incomplete, Limits};
use crate::list::HashList;
use crate::queue::Weight;
use crate::scanner::{ReloadError, Scanner};
use crate::verdict::Report;

/// Scans from asynchronous code. Clones share one queue.
#[derive(Clone, Debug)]
pub struct PreSendHook(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    scanner: RwLock<Arc<Scanner>>,
    limits: Limits,
    /// A permit for each scan that may run. Tokio gives them in order.
    running: Arc<Semaphore>,
    waiting: Semaphore,
    weight: Arc<Weight>,
}

/// How a hook scans.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Scans that run at the same time. Default: one for each processor.
    pub concurrency: NonZeroUsize,
    /// Checks that may wait beside those that run; each holds its bytes. One
    /// more is answered at once as [`Incomplete::Busy`]. Default 64.
    pub waiting: usize,
    /// Bytes that may wait, of all checks together; more is [`Incomplete::Busy`],
    /// too. One check alone may have more. Default 256 MiB.
    pub waiting_bytes: u64,
    /// The limits of each check. [`Limits::time`] counts from the first poll,
    /// the time in the queue included; its default here is 10 seconds. (A host
    /// that fills tokio's own blocking threads adds their queue to it.)
    /// [`Limits::cancel`] is not used, because each check has a token of its own.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            waiting: 64,
            waiting_bytes: 256 << 20,
            limits: Limits { time: Some(Duration::from_secs(10)), ..Limits::default() },
        }
    }
}

impl PreSendHook {
    /// A hook that scans with `scanner`.
    pub fn new(scanner: Scanner, settings: Settings) -> Self {
        Self(Arc::new(Shared {
            scanner: RwLock::new(Arc::new(scanner)),
            limits: settings.limits,
            running: Arc::new(semaphore(settings.concurrency.get())),
            waiting: semaphore(settings.waiting),
            weight: Weight::new(settings.waiting_bytes),
        }))
    }

    /// Scans the bytes of a file, exactly as they would be sent.
    ///
    /// Never fails: what was not looked at is a finding. A check takes its place
    /// in the queue when it is first polled; dropping the future gives the place
    /// up, or stops the scan.
    ///
    /// # Panics
    /// Outside a tokio runtime, or where its timer is not enabled.
    pub async fn check(&self, bytes: impl AsRef<[u8]> + Send + 'static) -> Report {
        self.check_with(bytes, CancelToken::default()).await
    }

    /// Like [`check`](Self::check), and stops when somebody else cancels.
    ///
    /// The token is also cancelled when the future is dropped before its end.
    ///
    /// # Panics
    /// Outside a tokio runtime, or where its timer is not enabled.
    pub async fn check_with(
        &self,
        bytes: impl AsRef<[u8]> + Send + 'static,
        cancel: CancelToken,
    ) -> Report {
        let mut dropped = CancelOnDrop(Some(cancel.clone()));
        let budget = Budget::start(&Limits { cancel, ..self.0.limits.clone() });
        // Permits that come back go to those who wait, so this passes nobody.
        let turn = match Arc::clone(&self.0.running).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(_) => {
                let size = bytes.as_ref().len() as u64;
                self.turn(size, &budget).await
            }
        };
        let report = match turn {
            Ok(permit) => {
                let scanner = self.scanner();
                let scan = move || {
                    let report = scanner.scan_within(bytes.as_ref(), budget);
                    drop(permit);
                    report
                };
                // A scan catches its panics; an error here is a runtime that shuts down.
                task::spawn_blocking(scan).await.map_err(|_| Incomplete::Internal)
            }
            Err(reason) => Err(reason),
        };
        dropped.0 = None;
        report.unwrap_or_else(|reason| self.scanner().not_scanned(reason))
    }

    /// Scans with this scanner from now on. Scans that run end with the one
    /// they began with; nobody waits.
    pub fn reload(&self, scanner: Scanner) {
        let mut current = self.0.scanner.write().unwrap_or_else(PoisonError::into_inner);
        let old = mem::replace(&mut *current, Arc::new(scanner));
        // Unloading lists and models takes its time; others may go on meanwhile.
        drop(current);
        drop(old);
    }

    /// Compares with this edition of a list from now on; see [`Scanner::reload`].
    ///
    /// # Errors
    /// [`ReloadError`] if it does not replace a list that there is.
    pub fn reload_list(&self, list: HashList) -> Result<(), ReloadError> {
        self.scanner().reload(list)
    }

    /// The scanner that the next scan begins with.
    pub fn scanner(&self) -> Arc<Scanner> {
        Arc::clone(&self.0.scanner.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a permit to run, as long as the budget lasts.
    async fn turn(&self, size: u64, budget: &Budget) -> Result<OwnedSemaphorePermit, Incomplete> {
        let _place = self.0.waiting.try_acquire().map_err(|_| Incomplete::Busy)?;
        let _held = self.0.weight.hold(size).ok_or(Incomplete::Busy)?;
        let mut turn = pin!(Arc::clone(&self.0.running).acquire_owned());
        loop {
            budget.check()?;
            if let Ok(permit) = time::timeout(BETWEEN_CHECKS, &mut turn).await {
                return permit.map_err(|_| Incomplete::Internal);
            }
        }
    }
}

fn semaphore(permits: usize) -> Semaphore {
    Semaphore::new(permits.min(Semaphore::MAX_PERMITS))
}

/// How soon one that waits hears of its deadline or a cancel.
const BETWEEN_CHECKS: Duration = Duration::from_millis(10);

/// Cancels unless it was taken out.
struct CancelOnDrop(Option<CancelToken>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = &self.0 {
            cancel.cancel();
        }
    }
}
