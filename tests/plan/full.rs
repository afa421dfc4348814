//! A whole simulated campaign, with none of the planner's code: annotators of `veche_pools::simulation` come and go, suites are
//! mixed for each, bans fall while they work, and the votes that count are labelled by `veche_analysis`.

use veche_analysis::{
    NumberVotes,
    aggregation::{NumberMethod, NumberSettings},
};
use veche_pools::{
    Answer, Mix, NumberScale, Question, Scale, Slot,
    assignment::{Assigner, Settings},
    banning::{Context, History, Judged, Rule, Verdict, decide},
    random,
    simulation::{Arrivals, Crowd, CrowdSpec, Kind},
};

/// One setting of the grid.
#[derive(Debug, Clone)]
pub struct Campaign {
    pub spec: CrowdSpec,
    pub items: u32,
    pub controls: u32,
    pub mix: Mix,
    pub overlap: u32,
    pub rules: Vec<Rule>,
    pub method: NumberMethod,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    pub mae: f64,
    pub lost: f64,
}

pub fn age() -> Question {
    Question {
        name: "age".into(),
        prompt: "How old?".into(),
        scale: Scale::Number(NumberScale {
            min: 0.0,
            max: 120.0,
            unit: "years".into(),
            integer: true,
        }),
    }
}

/// Mean and standard deviation of the honest annotators' expected MAE, in years, and of what all share, as a pilot would
/// measure it: the error of an item (smaller below 24 years) and the pull to the middle, over truths of 1 to 80.
pub fn population_of(campaign: &Campaign, seed: u64) -> (f64, f64, f64) {
    let crowd = Crowd::new(campaign.spec.clone(), vec![age()], seed).unwrap();
    let maes: Vec<f64> = crowd
        .annotators()
        .iter()
        .filter(|a| a.kind.honest())
        .map(|a| 120.0 * a.error)
        .collect();
    let n = maes.len() as f64;
    let mean = maes.iter().sum::<f64>() / n;
    let variance = maes.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / n;
    let spec = &campaign.spec;
    let shared = (1..=80).map(|truth| {
        let place = f64::from(truth) / 120.0;
        let size = (0.4 + 3.0 * place).clamp(0.4, 1.0);
        let pull = spec.regression * (f64::from(truth) - 40.5);
        (size * 120.0 * spec.shared_error).powi(2) + pull * pull
    });
    (mean, variance.sqrt(), (shared.sum::<f64>() / 80.0).sqrt())
}

/// Runs it.
pub fn run(campaign: &Campaign, seed: u64) -> Outcome {
    let n_items = campaign.items as usize;
    let suites = f64::from(campaign.items * campaign.overlap) / campaign.mix.real as f64;
    let spec = CrowdSpec {
        typical_suites: (suites / f64::from(campaign.spec.annotators) / 2.42).max(1.0),
        ..campaign.spec.clone()
    };
    let crowd = Crowd::new(spec, vec![age()], seed).unwrap();
    let context = Context::new(vec![age()]);
    // Items and controls are numbered one after the other.
    let n = n_items + campaign.controls as usize;
    let truths: Vec<Answer> = (0..n as u64).map(|i| crowd.latent_truth(i, 0)).collect();
    let strata: Vec<u32> = (n_items..n)
        .map(|i| (truths[i].number().unwrap() / 10.0) as u32)
        .collect();
    let settings = Settings {
        mix: campaign.mix,
        overlap: campaign.overlap,
        lifetime_seconds: 3600,
    };
    let dice = random::stream(seed, "full simulation");
    let mut assigner = Assigner::new(n_items, &strata, settings, dice).unwrap();
    let mut arrivals = Arrivals::new(&crowd, campaign.mix.size());
    let people = crowd.annotators().len();
    let mut judged: Vec<Vec<Judged>> = vec![Vec::new(); people];
    let (mut done, mut banned) = (vec![0u32; people], vec![false; people]);
    let (mut items, mut annotators, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = people;
    while left > 0 && !assigner.is_complete() {
        let arrival = arrivals.next().unwrap();
        let (who, now) = (arrival.annotator, arrival.seconds as i64);
        let Some(assigned) = assigner.next(who, now) else {
            arrivals.retire(who);
            left -= 1;
            continue;
        };
        let me = who as usize;
        let before = judged[me].len();
        for slot in &assigned.slots {
            let task = match *slot {
                Slot::Item(i) => i,
                Slot::Control(c) => campaign.items + c,
            };
            let truth = truths[task as usize];
            let (answers, _) = crowd
                .answer(who, &[Some(truth)], u64::from(task), done[me])
                .unwrap();
            let value = answers[0].number().unwrap();
            items.push(task);
            annotators.push(who);
            values.push(value);
            if let Slot::Control(control) = *slot {
                judged[me].push(Judged {
                    control,
                    question: 0,
                    error: Some(value - truth.number().unwrap()),
                    correct: None,
                    seconds: None,
                    sequence: done[me],
                });
            }
            done[me] += 1;
        }
        assigner.submit(assigned.assignment, now).unwrap();
        // Beyond 60 controls nobody is found out who was not before.
        if judged[me].len() > before && before < 60 && !campaign.rules.is_empty() {
            let history = History::new(judged[me].clone(), Vec::new());
            let verdict = decide(&campaign.rules, &history, &context).unwrap();
            if matches!(verdict, Verdict::Banned { .. }) {
                banned[me] = true;
                arrivals.retire(who);
                left -= 1;
            }
        }
    }
    assert!(assigner.is_complete(), "the crowd ran out: {campaign:?}");
    let votes = NumberVotes::new(n, people, &items, &annotators, &values).unwrap();
    let counting = votes.filtered(|_, u, _| !banned[u as usize]);
    let on_items = |v: &NumberVotes| (0..n_items).map(|i| v.item(i).1.len()).sum::<usize>();
    let lost = 1.0 - on_items(&counting) as f64 / on_items(&votes) as f64;
    let known: Vec<Option<f64>> = (0..n)
        .map(|i| truths[i].number().filter(|_| i >= n_items))
        .collect();
    let result = campaign
        .method
        .estimate(&counting, &known, &NumberSettings::default())
        .unwrap();
    let errors: Vec<f64> = (0..n_items)
        .filter_map(|i| Some((result.estimates[i]?.value - truths[i].number()?).abs()))
        .collect();
    Outcome {
        mae: errors.iter().sum::<f64>() / errors.len() as f64,
        lost,
    }
}

/// The default crowd with so many bots (random, plausible, constant and half-random as 3 : 1 : 2 : 1), what all share, and how
/// much answers are pulled to the middle.
pub fn crowd(annotators: u32, bots: f64, shared_years: f64, regression: f64) -> CrowdSpec {
    let honest = CrowdSpec::default().honest_only();
    let total: f64 = honest.shares().iter().map(|s| s.1).sum();
    let part = |weight: f64| bots / (1.0 - bots) * total * weight / 7.0;
    let spec = CrowdSpec {
        annotators,
        random: part(3.0),
        plausible: part(1.0),
        constant: part(2.0),
        half_random: part(1.0),
        shared_error: shared_years / 120.0,
        regression,
        ..honest
    };
    let blind = |k: Kind| !k.honest();
    let found: f64 = spec
        .shares()
        .iter()
        .filter(|s| blind(s.0))
        .map(|s| s.1)
        .sum();
    let all: f64 = spec.shares().iter().map(|s| s.1).sum();
    assert!((found / all - bots).abs() < 1e-9);
    spec
}
