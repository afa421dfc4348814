//! `veche completions` and `veche man`: made from the clap tree.

use crate::{Problem, Result, cli::Cli, files::write_atomically};
use clap::CommandFactory;
use std::{fs, io::Write, path::PathBuf};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  veche completions bash > ~/.local/share/bash-completion/completions/veche"
)]
pub struct Completions {
    /// Which shell
    pub shell: clap_complete::Shell,
}

/// Write the man pages into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche man ~/.local/share/man/man1")]
pub struct Args {
    /// Folder for the pages; made if missing
    pub dir: PathBuf,
}

/// Prints the completion script.
pub fn completions(args: &Completions) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "veche", &mut text);
    super::print(&String::from_utf8_lossy(&text));
    Ok(())
}

/// Writes one page per command.
pub fn run(args: &Args) -> Result<()> {
    fs::create_dir_all(&args.dir).map_err(|e| Problem::io("make the folder", &args.dir, &e))?;
    let mut command = Cli::command();
    command.build();
    pages(&command, "veche", &args.dir)
}

fn pages(command: &clap::Command, name: &str, dir: &std::path::Path) -> Result<()> {
    let mut page = Vec::new();
    let file = dir.join(format!("{name}.1"));
    let shown = command.clone().name(name.to_owned());
    clap_mangen::Man::new(shown)
        .render(&mut page)
        .map_err(|e| Problem::io("write", &file, &e))?;
    write_atomically(&file, |w| w.write_all(&page))?;
    for sub in command.get_subcommands().filter(|s| s.get_name() != "help") {
        pages(sub, &format!("{name}-{}", sub.get_name()), dir)?;
    }
    Ok(())
}
