//! Tables of results as the page shows them: names of columns in words, two ends of an interval in one column, alike decimals.

use crate::{
    curves::{Cell, Sheet},
    report::{Grid, GridCell, format::count, format::decimals},
};

/// Longer tables are cut on the page; the command's own files have them whole.
const LONGEST: usize = 300;

/// All columns of a sheet, folded away: the table behind a picture.
pub(super) fn behind(sheet: &Sheet, caption: &str) -> Grid {
    let mut grid = grid(sheet, caption, None, |_| true);
    grid.folded = true;
    grid
}

/// Some columns of a sheet, in their order there, open to the eye; only rows that `keep` picks, which sees cells by column.
pub(super) fn open(
    sheet: &Sheet,
    caption: &str,
    columns: &[&str],
    keep: impl Fn(&dyn Fn(&str) -> Option<Cell>) -> bool,
) -> Grid {
    grid(sheet, caption, Some(columns), keep)
}

fn grid(
    sheet: &Sheet,
    caption: &str,
    columns: Option<&[&str]>,
    keep: impl Fn(&dyn Fn(&str) -> Option<Cell>) -> bool,
) -> Grid {
    let place = |name: &str| sheet.columns().iter().position(|c| *c == name);
    let rows: Vec<&Vec<Cell>> = sheet
        .rows()
        .iter()
        .filter(|row| keep(&|name| place(name).map(|c| row[c].clone())))
        .collect();
    let mut caption = caption.to_owned();
    if rows.len() > LONGEST {
        caption += &format!(
            " (the first {LONGEST} of {} rows; the command's own tables have all)",
            count(rows.len() as u64)
        );
    }
    let rows = &rows[..rows.len().min(LONGEST)];
    let mut grid = Grid {
        caption,
        columns: Vec::new(),
        rows: vec![Vec::new(); rows.len()],
        folded: false,
    };
    let wanted = |name: &str| columns.is_none_or(|c| c.contains(&name));
    let mut c = 0;
    while c < sheet.columns().len() {
        let name = sheet.columns()[c];
        let column = || rows.iter().map(move |row| &row[c]);
        let upper = sheet
            .columns()
            .get(c + 1)
            .filter(|next| next.strip_suffix("high") == name.strip_suffix("low"))
            .filter(|_| name.ends_with("low"));
        if !wanted(name) || (rows.len() > 1 && is_bare(name) && alike(column())) {
            c += 1;
            continue;
        }
        if upper.is_some() {
            let of = name.trim_end_matches("low").trim_end_matches('_');
            let ends = |row: &Vec<Cell>| value(&row[c]).zip(value(&row[c + 1]));
            let share = is_share(sheet.columns(), c);
            let d = decimals(rows.iter().filter_map(|r| ends(r)).flat_map(|e| [e.0, e.1]));
            grid.columns
                .push((format!("{} interval", words(of)).trim().to_owned(), true));
            for (row, cells) in rows.iter().zip(&mut grid.rows) {
                cells.push(if share {
                    GridCell::ShareInterval(ends(row))
                } else {
                    GridCell::Interval(ends(row), d)
                });
            }
            c += 2;
            continue;
        }
        let values = || column().filter_map(value);
        let numeric = !column().all(|cell| matches!(cell, Cell::Text(_) | Cell::Flag(_)));
        let share = numeric && is_share(sheet.columns(), c);
        let whole = values().all(|v| v.fract() == 0.0);
        let d = if whole { 0 } else { decimals(values()) };
        grid.columns.push((words(name), numeric));
        for (cell, cells) in column().zip(&mut grid.rows) {
            cells.push(match cell {
                Cell::Text(text) => GridCell::Text(text.clone()),
                Cell::Number(v) if share => GridCell::Share(*v),
                Cell::Number(v) => GridCell::Number(*v, d),
                Cell::Count(n) => GridCell::Count(*n),
                Cell::Flag(flag) => GridCell::Text(if *flag { "yes" } else { "" }.into()),
            });
        }
        c += 1;
    }
    grid
}

fn value(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number(v) => v.filter(|v| v.is_finite()),
        _ => None,
    }
}

/// Columns that say which part of the results a row is of: needless where there is but one.
fn is_bare(name: &str) -> bool {
    ["group", "items_of", "kind", "thin"].contains(&name)
}

fn alike<'a>(mut cells: impl Iterator<Item = &'a Cell>) -> bool {
    let first = cells.next();
    cells.all(|cell| Some(cell) == first)
}

/// Whether a column holds shares; bare ends of an interval hold what the column before them holds.
fn is_share(columns: &[&str], mut c: usize) -> bool {
    while c > 0 && ["low", "high"].contains(&columns[c]) {
        c -= 1;
    }
    ["share", "accuracy", "one_off"]
        .iter()
        .any(|word| columns[c].contains(word))
}

/// A column's name as people read it.
fn words(name: &str) -> String {
    let word = |w: &str| match w {
        "mae" => "MAE".to_owned(),
        "rmse" => "RMSE".to_owned(),
        "icc" => "ICC".to_owned(),
        "sd" => "SD".to_owned(),
        other => other.to_owned(),
    };
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_stand_together_and_a_column_that_says_nothing_is_left_out() {
        let mut sheet = Sheet::new(
            "s",
            &[
                "group", "side", "items", "mae", "mae_low", "mae_high", "accuracy", "low", "high",
            ],
        );
        for (side, mae) in [("a", 1.25), ("b", 2.5)] {
            sheet.row(vec![
                "all".into(),
                side.into(),
                3usize.into(),
                mae.into(),
                (mae - 0.5).into(),
                (mae + 0.5).into(),
                0.5.into(),
                0.4.into(),
                0.6.into(),
            ]);
        }
        let grid = behind(&sheet, "Table");
        let names: Vec<&str> = grid.columns.iter().map(|c| c.0.as_str()).collect();
        assert_eq!(
            names,
            [
                "side",
                "items",
                "MAE",
                "MAE interval",
                "accuracy",
                "interval"
            ]
        );
        assert_eq!(
            grid.rows[0][1..],
            [
                GridCell::Count(Some(3)),
                GridCell::Number(Some(1.25), 2),
                GridCell::Interval(Some((0.75, 1.75)), 2),
                GridCell::Share(Some(0.5)),
                GridCell::ShareInterval(Some((0.4, 0.6))),
            ]
        );
        let some = open(&sheet, "Table", &["side", "mae"], |cell| {
            cell("side") == Some(Cell::Text("b".into()))
        });
        assert_eq!((some.columns.len(), some.rows.len()), (2, 1));
    }
}
