//! The table of the project's README: PState on SQLite, beside the harder of the two baselines.

use crate::operations::{Operation, Row};
use crate::table::{Table, time};

/// The lines of the table: what it is called, its operation, and the one whose work by hand it is
/// compared with.
const LINES: [(&str, Operation, Operation); 13] = [
    ("`get`, cached", Operation::GetWarm, Operation::GetColdTyped),
    ("`get` into a struct", Operation::GetColdTyped, Operation::GetColdTyped),
    ("`multi_get` of 100 into structs", Operation::MultiGet100Typed, Operation::MultiGet100Typed),
    ("`preload` into structs: deck, 100 cards", Operation::PreloadTyped, Operation::PreloadTyped),
    (
        "`preload` into structs: deck, 100 cards, 300 translations",
        Operation::PreloadDeepTyped,
        Operation::PreloadDeepTyped,
    ),
    (
        "the same again, one translation changed since",
        Operation::PreloadOneChanged,
        Operation::PreloadOneChanged,
    ),
    (
        "the same again, nothing changed since",
        Operation::PreloadCachedTyped,
        Operation::PreloadCachedTyped,
    ),
    (
        "that graph as one tree, `get_resolved`, nothing changed since",
        Operation::Resolve,
        Operation::Resolve,
    ),
    ("`put`", Operation::PutOverwrite, Operation::PutOverwrite),
    ("a `put` by one of 64 tasks", Operation::Put64Tasks, Operation::Put64Tasks),
    ("`multi_put` of 100 over others", Operation::MultiPutOverwrite, Operation::MultiPutOverwrite),
    ("8,020 documents into an empty file", Operation::Load, Operation::Load),
    ("a sweep of 2,000 old documents, for each", Operation::Sweep, Operation::Sweep),
];

/// The table in Markdown; `None` unless all of its operations were measured on SQLite.
pub(super) fn table(rows: &[Row]) -> Option<String> {
    let find = |operation: Operation| {
        let name = operation.name();
        rows.iter().find(|row| row.backend == "sqlite" && row.operation == name)
    };
    let lines: Option<Vec<Vec<String>>> = LINES
        .iter()
        .map(|&(name, operation, by_hand)| {
            let (ours, by_hand) = (find(operation)?.median_ns, harder(find(by_hand)?));
            let ratio = ours / by_hand;
            let ratio = if ratio < 0.01 { format!("{ratio:.4}x") } else { format!("{ratio:.2}x") };
            Some(vec![name.to_owned(), micros(ours), micros(by_hand), ratio])
        })
        .collect();
    let heading = ["on one SQLite file, `synchronous=FULL`", "PState", "by hand", ""];
    Some(Table::new(heading, lines?).markdown())
}

/// The faster work by hand: by key, or by index.
fn harder(row: &Row) -> f64 {
    row.index_ns.map_or(row.baseline_ns, |index| index.min(row.baseline_ns))
}

fn micros(nanos: f64) -> String {
    time(nanos).replace("us", "µs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendName;
    use crate::measure::Measured;

    fn rows(backend: BackendName) -> Vec<Row> {
        let measured = [20e3, 20e3, 10e3].map(|nanos| {
            let mut measured = Measured::default();
            measured.add(vec![nanos]);
            measured.finish()
        });
        Operation::ALL.map(|operation| Row::new(operation, backend, &measured)).to_vec()
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn the_harder_baseline_counts() {
        let table = table(&rows(BackendName::Sqlite)).expect("everything was measured");
        assert!(table.contains("| `put` | 20.0 µs | 10.0 µs | 2.00x |\n"), "{table}");
    }

    #[test]
    fn without_sqlite_there_is_no_table() {
        assert_eq!(table(&rows(BackendName::Memory)), None);
    }
}
