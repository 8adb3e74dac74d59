//! Latency by backend.

use crate::operations::{Operation, Row};

use super::labels::{distinct, short_time};
use super::svg::{Anchor, Axis, Style, Svg};

/// The operations that are drawn, in this order.
const DRAWN: [Operation; 16] = [
    Operation::GetWarm,
    Operation::GetCold,
    Operation::GetCold380K,
    Operation::MultiGet100,
    Operation::MultiGet380K,
    Operation::PreloadTyped,
    Operation::PreloadDeepTyped,
    Operation::Resolve,
    Operation::Scan11Of380K,
    Operation::ReadFirstMigrated,
    Operation::ReadSecond,
    Operation::PutOverwrite,
    Operation::Put64Tasks,
    Operation::MultiPutNew,
    Operation::MultiPutOverwrite,
    Operation::Flush,
];

/// A row for each operation, in it a lane for each backend, from by hand to PState.
pub(super) fn latency(rows: &[Row]) -> Option<String> {
    const LANE: f64 = 11.0;
    const LEFT: f64 = 190.0;
    let backends = distinct(rows.iter().map(|row| row.backend.as_str()));
    let drawn: Vec<&str> = DRAWN.iter().map(|operation| operation.name()).collect();
    let shown: Vec<&str> =
        drawn.into_iter().filter(|name| rows.iter().any(|row| row.operation == *name)).collect();
    if shown.is_empty() {
        return None;
    }
    let count = |len: usize| f64::from(u32::try_from(len).unwrap_or(u32::MAX));
    let (top, row_height) = (80.0, LANE * count(backends.len()) + 10.0);
    let bottom = top + row_height * count(shown.len());
    let mut svg = Svg::new(820.0, bottom + 30.0);
    svg.title((10.0, 20.0), "Median latency: filled PState, hollow what it is compared with, mostly the same work by hand");
    svg.legend((20.0, 46.0), &backends);
    let values = shown
        .iter()
        .flat_map(|name| of(rows, name))
        .flat_map(|row| [row.median_ns, row.baseline_ns]);
    let axis = Axis::around(values, (LEFT, 790.0));
    for tick in axis.ticks() {
        let x = axis.place(tick);
        svg.grid((x, top), (x, bottom));
        svg.text((x, top - 8.0), Anchor::Middle, &short_time(tick));
    }
    let mut y = top;
    for name in shown {
        svg.grid((10.0, y), (790.0, y));
        svg.text((LEFT - 10.0, y + row_height / 2.0 + 4.0), Anchor::End, name);
        for row in of(rows, name) {
            let lane = backends.iter().position(|backend| *backend == row.backend);
            let y = y + 5.0 + LANE * (count(lane.unwrap_or_default()) + 0.5);
            let style = Style::of(&row.backend);
            let (ours, by_hand) = (axis.place(row.median_ns), axis.place(row.baseline_ns));
            svg.line(&[(by_hand, y), (ours, y)], style);
            svg.mark((by_hand, y), style, false);
            svg.mark((ours, y), style, true);
        }
        y += row_height;
    }
    svg.grid((10.0, bottom), (790.0, bottom));
    Some(svg.finish())
}

fn of<'a>(rows: &'a [Row], operation: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.operation == operation)
}
