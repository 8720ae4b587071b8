//! What stands behind the end of a picture.
//!
//! Viewers of multi-picture files and of motion photos show it, and so does
//! whoever cuts the file there. Trailers have many layouts and may lie about
//! them, so it is looked for by its first bytes alone.

use memchr::memmem;

use super::super::sniff::sniff;
use super::super::{Fault, Unsupported};
use super::Picture;
use super::header::segment;
use crate::limits::{Budget, Incomplete};

/// Where the next picture at or behind `at` begins, and it.
///
/// # Errors
/// [`Fault`] when a picture begins that cannot be read, or when there are more
/// beginnings than chance makes.
pub(super) fn picture<'a>(
    bytes: &'a [u8],
    at: usize,
    budget: &Budget,
) -> Result<Option<(usize, Picture<'a>)>, Fault> {
    let mut chance = 0;
    for start in memmem::find_iter(&bytes[at..], START) {
        budget.check()?;
        match Picture::read(bytes, at + start) {
            Ok(picture) => return Ok(Some((at + start, picture))),
            Err(Fault::Incomplete(_)) if !is_start(bytes, at + start) => chance += 1,
            Err(fault) => return Err(fault),
        }
        if chance == MOST_BY_CHANCE {
            return Err(Incomplete::Malformed.into());
        }
    }
    Ok(None)
}

/// The kind of film among `bytes`: the first box of an ISO base media file (ISO
/// 14496-12, section 4.3), as motion photos have it.
pub(super) fn film(bytes: &[u8]) -> Option<Unsupported> {
    let begins = |&at: &usize| at >= 4 && bytes[at - 4..].starts_with(&[0, 0]);
    let at = memmem::find_iter(bytes, b"ftyp").find(begins)?;
    match sniff(&bytes[at - 4..]) {
        Err(Fault::Unsupported(film)) if film.class != "other" => Some(film),
        _ => Some(Unsupported { class: "video", kind: "unknown" }),
    }
}

/// Whether a second segment follows the first, which chance does not make.
fn is_start(bytes: &[u8], at: usize) -> bool {
    let second = segment(bytes, at + 4).map(|first| at + 6 + first.len());
    second.is_some_and(|second| bytes.get(second) == Some(&0xff))
}

/// SOI, and the first byte of the next marker.
const START: &[u8] = b"\xff\xd8\xff";

/// Data without a pattern, such as a film's, holds [`START`] once in 16 MB. Each
/// costs a walk over what follows it.
const MOST_BY_CHANCE: u32 = 16;
