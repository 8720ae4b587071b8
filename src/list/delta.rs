//! What changes from one edition of a list to the next, and a list packed for the
//! wire: what changes from nothing, without the filter and the index that the
//! reader can make itself.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `PRESENDD` |
//! | 2 | version, 1 |
//! | 1 | Rice parameter of the removed ones, 0 to 96 |
//! | 1 | Rice parameter of the added ones, 0 to 96 |
//! | 4 | fingerprints removed |
//! | 4 | fingerprints added |
//! | 32 | digest at the end of the old list; zeros of a packed list |
//! | 32 | digest at the end of the new list |
//! | 256 | header of the new list |
//! | to a whole byte | removed: their numbers in the old list, ascending, as gaps |
//! | to a whole byte | added: the fingerprints, ascending, as gaps |
//! | 32 | BLAKE3 of everything before |
//!
//! A gap is what comes between a number and the one before, or 0; of two numbers
//! that follow each other it is 0. It is Rice coded: its bits above the parameter
//! as so many ones and a zero, then as many low bits as the parameter says,
//! highest first; bits fill bytes from the highest on. Both lists need one salt
//! and one length of fingerprints.

use std::iter;

use super::fingerprints::Fingerprint;
use super::format::{self, DIGEST, HEADER, Header};
use super::{HashList, ListError};

/// The bytes are not a delta from this list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// The file is not a delta, or was changed on its way.
    #[error("not a presend list delta, or damaged; fetch it again")]
    Damaged,
    /// The delta begins from another list than this one.
    #[error("the delta belongs to another edition of the list; fetch the whole list")]
    OtherList,
    /// The two lists share no fingerprints: their ids, salts or profiles differ.
    #[error("the lists are not editions of one list with one salt; publish the new one whole")]
    Unrelated,
    /// The number of fingerprints has passed a power of two, and their length
    /// changed with it.
    #[error("the new list needs fingerprints of another length; this once, publish it whole")]
    OtherLength,
    /// The new list's version is not above the old one's.
    #[error("version {new} does not follow version {old}; are the two lists in their order?")]
    Backwards {
        /// The list that is there.
        old: u64,
        /// The one that would replace it.
        new: u64,
    },
    /// The new list would not have the digest that the delta states, or is none.
    #[error("the result is not the list that the delta promises; fetch the whole list")]
    Result,
}

/// The delta that [`apply`] turns `old` into `new` with.
///
/// # Errors
/// [`DeltaError`] says why `new` does not follow `old`.
#[cfg(feature = "publish")]
pub fn diff(old: &HashList, new: &HashList) -> Result<Vec<u8>, DeltaError> {
    follows(&old.header, &new.header)?;
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let (mut before, mut after) = (old.prints()?.enumerate().peekable(), new.prints()?.peekable());
    loop {
        match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some((_, a)), Some(b)) if a == b => {
                before.next();
                after.next();
            }
            (Some((_, a)), b) if b.is_none_or(|b| a < b) => {
                removed.extend(before.next().map(|(number, _)| number as u128));
            }
            _ => added.extend(after.next()),
        }
    }
    Ok(write(old.digest(), new, &removed, added))
}

/// A list in as few bytes as its fingerprints allow; [`unpack`] makes its file.
///
/// # Errors
/// None for a list that is open: [`DeltaError`] is what reading its table could say.
#[cfg(feature = "publish")]
pub fn pack(list: &HashList) -> Result<Vec<u8>, DeltaError> {
    Ok(write(&NOTHING, list, &[], list.prints()?.collect()))
}

#[cfg(feature = "publish")]
fn write(
    before: &[u8; DIGEST],
    new: &HashList,
    removed: &[u128],
    mut added: Vec<Fingerprint>,
) -> Vec<u8> {
    let shift = 128 - new.header.fingerprint_bits();
    added.iter_mut().for_each(|print| *print >>= shift);
    let parameters = [parameter(removed), parameter(&added)];
    let mut delta = MAGIC.to_vec();
    delta.extend_from_slice(&VERSION.to_le_bytes());
    delta.extend_from_slice(&parameters.map(|parameter| parameter as u8));
    delta.extend_from_slice(&(removed.len() as u32).to_le_bytes());
    delta.extend_from_slice(&(added.len() as u32).to_le_bytes());
    delta.extend_from_slice(before);
    delta.extend_from_slice(new.digest());
    delta.extend_from_slice(&new.header.encode());
    encode(removed, parameters[0], &mut delta);
    encode(&added, parameters[1], &mut delta);
    let digest = blake3::hash(&delta);
    delta.extend_from_slice(digest.as_bytes());
    delta
}

