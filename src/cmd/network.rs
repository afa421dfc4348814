//! Networks that people are compared with: tables of predictions, or a network that is run now on the pictures at hand.

use super::{model::Runtime, predict};
use crate::{
    Result,
    assemble::Rival,
    config::Project,
    files::{
        ManifestOptions, Names, Skipped, Table,
        predictions::{Prediction as Row, Predictions},
    },
    model::{
        nano,
        predict::{
            Settings,
            journal::Prediction,
            judge, output,
            people::{Person, Photo, photos},
            sight::Whole,
        },
    },
    problem,
    provenance::{Input, Provenance},
    study::Study,
};
use std::path::{Path, PathBuf};

/// What the built-in network is called on pages and in tables.
pub const BUILT_IN: &str = "MiVOLO-nano";

/// Which networks.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NetworkArgs {
    /// Predictions of a network, item,age,sex[,score]; again for another, or for the same with a part hidden
    #[arg(long, value_name = "NAME=FILE")]
    pub predictions: Vec<String>,
    /// Run a network on the pictures: an ONNX file, without one the small network that is built in
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub network: Option<Option<PathBuf>>,
    /// For tables: folder of the pictures, which are named as the items
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,
    /// What a picture without boxes is, to the network that is run
    #[arg(long, value_enum, default_value = "face")]
    pub whole: Whole,
}

/// What a network said just now.
pub struct Said {
    /// The network's name.
    pub name: String,
    /// Its answers.
    pub rows: Vec<Prediction>,
    /// What it was asked with: the network and the pictures.
    pub inputs: Vec<Input>,
}

impl NetworkArgs {
    /// Names and files of `--predictions`.
    pub fn named(&self) -> Result<Vec<(String, PathBuf)>> {
        self.predictions
            .iter()
            .map(|given| match given.split_once('=') {
                Some((name, path)) if !name.trim().is_empty() && !path.is_empty() => {
                    Ok((name.trim().to_owned(), PathBuf::from(path)))
                }
                _ => problem("predictions need a name and a file")
                    .value(given)
                    .hint("write it like --predictions MiVOLO=predictions.csv")
                    .fail(),
            })
            .collect()
    }

    /// Tables of predictions: those named, else those of the campaign.
    pub fn tables(&self, project: Option<&Project>) -> Result<Vec<(String, PathBuf)>> {
        let named = self.named()?;
        Ok(match project {
            Some(project) if named.is_empty() => {
                project.campaign.predictions.clone().into_iter().collect()
            }
            _ => named,
        })
    }

    /// Runs the network on photos.
    pub fn run(&self, photos: &[Photo]) -> Result<Said> {
        let model = self.network.as_ref().and_then(Option::as_deref);
        run(model, photos, self.whole)
    }

    /// Tables of predictions and, if a network is to be run, a table of what it says, written into `folder`.
    pub fn rivals(
        &self,
        project: Option<&Project>,
        photos: impl FnOnce() -> Result<Vec<Photo>>,
        folder: &Path,
    ) -> Result<Vec<Rival>> {
        let mut rivals: Vec<Rival> = self
            .tables(project)?
            .into_iter()
            .map(|(name, path)| Rival {
                name,
                path,
                note: None,
            })
            .collect();
        if self.network.is_some() {
            rivals.push(self.run(&photos()?)?.write(folder)?);
        }
        Ok(rivals)
    }
}

impl Said {
    /// Writes the table of predictions into a folder, and where it came from beside it.
    pub fn write(&self, folder: &Path) -> Result<Rival> {
        std::fs::create_dir_all(folder)
            .map_err(|e| crate::Problem::io("make the folder", folder, &e))?;
        let path = folder.join(format!("{}.csv", crate::curves::slug(&self.name)));
        output::write(&path, &self.rows)?;
        let mut origin = Provenance::new("veche predict", None);
        origin.inputs.clone_from(&self.inputs);
        let mut beside = path.clone().into_os_string();
        beside.push(".provenance.json");
        origin.write(Path::new(&beside))?;
        Ok(Rival {
            name: self.name.clone(),
            path,
            note: None,
        })
    }

