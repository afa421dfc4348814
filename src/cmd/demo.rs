//! `veche demo`: the whole loop in one command, on drawn faces or on your own pictures.

use super::{aggregate, init, input::VotesArgs, simulate};
use crate::{
    Problem, Result, assemble,
    config::{self, Project},
    files::{Table, write_atomically},
    labels::{Counting, Labels, Method, Rows, bake_off, labels, settings},
    pictures::{RenderSpec, faces::draw_face, render},
    pool::build,
    problem,
    study::Study,
};
use rand::RngExt;
use rayon::prelude::*;
use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};
use veche_analysis::aggregation::{NumberMethod, bakeoff::BakeoffSettings};
use veche_pools::{PixelBox, banning::Verdict, random};

/// Run the whole loop: pool, votes, scores, bans, methods, labels, report
///
/// Without further arguments the pictures are drawn faces whose age shows in proportions, wrinkles and grey hair, and the
/// annotators are simulated. With --items and --controls the pictures are yours; the annotators are still simulated.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche demo\n  veche demo --out /tmp/demo --seed 7\n  \
    veche demo --items photos --controls known.csv --control-path '{face_id}_03.jpg'"
)]
pub struct Args {
    /// Folder to work in; made anew each time
    #[arg(long, default_value = "veche-demo")]
    pub out: PathBuf,
    /// Seed of everything
    #[arg(long, default_value_t = 2026)]
    pub seed: u64,
    /// Annotators
    #[arg(long, default_value_t = 50)]
    pub annotators: u32,
    /// Share of annotators who do not look at all
    #[arg(long, default_value_t = 0.1)]
    pub bots: f64,
    /// Your own items: a folder of pictures
    #[arg(long, requires = "controls")]
    pub items: Option<PathBuf>,
    /// Your own controls: a table with file, age and sex
    #[arg(long, requires = "items")]
    pub controls: Option<PathBuf>,
    /// Column, or template with {columns}, that names the controls' pictures
    #[arg(long, requires = "controls")]
    pub control_path: Option<String>,
    /// Leave bad rows and pictures out and count them
    #[arg(long)]
    pub skip_bad_rows: bool,
}

/// The file that says "this folder is a demo", so that nothing else is ever removed.
const MARKER: &str = "demo.json";
const ITEMS: usize = 600;
const CONTROLS: usize = 120;

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    if !(0.0..1.0).contains(&args.bots) {
        return problem("--bots is a share, 0 up to 1")
            .value(args.bots.to_string())
            .fail();
    }
    if args.seed > i64::MAX as u64 {
        return problem("a seed must be below 2^63")
            .value(args.seed.to_string())
            .fail();
    }
    prepare(&args.out)?;
    let campaign = match (&args.items, &args.controls) {
        (Some(items), Some(controls)) => own_campaign(args, items, controls)?,
        _ => {
            step("drawing", &format!("{} faces", ITEMS + CONTROLS));
            draw(&args.out, args.seed)?;
            drawn_campaign(args.seed)
        }
    };
    write_atomically(args.out.join(config::FILE), |w| {
        w.write_all(campaign.as_bytes())
    })?;
    let project = Project::open(&args.out)?;

    step(
        "pool",
        "suites with hidden controls, pictures rendered alike",
    );
    let options = build::Options {
        pictures: true,
        skip_bad_rows: args.skip_bad_rows,
        orphan_votes: false,
        merge: false,
        progress: &super::progress,
    };
    let summary = build::build(&project, &options)?;
    for warning in summary.warnings() {
        super::warn(&warning);
    }
    super::note(super::pool::describe(&summary).trim_end());

    step("votes", "of simulated annotators, some of whom do not look");
    let spec = simulate::crowd(&project, args.annotators)?.with_bots(args.bots);
    let done = simulate::simulate(&project, spec, None, None)?;
    super::note(&format!(
        "{} SIMULATED annotators answered {} suites: {} answers",
        done.annotators, done.suites, done.votes
    ));

    step("scores and bans", "from the hidden controls");
    let study = VotesArgs::campaign(&args.out).open()?;
    let verdicts = study.judge(study.rules())?;
    let counting = Counting {
        policy: study.policy(),
        verdicts: &verdicts,
    };
    let banned = verdicts
        .iter()
        .filter(|v| matches!(v, Verdict::Banned { .. }))
        .count();
    super::note(&format!(
        "{banned} of {} annotators banned; {} of {} answers left out of the labels",
        study.annotators.len(),
        counting.left_out(&study),
        study.votes.len()
    ));

    step(
        "methods",
        "compared on the controls, each without its own truth",
    );
    let mut text = String::new();
    for question in 0..study.questions.len() {
        if study.truths[question].iter().all(Option::is_none) {
            continue;
        }
        let bakeoff = BakeoffSettings::default();
        let rows = bake_off(
            &study,
            question,
            None,
            &settings(&study),
            &bakeoff,
            counting,
        )?;
        text += &super::methods::as_text(&study, question, &rows);
        text.push('\n');
        if let Rows::Numbers(rows) = &rows {
            text += &drawn_truth(&study, question, counting, rows.iter().map(|r| r.method))?;
        }
    }
    super::print(&text);

    step("labels and report", "");
    let labels = project.out_dir().join("labels.csv");
    aggregate::of_study(&study, &aggregate::Args::of_campaign(&args.out, labels))?;
    let report = project.out_dir().join("report.html");
    assemble::write_report(&study, &report, "veche demo")?;
    super::note(&format!(
        "done in {:.1} s; open the report in a browser:",
        start.elapsed().as_secs_f64()
    ));
    let shown = report.canonicalize().unwrap_or(report);
    super::print(&format!("{}\n", shown.display()));
    Ok(())
}

