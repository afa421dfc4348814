//! Money, time and controls: arithmetic without chance.

use serde::Serialize;

use super::population::Population;
use crate::Error;
use crate::error::check_setting;
use crate::interval::normal_quantile;

/// What is asked of whom.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Setup {
    /// Items to be labelled.
    pub items: u64,
    /// Annotators who take part, bots among them.
    pub annotators: u32,
    /// Real tasks per suite.
    pub real: u32,
    /// Controls per suite.
    pub control: u32,
    /// Votes bought per item.
    pub overlap: u32,
    /// Different controls there are.
    pub controls: u32,
}

/// What it costs. Any currency; 0 where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prices {
    /// Paid to the annotator per suite of `suite_tasks` tasks. Suites of other sizes are paid in proportion.
    pub suite_pay: f64,
    /// Tasks (real and control) in the suite that `suite_pay` and `suite_seconds` are for.
    pub suite_tasks: u32,
    /// The platform's fee as a share of the pay: 0.3 for 30 %.
    pub fee: f64,
    /// Seconds a suite takes.
    pub suite_seconds: f64,
}

/// What a campaign takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bill {
    /// Suites.
    pub suites: u64,
    /// Votes on items.
    pub votes: u64,
    /// Answers to controls.
    pub control_answers: u64,
    /// Money, fee included.
    pub money: f64,
    /// The part of it that is paid for controls.
    pub money_for_controls: f64,
    /// Hours of work, of all annotators together.
    pub hours: f64,
    /// Hours of work per annotator, on average.
    pub hours_each: f64,
}

/// How many controls a campaign needs, and what they do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ControlNeeds {
    /// Controls that an annotator answers on average.
    pub shown_mean: f64,
    /// Controls that half of the annotators do not exceed.
    pub shown_median: f64,
    /// Controls that nine in ten annotators do not exceed.
    pub shown_nine_in_ten: f64,
    /// Controls that the busiest annotator answers: as many different ones are needed so that nobody meets one twice.
    pub shown_most: f64,
    /// Controls per annotator after which half of the differences between measured MAEs are real ones.
    pub for_half: f64,
    /// Controls per annotator after which four fifths are.
    pub for_four_fifths: f64,
    /// The share of the differences between measured MAEs that is real when annotators answer `shown_mean` controls.
    pub reliability: f64,
    /// How far off an annotator's measured MAE is after `shown_mean` controls, as a share of it (one standard error).
    pub mae_error: f64,
    /// The most suites an annotator may do so that nobody meets one of the controls there are twice; `None` without controls
    /// in a suite.
    pub suites_without_repeats: Option<u64>,
}

impl Setup {
    /// Checked: something of everything, and enough annotators.
    pub fn check(&self) -> Result<(), Error> {
        let positive = [
            ("items", self.items as f64),
            ("annotators", f64::from(self.annotators)),
            ("real tasks per suite", f64::from(self.real)),
            ("overlap", f64::from(self.overlap)),
        ];
        for (name, value) in positive {
            check_setting(value > 0.0, name, value, "must be at least 1")?;
        }
        let ok = self.real <= 10_000 && self.control <= 10_000;
        let size = f64::from(self.real.max(self.control));
        check_setting(ok, "tasks per suite", size, "must be at most 10000")?;
        let ok = self.items <= 1_000_000_000_000;
        check_setting(ok, "items", self.items as f64, "must be at most 10^12")?;
        let ok = self.overlap <= self.annotators;
        let reason = "must not exceed the number of annotators: nobody votes twice on an item";
        check_setting(ok, "overlap", f64::from(self.overlap), reason)?;
        let ok = self.controls >= self.control;
        let reason = "a suite needs as many different controls as it holds";
        check_setting(ok, "controls", f64::from(self.controls), reason)
    }

    /// Answers to controls per vote on an item.
    pub(super) fn control_ratio(&self) -> f64 {
        f64::from(self.control) / f64::from(self.real)
    }

    /// Controls an annotator answers, on average.
    pub(super) fn mean_controls(&self) -> f64 {
        let votes = self.items as f64 * f64::from(self.overlap);
        votes * self.control_ratio() / f64::from(self.annotators)
    }

