//! Files and folders that are either the old ones or the new ones, never half-written, even if the program is killed.
//!
//! New content is built beside its place under a name that says so (`.labels.csv.k3Vq0w.veche-tmp`), brought to the disk
//! and put in place by one rename. The builder holds a lock (flock) on what it builds; what a killed run left behind has
//! no lock and is removed by the next run on the same name. A folder of a running process is never touched.

use crate::{Problem, Result, problem};
use rustix::{
    fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

const TMP: &str = ".veche-tmp";
/// Where the old folder waits for a moment on file systems that cannot exchange two names.
const OLD: &str = ".veche-old";

/// So that a closure that writes may also fail with a [`Problem`]: it comes out unchanged.
impl From<Box<Problem>> for io::Error {
    fn from(problem: Box<Problem>) -> Self {
        Self::other(problem)
    }
}

/// Writes a file through `write`: afterwards `path` holds the new content, or, after any error, what it held before.
///
/// The content goes to a temporary file in the same folder, is brought to the disk and renamed into place. Missing parent
/// folders are made. A link is followed; devices and pipes (`/dev/stdout`) are written directly. Errors of `write`
/// that are [`Problem`]s come out as they are; others name the file.
pub fn write_atomically<T>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T> {
    let path = path.as_ref();
    let fail = |error: io::Error| match error.downcast::<Box<Problem>>() {
        Ok(problem) => problem,
        Err(error) => Problem::io("write the file", path, &error),
    };
    let old = fs::metadata(path).ok();
    if let Some(old) = &old {
        let kind = old.file_type();
        if kind.is_dir() {
            return problem("is a folder, not a file")
                .file(path)
                .hint("name a file to write, for example with .csv at the end")
                .fail();
        }
        if kind.is_char_device() || kind.is_fifo() || kind.is_socket() || kind.is_block_device() {
            return direct(path, write).map_err(fail);
        }
    }
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (parent, name) = place(&target)?;
    make_parent(&parent)?;
    clean(&parent, name, &target);
    let mode = old.map_or(0o666, |m| m.permissions().mode() & 0o777);
    let run = || -> io::Result<T> {
        let (file, _lock) = locked(|| {
            let temporary = tempfile::Builder::new()
                .prefix(&prefix(name))
                .suffix(TMP)
                .permissions(fs::Permissions::from_mode(mode))
                .tempfile_in(&parent)?;
            let lock = File::open(temporary.path())?;
            Ok((temporary, lock))
        })?;
        let (file, temporary) = file.into_parts();
        let mut writer = BufWriter::with_capacity(1 << 16, file);
        let value = write(&mut writer)?;
        let file = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        temporary.persist(&target).map_err(|e| e.error)?;
        sync_folder(&parent);
        Ok(value)
    };
    run().map_err(fail)
}

/// Brings a new folder to the disk. A few files are synced one by one, which costs little where they already were; for a
/// million pictures one call for the whole file system is quicker, although it waits for what others wrote too.
fn sync_tree(dir: &Path, lock: &File) -> io::Result<()> {
    const FEW: usize = 2000;
    let mut files = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
        files.push(folder);
        if files.len() > FEW {
            #[cfg(target_os = "linux")]
            return Ok(rustix::fs::syncfs(lock)?);
            #[cfg(not(target_os = "linux"))]
            break;
        }
    }
    files
        .iter()
        .try_for_each(|path| File::open(path)?.sync_all())?;
    lock.sync_all()
}

fn direct<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let mut writer = BufWriter::new(File::options().write(true).open(path)?);
    let value = write(&mut writer)?;
    writer.flush()?;
    Ok(value)
}

