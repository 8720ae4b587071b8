//! Files that mean harm: what the worst of them cost, and how soon a scan ends
//! that is told to. Reads `PRESEND_HOSTILE`, folders separated as in `PATH`; the
//! project's own broken and odd files without it, and under `cargo bench` always
//! small files of its own making that fill what the limits allow.
//!
//! Counts the panics that were caught, the most that a scan held against
//! 64 MiB + 4 bytes a decoded pixel + the file, and the files that were not read
//! in full and yet allowed. Any of these fails the run.
//!
//! Times are processor time of the process, so that nobody else's work counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use presend::limits::{Clock, Incomplete};
use presend::media::Fidelity;
use presend::{
    CancelToken, Classifier, Finding, HashList, Limits, Model, Report, Runtime, Scanner, Verdict,
};
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        eprintln!("{panic}");
    }));
    let files = files();
    let mut worst = 0;
    for fidelity in Fidelity::ALL {
        worst += corpus(&files, fidelity);
    }
    let panics = PANICS.load(Ordering::Relaxed);
    println!("{panics} panics caught");
    storms(&files);
    assert!(worst == 0 && panics == 0, "the limits do not hold");
}

/// Scans every file and says how many broke a promise.
fn corpus(files: &[PathBuf], fidelity: Fidelity) -> usize {
    let scanner = scanner(fidelity, None);
    let (mut broken, mut unread, mut scanned) = (0, 0, 0);
    let (mut heaps, mut times, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for path in files {
        let Ok(bytes) = fs::read(path) else { continue };
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let start = spent();
        let report = scanner.scan(&bytes, &Limits::default());
        let time = spent() - start;
        times.push((time, path));
        if report.frames == 0 && is_too_large(&report) {
            refused.push((time, path));
        }
        let held = HEAP.peak_usage().saturating_sub(before);
        let pixels = report.media.map_or(0, |media| {
            media.width as usize * media.height as usize * report.frames as usize
        });
        let most = (64 << 20) + 4 * pixels + bytes.len();
        heaps.push((held, path));
        scanned += 1;
        if held > most {
            println!("{held} bytes held where {most} may be: {}", path.display());
            broken += 1;
        }
        if is_unread(&report) {
            unread += 1;
            if report.verdict < Verdict::Ask {
                println!("{}, not read in full: {}", report.verdict, path.display());
                broken += 1;
            }
        }
    }
    println!("\n{}: {scanned} files, {unread} not read in full", fidelity.name());
    times.sort();
    heaps.sort();
    refused.sort();
    println!("{} are refused from their headers; the slowest", refused.len());
    for (time, path) in refused.iter().rev().take(5) {
        println!("{:9.1} ms  {}", time.as_secs_f64() * 1e3, path.display());
    }
    println!("the slowest of all, and what holds most");
    for (time, path) in times.iter().rev().take(8) {
        println!("{:9.1} ms  {}", time.as_secs_f64() * 1e3, path.display());
    }
    for (held, path) in heaps.iter().rev().take(4) {
        println!("{:9.1} MiB {}", *held as f64 / 1048576.0, path.display());
    }
    broken
}

fn is_too_large(report: &Report) -> bool {
    report.findings.iter().any(|judged| {
        matches!(
            judged.finding,
            Finding::Incomplete(
                Incomplete::TooManyPixels | Incomplete::TooMuchMemory | Incomplete::TooManyBytes
            )
        )
    })
}

fn is_unread(report: &Report) -> bool {
    let mut findings = report.findings.iter().map(|judged| &judged.finding);
    report.frames == 0
        || findings
            .any(|finding| matches!(finding, Finding::Incomplete(_) | Finding::Unsupported(_)))
}

/// How long scans, classifier and all, go on that are cancelled, or whose deadline
/// passes, at random moments of their way: of every file that takes some time, and of
/// those of [`own`].
fn storms(files: &[PathBuf]) {
    let mut late = Vec::new();
    let mut state = 1u32;
    let mut moment = move |whole: Duration| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        whole.mul_f64(f64::from(state) / f64::from(u32::MAX))
    };
    let kinds = Fidelity::ALL.map(|f| (scanner(f, None), scanner(f, Some(classifier()))));
    for ((bare, scanner), path) in kinds.iter().flat_map(|k| files.iter().map(move |p| (k, p))) {
        let Ok(bytes) = fs::read(path) else { continue };
        let took = |scanner: &Scanner| {
            let start = spent();
            scanner.scan(&bytes, &Limits::default());
            spent() - start
        };
        if took(bare) < SOME_TIME && !path.starts_with(folder()) {
            continue;
        }
        let whole = took(scanner);
        for _ in 0..20 {
            let after = moment(whole);
            let cancel = CancelToken::default();
            let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
            let (report, at, end) = thread::scope(|scope| {
                let scan = scope.spawn(|| (scanner.scan(&bytes, &limits), spent()));
                thread::sleep(after);
                cancel.cancel();
                let at = spent();
                let (report, end) = scan.join().expect("scans do not panic");
                (report, at, end)
            });
            stopped(&report, Incomplete::Cancelled);
            late.push((end.saturating_sub(at), "cancel", path));
            let after = moment(whole);
            let clock = Clock::new(spent);
            let limits = Limits { time: Some(after), clock, ..Limits::default() };
            let start = spent();
            let report = scanner.scan(&bytes, &limits);
            let took = spent() - start;
            stopped(&report, Incomplete::DeadlinePassed);
            late.push((took.saturating_sub(after), "deadline", path));
        }
    }
    late.sort();
    println!("\n{} cancels and deadlines; the slowest answers", late.len());
    for (time, what, path) in late.iter().rev().take(12) {
        println!("{:9.1} ms  {what:8} {}", time.as_secs_f64() * 1e3, path.display());
    }
}

