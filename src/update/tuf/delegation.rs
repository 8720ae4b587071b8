//! Which role may name which files.

use std::collections::BTreeSet;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::key::{Keys, Signers};
use super::{Role, TOP_LEVEL};

/// The name of a target file: a relative path of segments between slashes, none
/// of which leads upwards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetName(String);

impl TargetName {
    /// None for a name that could lead out of a folder on some system.
    pub fn new(name: &str) -> Option<Self> {
        let is_plain = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && !segment.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'))
        };
        (name.len() <= LONGEST_NAME && name.split('/').all(is_plain)).then(|| Self(name.into()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below the targets' folder, for a URL. The digest, if any, comes
    /// before the last segment.
    pub(super) fn path(&self, digest: Option<&str>) -> String {
        let mut segments: Vec<String> = self.0.split('/').map(encode).collect();
        if let (Some(digest), Some(last)) = (digest, segments.last_mut()) {
            *last = format!("{digest}.{last}");
        }
        segments.join("/")
    }
}

const LONGEST_NAME: usize = 1024;

/// Percent-encodes all but the characters that a URL never reserves, so that any
/// text is one segment of a path. A segment of dots alone is the caller's affair.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The roles that a targets role hands files on to.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Delegations {
    #[serde(default)]
    pub(super) keys: Keys,
    #[serde(default)]
    pub(super) roles: Vec<Delegation>,
}

impl Delegations {
    pub(super) fn are_sound(&self) -> bool {
        let names: BTreeSet<&str> = self.roles.iter().map(|role| role.name.as_str()).collect();
        names.len() == self.roles.len() && self.roles.iter().all(Delegation::is_sound)
    }
}

/// One role, and the files it is asked about.
#[derive(Clone, Deserialize)]
pub(super) struct Delegation {
    name: String,
    #[serde(flatten)]
    pub(super) signers: Signers,
    #[serde(default)]
    pub(super) terminating: bool,
    paths: Option<Vec<String>>,
    path_hash_prefixes: Option<Vec<String>>,
}

impl Delegation {
    pub(super) fn role(&self) -> Role {
        Role::new(&self.name)
    }

    /// Whether the role is asked about this file.
    pub(super) fn covers(&self, name: &TargetName) -> bool {
        let matches = |pattern: &String| {
            let (pattern, name) = (pattern.split('/'), name.0.split('/'));
            pattern.clone().count() == name.clone().count()
                && pattern.zip(name).all(|(pattern, segment)| is_like(pattern, segment))
        };
        match (&self.paths, &self.path_hash_prefixes) {
            (Some(paths), None) => paths.iter().any(matches),
            (None, Some(prefixes)) => {
                let digest = Sha256::digest(name.0.as_bytes());
                let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                prefixes.iter().any(|prefix| digest.starts_with(prefix.as_str()))
            }
            _ => false,
        }
    }

    fn is_sound(&self) -> bool {
        !self.name.is_empty()
            && !TOP_LEVEL.contains(&self.name.as_str())
            && self.signers.are_possible()
            && self.paths.is_some() != self.path_hash_prefixes.is_some()
    }
}

/// Whether a segment is one that the pattern means: `?` is any character and `*`
/// any number of them. In time of the product of both lengths.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&c) if c == '?' || c == text[from] => {
                at += 1;
                from += 1;
            }
            // The last star takes one character more.
            _ => match &mut star {
                Some((star, taken)) => {
                    *taken += 1;
                    (at, from) = (*star + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::{TargetName, encode, is_like};

    #[test]
    fn patterns_are_those_of_a_shell() {
        assert!(is_like("*", "") && is_like("*.zip", "a.zip") && is_like("a*b*c", "axbbxc"));
        assert!(is_like("?", "x") && is_like("**", "ab") && is_like("", ""));
        assert!(
            !is_like("*.zip", "a.zi")
                && !is_like("?", "")
                && !is_like("a*b", "a")
                && !is_like("", "a")
        );
    }

    #[test]
    fn a_name_that_leads_out_of_a_folder_is_none() {
        for name in ["../x", "/x", "a/../x", "a//b", "", ".", "a\\b", "C:x", "a/\0", "x/"] {
            assert_eq!(TargetName::new(name), None, "{name:?}");
        }
        let name = TargetName::new("a b/c?.txt").expect("plain");
        assert_eq!(name.path(Some("00")), "a%20b/00.c%3F.txt");
        assert_eq!(encode("../x"), "..%2Fx");
    }
}
