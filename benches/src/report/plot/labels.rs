//! What plots write beside figures.

use crate::table::time;

/// Each once, in the order in which they come.
pub(super) fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// A time without zeros after the point.
pub(super) fn short_time(nanos: f64) -> String {
    time(nanos).replace(".00", "").replace(".0", "")
}

pub(super) fn number(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{value:.0}"),
        value if value < 1e6 => format!("{:.0}k", value / 1e3),
        value => format!("{:.0}M", value / 1e6),
    }
}

pub(super) fn rate(value: f64) -> String {
    format!("{}/s", number(value))
}