/// What the process has computed so far.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A scan that was stopped says so, or it was done before.
fn stopped(report: &Report, reason: Incomplete) {
    let reasons = report.findings.iter().filter_map(|judged| match judged.finding {
        Finding::Incomplete(reason) => Some(reason),
        _ => None,
    });
    for told in reasons {
        if told == reason {
            assert!(report.verdict >= Verdict::Ask);
        }
        assert_ne!(told, Incomplete::Internal);
    }
}

fn scanner(fidelity: Fidelity, classifier: Option<Classifier>) -> Scanner {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read(root.join("hashlists/demo/demo.presend")).expect("it is in the repository");
    let list = HashList::open(list).expect("a list");
    let builder = Scanner::builder().list(list).fidelity(fidelity);
    let builder = match classifier {
        Some(classifier) => builder.classifier(classifier),
        None => builder,
    };
    builder.build().expect("one list has one id")
}

fn classifier() -> Classifier {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nsfwjs-mid-1");
    let model = Model::read(&folder).expect("it is in the repository");
    Classifier::open(&model, &Runtime::embedded()).expect("it runs")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("largest")
}

/// Of each format, a picture of one colour that is as large as the default limits let
/// it be: nothing is refused, and all the work comes from a few bytes. And a long
/// animation, a progressive picture of many scans, and a strip.
fn own() -> PathBuf {
    let folder = folder();
    fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a file");
    let png = |name: &str, color, channels: usize, [width, height]: [u32; 2]| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_compression(png::Compression::Fastest);
        let pixels = vec![127; width as usize * height as usize * channels];
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&pixels).expect("pixels");
        writer.finish().expect("an end");
        write(name, &bytes);
    };
    png("opaque.png", png::ColorType::Rgb, 3, [10_000, 10_000]);
    png("clear.png", png::ColorType::Rgba, 4, [10_000, 10_000]);
    png("wide.png", png::ColorType::Rgb, 3, [65_000, 1538]);
    png("high.png", png::ColorType::Grayscale, 1, [1538, 65_000]);
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, 7000, 7000, &[9; 6]).expect("a file");
    for colour in 0..2 {
        let frame = gif::Frame {
            width: 7000,
            height: 7000,
            transparent: (colour == 1).then_some(1),
            dispose: gif::DisposalMethod::Previous,
            buffer: vec![colour; 49_000_000].into(),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).expect("a frame");
    }
    drop(encoder);
    write("previous.gif", &bytes);
    let mut bytes = Vec::new();
    let mut encoder =
        gif::Encoder::new(&mut bytes, 1250, 1250, &[9, 9, 9, 200, 0, 90]).expect("a file");
    for n in 0..64 {
        let buffer = (0..1250 * 1250).map(|at| u8::from(at / (20 * (n + 1)) % 2 == 0)).collect();
        let frame = gif::Frame { width: 1250, height: 1250, buffer, ..gif::Frame::default() };
        encoder.write_frame(&frame).expect("a frame");
    }
    drop(encoder);
    write("long.gif", &bytes);
    write("scans.jpg", &scans());
    png("strip.png", png::ColorType::Rgb, 3, [8, 13_000]);
    let mut bytes = Vec::new();
    let encoder = image_webp::WebPEncoder::new(&mut bytes);
    let pixels = vec![77; 3 * 49_000_000];
    encoder.encode(&pixels, 7000, 7000, image_webp::ColorType::Rgb8).expect("a picture");
    write("lossless.webp", &bytes);
    // BITMAPINFOHEADER, 8 bits in runs, a palette of one colour, and the end at once.
    let mut bytes = b"BM\x40\0\0\0\0\0\0\0\x3a\0\0\0\x28\0\0\0".to_vec();
    bytes.extend([10_000u32.to_le_bytes(); 2].as_flattened());
    bytes.extend(b"\x01\0\x08\0\x01\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
    bytes.extend(b"\x40\x80\xc0\0\x05\0\0\0\0\x01");
    write("runs.bmp", &bytes);
    folder
}

/// 8,000 x 6,000 grey pixels in eight progressive scans: one of means, and seven of nine
/// frequencies each. Each of 750,000 blocks is one bit of each scan, and says nothing.
fn scans() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    bytes.extend([1; 64]);
    bytes.extend([0xff, 0xc2, 0, 11, 8]);
    bytes.extend([6000u16.to_be_bytes(), 8000u16.to_be_bytes()].as_flattened());
    bytes.extend([1, 1, 0x11, 0]);
    // For the means and for the rest, one code of one bit: nothing (more) in this block.
    for table in [0x00, 0x10] {
        bytes.extend([0xff, 0xc4, 0, 20, table, 1]);
        bytes.extend([0; 16]);
    }
    for scan in 0..8u8 {
        let (first, last) = if scan == 0 { (0, 0) } else { (9 * scan - 8, 9 * scan) };
        bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, first, last, 0]);
        bytes.extend(vec![0; 750_000 / 8]);
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

/// What is worth to be stopped on its way.
const SOME_TIME: Duration = Duration::from_millis(40);

fn files() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut folders = match std::env::var_os("PRESEND_HOSTILE") {
        Some(folders) => std::env::split_paths(&folders).collect(),
        None => vec![data.join("broken"), data.join("hidden"), data.join("modes")],
    };
    if std::env::args().any(|argument| argument == "--bench") {
        folders.push(own());
    }
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}
