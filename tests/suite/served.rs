//! Releases that a test signs itself, and lists to put in them.
//!
//! Whether signatures and metadata hold is tested with python-tuf's repositories in
//! `update.rs`. Here they only have to be there, around files of the test's choice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::time::{Duration, SystemTime};

use ed25519_dalek::{Signer, SigningKey};
use presend::publish::{self, Built, Feed, Parameters};
use presend::update::{FetchError, Store, Transport};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A repository in memory that tells what was asked of it.
#[derive(Default)]
pub(crate) struct Releases {
    files: BTreeMap<String, Vec<u8>>,
    targets: BTreeMap<String, (Vec<u8>, Value)>,
    version: u64,
    asked: RefCell<Vec<String>>,
}

impl Releases {
    pub(crate) fn put(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.targets.insert(name.into(), (bytes.into(), Value::Null));
    }

    /// A list, with what is signed about it.
    pub(crate) fn put_list(&mut self, built: &Built, scope: Value) {
        let id = &built.manifest.id;
        let custom = json!({ "presend": { "version": built.manifest.version, "scope": scope } });
        self.targets.insert(format!("{id}.presend"), (built.list.clone(), custom));
    }

    /// Signs what was put as the next release.
    pub(crate) fn sign(&mut self) {
        self.sign_as("targets");
    }

    /// Signs what was put as a role that the targets role hands every file on to,
    /// and all else with it.
    pub(crate) fn sign_as_delegated(&mut self) {
        self.sign_as("delegated");
    }

    fn sign_as(&mut self, role: &str) {
        self.version += 1;
        let mut targets = serde_json::Map::new();
        for (name, (bytes, custom)) in &self.targets {
            let digest = hex(&Sha256::digest(bytes));
            let mut facts = json!({ "length": bytes.len(), "hashes": { "sha256": digest } });
            if !custom.is_null() {
                facts["custom"] = custom.clone();
            }
            self.files.insert(format!("targets/{digest}.{name}"), bytes.clone());
            targets.insert(name.clone(), facts);
        }
        let version = self.version;
        let mut meta = serde_json::Map::new();
        let mut add = |role: &str, contents: Value| {
            let document = signed(header("targets", version, contents));
            let facts = json!({ "version": version, "length": document.len() });
            meta.insert(format!("{role}.json"), facts);
            self.files.insert(format!("metadata/{version}.{role}.json"), document);
        };
        add(role, json!({ "targets": targets }));
        if role != "targets" {
            let role = json!({ "name": role, "keyids": ["k"], "threshold": 1, "paths": ["*"],
                "terminating": true });
            let delegations = json!({ "keys": { "k": public_key() }, "roles": [role] });
            add("targets", json!({ "targets": {}, "delegations": delegations }));
        }
        let meta = Value::from(meta);
        let snapshot = signed(header("snapshot", version, json!({ "meta": meta })));
        let meta = json!({ "snapshot.json": { "version": version, "length": snapshot.len() } });
        let timestamp = signed(header("timestamp", version, json!({ "meta": meta })));
        self.files.insert(format!("metadata/{version}.snapshot.json"), snapshot);
        self.files.insert("metadata/timestamp.json".into(), timestamp);
    }

    /// Replaces a target behind its signature.
    pub(crate) fn tamper(&mut self, name: &str, bytes: &[u8]) {
        let digest = hex(&Sha256::digest(&self.targets[name].0));
        self.files.insert(format!("targets/{digest}.{name}"), bytes.to_owned());
    }

    /// The targets that were asked for since the last time, without their digests.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.take();
        let targets =
            asked.iter().filter_map(|path| path.strip_prefix("targets/")?.split_once('.'));
        targets.map(|(_, name)| name.to_owned()).collect()
    }
}

impl Transport for Releases {
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        self.asked.borrow_mut().push(path.to_owned());
        let file = self.files.get(path).ok_or(FetchError::NotFound)?;
        Ok(Box::new(Cursor::new(file.as_slice())))
    }
}

/// A store that trusts [`Releases`].
pub(crate) fn store(folder: &std::path::Path) -> Store {
    let store = Store::open(folder).expect("a store");
    store.trust(&root()).expect("a root");
    store
}

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000)
}

/// The list `daily` of the hashes with these numbers.
pub(crate) fn edition(version: u64, seeds: impl IntoIterator<Item = u32>) -> Built {
    let rows: String =
        seeds.into_iter().map(|n| format!("pdq {}\n", blake3::hash(&n.to_le_bytes()))).collect();
    let feed = Feed::read(rows.as_bytes()).expect("rows");
    let profile = "balanced".into();
    let parameters = Parameters { id: "daily".into(), version, profile, salt: None };
    publish::build(&parameters, &feed).expect("it builds")
}

fn root() -> Vec<u8> {
    let role = json!({ "keyids": ["k"], "threshold": 1 });
    let roles = json!({ "root": role, "targets": role, "snapshot": role, "timestamp": role });
    let root =
        json!({ "consistent_snapshot": true, "keys": { "k": public_key() }, "roles": roles });
    signed(header("root", 1, root))
}

fn public_key() -> Value {
    json!({ "keytype": "ed25519", "scheme": "ed25519",
        "keyval": { "public": hex(key().verifying_key().as_bytes()) } })
}

fn header(role: &str, version: u64, mut contents: Value) -> Value {
    contents["_type"] = role.into();
    contents["spec_version"] = "1.0.31".into();
    contents["version"] = version.into();
    contents["expires"] = "2100-01-01T00:00:00Z".into();
    contents
}

/// Of texts without anything to escape, what serde_json writes is canonical.
fn signed(contents: Value) -> Vec<u8> {
    let signature = key().sign(contents.to_string().as_bytes());
    let signatures = json!([{ "keyid": "k", "sig": hex(&signature.to_bytes()) }]);
    json!({ "signed": contents, "signatures": signatures }).to_string().into_bytes()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
