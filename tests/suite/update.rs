//! Updates from repositories that python-tuf wrote, and attacks on them.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use presend::HashList;
use presend::update::store::MetadataFolder;
use presend::update::tuf::{Repository, TargetName};
use presend::update::{
    Answer, FetchError, Folder, Store, Transport, TufError, UpdateError, Updater,
};

/// A state of a repository: what differs from `base/`, over `base/`.
struct State(&'static str);

impl Transport for State {
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        let open = |name: &str| {
            let folder = Folder::new(crate::root("tests/data/tuf").join(name));
            let bytes = whole(folder.open(path)?);
            Ok(Box::new(io::Cursor::new(bytes)) as Box<dyn Read>)
        };
        open(self.0).or_else(|_| open("base"))
    }
}

/// A state in which one file has been replaced.
struct Replaced<'a, F>(State, &'a str, F);

impl<R: Read + 'static, F: Fn(Box<dyn Read + '_>) -> R> Transport for Replaced<'_, F> {
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        let file = self.0.open(path)?;
        if path == self.1 { Ok(Box::new((self.2)(file))) } else { Ok(file) }
    }
}

/// A folder that goes away with the test.
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Temporary {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("presend-{}-{next}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn store(&self) -> Store {
        let store = Store::open(&self.0).expect("a store");
        store.trust(&root()).expect("a root");
        store
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn root() -> Vec<u8> {
    crate::read(crate::root("tests/data/tuf/base/metadata/1.root.json"))
}

/// Before all fixtures' 2100, and after the 2030 of those that have expired.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000)
}

fn update(store: &Store, transport: &dyn Transport) -> Answer {
    Updater::new(store, transport, "demo").update(now())
}

fn version(store: &Store) -> Option<u64> {
    let bytes = store.list().expect("the store is readable")?;
    Some(HashList::open(bytes).expect("a list").version())
}

/// That a client which has `before` turns `attack` down, keeps its list, and
/// takes the next honest state.
fn refused(before: &'static str, attack: &dyn Transport) -> UpdateError {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State(before)), Answer::Updated);
    let had = version(&store);
    let error = match update(&store, attack) {
        Answer::Refused(error) | Answer::Stale(error) => error,
        answer => panic!("{answer:?}"),
    };
    assert_eq!(version(&store), had, "after {error}");
    assert!(matches!(update(&store, &State(before)), Answer::Current), "after {error}");
    if before == "base" {
        assert_eq!(update(&store, &State("release-2")), Answer::Updated, "after {error}");
        assert_eq!(version(&store), Some(2));
    }
    error
}

fn said(before: &'static str, attack: &'static str) -> String {
    refused(before, &State(attack)).to_string()
}

// What holds.

#[test]
fn a_repository_by_python_tuf_is_followed_from_release_to_release() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(version(&store), None);
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    assert_eq!(version(&store), Some(1));
    assert_eq!(update(&store, &State("base")), Answer::Current);
    assert_eq!(update(&store, &State("release-2")), Answer::Updated);
    assert_eq!(version(&store), Some(2));
}

#[test]
fn a_release_by_python_tuf_is_caught_up_with_by_its_delta() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    // It alone could not be followed: the list itself is not there.
    let other = |_: Box<dyn Read + '_>| io::Cursor::new(b"not the list");
    assert_eq!(update(&store, &Replaced(State("every-way"), FETCHED[3], other)), Answer::Updated);
    assert_eq!(version(&store), Some(2));
    let release = store.release().expect("readable").expect("a release");
    let manifest = release.manifest.expect("a manifest");
    assert!(manifest.ends_with(b"\"a later field\": [\"of\", 2]}"));
    assert_eq!(release.scope.probes, Some(294_912));
    let signers = release.signers.expect("signers");
    // All three have, and this root names no organisations: keys go by their ids.
    let root = crate::read(crate::root("tests/data/tuf/base/metadata/1.root.json"));
    let root: serde_json::Value = serde_json::from_slice(&root).expect("JSON");
    let ids = &root["signed"]["roles"]["targets"]["keyids"];
    let mut known: Vec<&str> =
        [&signers.signed, &signers.missing].into_iter().flatten().map(String::as_str).collect();
    known.sort_unstable();
    let mut ids: Vec<&str> =
        ids.as_array().expect("ids").iter().map(|id| id.as_str().expect("an id")).collect();
    ids.sort_unstable();
    assert_eq!((known, signers.threshold, signers.signed.len()), (ids, 2, 3));
    assert!(release.expires.expect("a time") > now());
}

