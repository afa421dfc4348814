//! Who is to be judged in which photo: from a folder, a campaign or a manifest.

use crate::{
    Result,
    config::Project,
    files::{
        Manifest, ManifestOptions, Skipped,
        items::{Items, pictures_in, read_controls, read_items},
        read_manifest,
    },
    model::crop::{Kind, Obstacle},
    problem,
};
use std::path::{Path, PathBuf};
use veche_pools::{Content, PixelBox};

/// One person to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The name in the results, unique.
    pub item: String,
    /// Row of the list, from which the order of the results comes.
    pub row: u64,
    /// The face.
    pub face: Option<PixelBox>,
    /// The whole person.
    pub body: Option<PixelBox>,
}

/// One photo with everybody in it who is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// The name in the list.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Who is judged.
    pub people: Vec<Person>,
    /// Faces and bodies of others, to be blacked out.
    pub others: Vec<Obstacle>,
}

impl Photo {
    /// What lies in the way of one of its people: everybody else's face and body.
    pub fn obstacles(&self, person: usize) -> Vec<Obstacle> {
        let mut all = self.others.clone();
        for (at, other) in self.people.iter().enumerate() {
            if at != person {
                all.extend(boxes(other.face, other.body));
            }
        }
        all
    }
}

fn boxes(face: Option<PixelBox>, body: Option<PixelBox>) -> impl Iterator<Item = Obstacle> {
    let of = |kind| move |at| Obstacle { kind, at };
    face.map(of(Kind::Face))
        .into_iter()
        .chain(body.map(of(Kind::Person)))
}

/// The photos of a folder of pictures, of a campaign (a folder with campaign.toml: its items and controls), or of a manifest.
///
/// # Errors
/// As the readers of each; pictures behind addresses and items that are texts.
pub fn photos(
    items: &Path,
    options: &ManifestOptions,
    skipped: &mut Skipped,
) -> Result<Vec<Photo>> {
    if !items.is_dir() {
        return of_manifest(&read_manifest(items, options, skipped)?);
    }
    if !items.join(crate::config::FILE).is_file() {
        return of_items(&pictures_in(items)?, items);
    }
    let project = Project::open(items)?;
    let mut all = read_items(&project.campaign.items, &project.questions, skipped)?;
    if let Some(entry) = &project.campaign.controls {
        let controls = read_controls(entry, &project.questions, skipped)?;
        all.items.extend(controls.items);
    }
    of_items(&all, items)
}

/// One photo per item: several people of one photo stand in the way of each other.
fn of_items(all: &Items, source: &Path) -> Result<Vec<Photo>> {
    let mut photos: Vec<Photo> = Vec::new();
    let mut place = std::collections::BTreeMap::new();
    for (at, item) in all.items.iter().enumerate() {
        let Content::File(file) = &item.content else {
            return problem("only pictures on disk can be judged, not addresses or texts")
                .file(source)
                .value(&item.id)
                .hint("download the pictures first, or list those that are files in a manifest")
                .fail();
        };
        let photo = *place.entry(file.as_str()).or_insert_with(|| {
            photos.push(Photo {
                name: item.id.clone(),
                path: file.into(),
                people: Vec::new(),
                others: Vec::new(),
            });
            photos.len() - 1
        });
        photos[photo].people.push(Person {
            item: item.id.clone(),
            row: at as u64,
            face: item.face,
            body: item.person,
        });
    }
    Ok(photos)
}

/// The photos of a manifest, in the order in which they are first named.
///
/// # Errors
/// Two rows with one name.
pub fn of_manifest(manifest: &Manifest) -> Result<Vec<Photo>> {
    let names = manifest.names()?;
    let photos = manifest.by_picture().into_iter().map(|rows| {
        let first = &manifest.rows[rows[0]];
        let mut photo = Photo {
            name: first.path.clone(),
            path: manifest.picture(first),
            people: Vec::new(),
            others: Vec::new(),
        };
        for at in rows {
            let row = &manifest.rows[at];
            if row.other_person {
                photo.others.extend(boxes(row.face, row.body));
            } else {
                photo.people.push(Person {
                    item: names[at].clone(),
                    row: row.row as u64,
                    face: row.face,
                    body: row.body,
                });
            }
        }
        photo
    });
    // A photo of other people only is none to look at.
    Ok(photos.filter(|p| !p.people.is_empty()).collect())
}

/// Part `i` of `n` of the photos, from 1: whole stretches, so that the parts one after the other are everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub i: usize,
    /// How many parts.
    pub n: usize,
}

impl Shard {
    /// The part of a list.
    pub fn of<T>(self, mut all: Vec<T>) -> Vec<T> {
        let len = all.len() as u128;
        let edge = |i: usize| (len * i as u128 / self.n as u128) as usize;
        all.truncate(edge(self.i));
        all.split_off(edge(self.i - 1))
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parsed {
            Some((i, n)) if 1 <= i && i <= n => Ok(Self { i, n }),
            _ => Err("a part is i/n with i from 1 to n: 2/8 is the second of eight".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_one_after_the_other_are_everything() {
        for (len, n) in [(10, 3), (2, 5), (0, 2), (7, 1)] {
            let all: Vec<usize> = (0..len).collect();
            let joined: Vec<usize> = (1..=n)
                .flat_map(|i| Shard { i, n }.of(all.clone()))
                .collect();
            assert_eq!(joined, all);
        }
        assert_eq!("2/8".parse(), Ok(Shard { i: 2, n: 8 }));
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn everybody_else_in_the_photo_lies_in_the_way_and_the_person_does_not() {
        let at = |x: f64| PixelBox::new(x, 1.0, x + 5.0, 9.0);
        let person = |x: f64| Person {
            item: x.to_string(),
            row: 2,
            face: at(x),
            body: at(x + 100.0),
        };
        let photo = Photo {
            name: "a".into(),
            path: "a".into(),
            people: vec![person(10.0), person(20.0)],
            others: boxes(at(30.0), None).collect(),
        };
        let edges: Vec<f64> = photo.obstacles(0).iter().map(|o| o.at.x0).collect();
        assert_eq!(edges, [30.0, 20.0, 120.0]);
        assert_eq!(photo.obstacles(0)[1].kind, Kind::Face);
    }
}
