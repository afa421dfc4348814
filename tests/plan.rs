//! `veche plan`: its predictions against whole simulated campaigns, and the command from outside.

mod full;

use crate::support::{Dir, data};
use full::{Campaign, age, crowd, population_of};
use rayon::prelude::*;
use veche::cmd::plan::{Rules, bans};
use veche_analysis::{
    aggregation::{NumberMethod, NumberSettings},
    planning::{Effort, Plan, Population, Prediction, Setup, predict},
};
use veche_pools::{
    Mix,
    banning::{Context, Policy, Rule},
};

/// What the planner, told the figures that a pilot would give, says about a campaign.
fn planned(campaign: &Campaign, bots: f64, pull: f64) -> Prediction {
    let (mae, spread, shared_sd) = population_of(campaign, 1);
    let population = Population {
        mae,
        spread,
        shared_sd,
        pull,
        bots,
        ..Population::default()
    };
    let rules = Rules {
        rules: &campaign.rules,
        policy: Policy::FromTheStart,
        context: Some(Context::new(vec![age()])),
        index: 0,
        real_per_control: campaign.mix.real as u32,
        task_seconds: 7.0,
    };
    let bans = bans(&age(), &population, &rules, 1).unwrap();
    predict(&Plan {
        population,
        setup: Setup {
            items: u64::from(campaign.items),
            annotators: campaign.spec.annotators,
            real: campaign.mix.real as u32,
            control: campaign.mix.control as u32,
            overlap: campaign.overlap,
            controls: campaign.controls,
        },
        bans,
        method: campaign.method,
        settings: NumberSettings::default(),
        effort: Effort::of(campaign.method),
        seed: 1,
    })
    .unwrap()
}

#[test]
fn predictions_are_within_five_per_cent_of_full_simulation() {
    use NumberMethod::{ExpMae, InverseMse, Mean, StudentT};
    // Overlap, bots, shared error and pull to the middle of the crowd, whether bans fall, suite, method.
    let grid = [
        (3, 0.0, 0.0, 0.0, true, (6, 1), ExpMae),
        (10, 0.0, 0.0, 0.0, true, (6, 1), ExpMae),
        (5, 0.0, 2.0, 0.0, true, (6, 1), ExpMae),
        (20, 0.0, 4.0, 0.0, false, (6, 1), ExpMae),
        (3, 0.1, 2.0, 0.0, true, (6, 1), ExpMae),
        (10, 0.1, 3.0, 0.08, true, (6, 1), ExpMae),
        (10, 0.1, 3.0, 0.08, false, (6, 1), ExpMae),
        (20, 0.25, 4.0, 0.0, true, (6, 1), ExpMae),
        (5, 0.25, 2.0, 0.08, false, (6, 1), ExpMae),
        (6, 0.25, 4.0, 0.0, true, (4, 1), ExpMae),
        (20, 0.0, 0.0, 0.0, true, (6, 1), Mean),
        (10, 0.1, 3.0, 0.08, true, (6, 1), Mean),
        (3, 0.1, 2.0, 0.0, true, (6, 1), InverseMse),
        (20, 0.25, 0.0, 0.0, false, (9, 1), InverseMse),
        (10, 0.1, 3.0, 0.08, true, (6, 1), StudentT),
        (6, 0.25, 4.0, 0.0, true, (4, 1), StudentT),
    ];
    let mut worst: f64 = 0.0;
    for (overlap, bots, shared, pull, banned, (real, control), method) in grid {
        let campaign = Campaign {
            spec: crowd(150, bots, shared, pull),
            items: 1500,
            controls: 400,
            mix: Mix { real, control },
            overlap,
            rules: if banned {
                vec![Rule::sequential()]
            } else {
                Vec::new()
            },
            method,
        };
        let plan = planned(&campaign, bots, pull);
        let seeds = 30u64;
        let runs: Vec<full::Outcome> = (0..seeds)
            .into_par_iter()
            .map(|s| full::run(&campaign, 100 + s))
            .collect();
        let mean = |f: fn(&full::Outcome) -> f64| runs.iter().map(f).sum::<f64>() / seeds as f64;
        let (mae, lost) = (mean(|r| r.mae), mean(|r| r.lost));
        let ratio = plan.error / mae;
        worst = worst.max((ratio - 1.0).abs());
        println!(
            "{}, {overlap} votes, {bots} bots, tau {shared}, pull {pull}, bans {banned}, {real}+{control}: simulated {mae:.3}, \
             planned {:.3} [{:.2}, {:.2}] ({:+.1} %); lost {lost:.3}, planned {:.3}",
            method.name(),
            plan.error,
            plan.interval.low,
            plan.interval.high,
            100.0 * (ratio - 1.0),
            plan.lost_votes
        );
        assert!((ratio - 1.0).abs() < 0.05, "{campaign:?}: {mae} {plan:?}");
        assert!((plan.lost_votes - lost).abs() < 0.02, "{lost} {plan:?}");
        // The interval is for one campaign at 90 %: it must hold most of these.
        let inside = runs
            .iter()
            .filter(|r| plan.interval.contains(r.mae))
            .count();
        assert!(inside >= 21, "{inside} of 30 in {:?}", plan.interval);
    }
    println!("at worst {:.1} % off", 100.0 * worst);
}

