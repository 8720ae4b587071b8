//! `presend-publish report`: a page about a release, and those before it.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use presend::hash::views::ViewSet;
use presend::publish::report::{Release, Report as Releases};
use presend::publish::rules::Reason;
use presend_page::plot::{Axis, Line, Plot, Stroke};
use presend_page::{colour, document, escape, table};

use crate::explain::in_words;
use crate::release::open_read_only;
use crate::{at, print, replace};

#[derive(Args)]
pub(crate) struct Report {
    /// The repository, or a copy of it.
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    /// The list.
    #[arg(long, value_name = "ID")]
    list: String,
    /// The version of the list [default: the last one released].
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// Folder for ID-VERSION.html and ID-VERSION.json.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print what is in the JSON file.
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(crate) fn run(self) -> Result<(), String> {
        let repository = open_read_only(&self.repository)?;
        let report = repository.report(&self.list, self.version);
        let report = report.map_err(|error| at(&self.repository, &error))?;
        let Some(release) = report.releases.last() else { return Ok(()) };
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| format!("the report cannot be written: {error}"))?;
        fs::create_dir_all(&self.out).map_err(|error| at(&self.out, &error))?;
        let file =
            |ending: &str| self.out.join(format!("{}-{}.{ending}", report.id, release.version));
        replace(&file("html"), html(&report, release).as_bytes())?;
        replace(&file("json"), format!("{json}\n").as_bytes())?;
        let text = match self.json {
            true => json,
            false => format!("{}, {}", file("html").display(), file("json").display()),
        };
        print(format!("{text}\n").as_bytes())
    }
}

fn html(report: &Releases, release: &Release) -> String {
    let title = format!("List {}, version {}", report.id, release.version);
    let parts = [
        opening(&title, report, release),
        contents(release),
        choice(release),
        hiding(release),
        fetching(release),
        history(report),
    ];
    document(&title, &parts.join("\n"))
}

fn opening(title: &str, report: &Releases, release: &Release) -> String {
    let signing = &release.signing;
    let others = match signing.missing.as_slice() {
        [] => String::new(),
        names => format!(" May sign too: {}.", names.join(", ")),
    };
    let scope = &release.scope;
    let asks = [
        scope.action.as_ref().map(|action| format!("do no more than {action}")),
        scope.views.map(|views| format!("look up {views} views")),
        scope.probes.map(|probes| format!("try {probes} keys a scan")),
    ];
    let asks: Vec<String> = asks.into_iter().flatten().collect();
    let asks = match asks.as_slice() {
        [] => String::new(),
        asks => format!(" It asks clients to {} at most.", asks.join(", ")),
    };
    let logged =
        if release.logged { " A proof that it is in a public log comes with it." } else { "" };
    let digests = [
        vec!["SHA-256".to_owned(), release.sha256.clone()],
        vec!["BLAKE3".to_owned(), release.manifest.blake3.clone()],
    ];
    format!(
        "<h1>{}</h1><p class=\"soft\">{} entries; release {} of this list.</p>\
         <p>Signed by {}: {} of the {} that it takes, by root {}.{} The signatures hold until {}.{}{logged}</p>{}",
        escape(title),
        entries(release),
        report.releases.len(),
        escape(&signing.signed.join(", ")),
        signing.signed.len(),
        signing.threshold,
        signing.root,
        escape(&others),
        escape(release.expires.split('T').next().unwrap_or_default()),
        escape(&asks),
        table("Digests of the list file", &heads(["", ""]), &digests),
    )
}

fn contents(release: &Release) -> String {
    let manifest = &release.manifest;
    let change = manifest.change.map_or(
        "<p>There was no release before to compare with.</p>".to_owned(),
        |change| {
            format!(
                "<p>Since version {}, {} entries came and {} went of {}.</p>",
                change.version, change.added, change.removed, change.last
            )
        },
    );
    let category = |name: &String| match name.as_str() {
        "" => "(none)".to_owned(),
        name => name.to_owned(),
    };
    let categories: Vec<_> =
        manifest.categories.iter().map(|(name, n)| vec![category(name), n.to_string()]).collect();
    let sources = match &manifest.choice {
        Some(choice) => table(
            "By source; most entries have several",
            &heads(["source", "entries"]),
            &pairs(choice.sources.iter()),
        ),
        None => String::new(),
    };
    format!(
        "<h2>What is in it</h2>{change}{}{}{sources}",
        table("By category", &heads(["category", "entries"]), &categories),
        table("By algorithm", &heads(["algorithm", "entries"]), &pairs(manifest.entries.iter())),
    )
}

