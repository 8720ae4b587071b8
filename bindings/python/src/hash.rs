//! PDQ hashes of one picture or of a corpus, as columns.
//!
//! Who hashes millions of files wants columns, not millions of objects: a row is
//! one hash of one displayed frame on one background, and a file that gave none
//! has one row that says why. Threads fetch the files while the caller's own
//! thread asks the iterator, which may be bound to it, for the next.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use presend::frame::Background;
use presend::hash::pdq::{LOW_QUALITY, Pdq};
use presend::limits::{Budget, Incomplete};
use presend::media::{self, Fault, Fidelity};
use presend::{Finding, Frame};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::bytes::{Input, Unread, read};
use crate::compute;
use crate::guard::or_internal;
use crate::limits::{CancelToken, Limits, gather};
use crate::scanner::named;

/// A row of a corpus's hashes.
struct Row {
    item: u64,
    frame: u32,
    background: &'static str,
    hash: Option<([u8; 32], u8)>,
}

impl Row {
    fn empty(item: u64) -> Self {
        Self { item, frame: 0, background: "none", hash: None }
    }
}

/// What hashing one item came to.
struct Outcome {
    item: u64,
    /// One at least.
    rows: Vec<Row>,
    /// Why its hashes are not all there are.
    fault: Option<String>,
}

/// The hashes of one call, as columns of equal length.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Hashes {
    items: u64,
    rows: Vec<Row>,
    faults: Vec<(u64, String)>,
}

/// The hash of one displayed frame on one background.
#[pyclass(frozen, module = "presend")]
pub(crate) struct Hash {
    frame: u32,
    background: &'static str,
    bytes: [u8; 32],
    quality: u8,
}

#[pymethods]
impl Hashes {
    #[getter]
    fn items(&self) -> u64 {
        self.items
    }

    #[getter]
    fn item<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        column(py, self.rows.iter().map(|row| row.item.to_ne_bytes()))
    }

    #[getter]
    fn frame<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        column(py, self.rows.iter().map(|row| row.frame.to_ne_bytes()))
    }

    #[getter]
    fn background(&self) -> Vec<&'static str> {
        self.rows.iter().map(|row| row.background).collect()
    }

    #[getter]
    fn pdq<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        column(py, self.rows.iter().map(|row| row.hash.map_or([0; 32], |(hash, _)| hash)))
    }

    #[getter]
    fn quality<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        column(py, self.rows.iter().map(|row| [row.hash.map_or(0, |(_, quality)| quality)]))
    }

    #[getter]
    fn valid<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        column(py, self.rows.iter().map(|row| [u8::from(row.hash.is_some())]))
    }

    #[getter]
    fn faults(&self) -> Vec<(u64, &str)> {
        self.faults.iter().map(|(item, fault)| (*item, fault.as_str())).collect()
    }

    fn __len__(&self) -> usize {
        self.rows.len()
    }

    fn __repr__(&self) -> String {
        format!("Hashes({} rows, {} faults)", self.rows.len(), self.faults.len())
    }
}

fn column<const N: usize>(
    py: Python<'_>,
    values: impl ExactSizeIterator<Item = [u8; N]>,
) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &values.flatten().collect::<Vec<u8>>())
}

#[pymethods]
impl Hash {
    #[getter]
    fn frame(&self) -> u32 {
        self.frame
    }

    #[getter]
    fn background(&self) -> &'static str {
        self.background
    }

    #[getter]
    fn pdq<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    #[getter]
    fn quality(&self) -> u8 {
        self.quality
    }

    #[getter]
    fn is_low_quality(&self) -> bool {
        self.quality <= LOW_QUALITY
    }

    /// Whoever holds a hash can test guesses against it: it is not shown.
    fn __repr__(&self) -> String {
        format!("Hash(frame {}, quality {})", self.frame, self.quality)
    }
}

