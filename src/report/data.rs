//! What a report says, as plain structs. The commands fill them, [`crate::report::page`] prints them; nothing is computed
//! in between. A number that is missing is `None`; one that is not finite is printed as a dash and never drawn.

use super::chart::{Bins, Chart};
use base64::Engine as _;
use serde::{Deserialize, Serialize};

/// Everything on the page. Parts that are `None` or empty are left out of it, with their line in the table of contents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReportData {
    /// Title of the page: the campaign's name.
    pub title: String,
    /// Whether the annotators were simulated. If so, a banner and every block's caption say it.
    pub simulated: bool,
    /// What made the page.
    pub provenance: Provenance,
    /// The counts at the top.
    pub totals: Totals,
    /// Sentences that the reader must see before the numbers.
    pub warnings: Vec<String>,
    /// How far the collection is.
    pub progress: Option<Progress>,
    /// One per question, in the order in which they are asked.
    pub questions: Vec<QuestionReport>,
    /// Curves, audits, a benchmark, networks: whatever the data allow.
    #[serde(default)]
    pub chapters: Vec<super::Chapter>,
    /// Which votes count, and which do not.
    pub left_out: Option<LeftOut>,
    /// Whether controls can be told from items.
    pub secrecy: Option<Secrecy>,
}

/// What made the whole page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Command line: `veche report`.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Seed, if dice were thrown.
    pub seed: Option<u64>,
    /// When, as text; the report reads no clock. Leave it out for reports that must not change from run to run.
    pub made_at: Option<String>,
    /// The files read.
    pub inputs: Vec<InputFile>,
}

/// One file read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InputFile {
    /// Path as the user gave it.
    pub path: String,
    /// Hash of its content, with the algorithm's name: `blake3:9f86…`.
    pub hash: String,
    /// Rows in it, where that means something.
    pub rows: Option<u64>,
}

/// What made one block: printed below it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Made {
    /// Command line: `veche methods votes.parquet --truth controls.csv`.
    pub command: String,
    /// Names of the files read.
    pub inputs: Vec<String>,
    /// A sentence about how the numbers were made, if one is needed.
    pub note: Option<String>,
}

/// The counts at the top of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Items, controls not among them.
    pub items: u64,
    /// Votes collected, on items and controls.
    pub votes: u64,
    /// Annotators with at least one vote.
    pub annotators: u64,
    /// Annotators banned.
    pub banned: u64,
    /// Controls.
    pub controls: u64,
}

/// How far the collection is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Votes wanted per item.
    pub wanted: u64,
    /// Items in all.
    pub items: u64,
    /// Items with at least the votes wanted.
    pub items_done: u64,
    /// Votes wanted in all.
    pub votes_wanted: u64,
    /// Votes collected in all, those beyond an item's wish not counted.
    pub votes_collected: u64,
    /// Items by votes collected ([`Bins::whole`]).
    pub votes_per_item: Bins,
    /// What made it.
    pub made: Made,
}

/// Everything about one question.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct QuestionReport {
    /// Short name: `age`.
    pub name: String,
    /// What the annotator reads: `How old is this person?`.
    pub prompt: String,
    /// Number with its unit, or choice.
    pub kind: Kind,
    /// Which method gave the labels of this report.
    pub method: Option<String>,
    /// The annotators on their controls.
    pub annotators: Option<Annotators>,
    /// The methods compared on the controls.
    pub bake_off: Option<BakeOff>,
    /// The labels.
    pub labels: Option<Labels>,
    /// The controls people miss most, the hardest first.
    pub hardest: Option<Hardest>,
    /// Some items with their labels.
    pub examples: Option<Examples>,
    /// Other pictures: curves, audits.
    pub figures: Vec<Figure>,
}

/// What kind of answer a question has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A number; errors are mean absolute errors in its unit.
    Number {
        /// Unit: `years`; may be empty.
        unit: String,
    },
    /// One of several labels; errors are shares of wrong answers, 0 to 1.
    Choice,
}

