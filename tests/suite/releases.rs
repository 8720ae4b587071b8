//! Releases as an operator makes them, and as the update client sees them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use presend::HashList;
use presend::list::delta;
use presend::publish::key::KeyError;
use presend::publish::roles::RolesError;
use presend::publish::{
    self, Change, Edition, Feed, KeyType, Parameters, PrivateKey, PublicKey, Repository,
    RepositoryError, Roles, Scope,
};
use presend::update::{Answer, Folder, Store, Updater};
use sha2::{Digest, Sha256};

/// Two organisations, a root of theirs and online keys, and a repository in a
/// folder that goes away with the test.
struct House {
    folder: PathBuf,
    keys: BTreeMap<&'static str, PrivateKey>,
    now: SystemTime,
    last: Option<HashList>,
}

const KEYS: [&str; 8] =
    ["root-a", "root-b", "root-c", "org-a", "org-b", "org-c", "online", "new-online"];

impl House {
    /// With its root signed and staged.
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("presend-release-{}-{next}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let of = |name: &str| match name.ends_with('b') {
            true => KeyType::EcdsaP256,
            false => KeyType::Ed25519,
        };
        let key = |name| (name, PrivateKey::generate(of(name)).expect("random numbers"));
        let house = Self {
            folder,
            keys: KEYS.map(key).into(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000),
            last: None,
        };
        house.root(&["root-a", "root-b"], &["org-a", "org-b", "org-c"], "online");
        house.sign(&["root-a", "root-b"]);
        house
    }

    fn repository(&self) -> Repository {
        Repository::open(&self.folder).expect("a folder")
    }

    fn roles(&self, root: &[&str], targets: &[&str], online: &str) -> Roles {
        let section = |role: &str, names: &[&str], threshold: usize| {
            let keys: String = names
                .iter()
                .map(|name| {
                    format!("[[{role}.key]]\norganisation = \"{name}\"\nfile = \"{name}\"\n")
                })
                .collect();
            format!("[{role}]\nthreshold = {threshold}\n{keys}")
        };
        let text = [
            section("root", root, 2),
            section("targets", targets, 2),
            section("snapshot", &[online], 1),
            section("timestamp", &[online], 1),
        ]
        .concat();
        Roles::parse(&text, |name| Ok(self.keys[name].public())).expect("roles")
    }

    fn root(&self, root: &[&str], targets: &[&str], online: &str) {
        let roles = self.roles(root, targets, online);
        self.repository().stage_root(&roles, self.now, false).expect("staged");
    }

    /// The list of these numbers, and what its builder says.
    fn edition(&self, version: u64, rows: std::ops::Range<u32>) -> Edition {
        self.edition_of("demo", version, rows)
    }

    fn edition_of(&self, id: &str, version: u64, rows: std::ops::Range<u32>) -> Edition {
        let row = |n: u32| {
            let drawn = Sha256::digest(n.to_le_bytes());
            format!("pdq {}\n", drawn.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        };
        let text: String = rows.map(row).collect();
        let feed = Feed::read(text.as_bytes()).expect("a feed");
        let (id, profile) = (id.to_owned(), "balanced".to_owned());
        let parameters = Parameters { id, version, profile, salt: None };
        let mut built = publish::build(&parameters, &feed).expect("built");
        if let Some(last) = &self.last {
            let new = HashList::open(built.list.clone()).expect("a list");
            built.manifest.change = Some(Change::between(last, &new, &feed));
        }
        let manifest = serde_json::to_vec(&built.manifest).expect("JSON");
        Edition { list: built.list, manifest, proof: None }
    }

    fn stage(&self, version: u64, rows: std::ops::Range<u32>) -> Result<(), RepositoryError> {
        let edition = self.edition(version, rows);
        self.repository().stage_release(&[edition], &Scope::default(), self.now, false)?;
        Ok(())
    }

    fn sign(&self, names: &[&str]) -> Vec<bool> {
        let progress = self.repository().sign(&self.some(names), self.now).expect("signed");
        progress.iter().map(|progress| progress.enough).collect()
    }

    fn some(&self, names: &[&str]) -> Vec<PrivateKey> {
        let again = |name: &&str| {
            let pem = self.keys[name].to_pem(None).expect("a file");
            PrivateKey::from_pem(&pem, None).expect("a key")
        };
        names.iter().map(again).collect()
    }

    fn finish(
        &self,
        names: &[&str],
    ) -> Result<presend::publish::repository::Published, RepositoryError> {
        self.repository().finish(&self.some(names), self.now)
    }

    /// A release from end to end.
    fn release(&mut self, version: u64, rows: std::ops::Range<u32>) {
        self.stage(version, rows).expect("staged");
        assert_eq!(self.sign(&["org-a", "org-b"]).last(), Some(&true));
        let published = self.finish(&["online"]).expect("published");
        let list = self.target(published.targets, "demo.presend").expect("released");
        self.last = Some(HashList::open(list).expect("a list"));
    }

    fn client(&self, name: &str) -> Store {
        let store = Store::open(self.folder.join("clients").join(name)).expect("a store");
        store.trust(&crate::read(self.folder.join("metadata/1.root.json"))).expect("a root");
        store
    }

    fn update(&self, store: &Store) -> Answer {
        Updater::new(store, &Folder::new(&self.folder), "demo").update(self.now)
    }

    fn metadata(&self, name: &str) -> serde_json::Value {
        let bytes = crate::read(self.folder.join("metadata").join(name));
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// The bytes of a target, by the targets metadata of that number.
    fn target(&self, number: u64, name: &str) -> Option<Vec<u8>> {
        let metadata = self.metadata(&format!("{number}.targets.json"));
        let facts = metadata["signed"]["targets"].get(name)?;
        let digest = facts["hashes"]["sha256"].as_str().expect("a digest");
        std::fs::read(self.folder.join(format!("targets/{digest}.{name}"))).ok()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn version(store: &Store) -> Option<u64> {
    let bytes = store.list().expect("the store is readable")?;
    Some(HashList::open(bytes).expect("a list").version())
}

/// Every file that clients can fetch, and its contents.
fn published(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for part in ["metadata", "targets"] {
        for entry in std::fs::read_dir(folder.join(part)).into_iter().flatten() {
            let path = entry.expect("readable").path();
            files.insert(path.clone(), crate::read(path));
        }
    }
    files
}

const SHOWN: &str = "\
Roles { roles: [Role { threshold: 0, days: 0, keys: [(\"root-a\", PublicKey { .. }), (\"root-b\", PublicKey { .. })] }, Role { threshold: 0, days: 0, keys: [(\"org-a\", PublicKey { .. }), (\"org-b\", PublicKey { .. })] }, Role { threshold: 0, days: 0, keys: [(\"online\", PublicKey { .. })] }, Role { threshold: 0, days: 0, keys: [(\"online\", PublicKey { .. })] }] }
Staged { document: \"0.targets.json\", lists: [StagedList { id: \"demo\", version: 0, bytes: 0, packed: 0, deltas: [(0, 0)] }] }
[Progress { document: \"0.targets.json\", root: 0, signed: [\"org-a\"], missing: [\"org-b\", \"org-c\"], threshold: 0, enough: false }]
Checked { roles: [RoleState { role: \"root\", expires: \"0-0-0:0:0\", days_left: 0, signing: Progress { document: \"0.root.json\", root: 0, signed: [\"root-a\", \"root-b\"], missing: [], threshold: 0, enough: true } }, RoleState { role: \"targets\", expires: \"0-0-0:0:0\", days_left: 0, signing: Progress { document: \"0.targets.json\", root: 0, signed: [\"org-a\", \"org-b\"], missing: [\"org-c\"], threshold: 0, enough: true } }, RoleState { role: \"snapshot\", expires: \"0-0-0:0:0\", days_left: 0, signing: Progress { document: \"0.snapshot.json\", root: 0, signed: [\"online\"], missing: [], threshold: 0, enough: true } }, RoleState { role: \"timestamp\", expires: \"0-0-0:0:0\", days_left: 0, signing: Progress { document: \"0.timestamp.json\", root: 0, signed: [\"online\"], missing: [], threshold: 0, enough: true } }], lists: [ListState { id: \"demo\", version: 0, bytes: 0, sha256: \"0\", packed: 0, deltas: [], logged: false, scope: Scope { action: None, views: None, probes: None }, manifest: Manifest { id: \"demo\", version: 0, format: 0, profile: \"balanced\", band_bits: 0, salt: \"0\", file: \"demo.presend\", bytes: 0, blake3: \"0\", entries: {\"pdq\": 0}, categories: {\"\": 0}, fingerprints: 0, fingerprint_bits: 0, bytes_per_entry: 0.0, false_match_log2: {\"0\": -0.0, \"0\": -0.0, \"0\": -0.0}, work: Some(Work { first: 0.0, percent: 0.0, half: 0.0 }), left_out: LeftOut { bad: 0, low_quality: 0, duplicate: 0, easily_guessed: 0 }, choice: None, change: None } }], staged: [Progress { document: \"0.targets.json\", root: 0, signed: [\"org-a\"], missing: [\"org-b\", \"org-c\"], threshold: 0, enough: false }], staged_expires: {\"0.targets.json\": \"0-0-0:0:0\"}, staged_lists: [ListState { id: \"demo\", version: 0, bytes: 0, sha256: \"0\", packed: 0, deltas: [Delta { from: 0, to: 0, bytes: 0, tried: true }], logged: false, scope: Scope { action: None, views: None, probes: None }, manifest: Manifest { id: \"demo\", version: 0, format: 0, profile: \"balanced\", band_bits: 0, salt: \"0\", file: \"demo.presend\", bytes: 0, blake3: \"0\", entries: {\"pdq\": 0}, categories: {\"\": 0}, fingerprints: 0, fingerprint_bits: 0, bytes_per_entry: 0.0, false_match_log2: {\"0\": -0.0, \"0\": -0.0, \"0\": -0.0}, work: Some(Work { first: 0.0, percent: 0.0, half: 0.0 }), left_out: LeftOut { bad: 0, low_quality: 0, duplicate: 0, easily_guessed: 0 }, choice: None, change: Some(Change { version: 0, last: 0, added: 0, removed: 0 }) } }], faults: [] }
Published { root: None, targets: 0, snapshot: 0, timestamp: 0, rough: false, pruned: 0, due: {} }
Report { id: \"demo\", releases: [Release { version: 0, expires: \"0-0-0:0:0\", signing: Progress { document: \"0.targets.json\", root: 0, signed: [\"org-a\", \"org-b\"], missing: [\"org-c\"], threshold: 0, enough: true }, sha256: \"0\", packed: 0, deltas: [], logged: false, scope: Scope { action: None, views: None, probes: None }, manifest: Manifest { id: \"demo\", version: 0, format: 0, profile: \"balanced\", band_bits: 0, salt: \"0\", file: \"demo.presend\", bytes: 0, blake3: \"0\", entries: {\"pdq\": 0}, categories: {\"\": 0}, fingerprints: 0, fingerprint_bits: 0, bytes_per_entry: 0.0, false_match_log2: {\"0\": -0.0, \"0\": -0.0, \"0\": -0.0}, work: Some(Work { first: 0.0, percent: 0.0, half: 0.0 }), left_out: LeftOut { bad: 0, low_quality: 0, duplicate: 0, easily_guessed: 0 }, choice: None, change: None } }, Release { version: 0, expires: \"0-0-0:0:0\", signing: Progress { document: \"0.targets.json\", root: 0, signed: [\"org-a\", \"org-b\"], missing: [\"org-c\"], threshold: 0, enough: true }, sha256: \"0\", packed: 0, deltas: [(0, 0)], logged: false, scope: Scope { action: None, views: None, probes: None }, manifest: Manifest { id: \"demo\", version: 0, format: 0, profile: \"balanced\", band_bits: 0, salt: \"0\", file: \"demo.presend\", bytes: 0, blake3: \"0\", entries: {\"pdq\": 0}, categories: {\"\": 0}, fingerprints: 0, fingerprint_bits: 0, bytes_per_entry: 0.0, false_match_log2: {\"0\": -0.0, \"0\": -0.0, \"0\": -0.0}, work: Some(Work { first: 0.0, percent: 0.0, half: 0.0 }), left_out: LeftOut { bad: 0, low_quality: 0, duplicate: 0, easily_guessed: 0 }, choice: None, change: Some(Change { version: 0, last: 0, added: 0, removed: 0 }) } }] }
Release { scope: Scope { action: Some(Ask), views: None, probes: None }, expires: Some(SystemTime { tv_sec: 0, tv_nsec: 0 }), .. }
Some(Signers { threshold: 0, signed: [\"org-a\", \"org-b\"], missing: [\"org-c\"] })
";

/// Organisations, numbers and dates; of what is listed and of this machine nothing.
#[test]
fn what_a_release_shows_is_what_stands_here() {
    let mut house = House::new();
    house.release(1, 0..40);
    let edition = house.edition(2, 20..60);
    let staged = house.repository().stage_release(&[edition], &Scope::default(), house.now, false);
    let progress = house.repository().sign(&house.some(&["org-a"]), house.now).expect("signed");
    let checked = house.repository().check(house.now).expect("checked");
    house.sign(&["org-b"]);
    let published = house.finish(&["online"]).expect("published");
    let store = house.client("a");
    assert_eq!(house.update(&store), Answer::Updated);
    let release = store.release().expect("readable").expect("there");
    let lines = [
        format!("{:?}", house.roles(&["root-a", "root-b"], &["org-a", "org-b"], "online")),
        format!("{:?}", staged.expect("staged")),
        format!("{progress:?}"),
        format!("{checked:?}"),
        format!("{published:?}"),
        format!("{:?}", house.repository().report("demo", None).expect("reported")),
        format!("{release:?}"),
        format!("{:?}", release.signers),
    ];
    let row = Sha256::digest(0u32.to_le_bytes());
    let row: String = row.iter().map(|byte| format!("{byte:02x}")).collect();
    for line in &lines {
        for secret in [&row[..8], "presend-release-", env!("CARGO_MANIFEST_DIR")] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
    let lines = lines.map(|line| without_numbers(&line));
    for (line, expected) in lines.iter().zip(SHOWN.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), SHOWN.lines().count());
}

/// Numbers, dates and digests, which other releases would have others of.
fn without_numbers(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let word = |word: &str| {
        let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        let is_number = word.starts_with(|c: char| c.is_ascii_digit()) || end >= 32;
        if is_number { format!("0{}", &word[end..]) } else { word.to_owned() }
    };
    words.map(word).collect()
}

#[test]
fn keys_of_openssl_and_python_open_under_their_passphrase() {
    let folder = crate::root("tests/data/keys");
    let facts: serde_json::Value =
        serde_json::from_slice(&crate::read(folder.join("keys.json"))).expect("JSON");
    let mut opened = 0;
    for (name, facts) in facts.as_object().expect("keys") {
        let pem = String::from_utf8(crate::read(folder.join(format!("{name}.pem")))).expect("PEM");
        assert!(PrivateKey::is_encrypted(&pem));
        assert_eq!(PrivateKey::from_pem(&pem, None).expect_err("encrypted"), KeyError::Encrypted);
        let wrong = PrivateKey::from_pem(&pem, Some("a guess")).expect_err("wrong");
        assert_eq!(wrong, KeyError::Passphrase, "{name}");
        let key = PrivateKey::from_pem(&pem, Some("only a test"));
        let public = PublicKey::read(facts["public"].as_str().expect("PEM"));
        if name.ends_with("rsa") {
            assert_eq!(key.expect_err("another kind"), KeyError::OtherType);
            assert_eq!(public.expect_err("another kind"), KeyError::OtherType);
            continue;
        }
        let key = key.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.public().id(), facts["keyid"], "{name}");
        let json: serde_json::Value = serde_json::from_str(&key.public().to_json()).expect("JSON");
        for field in ["keytype", "scheme", "keyval"] {
            assert_eq!(json[field], facts["key"][field], "{name}");
        }
        assert!(public.as_ref() == Ok(&key.public()), "{name}");
        assert!(PublicKey::read(&key.public().to_json()) == public, "{name}");
        opened += 1;
    }
    assert_eq!(opened, 5);
}

#[test]
fn what_a_key_holds_is_not_in_its_debug_output() {
    let key = PrivateKey::generate(KeyType::Ed25519).expect("random numbers");
    assert_eq!(format!("{key:?} {:?}", key.public()), "PrivateKey { .. } PublicKey { .. }");
    let pem = key.to_pem(Some("secret")).expect("a file");
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let error = PrivateKey::from_pem(&pem, Some("guess")).expect_err("wrong").to_string();
    assert!(!error.contains("guess"), "{error}");
}

#[test]
fn a_public_key_under_the_name_of_another_is_none() {
    let key = PrivateKey::generate(KeyType::Ed25519).expect("random numbers").public();
    let other = PrivateKey::generate(KeyType::Ed25519).expect("random numbers").public();
    let text = key.to_json().replace(key.id(), other.id());
    assert_eq!(PublicKey::read(&text).expect_err("another"), KeyError::NotPublic);
}

#[test]
fn an_organisation_has_one_of_the_targets_keys_and_online_keys_sign_no_lists() {
    let house = House::new();
    let said = |text: &str| {
        let roles = Roles::parse(text, |name| Ok(house.keys[name].public()));
        match roles.expect_err("refused") {
            RolesError::Syntax(what) | RolesError::Meaning(what) => what,
            other => panic!("{other}"),
        }
    };
    let role = |role: &str, threshold: u32, keys: &[(&str, &str)]| {
        let keys: String = keys
            .iter()
            .map(|(who, file)| {
                format!("[[{role}.key]]\norganisation = \"{who}\"\nfile = \"{file}\"\n")
            })
            .collect();
        format!("[{role}]\nthreshold = {threshold}\n{keys}")
    };
    let rest = |targets: String, online: &str| {
        let online = [("A", online)];
        role("root", 1, &[("A", "root-a")])
            + &targets
            + &role("snapshot", 1, &online)
            + &role("timestamp", 1, &online)
    };
    let two = role("targets", 2, &[("A", "org-a"), ("A", "org-b")]);
    assert!(said(&rest(two, "online")).contains("`A` has two keys"));
    let twice = role("targets", 2, &[("A", "org-a"), ("B", "org-a")]);
    assert!(said(&rest(twice, "online")).contains("stands there twice"));
    for threshold in [0, 3] {
        let targets = role("targets", threshold, &[("A", "org-a"), ("B", "org-b")]);
        assert!(said(&rest(targets, "online")).contains("`threshold` is 1 to"));
    }
    let targets = role("targets", 2, &[("A", "org-a"), ("B", "org-b")]);
    assert!(said(&rest(targets.clone(), "org-a")).contains("its keys are online"));
    assert!(said(&(rest(targets, "online") + "[mirrors]\n")).contains("mirrors"));
}

#[test]
fn a_half_signed_release_is_not_where_clients_fetch() {
    let mut house = House::new();
    house.release(1, 0..50);
    let store = house.client("a");
    assert_eq!(house.update(&store), Answer::Updated);
    let before = published(&house.folder);
    house.stage(2, 0..60).expect("staged");
    let short = |signed| RepositoryError::Short {
        document: "2.targets.json".to_owned(),
        signed,
        threshold: 2,
        root: 1,
    };
    assert_eq!(house.finish(&["online"]), Err(short(0)));
    // The same organisation twice is one.
    house.sign(&["org-c"]);
    house.sign(&["org-c"]);
    assert_eq!(house.finish(&["online"]), Err(short(1)));
    // Cron goes on, and publishes nothing of it.
    house.repository().renew(&house.some(&["online"]), house.now).expect("renewed");
    assert_eq!(house.update(&store), Answer::Current);
    let mut after = published(&house.folder);
    let timestamp = house.folder.join("metadata/timestamp.json");
    assert_ne!(after.insert(timestamp.clone(), before[&timestamp].clone()), None);
    assert!(after == before);
    house.sign(&["org-a"]);
    house.finish(&["online"]).expect("published");
    assert_eq!(house.update(&store), Answer::Updated);
    assert_eq!(version(&store), Some(2));
}

#[test]
fn keys_that_have_no_part_sign_nothing() {
    let mut house = House::new();
    house.release(1, 0..50);
    house.stage(2, 0..60).expect("staged");
    let before = crate::read(house.folder.join("staged/2.targets.json"));
    let signed = house.repository().sign(&house.some(&["org-a", "root-a"]), house.now);
    assert_eq!(signed, Err(RepositoryError::OtherKey));
    assert!(crate::read(house.folder.join("staged/2.targets.json")) == before);
    house.sign(&["org-a", "org-b"]);
    for keys in [&[][..], &["org-c"], &["new-online"]] {
        assert_eq!(house.finish(keys), Err(RepositoryError::Keys("snapshot".to_owned())));
    }
}

#[test]
fn what_is_signed_is_not_replaced_unasked() {
    let mut house = House::new();
    house.release(1, 0..50);
    house.stage(2, 0..60).expect("staged");
    // Unsigned it may be staged again.
    house.stage(2, 0..61).expect("staged");
    house.sign(&["org-a"]);
    let again = house.stage(2, 0..62);
    assert_eq!(again, Err(RepositoryError::Signed("2.targets.json".to_owned())));
    let edition = house.edition(2, 0..62);
    let scope = Scope::default();
    house.repository().stage_release(&[edition], &scope, house.now, true).expect("replaced");
    assert_eq!(house.sign(&["org-a"]), [false]);
}

#[test]
fn a_release_that_is_refused_leaves_the_staged_one_whole() {
    let mut house = House::new();
    house.release(1, 0..50);
    house.stage(2, 0..60).expect("staged");
    house.sign(&["org-a", "org-b"]);
    // Version 1 is released already.
    let refused = house.repository().stage_release(
        &[house.edition(1, 0..60)],
        &Scope::default(),
        house.now,
        true,
    );
    assert!(matches!(refused, Err(RepositoryError::List(_))), "{refused:?}");
    house.finish(&["online"]).expect("published");
    assert!(house.target(2, "demo.presend").is_some());
}

#[test]
fn what_presend_would_not_have_staged_is_not_signed() {
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 7] = [
        ("has `delegations`", |signed| signed["delegations"] = serde_json::json!({"roles": []})),
        ("has `x-note`", |signed| signed["x-note"] = "text".into()),
        ("expires later", |signed| signed["expires"] = "2099-01-01T00:00:00Z".into()),
        ("has a version", |signed| signed["version"] = 9.into()),
        ("the target `other.txt`", |signed| {
            signed["targets"]["other.txt"] = signed["targets"]["demo.packed"].clone();
        }),
        ("the target `demo.packed`", |signed| {
            signed["targets"]["demo.packed"]["custom"] = serde_json::json!({"presend": {}});
        }),
        ("the target `demo.presend`", |signed| {
            signed["targets"]["demo.presend"]["custom"]["presend"]["scope"] =
                serde_json::json!({"action": "report"});
        }),
    ];
    let mut house = House::new();
    house.release(1, 0..50);
    house.stage(2, 0..60).expect("staged");
    let path = house.folder.join("staged/2.targets.json");
    let whole = crate::read(&path);
    assert_eq!(house.repository().check(house.now).expect("checked").faults, [""; 0]);
    for (what, change) in changes {
        let mut staged: serde_json::Value = serde_json::from_slice(&whole).expect("JSON");
        change(&mut staged["signed"]);
        std::fs::write(&path, staged.to_string()).expect("written");
        let keys = house.some(&["org-a", "org-b"]);
        let refused = house.repository().sign(&keys, house.now).expect_err(what);
        let RepositoryError::Foreign(said) = refused else { panic!("{what}: {refused}") };
        assert!(said.contains(what), "{said}");
        let refused = house.finish(&["online"]);
        assert!(matches!(refused, Err(RepositoryError::Foreign(_))), "{what}: {refused:?}");
        let checked = house.repository().check(house.now).expect("checked");
        assert!(checked.faults.iter().any(|fault| fault.contains(what)), "{:?}", checked.faults);
    }
    // Not under a later number either, which would leave room for none after it.
    std::fs::remove_file(&path).expect("removed");
    let text = String::from_utf8(whole).expect("UTF-8").replace("\"version\":2}", "\"version\":9}");
    std::fs::write(house.folder.join("staged/9.targets.json"), text).expect("written");
    let refused = house.repository().sign(&house.some(&["org-a"]), house.now);
    assert!(matches!(refused, Err(RepositoryError::Foreign(_))), "{refused:?}");
}

#[test]
fn signatures_come_together_from_copies() {
    let mut house = House::new();
    house.release(1, 0..50);
    house.stage(2, 0..60).expect("staged");
    let path = house.folder.join("staged/2.targets.json");
    let unsigned = crate::read(&path);
    let signed_by = |name| {
        std::fs::write(&path, &unsigned).expect("written");
        house.sign(&[name]);
        crate::read(&path)
    };
    let (a, b) = (signed_by("org-a"), signed_by("org-b"));
    // A signature that is another document's counts for nothing.
    let text = String::from_utf8(b.clone()).expect("UTF-8");
    let forged = text.replacen("\"sig\":\"30", "\"sig\":\"31", 1);
    assert_ne!(forged, text);
    std::fs::write(&path, &a).expect("written");
    let progress = house.repository().merge(forged.as_bytes()).expect("a copy");
    assert!(!progress[0].enough);
    let progress = house.repository().merge(&b).expect("a copy");
    assert!(progress[0].enough && progress[0].missing == ["org-c"], "{progress:?}");
    let other = text.replace("\"version\":2", "\"version\":3");
    let refused = house.repository().merge(other.as_bytes());
    assert_eq!(refused, Err(RepositoryError::OtherDocument));
    house.finish(&["online"]).expect("published");
}

#[test]
fn deltas_lead_from_release_to_release_and_from_anchor_to_anchor() {
    let mut house = House::new();
    let mut lists = BTreeMap::new();
    for version in 1..=44 {
        let rows = version as u32 * 2;
        house.release(version, rows..400 + rows * 3);
        lists.insert(version, house.target(version, "demo.presend").expect("a list"));
    }
    let targets = house.metadata("44.targets.json");
    let names: Vec<&String> =
        targets["signed"]["targets"].as_object().expect("targets").keys().collect();
    let mut edges: Vec<(u64, u64)> = names
        .iter()
        .filter_map(|name| name.strip_prefix("demo.")?.strip_suffix(".delta"))
        .filter_map(|edge| edge.split_once('-'))
        .map(|(from, to)| (from.parse().expect("a number"), to.parse().expect("a number")))
        .collect();
    edges.sort();
    let mut expected: Vec<(u64, u64)> = (9..44).map(|from| (from, from + 1)).collect();
    expected.extend([(8, 15), (15, 22), (22, 29), (29, 36), (36, 43)]);
    expected.sort();
    assert_eq!(edges, expected);
    for (from, to) in edges {
        let delta = house.target(44, &format!("demo.{from}-{to}.delta")).expect("a delta");
        let old = HashList::open(lists[&from].clone()).expect("a list");
        assert!(delta::apply(&old, &delta).as_ref() == Ok(&lists[&to]), "{from} to {to}");
    }
    // Whole lists of old releases go; the anchor of the next week stays.
    let kept: Vec<u64> = lists
        .iter()
        .filter(|(version, _)| house.target(**version, "demo.presend").is_some())
        .map(|(version, _)| *version)
        .collect();
    assert_eq!(kept, [42, 43, 44]);
    let packed = house.target(44, "demo.packed").expect("packed");
    assert!(delta::unpack(&packed).as_ref() == Ok(&lists[&44]));
    let checked = house.repository().check(house.now).expect("checked");
    assert_eq!(checked.faults, [""; 0]);
    assert_eq!(checked.lists[0].deltas.iter().filter(|delta| delta.tried).count(), 1);
    let report = house.repository().report("demo", None).expect("a report");
    assert_eq!(report.releases.len(), 44);
    let last = report.releases.last().expect("a release");
    assert_eq!(last.signing.signed, ["org-a", "org-b"]);
    // Four come and two go, by the ranges above.
    let change = last.manifest.change.expect("a change");
    assert_eq!((change.version, change.added, change.removed), (43, 6, 2));
}

#[test]
fn deltas_that_no_longer_lead_to_the_list_go() {
    let mut house = House::new();
    // 3 * 341 fingerprints are 1023, 3 * 345 more than 1024: they get longer.
    house.release(1, 0..330);
    house.release(2, 0..341);
    assert!(house.target(2, "demo.1-2.delta").is_some());
    house.release(3, 0..345);
    let targets = house.metadata("3.targets.json");
    let names: Vec<&String> =
        targets["signed"]["targets"].as_object().expect("targets").keys().collect();
    assert_eq!(names, ["demo.manifest.json", "demo.packed", "demo.presend"]);
    let store = house.client("a");
    assert_eq!(house.update(&store), Answer::Updated);
    assert_eq!(version(&store), Some(3));
}

#[test]
fn an_edition_that_does_not_follow_is_not_staged() {
    let mut house = House::new();
    let none = house.repository().stage_release(&[], &Scope::default(), house.now, false);
    assert!(matches!(none, Err(RepositoryError::List(what)) if what.contains("needs a --list")));
    house.release(5, 0..50);
    let said = |result: Result<(), RepositoryError>| match result {
        Err(RepositoryError::List(what)) => what,
        other => panic!("{other:?}"),
    };
    assert!(said(house.stage(5, 0..60)).contains("--version 6"));
    let edition = house.edition(6, 0..60);
    let other = house.edition(6, 0..61);
    let mixed = Edition { list: edition.list, manifest: other.manifest, proof: None };
    let stage = |edition| {
        let scope = Scope::default();
        said(house.repository().stage_release(&[edition], &scope, house.now, false).map(|_| ()))
    };
    assert!(stage(mixed).contains("belongs to another list"));
    let mut edition = house.edition(6, 0..60);
    let manifest = String::from_utf8(edition.manifest).expect("UTF-8");
    edition.manifest =
        manifest.replace("\"change\":{\"version\":5", "\"change\":{\"version\":4").into();
    assert!(stage(edition).contains("compares with version 4, and version 5 is released"));
}

#[test]
fn lists_of_one_repository_do_not_touch_each_other() {
    let house = House::new();
    let release = |editions: &[Edition]| {
        let scope = Scope::default();
        house.repository().stage_release(editions, &scope, house.now, false).expect("staged");
        house.sign(&["org-a", "org-b"]);
        house.finish(&["online"]).expect("published");
    };
    let names = |number: u64| {
        let targets = house.metadata(&format!("{number}.targets.json"));
        let targets = targets["signed"]["targets"].as_object().expect("targets").clone();
        let hash = |facts: &serde_json::Value| facts["hashes"]["sha256"].to_string();
        targets.iter().map(|(name, facts)| (name.clone(), hash(facts))).collect::<BTreeMap<_, _>>()
    };
    // One name begins with the other.
    let mut proven = house.edition_of("demo-2", 7, 0..40);
    proven.proof = Some(b"a proof".to_vec());
    release(&[house.edition_of("demo", 1, 0..50), proven]);
    let first = names(1);
    assert_eq!(first.len(), 7);
    assert_eq!(house.target(1, "demo-2.sigsum").as_deref(), Some(&b"a proof"[..]));
    release(&[house.edition_of("demo", 2, 0..60)]);
    let second = names(2);
    assert_eq!(second.len(), 8);
    let of_other = |names: &BTreeMap<String, String>| -> Vec<(String, String)> {
        names.clone().into_iter().filter(|(name, _)| name.starts_with("demo-2.")).collect()
    };
    assert_eq!(of_other(&first), of_other(&second));
    // A proof is of one list's bytes.
    release(&[house.edition_of("demo-2", 8, 0..41)]);
    let third = names(3);
    assert!(!third.contains_key("demo-2.sigsum") && third.contains_key("demo-2.7-8.delta"));
    assert_eq!(third["demo.presend"], second["demo.presend"]);
    // Many releases of one later, the other is still whole.
    for version in 3..8 {
        release(&[house.edition_of("demo", version, 0..60 + version as u32)]);
    }
    let checked = house.repository().check(house.now).expect("checked");
    assert_eq!(checked.faults, [""; 0]);
    let lists: Vec<_> = checked.lists.iter().map(|list| (list.id.as_str(), list.version)).collect();
    assert_eq!(lists, [("demo-2", 8), ("demo", 7)]);
}

#[test]
fn a_scope_stays_until_it_is_changed() {
    let house = House::new();
    let mut scope = Scope::default();
    scope.action = Some("ask".to_owned());
    scope.views = Some(9);
    for (version, given, expected) in [
        (1, scope.clone(), serde_json::json!({ "action": "ask", "views": 9 })),
        (2, Scope::default(), serde_json::json!({ "action": "ask", "views": 9 })),
        (
            3,
            {
                scope.action = Some("warn".to_owned());
                scope
            },
            serde_json::json!({ "action": "warn", "views": 9 }),
        ),
    ] {
        let edition = house.edition(version, 0..50 + version as u32);
        house.repository().stage_release(&[edition], &given, house.now, false).expect("staged");
        house.sign(&["org-a", "org-b"]);
        house.finish(&["online"]).expect("published");
        let targets = house.metadata(&format!("{version}.targets.json"));
        let custom = &targets["signed"]["targets"]["demo.presend"]["custom"]["presend"];
        assert_eq!(custom, &serde_json::json!({ "version": version, "scope": expected }));
    }
}

#[test]
fn a_rotation_turns_no_client_away_when_the_old_keys_sign_once_more() {
    let mut house = House::new();
    house.release(1, 0..50);
    let store = house.client("before");
    assert_eq!(house.update(&store), Answer::Updated);
    house.root(&["root-b", "root-c"], &["org-b", "org-c"], "new-online");
    house.stage(2, 0..60).expect("staged");
    // By the old root and the new one, and the targets by the new.
    assert_eq!(house.sign(&["root-a", "root-b"]), [true, false, false]);
    assert_eq!(house.sign(&["root-c", "org-b"]), [true, true, false]);
    assert_eq!(house.sign(&["org-c"]), [true, true, true]);
    let published = house.finish(&["online", "new-online"]).expect("published");
    assert_eq!((published.root, published.rough), (Some(2), false));
    // Who has not seen the new root, which comes last, is served too.
    let root = house.folder.join("metadata/2.root.json");
    let written = |path: &Path| std::fs::metadata(path).and_then(|facts| facts.modified());
    let timestamp = written(&house.folder.join("metadata/timestamp.json"));
    assert!(written(&root).expect("a time") >= timestamp.expect("a time"));
    let hidden = house.folder.join("hidden");
    std::fs::rename(&root, &hidden).expect("hidden");
    assert_eq!(house.update(&store), Answer::Updated);
    std::fs::rename(&hidden, &root).expect("shown");
    assert_eq!(house.update(&store), Answer::Current);
    assert_eq!(house.update(&house.client("new")), Answer::Updated);
    // From then on the new key is enough, and the old one is none.
    assert_eq!(
        house.repository().renew(&house.some(&["online"]), house.now),
        Err(RepositoryError::Keys("timestamp".to_owned()))
    );
    house.repository().renew(&house.some(&["new-online"]), house.now).expect("renewed");
    assert_eq!(house.update(&store), Answer::Current);
}

#[test]
fn a_lost_online_key_is_replaced_all_the_same() {
    let mut house = House::new();
    house.release(1, 0..50);
    let store = house.client("a");
    assert_eq!(house.update(&store), Answer::Updated);
    house.root(&["root-a", "root-b"], &["org-a", "org-b", "org-c"], "new-online");
    house.sign(&["root-a", "root-b"]);
    assert!(house.finish(&["new-online"]).expect("published").rough);
    assert_eq!(house.update(&store), Answer::Current);
    assert_eq!(version(&store), Some(1));
}

#[test]
fn a_root_that_the_released_targets_do_not_satisfy_is_not_published() {
    let mut house = House::new();
    house.release(1, 0..50);
    // org-a and org-b have signed; without org-a one signature counts.
    house.root(&["root-a", "root-b"], &["org-b", "org-c"], "online");
    house.sign(&["root-a", "root-b"]);
    let before = published(&house.folder);
    assert_eq!(house.finish(&["online"]), Err(RepositoryError::TargetsBehind));
    assert!(published(&house.folder) == before);
    // The same lists, signed anew.
    let scope = Scope::default();
    house.repository().stage_release(&[], &scope, house.now, false).expect("staged");
    house.sign(&["org-b", "org-c"]);
    house.finish(&["online"]).expect("published");
    assert_eq!(house.update(&house.client("a")), Answer::Updated);
}

#[test]
fn what_expires_is_renewed_or_told() {
    let day = Duration::from_secs(24 * 60 * 60);
    let mut house = House::new();
    house.release(1, 0..50);
    let store = house.client("a");
    assert_eq!(house.update(&store), Answer::Updated);
    let renew = |house: &House| {
        house.repository().renew(&house.some(&["online"]), house.now).expect("renewed")
    };
    let start = house.now;
    // Day after day from cron; the timestamp holds for three, the snapshot for 14.
    let mut snapshots = Vec::new();
    for days in 1..=20 {
        house.now = start + day * days;
        let published = renew(&house);
        assert_eq!(u64::from(days) + 1, published.timestamp);
        assert!(published.due.is_empty());
        snapshots.push(published.snapshot);
        assert_eq!(house.update(&store), Answer::Current, "day {days}");
    }
    snapshots.dedup();
    assert_eq!(snapshots, [1, 2, 3]);
    // Cron has failed: the client says so, and goes on when it runs again.
    house.now += day * 3;
    let faults = house.repository().check(house.now).expect("checked").faults;
    assert_eq!(
        faults,
        ["a client would refuse the repository: the timestamp metadata has expired"]
    );
    assert!(matches!(house.update(&store), Answer::Stale(_)));
    house.now = start + day * 70;
    assert_eq!(renew(&house).due, BTreeMap::from([("targets".to_owned(), 20)]));
    assert_eq!(house.update(&store), Answer::Current);
    let scope = Scope::default();
    house.repository().stage_release(&[], &scope, house.now, false).expect("staged");
    house.sign(&["org-a", "org-c"]);
    assert!(house.finish(&["online"]).expect("published").due.is_empty());
    // A client would not take it any more, so it is not renewed.
    house.now = start + day * 400;
    let expired = house.repository().renew(&house.some(&["online"]), house.now);
    assert!(matches!(expired, Err(RepositoryError::Client(_))), "{expired:?}");
}

#[test]
fn damage_is_told_with_the_file() {
    let mut house = House::new();
    house.release(1, 0..50);
    house.release(2, 0..60);
    let check = || house.repository().check(house.now).expect("checked").faults;
    assert_eq!(check(), [""; 0]);
    for name in ["demo.presend", "demo.packed", "demo.manifest.json", "demo.1-2.delta"] {
        let targets = house.metadata("2.targets.json");
        let digest = &targets["signed"]["targets"][name]["hashes"]["sha256"];
        let path = house.folder.join(format!("targets/{}.{name}", digest.as_str().expect("hex")));
        let whole = crate::read(&path);
        let mut damaged = whole.clone();
        damaged[40] ^= 1;
        std::fs::write(&path, damaged).expect("written");
        let faults = check();
        assert_eq!(faults.len(), 2, "{name}: {faults:?}");
        assert!(faults[1].contains(name), "{faults:?}");
        std::fs::write(&path, whole).expect("written");
    }
}

#[test]
fn a_client_learns_which_organisations_have_signed() {
    let mut house = House::new();
    house.release(1, 0..50);
    let client = house.client("a");
    assert_eq!(house.update(&client), Answer::Updated);
    let signers = || client.release().expect("read").expect("a release").signers.expect("signers");
    let names = |names: &[String]| names.join(" ");
    let first = signers();
    assert_eq!(
        (names(&first.signed), names(&first.missing)),
        ("org-a org-b".into(), "org-c".into())
    );
    assert_eq!(first.threshold, 2);
    house.stage(2, 0..60).expect("staged");
    house.sign(&["org-c", "org-a"]);
    house.finish(&["online"]).expect("published");
    assert_eq!(house.update(&client), Answer::Updated);
    assert_eq!(names(&signers().missing), "org-b");
}

#[test]
fn who_only_looks_writes_nothing() {
    let mut house = House::new();
    house.release(1, 0..50);
    house.stage(2, 0..60).expect("staged");
    // Left by a kill at the very end; a writer would remove it.
    let released = house.folder.join("metadata/1.targets.json");
    std::fs::copy(released, house.folder.join("staged/1.targets.json")).expect("copied");
    std::fs::remove_file(house.folder.join("lock")).expect("removed");
    let files = |folder: &Path| {
        let mut files = published(folder);
        for part in ["staged", "staged/targets", ""] {
            for entry in std::fs::read_dir(folder.join(part)).expect("readable") {
                let path = entry.expect("readable").path();
                files.extend(path.is_file().then(|| (path.clone(), crate::read(&path))));
            }
        }
        files
    };
    let before = files(&house.folder);
    let repository = Repository::open_read_only(&house.folder).expect("readable");
    assert_eq!(repository.check(house.now).expect("checked").faults, [""; 0]);
    assert_eq!(repository.report("demo", None).expect("told").releases.len(), 1);
    let roles = house.roles(&["root-a", "root-b"], &["org-a", "org-b"], "online");
    let refused = repository.stage_root(&roles, house.now, true);
    assert!(matches!(refused, Err(RepositoryError::File { .. })), "{refused:?}");
    assert_eq!(files(&house.folder), before);
    let absent = house.folder.join("absent");
    assert!(Repository::open_read_only(&absent).is_err() && !absent.exists());
}

#[test]
fn a_finish_that_was_broken_off_is_run_again() {
    let mut house = House::new();
    house.release(1, 0..50);
    let store = house.client("a");
    assert_eq!(house.update(&store), Answer::Updated);
    house.stage(2, 0..60).expect("staged");
    house.sign(&["org-a", "org-b"]);
    // What it leaves that was killed before it replaced the timestamp.
    for entry in std::fs::read_dir(house.folder.join("staged/targets")).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_owned();
        std::fs::rename(&path, house.folder.join("targets").join(name)).expect("renamed");
    }
    let staged = house.folder.join("staged/2.targets.json");
    std::fs::copy(&staged, house.folder.join("metadata/2.targets.json")).expect("copied");
    std::fs::write(house.folder.join("metadata/2.snapshot.json"), b"half").expect("written");
    std::fs::write(house.folder.join("part"), b"half").expect("written");
    assert_eq!(house.update(&store), Answer::Current);
    let published = house.finish(&["online"]).expect("published");
    // A name that somebody may have copied is not used again.
    assert_eq!((published.targets, published.snapshot), (2, 3));
    assert_eq!(house.update(&store), Answer::Updated);
    // And one that was killed at the very end.
    std::fs::copy(house.folder.join("metadata/2.targets.json"), &staged).expect("copied");
    assert_eq!(house.finish(&["online"]), Err(RepositoryError::NothingStaged));
    assert!(!staged.exists());
}
