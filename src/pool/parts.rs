//! Pictures rendered in parts, by several processes or machines that see the same campaign: part i of n is rendered by
//! `veche pool build --shard i/n`, and `--merge` builds the pool from the parts, with the bytes of a build in one piece.
//!
//! Only the rendering is shared out, which is all the time of a large build. What depends on everything (which controls, which copies,
//! which suites) is decided in the merge, from what the parts have kept of each picture; what they lack is rendered then.

use super::pictures::Rendered;
use crate::{
    Problem, Result,
    config::Project,
    files::write_atomically,
    model::predict::people::Shard,
    pictures::{ContentHash, Fingerprint},
    problem,
    provenance::{Provenance, write_json},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs,
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
};
use veche_pools::TaskName;

/// The file that says "this folder is a part".
pub(super) const MARKER: &str = "part.json";
const PICTURES: &str = "pictures.jsonl";

/// Where a campaign's parts are.
pub(super) fn folder(project: &Project) -> PathBuf {
    project.dir.join("pool-parts")
}

/// The folder of one part.
pub(super) fn part_folder(project: &Project, shard: Shard) -> PathBuf {
    folder(project).join(format!("{}-of-{}", shard.i, shard.n))
}

/// What a part says of itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Part {
    /// Which part, from 1.
    part: usize,
    /// Of how many.
    parts: usize,
    /// Pictures rendered.
    pictures: usize,
    /// Pictures that could not be: the merge tries them again and says why.
    failed: usize,
    /// Version and inputs: parts of different campaigns do not fit together.
    origin: Provenance,
}

/// What is kept of one picture. Numbers that are not whole stand there as their bits, so that they come back as they were.
#[derive(Serialize, Deserialize)]
struct Line {
    task: String,
    fingerprint: String,
    hash: String,
    part: (u32, u32, u32, u32),
    bits: [u64; 3],
}

/// Writes what a part found, and its description last.
pub(super) fn write(
    dir: &Path,
    shard: Shard,
    origin: Provenance,
    pictures: &[(TaskName, Option<Rendered>)],
) -> Result<()> {
    write_atomically(dir.join(PICTURES), |w| {
        for (task, rendered) in pictures {
            let Some(r) = rendered else { continue };
            let line = Line {
                task: task.to_string(),
                fingerprint: STANDARD.encode(r.fingerprint.to_bytes()),
                hash: r.hash.hex(),
                part: r.part,
                bits: [r.shown_bytes, r.aspect, r.enlargement].map(f64::to_bits),
            };
            serde_json::to_writer(&mut *w, &line).map_err(io::Error::from)?;
            w.write_all(b"\n")?;
        }
        Ok(())
    })?;
    let done = pictures.iter().filter(|(_, r)| r.is_some()).count();
    let part = Part {
        part: shard.i,
        parts: shard.n,
        pictures: done,
        failed: pictures.len() - done,
        origin,
    };
    write_json(&dir.join(MARKER), &part)
}

/// Pictures of all parts by their task's name.
#[derive(Debug, Default)]
pub(super) struct Parts(HashMap<TaskName, (Rendered, PathBuf)>);

