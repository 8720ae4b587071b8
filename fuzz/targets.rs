//! What each fuzz target does with its bytes, and what must hold for any bytes.
//!
//! `fuzz_targets/` hands these functions to libFuzzer; the test suite replays
//! the corpus and every past crash through the same ones. A panic is a defect,
//! in presend or in a codec, and so is memory beyond the limits:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run png -- -max_len=4096 -malloc_limit_mb=32
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use ed25519_dalek::{Signer, SigningKey};
use presend::classify::ModelError;
use presend::frame::{Background, Frame, Layout, Orientation};
use presend::hash::pdq::Pdq;
use presend::hash::views::{Dihedral, Variant, View};
use presend::hash::{Algorithm, Digest, PerceptualHash};
use presend::limits::{Budget, Incomplete, Limits};
use presend::list::manifest::Manifest;
use presend::list::{HashList, delta};
use presend::media::{self, Fault, Fidelity, Format, Unsupported};
use presend::policy::Policy;
use presend::publish::feed::RowHash;
use presend::publish::ingest::{self, Place, Record, Update};
use presend::publish::{self, BuildError, Feed, Parameters, Row};
use presend::update::tuf::{Repository, Role, TargetName, Trusted};
use presend::update::{FetchError, Transport};
use presend::verdict::{Finding, Match, Part, Verdict};
use presend::{CancelToken, Classifier, Model, Runtime, Scanner};
use serde_json::{Value, json};

/// JPEG files, frame by frame.
pub fn jpeg(bytes: &[u8]) {
    frames_of(Format::Jpeg, bytes);
}

/// PNG and APNG files, frame by frame.
pub fn png(bytes: &[u8]) {
    frames_of(Format::Png, bytes);
}

/// GIF files, frame by frame.
pub fn gif(bytes: &[u8]) {
    frames_of(Format::Gif, bytes);
}

/// WebP files, frame by frame.
pub fn webp(bytes: &[u8]) {
    frames_of(Format::WebP, bytes);
}

/// Windows bitmaps, frame by frame.
pub fn bmp(bytes: &[u8]) {
    frames_of(Format::Bmp, bytes);
}

/// JPEG files, read fast and in full, where nothing is wrong with either: the bits
/// of the hash that differ lie close to the median, for the picture's contrast.
pub fn lane(bytes: &[u8]) {
    let limits = Limits { pixels: 600_000, frames: 1, memory: 64 << 20, ..Limits::default() };
    let budgets = [Budget::start(&limits), Budget::start(&limits)];
    let of = |fidelity, budget| {
        let mut frames = media::open_with(bytes, fidelity, budget).ok()?;
        let frame = frames.next()?.ok()?;
        frames.next().is_none().then_some(frame)
    };
    let Some(fast) = of(Fidelity::Fast, &budgets[0]) else { return };
    // Of a large progressive file the means alone are read; a scanner reads it all, and
    // doubts some of them.
    let is_progressive = bytes.windows(2).any(|pair| pair == [0xff, 0xc2]);
    let is_doubted = || {
        let report = Scanner::builder().build().expect("no parts").scan(bytes, &limits);
        report.media.expect("a picture").scale == 1
    };
    if fast.scale() == 1 || fast.scale() == 8 && is_progressive && is_doubted() {
        return;
    }
    let full = of(Fidelity::Full, &budgets[1]).expect("the fast decode has found nothing wrong");
    let (width, height) = (full.width() as usize, full.height() as usize);
    assert_eq!((fast.original_width(), fast.original_height()), (full.width(), full.height()));
    let full = full.with_orientation(Orientation::default());
    let pdq =
        |frame| Pdq::of(frame, Background::White, &budgets[0]).expect("it fits").hash().words();
    let (fast, whole) = (pdq(&fast.with_orientation(Orientation::default())), pdq(&full));
    let mut luma: Vec<f64> = Vec::new();
    let taken = full.luma_rows(Background::White, |row| {
        luma.extend(row.iter().copied().map(f64::from));
        Ok::<(), ()>(())
    });
    assert_eq!(taken, Ok(()));

    let length = luma.len() as f64;
    let mean = luma.iter().sum::<f64>() / length;
    let variance = luma.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / length;
    let coefficients = plain_pdq(luma, width, height);
    let mut sorted = coefficients;
    sorted.sort_by(f64::total_cmp);
    let differs = |n: usize| (fast[n / 64] ^ whole[n / 64]) >> (n % 64) & 1 == 1;
    let distances = (0..256).filter(|&n| differs(n)).map(|n| coefficients[n] - sorted[127]);
    let moved = distances.map(|distance| distance.powi(2)).sum::<f64>() / (64.0 * 64.0);
    assert!(moved <= 1.0 + variance / 16.0, "{moved} of {variance}");
}

