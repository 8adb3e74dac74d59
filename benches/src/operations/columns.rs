//! Tables of operations.

use crate::table::{Table, optional, time};

use super::operation::BY_HAND;
use super::row::Row;

/// The columns to look at first, for the rows of one backend.
pub(crate) fn summary(rows: &[Row]) -> Table {
    Table::new(["operation", "PState", BY_HAND, "ratio", "target"], rows.iter().map(summary_cells))
}

fn summary_cells(row: &Row) -> Vec<String> {
    let compared_with = match row.baseline.as_str() {
        BY_HAND => time(row.baseline_ns),
        other => format!("{} ({other})", time(row.baseline_ns)),
    };
    vec![
        row.operation.clone(),
        time(row.median_ns),
        compared_with,
        ratio(row.ratio),
        optional(row.target_ns, time),
    ]
}

/// All columns, for the rows of any number of backends.
pub(crate) fn full(rows: &[Row]) -> Table {
    let heading = [
        "operation",
        "backend",
        "median",
        "p99",
        "baseline",
        "its median",
        "ratio",
        "rounds",
        "difference",
        "raw",
        "aim",
        "target",
        "expected",
        "reference",
        "missed",
    ];
    Table::new(heading, rows.iter().map(full_cells))
}

fn full_cells(row: &Row) -> Vec<String> {
    let aim = match (row.aim_ratio, row.aim_ns) {
        (Some(aim), _) => ratio(aim),
        (_, aim) => optional(aim, time),
    };
    vec![
        row.operation.clone(),
        row.backend.clone(),
        time(row.median_ns),
        time(row.p99_ns),
        row.baseline.clone(),
        time(row.baseline_ns),
        ratio(row.ratio),
        ratio(row.ratio_of_rounds),
        time(row.difference_ns),
        optional(row.ratio_raw, ratio),
        aim,
        optional(row.target_ns, time),
        optional(row.expectation_ns, time),
        optional(row.reference_ns, time),
        if row.missed.is_empty() { "-".to_owned() } else { row.missed.join(", ") },
    ]
}

/// A ratio with two decimals, or with as many as a small one needs.
fn ratio(ratio: f64) -> String {
    if ratio < 0.01 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendName;
    use crate::measure::Measured;
    use crate::operations::Operation;

    fn row(operation: Operation, ours: f64, baseline: f64) -> Row {
        let measured = [ours, baseline].map(|nanos| {
            let mut measured = Measured::default();
            measured.add(vec![nanos]);
            measured.finish()
        });
        Row::new(operation, BackendName::Memory, &measured)
    }

    #[test]
    fn the_summary_says_what_is_not_compared_with_work_by_hand() {
        let rows = [row(Operation::GetWarm, 30.0, 20.0), row(Operation::Preload, 100e3, 100e3)];
        assert_eq!(
            summary(&rows).markdown(),
            "| operation | PState | by hand | ratio | target |\n\
             |---|--:|--:|--:|--:|\n\
             | get_warm | 30.0 ns | 20.0 ns (cache crate) | 1.50 | - |\n\
             | preload_100 | 100 us | 100 us | 1.00 | 20.0 ms |\n"
        );
    }

    #[test]
    fn small_ratios_keep_their_digits() {
        assert_eq!([0.000_16, 0.126, 2.5].map(ratio), ["0.0002", "0.13", "2.50"]);
    }
}
