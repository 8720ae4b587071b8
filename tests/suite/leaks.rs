//! What may end up in a log: no hash, digest, path, score or pixel.

use std::fmt::Debug;
use std::path::PathBuf;

use presend::frame::Background;
use presend::hash::pdq::Pdq;
use presend::hash::views::{Dihedral, View};
use presend::hash::{Algorithm, Algorithms, Digest};
use presend::limits::{Budget, Clock, Incomplete};
use presend::media::{self, Fault, Unsupported};
use presend::publish::{
    self, Feed, KeyType, Parameters, PrivateKey, Repository, RowHash, Rules, ingest,
};
use presend::session::Settings;
use presend::update::{Folder, Store, Updater, store::MetadataFolder};
use presend::verdict::{Match, Part};
use presend::{Classifier, Finding, HashList, Limits, Model, Policy, Runtime, Scanner};

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
    let builder = Scanner::builder().list(list).classifier(classifier);
    let rules = String::from_utf8(read(root("src/policy/default.toml"))).expect("text");
    let policy = Policy::parse(&(rules + "[label.red]\nwarn = 0.125\n")).expect("a policy");
    let builder = builder.policy(policy);
    let scanner = builder.clone().build().expect("parts");
    let limits = Limits { clock: Clock::default(), ..Limits::default() };
    let report = scanner.scan(&bytes, &limits);
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

fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn both<T: Debug + std::fmt::Display>(value: &T) -> String {
    format!("{value:?} {value}")
}
