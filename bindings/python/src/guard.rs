//! What becomes of a panic. The engine catches its own; this is for the few
//! lines around it, which must not let a host take a defect for "not flagged".

use std::panic::{AssertUnwindSafe, catch_unwind};

use presend::limits::Incomplete;

/// What `work` gives; after a panic, what `internal` makes of it.
pub(crate) fn or_internal<T>(
    work: impl FnOnce() -> T,
    internal: impl FnOnce(Incomplete) -> T,
) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| internal(Incomplete::Internal))
}
