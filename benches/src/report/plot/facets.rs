//! Growth by size and throughput by tasks: diagrams beside each other.

use crate::{scale, throughput};

use super::labels::{distinct, number, rate, short_time};
use super::svg::{Anchor, Axis, Style, Svg};

/// One of several diagrams of a picture: its title, the value of each figure, and how to show a
/// value.
type Facet<F> = (&'static str, fn(&F) -> Option<f64>, fn(f64) -> String);

pub(super) fn growth(figures: &[scale::Figures]) -> Option<String> {
    let facets: [Facet<scale::Figures>; 8] = [
        ("get, not cached", |figures| Some(figures.get_cold_ns), short_time),
        ("multi_get of 100, not cached", |figures| Some(figures.multi_get_100_ns), short_time),
        ("scan of 11 rows", |figures| Some(figures.scan_11_ns), short_time),
        ("scan of all, a document", |figures| Some(figures.full_scan_ns), short_time),
        ("sweep of all, a document", |figures| Some(figures.sweep_ns), short_time),
        ("cold start", |figures| figures.cold_start_ns, short_time),
        ("seeding in order, a document", |figures| Some(figures.seed_ns), short_time),
        ("seeding at random, a document", |figures| figures.seed_random_ns, short_time),
    ];
    let x = |figures: &scale::Figures| figures.documents;
    let backend = |figures: &scale::Figures| figures.backend.clone();
    facetted("Growth with the number of documents", figures, &facets, x, backend)
}

pub(super) fn throughput(figures: &[throughput::Figures]) -> Option<String> {
    use throughput::{Figures, Mix};
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
