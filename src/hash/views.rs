//! The views of one picture that are compared with a list.
//!
//! A copy is seldom the picture itself: it has been scaled, framed, cropped,
//! mirrored, turned. The query side is cheap, so it supposes one of these at a
//! time and hashes what the original would then look like. A mirrored or turned
//! picture's DCT is the original's with signs changed and perhaps transposed;
//! the other views are other samples of one small picture, so none needs the
//! pixels again.

use super::PerceptualHash;
use super::dct::dct_16_of_64;
use super::pdq::Pdq;

/// Which views of a picture are looked up. Each set holds the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ViewSet {
    /// `1`: the picture as it is.
    One,
    /// `9`: scaled, framed, slightly cropped, mirrored or turned copies too.
    #[default]
    Nine,
    /// `25`: all views there are.
    TwentyFive,
}

impl ViewSet {
    /// Every set, smallest first.
    pub const ALL: [Self; 3] = [Self::One, Self::Nine, Self::TwentyFive];

    /// `1`, `9` or `25`.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Nine => "9",
            Self::TwentyFive => "25",
        }
    }

    /// The set of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// Its views, likeliest first.
    pub fn variants(self) -> impl ExactSizeIterator<Item = Variant> {
        let length = match self {
            Self::One => 1,
            Self::Nine => 9,
            Self::TwentyFive => VARIANTS.len() as u8,
        };
        (0..length).map(Variant)
    }
}

/// What a view supposes was done to an original.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant(u8);

impl Variant {
    /// Nothing: the picture as it is.
    pub const IDENTITY: Self = Self(0);

    /// A stable name, safe to log.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// How much of the search it is worth, against the other views; docs/matching.md
    /// has what other shares would find.
    pub(crate) fn share(self) -> usize {
        self.row().1
    }

    fn row(self) -> &'static (&'static str, usize, Sampling) {
        &VARIANTS[usize::from(self.0)]
    }
}

/// The view that undoes the symmetry.
impl From<Dihedral> for Variant {
    fn from(symmetry: Dihedral) -> Self {
        let at = VARIANTS.iter().position(|(name, ..)| *name == symmetry.name());
        Self(at.expect("every symmetry is a view") as u8)
    }
}

/// Its name.
impl std::fmt::Debug for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

enum Sampling {
    /// At the reference's own samples.
    Reference,
    /// At exact centres of this part of the rows and of the columns. The
    /// reference rounds its centres down, which moves the samples of a small
    /// picture against those of a large one.
    Part([f64; 4]),
    /// Exact centres, mirrored or turned.
    Symmetry(Dihedral),
    /// Exact centres of what lies inside plain bars.
    Trimmed,
    /// Turned by the angle of this sine and cosine.
    Turned(f32, f32),
}

/// Names, shares and samplings. A copy that was cropped shows a part of the
/// original, so its view reaches beyond its edges: `uncrop-left-5` supposes that
/// 5 % of the original's width was cut off on the left.
static VARIANTS: [(&str, usize, Sampling); 25] = [
    ("identity", 12, Sampling::Reference),
    ("centred", 2, Sampling::Part([0.0, 1.0, 0.0, 1.0])),
    ("trimmed", 3, Sampling::Trimmed),
    ("uncrop-4", 4, Sampling::Part([-0.02, 1.02, -0.02, 1.02])),
    ("flip-horizontal", 1, Sampling::Symmetry(Dihedral::FlipHorizontal)),
    // A phone's picture whose orientation tag was lost lies on its side.
    ("rotate-90", 1, Sampling::Symmetry(Dihedral::Rotate90)),
    ("rotate-180", 1, Sampling::Symmetry(Dihedral::Rotate180)),
    ("tilt-left-2", 1, Sampling::Turned(-0.034_899_497, 0.999_390_8)),
    ("tilt-right-2", 1, Sampling::Turned(0.034_899_497, 0.999_390_8)),
    // Meta's command hashes the picture reduced to 512 x 512, where the
    // reference's samples lie 1.5 pixels behind the exact centres.
    ("square-512", 1, Sampling::Part([1.5 / 512.0, 513.5 / 512.0, 1.5 / 512.0, 513.5 / 512.0])),
    ("rotate-270", 1, Sampling::Symmetry(Dihedral::Rotate270)),
    ("uncrop-left-5", 1, Sampling::Part([0.0, 1.0, -0.0526, 1.0])),
    ("uncrop-right-5", 1, Sampling::Part([0.0, 1.0, 0.0, 1.0526])),
    ("uncrop-top-5", 1, Sampling::Part([-0.0526, 1.0, 0.0, 1.0])),
    ("uncrop-bottom-5", 1, Sampling::Part([0.0, 1.0526, 0.0, 1.0])),
    ("tilt-left-5", 1, Sampling::Turned(-0.087_155_74, 0.996_194_7)),
    ("tilt-right-5", 1, Sampling::Turned(0.087_155_74, 0.996_194_7)),
    ("uncrop-left-2", 1, Sampling::Part([0.0, 1.0, -0.02, 1.0])),
    ("uncrop-right-2", 1, Sampling::Part([0.0, 1.0, 0.0, 1.02])),
    ("uncrop-top-2", 1, Sampling::Part([-0.02, 1.0, 0.0, 1.0])),
    ("uncrop-bottom-2", 1, Sampling::Part([0.0, 1.02, 0.0, 1.0])),
    ("uncrop-10", 1, Sampling::Part([-0.055, 1.055, -0.055, 1.055])),
    ("flip-vertical", 1, Sampling::Symmetry(Dihedral::FlipVertical)),
    ("transpose", 1, Sampling::Symmetry(Dihedral::Transpose)),
    ("transverse", 1, Sampling::Symmetry(Dihedral::Transverse)),
];

/// The eight symmetries of a square. Rotations are clockwise.
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
    /// The view of `pdq`'s picture that supposes `variant`; none for `trimmed`
    /// when there is nothing to trim.
    pub fn variant(pdq: &Pdq, variant: Variant) -> Option<Self> {
        let small = pdq.small();
        let whole = (0.0, 1.0);
        let samples = match variant.row().2 {
            Sampling::Reference => return Some(Self::of(*pdq.coefficients())),
            Sampling::Part([top, bottom, left, right]) => {
                small.samples((top, bottom), (left, right))
            }
            Sampling::Symmetry(symmetry) => {
                let centred = dct_16_of_64(&small.samples(whole, whole));
                return Some(Self::mirrored(&centred, symmetry));
            }
            Sampling::Trimmed => {
                let (rows, columns) = small.inside_bars()?;
                small.samples(rows, columns)
            }
            Sampling::Turned(sine, cosine) => small.turned(sine, cosine),
        };
        Some(Self::of(dct_16_of_64(&samples)))
    }

    /// The view of `pdq`'s picture under one symmetry, from the reference's own
    /// samples: the hashes that PDQ's tools write side by side.
    pub fn dihedral(pdq: &Pdq, symmetry: Dihedral) -> Self {
        Self::mirrored(pdq.coefficients(), symmetry)
    }

    fn mirrored(from: &[f32; 256], symmetry: Dihedral) -> Self {
        let (transpose, flip_rows, flip_columns) = symmetry.steps();
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
