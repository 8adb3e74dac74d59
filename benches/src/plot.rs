//! Drawing what was measured.

mod svg;

use std::fs;
use std::path::{Path, PathBuf};

use crate::report::time;
use crate::results::Results;
use crate::{Operation, Result, Row, concurrency, scale};

use self::svg::{Anchor, Axis, Style, Svg};

/// The operations that are drawn, in this order.
const DRAWN: [Operation; 16] = [
    Operation::GetWarm,
    Operation::GetCold,
    Operation::GetCold380K,
    Operation::MultiGet100,
    Operation::MultiGet380K,
    Operation::Preload,
    Operation::PreloadDeep,
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

/// Draws what there is: latency by backend, growth by size, throughput by tasks. Which files were written.
///
/// # Errors
/// If they cannot be written.
pub fn draw(results: &Results, directory: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(directory)?;
    let mut written = Vec::new();
    let mut write = |name: &str, svg: Option<String>| -> Result<()> {
        if let Some(svg) = svg {
            let path = directory.join(name);
            fs::write(&path, svg)?;
            written.push(path);
        }
        Ok(())
    };
    write("latency-by-backend.svg", latency(&results.operations))?;
    write("growth-by-size.svg", growth(&results.scale))?;
    write("throughput-by-tasks.svg", throughput(&results.concurrency))?;
    Ok(written)
}

/// For each operation a row, in it for each backend a lane from by hand to PState.
fn latency(rows: &[Row]) -> Option<String> {
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

/// One of several diagrams of a picture: a title, and what is drawn of each figure.
type Facet<F> = (&'static str, fn(&F) -> Option<f64>, fn(f64) -> String);

fn growth(figures: &[scale::Figures]) -> Option<String> {
    let facets: [Facet<scale::Figures>; 6] = [
        ("get, not cached", |figures| Some(figures.get_cold_ns), short_time),
        ("multi_get of 100, not cached", |figures| Some(figures.multi_get_100_ns), short_time),
        ("scan of 11 rows", |figures| Some(figures.scan_11_ns), short_time),
        ("scan of all, a document", |figures| Some(figures.full_scan_ns), short_time),
        ("sweep of all, a document", |figures| Some(figures.sweep_ns), short_time),
        ("cold start", |figures| figures.cold_start_ns, short_time),
    ];
    let x = |figures: &scale::Figures| figures.documents;
    let backend = |figures: &scale::Figures| figures.backend.clone();
    facetted("Growth with the number of documents", figures, &facets, x, backend)
}

fn throughput(figures: &[concurrency::Figures]) -> Option<String> {
    use concurrency::{Figures, Mix};
    fn of(figures: &Figures, mix: Mix) -> Option<f64> {
        (figures.mix == mix).then_some(figures.operations_per_second)
    }
    let facets: [Facet<Figures>; 3] = [
        ("reads, not cached", |figures| of(figures, Mix::Reads), rate),
        ("writes", |figures| of(figures, Mix::Writes), rate),
        ("90/10 zipf, cached", |figures| of(figures, Mix::Zipf), rate),
    ];
    let x = |figures: &Figures| figures.tasks;
    let backend = |figures: &Figures| figures.backend.clone();
    facetted("Operations a second by 1 to 512 tasks together", figures, &facets, x, backend)
}

/// Diagrams beside each other, three in a row, each with a line for each backend.
fn facetted<F>(
    title: &str,
    figures: &[F],
    facets: &[Facet<F>],
    x: fn(&F) -> usize,
    backend: fn(&F) -> String,
) -> Option<String> {
    const WIDTH: f64 = 273.0;
    const HEIGHT: f64 = 240.0;
    if figures.is_empty() {
        return None;
    }
    let names: Vec<String> = figures.iter().map(backend).collect();
    let backends = distinct(names.iter().map(String::as_str));
    let count = |len: usize| f64::from(u32::try_from(len).unwrap_or(u32::MAX));
    let mut svg = Svg::new(820.0, 60.0 + HEIGHT * count(facets.len().div_ceil(3)));
    svg.title((10.0, 20.0), title);
    svg.legend((20.0, 46.0), &backends);
    for (place, (name, of, show)) in facets.iter().enumerate() {
        let (left, top) = (WIDTH * count(place % 3), 60.0 + HEIGHT * count(place / 3));
        let points = |wanted: &str| -> Vec<(f64, f64)> {
            let own = figures.iter().zip(&names).filter(|(_, name)| *name == wanted);
            own.filter_map(|(figures, _)| Some((count(x(figures)), of(figures)?))).collect()
        };
        let all: Vec<_> = backends.iter().flat_map(|backend| points(backend)).collect();
        let across = Axis::around(all.iter().map(|at| at.0), (left + 58.0, left + WIDTH - 14.0));
        let up = Axis::around(all.iter().map(|at| at.1), (top + HEIGHT - 34.0, top + 30.0));
        svg.text((left + 58.0, top + 18.0), Anchor::Start, name);
        for tick in up.ticks() {
            let y = up.place(tick);
            svg.grid((left + 58.0, y), (left + WIDTH - 14.0, y));
            svg.text((left + 52.0, y + 4.0), Anchor::End, &show(tick));
        }
        for tick in across.ticks() {
            let at = across.place(tick);
            svg.grid((at, top + 30.0), (at, top + HEIGHT - 34.0));
            svg.text((at, top + HEIGHT - 16.0), Anchor::Middle, &number(tick));
        }
        for backend in &backends {
            let style = Style::of(backend);
            let at = |(x, y): (f64, f64)| (across.place(x), up.place(y));
            let points: Vec<_> = points(backend).into_iter().map(at).collect();
            svg.line(&points, style);
            for point in points {
                svg.mark(point, style, true);
            }
        }
    }
    Some(svg.finish())
}

/// Each once, in the order in which they come.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// A power of ten without digits after the point.
fn short_time(nanos: f64) -> String {
    time(nanos).replace(".00", "").replace(".0", "")
}

fn number(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{value:.0}"),
        value if value < 1e6 => format!("{:.0}k", value / 1e3),
        value => format!("{:.0}M", value / 1e6),
    }
}

fn rate(value: f64) -> String {
    format!("{}/s", number(value))
}