    /// The most controls an annotator can meet: with each item once.
    pub(super) fn most_controls(&self) -> f64 {
        self.items as f64 * self.control_ratio()
    }
}

impl Prices {
    /// Checked: nothing below 0, and a suite that holds something.
    pub fn check(&self) -> Result<(), Error> {
        let all = [
            ("pay", self.suite_pay),
            ("fee", self.fee),
            ("suite seconds", self.suite_seconds),
        ];
        for (name, value) in all {
            let ok = value.is_finite() && value >= 0.0;
            check_setting(ok, name, value, "must be 0 or more")?;
        }
        let tasks = f64::from(self.suite_tasks);
        check_setting(tasks > 0.0, "tasks per suite", tasks, "must be at least 1")
    }

    /// What one suite of this setup costs, fee included.
    pub fn suite(&self, setup: &Setup) -> f64 {
        self.suite_pay * (1.0 + self.fee) * self.relative_size(setup)
    }

    fn relative_size(&self, setup: &Setup) -> f64 {
        f64::from(setup.real + setup.control) / f64::from(self.suite_tasks)
    }
}

/// What the campaign takes when every item gets `votes_per_item` votes on average (the setup's overlap, or less with an
/// adaptive one).
pub fn bill(setup: &Setup, prices: &Prices, votes_per_item: f64) -> Bill {
    let votes = setup.items as f64 * votes_per_item;
    let suites = (votes / f64::from(setup.real) - 1e-9).ceil();
    let money = suites * prices.suite(setup);
    let tasks = f64::from(setup.real + setup.control);
    let hours = suites * prices.suite_seconds * prices.relative_size(setup) / 3600.0;
    Bill {
        suites: suites as u64,
        votes: votes.round() as u64,
        control_answers: (suites * f64::from(setup.control)) as u64,
        money,
        money_for_controls: money * f64::from(setup.control) / tasks,
        hours,
        hours_each: hours / f64::from(setup.annotators),
    }
}

/// The controls a campaign needs. How much annotators do is log-normal ([`Population::activity_sd`]), nobody more than
/// every item once; the standard deviation of a slipping annotator's |error| is about 0.82 of its mean.
pub fn control_needs(population: &Population, setup: &Setup) -> ControlNeeds {
    let mean = setup.mean_controls();
    let (sd, most) = (population.activity_sd, setup.most_controls());
    // What the busiest cannot do is left to the others; the mean is kept by moving all, found by bisection.
    let n = setup.annotators.min(20_000);
    let relative: Vec<f64> = (0..n)
        .map(|u| (sd * quantile((f64::from(u) + 0.5) / f64::from(n))).exp())
        .collect();
    let total = |scale: f64| -> f64 {
        let each = relative.iter().map(|a| (a * scale).min(most));
        each.sum::<f64>() / f64::from(n)
    };
    let (mut low, mut high) = (0.0, 1e6 * mean.max(1e-9));
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if total(middle) < mean {
            low = middle;
        } else {
            high = middle;
        }
    }
    let at = |share: f64| (high * (sd * quantile(share)).exp()).min(most);
    // The expected largest of n is near the quantile at n/(n + 0.75) (Blom 1958).
    let busiest = f64::from(setup.annotators) / (f64::from(setup.annotators) + 0.75);
    let within = (0.82 * population.mae).powi(2);
    let k = within / population.spread.powi(2);
    let real = |share: f64| share / (1.0 - share) * k;
    ControlNeeds {
        shown_mean: mean,
        shown_median: at(0.5),
        shown_nine_in_ten: at(0.9),
        shown_most: at(busiest).max(mean),
        for_half: real(0.5),
        for_four_fifths: real(0.8),
        reliability: if mean > 0.0 {
            1.0 / (1.0 + k / mean)
        } else {
            0.0
        },
        mae_error: if mean > 0.0 {
            0.82 / mean.sqrt()
        } else {
            f64::INFINITY
        },
        suites_without_repeats: (setup.control > 0)
            .then(|| u64::from(setup.controls / setup.control)),
    }
}

