//! Tables of figures, as text and in Markdown.

use std::iter::once;

/// Cells under a heading.
#[derive(Debug)]
pub(crate) struct Table {
    heading: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl Table {
    /// A table; each line has as many cells as the heading.
    pub(crate) fn new(
        heading: impl IntoIterator<Item: Into<String>>,
        lines: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let heading = heading.into_iter().map(Into::into).collect();
        Self { heading, lines: lines.into_iter().collect() }
    }

    /// Aligned columns: the first to the left, the others to the right.
    pub(crate) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = once(&self.heading).chain(&self.lines).map(|cells| &cells[column]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.heading.len()).map(width).collect();
        let line = |cells: &Vec<String>| {
            let aligned = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
            });
            aligned.collect::<Vec<_>>().join("  ") + "\n"
        };
        once(&self.heading).chain(&self.lines).map(line).collect()
    }

    /// The same in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|---|{}\n", "--:|".repeat(self.heading.len() - 1));
        once(line(&self.heading)).chain(once(rule)).chain(self.lines.iter().map(line)).collect()
    }
}

/// A cell for a value that may not exist.
pub(crate) fn optional<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or("-".to_owned(), show)
}

/// A time with three digits.
pub(crate) fn time(nanos: f64) -> String {
    let (value, unit) = match nanos {
        nanos if nanos.abs() < 1e3 => (nanos, "ns"),
        nanos if nanos.abs() < 1e6 => (nanos / 1e3, "us"),
        nanos if nanos.abs() < 1e9 => (nanos / 1e6, "ms"),
        nanos => (nanos / 1e9, "s"),
    };
    let decimals = if value.abs() < 10.0 { 2 } else { usize::from(value.abs() < 100.0) };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let shown = [9.0, 45.67, 450.0, 1_800.0, 486_000.0, 20e6, 2e9, -1_800.0].map(time);
        assert_eq!(
            shown,
            ["9.00 ns", "45.7 ns", "450 ns", "1.80 us", "486 us", "20.0 ms", "2.00 s", "-1.80 us"]
        );
    }

    #[test]
    fn columns_are_aligned() {
        let lines = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "23".to_owned()]];
        assert_eq!(Table::new(["x", "y"], lines.clone()).text(), "x     y\na     1\nbcd  23\n");
        let [first, _] = lines;
        let markdown = Table::new(["x", "y"], [first]).markdown();
        assert_eq!(markdown, "| x | y |\n|---|--:|\n| a | 1 |\n");
    }
}
