//! `veche bench serve`: the annotation server under load, beside the bare database.

mod bare;
mod load;
mod scaling;
mod servers;

use crate::{Result, problem};
use load::Load;
use serde::Serialize;
use servers::{Campaign, Scratch, Servers};
use std::time::Duration;

/// Suites per second of the server under load, beside what its database does without it
///
/// Starts `veche serve` on 127.0.0.1, lets annotators ask for suites and submit them without a pause, and in the same run has the
/// bare database do equivalent durable transactions, one for each suite given and one for each submitted. Then suites arrive at a
/// steady rate, and their times count from the moment at which they were due. At the end the votes are checked. All traffic stays
/// on this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veche bench serve\n  \
    veche bench serve --database postgres://veche@127.0.0.1/postgres --servers 2\n  \
    veche bench serve --seconds 0 --rate 0 --sizes 10000,100000,1000000,5000000")]
pub struct Args {
    /// Annotators at once
    #[arg(long, default_value_t = 1000)]
    pub annotators: usize,
    /// Seconds of load without a pause; 0: none
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Suites per second at a steady rate; 0: none
    #[arg(long, default_value_t = 100)]
    pub rate: u32,
    /// Seconds at the steady rate
    #[arg(long, default_value_t = 20)]
    pub rate_seconds: u64,
    /// Seconds of the bare database, before the load and again after it
    #[arg(long, default_value_t = 5)]
    pub bare_seconds: u64,
    /// Tasks in the pool
    #[arg(long, default_value_t = 100_000)]
    pub tasks: usize,
    /// Servers that share the database; more than one needs --database
    #[arg(long, default_value_t = 1)]
    pub servers: usize,
    /// PostgreSQL to measure instead of SQLite; databases named veche_bench_… are made in it and removed again
    #[arg(long, hide_env_values = true)]
    pub database: Option<String>,
    /// Also measure the time of the next suite in pools of these many tasks, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub sizes: Vec<usize>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What was measured.
#[derive(Debug, Default, Serialize)]
struct Report {
    engine: String,
    settings: String,
    annotators: usize,
    servers: usize,
    tasks: usize,
    /// Without a pause.
    load: Option<Load>,
    /// At a steady rate.
    steady: Option<Load>,
    /// Bare transactions per second.
    bare: Option<bare::Bare>,
    /// Two durable answers per suite, over the bare database's transactions.
    share_of_bare: Option<f64>,
    /// What is wrong with the stored votes; empty where all holds.
    broken: Vec<String>,
    acknowledged: u64,
    sizes: Vec<scaling::Size>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    if args.servers == 0 || args.annotators == 0 {
        return problem("--servers and --annotators are at least 1").fail();
    }
    if args.servers > 1 && args.database.is_none() {
        return problem("several servers need a database that they can share")
            .hint("name a PostgreSQL with --database, or leave --servers at 1")
            .fail();
    }
    crate::cmd::serve::runtime()?.block_on(measure(args))
}

async fn measure(args: &Args) -> Result<()> {
    let dir = tempfile::Builder::new()
        .prefix("veche-bench-")
        .tempdir_in(".")
        .map_err(|e| crate::Problem::io("make a folder in", ".", &e))?;
    let scratch = Scratch::new(args.database.as_deref(), dir.path());
    let mut report = Report {
        engine: scratch.engine().into(),
        settings: scratch.settings().await?,
        annotators: args.annotators,
        servers: args.servers,
        tasks: args.tasks,
        ..Report::default()
    };
    if args.seconds > 0 || args.rate > 0 {
        under_load(args, &scratch, dir.path(), &mut report).await?;
    }
    for &tasks in &args.sizes {
        let url = scratch.make("sizes").await?;
        let size = scaling::measure(&url, tasks).await?;
        super::super::note(&format!(
            "{tasks:>9} tasks: next suite {:.2} ms, 99 % within {:.2} ms",
            size.next_median_ms, size.next_p99_ms
        ));
        report.sizes.push(size);
        scratch.remove(&url).await?;
    }
    if args.json {
        super::super::print_json(&report)?;
    } else {
        super::super::print(&text(&report));
    }
    if report.broken.is_empty() {
        Ok(())
    } else {
        problem(format!(
            "the votes are not as they must be: {}",
            report.broken.join("; ")
        ))
        .fail()
    }
}

async fn under_load(
    args: &Args,
    scratch: &Scratch,
    dir: &std::path::Path,
    report: &mut Report,
) -> Result<()> {
    let say = |what: &str| super::super::note(what);
    say(&format!("a pool of {} tasks", args.tasks));
    let campaign = Campaign::build(dir, args.tasks)?;
    let (url, bare_url) = (scratch.make("load").await?, scratch.make("bare").await?);
    let servers = Servers::start(&campaign, &url, args.servers).await?;
    let bare_time = Duration::from_secs(args.bare_seconds);
    let mut bare = None;
    if args.seconds > 0 && args.bare_seconds > 0 {
        say("the bare database, before");
        let mut made = bare::Bench::new(&bare_url, args.tasks).await?;
        made.run(bare_time).await?;
        bare = Some(made);
    }
    say(&format!("{} annotators sign up", args.annotators));
    let mut annotators = load::sign_up(&servers.addresses, args.annotators).await?;
    if args.seconds > 0 {
        say(&format!("{} s without a pause", args.seconds));
        let load = load::without_pause(&mut annotators, Duration::from_secs(args.seconds)).await;
        report.acknowledged += load.acknowledged;
        report.load = Some(load);
    }
    if let Some(mut made) = bare {
        say("the bare database, after");
        made.run(bare_time).await?;
        let measured = made.result();
        report.share_of_bare = report
            .load
            .as_ref()
            .map(|load| 2.0 * load.suites_per_second / measured.transactions_per_second);
        report.bare = Some(measured);
    }
    if args.rate > 0 {
        say(&format!(
            "{} s at {} suites per second",
            args.rate_seconds, args.rate
        ));
        let steady = load::steady(
            annotators,
            args.rate,
            Duration::from_secs(args.rate_seconds),
        )
        .await;
        report.acknowledged += steady.acknowledged;
        report.steady = Some(steady);
    }
    servers.end()?;
    let store = crate::store::Store::open(&url).await?;
    report.broken = store.broken().await?;
    let stored = store.submitted().await?;
    if (stored as u64) < report.acknowledged {
        report.broken.push(format!(
            "{} suites were acknowledged and {stored} are stored",
            report.acknowledged
        ));
    }
    store.close().await;
    scratch.remove(&url).await?;
    scratch.remove(&bare_url).await
}

/// The report for people.
fn text(report: &Report) -> String {
    let mut rows = vec![
        [
            "",
            "suites/s",
            "errors",
            "next p50 ms",
            "next p99 ms",
            "submit p50 ms",
            "submit p99 ms",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let mut row = |name: String, load: &Load| {
        let ms = |n: f64| format!("{n:.1}");
        rows.push(vec![
            name,
            format!("{:.0}", load.suites_per_second),
            load.errors.to_string(),
            ms(load.next_p50_ms),
            ms(load.next_p99_ms),
            ms(load.submit_p50_ms),
            ms(load.submit_p99_ms),
        ]);
    };
    if let Some(load) = &report.load {
        row(
            format!("{} annotators without a pause", report.annotators),
            load,
        );
    }
    if let Some(steady) = &report.steady {
        row("at a steady rate".into(), steady);
    }
    let mut text = format!(
        "{}, {} server(s), {} tasks; {}\n",
        report.engine, report.servers, report.tasks, report.settings
    );
    if rows.len() > 1 {
        text += &super::super::table(&rows);
    }
    if let (Some(bare), Some(share)) = (&report.bare, report.share_of_bare) {
        text += &format!(
            "bare database: {:.0} transactions per second on {} connection(s); the server's durable answers are {:.2} times as many\n",
            bare.transactions_per_second, bare.connections, share
        );
    }
    if report.acknowledged > 0 {
        let verdict = if report.broken.is_empty() {
            "0 lost, 0 doubled, overlap exceeded 0".to_owned()
        } else {
            report.broken.join("; ")
        };
        text += &format!("{} suites acknowledged: {verdict}\n", report.acknowledged);
    }
    if !report.sizes.is_empty() {
        let mut rows = vec![
            [
                "tasks",
                "next median ms",
                "next p99 ms",
                "submit median ms",
                "loading s",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        for size in &report.sizes {
            rows.push(vec![
                size.tasks.to_string(),
                format!("{:.3}", size.next_median_ms),
                format!("{:.3}", size.next_p99_ms),
                format!("{:.3}", size.submit_median_ms),
                format!("{:.1}", size.loading_seconds),
            ]);
        }
        text += &super::super::table(&rows);
    }
    text
}
