//! `presend list absent`.

use std::io::{self, Write};
use std::path::PathBuf;

use presend::hash::views::ViewSet;
use presend::media::Fidelity;
use presend::verdict::Match;
use presend::{Finding, Limits, Policy, Report, Scanner};
use serde_json::json;

use super::{Opened, open_all};
use crate::input::{Input, shown};
use crate::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The picture.
    picture: PathBuf,
    /// List to look in, a file or a store; may be repeated [default: the embedded demonstration
    /// list].
    #[arg(long, value_name = "FILE|STORE")]
    list: Vec<PathBuf>,
    /// Print one JSON object a list.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let lists = open_all(&self.list)?;
        let limits = Limits::default();
        let picture = Input(self.picture.clone());
        let bytes =
            picture.read(limits.input_bytes).map_err(|error| Failure::at(&self.picture, error))?;
        let mut outcome = Outcome::Clean;
        for Opened { list, .. } in lists {
            let (id, version) = (list.id().to_owned(), list.version());
            // Every pixel, so that nothing but the list itself has a say.
            let scanner =
                Scanner::builder().list(list).views(ViewSet::TwentyFive).fidelity(Fidelity::Full);
            let scanner = scanner.policy(Policy::preset("off").unwrap_or_default()).build();
            let scanner = scanner.map_err(|error| Failure::new(error.to_string()))?;
            let looked = Looked::of(&scanner.scan(&bytes, &limits));
            self.print(&id, version, &looked)?;
            outcome = outcome.max(looked.outcome());
        }
        Ok(outcome)
    }

    fn print(&self, id: &str, version: u64, looked: &Looked) -> Result<(), Failure> {
        let views = ViewSet::TwentyFive.variants().len();
        let mut out = io::stdout().lock();
        if self.json {
            let matches: Vec<String> = looked.matches.iter().map(|by| in_words(*by)).collect();
            let line = json!({
                "path": self.picture.display().to_string(),
                "list": id,
                "version": version,
                "result": looked.word(),
                "matches": matches,
                "views": views,
                "frames": looked.frames,
                "too_plain": looked.is_plain,
                "reason": looked.incomplete,
            });
            writeln!(out, "{line}")?;
            return Ok(());
        }
        let path = shown(&self.picture);
        let how = match (&looked.incomplete, looked.matches.as_slice()) {
            (_, [first, ..]) => format!(": {}", in_words(*first)),
            (Some(reason), []) => format!(": {reason}"),
            (None, []) if looked.is_plain => {
                " (the file's digests; too plain to be compared by its looks)".into()
            }
            (None, []) => format!(" (the file's digests, and {views} views of each frame)"),
        };
        writeln!(out, "{}  {path} in {id} version {version}{how}", looked.word())?;
        Ok(())
    }
}

/// What a scan for one list came to.
struct Looked {
    matches: Vec<Match>,
    incomplete: Option<String>,
    is_plain: bool,
    frames: u32,
}

impl Looked {
    fn of(report: &Report) -> Self {
        let mut looked =
            Self { matches: Vec::new(), incomplete: None, is_plain: false, frames: report.frames };
        for judged in &report.findings {
            match &judged.finding {
                Finding::Match { by, .. } => looked.matches.push(*by),
                Finding::LowQuality => looked.is_plain = true,
                finding @ (Finding::Incomplete(_) | Finding::Unsupported(_)) => {
                    looked.incomplete = Some(finding.to_string());
                }
                _ => {}
            }
        }
        looked
    }

    fn word(&self) -> &'static str {
        match self.outcome() {
            Outcome::Clean => "not listed",
            Outcome::Flagged => "would match",
            Outcome::Failed => "not known",
        }
    }

    /// A match stands, even if the rest could not be looked at.
    fn outcome(&self) -> Outcome {
        match (self.matches.is_empty(), &self.incomplete) {
            (false, _) => Outcome::Flagged,
            (true, None) => Outcome::Clean,
            (true, Some(_)) => Outcome::Failed,
        }
    }
}

fn in_words(by: Match) -> String {
    match by {
        Match::Exact(algorithm) => format!("the file itself ({})", algorithm.name()),
        Match::Near { view, frame } => format!("a near copy ({}, frame {frame})", view.name()),
        _ => "in another way".into(),
    }
}