    /// The same as if it were read from a table.
    pub fn predictions(&self) -> Predictions {
        let mut items = Names::new();
        let mut rows = Vec::with_capacity(self.rows.len());
        for (at, row) in self.rows.iter().enumerate() {
            if items.find(&row.item).is_some() {
                continue;
            }
            items.intern(&row.item);
            rows.push(Row {
                number: row.age.map(|age| age as f64 / 10_000.0),
                sex: row
                    .sex
                    .map(|(male, _)| if male { "male" } else { "female" }.to_owned()),
                face_used: Some(row.face_used),
                body_used: Some(row.body_used),
                row: at as u64 + 2,
            });
        }
        Predictions {
            path: PathBuf::from(&self.name),
            items,
            rows,
        }
    }
}

/// Runs a network, or the one that is built in, on photos; says how many and with which.
pub fn run(model: Option<&Path>, photos: &[Photo], whole: Whole) -> Result<Said> {
    let runtime = Runtime::default();
    let mut network = predict::open(model, &runtime)?;
    let name = match model {
        Some(path) => path
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default(),
        None => BUILT_IN.to_owned(),
    };
    let settings = Settings {
        whole: Some(whole),
        batch: predict::usual_batch(&runtime) as usize,
        workers: predict::workers(&runtime),
        ..Settings::default()
    };
    let bar = super::progress(photos.len() as u64, "photos");
    let began = std::time::Instant::now();
    let mut rows = Vec::with_capacity(photos.len());
    let mut hasher = blake3::Hasher::new();
    judge(&mut network, None, photos, &settings, |photo| {
        if let (Some(hash), Some(first)) = (&photo.blake3, photo.people.first()) {
            hasher.update(first.item.as_bytes());
            hasher.update(hash.as_bytes());
        }
        rows.extend(photo.people);
        bar.inc(1);
        Ok(())
    })?;
    bar.finish_and_clear();
    rows.sort_by_key(|r: &Prediction| r.row);
    let judged = rows.iter().filter(|r| r.error.is_none()).count();
    if judged == 0 {
        let why = rows.iter().find_map(|r| r.error.clone());
        return problem(format!("{name} could judge nobody"))
            .value(why.unwrap_or_else(|| "there is no picture".into()))
            .hint("its pictures must be files on disk: name their folder with --pictures")
            .fail();
    }
    super::note(&format!(
        "{name} judged {judged} of {} people, {:.0} photos/s",
        rows.len(),
        photos.len() as f64 / began.elapsed().as_secs_f64().max(1e-9)
    ));
    let network = match model {
        Some(path) => Provenance::new("", None).with_file(path)?.inputs,
        None => vec![Input {
            path: nano::SOURCE.path().display().to_string(),
            blake3: blake3::hash(nano::ONNX).to_hex().to_string(),
        }],
    };
    let mut inputs = network;
    inputs.push(Input {
        path: format!("pictures ({})", photos.len()),
        blake3: hasher.finalize().to_hex().to_string(),
    });
    Ok(Said { name, rows, inputs })
}

/// The photos of a study's items: a campaign's own pictures, of a table those in the folder named.
pub fn photos_of(study: &Study, pictures: Option<&Path>) -> Result<Vec<Photo>> {
    match (&study.project, pictures) {
        (Some(project), _) => photos_of_campaign(&project.dir),
        (None, Some(dir)) => Ok(photos_named(dir, study.items.iter().map(String::as_str))),
        (None, None) => problem("nothing says where the pictures of these items are")
            .hint("name their folder with --pictures")
            .fail(),
    }
}

/// All pictures of a campaign.
pub fn photos_of_campaign(dir: &Path) -> Result<Vec<Photo>> {
    let options = ManifestOptions {
        truths: false,
        ..ManifestOptions::default()
    };
    photos(dir, &options, &mut Skipped::lenient())
}

/// Pictures of a folder that are named as items.
pub fn photos_named<'a>(dir: &Path, items: impl Iterator<Item = &'a str>) -> Vec<Photo> {
    let photo = |(row, item): (usize, &str)| Photo {
        name: item.to_owned(),
        path: dir.join(item),
        people: vec![Person {
            item: item.to_owned(),
            row: row as u64,
            face: None,
            body: None,
        }],
        others: Vec::new(),
    };
    items.enumerate().map(photo).collect()
}

/// Whether a table has one row per vote: it says who answered.
pub fn has_annotators(path: &Path) -> Result<bool> {
    let table = Table::read_skipping(path, &mut Skipped::lenient())?;
    Ok(crate::files::guesses::Guesses::has_annotators(&table))
}
