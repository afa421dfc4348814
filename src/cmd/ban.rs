//! `veche ban`: who is banned, by which rule, on which evidence.

use super::{
    explain,
    input::{RuleArgs, VotesArgs},
};
use crate::{
    Result,
    files::{
        toloka_write::{Restriction, Scope, write_restrictions_json},
        write_atomically,
    },
    labels::left_out_by_policy,
    problem,
};
use serde_json::json;
use std::path::PathBuf;
use veche_pools::banning::Verdict;

/// Apply the ban rules to the votes collected so far and write the list of bans
///
/// A ban never deletes a vote: which votes count is decided by the policy when labels are made.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche ban faces\n  veche ban votes.csv --ban-mae 12 --min-controls 8 --out bans.csv"
)]
pub struct Args {
    #[command(flatten)]
    input: VotesArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// List as CSV [default in a campaign: out/bans.csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The same as Toloka user restrictions [default in a campaign: out/bans.toloka.json]
    #[arg(long, value_name = "FILE")]
    toloka: Option<PathBuf>,
    /// Toloka project the restrictions hold in; all projects by default
    #[arg(long, value_name = "ID")]
    project_id: Option<String>,
    /// Show why: the path of every rule's statistic for one annotator
    #[arg(long, value_name = "ANNOTATOR", conflicts_with_all = ["json", "out", "toloka"])]
    explain: Option<String>,
    /// Draw that path as SVG
    #[arg(long, value_name = "FILE", requires = "explain")]
    picture: Option<PathBuf>,
    /// Try other rules on the votes collected: who would have been banned when, and what it does to the labels; nothing is written
    #[arg(long = "rules", value_name = "FILE.toml", conflicts_with_all = ["json", "explain", "out", "toloka"])]
    rules_file: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let study = args.input.open()?;
    let rules = args.rules.rules(&study, args.input.question.as_deref())?;
    if let Some(file) = &args.rules_file {
        let (policy, other) = explain::read_rules(&study, file)?;
        super::print(&explain::replay(
            &study,
            (study.policy(), &rules),
            (policy, &other),
        )?);
        return Ok(());
    }
    if rules.is_empty() {
        return problem("there is no ban rule")
            .hint("add a [[ban.rule]] to campaign.toml, or give --ban-mae ERROR")
            .fail();
    }
    if let Some(annotator) = &args.explain {
        super::print(&explain::explain(
            &study,
            &rules,
            annotator,
            args.picture.as_deref(),
        )?);
        return Ok(());
    }
    let verdicts = study.judge(&rules)?;
    let mut bans = Vec::new();
    for (annotator, verdict) in study.annotators.iter().zip(&verdicts) {
        if let Verdict::Banned {
            rule,
            evidence,
            at_control,
            sequence,
        } = verdict
        {
            let other = evidence.partner.map_or_else(String::new, |p| {
                format!("; the other is {}", study.annotators[p.annotator as usize])
            });
            bans.push((
                annotator,
                rule.to_string(),
                format!("{evidence}{other}"),
                *at_control,
                *sequence,
            ));
        }
    }
    bans.sort();
    let in_campaign = |name: &str| study.project.as_ref().map(|p| p.out_dir().join(name));
    let out = args.out.clone().or_else(|| in_campaign("bans.csv"));
    let toloka = args
        .toloka
        .clone()
        .or_else(|| in_campaign("bans.toloka.json"));
    if let Some(out) = &out {
        write_atomically(out, |w| {
            let mut csv = csv::Writer::from_writer(w);
            csv.write_record([
                "annotator",
                "rule",
                "evidence",
                "at_control",
                "after_task",
                "simulated",
            ])?;
            for (annotator, rule, evidence, control, task) in &bans {
                let (control, task) = (control.to_string(), task.to_string());
                let simulated = study.simulated.to_string();
                csv.write_record([annotator, rule, evidence, &control, &task, &simulated])?;
            }
            csv.flush()
        })?;
        study
            .provenance("veche ban")?
            .write(&super::aggregate::beside(out))?;
    }
    if let Some(toloka) = &toloka {
        let scope = match &args.project_id {
            Some(id) => Scope::Project(id.clone()),
            None => Scope::AllProjects,
        };
        let simulated = if study.simulated { "SIMULATED. " } else { "" };
        let restrictions: Vec<Restriction> = bans
            .iter()
            .map(|(annotator, rule, evidence, ..)| Restriction {
                user_id: (*annotator).clone(),
                private_comment: format!("{simulated}veche {rule}: {evidence}"),
                scope: scope.clone(),
            })
            .collect();
        write_restrictions_json(toloka, &restrictions)?;
    }
    let left_out = left_out_by_policy(&study, &verdicts);
    if args.json {
        let rows: Vec<_> = bans
            .iter()
            .map(|(annotator, rule, evidence, control, task)| {
                json!({
                    "annotator": annotator, "rule": rule, "evidence": evidence, "at_control": control,
                    "after_task": task, "simulated": study.simulated,
                })
            })
            .collect();
        return super::print_json(&rows);
    }
    let mut table = vec![
        ["annotator", "rule", "evidence"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (annotator, rule, evidence, ..) in &bans {
        table.push(vec![(*annotator).clone(), rule.clone(), evidence.clone()]);
    }
    if bans.is_empty() {
        super::print("nobody is banned\n");
    } else {
        super::print(&super::table(&table));
    }
    super::note(&format!(
        "{} of {} annotators banned",
        bans.len(),
        study.annotators.len()
    ));
    for (policy, n) in left_out {
        super::note(&format!(
            "policy {policy}: {n} of {} votes left out",
            study.votes.len()
        ));
    }
    for file in [out, toloka].into_iter().flatten() {
        super::note(&format!("wrote {}", file.display()));
    }
    Ok(())
}
