//! The command as scripts and people use it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

#[path = "cli/store.rs"]
mod store;

#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/sealed.rs"]
mod sealed;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn presend(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_presend"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> (i32, String, String) {
    ended(presend(args).output().expect("it starts"))
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A fresh folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn a_folder_is_scanned_with_one_line_a_file() {
    let (code, out, err) = run(&["scan", "tests/data/media"]);
    assert_eq!(code, 1);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[0], "allow  tests/data/media/flower.webp");
    assert_eq!(
        lines[5],
        "block  tests/data/media/test-picture.png  list.exact: this file is in list demo \
         version 1 (sha256) (rule list.default.exact)"
    );
    assert!(err.contains("demonstration list"), "{err}");
}

#[test]
fn json_has_an_object_a_line_and_a_summary_last() {
    let (code, out, _) =
        run(&["scan", "--json", "tests/data/media", "tests/data/modes/gif-animated.gif"]);
    assert_eq!(code, 1);
    let lines: Vec<Value> = out.lines().map(json).collect();
    let summary = &lines[8]["summary"];
    assert_eq!(
        (&summary["files"], &summary["allow"], &summary["block"]),
        (&8.into(), &6.into(), &2.into())
    );
    let test_picture = &lines[5];
    assert_eq!(test_picture["path"], "tests/data/media/test-picture.png");
    assert_eq!(test_picture["verdict"], "block");
    assert_eq!(test_picture["format"], "png");
    assert_eq!((&test_picture["width"], &test_picture["height"]), (&512.into(), &512.into()));
    assert_eq!(test_picture["findings"][0]["code"], "list.exact");
    assert_eq!(test_picture["findings"][0]["rule"], "list.default.exact");
    assert_eq!(test_picture["findings"][1]["view"], "identity");
    assert_eq!(test_picture["blake3"].as_str().map(str::len), Some(64));
    let timings = test_picture["timings_us"].as_object().expect("timings");
    // Looking up and classifying go side by side, so only each by itself is shorter.
    let total = timings["total"].as_u64().expect("microseconds");
    for (stage, time) in timings.iter().filter(|(stage, _)| *stage != "read") {
        assert!(time.as_u64().expect("microseconds") <= total, "{stage}");
    }
    assert_eq!(lines[7]["frames"], 3);
}

#[test]
fn exit_codes_tell_clean_flagged_and_failed() {
    assert_eq!(run(&["scan", "tests/data/media/waves.jpg"]).0, 0);
    assert_eq!(run(&["scan", "tests/data/broken/truncated.png"]).0, 1);
    assert_eq!(run(&["scan", "tests/data/media/waves.jpg", "no-such-file"]).0, 2);
    assert_eq!(run(&["scan"]).0, 2);
    assert_eq!(run(&["scan", "--policy", "no-such-policy", "tests/data/media"]).0, 2);
    assert_eq!(run(&["scan", "--list", "README.md", "tests/data/media"]).0, 2);
}

#[test]
fn a_missing_file_does_not_stop_the_others() {
    let (code, out, err) = run(&["scan", "--json", "no-such-file", "tests/data/media/waves.jpg"]);
    assert_eq!(code, 2);
    assert!(err.contains("no-such-file: "), "{err}");
    let lines: Vec<Value> = out.lines().map(json).collect();
    assert!(lines[0]["error"].is_string());
    assert_eq!(lines[1]["verdict"], "allow");
    assert_eq!(lines[2]["summary"]["errors"], 1);
}

#[test]
fn what_a_folder_holds_beside_files_is_an_error_in_its_place() {
    let folder = folder("links");
    std::fs::write(folder.join("a\nblock  forged.jpg"), b"").expect("written");
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", folder.join("broken")).expect("linked");
    let (code, out, err) = run(&["scan", folder.to_str().expect("UTF-8")]);
    assert_eq!((code, out.lines().count()), (if cfg!(unix) { 2 } else { 1 }, 1));
    assert!(out.contains("a\\nblock  forged.jpg"), "{out}");
    assert!(cfg!(not(unix)) || err.contains("broken: not scanned"), "{err}");
}

#[test]
fn quiet_tells_only_what_is_not_allowed() {
    let (code, out, err) = run(&["scan", "--quiet", "tests/data/media"]);
    assert_eq!((code, out.lines().count(), err.as_str()), (1, 2, ""));
    let (code, out, _) = run(&["scan", "--quiet", "tests/data/media/waves.jpg"]);
    assert_eq!((code, out.as_str()), (0, ""));
}