#[test]
fn a_timestamp_that_is_only_renewed_leaves_the_list() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    assert_eq!(update(&store, &State("renewed-timestamp")), Answer::Current);
    let error = "the timestamp metadata goes back to an earlier version";
    let answer = update(&store, &State("base"));
    assert!(matches!(&answer, Answer::Refused(why) if why.to_string() == error), "{answer:?}");
    assert_eq!(version(&store), Some(1));
}

#[test]
fn sound_changes_of_a_repository_are_followed() {
    for state in
        ["rotated-root-keys", "recovered-online-keys", "unknown-fields", "an-rsa-key-beside"]
    {
        let folder = Temporary::new();
        let store = folder.store();
        assert_eq!(update(&store, &State("base")), Answer::Updated, "{state}");
        assert_eq!(update(&store, &State(state)), Answer::Updated, "{state}");
        assert_eq!(version(&store), Some(2), "{state}");
    }
}

#[test]
fn a_target_is_looked_for_depth_first_and_cycles_end() {
    let folder = Temporary::new();
    let mut trusted = MetadataFolder::new(&folder.0);
    fs::write(folder.0.join("root.json"), root()).expect("a root");
    let state = State("delegations");
    let mut repository = Repository::refresh(&state, &mut trusted, now()).expect("fresh");
    let mut length = |name: &str| {
        let name = TargetName::new(name).expect("a name");
        repository.find(&name).map(|facts| (facts.length(), facts.are_of(b"of c")))
    };
    assert_eq!(length("b.txt"), Ok((4, true)));
    assert_eq!(length("b.bin"), Ok((8, false)));
    assert_eq!(length("stopped"), Err(TufError::NoTarget));
    assert_eq!(length("no/such"), Err(TufError::NoTarget));
    let saved: Vec<_> = fs::read_dir(&folder.0).expect("readable").collect();
    assert_eq!(saved.len(), 8, "{saved:?}");
}

#[test]
fn only_what_was_verified_is_saved() {
    let folder = Temporary::new();
    fs::write(folder.0.join("root.json"), root()).expect("a root");
    let mut trusted = MetadataFolder::new(&folder.0);
    Repository::refresh(&State("mix-and-match"), &mut trusted, now()).expect_err("mixed");
    let mut names: Vec<_> = fs::read_dir(&folder.0)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["root.json", "snapshot.json", "timestamp.json"]);
}

#[test]
fn of_two_updates_at_once_one_waits() {
    let folder = Temporary::new();
    let store = folder.store();
    let answers = thread::scope(|scope| {
        let updates: Vec<_> = (0..8)
            .map(|n| {
                let state = State(if n % 2 == 0 { "base" } else { "release-2" });
                let store = &store;
                scope.spawn(move || update(store, &state))
            })
            .collect();
        updates.into_iter().map(|update| update.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(answers.contains(&Answer::Updated), "{answers:?}");
    assert_eq!(version(&store), Some(2));
}

#[test]
fn a_commit_that_is_broken_off_leaves_the_old_release() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    // What a commit leaves that was killed before its last rename.
    fs::create_dir(folder.0.join("generations/3")).expect("a folder");
    fs::write(folder.0.join("generations/3/root.json"), b"half").expect("a file");
    fs::write(folder.0.join("lists/part"), b"half").expect("a file");
    fs::write(folder.0.join("current.part"), b"").expect("a file");
    assert_eq!(version(&store), Some(1));
    assert_eq!(update(&store, &State("release-2")), Answer::Updated);
    assert_eq!(version(&store), Some(2));
    assert!(!folder.0.join("lists/part").exists());
}

#[test]
fn a_list_that_the_disk_has_damaged_is_fetched_again() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    for list in fs::read_dir(folder.0.join("lists")).expect("readable") {
        fs::write(list.expect("readable").path(), b"damaged").expect("written");
    }
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    assert_eq!(version(&store), Some(1));
}

#[test]
fn without_a_root_nothing_is_asked_for() {
    let folder = Temporary::new();
    let store = Store::open(&folder.0).expect("a store");
    let answer = update(&store, &State("base"));
    assert_eq!(answer, Answer::Refused(TufError::NoRoot.into()));
}

// Attacks.

#[test]
fn rollbacks_of_each_role_are_refused() {
    assert_eq!(
        said("base", "rollback-of-the-root"),
        "the root metadata is of another version than promised"
    );
    assert_eq!(said("release-2", "base"), "the timestamp metadata goes back to an earlier version");
    assert_eq!(
        said("release-2", "rollback-of-the-snapshot"),
        "the snapshot metadata goes back to an earlier version"
    );
    assert_eq!(
        said("release-2", "rollback-of-the-targets"),
        "the targets metadata goes back to an earlier version"
    );
}

#[test]
fn expired_metadata_is_still_a_floor() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("release-2")), Answer::Updated);
    let late = now() + Duration::from_secs(10_000_000_000);
    let answer = Updater::new(&store, &State("base"), "demo").update(late);
    assert!(matches!(answer, Answer::Stale(_) | Answer::Refused(_)), "{answer:?}");
    let answer = update(&store, &State("base"));
    let expected = "the timestamp metadata goes back to an earlier version";
    assert!(matches!(&answer, Answer::Refused(error) if error.to_string() == expected));
}

