//! A vector as a small line chart without axes.

use crate::canvas::{Canvas, Pen};
use crate::{PETROFF10, Rgb, RgbImage, theme};

/// Colour of the second line: petroff10's orange, which is told from ink and white by everyone.
pub(crate) const SECOND_LINE: Rgb = PETROFF10[6];
const FIRST_LINE: Rgb = theme::INK;
const ZERO: Rgb = Rgb::hex(0xb4bac3);

/// A tile of `size` (height, width) pixels with the line of `length` values over their index and
/// perhaps a second one over it; `range` are the values at its lower and upper edge. A thin line
/// marks zero where it is inside. What is not finite is a gap, and a value between two gaps a dot.
pub(crate) fn draw_lines(
    [height, width]: [usize; 2],
    length: usize,
    range: [f32; 2],
    first: impl Fn(usize) -> f64,
    second: Option<impl Fn(usize) -> f64>,
) -> RgbImage {
    let (height, width) = (height as f64, width as f64);
    let mut canvas = Canvas::new(width, height, 1.0);
    let edge = 1.0;
    for [x, y, w, h] in [
        [0.0, 0.0, width, edge],
        [0.0, height - edge, width, edge],
        [0.0, 0.0, edge, height],
        [width - edge, 0.0, edge, height],
    ] {
        canvas.rectangle(x, y, w, h, theme::GRID, 1.0);
    }
    let pen_width = (height / 40.0).clamp(1.0, 3.0);
    let frame = Frame {
        size: [width, height],
        pad: edge + 0.5 * pen_width + 0.04 * height,
        range: shown(range),
        length,
    };
    if frame.range[0] < 0.0 && frame.range[1] > 0.0 {
        let y = frame.y(0.0).round();
        canvas.rectangle(edge, y, width - 2.0 * edge, 1.0, ZERO, 1.0);
    }
    frame.draw(&mut canvas, &first, Pen::new(FIRST_LINE, pen_width));
    if let Some(second) = second {
        let pen = Pen {
            alpha: 0.9,
            ..Pen::new(SECOND_LINE, pen_width)
        };
        frame.draw(&mut canvas, &second, pen);
    }
    canvas.to_image()
}

/// The range itself, or one about the only value.
fn shown([low, high]: [f32; 2]) -> [f64; 2] {
    let (low, high) = (f64::from(low.min(high)), f64::from(low.max(high)));
    if high > low {
        [low, high]
    } else {
        let half = 0.5 * low.abs().max(1.0);
        [low - half, high + half]
    }
}

struct Frame {
    size: [f64; 2],
    pad: f64,
    range: [f64; 2],
    length: usize,
}

impl Frame {
    fn x(&self, index: usize) -> f64 {
        let room = self.size[0] - 2.0 * self.pad;
        match self.length {
            0 | 1 => 0.5 * self.size[0],
            length => self.pad + room * index as f64 / (length - 1) as f64,
        }
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.range[0]) / (self.range[1] - self.range[0]);
        // A given range may leave values outside; the bound keeps the path's numbers small.
        let room = self.size[1] - 2.0 * self.pad;
        self.size[1] - self.pad - share.clamp(-9.0, 10.0) * room
    }

    fn draw(&self, canvas: &mut Canvas, value: &dyn Fn(usize) -> f64, pen: Pen) {
        for run in self.runs(value) {
            match run[..] {
                [point] => canvas.disc(point, 1.2 * pen.width, pen.colour, pen.alpha),
                _ => canvas.polyline(&run, pen),
            }
        }
    }

    /// The stretches of finite values. Of each pixel's column only the first, the lowest, the
    /// highest and the last value are kept, which cover the same pixels as all of them (M4, Jugel et
    /// al. 2014).
    fn runs(&self, value: &dyn Fn(usize) -> f64) -> Vec<Vec<[f64; 2]>> {
        let mut runs = Vec::new();
        let mut run = Vec::new();
        let mut column: Option<Column> = None;
        for index in 0..self.length {
            let value = value(index);
            if !value.is_finite() {
                column.take().inspect(|column| column.end(&mut run));
                if !run.is_empty() {
                    runs.push(std::mem::take(&mut run));
                }
                continue;
            }
            let point = [self.x(index), self.y(value)];
            match &mut column {
                Some(current) if current.pixel == point[0].floor() => current.add(point),
                other => {
                    let before = other.replace(Column::new(point));
                    before.inspect(|column| column.end(&mut run));
                }
            }
        }
        column.inspect(|column| column.end(&mut run));
        if !run.is_empty() {
            runs.push(run);
        }
        runs
    }
}

/// What is kept of a pixel's column, with the order in which it came.
struct Column {
    pixel: f64,
    count: usize,
    first: [f64; 2],
    low: (usize, [f64; 2]),
    high: (usize, [f64; 2]),
    last: [f64; 2],
}

impl Column {
    fn new(point: [f64; 2]) -> Column {
        Column {
            pixel: point[0].floor(),
            count: 1,
            first: point,
            low: (0, point),
            high: (0, point),
            last: point,
        }
    }

    fn add(&mut self, point: [f64; 2]) {
        if point[1] < self.low.1[1] {
            self.low = (self.count, point);
        }
        if point[1] > self.high.1[1] {
            self.high = (self.count, point);
        }
        self.last = point;
        self.count += 1;
    }

    fn end(&self, run: &mut Vec<[f64; 2]>) {
        let mut kept = [
            (0, self.first),
            self.low,
            self.high,
            (self.count - 1, self.last),
        ];
        kept.sort_by_key(|(order, _)| *order);
        let mut before = None;
        for (order, point) in kept {
            if before != Some(order) {
                run.push(point);
            }
            before = Some(order);
        }
    }
}
