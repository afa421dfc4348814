//! Help, completions, man pages, and the campaign.toml that `init` writes.

use crate::support::{Dir, skipped};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Every command and subcommand, from the help itself.
fn commands(dir: &Dir, path: &[&str]) -> Vec<Vec<String>> {
    let mut all = vec![path.iter().map(|p| (*p).to_owned()).collect()];
    let help = dir.ok(&[path, &["--help"]].concat());
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let names = listed
        .lines()
        .take_while(|l| !l.is_empty() || l.starts_with("  "));
    for name in names.filter(|l| l.starts_with("  ") && !l.starts_with("   ")) {
        let name = name.split_whitespace().next().unwrap().to_owned();
        if name != "help" {
            all.extend(commands(dir, &[path, &[name.as_str()]].concat()));
        }
    }
    all
}

#[test]
fn every_help_text_has_an_example_and_exits_with_zero() {
    let dir = Dir::new();
    let all = commands(&dir, &[]);
    let names: Vec<String> = all.iter().map(|c| c.join(" ")).collect();
    for expected in [
        "demo",
        "init",
        "pool build",
        "pool export",
        "votes import",
        "votes export",
        "simulate",
        "score",
        "ban",
        "aggregate",
        "methods",
        "report",
        "bench pool",
        "completions",
        "man",
    ] {
        assert!(
            names.iter().any(|n| n == expected),
            "{expected} is not in the help: {names:?}"
        );
    }
    let groups: Vec<&String> = names
        .iter()
        .filter(|n| {
            names
                .iter()
                .any(|other| other.starts_with(&format!("{n} ")))
        })
        .collect();
    for path in all.iter().filter(|p| !p.is_empty()) {
        let args: Vec<&str> = path.iter().map(String::as_str).collect();
        let help = dir.ok(&[&args[..], &["--help"]].concat());
        assert!(help.contains("Usage: veche"), "{path:?}");
        if !groups.contains(&&path.join(" ")) {
            assert!(
                help.contains(&format!("veche {}", path.join(" "))) && help.contains("Example"),
                "{path:?} has no example"
            );
        }
        assert!(
            dir.ok(&[&args[..], &["-h"]].concat()).contains("Usage"),
            "{path:?}"
        );
    }
    assert!(dir.ok(&["--version"]).starts_with("veche "));
}

#[test]
fn completions_are_scripts_that_their_shells_accept() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = dir.ok(&["completions", shell]);
        assert!(
            script.contains("votes") && script.contains("veche"),
            "{shell}"
        );
    }
    let script = dir.ok(&["completions", "bash"]);
    match Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn() {
        Ok(mut bash) => {
            bash.stdin
                .take()
                .unwrap()
                .write_all(script.as_bytes())
                .unwrap();
            assert!(
                bash.wait().unwrap().success(),
                "bash cannot read its completions"
            );
        }
        Err(error) => skipped(&format!("bash: {error}")),
    }
}

#[test]
fn every_command_has_a_man_page() {
    let dir = Dir::new();
    dir.ok(&["man", "pages/man1"]);
    for path in commands(&dir, &[]) {
        let name = [&["veche".to_owned()][..], &path].concat().join("-");
        let page = dir.read(&format!("pages/man1/{name}.1"));
        assert!(page.contains(".TH ") && page.contains(".SH NAME"), "{name}");
    }
    assert!(
        dir.read("pages/man1/veche-pool-build.1")
            .contains("skip\\-bad\\-rows")
    );
}

#[test]
fn init_writes_what_the_program_reads() {
    let dir = Dir::new();
    dir.ok(&["init", "c", "--name", "Ages \"here\"", "--seed", "77"]);
    let text = dir.read("c/campaign.toml");
    let table: toml::Table = text.parse().unwrap();
    assert_eq!(table["name"].as_str(), Some("Ages \"here\""));
    assert_eq!(table["seed"].as_integer(), Some(77));
    for section in [
        "question",
        "items",
        "controls",
        "suite",
        "pictures",
        "ban",
        "votes",
        "aggregate",
    ] {
        assert!(table.contains_key(section), "{section}");
    }
    let project = veche::config::Project::open(&dir.join("c")).unwrap();
    assert_eq!(project.questions.len(), 2);
    assert_eq!((project.mix.real, project.mix.control), (6, 1));
    let printed = dir.ok(&["init", "--print", "--name", "Ages \"here\"", "--seed", "77"]);
    assert_eq!(printed, text);
    // Without --seed it is drawn, and drawn anew each time.
    let seed = |text: String| {
        text.parse::<toml::Table>().unwrap()["seed"]
            .as_integer()
            .unwrap()
    };
    assert_ne!(
        seed(dir.ok(&["init", "--print"])),
        seed(dir.ok(&["init", "--print"]))
    );
}
