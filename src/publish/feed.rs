//! Rows of a hash feed.
//!
//! Two forms, told apart by the first line: CSV with a header that names the
//! columns `algorithm`, `hex` and perhaps `category` and `quality` (in any
//! order; others are passed over), and the lines `pdq <hex>` of Meta's hash
//! exchange tools.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::hash::pdq::LOW_QUALITY;
use crate::hash::{Algorithm, Digest, PerceptualHash, decode_hex};

/// One entry for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// What the picture or file is compared by.
    pub hash: RowHash,
    /// The feed's category, empty when it names none.
    pub category: String,
}

/// The hash of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowHash {
    /// Found by near copies.
    Perceptual(PerceptualHash),
    /// Found by the file itself.
    Exact(Digest),
}

impl RowHash {
    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Perceptual(_) => Algorithm::Pdq,
            Self::Exact(digest) => digest.algorithm(),
        }
    }

    /// Every hash that a text may stand for: `ALGORITHM:HEX`, or digits alone, of
    /// which several algorithms may have the length.
    ///
    /// # Errors
    /// What was expected.
    pub fn candidates(text: &str) -> Result<Vec<Self>, String> {
        if let Some((algorithm, hex)) = text.split_once(':') {
            return Ok(vec![Self::from_hex(read_algorithm(algorithm)?, hex)?]);
        }
        let of = Algorithm::ALL.map(|algorithm| Self::from_hex(algorithm, text).ok());
        let of: Vec<_> = of.into_iter().flatten().collect();
        if of.is_empty() {
            return Err("expected 32, 40 or 64 hexadecimal digits, or ALGORITHM:HEX".to_owned());
        }
        Ok(of)
    }

    /// Reads hexadecimal digits. The error says what was expected, never the hash.
    pub(super) fn from_hex(algorithm: Algorithm, hex: &str) -> Result<Self, String> {
        let digits = 2 * algorithm.bytes();
        let bytes = decode_hex(hex).filter(|bytes| bytes.len() == algorithm.bytes());
        let bytes = bytes.ok_or_else(|| {
            format!("expected {digits} hexadecimal digits for {}", algorithm.name())
        })?;
        Ok(match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(bytes) if algorithm.is_perceptual() => {
                Self::Perceptual(PerceptualHash::from_bytes(bytes))
            }
            _ => Self::Exact(Digest::new(algorithm, bytes).ok_or("not a digest")?),
        })
    }

    /// Hexadecimal digits, as feeds write them.
    pub(super) fn to_hex(&self) -> String {
        match self {
            Self::Perceptual(hash) => hash.to_hex(),
            Self::Exact(digest) => {
                digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
            }
        }
    }
}

/// The algorithm of a feed's row.
pub(super) fn read_algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Algorithm::ALL.map(Algorithm::name).into();
        format!("unknown algorithm; presend knows {}", known.join(", "))
    })
}

/// A PDQ quality; none when the text is empty.
pub(super) fn read_quality(text: &str) -> Result<Option<u8>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let quality = text.parse::<u8>().ok().filter(|quality| *quality <= 100);
    quality.map(Some).ok_or_else(|| "`quality` is not a number from 0 to 100".to_owned())
}

/// A row that is not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
#[non_exhaustive]
pub struct BadRow {
    /// Line of the feed, from 1.
    pub line: u64,
    /// What is wrong with it. Never the hash.
    pub reason: String,
}

/// The text is not a feed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// Neither a header nor a `pdq <hex>` line.
    #[error("line {0}: expected a header with `algorithm` and `hex`, or lines of `pdq <hex>`")]
    Header(u64),
    /// Nothing but blank lines and comments.
    #[error(
        "the feed is empty; an empty feed is an error because a failed download looks like one"
    )]
    Empty,
}

/// What a feed holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Feed {
    /// Entries, in the feed's order, each once.
    pub rows: Vec<Row>,
    /// Rows that are none, by line.
    pub bad: Vec<BadRow>,
    /// Perceptual hashes left out for a quality of 49 or less.
    pub low_quality: u64,
    /// Rows left out because an earlier one has the same hash.
    pub duplicate: u64,
}

