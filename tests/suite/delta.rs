//! From one edition of a list to the next.

use presend::HashList;
use presend::list::delta::{self, DeltaError};
use presend::publish::{self, Feed, Parameters};

fn edition(version: u64, seeds: impl IntoIterator<Item = u32>) -> HashList {
    edition_with(version, seeds, "balanced", None)
}

fn edition_with(
    version: u64,
    seeds: impl IntoIterator<Item = u32>,
    profile: &str,
    salt: Option<[u8; 16]>,
) -> HashList {
    let rows: String =
        seeds.into_iter().map(|n| format!("pdq {}\n", blake3::hash(&n.to_le_bytes()))).collect();
    let feed = Feed::read(rows.as_bytes()).expect("rows");
    let parameters = Parameters { id: "daily".into(), version, profile: profile.into(), salt };
    let built = publish::build(&parameters, &feed).expect("it builds");
    HashList::open(built.list).expect("it opens")
}

fn bytes(version: u64, seeds: impl IntoIterator<Item = u32>) -> Vec<u8> {
    crate::served::edition(version, seeds).list
}

#[test]
fn a_delta_makes_the_new_list_of_the_old_byte_for_byte() {
    // Some go and some come, none, all but one go, more come, all others come.
    for (before, after) in
        [(0..2000, 10..2020), (0..50, 0..50), (0..50, 0..1), (5..6, 0..80), (0..40, 40..80)]
    {
        let (old, new) = (edition(1, before), edition(2, after.clone()));
        let delta = delta::diff(&old, &new).expect("editions of one list");
        assert!(delta::apply(&old, &delta) == Ok(bytes(2, after)));
    }
}

#[test]
fn a_daily_delta_is_small() {
    // 0.1 % come and 0.05 % go.
    let (old, new) = (edition(1, 0..100_000), edition(2, 50..100_100));
    let delta = delta::diff(&old, &new).expect("editions of one list");
    // 300 fingerprints of 68 bits, 150 numbers of 19: each about 1.5 bits more
    // than the gaps between random ones hold.
    let fingerprints = 300.0 * (68.0 - 300f64.log2() + 1.6) / 8.0;
    let numbers = 150.0 * (300_000f64.log2() - 150f64.log2() + 1.6) / 8.0;
    let most = 380.0 + fingerprints + numbers;
    assert!((delta.len() as f64) < most, "{} bytes, expected {most:.0}", delta.len());
}

#[test]
fn a_packed_list_is_small_and_unpacks_byte_for_byte() {
    for rows in [1, 50, 100_000] {
        let list = edition(3, 0..rows);
        let packed = delta::pack(&list).expect("an open list");
        assert!(delta::unpack(&packed) == Ok(bytes(3, 0..rows)));
        // 49.8 bits a fingerprint more than it takes to tell them apart, 1.6 of Rice's.
        let fingerprints =
            f64::from(list.header().fingerprint_bits()) - f64::from(3 * rows).log2() + 1.6;
        let most = 380.0 + f64::from(3 * rows) * fingerprints / 8.0;
        assert!((packed.len() as f64) < most, "{} bytes, expected {most:.0}", packed.len());
        assert_eq!(delta::apply(&list, &packed), Err(DeltaError::OtherList));
    }
    let (old, new) = (edition(1, 0..20), edition(2, 2..23));
    let delta = delta::diff(&old, &new).expect("editions of one list");
    assert_eq!(delta::unpack(&delta), Err(DeltaError::OtherList));
}

#[test]
fn a_delta_fits_its_own_list_alone() {
    let (old, new) = (edition(1, 0..100), edition(2, 1..101));
    let delta = delta::diff(&old, &new).expect("editions of one list");
    let refused = delta::apply(&edition(1, 0..99), &delta);
    assert_eq!(refused, Err(DeltaError::OtherList));
    let salted = edition_with(2, 1..101, "balanced", Some([7; 16]));
    assert_eq!(delta::diff(&old, &salted), Err(DeltaError::Unrelated));
    let strict = edition_with(2, 1..101, "strict", None);
    assert_eq!(delta::diff(&old, &strict), Err(DeltaError::Unrelated));
    let again = edition(1, 1..101);
    assert_eq!(delta::diff(&old, &again), Err(DeltaError::Backwards { old: 1, new: 1 }));
    // 3 x 100 fingerprints need one bit less than 3 x 200.
    assert_eq!(delta::diff(&old, &edition(2, 0..200)), Err(DeltaError::OtherLength));
}

#[test]
fn many_gaps_of_a_bit_each_are_not_unpacked() {
    // All 3,000 fingerprints follow each other, at one bit a gap.
    let mut packed = delta::pack(&edition(1, 0..1000)).expect("an open list");
    packed[11] = 0;
    packed.truncate(8 + 2 + 2 + 8 + 32 + 32 + 256);
    packed.extend([0; 3000 / 8]);
    let digest = blake3::hash(&packed);
    packed.extend(digest.as_bytes());
    assert_eq!(delta::unpack(&packed), Err(DeltaError::Damaged));
}

#[test]
fn one_changed_byte_of_a_delta_is_an_error() {
    let (old, new) = (edition(1, 0..20), edition(2, 2..23));
    let whole = delta::diff(&old, &new).expect("editions of one list");
    for at in 0..whole.len() {
        let mut delta = whole.clone();
        delta[at] ^= 0x10;
        assert_eq!(delta::apply(&old, &delta), Err(DeltaError::Damaged), "byte {at}");
        assert_eq!(delta::apply(&old, &whole[..at]), Err(DeltaError::Damaged));
    }
}

#[test]
fn a_signed_off_lie_is_found_by_the_result() {
    // Changed, and given a digest that fits: never another list than the promised.
    let (old, new) = (edition(1, 0..20), edition(2, 2..23));
    let whole = delta::diff(&old, &new).expect("editions of one list");
    let contents = &whole[..whole.len() - 32];
    for at in 0..contents.len() {
        for bit in 0..8 {
            let mut delta = contents.to_vec();
            delta[at] ^= 1 << bit;
            delta.extend_from_slice(blake3::hash(&delta).as_bytes());
            assert!(delta::apply(&old, &delta).is_err(), "byte {at}, bit {bit}");
        }
    }
}