#[test]
fn a_freeze_shows_when_the_timestamp_expires() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    // The attacker serves the same files for ever; the root is long-lived too.
    let late = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    let answer = Updater::new(&store, &State("base"), "demo").update(late);
    let Answer::Stale(error) = answer else { panic!("{answer:?}") };
    assert!(error.to_string().ends_with("has expired"), "{error}");
    assert_eq!(version(&store), Some(1));
}

#[test]
fn expired_metadata_of_each_role_is_refused() {
    for (attack, role) in [
        ("an-expired-root", "root"),
        ("an-expired-timestamp", "timestamp"),
        ("an-expired-snapshot", "snapshot"),
        ("expired-targets", "targets"),
    ] {
        let folder = Temporary::new();
        let store = folder.store();
        assert_eq!(update(&store, &State("base")), Answer::Updated);
        let answer = update(&store, &State(attack));
        let Answer::Stale(error) = answer else { panic!("{attack}: {answer:?}") };
        assert_eq!(error.to_string(), format!("the {role} metadata has expired"));
        assert_eq!(version(&store), Some(1));
    }
}

#[test]
fn mixed_releases_are_refused() {
    assert_eq!(
        said("base", "mix-and-match"),
        "the targets metadata has another length or hash than promised"
    );
}

#[test]
fn a_list_of_another_length_or_hash_is_refused() {
    for attack in ["wrong-length", "wrong-hash"] {
        assert_eq!(said("base", attack), "the target has another length or hash than promised");
    }
}

#[test]
fn what_too_few_have_signed_is_refused() {
    for attack in
        ["one-signature-short", "the-same-key-under-two-names", "a-key-that-is-not-in-the-role"]
    {
        assert_eq!(
            said("base", attack),
            "the targets metadata is not signed by enough of its keys",
            "{attack}"
        );
    }
}

#[test]
fn the_same_signature_twice_is_malformed() {
    assert_eq!(said("base", "the-same-signature-twice"), "the targets metadata is malformed");
}

#[test]
fn a_threshold_of_nothing_is_malformed() {
    assert_eq!(said("base", "a-threshold-of-0"), "the root metadata is malformed");
}

#[test]
fn a_root_follows_from_the_one_before() {
    assert_eq!(
        said("base", "a-root-that-is-skipped"),
        "the root metadata is of another version than promised"
    );
    for attack in ["a-root-that-the-old-keys-did-not-sign", "a-root-that-the-new-keys-did-not-sign"]
    {
        assert_eq!(
            said("base", attack),
            "the root metadata is not signed by enough of its keys",
            "{attack}"
        );
    }
}

#[test]
fn a_timestamp_by_a_stolen_key_does_not_shut_out_the_next_release() {
    // `refused` shows that the last release is served and the next one taken.
    let error = refused("base", &State("a-fast-forwarded-timestamp"));
    assert!(error.to_string().contains("snapshot.json could not be fetched"), "{error}");
}

