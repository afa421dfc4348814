//! `veche plan`: what accuracy costs, before anybody is paid.
//!
//! Over 600 lines because every figure of the population is an argument with its words; what computes lies in `veche-analysis`.

mod bans;
mod picture;
mod words;

use super::input::{MethodArgs, VotesArgs, need_truth};
use crate::{Result, files::write_atomically, labels, problem, study::Study};
use serde::Serialize;
use std::{io::Write as _, path::PathBuf};
use veche_analysis::{
    aggregation::{NumberMethod, NumberSettings},
    planning::{
        Adaptive, Bans, Bill, Cheapest, ControlNeeds, Effort, Pilot, Plan, Population, Prediction,
        Prices, Setup, Truths, adaptive, bill, cheapest, control_needs, curve, formula, measure,
        predict, stops_helping,
    },
};
use veche_pools::{
    NumberScale, Question, Scale,
    banning::{Context, Policy, Rule, Verdict},
};

pub use bans::{Rules, bans};

/// Say what accuracy costs: expected error of the labels, money, time and controls, before anybody is paid
///
/// From figures, or from a pilot campaign with controls, whose uncertainty goes into the interval. Campaigns are simulated and
/// labelled by the method that will be used. Figures left out are those of the campaign of MiVOLO: ages in years.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche plan --items 10000 --pay 0.05 --suite-seconds 45\n  \
    veche plan --items 500000 --annotators 3000 --target 3.5 --method auto\n  \
    veche plan pilot --items 50000 --pay 0.05 --out plan.svg\n  \
    veche plan votes.csv --truth truth.csv --overlap 8 --json"
)]
pub struct Args {
    /// A pilot: folder of a campaign, or a table of votes; its controls say how good annotators are
    pub pilot: Option<PathBuf>,
    /// Table with known answers: item, truth (for a table of votes)
    #[arg(long, value_name = "FILE", requires = "pilot")]
    pub truth: Option<PathBuf>,
    /// Which question of the pilot
    #[arg(long, requires = "pilot")]
    pub question: Option<String>,
    /// Items to be labelled [default: 10000, or as in the pilot]
    #[arg(long)]
    pub items: Option<u64>,
    /// Annotators who take part [default: 200, or as in the pilot]
    #[arg(long)]
    pub annotators: Option<u32>,
    /// Votes bought per item [default: 10, or the campaign's]
    #[arg(long)]
    pub overlap: Option<u32>,
    /// Real tasks and controls of a suite, such as 6+1 [default: 6+1, or the campaign's]
    #[arg(long, value_name = "REAL+CONTROL")]
    pub control_share: Option<String>,
    /// Different controls there are [default: 500, or as in the pilot]
    #[arg(long)]
    pub controls: Option<u32>,
    /// Annotators' mean absolute error, and after a comma how much they differ (standard deviation): 7.22,1.4
    #[arg(long, value_name = "MAE[,SPREAD]")]
    pub annotator_mae: Option<String>,
    /// Standard deviation of the error that all annotators share on an item [default: 3, or as in the pilot]
    #[arg(long, value_name = "TAU")]
    pub tau: Option<f64>,
    /// How much answers are drawn to the middle of the truths: 0.08 is 0.8 of every 10 [default: 0, or as in the pilot]
    #[arg(long)]
    pub pull: Option<f64>,
    /// Share of annotators who do not look, 0 up to 1 [default: 0.05, or as in the pilot]
    #[arg(long)]
    pub bots: Option<f64>,
    /// Ends of the scale, where there is no pilot
    #[arg(
        long,
        default_value = "0..120",
        value_name = "FROM..TO",
        conflicts_with = "pilot"
    )]
    pub scale: String,
    /// Where true values lie [default: 1..80 on 0..120; on another scale all of it]
    #[arg(long, value_name = "FROM..TO", conflicts_with = "pilot")]
    pub truths: Option<String>,
    /// Unit of the question, where there is no pilot
    #[arg(long, default_value = "years", conflicts_with = "pilot")]
    pub unit: String,
    /// Paid to the annotator per suite, in any currency
    #[arg(long, default_value_t = 0.0)]
    pub pay: f64,
    /// The platform's fee as a share of the pay: 0.3 is 30 %
    #[arg(long, default_value_t = 0.0)]
    pub fee: f64,
    /// Seconds a suite takes [default: 7 per task]
    #[arg(long, value_name = "SECONDS")]
    pub suite_seconds: Option<f64>,
    /// How votes become labels, a method for numbers [default: exp-mae, or the campaign's]
    #[arg(long)]
    pub method: Option<String>,
    #[command(flatten)]
    settings: MethodArgs,
    /// Plan without any ban [default: the sequential test, or the pilot campaign's rules]
    #[arg(long)]
    pub no_ban: bool,
    /// Find the least expensive overlap and share of controls for this error of the labels
    #[arg(long, value_name = "ERROR")]
    pub target: Option<f64>,
    /// Votes stop helping where one per cent more money lowers the error by less than so many per cent
    #[arg(long, default_value_t = 0.1)]
    pub worth: f64,
    /// Seed of the simulation
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
    /// Draw error against cost: .svg, or .html with the words beside it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Everything that is planned with.