/// Pictures of any size: the hash is that of the algorithm as it is written down,
/// wherever a coefficient does not lie right on the median.
pub fn pdq(bytes: &[u8]) {
    let [across, down, pixels @ ..] = bytes else { return };
    if pixels.is_empty() {
        return;
    }
    // Filters of one to seven pixels.
    let (width, height) = (5 + 3 * usize::from(*across), 5 + 3 * usize::from(*down));
    let turned = |n: usize| pixels[n % pixels.len()].rotate_left((n / pixels.len()) as u32 % 8);
    let luma: Vec<u8> = (0..width * height).map(turned).collect();
    let plain = plain_pdq(luma.iter().copied().map(f64::from).collect(), width, height);
    let frame = Frame::new(width as u32, height as u32, Layout::Luma8, luma).expect("a frame");
    let budget = Budget::start(&Limits::default());
    let words = Pdq::of(&frame, Background::White, &budget).expect("it fits").hash().words();
    let mut sorted = plain;
    sorted.sort_by(f64::total_cmp);
    for (n, &coefficient) in plain.iter().enumerate() {
        let is_set = words[n / 64] >> (n % 64) & 1 == 1;
        let is_above = coefficient > (sorted[127] + sorted[128]) / 2.0;
        let is_near =
            (coefficient - sorted[127]).abs().min((coefficient - sorted[128]).abs()) < 0.01;
        assert!(is_near || is_set == is_above, "bit {n} of {width} x {height}");
    }
}

/// The coefficients by Meta's description (ThreatExchange, `pdq/`), step by step
/// and in f64.
fn plain_pdq(mut image: Vec<f64>, width: usize, height: usize) -> [f64; 256] {
    for _ in 0..2 {
        for row in image.chunks_exact_mut(width) {
            row.copy_from_slice(&box_filtered(row));
        }
        for x in 0..width {
            let column: Vec<f64> = image.iter().skip(x).step_by(width).copied().collect();
            for (y, value) in box_filtered(&column).into_iter().enumerate() {
                image[y * width + x] = value;
            }
        }
    }
    let at = |n: usize, length: usize| (2 * n + 1) * length / 128;
    let sample = |y: usize, x: usize| image[at(y, height) * width + at(x, width)];
    let wave = |k: usize, n: usize| {
        (2.0f64 / 64.0).sqrt()
            * (std::f64::consts::PI / 128.0 * (k as f64 + 1.0) * (2.0 * n as f64 + 1.0)).cos()
    };
    let waves: Vec<[f64; 64]> = (0..16).map(|k| std::array::from_fn(|n| wave(k, n))).collect();
    let lines: Vec<[f64; 16]> = (0..64)
        .map(|y| std::array::from_fn(|k| (0..64).map(|x| waves[k][x] * sample(y, x)).sum()))
        .collect();
    std::array::from_fn(|n| (0..64).map(|y| waves[n / 16][y] * lines[y][n % 16]).sum())
}

/// Means over a window that is cut off at both ends.
fn box_filtered(line: &[f64]) -> Vec<f64> {
    let window = line.len().div_ceil(128);
    let ahead = window / 2;
    let behind = window - 1 - ahead;
    let mean = |at: usize| {
        let part = &line[at.saturating_sub(behind)..(at + ahead + 1).min(line.len())];
        part.iter().sum::<f64>() / part.len() as f64
    };
    (0..line.len()).map(mean).collect()
}

