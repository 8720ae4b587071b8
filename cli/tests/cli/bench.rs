//! `presend bench`. Nothing here depends on how fast the machine is: a run is
//! compared with its own figures made a thousand times smaller or larger.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;

use super::{assert_stands_alone, folder, json, number, run};

const STAGES: [&str; 10] =
    ["read", "sniff", "decode", "digest", "hash", "views", "lookup", "classify", "policy", "total"];

const PHOTO: &str = "tests/data/media/mountains.jpg";

/// A short run that several tests look at: the figures, and the page.
static RUN: LazyLock<(Value, String)> = LazyLock::new(|| {
    let page = folder("bench").join("page.html");
    let (code, out, err) = run(&[
        "bench",
        "--json",
        "--runs",
        "3",
        "--cold",
        "1",
        "--threads",
        "2",
        "--model",
        "models/nsfwjs-tiny-1",
        "--html",
        page.to_str().expect("UTF-8"),
        "tests/data/media",
        "tests/data/broken/truncated.png",
    ]);
    assert_eq!((code, err.as_str()), (0, ""));
    (json(&out), std::fs::read_to_string(page).expect("a page"))
});

fn assert_stages(times: &Value, of: &str) {
    let stages = times.as_object().unwrap_or_else(|| panic!("{of}: {times}"));
    assert_eq!(stages.len(), STAGES.len(), "{of}");
    for stage in STAGES {
        let at = |quantile: &str| {
            stages[stage][quantile].as_f64().unwrap_or_else(|| panic!("{of}, {stage}"))
        };
        let quantiles = ["p50", "p90", "p99", "max"].map(at);
        assert!(quantiles.is_sorted() && quantiles[0] >= 0.0, "{of}, {stage}: {quantiles:?}");
    }
}

#[test]
fn every_stage_is_measured_for_every_file_and_class() {
    let (report, _) = &*RUN;
    let rows = |name: &str| report[name].as_array().unwrap_or_else(|| panic!("{name}")).as_slice();
    assert_eq!(rows("files").len(), 7);
    for file in rows("files") {
        assert_eq!(number(&file["scans"]), 3);
        assert_stages(&file["warm_us"], &file["path"].to_string());
    }
    let formats: Vec<_> = rows("classes").iter().map(|class| &class["format"]).collect();
    assert_eq!(formats, ["gif", "jpeg", "png", "webp"]);
    assert_eq!(rows("classes").iter().map(|class| number(&class["scans"])).sum::<u64>(), 21);
    for class in rows("classes").iter().chain([&report["all"]]) {
        assert_stages(&class["warm_us"], &class["format"].to_string());
    }
    assert_eq!(rows("cold").len(), 4);
    for start in rows("cold") {
        assert_stages(&start["scan_us"], "cold");
        for opening in ["process_us", "open_lists_us", "open_models_us"] {
            assert!(start[opening]["p50"].as_f64() > Some(0.0), "{opening}");
        }
        let known = &start["added_by_scan_bytes"];
        assert!(known.is_null() || known.as_f64() > Some(0.0), "{start}");
    }
    let threads: Vec<u64> = rows("throughput").iter().map(|row| number(&row["threads"])).collect();
    assert_eq!(threads, [1, 2]);

    assert_eq!(rows("unusable")[0]["code"], "incomplete.truncated");
    assert_eq!(report["scanner"]["lists"][0]["name"], "demo");
    assert_eq!(report["scanner"]["models"][0]["name"], "nsfwjs-tiny");
    assert!(report["machine"]["processor"].is_string());
}

#[test]
fn the_page_of_a_bench_stands_alone() {
    let (_, page) = &*RUN;
    assert_stands_alone(page);
    // Four classes, each of nine stages.
    assert_eq!(page.matches("<td class=\"stack\">").count(), 4);
    let bars = page.split("<td class=\"stack\">").skip(1);
    for bar in bars.map(|rest| rest.split("</td>").next().expect("its end")) {
        assert_eq!(bar.matches("<rect").count(), STAGES.len() - 1);
    }
    assert_eq!(page.matches("<figure>").count(), 2);
}

/// A saved run with every time multiplied.
fn earlier(name: &str, saved: &Value, by: f64) -> PathBuf {
    fn multiply(value: &mut Value, by: f64) {
        match value {
            Value::Object(of) => of.values_mut().for_each(|value| multiply(value, by)),
            Value::Array(of) => of.iter_mut().for_each(|value| multiply(value, by)),
            number => *number = (number.as_f64().expect("a time") * by).into(),
        }
    }
    let mut saved = saved.clone();
    for file in saved["files"].as_array_mut().expect("files") {
        multiply(&mut file["warm_us"], by);
    }
    let file = folder(name).join("earlier.json");
    std::fs::write(&file, saved.to_string()).expect("written");
    file
}