struct Brief {
    plan: Plan,
    prices: Prices,
    unit: String,
    pilot: Option<Pilot>,
    rules: String,
    simulated: bool,
}

/// What a plan says; printed as words, as JSON, and as a picture.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Unit of all errors.
    pub unit: String,
    /// Method by which labels are made.
    pub method: &'static str,
    /// Whether the pilot's votes are of simulated annotators.
    pub simulated_pilot: bool,
    /// Level of the intervals.
    pub level: f64,
    /// What is asked.
    pub setup: Setup,
    /// What it costs per suite.
    pub prices: Prices,
    /// Who votes.
    pub population: Population,
    /// What the pilot measured; none without one.
    pub pilot: Option<Pilot>,
    /// The error that no number of votes gets below: 0.798·τ.
    pub floor: f64,
    /// The plan.
    pub prediction: Prediction,
    /// What it takes.
    pub bill: Bill,
    /// Controls it needs.
    pub controls: ControlNeeds,
    /// What the ban rules do.
    pub bans: BanEffect,
    /// Other overlaps, with their bills.
    pub curve: Vec<(Prediction, Bill)>,
    /// Votes per item from which on more of them hardly help; none if they help up to the end of the curve.
    pub stops_helping: Option<f64>,
    /// The error asked for.
    pub target: Option<f64>,
    /// The least expensive way to it; none where nothing reaches it.
    pub cheapest: Option<Cheapest>,
    /// Stopping each item when its standard error is small enough.
    pub adaptive: Option<AdaptiveEffect>,
}

/// What the ban rules do to bots and to honest annotators.
#[derive(Debug, Clone, Serialize)]
pub struct BanEffect {
    /// The rules by name.
    pub rules: String,
    /// Share of bots found out in the end.
    pub bots_caught: f64,
    /// Mean controls until then.
    pub controls_until_caught: Option<f64>,
    /// Money until then, fee included.
    pub money_until_caught: Option<f64>,
    /// Share of honest annotators banned by mistake (within 60 controls).
    pub honest_banned: f64,
    /// Money paid for votes of bots.
    pub money_for_bots: f64,
}

/// Adaptive overlap beside the fixed one.
#[derive(Debug, Clone, Serialize)]
pub struct AdaptiveEffect {
    /// What stopping early gives.
    pub stopped: Adaptive,
    /// What it takes.
    pub bill: Bill,
    /// The error of a fixed overlap with as many votes in all, read off the curve.
    pub fixed_error: Option<f64>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let format = match &args.out {
        Some(path) => Some((path, picture::Format::of(path)?)),
        None => None,
    };
    let brief = match &args.pilot {
        Some(_) => with_pilot(args)?,
        None => without_pilot(args)?,
    };
    let report = report(args, &brief)?;
    let advice = words::advice(&report);
    if let Some((path, format)) = format {
        let page = picture::draw(&report, &advice, format);
        write_atomically(path, |w| w.write_all(page.as_bytes()))?;
    }
    if args.json {
        return super::print_json(&report);
    }
    super::print(&words::text(&report, &advice));
    Ok(())
}