/// Bytes of any kind: named, opened or refused, the same way each time.
pub fn sniff(bytes: &[u8]) {
    let budget = Budget::start(&limits());
    let first = media::open(bytes, &budget).map(|frames| frames.format());
    let again = media::open(bytes, &budget).map(|frames| frames.format());
    assert_eq!(first, again);

    // A host that has cancelled is not kept waiting by any kind of file.
    let cancel = CancelToken::default();
    cancel.cancel();
    let budget = Budget::start(&Limits { cancel, ..limits() });
    if let Ok(mut frames) = media::open(bytes, &budget) {
        assert!(!matches!(frames.next(), Some(Ok(_))), "a cancelled scan decoded a frame");
    }
}

/// A whole scan against the demonstration list.
pub fn scan(bytes: &[u8]) {
    static SCANNER: LazyLock<Scanner> = LazyLock::new(|| {
        let list = HashList::open(DEMO).expect("the demonstration list opens");
        Scanner::builder().list(list).build().expect("one list has one id")
    });
    // Each frame is looked up 16 times; more of them show little more.
    let limits = Limits { frames: 2, ..limits() };
    let report = SCANNER.scan(bytes, &limits);
    let findings = || report.findings.iter().map(|judged| &judged.finding);
    assert!(!findings().any(|found| *found == Finding::Incomplete(Incomplete::Internal)));
    assert!(report.frames <= limits.frames);
    assert!(report.frames > 0 || report.verdict >= Verdict::Ask, "unseen and waved through");
    assert_eq!(
        report.findings.iter().map(|judged| judged.verdict).max().unwrap_or(Verdict::Allow),
        report.verdict
    );
    assert!(report.clearance.check(bytes).is_ok(), "all bytes were read");

    let again = SCANNER.scan(bytes, &limits);
    assert_eq!((again.verdict, again.findings), (report.verdict, report.findings));
}

/// List files: one that opens, verified or not, answers look-ups.
pub fn list(bytes: &[u8]) {
    static VIEW: LazyLock<View> = LazyLock::new(|| {
        let pixels: Vec<u8> = (0..64 * 64u32).map(|n| (n * n / 128) as u8).collect();
        let frame = Frame::new(64, 64, Layout::Luma8, pixels).expect("64 x 64 luma pixels");
        let budget = Budget::start(&Limits::default());
        let pdq = Pdq::of(&frame, Background::White, &budget).expect("nothing stops this budget");
        View::dihedral(&pdq, Dihedral::Identity)
    });
    // Verified first, no changed list would get any further.
    let Ok(list) = HashList::open_unverified(bytes.to_vec()) else { return };
    assert_eq!(HashList::open(bytes.to_vec()).err(), list.verify().err());
    assert_eq!(list.size(), bytes.len());
    assert!((1..=64).contains(&list.id().len()));
    // Whatever the answers are, they come and stay.
    assert_eq!(list.contains_near(&VIEW, 100), list.contains_any(&list.probes(&VIEW, 100)));
    for algorithm in Algorithm::ALL {
        if let Some(digest) = Digest::new(algorithm, vec![7; algorithm.bytes()]) {
            let listed = list.contains(&digest);
            assert!(!listed || list.algorithms().contains(algorithm));
        }
    }
}

/// Deltas to the demonstration list, and packed lists: one that is applied makes a
/// list that opens.
pub fn delta(bytes: &[u8]) {
    static LIST: LazyLock<HashList> =
        LazyLock::new(|| HashList::open(DEMO).expect("the demonstration list opens"));
    // Without a digest that fits, no changed delta would get any further.
    let mut signed_off = bytes.to_vec();
    signed_off.extend_from_slice(blake3::hash(bytes).as_bytes());
    for delta in [bytes, &signed_off] {
        if let Ok(list) = delta::apply(&LIST, delta) {
            let list = HashList::open(list).expect("an applied delta makes a list");
            assert_eq!(list.id(), LIST.id());
        }
        if let Ok(list) = delta::unpack(delta) {
            HashList::open(list).expect("an unpacked list opens");
        }
    }
}

/// A list's manifest: what is read is written and read again.
pub fn manifest(bytes: &[u8]) {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) else { return };
    let written = serde_json::to_vec(&manifest).expect("a manifest is plain");
    assert_eq!(serde_json::from_slice::<Manifest>(&written).expect("as written"), manifest);
}