/// The new list's file, with the digest that the delta states.
///
/// # Errors
/// [`DeltaError`] says what to fetch instead.
pub fn apply(old: &HashList, delta: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let delta = Delta::read(delta, old.digest(), old.header.fingerprints)?;
    follows(&old.header, &delta.header)?;
    delta.result(old.prints()?)
}

/// The file of a packed list, with the digest that it states.
///
/// # Errors
/// [`DeltaError`] says what to fetch instead.
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, DeltaError> {
    Delta::read(packed, &NOTHING, 0)?.result(iter::empty())
}

/// A delta that was read, and is what it says so far as it alone can tell.
struct Delta {
    after: [u8; DIGEST],
    header: Header,
    removed: Vec<u128>,
    added: Vec<u128>,
}

impl Delta {
    /// Reads one that begins from the list with this digest and so many fingerprints.
    fn read(delta: &[u8], old: &[u8; DIGEST], fingerprints: u64) -> Result<Self, DeltaError> {
        let (contents, digest) = delta.split_last_chunk::<DIGEST>().ok_or(DeltaError::Damaged)?;
        if !contents.starts_with(MAGIC) || blake3::hash(contents) != *digest {
            return Err(DeltaError::Damaged);
        }
        let mut rest = &contents[MAGIC.len()..];
        if u16::from_le_bytes(take(&mut rest)?) != VERSION {
            return Err(DeltaError::Damaged);
        }
        let parameters: [u8; 2] = take(&mut rest)?;
        if parameters.iter().any(|&parameter| parameter > MOST_PARAMETER) {
            return Err(DeltaError::Damaged);
        }
        let removed = u32::from_le_bytes(take(&mut rest)?);
        let added = u32::from_le_bytes(take(&mut rest)?);
        let (before, after): ([u8; DIGEST], [u8; DIGEST]) = (take(&mut rest)?, take(&mut rest)?);
        if before != *old {
            return Err(DeltaError::OtherList);
        }
        let header =
            Header::decode(&take::<HEADER>(&mut rest)?).map_err(|_| DeltaError::Damaged)?;
        let kept = fingerprints.checked_sub(removed.into());
        let length = kept.and_then(|kept| kept.checked_add(added.into()));
        if length != Some(header.fingerprints) {
            return Err(DeltaError::Damaged);
        }
        // Many fingerprints are spread evenly. Without this a file of single bits
        // could ask for 250 times its size.
        let bits = header.fingerprint_bits();
        if added >= MANY && u32::from(parameters[1]) + added.ilog2() + 3 < bits {
            return Err(DeltaError::Damaged);
        }
        let removed = decode(&mut rest, removed, parameters[0].into())?;
        let added = decode(&mut rest, added, parameters[1].into())?;
        let too_long = |last: &u128| last >> bits != 0;
        if !rest.is_empty() || added.last().is_some_and(too_long) {
            return Err(DeltaError::Damaged);
        }
        Ok(Self { after, header, removed, added })
    }

    /// The new list's file.
    fn result(self, old: impl Iterator<Item = Fingerprint>) -> Result<Vec<u8>, DeltaError> {
        let mut removed = self.removed.into_iter().peekable();
        let kept =
            old.enumerate().filter(|(number, _)| removed.next_if_eq(&(*number as u128)).is_none());
        let shift = 128 - self.header.fingerprint_bits();
        let added = self.added.into_iter().map(|print| print << shift);
        let prints = merged(kept.map(|(_, print)| print), added);
        if !prints.is_sorted_by(|a, b| a < b) {
            return Err(DeltaError::Result);
        }
        let list = format::encode(&self.header, &prints);
        let is_promised = list.ends_with(&self.after) && list.starts_with(&self.header.encode());
        if is_promised { Ok(list) } else { Err(DeltaError::Result) }
    }
}

impl HashList {
    /// The digest at the end of the file.
    fn digest(&self) -> &[u8; DIGEST] {
        (*self.bytes).as_ref().last_chunk().expect("an open list has the length of its sections")
    }

    /// Every fingerprint, ascending.
    fn prints(&self) -> Result<impl Iterator<Item = Fingerprint>, DeltaError> {
        let sections = self.header.sections((*self.bytes).as_ref());
        Ok(sections.map_err(|_: ListError| DeltaError::OtherList)?.table.iter())
    }
}

