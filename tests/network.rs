//! `veche model import`, `info` and `run`: MiVOLO's checkpoints against the outputs of its authors' code, malicious and damaged files.

use crate::support::{Dir, data, ran, skipped};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The Python of the environment that tests/run makes, with onnx, onnxruntime, openvino, numpy and safetensors.
fn python() -> Option<PathBuf> {
    let python = env::var_os("VECHE_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skipped("VECHE_TEST_PYTHON names no Python with onnxruntime (tests/run makes one)");
    }
    python
}

/// Runs a Python text in a folder and returns what it printed.
fn say(python: &Path, dir: &Dir, text: &str, args: &[&str]) -> String {
    let output = Command::new(python)
        .args(["-c", text])
        .args(args)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = ran(output);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    said.out
}

/// A command for which the Python with ONNX Runtime comes first, so that veche finds the library by itself.
fn with_library(dir: &Dir, python: &Path, args: &[&str]) -> Command {
    let mut command = dir.command(args);
    let first = python.parent().unwrap().display().to_string();
    let path = env::var("PATH").unwrap();
    command.env("PATH", format!("{first}:{path}"));
    command.env_remove("ORT_DYLIB_PATH");
    command
}

/// The largest difference of a `veche model run --out X.npy` from the reference: raw outputs, and years.
fn differences(name: &str, rows: &[Vec<f64>], reference: &Value, layouts: &Value) -> (f64, f64) {
    let meta = &layouts[name]["meta"];
    let number = |key: &str| meta[key].as_f64().unwrap();
    let (range, mean) = (number("max_age") - number("min_age"), number("avg_age"));
    let expected = reference[name]["output"].as_array().unwrap();
    assert_eq!(rows.len(), expected.len());
    let (mut raw, mut years) = (0f64, 0f64);
    for (i, row) in rows.iter().enumerate() {
        let want: Vec<f64> = expected[i]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect();
        assert_eq!(row.len(), want.len(), "{name}: columns");
        let last = row.len() - 1;
        for c in 0..last {
            raw = raw.max((row[c] - want[c]).abs());
        }
        raw = raw.max(((row[last] - mean) / range - want[last]).abs());
        years = years.max((row[last] - reference[name]["age_years"][i].as_f64().unwrap()).abs());
    }
    (raw, years)
}