/// Metadata of a TUF repository, under a key that counts for every role. The first byte
/// chooses the role, the rest is what it signs: an update ends, and so does the next one,
/// which starts from what the first has left.
pub fn metadata(bytes: &[u8]) {
    let Some((&role, signed)) = bytes.split_first() else { return };
    let files = ["2.root.json", "timestamp.json", "snapshot.json", "targets.json"];
    let mut repository = BTreeMap::from([
        (
            "timestamp.json",
            in_envelope(&metadata_of(
                "timestamp",
                "meta",
                &json!({ "snapshot.json": { "version": 1 } }),
            )),
        ),
        (
            "snapshot.json",
            in_envelope(&metadata_of(
                "snapshot",
                "meta",
                &json!({ "targets.json": { "version": 1 } }),
            )),
        ),
        ("targets.json", in_envelope(&metadata_of("targets", "targets", &json!({})))),
    ]);
    repository.insert(files[usize::from(role) % files.len()], in_envelope(signed));
    let repository = Repositories(repository);
    let mut kept = Kept(BTreeMap::from([("root".to_owned(), in_envelope(&root()))]));
    let mut update = || {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let mut release = Repository::refresh(&repository, &mut kept, now).ok()?;
        let name = TargetName::new("demo.presend").expect("a plain name");
        if let Ok(facts) = release.find(&name) {
            assert!(release.fetch(&name, &facts, &mut io::sink()).is_err(), "it has no targets");
        }
        Some(())
    };
    let first = update();
    assert!(first.is_none() || update().is_some(), "what was trusted is not trusted any more");
}

/// The files of a repository's `metadata/`.
struct Repositories(BTreeMap<&'static str, Vec<u8>>);

impl Transport for Repositories {
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, FetchError> {
        let name = path.strip_prefix("metadata/").ok_or(FetchError::NotFound)?;
        let file = self.0.get(name).ok_or(FetchError::NotFound)?;
        Ok(Box::new(file.as_slice()))
    }
}

/// What a client keeps.
struct Kept(BTreeMap<String, Vec<u8>>);

impl Trusted for Kept {
    fn load(&self, role: &Role) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(&role.to_string()).cloned())
    }

    fn save(&mut self, role: &Role, bytes: &[u8]) -> io::Result<()> {
        self.0.insert(role.to_string(), bytes.to_vec());
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> io::Result<()> {
        self.0.remove(&role.to_string());
        Ok(())
    }
}

/// What a role signs, with one part of its own.
fn metadata_of(role: &str, part: &str, of: &Value) -> Vec<u8> {
    let mut signed = json!({
        "_type": role, "expires": "2100-01-01T00:00:00Z", "spec_version": "1.0.31", "version": 1,
    });
    signed[part] = of.clone();
    serde_json::to_vec(&signed).expect("plain values")
}

fn root() -> Vec<u8> {
    let public: String =
        KEY.verifying_key().to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let role = json!({ "keyids": ["k"], "threshold": 1 });
    let mut root: Value = serde_json::from_slice(&metadata_of(
        "root",
        "keys",
        &json!({ "k": { "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } } }),
    ))
    .expect("as written");
    root["consistent_snapshot"] = false.into();
    root["roles"] = json!({ "root": role, "timestamp": role, "snapshot": role, "targets": role });
    serde_json::to_vec(&root).expect("plain values")
}

/// The signature is over the canonical form, which this is but for a few characters.
fn in_envelope(signed: &[u8]) -> Vec<u8> {
    let canonical = match serde_json::from_slice::<Value>(signed) {
        Ok(value) => serde_json::to_vec(&value).expect("plain values"),
        Err(_) => signed.to_vec(),
    };
    let signature: String =
        KEY.sign(&canonical).to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file =
        format!(r#"{{"signatures":[{{"keyid":"k","sig":"{signature}"}}],"signed":"#).into_bytes();
    file.extend_from_slice(signed);
    file.push(b'}');
    file
}

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));

/// Policy files: one that parses decides on anything.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!((1..=text.matches('\n').count() + 1).contains(&error.line));
            return;
        }
    };
    let mut findings =
        vec![Finding::LowQuality, Finding::NoData(Part::List), Finding::NoData(Part::Model)];
    findings.extend(Incomplete::ALL.map(Finding::Incomplete));
    for class in ["image", "video", "audio", "archive", "document", "other"] {
        findings.push(Finding::Unsupported(Unsupported { class, kind: "unknown" }));
    }
    for by in [Match::Exact(Algorithm::Sha256), Match::Near { view: Variant::IDENTITY, frame: 0 }] {
        findings.push(Finding::Match { list: "demo".into(), version: 1, by });
    }
    for score in [0.0, 0.5, 1.0] {
        let (model, version, label) = ("m".into(), "1".into(), "sexual".into());
        findings.push(Finding::Label { model, version, label, score });
    }
    let (verdict, judged) = policy.decide(findings.clone());
    assert_eq!(judged.len(), findings.len());
    assert!(judged.is_sorted_by(|a, b| a.verdict >= b.verdict));
    assert_eq!(judged[0].verdict, verdict);
    assert!(judged.iter().all(|judged| !judged.rule.is_empty()));
}

