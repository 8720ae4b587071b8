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
    budget: &'a Budget,
) -> Result<Option<(usize, Picture<'a>)>, Fault> {
    let mut chance = 0;
    for start in memmem::find_iter(&bytes[at..], START) {
        budget.check()?;
        match Picture::read(bytes, at + start, budget) {
            Ok(picture) => return Ok(Some((at + start, picture))),
            Err(Fault::Incomplete(_)) if !is_start(bytes, at + start) => {
                budget.check()?;
                chance += 1;
            }
            Err(fault) => return Err(fault),
        }
        if chance == MOST_BY_CHANCE {
            return Err(Incomplete::Malformed.into());
        }
    }
    Ok(None)
}

/// The kind of film among `bytes`: it begins with a box of an ISO base media file (ISO
/// 14496-12, section 4.2), as motion photos have it, or with EBML's header (RFC 8794).
pub(super) fn film(bytes: &[u8], budget: &Budget) -> Result<Option<Unsupported>, Incomplete> {
    // A length that fits, or 1 where a longer one follows the name.
    let is_box = |at: usize| {
        let size = at.checked_sub(4).and_then(|from| bytes[from..].first_chunk::<4>());
        let size = size.map_or(0, |size| u32::from_be_bytes(*size) as usize);
        size == 1 || (8..=bytes.len() - at + 4).contains(&size)
    };
    let is_ebml = |at: usize| {
        let head = &bytes[at..bytes.len().min(at + 64)];
        [&b"webm"[..], b"matroska"].iter().any(|name| memmem::find(head, name).is_some())
    };
    let mut first: Option<usize> = None;
    for name in BOXES.into_iter().chain([EBML]) {
        for (n, at) in memmem::find_iter(bytes, name).enumerate() {
            if n % AT_ONCE == AT_ONCE - 1 {
                budget.check()?;
            }
            let start = match name {
                EBML if is_ebml(at) => at,
                EBML => continue,
                _ if is_box(at) => at - 4,
                _ => continue,
            };
            first = Some(first.map_or(start, |first| first.min(start)));
            break;
        }
    }
    Ok(first.map(|first| match sniff(&bytes[first..]) {
        Err(Fault::Unsupported(film)) if film.class != "other" => film,
        _ => Unsupported { class: "video", kind: "unknown" },
    }))
}

/// Whether a second segment follows the first, which chance does not make.
fn is_start(bytes: &[u8], at: usize) -> bool {
    let second = segment(bytes, at + 4).map(|first| at + 6 + first.len());
    second.is_some_and(|second| bytes.get(second) == Some(&0xff))
}

/// Boxes that a film begins with.
const BOXES: [&[u8]; 4] = [b"ftyp", b"moov", b"mdat", b"wide"];

/// EBML's header, by the number of its element.
const EBML: &[u8] = b"\x1a\x45\xdf\xa3";

/// Names between two looks at the budget.
const AT_ONCE: usize = 1 << 14;

/// SOI, and the first byte of the next marker.
const START: &[u8] = b"\xff\xd8\xff";

/// Data without a pattern, such as a film's, holds [`START`] once in 16 MB. Each
/// costs a walk over what follows it.
const MOST_BY_CHANCE: u32 = 16;