/// Rows of a float32 .npy of two dimensions.
fn rows(path: &Path) -> Vec<Vec<f64>> {
    let array = veche::model::npy::read(path).unwrap();
    let width = array.shape[1];
    let rows = array.values.chunks(width);
    rows.map(|r| r.iter().map(|&v| f64::from(v)).collect())
        .collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

const MAKE: &str = r"
import sys, json, importlib.util as u, numpy as np
s = u.spec_from_file_location('make', sys.argv[1]); m = u.module_from_spec(s); s.loader.exec_module(m)
layouts = json.loads((m.HERE / 'layouts.json').read_text()); expected = json.loads((m.HERE / 'expected.json').read_text())
for name in layouts:
    np.save(name + '.npy', m.inputs(layouts[name], expected[name]['batch']))
";

const VALID: &str = r"
import sys, json, numpy as np, onnx, openvino as ov
expected = json.load(open(sys.argv[1])); core = ov.Core()
for name in expected:
    model = onnx.load(name + '.onnx')
    onnx.checker.check_model(model, full_check=True)
    assert not any(n.op_type == 'Col2Im' or n.domain for n in model.graph.node)
    net = core.compile_model(name + '.onnx', 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    out = net(np.load(name + '.npy'))
    worst = np.abs(out['age'] - expected[name]['age_years']).max()
    assert worst < 5e-3, (name, worst)
    print(name, worst)
";

#[test]
fn every_layout_gives_the_outputs_of_its_authors_code_on_every_backend() {
    let (Some(maker), Some(python)) = (data("network/make_checkpoint.py"), python()) else {
        return;
    };
    let folder = maker.parent().unwrap();
    let (layouts, expected) = (
        json(&folder.join("layouts.json")),
        json(&folder.join("expected.json")),
    );
    let dir = Dir::new();
    say(&python, &dir, MAKE, &[maker.to_str().unwrap()]);
    let names: Vec<&String> = layouts.as_object().unwrap().keys().collect();
    assert!(names.len() >= 7);
    for name in names {
        let home = format!("{name}/model.safetensors");
        dir.write(&format!("{name}/empty"), "");
        let made = Command::new(&python)
            .arg(&maker)
            .args([name.as_str(), &home])
            .current_dir(dir.path())
            .output();
        assert_eq!(ran(made.unwrap()).code, 0);
        let model = format!("{name}.onnx");
        let said = dir.json(&["model", "import", &home, "--out", &model, "--json"]);
        assert_eq!(said["format"], "safetensors");
        if !name.starts_with("tiny") {
            assert_eq!(said["variant"].as_str(), Some(name.as_str()));
        }
        for (backend, file) in [("onnxruntime", "o.npy"), ("tract", "t.npy")] {
            let input = format!("{name}.npy");
            let args = [
                "model",
                "run",
                &model,
                &input,
                "--out",
                file,
                "--backend",
                backend,
            ];
            let run = ran(with_library(&dir, &python, &args).output().unwrap());
            assert_eq!(run.code, 0, "{}", run.err);
            let (raw, years) = differences(name, &rows(&dir.join(file)), &expected, &layouts);
            assert!(
                raw < 1e-4 && years < 1e-3,
                "{name} on {backend}: {raw}, {years} years"
            );
        }
    }
    let reference = folder.join("expected.json");
    say(&python, &dir, VALID, &[reference.to_str().unwrap()]);
}

#[test]
fn checkpoints_of_both_formats_of_torch_are_read() {
    let Some(folder) = data("network") else {
        return;
    };
    let dir = Dir::new();
    for (file, format) in [
        ("tiny_96_face.pth.tar", "torch.save (zip)"),
        ("tiny_96_face_legacy.pth", "torch.save (before PyTorch 1.6)"),
    ] {
        let path = folder.join(file);
        let said = dir.json(&[
            "model",
            "import",
            path.to_str().unwrap(),
            "--out",
            "m.onnx",
            "--json",
        ]);
        assert_eq!(said["format"], format);
        assert_eq!(said["ages"].to_string(), "[1.0,95.0,48.0]");
        assert_eq!(said["weights_from"], "state_dict");
        fs::rename(dir.join("m.onnx"), dir.join(&format!("{file}.onnx"))).unwrap();
    }
    // The same weights, so the same numbers; only the name and hash of the source differ.
    let sizes = ["tiny_96_face.pth.tar.onnx", "tiny_96_face_legacy.pth.onnx"]
        .map(|f| fs::read(dir.join(f)).unwrap());
    assert!(sizes[0].len().abs_diff(sizes[1].len()) < 64);
    // So small a network consists of small tensors mostly, which stay f32.
    for (flag, at_most) in [("--fp16", 0.8), ("--int8", 0.7)] {
        let path = folder.join("tiny_96_face.pth.tar");
        dir.ok(&[
            "model",
            "import",
            path.to_str().unwrap(),
            "--out",
            "small.onnx",
            flag,
        ]);
        let share =
            fs::metadata(dir.join("small.onnx")).unwrap().len() as f64 / sizes[0].len() as f64;
        assert!(share < at_most, "{flag}: {share}");
    }
    let Some(python) = python() else {
        return;
    };
    let (layouts, expected) = (
        json(&folder.join("layouts.json")),
        json(&folder.join("expected.json")),
    );
    say(
        &python,
        &dir,
        MAKE,
        &[folder.join("make_checkpoint.py").to_str().unwrap()],
    );
    // Weights of 16 bits carry three digits, those of 8 bits two; ages here range over a few times the 94 years of training.
    for (model, most_years) in [("tiny_96_face_legacy.pth.onnx", 1e-3), ("small.onnx", 8.0)] {
        for backend in ["tract", "onnxruntime"] {
            let args = [
                "model",
                "run",
                model,
                "tiny_96_face.npy",
                "--out",
                "o.npy",
                "--backend",
                backend,
            ];
            let run = ran(with_library(&dir, &python, &args).output().unwrap());
            assert_eq!(run.code, 0, "{}", run.err);
            let (_, years) = differences(
                "tiny_96_face",
                &rows(&dir.join("o.npy")),
                &expected,
                &layouts,
            );
            assert!(years < most_years, "{model} on {backend}: {years} years");
        }
    }
}

/// A zip archive with one stored entry, as torch.save writes it.
fn zipped(pickle: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("archive/data.pkl", stored).unwrap();
    zip.write_all(pickle).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_checkpoint_that_would_run_a_program_is_refused_and_nothing_is_written() {
    let dir = Dir::new();
    let owned = dir.join("owned");
    let pickle = format!("cos\nsystem\n(S'touch {}'\ntR.", owned.display());
    dir.write("evil.pth", zipped(pickle.as_bytes()));
    let before = dir.snapshot();
    let words = [
        "nothing of it was run",
        "evil.pth",
        "os.system",
        "save the weights alone",
    ];
    dir.fails(&["model", "import", "evil.pth", "--out", "m.onnx"], &words);
    assert_eq!(dir.snapshot(), before);
}

#[test]
fn bad_checkpoints_and_models_are_named_with_what_to_do() {
    let dir = Dir::new();
    dir.write("text.pth", "hello");
    dir.write("empty.pth", "");
    dir.write("weights.pth", zipped(b"}."));
    dir.write("text.npy", "hello");
    dir.write("text.toml", "hello");
    let import = |file: &str, words: &[&str]| {
        dir.fails(&["model", "import", file, "--out", "m.onnx"], words);
    };
    import("text.pth", &["no checkpoint", "text.pth", "torch.save"]);
    import("empty.pth", &["no checkpoint"]);
    import("weights.pth", &["holds no weights", "state_dict"]);
    import("absent.pth", &["absent.pth", "check the path"]);
    import(".", &["is a folder"]);
    let words = ["is no ONNX model", "text.pth", "veche model import"];
    dir.fails(&["model", "info", "text.pth"], &words);
    let Some(folder) = data("network") else {
        return;
    };
    let tiny = folder.join("tiny_96_face.pth.tar");
    let whole = fs::read(&tiny).unwrap();
    dir.write("cut.pth", &whole[..whole.len() / 2]);
    import("cut.pth", &["damaged", "fetch it again"]);
    let tiny = tiny.to_str().unwrap();
    let wrong = |ages: &str, words: &[&str]| {
        dir.fails(
            &["model", "import", tiny, "--out", "m.onnx", "--ages", ages],
            words,
        );
    };
    wrong("1,2", &["three numbers"]);
    wrong("95,1,48", &["below the oldest"]);
    assert!(!dir.join("m.onnx").exists());
    dir.ok(&["model", "import", tiny, "--out", "m.onnx"]);
    assert!(dir.join("m.onnx.provenance.json").exists());
    dir.fails(
        &["model", "run", "m.onnx", "text.npy", "--out", "o.npy"],
        &["no .npy file", "text.npy"],
    );
    dir.fails(
        &["model", "info", "m.onnx", "--description", "text.toml"],
        &["cannot be read", "text.toml"],
    );
    dir.fails(
        &[
            "model",
            "info",
            "m.onnx",
            "--backend",
            "tract",
            "--provider",
            "cuda",
        ],
        &["processor only"],
    );
    let mut command = dir.command(&["model", "info", "m.onnx"]);
    command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
    let refused = ran(command.output().unwrap());
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(
        refused.err.contains("/nowhere/libonnxruntime.so"),
        "{}",
        refused.err
    );
}

#[test]
fn without_onnx_runtime_one_line_says_how_to_be_faster() {
    let Some(folder) = data("network") else {
        return;
    };
    let dir = Dir::new();
    let tiny = folder.join("tiny_96_face.pth.tar");
    dir.ok(&["model", "import", tiny.to_str().unwrap(), "--out", "m.onnx"]);
    let mut command = dir.command(&["model", "info", "m.onnx", "--json"]);
    // No Python on the path, so no library of its.
    command
        .env("PATH", "")
        .env_remove("ORT_DYLIB_PATH")
        .env_remove("LD_LIBRARY_PATH");
    let said = ran(command.output().unwrap());
    assert_eq!(said.code, 0, "{}", said.err);
    let facts: Value = serde_json::from_str(&said.out).unwrap();
    if facts["backend"].as_str().unwrap().starts_with("tract") {
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        assert!(said.err.contains("pip install onnxruntime"), "{}", said.err);
    }
    assert_eq!(facts["size"], 96);
    assert_eq!(facts["channels"], 3);
    assert_eq!(
        (&facts["face"], &facts["body"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(facts["outputs"].to_string(), r#"["gender_logits","age"]"#);
}
