//! The lines, ticks, labels and grid of a plot's two axes.
//!
//! Lines are rectangles of whole pixels, so everything is placed in pixels of the canvas.

use crate::canvas::{Across, Along, Canvas, TextLook};
use crate::draw_layer::Mapping;
use crate::font::{Weight, text_width};
use crate::legend::widest;
use crate::plot::Plot;
use crate::{Axis, Rgb, theme};

/// Between labels that lie side by side, canvas units.
const LABEL_SPACE: f64 = 3.0;

impl Plot {
    /// Light lines at the ticks.
    pub(crate) fn draw_grid(&self, canvas: &mut Canvas, map: &Mapping<'_>) {
        let pixels = Pixels::of(canvas, map);
        if self.grid[0] {
            for (value, _) in self.x.tick_labels() {
                let x = pixels.x(&self.x, value);
                pixels.vertical(canvas, x, [pixels.top, pixels.bottom() - 1], theme::GRID);
            }
        }
        if self.grid[1] {
            for (value, _) in self.y.tick_labels() {
                let y = pixels.y(&self.y, value);
                pixels.horizontal(canvas, y, [pixels.left, pixels.right() - 1], theme::GRID);
            }
        }
    }

    /// The left and the lower axis with their names.
    pub(crate) fn draw_axes(&self, canvas: &mut Canvas, map: &Mapping<'_>) {
        let pixels = Pixels::of(canvas, map);
        self.draw_x_axis(canvas, &pixels);
        self.draw_y_axis(canvas, &pixels);
    }

    fn draw_x_axis(&self, canvas: &mut Canvas, pixels: &Pixels) {
        let line = pixels.bottom();
        let turned = self.x_labels_touch();
        let look = TextLook {
            turned,
            ..TextLook::new(theme::TICK_SIZE, theme::SOFT)
        };
        let (across, along) = if turned {
            (Across::Right, Along::Middle)
        } else {
            (Across::Centre, Along::Top)
        };
        let ends = [pixels.left, pixels.right() - 1];
        pixels.horizontal(canvas, line, ends, theme::AXIS);
        for (value, label) in self.x.tick_labels() {
            let x = pixels.x(&self.x, value);
            let at = pixels.unit([x, line + 2 * pixels.tick]);
            canvas.text(&label, at, across, along, look);
            pixels.vertical(canvas, x, [line, line + pixels.tick], theme::AXIS);
        }
        let area = pixels.length(self.x_label_area());
        let mut at = pixels.unit([pixels.left + pixels.width / 2, line + area]);
        // The lowest line of the area is the descenders', not the baseline.
        at[1] -= 0.25 * theme::LABEL_SIZE;
        let look = TextLook::new(theme::LABEL_SIZE, theme::INK);
        canvas.text(&self.x.label, at, Across::Centre, Along::Baseline, look);
    }

    fn draw_y_axis(&self, canvas: &mut Canvas, pixels: &Pixels) {
        let line = pixels.left - 1;
        let ends = [pixels.top, pixels.bottom() - 1];
        pixels.vertical(canvas, line, ends, theme::AXIS);
        let look = TextLook::new(theme::TICK_SIZE, theme::SOFT);
        for (value, label) in self.y.tick_labels() {
            let y = pixels.y(&self.y, value);
            let at = pixels.unit([pixels.left - 2 * pixels.tick, y]);
            canvas.text(&label, at, Across::Right, Along::Middle, look);
            pixels.horizontal(canvas, y, [line - pixels.tick, line], theme::AXIS);
        }
        let area = pixels.length(self.y_label_area());
        let at = pixels.unit([pixels.left - area, pixels.top + pixels.height / 2]);
        let look = TextLook {
            turned: true,
            ..TextLook::new(theme::LABEL_SIZE, theme::INK)
        };
        canvas.text(&self.y.label, at, Across::Centre, Along::Top, look);
    }