const QUICK: [&str; 9] = [
    "plan",
    "--items",
    "3000",
    "--annotators",
    "60",
    "--overlap",
    "4",
    "--pay",
    "0.07",
];

#[test]
fn a_plan_says_error_money_time_and_controls_and_repeats_itself() {
    let dir = Dir::new();
    let args = [&QUICK[..], &["--fee", "0.3", "--suite-seconds", "36"]].concat();
    let text = dir.ok(&args);
    for word in [
        "votes per item",
        "← the plan",
        "hours",
        "controls on average",
        "Adaptive overlap",
        "0.798",
    ] {
        assert!(text.contains(word), "\"{word}\" is missing in:\n{text}");
    }
    assert_eq!(dir.ok(&args), text);
    let json = dir.json(&[&args[..], &["--json"]].concat());
    // 12,000 votes in suites of 6: 2000 suites at 0.091, 20 hours.
    assert_eq!(json["bill"]["suites"], 2000);
    assert!((json["bill"]["money"].as_f64().unwrap() - 182.0).abs() < 1e-9);
    assert!((json["bill"]["hours"].as_f64().unwrap() - 20.0).abs() < 1e-9);
    let error = json["prediction"]["error"].as_f64().unwrap();
    assert!((3.5..7.0).contains(&error), "{error}");
    assert!(json["bans"]["bots_caught"].as_f64().unwrap() > 0.9);
    let curve = json["curve"].as_array().unwrap();
    let errors: Vec<f64> = curve
        .iter()
        .map(|p| p[0]["error"].as_f64().unwrap())
        .collect();
    assert!(errors.first() > errors.last() && errors.len() > 8);
}

#[test]
fn the_least_expensive_way_to_a_target_is_found_or_said_not_to_exist() {
    let dir = Dir::new();
    let json = dir.json(&[&QUICK[..], &["--target", "4.5", "--json"]].concat());
    let found = &json["cheapest"];
    assert!(
        found["prediction"]["error"].as_f64().unwrap() <= 4.5,
        "{found}"
    );
    let text = dir.ok(&[&QUICK[..], &["--target", "2", "--tau", "4"]].concat());
    assert!(
        text.contains("cannot be reached by any number of votes"),
        "{text}"
    );
}

#[test]
fn a_plan_is_drawn_as_a_picture_or_a_page() {
    let dir = Dir::new();
    dir.ok(&[&QUICK[..], &["--out", "plan.svg"]].concat());
    let svg = dir.read("plan.svg");
    assert!(svg.starts_with("<svg") && svg.contains("expected error") && !svg.contains("NaN"));
    dir.ok(&[&QUICK[..], &["--out", "plan.html"]].concat());
    let page = dir.read("plan.html");
    assert!(
        page.contains("<li>Labels will be off by") && page.contains("<svg"),
        "{page}"
    );
    dir.fails(
        &[&QUICK[..], &["--out", "plan.png"]].concat(),
        &[".svg or .html", "plan.png"],
    );
}

