//! Finds ONNX Runtime's library on this machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// A library and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The file.
    pub path: PathBuf,
    /// Whether ORT_DYLIB_PATH named it.
    pub named: bool,
}

/// The first of: `ORT_DYLIB_PATH` (whatever it names); the Python package `onnxruntime` of the `python3` on the path; beside this program; the
/// system's folders and those of `LD_LIBRARY_PATH`. Looked for once per process.
pub fn find() -> Option<&'static Library> {
    static FOUND: OnceLock<Option<Library>> = OnceLock::new();
    FOUND.get_or_init(search).as_ref()
}

fn search() -> Option<Library> {
    if let Some(named) = env::var_os("ORT_DYLIB_PATH").filter(|p| !p.is_empty()) {
        return Some(Library {
            path: named.into(),
            named: true,
        });
    }
    let mut folders = Vec::new();
    folders.extend(python());
    folders.extend(
        env::current_exe()
            .ok()
            .and_then(|p| p.parent().map(Path::to_owned)),
    );
    if let Some(paths) = env::var_os("LD_LIBRARY_PATH") {
        folders.extend(env::split_paths(&paths).filter(|p| p.is_absolute()));
    }
    for folder in [
        "/usr/local/lib",
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/lib",
    ] {
        folders.push(folder.into());
    }
    let path = folders.iter().find_map(|folder| within(folder))?;
    Some(Library { path, named: false })
}

/// Where Python has the package: the finder is asked, the package itself is not run.
fn python() -> Option<PathBuf> {
    let ask = "import importlib.util as u\ns = u.find_spec('onnxruntime')\nprint(list(s.submodule_search_locations)[0] if s else '')";
    let said = Command::new("python3")
        .args(["-I", "-c", ask])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let folder = String::from_utf8(said.stdout).ok()?;
    let folder = folder.trim();
    (!folder.is_empty()).then(|| Path::new(folder).join("capi"))
}

/// The library in a folder, the plainest name first.
fn within(folder: &Path) -> Option<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .filter(|p| {
            p.file_name().and_then(|n| n.to_str()).is_some_and(|n| {
                n.starts_with("libonnxruntime.so")
                    || n == "onnxruntime.dll"
                    || (n.starts_with("libonnxruntime.") && n.ends_with(".dylib"))
            })
        })
        .collect();
    names.sort();
    names.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_known_by_its_name_and_its_neighbours_are_not_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(within(dir.path()), None);
        for name in [
            "libonnxruntime_providers_shared.so",
            "libonnxruntime.so.1.27.0",
            "x.so",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(
            within(dir.path()),
            Some(dir.path().join("libonnxruntime.so.1.27.0"))
        );
        assert_eq!(within(&dir.path().join("nothing")), None);
    }
}
