//! From feeds to what clients fetch, by the command, and what it promises of
//! failures.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Instant, SystemTime};

use presend::HashList;
use presend::update::{Answer, Folder, Store, Updater};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// A fresh folder of this test's own, with keys and a repository whose root is
/// staged and signed.
struct House(PathBuf);

impl House {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let fixtures = root().join("tests/data/feeds");
        for entry in std::fs::read_dir(fixtures).expect("fixtures") {
            let path = entry.expect("fixtures").path();
            let to = folder.join(path.file_name().expect("a name"));
            std::fs::copy(&path, to).expect("copied");
        }
        let house = Self(folder);
        let names = ["house-root", "house", "hotline-root", "hotline", "online"];
        let names = names.map(|name| format!("keys/{name}")).join(" ");
        house.done(&format!("keygen --unencrypted {names}"));
        house.done("root --repository lists --roles roles.toml");
        house.done("sign --repository lists --key keys/house-root.pem --key keys/hotline-root.pem");
        house
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_presend-publish"));
        command.args(args.split_whitespace()).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(args).output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code().expect("an exit code"), text(stdout), text(stderr))
    }

    fn done(&self, args: &str) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!(code, 0, "{args}\n{out}{err}");
        out
    }

    /// Stages a list of so many rows, and has it signed.
    fn stage(&self, version: u32, rows: u32) {
        let spread =
            |row: u32| u128::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let feed: String = (0..rows).map(|row| format!("md5,{:032x}\n", spread(row))).collect();
        std::fs::write(self.0.join("feed"), format!("algorithm,hex\n{feed}")).expect("written");
        let last = if version > 1 { "--last built/demo.presend" } else { "" };
        self.done(&format!("build --id demo --version {version} --feed feed --out built {last}"));
        self.done("release --repository lists --list built");
        self.done("sign --repository lists --key keys/house.pem --key keys/hotline.pem");
    }

    /// Where the released file of a target lies.
    fn last(&self, name: &str) -> String {
        let files = std::fs::read_dir(self.0.join("lists/targets")).expect("released");
        let names = files.map(|file| file.expect("readable").file_name());
        let mut names = names.map(|name| name.into_string().expect("UTF-8"));
        let found = names.find(|file| file.ends_with(&format!(".{name}"))).expect("released");
        format!("lists/targets/{found}")
    }

    /// What a client that has nothing yet gets.
    fn fetched(&self) -> u64 {
        let client = self.0.join("client");
        let _ = std::fs::remove_dir_all(&client);
        let store = Store::open(client).expect("a store");
        let first = std::fs::read(self.0.join("lists/metadata/1.root.json")).expect("a root");
        store.trust(&first).expect("a root");
        let folder = Folder::new(self.0.join("lists"));
        let answer = Updater::new(&store, &folder, "demo").update(SystemTime::now());
        assert_eq!(answer, Answer::Updated);
        let list = store.list().expect("readable").expect("a list");
        HashList::open(list).expect("a list").version()
    }
}

/// Kills fall on every part of the work, and some behind its end.
#[test]
fn a_finish_that_is_killed_leaves_the_old_release_or_the_new() {
    let house = House::new("killed");
    house.stage(1, 4000);
    let finish = "finish --repository lists --key keys/online.pem";
    let start = Instant::now();
    house.done(finish);
    let whole = start.elapsed();
    let (mut kills, mut old, mut new) = (0, 0, 0);
    let mut version = 1;
    for round in 0..48 {
        house.stage(version + 1, 4000 + version * 40);
        let mut child = house
            .command(finish)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(whole * (round % 24) / 16);
        let killed = child.kill().is_ok() && !child.wait().expect("it ends").success();
        kills += u32::from(killed);
        match house.fetched() - u64::from(version) {
            0 => old += 1,
            1 => new += 1,
            other => panic!("{other} versions further"),
        }
        let (code, _, err) = house.run(finish);
        assert!(code == 0 || err.contains("nothing is staged"), "{err}");
        version += 1;
        assert_eq!(house.fetched(), u64::from(version));
        house.done("check --repository lists");
    }
    assert!(kills > 0, "no kill fell into the work");
    println!("{kills} kills; after them clients got {old} times the old release, {new} the new");
}

