//! Which task a vote means, and which files hold a campaign's votes.

use crate::{Problem, Result, pool::StoredPool};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// Vote files of a campaign, in name order.
pub fn vote_files(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(dir).map_err(|e| Problem::io("read the folder", dir, &e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "parquet"))
        .collect();
    files.sort();
    Ok(files)
}

/// Finds the task that a vote file means: by its opaque name, else by the owner's id where that is unambiguous.
pub struct TaskFinder<'a> {
    pool: &'a StoredPool,
    by_id: HashMap<&'a str, Option<usize>>,
}

impl<'a> TaskFinder<'a> {
    /// For the tasks of this pool.
    pub fn new(pool: &'a StoredPool) -> Self {
        let mut by_id = HashMap::with_capacity(pool.len());
        for (task, id) in pool.items.iter().enumerate() {
            by_id
                .entry(id.as_str())
                .and_modify(|t| *t = None)
                .or_insert(Some(task));
        }
        Self { pool, by_id }
    }

    /// The task's index, or why there is none.
    pub fn find(&self, name: &str) -> Result<usize, &'static str> {
        if let Some(task) = name.parse().ok().and_then(|name| self.pool.find(name)) {
            return Ok(task);
        }
        match self.by_id.get(name) {
            Some(Some(task)) => Ok(*task),
            Some(None) => Err("an item and a control have this id: votes must name the task"),
            None => Err("a vote for an item that is not in the pool"),
        }
    }
}
