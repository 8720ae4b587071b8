//! The views of one picture that are compared with a list.
//!
//! A mirrored or turned copy has another hash. Its DCT, though, is the
//! original's with signs changed and perhaps transposed, so the eight dihedral
//! hashes all come from one DCT.

use super::PerceptualHash;
use super::pdq::Pdq;

/// What is done to the picture before it is hashed: the eight symmetries of a
/// square. Rotations are clockwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dihedral {
    /// As it is.
    Identity,
    /// Turned by 90 degrees.
    Rotate90,
    /// Turned by 180 degrees.
    Rotate180,
    /// Turned by 270 degrees.
    Rotate270,
    /// Mirrored top to bottom.
    FlipVertical,
    /// Mirrored left to right.
    FlipHorizontal,
    /// Mirrored along the main diagonal.
    Transpose,
    /// Mirrored along the other diagonal.
    Transverse,
}

impl Dihedral {
    /// All eight, the likeliest copies first.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::FlipHorizontal,
        Self::Rotate90,
        Self::Rotate270,
        Self::Rotate180,
        Self::FlipVertical,
        Self::Transpose,
        Self::Transverse,
    ];

    /// A stable name, safe to log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Rotate90 => "rotate-90",
            Self::Rotate180 => "rotate-180",
            Self::Rotate270 => "rotate-270",
            Self::FlipVertical => "flip-vertical",
            Self::FlipHorizontal => "flip-horizontal",
            Self::Transpose => "transpose",
            Self::Transverse => "transverse",
        }
    }

    /// Mirrors along the main diagonal first, then top to bottom and left to right.
    fn steps(self) -> (bool, bool, bool) {
        match self {
            Self::Identity => (false, false, false),
            Self::FlipVertical => (false, true, false),
            Self::FlipHorizontal => (false, false, true),
            Self::Rotate180 => (false, true, true),
            Self::Transpose => (true, false, false),
            Self::Rotate270 => (true, true, false),
            Self::Rotate90 => (true, false, true),
            Self::Transverse => (true, true, true),
        }
    }
}

/// One hash to look up, and how sure each of its bits is.
#[derive(Clone)]
pub struct View {
    /// The hash.
    pub hash: PerceptualHash,
    /// |coefficient - median| of every bit: the smaller, the likelier a copy
    /// has it flipped. In the units of the DCT of luma in [0, 255].
    pub margins: [f32; 256],
}

impl View {
    /// The view of `pdq`'s picture under one symmetry.
    pub fn dihedral(pdq: &Pdq, symmetry: Dihedral) -> Self {
        let (transpose, flip_rows, flip_columns) = symmetry.steps();
        let from = pdq.coefficients();
        Self::of(std::array::from_fn(|n| {
            let (row, column) = (n / 16, n % 16);
            let value = if transpose { from[column * 16 + row] } else { from[n] };
            // Mirroring negates odd frequencies; index 0 is frequency 1.
            let negated = (flip_rows && row % 2 == 0) != (flip_columns && column % 2 == 0);
            if negated { -value } else { value }
        }))
    }

    /// Bits and margins of 256 coefficients against their (lower) median.
    pub(super) fn of(coefficients: [f32; 256]) -> Self {
        let mut sorted = coefficients;
        let (_, &mut median, _) = sorted.select_nth_unstable_by(127, f32::total_cmp);
        let mut words = [0; 4];
        for (n, &value) in coefficients.iter().enumerate() {
            words[n / 64] |= u64::from(value > median) << (n % 64);
        }
        let margins = coefficients.map(|value| (value - median).abs());
        Self { hash: PerceptualHash::from_words(words), margins }
    }
}

/// Shows nothing: margins give the hash away.
impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View(..)")
    }
}
