//! From the list that a client has to the one that is signed, by whichever files
//! are fewest bytes.

use presend::HashList;
use presend::hash::views::ViewSet;
use presend::list::delta;
use presend::publish::Built;
use presend::update::{Action, Answer, Scope, Store, TufError, UpdateError, Updater};
use serde_json::{Value, json};

use crate::served::{Releases, edition, now, store};
use crate::update::Temporary;

/// 0.5 % of the entries come and half as many go each day.
fn day(version: u64) -> Built {
    let (gone, come) = (5 * version as u32, 10 * version as u32);
    edition(version, gone..2000 + come)
}

fn open(built: &Built) -> HashList {
    HashList::open(built.list.clone()).expect("a list")
}

fn put_delta(releases: &mut Releases, from: &Built, to: &Built) {
    let (old, new) = (open(from), open(to));
    let name = format!("daily.{}-{}.delta", old.version(), new.version());
    releases.put(&name, delta::diff(&old, &new).expect("editions of one list"));
}

/// A release of the latest of these, with a delta from each to the next.
fn release(days: &[Built]) -> Releases {
    let mut releases = Releases::default();
    for pair in days.windows(2) {
        put_delta(&mut releases, &pair[0], &pair[1]);
    }
    put_whole(&mut releases, days.last().expect("a day"));
    releases
}

fn put_whole(releases: &mut Releases, built: &Built) {
    releases.put_list(built, json!({}));
    releases.put("daily.packed", delta::pack(&open(built)).expect("an open list"));
    let manifest = serde_json::to_vec(&built.manifest).expect("JSON");
    releases.put("daily.manifest.json", manifest);
}

/// A client with this edition.
fn client(folder: &Temporary, built: &Built) -> Store {
    let store = store(&folder.0);
    let mut first = Releases::default();
    first.put_list(built, Value::Null);
    first.sign();
    assert_eq!(update(&store, &first), Answer::Updated);
    store
}

fn update(store: &Store, releases: &Releases) -> Answer {
    Updater::new(store, releases, "daily").update(now())
}

fn is_there(store: &Store, built: &Built) -> bool {
    store.list().expect("readable").as_deref() == Some(&built.list)
}

/// A client's second release: [`client`] has taken number 1 of another repository.
fn sign(releases: &mut Releases) {
    releases.sign();
    releases.sign();
}

#[test]
fn a_day_costs_one_delta() {
    let days = [day(1), day(2)];
    let folder = Temporary::new();
    let store = client(&folder, &days[0]);
    let mut releases = release(&days);
    sign(&mut releases);
    assert_eq!(update(&store, &releases), Answer::Updated);
    assert_eq!(releases.asked(), ["daily.manifest.json", "daily.1-2.delta"]);
    assert!(is_there(&store, &days[1]));
    assert_eq!(update(&store, &releases), Answer::Current);
    assert_eq!(releases.asked(), [""; 0]);
}

#[test]
fn a_month_is_caught_up_by_weeks() {
    let days: Vec<_> = (1..=31).map(day).collect();
    let folder = Temporary::new();
    let store = client(&folder, &days[0]);
    let mut releases = release(&days);
    for week in 0..4 {
        put_delta(&mut releases, &days[7 * week], &days[7 * week + 7]);
    }
    sign(&mut releases);
    assert_eq!(update(&store, &releases), Answer::Updated);
    let deltas = ["1-8", "8-15", "15-22", "22-29", "29-30", "30-31"];
    let deltas = deltas.map(|editions| format!("daily.{editions}.delta"));
    assert_eq!(releases.asked()[1..], deltas);
    assert!(is_there(&store, &days[30]));
}

