//! Input that a codec reads while the budget watches.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::Fault;
use crate::limits::{Budget, Incomplete};

/// Reads from memory and fails once the deadline has passed or the host has
/// cancelled: the one place where a codec can be stopped from outside.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    budget: &'a Budget,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], budget: &'a Budget) -> Self {
        Self { bytes, at: 0, budget }
    }
}

/// What a codec's error means: the budget's own reason first, then a short
/// file, then a broken one.
pub(super) fn fault(budget: &Budget, short: bool) -> Fault {
    let broken = if short { Incomplete::Truncated } else { Incomplete::Malformed };
    Fault::Incomplete(budget.check().err().unwrap_or(broken))
}

/// Whether an I/O error below a codec says that the file ended early.
pub(super) fn is_short(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.budget.check().map_err(|_| io::Error::other("the scan was stopped"))?;
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        Ok(&rest[..rest.len().min(PIECE)])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let length = piece.len().min(out.len());
        out[..length].copy_from_slice(&piece[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => usize::try_from(at).ok(),
            SeekFrom::Current(by) => {
                isize::try_from(by).ok().and_then(|by| self.at.checked_add_signed(by))
            }
            SeekFrom::End(by) => {
                isize::try_from(by).ok().and_then(|by| self.bytes.len().checked_add_signed(by))
            }
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at as u64)
    }
}

/// Bytes a codec gets at a time: often enough to stop it, seldom enough to be free.
const PIECE: usize = 16 << 10;