#[test]
fn standard_input_is_scanned() {
    let mut child = presend(&["scan", "--quiet", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let bytes = std::fs::read(root().join("hashlists/demo/test-picture.png")).expect("a picture");
    child.stdin.take().expect("a pipe").write_all(&bytes).expect("it reads");
    let (code, out, _) = ended(child.wait_with_output().expect("it ends"));
    assert_eq!(code, 1);
    assert!(out.starts_with("block  -  list.exact"), "{out}");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let mut child = presend(&["scan", "--quiet", "tests/data/broken", "tests/data/media"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let (_, _, err) = ended(child.wait_with_output().expect("it ends"));
    assert_eq!(err, "");
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let one = run(&["scan", "--jobs", "1", "tests/data"]);
    assert_eq!(one, run(&["scan", "--jobs", "5", "tests/data"]));
    assert_eq!(run(&["scan", "--jobs", "0", "tests/data"]).0, 2);
}

#[test]
fn a_deadline_that_cannot_be_kept_is_asked_about() {
    let (code, out, _) = run(&["scan", "--deadline", "0", "tests/data/media/waves.jpg"]);
    assert_eq!(code, 1);
    assert!(out.contains("ask    tests/data/media/waves.jpg  incomplete.deadline-passed"), "{out}");
}

#[test]
fn policies_are_presets_or_files() {
    assert_eq!(run(&["scan", "--policy", "off", "tests/data/media"]).0, 0);
    let file = folder("policy").join("policy.toml");
    std::fs::write(&file, "low-quality = 'allow'\nno_data = 'ask'\n").expect("written");
    let (code, _, err) =
        run(&["scan", "--policy", file.to_str().expect("UTF-8"), "tests/data/media"]);
    assert_eq!(code, 2);
    assert!(err.contains("policy line 2: unknown field `no_data`"), "{err}");
}

#[test]
fn hashes_are_printed_as_the_reference_prints_them() {
    // The hash stands in tests/data/vectors/vectors.csv, written by pdqhash.
    let (code, out, _) = run(&["hash", "tests/data/vectors/cobbles.png"]);
    let hex = "6a38078c14bfbb435981063a2497645d991f18ccf3fc6b3791bd8f0bbe85da09";
    assert_eq!((code, out), (0, format!("{hex} 100 tests/data/vectors/cobbles.png\n")));

    let (code, out, _) = run(&["hash", "--json", "tests/data/vectors/cobbles.png"]);
    let picture = json(&out);
    assert_eq!(code, 0);
    assert_eq!(picture["frames"][0]["pdq"], hex);
    assert_eq!(picture["frames"][0]["dihedral"]["identity"], hex);
    assert_eq!(picture["frames"][0]["dihedral"].as_object().map(|all| all.len()), Some(8));
    assert_eq!(picture["digests"].as_object().map(|all| all.len()), Some(4));
}

#[test]
fn what_cannot_be_hashed_is_said() {
    let (code, out, err) = run(&["hash", "tests/data/broken/zip-named.jpg"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("unsupported: zip"), "{err}");
    assert_eq!(run(&["hash", "no-such-file"]).0, 2);
}

#[test]
fn a_list_can_be_inspected_and_verified() {
    let (code, out, _) = run(&["list", "info", "--json", "hashlists/demo/demo.presend"]);
    let info = json(&out);
    assert_eq!(code, 0);
    assert_eq!((&info["id"], &info["profile"]), (&"demo".into(), &"balanced".into()));
    assert_eq!(run(&["list", "verify", "hashlists/demo/demo.presend"]).0, 0);

    let file = folder("list").join("changed.presend");
    let mut list = std::fs::read(root().join("hashlists/demo/demo.presend")).expect("a list");
    let last = list.len() - 40;
    list[last] ^= 1;
    std::fs::write(&file, list).expect("written");
    let path = file.to_str().expect("UTF-8");
    for args in [&["list", "verify", path][..], &["scan", "--list", path, "tests/data/media"]] {
        let (code, _, err) = run(args);
        assert_eq!(code, 2);
        assert!(err.contains("do not match its digest; fetch it again"), "{err}");
    }
}

/// The evaluation of the project's own pictures, small enough for a test.
fn eval(more: &[&str]) -> Value {
    let args = ["eval", "--photos", "tests/data/media", "--entries", "500", "--json"];
    let (code, out, err) = run(&[&args[..], more].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    json(&out)
}

/// One that several tests look at: the figures, and the page.
static EVALUATION: LazyLock<(Value, String)> = LazyLock::new(|| {
    let file = folder("eval").join("report.html");
    let report = eval(&["--html", file.to_str().expect("UTF-8")]);
    (report, std::fs::read_to_string(file).expect("a page"))
});

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

#[test]
fn an_evaluation_adds_up() {
    let (report, _) = &*EVALUATION;
    // Five renders and the test picture, which is there twice.
    assert_eq!((number(&report["photos"]), &report["photos_not_used"]["repeated"]), (6, &1.into()));
    let rows = |name: &str| report[name].as_array().expect("rows");
    assert_eq!(rows("transformations").len(), 54);
    let all = &report["all"];
    assert_eq!(number(&all["copies"]), 6 * 54);

    for counted in ["kinds", "transformations", "distances"] {
        let sum = |at: &dyn Fn(&Value) -> &Value| {
            rows(counted).iter().map(|row| number(at(row))).sum::<u64>()
        };
        let low = if counted == "distances" { number(&all["low_quality"]) } else { 0 };
        assert_eq!(sum(&|row| &row["copies"]), number(&all["copies"]) - low, "{counted}");
        assert_eq!(sum(&|row| &row["found"]["open"]), number(&all["found"]["open"]), "{counted}");
        for set in rows("views") {
            let set = set["name"].as_str().expect("a name");
            let hidden = |row: &Value| row["found"]["hidden_by_views"][set].clone();
            let found: u64 = rows(counted).iter().map(|row| number(&hidden(row))).sum();
            assert_eq!(found, number(&hidden(all)), "{counted} {set}");
        }
    }

    let by_margin = &report["bits_by_margin"];
    let rates: Vec<f64> = by_margin["differing"]
        .as_array()
        .expect("rates")
        .iter()
        .map(|rate| rate.as_f64().expect("a rate"))
        .collect();
    assert!(number(&by_margin["views"]) > 500);
    assert!(rates.len() == 16 && rates[0] > 0.3 && rates[15] < 0.02, "{rates:?}");

    for set in rows("views") {
        let found = number(&all["found"]["hidden_by_views"][set["name"].as_str().expect("a name")]);
        let accepted = set["accepted_distances"].as_array().expect("pairs");
        assert_eq!(accepted.iter().map(|pair| number(&pair[1])).sum::<u64>(), found);
        let views = set["found_by_view"].as_object().expect("views");
        assert_eq!(views.values().map(number).sum::<u64>(), found);
        let within = set["found_within_log2_probes"].as_array().expect("counts");
        assert_eq!(within.last().map(number), Some(found));
        assert!(within.iter().map(number).is_sorted());
        assert_eq!(number(&set["held_out"]["accepted_beyond_31"]), 0);
        assert!(number(&set["lookup_us"]["lookups"]) >= 200);
    }
}

#[test]
fn an_evaluation_finds_what_it_must() {
    let (report, _) = &*EVALUATION;
    let row = |name: &str| {
        let rows = report["transformations"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    for name in ["jpeg-95", "jpeg-85", "webp-80", "gray", "brighter-20"] {
        let found = &row(name)["found"];
        assert_eq!(
            (number(&found["open"]), number(&found["hidden_by_views"]["1"])),
            (6, 6),
            "{name}"
        );
    }
    // A crop of a fifth is another picture to PDQ.
    assert_eq!(number(&row("crop-20")["found"]["open"]), 0);
    for row in report["random_flips"].as_array().expect("rows") {
        let (found, trials) = (number(&row["found"]["1"]), number(&row["trials"]));
        assert!(found <= trials && (row["distance"] != 1 || found * 10 > trials * 8), "{row}");
    }
}

#[test]
fn false_matches_are_as_many_as_the_formula_says() {
    let (report, _) = &*EVALUATION;
    for set in report["views"].as_array().expect("sets") {
        let counted = set["monte_carlo"]["counted"].as_array().expect("rows");
        assert_eq!(counted.len(), 8);
        let scans = number(&set["monte_carlo"]["scans"]) as f64;
        for row in counted {
            let rate = |name: &str| row[name].as_f64().expect("a rate");
            let (formula, measured) = (rate("formula"), rate("rate"));
            // Four deviations: by chance one run in a thousand would differ more.
            let allowed = 4.0 * (formula * (1.0 - formula) / scans).sqrt();
            assert!((measured - formula).abs() < allowed, "{row}");
            assert!(rate("bound") >= formula);
            let [low, high] = [0, 1].map(|end| row["interval_99"][end].as_f64().expect("a rate"));
            assert!((low..=high).contains(&measured));
        }
    }
}

#[test]
fn the_page_of_an_evaluation_stands_alone() {
    let (report, page) = &*EVALUATION;
    assert_stands_alone(page);
    for row in report["transformations"].as_array().expect("rows") {
        assert!(page.contains(&format!("<td>{}</td>", row["name"].as_str().expect("a name"))));
    }
    assert_eq!(page.matches("<figure>").count(), 4);
}

/// The page needs nothing from elsewhere, and is well-formed.
fn assert_stands_alone(page: &str) {
    for elsewhere in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }

    // Every element is closed, in order: it would pass as XML.
    let body = page.strip_prefix("<!doctype html>").expect("a doctype");
    let mut open = Vec::new();
    for tag in body.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{tag}");
        let name = tag.split([' ', '/']).next().expect("a name");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn an_evaluation_is_the_same_every_time() {
    let timeless = |mut report: Value| {
        report["seconds"] = Value::Null;
        for set in report["views"].as_array_mut().expect("sets") {
            set["lookup_us"] = Value::Null;
        }
        report
    };
    let one = timeless(eval(&["--views", "1", "--jobs", "1"]));
    assert_eq!(one["views"].as_array().map(Vec::len), Some(1));
    assert_eq!(one, timeless(eval(&["--views", "1", "--jobs", "3"])));
}

#[test]
fn an_evaluation_needs_photos() {
    assert_eq!(run(&["eval", "--photos", "README.md"]).0, 2);
    let (code, _, err) = run(&["eval", "--photos", "hashlists/demo", "--views", "no-such-set"]);
    assert!(code == 2 && err.contains("no-such-set"), "{err}");
    let (code, _, err) = run(&["eval", "--photos", "tests/oracle"]);
    assert!(code == 2 && err.contains("0 usable photos; two are needed"), "{err}");
}

#[test]
fn a_scan_looks_up_the_views_it_is_told_to() {
    // The demonstration list's picture, lying on the side that the nine views leave out.
    let file = folder("views").join("turned.png");
    let picture = image::open(root().join("tests/data/media/test-picture.png")).expect("a picture");
    picture.rotate90().save(&file).expect("written");
    let file = file.to_str().expect("UTF-8");
    for (views, code) in [("1", 0), ("9", 0), ("25", 1)] {
        let scan = run(&["scan", "--quiet", "--views", views, file]);
        assert_eq!(scan.0, code, "{views}: {scan:?}");
    }
    let (code, _, err) = run(&["scan", "--views", "2", file]);
    assert!(code == 2 && err.contains("1, 9, 25"), "{err}");
}

#[test]
fn labels_have_rounded_scores_of_the_named_model() {
    // The scores stand in tests/data/scores.csv, by the model's own tools.
    let path = "tests/data/media/mountains.jpg";
    let (code, out, _) = run(&["scan", "--json", path]);
    let report = json(out.lines().next().expect("a line"));
    assert_eq!((code, &report["inferences"]), (0, &1.into()));
    let label = |code: &str| -> Value {
        let findings = report["findings"].as_array().expect("findings");
        findings.iter().find(|finding| finding["code"] == code).expect("the label").clone()
    };
    let drawing = label("label.Drawing");
    assert_eq!((&drawing["model"], &drawing["model_version"]), (&"nsfwjs-mid".into(), &"1".into()));
    assert_eq!(
        (&drawing["score"], &label("label.sexual")["score"]),
        (&0.794.into(), &0.014.into())
    );

    let policy = folder("labels").join("policy.toml");
    let text = std::fs::read_to_string(root().join("src/policy/default.toml")).expect("a preset");
    std::fs::write(&policy, text + "[label.Drawing]\nask = 0.5\n").expect("written");
    let (code, out, _) = run(&["scan", "--policy", policy.to_str().expect("UTF-8"), path]);
    let expected = "ask    tests/data/media/mountains.jpg  label.Drawing 0.794: model nsfwjs-mid \
        version 1 sees Drawing (rule label.Drawing.ask)\n";
    assert_eq!((code, out.as_str()), (1, expected));
}

#[test]
fn a_scan_looks_with_the_named_models_or_with_none() {
    let path = "tests/data/media/waves.jpg";
    let models = |args: &[&str]| {
        let (code, out, err) = run(&[&["scan", "--json", path], args].concat());
        let first = out.lines().next().map(json);
        let findings = first.map(|report| report["findings"].as_array().expect("findings").clone());
        let mut models: Vec<String> = findings
            .iter()
            .flatten()
            .filter_map(|finding| Some(finding["model"].as_str()?.to_owned()))
            .collect();
        models.dedup();
        (code, models, err)
    };
    assert_eq!(models(&["--model", "none"]).1, Vec::<String>::new());
    let policy = folder("models").join("policy.toml");
    let text = std::fs::read_to_string(root().join("src/policy/default.toml")).expect("a preset");
    std::fs::write(&policy, text + "[label.red]\nask = 1.0\n").expect("written");
    let policy = ["--policy", policy.to_str().expect("UTF-8")];
    let small = [&policy[..], &["--model", "tests/data/models/mean-colour-1"]].concat();
    assert_eq!(models(&small).1, ["mean-colour"]);
    let both = [&small[..], &["--model", "models/nsfwjs-tiny-1"]].concat();
    assert_eq!(models(&both).1, ["mean-colour", "nsfwjs-tiny"]);
    let (code, _, err) = models(&["--model", "none", "--model", "models/nsfwjs-tiny-1"]);
    assert!(code == 2 && err.contains("no other model"), "{err}");
    let (code, _, err) = models(&["--model", "tests/data/media"]);
    assert!(code == 2 && err.contains("model.toml cannot be read"), "{err}");
    let (code, _, err) = models(&["--runtime", "no-such-library.so"]);
    assert!(code == 2 && err.contains("ONNX Runtime cannot be used"), "{err}");
}

#[test]
fn a_model_can_be_inspected_and_verified() {
    let folder = "models/nsfwjs-mid-1";
    let (code, out, _) = run(&["model", "info", "--json", folder]);
    let info = json(&out);
    assert_eq!((code, &info["name"], &info["license"]), (0, &"nsfwjs-mid".into(), &"MIT".into()));
    assert_eq!(info["merged"]["sexual"][0], "Hentai");
    assert!(run(&["model", "info", folder]).1.contains("sexual >= 0.7: 0.33 % of 1,505"));
    let (code, out, _) = run(&["model", "verify", "--json", folder]);
    let verified = json(&out);
    assert_eq!((code, verified["golden"].as_array().map(Vec::len)), (0, Some(10)));
    assert!(verified["largest_difference"].as_f64() < Some(0.0001), "{out}");
    let (code, _, err) = run(&["model", "verify", "tests/data"]);
    assert!(code == 2 && err.contains("model.toml cannot be read"), "{err}");
}

#[test]
fn the_test_picture_is_written_and_flagged() {
    let file = folder("test-picture").join("picture.png");
    let path = file.to_str().expect("UTF-8");
    assert_eq!(run(&["test-picture", path]).0, 0);
    assert_eq!(run(&["scan", path]).0, 1);
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run(&["completions", shell]);
        assert!(code == 0 && out.contains("test-picture"), "{shell}");
    }
}

#[test]
fn a_list_is_brought_up_to_date_by_a_delta() {
    let folder = folder("apply");
    let list = folder.join("demo.presend");
    std::fs::copy(root().join("hashlists/demo/demo.presend"), &list).expect("copied");
    let list = list.display().to_string();
    let delta = "tests/data/delta/demo-2.delta";
    let (code, text, err) = run(&["list", "apply", &list, delta, &list]);
    assert_eq!((code, text.as_str()), (0, "demo version 1 to version 2, 433 bytes\n"), "{err}");
    let (code, text, _) = run(&["list", "verify", &list]);
    assert_eq!((code, text.as_str()), (0, "demo version 2: the digest matches\n"));
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1, "nothing is left over");

    // It begins from version 1; the list stays as it is.
    let before = std::fs::read(&list).expect("there");
    let (code, _, err) = run(&["list", "apply", &list, delta, &list]);
    assert_eq!(code, 2);
    assert!(err.contains("another edition of the list; fetch the whole list"), "{err}");
    assert_eq!(std::fs::read(&list).expect("there"), before);
}

#[test]
fn a_packed_list_unpacks_to_the_file_it_was_packed_from() {
    let list = folder("unpack").join("demo.presend").display().to_string();
    let (code, text, err) = run(&["list", "unpack", "tests/data/delta/demo-1.packed", &list]);
    assert_eq!((code, text.as_str()), (0, "demo version 1, 433 bytes\n"), "{err}");
    let demo = std::fs::read(root().join("hashlists/demo/demo.presend")).expect("there");
    assert!(std::fs::read(&list).expect("there") == demo);

    let (code, _, err) = run(&["list", "unpack", "tests/data/delta/demo-2.delta", &list]);
    assert_eq!(code, 2);
    assert!(err.contains("another edition of the list"), "{err}");
}