#[test]
fn an_organisation_signs_what_its_own_inputs_make() {
    let house = House::new("rebuilt");
    for (source, format, file) in
        [("ncmec", "ncmec", "ncmec-1.xml"), ("hotline", "csv", "rows-1.csv")]
    {
        house.run(&format!("ingest --store a.redb --source {source} --format {format} {file}"));
        // The second organisation takes them in the other order.
        let (source, format, file) = match source {
            "ncmec" => ("hotline", "csv", "rows-1.csv"),
            _ => ("ncmec", "ncmec", "ncmec-1.xml"),
        };
        house.run(&format!("ingest --store b.redb --source {source} --format {format} {file}"));
    }
    let build = "build --id demo --store a.redb --rules rules.toml --out built --version";
    house.done(&format!("{build} 1 --first"));
    house.done("release --repository lists --list built");
    let check = "check --repository lists --rebuild --rules rules.toml --store";
    assert!(house.done(&format!("{check} b.redb")).contains("built again, the same bytes"));
    let manifest: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(house.0.join("built/manifest.json")).expect("built"),
    )
    .expect("JSON");
    let choice = &manifest["choice"];
    assert_eq!(choice["sources"], serde_json::json!({ "hotline": 1, "ncmec": 1 }));
    assert_eq!(choice["left_out"]["disputed"], 2);
    // As b3sum prints it.
    let rules = "6f37c1c60b69f64a49c8a3120de83e823928ca5ba33e68620caa453bd9c5c199";
    assert_eq!(choice["rules"], rules);

    let text = std::fs::read_to_string(house.0.join("rules.toml")).expect("rules");
    std::fs::write(house.0.join("other.toml"), text.replace("# Two", "# Other")).expect("written");
    let (code, out, _) =
        house.run("check --repository lists --rebuild --store b.redb --rules other.toml");
    assert_eq!(code, 1);
    assert!(out.contains("its manifest says something else"), "{out}");
    // Another entry passes in this store.
    let loose = text.replace("sources-needed = 2", "sources-needed = 1");
    std::fs::write(house.0.join("other.toml"), loose).expect("written");
    let (code, out, _) =
        house.run("check --repository lists --rebuild --store b.redb --rules other.toml --json");
    assert_eq!(code, 1);
    let found: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(found["rebuilt"]["same"], false);
    let fault = found["checked"]["faults"][0].as_str().expect("a fault");
    assert!(fault.contains("do not sign it: the rules are another file"), "{fault}");
    let (code, _, err) = house.run("check --repository lists --rebuild");
    assert_eq!(code, 2);
    assert!(err.contains("--store"), "{err}");
}

#[test]
fn a_change_beyond_the_gate_is_seen_by_who_signs() {
    let house = House::new("gate-signed");
    std::fs::write(
        house.0.join("one.toml"),
        "sources-needed = 1\n[[source]]\nname = \"a\"\norganisation = \"A\"\njurisdiction = \"NL\"\n",
    )
    .expect("written");
    let ingest = "ingest --store s.redb --source a --format csv --snapshot --accept-shrink";
    let build = "build --id demo --store s.redb --rules one.toml --out built --version";
    house.done(&format!("{ingest} more-1.csv"));
    house.done(&format!("{build} 1 --first"));
    house.done("release --repository lists --list built");
    house.done("sign --repository lists --key keys/house.pem --key keys/hotline.pem");
    house.done("finish --repository lists --key keys/online.pem");
    house.done(&format!("{ingest} more-2.csv"));
    // Whoever says that it is the first passes the gate of `build`, and no other.
    house.done(&format!("{build} 2 --first"));
    let (code, _, err) = house.run("release --repository lists --list built");
    assert_eq!(code, 2);
    assert!(err.contains("compares with no release, and version 1 is released"), "{err}");
    std::fs::remove_file(house.0.join("built/demo.presend")).expect("removed");
    let last = house.last("demo.presend");
    house.done(&format!("{build} 2 --last {last} --accept-change"));
    house.done("release --repository lists --list built");
    let check = "check --repository lists --rebuild --store s.redb --rules one.toml";
    let (code, out, _) = house.run(check);
    assert_eq!(code, 1);
    assert!(out.contains("since version 1: 0 of 20 added, 5 removed, 25.0 %\n"), "{out}");
    assert!(out.contains("25.0 %, and the rules let 10 % through"), "{out}");
    house.done(&format!("{check} --accept-change"));
}