    /// Whether labels along the horizontal axis would touch each other, so that they must be
    /// turned.
    fn x_labels_touch(&self) -> bool {
        let ends: Vec<[f64; 2]> = self
            .x
            .tick_labels()
            .iter()
            .map(|(value, label)| {
                let middle = self.x.fraction(*value) * self.size[0];
                let half = 0.5 * text_width(label, theme::TICK_SIZE, Weight::Regular);
                [middle - half, middle + half]
            })
            .collect();
        ends.windows(2)
            .any(|pair| pair[1][0] < pair[0][1] + LABEL_SPACE)
    }

    /// Width of what stands left of the axes.
    pub(crate) fn y_label_area(&self) -> f64 {
        let widest = widest(&self.y.tick_labels());
        let ticks = if widest > 0.0 {
            2.0 * theme::TICK_LENGTH + widest
        } else {
            0.0
        };
        let label = if self.y.label.is_empty() {
            0.0
        } else {
            12.0 + theme::LABEL_SIZE
        };
        ticks + label + 2.0
    }

    /// Height of what stands below the axes.
    pub(crate) fn x_label_area(&self) -> f64 {
        let labels = self.x.tick_labels();
        let ticks = if labels.is_empty() {
            0.0
        } else if self.x_labels_touch() {
            2.0 * theme::TICK_LENGTH + 4.0 + widest(&labels)
        } else {
            2.0 * theme::TICK_LENGTH + theme::TICK_SIZE
        };
        let label = if self.x.label.is_empty() {
            0.0
        } else {
            8.0 + theme::LABEL_SIZE
        };
        ticks + label + 2.0
    }
}

/// The data's rectangle in whole pixels, with the length of a tick and the thickness of a line.
struct Pixels {
    scale: f64,
    left: i32,
    top: i32,
    width: i32,
    height: i32,
    tick: i32,
    line: i32,
}

impl Pixels {
    fn of(canvas: &Canvas, map: &Mapping<'_>) -> Pixels {
        let scale = canvas.scale();
        let pixels = |length: f64| (length * scale).round() as i32;
        Pixels {
            scale,
            left: pixels(map.left),
            top: pixels(map.top),
            width: pixels(map.width),
            height: pixels(map.height),
            tick: pixels(theme::TICK_LENGTH),
            line: pixels(1.0).max(1),
        }
    }

    fn length(&self, units: f64) -> i32 {
        (units * self.scale).round() as i32
    }

    fn right(&self) -> i32 {
        self.left + self.width
    }

    fn bottom(&self) -> i32 {
        self.top + self.height
    }

    fn x(&self, axis: &Axis, value: f64) -> i32 {
        self.left + (axis.fraction(value) * f64::from(self.width - 1)).round() as i32
    }

    fn y(&self, axis: &Axis, value: f64) -> i32 {
        self.bottom() - 1 - (axis.fraction(value) * f64::from(self.height - 1)).round() as i32
    }

    fn unit(&self, at: [i32; 2]) -> [f64; 2] {
        at.map(|pixel| f64::from(pixel) / self.scale)
    }

    /// A line at `y` between the pixels `ends`, both of which it covers.
    fn horizontal(&self, canvas: &mut Canvas, y: i32, ends: [i32; 2], colour: Rgb) {
        let before = self.line / 2;
        let [left, top] = self.unit([ends[0] - before, y - before]);
        let [width, height] = self.unit([ends[1] - ends[0] + self.line, self.line]);
        canvas.rectangle(left, top, width, height, colour, 1.0);
    }

    /// As [`Pixels::horizontal`], at `x` and downwards.
    fn vertical(&self, canvas: &mut Canvas, x: i32, ends: [i32; 2], colour: Rgb) {
        let before = self.line / 2;
        let [left, top] = self.unit([x - before, ends[0] - before]);
        let [width, height] = self.unit([self.line, ends[1] - ends[0] + self.line]);
        canvas.rectangle(left, top, width, height, colour, 1.0);
    }
}
