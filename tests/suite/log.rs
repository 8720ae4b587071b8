//! Proofs that a list is in a public log, from a log and witnesses made here as
//! Sigsum's documents describe them; the `sigsum` crate has to accept them.

use ed25519_dalek::{Signer, SigningKey};
use presend::publish::Built;
use presend::update::log::{LogPolicy, LogPolicyError};
use presend::update::{Answer, Store, UpdateError, Updater};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::served::{Releases, edition, hex, now, store};
use crate::update::Temporary;

type Hash = [u8; 32];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

const LOG: u8 = 1;
const OTHER_LOG: u8 = 2;
const SUBMITTER: u8 = 3;
const STRANGER: u8 = 4;
const WITNESSES: [u8; 3] = [5, 6, 7];

fn sha256(parts: &[&[u8]]) -> Hash {
    Sha256::digest(parts.concat()).into()
}

fn public(key: &SigningKey) -> Hash {
    key.verifying_key().to_bytes()
}

fn keyhash(key: &SigningKey) -> String {
    hex(&sha256(&[&public(key)]))
}

fn sign(key: &SigningKey, message: &[u8]) -> String {
    hex(&key.sign(message).to_bytes())
}

/// Who makes a proof.
#[derive(Clone, Copy)]
struct Making<'m> {
    log: u8,
    submitter: u8,
    witnesses: &'m [u8],
}

const SOUND: Making<'_> =
    Making { log: LOG, submitter: SUBMITTER, witnesses: &[WITNESSES[0], WITNESSES[1]] };

/// A proof that a file is the third of four leaves.
fn proof(file: &[u8], making: Making<'_>) -> String {
    let (log, submitter) = (key(making.log), key(making.submitter));
    let checksum = sha256(&[&sha256(&[file])]);
    let leaf_signed = [b"sigsum.org/v1/tree-leaf\0".as_slice(), &checksum].concat();
    let leaf_signature = submitter.sign(&leaf_signed).to_bytes();
    let submitter_hash = sha256(&[&public(&submitter)]);
    // RFC 6962: 0 before what a leaf holds, 1 before two nodes.
    let leaf = sha256(&[&[0], &checksum, &leaf_signature, &submitter_hash]);
    let others: [Hash; 3] = [sha256(&[b"a"]), sha256(&[b"b"]), sha256(&[b"d"])];
    let node = |a: &Hash, b: &Hash| sha256(&[&[1], a, b]);
    let left = node(&others[0], &others[1]);
    let root = node(&left, &node(&leaf, &others[2]));
    let tree = format!("sigsum.org/v1/tree/{}\n4\n{}\n", keyhash(&log), base64(&root));
    let cosignatures: String = making
        .witnesses
        .iter()
        .map(|&witness| {
            let witness = key(witness);
            let cosigned = format!("cosignature/v1\ntime 1700000000\n{tree}");
            let signature = sign(&witness, cosigned.as_bytes());
            format!("cosignature={} 1700000000 {signature}\n", keyhash(&witness))
        })
        .collect();
    format!(
        "version=2\nlog={}\nleaf={} {}\n\nsize=4\nroot_hash={}\nsignature={}\n{cosignatures}\n\
         leaf_index=2\nnode_hash={}\nnode_hash={}\n",
        keyhash(&log),
        hex(&submitter_hash),
        hex(&leaf_signature),
        hex(&root),
        sign(&log, tree.as_bytes()),
        hex(&others[2]),
        hex(&left),
    )
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0, |n, at| n << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for digit in 0..4 {
            let value = number >> (18 - 6 * digit) & 63;
            text.push(if digit > chunk.len() { '=' } else { DIGITS[value as usize].into() });
        }
    }
    text
}

/// Two of three witnesses.
fn policy_text() -> String {
    let witnesses: String = WITNESSES
        .iter()
        .map(|&seed| format!("witness w{seed} {}\n", hex(&public(&key(seed)))))
        .collect();
    format!("log {}\n{witnesses}group two 2 w5 w6 w7\nquorum two\n", hex(&public(&key(LOG))))
}

fn policy() -> LogPolicy {
    LogPolicy::parse(&policy_text(), &hex(&public(&key(SUBMITTER)))).expect("a policy")
}

fn release(built: &Built, proof: Option<&str>) -> Releases {
    let mut releases = Releases::default();
    releases.put_list(built, json!({}));
    if let Some(proof) = proof {
        releases.put("daily.sigsum", proof);
    }
    releases.sign();
    releases
}

fn update(store: &Store, releases: &Releases, policy: LogPolicy) -> Answer {
    Updater::new(store, releases, "daily").require_log(policy).update(now())
}

