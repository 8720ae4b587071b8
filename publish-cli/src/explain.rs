//! `presend-publish explain`: why a hash is on the list or off it.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use presend::publish::rules::{Judged, Judgement, PassedOver, Reason};
use presend::publish::{RowHash, Store};
use serde_json::json;

use crate::build::read_rules;
use crate::{at, print};

#[derive(Args)]
pub(crate) struct Explain {
    /// The hash in hexadecimal digits, or ALGORITHM:HEX.
    hash: String,
    /// The store that `ingest` fills.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// The rules that `build` uses.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let candidates = RowHash::candidates(&self.hash)?;
        let (rules, _) = read_rules(&self.rules)?;
        let store = Store::open(&self.store).map_err(|error| at(&self.store, &error))?;
        let mut judged = Vec::new();
        for hash in &candidates {
            let claims = store.claims(hash).map_err(|error| at(&self.store, &error))?;
            if !claims.is_empty() {
                judged.push(rules.judge(hash, &claims));
            }
        }
        let is_in = judged.iter().any(|judgement| judgement.category.is_some());
        let text = if self.json {
            format!("{:#}", json!({ "listed": is_in, "judgements": judged }))
        } else if judged.is_empty() {
            "out: no source has ever named it".to_owned()
        } else {
            judged.iter().map(in_lines).collect::<Vec<_>>().join("\n")
        };
        print(format!("{text}\n").as_bytes())?;
        Ok(ExitCode::from(u8::from(!is_in)))
    }
}

fn in_lines(judgement: &Judgement) -> String {
    let mut text = match (&judgement.category, judgement.reason) {
        (Some(category), _) => format!("{}: in, category `{category}`", judgement.algorithm),
        (None, Some(reason)) => format!("{}: out: {}", judgement.algorithm, in_words(reason)),
        (None, None) => format!("{}: out", judgement.algorithm),
    };
    for (category, sources) in &judgement.sources {
        let needed = judgement.needed.get(category).copied().unwrap_or_default();
        let _ = write!(text, "\n  `{category}`: {sources} independent sources, {needed} needed");
    }
    if !judgement.disputed_by.is_empty() {
        let against = judgement.disputed_by.join(", ");
        let rule = judgement
            .disputes_to_exclude
            .map_or("the rules pass over that".to_owned(), |disputes| {
                format!("{disputes} keep it off")
            });
        let _ = write!(text, "\n  disputed by {against}; {rule}");
    }
    for claim in &judgement.claims {
        let _ = write!(text, "\n  {}", line(claim));
    }
    text
}

fn line(claim: &Judged) -> String {
    let Judged { source, id, status, .. } = claim;
    let member = if claim.member.is_empty() { "-" } else { &claim.member };
    let counts = match claim.passed_over {
        None => "counts".to_owned(),
        Some(why) => format!(
            "does not count: {}",
            match why {
                PassedOver::Status => "its status",
                PassedOver::Source => "the rules do not name who says so",
                PassedOver::Category => "the rules have no such category",
                PassedOver::Quality => "its quality is too low",
                _ => "passed over",
            }
        ),
    };
    let who = match (&claim.organisation, &claim.jurisdiction) {
        (Some(organisation), Some(jurisdiction)) => format!(" ({organisation}, {jurisdiction})"),
        _ => String::new(),
    };
    let quality = claim.quality.map_or(String::new(), |quality| format!(", quality {quality}"));
    format!(
        "source {source}, member {member}{who}, entry {id}: {status}, category `{}`{quality}; {counts}",
        claim.category
    )
}

pub(crate) fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Algorithm => "of an algorithm that the rules do not allow",
        Reason::Withdrawn => "withdrawn",
        Reason::Disputed => "disputed",
        Reason::NothingCounts => "with no claim that counts",
        Reason::TooFewSources => "with too few independent sources",
        _ => "for another reason",
    }
}
