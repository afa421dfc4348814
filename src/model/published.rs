//! What was published about MiVOLO on public data sets, to stand beside a measurement on the same data.

use crate::files::datasets::Dataset;
use serde::Serialize;

/// One published line. Shares are percent, as printed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Published {
    /// Which network with which inputs.
    pub network: &'static str,
    /// Mean absolute error, years.
    pub mae: Option<f64>,
    /// Share within five years, percent.
    pub within_5: Option<f64>,
    /// Share of right sexes, percent.
    pub sex: Option<f64>,
    /// Share in the right class of ages, percent.
    pub age_class: Option<f64>,
    /// Where it is printed.
    pub source: &'static str,
}

const V1: &str = "Kuprashevich and Tolstykh 2023, arXiv 2307.04616, and the authors' repository";
const V2: &str =
    "Kuprashevich, Alekseenko and Tolstykh 2024, arXiv 2403.02302, and the authors' repository";

const fn years(
    network: &'static str,
    [mae, within_5, sex]: [f64; 3],
    source: &'static str,
) -> Published {
    Published {
        network,
        mae: Some(mae),
        within_5: Some(within_5),
        sex: Some(sex),
        age_class: None,
        source,
    }
}

const fn classes(
    network: &'static str,
    age: f64,
    sex: Option<f64>,
    source: &'static str,
) -> Published {
    Published {
        network,
        mae: None,
        within_5: None,
        sex,
        age_class: Some(age),
        source,
    }
}

const BOTH: &str = "mivolo_d1, face and body";

/// What is known of a data set; the authors' test parts, their own boxes, weights trained by them.
pub fn published(dataset: Dataset) -> &'static [Published] {
    const IMDB: [Published; 3] = [
        years(BOTH, [4.24, 68.32, 99.46], V1),
        years("mivolo_d1, body only", [6.87, 46.32, 96.48], V1),
        years("volo_d1, face only", [4.22, 68.68, 99.38], V1),
    ];
    const LAGENDA: [Published; 2] = [
        years(BOTH, [3.99, 71.27, 97.36], V1),
        years("mivolo v2, face and body", [3.65, 74.48, 97.99], V2),
    ];
    const UTKFACE: [Published; 1] = [years(BOTH, [4.23, 69.78, 97.69], V1)];
    const AGEDB: [Published; 1] = [years(BOTH, [5.55, 55.08, 98.3], V1)];
    const FAIRFACE: [Published; 1] = [classes(BOTH, 61.07, Some(95.73), V1)];
    const ADIENCE: [Published; 2] = [
        classes(BOTH, 68.69, Some(96.51), V1),
        classes("mivolo v2, face and body", 69.43, None, V2),
    ];
    match dataset {
        Dataset::ImdbClean => &IMDB,
        Dataset::Lagenda => &LAGENDA,
        Dataset::Utkface => &UTKFACE,
        Dataset::Agedb => &AGEDB,
        Dataset::Fairface => &FAIRFACE,
        Dataset::Adience => &ADIENCE,
        // A form and no set: anybody's people.
        Dataset::Coco => &[],
    }
}