fn said(built: &Built, proof: Option<&str>) -> &'static str {
    let folder = Temporary::new();
    match update(&store(&folder.0), &release(built, proof), policy()) {
        Answer::Refused(UpdateError::NotLogged(reason)) => reason,
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn a_list_in_the_log_is_taken() {
    let built = edition(1, 0..10);
    let folder = Temporary::new();
    let store = store(&folder.0);
    let releases = release(&built, Some(&proof(&built.list, SOUND)));
    assert_eq!(update(&store, &releases, policy()), Answer::Updated);
    releases.asked();
    assert_eq!(update(&store, &releases, policy()), Answer::Current);
    assert_eq!(releases.asked(), [""; 0]);
    let all = Making { witnesses: &WITNESSES, ..SOUND };
    let releases = release(&built, Some(&proof(&built.list, all)));
    let other = Temporary::new();
    assert_eq!(update(&crate::served::store(&other.0), &releases, policy()), Answer::Updated);
}

#[test]
fn a_list_that_is_not_shown_to_be_in_the_log_is_refused() {
    let built = edition(1, 0..10);
    let list = &built.list;
    let by = |making| Some(proof(list, making));
    let one = &WITNESSES[..1];
    let twice = &[WITNESSES[0], WITNESSES[0]];
    let stranger = &[WITNESSES[0], STRANGER];
    for (proof, reason) in [
        (None, "there is no proof"),
        (Some(String::new()), "the proof cannot be read"),
        (Some(proof(b"another file", SOUND)), "the submitter has signed something else"),
        (by(Making { witnesses: one, ..SOUND }), "too few witnesses have signed the tree"),
        (by(Making { witnesses: twice, ..SOUND }), "too few witnesses have signed the tree"),
        (by(Making { witnesses: stranger, ..SOUND }), "too few witnesses have signed the tree"),
        (by(Making { log: OTHER_LOG, ..SOUND }), "the log is not one of the policy"),
        (by(Making { submitter: STRANGER, ..SOUND }), "somebody else has submitted it"),
    ] {
        assert_eq!(said(&built, proof.as_deref()), reason);
    }
}

#[test]
fn no_part_of_a_proof_can_be_changed() {
    let built = edition(1, 0..10);
    let sound = proof(&built.list, SOUND);
    for (line, reason) in [
        ("node_hash=", "the list is not in the tree"),
        ("leaf_index=", "the list is not in the tree"),
        ("signature=", "the log has not signed its tree"),
        ("root_hash=", "the log has not signed its tree"),
        ("size=", "the log has not signed its tree"),
        ("cosignature=", "a witness has not signed the tree"),
        ("version=", "the proof cannot be read"),
    ] {
        // The line's last digit.
        let at = sound.find(&format!("\n{line}")).map_or(0, |at| at + 1);
        let end = at + sound[at..].find('\n').expect("a line");
        let digit = if &sound[end - 1..end] == "1" { "3" } else { "1" };
        let changed = format!("{}{digit}{}", &sound[..end - 1], &sound[end..]);
        assert_eq!(said(&built, Some(&changed)), reason, "{line}");
    }
    for cut in (0..sound.len() - 1).step_by(41) {
        said(&built, Some(&sound[..cut]));
    }
}

#[test]
fn a_client_that_begins_to_ask_for_the_log_keeps_its_list_meanwhile() {
    let built = edition(1, 0..10);
    let folder = Temporary::new();
    let store = store(&folder.0);
    let releases = release(&built, None);
    assert_eq!(Updater::new(&store, &releases, "daily").update(now()), Answer::Updated);
    let answer = update(&store, &releases, policy());
    assert_eq!(answer, Answer::Refused(UpdateError::NotLogged("there is no proof")));
    assert!(store.list().expect("readable").expect("a list") == built.list);
}

#[test]
fn a_policy_without_witnesses_or_submitters_is_none() {
    let submitter = hex(&public(&key(SUBMITTER)));
    let none = policy_text().replace("quorum two", "quorum none");
    let parse = |policy: &str, keys: &str| LogPolicy::parse(policy, keys).err();
    assert_eq!(parse(&none, &submitter), Some(LogPolicyError::NoWitness));
    assert!(matches!(parse("quorum", &submitter), Some(LogPolicyError::Policy(_))));
    assert_eq!(parse(&policy_text(), "# nobody\n\n"), Some(LogPolicyError::NoKey));
    assert_eq!(parse(&policy_text(), &format!("{submitter}\nab")), Some(LogPolicyError::Key(2)));
    // As OpenSSH writes the same key.
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend(public(&key(SUBMITTER)));
    let line = format!("ssh-ed25519 {} somebody", base64(&blob));
    let policy = LogPolicy::parse(&policy_text(), &line).expect("a policy");
    let built = edition(1, 0..10);
    let folder = Temporary::new();
    let releases = release(&built, Some(&proof(&built.list, SOUND)));
    assert_eq!(update(&store(&folder.0), &releases, policy), Answer::Updated);
}
