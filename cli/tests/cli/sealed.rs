//! What a scan does to the world outside: nothing.

use std::fs;
use std::process::{Command, Stdio};

use crate::{ended, folder, root};

const SCAN: [&str; 4] = [env!("CARGO_BIN_EXE_presend"), "scan", "--json", "tests/data/media"];

/// Calls that change nothing, the second halves of interrupted ones, and how
/// threads end.
const LOOKS: [&str; 11] = [
    "execve(",
    "access(",
    "faccessat",
    "stat",
    "lstat(",
    "newfstatat(",
    "readlink",
    "getcwd(",
    "<...",
    "+++",
    "???( <detached",
];

#[test]
fn a_scan_opens_no_socket_and_writes_no_file() {
    let calls = folder("calls").join("calls.txt");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=%network,%file,openat2,memfd_create,execveat"]);
    strace.arg("-o").arg(&calls).args(SCAN).current_dir(root()).stdin(Stdio::null());
    let output = strace.output();
    if !fs::metadata(&calls).is_ok_and(|calls| calls.len() > 0) {
        let is_due = std::env::var_os("PRESEND_STRACE").is_some();
        assert!(!is_due, "strace is not installed, or may not trace here");
        println!("no strace: nothing was counted");
        return;
    }
    let output = output.expect("it has written the calls");
    assert_eq!(ended(output).0, 1, "the folder holds the test picture");
    let text = fs::read_to_string(&calls).expect("text");
    let mut read = 0;
    for line in text.lines() {
        // The process id stands in front.
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        if call.starts_with("openat") {
            assert!(call.contains("O_RDONLY"), "{line}");
            read += usize::from(call.contains("tests/data/media/"));
        } else {
            let only_looks = LOOKS.iter().any(|name| call.starts_with(name));
            assert!(only_looks, "{line}");
        }
    }
    assert!(read >= 7, "{read} files were seen to be opened");
}

#[test]
fn a_scan_needs_no_file_system_to_write_to() {
    let sealed = |what: &str| {
        let script = format!("mount -o remount,bind,ro / && {what}");
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--mount", "--net", "sh", "-c", &script, "sh"]);
        unshare.args(SCAN).current_dir(root()).stdin(Stdio::null()).output()
    };
    // That the seal holds is tried first.
    let touched = folder("sealed").join("touched");
    let touch = format!("! touch '{}' && echo sealed", touched.display());
    match sealed(&touch) {
        Ok(output) if output.stdout.starts_with(b"sealed") => {}
        _ => {
            println!("no namespaces here: not tried on a read-only file system");
            return;
        }
    }
    let (code, out, err) = ended(sealed("exec \"$@\"").expect("it starts"));
    assert_eq!((code, out.lines().count()), (1, 8), "{err}");
}
