//! A model's folder: the weights, what they are, and golden outputs.
//!
//! `model.toml` and the golden inputs may be anything and are refused with a reason;
//! the ONNX file goes to a runtime's own parser. Each runtime is handed known
//! operations alone, no loops, no names of other files, and no more weights than the
//! file holds, at most 128 MiB. Before it is, the shape of every tensor is worked out:
//! those of a model that is opened take 512 MiB together at most, and a picture 25
//! billion multiplications. A file that asks for more is refused, and so is one whose
//! shapes do not follow from the input's. What scores mean is still the business of
//! whoever made the model, and a runtime's parser is code that hostile files can try:
//! take models from the application itself or from a signed release, never from a peer.
//!
//! `model.toml` describes everything that is needed to use the weights:
//!
//! ```toml
//! name = "nsfwjs-mid"       # a-z, 0-9 and -; the folder is called NAME-VERSION
//! version = "1"
//! license = "MIT"
//! source = "npm nsfwjs 4.3.0, mobilenet_v2_mid"
//! file = "model.onnx"
//! blake3 = "..."            # of the file, 64 hexadecimal digits
//!
//! [input]
//! name = "input"
//! shape = [1, 224, 224, 3]
//! layout = "NHWC"           # or NCHW
//! channels = "RGB"          # or BGR
//! range = [0.0, 1.0]        # what 0 and 255 become
//! mean = [0.0, 0.0, 0.0]    # subtracted then, by channel
//! std = [1.0, 1.0, 1.0]     # divided by last, by channel
//!
//! [input.resize]
//! filter = "bilinear-align-corners"   # or bilinear-antialias
//! stretch = [224, 224]      # width and height, or shorter-side = 256;
//!                           # what is beyond the shape is cut off around the centre
//!
//! [output]
//! name = "probs"
//! activation = "none"       # or softmax, where the model gives logits
//! labels = ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"]
//!
//! [output.merged]           # further labels: sums of the ones above
//! sexual = ["Hentai", "Porn"]
//!
//! [[threshold]]             # for people: what a threshold was measured to do
//! label = "sexual"
//! at = 0.7
//! false-alarms = 0.0033
//! of = "1,505 benign natural photos"
//!
//! [[golden]]                # pictures of the input's size and their scores
//! input = "golden/waves.png"
//! scores = [0.1, 0.0, 0.9, 0.0, 0.0]
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::graph::MOST_BYTES;
use super::input::{Input, Tensor};
use crate::frame::Background;
use crate::limits::{Budget, Limits};
use crate::media;

/// A model as its files say: checked against its digest, not yet loaded.
#[derive(Clone)]
pub struct Model {
    description: Description,
    onnx: Cow<'static, [u8]>,
    /// In the order of the description, perhaps not all of them.
    goldens: Vec<Cow<'static, [u8]>>,
}

/// What `model.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Description {
    /// The model's name: 1 to 64 of `a-z 0-9 -`.
    pub name: String,
    /// The model's version: 1 to 64 of `a-z 0-9 . -`.
    pub version: String,
    /// The licence of the weights, as an SPDX expression.
    pub license: String,
    /// Where the weights come from.
    pub source: String,
    /// Name of the ONNX file.
    pub file: String,
    /// BLAKE3 of the ONNX file, in hexadecimal.
    pub blake3: String,
    /// What the model takes.
    pub input: Input,
    /// What it gives.
    pub output: Output,
    /// What thresholds were measured to do.
    #[serde(default, rename = "threshold")]
    pub thresholds: Vec<Threshold>,
    #[serde(rename = "golden")]
    goldens: Vec<GoldenRow>,
}

/// The model's output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Output {
    /// Name of the output tensor, which has a number for each label.
    pub name: String,
    /// What turns its numbers into scores.
    #[serde(default)]
    pub activation: Activation,
    /// The labels in the order of the tensor, as the model names them.
    pub labels: Vec<String>,
    /// Further labels, each the sum of some of the model's own.
    #[serde(default)]
    pub merged: BTreeMap<String, Vec<String>>,
}

/// What is applied to the output to give scores from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Activation {
    /// The model gives scores.
    #[default]
    None,
    /// The model gives logits of labels that exclude each other.
    Softmax,
}

