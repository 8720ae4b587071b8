//! Models, runtimes and what the scanner makes of scores.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use presend::classify::{GOLDEN_TOLERANCE, ModelError};
use presend::frame::{Background, Frame, Layout};
use presend::limits::{Budget, Clock, Incomplete};
use presend::scanner::BuildError;
use presend::verdict::Part;
use presend::{
    CancelToken, Classifier, Finding, Limits, Model, Policy, Report, Runtime, Scanner, Verdict,
};

use crate::{read, root};

/// The smallest model: which primary colour is strongest?
fn mean_colour() -> Model {
    Model::read(&root("tests/data/models/mean-colour-1")).expect("a model")
}

/// The same with a changed description.
fn changed(from: &str, to: &str) -> Result<Model, ModelError> {
    let folder = root("tests/data/models/mean-colour-1");
    let text = String::from_utf8(read(folder.join("model.toml"))).expect("UTF-8");
    assert!(text.contains(from), "{from}");
    let goldens = ["dusk.png", "moss.png"].map(|name| read(folder.join(name)));
    Model::new(&text.replacen(from, to, 1), read(folder.join("model.onnx")), goldens)
}

fn open(model: &Model) -> Classifier {
    Classifier::open(model, &Runtime::embedded()).expect("it opens")
}

/// ONNX Runtime's library, where the environment names one.
fn library() -> Option<PathBuf> {
    let path = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: ORT_DYLIB_PATH names no library of ONNX Runtime");
    }
    path
}

fn every_model() -> Vec<Model> {
    let folders = root("models").read_dir().expect("a folder");
    let folders = folders.map(|entry| entry.expect("a folder").path());
    let mut folders: Vec<_> = folders.filter(|path| path.join("model.toml").exists()).collect();
    folders.push(root("tests/data/models/mean-colour-1"));
    folders.sort();
    let named = |path: &PathBuf| {
        let model = Model::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (name, version) = (&model.description().name, &model.description().version);
        assert_eq!(path.file_name().expect("a name"), format!("{name}-{version}").as_str());
        model
    };
    folders.iter().map(named).collect()
}

#[test]
fn every_golden_input_has_its_scores_on_both_runtimes() {
    let mut runtimes = vec![("embedded", Runtime::embedded())];
    runtimes.extend(library().map(|path| ("ONNX Runtime", Runtime::onnx_runtime(path))));
    let models = every_model();
    assert!(models.len() >= 4, "{models:?}");
    for model in &models {
        for (name, runtime) in &runtimes {
            let rows = Classifier::open(model, runtime).and_then(|opened| opened.verify(model));
            let rows = rows.unwrap_or_else(|error| panic!("{model:?} on {name}: {error}"));
            let largest = rows.iter().map(|row| row.1).fold(0.0, f32::max);
            println!(
                "{model:?} on {name}: {} golden inputs, largest difference {largest:e}",
                rows.len()
            );
            assert!(rows.len() >= 2 && largest <= GOLDEN_TOLERANCE);
        }
    }
}

#[test]
fn pictures_from_their_files_have_the_scores_of_the_models_own_tools() {
    let model = Model::read(&root("models/nsfwjs-mid-1")).expect("a model");
    let scanner = Scanner::builder().classifier(open(&model)).build().expect("one model");
    let rows = crate::table(root("tests/data/scores.csv"));
    assert!(rows.len() >= 16, "{}", rows.len());
    for row in rows {
        let file = &row["file"];
        let report = scanner.scan(&read(root("tests/data").join(file)), &Limits::default());
        for label in ["Drawing", "Hentai", "Neutral", "Porn", "Sexy", "sexual"] {
            let expected: f32 = row[label].parse().expect("a number");
            let ours = score(&report, label).expect("a score");
            assert!((ours - expected).abs() <= 0.002, "{file}: {label} {ours}, not {expected}");
        }
    }
}

