//! A plan in words.

use super::Report;
use std::fmt::Write as _;

/// A number with as many decimals as it needs: three significant digits.
fn short(x: f64) -> String {
    if !x.is_finite() {
        return "–".into();
    }
    let decimals = match x.abs() {
        a if a >= 100.0 => 0,
        a if a >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{x:.decimals$}");
    match text.split_once('.') {
        Some((whole, rest)) => format!("{}.{rest}", grouped(whole)),
        None => grouped(&text),
    }
}

/// Thousands separated by commas.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |d| ("-", d));
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn count(n: u64) -> String {
    grouped(&n.to_string())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The whole answer as text.
pub(super) fn text(r: &Report, advice: &[String]) -> String {
    let unit = if r.unit.is_empty() {
        String::new()
    } else {
        format!(" {}", r.unit)
    };
    let mut out = String::new();
    let s = &r.setup;
    if r.simulated_pilot {
        out += "The pilot's votes are SIMULATED.\n";
    }
    let p = &r.population;
    let _ = writeln!(
        out,
        "plan: {} items, {} votes each, {} annotators, suites of {}+{}, labels by {}\n\
         annotators: MAE {}{unit} (they differ by {}), shared error {}{unit}, {} bots{}\n",
        count(s.items),
        s.overlap,
        count(u64::from(s.annotators)),
        s.real,
        s.control,
        r.method,
        short(p.mae),
        short(p.spread),
        short(p.shared_sd),
        percent(p.bots),
        match &r.pilot {
            Some(pilot) => format!(
                "; measured on {} answers of {} annotators to {} controls",
                count(pilot.answers as u64),
                pilot.honest,
                pilot.controls
            ),
            None => String::new(),
        }
    );
    let money = r.prices.suite_pay > 0.0;
    let mut head = vec!["votes per item", "error", "interval", "hours"];
    if money {
        head.push("money");
    }
    head.push("");
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for (prediction, bill) in &r.curve {
        let mut row = vec![
            short(prediction.votes_per_item)
                .trim_end_matches(".00")
                .trim_end_matches(".0")
                .to_owned(),
            format!("{:.2}", prediction.error),
            format!(
                "{:.2}–{:.2}",
                prediction.interval.low, prediction.interval.high
            ),
            short(bill.hours),
        ];
        if money {
            row.push(short(bill.money));
        }
        row.push(if prediction == &r.prediction {
            "← the plan".into()
        } else {
            String::new()
        });
        rows.push(row);
    }
    out += &crate::cmd::table(&rows);
    out.push('\n');
    for line in advice {
        let _ = writeln!(out, "- {line}");
    }
    out
}

/// What follows from the figures, in sentences.
pub(super) fn advice(r: &Report) -> Vec<String> {
    let unit = if r.unit.is_empty() {
        String::new()
    } else {
        format!(" {}", r.unit)
    };
    let (s, p, b, c) = (&r.setup, &r.prediction, &r.bill, &r.controls);
    let money = |amount: f64| short(amount);
    let paid = r.prices.suite_pay > 0.0;
    let cost = |bill: &veche_analysis::planning::Bill| {
        if paid {
            format!(
                "{} in money, {} hours of work",
                money(bill.money),
                short(bill.hours)
            )
        } else {
            format!("{} hours of work", short(bill.hours))
        }
    };
    let mut all = vec![format!(
        "Labels will be off by {:.2}{unit} on average ({:.2} to {:.2} in {:.0} of 100 such campaigns; simulated, Monte-Carlo error {:.2}). \
         Equal annotators without bots, by the closed formula: {:.2}.",
        p.error,
        p.interval.low,
        p.interval.high,
        100.0 * r.level,
        p.simulation_se,
        p.formula
    )];
    all.push(format!(
        "It takes {} suites with {} votes and {} answers to controls: {}, {} hours per annotator on average.",
        count(b.suites),
        count(b.votes),
        count(b.control_answers),
        cost(b),
        short(b.hours_each)
    ));
    all.push(match r.stops_helping {
        Some(votes) => format!(
            "More than {} votes per item hardly help; however many there are, averages of such annotators stay above {:.2}{unit}, \
             0.798 times the error that all share.",
            short(votes).trim_end_matches(".00").trim_end_matches(".0"),
            r.floor
        ),
        None => format!(
            "More votes help as far as was looked; however many there are, averages of such annotators stay above {:.2}{unit}, 0.798 \
             times the error that all share.",
            r.floor
        ),
    });
    if let Some(target) = r.target {
        all.push(match &r.cheapest {
            Some(found) => format!(
                "For an error of {target}{unit} the least expensive way tried is {} votes per item in suites of {}+{}: expected \
                 {:.2}{unit}, {}.",
                found.setup.overlap,
                found.setup.real,
                found.setup.control,
                found.prediction.error,
                cost(&found.bill)
            ),
            None if target <= r.floor => format!(
                "An error of {target}{unit} cannot be reached by any number of votes: the floor is {:.2}{unit}. Only annotators \
                 or pictures with less shared error help.",
                r.floor
            ),
            None => format!(
                "An error of {target}{unit} is not reached by up to 60 votes per item from {} annotators. Try another --method, \
                 or better annotators.",
                s.annotators
            ),
        });
    }
    if s.control > 0 {
        all.push(format!(
            "An annotator meets {} controls on average, the busiest about {}; as many different ones are needed so that nobody \
             meets one twice.{}",
            short(c.shown_mean),
            short(c.shown_most.ceil()),
            match c.suites_without_repeats {
                Some(most) if f64::from(s.controls) < c.shown_most => format!(
                    " There are {}: limit annotators to {} suites each, or add controls.",
                    count(u64::from(s.controls)),
                    count(most)
                ),
                _ => format!(" There are {}: enough.", count(u64::from(s.controls))),
            }
        ));
        all.push(format!(
            "Scores: after {} controls a measured MAE is known to ±{:.0} %, and {:.0} % of the differences between annotators are \
             real; half would be after {:.0} controls, four fifths after {:.0}.",
            short(c.shown_mean),
            100.0 * c.mae_error,
            100.0 * c.reliability,
            c.for_half.ceil(),
            c.for_four_fifths.ceil()
        ));
    }
    if r.bans.rules.is_empty() {
        all.push(format!(
            "Nobody is banned: {} of the votes are of annotators who do not look.",
            percent(p.bot_votes)
        ));
    } else if r.population.bots > 0.0 {
        let until = match (r.bans.controls_until_caught, r.bans.money_until_caught) {
            (Some(n), Some(m)) if paid => {
                format!(
                    " after {} controls on average, by when one has cost {}",
                    short(n),
                    money(m)
                )
            }
            (Some(n), _) => format!(" after {} controls on average", short(n)),
            _ => String::new(),
        };
        all.push(format!(
            "Bans ({}): {} of bots are found out{until}; {} of all votes are theirs{}, {} of all votes are lost by bans, and {} of \
             honest annotators are banned by mistake.",
            r.bans.rules,
            percent(r.bans.bots_caught),
            percent(p.bot_votes),
            if paid { format!(" ({})", money(r.bans.money_for_bots)) } else { String::new() },
            percent(p.lost_votes),
            percent(r.bans.honest_banned)
        ));
    }
    if p.without_label > 0.0005 {
        all.push(format!(
            "{} of items would be left without a vote that counts.",
            percent(p.without_label)
        ));
    }
    if let Some(a) = &r.adaptive {
        let q = &a.stopped.prediction;
        let beside = match a.fixed_error {
            Some(fixed) => format!(
                ", where a fixed overlap of as many votes has {fixed:.2}{unit} ({:+.1} %)",
                100.0 * (q.error / fixed - 1.0)
            ),
            None => String::new(),
        };
        all.push(format!(
            "Adaptive overlap: if an item stops at a standard error of {:.2}{unit} (at least 3 votes, at most {}), it gets {} \
             votes on average ({}) and labels are off by {:.2}{unit}{beside}.{}",
            a.stopped.target_se,
            a.stopped.most_votes,
            short(q.votes_per_item),
            cost(&a.bill),
            q.error,
            if a.stopped.not_reached > 0.005 {
                format!(" {} of items end without having reached it.", percent(a.stopped.not_reached))
            } else {
                String::new()
            }
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_thousands_are_separated() {
        assert_eq!(short(1234.5), "1,234");
        assert_eq!(short(12.345), "12.3");
        assert_eq!(short(0.5), "0.50");
        assert_eq!(short(-1234567.0), "-1,234,567");
        assert_eq!(short(f64::INFINITY), "–");
        assert_eq!(count(999), "999");
    }
}
