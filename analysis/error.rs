//! What can go wrong in this library, by cause.

/// An error of the statistics in this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Columns of different lengths, or an index outside its table.
    #[error("vote {row}: {reason}")]
    Vote {
        /// Row of the vote, from 0.
        row: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A vote or truth of an item that cannot be used.
    #[error("item {item}: {reason}")]
    Item {
        /// Index of the item, from 0.
        item: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The column of truths is not as long as the table of votes has items.
    #[error("{found} truths for {items} items")]
    Truths {
        /// Truths given.
        found: usize,
        /// Items in the table.
        items: usize,
    },
    /// Points that cannot be smoothed: columns of different lengths, or a value that is not finite.
    #[error("points of a curve: {reason}")]
    Points {
        /// What is wrong with them.
        reason: String,
    },
    /// A method needs the truth of some items and there is none.
    #[error(
        "{method} weighs annotators by their error on controls, and no item with votes has a known truth"
    )]
    NoControls {
        /// The method's name.
        method: &'static str,
    },
    /// The bake-off has nothing to judge methods by.
    #[error("methods are compared on items with votes and a known truth, and there is none")]
    NothingToCompare,
    /// A method of a name that does not exist.
    #[error("no method \"{name}\": methods are {known}")]
    UnknownMethod {
        /// The name given.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// A setting outside what it may be.
    #[error("{setting} = {value}: {reason}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        reason: &'static str,
    },
}

/// Errors unless `ok`: the check of one setting.
pub(crate) fn check_setting(
    ok: bool,
    setting: &'static str,
    value: f64,
    reason: &'static str,
) -> Result<(), Error> {
    if ok {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        value,
        reason,
    })
}

/// Errors unless there is a truth, known or not, for every item.
pub(crate) fn check_truths(found: usize, items: usize) -> Result<(), Error> {
    if found == items {
        Ok(())
    } else {
        Err(Error::Truths { found, items })
    }
}
