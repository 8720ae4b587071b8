//! The picture at 128 x 128, from which every view but the first is made.
//!
//! A view asks for other samples of the picture: at other centres, of a part
//! of it, of more than there is. Reading the pixels again for each would cost
//! more than the look-up. PDQ sees nothing finer than 1/64 of a side, so means
//! over 1/128 hold what it needs: hashes made from them differ from those of
//! the full picture by less than one bit. They are summed in the pass that
//! hashes the picture.

use std::array;

/// Means over 1/128 of each side, row by row, and the picture's shape.
#[derive(Clone)]
pub(super) struct Small {
    luma: Box<Grid>,
    /// Width over height.
    aspect: f32,
}

/// A part of a side, from and to; the whole side is 0 to 1. Beyond its ends the
/// picture goes on as its mirror image.
pub(super) type Span = (f64, f64);

type Grid = [[f32; SIDE]; SIDE];

impl Small {
    /// The means, and width over height.
    pub(super) fn new(luma: Box<Grid>, aspect: f32) -> Self {
        Self { luma, aspect }
    }

    /// A picture with nothing in it.
    pub(super) fn blank() -> Self {
        Self { luma: Box::new([[0.0; SIDE]; SIDE]), aspect: 1.0 }
    }

    /// 64 x 64 samples of a part of the picture, at the exact centres of its
    /// 64 x 64 fields.
    pub(super) fn samples(&self, rows: Span, columns: Span) -> [[f32; 64]; 64] {
        let (rows, columns) = (taps(rows), taps(columns));
        let mut samples = [[0.0; 64]; 64];
        for (row, out) in rows.iter().zip(&mut samples) {
            let mut line = [0.0; SIDE];
            for (&from, &weight) in row.from.iter().zip(&row.weight) {
                for (sum, &value) in line.iter_mut().zip(&self.luma[from]) {
                    *sum += weight * value;
                }
            }
            for (column, out) in columns.iter().zip(out) {
                let taps = column.from.iter().zip(&column.weight);
                *out = taps.fold(0.0, |sum, (&from, &weight)| sum + weight * line[from]);
            }
        }
        samples
    }

    /// 64 x 64 samples of the picture turned about its centre by the angle of
    /// this sine and cosine; what lies outside is as the nearest edge.
    pub(super) fn turned(&self, sine: f32, cosine: f32) -> [[f32; 64]; 64] {
        // Means over 1/64, at the corners between the pixels.
        let mut corners = [[0.0; SIDE - 1]; SIDE - 1];
        for (pair, out) in self.luma.windows(2).zip(&mut corners) {
            for (x, out) in out.iter_mut().enumerate() {
                let (above, below) = (pair[0][x] + pair[0][x + 1], pair[1][x] + pair[1][x + 1]);
                *out = (above + below) * 0.25;
            }
        }
        let last = (SIDE - 2) as f32;
        let place = |fraction: f32| {
            let at = ((fraction + 0.5) * SIDE as f32 - 1.0).clamp(0.0, last);
            let whole = (at as usize).min(SIDE - 3);
            (whole, at - whole as f32)
        };
        let from_centre = |n: usize| (n as f32 + 0.5) / 64.0 - 0.5;
        array::from_fn(|row| {
            let y = from_centre(row);
            array::from_fn(|column| {
                let x = from_centre(column) * self.aspect;
                let (left, right) = place((cosine * x - sine * y) / self.aspect);
                let (top, down) = place(sine * x + cosine * y);
                let across =
                    |line: &[f32; SIDE - 1]| line[left] * (1.0 - right) + line[left + 1] * right;
                across(&corners[top]) * (1.0 - down) + across(&corners[top + 1]) * down
            })
        })
    }

    /// Rows and columns of what lies inside plain bars, such as a letterbox or
    /// the rest of a screenshot; none when there are no bars.
    pub(super) fn inside_bars(&self) -> Option<(Span, Span)> {
        let rows: Vec<&[f32]> = self.luma.iter().map(|row| row.as_slice()).collect();
        let (top, bottom) = bars(&rows);
        let inside = &rows[whole(top)..SIDE - whole(bottom)];
        let turned: Vec<Vec<f32>> =
            (0..SIDE).map(|x| inside.iter().map(|row| row[x]).collect()).collect();
        let columns: Vec<&[f32]> = turned.iter().map(Vec::as_slice).collect();
        let (left, right) = bars(&columns);
        let span =
            |from: f32, to: f32| (f64::from(from) / SIDE as f64, 1.0 - f64::from(to) / SIDE as f64);
        let found = [top, bottom, left, right].iter().any(|&bar| bar > 0.0);
        found.then(|| (span(top, bottom), span(left, right)))
    }
}

