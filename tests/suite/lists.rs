//! Hidden lists: what is put in is found, and nothing can be read out.

use presend::HashList;
use presend::hash::views::{View, ViewSet};
use presend::hash::{Algorithm, Digest, PerceptualHash};
use presend::list::{self, ListError};
use presend::publish::{self, BuildError, Built, Feed, Parameters};

/// 256 pseudo-random bits that BLAKE3 draws.
fn drawn(seed: u32) -> [u8; 32] {
    *blake3::hash(&seed.to_le_bytes()).as_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn feed(seeds: impl IntoIterator<Item = u32>) -> Feed {
    let rows: String = seeds
        .into_iter()
        .map(|seed| {
            let bytes = drawn(seed);
            let (algorithm, length) =
                [("pdq", 32), ("md5", 16), ("sha1", 20), ("sha256", 32), ("blake3", 32)]
                    [seed as usize % 5];
            format!("{algorithm},{}\n", hex(&bytes[..length]))
        })
        .collect();
    Feed::read(format!("algorithm,hex\n{rows}").as_bytes()).expect("rows")
}

fn parameters(profile: &str) -> Parameters {
    Parameters { id: "test-1".into(), version: 7, profile: profile.into(), salt: None }
}

fn built(feed: &Feed) -> Built {
    publish::build(&parameters("balanced"), feed).expect("it builds")
}

/// A view whose margins rise with the bit's number; `flips` are the bits in
/// which it differs from the hash drawn for `seed`.
fn view(seed: u32, flips: &[usize]) -> View {
    let mut words = PerceptualHash::from_bytes(drawn(seed)).words();
    for flip in flips {
        words[flip / 64] ^= 1 << (flip % 64);
    }
    let margins = std::array::from_fn(|n| if flips.contains(&n) { 0.01 } else { 1.0 + n as f32 });
    View { hash: PerceptualHash::from_words(words), margins }
}

fn digest(seed: u32) -> Digest {
    let algorithm = Algorithm::ALL[seed as usize % 5];
    Digest::new(algorithm, &drawn(seed)[..algorithm.bytes()]).expect("a digest")
}

#[test]
fn every_row_is_found_and_no_other() {
    let list = HashList::open(built(&feed(0..2000)).list).expect("it opens");
    for seed in 0..4000 {
        let found = match seed % 5 {
            0 => list.contains_near(&view(seed, &[]), 16),
            _ => list.contains(&digest(seed)),
        };
        assert_eq!(found, seed < 2000, "{seed}");
    }
}

#[test]
fn a_near_copy_is_found_by_its_uncertain_bits() {
    for profile in ["open", "balanced", "strict"] {
        let built = publish::build(&parameters(profile), &feed([10])).expect("it builds");
        let list = HashList::open(built.list).expect("it opens");
        assert_eq!(list.header().profile(), profile);
        // Flipped bits all over the hash, those with the smallest margins.
        let flips: Vec<usize> = (0..12).map(|n| n * 21 + 3).collect();
        assert!(!list.contains_near(&view(10, &flips), 1), "{profile}");
        assert!(list.contains_near(&view(10, &flips), 1 << 16), "{profile}");
        assert!(list.contains_near(&view(10, &flips[..6]), 1 << 12), "{profile}");
        assert!(!list.contains_near(&view(15, &[]), 1 << 12), "{profile}");
    }
}

#[test]
fn the_order_of_rows_and_feeds_leaves_no_trace() {
    let rows = |a: &str, b: &str| {
        let hex = hex(&drawn(7));
        let csv = format!("algorithm,hex,category\npdq,{hex},{a}\npdq,{hex},{b}\n");
        Feed::read(csv.as_bytes()).expect("rows")
    };
    let mut one = feed(0..100);
    one.merge(rows("a", "b"));
    let mut other = rows("b", "a");
    other.merge(feed((50..100).rev()));
    other.merge(feed(0..50));
    let (one, other) = (built(&one), built(&other));
    assert_eq!(one.list, other.list);
    assert_eq!(one.manifest, other.manifest);
}

#[test]
fn digests_that_begin_alike_make_a_list_that_opens() {
    // A key holds 15 bytes of a digest, so these have 16 keys in all.
    let rows: String = (0..4096).map(|row| format!("md5,{row:032x}\n")).collect();
    let feed = Feed::read(format!("algorithm,hex\n{rows}").as_bytes()).expect("rows");
    let list = HashList::open(built(&feed).list).expect("it opens");
    assert_eq!((list.header().fingerprints, list.header().exact_entries), (16, 4096));
    let mut bytes = [0; 16];
    for (first, listed) in [(0, true), (1, false)] {
        bytes[0] = first;
        let digest = Digest::new(Algorithm::Md5, bytes.as_slice()).expect("a digest");
        assert_eq!(list.contains(&digest), listed);
    }
}

#[test]
fn id_and_salt_change_every_fingerprint_and_the_version_none() {
    let of = |change: fn(&mut Parameters)| {
        let mut parameters = parameters("balanced");
        change(&mut parameters);
        let list = publish::build(&parameters, &feed(0..10)).expect("it builds").list;
        list[256..list.len() - 32].to_vec()
    };
    let base = of(|_| {});
    assert_eq!(base, of(|_| {}));
    assert_eq!(base, of(|p| p.version = 8));
    assert_ne!(base, of(|p| p.id = "test-2".into()));
    assert_ne!(base, of(|p| p.salt = Some([1; 16])));
}

#[test]
fn one_bit_of_an_entry_changes_half_of_its_fingerprints() {
    let of = |flipped: u8| {
        let mut bytes = drawn(0);
        bytes[31] ^= flipped;
        let feed = Feed::read(format!("pdq {}\n", hex(&bytes)).as_bytes()).expect("a row");
        // The remainders, before the padding and the digest: 3 x 57 bits.
        let list = built(&feed).list;
        list[list.len() - 32 - 7 - 22..list.len() - 32 - 7].to_vec()
    };
    let base = of(0);
    for bit in 0..8 {
        let other = of(1 << bit);
        let changed: u32 = base.iter().zip(&other).map(|(a, b)| (a ^ b).count_ones()).sum();
        // The table is sorted, so even a band that does not hold the bit may move.
        assert!(changed == 0 || (15..120).contains(&changed), "bit {bit}: {changed} of 171");
    }
}

#[test]
fn entries_that_are_easily_guessed_stay_out_and_are_counted() {
    // A product of a row and a column, as of a plain frame; and two drawn ones.
    let row = "ce3a";
    let plain: String = (0..16).map(|n| if n % 3 == 0 { "31c5" } else { row }).collect();
    let rows = format!("pdq {plain}\npdq {}\npdq {}\n", hex(&drawn(1)), hex(&drawn(2)));
    let built = built(&Feed::read(rows.as_bytes()).expect("rows"));
    assert_eq!(built.manifest.left_out.easily_guessed, 1);
    assert_eq!(built.manifest.entries["pdq"], 2);
    let work = built.manifest.work.expect("there are entries");
    assert!(55.0 <= work.first && work.first <= work.half, "{work:?}");
    let list = HashList::open(built.list).expect("it opens");
    assert_eq!(list.header().near_entries, 2);
    let hash = PerceptualHash::from_hex(&plain).expect("64 digits");
    assert!(!list.contains_near(&View { hash, margins: [1.0; 256] }, 1));

    let alone = Feed::read(format!("pdq {plain}\n").as_bytes()).expect("a row");
    let refused = publish::build(&parameters("balanced"), &alone).map(|_| ());
    let left_out = BuildError::Empty { low_quality: 0, easily_guessed: 1 };
    assert_eq!(refused.expect_err("nothing is left"), left_out);
}

#[test]
fn a_list_that_is_guessed_too_soon_is_refused() {
    // A third are near the floor: a product with one corner in eight turned.
    let mut rows = String::new();
    for seed in 0..300u32 {
        let noise = PerceptualHash::from_bytes(drawn(seed)).words();
        let more = PerceptualHash::from_bytes(drawn(seed + 1000)).words();
        let third = PerceptualHash::from_bytes(drawn(seed + 2000)).words();
        let words =
            std::array::from_fn(|n| 0x31c5_ce3a_ce3a_31c5 ^ (noise[n] & more[n] & third[n]));
        rows += &format!("pdq {}\n", PerceptualHash::from_words(words).to_hex());
    }
    let feed = Feed::read(rows.as_bytes()).expect("rows");
    let refused = publish::build(&parameters("balanced"), &feed).map(|built| built.manifest.work);
    assert_eq!(refused, Err(BuildError::EasilyGuessed));
}

#[test]
fn one_entry_of_a_hundred_may_be_guessed_sooner() {
    // Eight near the floor among 300: three may stay, the hardest to guess.
    let mut rows: String =
        (0..292).map(|seed| format!("pdq {}\n", hex(&drawn(seed + 5000)))).collect();
    for n in 0..8 {
        let noise = PerceptualHash::from_bytes(drawn(n)).words();
        let more = PerceptualHash::from_bytes(drawn(n + 1000)).words();
        let third = PerceptualHash::from_bytes(drawn(n + 2000)).words();
        let words =
            std::array::from_fn(|n| 0x31c5_ce3a_ce3a_31c5 ^ (noise[n] & more[n] & third[n]));
        rows += &format!("pdq {}\n", PerceptualHash::from_words(words).to_hex());
    }
    let manifest = built(&Feed::read(rows.as_bytes()).expect("rows")).manifest;
    let left_out = manifest.left_out.easily_guessed;
    assert!((1..=8).contains(&left_out), "{left_out}");
    assert!(manifest.work.expect("entries").percent >= 61.0, "{:?}", manifest.work);
}

#[test]
fn the_builder_says_how_far_it_is() {
    let mut said = Vec::new();
    let watched =
        publish::build_watched(&parameters("balanced"), &feed(0..100), &mut |done| said.push(done));
    assert_eq!(watched.expect("it builds").list, built(&feed(0..100)).list);
    assert!(said.is_sorted() && said.last() == Some(&1.0), "{said:?}");
}

#[test]
fn one_changed_byte_anywhere_is_an_error() {
    let whole = built(&feed(0..40)).list;
    for at in 0..whole.len() {
        let mut list = whole.clone();
        list[at] ^= 0x10;
        assert!(HashList::open(list).is_err(), "byte {at}");
    }
}

/// The list with its digest made to fit, so that a change gets past it.
fn resealed(mut list: Vec<u8>) -> Vec<u8> {
    let end = list.len() - 32;
    let digest = *blake3::hash(&list[..end]).as_bytes();
    list[end..].copy_from_slice(&digest);
    list
}

/// Opens a list in both ways and asks what there is to ask.
fn ask(list: &[u8]) -> Result<(), ListError> {
    if let Ok(list) = HashList::open_unverified(list.to_vec()) {
        list.contains_near(&view(0, &[]), 64);
        for seed in (0..10).filter(|seed| seed % 5 > 0) {
            list.contains(&digest(seed));
        }
    }
    HashList::open(list.to_vec()).map(|_| ())
}

#[test]
fn no_byte_of_a_header_makes_a_list_panic() {
    let whole = built(&feed(0..40)).list;
    let mut refused = 0;
    for at in 0..256 {
        for byte in 0..=255 {
            let mut list = whole.clone();
            list[at] = byte;
            assert_eq!(ask(&list).is_ok(), list == whole, "byte {at} as {byte}");
            refused += usize::from(ask(&resealed(list)).is_err());
        }
    }
    // Salt, version, numbers of entries and the id's letters may be any.
    assert!((1 << 15..255 << 8).contains(&refused), "{refused}");
}

#[test]
fn no_byte_of_a_body_makes_a_list_panic() {
    let whole = built(&feed(0..200)).list;
    let body = whole.len() - 256 - 32;
    let mut refused = 0;
    for n in 0..10_000 {
        let drawn = drawn(n);
        let at = u32::from_le_bytes([drawn[0], drawn[1], drawn[2], drawn[3]]) as usize;
        let mut list = whole.clone();
        list[256 + at % body] ^= drawn[4].max(1);
        assert_eq!(ask(&list), ask(&list));
        assert!(HashList::open(list.clone()).is_err(), "change {n}");
        refused += usize::from(ask(&resealed(list)).is_err());
    }
    // What is refused whatever its digest: an index or a table out of order.
    assert!(refused > 500, "{refused}");
}

#[test]
fn lengths_that_lie_and_absurd_parameters_are_refused() {
    let whole = built(&feed(0..40)).list;
    let with = |at: usize, value: u64| {
        let mut list = whole.clone();
        list[at..at + 8].copy_from_slice(&value.to_le_bytes());
        ask(&resealed(list)).expect_err("refused")
    };
    for value in [0, 1, 1 << 31, u64::from(u32::MAX), 1 << 32, 1 << 61, u64::MAX / 8, u64::MAX] {
        // Fingerprints, and the words of the filter in front of them, which a
        // larger number would let reach into the index.
        assert!(matches!(with(32, value), ListError::Parameter(_) | ListError::Length { .. }));
        assert_eq!(with(40, value), ListError::Parameter("number of Bloom filter words"));
    }
    // Every pair of fingerprint bits and bucket bits but the one that is right.
    let mut opened = 0;
    for bits in 0..=255 {
        for buckets in 0..=255 {
            let mut list = whole.clone();
            (list[137], list[11]) = (bits, buckets);
            opened += usize::from(ask(&resealed(list)).is_ok());
        }
    }
    assert_eq!(opened, 1);
}

#[test]
fn what_is_no_list_is_refused_by_its_reason() {
    let whole = built(&feed(0..40)).list;
    let changed = |at: usize, byte: u8| {
        let mut list = whole.clone();
        list[at] = byte;
        HashList::open(list).map(|_| ())
    };
    let length = whole.len() as u64;
    let open = |bytes: Vec<u8>| HashList::open(bytes).map(|_| ());
    assert_eq!(open(vec![]), Err(ListError::NotAList));
    assert_eq!(changed(0, b'X'), Err(ListError::NotAList));
    assert_eq!(changed(8, 9), Err(ListError::Version { found: 9, supported: 1 }));
    assert_eq!(changed(10, 81), Err(ListError::Parameter("number of bits a band")));
    assert_eq!(changed(11, 2), Err(ListError::Parameter("number of buckets")));
    assert_eq!(changed(137, 200), Err(ListError::Parameter("length of fingerprints")));
    assert_eq!(changed(12, 0xff), Err(ListError::Parameter("set of algorithms")));
    // The algorithms of the entries, and entries for the algorithms.
    assert_eq!(changed(12, 0), Err(ListError::Parameter("set of algorithms")));
    assert_eq!(changed(56, 0), Err(ListError::Parameter("set of algorithms")));
    // More fingerprints a bucket than keep false matches as rare as promised.
    assert_eq!(changed(33, 1), Err(ListError::Parameter("number of fingerprints")));
    assert_eq!(changed(40, 0), Err(ListError::Parameter("number of Bloom filter words")));
    assert_eq!(changed(72, 0), Err(ListError::Parameter("id")));
    assert_eq!(changed(73, b'_'), Err(ListError::Parameter("id")));
    assert_eq!(changed(255, 1), Err(ListError::Parameter("padding")));
    for cut in [100, whole.len() - 1] {
        let short = open(whole[..cut].to_vec());
        assert!(matches!(short, Err(ListError::Length { actual, .. }) if actual == cut as u64));
    }
    let mut long = whole.clone();
    long.push(0);
    assert_eq!(open(long), Err(ListError::Length { expected: length, actual: length + 1 }));
    // The last entry of the index says one fingerprint fewer.
    let table = whole.len() - 32 - 7 - 7 * (8 * 3 + 32);
    assert_eq!(changed(table - 4, whole[table - 4] - 1), Err(ListError::Table));
}

#[test]
fn a_list_costs_about_what_the_design_says() {
    let rows: String = (0..20_000).map(|seed| format!("pdq {}\n", hex(&drawn(seed)))).collect();
    let built = built(&Feed::read(rows.as_bytes()).expect("rows"));
    let each = built.list.len() as f64 / 20_000.0;
    // Three times 52 or 53 bits of remainder, at most half a byte of index, 8 bits of filter.
    assert!((22.0..24.0).contains(&each), "{each} bytes an entry");
    let bounds = built.manifest.false_match_log2;
    assert_eq!(bounds.keys().collect::<Vec<_>>(), ["1", "25", "9"]);
    assert!(bounds.values().all(|&log2| log2 <= -30.0), "{bounds:?}");
}

#[test]
fn no_scan_tries_more_keys_than_its_bound_counts() {
    for set in ViewSet::ALL {
        let mut tried = 0;
        for others in 0..list::MOST_PICTURES {
            let probes = list::picture_probes(set, others);
            let of_view = |variant| list::view_probes(probes, set.min(ViewSet::Nine), variant);
            let of_views: usize = set.variants().map(of_view).sum();
            assert!(of_views <= probes);
            // Each of the three bands as it is, by every view.
            assert!(set.min(ViewSet::Nine).variants().all(|variant| of_view(variant) >= 3));
            tried += probes;
        }
        assert_eq!(tried, list::most_probes(set));
        assert!(tried <= list::MOST_PROBES_OF_A_SCAN, "{tried}");
        assert_eq!(list::picture_probes(set, list::MOST_PICTURES), 0);
        // The first frames behind the first still have something to search with.
        assert!(list::picture_probes(set, 1) >= 1000);
    }
}

#[test]
fn unusable_parameters_are_refused() {
    let refuse = |change: fn(&mut Parameters)| {
        let mut parameters = parameters("balanced");
        change(&mut parameters);
        publish::build(&parameters, &feed(0..10)).map(|_| ()).expect_err("refused")
    };
    assert_eq!(refuse(|p| p.id = String::new()), BuildError::Id);
    assert_eq!(refuse(|p| p.id = "Upper".into()), BuildError::Id);
    assert_eq!(refuse(|p| p.id = "default".into()), BuildError::Id);
    assert_eq!(refuse(|p| p.id = "x".repeat(65)), BuildError::Id);
    assert_eq!(refuse(|p| p.profile = "loose".into()), BuildError::Profile);
    let empty = publish::build(&parameters("open"), &Feed::default()).map(|_| ());
    let nothing = BuildError::Empty { low_quality: 0, easily_guessed: 0 };
    assert_eq!(empty.expect_err("refused"), nothing);
}

#[test]
fn debug_output_shows_no_entry() {
    let list = HashList::open(built(&feed(0..3)).list).expect("it opens");
    let shown = format!("{list:?} {:?} {:?}", view(0, &[]), list.probes(&view(0, &[]), 4));
    assert_eq!(shown, "HashList { id: \"test-1\", version: 7, .. } View(..) Probes(..)");
}