/// The hashes of one picture, and why they are not all there are.
#[pyfunction]
#[pyo3(signature = (data, *, fidelity="full", deadline_ms=None, cancel=None, limits=None))]
pub(crate) fn hash(
    py: Python<'_>,
    data: &Bound<'_, PyAny>,
    fidelity: &str,
    deadline_ms: Option<f64>,
    cancel: Option<&CancelToken>,
    limits: Option<&Limits>,
) -> PyResult<(Vec<Hash>, Option<String>)> {
    let (fidelity, limits) = (named(fidelity)?, gather(limits, deadline_ms, cancel)?);
    let input = Input::of(data, limits.input_bytes)?;
    let outcome = compute(py, || look(0, input, fidelity, &limits), |reason| given_up(0, reason));
    let hashes = outcome.rows.iter().filter_map(|row| {
        let (bytes, quality) = row.hash?;
        Some(Hash { frame: row.frame, background: row.background, bytes, quality })
    });
    Ok((hashes.collect(), outcome.fault))
}

/// The hashes of many, on several threads, in the order of the items.
#[pyfunction]
#[pyo3(signature = (
    items, *, threads=None, fidelity="full", deadline_ms=None, cancel=None, limits=None
))]
pub(crate) fn hash_many(
    py: Python<'_>,
    items: &Bound<'_, PyAny>,
    threads: Option<usize>,
    fidelity: &str,
    deadline_ms: Option<f64>,
    cancel: Option<&CancelToken>,
    limits: Option<&Limits>,
) -> PyResult<Hashes> {
    // Both can be iterated, but over what nobody meant.
    if items.is_instance_of::<PyString>() || items.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err("expected many pictures; hash() takes one"));
    }
    let items = items.try_iter()?.unbind();
    let threads = match threads {
        Some(threads) => NonZeroUsize::new(threads)
            .ok_or_else(|| PyValueError::new_err("threads is 1 or more"))?
            .min(MOST_THREADS),
        None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let (fidelity, limits) = (named(fidelity)?, gather(limits, deadline_ms, cancel)?);
    let look = |item, input| {
        let look = || look(item, input, fidelity, &limits);
        or_internal(look, |reason| given_up(item, reason))
    };
    let next = |item: u64| {
        if limits.cancel.is_cancelled() {
            return Ok(None);
        }
        Python::attach(|py| {
            py.check_signals()?;
            let given = items.bind(py).clone().next().transpose()?;
            given.map(|given| Ok((item, Input::of(&given, limits.input_bytes)?))).transpose()
        })
    };
    let mut outcomes = py.detach(|| on_threads(threads, next, look))?;
    outcomes.sort_unstable_by_key(|outcome| outcome.item);
    let mut hashes = Hashes { items: outcomes.len() as u64, rows: Vec::new(), faults: Vec::new() };
    for Outcome { item, rows, fault } in outcomes {
        hashes.rows.extend(rows);
        hashes.faults.extend(fault.map(|fault| (item, fault)));
    }
    Ok(hashes)
}

/// More of them would only hold more files.
const MOST_THREADS: NonZeroUsize = NonZeroUsize::new(64).expect("more than zero");

