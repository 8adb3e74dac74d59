//! The table of growth.

use crate::process::mebibytes;
use crate::table::{Table, optional, time};

use super::figures::{Figures, documents_f64};

/// The growth per tenfold above which an index does not explain it.
const STEEP: f64 = 2.0;

/// A line of the table: what grows, how to show it, and below which value growth does not matter.
struct Line {
    name: &'static str,
    of: fn(&Figures) -> Option<f64>,
    show: fn(f64) -> String,
    least: f64,
}

impl Line {
    const fn time(name: &'static str, of: fn(&Figures) -> Option<f64>) -> Self {
        Self { name, of, show: time, least: 1.0 }
    }

    const fn memory(name: &'static str, of: fn(&Figures) -> Option<f64>) -> Self {
        Self { name, of, show: mebibytes, least: (16 << 20) as f64 }
    }

    fn cells(&self, figures: &[Figures]) -> Vec<String> {
        let Self { name, of, show, least } = self;
        let values: Vec<Option<f64>> = figures.iter().map(of).collect();
        let shown = values.iter().map(|value| optional(*value, show));
        let sizes = figures.iter().map(|figures| documents_f64(figures.documents));
        let at: Vec<(f64, f64)> = sizes
            .zip(&values)
            .filter_map(|(size, value)| Some((size, (*value)?.max(*least))))
            .collect();
        [(*name).to_owned()].into_iter().chain(shown).chain([growth(&at)]).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
const LINES: [Line; 11] = [
    Line::time("seeding in order, a document", |figures| Some(figures.seed_ns)),
    Line::time("seeding at random, a document", |figures| figures.seed_random_ns),
    Line::time("get, not cached", |figures| Some(figures.get_cold_ns)),
    Line::time("multi_get of 100, not cached", |figures| Some(figures.multi_get_100_ns)),
    Line::time("scan of 11", |figures| Some(figures.scan_11_ns)),
    Line::time("scan of all, a document", |figures| Some(figures.full_scan_ns)),
    Line::memory("scan of all, memory", |figures| Some(figures.full_scan_bytes as f64)),
    Line::time("sweep, a document", |figures| Some(figures.sweep_ns)),
    Line {
        name: "stored, a document",
        of: |figures| figures.stored_bytes,
        show: |bytes| format!("{bytes:.0} B"),
        least: 1.0,
    },
    Line::memory("resident, cache included", |figures| Some(figures.resident_bytes as f64)),
    Line::time("cold start", |figures| figures.cold_start_ns),
];

/// The figures of one backend, in ascending order of size. The last column says by what factor a
/// figure grows per tenfold, from the first size to the last; it names the steepest growth between
/// two sizes where that is steeper than an index's.
pub(crate) fn table(figures: &[Figures]) -> Table {
    let backend = figures.first().map(|first| first.backend.clone()).unwrap_or_default();
    let sizes = figures.iter().map(|figures| figures.documents.to_string());
    let heading = [backend].into_iter().chain(sizes).chain(["a tenfold".to_owned()]);
    Table::new(heading, LINES.iter().map(|line| line.cells(figures)))
}

/// The factor by which something grows when the number of documents grows tenfold.
fn growth(at: &[(f64, f64)]) -> String {
    let between = |(from, to): (&(f64, f64), &(f64, f64))| {
        (to.1 / from.1).powf(1.0 / (to.0 / from.0).log10())
    };
    let (Some(first), Some(last)) = (at.first(), at.last()) else { return "-".to_owned() };
    if at.len() < 2 {
        return "-".to_owned();
    }
    let steepest = at.iter().zip(&at[1..]).map(between).fold(0.0, f64::max);
    let mark = if steepest > STEEP { format!(" (up to {steepest:.1})") } else { String::new() };
    format!("{:.2}x{mark}", between((first, last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_for_a_tenfold_whatever_the_sizes() {
        assert_eq!(growth(&[(1e3, 1.0), (1e5, 4.0)]), "2.00x");
        assert_eq!(growth(&[(1e3, 1.0), (1e4, 1.0), (1e5, 9.0)]), "3.00x (up to 9.0)");
        assert_eq!(growth(&[(1e3, 1.0)]), "-");
    }
}
