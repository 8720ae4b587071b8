//! What a picture is compared by.
//!
//! A *perceptual* hash ([PDQ](pdq)) stays near when the picture is resized or
//! re-encoded; an *exact* digest names one file. Everything else in presend
//! speaks of [`Algorithm`], [`PerceptualHash`] and [`Digest`]; what the
//! algorithms are is known here alone.

use std::fmt;

pub mod exact;
pub mod pdq;
pub mod views;

mod dct;
mod sampler;
mod small;

/// The hash algorithms presend knows, with their stable numbers in list files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Algorithm {
    /// PDQ, 256 bits, perceptual (Meta, "TMK+PDQF", 2019).
    Pdq = 1,
    /// MD5 of the file (RFC 1321).
    Md5 = 2,
    /// SHA-1 of the file (FIPS 180-4).
    Sha1 = 3,
    /// SHA-256 of the file (FIPS 180-4).
    Sha256 = 4,
    /// BLAKE3 of the file, 256 bits.
    Blake3 = 5,
}

impl Algorithm {
    /// Every algorithm, by number.
    pub const ALL: [Self; 5] = [Self::Pdq, Self::Md5, Self::Sha1, Self::Sha256, Self::Blake3];

    /// The name used in feeds and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pdq => "pdq",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }

    /// The algorithm of that name, in any case; `sha-1` and `sha-256` too.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace("sha-", "sha");
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Length of the hash in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Pdq | Self::Sha256 | Self::Blake3 => 32,
        }
    }

    /// Whether near copies have near hashes.
    pub fn is_perceptual(self) -> bool {
        self == Self::Pdq
    }
}

/// A set of algorithms: bit n stands for the algorithm with number n.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Algorithms(u32);

impl Algorithms {
    /// The set for its bits; `None` when a bit stands for no known algorithm.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let known = Algorithm::ALL.into_iter().collect::<Self>();
        (bits & !known.0 == 0).then_some(Self(bits))
    }

    /// Bit n stands for the algorithm with number n.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether the algorithm is in the set.
    pub fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u8) != 0
    }

    /// The set with the algorithms of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The algorithms of the set, by number.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |&algorithm| self.contains(algorithm))
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        Self(algorithms.into_iter().fold(0, |bits, algorithm| bits | 1 << algorithm as u8))
    }
}

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A 256-bit perceptual hash. Bit n is DCT coefficient n, row by row.
///
/// Its `Debug` shows nothing: whoever holds a hash can test guesses against it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PerceptualHash([u64; 4]);

/// The text is not a perceptual hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct NotAHash;

impl PerceptualHash {
    /// The hash whose bit n is bit n % 64 of word n / 64.
    pub fn from_words(words: [u64; 4]) -> Self {
        Self(words)
    }

    /// Bit n is bit n % 64 of word n / 64.
    pub fn words(&self) -> [u64; 4] {
        self.0
    }

    /// Bit `n`, with n below 256.
    pub fn bit(&self, n: usize) -> bool {
        self.0[n / 64] >> (n % 64) & 1 != 0
    }

    /// The Hamming distance, 0 to 256.
    pub fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(other.0).map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    /// 64 hexadecimal digits, bit 255 first, as the reference writes them.
    pub fn to_hex(&self) -> String {
        let [a, b, c, d] = self.0;
        format!("{d:016x}{c:016x}{b:016x}{a:016x}")
    }

    /// Reads 64 hexadecimal digits, bit 255 first.
    pub fn from_hex(hex: &str) -> Result<Self, NotAHash> {
        let bytes: [u8; 32] = decode_hex(hex).and_then(|b| b.try_into().ok()).ok_or(NotAHash)?;
        Ok(Self::from_bytes(bytes))
    }

    /// From 32 bytes, bit 255 first.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().rev().zip(bytes.chunks_exact(8)) {
            *word = chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        }
        Self(words)
    }
}

impl fmt::Debug for PerceptualHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerceptualHash(..)")
    }
}

/// The exact digest of a file. Its `Debug` shows the algorithm alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// A digest of `algorithm`; `None` for a perceptual algorithm or another
    /// length than the algorithm's.
    pub fn new(algorithm: Algorithm, bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        let fits = !algorithm.is_perceptual() && bytes.len() == algorithm.bytes();
        fits.then_some(Self { algorithm, bytes })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest itself, [`Algorithm::bytes`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({}, ..)", self.algorithm.name())
    }
}

/// The bytes that hexadecimal digits of either case stand for.
pub(crate) fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|n| n as u8);
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_it_is_written() {
        let hex = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22";
        let hash = PerceptualHash::from_hex(hex).unwrap();
        assert_eq!(hash.to_hex(), hex);
        assert!(!hash.bit(0) && hash.bit(1), "the last digit is 2");
        assert!(PerceptualHash::from_hex(&hex[1..]).is_err());
        assert!(PerceptualHash::from_hex(&hex.replace('f', "g")).is_err());
        assert!(PerceptualHash::from_hex(&"é".repeat(32)).is_err());
    }

    #[test]
    fn debug_shows_no_hash() {
        let hash = PerceptualHash::from_words([0xabcd; 4]);
        let digest = Digest::new(Algorithm::Md5, [0xab; 16]).unwrap();
        assert_eq!(format!("{hash:?} {digest:?}"), "PerceptualHash(..) Digest(md5, ..)");
    }

    #[test]
    fn a_digest_has_its_algorithms_length() {
        assert!(Digest::new(Algorithm::Sha1, [0; 16]).is_none());
        assert!(Digest::new(Algorithm::Pdq, [0; 32]).is_none());
    }
}
