//! What may end up in a log: no hash, digest, path, score or pixel.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;

use presend::classify::{ModelError, input, model};
use presend::frame::{self, Background, FrameError};
use presend::hash::pdq::Pdq;
use presend::hash::views::{Dihedral, Variant, View, ViewSet};
use presend::hash::{Algorithm, Algorithms, Digest, NotAHash, PerceptualHash};
use presend::hook::{self, PreSendHook};
use presend::limits::{Budget, Clock, Incomplete, Reserved};
use presend::list::delta::{self, DeltaError};
use presend::list::{ListError, format::PROFILES, manifest::Choice};
use presend::media::{self, Fault, Fidelity, Unsupported};
use presend::policy::PolicyError;
use presend::publish::ingest::SourceError;
use presend::publish::key::KeyError;
use presend::publish::roles::RolesError;
use presend::publish::rules::{PassedOver, Reason, RulesError, SelectError};
use presend::publish::store::StoreError;
use presend::publish::{
    self, BuildError, Feed, FeedError, KeyType, Parameters, PrivateKey, Repository, Roles, RowHash,
    Rules, ingest,
};
use presend::queue::{self, Held, Queue};
use presend::scanner::{self, ReloadError};
use presend::session::Settings;
use presend::update::log::{LogPolicy, LogPolicyError};
use presend::update::{
    self, Action, Answer, FetchError, Folder, Store, TufError, UpdateError, Updater,
    store::MetadataFolder,
    tuf::{FileFacts, TargetName},
};
use presend::verdict::{Match, Part, Timings};
use presend::{
    Classifier, Finding, Frame, HashList, Limits, Model, Policy, Report, Runtime, Scanner,
    ScannerBuilder, Verdict,
};

use crate::{read, root};

