//! How much one scan may spend, in C's words.

use std::mem;
use std::ptr;
use std::time::Duration;

use presend::{CancelToken, Limits};

use crate::borrow::{self, BySize};
use crate::status::Failure;

/// What one scan may spend. Zero stands for the default; so does NULL for the whole.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Options {
    /// sizeof(presend_options)
    pub struct_size: usize,
    /// Milliseconds from the call to the deadline, the wait for a thread included.
    /// Default: none.
    pub time_ms: u64,
    /// Largest file, in bytes. Default 64 MiB.
    pub input_bytes: u64,
    /// Pixels of all frames together. Default 100 million.
    pub pixels: u64,
    /// Memory for decoding, in bytes. Default 512 MiB.
    pub memory: u64,
    /// Cancels the scan from another thread, or NULL. It may be freed once the call
    /// has returned.
    pub cancel: *const Cancel,
    /// Frames. Default 64.
    pub frames: u32,
    /// 0
    pub reserved: u32,
}

// SAFETY: numbers and a pointer, the size first.
unsafe impl BySize for Options {
    const FIRST_SIZE: usize = mem::offset_of!(Self, reserved) + 4;

    fn absent() -> Self {
        Self {
            struct_size: 0,
            time_ms: 0,
            input_bytes: 0,
            pixels: 0,
            memory: 0,
            cancel: ptr::null(),
            frames: 0,
            reserved: 0,
        }
    }
}
const _: () = assert!(Options::FIRST_SIZE == 56 || cfg!(not(target_pointer_width = "64")));

/// # Safety
/// `options` is NULL or to a struct of its size, whose cancel is NULL or live.
pub(crate) unsafe fn limits(options: *const Options) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    if options.is_null() {
        return Ok(limits);
    }
    // SAFETY: the caller's promise.
    let options = unsafe { borrow::sized(options)? };
    if options.reserved != 0 {
        return Err(Failure::argument("`reserved` in the options is not 0"));
    }
    let set = |limit: &mut u64, value: u64| {
        if value != 0 {
            *limit = value;
        }
    };
    set(&mut limits.input_bytes, options.input_bytes);
    set(&mut limits.pixels, options.pixels);
    set(&mut limits.memory, options.memory);
    if options.frames != 0 {
        limits.frames = options.frames;
    }
    if options.time_ms != 0 {
        limits.time = Some(Duration::from_millis(options.time_ms));
    }
    // SAFETY: the caller's promise.
    if let Some(cancel) = unsafe { options.cancel.as_ref() } {
        limits.cancel = cancel.0.clone();
    }
    Ok(limits)
}

/// Cancels scans. All threads may use it. It cannot be reset.
pub struct Cancel(CancelToken);

/// One that was not cancelled.
#[unsafe(no_mangle)]
pub extern "C" fn presend_cancel_new() -> *mut Cancel {
    Box::into_raw(Box::new(Cancel(CancelToken::default())))
}

/// Asks every scan that was given it to stop: each ends soon, with the finding
/// incomplete.cancelled.
///
/// # Safety
/// `cancel` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_cancel_now(cancel: *const Cancel) {
    // SAFETY: the caller's promise.
    if let Some(cancel) = unsafe { cancel.as_ref() } {
        cancel.0.cancel();
    }
}

/// Scans that were given it go on, and can no longer be cancelled by it.
///
/// # Safety
/// `cancel` is NULL or a live handle, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_cancel_free(cancel: *mut Cancel) {
    // SAFETY: the caller's promise.
    unsafe { borrow::free(cancel) };
}