impl Default for Kind {
    fn default() -> Self {
        Self::Number {
            unit: String::new(),
        }
    }
}

/// The annotators' errors on controls. An error is the mean absolute error, or the share wrong, by [`Kind`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Annotators {
    /// Annotators by error ([`Bins::nice`]).
    pub errors: Bins,
    /// Mean of the annotators' errors.
    pub mean: Option<f64>,
    /// Their median.
    pub median: Option<f64>,
    /// The smallest among those with enough controls.
    pub best: Option<f64>,
    /// The error above which the rule bans, if it has one.
    pub threshold: Option<f64>,
    /// All annotators, in any order; the page shows the worst and the most active if there are many.
    pub rows: Vec<AnnotatorRow>,
    /// What made it.
    pub made: Made,
}

/// One annotator.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AnnotatorRow {
    /// Identifier.
    pub id: String,
    /// Controls answered.
    pub controls: u64,
    /// Error on them.
    pub error: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Mean signed error; `None` for choices.
    pub bias: Option<f64>,
    /// Votes in all.
    pub votes: u64,
    /// Median time for one answer, in seconds.
    pub seconds_median: Option<f64>,
    /// What became of them.
    pub verdict: Verdict,
    /// Why, in a few words: `MAE 17.2 above 13 after 12 controls`.
    pub evidence: String,
}

/// What became of an annotator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Verdict {
    /// Kept.
    #[default]
    Kept,
    /// Banned.
    Banned,
    /// Too few controls to tell.
    TooFewControls,
}

/// The methods compared on controls, every annotator's score made without the control under test.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BakeOff {
    /// One per method, in any order; the page sorts them, the best first.
    pub rows: Vec<MethodRow>,
    /// The k of the share within k, in the question's unit; `None` for choices.
    pub within: Option<f64>,
    /// Level of the intervals, 0 to 1.
    pub level: f64,
    /// What made it.
    pub made: Made,
}

/// One method of a bake-off.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MethodRow {
    /// Name as on the command line: `exp-mae`.
    pub method: String,
    /// Mean absolute error for numbers, accuracy (0 to 1) for choices.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Root mean square error; `None` for choices.
    pub rmse: Option<f64>,
    /// Share of labels within [`BakeOff::within`] of the truth; `None` for choices.
    pub share_within: Option<f64>,
    /// Controls it was judged on.
    pub items: u64,
    /// What must be said about it: `stopped after 100 passes`.
    pub note: String,
}

/// The labels of one question.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Labels {
    /// Items with a label.
    pub items: u64,
    /// Items without one, for lack of votes.
    pub without: u64,
    /// For numbers: labels by group of another question (age by sex), or one group with an empty name.
    pub numbers: Vec<LabelGroup>,
    /// For choices: how often each label was given, in the order of the scale.
    pub choices: Vec<ChoiceCount>,
    /// Level of the labels' intervals, 0 to 1.
    pub level: f64,
    /// Median width of the labels' intervals, in the question's unit; `None` for choices.
    pub interval_width_median: Option<f64>,
    /// Median confidence of the labels, 0 to 1; `None` for numbers.
    pub confidence_median: Option<f64>,
    /// What made it.
    pub made: Made,
}

/// Numeric labels of one group of items.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LabelGroup {
    /// Name of the group: `female`; empty if there is only one.
    pub name: String,
    /// Its items by label. Groups of one picture share `from` and `width`.
    pub bins: Bins,
}

/// How often a label was given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChoiceCount {
    /// The label.
    pub label: String,
    /// How often.
    pub count: u64,
}

/// The controls people miss most.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hardest {
    /// The controls, the hardest first; a dozen is enough.
    pub controls: Vec<HardControl>,
    /// What made it.
    pub made: Made,
}

/// One hard control.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HardControl {
    /// Its name in the requester's files.
    pub name: String,
    /// Its picture.
    pub picture: Option<Picture>,
    /// The known answer, as a number or a label.
    pub truth: Value,
    /// Answers given.
    pub answers: u64,
    /// Mean absolute error, or share wrong.
    pub error: f64,
    /// Mean signed error; `None` for choices.
    pub bias: Option<f64>,
    /// For numbers: the answers, counted.
    pub numbers: Bins,
    /// For choices: how often each label was answered.
    pub choices: Vec<ChoiceCount>,
    /// What others say: networks.
    #[serde(default)]
    pub others: Vec<Said>,
}

