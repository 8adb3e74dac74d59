//! Tables of operations.

use crate::table::{Table, optional, time};

use super::operation::BY_HAND;
use super::row::Row;

/// The columns to look at first, for the rows of one backend.
pub(crate) fn summary(rows: &[Row]) -> Table {
    let has_index = rows.iter().any(|row| row.index_ns.is_some());
    let heading = if has_index {
        &["operation", "PState", "by key", "ratio", "by index", "ratio", "target", ""][..]
    } else {
        &["operation", "PState", BY_HAND, "ratio", "target", ""]
    };
    Table::new(heading.iter().copied(), rows.iter().map(|row| summary_cells(row, has_index)))
}

fn summary_cells(row: &Row, has_index: bool) -> Vec<String> {
    let compared_with = match row.baseline.as_str() {
        BY_HAND => time(row.baseline_ns),
        other => format!("{} ({other})", time(row.baseline_ns)),
    };
    let mut cells =
        vec![row.operation.clone(), time(row.median_ns), compared_with, ratio(row.ratio)];
    if has_index {
        cells.push(optional(row.index_ns, time));
        cells.push(optional(row.ratio_to_index, ratio));
    }
    let is_missed = row.missed.iter().any(|what| what == "aim");
    cells.push(aims(row));
    cells.push(if is_missed { "missed".to_owned() } else { String::new() });
    cells
}

/// What we aim at: ratios, or a time.
fn aims(row: &Row) -> String {
    let by_key = row.aim_ratio.map(ratio);
    let by_index = row.aim_ratio_to_index.map(|aim| format!("{} by index", ratio(aim)));
    let aims = [by_key, by_index, row.aim_ns.map(time)];
    let aims: Vec<String> = aims.into_iter().flatten().collect();
    if aims.is_empty() { "-".to_owned() } else { aims.join(", ") }
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
        "by index",
        "ratio",
        "target",
        "guide",
        "expected",
        "reference",
        "missed",
    ];
    Table::new(heading, rows.iter().map(full_cells))
}

fn full_cells(row: &Row) -> Vec<String> {
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
        optional(row.index_ns, time),
        optional(row.ratio_to_index, ratio),
        aims(row),
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

    fn row(operation: Operation, backend: BackendName, medians: &[f64]) -> Row {
        let measured: Vec<_> = medians
            .iter()
            .map(|&nanos| {
                let mut measured = Measured::default();
                measured.add(vec![nanos]);
                measured.finish()
            })
            .collect();
        Row::new(operation, backend, &measured)
    }

    #[test]
    fn the_summary_says_what_is_not_compared_with_work_by_hand() {
        let rows = [
            row(Operation::GetWarm, BackendName::Memory, &[30.0, 20.0]),
            row(Operation::Preload, BackendName::Memory, &[100e3, 100e3]),
        ];
        assert_eq!(
            summary(&rows).markdown(),
            "| operation | PState | by hand | ratio | target |  |\n\
             |---|--:|--:|--:|--:|--:|\n\
             | get_warm | 30.0 ns | 20.0 ns (cache crate) | 1.50 | 1.25 | missed |\n\
             | preload_100 | 100 us | 100 us | 1.00 | - |  |\n"
        );
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_row_is_missed_if_one_of_its_baselines_is() {
        let rows = [
            row(Operation::PreloadDeepTyped, BackendName::Sqlite, &[100e3, 100e3, 40e3]),
            row(Operation::PreloadCached, BackendName::Sqlite, &[4e3, 100e3, 40e3]),
        ];
        assert_eq!(
            summary(&rows).markdown(),
            "| operation | PState | by key | ratio | by index | ratio | target |  |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|\n\
             | preload_100x3_typed | 100 us | 100 us | 1.00 | 40.0 us | 2.50 | \
             1.20, 2.00 by index | missed |\n\
             | preload_100x3_cached | 4.00 us | 100 us | 0.04 | 40.0 us | 0.10 | 5.00 us |  |\n"
        );
    }

    #[test]
    fn small_ratios_keep_their_digits() {
        assert_eq!([0.000_16, 0.126, 2.5].map(ratio), ["0.0002", "0.13", "2.50"]);
    }
}
