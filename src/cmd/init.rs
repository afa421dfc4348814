//! `veche init`: a commented campaign.toml.

use crate::{Problem, Result, config, files::write_atomically, problem};
use std::{fs, io::Write, path::PathBuf};

const TEMPLATE: &str = include_str!("campaign.toml");

/// Write a commented campaign.toml: questions, items, controls, suites, bans, labels
///
/// The recipe asks for the age and sex of people in photos; change the questions to ask anything else.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  veche init faces && $EDITOR faces/campaign.toml && veche pool build faces"
)]
pub struct Args {
    /// Folder of the campaign; made if missing
    #[arg(required_unless_present = "print")]
    pub dir: Option<PathBuf>,
    /// Title of the campaign
    #[arg(long, default_value = "Age and sex in photos")]
    pub name: String,
    /// Seed (a secret); drawn from the operating system by default
    #[arg(long)]
    pub seed: Option<u64>,
    /// Print the file instead of writing it
    #[arg(long)]
    pub print: bool,
}

/// The text of a new campaign.toml.
pub fn text(name: &str, seed: u64) -> String {
    let name = name
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace(char::is_control, " ");
    TEMPLATE
        .replace("@NAME@", &name)
        .replace("@SEED@", &seed.to_string())
}

/// A seed from the operating system. TOML integers are signed, hence 63 bits.
pub fn fresh_seed() -> Result<u64> {
    let drawn =
        getrandom::u64().map_err(|e| problem(format!("no randomness from the system: {e}")))?;
    Ok(drawn >> 1)
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let seed = match args.seed {
        Some(seed) if seed > i64::MAX as u64 => {
            return problem("a seed must be below 2^63")
                .value(seed.to_string())
                .fail();
        }
        Some(seed) => seed,
        None => fresh_seed()?,
    };
    let text = text(&args.name, seed);
    let Some(dir) = &args.dir else {
        super::print(&text);
        return Ok(());
    };
    let file = dir.join(config::FILE);
    if file.exists() {
        return problem("a campaign is already here")
            .file(&file)
            .hint("edit it, or choose another folder; `veche init --print` shows a fresh one")
            .fail();
    }
    fs::create_dir_all(dir).map_err(|e| Problem::io("make the folder", dir, &e))?;
    write_atomically(&file, |w| w.write_all(text.as_bytes()))?;
    super::note(&format!("wrote {}", file.display()));
    super::note(&format!(
        "next: put pictures into {}, controls into {}, then `veche pool build {}`",
        dir.join("items").display(),
        dir.join("controls.csv").display(),
        dir.display()
    ));
    Ok(())
}