/// `model.toml`: a usable description makes a tensor of its shape of any frame.
pub fn model(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(model) = Model::new(text, MEAN_COLOUR, [DUSK]) else { return };
    assert!(model.description().labels().count() > 0);
    let input = &model.description().input;
    let budget = Budget::start(&limits());
    let frame = Frame::new(9, 5, Layout::Rgba8, vec![77; 9 * 5 * 4]).expect("9 x 5 pixels");
    let Ok(tensor) = input.prepare(&frame, Background::White, &budget) else { return };
    assert_eq!(tensor.shape(), input.shape);
    assert_eq!(tensor.values().len(), input.shape.iter().product::<usize>());
}

/// ONNX files, up to where a runtime would see them: one that passes is as good as
/// refused here, for its runtime is not there.
pub fn onnx(bytes: &[u8]) {
    let digest = blake3::hash(bytes).to_hex();
    let before = blake3::hash(MEAN_COLOUR).to_hex();
    let text = DESCRIBED.replace(before.as_str(), digest.as_str());
    let model = Model::new(&text, bytes.to_vec(), [DUSK]).expect("a description that is used");
    let runtime = Runtime::onnx_runtime("no-such-library");
    match Classifier::open(&model, &runtime).expect_err("no runtime") {
        ModelError::Refused(reason) => assert!(reason.len() > 8),
        ModelError::Unusable(_) | ModelError::Runtime(_) | ModelError::NotBuilt { .. } => {}
        error => panic!("{error}"),
    }
}

/// Feeds: each row is counted once, and the list that is built holds them all.
pub fn feed(bytes: &[u8]) {
    let Ok(feed) = Feed::read(bytes) else { return };
    assert_eq!(Feed::read(bytes).as_ref(), Ok(&feed));
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
    let counted =
        feed.rows.len() as u64 + feed.bad.len() as u64 + feed.low_quality + feed.duplicate;
    assert!(counted <= lines, "{counted} rows on {lines} lines");
    for bad in &feed.bad {
        assert!((1..=lines).contains(&bad.line), "line {} of {lines}", bad.line);
        let mut words = bad.reason.split(|c: char| !c.is_ascii_hexdigit());
        assert!(words.all(|word| word.len() < 16), "a reason that quotes a hash");
    }
    let mut twice = feed.clone();
    twice.merge(feed.clone());
    assert_eq!(twice.rows, feed.rows);

    if feed.rows.is_empty() {
        return;
    }
    let parameters =
        Parameters { id: "a".into(), version: 1, profile: "balanced".into(), salt: None };
    let built = match publish::build(&parameters, &feed) {
        Ok(built) => built,
        // Plain hashes are guessed too easily to be listed.
        Err(BuildError::Empty { .. } | BuildError::EasilyGuessed) => return,
        Err(error) => panic!("rows and parameters are usable: {error}"),
    };
    let list = HashList::open(built.list).expect("what is built opens");
    let is_listed = |row: &&Row| is_listed(&list, &row.hash);
    let missing = feed.rows.iter().filter(|row| !is_listed(row)).count() as u64;
    // Some of those left out may share a band with one that is listed.
    assert!(missing <= built.manifest.left_out.easily_guessed);
}

