//! The wheel: packed from the program that is tested, installed into a fresh environment, called from Python.

use crate::support::{Dir, skipped};
use std::{env, fs, path::Path, process::Command};

/// Runs a command that must succeed and returns its stdout.
fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed:\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
fn a_wheel_of_this_program_is_installed_by_pip_and_called_from_python() {
    let Some(python) = env::var_os("VECHE_TEST_FORMATS_PYTHON") else {
        return skipped(
            "VECHE_TEST_FORMATS_PYTHON names no Python with tests/formats-requirements.txt",
        );
    };
    let dir = Dir::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python");
    let pip = |python: &Path, args: &[&str]| {
        let mut command = Command::new(python);
        command
            .args(["-m", "pip", "--quiet", "--disable-pip-version-check"])
            .args(args);
        command.env("VECHE_BINARY", env!("CARGO_BIN_EXE_veche"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("PIP_NO_INDEX", "1").current_dir(dir.path());
        ok(&mut command)
    };
    let source = source.to_str().unwrap();
    pip(
        Path::new(&python),
        &["wheel", "--no-deps", "--wheel-dir", "wheels", source],
    );
    let wheels: Vec<_> = fs::read_dir(dir.join("wheels"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    let [wheel] = wheels.as_slice() else {
        panic!("{wheels:?}")
    };
    let name = wheel.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with(concat!(
            "veche-",
            env!("CARGO_PKG_VERSION"),
            "-py3-none-manylinux_2_"
        )),
        "{name}"
    );

    ok(Command::new(&python)
        .args(["-m", "venv", "fresh"])
        .current_dir(dir.path()));
    let fresh = dir.join("fresh/bin/python");
    pip(&fresh, &["install", wheel.to_str().unwrap()]);
    let run = |args: &[&str]| ok(Command::new(&fresh).args(args).current_dir(dir.path()));
    let version = concat!("veche ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(
        ok(Command::new(dir.join("fresh/bin/veche")).arg("--version")),
        version
    );
    assert_eq!(run(&["-m", "veche", "--version"]), version);
    // A failure is an exception with the program's own words.
    let failing = "import veche\ntry:\n    veche.run('score', 'no.csv')\nexcept veche.Error as e:\n    print(e)\n";
    assert!(run(&["-c", failing]).contains("no.csv"));

    // The example, with pandas and pyarrow from the environment of the other tools.
    let paths = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let libraries = ok(Command::new(&python).args(["-c", paths]));
    let example = Path::new(source).join("example.py");
    assert_eq!(fs::read_to_string(&example).unwrap().lines().count(), 10);
    let said = ok(Command::new(&fresh)
        .arg(&example)
        .env("PYTHONPATH", libraries.trim())
        .current_dir(dir.path()));
    let cells: Vec<Vec<&str>> = said
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    // Means of 31, 36 and of 8, 11, 7, by hand.
    assert_eq!(
        (cells[2][0], cells[2][1].parse::<f64>().unwrap()),
        ("a.jpg", 33.5),
        "{said}"
    );
    let second = cells[3][1].parse::<f64>().unwrap();
    assert!((second - 26.0 / 3.0).abs() < 1e-5, "{said}");
}