#[test]
fn what_cannot_be_planned_is_said_by_name() {
    let dir = Dir::new();
    let before = dir.snapshot();
    let bad: [(&[&str], &[&str]); 14] = [
        (&["--items", "0"], &["items"]),
        (&["--overlap", "61"], &["overlap", "61"]),
        (&["--bots", "1"], &["bots"]),
        (&["--bots", "NaN"], &["bots"]),
        (&["--tau", "9"], &["shared error", "9"]),
        (&["--annotator-mae", "old"], &["--annotator-mae", "old"]),
        (&["--annotator-mae", "-3"], &["MAE"]),
        (&["--control-share", "six"], &["--control-share", "six"]),
        (&["--control-share", "6+0"], &["known truth"]),
        (&["--scale", "5"], &["--scale"]),
        (&["--scale", "120..0"], &["scale"]),
        (&["--target", "0"], &["target"]),
        (&["--method", "best"], &["best", "exp-mae"]),
        (&["--pay", "inf"], &["pay"]),
    ];
    for (flags, words) in bad {
        let mut args = vec!["plan", "--annotators", "60"];
        let joined: Vec<String> = flags.chunks(2).map(|f| f.join("=")).collect();
        args.extend(joined.iter().map(String::as_str));
        args.extend(["--out", "plan.svg"]);
        dir.fails(&args, words);
    }
    assert_eq!(dir.snapshot(), before);
    // Without controls a method that needs none can be planned.
    let text = dir.ok(&[
        "plan",
        "--annotators=60",
        "--control-share=6+0",
        "--method=mean",
    ]);
    assert!(text.contains("Nobody is banned"), "{text}");
}

#[test]
fn a_pilot_measures_the_annotators() {
    let dir = Dir::new();
    // Forty annotators, thirty controls: everybody misses by 1 to 6, each item by its own 2.
    let mut votes = String::from("annotator,item,value,truth\n");
    for item in 0..30i32 {
        for who in 0..40i32 {
            let shared = if item % 2 == 0 { 2 } else { -2 };
            let own = (item * 7 + who * 11) % 13 - 6;
            votes += &format!(
                "a{who},i{item},{},{}\n",
                40 + item + shared + own,
                40 + item
            );
        }
    }
    dir.write("votes.csv", &votes);
    let json = dir.json(&["plan", "votes.csv", "--no-ban", "--items", "2000", "--json"]);
    let population = &json["population"];
    let figure = |name: &str| population[name].as_f64().unwrap();
    assert!((figure("shared_sd") - 2.0).abs() < 0.4, "{population}");
    assert!((figure("mae") - 3.5).abs() < 0.4, "{population}");
    assert_eq!(json["pilot"]["honest"], 40);
    assert_eq!(json["setup"]["items"], 2000);
    // Doubt about the pilot makes the interval wider than chance alone.
    let width = |j: &serde_json::Value| {
        let i = &j["prediction"]["interval"];
        i["high"].as_f64().unwrap() - i["low"].as_f64().unwrap()
    };
    assert!(width(&json) > 0.0);
    // Without truths, and with labels instead of numbers, nothing can be measured.
    dir.write("bare.csv", "annotator,item,value\na,i,3\nb,i,4\n");
    dir.fails(&["plan", "bare.csv"], &["no answer is known"]);
    dir.write(
        "words.csv",
        "annotator,item,value,truth\na,i,yes,no\nb,i,no,no\n",
    );
    dir.fails(&["plan", "words.csv"], &["numbers"]);
    dir.write(
        "small.csv",
        "annotator,item,value,truth\na,i,3,4\nb,i,4,4\n",
    );
    dir.fails(&["plan", "small.csv"], &["5 annotators"]);
    dir.fails(&["plan", "none.csv"], &["none.csv"]);
}

#[test]
fn a_pilot_on_real_heights_predicts_their_error() {
    let Some(votes) = data("votes/height_cm_mturk.csv") else {
        return;
    };
    let dir = Dir::new();
    let votes = votes.to_str().unwrap();
    let methods = dir.json(&["methods", votes, "--methods", "mean,inverse-mse", "--json"]);
    for row in methods.as_array().unwrap() {
        let (method, real) = (
            row["method"].as_str().unwrap(),
            row["mae"].as_f64().unwrap(),
        );
        // 13,081 votes on 607 items: 21.55 per item, everybody judged on all of his answers.
        let args = [
            "plan",
            votes,
            "--no-ban",
            "--overlap",
            "22",
            "--control-share",
            "1+1",
            "--method",
            method,
            "--json",
        ];
        let json = dir.json(&args);
        let planned = json["prediction"]["error"].as_f64().unwrap();
        println!(
            "{method}: measured {real:.2} cm, planned {planned:.2} {}",
            json["prediction"]["interval"]
        );
        assert!(
            (planned / real - 1.0).abs() < 0.10,
            "{method}: {planned} {real}"
        );
    }
}