/// Two editions of a list: every three bytes are a row, which the second may lack. Each
/// finds what the lists of its rows alone would find, so every row and no deleted one,
/// and a delta leads from one to the other.
pub fn editions(bytes: &[u8]) {
    let mut rows: Vec<(String, bool, Option<Vec<u8>>)> = Vec::new();
    for bytes in bytes.chunks_exact(3).take(12) {
        let row = row_of(bytes);
        if !rows.iter().any(|(other, ..)| *other == row) {
            let alone = edition(1, [&row]);
            rows.push((row, bytes[0] & 8 == 0, alone));
        }
    }
    let whole = edition(1, rows.iter().map(|(row, ..)| row));
    let rest = edition(2, rows.iter().filter(|(_, stays, _)| *stays).map(|(row, ..)| row));
    for (row, ..) in &rows {
        let alone = |deleted: bool| {
            let mut lists = rows.iter().filter(|(_, stays, _)| deleted || *stays);
            lists.any(|(.., list)| finds(list.as_deref(), row))
        };
        assert_eq!(finds(whole.as_deref(), row), alone(true), "in the first edition");
        assert_eq!(finds(rest.as_deref(), row), alone(false), "in the second");
    }
    let (Some(whole), Some(rest)) = (whole, rest) else { return };
    let [old, new] = [whole, rest.clone()].map(|list| HashList::open(list).expect("a list"));
    let delta = delta::diff(&old, &new).expect("editions of one list");
    assert_eq!(delta::apply(&old, &delta), Ok(rest));
}

/// A row of a feed. Those of one seed are near each other.
fn row_of(bytes: &[u8]) -> String {
    let [kind, seed, bit] = bytes else { unreachable!("three bytes") };
    let mut hash = *blake3::hash(&[*seed]).as_bytes();
    hash[usize::from(bit / 8)] ^= 1 << (bit % 8);
    let name = ["pdq", "md5", "sha1", "sha256"][usize::from(kind % 4)];
    let length = Algorithm::from_name(name).expect("a name").bytes();
    let hex: String = hash[..length].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name},{hex}")
}

/// The list of these rows, unless none can be listed.
fn edition<'a>(version: u64, rows: impl IntoIterator<Item = &'a String>) -> Option<Vec<u8>> {
    let rows: Vec<&str> = rows.into_iter().map(String::as_str).collect();
    if rows.is_empty() {
        return None;
    }
    let feed = Feed::read(format!("algorithm,hex\n{}\n", rows.join("\n")).as_bytes());
    let parameters = Parameters { id: "a".into(), version, profile: "balanced".into(), salt: None };
    match publish::build(&parameters, &feed.expect("rows")) {
        Ok(built) => Some(built.list),
        Err(BuildError::Empty { .. }) => None,
        Err(error) => panic!("rows and parameters are usable: {error}"),
    }
}

fn finds(list: Option<&[u8]>, row: &str) -> bool {
    let Some(list) = list else { return false };
    let list = HashList::open(list.to_vec()).expect("what is built opens");
    let hashes = RowHash::candidates(&row.replace(',', ":")).expect("a row");
    hashes.iter().any(|hash| is_listed(&list, hash))
}

fn is_listed(list: &HashList, hash: &RowHash) -> bool {
    match hash {
        // The first pattern tried flips nothing.
        RowHash::Perceptual(hash) => {
            list.contains_near(&View { hash: *hash, margins: [1.0; 256] }, 1)
        }
        RowHash::Exact(digest) => list.contains(digest),
    }
}

/// What hash sources send; the first byte chooses the format.
pub fn ingest(bytes: &[u8]) {
    let Some((&format, bytes)) = bytes.split_first() else { return };
    let formats = ingest::Format::ALL;
    let format = formats[usize::from(format) % formats.len()];
    let read = ingest::read(format, bytes);
    assert_eq!(ingest::read(format, bytes), read);
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
    let page = match read {
        Ok(page) => page,
        Err(error) => return no_hash(&error.to_string()),
    };
    for bad in &page.bad {
        no_hash(&bad.reason);
        if let Place::Line(line) = bad.place {
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
        }
    }
    // What is kept of an entry is read back as it was.
    for update in &page.updates {
        let records: Vec<&Record> = match update {
            Update::Entry { record, .. } => vec![record],
            Update::Indicator { members, .. } => members.iter().map(|(_, said)| said).collect(),
        };
        for record in records {
            let kept = serde_json::to_vec(record).expect("a record is plain");
            assert_eq!(&serde_json::from_slice::<Record>(&kept).expect("as written"), record);
        }
    }
}