/// Asks for the next item on this thread, and hands each to one of the others.
/// An error ends it, once what the others have begun is done.
fn on_threads(
    threads: NonZeroUsize,
    mut next: impl FnMut(u64) -> PyResult<Option<(u64, Input)>>,
    look: impl Fn(u64, Input) -> Outcome + Sync,
) -> PyResult<Vec<Outcome>> {
    let outcomes = Mutex::new(Vec::new());
    // As many wait as are at work, however long the corpus is: each holds its file.
    let (sender, receiver) = sync_channel(threads.get());
    let receiver = Mutex::new(receiver);
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                while let Some((item, input)) = taken(&receiver) {
                    if !stopped.load(Ordering::Relaxed) {
                        let outcome = look(item, input);
                        outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                    }
                }
            });
        }
        let mut item = 0;
        loop {
            match next(item) {
                Ok(Some(work)) => {
                    sender.send(work).expect("the receiver lives as long as the scope")
                }
                Ok(None) => break,
                Err(error) => {
                    stopped.store(true, Ordering::Relaxed);
                    drop(sender);
                    return Err(error);
                }
            }
            item += 1;
        }
        drop(sender);
        Ok(())
    })?;
    Ok(outcomes.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Waits for work; none once there will be no more.
fn taken(receiver: &Mutex<Receiver<(u64, Input)>>) -> Option<(u64, Input)> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn look(item: u64, input: Input, fidelity: Fidelity, limits: &presend::Limits) -> Outcome {
    let budget = Budget::start(limits);
    let mut rows = Vec::new();
    let fault = match input {
        Input::Null => Some("null".to_owned()),
        Input::TooManyBytes => Some(incomplete(Incomplete::TooManyBytes)),
        Input::Pixels(frame) => {
            let (width, height) = (frame.width(), frame.height());
            let charged = budget.charge_frame(width, height);
            charged.and_then(|()| add(&mut rows, item, 0, &frame, &budget)).err().map(incomplete)
        }
        Input::Bytes(bytes) => frames(&mut rows, item, bytes.as_ref(), fidelity, &budget),
        Input::Path(path) => match read(&path, limits.input_bytes) {
            Ok(bytes) => frames(&mut rows, item, &bytes, fidelity, &budget),
            Err(Unread::Incomplete(reason)) => Some(incomplete(reason)),
            Err(Unread::Io(io::ErrorKind::NotFound)) => Some("file.not-found".to_owned()),
            Err(Unread::Io(io::ErrorKind::PermissionDenied)) => {
                Some("file.not-permitted".to_owned())
            }
            Err(Unread::Io(_)) => Some("file.unreadable".to_owned()),
        },
    };
    if rows.is_empty() {
        return Outcome { rows: vec![Row::empty(item)], item, fault };
    }
    Outcome { item, rows, fault }
}

/// Adds every displayed frame; what ended it before the last.
fn frames(
    rows: &mut Vec<Row>,
    item: u64,
    bytes: &[u8],
    fidelity: Fidelity,
    budget: &Budget,
) -> Option<String> {
    let all = match media::open_with(bytes, fidelity, budget) {
        Ok(all) => all,
        Err(fault) => return Some(code(fault)),
    };
    for (number, frame) in (0..).zip(all) {
        let added = frame.and_then(|frame| Ok(add(rows, item, number, &frame, budget)?));
        if let Err(fault) = added {
            return Some(code(fault));
        }
    }
    rows.is_empty().then(|| incomplete(Incomplete::Malformed))
}

fn add(
    rows: &mut Vec<Row>,
    item: u64,
    number: u32,
    frame: &Frame<'_>,
    budget: &Budget,
) -> Result<(), Incomplete> {
    let backgrounds: &[_] = if frame.has_transparency() {
        &[("white", Background::White), ("black", Background::Black)]
    } else {
        &[("none", Background::White)]
    };
    for &(background, on) in backgrounds {
        let pdq = Pdq::of(frame, on, budget)?;
        let hash = (bytes(&pdq), pdq.quality());
        rows.push(Row { item, frame: number, background, hash: Some(hash) });
    }
    Ok(())
}

/// Bit 255 first, as the reference writes them.
fn bytes(pdq: &Pdq) -> [u8; 32] {
    let [a, b, c, d] = pdq.hash().words();
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(8).zip([d, c, b, a]) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

fn given_up(item: u64, reason: Incomplete) -> Outcome {
    Outcome { item, rows: vec![Row::empty(item)], fault: Some(incomplete(reason)) }
}

fn incomplete(reason: Incomplete) -> String {
    code(Fault::Incomplete(reason))
}

/// As the finding of a scan has it.
fn code(fault: Fault) -> String {
    match fault {
        Fault::Unsupported(media) => Finding::Unsupported(media).code(),
        Fault::Incomplete(reason) => Finding::Incomplete(reason).code(),
        _ => Finding::Incomplete(Incomplete::Internal).code(),
    }
}
