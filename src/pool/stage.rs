//! Choosing controls, rendering pictures, leaving copies out: the part of `pool build` that reads pictures.

use super::{
    Duplicate,
    build::Options,
    disk,
    parts::Parts,
    pictures::{Job, Rendered, render_all},
};
use crate::{
    Problem, Result,
    config::{Crop, Project},
    files::{Skipped, items::Items},
    model::predict::people::Shard,
    pictures::{DecodeLimits, Fingerprint, RenderSpec, duplicates},
    problem,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use veche_pools::{
    Content, Item, PixelBox, TaskName,
    controls::{Strata, choose_evenly},
    generation::{
        names::{CONTROL, ITEM},
        task_names,
    },
    random,
};

pub(super) struct Stage<'a> {
    pub(super) project: &'a Project,
    pub(super) options: &'a Options<'a>,
    /// The folder being filled.
    pub(super) dir: &'a Path,
    pub(super) crop: Crop,
    pub(super) skipped: Skipped,
    /// Pictures that were rendered beforehand.
    pub(super) parts: Parts,
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

    fn job<'i>(&self, item: &'i Item, out: PathBuf) -> Job<'i> {
        Job {
            content: &item.content,
            crop: self.picked(item),
            out,
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
        let role = if what == "controls" { CONTROL } else { ITEM };
        let names = task_names(
            self.project.campaign.seed,
            role,
            items.iter().map(|(i, _)| i.id.as_str()),
        );
        let mut rendered = Vec::with_capacity(items.len());
        let (mut jobs, mut place): (Vec<Job<'_>>, Vec<usize>) = (Vec::new(), Vec::new());
        for ((i, _), name) in items.iter().zip(names) {
            let out = self.shown(name);
            let done = self.parts.take(name, &out)?;
            if done.is_none() {
                place.push(rendered.len());
                jobs.push(self.job(i, out));
            }
            rendered.push(done.map(Ok));
        }
        let bar = (self.options.progress)(jobs.len() as u64, what);
        let (spec, limits) = render_settings(self.project);
        for (at, result) in place
            .into_iter()
            .zip(render_all(&jobs, &spec, &limits, &bar)?)
        {
            rendered[at] = Some(result);
        }
        let rendered: Vec<Result<Rendered>> = rendered.into_iter().flatten().collect();
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

    /// Controls chosen evenly among those that are usable.
    fn choice(&self, usable: &[u32], strata: &Strata, count: usize) -> Vec<u32> {
        let mut dice = random::stream(self.project.campaign.seed, "choice of controls");
        let of: Vec<u32> = usable.iter().map(|&c| strata.of[c as usize]).collect();
        let mut chosen: Vec<u32> = choose_evenly(&of, count, &mut dice)
            .controls
            .iter()
            .map(|&at| usable[at as usize])
            .collect();
        chosen.sort_unstable();
        chosen
    }

    /// Renders one part of the pictures that a build needs, in any case: all items, and the controls that are chosen if none of them
    /// is bad.
    pub(super) fn render_part(
        &self,
        shard: Shard,
        items: &Items,
        controls: &Items,
        strata: &Strata,
    ) -> Result<Vec<(TaskName, Option<Rendered>)>> {
        let all: Vec<u32> = (0..controls.items.len() as u32).collect();
        let chosen = match &self.project.campaign.controls {
            Some(entry) => rows(controls, &self.choice(&all, strata, entry.count)),
            None => Items::default(),
        };
        let named = |role: &str, of: &'_ [Item]| self.names(role, of);
        let names = named(CONTROL, &chosen.items)
            .into_iter()
            .chain(named(ITEM, &items.items));
        let wanted: Vec<(TaskName, &Item)> =
            names.zip(chosen.items.iter().chain(&items.items)).collect();
        let wanted = shard.of(wanted);
        let jobs: Vec<Job<'_>> = wanted
            .iter()
            .map(|(name, item)| self.job(item, self.shown(*name)))
            .collect();
        let bar = (self.options.progress)(jobs.len() as u64, "pictures");
        let (spec, limits) = render_settings(self.project);
        let rendered = render_all(&jobs, &spec, &limits, &bar)?;
        bar.finish_and_clear();
        Ok(wanted
            .iter()
            .map(|(name, _)| *name)
            .zip(rendered.into_iter().map(Result::ok))
            .collect())
    }

    /// Chooses controls evenly and renders them. A bad picture is skipped and another control takes its place.
    /// Returns the chosen ones, their strata, and what was rendered.
    pub(super) fn choose_controls(
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
            let chosen = self.choice(&usable, strata, entry.count);
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

    pub(super) fn show_items(&mut self, items: Items) -> Result<(Items, Vec<Rendered>)> {
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
            kept(items, |at| good.binary_search(&(at as u32)).is_ok()),
            rendered.into_iter().flatten().collect(),
        ))
    }

    /// An item that is a control too would meet the annotator as both, and its answer is known.
    pub(super) fn leave_out_copies(
        &mut self,
        items: Items,
        pictures: Vec<Rendered>,
        controls: &Items,
        control_pictures: &[Rendered],
    ) -> Result<(Items, Vec<Rendered>, Vec<Duplicate>)> {
        let mut left_out: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
        // The same file or text with the same box; what is encoded anew is found by its picture.
        let boxed = |item: &Item| self.picked(item).map(bits);
        let known: BTreeMap<_, usize> = controls
            .items
            .iter()
            .enumerate()
            .map(|(at, c)| ((&c.content, boxed(c)), at))
            .collect();
        for (at, item) in items.items.iter().enumerate() {
            if let Some(&control) = known.get(&(&item.content, boxed(item))) {
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
        let items = kept(items, |at| !left_out.contains_key(&at));
        if items.items.is_empty() {
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
        Ok((items, pictures, described))
    }

    fn remove_shown(&self, role: &str, item: &Item) -> Result<()> {
        for name in self.names(role, std::slice::from_ref(item)) {
            let path = self.shown(name);
            fs::remove_file(&path).map_err(|e| Problem::io("remove", &path, &e))?;
        }
        Ok(())
    }
}

fn render_settings(project: &Project) -> (RenderSpec, DecodeLimits) {
    let p = &project.campaign.pictures;
    let spec = RenderSpec {
        longest_side: p.longest_side,
        quality: p.quality,
        margin: p.margin,
    };
    let limits = DecodeLimits {
        max_pixels: u64::from(p.max_megapixels) * 1_000_000,
    };
    (spec, limits)
}

/// Only the rows for which `keep` holds, without copying them.
fn kept(mut items: Items, keep: impl Fn(usize) -> bool) -> Items {
    fn retain<T>(list: &mut Vec<T>, keep: &impl Fn(usize) -> bool) {
        let mut at = 0;
        list.retain(|_| {
            at += 1;
            keep(at - 1)
        });
    }
    retain(&mut items.items, &keep);
    retain(&mut items.rows, &keep);
    retain(&mut items.truths, &keep);
    items
}

fn bits(b: PixelBox) -> [u64; 4] {
    [b.x0, b.y0, b.x1, b.y1].map(f64::to_bits)
}

pub(super) fn is_text(items: &Items) -> bool {
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
