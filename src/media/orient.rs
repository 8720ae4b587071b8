//! The EXIF orientation tag.

use image::metadata::Orientation as Tag;

use crate::frame::Orientation;

/// The orientation that a raw EXIF block (a TIFF structure) asks for; upright
/// when it names none or cannot be read, as viewers do.
pub(super) fn from_exif(block: &[u8]) -> Orientation {
    Tag::from_exif_chunk(block)
        .and_then(|tag| Orientation::from_exif(tag.to_exif()))
        .unwrap_or_default()
}
