//! What a file is, by its content alone.

use infer::MatcherType;

use super::{Fault, Format, Unsupported};
use crate::limits::Incomplete;

/// The format of `bytes`, or what else they seem to be.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, Fault> {
    if bytes.is_empty() {
        return Err(Incomplete::Truncated.into());
    }
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::WebP),
        [b'B', b'M', ..] => Ok(Format::Bmp),
        _ => Err(name(bytes)),
    }
}

fn name(bytes: &[u8]) -> Fault {
    let Some(kind) = infer::get(bytes) else {
        return Fault::Unsupported(Unsupported { class: "other", kind: "unknown" });
    };
    // Half a signature of a format that is decoded.
    if matches!(kind.extension(), "jpg" | "png" | "gif" | "webp" | "bmp") {
        return Incomplete::Malformed.into();
    }
    let class = match kind.matcher_type() {
        // `infer` counts it among the archives.
        _ if kind.extension() == "pdf" => "document",
        MatcherType::Image => "image",
        MatcherType::Video => "video",
        MatcherType::Audio => "audio",
        MatcherType::Archive => "archive",
        MatcherType::Doc | MatcherType::Book | MatcherType::Text => "document",
        _ => "other",
    };
    // The names are codes in policies and logs: they are listed here so that no
    // other crate can change them.
    let kind = KINDS.into_iter().find(|known| *known == kind.extension()).unwrap_or("unknown");
    Fault::Unsupported(Unsupported { class, kind })
}

const KINDS: [&str; 40] = [
    "heif", "avif", "jxl", "jp2", "tif", "psd", "ico", "cr2", "cr3", "jxr", "xcf", "djvu", "exr",
    "mp4", "m4v", "mkv", "webm", "mov", "avi", "wmv", "mpg", "flv", "3gp", "ogg", "mp3", "m4a",
    "flac", "wav", "aac", "opus", "zip", "gz", "7z", "rar", "tar", "pdf", "docx", "xlsx", "pptx",
    "epub",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_named() {
        let kind = |bytes: &[u8]| match sniff(bytes) {
            Err(Fault::Unsupported(Unsupported { class, kind })) => (class, kind),
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(b"%PDF-1.7\n"), ("document", "pdf"));
        assert_eq!(kind(b"PK\x03\x04 and more than that"), ("archive", "zip"));
        assert_eq!(kind(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), ("video", "mp4"));
        assert_eq!(kind(b"hello"), ("other", "unknown"));
    }

    #[test]
    fn a_damaged_signature_is_malformed() {
        let damaged = sniff(b"\x89PNG\r\r\r\r and so on");
        assert_eq!(damaged, Err(Fault::Incomplete(Incomplete::Malformed)));
    }

    #[test]
    fn nothing_is_not_a_kind() {
        assert_eq!(sniff(b""), Err(Fault::Incomplete(Incomplete::Truncated)));
    }
}
