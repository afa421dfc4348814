//! Names of tasks and suites as platforms write them, made from ids and read back. Nothing is stored twice.

/// `00022cfa46--637cf3fb6e13181a0164e7e6`: the pool, and what is named. Of fixed width, so that texts sort as the numbers do.
pub fn name(pool: i64, id: i64) -> String {
    format!("{pool:010x}--{id:024x}")
}

/// The pool and the id in such a name.
pub fn read(name: &str) -> Option<(i64, i64)> {
    let (pool, id) = name.split_once("--")?;
    if pool.len() != 10 || id.len() != 24 {
        return None;
    }
    Some((
        i64::from_str_radix(pool, 16).ok()?,
        i64::from_str_radix(id, 16).ok()?,
    ))
}

/// The pool in the name of a task, suite or assignment.
pub fn pool_of(name: &str) -> Option<i64> {
    i64::from_str_radix(name.split_once("--")?.0, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_sort_as_numbers() {
        let names: Vec<String> = [1, 15, 16, 255, 1_000_000]
            .map(|id| name(36_502_086, id))
            .into();
        assert_eq!(names[0], "00022cfa46--000000000000000000000001");
        assert!(names.is_sorted());
        assert_eq!(read(&names[4]), Some((36_502_086, 1_000_000)));
        for bad in [
            "",
            "--",
            "1--2",
            "00022cfa46-637cf3fb6e13181a0164e7e6",
            "00022cfa46--637cf3fb6e13181a0164e7e6",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(
            pool_of("00022cfa46--637cf3fb6e13181a0164e7e6"),
            Some(36_502_086)
        );
    }
}
