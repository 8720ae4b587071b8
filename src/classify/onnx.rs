//! The runtimes: the only file that knows one.
//!
//! Each loads a model's bytes and answers a tensor with the numbers of the
//! model's output. What a runtime says of a model that it cannot run is kept as
//! a text, and it speaks of the model alone.

use super::input::Tensor;
use super::{Kind, Model, ModelError, Runtime};

/// A loaded model.
pub(super) trait Session: Send + Sync {
    /// The numbers of the output, whose shape is 1 x labels.
    fn run(&self, tensor: &Tensor) -> Result<Vec<f32>, ModelError>;
}

pub(super) fn open(model: &Model, runtime: &Runtime) -> Result<Box<dyn Session>, ModelError> {
    match &runtime.kind {
        Kind::Embedded => embedded::open(model, runtime.threads),
        Kind::OnnxRuntime(library) => library::open(model, library, runtime.threads),
    }
}

#[cfg(any(feature = "embedded", feature = "onnxruntime"))]
fn unusable(error: impl ToString) -> ModelError {
    ModelError::Unusable(error.to_string())
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::borrow::Cow;
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use rten::{ModelOptions, NodeId, RunOptions, ThreadPool, ValueView};

    use super::{Model, ModelError, Session, Tensor, unusable};

    struct Rten {
        model: rten::Model,
        input: NodeId,
        output: NodeId,
        threads: Arc<ThreadPool>,
    }

    pub(super) fn open(
        model: &Model,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Session>, ModelError> {
        let options = ModelOptions::with_all_ops();
        let loaded = match model.onnx() {
            Cow::Borrowed(bytes) => options.load_static_slice(bytes),
            Cow::Owned(bytes) => options.load(bytes.clone()),
        };
        let loaded = loaded.map_err(unusable)?;
        let description = model.description();
        Ok(Box::new(Rten {
            input: loaded.node_id(&description.input.name).map_err(unusable)?,
            output: loaded.node_id(&description.output.name).map_err(unusable)?,
            model: loaded,
            threads: Arc::new(ThreadPool::with_num_threads(threads.get())),
        }))
    }

    impl Session for Rten {
        fn run(&self, tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
            let input = ValueView::from_shape(tensor.shape(), tensor.values()).map_err(unusable)?;
            let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
            let [output] = self
                .model
                .run_n(vec![(self.input, input.into())], [self.output], Some(options))
                .map_err(unusable)?;
            let (_, scores) = output.into_shape_vec::<f32, 2>().map_err(unusable)?;
            Ok(scores)
        }
    }
}

#[cfg(not(feature = "embedded"))]
mod embedded {
    use std::num::NonZeroUsize;

    use super::{Model, ModelError, Session};

    pub(super) fn open(_: &Model, _: NonZeroUsize) -> Result<Box<dyn Session>, ModelError> {
        Err(ModelError::NotBuilt { runtime: "embedded", feature: "embedded" })
    }
}

#[cfg(feature = "onnxruntime")]
mod library {
    use std::num::NonZeroUsize;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    use ort::environment::Environment;
    use ort::logging::LogLevel;
    use ort::session::Session as OrtSession;
    use ort::value::TensorRef;

    use super::{Model, ModelError, Session, Tensor, unusable};

    struct Ort {
        /// Scans take turns: the library's own threads are all at work for one.
        session: Mutex<OrtSession>,
        input: String,
        output: String,
    }

    pub(super) fn open(
        model: &Model,
        library: &Path,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Session>, ModelError> {
        let environment = load(library)?;
        let session = build(&environment, model.onnx(), threads.get()).map_err(unusable)?;
        let description = model.description();
        Ok(Box::new(Ort {
            session: Mutex::new(session),
            input: description.input.name.clone(),
            output: description.output.name.clone(),
        }))
    }

    fn build(environment: &Environment, onnx: &[u8], threads: usize) -> ort::Result<OrtSession> {
        OrtSession::builder(environment)?
            .with_intra_threads(threads)?
            // A scan now and then is no reason to keep a core busy in between.
            .with_intra_op_spinning(false)?
            // The 8-bit weights are to be expanded once, not computed with.
            .with_config_entry("session.disable_quant_qdq", "1")?
            .commit_from_memory(onnx)
    }

    /// Loads the library, which a process can do once.
    fn load(library: &Path) -> Result<Environment, ModelError> {
        static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
        let failed = |text: String| ModelError::Runtime(text);
        let path = library.canonicalize().map_err(|error| failed(error.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, environment)) = &*loaded {
            return if *at == path {
                Ok(environment.clone())
            } else {
                Err(failed("this process has loaded another library of it".into()))
            };
        }
        let builder = ort::init_from(&path).map_err(|error| failed(error.to_string()))?;
        let environment =
            builder.with_telemetry(false).build().map_err(|error| failed(error.to_string()))?;
        environment.set_log_level(LogLevel::Fatal);
        *loaded = Some((path, environment.clone()));
        Ok(environment)
    }

    impl Session for Ort {
        fn run(&self, tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let input = TensorRef::from_array_view((tensor.shape(), tensor.values()));
            let input = input.map_err(unusable)?;
            let outputs =
                session.run(ort::inputs![self.input.as_str() => input]).map_err(unusable)?;
            let output = outputs.get(&self.output).ok_or_else(|| unusable("no such output"))?;
            let (_, scores) = output.try_extract_tensor::<f32>().map_err(unusable)?;
            Ok(scores.to_vec())
        }
    }
}

#[cfg(not(feature = "onnxruntime"))]
mod library {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use super::{Model, ModelError, Session};

    pub(super) fn open(
        _: &Model,
        _: &Path,
        _: NonZeroUsize,
    ) -> Result<Box<dyn Session>, ModelError> {
        Err(ModelError::NotBuilt { runtime: "ONNX Runtime", feature: "onnxruntime" })
    }
}
