//! Releases that the public can see.
//!
//! A [Sigsum](https://www.sigsum.org) log holds, for everybody to read, a line for
//! each file that a publisher has signed into it, and witnesses vouch that the log
//! shows everybody the same. A client with a [`LogPolicy`] takes only lists whose
//! release carries the proof that they are there (`ID.sigsum`, as `sigsum-submit`
//! writes it for the list file), so that no list is in use that its publisher could
//! deny. Verifying asks nobody.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use sigsum::{Hash, Policy, PublicKey, SigsumSignature};

use super::tuf::{FileFacts, unhex};
use super::{Condition, UpdateError, Updater};

/// Which logs and witnesses a client believes, and who submits lists to them.
pub struct LogPolicy {
    policy: Policy,
    submitters: Vec<PublicKey>,
}

/// The texts do not make a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogPolicyError {
    /// The policy cannot be read.
    #[error("the log policy cannot be read: {0}")]
    Policy(String),
    /// The policy is content without a witness, and a log alone can show different
    /// things to different people.
    #[error("the log policy has a quorum of no witness; name one, or a group")]
    NoWitness,
    /// A line is no key.
    #[error(
        "line {0} is no submitter's key: 64 hexadecimal digits, or `ssh-ed25519` and base64, are due"
    )]
    Key(usize),
    /// Nobody may submit.
    #[error("there is no submitter's key, so no proof could hold")]
    NoKey,
}

impl LogPolicy {
    /// Reads a policy in Sigsum's own format, and the keys of who may submit, one a
    /// line: in hexadecimal, or as OpenSSH writes them.
    ///
    /// # Errors
    /// [`LogPolicyError`] says which text cannot be used.
    pub fn parse(policy: &str, submitters: &str) -> Result<Self, LogPolicyError> {
        let policy =
            Policy::parse(policy).map_err(|error| LogPolicyError::Policy(error.to_string()))?;
        if policy.check_quorum(&[]) {
            return Err(LogPolicyError::NoWitness);
        }
        let lines = submitters.lines().enumerate().filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let key = |(n, line): (usize, &str)| submitter(line).ok_or(LogPolicyError::Key(n + 1));
        let submitters: Vec<PublicKey> = lines.map(key).collect::<Result<_, _>>()?;
        if submitters.is_empty() {
            return Err(LogPolicyError::NoKey);
        }
        Ok(Self { policy, submitters })
    }
}

/// Without the keys.
impl fmt::Debug for LogPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogPolicy").finish_non_exhaustive()
    }
}

impl Updater<'_> {
    /// Refuses a release that does not carry the proof that its list is in a public
    /// log, by this policy.
    #[must_use]
    pub fn require_log(mut self, policy: LogPolicy) -> Self {
        self.condition = Some(Box::new(policy));
        self
    }
}

impl Condition for LogPolicy {
    fn check(&self, list: &FileFacts, proof: Option<&[u8]>) -> Result<(), UpdateError> {
        let proof = proof.ok_or(UpdateError::NotLogged("there is no proof"))?;
        let sha256 =
            list.sha256().ok_or(UpdateError::NotLogged("the list is signed without SHA-256"))?;
        let proof = std::str::from_utf8(proof).ok();
        let proof = proof.and_then(|text| SigsumSignature::from_ascii(text).ok());
        let proof = proof.ok_or(UpdateError::NotLogged("the proof cannot be read"))?;
        sigsum::verify(&Hash::from(sha256), &proof, &self.submitters, &self.policy)
            .map_err(|error| UpdateError::NotLogged(reason(&error.to_string())))
    }
}

/// The verifier's reasons, without the keys that it names.
fn reason(said: &str) -> &'static str {
    REASONS.iter().find(|(part, _)| said.contains(part)).map_or("it does not hold", |(_, why)| why)
}

const REASONS: [(&str, &str); 7] = [
    ("unknown leaf keyhash", "somebody else has submitted it"),
    ("bad leaf signature", "the submitter has signed something else"),
    ("unknown log keyhash", "the log is not one of the policy"),
    ("bad log signature", "the log has not signed its tree"),
    ("bad witness", "a witness has not signed the tree"),
    ("not enough valid cosignatures", "too few witnesses have signed the tree"),
    ("bad inclusion proof", "the list is not in the tree"),
];

fn submitter(line: &str) -> Option<PublicKey> {
    let mut words = line.split_ascii_whitespace();
    let key: [u8; 32] = match words.next()? {
        "ssh-ed25519" => {
            let blob = Base64::decode_vec(words.next()?).ok()?;
            blob.strip_prefix(SSH_ED25519)?.try_into().ok()?
        }
        hex => unhex(hex)?.try_into().ok()?,
    };
    Some(key.into())
}

/// What comes before the key in OpenSSH's form of it (RFC 8709): two lengths and a name.
const SSH_ED25519: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
