//! What a scanner is made of: lists, models and a policy that the host brings.

use std::ffi::c_char;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::OnceLock;

use presend::queue::{self, Queue};
use presend::scanner::ScannerBuilder;
use presend::{Classifier, HashList, Model, Policy, Runtime};

use crate::borrow;
use crate::file;
use crate::status::{
    Failure, PRESEND_BAD_LIST, PRESEND_BAD_MODEL, PRESEND_BAD_PARTS, PRESEND_BAD_POLICY,
    PRESEND_NO_THREAD, status_of,
};

/// Gathers what a scanner needs. One thread at a time.
#[derive(Default)]
pub struct Builder {
    parts: ScannerBuilder,
    queue: queue::Settings,
}

/// Scans. All threads may use it at the same time. It has threads of its own for
/// presend_scan_start, which begin with the first call.
pub struct Scanner {
    pub(crate) scanner: presend::Scanner,
    settings: queue::Settings,
    queue: OnceLock<Option<Queue>>,
}

impl Scanner {
    pub(crate) fn queue(&self) -> Result<&Queue, Failure> {
        let start = || Queue::new(self.scanner.clone(), self.settings).ok();
        let queue = self.queue.get_or_init(start).as_ref();
        queue.ok_or_else(|| Failure::new(PRESEND_NO_THREAD, "the system has no thread more"))
    }
}

/// Bytes of the caller's.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bytes {
    /// The first of them; NULL if there are none.
    pub data: *const u8,
    /// How many.
    pub length: usize,
}

/// A builder without lists and models and with the policy `default`.
#[unsafe(no_mangle)]
pub extern "C" fn presend_builder_new() -> *mut Builder {
    Box::into_raw(Box::default())
}

/// Compares with one more list, which is copied and verified.
///
/// # Safety
/// `builder` is a live handle that no other thread uses; `data` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_list_bytes(
    builder: *mut Builder,
    data: *const u8,
    length: usize,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (builder, data) =
            unsafe { (borrow::exclusive(builder)?, borrow::bytes(data, length)?) };
        add(builder, |parts| Ok(parts.list(open(data.to_vec())?)))
    })
}

/// Compares with one more list, which is read into memory and verified.
///
/// # Safety
/// `builder` is a live handle that no other thread uses; `path` is text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_list_path(
    builder: *mut Builder,
    path: *const c_char,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (builder, path) = unsafe { (borrow::exclusive(builder)?, borrow::text(path)?) };
        add(builder, |parts| Ok(parts.list(read(path)?)))
    })
}

/// Looks with one more model: the folder that holds its model.toml.
///
/// # Safety
/// `builder` is a live handle that no other thread uses; `folder` is text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_model_path(
    builder: *mut Builder,
    folder: *const c_char,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (builder, folder) = unsafe { (borrow::exclusive(builder)?, borrow::text(folder)?) };
        look_with(builder, || Model::read(Path::new(folder)))
    })
}

/// Looks with one more model, from the files of its folder: model.toml, the ONNX
/// file, and one or more golden inputs in the order in which model.toml names them.
/// All are copied.
///
/// # Safety
/// `builder` is a live handle that no other thread uses; `goldens` has `golden_count`
/// entries; all bytes are there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_model_bytes(
    builder: *mut Builder,
    model_toml: Bytes,
    onnx: Bytes,
    goldens: *const Bytes,
    golden_count: usize,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let builder = unsafe { borrow::exclusive(builder)? };
        // SAFETY: the caller's promise.
        let read = |bytes: Bytes| unsafe { borrow::bytes(bytes.data, bytes.length) };
        let toml = std::str::from_utf8(read(model_toml)?);
        let toml = toml.map_err(|_| Failure::argument("model.toml is not UTF-8"))?;
        let onnx = read(onnx)?.to_vec();
        if goldens.is_null() && golden_count > 0 {
            return Err(Failure::argument("`goldens` is NULL"));
        }
        // SAFETY: not null, as just seen; the entries are there by the caller's promise.
        let golden = |n: usize| Ok(read(unsafe { goldens.add(n).read() })?.to_vec());
        let goldens = (0..golden_count).map(golden).collect::<Result<Vec<_>, Failure>>()?;
        look_with(builder, || Model::new(toml, onnx, goldens))
    })
}

