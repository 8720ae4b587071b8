//! What partners send, kept and chosen from: fixtures are written by hand from
//! the public descriptions of each format, with hashes drawn at random.

use std::path::PathBuf;

use presend::publish::ingest::{self, Format, Opinion, Page, SourceError, Status, Update};
use presend::publish::rules::{PassedOver, Reason, RulesError, SelectError};
use presend::publish::store::{StoreError, Taken};
use presend::publish::{self, Change, Parameters, RowHash, Rules, Store};
use presend::{HashList, hash::Algorithm};

/// The first digits of SHA-256 of a line with this number: Python drew the
/// fixtures' hashes so, too.
fn hex(algorithm: Algorithm, number: u32) -> String {
    use sha2::Digest;
    let drawn = sha2::Sha256::digest(format!("presend feed fixture {number}").as_bytes());
    drawn[..algorithm.bytes()].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(algorithm: Algorithm, number: u32) -> RowHash {
    let hex = hex(algorithm, number);
    RowHash::candidates(&format!("{}:{hex}", algorithm.name())).expect("a hash").remove(0)
}

fn bytes(name: &str) -> Vec<u8> {
    crate::read(crate::root("tests/data/feeds").join(name))
}

fn page(format: Format, name: &str) -> Page {
    ingest::read(format, &bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn fresh(name: &str) -> (Store, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ingest");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    let _ = std::fs::remove_file(&path);
    (Store::open_or_create(&path).expect("a store"), path)
}

/// Every claim of the store, in order, for comparing stores.
fn content(store: &Store) -> Vec<String> {
    let mut content = Vec::new();
    store
        .each_hash(|hash, claims| {
            content.extend(claims.iter().map(|claim| {
                let record = serde_json::to_string(&claim.record).expect("JSON");
                let place = (&claim.source, &claim.member, &claim.id);
                format!("{} {place:?} {record}", hash.algorithm().name())
            }));
        })
        .expect("it can be read");
    content
}

/// Source, member and status of everyone who names the hash.
fn said(store: &Store, hash: &RowHash) -> Vec<(String, String, Status)> {
    let claims = store.claims(hash).expect("it can be read");
    claims.into_iter().map(|claim| (claim.source, claim.member, claim.record.status)).collect()
}

fn rules() -> Rules {
    Rules::parse(&String::from_utf8(bytes("rules.toml")).expect("UTF-8")).expect("rules")
}

/// Two pages, the second of which takes back what the first said of hash 3.
const FORMATS: [(Format, &str, &str); 5] = [
    (Format::Csv, "rows-1.csv", "rows-2.csv"),
    (Format::ThreatExchange, "threatexchange-1.json", "threatexchange-2.json"),
    (Format::Ncmec, "ncmec-1.xml", "ncmec-2.xml"),
    (Format::StopNcii, "stopncii-1.json", "stopncii-2.json"),
    (Format::Tat, "tat-1.json", "tat-2.json"),
];

#[test]
fn every_format_lists_and_withdraws() {
    for (format, first, second) in FORMATS {
        let (store, _) = fresh(&format!("withdraws-{}", format.name()));
        store.take("s", format, &page(format, first)).expect("taken");
        let listed = said(&store, &hash(Algorithm::Pdq, 3));
        assert!(listed.iter().any(|(.., status)| *status == Status::Listed), "{first}");
        store.take("s", format, &page(format, second)).expect("taken");
        let after = said(&store, &hash(Algorithm::Pdq, 3));
        assert_eq!(after.len(), listed.len(), "{second}: still explained");
        assert!(after.iter().all(|(.., status)| *status == Status::Withdrawn), "{second}");
    }
}

#[test]
fn an_older_page_brings_nothing_back() {
    for (format, first, second) in FORMATS {
        let (store, _) = fresh(&format!("older-{}", format.name()));
        let (first, second) = (page(format, first), page(format, second));
        store.take("s", format, &first).expect("taken");
        store.take("s", format, &second).expect("taken");
        let content_once = content(&store);
        let again = store.take("s", format, &first).expect("taken");
        assert!(again.older > 0 && again.added + again.withdrawn == 0, "{again:?}");
        assert_eq!(content(&store), content_once, "{}", format.name());
        let again = store.take("s", format, &second).expect("taken");
        assert_eq!((again.added, again.changed, again.withdrawn), (0, 0, 0), "{again:?}");

        // Withdrawn before it was ever seen.
        let (turned, _) = fresh(&format!("turned-{}", format.name()));
        turned.take("s", format, &second).expect("taken");
        turned.take("s", format, &first).expect("taken");
        let listed = said(&turned, &hash(Algorithm::Pdq, 3));
        assert!(listed.iter().all(|(.., status)| *status != Status::Listed), "{listed:?}");
    }
}

#[test]
fn bad_entries_are_told_with_their_place_and_cost_only_themselves() {
    for (format, name, bad, good) in [
        (
            Format::Csv,
            "rows-1.csv",
            vec![
                "line 6: unknown algorithm; presend knows pdq, md5, sha1, sha256, blake3",
                "line 7: `status` is not listed, unconfirmed, denied or withdrawn",
            ],
            4,
        ),
        (
            Format::ThreatExchange,
            "threatexchange-1.json",
            vec!["element 4: expected 64 hexadecimal digits for pdq"],
            2,
        ),
        (
            Format::ThreatExchange,
            "threatexchange-lines.txt",
            vec!["line 5: expected 64 hexadecimal digits for pdq"],
            3,
        ),
        (
            Format::Ncmec,
            "ncmec-bad-entries.xml",
            vec![
                "line 4: expected 32 hexadecimal digits for md5",
                "line 9: `member` is missing",
                "line 20: `count` promises 1 entries that are not there",
            ],
            1,
        ),
        (
            Format::Tat,
            "tat-1.json",
            vec!["element 4: `id` is longer than 256 bytes or holds control characters"],
            2,
        ),
    ] {
        let page = page(format, name);
        let told: Vec<String> = page.bad.iter().map(ToString::to_string).collect();
        assert_eq!(told, bad, "{name}");
        assert_eq!(page.updates.len(), good, "{name}");
    }
}

#[test]
fn a_source_that_failed_is_not_a_source_without_entries() {
    let fails = |format, bytes: &[u8]| ingest::read(format, bytes).expect_err("no page");
    for format in Format::ALL {
        for empty in [&b""[..], b"\xef\xbb\xbf", b"\n \r\n"] {
            assert_eq!(fails(format, empty), SourceError::Empty, "{format:?}");
        }
        assert_eq!(fails(format, &bytes("web-page.html")), SourceError::WebPage);
        let other = if format == Format::Ncmec { "tat-1.json" } else { "ncmec-1.xml" };
        fails(format, &bytes(other));
        fails(format, &[0xff; 40]);
        fails(format, b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
    }
    for format in [Format::ThreatExchange, Format::StopNcii, Format::Tat] {
        assert_eq!(fails(format, &bytes("error.json")), SourceError::Message);
        assert_eq!(fails(format, br#"{"message": "rate limit"}"#), SourceError::Message);
        assert!(matches!(fails(format, b"{}"), SourceError::Foreign(_)));
    }
    for format in [Format::StopNcii, Format::Tat] {
        assert!(matches!(fails(format, b"[]"), SourceError::Foreign(_) | SourceError::Broken(_)));
    }
    for list in ["results", "data", "hashRecords"] {
        for format in [Format::ThreatExchange, Format::StopNcii, Format::Tat] {
            fails(format, format!("{{\"{list}\": null}}").as_bytes());
            fails(format, format!("{{\"{list}\": {{}}}}").as_bytes());
            fails(format, format!("{{\"{list}\": [], \"{list}\": []}}").as_bytes());
            fails(format, format!("{{\"{list}\": [], \"error\": \"x\"}}").as_bytes());
            fails(format, format!("{{\"{list}\": []}} {{}}").as_bytes());
        }
    }
    assert_eq!(fails(Format::Ncmec, b"<error>no</error>"), SourceError::Message);
    let only_bad = b"algorithm,hex\npdq,12\n";
    assert!(matches!(fails(Format::Csv, only_bad), SourceError::AllBad(1, _)));
    // Nothing new is not a failure.
    for (format, nothing) in [
        (Format::Tat, &br#"{"results": [], "next": null}"#[..]),
        (Format::StopNcii, br#"{"hashRecords": [], "hasMoreRecords": false}"#),
        (Format::ThreatExchange, br#"{"data": []}"#),
        (Format::Ncmec, b"<queryResult><images count='0'/></queryResult>"),
        (Format::Csv, b"algorithm,hex\n"),
    ] {
        let page = ingest::read(format, nothing).expect("a page");
        assert_eq!(page, Page::default(), "{format:?}");
    }
}

#[test]
fn a_file_broken_off_anywhere_is_refused() {
    for (format, name) in [
        (Format::Ncmec, "ncmec-1.xml"),
        (Format::ThreatExchange, "threatexchange-1.json"),
        (Format::StopNcii, "stopncii-1.json"),
        (Format::Tat, "tat-1.json"),
    ] {
        let whole = bytes(name);
        let length = whole.trim_ascii_end().len();
        for end in 0..length {
            assert!(ingest::read(format, &whole[..end]).is_err(), "{name} to byte {end}");
        }
        ingest::read(format, &whole[..length]).expect("whole");
    }
    for (format, name) in
        [(Format::Ncmec, "ncmec-truncated.xml"), (Format::Tat, "tat-truncated.json")]
    {
        let error = ingest::read(format, &bytes(name)).expect_err("broken off");
        assert!(matches!(error, SourceError::Broken(_)), "{name}: {error}");
    }
}

#[test]
fn hostile_documents_are_refused() {
    let error = ingest::read(Format::Ncmec, &bytes("ncmec-entities.xml")).expect_err("refused");
    assert_eq!(error, SourceError::Broken("a document type at line 2".into()));
    let unknown = b"<queryResult><images><image><id>&b;</id></image></images></queryResult>";
    let error = ingest::read(Format::Ncmec, unknown).expect_err("refused");
    assert_eq!(error, SourceError::Broken("an unknown entity at line 1".into()));
    let deep = format!("<queryResult>{}", "<a>".repeat(100_000));
    assert!(ingest::read(Format::Ncmec, deep.as_bytes()).is_err());
    let deep = format!("{{\"results\": [{}", "[".repeat(1_000_000));
    assert!(ingest::read(Format::Tat, deep.as_bytes()).is_err());
    let deep = format!("{{\"x\": {}", "{\"a\":".repeat(1_000_000));
    assert!(ingest::read(Format::StopNcii, deep.as_bytes()).is_err());
}

#[test]
fn what_no_format_tells_to_an_error_is_a_hash() {
    // Every fixture with every hash broken by one digit.
    for (format, first, _) in FORMATS {
        let text = String::from_utf8(bytes(first)).expect("UTF-8");
        let broken: String = text
            .split_inclusive(|c: char| !c.is_ascii_hexdigit())
            .map(|word| if word.len() > 32 { word[1..].to_owned() } else { word.to_owned() })
            .collect();
        let told = match ingest::read(format, broken.as_bytes()) {
            Ok(page) => format!("{page:?}"),
            Err(error) => format!("{error:?} {error}"),
        };
        for word in told.split(|c: char| !c.is_ascii_hexdigit()) {
            // Ids made from hashes have 32 digits and do not tell them.
            assert!(word.len() <= 32 && (word.len() < 31 || !text.contains(word)), "{first}");
        }
    }
}

#[test]
fn members_feedback_and_categories_are_read() {
    let (store, _) = fresh("members");
    store
        .take("te", Format::ThreatExchange, &page(Format::ThreatExchange, "threatexchange-1.json"))
        .expect("taken");
    let claims = store.claims(&hash(Algorithm::Md5, 4)).expect("read");
    assert_eq!(claims.len(), 2);
    assert_eq!((claims[0].member.as_str(), claims[0].record.status), ("900", Status::Listed));
    assert_eq!((claims[1].member.as_str(), claims[1].record.status), ("901", Status::Denied));
    let against = |opinion| claims[0].record.feedback.iter().filter(move |f| f.opinion == opinion);
    assert_eq!(against(Opinion::Against).count(), 2);
    assert_eq!(against(Opinion::For).count(), 1);
    let claims = store.claims(&hash(Algorithm::Pdq, 3)).expect("read");
    assert_eq!(claims[0].record.category, "a", "the first tag");
    assert_eq!(claims[1].record.status, Status::Unconfirmed);

    // A descriptor that is gone is withdrawn by its member.
    let second = page(Format::ThreatExchange, "threatexchange-2.json");
    store.take("te", Format::ThreatExchange, &second).expect("taken");
    let claims = store.claims(&hash(Algorithm::Md5, 4)).expect("read");
    assert_eq!(claims[1].record.status, Status::Withdrawn);
    assert!(claims[0].record.feedback.is_empty());

    let ncmec = page(Format::Ncmec, "ncmec-1.xml");
    assert!(ncmec.more && ncmec.unsupported == 1);
    let ids: Vec<_> = ncmec
        .updates
        .iter()
        .map(|update| match update {
            Update::Entry { member, id, .. } => (member.as_str(), id.as_str()),
            Update::Indicator { .. } => panic!("NCMEC has none"),
        })
        .collect();
    let expected = [
        ("42", "image:image1"),
        ("42", "image:image2"),
        ("43", "image:image3"),
        ("42", "video:image1"),
    ];
    assert_eq!(ids, expected);
}

#[test]
fn a_snapshot_withdraws_what_it_lacks_and_is_gated() {
    let (store, _) = fresh("snapshot");
    let (twenty, fifteen) = (page(Format::Csv, "more-1.csv"), page(Format::Csv, "more-2.csv"));
    let taken = store.take_snapshot("s", Format::Csv, std::slice::from_ref(&twenty), 10);
    assert_eq!(taken.expect("taken").added, 20);
    let before = content(&store);
    let refused = store.take_snapshot("s", Format::Csv, std::slice::from_ref(&fifteen), 10);
    assert_eq!(refused, Err(StoreError::Shrinks { missing: 5, live: 20, percent: 10 }));
    let nothing = ingest::read(Format::Csv, b"algorithm,hex\n").expect("a page");
    assert!(store.take_snapshot("s", Format::Csv, &[nothing], 99).is_err());
    let more = Page::default();
    assert!(store.take_snapshot("s", Format::Csv, &[more], 99).is_err());
    assert_eq!(store.take_snapshot("s", Format::Csv, &[], 100), Err(StoreError::PartOfSnapshot));
    let bad = [page(Format::Csv, "rows-1.csv")];
    assert_eq!(store.take_snapshot("s", Format::Csv, &bad, 100), Err(StoreError::BadSnapshot(2)));
    assert_eq!(content(&store), before, "a refusal changes nothing");

    let taken = store.take_snapshot("s", Format::Csv, &[fifteen], 25).expect("taken");
    assert_eq!((taken.missing, taken.unchanged), (5, 15));
    assert_eq!(store.sources().expect("read"), [("s".to_owned(), 15)]);
    // It may come back.
    let taken = store.take_snapshot("s", Format::Csv, &[twenty], 0).expect("taken");
    assert_eq!((taken.changed, taken.unchanged), (5, 15));

    let part = page(Format::Ncmec, "ncmec-1.xml");
    let refused = store.take_snapshot("n", Format::Ncmec, std::slice::from_ref(&part), 100);
    assert_eq!(refused, Err(StoreError::PartOfSnapshot));
    let whole = [part, page(Format::Ncmec, "ncmec-2.xml")];
    store.take_snapshot("n", Format::Ncmec, &whole, 100).expect("both pages");
}

#[test]
fn a_source_keeps_its_format_and_the_store_its_version() {
    let (store, path) = fresh("names");
    let csv = page(Format::Csv, "rows-1.csv");
    store.take("s", Format::Csv, &csv).expect("taken");
    let tat = page(Format::Tat, "tat-1.json");
    let refused = store.take("s", Format::Tat, &tat);
    assert!(matches!(refused, Err(StoreError::OtherFormat { kept: "csv", .. })), "{refused:?}");
    for name in ["", "A", "a b", "a/b", &"a".repeat(65)] {
        assert_eq!(store.take(name, Format::Csv, &csv), Err(StoreError::Name), "{name}");
    }
    assert_eq!(Store::open(&path).map(drop), Err(StoreError::Busy));
    drop(store);
    Store::open(&path).map(drop).expect("it is free again");
    assert_eq!(Store::open(&path.with_extension("no")).map(drop), Err(StoreError::Absent));
    for other in [&b""[..], b"algorithm,hex\n", &[0; 8192]] {
        std::fs::write(&path, other).expect("written");
        assert_eq!(Store::open_or_create(&path).map(drop), Err(StoreError::NotAStore));
    }
}

#[test]
fn the_order_of_ingestion_leaves_no_trace() {
    let parts: Vec<(&str, Format, Page)> = FORMATS
        .iter()
        .flat_map(|&(format, first, second)| {
            let name = format.name();
            [(name, format, page(format, first)), (name, format, page(format, second))]
        })
        .chain([("more", Format::Csv, page(Format::Csv, "more-1.csv"))])
        .collect();
    let rules = Rules::parse(
        "sources-needed = 1\ndisputes-to-exclude = 0\n\
         [[source]]\nname = \"more\"\norganisation = \"a\"\njurisdiction = \"NL\"\n\
         [[source]]\nname = \"csv\"\norganisation = \"b\"\njurisdiction = \"DE\"\n\
         [[source]]\nname = \"ncmec\"\norganisation = \"c\"\njurisdiction = \"US\"\n",
    )
    .expect("rules");
    let list = |store: &Store| {
        let feed = rules.select(store, &mut |_| {}).expect("chosen").feed;
        let salt = None;
        let (id, profile) = ("x".to_owned(), "balanced".to_owned());
        let built = publish::build(&Parameters { id, version: 1, profile, salt }, &feed);
        let built = built.expect("it builds");
        (built.list, built.manifest)
    };
    let (one, _) = fresh("order-1");
    let (other, _) = fresh("order-2");
    for (name, format, page) in &parts {
        one.take(name, *format, page).expect("taken");
    }
    for (name, format, page) in parts.iter().rev().step_by(2).chain(parts.iter().rev()) {
        other.take(name, *format, page).expect("taken");
    }
    assert!(list(&one) == list(&other));
}

#[test]
fn an_entry_needs_sources_of_different_jurisdictions() {
    let (store, _) = fresh("rules");
    let rules = rules();
    store.take("ncmec", Format::Ncmec, &page(Format::Ncmec, "ncmec-1.xml")).expect("taken");
    let missing = rules.select(&store, &mut |_| {}).expect_err("a source is missing");
    assert_eq!(missing, SelectError::Source("hotline".into()));
    store.take("hotline", Format::Csv, &page(Format::Csv, "rows-1.csv")).expect("taken");

    let judge = |hash: &RowHash| rules.judge(hash, &store.claims(hash).expect("read"));
    let listed = judge(&hash(Algorithm::Pdq, 3));
    assert_eq!((listed.category.as_deref(), listed.reason), (Some("demo"), None));
    assert_eq!((listed.sources["demo"], listed.needed["demo"]), (2, 2));

    let low = judge(&hash(Algorithm::Pdq, 5));
    assert_eq!(low.reason, Some(Reason::TooFewSources));
    let passed_over: Vec<_> = low.claims.iter().map(|claim| claim.passed_over).collect();
    assert_eq!(passed_over, [Some(PassedOver::Quality), None]);

    let disputed = judge(&hash(Algorithm::Md5, 4));
    assert_eq!(disputed.reason, Some(Reason::Disputed));
    assert_eq!(disputed.disputed_by, ["hotline/desk", "ncmec/44"]);
    // The feedback was of the MD5 alone.
    assert!(low.disputed_by.is_empty());
    assert_eq!(judge(&hash(Algorithm::Sha1, 2)).reason, Some(Reason::Algorithm));
    // A video without a classification: no such category.
    let video = judge(&hash(Algorithm::Md5, 6));
    assert_eq!(video.claims[1].passed_over, Some(PassedOver::Category));

    let selection = rules.select(&store, &mut |_| {}).expect("chosen");
    assert_eq!(selection.hashes, 6);
    assert_eq!(selection.feed.rows.len(), 1);
    assert_eq!(selection.feed.rows[0].hash, hash(Algorithm::Pdq, 3));
    assert_eq!(selection.left_out.values().sum::<u64>(), 5);

    store.take("ncmec", Format::Ncmec, &page(Format::Ncmec, "ncmec-2.xml")).expect("taken");
    let judge = |hash: &RowHash| rules.judge(hash, &store.claims(hash).expect("read"));
    assert_eq!(judge(&hash(Algorithm::Pdq, 3)).reason, Some(Reason::TooFewSources));
    store.take("hotline", Format::Csv, &page(Format::Csv, "rows-2.csv")).expect("taken");
    let judge = |hash: &RowHash| rules.judge(hash, &store.claims(hash).expect("read"));
    assert_eq!(judge(&hash(Algorithm::Pdq, 3)).reason, Some(Reason::Withdrawn));
}

#[test]
fn one_organisation_or_one_country_counts_once() {
    let (store, _) = fresh("independent");
    let csv = ingest::read(
        Format::Csv,
        format!(
            "algorithm,hex,member\nmd5,{0},a\nmd5,{0},b\nmd5,{0},c\n",
            "0123456789abcdef".repeat(2)
        )
        .as_bytes(),
    )
    .expect("rows");
    store.take("hub", Format::Csv, &csv).expect("taken");
    let hash = RowHash::candidates(&"0123456789abcdef".repeat(2)).expect("a hash").remove(0);
    let sources = |rules: &str| {
        let rules = Rules::parse(rules).expect("rules");
        rules.judge(&hash, &store.claims(&hash).expect("read")).sources.get("").copied()
    };
    let member = |id: &str, organisation: &str, jurisdiction: &str| {
        format!(
            "[[source.member]]\nid = \"{id}\"\norganisation = \"{organisation}\"\njurisdiction = \"{jurisdiction}\"\n"
        )
    };
    let hub = "[[source]]\nname = \"hub\"\n";
    let whole = format!("{hub}organisation = \"Hub\"\njurisdiction = \"US\"\n");
    assert_eq!(sources(&whole), Some(1), "a hub is one voice");
    let (a, b) = (member("a", "A", "NL"), member("b", "B", "NL"));
    assert_eq!(sources(&format!("{hub}{a}{b}")), Some(1), "one country");
    let by_organisation = "different-jurisdictions = false\n";
    assert_eq!(sources(&format!("{by_organisation}{hub}{a}{b}")), Some(2));
    assert_eq!(sources(&format!("{hub}{a}{}", member("b", "B", "DE"))), Some(2));
    let same = member("b", "A", "NL");
    assert_eq!(sources(&format!("{by_organisation}{hub}{a}{same}")), Some(1), "one organisation");
}

#[test]
fn a_stray_quotation_mark_spoils_its_own_row_alone() {
    let md5 = |n: u32| hex(Algorithm::Md5, n);
    let rows = format!(
        "algorithm,hex,category\nmd5,{},\"A1\nmd5,{},A1\nmd5,{},\"A,1\"\n# 5\" wide\nmd5,{},A\"\n",
        md5(1),
        md5(2),
        md5(3),
        md5(4)
    );
    let read = ingest::read(Format::Csv, rows.as_bytes()).expect("a page");
    let bad: Vec<String> = read.bad.iter().map(|bad| bad.place.to_string()).collect();
    assert_eq!((read.updates.len(), bad), (2, vec!["line 2".to_owned(), "line 6".to_owned()]));
    let feed = publish::Feed::read(rows.as_bytes()).expect("a feed");
    let bad: Vec<u64> = feed.bad.iter().map(|bad| bad.line).collect();
    assert_eq!((feed.rows.len(), bad), (2, vec![2, 6]));
    assert_eq!(feed.rows[1].category, "A,1");
}

#[test]
fn a_dispute_of_an_unknown_algorithm_is_against_every_hash_of_the_entry() {
    let rules = Rules::parse(
        "sources-needed = 1\n[[source]]\nname = \"a\"\norganisation = \"A\"\njurisdiction = \"NL\"\n",
    )
    .expect("rules");
    let (store, _) = fresh("spelling");
    let (md5, sha1) = (hash(Algorithm::Md5, 1), hash(Algorithm::Sha1, 1));
    for (of, outs) in [("md5", [true, false]), ("MD-5", [true, true])] {
        let xml = format!(
            "<queryResult><images count='1'><image><id>1</id><member id='7'/>\
             <timestamp>2026-05-01T12:00:00Z</timestamp>\
             <fingerprints><md5>{}</md5><sha1>{}</sha1></fingerprints>\
             <feedback><negativeFeedback type='{of}'><member id='8'/></negativeFeedback></feedback>\
             </image></images></queryResult>",
            hex(Algorithm::Md5, 1),
            hex(Algorithm::Sha1, 1)
        );
        let page = ingest::read(Format::Ncmec, xml.as_bytes()).expect("a page");
        store.take("a", Format::Ncmec, &page).expect("taken");
        let is_out = |hash: &RowHash| {
            let claims = store.claims(hash).expect("it can be read");
            rules.judge(hash, &claims).reason == Some(Reason::Disputed)
        };
        assert_eq!([is_out(&md5), is_out(&sha1)], outs, "{of}");
    }
}

#[test]
fn jurisdictions_and_organisations_are_compared_without_case() {
    let (store, _) = fresh("case");
    let rows = format!("algorithm,hex\nmd5,{}\n", hex(Algorithm::Md5, 1));
    let page = ingest::read(Format::Csv, rows.as_bytes()).expect("a page");
    for source in ["a", "b"] {
        store.take(source, Format::Csv, &page).expect("taken");
    }
    let source = |name: &str, organisation: &str, jurisdiction: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\norganisation = \"{organisation}\"\njurisdiction = \"{jurisdiction}\"\n"
        )
    };
    let by_organisation = "different-jurisdictions = false\n".to_owned();
    for rules in [
        source("a", "A", "NL") + &source("b", "B", "nl"),
        by_organisation + &source("a", "A", "NL") + &source("b", "a", "nl"),
    ] {
        let rules = Rules::parse(&rules).expect("rules");
        let selection = rules.select(&store, &mut |_| {}).expect("chosen");
        assert_eq!(selection.left_out.get(&Reason::TooFewSources), Some(&1));
    }
    let two = source("a", "A", "NL") + &source("b", "a", "DE");
    assert!(matches!(Rules::parse(&two), Err(RulesError::Meaning(_))));
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    let source = "[[source]]\nname = \"a\"\norganisation = \"A\"\njurisdiction = \"NL\"\n";
    Rules::parse(source).expect("the least there can be");
    for rules in [
        String::new(),
        "sources_needed = 2".to_owned() + source,
        format!("sources-needed = 0\n{source}"),
        format!("minimum-quality = 49\n{source}"),
        format!("minimum-quality = 101\n{source}"),
        format!("max-change-percent = -1\n{source}"),
        format!("max-change-percent = nan\n{source}"),
        format!("algorithms = []\n{source}"),
        format!("algorithms = [\"phash\"]\n{source}"),
        format!("{source}{source}"),
        format!("{source}[[source]]\nname = \"b\"\n"),
        format!("{source}{}", source.replace("\"a\"", "\"b\"").replace("NL", "DE")),
        format!("{source}[[category]]\nname = \"x\"\n[[category]]\nname = \"y\"\nfrom = [\"x\"]\n"),
    ] {
        let refused = Rules::parse(&rules);
        assert!(matches!(refused, Err(RulesError::Syntax(_) | RulesError::Meaning(_))), "{rules}");
    }
}

#[test]
fn change_is_counted_by_entry_whatever_the_salt() {
    let rows = |seeds: std::ops::Range<u32>| {
        let rows: String = seeds
            .map(|seed| {
                let drawn = blake3::hash(&seed.to_le_bytes()).to_hex();
                if seed % 2 == 0 {
                    format!("pdq {drawn}\n")
                } else {
                    format!("md5 {}\n", &drawn[..32])
                }
            })
            .collect();
        publish::Feed::read(rows.as_bytes()).expect("rows")
    };
    let build = |feed: &publish::Feed, salt, profile: &str| {
        let (id, profile) = ("x".to_owned(), profile.to_owned());
        let built = publish::build(&Parameters { id, version: 1, profile, salt }, feed);
        HashList::open(built.expect("it builds").list).expect("it opens")
    };
    let (old, new) = (rows(0..100), rows(10..105));
    let last = build(&old, None, "balanced");
    for (salt, profile) in [(None, "balanced"), (Some([7; 16]), "strict")] {
        let change = Change::between(&last, &build(&new, salt, profile), &new);
        assert_eq!((change.last, change.added, change.removed), (100, 5, 10));
        assert!((change.percent() - 10.0).abs() < 1e-9);
        let change = Change::between(&last, &build(&old, salt, profile), &old);
        assert_eq!((change.added, change.removed), (0, 0));
    }
}

#[test]
fn what_was_taken_is_counted() {
    let (store, _) = fresh("counted");
    let taken = store.take("s", Format::Csv, &page(Format::Csv, "rows-1.csv")).expect("taken");
    assert_eq!(taken, {
        let mut all = Taken::default();
        all.added = 4;
        all
    });
    let taken = store.take("s", Format::Csv, &page(Format::Csv, "rows-2.csv")).expect("taken");
    assert_eq!(taken, {
        let mut one = Taken::default();
        one.withdrawn = 1;
        one
    });
}

/// A page of rows, behind a header.
fn rows(rows: &str) -> Page {
    let text = format!("id,member,algorithm,hex,category,quality,status,updated\n{rows}");
    ingest::read(Format::Csv, text.as_bytes()).expect("rows")
}

#[test]
fn rows_of_one_id_are_one_entry_with_all_their_hashes() {
    let (store, _) = fresh("rows-of-one-id");
    let (pdq, md5) = (hex(Algorithm::Pdq, 1), hex(Algorithm::Md5, 2));
    let both = format!("a,,pdq,{pdq},A,90,,\na,,md5,{md5},A,,,\n");
    store.take("s", Format::Csv, &rows(&both)).expect("taken");
    let listed = [("s".to_owned(), String::new(), Status::Listed)];
    for found in [hash(Algorithm::Pdq, 1), hash(Algorithm::Md5, 2)] {
        assert_eq!(said(&store, &found), listed);
    }
    // The entry is withdrawn as a whole, and the same once more changes nothing.
    assert_eq!(store.take("s", Format::Csv, &rows(&both)).expect("taken").unchanged, 1);
    store.take("s", Format::Csv, &rows("a,,,,,,withdrawn,\n")).expect("taken");
    assert_eq!(said(&store, &hash(Algorithm::Md5, 2))[0].2, Status::Withdrawn);
}

#[test]
fn a_row_that_contradicts_another_of_its_entry_is_told() {
    let (one, two) = (hex(Algorithm::Md5, 1), hex(Algorithm::Md5, 2));
    let pdq = hex(Algorithm::Pdq, 3);
    let page = rows(&format!(
        "a,,md5,{one},A,,,\na,,md5,{two},B,,,\na,x,md5,{two},B,,,\na,,md5,{two},A,,denied,\n\
         b,,pdq,{pdq},A,90,,\nb,,pdq,{pdq},A,40,,\n\
         a,,md5,{two},A,,withdrawn,2026-05-01T00:00:00Z\n"
    ));
    let bad: Vec<String> =
        page.bad.iter().map(|bad| format!("{}: {}", bad.place, bad.reason)).collect();
    let contradiction = "line 2 is of the same entry and says something else of it";
    assert_eq!(
        bad,
        [
            format!("line 3: {contradiction}"),
            format!("line 5: {contradiction}"),
            "line 7: the same hash has another `quality` in a row above".to_owned(),
        ]
    );
    // Another member's, and what was said at another time, are no contradiction.
    assert_eq!(page.updates.len(), 4);
}

#[test]
fn a_damaged_store_is_an_error_and_no_panic() {
    let (store, path) = fresh("damaged");
    let all: String =
        (0..300).map(|n| format!("{n},,md5,{},A,,,\n", hex(Algorithm::Md5, n))).collect();
    store.take("s", Format::Csv, &rows(&all)).expect("taken");
    drop(store);
    let whole = crate::read(&path);
    let hash = hash(Algorithm::Md5, 7);
    let mut refused = 0;
    for at in (0..whole.len()).step_by(whole.len() / 300) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        std::fs::write(&path, damaged).expect("written");
        let used = Store::open(&path).and_then(|store| {
            store.sources()?;
            store.claims(&hash)?;
            store.each_hash(|_, _| {})?;
            store.take("s", Format::Csv, &rows("1,,,,,,withdrawn,\n"))
        });
        refused += u32::from(used.is_err());
    }
    assert!(refused > 0);
    // Cut off, as by a disk that was full.
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    assert!(Store::open(&path).is_err());
}