#[test]
fn a_report_is_one_page_and_its_figures() {
    let house = House::new("report");
    for (version, rows) in [(1, 300), (2, 320), (3, 310)] {
        house.stage(version, rows);
        house.done("finish --repository lists --key keys/online.pem");
    }
    let out = house.done("report --repository lists --list demo --out reports --json");
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let kept = std::fs::read_to_string(house.0.join("reports/demo-3.json")).expect("written");
    assert_eq!(kept, out);
    let releases = json["releases"].as_array().expect("releases");
    let facts: Vec<_> = releases
        .iter()
        .map(|one| {
            let change = &one["manifest"]["change"];
            (
                &one["version"],
                &one["manifest"]["entries"]["md5"],
                &change["added"],
                &change["removed"],
            )
        })
        .map(|facts| format!("{facts:?}").replace("Number", "").replace(['(', ')'], ""))
        .collect();
    assert_eq!(facts, ["1, 300, Null, Null", "2, 320, 20, 0", "3, 310, 0, 10"]);
    assert_eq!(
        releases[2]["signing"]["signed"],
        serde_json::json!(["Example Clearing House", "Example Hotline"])
    );
    let page = std::fs::read_to_string(house.0.join("reports/demo-3.html")).expect("written");
    for text in [
        "List demo, version 3",
        "Signed by Example Clearing House, Example Hotline: 2 of the 2",
        "0 entries came and 10 went of 320",
        "prefers-color-scheme: dark",
        releases[2]["sha256"].as_str().expect("a digest"),
    ] {
        assert!(page.contains(text), "{text}");
    }
    // Nothing is fetched and nothing runs.
    for foreign in ["http", "<script", "<link", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_eq!(page.matches("<svg class=\"plot\"").count(), 2);
    let (code, _, err) =
        house.run("report --repository lists --list demo --version 9 --out reports");
    assert_eq!(code, 2);
    assert!(err.contains("no such version is released"), "{err}");
    house.done("report --repository lists --list demo --version 2 --out reports");
    assert!(house.0.join("reports/demo-2.html").exists());
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let house = House::new("keys");
    let (code, _, err) = house.run("keygen --unencrypted new keys/online");
    assert_eq!(code, 2);
    assert!(err.contains("keys/online.pem: is there already"), "{err}");
    assert!(!house.0.join("new.pem").exists(), "nothing is made then");
    // Nobody to ask, and no file.
    let (code, _, err) = house.run("keygen new");
    assert_eq!(code, 2);
    assert!(err.contains("--passphrase-file") && !house.0.join("new.pem").exists(), "{err}");
    let out = house.done("keygen new --passphrase-file passphrase --type ecdsa-p256 --json");
    let made: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&made[0]["encrypted"], &made[0]["type"]), (&true.into(), &"ecdsa-p256".into()));
    let pem = std::fs::read_to_string(house.0.join("new.pem")).expect("made");
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for name in ["new.pem", "keys/online.pem"] {
            let mode = std::fs::metadata(house.0.join(name)).expect("made").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    house.stage(1, 100);
    std::fs::write(house.0.join("wrong"), "a guess\n").expect("written");
    let sign = "sign --repository lists --key new.pem --passphrase-file";
    let (code, _, err) = house.run(&format!("{sign} wrong"));
    assert_eq!(code, 2);
    assert!(err.contains("new.pem: the passphrase does not open the key"), "{err}");
    assert!(!err.contains("guess"), "{err}");
    let (code, _, err) = house.run(&format!("{sign} passphrase"));
    assert_eq!(code, 2);
    assert!(err.contains("in no role that signs what is staged"), "{err}");
    let (code, _, err) = house.run("sign --repository lists --key keys/online.pub");
    assert_eq!(code, 2);
    assert!(err.contains("not a private key in PEM"), "{err}");
}
