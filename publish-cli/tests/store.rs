//! From what partners send to a list, by the command: `docs/operating-a-list.md`
//! as written, and what it promises of failures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn command(folder: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_presend-publish"));
    command.args(args.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &str) -> (i32, String, String) {
    let output = command(folder, args).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// The folder with the fixtures in it.
fn feeds(name: &str) -> PathBuf {
    let folder = folder(name);
    for entry in std::fs::read_dir(root().join("tests/data/feeds")).expect("fixtures") {
        let path = entry.expect("fixtures").path();
        std::fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("copied");
    }
    folder
}

#[test]
fn the_guide_runs_as_written() {
    let folder = feeds("guide");
    let guide = std::fs::read_to_string(root().join("docs/operating-a-list.md")).expect("a guide");
    let mut blocks = 0;
    let mut lines = guide.lines();
    while lines.by_ref().any(|line| line == "```console") {
        blocks += 1;
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        for part in block.split(|line| line.is_empty()) {
            let asked = part[0].strip_prefix("$ presend-publish ").expect(part[0]);
            let (asked, code) = asked.split_once("   # exit code ").unwrap_or((asked, "0"));
            let (exit, out, err) = run(&folder, asked);
            assert_eq!(exit.to_string(), code, "{asked}\n{out}{err}");
            let said = format!("{err}{out}");
            let is_digest =
                |line: &&str| line.starts_with("blake3 ") || line.starts_with("sha256 ");
            let undated = |lines: &mut dyn Iterator<Item = &str>| -> Vec<String> {
                lines.filter(|line| !is_digest(line)).map(without_date).collect()
            };
            let expected = undated(&mut part[1..].iter().copied());
            assert_eq!(undated(&mut said.lines()), expected, "{asked}");
        }
    }
    assert!(blocks >= 11, "{blocks} blocks");
    for shown in ["rules.toml", "roles.toml"] {
        let file = std::fs::read_to_string(folder.join(shown)).expect("a fixture");
        assert!(guide.contains(&format!("```toml\n{file}```")), "{shown}");
    }
}

/// What is printed before the day on which something expires.
fn without_date(line: &str) -> String {
    match line.split_once(", until ") {
        Some((before, date)) => {
            assert!(date.len() == 10 && date.split('-').count() == 3, "{line}");
            format!("{before}, until")
        }
        None => line.to_owned(),
    }
}

#[test]
fn a_failed_source_keeps_what_was_there() {
    let folder = feeds("failed");
    let ingest = "ingest --store s.redb --source hotline --format csv";
    for file in ["web-page.html", "error.json", "no-such-file"] {
        let (code, _, err) = run(&folder, &format!("{ingest} {file}"));
        assert_eq!(code, 2, "{err}");
        assert!(!folder.join("s.redb").exists(), "no store is made");
    }
    assert_eq!(run(&folder, &format!("{ingest} more-1.csv")).0, 0);
    let rules = std::fs::read_to_string(folder.join("rules.toml")).expect("rules");
    let rules = rules.replace("sources-needed = 2", "sources-needed = 1");
    let rules = rules.replace("name = \"ncmec\"", "name = \"hotline\"\ncategory = \"A1\"");
    let cut = rules.rfind("[[source]]").expect("the second");
    let rules = format!("{}{}", &rules[..cut], &rules[rules.find("[[category]]").expect("one")..]);
    std::fs::write(folder.join("one.toml"), rules).expect("written");
    let build = "build --id x --version 1 --store s.redb --rules one.toml --out";
    let (code, _, err) = run(&folder, &format!("{build} a --first"));
    assert_eq!(code, 0, "{err}");
    for file in ["web-page.html", "error.json", "no-such-file"] {
        let (code, _, err) = run(&folder, &format!("{ingest} --snapshot --accept-shrink {file}"));
        assert_eq!(code, 2, "{err}");
    }
    // Files before the one that failed are in.
    let (code, out, _) =
        run(&folder, &format!("{ingest} --json more-2.csv web-page.html more-1.csv"));
    assert_eq!(code, 2);
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&report["files"], &report["taken"]["unchanged"]), (&1.into(), &15.into()));
    assert!(report["error"].as_str().expect("an error").contains("web page"), "{out}");
    let (code, _, err) = run(&folder, &format!("{build} b --first"));
    assert_eq!(code, 0, "{err}");
    let list = |out: &str| std::fs::read(folder.join(out).join("x.presend")).expect("built");
    assert!(list("a") == list("b"));
}

#[test]
fn strict_takes_nothing_of_a_file_with_a_bad_entry() {
    let folder = feeds("strict");
    let ingest = "ingest --store s.redb --source hotline --format csv rows-1.csv";
    let (code, _, err) = run(&folder, &format!("{ingest} --strict"));
    assert_eq!(code, 2);
    assert!(err.contains("rows-1.csv: line 6: unknown algorithm"), "{err}");
    assert!(err.contains("2 bad entries: nothing was taken of it"), "{err}");
    assert!(!folder.join("s.redb").exists());
    assert_eq!(run(&folder, ingest).0, 1);
}

