//! Who signs what: a TOML file that every organisation can read, and the root
//! metadata that it becomes.
//!
//! ```toml
//! [root]
//! threshold = 2
//! [[root.key]]
//! organisation = "Example Hotline"
//! file = "keys/hotline-root.pub"
//! # and so on for `targets`, `snapshot` and `timestamp`
//! ```
//!
//! The days after which metadata expires and the names of the organisations go
//! into the root beside TUF's own fields, so that whoever has the repository has
//! them too.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::key::PublicKey;

/// The four roles of a repository and their keys.
#[derive(Clone, Debug)]
pub struct Roles {
    /// In the order of [`NAMES`].
    roles: [Role; 4],
}

#[derive(Clone, Debug)]
struct Role {
    threshold: u64,
    days: u64,
    keys: Vec<(String, PublicKey)>,
}

/// The text is not a file of roles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RolesError {
    /// Not TOML, or with keys or values that are none of the file's.
    #[error("{0}")]
    Syntax(String),
    /// Values that cannot be together.
    #[error("{0}")]
    Meaning(String),
}

impl Roles {
    /// Reads the file. `key` reads a public key, given the name of its file.
    ///
    /// # Errors
    /// [`RolesError`] names the role to mend.
    pub fn parse(
        text: &str,
        mut key: impl FnMut(&str) -> Result<PublicKey, String>,
    ) -> Result<Self, RolesError> {
        let file: File =
            toml::from_str(text).map_err(|error| RolesError::Syntax(error.to_string()))?;
        let mut roles = Vec::new();
        for (name, section) in NAMES.into_iter().zip(file.sections()) {
            let mut keys: Vec<(String, PublicKey)> = Vec::new();
            for Key { organisation, file } in &section.key {
                let organisation = organisation.trim();
                if organisation.is_empty() {
                    return wrong(format!("`{name}`: a key without an organisation"));
                }
                let read = key(file).map_err(RolesError::Meaning)?;
                if keys.iter().any(|(_, other)| other.id() == read.id()) {
                    return wrong(format!("`{name}`: the key of {file} stands there twice"));
                }
                if name == "targets"
                    && keys
                        .iter()
                        .any(|(other, _)| other.to_lowercase() == organisation.to_lowercase())
                {
                    return wrong(format!(
                        "`targets`: `{organisation}` has two keys; each organisation has one, so that a list needs as many organisations as signatures"
                    ));
                }
                keys.push((organisation.to_owned(), read));
            }
            let threshold = section.threshold.unwrap_or(if is_online(name) { 1 } else { 0 });
            if !(1..=keys.len() as u64).contains(&threshold) {
                return wrong(format!("`{name}`: `threshold` is 1 to the number of its keys"));
            }
            let days = section.days.unwrap_or(default_days(name));
            if !(1..=MOST_DAYS).contains(&days) {
                return wrong(format!("`{name}`: `days` is 1 to {MOST_DAYS}"));
            }
            roles.push(Role { threshold, days, keys });
        }
        let roles: [Role; 4] = roles.try_into().expect("as many sections as names");
        for (role, name) in roles.iter().zip(NAMES).filter(|(_, name)| is_online(name)) {
            let shared = |of: &Role| {
                role.keys.iter().any(|(_, key)| of.keys.iter().any(|(_, other)| other == key))
            };
            if roles[..2].iter().any(shared) {
                return wrong(format!(
                    "`{name}`: its keys are online, so they cannot be keys of `root` or `targets`"
                ));
            }
        }
        Ok(Self { roles })
    }

    /// What is to be signed as root metadata of that version.
    pub(super) fn root(&self, version: u64, expires: &str) -> Value {
        let mut keys = Map::new();
        let mut roles = Map::new();
        for (name, role) in NAMES.into_iter().zip(&self.roles) {
            let mut organisations = BTreeMap::new();
            for (organisation, key) in &role.keys {
                keys.insert(key.id().to_owned(), key.value().clone());
                organisations.insert(key.id(), organisation);
            }
            let ids: Vec<_> = organisations.keys().collect();
            let role = json!({
                "keyids": ids,
                "threshold": role.threshold,
                DAYS: role.days,
                ORGANISATIONS: organisations,
            });
            roles.insert(name.to_owned(), role);
        }
        json!({
            "_type": "root",
            "spec_version": SPECIFICATION,
            "version": version,
            "expires": expires,
            "consistent_snapshot": true,
            "keys": keys,
            "roles": roles,
        })
    }

    /// After how many days the root expires.
    pub(super) fn root_days(&self) -> u64 {
        self.roles[0].days
    }
}

/// After how many days a role's metadata expires, by the `signed` part of a root.
pub(super) fn days(root: &Value, role: &str) -> u64 {
    let days = root.get("roles").and_then(|roles| roles.get(role)?.get(DAYS)?.as_u64());
    days.unwrap_or(default_days(role)).min(MOST_DAYS)
}

/// The roles whose keys sign without a person.
fn is_online(role: &str) -> bool {
    matches!(role, "snapshot" | "timestamp")
}

/// Root: the ceremony is once a year. Targets: an organisation that falls silent
/// is noticed. Timestamp: how long whoever holds updates back can do so
/// unnoticed, and how long a renewal may fail; snapshot: renewed long before.
fn default_days(role: &str) -> u64 {
    match role {
        "root" => 365,
        "targets" => 90,
        "snapshot" => 14,
        _ => 3,
    }
}

fn wrong<T>(what: String) -> Result<T, RolesError> {
    Err(RolesError::Meaning(what))
}

/// The file, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    root: Section,
    targets: Section,
    snapshot: Section,
    timestamp: Section,
}

impl File {
    fn sections(&self) -> [&Section; 4] {
        [&self.root, &self.targets, &self.snapshot, &self.timestamp]
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    threshold: Option<u64>,
    days: Option<u64>,
    #[serde(default)]
    key: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    organisation: String,
    file: String,
}

/// The top-level roles; the first two are signed by people.
pub(super) const NAMES: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// The specification that the metadata follows.
pub(super) const SPECIFICATION: &str = "1.0.31";

const DAYS: &str = "x-presend-days";
const ORGANISATIONS: &str = "x-presend-organisations";
const MOST_DAYS: u64 = 3650;
