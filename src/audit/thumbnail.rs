//! Small photos of items: as they were shown in a campaign, or from a folder for a plain table.

use crate::{
    pictures::{DecodeLimits, RenderSpec, decode, render},
    report::Picture,
    study::Study,
};
use std::{fs, path::Path};

/// Longest side, pixels.
const SIDE: u32 = 240;

/// The photo of an item: what annotators saw, or the file of this name below `folder`. `None` if there is none that can be read.
pub(super) fn thumbnail(study: &Study, item: usize, folder: Option<&Path>) -> Option<Picture> {
    let path = match (&study.pool, &study.project, folder) {
        (Some(pool), Some(project), _) => {
            project.pool_dir().join(pool.pictures.get(item)?.as_ref()?)
        }
        (_, _, Some(folder)) => folder.join(study.items[item].split('#').next()?),
        _ => return None,
    };
    let decoded = decode(&fs::read(path).ok()?, &DecodeLimits::default()).ok()?;
    let spec = RenderSpec {
        longest_side: SIDE,
        quality: 80,
        ..RenderSpec::default()
    };
    Picture::new(&render(&decoded, None, &spec).ok()?)
}
