//! presend as a Python extension module.
//!
//! The engine computes; this crate only carries bytes in and answers out. Every
//! call lets go of the interpreter while it computes, so Python's other threads
//! go on, and bytes that Python could change meanwhile are copied first. A panic
//! on this side of the engine ends as `incomplete.internal`, never as an
//! exception that a host would take for "not flagged".

#[cfg(panic = "abort")]
compile_error!("a panic must become a finding: build with panic = \"unwind\"");

use presend::limits::Incomplete;
use pyo3::prelude::*;

mod bytes;
mod guard;
mod hash;
mod limits;
mod report;
mod scanner;
mod session;

/// What `presend/__init__.py` gives its users; `_presend.pyi` describes it.
#[pymodule]
mod _presend {
    #[pymodule_export]
    use crate::hash::{Hash, Hashes, hash, hash_many};
    #[pymodule_export]
    use crate::limits::{CancelToken, Limits};
    #[pymodule_export]
    use crate::report::{Clearance, Finding, Media, NotScanned, Report, Timings};
    #[pymodule_export]
    use crate::scanner::{Error, Policy, Scanner};
    #[pymodule_export]
    use crate::session::Session;
}

/// Computes without the interpreter; a panic becomes what `internal` makes of it.
fn compute<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send,
    internal: impl FnOnce(Incomplete) -> T + Send,
) -> T {
    py.detach(|| guard::or_internal(work, internal))
}
