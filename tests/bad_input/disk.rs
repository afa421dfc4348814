//! Places that cannot be written to: no rights, a file in the way, a full disk.

use super::refused;
use crate::support::{Dir, ran, skipped};
use std::{
    fmt::Write,
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
};

const VOTES: &str = "annotator,item,answer,truth\na,x,30,31\nb,x,35,31\na,y,50,48\nb,y,40,48\n";

/// Votes on 4,000 items whose labels take some 40 kB even when compressed.
fn many_votes() -> String {
    let mut state = 1_u64;
    let mut votes = VOTES.to_owned();
    for _ in 0..4000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        writeln!(votes, "a,{state:016x},{},", state >> 50).unwrap();
    }
    votes
}

/// Runs `veche COMMAND` with a file system of this size mounted on `DISK`, in a mount namespace of its own that goes away
/// with it, after `prepare`. Returns what was said, with `code N` and whether the disk holds the `same files` as before;
/// `None` where mounting is not allowed.
pub(super) fn on_a_small_disk(
    dir: &Dir,
    size: &str,
    prepare: &str,
    command: &str,
) -> Option<String> {
    let disk = dir.join("disk");
    fs::create_dir_all(&disk).unwrap();
    let (program, disk) = (env!("CARGO_BIN_EXE_veche"), disk.display());
    let script = format!(
        "mount -t tmpfs -o size={size} tmpfs {disk} || exit 77\n\
         list() {{ (cd {disk} && find . | LC_ALL=C sort && find . -type f -exec cksum {{}} + | LC_ALL=C sort); }}\n\
         {} || exit 78\n\
         before=$(list)\n\
         {program} {}; echo code $?\n\
         [ \"$(list)\" = \"$before\" ] && echo same files || {{ echo other files; list; }}",
        prepare.replace("DISK", &disk.to_string()),
        command.replace("DISK", &disk.to_string()),
    );
    for flags in ["-m", "-rm"] {
        let ran = Command::new("unshare")
            .args([flags, "sh", "-c", &script])
            .current_dir(dir.path())
            .output();
        let Ok(output) = ran else { continue };
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if out.contains("code ") {
            return Some(format!("{out}{err}"));
        }
        assert_ne!(
            output.status.code(),
            Some(78),
            "the disk could not be prepared: {err}"
        );
    }
    None
}

#[test]
fn a_file_where_a_folder_should_be_is_named() {
    let dir = Dir::new();
    dir.write("votes.csv", VOTES);
    dir.write("file", "precious");
    for out in ["file/labels.csv", "file/deeper/labels.parquet"] {
        refused(
            &dir,
            &["aggregate", "votes.csv", "--method", "mean", "--out", out],
            &["file", "folder"],
        );
    }
    refused(
        &dir,
        &["score", "votes.csv", "--out", "file/scores.csv"],
        &["file"],
    );
    refused(
        &dir,
        &["methods", "votes.csv", "--csv", "file/methods.csv"],
        &["file"],
    );
    refused(
        &dir,
        &["methods", "votes.csv", "--picture", "file/methods.svg"],
        &["file"],
    );
    refused(
        &dir,
        &["report", "votes.csv", "--out", "file/report.html"],
        &["file"],
    );
    refused(
        &dir,
        &[
            "ban",
            "votes.csv",
            "--ban-mae",
            "1",
            "--out",
            "file/bans.csv",
        ],
        &["file"],
    );
    refused(&dir, &["man", "file/man"], &["file/man"]);
    refused(&dir, &["init", "file/campaign"], &["file/campaign"]);
    refused(&dir, &["demo", "--out", "file/demo"], &["file"]);
    fs::create_dir(dir.join("labels.csv")).unwrap();
    refused(
        &dir,
        &[
            "aggregate",
            "votes.csv",
            "--method",
            "mean",
            "--out",
            "labels.csv",
        ],
        &["is a folder, not a file"],
    );
}

#[test]
fn a_file_in_place_of_the_pool_or_the_votes_is_left_alone() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.write("c/pool", "precious");
    refused(
        &dir,
        &["pool", "build", "c"],
        &["c/pool", "is a file, not a folder"],
    );
    fs::remove_file(dir.join("c/pool")).unwrap();
    dir.write("c/pool/photo.jpg", "precious");
    refused(
        &dir,
        &["pool", "build", "c"],
        &["c/pool", "was not made by this command"],
    );
    fs::remove_dir_all(dir.join("c/pool")).unwrap();
    dir.ok(&["pool", "build", "c"]);
    dir.write("c/votes", "precious");
    refused(&dir, &["simulate", "c", "--annotators", "5"], &["c/votes"]);
}

#[test]
fn a_folder_of_the_kernel_takes_no_labels() {
    let dir = Dir::new();
    dir.write("votes.csv", VOTES);
    refused(
        &dir,
        &[
            "aggregate",
            "votes.csv",
            "--method",
            "mean",
            "--out",
            "/proc/labels.csv",
        ],
        &["/proc/labels.csv"],
    );
    refused(
        &dir,
        &[
            "aggregate",
            "votes.csv",
            "--method",
            "mean",
            "--out",
            "/proc/no/labels.csv",
        ],
        &["/proc/no"],
    );
}

