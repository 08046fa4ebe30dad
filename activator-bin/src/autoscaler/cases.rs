//! Tables of Knative's own tests, as data.

/// A row of a table.
pub(super) enum Row<T> {
    /// It holds here: its name and what it says.
    Holds(&'static str, T),
    /// What it is about is left out here: what it says, and why it does not apply.
    Excluded(&'static str, &'static str),
}

/// Checks all rows that hold, and that the table has this many of either kind, so that none is lost.
pub(super) fn check_rows<T>(rows: &[Row<T>], holding: usize, excluded: usize, check: impl Fn(&T)) {
    let mut count = (0, 0);
    for row in rows {
        match row {
            Row::Holds(name, case) => {
                println!("{name}"); // Only seen when the row fails.
                check(case);
                count.0 += 1;
            }
            Row::Excluded(what, why) => {
                assert!(!why.is_empty(), "{what}: excluded without a reason");
                count.1 += 1;
            }
        }
    }
    assert_eq!(count, (holding, excluded), "rows that hold, excluded rows");
}
