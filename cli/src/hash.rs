//! `presend hash`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use presend::Limits;
use presend::frame::{Background, Frame};
use presend::hash::pdq::Pdq;
use presend::hash::views::{Dihedral, View};
use presend::hash::{Algorithm, Digest, exact};
use presend::limits::Budget;
use presend::media::{self, Fault, Fidelity};
use serde_json::{Map, Value, json};

use crate::scan::hex;
use crate::{Failure, Outcome, input};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pictures, folders (with everything below them), or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How much of a large JPEG is decoded: fast differs by a bit or two.
    #[arg(long, value_name = "FIDELITY", default_value = Fidelity::Full.name(),
        value_parser = PossibleValuesParser::new(Fidelity::ALL.map(Fidelity::name))
            .map(|name| Fidelity::from_name(&name).unwrap_or_default()))]
    fidelity: Fidelity,
    /// Print one JSON object a line: every frame, the dihedral hashes, and the file's exact digests.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// One line a picture: its first frame, upright and over white.
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let limits = Limits::default();
        let inputs = input::expand(&self.paths);
        let bar = input::progress(inputs.len(), false);
        let mut outcome = Outcome::Clean;
        for input in inputs {
            bar.inc(1);
            let read = match &input {
                Ok(input) => {
                    input.read(limits.input_bytes).map_err(|error| (&input.0, error.to_string()))
                }
                Err((path, error)) => Err((path, error.to_string())),
            };
            let (path, bytes) = match (read, &input) {
                (Ok(bytes), Ok(input)) => (&input.0, bytes),
                (Err((path, error)), _) => {
                    outcome = Outcome::Failed;
                    bar.suspend(|| eprintln!("presend: {}: {error}", input::shown(path)));
                    continue;
                }
                (Ok(_), Err(_)) => continue,
            };
            let shown = input::shown(path);
            let budget = Budget::start(&limits);
            let mut picture = Picture::default();
            let fault = picture.hash(&bytes, self.fidelity, &budget, self.json).err();
            if let Some(fault) = fault {
                outcome = outcome.max(Outcome::Flagged);
                bar.suspend(|| eprintln!("presend: {shown}: {fault}"));
            }
            bar.suspend(|| -> io::Result<()> {
                let mut out = io::stdout().lock();
                if self.json {
                    writeln!(out, "{}", picture.json(&path.display().to_string(), fault))
                } else if let Some(first) = picture.hashes.first() {
                    writeln!(out, "{} {} {shown}", first.pdq.hash().to_hex(), first.pdq.quality())
                } else {
                    Ok(())
                }
            })?;
        }
        bar.finish_and_clear();
        Ok(outcome)
    }
}

#[derive(Default)]
struct Picture {
    format: Option<&'static str>,
    size: (u32, u32),
    digests: Vec<Digest>,
    hashes: Vec<Hashed>,
}

struct Hashed {
    frame: usize,
    background: &'static str,
    pdq: Pdq,
}

impl Picture {
    /// Hashes the first frame over white, or `everything`.
    fn hash(
        &mut self,
        bytes: &[u8],
        fidelity: Fidelity,
        budget: &Budget,
        everything: bool,
    ) -> Result<(), Fault> {
        if everything {
            self.digests = exact::digests(bytes, Algorithm::ALL.into_iter().collect(), budget)?;
        }
        let frames = media::open_with(bytes, fidelity, budget)?;
        self.format = Some(frames.format().name());
        for (n, frame) in frames.enumerate() {
            let frame: Frame<'_> = frame?;
            if n == 0 {
                self.size = (frame.original_width(), frame.original_height());
            }
            if n > 0 && !everything {
                // Only to hear whether the file breaks off.
                continue;
            }
            let clear = frame.has_transparency();
            self.add(n, if clear { "white" } else { "none" }, &frame, Background::White, budget)?;
            if clear && everything {
                self.add(n, "black", &frame, Background::Black, budget)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        frame: usize,
        name: &'static str,
        pixels: &Frame<'_>,
        background: Background,
        budget: &Budget,
    ) -> Result<(), Fault> {
        let pdq = Pdq::of(pixels, background, budget)?;
        self.hashes.push(Hashed { frame, background: name, pdq });
        Ok(())
    }

    fn json(&self, path: &str, fault: Option<Fault>) -> Value {
        let digests: Map<String, Value> = self
            .digests
            .iter()
            .map(|digest| (digest.algorithm().name().to_owned(), hex(digest.as_bytes()).into()))
            .collect();
        json!({
            "path": path,
            "format": self.format,
            "width": self.format.map(|_| self.size.0),
            "height": self.format.map(|_| self.size.1),
            "digests": digests,
            "frames": self.hashes.iter().map(Hashed::json).collect::<Vec<_>>(),
            "fault": fault.map(|fault| fault.to_string()),
        })
    }
}

impl Hashed {
    fn json(&self) -> Value {
        let dihedral: Map<String, Value> = Dihedral::ALL
            .into_iter()
            .map(|symmetry| {
                let view = View::dihedral(&self.pdq, symmetry);
                (symmetry.name().to_owned(), view.hash.to_hex().into())
            })
            .collect();
        json!({
            "frame": self.frame,
            "background": self.background,
            "pdq": self.pdq.hash().to_hex(),
            "quality": self.pdq.quality(),
            "dihedral": dihedral,
        })
    }
}