/// Replaces a folder by the one that `build` fills: afterwards `dir` is the new folder, or, after any error and even if
/// the program is killed at any moment, the old one as it was.
///
/// `build` gets an empty folder beside `dir`. An existing `dir` is replaced only if it is empty or has a file named
/// `marker`, as everything this program writes has: a slip in a path must not delete somebody's photographs.
/// The two folders change places in one step (renameat2 with RENAME_EXCHANGE); the old one is removed afterwards.
pub fn replace_dir_atomically<T>(
    dir: impl AsRef<Path>,
    marker: &str,
    build: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let dir = dir.as_ref();
    let target = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let (parent, name) = place(&target)?;
    make_parent(&parent)?;
    clean(&parent, name, &target);
    check_replaceable(&target, marker)?;
    let fail = |error: &io::Error| Problem::io("make the folder", dir, error);
    let (temporary, lock) = locked(|| {
        let temporary = tempfile::Builder::new()
            .prefix(&prefix(name))
            .suffix(TMP)
            .permissions(fs::Permissions::from_mode(0o777))
            .tempdir_in(&parent)?;
        let lock = File::open(temporary.path())?;
        Ok((temporary, lock))
    })
    .map_err(|e| fail(&e))?;
    let value = build(temporary.path()).map_err(|mut problem| {
        // People know the folder by its name, and the temporary one is gone by the time they look.
        let named = problem
            .file
            .as_deref()
            .and_then(|f| Path::new(f).strip_prefix(temporary.path()).ok());
        problem.file = named
            .map(|rest| dir.join(rest).display().to_string())
            .or(problem.file);
        problem
    })?;
    sync_tree(temporary.path(), &lock).map_err(|e| fail(&e))?;
    check_replaceable(&target, marker)?;
    swap(temporary.path(), &target).map_err(|e| fail(&e))?;
    sync_folder(&parent);
    // What is left under the temporary name is the old folder. If it cannot be removed now, the next run does it.
    let left = temporary.keep();
    let _ = fs::remove_dir_all(left);
    Ok(value)
}

