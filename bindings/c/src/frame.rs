//! Pixels that the host decoded.

use std::borrow::Cow;
use std::mem;
use std::ptr;

use presend::frame::{Layout, Orientation};

use crate::borrow::{self, BySize};
use crate::status::Failure;

/// One byte a pixel: luma.
pub const PRESEND_LUMA8: u32 = 1;
/// Two: luma, straight alpha.
pub const PRESEND_LUMA_ALPHA8: u32 = 2;
/// Three: red, green, blue.
pub const PRESEND_RGB8: u32 = 3;
/// Four: red, green, blue, straight (not premultiplied) alpha.
pub const PRESEND_RGBA8: u32 = 4;

/// Pixels, rows from top to bottom. They are read during the call alone.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Frame {
    /// sizeof(presend_frame)
    pub struct_size: usize,
    /// The first pixel.
    pub pixels: *const u8,
    /// Bytes that there are: at least stride * (height - 1) + width * bytes a pixel.
    pub length: usize,
    /// Bytes from one row to the next; 0 if nothing lies between them.
    pub stride: usize,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// PRESEND_LUMA8 to PRESEND_RGBA8
    pub layout: u32,
    /// How the rows are turned to be upright: EXIF's Orientation, 1 to 8; 0 is 1.
    pub orientation: u32,
}

// SAFETY: numbers and a pointer, the size first.
unsafe impl BySize for Frame {
    const FIRST_SIZE: usize = mem::offset_of!(Self, orientation) + 4;

    fn absent() -> Self {
        Self {
            struct_size: 0,
            pixels: ptr::null(),
            length: 0,
            stride: 0,
            width: 0,
            height: 0,
            layout: 0,
            orientation: 0,
        }
    }
}
const _: () = assert!(Frame::FIRST_SIZE == 48 || cfg!(not(target_pointer_width = "64")));

/// # Safety
/// `frame` is NULL or to a struct of its size, whose pixels are there.
pub(crate) unsafe fn frame<'a>(frame: *const Frame) -> Result<presend::Frame<'a>, Failure> {
    // SAFETY: the caller's promise.
    let (frame, pixels) = unsafe {
        let frame = borrow::sized(frame)?;
        (frame, borrow::bytes(frame.pixels, frame.length)?)
    };
    let layout = match frame.layout {
        PRESEND_LUMA8 => Layout::Luma8,
        PRESEND_LUMA_ALPHA8 => Layout::LumaAlpha8,
        PRESEND_RGB8 => Layout::Rgb8,
        PRESEND_RGBA8 => Layout::Rgba8,
        _ => return Err(Failure::argument("a frame has an unknown layout")),
    };
    let orientation = u8::try_from(frame.orientation.max(1)).ok().and_then(Orientation::from_exif);
    let orientation =
        orientation.ok_or_else(|| Failure::argument("a frame has an unknown orientation"))?;
    let short = || Failure::argument("a frame has fewer bytes than its size and stride say");
    let (width, height) = (frame.width as usize, frame.height as usize);
    let row = width.checked_mul(layout.channels()).ok_or_else(short)?;
    let stride = if frame.stride == 0 { row } else { frame.stride };
    let before_last = stride.checked_mul(height.saturating_sub(1));
    let needed = before_last.and_then(|bytes| bytes.checked_add(row)).ok_or_else(short)?;
    let pixels = pixels.get(..needed).filter(|_| stride >= row).ok_or_else(short)?;
    let tight = if stride == row || height < 2 {
        Cow::Borrowed(pixels)
    } else {
        Cow::Owned(pixels.chunks(stride).flat_map(|line| &line[..row]).copied().collect())
    };
    let frame = presend::Frame::new(frame.width, frame.height, layout, tight);
    let frame = frame.map_err(|_| Failure::argument("a frame needs at least one pixel"))?;
    Ok(frame.with_orientation(orientation))
}
