//! `veche pool build`: items and controls in, a pool directory out, all or nothing.

use super::{
    PoolSummary, RangeCount, SkippedReason, StoredPool, StoredSuites, disk,
    parts::{self, Parts},
    pictures::Rendered,
    stage::{Stage, is_text},
};
use crate::{
    Problem, Result,
    config::{Crop, Mixing, Project},
    files::{
        Skipped, VoteOptions,
        items::{Items, read_controls, read_items},
        read_votes, replace_dir_atomically,
    },
    model::predict::people::Shard,
    problem,
    provenance::{Input, Provenance, write_json},
    tasks::vote_files,
};
use indicatif::ProgressBar;
use std::{collections::BTreeSet, fs, path::PathBuf};
use veche_pools::{
    Content, Item, Role, TaskName,
    controls::{Deck, Strata},
    generation::{Naming, rounds},
    random,
    secrecy::{Leak, leak},
};

/// The file that says "this folder is a pool", so that only pools are ever replaced.
pub const MARKER: &str = "summary.json";

/// How to build.
pub struct Options<'a> {
    /// Render pictures; without, the pool holds tables only.
    pub pictures: bool,
    /// Leave bad rows out and count them.
    pub skip_bad_rows: bool,
    /// Build even if tasks that have votes are then no longer in the pool.
    pub orphan_votes: bool,
    /// Take over the pictures that were rendered in parts.
    pub merge: bool,
    /// A progress bar for so many pictures of a kind.
    pub progress: &'a dyn Fn(u64, &'static str) -> ProgressBar,
}

/// What a build reads.
struct Inputs {
    items: Items,
    controls: Items,
    strata: Strata,
    skipped: Skipped,
}

fn inputs(project: &Project, options: &Options<'_>) -> Result<Inputs> {
    let mut skipped = Skipped::if_asked(options.skip_bad_rows);
    let items = read_items(&project.campaign.items, &project.questions, &mut skipped)?;
    let controls = match &project.campaign.controls {
        Some(entry) => read_controls(entry, &project.questions, &mut skipped)?,
        None if project.mix.control == 0 => Items::default(),
        None => {
            return problem("there is no [controls] section, and suites need controls")
                .file(project.dir.join(crate::config::FILE))
                .hint("add one, or set control = 0 under [suite] and do without scores and bans")
                .fail();
        }
    };
    let strata = {
        let entry = project.campaign.controls.as_ref();
        let width = |name: &str| entry.and_then(|c| c.range.get(name)).copied();
        let widths: Vec<Option<f64>> = project.questions.iter().map(|q| width(&q.name)).collect();
        Strata::new(&project.questions, &controls.truths, &widths)?
    };
    Ok(Inputs {
        items,
        controls,
        strata,
        skipped,
    })
}

/// Where a pool comes from, before its pictures are known.
fn origin(project: &Project) -> Result<Provenance> {
    let mut origin = Provenance::new("veche pool build", Some(project.campaign.seed));
    origin = origin.with_file(&project.dir.join(crate::config::FILE))?;
    let tables = project.campaign.controls.iter().map(|c| &c.source);
    for source in tables
        .chain([&project.campaign.items.source])
        .filter(|p| p.is_file())
    {
        origin = origin.with_file(source)?;
    }
    Ok(origin)
}

/// Renders one part of the pool's pictures into a folder of its own; returns the folder, how many were rendered and how many could
/// not be.
pub fn build_part(
    project: &Project,
    options: &Options<'_>,
    shard: Shard,
) -> Result<(PathBuf, usize, usize)> {
    let read = inputs(project, options)?;
    if is_text(&read.items) || !options.pictures {
        return problem("a pool without pictures has no parts")
            .file(&project.dir)
            .hint("only the rendering of pictures is shared out: build this pool in one piece")
            .fail();
    }
    let folder = parts::part_folder(project, shard);
    let counts = replace_dir_atomically(&folder, parts::MARKER, |dir| {
        let shown = dir.join(disk::SHOWN);
        fs::create_dir(&shown).map_err(|e| Problem::io("make the folder", &shown, &e))?;
        let stage = Stage {
            project,
            options,
            dir,
            crop: crop(project, &read.items, &read.controls)?,
            skipped: Skipped::strict(),
            parts: Parts::default(),
        };
        let rendered = stage.render_part(shard, &read.items, &read.controls, &read.strata)?;
        parts::write(dir, shard, origin(project)?, &rendered)?;
        let done = rendered.iter().filter(|(_, r)| r.is_some()).count();
        Ok((done, rendered.len() - done))
    })?;
    Ok((folder, counts.0, counts.1))
}