impl Feed {
    /// Reads a feed. Bad rows are collected, not fatal.
    ///
    /// # Errors
    /// [`FeedError`] when the text has no row at all that could be one.
    pub fn read(text: &[u8]) -> Result<Self, FeedError> {
        // Spreadsheets put a byte order mark in front.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut feed = Self::default();
        let mut seen = HashMap::new();
        let first = lines(text).next().ok_or(FeedError::Empty)?;
        let mut records = csv_rows(text);
        let columns = records.next().and_then(|(_, header)| Columns::of(&header.ok()?));
        if let Some(columns) = columns {
            for (line, record) in records {
                feed.add(line, record.and_then(|record| columns.read(&record)), &mut seen);
            }
        } else if Algorithm::from_name(&words(first.1)[0]).is_some() {
            for (line, text) in lines(text) {
                let words = words(text);
                let row = match words.as_slice() {
                    [algorithm, hex] => read_row(algorithm, hex, "", None),
                    _ => Err("expected an algorithm and a hash".into()),
                };
                feed.add(line, row, &mut seen);
            }
        } else {
            return Err(FeedError::Header(first.0));
        }
        Ok(feed)
    }

    /// Takes in the rows of another feed.
    pub fn merge(&mut self, other: Self) {
        let rows = self.rows.iter().enumerate();
        let mut seen = rows.map(|(n, row)| (row.hash.clone(), n)).collect();
        for row in other.rows {
            self.insert(row, &mut seen);
        }
        self.bad.extend(other.bad);
        self.low_quality += other.low_quality;
        self.duplicate += other.duplicate;
    }

    fn add(
        &mut self,
        line: u64,
        row: Result<Option<Row>, String>,
        seen: &mut HashMap<RowHash, usize>,
    ) {
        match row {
            Ok(Some(row)) => self.insert(row, seen),
            Ok(None) => self.low_quality += 1,
            Err(reason) => self.bad.push(BadRow { line, reason }),
        }
    }

    /// Of equal hashes the first category in alphabetical order stays, so that the
    /// order of the rows leaves no trace.
    fn insert(&mut self, row: Row, seen: &mut HashMap<RowHash, usize>) {
        match seen.entry(row.hash.clone()) {
            Entry::Vacant(place) => {
                place.insert(self.rows.len());
                self.rows.push(row);
            }
            Entry::Occupied(place) => {
                let kept = &mut self.rows[*place.get()];
                if row.category < kept.category {
                    kept.category = row.category;
                }
                self.duplicate += 1;
            }
        }
    }
}