/// The standard normal quantile of a share, 0 to 1.
fn quantile(share: f64) -> f64 {
    if share >= 0.5 {
        normal_quantile(2.0 * share - 1.0)
    } else {
        -normal_quantile(1.0 - 2.0 * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> Setup {
        Setup {
            items: 6000,
            annotators: 100,
            real: 6,
            control: 1,
            overlap: 10,
            controls: 500,
        }
    }

    fn prices() -> Prices {
        Prices {
            suite_pay: 0.07,
            suite_tasks: 7,
            fee: 0.3,
            suite_seconds: 36.0,
        }
    }

    #[test]
    fn a_bill_as_worked_by_hand() {
        // 60,000 votes in suites of 6: 10,000 suites and as many controls; 700 paid and 210 fee; 100 hours.
        let b = bill(&setup(), &prices(), 10.0);
        assert_eq!(
            (b.suites, b.votes, b.control_answers),
            (10_000, 60_000, 10_000)
        );
        assert!((b.money - 910.0).abs() < 1e-9 && (b.money_for_controls - 130.0).abs() < 1e-9);
        assert!((b.hours - 100.0).abs() < 1e-9 && (b.hours_each - 1.0).abs() < 1e-9);
        // Suites of twice the size hold 12 real tasks and 2 controls: half as many, the same money.
        let twice = Setup {
            real: 12,
            control: 2,
            ..setup()
        };
        let b2 = bill(&twice, &prices(), 10.0);
        assert_eq!(b2.suites, 5000);
        assert!((b2.money - 910.0).abs() < 1e-9 && (b2.hours - 100.0).abs() < 1e-9);
    }

    #[test]
    fn controls_needed_as_worked_by_hand() {
        // 10,000 control answers of 100 annotators who all do the same: 100 each.
        let even = Population {
            activity_sd: 0.0,
            mae: 7.0,
            spread: 1.4,
            ..Population::default()
        };
        let needs = control_needs(&even, &setup());
        for shown in [
            needs.shown_mean,
            needs.shown_median,
            needs.shown_nine_in_ten,
            needs.shown_most,
        ] {
            assert!((shown - 100.0).abs() < 1e-6, "{needs:?}");
        }
        // (0.82·7/1.4)² = 16.81 controls until half is real, four times as many until four fifths are.
        assert!(
            (needs.for_half - 16.81).abs() < 1e-9 && (needs.for_four_fifths - 67.24).abs() < 1e-9
        );
        assert!((needs.reliability - 100.0 / 116.81).abs() < 1e-9);
        assert!((needs.mae_error - 0.082).abs() < 1e-12);
        assert_eq!(needs.suites_without_repeats, Some(500));
    }

    #[test]
    fn a_few_do_most_of_the_work_and_nobody_more_than_there_is() {
        let needs = control_needs(&Population::default(), &setup());
        assert!(needs.shown_median < 0.6 * needs.shown_mean, "{needs:?}");
        assert!(needs.shown_most > 5.0 * needs.shown_mean && needs.shown_most <= 1000.0);
        let small = Setup {
            items: 60,
            overlap: 100,
            ..setup()
        };
        // Everybody must vote on everything.
        let needs = control_needs(&Population::default(), &small);
        assert!((needs.shown_most - 10.0).abs() < 1e-6 && (needs.shown_median - 10.0).abs() < 1e-3);
    }

    #[test]
    fn what_cannot_be_asked_is_refused_by_name() {
        let bad = |change: fn(&mut Setup), word: &str| {
            let mut other = setup();
            change(&mut other);
            let text = other.check().unwrap_err().to_string();
            assert!(text.contains(word), "{text}");
        };
        assert!(setup().check().is_ok());
        bad(|s| s.items = 0, "items");
        bad(|s| s.overlap = 0, "overlap");
        bad(|s| s.overlap = 101, "overlap");
        bad(|s| s.real = 0, "real");
        bad(|s| s.controls = 0, "controls");
        let negative = Prices {
            fee: -0.1,
            ..prices()
        };
        assert!(negative.check().unwrap_err().to_string().contains("fee"));
    }
}