impl Activation {
    pub(super) fn apply(self, mut values: Vec<f32>) -> Vec<f32> {
        if self == Self::Softmax {
            let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            values.iter_mut().for_each(|value| *value = (*value - highest).exp());
            let sum: f32 = values.iter().sum();
            values.iter_mut().for_each(|value| *value /= sum);
        }
        values
    }
}

/// The share of benign pictures that reach a threshold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Threshold {
    /// The label.
    pub label: String,
    /// The score from which on a picture counts.
    pub at: f32,
    /// Share of the benign pictures that reach it, 0 to 1.
    pub false_alarms: f32,
    /// The benign pictures.
    pub of: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenRow {
    input: String,
    scores: Vec<f32>,
}

/// The files are not a model this version of presend can use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file of the folder cannot be read.
    #[error("{file} cannot be read: {reason}")]
    File {
        /// The file, as `model.toml` names it.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// `model.toml` cannot be used; the text names the line or the key.
    #[error("model.toml: {0}")]
    Description(String),
    /// The ONNX file is not the one that `model.toml` describes.
    #[error("the ONNX file does not have the digest that model.toml states; fetch the model again")]
    Digest,
    /// The model came without any golden input, so it could not be tested.
    #[error("the model has no golden input; add one, or fetch the model again")]
    NoGolden,
    /// A golden input is not a picture of the input's size.
    #[error("golden input {0} is not a picture of the model's input size")]
    GoldenInput(String),
    /// The model runs, but its scores are not the golden ones.
    #[error(
        "the model is off by {difference} on golden input {input}; do not use it on this runtime"
    )]
    Golden {
        /// The golden input.
        input: String,
        /// Largest difference of a score; infinite when it gave none.
        difference: f32,
    },
    /// The ONNX file has what no model is let run with: the text says what. Whatever
    /// the runtime, it was not loaded.
    #[error("the ONNX file is refused: {0}")]
    Refused(&'static str),
    /// The runtime cannot run the model.
    #[error("the runtime cannot run the model: {0}")]
    Unusable(String),
    /// The library of ONNX Runtime cannot be used.
    #[error("ONNX Runtime cannot be used: {0}")]
    Runtime(String),
    /// presend was built without the feature for the runtime.
    #[error("this build has no {runtime} runtime; build presend with the feature `{feature}`")]
    NotBuilt {
        /// The runtime.
        runtime: &'static str,
        /// The feature of the crate that adds it.
        feature: &'static str,
    },
}

impl Model {
    /// A model from its files: the text of `model.toml`, the ONNX file, and one
    /// or more golden inputs (PNG) in the order in which the text names them.
    ///
    /// # Errors
    /// [`ModelError`] says which file cannot be used.
    pub fn new(
        description: &str,
        onnx: impl Into<Cow<'static, [u8]>>,
        goldens: impl IntoIterator<Item = impl Into<Cow<'static, [u8]>>>,
    ) -> Result<Self, ModelError> {
        let description = Description::parse(description)?;
        let onnx = onnx.into();
        if blake3::Hash::from_hex(&description.blake3).ok() != Some(blake3::hash(&onnx)) {
            return Err(ModelError::Digest);
        }
        let goldens: Vec<_> = goldens.into_iter().map(Into::into).collect();
        if goldens.is_empty() {
            return Err(ModelError::NoGolden);
        }
        Ok(Self { description, onnx, goldens })
    }

    /// Reads a model's folder, every golden input included.
    ///
    /// # Errors
    /// [`ModelError`] says which file cannot be read or used.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let read = |file: &str, most: u64| read(folder, file, most);
        let text = String::from_utf8(read("model.toml", 64 << 10)?)
            .map_err(|_| ModelError::Description("the file is not UTF-8".into()))?;
        // Parsed twice: once to learn the names of the other files.
        let described = Description::parse(&text)?;
        let goldens = described.goldens.iter().map(|row| read(&row.input, 4 << 20));
        let goldens = goldens.collect::<Result<Vec<_>, _>>()?;
        Self::new(&text, read(&described.file, MOST_BYTES as u64)?, goldens)
    }

    /// What `model.toml` says.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The ONNX file.
    pub fn onnx(&self) -> &Cow<'static, [u8]> {
        &self.onnx
    }

    pub(super) fn goldens(&self) -> impl Iterator<Item = Golden<'_>> {
        let rows = self.description.goldens.iter().zip(&self.goldens);
        rows.map(|(row, png)| Golden { name: &row.input, png, scores: &row.scores })
    }
}