const SHOWN: &str = "\
CancelToken(false)
Clock
PerceptualHash(..)
Digest(sha256, ..)
{Sha256}
Pdq { quality: 100, .. }
View(..)
Probes(..)
Frame { width: 512, height: 512, layout: Rgb8, .. }
Frames { format: Png, width: 512, height: 512, .. }
HashList { id: \"demo\", version: 1, .. }
Row { hash: Perceptual(PerceptualHash(..)), category: \"\" }
Row { hash: Exact(Digest(sha256, ..)), category: \"\" }
Model(mean-colour version 1)
Classifier { name: \"mean-colour\", version: \"1\", .. }
Tensor { shape: [1, 3, 8, 8], .. }
Clearance(..)
Session { verdict: Allow, .. }
Finding(this file is in list demo version 1 (sha256))
Finding(a near copy is in list demo version 1 (view identity))
Finding(model mean-colour version 1 sees red)
Finding(not looked at in full: truncated)
Finding(presend cannot look into this kind of file: video, mp4)
Finding(no list is loaded)
Incomplete(Truncated) incomplete: truncated
Unsupported(Unsupported { class: \"video\", kind: \"mp4\" }) unsupported: mp4
NotScanned these bytes were not scanned; scan them before sending
Runtime(onnxruntime, 2 threads)
Folder(..)
MetadataFolder(..)
Store(..)
Repository(..)
Built { id: \"demo\", version: 1, .. }
";

#[test]
fn what_is_shown_is_what_stands_here() {
    let limits = Limits::default();
    let budget = Budget::start(&limits);
    let bytes = read(root("tests/data/media/test-picture.png"));
    let frame = media::open(&bytes, &budget).expect("it opens").next().expect("a frame");
    let frame = frame.expect("it decodes");
    let pdq = Pdq::of(&frame, Background::White, &budget).expect("it is hashed");
    let view = View::dihedral(&pdq, Dihedral::Identity);
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    let digest = Digest::new(Algorithm::Sha256, [0xab; 32]).expect("32 bytes");
    let feed = format!("pdq {}\nsha256 {}\n", pdq.hash().to_hex(), "ab".repeat(32));
    let feed = Feed::read(feed.as_bytes()).expect("rows");
    let model = Model::read(&root("tests/data/models/mean-colour-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let input = &model.description().input;
    let tensor = input.prepare(&frame, Background::White, &budget).expect("a tensor");
    let algorithms: Algorithms = [Algorithm::Sha256].into_iter().collect();
    let scanner = Scanner::builder().list(list.clone()).build().expect("a list");
    let report = scanner.scan(&bytes, &limits);
    let session = scanner.session(Settings::default(), &limits);
    let unsupported = Unsupported { class: "video", kind: "mp4" };
    let matched = |by| Finding::Match { list: "demo".into(), version: 1, by };
    let (name, version, label) = ("mean-colour".into(), "1".into(), "red".into());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("leaks");
    let (id, profile) = ("demo".to_owned(), "balanced".to_owned());
    let parameters = Parameters { id, version: 1, profile, salt: None };
    let two = std::num::NonZeroUsize::new(2).expect("not 0");
    let lines = [
        shown(&limits.cancel),
        shown(&limits.clock),
        shown(&pdq.hash()),
        shown(&digest),
        shown(&algorithms),
        shown(&pdq),
        shown(&view),
        shown(&list.probes(&view, 4)),
        shown(&frame),
        shown(&media::open(&bytes, &budget).expect("it opens")),
        shown(&list),
        shown(&feed.rows[0]),
        shown(&feed.rows[1]),
        shown(&model),
        shown(&classifier),
        shown(&tensor),
        shown(&report.clearance),
        shown(&session),
        shown(&matched(Match::Exact(Algorithm::Sha256))),
        shown(&matched(Match::Near { view: Dihedral::Identity.into(), frame: 0 })),
        shown(&Finding::Label { model: name, version, label, score: 0.7 }),
        shown(&Finding::Incomplete(Incomplete::Truncated)),
        shown(&Finding::Unsupported(unsupported)),
        shown(&Finding::NoData(Part::List)),
        both(&Fault::Incomplete(Incomplete::Truncated)),
        both(&Fault::Unsupported(unsupported)),
        both(&report.clearance.check(b"others").expect_err("not scanned")),
        shown(&Runtime::onnx_runtime(&folder).threads(two)),
        shown(&Folder::new(&folder)),
        shown(&MetadataFolder::new(&folder)),
        shown(&Store::open(folder.join("store")).expect("made")),
        shown(&Repository::open(folder.join("repository")).expect("made")),
        shown(&publish::build(&parameters, &feed).expect("built")),
    ];
    for (line, expected) in lines.iter().zip(SHOWN.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), SHOWN.lines().count());
}

#[test]
fn what_holds_others_shows_none_of_their_secrets() {
    let bytes = read(root("tests/data/media/test-picture.png"));
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    let model = Model::read(&root("tests/data/models/mean-colour-1")).expect("a model");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let builder: ScannerBuilder = Scanner::builder().list(list).classifier(classifier);
    let rules = String::from_utf8(read(root("src/policy/default.toml"))).expect("text");
    let policy = Policy::parse(&(rules + "[label.red]\nwarn = 0.125\n")).expect("a policy");
    let builder = builder.policy(policy);
    let scanner = builder.clone().build().expect("parts");
    let limits = Limits { clock: Clock::default(), ..Limits::default() };
    let report: Report = scanner.scan(&bytes, &limits);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let numbers = |bytes: &[u8]| format!("{:?}", &bytes[..4]).replace(['[', ']'], "");
    let blake3 = report.clearance.blake3().expect("it was read");
    let mut secrets = vec![hex(&blake3)[..12].to_owned(), numbers(&blake3)];
    for row in crate::table(root("hashlists/demo/feed.csv")) {
        secrets.push(row["hex"][..12].to_owned());
    }
    secrets.extend(["tests/data", env!("CARGO_MANIFEST_DIR")].map(str::to_owned));
    let scores = report.findings.iter().filter_map(|judged| match judged.finding {
        Finding::Label { score, .. } if score > 0.0 => Some(score.to_string()),
        _ => None,
    });
    secrets.extend(scores);
    for text in [
        format!("{builder:?}"),
        format!("{scanner:?}"),
        format!("{report:?}"),
        format!("{:?}", Budget::start(&limits)),
        format!("{:?}", PreSendHook::new(scanner, hook::Settings::default())),
    ] {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
    }
}

const SHOWN_TO_PUBLISHERS: &str = "\
Page { updates: [Entry { member: \"\", record: Record { status: Listed, updated: None, category: \"one\", hashes: [Hash { hash: Exact(Digest(sha256, ..)), quality: None }], feedback: [] }, .. }], bad: [BadEntry { place: Line(3), reason: \"expected 64 hexadecimal digits for sha256\" }], unsupported: 0, more: false }
Indicator { updated: Some(1), members: [(\"m\", Record { status: Listed, updated: None, category: \"one\", hashes: [Hash { hash: Exact(Digest(sha256, ..)), quality: None }], feedback: [] })], .. }
[Claim { source: \"s\", member: \"\", record: Record { status: Listed, updated: None, category: \"one\", hashes: [Hash { hash: Exact(Digest(sha256, ..)), quality: None }], feedback: [] }, .. }]
Taken { added: 1, changed: 0, unchanged: 0, withdrawn: 0, missing: 0, older: 0 }
Judgement { algorithm: \"sha256\", category: Some(\"one\"), reason: None, sources: {\"one\": 1}, needed: {\"one\": 1}, disputed_by: [], disputes_to_exclude: Some(1), claims: [Judged { source: \"s\", member: \"\", status: Listed, passed_over: None, .. }] }
Selection { feed: Feed { rows: [Row { hash: Exact(Digest(sha256, ..)), category: \"one\" }], bad: [], low_quality: 0, duplicate: 0 }, hashes: 1, left_out: {}, sources: {\"s\": 1} }
Feed { rows: [Row { hash: Exact(Digest(sha256, ..)), category: \"one\" }], bad: [BadRow { line: 3, reason: \"expected 64 hexadecimal digits for sha256\" }], low_quality: 0, duplicate: 0 }
BadRow { line: 2, reason: \"expected 64 hexadecimal digits for pdq\" } line 2: expected 64 hexadecimal digits for pdq
Parameters { id: \"demo\", version: 1, profile: \"balanced\", salt: None }
PrivateKey { .. }
PublicKey { .. }
Updater { id: \"demo\", .. }
";

#[test]
fn what_a_publisher_shows_is_what_stands_here() {
    let hex = "ab".repeat(32);
    let csv = format!("algorithm,hex,category\nsha256,{hex},one\nsha256,{},\n", &hex[1..]);
    let page = ingest::read(publish::Format::Csv, csv.as_bytes()).expect("rows");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("leaks-publisher");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = publish::Store::open_or_create(&folder.join("store")).expect("a store");
    let taken = store.take("s", publish::Format::Csv, &page).expect("taken");
    let hash = RowHash::candidates(&format!("sha256:{hex}")).expect("a hash").remove(0);
    let claims = store.claims(&hash).expect("it is there");
    let rules = "sources-needed = 1\n[[source]]\nname = \"s\"\norganisation = \"o\"\njurisdiction = \"NL\"\n";
    let rules = Rules::parse(rules).expect("rules");
    let judgement = rules.judge(&hash, &claims);
    let selection = rules.select(&store, &mut |_| {}).expect("a selection");
    let feed = Feed::read(csv.as_bytes()).expect("rows");
    let (id, profile) = ("demo".to_owned(), "balanced".to_owned());
    let parameters = Parameters { id, version: 1, profile, salt: None };
    let key = PrivateKey::generate(KeyType::Ed25519).expect("random numbers");
    let text = format!("pdq {hex}\npdq {}", &hex[1..]);
    let row = Feed::read(text.as_bytes()).expect("rows").bad.remove(0);
    let member = ingest::Update::Indicator {
        id: hex.clone(),
        updated: Some(1),
        members: vec![("m".into(), claims[0].record.clone())],
    };
    // What the store calls an entry that its source gives no name: made of the hash.
    let name = claims[0].id.clone();
    let signed = Store::open(folder.join("client")).expect("made");
    let base = Folder::new(root("tests/data/tuf/base"));
    let lines = [
        shown(&page),
        shown(&member),
        shown(&claims),
        shown(&taken),
        shown(&judgement),
        shown(&selection),
        shown(&feed),
        both(&row),
        shown(&parameters),
        shown(&key),
        shown(&key.public()),
        shown(&Updater::new(&signed, &base, "demo")),
    ];
    for line in &lines {
        for secret in [&hex[..8], &name, "171, 171", env!("CARGO_MANIFEST_DIR")] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
    for (line, expected) in lines.iter().zip(SHOWN_TO_PUBLISHERS.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), SHOWN_TO_PUBLISHERS.lines().count());
}

const SHOWN_OF_THE_REST: &str = "\
Scores(..)
Description { name: \"mean-colour\", version: \"1\", license: \"CC0-1.0\", source: \"tests/data/make/models.py\", file: \"model.onnx\", blake3: \"267e56bd249e5891ffae69f61811a89c95960010716698b08837e144f0f6aca7\", input: Input { name: \"picture\", shape: [1, 3, 8, 8], layout: Nchw, channels: Bgr, range: [0.0, 1.0], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], resize: Resize { filter: BilinearAntialias, to: ShorterSide(8) } }, output: Output { name: \"logits\", activation: Softmax, labels: [\"red\", \"green\", \"blue\"], merged: {\"warm\": [\"red\", \"green\"]} }, thresholds: [], goldens: [GoldenRow { input: \"dusk.png\", scores: [0.8731904, 0.0213558, 0.1054538] }, GoldenRow { input: \"moss.png\", scores: [0.2921942, 0.671205, 0.0366008] }] }
[Nhwc, Nchw]
[Rgb, Bgr]
Resize { filter: BilinearAntialias, to: ShorterSide(8) }
[BilinearAlignCorners, BilinearAntialias]
ShorterSide(256)
[None, Softmax]
[]
Golden { input: \"dusk.png\", difference: 0.5 } the model is off by 0.5 on golden input dusk.png; do not use it on this runtime
[Luma8, Rgba8]
Rotate90
Length { expected: 4, actual: 3 } the pixel buffer holds 3 bytes, the frame needs 4
NotAHash expected 64 hexadecimal digits
[One, Nine, TwentyFive]
identity
Reserved { budget: Budget { limits: Limits { input_bytes: 67108864, pixels: 100000000, frames: 64, memory: 536870912, time: None, cancel: CancelToken(false), clock: Clock }, deadline: None, pixels: 262144, frames: 1, memory: 7 }, bytes: 7 }
NotAList not a presend hash list (a delta or a packed list becomes one by `presend list apply` or `unpack`)
Damaged not a presend list delta, or damaged; fetch it again
Header { id: \"demo\", version: 1, band_bits: 80, salt: [216, 222, 219, 47, 67, 33, 176, 110, 228, 109, 224, 165, 81, 108, 115, 72], algorithms: {Pdq, Sha256}, near_entries: 4, exact_entries: 4, fingerprints: 16, fingerprint_bits: 57, bucket_bits: 0 }
[Profile { name: \"open\", band_bits: 64, first: 41, percent: 47, half: 59 }, Profile { name: \"balanced\", band_bits: 80, first: 55, percent: 61, half: 73 }, Profile { name: \"strict\", band_bits: 96, first: 69, percent: 75, half: 88 }]
Manifest { id: \"demo\", version: 1, format: 1, profile: \"balanced\", band_bits: 80, salt: \"d8dedb2f4321b06ee46de0a5516c7348\", file: \"demo.presend\", bytes: 433, blake3: \"1a72bd72fdfc59c5c5fc787d692d5781720b298d6d52338dc91518ff6e587ff5\", entries: {\"pdq\": 4, \"sha256\": 4}, categories: {\"demo\": 6, \"test-picture\": 2}, fingerprints: 16, fingerprint_bits: 57, bytes_per_entry: 54.13, false_match_log2: {\"1\": -34.0, \"25\": -34.0, \"9\": -34.0}, work: Some(Work { first: 75.89, percent: 75.89, half: 75.89 }), left_out: LeftOut { bad: 0, low_quality: 0, duplicate: 0, easily_guessed: 0 }, choice: None, change: None }
Choice { rules: \"0\", hashes: 1, sources: {\"s\": 1}, left_out: {\"disputed\": 2} }
[Fast, Full]
PolicyError { line: 1, message: \"missing field `low-quality`\" } policy line 1: missing field `low-quality`
Empty { low_quality: 1, easily_guessed: 2 } no row is left to build a list from: 1 of low quality, 2 guessed too easily
Header(1) line 1: expected a header with `algorithm` and `hex`, or lines of `pdq <hex>`
Listed listed
Feedback { member: \"m\", opinion: Against, algorithm: None }
Line(3) line 3
Empty the file is empty, as after a download that failed
NotPrivate not a private key in PEM (PKCS#8)
Syntax(\"TOML parse error at line 1, column 1\\n  |\\n1 | key = 7\\n  | ^^^\\nunknown field `key`, expected one of `root`, `targets`, `snapshot`, `timestamp`\\n\")
Meaning(\"`sources-needed` is at least 1\") `sources-needed` is at least 1
Source(\"s\") the rules name source s, of which nothing was ever taken in; ingest it or take it out of the rules
[Algorithm, TooFewSources]
[Status, Quality]
Shrinks { missing: 7, live: 9, percent: 5 } 7 of the source's 9 entries are not in the snapshot, more than 5 %; nothing was taken. If they are meant to go, say --accept-shrink
Queue { taken: 0, .. }
Held { weight: Weight { most: 268435456, now: 7 }, bytes: 7 }
Older { in_use: 2, offered: 1 } version 1 of the list comes before version 2, which is in use
SameList(\"demo\") two lists have the id `demo`; load one of them
[Updated, Stale(OtherList)]
Backwards { in_use: 2, offered: 1 } the release's list is version 1, before version 2, which is in use
LogPolicy { .. }
Key(1) line 1 is no submitter's key: 64 hexadecimal digits, or `ssh-ed25519` and base64, are due
Scope { action: Some(Warn), views: Some(Nine), probes: Some(9) }
NotFound the repository has no such file
NoRoot there is no trusted root; set one up from a copy that came by a safe way
TargetName(\"demo.presend\")
FileFacts { length: 7, .. }
Ask ask
Media { format: Png, width: 512, height: 512, scale: 1 }
Timings { digest: 0ns, sniff: 0ns, decode: 0ns, hash: 0ns, views: 0ns, lookup: 0ns, classify: 0ns, policy: 0ns, total: 0ns }
";

/// Errors, settings, and what has nothing to hide but may come to have.
#[test]
fn what_is_left_shows_what_stands_here() {
    let bytes = read(root("tests/data/media/test-picture.png"));
    let list = HashList::open(read(root("hashlists/demo/demo.presend"))).expect("a list");
    let model = Model::read(&root("tests/data/models/mean-colour-1")).expect("a model");
    let description = model.description();
    let limits = Limits::default();
    let budget = Budget::start(&limits);
    let frame = media::open(&bytes, &budget).expect("it opens").next().expect("a frame");
    let frame = frame.expect("it decodes");
    let tensor = description.input.prepare(&frame, Background::White, &budget).expect("a tensor");
    let classifier = Classifier::open(&model, &Runtime::embedded()).expect("it opens");
    let scores = classifier.scores(&tensor, &budget).expect("scores");
    let scanner = Scanner::builder().list(list.clone()).build().expect("a list");
    let queue = Queue::new(scanner.clone(), queue::Settings::default()).expect("threads");
    let report = scanner.scan(&bytes, &limits);
    let reserved = budget.reserve(7).expect("room");
    let broken = HashList::open(bytes.clone()).expect_err("no list");
    let feed = Feed::read(&read(root("hashlists/demo/feed.csv"))).expect("rows");
    let (id, profile) = ("demo".to_owned(), "balanced".to_owned());
    let parameters = Parameters { id, version: 1, profile, salt: None };
    let built = publish::build(&parameters, &feed).expect("built");
    let choice = r#"{"rules": "0", "hashes": 1, "sources": {"s": 1}, "left_out": {"disputed": 2}}"#;
    let bad = Policy::parse("[label.red]\nwarn = 2\n").expect_err("no score");
    // What a log, a witness and a submitter are known by; none of them exists.
    let log = "log 4644af2abd40f4895a003bca350f9d5912ab301a49c77f13e5b6d905c20a5fe6 https://log.example\nwitness w 1c25f8a44c635457e2e391d1efbca7d4c2951a0aef06225a881e46b98962ac6c\nquorum w\n";
    let submitter = "ab".repeat(32);
    let facts = format!(r#"{{"length": 7, "hashes": {{"sha256": "{submitter}"}}}}"#);
    let lines = [
        shown(&scores),
        shown(&description),
        shown(&[input::Layout::Nhwc, input::Layout::Nchw]),
        shown(&[input::Channels::Rgb, input::Channels::Bgr]),
        shown::<input::Resize>(&description.input.resize),
        shown(&[input::Filter::BilinearAlignCorners, input::Filter::BilinearAntialias]),
        shown(&input::Size::ShorterSide(256)),
        shown(&[model::Activation::None, model::Activation::Softmax]),
        shown::<Vec<model::Threshold>>(&description.thresholds),
        both(&ModelError::Golden { input: "dusk.png".into(), difference: 0.5 }),
        shown(&[frame::Layout::Luma8, frame::Layout::Rgba8]),
        shown(&frame::Orientation::Rotate90),
        both::<FrameError>(
            &Frame::new(2, 2, frame::Layout::Luma8, vec![171; 3]).expect_err("one is missing"),
        ),
        both::<NotAHash>(&PerceptualHash::from_hex("abab").expect_err("60 are missing")),
        shown(&[ViewSet::One, ViewSet::Nine, ViewSet::TwentyFive]),
        shown(&Variant::IDENTITY),
        shown::<Reserved<'_>>(&reserved),
        both::<ListError>(&broken),
        both::<DeltaError>(&delta::apply(&list, &bytes).expect_err("no delta")),
        shown(list.header()),
        shown(&PROFILES),
        shown(&built.manifest),
        shown::<Choice>(&serde_json::from_str(choice).expect("a choice")),
        shown(&[Fidelity::Fast, Fidelity::Full]),
        both::<PolicyError>(&bad),
        both(&BuildError::Empty { low_quality: 1, easily_guessed: 2 }),
        both::<FeedError>(&Feed::read(b"abababab").expect_err("no header")),
        both(&ingest::Status::Listed),
        shown(&ingest::Feedback {
            member: "m".into(),
            opinion: ingest::Opinion::Against,
            algorithm: None,
        }),
        both(&ingest::Place::Line(3)),
        both::<SourceError>(&ingest::read(publish::Format::Csv, b"").expect_err("nothing")),
        both::<KeyError>(&PrivateKey::from_pem(&submitter, None).expect_err("no key")),
        shown::<RolesError>(&Roles::parse("key = 7", |_| unreachable!()).expect_err("no roles")),
        both::<RulesError>(&Rules::parse("sources-needed = 0").expect_err("none")),
        both(&SelectError::Source("s".into())),
        shown(&[Reason::Algorithm, Reason::TooFewSources]),
        shown(&[PassedOver::Status, PassedOver::Quality]),
        both(&StoreError::Shrinks { missing: 7, live: 9, percent: 5 }),
        shown(&queue),
        shown::<Held>(&queue.hold(7).expect("room")),
        both(&ReloadError::Older { in_use: 2, offered: 1 }),
        both(&scanner::BuildError::SameList("demo".into())),
        shown(&[Answer::Updated, Answer::Stale(UpdateError::OtherList)]),
        both(&UpdateError::Backwards { in_use: 2, offered: 1 }),
        shown(&LogPolicy::parse(log, &submitter).expect("a policy")),
        both::<LogPolicyError>(&LogPolicy::parse(log, "ab").expect_err("no key")),
        shown(&update::Scope {
            action: Some(Action::Warn),
            views: Some(ViewSet::Nine),
            probes: Some(9),
        }),
        both(&FetchError::NotFound),
        both(&TufError::NoRoot),
        shown(&TargetName::new("demo.presend").expect("a name")),
        shown::<FileFacts>(&serde_json::from_str(&facts).expect("facts")),
        both(&Verdict::Ask),
        shown(&report.media.expect("it was decoded")),
        shown(&Timings::default()),
    ];
    for line in &lines {
        for secret in ["abababab", "171, 171", env!("CARGO_MANIFEST_DIR")] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
        for row in crate::table(root("hashlists/demo/feed.csv")) {
            assert!(!line.contains(&row["hex"][..8]), "what is listed in {line}");
        }
    }
    for (line, expected) in lines.iter().zip(SHOWN_OF_THE_REST.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), SHOWN_OF_THE_REST.lines().count());
}

/// By name: whoever adds a type decides here what it shows.
#[test]
fn no_type_is_left_out() {
    let tests = ["leaks.rs", "releases.rs"].map(|file| read(root("tests/suite").join(file)));
    let tests = tests.map(|test| String::from_utf8(test).expect("text")).concat();
    let names: BTreeSet<&str> = tests.split(|c: char| !c.is_alphanumeric()).collect();
    let mut folders = vec![root("src")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = String::from_utf8(read(&path)).expect("text");
            for line in source.lines() {
                let rest = line.strip_prefix("pub struct ").or(line.strip_prefix("pub enum "));
                let Some(rest) = rest else { continue };
                let name = rest.split(|c: char| !c.is_alphanumeric()).next().expect("a name");
                seen += 1;
                assert!(names.contains(name), "{name} of {} is not shown here", path.display());
            }
        }
    }
    assert!(seen > 100, "only {seen} types");
}

fn shown<T: Debug>(value: &T) -> String {
    format!("{value:?}")
}

fn both<T: Debug + std::fmt::Display>(value: &T) -> String {
    format!("{value:?} {value}")
}