#[test]
fn the_list_comes_whole_where_that_is_less() {
    // Nothing in common, so the delta is larger than the packed list.
    let days = [edition(1, 0..100), edition(2, 100..200)];
    let folder = Temporary::new();
    let store = client(&folder, &days[0]);
    let mut releases = release(&days);
    sign(&mut releases);
    assert_eq!(update(&store, &releases), Answer::Updated);
    assert_eq!(releases.asked()[1..], ["daily.packed"]);
    assert!(is_there(&store, &days[1]));
    // So few entries that the list itself is smaller than anything else.
    let few = edition(3, 0..1);
    put_whole(&mut releases, &few);
    releases.sign();
    assert_eq!(update(&store, &releases), Answer::Updated);
    assert_eq!(releases.asked()[1..], ["daily.presend"]);
    assert!(is_there(&store, &few));
}

#[test]
fn without_a_list_the_packed_one_is_fetched() {
    let folder = Temporary::new();
    let store = store(&folder.0);
    let mut releases = release(&[day(1)]);
    releases.sign();
    assert_eq!(update(&store, &releases), Answer::Updated);
    assert_eq!(releases.asked(), ["daily.manifest.json", "daily.packed"]);
}

#[test]
fn a_delta_that_lies_does_no_harm() {
    let days = [day(1), day(2), day(3)];
    let other = edition(2, 0..1900);
    let lies = |from: &Built, to: &Built| delta::diff(&open(from), &open(to)).expect("related");
    // Signed, and to another list; the middle one of a chain; not a delta; of a list
    // that nobody has. Then those that are not what was signed.
    let other_start = lies(&edition(1, 0..1800), &days[1]);
    for (name, lie) in [
        ("daily.1-2.delta", lies(&days[0], &other)),
        ("daily.1-2.delta", b"not a delta".to_vec()),
        ("daily.1-2.delta", other_start),
        ("daily.2-3.delta", b"not a delta".to_vec()),
        ("daily.2-3.delta", lies(&days[1], &edition(3, 0..1900))),
    ] {
        let folder = Temporary::new();
        let store = client(&folder, &days[0]);
        let mut releases = release(&days);
        releases.put(name, lie);
        sign(&mut releases);
        assert_eq!(update(&store, &releases), Answer::Updated);
        assert!(releases.asked().contains(&"daily.packed".to_owned()));
        assert!(is_there(&store, &days[2]));
    }
    for tampered in [["daily.1-2.delta", "-"], ["daily.2-3.delta", "daily.packed"]] {
        let folder = Temporary::new();
        let store = client(&folder, &days[0]);
        let mut releases = release(&days);
        sign(&mut releases);
        let names: Vec<_> = tampered.into_iter().filter(|&name| name != "-").collect();
        names.iter().for_each(|name| releases.tamper(name, b"something else"));
        assert_eq!(update(&store, &releases), Answer::Updated);
        let last = if names.len() == 1 { "daily.packed" } else { "daily.presend" };
        assert_eq!(releases.asked().last().expect("asked"), last);
        assert!(is_there(&store, &days[2]));
    }
}

#[test]
fn a_packed_list_that_lies_does_no_harm() {
    let other = delta::pack(&open(&edition(1, 0..1900))).expect("an open list");
    for lie in [other, b"not a packed list".to_vec()] {
        let folder = Temporary::new();
        let store = store(&folder.0);
        let mut releases = release(&[day(1)]);
        releases.put("daily.packed", lie);
        releases.sign();
        assert_eq!(update(&store, &releases), Answer::Updated);
        assert_eq!(releases.asked()[1..], ["daily.packed", "daily.presend"]);
        assert!(is_there(&store, &day(1)));
    }
}

#[test]
fn a_release_whose_every_way_lies_is_refused() {
    let days = [day(1), day(2)];
    let folder = Temporary::new();
    let store = client(&folder, &days[0]);
    let mut releases = release(&days);
    sign(&mut releases);
    for name in ["daily.1-2.delta", "daily.packed", "daily.presend"] {
        releases.tamper(name, b"something else");
    }
    assert_eq!(update(&store, &releases), Answer::Refused(TufError::OtherTarget.into()));
    assert!(is_there(&store, &days[0]));
}

