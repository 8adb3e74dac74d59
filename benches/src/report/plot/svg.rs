//! Writing SVG.

use std::fmt::Write as _;

/// The colour of text, axes and grid: legible on white and on black.
pub(super) const GREY: &str = "#7d8590";

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture without a background. Places are in pixels.
#[derive(Debug)]
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// The shape and the colour of a backend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) colour: &'static str,
    /// How many corners its marks have; 0 for a circle.
    corners: u32,
}

impl Style {
    pub(super) fn of(backend: &str) -> Self {
        let (colour, corners) = match backend {
            "sqlite" => ("#3b82f6", 0),
            "redis" => ("#e5484d", 3),
            "sled" => ("#d97706", 4),
            _ => ("#2ea043", 5),
        };
        Self { colour, corners }
    }
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    pub(super) fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"system-ui, sans-serif\" \
             font-size=\"13\" fill=\"{GREY}\">\n{body}</svg>\n"
        )
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    pub(super) fn title(&mut self, (x, y): (f64, f64), text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" font-weight=\"600\">{text}</text>"));
    }

    /// A line of the grid.
    pub(super) fn grid(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.add(format_args!(
            "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{GREY}\" stroke-opacity=\"0.3\"/>"
        ));
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], style: Style) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
            points.join(" "),
            style.colour
        ));
    }

    /// A mark; filled or hollow.
    pub(super) fn mark(&mut self, (x, y): (f64, f64), style: Style, filled: bool) {
        let Style { colour, corners } = style;
        let fill = if filled { colour } else { "none" };
        let paint = format!("fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.5\"");
        if corners == 0 {
            return self.add(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" {paint}/>"));
        }
        let corner = |at: u32| {
            let turn = std::f64::consts::TAU * (f64::from(at) / f64::from(corners) - 0.25);
            format!("{:.1},{:.1}", x + 5.0 * turn.cos(), y + 5.0 * turn.sin())
        };
        let points: Vec<_> = (0..corners).map(corner).collect();
        self.add(format_args!("<polygon points=\"{}\" {paint}/>", points.join(" ")));
    }

    /// The legend of backends, from left to right.
    pub(super) fn legend(&mut self, (x, y): (f64, f64), backends: &[&str]) {
        for (place, backend) in (0_u32..).zip(backends) {
            let x = x + 90.0 * f64::from(place);
            self.mark((x, y - 4.0), Style::of(backend), true);
            self.text((x + 10.0, y), Anchor::Start, backend);
        }
    }
}

/// A logarithmic axis between two values, from one place to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    values: (f64, f64),
    places: (f64, f64),
}

impl Axis {
    /// An axis that reaches to the powers of ten around the values.
    pub(super) fn around(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Self {
        let (least, most) = values
            .filter(|value| *value > 0.0)
            .fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        let least = if most > 0.0 { least.log10().floor() } else { 0.0 };
        let most = if most > 0.0 { most.log10().ceil().max(least + 1.0) } else { 1.0 };
        Self { values: (least, most), places }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.values.0) / (self.values.1 - self.values.0);
        self.places.0 + share.clamp(0.0, 1.0) * (self.places.1 - self.places.0)
    }

    /// The powers of ten.
    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let (mut power, last) = self.values;
        std::iter::from_fn(move || {
            let tick = 10_f64.powf(power);
            power += 1.0;
            (power - 1.0 <= last).then_some(tick)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_reach_to_powers_of_ten() {
        let axis = Axis::around([20.0, 3_000.0].into_iter(), (0.0, 300.0));
        assert_eq!((axis.place(10.0), axis.place(10_000.0)), (0.0, 300.0));
        assert_eq!(axis.ticks().count(), 4);
    }

    #[test]
    fn texts_are_escaped() {
        let mut svg = Svg::new(1.0, 1.0);
        svg.text((0.0, 0.0), Anchor::Start, "a < b & c");
        assert!(svg.finish().contains("a &lt; b &amp; c"));
    }
}
