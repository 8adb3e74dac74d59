//! The diagram of a violation: one line for each call, with its interval.

use std::fmt;

use super::violation::Violation;

/// The most columns that the intervals take.
const COLUMNS: usize = 60;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = &self.history().calls;
        let unexplained = self.unexplained_index();
        write!(f, "no order explains call {unexplained}: {}", self.unexplained().label)?;
        if calls.len() < self.total() {
            write!(f, "\n{} of the {} calls show it:", calls.len(), self.total())?;
        }

        // Only the order of the ticks matters, so the diagram leaves out all others.
        let mut ticks: Vec<u64> =
            calls.iter().flat_map(|call| [Some(call.invoked), call.returned]).flatten().collect();
        ticks.sort_unstable();
        ticks.dedup();
        let columns = ticks.len().min(COLUMNS);
        let column =
            |tick: u64| ticks.partition_point(|other| *other < tick) * columns / ticks.len();

        let digits = |number: &str| number.len();
        let rows: Vec<[String; 2]> = calls
            .iter()
            .zip(self.indices())
            .map(|(call, index)| {
                let returned = call.returned.map(|tick| tick.to_string()).unwrap_or_default();
                [index.to_string(), format!("{}..{returned}", call.invoked)]
            })
            .collect();
        let width = |of: usize| rows.iter().map(|row| digits(&row[of])).max().unwrap_or_default();
        let (index_width, ticks_width) = (width(0), width(1));
        for (call, [index, ticks]) in calls.iter().zip(&rows) {
            let mut line = " ".repeat(column(call.invoked)) + "|";
            if let Some(returned) = call.returned.map(column) {
                if line.len() <= returned {
                    line += &"-".repeat(returned - line.len());
                    line.push('|');
                }
            } else {
                line += &"-".repeat(columns - line.len());
                line.push('?');
            }
            let label = &call.label;
            let width = columns + 1;
            write!(f, "\n  {index:>index_width$}  {ticks:<ticks_width$}  {line:<width$}  {label}")?;
        }
        if calls.iter().any(|call| call.returned.is_none()) {
            write!(f, "\n(`?`: no outcome by then; it may have taken effect or not)")?;
        }
        Ok(())
    }
}
