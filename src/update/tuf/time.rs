//! When metadata expires.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, de};

/// A moment as TUF writes it, `2030-01-31T00:00:00Z`, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Expiry(u64);

impl Expiry {
    pub(super) fn moment(self) -> SystemTime {
        // No year of four digits is beyond what a time can hold.
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
    }

    /// From this moment on the metadata is not to be used.
    pub(super) fn has_passed(self, now: SystemTime) -> bool {
        // A clock before 1970 is wrong, and not a reason to trust anything.
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(true, |now| now >= Duration::from_secs(self.0))
    }

    /// So many days after `now`.
    #[cfg(feature = "publish")]
    pub(super) fn after(now: SystemTime, days: u64) -> Option<Self> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        Some(Self(now.checked_add(days.checked_mul(DAY)?)?))
    }

    /// Seconds from `now` to the moment, 0 when it has passed.
    #[cfg(feature = "publish")]
    pub(super) fn left(self, now: SystemTime) -> u64 {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        self.0.saturating_sub(now)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().try_fold(0u64, |value, digit| {
                digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
            })
        };
        let fixed = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
        if !fixed.iter().all(|&(at, byte)| bytes[at] == byte) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let month = usize::try_from(month).ok()?.checked_sub(1)?;
        if year < 1970 || !(1..=*lengths.get(month)?).contains(&day) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let before = year - 1;
        let leap_days =
            (before / 4 - before / 100 + before / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
        let days = (year - 1970) * 365 + leap_days + lengths[..month].iter().sum::<u64>() + day - 1;
        Some(Self(((days * 24 + hour) * 60 + minute) * 60 + second))
    }
}

/// As `parse` reads it.
#[cfg(feature = "publish")]
impl std::fmt::Display for Expiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (days, second) = (self.0 / DAY, self.0 % DAY);
        // Years that begin in March, so that a leap day is the last of one;
        // eras of 400 of them, the first from 0000-03-01.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        write!(
            f,
            "{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            era * 400 + year + next,
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

#[cfg(feature = "publish")]
const DAY: u64 = 24 * 60 * 60;

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a time"))
    }
}

#[cfg(test)]
mod tests {
    use super::Expiry;

    #[test]
    fn moments_are_those_of_gnu_date() {
        let seconds = |text| Expiry::parse(text).map(|expiry| expiry.0);
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T23:59:59Z"), Some(951_868_799));
        assert_eq!(seconds("2026-11-24T19:38:20Z"), Some(1_795_549_100));
        assert_eq!(seconds("2100-03-01T00:00:00Z"), Some(4_107_542_400));
        for wrong in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-1-01T000:00:00Z",
            "2026-01-01T24:00:00Z",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[cfg(feature = "publish")]
    #[test]
    fn a_moment_is_written_as_it_is_read() {
        let moments = [0, 68_169_599, 68_169_600, 951_868_799, 951_868_800, 4_107_542_400];
        for seconds in moments.into_iter().chain((0..4000).map(|n| n * 86_400 * 37 + 12_345)) {
            let text = Expiry(seconds).to_string();
            assert_eq!(Expiry::parse(&text), Some(Expiry(seconds)), "{text}");
        }
        // GNU date again.
        assert_eq!(Expiry(951_868_799).to_string(), "2000-02-29T23:59:59Z");
    }
}