#[test]
fn a_chain_of_deltas_is_never_long() {
    let days = [edition(1, 0..400), edition(200, 0..401)];
    let folder = Temporary::new();
    let store = client(&folder, &days[0]);
    let mut releases = release(&days[1..]);
    // Each is a byte; a client that followed them would make 199 lists.
    for n in 1..200 {
        releases.put(&format!("daily.{n}-{}.delta", n + 1), "x");
    }
    // None of these is a way forward.
    for name in ["daily.1-1.delta", "daily.200-1.delta", "daily.1-201.delta", "daily.1.delta"] {
        releases.put(name, "x");
    }
    sign(&mut releases);
    assert_eq!(update(&store, &releases), Answer::Updated);
    assert_eq!(releases.asked()[1..], ["daily.packed"]);
    assert!(is_there(&store, &days[1]));
}

#[test]
fn a_way_is_never_longer_than_the_list() {
    let days = [edition(1, 0..10), edition(2, 0..11)];
    let folder = Temporary::new();
    let store = client(&folder, &days[0]);
    let mut releases = release(&days);
    releases.put("daily.1-2.delta", vec![0; 100_000]);
    releases.put("daily.packed", vec![0; 100_000]);
    sign(&mut releases);
    assert_eq!(update(&store, &releases), Answer::Updated);
    assert_eq!(releases.asked()[1..], ["daily.presend"]);
}

#[test]
fn a_list_that_is_too_large_is_not_fetched() {
    let folder = Temporary::new();
    let store = store(&folder.0);
    let built = day(1);
    let mut releases = release(std::slice::from_ref(&built));
    releases.sign();
    let bytes = built.list.len() as u64;
    let updater = || Updater::new(&store, &releases, "daily");
    let too_large = Answer::Refused(UpdateError::TooLarge(bytes));
    assert_eq!(updater().most_bytes(bytes - 1).update(now()), too_large);
    assert_eq!(releases.asked(), [""; 0]);
    assert_eq!(updater().most_bytes(bytes).update(now()), Answer::Updated);
}