/// Decides by the policy in this text instead of `default`.
///
/// # Safety
/// `builder` is a live handle that no other thread uses; `toml` is text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_policy(builder: *mut Builder, toml: *const c_char) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (builder, toml) = unsafe { (borrow::exclusive(builder)?, borrow::text(toml)?) };
        let policy =
            Policy::parse(toml).map_err(|error| Failure::new(PRESEND_BAD_POLICY, error))?;
        add(builder, |parts| Ok(parts.policy(policy)))
    })
}

/// Decides by a built-in policy: `default`, `teen` or `off`.
///
/// # Safety
/// `builder` is a live handle that no other thread uses; `name` is text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_preset(builder: *mut Builder, name: *const c_char) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (builder, name) = unsafe { (borrow::exclusive(builder)?, borrow::text(name)?) };
        let unknown =
            || Failure::new(PRESEND_BAD_POLICY, "there is no built-in policy of this name");
        let policy = Policy::preset(name).ok_or_else(unknown)?;
        add(builder, |parts| Ok(parts.policy(policy)))
    })
}

/// How presend_scan_start scans: on so many threads, by default one for each
/// processor, and 64 at most; with so many scans waiting for one, by default 64. One
/// more is answered at once, as incomplete.busy; so is one whose bytes make more than
/// 256 MiB wait, unless it waits alone. 0 stands for the default.
///
/// # Safety
/// `builder` is a live handle that no other thread uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_queue(
    builder: *mut Builder,
    threads: u32,
    waiting: u32,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let Builder { queue, .. } = unsafe { borrow::exclusive(builder)? };
        let default = queue::Settings::default();
        let given = |number: u32| NonZeroUsize::new(usize::try_from(number).unwrap_or(usize::MAX));
        queue.threads = given(threads).unwrap_or(default.threads);
        queue.waiting = given(waiting).map_or(default.waiting, NonZeroUsize::get);
        Ok(())
    })
}

/// Makes a scanner. The builder stays as it is.
///
/// # Safety
/// `builder` is a live handle that no other thread uses; `out` is to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_build(
    builder: *const Builder,
    out: *mut *mut Scanner,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let builder = unsafe {
            borrow::prepare(out)?;
            borrow::shared(builder)?
        };
        let scanner = builder.parts.clone().build();
        let scanner = scanner.map_err(|error| Failure::new(PRESEND_BAD_PARTS, error))?;
        let scanner = Scanner { scanner, settings: builder.queue, queue: OnceLock::new() };
        // SAFETY: `out` was prepared.
        unsafe { borrow::give(out, scanner) };
        Ok(())
    })
}

/// # Safety
/// `builder` is NULL or a live handle, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_builder_free(builder: *mut Builder) {
    // SAFETY: the caller's promise.
    unsafe { borrow::free(builder) };
}

/// Compares with this edition of a list from now on, in the place of the one with
/// its id. Scans that run end with the editions that they began with.
///
/// # Safety
/// `scanner` is a live handle; `path` is text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_scanner_reload_path(
    scanner: *const Scanner,
    path: *const c_char,
) -> i32 {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (scanner, path) = unsafe { (borrow::shared(scanner)?, borrow::text(path)?) };
        let reloaded = scanner.scanner.reload(read(path)?);
        reloaded.map_err(|error| Failure::new(PRESEND_BAD_PARTS, error))
    })
}

/// Scans that were started still end, and call back.
///
/// # Safety
/// `scanner` is NULL or a live handle, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn presend_scanner_free(scanner: *mut Scanner) {
    // SAFETY: the caller's promise.
    unsafe { borrow::free(scanner) };
}

fn add(
    builder: &mut Builder,
    with: impl FnOnce(ScannerBuilder) -> Result<ScannerBuilder, Failure>,
) -> Result<(), Failure> {
    builder.parts = with(builder.parts.clone())?;
    Ok(())
}

fn look_with(
    builder: &mut Builder,
    read: impl FnOnce() -> Result<Model, presend::classify::ModelError>,
) -> Result<(), Failure> {
    let opened = read().and_then(|model| Classifier::open(&model, &Runtime::embedded()));
    let classifier = opened.map_err(|error| Failure::new(PRESEND_BAD_MODEL, error))?;
    add(builder, |parts| Ok(parts.classifier(classifier)))
}

fn read(path: &str) -> Result<HashList, Failure> {
    let mut bytes = Vec::new();
    let read = file::open(path)?.read_to_end(&mut bytes);
    read.map_err(|error| Failure::cannot_read(&error))?;
    open(bytes)
}

fn open(bytes: Vec<u8>) -> Result<HashList, Failure> {
    HashList::open(bytes).map_err(|error| Failure::new(PRESEND_BAD_LIST, error))
}
