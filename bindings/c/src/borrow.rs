//! What C hands over, and what it gets: pointers become references here alone.

use std::ffi::{CStr, c_char};
use std::mem;
use std::ptr;
use std::slice;

use crate::status::{Failure, PRESEND_BAD_SIZE};

/// A struct that begins with its size and is a valid value with any bits: numbers
/// and pointers alone.
///
/// # Safety
/// The type is `repr(C)`, its first field is `struct_size: usize`, and any bits
/// make a valid value of it.
pub(crate) unsafe trait BySize: Copy {
    /// Where its last field ended when it was first published: a caller that was
    /// compiled then must still be understood, so a later field does not count.
    const FIRST_SIZE: usize;
    /// What stands where an older caller's struct has no field.
    fn absent() -> Self;
}

/// # Safety
/// `pointer` is NULL, or to a live value that nobody changes meanwhile.
pub(crate) unsafe fn shared<'a, T>(pointer: *const T) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::argument("a handle is NULL"))
}

/// # Safety
/// `pointer` is NULL, or to a live value that nobody else uses meanwhile.
pub(crate) unsafe fn exclusive<'a, T>(pointer: *mut T) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| Failure::argument("a handle is NULL"))
}

/// # Safety
/// `data` is to `length` bytes that nobody changes meanwhile, or the length is 0.
pub(crate) unsafe fn bytes<'a>(data: *const u8, length: usize) -> Result<&'a [u8], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    if data.is_null() || length > isize::MAX as usize {
        return Err(Failure::argument("the bytes are NULL, or too many"));
    }
    // SAFETY: not null and not too long, as just seen; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(data, length) })
}

/// # Safety
/// `text` is NULL, or to bytes that end with a zero and that nobody changes meanwhile.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::argument("a text is NULL"));
    }
    // SAFETY: not null, as just seen; the rest is the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Failure::argument("a text is not UTF-8"))
}

/// The caller's struct, as long as it is; fields that it does not have are absent.
/// One that has more must have zeros there.
///
/// # Safety
/// `pointer` is NULL, or to a struct of as many bytes as its `struct_size` says.
pub(crate) unsafe fn sized<T: BySize>(pointer: *const T) -> Result<T, Failure> {
    let mut value = T::absent();
    // SAFETY: the caller's promise covers all bytes that are read here.
    let given = unsafe { size(pointer)? };
    let known = given.min(size_of::<T>());
    // SAFETY: `known` bytes are there on both sides, and any bits make a `T`.
    unsafe { ptr::copy_nonoverlapping(pointer.cast::<u8>(), (&raw mut value).cast(), known) };
    // SAFETY: the struct has `given` bytes, by the caller's promise.
    let further = unsafe { bytes(pointer.cast::<u8>().add(known), given - known)? };
    if further.iter().any(|&byte| byte != 0) {
        return Err(wrong_size("a struct has fields that this version of presend does not know"));
    }
    Ok(value)
}

/// Fills in as much of the caller's struct as it has.
///
/// # Safety
/// `pointer` is NULL, or to a struct of as many bytes as its `struct_size` says,
/// which nobody else uses meanwhile.
pub(crate) unsafe fn fill<T: BySize>(pointer: *mut T, value: T) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let given = unsafe { size(pointer)? };
    let from = mem::size_of::<usize>();
    let count = given.min(size_of::<T>()) - from;
    // SAFETY: `count` bytes behind the size are there on both sides; a struct of
    // C's lies in no value of ours.
    unsafe {
        let value = (&raw const value).cast::<u8>().add(from);
        ptr::copy_nonoverlapping(value, pointer.cast::<u8>().add(from), count);
    }
    Ok(())
}

/// # Safety
/// As for [`sized`].
unsafe fn size<T: BySize>(pointer: *const T) -> Result<usize, Failure> {
    if pointer.is_null() {
        return Err(Failure::argument("a struct is NULL"));
    }
    // SAFETY: the first field, which is there by the caller's promise.
    let given = unsafe { pointer.cast::<usize>().read_unaligned() };
    if given < T::FIRST_SIZE || given > MOST {
        return Err(wrong_size("struct_size is too small or too large; set it to sizeof"));
    }
    Ok(given)
}

fn wrong_size(message: &str) -> Failure {
    Failure::new(PRESEND_BAD_SIZE, message)
}

/// No struct will ever be as large; what is has not been set.
const MOST: usize = 4096;

/// Hands a value over; `out` has been set to NULL before.
///
/// # Safety
/// `out` is not NULL, as [`prepare`] has seen.
pub(crate) unsafe fn give<T>(out: *mut *mut T, value: T) {
    // SAFETY: the caller's promise.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
}

/// Sets `out` to NULL until there is something to hand over.
///
/// # Safety
/// `out` is NULL or to a pointer that nobody else uses meanwhile.
pub(crate) unsafe fn prepare<T>(out: *mut *mut T) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::argument("`out` is NULL"));
    }
    // SAFETY: not null, as just seen; the rest is the caller's promise.
    unsafe { out.write(ptr::null_mut()) };
    Ok(())
}

/// # Safety
/// `pointer` is NULL or came from [`give`], and is not used again.
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: it came from `Box::into_raw`, by the caller's promise.
        drop(unsafe { Box::from_raw(pointer) });
    }
}