#[test]
fn a_timestamp_by_a_stolen_key_is_forgotten_with_the_key() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    // It names the release in use, so it holds, and is the floor until its key goes.
    let forward = State("a-fast-forwarded-timestamp-of-the-same-release");
    assert_eq!(update(&store, &forward), Answer::Current);
    assert!(matches!(update(&store, &State("release-2")), Answer::Refused(_)));
    assert_eq!(version(&store), Some(1));
    assert_eq!(update(&store, &State("recovered-online-keys")), Answer::Updated);
    assert_eq!(version(&store), Some(2));
}

#[test]
fn a_snapshot_by_a_stolen_key_is_forgotten_with_the_key() {
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("base")), Answer::Updated);
    assert_eq!(update(&store, &State("a-fast-forwarded-snapshot")), Answer::Current);
    assert!(!matches!(update(&store, &State("release-2")), Answer::Updated));
    assert_eq!(version(&store), Some(1));
    // The timestamp's key stays, and so would what it says of the snapshot.
    assert_eq!(update(&store, &State("a-recovered-snapshot-key")), Answer::Updated);
    assert_eq!(version(&store), Some(2));
}

#[test]
fn a_list_under_another_name_or_id_is_refused() {
    assert_eq!(said("base", "a-list-under-another-name"), "the repository has no such target");
    let folder = Temporary::new();
    let store = folder.store();
    let state = State("a-list-under-another-name");
    let answer = Updater::new(&store, &state, "other").update(now());
    assert_eq!(answer, Answer::Refused(UpdateError::OtherList));
}

#[test]
fn a_target_cannot_be_asked_for_outside_the_repository() {
    // The repository signs such a name; everything else of it is in order.
    let folder = Temporary::new();
    let store = folder.store();
    assert_eq!(update(&store, &State("a-path-that-escapes")), Answer::Updated);
    let state = State("a-path-that-escapes");
    for id in ["../../demo", "/demo", "a\\demo", "."] {
        let folder = Temporary::new();
        let store = folder.store();
        let answer = Updater::new(&store, &state, id).update(now());
        let refused = [UpdateError::Id, UpdateError::Repository(TufError::NoTarget)];
        assert!(
            matches!(&answer, Answer::Refused(error) if refused.contains(error)),
            "{id}: {answer:?}"
        );
    }
    assert_eq!(TargetName::new("../../demo.presend"), None);
}

/// The files of `release-2` that a client with `base` fetches.
const FETCHED: [&str; 4] = [
    "metadata/timestamp.json",
    "metadata/2.snapshot.json",
    "metadata/2.targets.json",
    "targets/4500c0bce93e1dbab1cfc0e38be9275c6258b707869b2e1bfaab7246164686e9.demo.presend",
];

fn whole(mut file: Box<dyn Read + '_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("a fixture");
    bytes
}

#[test]
fn endless_data_is_cut_off() {
    for file in FETCHED {
        let endless =
            |file: Box<dyn Read + '_>| io::Cursor::new(whole(file)).chain(io::repeat(b' '));
        refused("base", &Replaced(State("release-2"), file, endless));
    }
}

#[test]
fn truncated_files_are_refused() {
    for file in FETCHED {
        for cut in [1, 100, 400] {
            let truncated = move |file: Box<dyn Read + '_>| {
                let mut bytes = whole(file);
                bytes.truncate(bytes.len() - cut);
                io::Cursor::new(bytes)
            };
            refused("base", &Replaced(State("release-2"), file, truncated));
        }
    }
}

/// Only white space and the order of keys are not signed, and of the timestamp
/// and the root nothing but the signatures tells.
#[test]
fn flipped_bits_are_refused_in_every_file() {
    let root = ["metadata/2.root.json"];
    let files = FETCHED.iter().map(|file| ("release-2", *file));
    for (state, file) in files.chain(root.map(|file| ("recovered-online-keys", file))) {
        let may_pass = file == "metadata/timestamp.json" || file == root[0];
        let mut folder = Temporary::new();
        let mut store = folder.store();
        assert_eq!(update(&store, &State("base")), Answer::Updated);
        let length = whole(State(state).open(file).expect("a fixture")).len();
        let mut passed = 0;
        for at in (0..length).step_by(5) {
            let flip = move |file: Box<dyn Read + '_>| {
                let mut bytes = whole(file);
                bytes[at] ^= 1 << (at % 8);
                io::Cursor::new(bytes)
            };
            let answer = update(&store, &Replaced(State(state), file, flip));
            if may_pass && answer == Answer::Updated {
                passed += 1;
                folder = Temporary::new();
                store = folder.store();
                assert_eq!(update(&store, &State("base")), Answer::Updated);
            } else {
                assert!(
                    matches!(answer, Answer::Refused(_) | Answer::Stale(_)),
                    "byte {at} of {file}"
                );
                assert_eq!(version(&store), Some(1), "byte {at} of {file}");
            }
        }
        assert!(passed * 10 < length, "{passed} of {file}");
    }
}

