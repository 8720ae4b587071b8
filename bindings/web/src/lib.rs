//! presend in a browser: the part that runs in a Web Worker.
//!
//! A page never calls this. `js/presend.js` starts a module Worker, hands it the
//! compiled module and the files, and asks it one thing at a time; `js/worker.js`
//! calls what is here and passes plain objects back. A panic is a trap: the
//! module is of no use afterwards, so the page discards the Worker and answers
//! `incomplete.internal` by a report that it asked for at the start.

use std::time::Duration;

use js_sys::{Array, Uint8Array};
use presend::classify::ModelError;
use presend::frame::{Background, Frame, Layout};
use presend::hash::pdq::Pdq;
use presend::hash::{Algorithm, exact};
use presend::limits::{Budget, Clock, Incomplete};
use presend::{
    Classifier, HashList, Limits, Model, Policy, Runtime, ScannerBuilder, media, session,
};
use wasm_bindgen::prelude::*;

mod report;

#[wasm_bindgen]
extern "C" {
    /// Milliseconds since the Worker began; never goes backwards.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Gathers what a [`Scanner`] needs.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Builder(ScannerBuilder);

#[wasm_bindgen]
impl Builder {
    /// Without lists and models and with the preset policy `default`.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares with one more list: the bytes of a `.presend` file.
    ///
    /// # Errors
    /// The list cannot be used; the message says why.
    pub fn list(&mut self, bytes: Vec<u8>) -> Result<(), JsError> {
        let list = HashList::open(bytes)?;
        self.0 = std::mem::take(&mut self.0).list(list);
        Ok(())
    }

    /// Looks with one more model: the text of `model.toml`, the ONNX file, and one
    /// or more golden inputs in the order in which the text names them.
    ///
    /// # Errors
    /// The model cannot be used, or this build runs none; the message says why.
    pub fn model(
        &mut self,
        description: &str,
        onnx: Vec<u8>,
        goldens: Vec<Uint8Array>,
    ) -> Result<(), JsError> {
        // So that what reads models is no part of a build that runs none.
        if cfg!(not(feature = "classifier")) {
            return Err(ModelError::NotBuilt { runtime: "embedded", feature: "embedded" }.into());
        }
        let goldens = goldens.iter().map(Uint8Array::to_vec);
        let model = Model::new(description, onnx, goldens)?;
        let classifier = Classifier::open(&model, &Runtime::embedded())?;
        self.0 = std::mem::take(&mut self.0).classifier(classifier);
        Ok(())
    }

    /// Decides by a built-in policy of this name, or by the text of a policy file.
    ///
    /// # Errors
    /// The text is not a policy; the message names the line.
    pub fn policy(&mut self, name_or_text: &str) -> Result<(), JsError> {
        let policy = match Policy::preset(name_or_text) {
            Some(policy) => policy,
            None => Policy::parse(name_or_text)?,
        };
        self.0 = std::mem::take(&mut self.0).policy(policy);
        Ok(())
    }

    /// The scanner.
    ///
    /// # Errors
    /// The parts do not make a scanner; the message says why.
    pub fn build(self) -> Result<Scanner, JsError> {
        Ok(Scanner(self.0.build()?))
    }
}

/// What one scan may spend; the engine's defaults until it is told otherwise.
#[wasm_bindgen]
#[derive(Clone, Debug)]
pub struct Settings(Limits);

#[wasm_bindgen]
impl Settings {
    /// The defaults, and a clock that a Worker has.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        let clock = Clock::new(|| Duration::from_secs_f64(performance_now() / 1000.0));
        Self(Limits { clock, ..Limits::default() })
    }

    /// Sets one: `deadlineMs` in milliseconds from the start of the scan,
    /// `inputBytes`, `pixels`, `frames` or `memoryBytes`. Whatever is below zero
    /// or not a number counts as zero.
    ///
    /// # Errors
    /// There is no limit of that name.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), JsError> {
        match name {
            "deadlineMs" => self.0.time = Some(milliseconds(value)),
            "inputBytes" => self.0.input_bytes = value as u64,
            "pixels" => self.0.pixels = value as u64,
            "frames" => self.0.frames = value as u32,
            "memoryBytes" => self.0.memory = value as u64,
            _ => return Err(JsError::new("there is no limit of this name")),
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// Scans pictures.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Scanner(presend::Scanner);

#[wasm_bindgen]
impl Scanner {
    /// The report of a scan of these bytes, as a plain object.
    pub fn scan(&self, bytes: &[u8], settings: &Settings) -> JsValue {
        report::object(&self.0.scan(bytes, &settings.0))
    }

    /// Begins a film or a live picture: a look every so many milliseconds, and after
    /// so many frames that were passed over.
    pub fn session(&self, settings: &Settings, every_ms: f64, passed_over: u32) -> Session {
        let every = milliseconds(every_ms);
        Session(self.0.session(session::Settings { every, passed_over }, &settings.0))
    }

    /// The report of a scan that was not made, for each reason that the page may
    /// have: an object by the reason's code.
    pub fn not_scanned(&self) -> JsValue {
        let reasons = [
            Incomplete::Busy,
            Incomplete::Cancelled,
            Incomplete::DeadlinePassed,
            Incomplete::Internal,
            Incomplete::TooManyBytes,
        ];
        let reports = reasons.map(|reason| {
            let report = self.0.not_scanned(reason);
            (reason.code(), report::object(&report))
        });
        report::record(&reports)
    }

    /// Compares with this edition of a list from now on, in the place of the one with
    /// its id. Gives that place, from 0.
    ///
    /// # Errors
    /// It is no list, replaces none, or comes before the one in use.
    pub fn reload(&self, bytes: Vec<u8>) -> Result<usize, JsError> {
        let list = HashList::open(bytes)?;
        let id = list.id().to_owned();
        self.0.reload(list)?;
        let place = self.0.lists().iter().position(|list| list.id() == id);
        place.ok_or_else(|| JsError::new("the list is not there"))
    }

    /// The lists that it compares with: an array of `{ id, version, entries }`.
    pub fn lists(&self) -> Array {
        let lists = self.0.lists();
        let described = lists.iter().map(|list| {
            let entries = list.header().near_entries.max(list.header().exact_entries);
            report::record(&[
                ("id", list.id().into()),
                ("version", (list.version() as f64).into()),
                ("entries", (entries as f64).into()),
            ])
        });
        described.collect()
    }

    /// The models that it looks with: an array of `{ name, version }`.
    pub fn models(&self) -> Array {
        let described = self.0.classifiers().iter().map(|classifier| {
            let description = classifier.description();
            report::record(&[
                ("name", description.name.as_str().into()),
                ("version", description.version.as_str().into()),
            ])
        });
        described.collect()
    }
}

/// A film or a live picture on its way.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Session(presend::Session);

#[wasm_bindgen]
impl Session {
    /// Whether a frame of this time, in milliseconds, would be looked at now.
    pub fn is_due(&self, at_ms: f64) -> bool {
        self.0.is_due(milliseconds(at_ms))
    }

    /// Takes the next frame: four bytes a pixel (RGBA), three (RGB) or one (luma), rows
    /// top to bottom without padding. Gives the verdict so far. Where the pixels are
    /// missing or not so many, nobody has seen the frame, and the session says so.
    pub fn push_frame(
        &mut self,
        pixels: Option<Vec<u8>>,
        width: u32,
        height: u32,
        at_ms: f64,
    ) -> String {
        let pixels = pixels.unwrap_or_default();
        let count = u64::from(width) * u64::from(height);
        let layout = match (pixels.len() as u64).checked_div(count) {
            Some(1) => Layout::Luma8,
            Some(3) => Layout::Rgb8,
            _ => Layout::Rgba8,
        };
        let verdict = match Frame::new(width, height, layout, pixels) {
            Ok(frame) => self.0.push_frame(&frame, milliseconds(at_ms)),
            Err(_) => self.0.leave_out_frame(Incomplete::Internal),
        };
        verdict.name().to_owned()
    }

    /// Reads the next bytes of the file that the frames come from. Gives the verdict
    /// so far. Where they are missing the session says so, and the report clears none.
    pub fn push_bytes(&mut self, piece: Option<Vec<u8>>) -> String {
        match piece {
            Some(piece) => self.0.push_bytes(&piece),
            None => _ = self.0.leave_out_bytes(Incomplete::Internal),
        }
        self.0.verdict().name().to_owned()
    }

    /// Looks at the last frame, and ends.
    pub fn finish(self) -> JsValue {
        report::object(&self.0.finish())
    }
}

/// A cast from a float is saturating, and makes zero of NaN.
fn milliseconds(time: f64) -> Duration {
    Duration::from_micros((time * 1000.0) as u64)
}

/// The PDQ hash of the first frame, upright and over white: `{ bits, quality }`,
/// 256 bits in 32 bytes and 0 to 100; null where there is no frame.
///
/// For showing people what a hash is. A messenger has no use for it, and it is
/// the person's own: it must not be logged or sent.
#[wasm_bindgen]
pub fn hash(bytes: &[u8], settings: &Settings) -> JsValue {
    let budget = Budget::start(&settings.0);
    let first = || {
        let frame: Frame<'_> = media::open(bytes, &budget).ok()?.next()?.ok()?;
        let pdq = Pdq::of(&frame, Background::White, &budget).ok()?;
        let bits = pdq.hash().words().map(u64::to_le_bytes).concat();
        Some(report::record(&[
            ("bits", Uint8Array::from(&bits[..]).into()),
            ("quality", pdq.quality().into()),
        ]))
    };
    first().unwrap_or(JsValue::NULL)
}

/// BLAKE3 of the bytes, to compare with a report's: 32 bytes.
///
/// # Errors
/// None that the unlimited budget leaves.
#[wasm_bindgen]
pub fn blake3(bytes: &[u8]) -> Result<Vec<u8>, JsError> {
    let wanted = [Algorithm::Blake3].into_iter().collect();
    let digests = exact::digests(bytes, wanted, &Budget::start(&Limits::default()));
    let digest = digests.ok().and_then(|digests| digests.into_iter().next());
    digest.map(|d| d.as_bytes().to_vec()).ok_or_else(|| JsError::new("no digest was made"))
}