/// Puts `new` at `target`; if `target` exists, it comes to stand at `new`.
fn swap(new: &Path, target: &Path) -> io::Result<()> {
    loop {
        match renameat_with(CWD, new, CWD, target, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {}
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return swap_in_two_steps(new, target);
            }
            Err(error) => return Err(error.into()),
        }
        match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(()),
            Err(Errno::NOENT) => {} // somebody removed the old folder meanwhile: plain rename again
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return swap_in_two_steps(new, target);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// For file systems without RENAME_EXCHANGE. A run killed between the two renames leaves the old folder under a name
/// from which the next run restores it (see [`clean`]).
fn swap_in_two_steps(new: &Path, target: &Path) -> io::Result<()> {
    if !target.exists() {
        return fs::rename(new, target);
    }
    let old = PathBuf::from(new.to_string_lossy().replace(TMP, OLD));
    fs::rename(target, &old)?;
    if let Err(error) = fs::rename(new, target) {
        fs::rename(&old, target)?;
        return Err(error);
    }
    fs::rename(&old, new)
}

fn check_replaceable(target: &Path, marker: &str) -> Result<()> {
    let Ok(kind) = fs::metadata(target) else {
        return Ok(());
    };
    if !kind.is_dir() {
        return problem("is a file, not a folder")
            .file(target)
            .hint("name a folder to write to, or remove the file")
            .fail();
    }
    let mut entries =
        fs::read_dir(target).map_err(|e| Problem::io("look into the folder", target, &e))?;
    if entries.next().is_none() || target.join(marker).exists() {
        return Ok(());
    }
    problem(format!(
        "the folder is not empty and has no {marker}, so it was not made by this command and is not replaced"
    ))
    .file(target)
    .hint("name an empty or new folder")
    .fail()
}

/// Parent folder and last part of a path.
fn place(path: &Path) -> Result<(PathBuf, &OsStr)> {
    let Some(name) = path.file_name() else {
        return problem("is not the path of a file or folder")
            .file(path)
            .hint("end the path with a name")
            .fail();
    };
    let parent = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((parent, name))
}

fn make_parent(parent: &Path) -> Result<()> {
    fs::create_dir_all(parent).map_err(|e| Problem::io("make the folder", parent, &e))
}

/// `.NAME.`, which every temporary neighbour of NAME begins with.
fn prefix(name: &OsStr) -> String {
    format!(".{}.", name.to_string_lossy())
}

/// Makes something temporary and takes the lock on it. A cleaner in another process may be quicker in the moment between
/// the two; then the thing is gone or locked, and another one is made.
fn locked<T: AsRef<Path>>(make: impl Fn() -> io::Result<(T, File)>) -> io::Result<(T, File)> {
    let mut last = None;
    for _ in 0..100 {
        let (thing, lock) = match make() {
            Ok(made) => made,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                last = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => continue,
            // Some network file systems know no locks; then nothing is cleaned there either.
            Err(_) => return Ok((thing, lock)),
        }
        let same = fs::metadata(thing.as_ref())
            .and_then(|there| lock.metadata().map(|here| there.ino() == here.ino()));
        if same.unwrap_or(false) {
            return Ok((thing, lock));
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("cannot lock a temporary file")))
}

/// Removes what killed runs left beside `target`, and restores a folder that was killed between two renames.
/// Errors are ignored: this is housekeeping.
fn clean(parent: &Path, name: &OsStr, target: &Path) {
    let start = prefix(name);
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let Some(entry_name) = file_name.to_str() else {
            continue;
        };
        // Exactly `.NAME.` + six random letters + ending: `.a.b.XXXXXX.veche-tmp` belongs to `a.b`, not to `a`.
        let middle = entry_name.strip_prefix(&start).and_then(|rest| {
            rest.strip_suffix(TMP)
                .map(|m| (m, true))
                .or_else(|| rest.strip_suffix(OLD).map(|m| (m, false)))
        });
        let Some((random, is_tmp)) = middle else {
            continue;
        };
        let is_link = entry.file_type().is_ok_and(|t| t.is_symlink());
        if random.contains('.') || is_link {
            continue;
        }
        let path = entry.path();
        let Ok(file) = File::open(&path) else {
            continue;
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        if !is_tmp && !target.exists() {
            let _ = fs::rename(&path, target);
        } else if path.is_dir() {
            let _ = fs::remove_dir_all(&path);
        } else {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Brings a rename to the disk. Not every file system can; the rename itself has happened.
fn sync_folder(folder: &Path) {
    if let Ok(file) = File::open(folder) {
        let _ = file.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        process::{Command, Stdio},
        time::Duration,
    };

    fn names(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_file_is_written_with_its_parents_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out/labels.csv");
        let n = write_atomically(&path, |w| w.write(b"new")).unwrap();
        assert_eq!((n, fs::read_to_string(&path).unwrap()), (3, "new".into()));
        assert_eq!(names(path.parent().unwrap()), ["labels.csv"]);
    }

    #[test]
    fn an_error_or_a_panic_while_writing_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        fs::write(&path, "old").unwrap();
        let full = write_atomically(&path, |w| {
            w.write_all(&[0; 200_000])?;
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(full.unwrap_err().hint.unwrap().contains("disk is full"));
        let own = write_atomically(&path, |_| -> io::Result<()> {
            Err(Box::new(problem("no votes").row(7)).into())
        });
        assert_eq!(*own.unwrap_err(), problem("no votes").row(7));
        let panicked = std::panic::catch_unwind(|| {
            let _ = write_atomically(&path, |_| -> io::Result<()> { panic!("on purpose") });
        });
        assert!(panicked.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(dir.path()), ["labels.csv"]);
    }

    #[test]
    fn a_full_device_and_a_place_that_cannot_be_written_are_said_so() {
        let full = write_atomically("/dev/full", |w| w.write_all(b"x")).unwrap_err();
        assert!(full.hint.unwrap().contains("disk is full"), "{}", full.what);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let inside = dir.path().join("file/labels.csv");
        assert!(write_atomically(inside, |_| Ok(())).is_err());
        let folder = write_atomically(dir.path(), |_| Ok(())).unwrap_err();
        assert_eq!(folder.what, "is a folder, not a file");
        assert!(write_atomically("/", |_| Ok(())).is_err());
    }

    #[test]
    fn a_link_stays_a_link_and_permissions_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a.csv"), dir.path().join("link.csv"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_atomically(&link, |w| w.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    }

    fn fill(text: &str) -> impl Fn(&Path) -> Result<()> {
        move |tmp: &Path| {
            for name in ["marker", "a", "b", "c"] {
                fs::write(tmp.join(name), text).unwrap();
            }
            Ok(())
        }
    }

    #[test]
    fn a_folder_is_made_then_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let pool = dir.path().join("pool");
        replace_dir_atomically(&pool, "marker", fill("1")).unwrap();
        fs::write(pool.join("extra"), "").unwrap();
        replace_dir_atomically(&pool, "marker", fill("2")).unwrap();
        assert_eq!(names(&pool), ["a", "b", "c", "marker"]);
        assert_eq!(fs::read_to_string(pool.join("a")).unwrap(), "2");
        assert_eq!(names(dir.path()), ["pool"]);
        let failed = replace_dir_atomically(&pool, "marker", |tmp| -> Result<()> {
            fs::write(tmp.join("a"), "3").unwrap();
            problem("no items").fail()
        });
        assert_eq!(failed.unwrap_err().what, "no items");
        assert_eq!(fs::read_to_string(pool.join("a")).unwrap(), "2");
        assert_eq!(names(dir.path()), ["pool"]);
    }

    #[test]
    fn a_folder_that_is_not_ours_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("holiday.jpg"), "").unwrap();
        let p = replace_dir_atomically(dir.path(), "marker", fill("1")).unwrap_err();
        assert!(p.what.contains("is not replaced"), "{p}");
        let file = dir.path().join("holiday.jpg");
        assert!(replace_dir_atomically(file, "marker", fill("1")).is_err());
        assert_eq!(names(dir.path()), ["holiday.jpg"]);
    }

    #[test]
    fn the_two_step_swap_leaves_the_new_folder_in_place_and_the_old_one_aside() {
        let dir = tempfile::tempdir().unwrap();
        let (new, target) = (dir.path().join(".p.abcdef.veche-tmp"), dir.path().join("p"));
        fs::create_dir(&new).unwrap();
        fs::create_dir(&target).unwrap();
        fs::write(new.join("new"), "").unwrap();
        swap_in_two_steps(&new, &target).unwrap();
        assert_eq!(
            (names(&target), names(&new)),
            (vec!["new".to_owned()], vec![])
        );
    }

    #[test]
    fn leftovers_of_killed_runs_go_but_those_of_running_ones_and_of_other_names_stay() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("x"), "").unwrap();
            path
        };
        make(".p.killed.veche-tmp");
        make(".p.q.killed.veche-tmp");
        make(".other.killed.veche-tmp");
        let running = File::open(make(".p.runs00.veche-tmp")).unwrap();
        flock(&running, FlockOperation::LockExclusive).unwrap();
        make(".p.killed.veche-old");
        clean(dir.path(), OsStr::new("p"), &dir.path().join("p"));
        assert_eq!(
            names(dir.path()),
            [
                ".other.killed.veche-tmp",
                ".p.q.killed.veche-tmp",
                ".p.runs00.veche-tmp",
                "p"
            ],
            "the old folder is restored"
        );
    }

    /// Not a test of its own: the process that the next test kills.
    #[test]
    fn child_to_be_killed() {
        let Some(dir) = std::env::var_os("VECHE_ATOMIC_CHILD") else {
            return;
        };
        let dir = PathBuf::from(dir);
        for round in 0..1_000_000 {
            let text = round.to_string();
            replace_dir_atomically(dir.join("pool"), "marker", fill(&text)).unwrap();
            write_atomically(dir.join("file"), |w| {
                (0..1000).try_for_each(|_| writeln!(w, "{text}"))
            })
            .unwrap();
        }
    }

    #[test]
    fn a_process_killed_at_any_moment_leaves_whole_folders_and_files() {
        let dir = tempfile::tempdir().unwrap();
        replace_dir_atomically(dir.path().join("pool"), "marker", fill("old")).unwrap();
        write_atomically(dir.path().join("file"), |w| {
            (0..1000).try_for_each(|_| writeln!(w, "old"))
        })
        .unwrap();
        for kill in 0..12u64 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "files::atomic::tests::child_to_be_killed"])
                .env("VECHE_ATOMIC_CHILD", dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_micros(15_000 + kill * 7_333));
            child.kill().unwrap();
            child.wait().unwrap();
            let pool = dir.path().join("pool");
            assert_eq!(names(&pool), ["a", "b", "c", "marker"]);
            let first = fs::read_to_string(pool.join("a")).unwrap();
            for name in ["b", "c", "marker"] {
                assert_eq!(fs::read_to_string(pool.join(name)).unwrap(), first);
            }
            let text = fs::read_to_string(dir.path().join("file")).unwrap();
            let line = text.lines().next().unwrap();
            assert!(text.lines().count() == 1000 && text.lines().all(|l| l == line));
        }
        replace_dir_atomically(dir.path().join("pool"), "marker", fill("end")).unwrap();
        write_atomically(dir.path().join("file"), |w| w.write_all(b"end")).unwrap();
        assert_eq!(
            names(dir.path()),
            ["file", "pool"],
            "killed runs are cleaned up"
        );
    }
}
