//! Where a repository's files come from.
//!
//! The engine has no network code: a host gives a [`Transport`] over its own
//! HTTP stack, or a [`Folder`] that something else fills.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Reads a repository's files. Nothing it returns is trusted.
pub trait Transport {
    /// Opens the file at `path` and returns its contents.
    ///
    /// The path is relative and ready to be put behind a base URL: segments
    /// between slashes, percent-encoded, below `metadata/` or `targets/`. What is
    /// read is cut off at the length that the file may have, so an endless answer
    /// does no harm; how long an answer may take is the transport's affair.
    ///
    /// # Errors
    /// [`FetchError::NotFound`] only if the repository says that there is no such
    /// file: a new root is looked for until then.
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError>;
}

/// A file could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The repository has no such file.
    #[error("the repository has no such file")]
    NotFound,
    /// It may be there; try again later.
    #[error("{0}")]
    Failed(String),
}

/// A repository in a folder.
#[derive(Clone)]
pub struct Folder(PathBuf);

/// Without the path.
impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Folder(..)")
    }
}

impl Folder {
    /// The folder that holds `metadata/` and `targets/`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }
}

impl Transport for Folder {
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        let mut file = self.0.clone();
        for segment in path.split('/') {
            file.push(decode(segment).ok_or(FetchError::NotFound)?);
        }
        match File::open(&file).and_then(|open| Ok((open.metadata()?.is_file(), open))) {
            Ok((true, open)) => Ok(Box::new(open)),
            Ok((false, _)) => Err(FetchError::NotFound),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FetchError::NotFound),
            Err(error) => Err(FetchError::Failed(error.to_string())),
        }
    }
}

/// The file name that a segment of a URL stands for; none for one that could
/// lead elsewhere.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    let name = String::from_utf8(bytes).ok()?;
    let leads_elsewhere = matches!(name.as_str(), "" | "." | "..")
        || name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | ':'));
    (!leads_elsewhere).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn an_encoded_way_out_of_the_folder_is_no_file() {
        for segment in ["..%2Fx", "%2E%2E", "..", "", "a%00", "a%5Cb", "%", "%2", "C:"] {
            assert_eq!(decode(segment), None, "{segment}");
        }
        assert_eq!(decode("1.a%20b%3F.json").as_deref(), Some("1.a b?.json"));
    }
}