#[test]
fn both_runtimes_give_every_picture_the_same_scores() {
    let Some(library) = library() else { return };
    let budget = Budget::start(&Limits { pixels: u64::MAX, frames: u32::MAX, ..Limits::default() });
    let mut pictures = Vec::new();
    for folder in ["tests/data/media", "tests/data/vectors", "hashlists/demo/pictures"] {
        for entry in root(folder).read_dir().expect("a folder") {
            let bytes = read(entry.expect("a file").path());
            let frames = presend::media::open(&bytes, &budget).into_iter().flatten();
            pictures.extend(frames.filter_map(Result::ok));
        }
    }
    // Every picture as a whole, and pieces of it from many places.
    let inputs: Vec<Frame<'static>> = pictures
        .iter()
        .flat_map(|picture| (0..20).filter_map(move |n| piece(picture, n)))
        .collect();
    assert!(inputs.len() >= 400, "{}", inputs.len());
    for model in every_model() {
        let ours = open(&model);
        let theirs = Classifier::open(&model, &Runtime::onnx_runtime(&library)).expect("it opens");
        let difference = inputs.iter().map(|frame| {
            let tensor = ours.prepare(frame, Background::White, &budget).expect("a tensor");
            let scores = [&ours, &theirs].map(|opened| opened.unrounded(&tensor).expect("scores"));
            scores[0].iter().zip(&scores[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        });
        let largest = difference.fold(0.0, f32::max);
        println!("{model:?}: {} inputs, largest difference {largest:e}", inputs.len());
        assert!(largest <= 0.001);
    }
}

/// A square of the picture, further down and to the right the higher `n`; none
/// where the picture is too small for it.
fn piece(picture: &Frame<'_>, n: u32) -> Option<Frame<'static>> {
    let side = picture.width().min(picture.height()) * (20 - n / 2) / 20;
    let (left, top) = ((picture.width() - side) * (n % 4) / 3, (picture.height() - side) * n / 19);
    let at = |n: u32| picture.rgb(left + n % side, top + n / side, Background::White);
    let pixels: Vec<u8> = (0..side * side).flat_map(at).collect();
    Frame::new(side, side, Layout::Rgb8, pixels).ok().filter(|_| side >= 16)
}

#[test]
fn another_order_of_channels_fails_the_golden_input() {
    let model = changed("\"BGR\"", "\"RGB\"").expect("a description like any other");
    let error = Classifier::open(&model, &Runtime::embedded()).expect_err("refused");
    assert!(matches!(error, ModelError::Golden { difference, .. } if difference > 0.1), "{error}");
}

#[test]
fn a_changed_onnx_file_is_refused() {
    let folder = root("tests/data/models/mean-colour-1");
    let text = String::from_utf8(read(folder.join("model.toml"))).expect("UTF-8");
    let mut onnx = read(folder.join("model.onnx"));
    *onnx.last_mut().expect("a byte") ^= 1;
    let golden = read(folder.join("dusk.png"));
    assert_eq!(Model::new(&text, onnx, [golden]).err(), Some(ModelError::Digest));
    let onnx = read(folder.join("model.onnx"));
    let none: [Cow<'static, [u8]>; 0] = [];
    assert_eq!(Model::new(&text, onnx, none).err(), Some(ModelError::NoGolden));
}

#[test]
fn mistakes_in_a_description_are_told() {
    for (from, to, message) in [
        ("layout = \"NCHW\"", "layout = \"CHWN\"", "line 12: unknown variant `CHWN`"),
        ("std =", "sdt =", "line 16: unknown field `sdt`"),
        ("shorter-side = 8", "shorter-side = 8, stretch = [8, 8]", "either `stretch` or"),
        ("shorter-side = 8", "shorter-side = 7", "`resize` must cover the shape"),
        ("shorter-side = 8", "stretch = [8, 5000]", "sides of 1 to 1024"),
        ("[1, 3, 8, 8]", "[2, 3, 8, 8]", "`shape` must be one picture"),
        ("[1, 3, 8, 8]", "[1, 3, 8, 8000000000]", "`shape` must be one picture"),
        ("0.229, 0", "0.0, 0", "`std` must not be 0"),
        ("0.229, 0", "nan, 0", "must be numbers"),
        ("\"mean-colour\"", "\"../up\"", "`name` must be"),
        ("\"model.onnx\"", "\"../model.onnx\"", "`file` must name a file inside"),
        ("\"dusk.png\"", "\"/etc/dusk.png\"", "a file inside the folder"),
        ("\"blue\"]", "\"blue\", \"blue\"]", "no label may stand twice"),
        ("\"blue\"]", "\"blue\\nred\"]", "a label must be"),
        ("\"blue\"]", "\"blue\", \"white\"]", "an entry for each of `labels`"),
        ("warm = [\"red\"", "warm = [\"rad\"", "`merged` may only sum up"),
        ("warm = [\"red\", \"green\"]", "warm = []", "each once"),
        ("scores = [0", "scores = [nan, 0", "between 0 and 1"),
        ("blake3 = \"2", "blake3 = \"x", "`blake3` must be"),
    ] {
        let error = changed(from, to).expect_err(to);
        assert!(matches!(error, ModelError::Description(_)), "{error:?}");
        assert!(error.to_string().contains(message), "{to}: {error}");
    }
}

#[test]
fn a_golden_input_of_another_size_is_refused() {
    let folder = root("tests/data/models/mean-colour-1");
    let text = String::from_utf8(read(folder.join("model.toml"))).expect("UTF-8");
    let picture = read(root("tests/data/media/test-picture.png"));
    let model = Model::new(&text, read(folder.join("model.onnx")), [picture]).expect("a model");
    let error = Classifier::open(&model, &Runtime::embedded()).expect_err("refused");
    assert_eq!(error, ModelError::GoldenInput("dusk.png".into()));
}

#[test]
fn what_the_runtime_cannot_run_is_refused() {
    for (from, to) in [("\"picture\"", "\"image\""), ("\"logits\"", "\"probs\"")] {
        let error = Classifier::open(&changed(from, to).expect("a model"), &Runtime::embedded());
        assert!(matches!(error, Err(ModelError::Unusable(_))), "{to}");
    }
    let missing = Runtime::onnx_runtime("no-such-library.so");
    let error = Classifier::open(&mean_colour(), &missing);
    assert!(matches!(error, Err(ModelError::Runtime(_) | ModelError::NotBuilt { .. })));
}

/// The smallest model with another ONNX file.
fn with_file(onnx: Vec<u8>) -> Model {
    let folder = root("tests/data/models/mean-colour-1");
    let text = String::from_utf8(read(folder.join("model.toml"))).expect("UTF-8");
    let before = blake3::hash(&read(folder.join("model.onnx"))).to_hex();
    let text = text.replace(before.as_str(), blake3::hash(&onnx).to_hex().as_str());
    let golden = read(folder.join("dusk.png"));
    Model::new(&text, onnx, [golden]).expect("a model, as far as its digest goes")
}

#[test]
fn no_runtime_sees_a_file_with_parts_of_its_own() {
    let mut onnx = read(root("tests/data/models/mean-colour-1/model.onnx"));
    // ModelProto.functions, field 25: an empty one.
    onnx.extend([0xca, 0x01, 0x00]);
    let model = with_file(onnx);
    for runtime in [Runtime::embedded(), Runtime::onnx_runtime("no-such-library.so")] {
        let error = Classifier::open(&model, &runtime).expect_err("refused");
        assert!(matches!(error, ModelError::Refused(_)), "{error}");
    }
}

#[test]
fn a_few_bytes_that_ask_for_gigabytes_are_refused_whichever_runtime() {
    for name in ["squared", "joined", "margins"] {
        let onnx = read(root("fuzz/corpus/onnx").join(name));
        assert!(onnx.len() < 2000);
        let model = with_file(onnx);
        for runtime in [Runtime::embedded(), Runtime::onnx_runtime("no-such-library.so")] {
            let error = Classifier::open(&model, &runtime).expect_err("refused");
            assert!(matches!(error, ModelError::Refused(_)), "{name}: {error}");
            assert!(error.to_string().contains("take a smaller model"), "{error}");
        }
    }
}

#[test]
fn what_keeps_within_the_memory_runs() {
    let mut runtimes = vec![Runtime::embedded()];
    runtimes.extend(library().map(Runtime::onnx_runtime));
    for name in ["attention", "windows", "levels", "slices", "constants"] {
        let model = with_file(read(root("fuzz/corpus/onnx").join(name)));
        for runtime in &runtimes {
            // It ran, and says nothing of colours.
            let error = Classifier::open(&model, runtime).expect_err("other scores");
            let ran = matches!(&error, ModelError::Golden { difference, .. } if *difference < 1.0);
            assert!(ran, "{name} on {runtime:?}: {error:?}");
        }
    }
}

#[test]
fn a_folder_that_misses_a_file_names_it() {
    let error = Model::read(&root("tests/data/media")).expect_err("not a model");
    assert!(matches!(&error, ModelError::File { file, .. } if file == "model.toml"), "{error}");
}

/// A square of one colour.
fn square(rgb: [u8; 3]) -> Frame<'static> {
    Frame::new(20, 20, Layout::Rgb8, rgb.repeat(400)).expect("a frame")
}

const RED: [u8; 3] = [220, 20, 20];
const GREEN: [u8; 3] = [20, 220, 20];

/// A policy with this rule for labels, for scanners without a list.
fn policy(labels: &str) -> Policy {
    let text = "low-quality = 'allow'\n[no-data]\nlist = 'allow'\nmodel = 'ask'\n\
        [list.default]\nexact = 'block'\nnear = 'block'\n\
        [incomplete]\ndefault = 'ask'\n[unsupported]\ndefault = 'ask'\n";
    Policy::parse(&(text.to_owned() + labels)).expect("a policy")
}

/// A scanner whose one model tells colours, with this rule for them.
fn colours(labels: &str) -> Scanner {
    let parts = Scanner::builder().classifier(open(&mean_colour())).policy(policy(labels));
    parts.build().expect("one model")
}

/// The score that a report gives a label; the first model's, where two have it.
fn score(report: &Report, wanted: &str) -> Option<f32> {
    report.findings.iter().find_map(|judged| match &judged.finding {
        Finding::Label { label, score, .. } if label == wanted => Some(*score),
        _ => None,
    })
}

#[test]
fn labels_are_found_and_the_policy_gives_them_meaning() {
    let scanner = colours("[label.red]\nask = 0.8\n");
    let report = scanner.scan_frames(b"x", [square(RED)], &Limits::default());
    assert_eq!(report.verdict, Verdict::Ask);
    let reason = report.reason().expect("a reason");
    assert_eq!(reason.rule, "label.red.ask");
    let Finding::Label { model, version, label, score: red } = &reason.finding else { panic!() };
    assert_eq!((model.as_str(), version.as_str(), label.as_str()), ("mean-colour", "1", "red"));
    assert_eq!(*red, (red * 1000.0).round() / 1000.0);
    assert_eq!(score(&report, "warm").map(|warm| warm >= *red), Some(true), "red and green");
    assert_eq!(report.inferences, 1);

    let report = scanner.scan_frames(b"x", [square(GREEN)], &Limits::default());
    assert_eq!(report.verdict, Verdict::Allow);
    assert!(score(&report, "red") < Some(0.1));
}

#[test]
fn the_reddest_frame_counts_and_a_still_moment_is_seen_once() {
    let scanner = colours("[label.red]\nwarn = 1.0\n");
    let frames = [GREEN, GREEN, RED, RED, GREEN].map(square);
    let report = scanner.scan_frames(b"x", frames, &Limits::default());
    assert!(score(&report, "red") > Some(0.9) && score(&report, "green") > Some(0.9));
    assert_eq!((report.frames, report.inferences), (5, 3));
}

#[test]
fn a_model_that_no_rule_needs_is_not_run() {
    let report = colours("").scan_frames(b"x", [square(RED)], &Limits::default());
    assert_eq!((report.inferences, score(&report, "red")), (0, None));
}

#[test]
fn clear_pixels_are_seen_over_white_over_black_and_as_they_are() {
    let scanner = colours("[label.red]\nwarn = 1.0\n");
    let clear = Frame::new(8, 8, Layout::Rgba8, [220, 20, 20, 128].repeat(64)).expect("a frame");
    let report = scanner.scan_frames(b"x", [clear], &Limits::default());
    assert_eq!(report.inferences, 3);
}

#[test]
fn without_a_model_a_rule_for_labels_has_no_data() {
    for (labels, expected) in
        [("[label.red]\nask = 0.8\n", vec![Finding::NoData(Part::Model)]), ("", vec![])]
    {
        let scanner = Scanner::builder().policy(policy(labels)).build().expect("no parts");
        let report = scanner.scan_frames(b"x", [square(RED)], &Limits::default());
        let findings = report.findings.iter().map(|judged| judged.finding.clone());
        let findings: Vec<_> = findings.filter(|f| *f != Finding::NoData(Part::List)).collect();
        assert_eq!(findings, expected);
    }
}

/// The small model under another name.
fn second() -> Classifier {
    open(&changed("\"mean-colour\"", "\"second\"").expect("a model"))
}

#[test]
fn a_second_model_runs_only_where_the_first_flags() {
    let confirm = |label: &str| {
        policy(&format!(
            "[label.red]\nblock = 0.8\nconfirm = {{ model = 'second', label = '{label}', at = 0.5 }}\n"
        ))
    };
    let scanner = |label| {
        let parts = Scanner::builder().classifier(open(&mean_colour())).classifier(second());
        parts.policy(confirm(label)).build().expect("two models")
    };
    let scan = |label, frames: &[[u8; 3]]| {
        let frames: Vec<_> = frames.iter().map(|&rgb| square(rgb)).collect();
        scanner(label).scan_frames(b"x", frames, &Limits::default())
    };
    let agreed = scan("red", &[RED]);
    assert_eq!((agreed.verdict, agreed.inferences), (Verdict::Block, 2));
    let denied = scan("blue", &[RED]);
    assert_eq!((denied.verdict, denied.inferences), (Verdict::Allow, 2));
    assert!(denied.findings.iter().any(|judged| judged.rule == "label.red.unconfirmed"));
    let unflagged = scan("red", &[GREEN]);
    assert_eq!((unflagged.verdict, unflagged.inferences), (Verdict::Allow, 1));
    assert_eq!(scan("red", &[GREEN, RED]).inferences, 3);
}

#[test]
fn a_frame_that_the_second_model_did_not_reach_stays_flagged() {
    let text =
        "[label.red]\nblock = 0.8\nconfirm = { model = 'second', label = 'blue', at = 0.5 }\n";
    let parts = Scanner::builder().classifier(open(&mean_colour())).classifier(second());
    let scanner = parts.policy(policy(text)).build().expect("two models");
    // The first frame is denied. On the second, another red, the clock runs out
    // between the two models: it is read less often than it takes both.
    let mut seen = Vec::new();
    for reads in 1..300 {
        let left = Arc::new(AtomicU64::new(reads));
        let clock = Clock::new(move || {
            let out = left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_err();
            Duration::from_secs(out.into())
        });
        let limits = Limits { clock, time: Some(Duration::from_secs(1)), ..Limits::default() };
        let frames = [square(RED), square([230, 10, 10])];
        let report = scanner.scan_frames(b"x", frames, &limits);
        seen.push((report.inferences, report.verdict));
    }
    assert!(seen.contains(&(2, Verdict::Ask)) || seen.contains(&(2, Verdict::Allow)), "{seen:?}");
    assert!(seen.contains(&(3, Verdict::Block)), "{seen:?}");
    assert!(!seen.iter().any(|&(n, verdict)| n == 3 && verdict != Verdict::Block), "{seen:?}");
    assert_eq!(seen.last(), Some(&(4, Verdict::Allow)));
}

#[test]
fn a_rule_for_a_label_that_no_model_gives_has_no_data() {
    let policy = policy("[label.sexual]\nask = 0.8\n");
    let parts = Scanner::builder().classifier(open(&mean_colour()));
    let scanner = parts.policy(policy).build().expect("one model");
    let report = scanner.scan_frames(b"x", [square(RED)], &Limits::default());
    assert_eq!(report.verdict, Verdict::Ask);
    assert_eq!(report.findings[0].finding, Finding::NoData(Part::Model));
}

#[test]
fn a_scanner_has_every_model_its_policy_names_and_each_once() {
    let text = "[label.red]\nask = 0.5\nconfirm = { model = 'second', label = 'red', at = 0.5 }\n";
    let first = || Scanner::builder().classifier(open(&mean_colour()));
    let built = first().policy(policy(text)).build();
    assert_eq!(built.err(), Some(BuildError::NoModel("second".into())));
    let built = first()
        .classifier(second())
        .policy(policy(&text.replace("label = 'red'", "label = 'rad'")));
    assert_eq!(built.build().err(), Some(BuildError::NoLabel("rad".into())));
    let built = Scanner::builder().classifier(second()).policy(policy(text)).build();
    assert_eq!(built.err(), Some(BuildError::NoFirstModel));
    let built = first().classifier(open(&mean_colour())).build();
    assert_eq!(built.err(), Some(BuildError::SameModel("mean-colour".into())));
}

#[test]
fn a_cancelled_scan_runs_no_model() {
    let classifier = open(&mean_colour());
    let limits = Limits { cancel: CancelToken::default(), ..Limits::default() };
    let budget = Budget::start(&limits);
    let tensor = classifier.prepare(&square(RED), Background::White, &budget).expect("a tensor");
    limits.cancel.cancel();
    assert_eq!(classifier.scores(&tensor, &budget), Err(Incomplete::Cancelled));
    let again = classifier.prepare(&square(RED), Background::White, &budget);
    assert_eq!(again, Err(Incomplete::Cancelled));
}

#[test]
fn a_strip_that_would_be_resized_beyond_all_memory_is_refused() {
    let pixels = vec![200; 3 * 65_535];
    let strip = Frame::new(65_535, 1, Layout::Rgb8, pixels).expect("a frame");
    let scanner = colours("[label.red]\nwarn = 1.0\n");
    let limits = Limits { memory: 16 << 20, ..Limits::default() };
    let report = scanner.scan_frames(b"x", [strip], &limits);
    let expected = Finding::Incomplete(Incomplete::TooMuchMemory);
    assert!(report.findings.iter().any(|judged| judged.finding == expected));
    assert!(report.verdict >= Verdict::Ask);
}

#[test]
fn no_score_is_shown_by_debug() {
    let scanner = colours("[label.red]\nwarn = 1.0\n");
    let report = scanner.scan_frames(b"x", [square(RED)], &Limits::default());
    let red = score(&report, "red").expect("a score");
    let shown = format!("{report:?} {scanner:?}");
    assert!(shown.contains("sees red") && !shown.contains(&red.to_string()), "{shown}");
}

#[test]
fn one_load_serves_all_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Classifier>();
    let scanner = colours("[label.red]\nwarn = 1.0\n");
    let expected = scanner.scan_frames(b"x", [square(RED)], &Limits::default()).findings;
    std::thread::scope(|scope| {
        let scan = || scanner.scan_frames(b"x", [square(RED)], &Limits::default()).findings;
        let scans: Vec<_> = (0..4).map(|_| scope.spawn(scan)).collect();
        for scan in scans {
            assert_eq!(scan.join().expect("no panic"), expected);
        }
    });
}
