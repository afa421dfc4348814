//! The data card: what the benchmark is, in words and counts, with its limits.

use super::{
    freeze::Freezing,
    frozen::{Description, FrozenItem},
    labelled::Labelled,
    plan::Plan,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// The card as Markdown.
pub(super) fn card(
    d: &Description,
    plan: &Plan,
    labelled: &Labelled,
    items: &[FrozenItem],
    how: &Freezing<'_>,
) -> String {
    let mut t = String::new();
    // Writing to a String cannot fail.
    let _ = write_card(&mut t, d, plan, labelled, items, how);
    t
}

fn write_card(
    t: &mut String,
    d: &Description,
    plan: &Plan,
    labelled: &Labelled,
    items: &[FrozenItem],
    how: &Freezing<'_>,
) -> std::fmt::Result {
    let half = items.len() / 2;
    writeln!(t, "# {}\n", d.name)?;
    writeln!(
        t,
        "Edition {}. {} people, {half} women and {half} men, as many of each in every range of age.\n",
        d.edition, d.items
    )?;
    writeln!(t, "| | |\n|---|---|")?;
    writeln!(t, "| items | {} in {} pictures |", d.items, d.pictures)?;
    writeln!(
        t,
        "| candidates | {} with age and sex |",
        labelled.candidates.len()
    )?;
    writeln!(
        t,
        "| wanted per range | {} women and {} men |",
        d.cap, d.cap
    )?;
    writeln!(
        t,
        "| ranges that fall short | {} of {} |",
        d.ranges_short,
        plan.blocks.len()
    )?;
    writeln!(t, "| most of one photo | {} |", d.per_photo)?;
    writeln!(t, "| seed, program | {}, veche {} |", d.seed, d.version)?;
    writeln!(t, "| items.csv | BLAKE3 {} |\n", d.items_blake3)?;
    writeln!(
        t,
        "## Counts\n\n![What each range has and lacks](coverage.svg)\n"
    )?;
    writeln!(
        t,
        "| range | women there | men there | chosen of each | women missing | men missing |\n|---|--:|--:|--:|--:|--:|"
    )?;
    for b in &plan.blocks {
        let cells = (b.women, b.men, b.chosen, b.women_missing, b.men_missing);
        writeln!(
            t,
            "| {} | {} | {} | {} | {} | {} |",
            b.name(),
            cells.0,
            cells.1,
            cells.2,
            cells.3,
            cells.4
        )?;
    }
    writeln!(t, "\n## How it was chosen\n")?;
    writeln!(
        t,
        "As many items as possible with men and women equal in every range, at most {} of each sex per range and {} per photo; among all \
         such choices one with the least sum of the widths of the labels' intervals. The choice is an exact optimum; equal items \
         are told apart by a hash of seed and name.\n",
        d.cap, d.per_photo
    )?;
    writeln!(
        t,
        "Left out before: {} without an age, {} without a sex, {} outside the ranges, {} copies of a more certain item.\n",
        labelled.without_age, labelled.without_sex, plan.outside, plan.copies
    )?;
    writeln!(t, "## Labels\n")?;
    match d.mean_interval_width_years {
        Some(w) => writeln!(t, "Mean width of the labels' intervals: {w:.2} years.")?,
        None => writeln!(t, "The certainty of single labels is not known.")?,
    }
    match d.label_error {
        Some(e) => writeln!(
            t,
            "On {} items with a known age the labels are off by {:.2} years on average (bias {:+.2}). \
            A model cannot be seen to be better than its benchmark's labels.\n",
            e.items, e.mae_years, e.bias_years
        )?,
        None => writeln!(
            t,
            "Their error on items with a known age was not measured (`--truth`).\n"
        )?,
    }
    writeln!(t, "## Licences and sources\n")?;
    for (title, of) in [("licence", 0), ("source", 1)] {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for item in items {
            let value = if of == 0 { &item.licence } else { &item.source };
            *counts
                .entry(value.as_deref().unwrap_or("not stated"))
                .or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), *name));
        for (name, n) in counts.iter().take(12) {
            writeln!(
                t,
                "- {title} {}: {n} items",
                name.replace(['\n', '\r'], " ")
            )?;
        }
        if counts.len() > 12 {
            writeln!(t, "- and {} other values of {title}", counts.len() - 12)?;
        }
    }
    writeln!(t, "\n## Limits\n")?;
    writeln!(
        t,
        "- Balanced by sex and age only{}: what else photos differ in is as it was among the candidates.",
        if labelled.strata.is_empty() {
            String::new()
        } else {
            format!(" and by {}", labelled.strata.join(", "))
        }
    )?;
    writeln!(
        t,
        "- A balanced set is no sample of any population: means over it weigh rare ages as much as common ones."
    )?;
    if d.mean_interval_width_years.is_some() {
        writeln!(
            t,
            "- Items with certain labels were preferred, so its photos are easier than those left out."
        )?;
    }
    if d.ranges_short > 0 {
        writeln!(
            t,
            "- {} ranges have fewer people than the others; nothing was filled in.",
            d.ranges_short
        )?;
    }
    if !how.copies_sought {
        writeln!(
            t,
            "- Copies of one picture were not looked for (`--find-copies`)."
        )?;
    }
    if how.provenance.simulated {
        writeln!(t, "- Some of the votes behind the labels are simulated.")?;
    }
    Ok(())
}