/// Builds the pool of a campaign and puts it in place of the old one in one step.
pub fn build(project: &Project, options: &Options<'_>) -> Result<PoolSummary> {
    let Inputs {
        items,
        controls,
        strata,
        skipped,
    } = inputs(project, options)?;
    let voted = voted_tasks(project)?;
    replace_dir_atomically(project.pool_dir(), MARKER, |dir| {
        let crop = crop(project, &items, &controls)?;
        let parts = if options.merge {
            Parts::read(project, &origin(project)?)?
        } else {
            Parts::default()
        };
        let mut stage = Stage {
            project,
            options,
            dir,
            crop,
            skipped,
            parts,
        };
        if options.pictures {
            let shown = dir.join(disk::SHOWN);
            fs::create_dir(&shown).map_err(|e| Problem::io("make the folder", &shown, &e))?;
        }
        let (controls, of_controls, control_pictures) =
            stage.choose_controls(&controls, &strata)?;
        let (items, item_pictures) = stage.show_items(items)?;
        let (items, item_pictures, left_out) =
            stage.leave_out_copies(items, item_pictures, &controls, &control_pictures)?;
        let naming = Naming::new(project.campaign.seed, ids_of(&items), ids_of(&controls))?;
        keep_voted(&voted, &naming, options.orphan_votes)?;
        let hashes = [
            pictures_hash("pictures of items", &items, &item_pictures),
            pictures_hash("pictures of controls", &controls, &control_pictures),
        ];
        let counts = (items.items.len(), controls.items.len());
        assemble(options.pictures, items, controls, &naming).write(dir, &project.questions)?;
        let suites = static_suites(project, counts.0, &of_controls, &naming)?;
        if let Some(suites) = &suites {
            disk::write_suites(dir, suites)?;
        }
        let overlap = project.campaign.suite.overlap;
        let summary = PoolSummary {
            campaign: project.campaign.name.clone(),
            items: counts.0,
            controls: counts.1,
            controls_available: strata.of.len(),
            mix: project.mix,
            overlap,
            suites_per_round: suites.as_ref().map_or(0, |s| s.len() / overlap as usize),
            rounds: suites.as_ref().map_or(0, |_| overlap),
            ranges: ranges(&strata, &of_controls),
            duplicates: left_out,
            skipped: reasons(&stage.skipped),
            pictures: options.pictures,
            leaks: visible_differences(&item_pictures, &control_pictures),
        };
        write_json(&dir.join(MARKER), &summary)?;
        let mut origin = origin(project)?;
        origin.inputs.extend(hashes.into_iter().flatten());
        origin.write(&dir.join("provenance.json"))?;
        Ok(summary)
    })
}

/// Names of the tasks that have votes.
fn voted_tasks(project: &Project) -> Result<Vec<TaskName>> {
    let mut names = BTreeSet::new();
    for file in vote_files(&project.votes_dir())? {
        let options = VoteOptions {
            questions: project.questions.clone(),
            ..VoteOptions::default()
        };
        let read = read_votes(&file, &options)?;
        names.extend(
            read.votes
                .items()
                .iter()
                .filter_map(|name| name.parse::<TaskName>().ok()),
        );
    }
    Ok(names.into_iter().collect())
}

/// Votes are never lost by accident: a pool without the tasks they are about could not make anything of them.
fn keep_voted(voted: &[TaskName], naming: &Naming, orphan_votes: bool) -> Result<()> {
    let gone = voted
        .iter()
        .filter(|name| naming.names.binary_search(name).is_err())
        .count();
    if gone == 0 || orphan_votes {
        return Ok(());
    }
    problem(format!("{gone} of the {} tasks that have votes would no longer be in the pool", voted.len()))
        .hint(
            "an item or control was removed, or other controls were chosen (raise `count`); put them back, or build with \
             --orphan-votes and read the votes with --skip-bad-rows",
        )
        .fail()
}

/// Which box pictures are cropped to. A crop that only some pictures can have would tell the roles apart.
fn crop(project: &Project, items: &Items, controls: &Items) -> Result<Crop> {
    let without =
        |has: fn(&Item) -> bool| items.items.iter().chain(&controls.items).find(|i| !has(i));
    let (face, person) = (
        without(|i| i.face.is_some()),
        without(|i| i.person.is_some()),
    );
    let (what, missing) = match project.campaign.pictures.crop {
        Crop::None => return Ok(Crop::None),
        Crop::Auto => {
            return Ok(if face.is_none() {
                Crop::Face
            } else {
                Crop::None
            });
        }
        Crop::Face => ("face", face),
        Crop::Person => ("person", person),
    };
    match missing {
        None => Ok(project.campaign.pictures.crop),
        Some(item) => problem(format!(
            "pictures are cropped to the {what}, and one has no {what} box"
        ))
        .value(&item.id)
        .hint("give every item and every control a box, or set crop = \"none\" under [pictures]")
        .fail(),
    }
}