fn choice(release: &Release) -> String {
    let manifest = &release.manifest;
    let mut rows = Vec::new();
    if let Some(choice) = &manifest.choice {
        rows.extend(choice.left_out.iter().map(|(why, n)| {
            let known = Reason::ALL.into_iter().find(|reason| reason.name() == why);
            let why = known.map_or(why.clone(), |reason| in_words(reason).to_owned());
            vec![why, n.to_string()]
        }));
    }
    let left_out = &manifest.left_out;
    rows.extend([
        vec!["unreadable".to_owned(), left_out.bad.to_string()],
        vec!["of low quality".to_owned(), left_out.low_quality.to_string()],
        vec!["named twice".to_owned(), left_out.duplicate.to_string()],
        vec!["guessed too easily".to_owned(), left_out.easily_guessed.to_string()],
    ]);
    let how = manifest.choice.as_ref().map_or(
        "The rows were given, without rules.".to_owned(),
        |choice| {
            format!(
                "By the file of rules with BLAKE3 {}, from {} hashes that sources have named.",
                choice.rules, choice.hashes
            )
        },
    );
    format!(
        "<h2>How it was chosen</h2><p>{}</p>{}",
        escape(&how),
        table("Left out", &heads(["why", "hashes"]), &rows)
    )
}

fn hiding(release: &Release) -> String {
    let manifest = &release.manifest;
    let bounds: Vec<Vec<String>> = ViewSet::ALL
        .into_iter()
        .filter_map(|views| manifest.false_match_log2.get_key_value(views.name()))
        .map(|(views, log2)| vec![views.clone(), format!("2^{log2:.1}")])
        .collect();
    let work = manifest.work.map_or(String::new(), |work| {
        let rows = [("the first entry", work.first), ("1 %", work.percent), ("half", work.half)];
        let rows = rows.map(|(what, log2)| vec![what.to_owned(), format!("2^{log2:.0}")]);
        table("Guesses that uncover entries", &heads(["", "guesses"]), &rows)
    });
    format!(
        "<h2>How well it hides, how rarely it errs</h2><p>Profile {}: bands of {} bits, {} \
         fingerprints of {} bits, salt {}.</p>{}{work}",
        escape(&manifest.profile),
        manifest.band_bits,
        manifest.fingerprints,
        manifest.fingerprint_bits,
        escape(&manifest.salt),
        table(
            "A false match in one whole scan, at most",
            &heads(["views", "probability"]),
            &bounds
        ),
    )
}

fn fetching(release: &Release) -> String {
    let mut rows = vec![
        vec!["whole".to_owned(), release.manifest.bytes.to_string()],
        vec!["packed".to_owned(), release.packed.to_string()],
    ];
    rows.extend(
        release
            .deltas
            .iter()
            .map(|(from, bytes)| vec![format!("from version {from}"), bytes.to_string()]),
    );
    format!("<h2>What devices fetch</h2>{}", table("Bytes", &heads(["", "bytes"]), &rows))
}

fn history(report: &Releases) -> String {
    let releases = &report.releases;
    let change = |of: fn(&presend::publish::Change) -> u64| -> Vec<(f64, f64)> {
        releases
            .iter()
            .filter_map(|one| Some((one.version as f64, of(one.manifest.change.as_ref()?) as f64)))
            .collect()
    };
    let all: Vec<(f64, f64)> =
        releases.iter().map(|one| (one.version as f64, entries(one) as f64)).collect();
    let size = plot("Entries of each release", "entries", vec![line("entries", 0, all)]);
    let (came, went) = (change(|change| change.added), change(|change| change.removed));
    let changes = match came.is_empty() {
        true => String::new(),
        false => plot(
            "Entries that came and went with each release",
            "entries",
            vec![line("came", 1, came), line("went", 2, went)],
        ),
    };
    let rows: Vec<Vec<String>> = releases
        .iter()
        .rev()
        .map(|one| {
            let change = one.manifest.change;
            let of = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
            vec![
                one.version.to_string(),
                entries(one).to_string(),
                of(change.map(|change| change.added)),
                of(change.map(|change| change.removed)),
                one.signing.signed.join(", "),
                one.sha256.get(..16).unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    format!(
        "<h2>Over the releases</h2><div class=\"plots\">{size}{changes}</div>{}",
        table(
            "Every release, the newest first; the file's SHA-256 by its first digits",
            &heads(["version", "entries", "came", "went", "signed by", "file"]),
            &rows
        )
    )
}

fn line(label: &str, n: usize, points: Vec<(f64, f64)>) -> Line {
    Line { label: label.to_owned(), colour: colour(n), stroke: Stroke::Solid, points, bars: vec![] }
}

fn plot(title: &str, what: &str, lines: Vec<Line>) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let first = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let last = points().map(|(x, _)| *x).fold(first + 1.0, f64::max);
    let most = points().map(|(_, y)| *y).fold(1.0, f64::max);
    let (x_step, y_step) = (step(last - first), step(most));
    Plot {
        title,
        x: Axis { label: "version", from: first, to: last, step: x_step },
        y: Axis { label: what, from: 0.0, to: (most / y_step).ceil() * y_step, step: y_step },
        lines,
    }
    .figure()
}

/// A round number, a whole one, of which about five make the length.
fn step(length: f64) -> f64 {
    let power = 10f64.powf((length / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|n| n * power);
    steps.into_iter().find(|step| length / step <= 6.0).unwrap_or(power * 10.0).max(1.0)
}

fn entries(release: &Release) -> u64 {
    release.manifest.entries.values().sum()
}

fn heads<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).into()
}

fn pairs<'a>(counts: impl Iterator<Item = (&'a String, &'a u64)>) -> Vec<Vec<String>> {
    counts.map(|(name, count)| vec![name.clone(), count.to_string()]).collect()
}
