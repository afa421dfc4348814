//! People as MiVOLO's annotation CSV, with the part of the data set as one more column.

use super::{
    super::{
        manifest::{Sex, TrueAge},
        write_atomically,
    },
    People,
};
use crate::Result;
use std::path::Path;

/// Writes people as `img_name,age,gender,face_x0,…,person_x0,…,part`; −1 where something is not known. A class of ages is
/// `25;32`, one without an upper end goes to 120, as in MiVOLO's own files.
pub fn write_people(path: &Path, people: &People) -> Result<()> {
    let has_parts = !people.parts.is_empty();
    write_atomically(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        let mut head: Vec<String> = ["img_name", "age", "gender"].map(str::to_owned).to_vec();
        for kind in ["face", "person"] {
            head.extend(["x0", "y0", "x1", "y1"].map(|edge| format!("{kind}_{edge}")));
        }
        head.extend(has_parts.then(|| "part".to_owned()));
        csv.write_record(&head)?;
        for (at, row) in people.manifest.rows.iter().enumerate() {
            let age = match row.age {
                None => "-1".to_owned(),
                Some(TrueAge::Years(years)) => years.to_string(),
                Some(TrueAge::Class { low, high }) => {
                    format!("{low};{}", if high.is_finite() { high } else { 120.0 })
                }
            };
            let sex = match row.sex {
                None => "-1",
                Some(Sex::Male) => "M",
                Some(Sex::Female) => "F",
            };
            let mut cells = vec![row.path.clone(), age, sex.to_owned()];
            for the_box in [row.face, row.body] {
                let edges = the_box.map_or([-1.0; 4], |b| [b.x0, b.y0, b.x1, b.y1]);
                cells.extend(edges.map(|e| e.to_string()));
            }
            cells.extend(has_parts.then(|| people.parts[at].clone()));
            csv.write_record(&cells)?;
        }
        csv.flush()
    })
}