fn path_text(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) => Ok(text),
        None => problem("this path is not UTF-8").file(path).fail(),
    }
}

fn step(name: &str, what: &str) {
    let dash = if what.is_empty() { "" } else { ": " };
    super::note(&format!("\n== {name}{dash}{what}"));
}

/// An empty folder to work in. What is there is removed only if an earlier demo made it.
fn prepare(dir: &Path) -> Result<()> {
    let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied && !dir.join(MARKER).is_file() {
        return problem("this folder holds something else than a demo")
            .file(dir)
            .hint("choose another one with --out")
            .fail();
    }
    if occupied {
        fs::remove_dir_all(dir).map_err(|e| Problem::io("remove the old demo", dir, &e))?;
    }
    fs::create_dir_all(dir).map_err(|e| Problem::io("make the folder", dir, &e))?;
    let version = format!("{{\"veche\": \"{}\"}}\n", env!("CARGO_PKG_VERSION"));
    write_atomically(dir.join(MARKER), |w| w.write_all(version.as_bytes()))
}

/// One drawn person, and how the camera was held.
struct Person {
    age: u32,
    female: bool,
    look: u64,
    frame: [f64; 3],
}

impl Person {
    /// A square of 80 to 100 % of the picture, somewhere in it: no two photos are framed alike.
    fn framing(&self, size: f64) -> PixelBox {
        let [zoom, x, y] = self.frame;
        let side = size * (0.8 + 0.2 * zoom);
        let (x0, y0) = ((size - side) * x, (size - side) * y);
        PixelBox {
            x0,
            y0,
            x1: x0 + side,
            y1: y0 + side,
        }
    }
}

