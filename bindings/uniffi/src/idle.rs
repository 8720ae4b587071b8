//! What is under way on presend's threads.
//!
//! An answer calls into the host's language. Python ends a thread that does so while
//! the interpreter shuts down, through the frames above it, which aborts the process;
//! so it has to wait until nobody will.

use std::sync::{Condvar, Mutex, PoisonError};

static UNDER_WAY: Mutex<usize> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();

/// Work whose answer has not been taken. Dropped after the answer.
pub(crate) struct UnderWay(());

impl UnderWay {
    pub(crate) fn new() -> Self {
        *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        CHANGED.notify_all();
    }
}

/// Returns when no scan of this process runs or waits any more. presend's Python
/// package calls it when the interpreter ends; nobody else needs it.
#[uniffi::export]
pub fn wait_until_idle() {
    let count = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    drop(CHANGED.wait_while(count, |count| *count > 0));
}
