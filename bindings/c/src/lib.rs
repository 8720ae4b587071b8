//! presend for C and everything that calls C.
//!
//! A thin layer over the engine's public interface: handles are boxes, structs
//! begin with their size so that they can grow, and every function answers with a
//! status. A panic stops here and becomes one.

#[cfg(panic = "abort")]
compile_error!("a panic must become a status, which needs panic = \"unwind\"");

mod borrow;
mod file;
mod frame;
mod options;
mod report;
mod scan;
mod scanner;
mod session;
mod status;

/// Changes when a program that was compiled with an earlier header would break.
/// Compare it with presend_abi_version().
pub const PRESEND_ABI_VERSION: u32 = 1;

/// The interface that the loaded library has.
#[unsafe(no_mangle)]
pub extern "C" fn presend_abi_version() -> u32 {
    PRESEND_ABI_VERSION
}