/// Four pixels next to each other, and their part in one sample.
struct Taps {
    from: [usize; 4],
    weight: [f32; 4],
}

/// PDQ's tent at 64 exact centres: it reaches one pixel of the small picture
/// to both sides, or further where the samples lie further apart.
fn taps((from, to): Span) -> [Taps; 64] {
    let side = SIDE as f64;
    let step = (to - from) * side / 64.0;
    let reach = (step / 2.0).max(1.0);
    array::from_fn(|n| {
        let centre = from * side + (n as f64 + 0.5) * step;
        let first = (centre - reach - 0.5).ceil();
        let weights: [f64; 4] =
            array::from_fn(|k| (reach - (first + k as f64 + 0.5 - centre).abs()).max(0.0));
        let sum: f64 = weights.iter().sum();
        Taps {
            from: array::from_fn(|k| mirrored(first as i64 + k as i64)),
            weight: weights.map(|weight| (weight / sum) as f32),
        }
    })
}

fn mirrored(at: i64) -> usize {
    let side = SIDE as i64;
    let at = at.rem_euclid(2 * side);
    at.min(2 * side - 1 - at) as usize
}

/// Thickness of the bars at the first and the last of the lines; zero for both
/// where hardly anything would be left between them.
fn bars(lines: &[&[f32]]) -> (f32, f32) {
    let backwards: Vec<&[f32]> = lines.iter().rev().copied().collect();
    let (first, last) = (bar(lines), bar(&backwards));
    if first + last >= lines.len() as f32 - 16.0 { (0.0, 0.0) } else { (first, last) }
}

/// Thickness of the bar that the lines begin with, to a fraction of a line.
///
/// A bar's lines are of one level, the first line's, but for [`SPECKS`]; a few
/// other lines in it are text.
fn bar(lines: &[&[f32]]) -> f32 {
    let mut sorted = lines[0].to_vec();
    let middle = sorted.len() / 2;
    let (_, &mut level, _) = sorted.select_nth_unstable_by(middle, f32::total_cmp);
    let is_plain = |line: &&[f32]| {
        let specks = line.iter().filter(|&&value| (value - level).abs() > LEVEL).count();
        specks as f32 <= SPECKS * line.len() as f32
    };
    let most = lines.len() * 45 / 100;
    let mut thickness = 0;
    for (n, line) in lines.iter().enumerate().take(most + 1) {
        if is_plain(line) {
            thickness = n + 1;
        } else if n >= thickness + TEXT {
            break;
        }
    }
    if thickness == 0 || thickness > most {
        return 0.0;
    }
    // The picture begins somewhere in the bar's last line or the one behind it:
    // as far in as that line resembles the bar rather than the picture.
    let picture = lines[thickness + 1];
    let contrast: f32 = picture.iter().map(|value| (value - level) * (value - level)).sum();
    if contrast < 4.0 * picture.len() as f32 {
        return thickness as f32;
    }
    let bar_in = |line: &[f32]| {
        let shared = picture.iter().zip(line).map(|(a, b)| (a - b) * (a - level));
        (shared.sum::<f32>() / contrast).clamp(0.0, 1.0)
    };
    (thickness - 1) as f32 + bar_in(lines[thickness - 1]) + bar_in(lines[thickness])
}

/// Lines that a bar of this thickness covers in part or in full.
fn whole(thickness: f32) -> usize {
    thickness.ceil() as usize
}

/// Width and height of the small picture.
pub(super) const SIDE: usize = 128;

/// How far the lines of a bar may be off its level: JPEG's noise at quality 50.
const LEVEL: f32 = 4.0;

/// The part of a bar's line that may be off all the same.
const SPECKS: f32 = 0.03;

/// Lines of text that a bar may hold in a row.
const TEXT: usize = 5;