#[test]
fn the_manifest_is_kept_with_its_list() {
    let folder = Temporary::new();
    let store = store(&folder.0);
    let mut releases = release(&[day(1)]);
    releases.sign();
    assert_eq!(update(&store, &releases), Answer::Updated);
    let kept = || store.release().expect("readable").expect("a release");
    let manifest: Value =
        serde_json::from_slice(&kept().manifest.expect("a manifest")).expect("JSON");
    assert_eq!(manifest["version"], 1);
    assert!(std::fs::read(kept().list).expect("readable") == day(1).list);
    // It alone has changed.
    releases.put("daily.manifest.json", r#"{"note":"mended"}"#);
    releases.sign();
    releases.asked();
    assert_eq!(update(&store, &releases), Answer::Current);
    assert_eq!(releases.asked(), ["daily.manifest.json"]);
    assert_eq!(kept().manifest.expect("a manifest"), br#"{"note":"mended"}"#);
    // A release is taken whole or not at all.
    let before = kept();
    put_whole(&mut releases, &day(2));
    releases.put("daily.manifest.json", vec![b' '; (1 << 20) + 1]);
    releases.sign();
    let too_large = UpdateError::BesideTooLarge("manifest");
    assert_eq!(update(&store, &releases), Answer::Refused(too_large));
    assert!(kept() == before);
    put_whole(&mut releases, &day(2));
    releases.sign();
    releases.tamper("daily.manifest.json", b"{}");
    assert_eq!(update(&store, &releases), Answer::Refused(TufError::OtherTarget.into()));
    assert!(kept() == before);
}

#[test]
fn a_list_of_another_version_than_signed_is_refused() {
    let folder = Temporary::new();
    let store = store(&folder.0);
    let mut releases = Releases::default();
    let mut built = day(1);
    built.manifest.version = 7;
    releases.put_list(&built, Value::Null);
    releases.sign();
    let refused = UpdateError::OtherVersion { signed: 7, found: 1 };
    assert_eq!(update(&store, &releases), Answer::Refused(refused));
}

#[test]
fn parameters_that_widen_the_scope_are_refused() {
    let days = [day(1), day(2)];
    let folder = Temporary::new();
    let store = client(&folder, &days[0]);
    let mut releases = release(&days);
    sign(&mut releases);
    for (scope, member) in [
        (json!({ "action": "block" }), "action"),
        (json!({ "action": "ask", "views": 25 }), "views"),
        (json!({ "probes": (1 << 19) + 1 }), "probes"),
        (json!({ "action": "block", "views": 25, "probes": u64::MAX }), "action"),
    ] {
        releases.put_list(&days[1], scope);
        releases.sign();
        assert_eq!(update(&store, &releases), Answer::Refused(UpdateError::WiderScope(member)));
        assert!(is_there(&store, &days[0]));
    }
    for scope in [json!({ "action": "delete" }), json!({ "views": 26 }), json!({ "probes": -1 })] {
        releases.put_list(&days[1], scope);
        releases.sign();
        assert_eq!(update(&store, &releases), Answer::Refused(UpdateError::Facts));
    }
    // A host may grant more; and what is asked for is kept.
    let wide = json!({ "action": "block", "views": 25, "probes": 5, "later": "unknown" });
    releases.put_list(&days[1], wide);
    releases.sign();
    let cap = Scope { action: Some(Action::Block), views: Some(ViewSet::TwentyFive), probes: None };
    let answer = Updater::new(&store, &releases, "daily").most_scope(cap).update(now());
    assert_eq!(answer, Answer::Updated);
    let kept = store.release().expect("readable").expect("a release").scope;
    assert_eq!(kept, Scope { probes: Some(5), ..cap });
}

#[test]
fn a_list_that_a_delegated_role_has_signed_is_not_taken() {
    let folder = Temporary::new();
    let store = client(&folder, &day(1));
    let mut releases = release(&[day(2)]);
    releases.sign();
    releases.sign_as_delegated();
    let none = Answer::Refused(TufError::NoTarget.into());
    assert_eq!(update(&store, &releases), none);
    assert!(is_there(&store, &day(1)));
}

#[test]
fn a_list_that_names_no_action_is_held_to_the_one_granted() {
    let folder = Temporary::new();
    let store = client(&folder, &day(1));
    let kept = store.release().expect("readable").expect("a release").scope;
    assert_eq!(kept, Scope { action: Some(Action::Ask), ..Scope::default() });
}

#[test]
fn a_list_that_is_refused_does_not_stay_on_the_disk() {
    let folder = Temporary::new();
    let store = client(&folder, &day(1));
    let mut releases = Releases::default();
    sign(&mut releases);
    for version in 2..5 {
        let mut built = day(version);
        built.manifest.version = 7;
        releases.put_list(&built, Value::Null);
        releases.sign();
        let refused = UpdateError::OtherVersion { signed: 7, found: version };
        assert_eq!(update(&store, &releases), Answer::Refused(refused));
        let lists = std::fs::read_dir(folder.0.join("lists")).expect("readable");
        assert_eq!(lists.count(), 1);
    }
    assert!(is_there(&store, &day(1)));
}

#[test]
fn a_manifest_of_another_list_is_refused() {
    let folder = Temporary::new();
    let store = client(&folder, &day(1));
    let mut releases = release(&[day(1), day(2)]);
    sign(&mut releases);
    let digest = day(1).manifest.blake3;
    let (id, version) = (json!({ "id": "other" }), json!({ "version": 1 }));
    for manifest in [id, version, json!({ "blake3": digest }), json!("no manifest")] {
        releases.put("daily.manifest.json", manifest.to_string());
        releases.sign();
        assert_eq!(update(&store, &releases), Answer::Refused(UpdateError::OtherManifest));
        assert!(is_there(&store, &day(1)));
    }
}

#[test]
fn a_store_goes_on_with_its_own_list() {
    let folder = Temporary::new();
    let store = client(&folder, &day(1));
    let mut releases = release(&[day(1)]);
    releases.put("other.presend", day(2).list);
    sign(&mut releases);
    let answer = Updater::new(&store, &releases, "other").update(now());
    assert_eq!(answer, Answer::Refused(UpdateError::OtherStore));
    assert!(is_there(&store, &day(1)));
}
