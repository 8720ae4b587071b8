//! Exact digests of a file, all wanted ones in one pass over its bytes.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::{Algorithm, Algorithms, Digest};
use crate::limits::{Budget, Incomplete};

/// The digests of `bytes` for the exact algorithms in `wanted`, by number.
///
/// # Errors
/// [`Incomplete`] when the budget's deadline passes or the scan is cancelled.
pub fn digests(
    bytes: &[u8],
    wanted: Algorithms,
    budget: &Budget,
) -> Result<Vec<Digest>, Incomplete> {
    let mut digester = Digester::new(wanted);
    digester.update(bytes, budget)?;
    Ok(digester.finish())
}

/// The digests of bytes that come in pieces.
#[derive(Default)]
pub(crate) struct Digester(Vec<Hasher>);

impl Digester {
    /// For the exact algorithms in `wanted`.
    pub(crate) fn new(wanted: Algorithms) -> Self {
        Self(wanted.iter().filter_map(Hasher::new).collect())
    }

    /// Reads the next bytes.
    ///
    /// # Errors
    /// [`Incomplete`] when the budget's deadline passes or the scan is cancelled;
    /// some of the bytes were not read then.
    pub(crate) fn update(&mut self, bytes: &[u8], budget: &Budget) -> Result<(), Incomplete> {
        bytes.chunks(PIECE).try_for_each(|piece| {
            budget.check()?;
            self.0.iter_mut().for_each(|hasher| hasher.update(piece));
            Ok(())
        })
    }

    /// The digests of all that was read, by the algorithms' number.
    pub(crate) fn finish(self) -> Vec<Digest> {
        self.0.into_iter().map(Hasher::finish).collect()
    }
}

enum Hasher {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    // Boxed: its state is 1.9 kB, the others' about 100 bytes.
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Pdq => return None,
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        })
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(piece),
            Self::Sha1(hasher) => hasher.update(piece),
            Self::Sha256(hasher) => hasher.update(piece),
            Self::Blake3(hasher) => {
                hasher.update(piece);
            }
        }
    }

    fn finish(self) -> Digest {
        let (algorithm, bytes) = match self {
            Self::Md5(hasher) => (Algorithm::Md5, hasher.finalize().to_vec()),
            Self::Sha1(hasher) => (Algorithm::Sha1, hasher.finalize().to_vec()),
            Self::Sha256(hasher) => (Algorithm::Sha256, hasher.finalize().to_vec()),
            Self::Blake3(hasher) => (Algorithm::Blake3, hasher.finalize().as_bytes().to_vec()),
        };
        Digest { algorithm, bytes }
    }
}

/// Small enough to stay in the cache while several hashers read it.
const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CancelToken, Limits};

    #[test]
    fn digests_equal_their_standards_vectors() {
        // RFC 1321 A.5, FIPS 180-4 examples, BLAKE3's test vectors (input_len 3).
        let budget = Budget::start(&Limits::default());
        let all = Algorithm::ALL.into_iter().collect();
        let of = |bytes: &[u8]| -> Vec<String> {
            let hex =
                |digest: &Digest| digest.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
            digests(bytes, all, &budget).unwrap().iter().map(hex).collect()
        };
        assert_eq!(
            of(b"abc")[..3],
            [
                "900150983cd24fb0d6963f7d28e17f72",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ]
        );
        assert_eq!(
            of(&[0, 1, 2])[3],
            "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f"
        );
    }

    #[test]
    fn only_the_wanted_digests_are_made() {
        let budget = Budget::start(&Limits::default());
        let wanted = [Algorithm::Pdq, Algorithm::Sha1].into_iter().collect();
        let made = digests(b"abc", wanted, &budget).unwrap();
        assert_eq!(made.iter().map(Digest::algorithm).collect::<Vec<_>>(), [Algorithm::Sha1]);
    }

    #[test]
    fn a_cancelled_scan_stops_hashing() {
        let cancel = CancelToken::default();
        cancel.cancel();
        let budget = Budget::start(&Limits { cancel, ..Limits::default() });
        let wanted = [Algorithm::Md5].into_iter().collect();
        assert_eq!(digests(b"abc", wanted, &budget), Err(Incomplete::Cancelled));
    }
}