/// Root may write everywhere, so the program runs as nobody where the tests run as root.
#[test]
fn a_folder_that_may_not_be_written_to_is_named_with_what_to_do() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.write("votes.csv", VOTES);
    dir.ok(&["pool", "build", "c"]);
    fs::create_dir(dir.join("closed")).unwrap();
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let program = dir.join("program/veche");
    fs::create_dir(dir.join("program")).unwrap();
    // Beside the test's files, because nobody may not enter every folder that the program is built in.
    if fs::hard_link(env!("CARGO_BIN_EXE_veche"), &program).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_veche"), &program).unwrap();
    }
    let mode = |path: &str, mode| {
        fs::set_permissions(dir.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    for folder in ["", "c", "c/pool", "closed"] {
        mode(folder, 0o555);
    }
    let before = dir.snapshot();
    let refusals: [(&[&str], &str); 5] = [
        (&["pool", "build", "c"], "c/pool"),
        (&["simulate", "c", "--annotators", "20"], "votes"),
        (
            &[
                "aggregate",
                "votes.csv",
                "--method",
                "mean",
                "--out",
                "closed/labels.csv",
            ],
            "closed/labels.csv",
        ),
        (&["init", "closed/campaign"], "closed/campaign"),
        (
            &["report", "votes.csv", "--out", "closed/report.html"],
            "closed/report",
        ),
    ];
    for (args, file) in refusals {
        let mut command = Command::new(&program);
        command.args(args).current_dir(dir.path());
        if root {
            command.uid(65534).gid(65534);
        }
        let ran = ran(command.output().unwrap());
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (1, ""),
            "{args:?}: {}",
            ran.err
        );
        for word in [
            file,
            "Permission denied",
            "help: choose a folder you may write to",
        ] {
            assert!(
                ran.err.contains(word),
                "{args:?}: \"{word}\" is missing in {}",
                ran.err
            );
        }
    }
    assert_eq!(dir.snapshot(), before);
    // So that the folder can go away.
    for folder in ["", "c", "c/pool", "closed"] {
        mode(folder, 0o755);
    }
}

#[test]
fn a_full_device_is_an_error_whether_it_is_a_file_or_standard_output() {
    let dir = Dir::new();
    dir.write("votes.csv", VOTES);
    for args in [
        &["score", "votes.csv", "--out", "/dev/full"][..],
        &["methods", "votes.csv", "--csv", "/dev/full"],
        &["methods", "votes.csv", "--picture", "/dev/full"],
        &["ban", "votes.csv", "--ban-mae", "1", "--out", "/dev/full"],
    ] {
        refused(
            &dir,
            args,
            &["/dev/full", "No space left", "help: the disk is full"],
        );
    }
    for args in [
        &["score", "votes.csv", "--json"][..],
        &["methods", "votes.csv"],
        &["init", "--print"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let ran = ran(dir.command(args).stdout(full).output().unwrap());
        assert_eq!(ran.code, 1, "{args:?}: {}", ran.err);
        assert!(ran.err.contains("No space left"), "{args:?}: {}", ran.err);
    }
}

#[test]
fn labels_that_do_not_fit_on_the_disk_leave_the_old_ones() {
    let dir = Dir::new();
    dir.write("votes.csv", many_votes());
    for (out, old) in [
        ("DISK/labels.csv", "old labels"),
        ("DISK/labels.parquet", "old labels"),
    ] {
        let prepare = format!("echo {old} > {out}");
        let command = format!("aggregate votes.csv --method mean --out {out}");
        let Some(said) = on_a_small_disk(&dir, "32k", &prepare, &command) else {
            skipped("a small file system cannot be mounted here");
            return;
        };
        assert!(
            said.contains("code 1") && said.contains("same files"),
            "{said}"
        );
        assert!(
            said.contains("No space left") && said.contains("help: the disk is full"),
            "{said}"
        );
    }
}

#[test]
fn a_pool_that_does_not_fit_on_the_disk_leaves_the_old_one() {
    let dir = Dir::new();
    dir.campaign(40, 6);
    dir.ok(&["pool", "build", "c"]);
    dir.edit("c/campaign.toml", "longest_side = 32", "longest_side = 256");
    let Some(said) = on_a_small_disk(&dir, "600k", "cp -a c DISK/", "pool build DISK/c") else {
        skipped("a small file system cannot be mounted here");
        return;
    };
    assert!(
        said.contains("code 1") && said.contains("same files"),
        "{said}"
    );
    assert!(
        said.contains("No space left") && said.contains("help: the disk is full"),
        "{said}"
    );
}

/// Where nothing can be mounted a limit on the size of files fails in the middle of a write just as well.
#[test]
fn a_limit_on_the_size_of_files_leaves_the_old_labels() {
    let dir = Dir::new();
    dir.write("votes.csv", many_votes());
    for out in ["labels.csv", "labels.tsv", "labels.parquet"] {
        dir.write(out, "old labels");
        let before = dir.snapshot();
        let program = env!("CARGO_BIN_EXE_veche");
        let script = format!(
            "trap '' XFSZ; ulimit -f 16; exec {program} aggregate votes.csv --method mean --out {out}"
        );
        let ran = ran(Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir.path())
            .output()
            .unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
        assert!(
            ran.err.contains(out) && ran.err.contains("File too large"),
            "{}",
            ran.err
        );
        assert_eq!(dir.snapshot(), before, "{out}");
    }
}
