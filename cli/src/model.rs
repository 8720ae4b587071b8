//! Opening and inspecting models.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use presend::classify::GOLDEN_TOLERANCE;
use presend::classify::model::{Description, ModelError};
use presend::{Classifier, Model, Runtime};
use serde_json::{Value, json};

use crate::input::shown_text;
use crate::{Failure, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print what a model says about itself.
    Info {
        /// The model's folder.
        folder: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run every golden input of a model and compare the scores.
    Verify {
        /// The model's folder.
        folder: PathBuf,
        #[command(flatten)]
        runtime: RuntimeArg,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
pub(crate) struct RuntimeArg {
    /// What runs a model: embedded, or the path of ONNX Runtime's shared library (1.17 or later).
    #[arg(long, default_value = "embedded", value_name = "embedded|PATH")]
    runtime: PathBuf,
}

impl RuntimeArg {
    fn runtime(&self) -> Runtime {
        if self.runtime == Path::new("embedded") {
            Runtime::embedded()
        } else {
            Runtime::onnx_runtime(&self.runtime)
        }
    }
}

impl Command {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        match self {
            Self::Info { folder, json } => info(&folder, json),
            Self::Verify { folder, runtime, json } => verify(&folder, &runtime.runtime(), json),
        }
    }
}

fn info(folder: &Path, as_json: bool) -> Result<Outcome, Failure> {
    let model = Model::read(folder).map_err(|error| Failure::at(folder, error))?;
    let bytes = model.onnx().len();
    let Description { name, version, license, source, blake3, input, output, thresholds, .. } =
        model.description();
    let mut out = io::stdout().lock();
    if as_json {
        let info = json!({
            "name": name,
            "version": version,
            "license": license,
            "source": source,
            "blake3": blake3,
            "bytes": bytes,
            "input": { "name": input.name, "shape": input.shape, "layout": input.layout.name() },
            "labels": output.labels,
            "merged": output.merged,
            "thresholds": thresholds.iter().map(|row| json!({
                "label": row.label,
                "at": row.at,
                "false_alarms": row.false_alarms,
                "of": row.of,
            })).collect::<Vec<_>>(),
        });
        writeln!(out, "{info}")?;
        return Ok(Outcome::Clean);
    }
    writeln!(out, "name          {name}")?;
    writeln!(out, "version       {version}")?;
    writeln!(out, "license       {}", shown_text(license))?;
    writeln!(out, "source        {}", shown_text(source))?;
    writeln!(out, "blake3        {blake3}")?;
    writeln!(out, "bytes         {bytes}")?;
    let layout = input.layout.name();
    writeln!(out, "input         {} {:?} {layout}", shown_text(&input.name), input.shape)?;
    writeln!(out, "labels        {}", output.labels.join(", "))?;
    for (label, parts) in &output.merged {
        writeln!(out, "merged        {label} = {}", parts.join(" + "))?;
    }
    for row in thresholds {
        let percent = 100.0 * row.false_alarms;
        writeln!(
            out,
            "false alarms  {} >= {}: {percent:.2} % of {}",
            shown_text(&row.label),
            row.at,
            shown_text(&row.of)
        )?;
    }
    Ok(Outcome::Clean)
}

fn verify(folder: &Path, runtime: &Runtime, as_json: bool) -> Result<Outcome, Failure> {
    let failed = |error: ModelError| Failure::at(folder, error);
    let model = Model::read(folder).map_err(failed)?;
    let rows = Classifier::open(&model, runtime).and_then(|opened| opened.verify(&model));
    let rows = rows.map_err(failed)?;
    let Description { name, version, .. } = model.description();
    let largest = rows.iter().map(|row| row.1).fold(0.0, f32::max);
    let mut out = io::stdout().lock();
    if as_json {
        let golden = |(input, difference): &(&str, f32)| -> Value {
            json!({ "input": input, "difference": difference })
        };
        let verified = json!({
            "name": name,
            "version": version,
            "verified": true,
            "golden": rows.iter().map(golden).collect::<Vec<_>>(),
            "largest_difference": largest,
            "tolerance": GOLDEN_TOLERANCE,
        });
        writeln!(out, "{verified}")?;
    } else {
        for (input, difference) in &rows {
            writeln!(out, "{difference:<12.2e}  {input}")?;
        }
        let count = rows.len();
        writeln!(
            out,
            "{name} version {version}: {count} golden inputs, largest difference {largest:.1e} of \
             {GOLDEN_TOLERANCE:.0e} allowed"
        )?;
    }
    Ok(Outcome::Clean)
}

#[derive(clap::Args)]
pub(crate) struct ModelArgs {
    /// Folder of a model to look with, or none; may be repeated [default: the embedded nsfwjs-mid].
    #[arg(long, value_name = "DIR|none")]
    model: Vec<PathBuf>,
    #[command(flatten)]
    runtime: RuntimeArg,
}

impl ModelArgs {
    /// What runs the models: `embedded`, or the name of the library's file.
    pub(crate) fn runtime(&self) -> String {
        let name = self.runtime.runtime.file_name().unwrap_or_default();
        shown_text(&name.to_string_lossy())
    }

    /// The models to scan with.
    pub(crate) fn open(&self) -> Result<Vec<Classifier>, Failure> {
        let none = |path: &PathBuf| path == Path::new("none");
        if self.model.iter().any(none) {
            return match self.model.len() {
                1 => Ok(Vec::new()),
                _ => Err(Failure::new("--model none goes with no other model")),
            };
        }
        let runtime = self.runtime.runtime();
        if self.model.is_empty() {
            let opened = embedded().and_then(|model| Classifier::open(&model, &runtime));
            return Ok(vec![opened.map_err(|error| Failure::new(error.to_string()))?]);
        }
        let open = |folder: &PathBuf| {
            let opened = Model::read(folder).and_then(|model| Classifier::open(&model, &runtime));
            opened.map_err(|error| Failure::at(folder, error))
        };
        self.model.iter().map(open).collect()
    }
}

/// The default model, without the golden inputs that only `verify` runs.
fn embedded() -> Result<Model, ModelError> {
    Model::new(
        include_str!("../../models/nsfwjs-mid-1/model.toml"),
        include_bytes!("../../models/nsfwjs-mid-1/model.onnx").as_slice(),
        [include_bytes!("../../models/nsfwjs-mid-1/golden/0-trees.png").as_slice()],
    )
}