fn ids_of(items: &Items) -> impl Iterator<Item = &str> + Clone {
    items.items.iter().map(|i| i.id.as_str())
}

/// Both roles in the order of their names. Takes the items apart instead of copying them: there may be millions.
fn assemble(pictures: bool, items: Items, controls: Items, naming: &Naming) -> StoredPool {
    let n = naming.names.len();
    let mut pool = StoredPool {
        names: naming.names.to_vec(),
        pictures: vec![None; n],
        texts: vec![None; n],
        roles: vec![Role::Real; n],
        items: vec![String::new(); n],
        sources: vec![None; n],
        simulated_truths: if items.truths.is_empty() {
            Vec::new()
        } else {
            vec![Vec::new(); n]
        },
    };
    let mut put = |task: u32, item: Item| {
        let at = task as usize;
        match item.content {
            Content::File(source) | Content::Url(source) => {
                pool.sources[at] = Some(source);
                if pictures {
                    pool.pictures[at] = Some(format!("{}/{}.jpg", disk::SHOWN, pool.names[at]));
                }
            }
            Content::Text(text) => pool.texts[at] = Some(text),
        }
        pool.items[at] = item.id;
    };
    for (item, &task) in items.items.into_iter().zip(&naming.task_of_item) {
        put(task, item);
    }
    for (control, &task) in controls.items.into_iter().zip(&naming.task_of_control) {
        put(task, control);
    }
    for (truths, &task) in items.truths.into_iter().zip(&naming.task_of_item) {
        pool.simulated_truths[task as usize] = truths;
    }
    for (truths, &task) in controls.truths.into_iter().zip(&naming.task_of_control) {
        pool.roles[task as usize] = Role::Control(truths);
    }
    pool
}

fn static_suites(
    project: &Project,
    n_items: usize,
    of_controls: &[u32],
    naming: &Naming,
) -> Result<Option<StoredSuites>> {
    let suite = &project.campaign.suite;
    if project.mix.control > of_controls.len() {
        let (needed, available) = (project.mix.control, of_controls.len());
        Err(veche_pools::Error::TooFewControls { needed, available })?;
    }
    if suite.mixing == Mixing::PerAnnotator {
        return Ok(None);
    }
    let mut dice = random::stream(project.campaign.seed, "static suites");
    let deck = Deck::new(of_controls, &mut dice);
    let made = rounds(
        n_items,
        &deck,
        project.mix,
        suite.overlap as usize,
        &mut dice,
    )?;
    Ok(Some(StoredSuites::from_rounds(&made, naming)))
}

fn ranges(strata: &Strata, used: &[u32]) -> Vec<RangeCount> {
    let mut ranges: Vec<RangeCount> = strata
        .labels
        .iter()
        .zip(&strata.sizes)
        .map(|(range, &available)| RangeCount {
            range: range.clone(),
            available,
            used: 0,
        })
        .collect();
    for &s in used {
        ranges[s as usize].used += 1;
    }
    ranges
}

fn reasons(skipped: &Skipped) -> Vec<SkippedReason> {
    let example = |p: &Problem| p.to_string().replace("\n  ", "; ");
    skipped
        .reasons()
        .iter()
        .map(|r| SkippedReason {
            reason: r.what.clone(),
            rows: r.rows,
            examples: r.examples.iter().map(example).collect(),
        })
        .collect()
}

/// A number that can be seen of a picture.
type Feature = fn(&Rendered) -> f64;

/// What an annotator sees of each picture beside its content, compared between the roles.
fn visible_differences(items: &[Rendered], controls: &[Rendered]) -> Vec<Leak> {
    let features: [(&str, Feature); 3] = [
        ("shape (width over height)", |r| r.aspect),
        ("size of the picture file", |r| r.shown_bytes),
        ("sharpness (how far the picture was enlarged)", |r| {
            r.enlargement
        }),
    ];
    let values =
        |of: &[Rendered], f: fn(&Rendered) -> f64| -> Vec<f64> { of.iter().map(f).collect() };
    features
        .iter()
        .filter_map(|(name, f)| leak(name, &values(controls, *f), &values(items, *f)))
        .collect()
}

/// One hash over names and contents of all pictures used.
fn pictures_hash(what: &str, items: &Items, pictures: &[Rendered]) -> Option<Input> {
    let mut hasher = blake3::Hasher::new();
    for (item, picture) in items.items.iter().zip(pictures) {
        hasher.update(item.id.as_bytes());
        hasher.update(picture.hash.hex().as_bytes());
    }
    let blake3 = hasher.finalize().to_hex().to_string();
    (!pictures.is_empty()).then(|| Input {
        path: format!("{what} ({})", pictures.len()),
        blake3,
    })
}