fn report(args: &Args, brief: &Brief) -> Result<Report> {
    let Brief { plan, prices, .. } = brief;
    plan.check()?;
    prices.check()?;
    let ok = args.worth.is_finite() && (0.0..1.0).contains(&args.worth);
    if !ok {
        return problem("--worth is a share, 0 up to 1")
            .value(args.worth.to_string())
            .fail();
    }
    let prediction = predict(plan)?;
    let overlap = plan.setup.overlap;
    let overlaps = overlaps(overlap, plan.setup.annotators);
    let bar = super::progress(overlaps.len() as u64, "simulated");
    let mut predictions = Vec::new();
    for &k in &overlaps {
        predictions.push(match k == overlap {
            true => prediction,
            false => curve(plan, &[k])?[0],
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let found = match args.target {
        // A share of controls that was asked for is kept.
        Some(target) => cheapest(plan, prices, target, args.control_share.is_none())?,
        None => None,
    };
    let bill_of = |p: &Prediction| bill(&plan.setup, prices, p.votes_per_item);
    // The mean error of a normal label is 0.798 of its standard error.
    let target_se = match args.target {
        Some(target) => Some(target / formula::HALF_NORMAL_MEAN),
        None => prediction.label_se,
    };
    let most = (3 * overlap).min(plan.setup.annotators);
    let stopped = match target_se {
        Some(se) if most >= 3 => Some(adaptive(plan, se, most)?),
        _ => None,
    };
    let (caught, until) = plan.bans.bots_summary();
    let suite = prices.suite(&plan.setup);
    let control = f64::from(plan.setup.control.max(1));
    let whole = bill_of(&prediction);
    Ok(Report {
        unit: brief.unit.clone(),
        method: plan.method.name(),
        simulated_pilot: brief.simulated,
        level: plan.settings.level,
        setup: plan.setup,
        prices: *prices,
        population: plan.population.clone(),
        pilot: brief.pilot.clone(),
        floor: formula::floor(plan.population.shared_sd),
        bans: BanEffect {
            rules: brief.rules.clone(),
            bots_caught: caught,
            controls_until_caught: until,
            money_until_caught: until.map(|n| n / control * suite),
            honest_banned: plan.bans.honest.summary().0,
            money_for_bots: whole.money * prediction.bot_votes,
        },
        bill: whole,
        controls: control_needs(&plan.population, &plan.setup),
        stops_helping: stops_helping(&predictions, args.worth),
        adaptive: stopped.map(|stopped| AdaptiveEffect {
            bill: bill_of(&stopped.prediction),
            fixed_error: between(&predictions, stopped.prediction.votes_per_item),
            stopped,
        }),
        curve: predictions.iter().map(|p| (*p, bill_of(p))).collect(),
        prediction,
        target: args.target,
        cheapest: found,
    })
}

/// Overlaps to be simulated: from one vote on by steps of about a quarter, the plan's own among them, to three times as many.
fn overlaps(own: u32, annotators: u32) -> Vec<u32> {
    let most = (3 * own).max(20).min(annotators);
    let mut all: Vec<u32> = vec![
        1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100,
    ];
    all.push(own);
    all.push(most);
    all.retain(|k| *k <= most);
    all.sort_unstable();
    all.dedup();
    all
}

/// The error of a curve at so many votes, between its points along 1/votes; `None` outside it.
fn between(curve: &[Prediction], votes: f64) -> Option<f64> {
    let at = curve.iter().position(|p| p.votes_per_item >= votes)?;
    let (b, a) = (&curve[at], &curve[at.saturating_sub(1)]);
    if at == 0 || b.votes_per_item == a.votes_per_item {
        return (b.votes_per_item == votes).then_some(b.error);
    }
    let along =
        (1.0 / a.votes_per_item - 1.0 / votes) / (1.0 / a.votes_per_item - 1.0 / b.votes_per_item);
    Some(a.error + along * (b.error - a.error))
}

/// Two numbers with something between them.
fn pair(flag: &str, text: &str, between: &str) -> Result<(f64, f64)> {
    let parts = text.split_once(between);
    let numbers = parts.and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    match numbers {
        Some(numbers) => Ok(numbers),
        None => problem(format!("{flag} is two numbers with {between} between them"))
            .value(text)
            .fail(),
    }
}

/// Mean and spread of annotators' MAE; without a spread annotators differ as in the campaign of MiVOLO.
fn mae(text: &str) -> Result<(f64, f64)> {
    if text.contains(',') {
        return pair("--annotator-mae", text, ",");
    }
    match text.trim().parse::<f64>() {
        Ok(mae) => Ok((mae, mae * 1.4 / 7.22)),
        Err(_) => problem("--annotator-mae is a number, or two with a comma between them")
            .value(text)
            .fail(),
    }
}

fn mix(text: &str) -> Result<(u32, u32)> {
    let parts = text.split_once('+');
    let numbers: Option<(u32, u32)> =
        parts.and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    match numbers {
        Some((real, control)) if real > 0 => Ok((real, control)),
        _ => problem("--control-share is real tasks and controls of a suite")
            .value(text)
            .hint("such as 6+1")
            .fail(),
    }
}

/// The population of flags alone.
fn without_pilot(args: &Args) -> Result<Brief> {
    let usual = Population::default();
    let scale = pair("--scale", &args.scale, "..")?;
    let truths = match &args.truths {
        Some(text) => pair("--truths", text, "..")?,
        None if scale == usual.scale => (1.0, 80.0),
        None => scale,
    };
    let (mean, spread) = match &args.annotator_mae {
        Some(text) => mae(text)?,
        None => (usual.mae, usual.spread),
    };
    let population = Population {
        mae: mean,
        spread,
        shared_sd: args.tau.unwrap_or(usual.shared_sd * mean / usual.mae),
        pull: args.pull.unwrap_or(0.0),
        bias_sd: usual.bias_sd * mean / usual.mae,
        bots: args.bots.unwrap_or(usual.bots),
        scale,
        truths: Truths::Evenly(truths.0, truths.1),
        ..usual
    };
    let question = Question {
        name: "answer".into(),
        prompt: "?".into(),
        scale: Scale::Number(NumberScale {
            min: scale.0,
            max: scale.1,
            unit: args.unit.clone(),
            integer: scale.1 - scale.0 >= 50.0,
        }),
    };
    let settings = flags_over(&args.settings, NumberSettings::default())?;
    let rules = if args.no_ban {
        Vec::new()
    } else {
        vec![Rule::sequential()]
    };
    let frame = Frame {
        question: &question,
        population,
        usual: Setup {
            items: 10_000,
            annotators: 200,
            real: 6,
            control: 1,
            overlap: 10,
            controls: 500,
        },
        method: "exp-mae".into(),
        settings,
        rules: &rules,
        policy: Policy::FromTheStart,
        context: None,
        index: 0,
    };
    brief(args, frame, None, false)
}

fn flags_over(flags: &MethodArgs, mut settings: NumberSettings) -> Result<NumberSettings> {
    settings.temperature = flags.temperature.unwrap_or(settings.temperature);
    settings.cap = flags.cap.unwrap_or(settings.cap);
    settings.level = flags.level.unwrap_or(settings.level);
    settings.check()?;
    Ok(settings)
}

/// The population of a pilot, with flags over it.
fn with_pilot(args: &Args) -> Result<Brief> {
    let Some(path) = &args.pilot else {
        return without_pilot(args);
    };
    let study: Study = VotesArgs {
        truth: args.truth.clone(),
        question: args.question.clone(),
        ..VotesArgs::campaign(path)
    }
    .open()?;
    let index = match &args.question {
        Some(name) => study.question(Some(name))?,
        // Of several questions the first number.
        None => study
            .questions
            .iter()
            .position(|q| matches!(q.scale, Scale::Number(_)))
            .unwrap_or(0),
    };
    let question = &study.questions[index];
    let Scale::Number(scale) = &question.scale else {
        return problem("only questions about numbers can be planned yet")
            .column(&question.name)
            .hint("name a number question with --question; for choices try `veche simulate` with several overlaps")
            .fail();
    };
    need_truth(&study, index)?;
    let configured = if study.project.is_some() {
        study.rules().to_vec()
    } else {
        vec![Rule::sequential()]
    };
    let verdicts = study.verdicts(&configured)?;
    let banned: Vec<bool> = verdicts
        .iter()
        .map(|v| matches!(v, Verdict::Banned { .. }))
        .collect();
    let votes = study.number_votes(index, |_| true)?;
    let pilot = measure(
        &votes,
        &study.true_numbers(index),
        &banned,
        (scale.min, scale.max),
    )?;
    let mut population = pilot.population.clone();
    if study.project.is_some() {
        population.low_end = Population::default().low_end;
    }
    if let Some(text) = &args.annotator_mae {
        (population.mae, population.spread) = mae(text)?;
        population.uncertainty.mae_se = 0.0;
        population.uncertainty.spread_se = 0.0;
    }
    if let Some(tau) = args.tau {
        population.shared_sd = tau;
        population.uncertainty.shared_variance_se = 0.0;
    }
    if let Some(bots) = args.bots {
        population.bots = bots;
        population.uncertainty.bots = None;
    }
    population.pull = args.pull.unwrap_or(population.pull);
    let suite = study.project.as_ref().map(|p| &p.campaign.suite);
    let known = |i: usize| study.is_control(i);
    let n_controls = (0..study.items.len()).filter(|&i| known(i)).count();
    let n_items = study.items.len() - n_controls;
    let usual = Setup {
        // A table whose items are all controls has none left to be labelled: plan for as many.
        items: if n_items > 0 { n_items } else { n_controls } as u64,
        annotators: (0..study.annotators.len() as u32)
            .filter(|u| study.votes.iter().any(|v| v.annotator == *u))
            .count() as u32,
        real: suite.map_or(6, |s| s.real as u32),
        control: suite.map_or(1, |s| s.control as u32),
        overlap: suite.map_or(10, |s| s.overlap),
        controls: n_controls as u32,
    };
    let method = study
        .project
        .as_ref()
        .and_then(|p| p.campaign.aggregate.method.get(&question.name).cloned());
    let rules = if args.no_ban { Vec::new() } else { configured };
    let frame = Frame {
        question,
        population,
        usual,
        method: method.unwrap_or_else(|| "exp-mae".into()),
        settings: flags_over(&args.settings, labels::settings(&study))?,
        context: Some(study.context(&rules)?),
        policy: study.policy(),
        rules: &rules,
        index: index as u32,
    };
    brief(args, frame, Some(pilot), study.simulated)
}

/// What is planned where no flag says otherwise.
struct Frame<'a> {
    question: &'a Question,
    population: Population,
    usual: Setup,
    method: String,
    settings: NumberSettings,
    rules: &'a [Rule],
    policy: Policy,
    context: Option<Context>,
    index: u32,
}

fn brief(args: &Args, frame: Frame<'_>, pilot: Option<Pilot>, simulated: bool) -> Result<Brief> {
    let usual = frame.usual;
    let (real, control) = match &args.control_share {
        Some(text) => mix(text)?,
        None => (usual.real, usual.control),
    };
    let setup = Setup {
        items: args.items.unwrap_or(usual.items),
        annotators: args.annotators.unwrap_or(usual.annotators),
        real,
        control,
        overlap: args.overlap.unwrap_or(usual.overlap),
        controls: args.controls.unwrap_or(usual.controls),
    };
    let method = NumberMethod::from_name(args.method.as_deref().unwrap_or(&frame.method))?;
    let tasks = real + control;
    let prices = Prices {
        suite_pay: args.pay,
        suite_tasks: tasks,
        fee: args.fee,
        suite_seconds: args.suite_seconds.unwrap_or(7.0 * f64::from(tasks)),
    };
    // Before bans are simulated from them.
    frame.population.check()?;
    setup.check()?;
    prices.check()?;
    let rules = Rules {
        rules: frame.rules,
        policy: frame.policy,
        context: frame.context,
        index: frame.index,
        real_per_control: setup.real.div_ceil(setup.control.max(1)),
        task_seconds: prices.suite_seconds / f64::from(tasks),
    };
    let bans = if setup.control == 0 {
        Bans::default()
    } else {
        bans(frame.question, &frame.population, &rules, args.seed)?
    };
    let names: Vec<String> = frame.rules.iter().map(|r| r.name().to_string()).collect();
    let unit = match &frame.question.scale {
        Scale::Number(scale) => scale.unit.clone(),
        Scale::Choice(_) => String::new(),
    };
    Ok(Brief {
        plan: Plan {
            population: frame.population,
            setup,
            bans,
            method,
            settings: frame.settings,
            effort: Effort::of(method),
            seed: args.seed,
        },
        prices,
        unit,
        pilot,
        rules: if setup.control == 0 {
            String::new()
        } else {
            names.join(", ")
        },
        simulated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_mixes_are_read_and_what_is_none_is_said() {
        assert_eq!(pair("--scale", "0..120", "..").unwrap(), (0.0, 120.0));
        assert_eq!(pair("--scale", "-1.5 .. 2", "..").unwrap(), (-1.5, 2.0));
        assert!(
            pair("--scale", "7", "..")
                .unwrap_err()
                .to_string()
                .contains("--scale")
        );
        assert_eq!(mae("7.22,1.4").unwrap(), (7.22, 1.4));
        assert!((mae("7.22").unwrap().1 - 1.4).abs() < 1e-9);
        assert!(mae("x").is_err() && mae("1,y").is_err());
        assert_eq!(mix("6+1").unwrap(), (6, 1));
        assert!(mix("0+1").is_err() && mix("6").is_err() && mix("6+-1").is_err());
    }

    #[test]
    fn the_own_overlap_is_on_the_curve_and_nobody_votes_twice() {
        assert_eq!(
            overlaps(7, 200),
            [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 21]
        );
        assert_eq!(overlaps(3, 4), [1, 2, 3, 4]);
    }
}
