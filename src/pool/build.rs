//! `veche pool build`: items and controls in, a pool directory out, all or nothing.

use super::{
    Duplicate, PoolSummary, RangeCount, SkippedReason, StoredPool, StoredSuites, disk,
    pictures::{Job, Rendered, render_all},
};
use crate::{
    Problem, Result,
    config::{Crop, Mixing, Project},
    files::{
        Skipped, VoteOptions,
        items::{Items, read_controls, read_items},
        read_votes, replace_dir_atomically,
    },
    pictures::{DecodeLimits, Fingerprint, RenderSpec, duplicates},
    problem,
    provenance::{Input, Provenance, write_json},
    study::vote_files,
};
use indicatif::ProgressBar;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use veche_pools::{
    Content, Item, PixelBox, Role, TaskName,
    controls::{Deck, Strata, choose_evenly},
    generation::{
        Naming,
        names::{CONTROL, ITEM},
        rounds, task_names,
    },
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
    /// A progress bar for so many pictures of a kind.
    pub progress: &'a dyn Fn(u64, &'static str) -> ProgressBar,
}

/// Builds the pool of a campaign and puts it in place of the old one in one step.
pub fn build(project: &Project, options: &Options<'_>) -> Result<PoolSummary> {
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
    let voted = voted_tasks(project)?;
    replace_dir_atomically(project.pool_dir(), MARKER, |dir| {
        let crop = crop(project, &items, &controls)?;
        let mut stage = Stage {
            project,
            options,
            dir,
            crop,
            skipped,
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
        let pool = assemble(options.pictures, &items, &controls, &naming);
        pool.write(dir, &project.questions)?;
        let suites = static_suites(project, items.items.len(), &of_controls, &naming)?;
        if let Some(suites) = &suites {
            disk::write_suites(dir, suites)?;
        }
        let overlap = project.campaign.suite.overlap;
        let summary = PoolSummary {
            campaign: project.campaign.name.clone(),
            items: items.items.len(),
            controls: controls.items.len(),
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
        let mut origin = Provenance::new("veche pool build", Some(project.campaign.seed));
        origin = origin.with_file(&project.dir.join(crate::config::FILE))?;
        let tables = project.campaign.controls.iter().map(|c| &c.source);
        for source in tables
            .chain([&project.campaign.items.source])
            .filter(|p| p.is_file())
        {
            origin = origin.with_file(source)?;
        }
        origin
            .inputs
            .extend(pictures_hash("pictures of items", &items, &item_pictures));
        origin.inputs.extend(pictures_hash(
            "pictures of controls",
            &controls,
            &control_pictures,
        ));
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

struct Stage<'a> {
    project: &'a Project,
    options: &'a Options<'a>,
    /// The folder being filled.
    dir: &'a Path,
    crop: Crop,
    skipped: Skipped,
}

impl Stage<'_> {
    fn names(&self, role: &str, items: &[Item]) -> Vec<TaskName> {
        task_names(
            self.project.campaign.seed,
            role,
            items.iter().map(|i| i.id.as_str()),
        )
    }

    /// The box whose surroundings are shown.
    fn picked(&self, item: &Item) -> Option<PixelBox> {
        match self.crop {
            Crop::Face => item.face,
            Crop::Person => item.person,
            Crop::Auto | Crop::None => None,
        }
    }

    fn shown(&self, name: TaskName) -> PathBuf {
        self.dir.join(disk::SHOWN).join(format!("{name}.jpg"))
    }

    /// Renders pictures; `rows` are their rows in `source`, for problems. Bad ones become `None` if they may be skipped.
    fn render(
        &mut self,
        what: &'static str,
        source: &Path,
        items: &[(&Item, u64)],
    ) -> Result<Vec<Option<Rendered>>> {
        let p = &self.project.campaign.pictures;
        let spec = RenderSpec {
            longest_side: p.longest_side,
            quality: p.quality,
            margin: p.margin,
        };
        let limits = DecodeLimits {
            max_pixels: u64::from(p.max_megapixels) * 1_000_000,
        };
        let role = if what == "controls" { CONTROL } else { ITEM };
        let names = task_names(
            self.project.campaign.seed,
            role,
            items.iter().map(|(i, _)| i.id.as_str()),
        );
        let jobs: Vec<Job<'_>> = items
            .iter()
            .zip(names)
            .map(|((i, _), name)| Job {
                content: &i.content,
                crop: self.picked(i),
                out: self.shown(name),
            })
            .collect();
        let bar = (self.options.progress)(jobs.len() as u64, what);
        let rendered = render_all(&jobs, &spec, &limits, &bar)?;
        bar.finish_and_clear();
        let mut kept = Vec::with_capacity(rendered.len());
        for (result, (_, row)) in rendered.into_iter().zip(items) {
            kept.push(match result {
                Ok(rendered) => Some(rendered),
                Err(mut p) => {
                    if source.is_file() {
                        let picture = p.file.take().unwrap_or_default();
                        p = Box::new(p.file(source).row(*row).value(picture));
                    }
                    if p.hint.is_none() {
                        p.hint = Some(
                            "replace the picture, or leave it out with --skip-bad-rows".into(),
                        );
                    }
                    self.skipped.take(p)?;
                    None
                }
            });
        }
        Ok(kept)
    }

    /// Chooses controls evenly and renders them. A bad picture is skipped and another control takes its place.
    /// Returns the chosen ones, their strata, and what was rendered.
    fn choose_controls(
        &mut self,
        all: &Items,
        strata: &Strata,
    ) -> Result<(Items, Vec<u32>, Vec<Rendered>)> {
        let Some(entry) = &self.project.campaign.controls else {
            return Ok((Items::default(), Vec::new(), Vec::new()));
        };
        let mut usable: Vec<u32> = (0..all.items.len() as u32).collect();
        let mut done: BTreeMap<u32, Rendered> = BTreeMap::new();
        let chosen = loop {
            let mut dice = random::stream(self.project.campaign.seed, "choice of controls");
            let of: Vec<u32> = usable.iter().map(|&c| strata.of[c as usize]).collect();
            let mut chosen: Vec<u32> = choose_evenly(&of, entry.count, &mut dice)
                .controls
                .iter()
                .map(|&at| usable[at as usize])
                .collect();
            chosen.sort_unstable();
            if !self.options.pictures || is_text(all) {
                break chosen;
            }
            let new: Vec<u32> = chosen
                .iter()
                .copied()
                .filter(|c| !done.contains_key(c))
                .collect();
            let jobs: Vec<(&Item, u64)> = new
                .iter()
                .map(|&c| (&all.items[c as usize], all.rows[c as usize]))
                .collect();
            let rendered = self.render("controls", &entry.source, &jobs)?;
            let bad: BTreeSet<u32> = new
                .iter()
                .zip(&rendered)
                .filter(|(_, r)| r.is_none())
                .map(|(&c, _)| c)
                .collect();
            done.extend(
                new.iter()
                    .copied()
                    .zip(rendered)
                    .filter_map(|(c, r)| Some((c, r?))),
            );
            if bad.is_empty() {
                break chosen;
            }
            usable.retain(|c| !bad.contains(c));
        };
        for (&unused, _) in done
            .iter()
            .filter(|(c, _)| chosen.binary_search(c).is_err())
        {
            self.remove_shown(CONTROL, &all.items[unused as usize])?;
        }
        let of = chosen.iter().map(|&c| strata.of[c as usize]).collect();
        let rendered: Vec<Rendered> = chosen.iter().filter_map(|c| done.remove(c)).collect();
        let controls = rows(all, &chosen);
        same_picture_twice(&controls, &rendered, &entry.source)?;
        Ok((controls, of, rendered))
    }

    fn show_items(&mut self, items: Items) -> Result<(Items, Vec<Rendered>)> {
        if !self.options.pictures || is_text(&items) {
            return Ok((items, Vec::new()));
        }
        let jobs: Vec<(&Item, u64)> = items.items.iter().zip(items.rows.iter().copied()).collect();
        let source = self.project.campaign.items.source.clone();
        let rendered = self.render("items", &source, &jobs)?;
        let good: Vec<u32> = (0..rendered.len() as u32)
            .filter(|&i| rendered[i as usize].is_some())
            .collect();
        Ok((
            rows(&items, &good),
            rendered.into_iter().flatten().collect(),
        ))
    }

    /// An item that is a control too would meet the annotator as both, and its answer is known.
    fn leave_out_copies(
        &mut self,
        items: Items,
        pictures: Vec<Rendered>,
        controls: &Items,
        control_pictures: &[Rendered],
    ) -> Result<(Items, Vec<Rendered>, Vec<Duplicate>)> {
        let mut left_out: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
        // The same file or text with the same box; what is encoded anew is found by its picture.
        let key = |item: &Item| (item.content.clone(), self.picked(item).map(bits));
        let known: BTreeMap<_, usize> = controls
            .items
            .iter()
            .enumerate()
            .map(|(at, c)| (key(c), at))
            .collect();
        for (at, item) in items.items.iter().enumerate() {
            if let Some(&control) = known.get(&key(item)) {
                left_out.insert(at, (control, true));
            }
        }
        let print = |r: &Rendered| r.fingerprint.clone();
        let prints: Vec<Fingerprint> = pictures.iter().map(print).collect();
        let control_prints: Vec<Fingerprint> = control_pictures.iter().map(print).collect();
        for found in duplicates(&prints, &control_prints) {
            let (item, control) = (&pictures[found.item], &control_pictures[found.control]);
            let exact = item.hash == control.hash && item.part == control.part;
            left_out.entry(found.item).or_insert((found.control, exact));
        }
        let described = left_out
            .iter()
            .map(|(&item, &(control, exact))| Duplicate {
                item: items.items[item].id.clone(),
                control: controls.items[control].id.clone(),
                exact,
            })
            .collect();
        if !pictures.is_empty() {
            for &item in left_out.keys() {
                self.remove_shown(ITEM, &items.items[item])?;
            }
        }
        let keep: Vec<u32> = (0..items.items.len() as u32)
            .filter(|&i| !left_out.contains_key(&(i as usize)))
            .collect();
        if keep.is_empty() {
            return problem("no items are left: every one is bad, or also a control")
                .file(&self.project.campaign.items.source)
                .hint("name other items, or see why these are bad without --skip-bad-rows")
                .fail();
        }
        let pictures = pictures
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !left_out.contains_key(at))
            .map(|(_, r)| r)
            .collect();
        Ok((rows(&items, &keep), pictures, described))
    }

    fn remove_shown(&self, role: &str, item: &Item) -> Result<()> {
        for name in self.names(role, std::slice::from_ref(item)) {
            let path = self.shown(name);
            fs::remove_file(&path).map_err(|e| Problem::io("remove", &path, &e))?;
        }
        Ok(())
    }
}

fn bits(b: PixelBox) -> [u64; 4] {
    [b.x0, b.y0, b.x1, b.y1].map(f64::to_bits)
}

fn ids_of(items: &Items) -> impl Iterator<Item = &str> + Clone {
    items.items.iter().map(|i| i.id.as_str())
}

fn is_text(items: &Items) -> bool {
    items
        .items
        .first()
        .is_some_and(|i| matches!(i.content, Content::Text(_)))
}

/// Only these rows, in this order.
fn rows(all: &Items, keep: &[u32]) -> Items {
    let pick = |i: &u32| *i as usize;
    Items {
        items: keep.iter().map(|i| all.items[pick(i)].clone()).collect(),
        rows: keep.iter().map(|i| all.rows[pick(i)]).collect(),
        truths: keep
            .iter()
            .filter_map(|i| all.truths.get(pick(i)).cloned())
            .collect(),
    }
}

/// The same picture as two controls would be given twice to one annotator, maybe with two truths.
fn same_picture_twice(controls: &Items, rendered: &[Rendered], source: &Path) -> Result<()> {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for (at, picture) in rendered.iter().enumerate() {
        let key = (picture.hash, picture.part);
        if let Some(&first) = seen.get(&key) {
            return problem("two controls show the same picture")
                .file(source)
                .row(controls.rows[at])
                .value(&controls.items[at].id)
                .hint(format!(
                    "it is the picture of row {} too: delete one of the rows",
                    controls.rows[first]
                ))
                .fail();
        }
        seen.insert(key, at);
    }
    Ok(())
}

fn assemble(pictures: bool, items: &Items, controls: &Items, naming: &Naming) -> StoredPool {
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
    let mut put = |task: u32, item: &Item| {
        let at = task as usize;
        match &item.content {
            Content::File(source) | Content::Url(source) => {
                pool.sources[at] = Some(source.clone());
                if pictures {
                    pool.pictures[at] = Some(format!("{}/{}.jpg", disk::SHOWN, pool.names[at]));
                }
            }
            Content::Text(text) => pool.texts[at] = Some(text.clone()),
        }
        pool.items[at] = item.id.clone();
    };
    for (item, &task) in items.items.iter().zip(&naming.task_of_item) {
        put(task, item);
    }
    for (control, &task) in controls.items.iter().zip(&naming.task_of_control) {
        put(task, control);
    }
    for (truths, &task) in items.truths.iter().zip(&naming.task_of_item) {
        pool.simulated_truths[task as usize] = truths.clone();
    }
    for (truths, &task) in controls.truths.iter().zip(&naming.task_of_control) {
        pool.roles[task as usize] = Role::Control(truths.clone());
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

/// What an annotator sees of each picture beside its content, compared between the roles.
fn visible_differences(items: &[Rendered], controls: &[Rendered]) -> Vec<Leak> {
    let features: [(&str, fn(&Rendered) -> f64); 3] = [
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