/// Where the columns of a CSV feed are.
struct Columns {
    algorithm: usize,
    hex: usize,
    category: Option<usize>,
    quality: Option<usize>,
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Option<Self> {
        let find = |wanted: &str| {
            header.iter().position(|name| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
        };
        Some(Self {
            algorithm: find("algorithm")?,
            hex: find("hex")?,
            category: find("category"),
            quality: find("quality"),
        })
    }

    /// The row; none when its quality is too low.
    fn read(&self, record: &csv::ByteRecord) -> Result<Option<Row>, String> {
        let text = |at: usize| {
            let cell = record.get(at).unwrap_or_default();
            str::from_utf8(cell).map(str::trim).map_err(|_| "not UTF-8".to_owned())
        };
        // Rows may leave the optional cells at their end out.
        let category = self.category.map_or(Ok(""), text)?;
        let quality = self.quality.map(text).transpose()?;
        read_row(text(self.algorithm)?, text(self.hex)?, category, quality)
    }
}

/// The rows of a CSV file and their lines. None reaches into the next line, so that
/// a stray quotation mark spoils its own row and hides no other.
pub(super) fn csv_rows(
    text: &[u8],
) -> impl Iterator<Item = (u64, Result<csv::ByteRecord, String>)> {
    let lines = (1..).zip(text.split(|&byte| byte == b'\n'));
    let rows =
        lines.map(|(number, line)| (number, csv_row(line.strip_suffix(b"\r").unwrap_or(line))));
    rows.filter(|(_, row)| !row.as_ref().is_ok_and(is_blank))
}

fn csv_row(line: &[u8]) -> Result<csv::ByteRecord, String> {
    if line.trim_ascii_start().starts_with(b"#") {
        return Ok(csv::ByteRecord::new());
    }
    let quotes = line.iter().filter(|&&byte| byte == b'"').count();
    if quotes % 2 == 1 || line.contains(&b'\r') {
        return Err("a row is one line, and its quotation marks come in pairs".to_owned());
    }
    if quotes == 0 {
        return Ok(line.split(|&byte| byte == b',').collect());
    }
    let mut record = csv::ByteRecord::new();
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(line);
    reader.read_byte_record(&mut record).map_err(|_| "not CSV".to_owned())?;
    Ok(record)
}

/// Blank lines and comments.
fn is_blank(record: &csv::ByteRecord) -> bool {
    let mut cells = record.iter().map(<[u8]>::trim_ascii);
    cells.clone().all(<[u8]>::is_empty) || cells.next().is_some_and(|cell| cell.starts_with(b"#"))
}

fn read_row(
    algorithm: &str,
    hex: &str,
    category: &str,
    quality: Option<&str>,
) -> Result<Option<Row>, String> {
    let hash = RowHash::from_hex(read_algorithm(algorithm)?, hex)?;
    if let (RowHash::Perceptual(_), Some(quality)) = (&hash, quality)
        && read_quality(quality)?.is_some_and(|quality| quality <= LOW_QUALITY)
    {
        return Ok(None);
    }
    Ok(Some(Row { hash, category: category.to_owned() }))
}

/// Lines that hold something, with their numbers.
fn lines(text: &[u8]) -> impl Iterator<Item = (u64, &str)> {
    let lines = (1..).zip(text.split(|&byte| byte == b'\n'));
    lines
        .map(|(number, line)| (number, str::from_utf8(line).unwrap_or("?").trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PDQ: &str = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22";

    fn read(text: &str) -> Feed {
        Feed::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn csv_rows_are_read_by_their_header() {
        let feed = read(&format!(
            "quality,hex,category,algorithm\n100,{PDQ},demo,pdq\n,900150983cd24fb0d6963f7d28e17f72,,MD5\n"
        ));
        assert_eq!(feed.bad, []);
        assert_eq!(feed.rows[0].category, "demo");
        assert_eq!(feed.rows[0].hash, RowHash::Perceptual(PerceptualHash::from_hex(PDQ).unwrap()));
        assert_eq!(feed.rows[1].hash.algorithm(), Algorithm::Md5);
    }

    #[test]
    fn what_spreadsheets_and_people_put_around_rows_is_passed_over() {
        for head in ["\u{feff}", "   \n", " # a comment, by hand\n", "\r\n"] {
            let feed = read(&format!(
                "{head}\"algorithm\", HEX ,\"notes, if any\",category,quality\r\n\
                 \"pdq\",{PDQ},\"a, b\",demo,100\r\n\r\nmd5,900150983cd24fb0d6963f7d28e17f72\r\n"
            ));
            assert_eq!((feed.bad.as_slice(), feed.rows.len()), (&[][..], 2), "{head:?}");
            assert_eq!(feed.rows[0].category, "demo");
        }
        assert_eq!(read(&format!("\u{feff}pdq {PDQ}\n")).rows.len(), 1);
    }

    #[test]
    fn lines_of_metas_tools_are_read() {
        let feed = read(&format!("# a comment\n\npdq {PDQ}\nPDQ {}\n", PDQ.to_uppercase()));
        assert_eq!((feed.rows.len(), feed.duplicate, feed.bad.len()), (1, 1, 0));
    }

    #[test]
    fn bad_rows_are_told_with_their_line_and_without_the_hash() {
        let feed = read(&format!(
            "algorithm,hex,quality\npdq,{PDQ},101\npdq,{}\nphash,00,\nmd5\npdq,{PDQ},50\n",
            &PDQ[2..]
        ));
        assert_eq!(feed.rows.len(), 1);
        let lines: Vec<u64> = feed.bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [2, 3, 4, 5]);
        assert!(feed.bad.iter().all(|bad| !bad.reason.contains(&PDQ[2..])), "{:?}", feed.bad);
    }

    #[test]
    fn low_quality_is_left_out_and_counted() {
        let feed = read(&format!("algorithm,hex,quality\npdq,{PDQ},49\n"));
        assert_eq!((feed.rows.len(), feed.low_quality), (0, 1));
    }

    #[test]
    fn an_empty_or_foreign_text_is_no_feed() {
        assert_eq!(Feed::read(b"\n# only this\n"), Err(FeedError::Empty));
        assert_eq!(Feed::read(b"\n<html>503</html>"), Err(FeedError::Header(2)));
        assert_eq!(Feed::read(&[0xff, 0xfe, 0]), Err(FeedError::Header(1)));
    }
}