/// Whether `new` is a later edition in which equal keys have equal fingerprints.
fn follows(old: &Header, new: &Header) -> Result<(), DeltaError> {
    let kind = |header: &Header| (header.salt, header.band_bits);
    if old.id != new.id || kind(old) != kind(new) {
        return Err(DeltaError::Unrelated);
    }
    if old.fingerprint_bits != new.fingerprint_bits {
        return Err(DeltaError::OtherLength);
    }
    if new.version <= old.version {
        return Err(DeltaError::Backwards { old: old.version, new: new.version });
    }
    Ok(())
}

/// Two ascending sequences as one.
fn merged(
    a: impl Iterator<Item = Fingerprint>,
    b: impl Iterator<Item = Fingerprint>,
) -> Vec<Fingerprint> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    let mut merged = Vec::new();
    while let Some(&next) = a.peek() {
        merged.extend(std::iter::from_fn(|| b.next_if(|&print| print < next)));
        merged.extend(a.next());
    }
    merged.extend(b);
    merged
}

/// The gaps between ascending numbers.
#[cfg(feature = "publish")]
fn gaps(numbers: &[u128]) -> impl Iterator<Item = u128> {
    let mut next = 0;
    numbers.iter().map(move |&number| {
        let gap = number - next;
        next = number + 1;
        gap
    })
}

/// log2 of the mean gap, or a little less: close to the best for gaps that are
/// spread as those between random numbers are.
#[cfg(feature = "publish")]
fn parameter(numbers: &[u128]) -> u32 {
    let mean = numbers.last().map_or(0, |&last| last / numbers.len() as u128);
    mean.checked_ilog2().unwrap_or(0).min(MOST_PARAMETER.into())
}

#[cfg(feature = "publish")]
fn encode(numbers: &[u128], parameter: u32, out: &mut Vec<u8>) {
    let (mut byte, mut filled) = (0u8, 0);
    let mut push = |bit: bool| {
        byte |= u8::from(bit) << (7 - filled);
        filled += 1;
        if filled == 8 {
            out.push(byte);
            (byte, filled) = (0, 0);
        }
        filled
    };
    let mut last = 0;
    for gap in gaps(numbers) {
        (0..gap >> parameter).for_each(|_| {
            push(true);
        });
        last = push(false);
        for bit in (0..parameter).rev() {
            last = push(gap >> bit & 1 != 0);
        }
    }
    while last != 0 {
        last = push(false);
    }
}

/// Reads so many ascending numbers, and leaves what is behind their last byte.
fn decode(rest: &mut &[u8], count: u32, parameter: u32) -> Result<Vec<u128>, DeltaError> {
    // Each takes a bit more than the parameter says at least.
    let least = u64::from(count) * u64::from(parameter + 1);
    if least.div_ceil(8) > rest.len() as u64 {
        return Err(DeltaError::Damaged);
    }
    let mut at = 0;
    let mut bit = || {
        let byte = rest.get(at / 8).ok_or(DeltaError::Damaged)?;
        let bit = byte >> (7 - at % 8) & 1;
        at += 1;
        Ok(u128::from(bit))
    };
    let mut numbers = Vec::with_capacity(count as usize);
    let mut next = 0u128;
    for _ in 0..count {
        let mut gap = 0u128;
        while bit()? == 1 {
            gap += 1;
        }
        if gap.leading_zeros() < parameter {
            return Err(DeltaError::Damaged);
        }
        for _ in 0..parameter {
            gap = gap << 1 | bit()?;
        }
        let number = next.checked_add(gap).ok_or(DeltaError::Damaged)?;
        numbers.push(number);
        next = number.checked_add(1).ok_or(DeltaError::Damaged)?;
    }
    while !at.is_multiple_of(8) {
        if rest[at / 8] >> (7 - at % 8) & 1 != 0 {
            return Err(DeltaError::Damaged);
        }
        at += 1;
    }
    *rest = &rest[at / 8..];
    Ok(numbers)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DeltaError> {
    let (chunk, behind) = rest.split_first_chunk().ok_or(DeltaError::Damaged)?;
    *rest = behind;
    Ok(*chunk)
}

const MAGIC: &[u8; 8] = b"PRESENDD";
const VERSION: u16 = 1;

/// In place of the digest of an old list.
const NOTHING: [u8; DIGEST] = [0; DIGEST];

/// Random numbers from which on the gaps say how far the numbers reach.
const MANY: u32 = 1024;

/// No fingerprint has more bits.
const MOST_PARAMETER: u8 = 96;
