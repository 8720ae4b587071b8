//! Line plots as SVG inside a page: no script, no style of their own. Colours
//! and fonts are the page's, by class.

use std::fmt::Write;

use crate::escape;

/// A plot of a few lines over two linear axes.
pub struct Plot<'a> {
    /// What a screen reader says of it.
    pub title: &'a str,
    /// From left to right.
    pub x: Axis<'a>,
    /// From the bottom up.
    pub y: Axis<'a>,
    /// What is drawn, the first lowest.
    pub lines: Vec<Line>,
}

/// One axis, with a tick at every multiple of `step`.
pub struct Axis<'a> {
    /// What is measured.
    pub label: &'a str,
    /// Its lower end.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
    /// From tick to tick.
    pub step: f64,
}

/// One line of a plot.
pub struct Line {
    /// What the legend calls it.
    pub label: String,
    /// The page's class for its colour.
    pub colour: String,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its points, x and y.
    pub points: Vec<(f64, f64)>,
    /// Upright bars of uncertainty: x, from, to.
    pub bars: Vec<(f64, f64, f64)>,
}

/// How a line is drawn: told apart without colour too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Through points that are marked.
    Solid,
    /// In dashes.
    Dashed,
    /// In dots.
    Dotted,
    /// Points alone.
    None,
}

impl Stroke {
    fn class(self) -> &'static str {
        match self {
            Self::Solid => "solid",
            Self::Dashed => "dashed",
            Self::Dotted => "dotted",
            Self::None => "none",
        }
    }
}

impl Plot<'_> {
    /// The figure: the drawing and, below it, what its lines mean.
    pub fn figure(&self) -> String {
        let mut svg = String::new();
        self.axes(&mut svg);
        for line in &self.lines {
            self.line(line, &mut svg);
        }
        let legend: String = self.lines.iter().map(key).collect();
        format!(
            "<figure><svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\">{svg}</svg><figcaption class=\"key\">{legend}</figcaption></figure>",
            title = escape(self.title),
        )
    }

    fn axes(&self, svg: &mut String) {
        let (left, right) = (self.at_x(self.x.from), self.at_x(self.x.to));
        let (bottom, top) = (self.at_y(self.y.from), self.at_y(self.y.to));
        for y in self.y.ticks() {
            let at = self.at_y(y);
            push(svg, format_args!("<path class=\"grid\" d=\"M{left:.1} {at:.1}H{right:.1}\"/>"));
            let (x, y_text) = (left - 5.0, at + 3.5);
            push(
                svg,
                format_args!("<text class=\"end\" x=\"{x:.1}\" y=\"{y_text:.1}\">{y}</text>"),
            );
        }
        for x in self.x.ticks() {
            let at = self.at_x(x);
            push(svg, format_args!("<path class=\"grid\" d=\"M{at:.1} {bottom:.1}V{top:.1}\"/>"));
            let y = bottom + 13.0;
            push(svg, format_args!("<text class=\"middle\" x=\"{at:.1}\" y=\"{y:.1}\">{x}</text>"));
        }
        let (middle, y) = ((left + right) / 2.0, HEIGHT - 4.0);
        let label = escape(self.x.label);
        push(
            svg,
            format_args!("<text class=\"middle\" x=\"{middle:.1}\" y=\"{y:.1}\">{label}</text>"),
        );
        let label = escape(self.y.label);
        push(svg, format_args!("<text x=\"2\" y=\"10\">{label}</text>"));
    }

    fn line(&self, line: &Line, svg: &mut String) {
        let colour = &line.colour;
        for &(x, from, to) in &line.bars {
            let (x, from, to) = (self.at_x(x), self.at_y(from), self.at_y(to));
            push(
                svg,
                format_args!("<path class=\"bar {colour}\" d=\"M{x:.1} {from:.1}V{to:.1}\"/>"),
            );
        }
        let at = |&(x, y): &(f64, f64)| (self.at_x(x), self.at_y(y));
        let points: Vec<(f64, f64)> = line.points.iter().map(at).collect();
        if line.stroke != Stroke::None {
            let path: String = points
                .iter()
                .enumerate()
                .map(|(n, (x, y))| format!("{}{x:.1} {y:.1}", if n == 0 { 'M' } else { 'L' }))
                .collect();
            let stroke = line.stroke.class();
            push(svg, format_args!("<path class=\"line {stroke} {colour}\" d=\"{path}\"/>"));
        }
        if matches!(line.stroke, Stroke::Solid | Stroke::None) {
            for (x, y) in points {
                push(
                    svg,
                    format_args!(
                        "<circle class=\"{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.2\"/>"
                    ),
                );
            }
        }
    }

    fn at_x(&self, x: f64) -> f64 {
        LEFT + self.x.along(x) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, y: f64) -> f64 {
        HEIGHT - BELOW - self.y.along(y) * (HEIGHT - BELOW - ABOVE)
    }
}

impl Axis<'_> {
    /// How far along the axis, 0 to 1; beyond its ends is at its ends.
    fn along(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let first = (self.from / self.step).ceil() as i64;
        let last = (self.to / self.step).floor() as i64;
        (first..=last).map(|n| n as f64 * self.step)
    }
}

/// A line of the legend.
fn key(line: &Line) -> String {
    let mark = match line.stroke {
        Stroke::None => format!("<circle class=\"{}\" cx=\"11\" cy=\"5\" r=\"2.5\"/>", line.colour),
        stroke => {
            format!("<path class=\"line {} {}\" d=\"M1 5H21\"/>", stroke.class(), line.colour)
        }
    };
    format!(
        "<span><svg class=\"mark\" viewBox=\"0 0 22 10\" aria-hidden=\"true\">{mark}</svg>{}</span> ",
        escape(&line.label)
    )
}

fn push(svg: &mut String, part: std::fmt::Arguments<'_>) {
    svg.write_fmt(part).expect("a String takes everything");
}

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 10.0;
const ABOVE: f64 = 20.0;
const BELOW: f64 = 34.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_drawn_where_the_axes_say() {
        let axis = |label| Axis { label, from: 0.0, to: 10.0, step: 5.0 };
        let line = Line {
            label: "a < b".to_owned(),
            colour: "c0".to_owned(),
            stroke: Stroke::Solid,
            points: vec![(0.0, 0.0), (10.0, 20.0)],
            bars: vec![],
        };
        let plot = Plot { title: "t", x: axis("x"), y: axis("y"), lines: vec![line] };
        let figure = plot.figure();
        assert!(figure.contains("d=\"M34.0 196.0L350.0 20.0\""), "{figure}");
        assert!(figure.contains("a &lt; b") && figure.contains(">5</text>"));
    }
}
