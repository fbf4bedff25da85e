use crate::canvas::{Across, Along, Canvas, Pen, TextLook};
use crate::draw_layer::marker;
use crate::font::{Weight, text_width};
use crate::layer::{Dash, Shape};
use crate::number::nice_ticks;
use crate::{ColourMap, Rgb, theme};

/// A legend's entry.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// What it stands for.
    pub label: String,
    /// Its colour.
    pub colour: Rgb,
    /// Its sign.
    pub swatch: Swatch,
}

impl LegendEntry {
    /// An entry.
    pub fn new(label: impl Into<String>, colour: Rgb, swatch: Swatch) -> LegendEntry {
        LegendEntry {
            label: label.into(),
            colour,
            swatch,
        }
    }
}

/// A legend's sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swatch {
    /// A marker.
    Marker(Shape),
    /// A piece of line.
    Line(Dash),
    /// A filled square, for bars and regions.
    Patch,
}

/// A bar that explains a heat map's colours.
#[derive(Clone, Debug, PartialEq)]
pub struct ColourBar {
    /// Name with unit.
    pub label: String,
    /// The colours.
    pub map: ColourMap,
    /// Values of their ends.
    pub limits: [f64; 2],
}

/// Height of an entry of a legend in a column.
pub(crate) const LEGEND_LINE: f64 = 20.0;
const BAR_WIDTH: f64 = 14.0;

impl ColourBar {
    /// Width of bar, ticks and name.
    pub(crate) fn width(&self) -> f64 {
        let widest = widest(&self.ticks());
        let label = if self.label.is_empty() {
            0.0
        } else {
            10.0 + theme::LABEL_SIZE
        };
        BAR_WIDTH + 7.0 + widest + label
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        nice_ticks(self.limits[0], self.limits[1], 5)
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, left: f64, top: f64, height: f64) {
        let steps = 256;
        for step in 0..steps {
            let from = top + height * f64::from(step) / f64::from(steps);
            let to = top + height * f64::from(step + 1) / f64::from(steps);
            let colour = self
                .map
                .at(1.0 - (f64::from(step) + 0.5) / f64::from(steps));
            canvas.rectangle(left, from, BAR_WIDTH, to - from, colour, 1.0);
        }
        let mut widest = 0.0f64;
        for (value, label) in self.ticks() {
            let fraction = (value - self.limits[0]) / (self.limits[1] - self.limits[0]);
            let y = top + (1.0 - fraction) * height;
            let right = left + BAR_WIDTH;
            canvas.line([right, y], [right + 3.0, y], Pen::new(theme::AXIS, 1.0));
            canvas.text(
                &label,
                [right + 7.0, y],
                Across::Left,
                Along::Middle,
                TextLook::new(theme::TICK_SIZE, theme::SOFT),
            );
            widest = widest.max(text_width(&label, theme::TICK_SIZE, Weight::Regular));
        }
        canvas.text(
            &self.label,
            [left + BAR_WIDTH + 7.0 + widest + 8.0, top + 0.5 * height],
            Across::Centre,
            Along::Top,
            TextLook {
                turned: true,
                ..TextLook::new(theme::LABEL_SIZE, theme::INK)
            },
        );
    }
}

impl LegendEntry {
    /// Width of sign and label.
    pub(crate) fn width(&self) -> f64 {
        self.text_offset() + text_width(&self.label, theme::LEGEND_SIZE, Weight::Regular)
    }

    fn text_offset(&self) -> f64 {
        match self.swatch {
            Swatch::Marker(_) => 17.0,
            Swatch::Line(_) => 26.0,
            Swatch::Patch => 21.0,
        }
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, left: f64, middle: f64) {
        match self.swatch {
            Swatch::Marker(shape) => {
                let at = [left + 6.0, middle];
                marker(canvas, at, shape, 4.5, self.colour, 1.0, None);
            }
            Swatch::Line(dash) => canvas.line(
                [left, middle],
                [left + 18.0, middle],
                Pen {
                    dash: dash.pattern(1.8),
                    ..Pen::new(self.colour, 2.2)
                },
            ),
            Swatch::Patch => {
                canvas.rectangle(left, middle - 6.0, 14.0, 12.0, self.colour, 1.0);
            }
        }
        canvas.text(
            &self.label,
            [left + self.text_offset(), middle],
            Across::Left,
            Along::Middle,
            TextLook::new(theme::LEGEND_SIZE, theme::INK),
        );
    }
}

/// Width and height of a legend in a column.
pub(crate) fn legend_size(entries: &[LegendEntry]) -> [f64; 2] {
    let width = entries.iter().map(LegendEntry::width).fold(0.0, f64::max);
    [width, entries.len() as f64 * LEGEND_LINE]
}

/// Width of the widest tick label.
pub(crate) fn widest(ticks: &[(f64, String)]) -> f64 {
    ticks
        .iter()
        .map(|(_, label)| text_width(label, theme::TICK_SIZE, Weight::Regular))
        .fold(0.0, f64::max)
}