/// Name and version.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({} version {})", self.description.name, self.description.version)
    }
}

/// A picture of the input's size and the scores that the reference gives it.
pub(super) struct Golden<'m> {
    pub(super) name: &'m str,
    pub(super) scores: &'m [f32],
    png: &'m [u8],
}

impl Golden<'_> {
    /// The pixels as they are, without any resizing.
    pub(super) fn tensor(&self, input: &Input) -> Result<Tensor, ModelError> {
        let budget = Budget::start(&Limits { frames: 1, pixels: 1 << 22, ..Limits::default() });
        let frame = media::open(self.png, &budget).ok().and_then(|mut frames| frames.next()?.ok());
        frame
            .and_then(|frame| input.exactly(&frame, Background::White))
            .ok_or_else(|| ModelError::GoldenInput(self.name.to_owned()))
    }
}

impl Description {
    /// Every label: the model's own, then the merged ones.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.output.labels.iter().chain(self.output.merged.keys()).map(String::as_str)
    }

    fn parse(text: &str) -> Result<Self, ModelError> {
        let description: Self = toml::from_str(text).map_err(|error| {
            let before = text.bytes().take(error.span().map_or(0, |span| span.start));
            let line = before.filter(|&c| c == b'\n').count() + 1;
            ModelError::Description(format!("line {line}: {}", error.message()))
        })?;
        match description.complaint() {
            Some(complaint) => Err(ModelError::Description(complaint.into())),
            None => Ok(description),
        }
    }

    /// The first thing that cannot be.
    fn complaint(&self) -> Option<&'static str> {
        let Output { labels, merged, .. } = &self.output;
        let every: Vec<&str> = self.labels().collect();
        let twice = |n: usize| every[..n].contains(&every[n]);
        let parts = || merged.values().flatten();
        let sums = |parts: &Vec<String>| {
            !parts.is_empty() && !(0..parts.len()).any(|n| parts[..n].contains(&parts[n]))
        };
        let is_score = |score: &f32| (0.0..=1.0).contains(score);
        let goldens = &self.goldens;
        let rules = [
            (is_id(&self.name), "`name` must be 1 to 64 of a-z, 0-9 and -"),
            (is_version(&self.version), "`version` must be 1 to 64 of a-z, 0-9, . and -"),
            (is_file(&self.file), "`file` must name a file inside the folder"),
            (
                blake3::Hash::from_hex(&self.blake3).is_ok(),
                "`blake3` must be 64 hexadecimal digits",
            ),
            ((1..=1000).contains(&labels.len()), "`labels` must have 1 to 1000 entries"),
            (
                every.iter().all(|label| is_label(label)),
                "a label must be 1 to 64 of A-Z, a-z, 0-9, -, _",
            ),
            (!(0..every.len()).any(twice), "no label may stand twice"),
            (parts().all(|part| labels.contains(part)), "`merged` may only sum up `labels`"),
            (merged.values().all(sums), "`merged` must sum up some labels, each once"),
            (
                goldens.iter().flat_map(|row| &row.scores).all(is_score),
                "golden `scores` must lie between 0 and 1",
            ),
            ((1..=64).contains(&goldens.len()), "there must be 1 to 64 golden inputs"),
            (
                goldens.iter().all(|row| is_file(&row.input)),
                "a golden `input` must name a file inside the folder",
            ),
            (
                goldens.iter().all(|row| row.scores.len() == labels.len()),
                "golden `scores` must have an entry for each of `labels`",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, _)| !holds);
        broken.map(|(_, complaint)| complaint).or_else(|| self.input.complaint())
    }
}

fn read(folder: &Path, file: &str, most: u64) -> Result<Vec<u8>, ModelError> {
    let mut bytes = Vec::new();
    let read = File::open(folder.join(file))
        .and_then(|opened| opened.take(most + 1).read_to_end(&mut bytes));
    let failed = |reason| ModelError::File { file: file.to_owned(), reason };
    read.map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(failed(format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

fn is_id(text: &str) -> bool {
    is_version(text) && !text.contains('.')
}

fn is_version(text: &str) -> bool {
    let plain = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// Labels stand in codes and logs.
fn is_label(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// A relative path that stays below its folder, on every system.
fn is_file(path: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    path.split('/').all(|part| {
        (1..=64).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(plain)
    })
}
