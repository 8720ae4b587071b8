//! Files of the host's, which must not make presend wait: a named pipe opens only when
//! somebody writes to it, and a device may never end.

#[cfg(unix)]
use std::ffi::c_int;
use std::fs::{self, File, OpenOptions};
use std::io;
#[cfg(unix)]
use std::mem::ManuallyDrop;

use crate::status::{Failure, PRESEND_CANNOT_READ};

/// Opens a regular file, to read it.
pub(crate) fn open(path: &str) -> Result<File, Failure> {
    // Opening a device can do something to it.
    regular(fs::metadata(path))?;
    let mut options = OpenOptions::new();
    options.read(true);
    // What has become a named pipe since then is not waited for.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(|error| Failure::cannot_read(&error))?;
    regular(file.metadata())?;
    Ok(file)
}

/// The regular file behind a descriptor of the caller's, which stays open.
///
/// # Safety
/// `fd` is open while the file is used.
#[cfg(unix)]
pub(crate) unsafe fn borrowed(fd: c_int) -> Result<ManuallyDrop<File>, Failure> {
    use std::os::fd::FromRawFd;

    if fd < 0 {
        return Err(Failure::argument("the file descriptor is negative"));
    }
    // SAFETY: open, by the caller's promise; never closed, because never dropped.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    regular(file.metadata())?;
    Ok(file)
}

fn regular(metadata: io::Result<fs::Metadata>) -> Result<(), Failure> {
    if metadata.map_err(|error| Failure::cannot_read(&error))?.is_file() {
        return Ok(());
    }
    let message = "the file cannot be read: it is a folder, a pipe, a socket or a device";
    Err(Failure::new(PRESEND_CANNOT_READ, message))
}