fn no_hash(text: &str) {
    let mut words = text.split(|c: char| !c.is_ascii_hexdigit());
    assert!(words.all(|word| word.len() < 16), "an error that quotes a hash");
}

/// One frame, as far as it is compared: its size, and hash and quality on each
/// background.
type Seen = (u32, u32, [(PerceptualHash, u8); 2]);

/// Reads the file if it is of this format: the frames keep their promises, and
/// a second reading sees the same.
fn frames_of(format: Format, bytes: &[u8]) {
    let small = limits();
    if let Some(seen) = read(format, Fidelity::Full, bytes, &small) {
        assert_eq!(read(format, Fidelity::Full, bytes, &small).as_ref(), Some(&seen));
        // A fast read may pass over damage in what it skips, never find any more.
        let fast = read(format, Fidelity::Fast, bytes, &small).expect("the same header");
        let pictures = |seen: &[Result<Seen, Fault>]| seen.iter().filter(|s| s.is_ok()).count();
        assert_eq!(pictures(&fast), pictures(&seen));
        assert!(fast.len() == pictures(&fast) || fast.last() == seen.last());
    }
    // Large enough for every scale, in less memory than the whole picture needs.
    if format == Format::Jpeg {
        let large = Limits { pixels: 1 << 23, memory: 4 << 20, ..small };
        let budget = Budget::start(&large);
        let frames = media::open_with(bytes, Fidelity::Fast, &budget);
        for frame in frames.into_iter().flatten().flatten() {
            // What is nearly too large to decode may be too large to hash.
            let _ = Pdq::of(&frame, Background::White, &budget);
        }
        // It reads more of a progressive one.
        let report = Scanner::builder().build().expect("no parts").scan(bytes, &large);
        let internal = Finding::Incomplete(Incomplete::Internal);
        assert!(report.findings.iter().all(|judged| judged.finding != internal));
    }
}

fn read(
    format: Format,
    fidelity: Fidelity,
    bytes: &[u8],
    limits: &Limits,
) -> Option<Vec<Result<Seen, Fault>>> {
    let budget = Budget::start(limits);
    let frames = media::open_with(bytes, fidelity, &budget).ok();
    let mut frames = frames.filter(|frames| frames.format() == format)?;
    let mut seen = Vec::new();
    for frame in frames.by_ref() {
        seen.push(frame.map(|frame| look_at(&frame, &budget)));
    }
    assert!(frames.next().is_none(), "something came behind the end");
    assert!(seen.iter().filter(|item| item.is_ok()).count() <= limits.frames as usize);
    assert!(seen.iter().rev().skip(1).all(Result::is_ok), "something came behind a fault");
    assert!(!seen.contains(&Err(Incomplete::Internal.into())));
    Some(seen)
}

fn look_at(frame: &Frame<'_>, budget: &Budget) -> Seen {
    let hashes = [Background::White, Background::Black].map(|background| {
        let mut rows = 0;
        let read = frame.luma_rows(background, |row| {
            rows += 1;
            assert_eq!(row.len(), frame.width() as usize);
            // The three weights add up to a hair more than 1 in f32.
            let holds = row.iter().all(|luma| (0.0..=255.01).contains(luma));
            if holds { Ok(()) } else { Err("luma outside 0 to 255") }
        });
        assert_eq!(read, Ok(()));
        assert_eq!(rows, frame.height());
        let pdq =
            Pdq::of(frame, background, budget).expect("a decoded frame leaves memory to hash it");
        assert!(pdq.quality() <= 100);
        (pdq.hash(), pdq.quality())
    });
    (frame.width(), frame.height(), hashes)
}

/// Small, so that an input which only spends is soon refused.
fn limits() -> Limits {
    Limits { pixels: 1 << 18, frames: 8, memory: 16 << 20, ..Limits::default() }
}

const MEAN_COLOUR: &[u8] = include_bytes!("../tests/data/models/mean-colour-1/model.onnx");
const DESCRIBED: &str = include_str!("../tests/data/models/mean-colour-1/model.toml");
const DUSK: &[u8] = include_bytes!("../tests/data/models/mean-colour-1/dusk.png");
const DEMO: &[u8] = include_bytes!("../hashlists/demo/demo.presend");
