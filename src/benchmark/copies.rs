//! Candidates that show the same picture, found by looking at them.

use super::labelled::Labelled;
use crate::{
    Problem, Result,
    pictures::{
        decode::{DecodeLimits, decode},
        fingerprint::{Fingerprint, duplicates},
        render::shown_part,
    },
    problem,
};
use rayon::prelude::*;
use std::{collections::BTreeMap, fs, path::Path};

/// Groups of candidates (as indices) whose shown parts are copies of one picture; groups of one are left out.
///
/// The part is the face's box where there is one. Every pair is compared, so a hundred thousand pictures take minutes.
/// Errors: a picture that is missing or cannot be decoded.
pub fn copies(labelled: &Labelled, pictures: &Path) -> Result<Vec<Vec<usize>>> {
    let prints: Vec<Fingerprint> = labelled
        .candidates
        .par_iter()
        .map(|c| {
            let path = pictures.join(labelled.path(c));
            let bytes = fs::read(&path).map_err(|e| Problem::io("read the picture", &path, &e))?;
            let picture = decode(&bytes, &DecodeLimits::default())
                .map_err(|fault| Box::new(problem(fault.to_string()).file(&path)))?;
            Ok(match labelled.boxes(c)[0] {
                Some(face) => Fingerprint::of(&part(&picture, face)),
                None => Fingerprint::of(&picture),
            })
        })
        .collect::<Result<_>>()?;
    let mut leader: Vec<usize> = (0..prints.len()).collect();
    fn root(leader: &mut [usize], mut i: usize) -> usize {
        while leader[i] != i {
            leader[i] = leader[leader[i]];
            i = leader[i];
        }
        i
    }
    for pair in duplicates(&prints, &prints) {
        let (a, b) = (
            root(&mut leader, pair.item),
            root(&mut leader, pair.control),
        );
        leader[a.max(b)] = a.min(b);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in 0..leader.len() {
        let top = root(&mut leader, i);
        groups.entry(top).or_default().push(i);
    }
    Ok(groups.into_values().filter(|g| g.len() > 1).collect())
}

/// The part of a picture inside a box; the whole picture if the box misses it.
fn part(picture: &image::RgbImage, face: crate::files::manifest::PixelBox) -> image::RgbImage {
    match shown_part(picture.dimensions(), Some(face), 0.0) {
        Ok((x, y, w, h)) => image::imageops::crop_imm(picture, x, y, w, h).to_image(),
        Err(_) => picture.clone(),
    }
}
