//! What a small image classifier sees in a picture.
//!
//! A classifier gives scores and no meaning: the policy decides what follows
//! from them. Any image classifier in ONNX works by a folder with a
//! [`model.toml`](model); two [runtimes](Runtime) can run it. Opening one runs
//! its first golden input, because a runtime that answers nonsense does so
//! without an error.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crate::frame::{Background, Frame};
use crate::limits::{Budget, Incomplete};

pub mod input;
pub mod model;

#[cfg(feature = "embedded")]
mod convnet;
mod graph;
mod onnx;
mod shapes;

pub use input::Tensor;
use model::{Description, Golden};
pub use model::{Model, ModelError};

/// An open model. Cheap to clone; clones share one load, and all threads may
/// use it at the same time.
#[derive(Clone)]
pub struct Classifier(Arc<Open>);

struct Open {
    description: Description,
    session: Box<dyn onnx::Session>,
}

/// What runs a model, and on how many threads.
#[derive(Clone)]
pub struct Runtime {
    kind: Kind,
    threads: NonZeroUsize,
}

#[derive(Clone)]
enum Kind {
    Embedded,
    OnnxRuntime(PathBuf),
}

/// Without the library's path.
impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Embedded => "embedded",
            Kind::OnnxRuntime(_) => "onnxruntime",
        };
        write!(f, "Runtime({kind}, {} threads)", self.threads)
    }
}

impl Runtime {
    /// In pure Rust, a part of presend: convolutional networks in its own code,
    /// all others with `rten`. Needs the feature `embedded`.
    pub fn embedded() -> Self {
        Self::on(Kind::Embedded)
    }

    /// ONNX Runtime 1.17 or later, from the shared library at this path. Needs
    /// the feature `onnxruntime`. A process can load one such library.
    pub fn onnx_runtime(library: impl Into<PathBuf>) -> Self {
        Self::on(Kind::OnnxRuntime(library.into()))
    }

    fn on(kind: Kind) -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { kind, threads }
    }

    /// Threads that a model uses, by default one for each processor. All scans
    /// at work share them.
    #[must_use]
    pub fn threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }
}

impl Classifier {
    /// Loads a model and runs its first golden input.
    ///
    /// # Errors
    /// [`ModelError`] when the runtime is not there, cannot run the model, or
    /// gives other scores than the golden ones.
    pub fn open(model: &Model, runtime: &Runtime) -> Result<Self, ModelError> {
        let session = onnx::open(model, runtime)?;
        let classifier = Self(Arc::new(Open { description: model.description().clone(), session }));
        let first = model.goldens().next().ok_or(ModelError::NoGolden)?;
        classifier.check(first).map(|_| classifier)
    }

    /// Runs every golden input that the model came with. Each row is an input's
    /// name and the largest difference of a score from the golden one.
    ///
    /// # Errors
    /// [`ModelError::Golden`] at the first that differs by more than
    /// [`GOLDEN_TOLERANCE`].
    pub fn verify<'m>(&self, model: &'m Model) -> Result<Vec<(&'m str, f32)>, ModelError> {
        model.goldens().map(|golden| Ok((golden.name, self.check(golden)?))).collect()
    }

    fn check(&self, golden: Golden<'_>) -> Result<f32, ModelError> {
        let tensor = golden.tensor(&self.0.description.input)?;
        let scores = self.unrounded(&tensor).map_err(|_| ModelError::Golden {
            input: golden.name.to_owned(),
            difference: f32::INFINITY,
        })?;
        let difference =
            scores.iter().zip(golden.scores).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        if difference > GOLDEN_TOLERANCE {
            return Err(ModelError::Golden { input: golden.name.to_owned(), difference });
        }
        Ok(difference)
    }

    /// What `model.toml` says.
    pub fn description(&self) -> &Description {
        &self.0.description
    }

    /// The frame as the model takes it: resized, its channels ordered and scaled.
    ///
    /// # Errors
    /// [`Incomplete`] when the budget's memory does not reach, its deadline
    /// passes or the scan is cancelled.
    pub fn prepare(
        &self,
        frame: &Frame<'_>,
        background: Background,
        budget: &Budget,
    ) -> Result<Tensor, Incomplete> {
        self.0.description.input.prepare(frame, background, budget)
    }

    /// One inference. It is not interrupted: its work is that of the golden
    /// input at opening, whatever the picture, and the budget is asked before.
    /// ONNX Runtime takes one at a time, so a scan may wait there for those that
    /// came before it.
    ///
    /// # Errors
    /// [`Incomplete`] when the budget's deadline has passed or the scan is
    /// cancelled; [`Incomplete::Internal`] when the runtime fails or answers
    /// with something that is not a score.
    pub fn scores(&self, tensor: &Tensor, budget: &Budget) -> Result<Scores, Incomplete> {
        budget.check()?;
        let raw = self.unrounded(tensor)?;
        let merged = self.0.description.output.merged.values().map(|parts| {
            let at = |part| self.0.description.output.labels.iter().position(|label| label == part);
            parts.iter().filter_map(|part| raw.get(at(part)?)).sum::<f32>()
        });
        let rounded = raw.iter().copied().chain(merged).map(round).collect();
        Ok(Scores { rounded })
    }

    /// The scores of the model's own labels as the runtime computes them, for
    /// those who measure a model.
    ///
    /// # Errors
    /// [`Incomplete::Internal`] when the runtime fails or answers with something
    /// that is not a score.
    pub fn unrounded(&self, tensor: &Tensor) -> Result<Vec<f32>, Incomplete> {
        let Description { output, .. } = &self.0.description;
        let raw = self.0.session.run(tensor).map_err(|_| Incomplete::Internal)?;
        if raw.len() != output.labels.len() {
            return Err(Incomplete::Internal);
        }
        let scores = output.activation.apply(raw);
        // A hair beyond 1 is rounding; NaN and anything further off is no score.
        let holds = scores.iter().all(|score| (-1e-3..=1.001).contains(score));
        if holds { Ok(scores) } else { Err(Incomplete::Internal) }
    }
}

/// Largest difference from a golden score. Runtimes differ by 0.00001 or less,
/// wrong preprocessing by 0.1 and more.
pub const GOLDEN_TOLERANCE: f32 = 0.001;

/// The name and version alone.
impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier")
            .field("name", &self.0.description.name)
            .field("version", &self.0.description.version)
            .finish_non_exhaustive()
    }
}

/// A score for each of the [labels](Description::labels) in their order, from
/// 0 to 1 and rounded to 1/1000, so that no verdict hangs on the last bits in
/// which runtimes and processors differ.
#[derive(Clone, PartialEq)]
pub struct Scores {
    rounded: Vec<f32>,
}

impl Scores {
    /// The scores.
    pub fn as_slice(&self) -> &[f32] {
        &self.rounded
    }

    /// Keeps the higher score of each label.
    pub(crate) fn raise(&mut self, other: &Self) {
        for (score, &other) in self.rounded.iter_mut().zip(&other.rounded) {
            *score = score.max(other);
        }
    }
}

/// Shows nothing: scores say more about the media than a log should keep.
impl fmt::Debug for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scores(..)")
    }
}

fn round(score: f32) -> f32 {
    (score.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
}