/// Draws items and controls with known ages and sexes.
fn draw(dir: &Path, seed: u64) -> Result<()> {
    let spec = RenderSpec {
        longest_side: 512,
        quality: 92,
        margin: 0.0,
    };
    let bar = super::progress((ITEMS + CONTROLS) as u64, "faces");
    for (what, n) in [("items", ITEMS), ("controls", CONTROLS)] {
        let folder = dir.join(what);
        fs::create_dir_all(&folder).map_err(|e| Problem::io("make the folder", &folder, &e))?;
        let mut dice = random::stream(seed, &format!("drawn {what}"));
        let people: Vec<Person> = (0..n)
            .map(|_| Person {
                age: dice.random_range(1..=85),
                female: dice.random(),
                look: dice.random(),
                frame: [dice.random(), dice.random(), dice.random()],
            })
            .collect();
        people
            .par_iter()
            .enumerate()
            .try_for_each(|(i, person)| -> Result<()> {
                let face = draw_face(f64::from(person.age), person.female, person.look, 560);
                let bytes = render(&face, Some(person.framing(560.0)), &spec)
                    .map_err(|e| problem(e.to_string()))?;
                let path = folder.join(format!("face-{i:04}.jpg"));
                fs::write(&path, bytes).map_err(|e| Problem::io("write", &path, &e))?;
                bar.inc(1);
                Ok(())
            })?;
        let mut table = String::from("file,age,gender\n");
        for (i, person) in people.iter().enumerate() {
            let sex = if person.female { "female" } else { "male" };
            let _ = writeln!(table, "{what}/face-{i:04}.jpg,{},{sex}", person.age);
        }
        write_atomically(dir.join(format!("{what}.csv")), |w| {
            w.write_all(table.as_bytes())
        })?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn drawn_campaign(seed: u64) -> String {
    let truth = "# The faces are drawn, so their ages are known; only the simulated annotators look at this.\n\
                 simulated_truth = { age = \"age\", sex = \"gender\" }";
    init::text("veche demo: age and sex of drawn faces", seed)
        .replace("source = \"items\" ", "source = \"items.csv\" ")
        .replace("# path = \"file\" ", &format!("{truth}\npath = \"file\" "))
}

/// A campaign on the user's pictures: columns are found by their usual names.
fn own_campaign(args: &Args, items: &Path, controls: &Path) -> Result<String> {
    let table = Table::read(controls)?;
    let first = |names: &[&'static str]| names.iter().find(|n| table.find(n).is_some()).copied();
    let age = first(&["age", "real_age", "face_age", "truth"]);
    let sex = first(&["gender", "sex", "face_gender"]);
    let path = match &args.control_path {
        Some(path) => path.clone(),
        None => match first(&["file", "path", "filename", "img_name", "image"]) {
            Some(path) => path.to_owned(),
            None => {
                return problem("no column names the controls' pictures")
                    .file(controls)
                    .hint("say which: --control-path COLUMN, or a template such as '{face_id}_03.jpg'")
                    .fail();
            }
        },
    };
    let Some(age) = age else {
        return problem("no column holds the controls' ages")
            .file(controls)
            .hint("call it `age`; for other questions make a campaign with `veche init`")
            .fail();
    };
    let absolute = |p: &Path| -> Result<String> {
        let found = p.canonicalize().map_err(|e| Problem::io("find", p, &e))?;
        Ok(toml::Value::String(path_text(&found)?.to_owned()).to_string())
    };
    let mut text = init::text("veche demo on your own pictures", args.seed)
        .replace(
            "source = \"items\" ",
            &format!("source = {} ", absolute(items)?),
        )
        .replace(
            "source = \"controls.csv\" ",
            &format!("source = {} ", absolute(controls)?),
        )
        .replace(
            "\npath = \"file\" ",
            &format!("\npath = {} ", toml::Value::String(path)),
        )
        .replace("age = \"age\"\n", &format!("age = \"{age}\"\n"));
    text = match sex {
        Some(sex) => text.replace("sex = \"gender\"\n", &format!("sex = \"{sex}\"\n")),
        None => text.replace("sex = \"gender\"\n", ""),
    };
    Ok(text)
}

/// How far the labels of the items are off, which only a demo can know: its faces are drawn.
fn drawn_truth(
    study: &Study,
    question: usize,
    counting: Counting<'_>,
    methods: impl Iterator<Item = NumberMethod>,
) -> Result<String> {
    let Some(pool) = &study.pool else {
        return Ok(String::new());
    };
    if pool.simulated_truths.is_empty() {
        return Ok(String::new());
    }
    let truth = |i: usize| {
        pool.simulated_truths[i]
            .get(question)
            .copied()
            .flatten()?
            .number()
    };
    let mut rows = vec![["method", "MAE on the items"].map(str::to_owned).to_vec()];
    for method in methods {
        let method = Method::Number(method, settings(study));
        let Labels::Numbers(result) = labels(study, question, method, counting)? else {
            continue;
        };
        let errors: Vec<f64> = (0..pool.len())
            .filter(|&i| !pool.is_control(i))
            .filter_map(|i| Some((result.estimates[i]?.value - truth(i)?).abs()))
            .collect();
        if !errors.is_empty() {
            let mae = errors.iter().sum::<f64>() / errors.len() as f64;
            rows.push(vec![method.name().to_owned(), format!("{mae:.3}")]);
        }
    }
    Ok(format!(
        "the same on the items themselves, whose ages are known here because they are drawn\n{}\n",
        super::table(&rows)
    ))
}