#[test]
fn huge_and_deep_json_is_malformed() {
    for text in [
        "[".repeat(16_000),
        "{\"a\":".repeat(3_000),
        format!("{{\"signed\":{}1{}}}", "[".repeat(40), "]".repeat(40)),
        format!("[{}1]", "1,".repeat(8_000)),
    ] {
        let replace = move |_: Box<dyn Read + '_>| io::Cursor::new(text.clone().into_bytes());
        let file = "metadata/timestamp.json";
        let error = refused("base", &Replaced(State("release-2"), file, replace));
        assert_eq!(error.to_string(), "the timestamp metadata is malformed");
    }
    let huge = |_: Box<dyn Read + '_>| io::Cursor::new(vec![b'['; 10_000_000]);
    let root = State("recovered-online-keys");
    let error = refused("base", &Replaced(root, "metadata/2.root.json", huge));
    assert_eq!(error.to_string(), "the root metadata is too long");
}

#[test]
fn a_key_that_comes_twice_is_malformed() {
    let twice = |file: Box<dyn Read + '_>| {
        let text = String::from_utf8(whole(file)).expect("UTF-8");
        let signed = "\"_type\": \"timestamp\",";
        assert!(text.contains(signed));
        io::Cursor::new(text.replace(signed, &format!("{signed} {signed}")).into_bytes())
    };
    let file = "metadata/timestamp.json";
    let error = refused("base", &Replaced(State("release-2"), file, twice));
    assert_eq!(error.to_string(), "the timestamp metadata is malformed");
}

#[test]
fn a_role_of_any_name_is_one_file() {
    let folder = Temporary::new();
    let mut trusted = MetadataFolder::new(&folder.0);
    fs::write(folder.0.join("root.json"), root()).expect("a root");
    let state = State("delegations");
    let mut repository = Repository::refresh(&state, &mut trusted, now()).expect("fresh");
    let name = TargetName::new("stopped").expect("a name");
    assert_eq!(repository.find(&name), Err(TufError::NoTarget));
    assert!(folder.0.join("stop%20here.json").exists());
}

#[test]
fn a_file_that_is_no_root_leaves_a_store_without_one() {
    let folder = Temporary::new();
    let store = Store::open(&folder.0).expect("a store");
    let snapshot = crate::root("tests/data/tuf/base/metadata/timestamp.json");
    let text = String::from_utf8(root()).expect("UTF-8");
    let tampered = text.replace("\"threshold\": 2", "\"threshold\": 1");
    assert_ne!(text, tampered);
    for wrong in [b"not a root".to_vec(), crate::read(snapshot), tampered.into_bytes()] {
        let error = store.trust(&wrong).expect_err("no root");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
    store.trust(&root()).expect("a root");
    assert_eq!(update(&store, &State("base")), Answer::Updated);
}

#[test]
fn without_a_list_that_can_be_used_nothing_is_merely_stale() {
    for damage in [None, Some(b"damaged")] {
        let folder = Temporary::new();
        let store = folder.store();
        assert_eq!(update(&store, &State("base")), Answer::Updated);
        assert!(matches!(update(&store, &Away), Answer::Stale(_)));
        for list in fs::read_dir(folder.0.join("lists")).expect("readable") {
            let path = list.expect("readable").path();
            match damage {
                None => fs::remove_file(path).expect("removed"),
                Some(bytes) => fs::write(path, bytes).expect("written"),
            }
        }
        assert!(matches!(update(&store, &Away), Answer::Refused(_)));
    }
}

/// A repository that cannot be reached.
struct Away;

impl Transport for Away {
    fn open(&self, _: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        Err(FetchError::Failed("away".into()))
    }
}