impl Parts {
    /// Reads all parts of a campaign.
    ///
    /// Errors: no parts, some missing, parts of different numbers of parts, parts made from other tables or another campaign.toml.
    pub(super) fn read(project: &Project, origin: &Provenance) -> Result<Self> {
        let folder = folder(project);
        let again = "run `veche pool build --shard i/n` for every i from 1 to n, then --merge";
        let mut found: Vec<(PathBuf, Part)> = Vec::new();
        let entries = fs::read_dir(&folder).map_err(|_| {
            Box::new(
                problem("there are no parts to merge")
                    .file(&folder)
                    .hint(again),
            )
        })?;
        for entry in entries {
            let dir = entry
                .map_err(|e| Problem::io("read the folder", &folder, &e))?
                .path();
            let file = dir.join(MARKER);
            if !file.is_file() {
                continue;
            }
            let text = fs::read(&file).map_err(|e| Problem::io("read", &file, &e))?;
            let part: Part = serde_json::from_slice(&text).map_err(|e| {
                Box::new(
                    problem(format!("is not a part's description: {e}"))
                        .file(&file)
                        .hint(again),
                )
            })?;
            // Paths may differ: each machine may have mounted the campaign elsewhere.
            let fits = part.origin.version == origin.version
                && part.origin.seed == origin.seed
                && part
                    .origin
                    .inputs
                    .iter()
                    .map(|i| &i.blake3)
                    .eq(origin.inputs.iter().map(|i| &i.blake3));
            if !fits {
                return problem("this part was made from another campaign.toml, other tables or by another version")
                    .file(&file)
                    .hint("render the part again; all parts and the merge must see the same files")
                    .fail();
            }
            found.push((dir, part));
        }
        let parts = found.iter().map(|(_, p)| p.parts).max().unwrap_or(0);
        if let Some((dir, part)) = found.iter().find(|(_, p)| p.parts != parts) {
            return problem(format!(
                "is a part of {}, and others are parts of {parts}",
                part.parts
            ))
            .file(dir)
            .hint("delete the parts of one of the two divisions")
            .fail();
        }
        let missing: Vec<String> = (1..=parts)
            .filter(|i| !found.iter().any(|(_, p)| p.part == *i))
            .map(|i| i.to_string())
            .collect();
        if parts == 0 || !missing.is_empty() {
            return problem(if parts == 0 {
                "there are no parts to merge".to_owned()
            } else {
                format!("of {parts} parts these are missing: {}", missing.join(", "))
            })
            .file(&folder)
            .hint(again)
            .fail();
        }
        let mut all = HashMap::new();
        for (dir, _) in &found {
            read_pictures(dir, &mut all)?;
        }
        Ok(Self(all))
    }

    /// Puts a picture where the pool wants it and returns what is known of it; `None` if no part has it.
    pub(super) fn take(&self, task: TaskName, out: &Path) -> Result<Option<Rendered>> {
        let Some((rendered, from)) = self.0.get(&task) else {
            return Ok(None);
        };
        let copy = || -> io::Result<()> {
            // The same file under a second name costs nothing; across file systems it is copied.
            if fs::hard_link(from, out).is_err() {
                fs::copy(from, out)?;
                let file = fs::File::options().write(true).open(out)?;
                file.set_modified(std::time::SystemTime::UNIX_EPOCH)?;
            }
            Ok(())
        };
        copy().map_err(|e| Problem::io("take over the picture of a part", from, &e))?;
        Ok(Some(rendered.clone()))
    }
}

fn read_pictures(dir: &Path, all: &mut HashMap<TaskName, (Rendered, PathBuf)>) -> Result<()> {
    let path = dir.join(PICTURES);
    let fail = |e: io::Error| Problem::io("read", &path, &e);
    let file = fs::File::open(&path).map_err(fail)?;
    for (at, line) in io::BufReader::new(file).lines().enumerate() {
        let line = line.map_err(fail)?;
        let parsed = || -> Option<(TaskName, Rendered)> {
            let line: Line = serde_json::from_str(&line).ok()?;
            let [shown_bytes, aspect, enlargement] = line.bits.map(f64::from_bits);
            let rendered = Rendered {
                fingerprint: Fingerprint::from_bytes(&STANDARD.decode(&line.fingerprint).ok()?)?,
                hash: ContentHash::from_hex(&line.hash)?,
                part: line.part,
                shown_bytes,
                aspect,
                enlargement,
            };
            Some((line.task.parse().ok()?, rendered))
        };
        let Some((task, rendered)) = parsed() else {
            return problem("is damaged")
                .file(&path)
                .row(at as u64 + 1)
                .hint("render this part again")
                .fail();
        };
        let picture = dir.join(super::disk::SHOWN).join(format!("{task}.jpg"));
        all.insert(task, (rendered, picture));
    }
    Ok(())
}