#[test]
fn what_has_become_slower_is_an_exit_code() {
    let quick = ["bench", "--json", "--runs", "5", "--cold", "0", "--threads", "0"];
    let bench = |more: &[&str]| run(&[&quick[..], more, &["--model", "none", PHOTO]].concat());
    let saved = json(&bench(&[]).1);
    assert_eq!(saved["compared"], Value::Null);

    let fast = earlier("bench-fast", &saved, 0.001);
    let (code, out, err) = bench(&["--compare", fast.to_str().expect("UTF-8")]);
    assert_eq!((code, err.as_str()), (1, ""));
    let compared = &json(&out)["compared"];
    let slower = compared["slower"].as_array().expect("rows");
    assert!(slower.iter().any(|row| row["stage"] == "total"), "{compared}");
    assert_eq!(
        (&compared["faster"], &compared["differences"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );

    // Nothing is so slow that a tolerance does not cover it.
    let fast = fast.to_str().expect("UTF-8");
    assert_eq!(bench(&["--compare", fast, "--tolerance", "1e9"]).0, 0);

    let slow = earlier("bench-slow", &saved, 1000.0);
    let (code, out, _) = bench(&["--compare", slow.to_str().expect("UTF-8")]);
    let compared = &json(&out)["compared"];
    assert_eq!((code, &compared["slower"]), (0, &Value::Array(vec![])), "{compared}");
    assert!(!compared["faster"].as_array().expect("rows").is_empty());
}

#[test]
fn a_comparison_says_what_was_not_alike() {
    let quick = ["bench", "--runs", "1", "--cold", "0", "--threads", "0", "--model", "none", PHOTO];
    let mut saved = json(&run(&[&quick[..], &["--json"]].concat()).1);
    saved["machine"]["processor"] = "an abacus".into();
    let file = earlier("bench-other", &saved, 1000.0);
    let file = file.to_str().expect("UTF-8");
    let (code, out, _) = run(&[&quick[..], &["--compare", file]].concat());
    assert_eq!(code, 0);
    assert!(out.contains("not alike: machine.processor was an abacus, is "), "{out}");

    let other = ["bench", "--runs", "1", "--cold", "0", "--threads", "0", "--model", "none"];
    let (code, _, err) =
        run(&[&other[..], &["tests/data/media/waves.jpg", "--compare", file]].concat());
    assert!(code == 2 && err.contains("scanned none of these files"), "{err}");
}

#[test]
fn pictures_are_built_in() {
    let quick = ["bench", "--runs", "1", "--cold", "1", "--threads", "0"];
    let (code, out, _) = run(&[&quick[..], &["--model", "none", "--json"]].concat());
    let report = json(&out);
    let files = report["files"].as_array().expect("files");
    let sizes: Vec<_> = files.iter().map(|file| number(&file["width"])).collect();
    assert_eq!((code, sizes), (0, vec![4032, 1600, 1281, 1080, 300]));
    // As large as a phone's file, or its decoding would be too easy.
    assert!((2_500_000..5_000_000).contains(&number(&files[0]["bytes"])), "{}", files[0]["bytes"]);
    assert_eq!(report["cold"].as_array().map(Vec::len), Some(5));
}

#[test]
fn a_bench_that_cannot_be_run_says_why() {
    for (args, why) in [
        (&["no-such-file"][..], "no-such-file"),
        (&["-"], "name files, not -"),
        (&["README.md"], "none of 1 files can be scanned in full"),
        (&["--compare", "README.md", PHOTO], "README.md"),
        (
            &["--compare", "models/golden/package.json", PHOTO],
            "not what presend bench --json writes",
        ),
        (&["--tolerance", "5", PHOTO], "--compare"),
        (&["--compare", "x", "--tolerance=-5", PHOTO], "a percentage"),
        (&["--runs", "0", PHOTO], "--runs"),
        (&["--model", "tests/data/media", PHOTO], "model.toml cannot be read"),
    ] {
        let (code, out, err) = run(&[&["bench"], args].concat());
        assert!(code == 2 && out.is_empty() && err.contains(why), "{args:?}: {err}");
    }
}