/// What somebody else says about an item.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Said {
    /// Who: a network's name.
    pub who: String,
    /// What.
    pub what: Value,
}

/// A value of a question: a number or a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A number in the question's unit.
    Number(f64),
    /// A label.
    Label(String),
}

impl Default for Value {
    fn default() -> Self {
        Self::Label(String::new())
    }
}

/// Some items with their labels.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Examples {
    /// How they were chosen: `twelve items drawn at random`.
    pub chosen: String,
    /// The items.
    pub items: Vec<ExampleItem>,
    /// Level of the intervals, 0 to 1.
    pub level: f64,
    /// What made it.
    pub made: Made,
}

/// One item with its label.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExampleItem {
    /// Its name.
    pub name: String,
    /// Its picture.
    pub picture: Option<Picture>,
    /// Its label.
    pub label: Value,
    /// Interval of a number.
    pub interval: Option<(f64, f64)>,
    /// Confidence of a choice, 0 to 1.
    pub confidence: Option<f64>,
    /// Votes that count.
    pub votes: u64,
    /// What others say: networks.
    #[serde(default)]
    pub others: Vec<Said>,
}

/// A picture carried inside the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// `data:` address of the bytes; any other address is not printed.
    uri: String,
}

impl Picture {
    /// A picture from the bytes of a JPEG, PNG or WebP file; `None` for anything else. A longest side of 320 pixels is
    /// enough for the page.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let media = match bytes {
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => "image/webp",
            _ => return None,
        };
        let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
        Some(Self {
            uri: format!("data:{media};base64,{base64}"),
        })
    }

    /// Its `data:` address; empty if it was read from a file that says something else.
    pub fn uri(&self) -> &str {
        if self.uri.starts_with("data:image/") {
            &self.uri
        } else {
            ""
        }
    }
}

/// Any other picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it shows, in a sentence or two.
    pub text: String,
    /// The picture; its title is the heading.
    pub chart: Chart,
    /// What made it.
    pub made: Made,
}

/// Which votes count.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// What each policy would do, the one in force among them.
    pub policies: Vec<PolicyVotes>,
    /// What made it.
    pub made: Made,
}

/// What one policy does to the votes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PolicyVotes {
    /// Name: `after-ban`.
    pub policy: String,
    /// Whether the labels of this report were made with it.
    pub in_force: bool,
    /// Votes that count.
    pub kept: u64,
    /// Votes that do not, by reason.
    pub reasons: Vec<LeftOutVotes>,
}

/// Votes left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftOutVotes {
    /// Why: `annotator banned`.
    pub reason: String,
    /// How many.
    pub votes: u64,
}

/// Whether controls can be told from items by anything an annotator sees.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Secrecy {
    /// The checks.
    pub checks: Vec<Check>,
    /// What made it.
    pub made: Made,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Check {
    /// What was checked: `picture sizes are alike`.
    pub check: String,
    /// What was found.
    pub value: String,
    /// What that means.
    pub verdict: CheckVerdict,
}

/// Outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CheckVerdict {
    /// Holds.
    #[default]
    Holds,
    /// A person should look.
    Look,
    /// Does not hold.
    Broken,
    /// Could not be checked.
    Unchecked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_bytes() {
        let jpeg = Picture::new(&[0xff, 0xd8, 0xff, 0xe0]).unwrap();
        assert_eq!(jpeg.uri(), "data:image/jpeg;base64,/9j/4A==");
        assert_eq!(Picture::new(b"<svg onload=alert(1)>"), None);
        assert_eq!(Picture::new(b""), None);
        let foreign = Picture {
            uri: "https://example.org/x.jpg".into(),
        };
        assert_eq!(foreign.uri(), "");
    }
}