#[test]
fn a_change_beyond_the_gate_is_not_built() {
    let folder = feeds("gate");
    std::fs::write(
        folder.join("one.toml"),
        "sources-needed = 1\n[[source]]\nname = \"a\"\norganisation = \"A\"\njurisdiction = \"NL\"\n",
    )
    .expect("written");
    let ingest = "ingest --store s.redb --source a --format csv";
    let build = "build --id x --store s.redb --rules one.toml --out out --version";
    assert_eq!(run(&folder, &format!("{ingest} more-1.csv")).0, 0);
    let (code, _, err) = run(&folder, &format!("{build} 1"));
    assert_eq!(code, 2);
    assert!(err.contains("or say --first"), "{err}");
    assert_eq!(run(&folder, &format!("{build} 1 --first")).0, 0);
    let first = std::fs::read(folder.join("out/x.presend")).expect("built");

    let (code, _, err) = run(&folder, &format!("{ingest} --snapshot more-2.csv"));
    assert_eq!(code, 2);
    assert!(err.contains("5 of the source's 20 entries are not in the snapshot"), "{err}");
    assert_eq!(run(&folder, &format!("{ingest} --snapshot --accept-shrink more-2.csv")).0, 0);
    let (code, _, err) = run(&folder, &format!("{build} 2"));
    assert_eq!(code, 2);
    assert!(err.contains("0 entries come and 5 go of 20 in the last release: 25.0 %"), "{err}");
    assert!(std::fs::read(folder.join("out/x.presend")).expect("kept") == first);
    let (code, out, err) = run(&folder, &format!("{build} 2 --accept-change --json"));
    assert_eq!(code, 0, "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        report["change"],
        serde_json::json!({"version": 1, "last": 20, "added": 0, "removed": 5})
    );
    assert_eq!(report["selection"]["left_out"]["withdrawn"], 5);
    assert_eq!(report["manifest"]["entries"]["pdq"], 15);
}

#[test]
fn explain_tells_scripts_too() {
    let folder = feeds("explain");
    let ingest = "ingest --store s.redb --source";
    assert_eq!(run(&folder, &format!("{ingest} hotline --format csv rows-1.csv")).0, 1);
    let csv = std::fs::read_to_string(folder.join("rows-1.csv")).expect("rows");
    let pdq = csv.lines().nth(1).and_then(|line| line.split(',').nth(3)).expect("a hash");
    let explain = |hash: &str| {
        let asked = format!("explain {hash} --store s.redb --rules rules.toml --json");
        let (code, out, err) = run(&folder, &asked);
        (code, serde_json::from_str::<serde_json::Value>(&out).unwrap_or_default(), err)
    };
    let (code, why, _) = explain(pdq);
    assert_eq!(code, 1);
    assert_eq!(why["judgements"][0]["reason"], "too-few-sources");
    assert_eq!(why["judgements"][0]["claims"][0]["organisation"], "Example Hotline");
    let (code, why, _) = explain(&"0".repeat(64));
    assert_eq!((code, &why["judgements"]), (1, &serde_json::json!([])));
    let (code, _, err) = explain("0g");
    assert_eq!(code, 2, "{err}");
    assert!(!err.contains("0g"), "{err}");
}

/// A thousand rows a file, so that kills fall everywhere.
#[test]
fn a_kill_leaves_the_old_state_or_the_new() {
    let folder = folder("kill");
    let mut files = Vec::new();
    for file in 0..8u32 {
        let rows: String = (0..1000u32)
            .map(|row| {
                format!(
                    "r{row},md5,{:032x},2026-05-0{}T00:00:00Z\n",
                    u128::from(row) << 32 | u128::from(file),
                    file + 1
                )
            })
            .collect();
        let name = format!("{file}.csv");
        std::fs::write(folder.join(&name), format!("id,algorithm,hex,updated\n{rows}"))
            .expect("written");
        files.push(name);
    }
    let ingest = format!("ingest --store s.redb --source a --format csv {}", files.join(" "));
    let (mut killed, mut seen) = (0, std::collections::BTreeSet::new());
    for round in 0..24 {
        if round % 8 == 0 {
            let _ = std::fs::remove_file(folder.join("s.redb"));
        }
        let mut child = command(&folder, &ingest)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(3 + 9 * (round % 8)));
        killed += u32::from(child.kill().is_ok() && !child.wait().expect("it ends").success());
        if !folder.join("s.redb").exists() {
            continue;
        }
        // Every entry is of one and the same file: the last that was taken whole.
        let store = presend::publish::Store::open(&folder.join("s.redb")).expect("it opens");
        let mut of = std::collections::BTreeMap::new();
        store
            .each_hash(|_, claims| {
                let day = claims[0].record.updated.expect("a time") / 86_400_000;
                *of.entry(day).or_insert(0) += 1;
            })
            .expect("it can be read");
        assert!(of.is_empty() || of.len() == 1 && of.values().all(|rows| *rows == 1000), "{of:?}");
        seen.extend(of.into_keys());
    }
    assert!(killed > 0, "no kill fell into the work");
    let (code, _, err) = run(&folder, &ingest);
    assert_eq!(code, 0, "{err}");
    let store = presend::publish::Store::open(&folder.join("s.redb")).expect("it opens");
    assert_eq!(store.len(), Ok(1000));
    println!("{killed} kills; after them the store held the state of {} files", seen.len());
}
